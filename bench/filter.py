#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the filter costs a packet, in ns over an empty XDP program (root).

1. One warm 60-byte UDP packet over IPv4 through the loaded program by BPF_PROG_TEST_RUN
(`bpftool prog run`), a million times a sample, the programs in turn. The kernel gives whole
nanoseconds. The least of the samples is what the program costs undisturbed; the median is what
was seen.

2. The same programs, and those of the same rules for IPv6, with mixes of 4,096 headers, by
classify-run (mix.py), which takes the CPU time of batches:

    one packet       the one above
    random sources   the same from anywhere in the last rule's source prefix
    all rules        one of each rule in turn
    no rule          one that matches nothing, from random sources

All counters are on. Each rule has UDP, a source prefix, a destination prefix and a port; the
one packet matches the last, and of the others none or one of the three. That the rules matched
what they had to is checked by their counters.
"""
import ipaddress
import os
import random
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (arguments, attach, attach_xdp_filter, column, difference, finish, median,
                     ratio, rounds, running, table, timed, xdp_id)
import mix
from lab import Lab, LabError
from result import FLOOR, OURS, PEER, candidate

from scapy.all import Ether, IP, IPv6, UDP

REPEAT = 1000000
ROUNDS, QUICK_ROUNDS = 9, 5
TURNS = 3  # of a run of classify-run, of which there are three
CPU = str(max(os.sched_getaffinity(0)))
RULES = (0, 1, 16, 256)
NAME = "sluice, %d rules"
FAMILIES = ("IPv4", "IPv6")
MIXES = ("one packet", "random sources", "all rules", "no rule")
SEED = 1
TARGET_NS = 25  # of the 16 rules, over the empty program
# What the last rule has, and the others: source prefix, destination prefix, port.
LAST = {"IPv4": ("198.18.0.0/16", "198.18.0.0/24", 9),
        "IPv6": ("2001:2:0::/48", "2001:2:1::/64", 9)}
OTHERS = {"IPv4": ("10.%d.0.0/16", "192.%d.2.0/24"),
          "IPv6": ("2001:db8:%x::/48", "2001:db8:8%03x:2::/64")}
NOWHERE = {"IPv4": "203.0.113.0/24", "IPv6": "2001:db8:ffff::/64"}
SOURCE_AT = {"IPv4": (26, 30), "IPv6": (22, 38)}  # in an Ethernet frame
ETHER = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")  # else scapy asks for a MAC


def packet():
    frame = bytes(ETHER /
                  IP(src="198.18.0.1", dst="198.18.0.2") / UDP(sport=1024, dport=9))
    return frame + bytes(60 - len(frame))


# ---- rules and headers ------------------------------------------------------

def matches(rules, family):
    """[(source, destination, port)] of the rules, up to 256."""
    found = []
    for i in range(rules - 1):
        match = [OTHERS[family][0] % i, OTHERS[family][1] % i, 1000 + i]
        if i % 4 < 3:
            match[i % 4] = LAST[family][i % 4]
        found.append(tuple(match))
    return found + [LAST[family]] * (rules > 0)


def configuration(rules, family="IPv4"):
    """`rules` rules, of which the one packet matches the last."""
    lines = ["interface b0 { mode native }", "default pass"]
    for i, match in enumerate(matches(rules, family)):
        name, verdict = ("last", "pass") if i == rules - 1 else ("r%d" % i, "drop")
        lines.append("rule %s %s udp from %s to %s port %d" % (name, verdict, *match))
    return "\n".join(lines) + "\n"


def frames(name, rules, family):
    """[a frame of Ethernet] of a mix, a batch of them; checksums may be wrong: none is read."""
    layer = IP if family == "IPv4" else IPv6

    def frame(match):
        source, target = (str(ipaddress.ip_network(prefix)[1]) for prefix in match[:2])
        return bytes(ETHER / layer(src=source, dst=target) / UDP(sport=1024, dport=match[2]))
    if name in ("one packet", "all rules"):
        once = [frame(match) for match in (
            matches(rules, family) if name == "all rules" else [LAST[family]])]
        return [once[i % len(once)] for i in range(mix.LEAST)]
    draw, prefix = random.Random(SEED), ipaddress.ip_network(LAST[family][0])
    one = frame(LAST[family] if name == "random sources" else (
        LAST[family][0], NOWHERE[family], 999))
    start, end = SOURCE_AT[family]
    return [one[:start] + prefix[draw.randrange(prefix.num_addresses)].packed + one[end:]
            for _ in range(mix.LEAST)]


# ---- one packet -------------------------------------------------------------

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
    """Debian's xdp-filter with one rule of another port: (name, its id, or None and why)."""
    for features, name in ((["-f", "udp"], "udp"), ([], "all")):
        space, number, why = "filter-" + name, None, None
        lab.add(space)
        lab.veth("peer", "pf" + name, space, "b0")
        try:
            attach_xdp_filter(lab, space, "b0", features, 77)
            number = xdp_id(lab, space, "b0")
        except LabError as fault:
            why = " ".join(str(fault).split())[-160:]
        yield "xdp-filter, %s features" % name, number, why


