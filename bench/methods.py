#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a packet costs by method: CPU time, system calls, switches, softirqs, copies (root).

    [tx] t0 ------ b0 [box] b1 ------ k0 [sink] drop.bpf.o
        CPU 0      what forwards in user space on CPU 1

Each way of hops.py to drop at b0, or to take a packet over to k0, at one rate that all of them
manage and at a flood, where a batch is full and a spinner does not spin for nothing. Packets
are what b0 or k0 took. Time and counts are of the whole machine, the sender's among them, which
is the same for all: the program that only drops shows what it is.

CPU time: what the CPUs were not idle, exact (machine.py); what of it was user space, kernel and
softirq: /proc/stat's ticks, at a flood only, as a tick hardly meets what sleeps between bursts.
Counts: `perf stat -a` of the tracepoints, exact, in a window of their own: perf has a CPU for
as long as it starts. Copies are computed, not measured: the bytes that the kernel copies of each
frame; AF_XDP in copy mode copies it into the UMEM and out of it again, the others hand the page on.
"""
import contextlib
import os
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hops
from box import build, two_cpus
from lab import Lab, LabError, built, wait_for
from measure import Window, arguments, attach, column, finish, median, rounds, running, table
from result import OURS
import machine

SECONDS, QUICK_SECONDS = 1.0, 0.7
ROUNDS, QUICK_ROUNDS = 5, 5
NOISE = 0.04  # as forward.py: two CPUs have work, nothing is left for the rest of the system
SIZE = 64
LOADS = {"100 kpps": ["--rate", "100k"], "flood": []}
EVENTS = {"system calls": "raw_syscalls:sys_enter", "context switches": "sched:sched_switch",
          "softirqs": "irq:softirq_entry", "NAPI polls": "napi:napi_poll"}
COPIES = {"sluice-fwd": 2, "testpmd": 2, "xsk_fwd": 2}  # times the frame; others none
PARTS = {"user space": ("user", "nice"), "kernel": ("system", "irq"), "softirq": ("softirq",)}
COUNTED = {hops.DROP: ("box", "b0"), hops.FORWARD: ("sink", "k0")}


def perf_counts(lab, seconds):
    """{event: a second} on the whole machine, of `seconds` from its start."""
    out = lab.output(["perf", "stat", "-a", "-x", ",", "-e", ",".join(
        ["duration_time", *EVENTS.values()]), "-o", os.path.join(lab.dir, "perf"), "--",
        "sleep", str(seconds)])
    with open(os.path.join(lab.dir, "perf"), encoding="ascii") as source:
        fields = {line.split(",")[2]: line.split(",")[0] for line in source
                  if line.count(",") > 2}
    if not all(fields.get(event, "").isdigit() for event in ["duration_time", *EVENTS.values()]):
        raise LabError("perf stat: not all tracepoints were counted: %s %s" % (fields, out))
    took = int(fields["duration_time"]) / 1e9
    return {name: int(fields[event]) / took for name, event in EVENTS.items()}


@contextlib.contextmanager
def traffic(lab, cpu, load, mac):
    """The sender, once what it sends is seen at b0."""
    proc = lab.popen([built("sluice-gen"), "t0", "--cpus", cpu, "--size", str(SIZE), "--sport",
                      "1024-1087", "--dport", str(hops.PORT), "--duration", "60", "--dst-mac",
                      mac, *LOADS[load]], ns="tx")
    idle = hops.received(lab, "box", "b0")
    try:
        if not wait_for(lambda: hops.received(lab, "box", "b0") > idle + 1000, 10):
            raise LabError("sluice-gen t0: nothing arrives at b0")
        yield proc
    finally:
        lab.end(proc, signal.SIGINT)


def went_up(lab):
    """
    Packets that the box's IP stack found no one for: of a drop, those that were not dropped.
    A drop by a prerouting hook is after InReceives and before these.
    """
    def read():
        found = {}
        for name in ("snmp", "netstat"):
            with open("/proc/thread-self/net/" + name, encoding="ascii") as source:
                lines = [line.split() for line in source if line.startswith("Ip")]
            for names, values in zip(lines[::2], lines[1::2]):
                found.update(zip(names[1:], values[1:]))
        return sum(int(found[key]) for key in ("InAddrErrors", "InNoRoutes", "InDelivers"))
    return lab.within("box", read)


def sample(lab, job, seconds, pids):
    """The costs of a packet, while a way and the sender run."""
    def count():
        return hops.received(lab, *COUNTED[job])
    before = count()
    if not wait_for(lambda: count() > before + 1000, 10):
        raise LabError("nothing comes through")
    stack = went_up(lab)
    window, idle = Window(pids, count), machine.idle_ns()
    time.sleep(seconds)
    busy = machine.busy_cpus(idle, machine.idle_ns())
    window.stop()
    rate = window.counted / window.seconds
    events = Window(pids, count)
    counts = perf_counts(lab, seconds / 2)
    events.stop()
    if job == hops.DROP and went_up(lab) - stack > (window.counted + events.counted) / 100:
        raise LabError("it does not drop: the packets went up the stack")
    found = {name: number * events.seconds / events.counted for name, number in counts.items()}
    for name, kinds in PARTS.items():
        found[name] = sum(window.shares[kind] for kind in kinds) * os.cpu_count() * 1e9 / rate
    return {"value": busy * 1e9 / rate, "rate": rate, **found, **window.noise(),
            "steal": max(window.shares["steal"], events.shares["steal"]),
            "waited": max(window.waited + events.waited)}


def sampler(lab, cpus, place, seconds, name, way):
    job, load = place

    def take():
        mac = hops.addressed(lab, job, name)
        with way(lab, cpus[1]) as pids, traffic(lab, cpus[0], load, mac) as sender:
            time.sleep(0.2)  # the forwarder's rings fill
            return sample(lab, job, seconds, [*pids, sender.pid])
    return take


def copied(name, role):
    """Bytes of a frame that the kernel copies, computed."""
    times = [n for of, n in COPIES.items() if name.startswith(of) and name != "sluice redirect"]
    return {"name": name, "role": role, "over": None, "samples": [float(SIZE * sum(times))],
            "refused": [], "noise": {}}


def record(result, job, load, roles, taken):
    at = {"job": job, "load": load}
    result.rounds("CPU time of a packet", "ns", "less", roles, taken, at=at)
    for name in PARTS if load == "flood" else ():
        result.rounds(name, "ns", "less", roles, taken, at=at,
                      stack="CPU time of a packet, by part", value=lambda s, name=name: s[name])
    for name in EVENTS:
        result.rounds(name, "a packet", "less", roles, taken, at=at, judged=False,
                      value=lambda s, name=name: s[name])
    result.figure("bytes copied, computed", "bytes", "less",
                  [copied(name, role) for name, role in roles.items()], at=at, judged=False)
    result.rounds("rate", "packets/s", "more", roles, taken, at=at, judged=False,
                  value=lambda s: s["rate"])


def show(job, load, quiet, refused):
    print("%s, %s: per packet, of the whole machine" % (job, load))
    table(["method", "kpps", "CPU ns", *EVENTS, "waited"],
          [[name, "%.0f" % (median(column(quiet, name, "rate")) / 1e3),
            "%.0f" % median(column(quiet, name))]
           + ["%.4f" % median(column(quiet, name, event)) for event in EVENTS]
           + ["%.3f" % median(column(quiet, name, "waited"))] for name in quiet[0]])
    print("%d quiet rounds, %d noisy ones refused" % (len(quiet), len(refused)))


def main():
    options, cpus = arguments(__doc__).parse_args(), two_cpus()
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with running("methods", "What a packet costs, by method", options.quick) as result, \
            Lab() as lab:
        if not shutil.which("perf"):
            raise LabError("perf: not installed (Debian: linux-perf)")
        build(lab)
        attach(lab, "sink", "k0", "drop.bpf.o")
        for job in (hops.DROP, hops.FORWARD):
            found = hops.tried(result, job, cpus, lambda name, way, job=job: sampler(
                lab, cpus, (job, "100 kpps"), seconds / 4, name, way)())
            roles = {name: role for name, (role, _way) in found.items()}
            assert OURS in roles.values()
            for load in LOADS:
                taken = rounds({name: sampler(lab, cpus, (job, load), seconds, name, way)
                                for name, (_role, way) in found.items()},
                               QUICK_ROUNDS if options.quick else ROUNDS, NOISE)
                show(job, load, *taken)
                record(result, job, load, roles, taken)
    return 0


if __name__ == "__main__":
    finish(main)
