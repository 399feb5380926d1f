#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How long `sluice ports` takes to read 131,072 port counters (root).

The whole command is timed, from fork to exit: --top 1 reads everything and
prints little; --json prints every counter that is not zero, here first 2 and
then all of them.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import finish, median, table, takes_xdp_frames, write
from lab import Lab, built, wait_for

ROUNDS = 15
TARGET_MS = 50
PORTS = 65536
CONFIG = "interface r0 { mode native }\ndefault drop\n"


def time_command(lab, *args):
    """Milliseconds of each of ROUNDS runs, and the last output."""
    # Entered here, not by `ip netns exec`, whose mounts would be timed as well.
    def run():
        start = time.monotonic()
        out = lab.output([built("sluice"), "ports"] + list(args))
        return (time.monotonic() - start) * 1e3, out
    samples = [lab.within("rx", run) for _ in range(ROUNDS)]
    return [ms for ms, _ in samples], samples[-1][1]


def flood(lab):
    """A packet to every TCP and every UDP port."""
    for proto in ("tcp", "udp"):
        lab.run([built("sluice-gen"), "t0", "--proto", proto, "--dport", "0-65535", "--count",
                 str(PORTS), "--rate", "200k"], ns="tx")


def main():
    with Lab() as lab:
        lab.add("tx", "rx")
        lab.veth("tx", "t0", "rx", "r0")
        takes_xdp_frames(lab, ("rx", "r0"))
        lab.apply(CONFIG, "rx")
        lab.run([built("sluice-gen"), "t0", "--dport", "9-10", "--count", "2"], ns="tx")
        runs = {"--json, 2 ports seen": time_command(lab, "--json")[0]}
        flood(lab)
        wait_for(lambda: lab.stats("rx", "r0")["rx"]["packets"] >= 2 * PORTS + 2, 5)
        runs["--top 1, all seen"] = time_command(lab, "--top", "1")[0]
        runs["--json, all seen"], text = time_command(lab, "--json")
    found = json.loads(text)["ports"]
    packets = sum(p["packets"] for p in found)
    table(["sluice ports", "median ms", "least", "most"],
          [[name, "%.1f" % median(ms), "%.1f" % min(ms), "%.1f" % max(ms)]
           for name, ms in runs.items()])
    print("%d counters printed, %d packets in them of %d sent" % (
        len(found), packets, 2 * PORTS + 2))
    reading = median(runs["--top 1, all seen"])
    print("target: all counters read within %d ms: %s" % (
        TARGET_MS, "met" if reading < TARGET_MS else "MISSED"))
    write("ports", {"unit": "ms", "samples": runs, "counters": len(found), "packets": packets})
    return 0 if (len(found), packets) == (2 * PORTS, 2 * PORTS + 2) else 1


if __name__ == "__main__":
    finish(main)
