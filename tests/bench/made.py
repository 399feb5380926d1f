# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Results as the benchmarks write them, of made-up samples: what the harness is tested with.

Drawn with a fixed seed around figures that this kind of machine shows, so that a page made of
them has the shape of a real one. write(folder) makes one file a benchmark.
"""
import os
import random
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench"))
from result import FLOOR, OURS, PEER, Result

ROUNDS = 9


def samples(draw, middle, spread, count=ROUNDS):
    """[{"value"...}] of a candidate, `spread` its standard deviation as a share."""
    return [{"value": middle * draw.gauss(1, spread), "waited": abs(draw.gauss(0.003, 0.002)),
             "softirq": 0.4, "steal": 0.0} for _ in range(count)]


def taken(draw, middles, spread=0.01, count=ROUNDS):
    """What measure.rounds() would return for candidates {name: median}."""
    columns = {name: samples(draw, middle, spread, count) for name, middle in middles.items()}
    return [{name: columns[name][i] for name in columns} for i in range(count)], []


def filter_result(draw, cost=11.0, spread=0.01):
    """`cost`: of 16 rules over the empty program, in ns."""
    result = Result("filter", "What the filter costs a packet over an empty XDP program")
    names = {"empty": 21.0, "sluice, 16 rules": 21 + cost, "xdp-filter, all features": 100.0}
    result.rounds("time of a packet over an empty program", "ns", "less",
                  {"empty": FLOOR, "sluice, 16 rules": OURS, "xdp-filter, all features": PEER},
                  taken(draw, names, spread),
                  over={name: "empty" for name in names if name != "empty"}, step=1)
    result.target("16 rules, over an empty program", "%.0f ns" % cost, "at most 25 ns", cost <= 25)
    result.lacks("xdp-filter, udp features", "not loadable on this kernel")
    return result


def live_result(draw, rate=1.0):
    """`rate`: of Sluice's drop, to what it usually is."""
    result = Result("live", "How many packets a second a rule drops and passes on a live veth")
    for verdict, slower in (("drop", 1), ("pass", 4)):
        for size, floor in ((64, 6.2e6), (256, 5.9e6), (1024, 4.6e6), (1500, 4.0e6)):
            result.rounds("rate on a live veth, generator included", "packets/s", "more",
                          {"sluice": OURS, "floor": FLOOR, "xdp-bench": PEER},
                          taken(draw, {"sluice": floor * 0.93 * rate / slower,
                                       "floor": floor / slower,
                                       "xdp-bench": floor * 0.925 / slower}, 0.012),
                          at={"verdict": verdict, "frame bytes": size}, along="frame bytes")
    return result


def scale_result(draw):
    """Prefixes over six orders of magnitude; a peer that stops before the end."""
    result = Result("scale", "What prefixes cost as they grow",
                    traffic="BPF_PROG_TEST_RUN, 4,096 headers")
    roles = {"sluice": OURS, "nftables": PEER}
    for count in (1, 100, 10000, 100000, 1000000):
        at = {"at": {"prefixes": count}, "along": "prefixes"}
        middles = {"sluice": 200 + count / 1000, "nftables": 4 + count / 30}
        here = roles if count <= 100000 else {"sluice": OURS}
        result.rounds("from nothing to filtering, by prefixes", "ms", "less", here,
                      taken(draw, {name: middles[name] for name in here}, 0.02, 5), **at)
        result.rounds("memory of the maps, by prefixes", "bytes", "less", {"sluice": OURS},
                      taken(draw, {"sluice": 13e6 + 48 * count}, 0, 5), **at)
    result.lacks("nftables, over 100,000 prefixes", "not tried")
    return result


def forward_result(draw):
    result = Result("forward", "Packets a second through sluice-fwd on veth, in copy mode")
    names = {"sluice-fwd sleep": 0.98e6, "sluice-fwd busy": 1.04e6, "testpmd io": 0.99e6,
             "xdpsock -l -c -p": 1.30e6}
    roles = {name: OURS if name.startswith("sluice") else PEER for name in names}
    result.rounds("forwarded", "packets/s", "more", roles, taken(draw, names, 0.02))
    for what, each in (("user space", (90, 110, 160, 75)), ("kernel", (830, 780, 840, 800)),
                       ("softirq", (70, 60, 80, 90))):
        result.rounds(what, "ns", "less", roles, taken(draw, dict(zip(names, each)), 0.02),
                      stack="CPU time of a packet")
    result.lacks("xsk_fwd", "XSK_FWD names no program")
    return result


