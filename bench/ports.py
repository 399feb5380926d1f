#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How long `sluice ports` takes to read 131,072 port counters (root).

The whole command is timed, from fork to exit: --top 1 reads everything and
prints little; --json prints every counter that is not zero, here first 2 and
then all of them.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (column, finish, median, rounds, table, takes_xdp_frames, timed, write)
from lab import Lab, built, wait_for

ROUNDS = 15
TARGET_MS = 50
PORTS = 65536
CONFIG = "interface r0 { mode native }\ndefault drop\n"


def sampler(lab, *args):
    # Entered here, not by `ip netns exec`, whose mounts would be timed as well.
    def take():
        seconds, waited, _ = lab.within("rx", timed, [built("sluice"), "ports"] + list(args))
        return {"value": seconds * 1e3, "waited": waited}
    return take


def flood(lab):
    """A packet to every TCP and every UDP port."""
    for proto in ("tcp", "udp"):
        lab.run([built("sluice-gen"), "t0", "--proto", proto, "--dport", "0-65535", "--count",
                 str(PORTS), "--rate", "200k"], ns="tx")


def measure(lab, name_args):
    """Rounds of `sluice ports` with each of {name: arguments}: (samples in ms by name, noisy)."""
    quiet, refused = rounds({name: sampler(lab, *args) for name, args in name_args.items()},
                            ROUNDS)
    return {name: column(quiet, name) for name in name_args}, refused


def main():
    with Lab() as lab:
        lab.add("tx", "rx")
        lab.veth("tx", "t0", "rx", "r0")
        takes_xdp_frames(lab, ("rx", "r0"))
        lab.apply(CONFIG, "rx")
        lab.run([built("sluice-gen"), "t0", "--dport", "9-10", "--count", "2"], ns="tx")
        runs, refused = measure(lab, {"--json, 2 ports seen": ["--json"]})
        flood(lab)
        wait_for(lambda: lab.stats("rx", "r0")["rx"]["packets"] >= 2 * PORTS + 2, 5)
        all_seen, more = measure(lab, {"--top 1, all seen": ["--top", "1"],
                                       "--json, all seen": ["--json"]})
        found = lab.sluice_json("ports", "--json", ns="rx")["ports"]
    return report({**runs, **all_seen}, refused + more, found)


def report(runs, refused, found):
    packets = sum(p["packets"] for p in found)
    table(["sluice ports", "median ms", "least", "most"],
          [[name, "%.1f" % median(ms), "%.1f" % min(ms), "%.1f" % max(ms)]
           for name, ms in runs.items()])
    print("%d noisy rounds refused" % len(refused))
    print("%d counters printed, %d packets in them of %d sent" % (
        len(found), packets, 2 * PORTS + 2))
    reading = median(runs["--top 1, all seen"])
    print("target: all counters read within %d ms: %s" % (
        TARGET_MS, "met" if reading < TARGET_MS else "MISSED"))
    write("ports", {"unit": "ms", "samples": runs, "refused": refused, "counters": len(found),
                    "packets": packets})
    return 0 if (len(found), packets) == (2 * PORTS, 2 * PORTS + 2) else 1


if __name__ == "__main__":
    finish(main)
