#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How many packets a second a rule drops on a live veth, against an XDP program
that only drops (root).

    [tx] s0 ------ s1 [rx] sluice, one rule      [tx] d0 ------ d1 [rx] drop.bpf.o

veth's receiver runs in softirq on the CPU of its sender, so generator and
receiver share one CPU and the rate is that of both together, for both alike.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (Window, attach, column, finish, median, ratio, rounds, table,
                     takes_xdp_frames, write)
from lab import Lab, LabError, built

SECONDS = 1.5
ROUNDS = 7
TARGET = 0.9
CPU = str(max(os.sched_getaffinity(0)))
CONFIG = """interface s1 { mode native }
default pass
rule flood drop udp from 198.18.0.0/15 to any port 9
"""


def sampler(lab, dev):
    def take():
        proc = lab.popen([built("sluice-gen"), dev, "--json", "--cpus", CPU, "--duration",
                          str(SECONDS + 1)], ns="tx")
        time.sleep(0.5)  # it has been loaded by then
        window = Window(proc.pid)
        time.sleep(SECONDS)
        window.stop()
        out = proc.communicate(timeout=10)[0]
        if proc.returncode:
            raise LabError("sluice-gen %s: %s" % (dev, out))
        result = json.loads(out[out.index("{"):])
        return {"value": result["transmitted_pps"], "waited": window.waited[0],
                "transmitted": result["transmitted"], "attempted": result["attempted"]}
    return take


def main():
    with Lab() as lab:
        lab.add("tx", "rx")
        for name in "sd":
            lab.veth("tx", name + "0", "rx", name + "1")
        takes_xdp_frames(lab, ("rx", "s1"), ("rx", "d1"))
        lab.apply(CONFIG, "rx")
        attach(lab, "rx", "d1", "drop.bpf.o")
        quiet, refused = rounds({"sluice": sampler(lab, "s0"), "drop": sampler(lab, "d0")},
                                ROUNDS)
        rule = [r for r in lab.stats("rx", "s1")["rules"] if r["name"] == "flood"][0]
        sent = sum(r["sluice"]["transmitted"] for r in quiet + refused)
    share = ratio(quiet, "sluice", "drop")
    table(["program", "Mpps", "samples"],
          [[name, "%.2f" % (median(column(quiet, name)) / 1e6),
            " ".join("%.2f" % (v / 1e6) for v in column(quiet, name))]
           for name in ("sluice", "drop")])
    print("ratio %.3f over %d rounds (%d noisy ones refused); target %.1f: %s" % (
        share, len(quiet), len(refused), TARGET, "met" if share >= TARGET else "MISSED"))
    print("the rule counted %d packets of %d sent" % (rule["packets"], sent))
    write("drop", {"unit": "packets/s", "ratio": share, "rounds": quiet, "refused": refused,
                   "rule_packets": rule["packets"], "sent": sent})
    return 0 if rule["packets"] == sent else 1


if __name__ == "__main__":
    finish(main)
