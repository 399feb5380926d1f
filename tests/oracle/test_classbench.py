#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The ClassBench sets, 1,000 and 10,000 rules, IPv4 and their IPv6 form: the
loaded program against the oracle, on traffic drawn from the rules. Root.

Of each set and family 100,000 packets, a third of each mix (uniform, Zipf,
random-source flood), all through one `sluice explain`; in about three minutes.
More, or less, and less of the sets (about ten minutes for 100,000 of each mix,
which is longer than tests/run lets a file run):

    SLUICE_PACKETS=100000 tests/oracle/test_classbench.py
    SLUICE_PACKETS=1000 SLUICE_SETS=acl1_1k,fw2_10k tests/oracle/test_classbench.py

The sets are in $SLUICE_CORPUS/rules/classbench (../shared/data beside the
project unless set); skipped where that is absent. SLUICE_SEED repeats a run.
"""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import classbench
from generate import seed
from lab import ROOT, LabError
from loaded import DEVICE, Loaded, differences
from tap import Tap

FOLDER = os.path.join(os.environ.get("SLUICE_CORPUS", os.path.join(ROOT, "..", "shared", "data")),
                      "rules", "classbench")
PACKETS = 33334  # of each mix
FLOODS = 20
# Of the rules that uniform traffic could be drawn from so often, the part that must decide one
# packet at least: the others stand behind wider ones.
DECIDING = 0.8


def traffic(rules, ip6, count, number):
    """`count` frames of each mix; the floods are FLOODS, each within a rule of its own."""
    asked = classbench.headers(rules, count, "uniform", number, ip6)
    asked += classbench.headers(rules, count, "zipf", number, ip6)
    for flood in range(FLOODS):
        share = count // FLOODS + (flood < count % FLOODS)
        asked += classbench.headers(rules, share, "flood", number + flood, ip6)
    return asked


def compare(tap, loaded, name, rules, ip6, count, number):
    begin = time.monotonic()
    asked = traffic(rules, ip6, count, number)
    text = classbench.sluice_config(rules, DEVICE, ip6)
    times = [time.monotonic()]
    try:
        loaded.apply(text)
        times.append(time.monotonic())
        got = loaded.explain(asked)
        times.append(time.monotonic())
    except (LabError, AssertionError, KeyError) as fault:
        tap.ok(False, name, str(fault)[:3000])
        return 0
    want = loaded.expected(asked)
    times.append(time.monotonic())
    wrong = differences(asked, got, want)
    for index in [n for n in range(len(asked)) if got[n] != want[n]][:3]:
        for rule in {got[index][1], want[index][1]} - {None}:
            wrong.append(classbench.rule_text(rules[int(rule[1:])], int(rule[1:]), ip6))
    tap.ok(not wrong, "%s: %d packets" % (name, len(asked)), *wrong)
    deciding = len({rule for _verdict, rule, _reason in got[:count] if rule})
    tap.ok(deciding >= DECIDING * min(len(rules), count / 3),
           "%s: most rules decide some packet" % name,
           "%d of %d, %d packets" % (deciding, len(rules), count))
    tap.diag("  %d rules, %d decide under uniform traffic; %s" % (
        len(rules), deciding, ", ".join("%s %.1f s" % (what, later - earlier)
                                        for what, earlier, later in zip(
            ("drawing", "apply", "explain", "oracle"), [begin] + times, times))))
    return len(asked)


def main():
    tap = Tap()
    if not os.path.isdir(FOLDER):
        tap.skip("the ClassBench sets", "no folder %s (SLUICE_CORPUS names another)"
                 % os.path.relpath(FOLDER, ROOT))
        tap.done()
    number, count = seed(), int(os.environ.get("SLUICE_PACKETS", PACKETS))
    tap.diag("SLUICE_SEED=%d SLUICE_PACKETS=%d" % (number, count))
    sets = classbench.sets(FOLDER)
    chosen = [name for name in os.environ.get("SLUICE_SETS", "").split(",") if name] or list(sets)
    pairs = 0
    with Loaded() as loaded:
        for name in chosen:
            rules = classbench.load(sets[name])
            for ip6 in (False, True):
                pairs += compare(tap, loaded, "%s, IPv%d" % (name, 6 if ip6 else 4), rules, ip6,
                                 count, number)
        tap.equal(loaded.lab.leftovers(), [], "down leaves nothing behind")
    tap.equal(pairs, len(chosen) * 2 * len(classbench.MIXES) * count, "packets compared")
    tap.done()


if __name__ == "__main__":
    main()