def classify_result(draw):
    result = Result("classify", "What 10,000 ordered rules cost a packet")
    roles = {"empty": FLOOR, "empty chain": FLOOR, "sluice": OURS, "xdp-filter": PEER,
             "nftables": PEER}
    over = {"sluice": "empty", "xdp-filter": "empty", "nftables": "empty chain"}
    for name, base in (("acl1_10k", 9), ("fw1_10k", 14), ("ipc1_10k", 12)):
        for rules in (1, 10, 100, 1000, 10000):
            for family in ("IPv4", "IPv6"):
                cost = base * (1 + 0.6 * len(str(rules))) * (1.5 if family == "IPv6" else 1)
                middles = {"empty": 21, "empty chain": 400, "sluice": 21 + cost,
                           "xdp-filter": 115, "nftables": 400 + cost * 14 * len(str(rules))}
                result.rounds("time of a packet over an empty program", "ns", "less", roles,
                              taken(draw, middles, 0.01, 12), over=over, along="rules",
                              at={"set": name, "rules": rules, "family": family,
                                  "mix": "uniform"})
    return result


def latency_result(draw):
    """One way of ours, one of the kernel's; the histogram has a gap."""
    result = Result("latency", "How long one hop keeps a packet")
    roles = {"no hop": FLOOR, "sluice-fwd sleep": OURS, "kernel bridge": PEER}
    for load, slower in (("low rate", 1), ("half load", 3)):
        for share, middles in ((50, (7, 21, 12)), (90, (9, 26, 15)), (99, (15, 60, 40)),
                               (99.9, (60, 300, 280))):
            result.rounds("time of a packet over one hop", "us", "less", roles, taken(
                draw, {name: us * slower for name, us in zip(roles, middles)}, 0.05),
                at={"load": load, "percentile": share}, along="percentile")
        result.histogram("how long the probes took", "us", {"load": load}, {
            name: [[1.25 ** n, 0.0 if n in (0, 9) else 0.1 + (n == peak * slower)]
                   for n in range(24)]
            for name, peak in zip(roles, (3, 7, 5))}, roles)
    return result


def methods_result(draw):
    result = Result("methods", "What a packet costs, by method")
    roles = {"sluice": OURS, "XDP program that only drops": FLOOR, "nftables netdev": PEER}
    at = {"job": "drop", "load": "flood"}
    result.rounds("CPU time of a packet", "ns", "less", roles, taken(
        draw, dict(zip(roles, (190.0, 170.0, 420.0)))), at=at)
    for part, each in (("user space", (1, 1, 1)), ("kernel", (120, 120, 130)),
                       ("softirq", (69, 49, 289))):
        result.rounds(part, "ns", "less", roles, taken(draw, dict(zip(roles, each))), at=at,
                      stack="CPU time of a packet, by part")
    result.rounds("softirqs", "a packet", "less", roles, taken(
        draw, dict(zip(roles, (0.031, 0.031, 0.032)))), at=at, judged=False)
    return result


def write(folder, seed=1, quiet=True, **changed):
    """Files of all of them; `changed` goes to filter_result() and live_result()."""
    draw = random.Random(seed)
    cost = {key: changed[key] for key in ("cost", "spread") if key in changed}
    rate = {key: changed[key] for key in ("rate",) if key in changed}
    for result in (filter_result(draw, **cost), live_result(draw, **rate), forward_result(draw),
                   classify_result(draw), latency_result(draw), methods_result(draw),
                   scale_result(draw)):
        why = [] if quiet else ["2.0 other tasks wanted a CPU on average (0.5 is let through)"]
        result.data["state"] = {"before": {"why": []}, "after": {"why": why}, "fake": False}
        result.write(folder)
