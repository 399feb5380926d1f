#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with two NICs on one hub: `sluice trace` on a driver with real rings, whose
interrupts and polls are held against the kernel's own counts. Root.

    eth0 (pktgen) ---- hub ---- eth1 (traced)

    guest_trace.py FOLDER...    those with `sluice` in it are tried, one after the other
"""
import json
import os
import signal
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)
from lab import BUILD, Lab, LabError
from pktgen import pktgen, up
from tap import Tap, check

CONFIG = "interface eth1 { mode auto }\ndefault drop\n"
COUNT = 4000
FLUSH_NS = 2000000  # emulated, some ten packets come in that time


def mac():
    with open("/sys/class/net/eth1/address", encoding="ascii") as file:
        return file.read().strip()


def interrupts(names):
    """The counts of some lines of /proc/interrupts, together."""
    with open("/proc/interrupts", encoding="ascii") as table:
        cpus = len(table.readline().split())
        lines = {line.split(":")[0].strip(): line.split()[1:] for line in table}
    return sum(int(n) for name in names for n in lines[name][:cpus] if n.isdigit())


def tracepoints(pid):
    """Programs that a process has at tracepoints."""
    folder, count = "/proc/%d/fdinfo" % pid, 0
    for name in os.listdir(folder):
        try:
            with open(os.path.join(folder, name), encoding="ascii") as file:
                count += "link_type:\traw_tracepoint" in file.read()
        except OSError:
            continue
    return count


def trace(lab, sluice, lines, *args):
    """Traces eth1 while COUNT packets come; (the report, interrupts of eth1 meanwhile)."""
    proc = lab.popen([sluice, "trace", "eth1", "--duration", "3600", "--json"] + list(args))
    end = time.monotonic() + 60
    while tracepoints(proc.pid) < 6:
        if proc.poll() is not None or time.monotonic() > end:
            raise LabError("sluice trace: " + (proc.stdout.read() if proc.poll() is not None
                                               else "its programs do not run"))
        time.sleep(0.1)
    time.sleep(1)  # its first reading
    before = interrupts(lines)
    sent = pktgen("eth0", mac(), COUNT)
    time.sleep(0.5)
    after = interrupts(lines)
    if lab.end(proc, signal.SIGINT, 60):
        raise LabError("sluice trace: " + proc.stdout.read())
    check(sent, COUNT, "packets that pktgen sent")
    return json.loads(proc.stdout.read()), after - before


def judge(run, irqs):
    """What it says is what was sent, and what /proc counted."""
    check((run["source"], run["packets_from"], run["packets"]), ("bpf", "filter", COUNT),
          "packets")
    ours = [n for n in run["napis"] if n["in_question"]]
    polls = sum(sum(n["polls"].values()) for n in ours)
    check({n["interface"] for n in ours}, {"eth1"}, "instances: %r" % run["napis"])
    # pktgen's packets, and nothing else but what its own interrupts clean.
    check(sum(n["packets"] for n in ours) >= COUNT, True, "packets polled: %r" % ours)
    check(0 < polls <= 3 * COUNT, True, "polls: %r" % ours)
    own = run["metrics"]["own_irqs"]["median"]
    counted = own * COUNT if own is not None else -1
    check(abs(counted - irqs) <= 0.02 * irqs + 5, True,
          "interrupts of eth1: %r of the trace, %d of /proc/interrupts" % (counted, irqs))
    check(sum(n for h in run["histograms"] if h["name"] == "hard_irq"
              for _, n in h["slots"]) > 0, True, "timed interrupts")
    return polls


def try_build(lab, tap, folder, lines, driver):
    sluice = os.path.join(folder, "sluice")
    name = os.path.basename(folder)
    with tap.case("%s: interrupts and polls of plain operation" % name):
        run, plain = trace(lab, sluice, lines)
        polls = judge(run, plain)
        tap.diag("plain: %d interrupts, %d polls for %d packets" % (plain, polls, COUNT))
    with tap.case("%s: the same with deferral" % name):
        defer(2, FLUSH_NS)
        try:
            run, deferred = trace(lab, sluice, lines)
        finally:
            defer(0, 0)
        polls = judge(run, deferred)
        tap.diag("deferred: %d interrupts, %d polls for %d packets" % (deferred, polls, COUNT))
        # QEMU's igb moderates by itself: ten packets an interrupt, with deferral or without.
        if driver == "e1000e":
            check(deferred < plain / 2, True, "interrupts %d -> %d" % (plain, deferred))
    with tap.case("%s: --deep" % name):
        report = json.loads(lab.output([sluice, "trace", "eth1", "--duration", "3", "--deep",
                                        "--json"], timeout=60))
        check(report["source"], "bpf", "its programs load: %r" % report["refused"])
        tap.diag("missing: %r" % report["missing"])
        check(set(report["missing"]) <= {"tasklet_entry", "tasklet_exit"}, True,
              "tracepoints that are missing: %r" % report["missing"])
        check(report["metrics"]["context_switches"]["median"] > 0, True, "context switches")
        check(report["cost"]["runs"] > 0, True, "runs: %r" % report["cost"])
        check(any(h["name"] == "irq_local_timer" for h in report["histograms"]), True, "vectors")


def defer(count, flush_ns):
    for name, value in (("napi_defer_hard_irqs", count), ("gro_flush_timeout", flush_ns)):
        with open("/sys/class/net/eth1/" + name, "w", encoding="ascii") as file:
            file.write(str(value))


def main():
    tap = Tap()
    folders = [f for f in sys.argv[1:] if os.path.exists(os.path.join(f, "sluice"))] or [BUILD]
    with Lab() as lab:
        up(lab, "eth0", "eth1")
        lab.apply(CONFIG, None)
        nic = lab.sluice_json("doctor", "eth1", "--json")["interfaces"][0]
        lines = [str(i["irq"]) for i in nic["irqs"]]
        tap.ok(lines, "interrupts of eth1 are known: %s" % " ".join(lines))
        for folder in folders:
            try_build(lab, tap, folder, lines, nic["driver"])
        lab.sluice("down")
    tap.done()


if __name__ == "__main__":
    main()
