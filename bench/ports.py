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
from measure import (arguments, column, finish, median, rounds, running, table,
                     takes_xdp_frames, timed)
from lab import Lab, built, wait_for
from result import OURS

ROUNDS, QUICK_ROUNDS = 15, 7
TARGET_MS = 50
PORTS = 65536
TOP = "--top 1, all seen"
CONFIG = "interface r0 { mode native }\ndefault drop\n"


def sampler(lab, *args):
    # Entered here, not by `ip netns exec`, whose mounts would be timed as well.
    def take():
        seconds, noise, _ = lab.within("rx", timed, [built("sluice"), "ports"] + list(args))
        return {"value": seconds * 1e3, **noise}
    return take


def flood(lab):
    """A packet to every TCP and every UDP port."""
    for proto in ("tcp", "udp"):
        lab.run([built("sluice-gen"), "t0", "--proto", proto, "--dport", "0-65535", "--count",
                 str(PORTS), "--rate", "200k"], ns="tx")


def measure(lab, name_args, wanted):
    """Rounds of `sluice ports` with each of {name: arguments}."""
    return rounds({name: sampler(lab, *args) for name, args in name_args.items()}, wanted)


def measured(wanted):
    """([what rounds() returned], the counters that were printed at last)."""
    with Lab() as lab:
        lab.add("tx", "rx")
        lab.veth("tx", "t0", "rx", "r0")
        takes_xdp_frames(lab, ("rx", "r0"))
        lab.apply(CONFIG, "rx")
        lab.run([built("sluice-gen"), "t0", "--dport", "9-10", "--count", "2"], ns="tx")
        few = measure(lab, {"--json, 2 ports seen": ["--json"]}, wanted)
        flood(lab)
        wait_for(lambda: lab.stats("rx", "r0")["rx"]["packets"] >= 2 * PORTS + 2, 5)
        every = measure(lab, {TOP: ["--top", "1"], "--json, all seen": ["--json"]}, wanted)
        found = lab.sluice_json("ports", "--json", ns="rx")["ports"]
    return [few, every], found


def main():
    options = arguments(__doc__).parse_args()
    with running("ports", "How long `sluice ports` takes to read 131,072 port counters",
                 options.quick) as result:
        taken, found = measured(QUICK_ROUNDS if options.quick else ROUNDS)
        return report(result, taken, found)


def report(result, taken, found):
    packets = sum(p["packets"] for p in found)
    table(["sluice ports", "median ms", "least", "most"],
          [[name, "%.1f" % median(ms), "%.1f" % min(ms), "%.1f" % max(ms)]
           for quiet, _ in taken for name in quiet[0] for ms in [column(quiet, name)]])
    print("%d noisy rounds refused" % sum(len(refused) for _, refused in taken))
    for quiet, refused in taken:
        result.rounds("the whole command", "ms", "less", dict.fromkeys(quiet[0], OURS),
                      (quiet, refused))
    reading = median(column(taken[1][0], TOP))
    result.target("all counters read", "%.1f ms" % reading, "less than %d ms" % TARGET_MS,
                  reading < TARGET_MS)
    wanted = 2 * PORTS, 2 * PORTS + 2
    if (len(found), packets) != wanted:
        result.fails("%d counters with %d packets were printed, not %d with %d" % (
            len(found), packets, *wanted))
        return 1
    return 0


if __name__ == "__main__":
    finish(main)
