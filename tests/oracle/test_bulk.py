#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the differential tests lean on: the oracle for many packets against the
oracle for one, and the reader of ClassBench sets against cases worked out by
hand. No root.
"""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import bulk
import classbench
import config as language
import oracle
from generate import Generator, seed
from tap import Tap, check
from traffic import cut_frames

SET_LINES = """@192.0.2.7/24\t10.0.0.0/8\t0 : 65535\t53 : 53\t0x02/0xFF\t0x1200/0x1200\t
@0.0.0.0/0\t10.1.2.3/32\t1024 : 65535\t0 : 65535\t0x01/0xFF\t0x0000/0x0000\t
@0.0.0.0/0\t10.2.3.0/24\t7 : 8\t0 : 65535\t0x00/0x00\t0x0000/0x0000\t
@198.51.100.0/31\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x2f/0xFF\t0x0000/0x0000\t
@10.0.0.0/8\t172.16.0.0/24\t0 : 65535\t0 : 65535\t0x00/0x00\t0x0000/0x0200\t
"""
SET_RULES4 = [
    "tcp from 192.0.2.0/24 to 10.0.0.0/8 port 53 flags 0x12/0x12",
    "udp from 0.0.0.0/0 port 1024-65535 to 10.1.2.3/32",
    "tcp from 0.0.0.0/0 port 7-8 to 10.2.3.0/24",
    "udp from 0.0.0.0/0 port 7-8 to 10.2.3.0/24",
    "proto 47 from 198.51.100.0/31 to 0.0.0.0/0",
    "ip from 10.0.0.0/8 to 172.16.0.0/24"]
SET_RULES6 = [
    "tcp from 2001:db8:c000:200::/56 to 2001:db8:a00:0::/40 port 53 flags 0x12/0x12",
    "udp from 2001:db8:0:0::/32 port 1024-65535 to 2001:db8:a01:203::/64",
    "tcp from 2001:db8:0:0::/32 port 7-8 to 2001:db8:a02:300::/56",
    "udp from 2001:db8:0:0::/32 port 7-8 to 2001:db8:a02:300::/56",
    "proto 47 from 2001:db8:c633:6400::/63 to 2001:db8:0:0::/32",
    "ip6 from 2001:db8:a00:0::/40 to 2001:db8:ac10:0::/56"]


def test_bulk(tap):
    """Both oracles, on rule lists drawn at random."""
    number = seed()
    tap.diag("SLUICE_SEED=%d" % number)
    generator = Generator(number, "eth1", "eth2")
    for rules in (1, 3, 40, 40, 300):
        drawn = generator.scenario(rules, 500 if rules == 40 else 0)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in drawn.files.items():
                with open(os.path.join(folder, name), "w") as out:
                    out.write(content)
            conf = language.parse(drawn.text, folder)
        asked = drawn.packets(600) + cut_frames()
        want = [oracle.judge(conf, f, "eth1") for f in asked]
        got = bulk.judge(conf, asked, "eth1")
        wrong = [n for n in range(len(asked)) if got[n] != want[n]]
        tap.ok(not wrong, "bulk and one by one: %d rules" % rules, wrong[:3],
               *[(got[n], want[n], asked[n].hex()) for n in wrong[:3]], drawn.text[:6000])
    with tap.case("bulk: no packets, no rules"):
        check(bulk.judge(conf, [], "eth1"), [], "no packets")
        check(bulk.judge(language.parse("default drop"), [bytes(14)], "x"),
              [("drop", None, "default")], "no rules")


def test_classbench(tap):
    """Every field of a line, in both families, and packets drawn from it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tiny_1k")
        with open(path, "w") as out:
            out.write(SET_LINES)
        tap.equal(classbench.sets(folder), {"tiny_1k": path}, "the sets of a folder")
        rules = classbench.load(path)
    for ip6, want in ((False, SET_RULES4), (True, SET_RULES6)):
        got = [line.split(None, 3)[3] for line in classbench.sluice_config(
            rules, "eth1", ip6).splitlines()[2:]]
        tap.equal(got, want, "a ClassBench set as rules, IPv%d" % (6 if ip6 else 4))
        conf = language.parse(classbench.sluice_config(rules, "eth1", ip6))
        names = ["r%d" % n for n in range(len(rules))]
        for mix in ("uniform", "zipf"):
            asked = classbench.headers(rules, 400, mix, 1, ip6)
            got = bulk.judge(conf, asked, "eth1")
            tap.equal(sorted({rule for _v, rule, _r in got}), names,
                      "%s traffic reaches every rule, IPv%d" % (mix, 6 if ip6 else 4))
            tap.equal(asked, classbench.headers(rules, 400, mix, 1, ip6), mix + ": repeats")
        flood = classbench.headers(rules, 400, "flood", 1, ip6)
        tap.ok(len({oracle.facts(f).source for f in flood}) > 390, "a flood has random sources")
        # Its one rule, without the source that a flood does not keep to.
        freed = [language.parse(classbench.sluice_config([rule._replace(src=(0, 0))], "eth1", ip6))
                 for rule in rules]
        tap.ok(any(all(oracle.judge(conf, f, "eth1")[1] == "r0" for f in flood) for conf in freed),
               "and all else of one rule, IPv%d" % (6 if ip6 else 4))


def main():
    tap = Tap()
    test_bulk(tap)
    test_classbench(tap)
    tap.done()


if __name__ == "__main__":
    main()
