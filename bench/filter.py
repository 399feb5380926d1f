#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the filter costs a packet, in ns over an empty XDP program (root).

One warm 60-byte UDP packet through the loaded program by BPF_PROG_TEST_RUN
(`bpftool prog run`), a million times a sample, the programs in turn. The packet
matches the last rule; all counters are on.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import attach, column, difference, finish, median, rounds, table, write, xdp_id
from lab import Lab, LabError

from scapy.all import Ether, IP, UDP

REPEAT = 1000000
ROUNDS = 9
CPU = str(max(os.sched_getaffinity(0)))
TARGET_NS = 25  # of the 16 rules, over the empty program


def packet():
    frame = bytes(Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") /
                  IP(src="198.18.0.1", dst="198.18.0.2") / UDP(sport=1024, dport=9))
    return frame + bytes(60 - len(frame))


def configuration(rules):
    """`rules` rules, of which the packet matches the last; kinds alternate."""
    lines = ["interface b0 { mode native }", "default pass"]
    kinds = ("drop udp from 10.%d.0.0/16 to any port %d", "drop tcp from 10.%d.0.0/16 port %d",
             "drop from 172.16.%d.0/24 to 192.0.2.%d", "drop udp to 198.18.%d.128/25 port %d")
    for i in range(rules - 1):
        lines.append("rule r%d %s" % (i, kinds[i % 4] % (i % 200, i % 200 + 10)))
    if rules:
        lines.append("rule last pass udp from 198.18.0.0/15 to any port 9")
    return "\n".join(lines) + "\n"


def sampler(lab, number, frame):
    def take():
        out = lab.output(["taskset", "-c", CPU, "bpftool", "prog", "run", "id", str(number),
                          "data_in", frame, "repeat", str(REPEAT)])
        found = re.search(r"Return value: (\d+), duration \(average\): (\d+)ns", out)
        if not found or found.group(1) != "2":
            raise LabError("bpftool prog run: expected XDP_PASS (2): %s" % out)
        return {"value": int(found.group(2))}
    return take


def xdp_filter(lab):
    """Debian's xdp-filter with one rule of another port; its id, or None and why."""
    for features, name in ((["-f", "udp"], "udp"), ([], "all")):
        space = "filter-" + name
        lab.add(space)
        lab.veth("peer", "pf" + name, space, "b0")
        lab.run(["xdp-filter", "load", "-m", "native", "b0"] + features, ns=space, check=False)
        lab.run(["xdp-filter", "port", "77", "-p", "udp"], ns=space, check=False)
        link = lab.link(space, "b0")
        yield "xdp-filter, %s features" % name, link.get("xdp", {}).get("prog", {}).get("id")


def main():
    with Lab() as lab:
        frame = lab.file("packet", packet())
        lab.add("peer", "empty")
        lab.veth("peer", "pe", "empty", "b0")
        attach(lab, "empty", "b0", "pass.bpf.o")
        ids = {"empty": xdp_id(lab, "empty", "b0")}
        failed = []
        for rules in (0, 1, 16, 256):
            space = "r%d" % rules
            lab.add(space)
            lab.veth("peer", "p%d" % rules, space, "b0")
            done = lab.apply(configuration(rules), space, check=False)
            if done.returncode:
                failed.append("sluice, %d rules: %s" % (rules, done.stderr.splitlines()[0]))
            else:
                ids["sluice, %d rules" % rules] = xdp_id(lab, space, "b0")
        absent = []
        for name, number in xdp_filter(lab):
            if number:
                ids[name] = number
            else:
                absent.append(name)
        quiet, _ = rounds({name: sampler(lab, number, frame) for name, number in ids.items()},
                          ROUNDS)
        lab.run(["xdp-filter", "unload", "--all"], ns="filter-udp", check=False)
        lab.run(["xdp-filter", "unload", "--all"], ns="filter-all", check=False)
    over = {name: difference(quiet, name, "empty") for name in ids}
    table(["program", "ns/packet", "over empty"],
          [[name, "%.0f" % median(column(quiet, name)), "%+.0f" % over[name]] for name in ids])
    for name in absent:
        print("%s: not loadable here, not measured" % name)
    for text in failed:
        print("FAILED to load: %s" % text)
    if "sluice, 16 rules" in over:
        print("target: 16 rules at most %d ns over empty: %s" % (
            TARGET_NS, "met" if over["sluice, 16 rules"] <= TARGET_NS else "MISSED"))
    write("filter", {"unit": "ns/packet", "repeat": REPEAT, "over_empty": over,
                     "not_measured": absent, "failed": failed,
                     "samples": {name: column(quiet, name) for name in ids}})
    return 1 if failed else 0


if __name__ == "__main__":
    finish(main)