def load(lab, family):
    """Sluice's programs of a family on veths: {name: program id}, [(name, why not)]."""
    ids, failed = {}, []
    for rules in RULES:
        space, name = "r%d%s" % (rules, family), NAME % rules
        lab.add(space)
        lab.veth("peer", "p%d%s" % (rules, family), space, "b0")
        done = lab.apply(configuration(rules, family), space, check=False)
        if done.returncode:
            failed.append(("%s, %s" % (name, family), done.stderr.splitlines()[0]))
        else:
            ids[name] = xdp_id(lab, space, "b0")
    return ids, failed


def matched(lab, rules, family):
    """{rule: packets} of one of Sluice's programs."""
    return {rule["name"]: rule["packets"]
            for rule in lab.stats("r%d%s" % (rules, family), "b0")["rules"]}


def judged_by_last(lab, ids, runs):
    """Programs whose last rule did not match in each of the runs, and how often it did."""
    found = {rules: matched(lab, rules, "IPv4")["last"] for rules in RULES
             if rules and NAME % rules in ids}
    return [(NAME % rules, "its last rule matched %d packets of %d" % (count, runs))
            for rules, count in found.items() if count != runs]


# ---- mixes ------------------------------------------------------------------

def wrong(before, after, name, packets):
    """Why the rules' counters do not tell of `packets` of a mix; None: they do."""
    rose = {rule: after[rule] - before[rule] for rule in after}
    wanted = {rule: 0 for rule in rose}
    if name == "all rules":
        wanted = {rule: packets // len(rose) for rule in rose}
    elif name != "no rule":
        wanted["last"] = packets
    bad = [rule for rule in rose if rose[rule] != wanted[rule]]
    return "%s: rule %s matched %d packets of %d, not %d" % (
        name, bad[0], rose[bad[0]], packets, wanted[bad[0]]) if bad else None


def measure_mix(lab, result, place, ids, wanted):
    """A figure of one mix of one number of rules; why it is none."""
    family, name, rules = place["family"], place["mix"], place["rules"]
    path, seen = lab.file("headers", mix.headers_of(frames(name, rules, family))), []

    def take():
        seen.append(mix.run(lab, CPU, path, ids, "-t", str(TURNS)))
        return seen[-1]
    before = matched(lab, rules, family)
    taken = rounds({"run": take}, wanted)
    why = wrong(before, matched(lab, rules, family), name,
                sum(sample["packets"][NAME % rules] for sample in seen))
    turns = [[turn for samples in of for turn in mix.turns_of(samples["run"], TURNS)]
             for of in taken]
    roles = {one: role(one) for one in ids}
    result.figure("time of a packet of a mix, over an empty program", "ns", "less", [
        {**candidate(one, roles[one], *turns, over=None if one == "empty" else "empty"),
         "name": "sluice" if roles[one] == OURS else one} for one in ids],
        at=place, along="rules")
    over = {one: difference(turns[0], one, "empty") for one in ids if one != "empty"}
    return over, why and ("%s, %s" % (NAME % rules, family), why)


def mixes(lab, result, family, ids, wanted):
    """All mixes with a family's rules: [(name, what is wrong)]."""
    rows, failed = [], []
    others = {name: number for name, number in ids.items() if role(name) != OURS}
    for name in MIXES:
        row = ["%s, %s" % (family, name)]
        for rules in [rules for rules in RULES if rules and NAME % rules in ids]:
            over, why = measure_mix(
                lab, result, {"family": family, "mix": name, "rules": rules},
                {**others, NAME % rules: ids[NAME % rules]}, wanted)
            row.append("%.1f" % over[NAME % rules])
            failed += [why] * bool(why)
        rows.append(row + ["%.1f" % over[one] for one in others if one != "empty"])
    table(["ns over empty"] + ["%d rules" % rules for rules in RULES if rules]
          + [one for one in others if one != "empty"], rows)
    return failed


def measured(result, wanted):
    """(what rounds() returned, [(name, what is wrong)])."""
    with Lab() as lab:
        frame = lab.file("packet", packet())
        lab.add("peer", "empty")
        lab.veth("peer", "pe", "empty", "b0")
        attach(lab, "empty", "b0", "pass.bpf.o")
        others = {"empty": xdp_id(lab, "empty", "b0")}
        for name, number, why in xdp_filter(lab):
            if number:
                others[name] = number
            else:
                result.lacks(name, why)
        four, failed = load(lab, "IPv4")
        ids = {"empty": others["empty"], **four, **others}
        taken = rounds({name: sampler(number, frame) for name, number in ids.items()}, wanted)
        failed += judged_by_last(lab, four, REPEAT * len(taken[0] + taken[1]))
        six, failed_six = load(lab, "IPv6")
        for family, of in (("IPv4", four), ("IPv6", six)):
            failed += mixes(lab, result, family, {**others, **of}, (wanted + 2) // TURNS)
    return taken, failed + failed_six


def main():
    options = arguments(__doc__).parse_args()
    with running("filter", "What the filter costs a packet over an empty XDP program",
                 options.quick, traffic="BPF_PROG_TEST_RUN: one packet again and again, and mixes "
                 "of 4,096 headers") as result:
        taken, failed = measured(result, QUICK_ROUNDS if options.quick else ROUNDS)
        report(result, *taken)
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
