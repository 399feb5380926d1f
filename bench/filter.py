#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the filter costs a packet, in ns over an empty XDP program (root).

One warm 60-byte UDP packet through the loaded program by BPF_PROG_TEST_RUN
(`bpftool prog run`), a million times a sample, the programs in turn. All
counters are on. Each rule has UDP, a source /16, a destination /24 and a port;
the packet matches the last, and of the others none or one of the three.

The kernel gives whole nanoseconds. The least of the samples is what the program
costs undisturbed; the median is what was seen.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (XDP_FILTER, arguments, attach, column, difference, finish, median, ratio,
                     rounds, running, table, timed, xdp_id)
from lab import Lab, LabError
from result import FLOOR, OURS, PEER

from scapy.all import Ether, IP, UDP

REPEAT = 1000000
ROUNDS, QUICK_ROUNDS = 9, 5
CPU = str(max(os.sched_getaffinity(0)))
RULES = (0, 1, 16, 256)
NAME = "sluice, %d rules"
TARGET_NS = 25  # of the 16 rules, over the empty program


def packet():
    frame = bytes(Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") /
                  IP(src="198.18.0.1", dst="198.18.0.2") / UDP(sport=1024, dport=9))
    return frame + bytes(60 - len(frame))


def configuration(rules):
    """`rules` rules (up to 256), of which the packet matches the last."""
    last = ("198.18.0.0/16", "198.18.0.0/24", "9")
    lines = ["interface b0 { mode native }", "default pass"]
    for i in range(rules - 1):
        match = ["10.%d.0.0/16" % i, "192.%d.2.0/24" % i, str(1000 + i)]
        if i % 4 < 3:
            match[i % 4] = last[i % 4]
        lines.append("rule r%d drop udp from %s to %s port %s" % (i, *match))
    if rules:
        lines.append("rule last pass udp from %s to %s port %s" % last)
    return "\n".join(lines) + "\n"


def sampler(number, frame):
    def take():
        _, noise, out = timed(["taskset", "-c", CPU, "bpftool", "prog", "run", "id", str(number),
                                "data_in", frame, "repeat", str(REPEAT)])
        found = re.search(r"Return value: (\d+), duration \(average\): (\d+)ns", out)
        if not found or found.group(1) != "2":
            raise LabError("bpftool prog run: expected XDP_PASS (2): %s" % out)
        return {"value": int(found.group(2)), **noise}
    return take


def xdp_filter(lab):
    """Debian's xdp-filter with one rule of another port; its id, or None and why."""
    for features, name in ((["-f", "udp"], "udp"), ([], "all")):
        space = "filter-" + name
        lab.add(space)
        lab.veth("peer", "pf" + name, space, "b0")
        lab.run([XDP_FILTER, "load", "-m", "native", "b0"] + features, ns=space, check=False)
        lab.run([XDP_FILTER, "port", "77", "-p", "udp"], ns=space, check=False)
        link = lab.link(space, "b0")
        yield "xdp-filter, %s features" % name, link.get("xdp", {}).get("prog", {}).get("id")


def load(lab):
    """The empty program and Sluice's on veths: {name: program id}, [(name, why not)]."""
    lab.add("peer", "empty")
    lab.veth("peer", "pe", "empty", "b0")
    attach(lab, "empty", "b0", "pass.bpf.o")
    ids, failed = {"empty": xdp_id(lab, "empty", "b0")}, []
    for rules in RULES:
        space, name = "r%d" % rules, NAME % rules
        lab.add(space)
        lab.veth("peer", "p%d" % rules, space, "b0")
        done = lab.apply(configuration(rules), space, check=False)
        if done.returncode:
            failed.append((name, done.stderr.splitlines()[0]))
        else:
            ids[name] = xdp_id(lab, space, "b0")
    return ids, failed


def judged_by_last(lab, ids, runs):
    """Programs whose last rule did not match in each of the runs, and how often it did."""
    wrong = []
    for rules in RULES:
        if not rules or NAME % rules not in ids:
            continue
        last = [r for r in lab.stats("r%d" % rules, "b0")["rules"] if r["name"] == "last"][0]
        if last["packets"] != runs:
            wrong.append((NAME % rules, "its last rule matched %d packets of %d" % (
                last["packets"], runs)))
    return wrong


def measured(wanted):
    """(what rounds() returned, names that were not loaded, [(name, what is wrong)])."""
    with Lab() as lab:
        frame = lab.file("packet", packet())
        ids, failed = load(lab)
        absent = []
        for name, number in xdp_filter(lab):
            if number:
                ids[name] = number
            else:
                absent.append(name)
        try:
            quiet, refused = rounds({name: sampler(number, frame) for name, number in ids.items()},
                                    wanted)
            failed += judged_by_last(lab, ids, REPEAT * len(quiet + refused))
        finally:
            for space in ("filter-udp", "filter-all"):
                lab.run([XDP_FILTER, "unload", "--all"], ns=space, check=False)
    return (quiet, refused), absent, failed


def main():
    options = arguments(__doc__).parse_args()
    with running("filter", "What the filter costs a packet over an empty XDP program",
                 options.quick, traffic="BPF_PROG_TEST_RUN, one packet again and again") as result:
        taken, absent, failed = measured(QUICK_ROUNDS if options.quick else ROUNDS)
        report(result, *taken)
        for name in absent:
            result.lacks(name, "not loadable on this kernel")
        for name, why in failed:
            result.fails("%s: %s" % (name, why))
        result.details(repeat=REPEAT)
    return 1 if failed else 0


def role(name):
    return FLOOR if name == "empty" else OURS if name.startswith("sluice") else PEER


def report(result, quiet, refused):
    least = {name: min(column(quiet, name)) for name in quiet[0]}
    table(["program", "median ns", "least ns", "over empty", "least over empty", "to empty"],
          [[name, "%.0f" % median(column(quiet, name)), "%.0f" % least[name],
            "%+.0f" % difference(quiet, name, "empty"), "%+.0f" % (least[name] - least["empty"]),
            "%.2f" % ratio(quiet, name, "empty")] for name in least])
    print("%d quiet rounds, %d noisy ones refused" % (len(quiet), len(refused)))
    roles = {name: role(name) for name in least}
    result.rounds("time of a packet over an empty program", "ns", "less", roles, (quiet, refused),
                  over={name: "empty" for name in least if name != "empty"}, step=1)
    if NAME % 16 in least:
        over = difference(quiet, NAME % 16, "empty")
        result.target("16 rules, over an empty program", "%.0f ns" % over,
                      "at most %d ns" % TARGET_NS, over <= TARGET_NS)


if __name__ == "__main__":
    finish(main)
