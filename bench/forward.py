#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sluice-fwd against dpdk-testpmd in io mode, on veth in copy mode (root).

    [tx] t0 ------ b0 [box] b1 ------ k0 [sink] drop.bpf.o
        CPU 0      forwarder on CPU 1

Each in turn forwards what the generator sends as fast as it can; what the sink's
end of the veth takes is counted. Both forwarders are pinned to one CPU, which
the generator does not use. Beside the rate it takes the user-space CPU time a
packet (what the kernel spends to receive and send is the same for all), and
sluice-fwd's system calls a packet, by its own statistics and, in a run of its
own, by strace.
"""
import contextlib
import json
import os
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (Window, attach, column, dropped, finish, median, ratio, rounds, table,
                     takes_xdp_frames, write)
from lab import Lab, LabError, built, wait_for

SECONDS = 2.0
ROUNDS = 5
TARGET = 1.0
USER_TARGET = 0.7
SYSCALLS_TARGET = 1 / 16
SAMPLES_HZ = 4999  # beside the timer's own round figures; 10,000 samples tell 5 % to a twentieth
# With a CPU for each of generator and forwarder nothing is left for the rest of
# the system: on two idle CPUs either forwarder waits 1 to 2 % of the time.
NOISE = 0.04
CONFIG = """interface b0, b1 { mode native }
default pass
rule all forward fallback drop udp
forwarder {
    wire b0 b1
    workers 1 cpus %s
    poll %s
    zero-copy off
}
"""
TESTPMD = ["dpdk-testpmd", "-l", "%s,%s", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
           "--vdev", "net_af_xdp0,iface=b0", "--vdev", "net_af_xdp1,iface=b1", "--", "-i",
           "--total-num-mbufs=16384", "--nb-cores=1", "--auto-start", "--forward-mode=io"]


def two_cpus():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise LabError("this needs two CPUs, one of them for the generator")
    return str(cpus[0]), str(cpus[1])


def sunk(lab):
    """Packets that the sink's XDP program has dropped."""
    return dropped(lab, "sink", "k0")


@contextlib.contextmanager
def generator(lab, cpu, seconds):
    proc = lab.popen([built("sluice-gen"), "t0", "--json", "--cpus", cpu, "--sport",
                      "1024-1087", "--duration", str(seconds)], ns="tx")
    try:
        yield proc
    finally:
        lab.end(proc, signal.SIGINT)


def is_forwarding(lab):
    before = sunk(lab)
    return wait_for(lambda: sunk(lab) > before + 1000, 10)


def profile(lab, pid, cpu):
    """
    Samples a process for SECONDS, from another CPU. By perf's timer: the ticks
    behind /proc/PID/stat hardly ever hit user space of one that sleeps often.
    """
    data = os.path.join(lab.dir, "perf.data")
    lab.run(["taskset", "-c", cpu, "perf", "record", "-q", "-e", "cpu-clock", "-F",
             str(SAMPLES_HZ), "-o", data, "-p", str(pid), "--", "sleep", str(SECONDS)])
    return data


def user_share(lab, data):
    """Which part of a profiled process's CPU time is user space."""
    where = [int(word, 16) >> 63 for word in
             lab.output(["perf", "script", "-i", data, "-F", "ip"], timeout=120).split()]
    return where.count(0) / max(len(where), 1)  # the kernel has the upper half


def sample(lab, pid, cpu):
    """
    Sends through a running forwarder; its rate, how long it waited for its CPU,
    and, from the same seconds, how much of its CPU time is user space.
    """
    with generator(lab, cpu, SECONDS + 15) as proc:
        if not is_forwarding(lab):
            raise LabError("nothing came through the forwarder")
        window = Window((pid, proc.pid), lambda: sunk(lab))
        data = profile(lab, pid, cpu)
        window.stop()
    # The generator offers several times what is forwarded, so only the
    # forwarder's wait spoils the figure.
    return {"value": window.counted / window.seconds, "waited": window.waited[0], "ran": window.ran,
            "waits": window.waited, "packets": window.counted,
            "user_seconds": user_share(lab, data) * window.ran[0] * window.seconds}


def last_json(text):
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    raise LabError("no statistics in: %s" % text[-2000:])


def start_fwd(lab, cpu, poll, wrap=()):
    path = lab.file("forward.conf", CONFIG % (cpu, poll))
    lab.sluice("apply", path, ns="box")
    return lab.popen(list(wrap) + [built("sluice-fwd"), "-c", path, "--json"], ns="box")


def take_sluice(lab, cpus, poll):
    proc = start_fwd(lab, cpus[1], poll)
    try:
        # The agent's child has the workers.
        planes = wait_for(lambda: children(proc.pid), 10)
        result = sample(lab, planes[0], cpus[0])
    finally:
        lab.end(proc, signal.SIGINT)
    stats = last_json(proc.stdout.read())
    result["syscalls_per_packet"] = [w["syscalls_per_packet"] for w in stats["workers"]]
    lab.sluice("down", ns="box")
    return result


