#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Random rule lists on real traffic: what each rule and reason counted, the
rules that let a packet go on or only observe among them, against the oracle.
Root.

    [peer] peer0 ---- box0 [box]

SLUICE_SEED repeats a run, SLUICE_LISTS=N runs another number of rule lists.
"""
import collections
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import oracle
from generate import Generator, seed
from lab import LabError, wait_for
from loaded import DEVICE, OTHER, Loaded
from tap import Tap

SIZES = (1, 2, 5, 9, 17, 33, 65, 130)
LISTS = 16
PACKETS = 300
FRAME_MAX = 1514  # of the veth's MTU
# So many rules of either kind must have counted some packet.
SEEN_MIN = 10


def account(config, frames):
    """({rule: (packets, bytes)}, {reason: (packets, bytes)}) that are not (0, 0)."""
    rules, reasons = collections.defaultdict(list), collections.defaultdict(list)
    for frame in frames:
        for name in oracle.counting(config, frame, DEVICE):
            rules[name].append(len(frame))
        reasons[oracle.judge(config, frame, DEVICE)[2]].append(len(frame))
    return tuple({name: (len(sizes), sum(sizes)) for name, sizes in found.items()}
                 for found in (rules, reasons))


def counted(entries):
    """{name: (packets, bytes)} of (name, entry) pairs, without those that counted nothing."""
    return {name: (entry["packets"], entry["bytes"]) for name, entry in entries
            if entry["packets"] or entry["bytes"]}


def compare(tap, loaded, name, drawn, frames):
    """One rule list; the rules that counted some packet."""
    try:
        loaded.apply(drawn.text, drawn.files)
        # A list may keep the counters of the one before: its rules have the same names.
        before = loaded.counters()
        begin = before["rx"]["packets"]
        loaded.lab.send("peer", "peer0", frames)
        wait_for(lambda: loaded.counters()["rx"]["packets"] >= begin + len(frames))
        after = loaded.counters()
    except (LabError, AssertionError, KeyError) as fault:
        tap.ok(False, name, fault, drawn.text[:6000])
        return []
    rules, reasons = account(loaded.config, frames)
    got = [counted((key, {unit: entry[unit] - old.get(key, {}).get(unit, 0)
                          for unit in ("packets", "bytes")}) for key, entry in new.items())
           for new, old in ((named(after["rules"]), named(before["rules"])),
                            (after["reasons"], before["reasons"]))]
    wrong = ["%s: counted %r, sent %r" % (key, have.get(key), want.get(key))
             for have, want in zip(got, (rules, reasons))
             for key in sorted(set(have) | set(want)) if have.get(key) != want.get(key)]
    if sum(r["packets"] for r in after["reasons"].values()) != after["rx"]["packets"]:
        wrong.append("the reasons do not add up to what came in: %r" % after)
    tap.ok(not wrong, name, *wrong[:8], *([drawn.text[:6000]] if wrong else []))
    return [rule for rule in loaded.config.rules if rule.name in rules]


def named(rules):
    return {rule["name"]: rule for rule in rules}


def main():
    tap = Tap()
    number = seed()
    lists = int(os.environ.get("SLUICE_LISTS", LISTS))
    tap.diag("SLUICE_SEED=%d" % number)
    generator = Generator(number, DEVICE, OTHER)
    kinds = collections.Counter()
    with Loaded() as loaded:
        for index in range(lists):
            rules = SIZES[index % len(SIZES)]
            drawn = generator.scenario(rules, going_on=0.3)
            frames = [frame for frame in drawn.packets(PACKETS) if len(frame) <= FRAME_MAX]
            rules = compare(tap, loaded, "list %d: %d rules" % (index, rules), drawn, frames)
            kinds.update("observe" if rule.observe else rule.verdict for rule in rules)
        tap.equal(loaded.lab.leftovers(), [], "down leaves nothing behind")
    tap.diag("rules that counted: %r" % dict(kinds))
    if lists >= LISTS:
        tap.equal([kind for kind in ("count", "observe", "pass", "drop")
                   if kinds[kind] < SEEN_MIN], [], "rules of every kind counted")
    tap.done()


if __name__ == "__main__":
    main()
