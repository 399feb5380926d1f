#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Random rule lists and packets: the loaded program against the oracle. Root.

SLUICE_SEED repeats a run, SLUICE_LISTS=N runs another number of rule lists.
"""
import collections
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from generate import Generator, seed
from lab import LabError
from loaded import DEVICE, OTHER, Loaded, differences
from tap import Tap
from traffic import cut_frames

# Around the 64 bits of a word of a rule vector.
SIZES = (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 192,
         255, 256, 257, 300)
LISTS = 104
PACKETS = 1000
# Every answer that these lists can get must have come up this often.
SEEN_MIN = 20
ANSWERS = [("pass", "rule"), ("drop", "rule"), ("bounce", "rule"), ("redirect", "rule"),
           ("pass", "no_socket"), ("drop", "no_socket"), ("pass", "to_kernel")] + [
    (verdict, reason) for verdict in ("pass", "drop") for reason in (
        "default", "truncated", "malformed", "vlan_bound", "ext_bound")]


# Of every field, so many rules that state it must have decided some packet.
FIELDS = ("on", "family", "protocol", "source", "destination", "source_ports", "destination_ports",
          "fragment", "flags", "icmp_type", "icmp_code", "length", "dscp", "vlan", "inner_vlan",
          "ethertype", "mac_source", "mac_destination", "band")


def scenario(generator, number):
    """(what it is, Scenario) of the list of that number."""
    rules = SIZES[number % len(SIZES)]
    options = "frags on" if number % 5 == 4 else ""
    long_sets = {3: 1000, 8: 10000, 50: 10000, 101: 5000}.get(number, 0)
    name = "%d rules%s%s" % (rules, ", a set of %d" % long_sets if long_sets else "",
                             ", " + options if options else "")
    return name, generator.scenario(rules, long_sets, options)


def compare(tap, loaded, name, drawn, frames):
    """One rule list; the answers seen."""
    try:
        loaded.apply(drawn.text, drawn.files)
        before = loaded.counters()
        got = loaded.explain(frames)
        after = loaded.counters()
    except (LabError, AssertionError, KeyError) as fault:
        tap.ok(False, name, fault, drawn.text[:6000])
        return []
    want = loaded.expected(frames)
    text = differences(frames, got, want)
    if before != after:
        text += ["explain changed a counter:", before, after]
    tap.ok(not text, name, *text, *([drawn.text[:6000]] if text else []))
    return want


def main():
    tap = Tap()
    number = seed()
    lists = int(os.environ.get("SLUICE_LISTS", LISTS))
    tap.diag("SLUICE_SEED=%d" % number)
    generator = Generator(number, DEVICE, OTHER)
    seen, fields, pairs, hit = collections.Counter(), collections.Counter(), 0, 0
    with Loaded() as loaded:
        for index in range(lists):
            name, drawn = scenario(generator, index)
            frames = drawn.packets(PACKETS) + (cut_frames() if index % 10 == 0 else [])
            answers = compare(tap, loaded, "list %d: %s" % (index, name), drawn, frames)
            pairs += len(answers)
            deciding = {rule for _verdict, rule, _reason in answers if rule}
            hit += len(deciding)
            fields.update(field for rule in loaded.config.rules if rule.name in deciding
                          for field in FIELDS if getattr(rule, field))
            seen.update((verdict, reason) for verdict, _rule, reason in answers)
        tap.equal(loaded.lab.leftovers(), [], "down leaves nothing behind")
    tap.diag("%d pairs, %d rules decided at least one packet" % (pairs, hit),
             dict(seen.most_common()), dict(fields.most_common()))
    if lists >= LISTS:
        tap.ok(pairs >= 100000, "at least 100,000 pairs were compared", pairs)
        tap.equal([a for a in ANSWERS if seen[a] < SEEN_MIN], [], "every answer was asked for")
        tap.equal([f for f in FIELDS if fields[f] < SEEN_MIN], [], "every field decided")
    tap.done()


if __name__ == "__main__":
    main()
