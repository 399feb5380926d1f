#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How exact the limiter is, and what it costs a packet (root).

xdp/limit.h by itself (bench/limit/), run by BPF_PROG_TEST_RUN from a thread on
each of two CPUs, as fast as they can. Exact: what passed, on both together, in
ten seconds after the burst, to what the rate allows. Cost: the median of
batches of 2,048 packets, in ns over a program that does all but ask the
limiter, on the slower of the two threads.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (arguments, column, difference, finish, median, rounds, running, table,
                     timed)
from lab import LabError, built
from result import FLOOR, OURS

ROUNDS = 7
SECONDS = float(os.environ.get("SLUICE_LIMIT_SECONDS", "10"))
# What passes, at most this far from the rate.
EXACT = 0.05
CONTENDED_NS, REFUSED_NS = 60, 20

# Name -> (its options, RATE, tokens of a packet at this frame size).
RATES = {
    "100 pps": ([], "100pps", 1),
    "10 kpps": ([], "10kpps", 1),
    "1 Mpps": ([], "1Mpps", 1),
    "5 Mpps": ([], "5Mpps", 1),
    "1 Gbps, 64 bytes": ([], "1Gbps", 512),
    "10 Gbps, 1,500 bytes": (["-f", "1500"], "10Gbps", 12000),
    "100 pps per source": (["-s"], "100pps", 1),
    "1 Mpps per source": (["-s"], "1Mpps", 1),
}
# Name -> (program, its base, options, RATE, the most it may cost).
COSTS = {
    "refused": ("limit_one", "base_one", [], "10kpps", REFUSED_NS),
    "refused, per source": ("limit_one", "base_one", ["-s"], "10kpps", REFUSED_NS),
    "all pass": ("limit_one", "base_one", [], "100Gpps", CONTENDED_NS),
    "5 Mpps pass": ("limit_one", "base_one", [], "5Mpps", CONTENDED_NS),
    "5 Mpps pass, claimed one by one": ("limit_one", "base_one", ["-b", "31"], "5Mpps",
                                        CONTENDED_NS),
    "5 Mpps pass, per source, one source": ("limit_one", "base_one", ["-s"], "5Mpps",
                                            CONTENDED_NS),
    "per source, random sources": ("limit_random", "base_random", ["-s"], "1kpps", CONTENDED_NS),
    "the same, all buckets in debt": ("limit_random", "base_random", ["-s"], "1pps", None),
}


def run(program, rate, options):
    """The JSON of one run of bench/limit/run.c."""
    argv = [built("limit-run"), *options, built("limit.bpf.o"), program, rate]
    _seconds, noise, out = timed(argv)
    try:
        return {**json.loads(out), "steal": noise["steal"], "softirq": noise["softirq"]}
    except ValueError as why:
        raise LabError("%s: %s" % (" ".join(argv), out)) from why


def exactness():
    """{name: what passed to what the rate allows}, and how much was offered."""
    found = {}
    for name, (options, rate, tokens) in RATES.items():
        result = run("limit_one", rate, options + ["-w", "500", "-t", str(int(SECONDS * 1000))])
        value = float(rate[:-4]) * {"k": 1e3, "M": 1e6, "G": 1e9}[rate[-4]] \
            if rate[-4] in "kMG" else float(rate[:-3])
        threads = result["threads"]
        passed = sum(t["hitter_passed"] / t["seconds"] for t in threads) * tokens / value
        offered = sum((t["hitter_passed"] + t["hitter_refused"]) / t["seconds"]
                      for t in threads) * tokens / value
        found[name] = {"passed": passed, "offered": offered}
    return found


def sampler(program, options, rate, threads):
    def take():
        result = run(program, rate, options + ["-c", str(threads), "-w", "100", "-t", "300"])
        return {"value": max(t["median_ns"] for t in result["threads"]),
                "least": max(t["least_ns"] for t in result["threads"]),
                "waited": max(t["waited"] for t in result["threads"]),
                "softirq": result["softirq"], "steal": result["steal"]}
    return take


def costs():
    candidates, pairs = {}, {}
    for threads in (1, 2):
        for name, (program, base, options, rate, _most) in COSTS.items():
            key, below = "%s, %d" % (name, threads), "%s, %d" % (base, threads)
            candidates[key] = sampler(program, options, rate, threads)
            candidates.setdefault(below, sampler(base, [], "1pps", threads))
            pairs[key] = below
    quiet, refused = rounds(candidates, ROUNDS)
    found = {key: {"over_base": difference(quiet, key, below),
                   "least_over_base": min(column(quiet, key, "least")) -
                   min(column(quiet, below, "least")),
                   "median": median(column(quiet, key))} for key, below in pairs.items()}
    return found, pairs, (quiet, refused)


def report_costs(result, found):
    rows = []
    for name, (*_what, most) in COSTS.items():
        one, two = found[name + ", 1"], found[name + ", 2"]
        over = max(one["over_base"], two["over_base"])
        rows.append([name, "%+.0f" % one["over_base"], "%+.0f" % one["least_over_base"],
                     "%+.0f" % two["over_base"], "%+.0f" % two["least_over_base"]])
        if most is not None:
            result.target("cost of: " + name, "%.0f ns" % over, "at most %d ns" % most,
                          over <= most)
    table(["a packet, ns over base", "1 CPU", "least", "2 CPUs", "least"], rows)


def main():
    options = arguments(__doc__).parse_args()
    with running("limit", "How exact the limiter is, and what it costs a packet", options.quick,
                 traffic="BPF_PROG_TEST_RUN on each CPU") as result:
        exact = exactness()
        table(["rate", "offered", "passed", "within 5 %"],
              [[name, "%.1f x" % e["offered"], "%.4f" % e["passed"],
                "met" if abs(e["passed"] - 1) <= EXACT else "MISSED"]
               for name, e in exact.items()])
        found, pairs, taken = costs()
        report_costs(result, found)
        for name, e in exact.items():
            result.target("passed of %s" % name, "%.4f" % e["passed"], "within 5 % of 1",
                          abs(e["passed"] - 1) <= EXACT)
        roles = {name: OURS if name in pairs else FLOOR for name in taken[0][0]}
        result.rounds("time of a packet over the same program without a limit", "ns", "less",
                      roles, taken, over=pairs)
        print("%d quiet rounds, %d noisy ones refused" % (len(taken[0]), len(taken[1])))
        result.details(seconds=SECONDS, exact=exact)
    return 0


if __name__ == "__main__":
    finish(main)
