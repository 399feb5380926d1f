#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How many packets a second a rule drops on a live veth (root), against XDP
programs that only drop: one of three instructions, and xdp-bench's.

    [tx] s0 ------ s1 [rx] sluice, one rule
    [tx] d0 ------ d1 [rx] drop.bpf.o
    [tx] x0 ------ x1 [rx] xdp-bench drop x1 -m native

The variable XDP_BENCH names the xdp-bench to run; without it the one on the
PATH is tried.

veth's receiver runs in softirq on the CPU of its sender, so generator and
receiver share one CPU, always busy, and the rate is that of both together. The
generator's part is the same for all, so the ratio of the rates understates how
the receivers differ. How much, is told by the share of the CPU's time that was
the receiver's (softirq, /proc/stat): share / rate is its time for each packet.
Where the generator had the greater share, it was the limit and not the receiver.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (Window, arguments, attach, column, dropped, finish, median, ratio, rounds,
                     running, table, takes_xdp_frames)
from lab import Lab, LabError, built, wait_for
from result import FLOOR, OURS, PEER

SECONDS = 1.5
ROUNDS, QUICK_ROUNDS = 7, 5
SIZES, QUICK_SIZES = (64, 256, 1024, 1500), (64, 1500)  # of a frame, without FCS
ROLES = {"sluice": OURS, "drop": FLOOR, "xdp-bench": PEER}
TARGET = 0.9
CPU = str(max(os.sched_getaffinity(0)))
NATIVE = 1  # XDP_ATTACHED_DRV of linux/if_link.h
CONFIG = """interface s1 { mode native }
default pass
rule flood drop udp from 198.18.0.0/15 to any port 9
"""


def sampler(lab, letter, size):
    def count():
        return dropped(lab, "rx", letter + "1")

    def take():
        proc = lab.popen([built("sluice-gen"), letter + "0", "--json", "--cpus", CPU,
                          "--size", str(size), "--duration", str(SECONDS + 2)], ns="tx")
        idle = count()
        # Loaded and at its speed; it says so by what arrives.
        if not wait_for(lambda: count() > idle + 1000, 2):
            raise LabError("sluice-gen %s0: nothing is dropped at %s1" % (letter, letter))
        window = Window([proc.pid], count, CPU)
        time.sleep(SECONDS)
        window.stop()
        if proc.poll() is not None:
            raise LabError("sluice-gen %s0: it ended inside the window" % letter)
        lab.end(proc, signal.SIGINT)
        out = proc.stdout.read()
        if proc.returncode:
            raise LabError("sluice-gen %s0: %s" % (letter, out))
        result = json.loads(out[out.index("{"):])
        return {"value": window.counted / window.seconds, **window.noise(),
                "transmitted": result["transmitted"],
                "attempted": result["attempted"]}
    return take


def start_xdp_bench(lab):
    """Why xdp-bench is not on x1 now; None: it is."""
    path = os.environ.get("XDP_BENCH") or shutil.which("xdp-bench")
    if not path:
        return "XDP_BENCH names none, and there is none on the PATH"
    log = os.path.join(lab.dir, "xdp-bench.log")
    with open(log, "w") as out:
        # It reads and prints at each interval: so seldom that it does not disturb.
        proc = lab.popen([path, "drop", "x1", "-m", "native", "-i", "60"], ns="rx",
                         stdin=subprocess.DEVNULL, stdout=out)

    def mode():
        return lab.link("rx", "x1").get("xdp", {}).get("mode")
    wait_for(lambda: mode() or proc.poll() is not None, 10)
    time.sleep(0.5)  # some of its versions fail, and detach, after they attached
    if proc.poll() is None and mode() == NATIVE:
        return None
    state = "runs, but not natively on x1" if proc.poll() is None else (
        "exit %d" % proc.returncode)
    lab.end(proc)
    with open(log) as file:
        said = [line.strip() for line in file if line.strip()]
    return "%s: %s: %s" % (os.path.basename(path), state, "; ".join(said[-2:]) or "said nothing")


def own_ns(sample):
    """The receiver's time for a packet."""
    return sample["softirq"] / sample["value"] * 1e9


def report(result, size, taken):
    quiet, refused = taken
    print("frames of %d bytes" % size)
    table(["program", "Mpps", "receiver's part", "ns/packet", "samples"],
          [[name, "%.2f" % (median(column(quiet, name)) / 1e6),
            "%.0f %%" % (100 * median(column(quiet, name, "softirq"))),
            "%.0f" % median([own_ns(r[name]) for r in quiet]),
            " ".join("%.2f" % (v / 1e6) for v in column(quiet, name))] for name in quiet[0]])
    print("%d quiet rounds, %d noisy ones refused" % (len(quiet), len(refused)))
    roles = {name: ROLES[name] for name in quiet[0]}
    place = {"at": {"frame bytes": size}, "along": "frame bytes"}
    result.rounds("dropped on a live veth, generator included", "packets/s", "more", roles,
                  taken, **place)
    result.rounds("the receiver's time of a packet", "ns", "less", roles, taken, value=own_ns,
                  **place)
    for peer in list(roles)[1:]:
        share = ratio(quiet, "sluice", peer)
        part = 1 - median(column(quiet, peer, "softirq"))
        result.target("%d bytes, rate to that of %s" % (size, peer), "%.3f" % share,
                      "at least %.1f" % TARGET, share >= TARGET)
        if part > 0.5:
            print("  the generator took %.0f %% of the CPU, so it was the limit, and the ratio of "
                  "the rates hides most of the difference" % (100 * part))


def main():
    options = arguments(__doc__).parse_args()
    with running("drop", "How many packets a second a rule drops on a live veth",
                 options.quick) as result, Lab() as lab:
        lab.add("tx", "rx")
        for letter in "sdx":
            lab.veth("tx", letter + "0", "rx", letter + "1")
        takes_xdp_frames(lab, ("rx", "s1"), ("rx", "d1"), ("rx", "x1"))
        lab.apply(CONFIG, "rx")
        attach(lab, "rx", "d1", "drop.bpf.o")
        absent = start_xdp_bench(lab)
        if absent:
            result.lacks("xdp-bench", absent)
        sent = 0
        for size in QUICK_SIZES if options.quick else SIZES:
            takers = {name: sampler(lab, letter, size)
                      for name, letter in zip(ROLES, "sdx"[:2 if absent else 3])}
            taken = rounds(takers, QUICK_ROUNDS if options.quick else ROUNDS)
            report(result, size, taken)
            sent += sum(r["sluice"]["transmitted"] for r in taken[0] + taken[1])
        rule = [r for r in lab.stats("rx", "s1")["rules"] if r["name"] == "flood"][0]
        if rule["packets"] != sent:
            result.fails("the rule counted %d packets of %d sent" % (rule["packets"], sent))
            return 1
    return 0


if __name__ == "__main__":
    finish(main)
