#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The limiter in the kernel (xdp/limit.h by itself, bench/limit/). Root.

Two pinned threads ask it by BPF_PROG_TEST_RUN, as fast as they can or at a
pace: what passes on both CPUs together is the rate, a burst is given out once,
a flood of spoofed sources takes nothing from a known one and gives it nothing.
What it costs is measured by bench/limit.py; no time is judged here.

The machine may be busy. A thread that waits for its CPU offers less, and a
gap longer than the burst loses tokens: a run off by more than 5 % is repeated,
but none may ever pass more than the rate and one burst.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from lab import built
from tap import Tap, check

EXACT = 0.05
TRIES = 5
CPUS = min(2, len(os.sched_getaffinity(0)))


def run(program, rate, *options):
    argv = [built("limit-run"), "-c", str(CPUS), *options, built("limit.bpf.o"), program, rate]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise AssertionError("%s: exit %d\n%s" % (" ".join(argv), done.returncode, done.stderr))
    return json.loads(done.stdout)


def total(result, key):
    return sum(thread[key] for thread in result["threads"])


def per_second(result, *keys):
    return sum(thread[key] / thread["seconds"] for key in keys for thread in result["threads"])


def test_rate(tap, rate, packets, *options, program="limit_one"):
    """The one source passes at `packets` a second, of at least half as much again offered."""
    with tap.case("%s %s: what passes is the rate" % (program, " ".join((rate,) + options))):
        for _ in range(TRIES):
            result = run(program, rate, "-w", "400", *options)
            offered = per_second(result, "hitter_passed", "hitter_refused") / packets
            passed = per_second(result, "hitter_passed") / packets
            # However late a thread was: the rate, and one burst saved before.
            begin = min(thread["begin"] for thread in result["threads"])
            end = max(thread["begin"] + thread["seconds"] for thread in result["threads"])
            check(total(result, "hitter_passed") <= 10 + packets * (end - begin + 0.15), True,
                  "within rate and burst: %s" % json.dumps(result))
            if offered > 1.5 and abs(passed - 1) <= EXACT:
                return result
        raise AssertionError("passed %.4f, offered %.2f of the rate: %s" % (
            passed, offered, json.dumps(result)))
    return None


def test_burst(tap):
    for options in ((), ("-s",)):
        with tap.case("1pps burst 1000 %s: a burst passes once" % " ".join(options)):
            result = run("limit_one", "1pps", "-b", "1000", "-n", "5000", *options)
            check(total(result, "hitter_passed") in (1000, 1001), True, "1,000 of 10,000 passed")
            check(total(result, "hitter_passed") + total(result, "hitter_refused"), 5000 * CPUS,
                  "asked")


def test_conforming(tap):
    for options in ((), ("-s",)):
        with tap.case("10kpps %s: nothing is refused of 4,000 a second and CPU" %
                      " ".join(options)):
            result = run("limit_one", "10kpps", "-o", "4000", *options)
            check(total(result, "hitter_passed") > 1000, True, "offered at all")
            check(total(result, "hitter_refused"), 0, "refused")


def test_flood(tap):
    # 16 lines: 128 buckets for hundreds of thousands of sources a second.
    result = test_rate(tap, "1kpps", 1000, "-s", "-l", "4", program="limit_mixed")
    with tap.case("the flood is evicted, and each new source passes"):
        check(result["evicted"] > 1000, True, "evicted")
        # One source in 2^28 (16 lines, 24 bits of tag) shares the known one's bucket.
        check(total(result, "refused") <= 3, True, "new sources pass")


def main():
    tap = Tap()
    test_rate(tap, "100pps", 100, "-t", "2000")
    test_rate(tap, "10kpps", 10000)
    test_rate(tap, "1Mpps", 1000000)
    test_rate(tap, "5Mpps", 5000000)
    test_rate(tap, "100Mbps", 100e6 / 8 / 1000, "-f", "1000")
    test_rate(tap, "1Gbps", 1e9 / 8 / 64)
    test_rate(tap, "1kpps", 1000, "-s")
    test_rate(tap, "1Mpps", 1000000, "-s")
    test_burst(tap)
    test_conforming(tap)
    test_flood(tap)
    tap.done()


if __name__ == "__main__":
    main()