def take_testpmd(lab, cpus):
    words = [w % cpus if "%s" in w else w for w in TESTPMD]
    with open(os.path.join(lab.dir, "testpmd.log"), "w") as log:
        proc = lab.popen(words, ns="box", stdin=-1, stdout=log)
        try:
            result = sample(lab, proc.pid, cpus[0])
        finally:
            with contextlib.suppress(OSError):
                proc.stdin.write("quit\n")
                proc.stdin.flush()
            wait_for(lambda: proc.poll() is not None, 10)
            lab.end(proc, signal.SIGKILL)
    for dev in ("b0", "b1"):
        lab.run(["ip", "link", "set", "dev", dev, "xdp", "off"], ns="box", check=False)
    return result


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(word) for word in file.read().split()]


def count_by_strace(lab, cpus):
    """
    System calls that strace -c -f saw over the packets forwarded meanwhile.
    strace slows each call, so bursts are longer and the figure is a lower one
    than that of the statistics: it checks that no call goes uncounted.
    """
    if not shutil.which("strace"):
        return None
    log = os.path.join(lab.dir, "strace")
    proc = start_fwd(lab, cpus[1], "sleep", ["strace", "-c", "-f", "-o", log])
    with generator(lab, cpus[0], 4) as sender:
        is_forwarding(lab)
        sender.wait(15)
    # What it traces ends, and strace writes its table.
    for child in children(proc.pid):
        os.kill(child, signal.SIGINT)
    wait_for(lambda: proc.poll() is not None, 10)
    lab.end(proc, signal.SIGINT)
    stats = last_json(proc.stdout.read())
    lab.sluice("down", ns="box")
    with open(log) as table_:
        rows = [line.split() for line in table_]
    seen = {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}
    own = {}
    for worker in stats["workers"]:
        for name, count in worker["syscalls"].items():
            own[name] = own.get(name, 0) + count
    return {"strace": {n: seen.get(n, 0) for n in ("ppoll", "sendto", "recvfrom", "sendmsg",
                                                   "recvmsg")}, "statistics": own}


def main():
    cpus = two_cpus()
    with Lab() as lab:
        lab.add("tx", "box", "sink")
        lab.veth("tx", "t0", "box", "b0")
        lab.veth("box", "b1", "sink", "k0")
        takes_xdp_frames(lab, ("tx", "t0"), ("box", "b0"), ("box", "b1"), ("sink", "k0"))
        attach(lab, "sink", "k0", "drop.bpf.o")
        takers = {"sluice-fwd sleep": lambda: take_sluice(lab, cpus, "sleep"),
                  "sluice-fwd busy": lambda: take_sluice(lab, cpus, "busy")}
        if shutil.which("dpdk-testpmd"):
            takers["testpmd io"] = lambda: take_testpmd(lab, cpus)
        quiet, refused = rounds(takers, ROUNDS, NOISE)
        strace = count_by_strace(lab, cpus)
    return report(takers, quiet, refused, strace)


def user_ns(quiet, name):
    """User-space CPU time a packet, over all samples."""
    return 1e9 * sum(column(quiet, name, "user_seconds")) / sum(column(quiet, name, "packets"))


def report(takers, quiet, refused, strace):
    ours = [name for name in takers if name.startswith("sluice")]
    calls = {name: max(max(r[name]["syscalls_per_packet"]) for r in quiet) for name in ours}
    table(["forwarder", "Mpps", "user ns/packet", "syscalls/packet", "samples"],
          [[name, "%.3f" % (median(column(quiet, name)) / 1e6),
            "%.0f" % user_ns(quiet, name),
            "%.4f" % calls[name] if name in calls else "",
            " ".join("%.3f" % (v / 1e6) for v in column(quiet, name))] for name in takers])
    shares, user = {}, {}
    if "testpmd io" in takers:
        for name in ours:
            shares[name] = ratio(quiet, name, "testpmd io")
            user[name] = user_ns(quiet, name) / user_ns(quiet, "testpmd io")
            print("%s / testpmd: rate %.3f; target %.1f: %s; user-space time %.2f; target %.1f: %s"
                  % (name, shares[name], TARGET, "met" if shares[name] >= TARGET else "MISSED",
                     user[name], USER_TARGET, "met" if user[name] <= USER_TARGET else "MISSED"))
    else:
        print("dpdk-testpmd: not installed (Debian: dpdk-dev), not measured")
    worst = max(calls.values())
    print("system calls a packet %.4f; target %.4f: %s" % (
        worst, SYSCALLS_TARGET, "met" if worst <= SYSCALLS_TARGET else "MISSED"))
    print("%d quiet rounds, %d noisy ones refused" % (len(quiet), len(refused)))
    if strace:
        print("strace's count %s, sluice-fwd's own %s" % (strace["strace"],
                                                          strace["statistics"]))
    write("forward", {"unit": "packets/s", "ratio_to_testpmd": shares,
                      "user_time_ratio_to_testpmd": user, "syscalls_per_packet": calls,
                      "strace": strace, "rounds": quiet, "refused": refused})
    return 0


if __name__ == "__main__":
    finish(main)
