#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What 10,000 ordered rules cost a packet, in ns over an empty XDP program (root).

    classify.py [--quick] [SET...]        sets of $SLUICE_CORPUS/rules/classbench

Each set, in its IPv4 and its IPv6 form, is applied to a veth. `mix` (classify/mix.bpf.c)
then hands the filter that runs there, an empty program and xdp-filter the same
headers, and the network stack of two namespaces: one whose ingress hook is an
nftables chain that only drops, one with the same rules (classify/nft.py).

uniform, zipf: of a rule chosen so, a point within it; flood: one rule but for random
sources; worst: see classify/worst.py. That the filter saw each packet is checked by its
counters, and that it found the right rules by those of nftables, rule by rule.

Three sets are cut to 1, 10, ... rules as well, for the curve that bench/report draws.
"""
import os
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "classify"),
                os.path.join(HERE, "..", "tests", "oracle")]
import nft
from filter import TARGET_NS, configuration, packet, xdp_filter
from measure import (Noisy, arguments, attach, finish, median, rounds, running,
                     table, timed, xdp_id)
from lab import Lab, LabError, built
from mix import HEADER_BYTES, headers_of, run, turns_of
from result import FLOOR, OURS, PEER, candidate
from worst import worst

import classbench

CORPUS = os.environ.get("SLUICE_CORPUS", os.path.join(HERE, "..", "..", "shared", "data"))
CPU = str(max(os.sched_getaffinity(0)))
HEADERS = 65536
# Of these headers Sluice and nftables are compared rule by rule.
JUDGED = 8192
# Two differences are known: under IPv6 nftables takes AH for the protocol, which the filter
# walks over; and nftables 1.0.6 on Linux 6.18 misses some packets where rules look at TCP
# flags, where the filter agrees with a linear search. More than this share is a failure.
OTHERWISE = 0.01
ROUNDS, TURNS = 3, 4
SEED = 1
MIXES = ("uniform", "zipf", "flood", "worst")
QUICK_SETS = ("acl1_10k", "fw1_10k")
CURVE_SETS = ("acl1_10k", "fw1_10k", "ipc1_10k")
CURVE_RULES = (1, 10, 100, 1000)
# Over the empty program, of a set of 10k rules, IPv4; IPv6 may cost twice that.
TARGETS_NS = {"uniform": 80, "zipf": 80, "flood": 20, "worst": 300}
ACL_TARGET_NS = 40
SECONDS_TARGET, BYTES_TARGET = 1.0, 64 << 20
SIXTEEN = "16 rules"
SHOWN = {"xdp-filter": "xdp-filter, one rule"}  # however many the others have
# What each candidate is compared with.
BASES = {"sluice": "empty", "xdp-filter": "empty", "nftables": "empty chain"}
ROLES = {"sluice": OURS, "xdp-filter": PEER, "nftables": PEER, "empty": FLOOR,
         "empty chain": FLOOR}


class Bench:
    """What all sets have in common: the peers, the results, what went wrong."""

    def __init__(self, lab, turns, result):
        self.lab, self.turns, self.result = lab, turns, result
        self.common = {}   # candidate -> argument of classify-run
        self.cases, self.rows, self.failed, self.absent = [], [], [], []
        self.spaces = 0
        lab.add("peer", "empty")
        lab.veth("peer", "pe", "empty", "b0")
        attach(lab, "empty", "b0", "pass.bpf.o")
        self.common["empty"] = str(xdp_id(lab, "empty", "b0"))

    def space(self):
        """A fresh namespace's name; see Lab.remove()."""
        self.spaces += 1
        name = "c%d" % self.spaces
        self.lab.add(name)
        return name

    def path(self, space):
        return "/run/netns/" + self.lab.name(space)

    def add_peers(self):
        for name, found, why in xdp_filter(self.lab):
            if found and name == "xdp-filter, all features":
                self.common["xdp-filter"] = str(found)
            elif not found:
                self.absent.append((name, why))
        if shutil.which("nft"):
            space = self.space()
            self.lab.run(["nft", "-f", "-"], ns=space, stdin=nft.EMPTY)
            self.common["empty chain"] = self.path(space)
        else:
            self.absent.append(("nftables", "no nft here (Debian: nftables)"))


class Case:
    """One configuration loaded, by Sluice and, if it can hold it, by nftables."""

    def __init__(self, bench, label, text, ruleset=None):
        self.bench, self.lab, self.label = bench, bench.lab, label
        self.about, self.candidates = dict(label), dict(bench.common)
        self.filter, self.tables = bench.space(), None
        self.load(text)
        if ruleset and "empty chain" in self.candidates:
            self.load_nft(ruleset)

    def load(self, text):
        lab = self.lab
        lab.veth("peer", "p" + self.filter, self.filter, "b0")
        path = lab.file("sluice.conf", text)
        checks = [timed([built("sluice"), "check", path])[0] for _ in range(3)]
        start = time.monotonic()
        applied = lab.sluice_json("apply", "--force", "--json", path, ns=self.filter)
        self.about.update(check_s=min(checks), apply_s=time.monotonic() - start,
                          table_bytes=applied["interfaces"][0]["table_bytes"])
        self.candidates["sluice"] = str(xdp_id(lab, self.filter, "b0"))

    def load_nft(self, ruleset):
        text, maps = ruleset
        self.tables = self.bench.space()
        path = self.lab.file("nft", text)
        start = time.monotonic()
        done = self.lab.run(["nft", "-f", path], ns=self.tables, check=False, timeout=300)
        if done.returncode:
            self.without_nft(done.stderr.splitlines()[0])
            return
        self.about.update(nft_s=time.monotonic() - start, nft_maps=maps)
        self.candidates["nftables"] = self.bench.path(self.tables)

    def without_nft(self, why):
        self.bench.absent.append(("nftables, %(set)s, IPv%(family)d" % self.label, why))

    def close(self):
        self.lab.sluice("down", ns=self.filter, check=False)
        for space in (self.filter, self.tables):
            if space:
                self.lab.remove(space)

    # ---- counters ---------------------------------------------------------

    def counters(self):
        """({rule: packets} of Sluice, the same of nftables or None)."""
        stats = self.lab.stats(self.filter, "b0")
        packets = {rule["name"]: rule["packets"] for rule in stats["rules"]}
        packets["default"] = stats["rx"]["packets"] - sum(packets.values())
        if "nftables" not in self.candidates:
            return packets, None
        return packets, nft.counted(self.lab.output(
            ["nft", "-j", "list", "ruleset"], ns=self.tables, timeout=120))

    def judge(self, path):
        """
        Has each candidate take the same headers once. The number of rules that matched,
        the packets that nftables answered otherwise, and what is wrong (None: nothing).
        """
        before = self.counters()
        packets = self.sample(path, "-n", str(JUDGED))["packets"]["sluice"]
        ours, theirs = ({name: b[name] - a[name] for name in b if b[name] != a[name]} if b else None
                        for a, b in zip(before, self.counters()))
        hit = len(ours) - ("default" in ours)
        if sum(ours.values()) != packets:
            return hit, 0, "the filter counted %d packets of %d" % (sum(ours.values()), packets)
        if theirs is None:
            return hit, None, None
        names = {**ours, **theirs}
        other = sum(max(0, ours.get(name, 0) - theirs.get(name, 0)) for name in names)
        if other > OTHERWISE * packets:
            return hit, other, "nftables answered otherwise for %d of %d packets" % (other, packets)
        return hit, other, None

    # ---- measuring --------------------------------------------------------

    def sample(self, path, *options):
        return run(self.lab, CPU, path, self.candidates, *options)

    def measure(self, mix, headers):
        """Measures one traffic mix (headers: bytes) and adds its row."""
        path, seen = self.lab.file("headers", headers), []
        row = {**self.label, "mix": mix, "headers": len(headers) // HEADER_BYTES}
        self.bench.rows.append(row)

        def take():
            seen.append(self.sample(path, "-t", str(self.bench.turns)))
            return seen[-1]

        row["rules_hit"], row["nft_otherwise"], wrong = self.judge(path)
        before = self.lab.stats(self.filter, "b0")["rx"]["packets"]
        try:
            quiet, refused = rounds({"run": take}, ROUNDS)
        except Noisy as why:
            row["noisy"] = str(why)
            quiet, refused = [], [{"run": sample} for sample in seen]
        counted = self.lab.stats(self.filter, "b0")["rx"]["packets"] - before
        if counted != sum(sample["packets"]["sluice"] for sample in seen):
            wrong = "the filter counted %d packets, not those it was given" % counted
        if mix == "uniform" and row["rules_hit"] < max(1, min(self.label["rules"], JUDGED) // 10):
            wrong = "only %d rules matched" % row["rules_hit"]
        if wrong:
            self.bench.failed.append(("%(set)s, IPv%(family)d, %(mix)s" % row, wrong))
        row["over_base"] = over_base([samples["run"]["ns"] for samples in quiet])
        if quiet:
            self.figure(row, quiet, refused)

    def figure(self, row, quiet, refused):
        """A sample of each turn, in which the candidates followed each other."""
        turns = [[turn for samples in of for turn in turns_of(samples["run"], self.bench.turns)]
                 for of in (quiet, refused)]
        place = {"set": row["set"], "rules": row["rules"], "family": "IPv%d" % row["family"],
                 "mix": row["mix"]}
        self.bench.result.figure("time of a packet over an empty program", "ns", "less", [
            {**candidate(name, ROLES[name], *turns, over=BASES.get(name)),
             "name": SHOWN.get(name, name)}
            for name in self.candidates], at=place, along="rules")


def over_base(times):
    """{candidate: median and p99 of batches, over its base in the same batch}."""
    result = {}
    for name, base in BASES.items():
        over = sorted(a - b for ns in times if name in ns for a, b in zip(ns[name], ns[base]))
        if over:
            result[name] = {"median": median(over), "p99": over[len(over) * 99 // 100],
                            "batches": len(over)}
    return result


def run_case(bench, label, rules, level, mixes):
    """Loads one set in one family and measures the mixes: {name: worst.Packets, or None}."""
    ip6 = label["family"] == 6
    try:
        ruleset = nft.ruleset(rules, level, ip6)
    except nft.Inexpressible as why:
        ruleset = None
        bench.absent.append(("nftables, %(set)s, IPv%(family)d" % label, str(why)))
    try:
        case = Case(bench, label, classbench.sluice_config(rules, "b0", ip6), ruleset)
    except LabError as why:
        bench.failed.append(("%(set)s, %(rules)d rules, IPv%(family)d" % label,
                             " ".join(str(why).splitlines()[:2])))
        return
    try:
        for mix, packets in mixes.items():
            case.measure(mix, packets.table(ip6) if packets else headers_of(
                classbench.headers(rules, HEADERS, mix, SEED, ip6)))
        bench.cases.append(case.about)
    finally:
        case.close()
    show(bench, case.about, len(mixes))


def run_set(bench, name, rules, mixes):
    """Both families of a set."""
    level = nft.levels(rules)
    mixes = dict.fromkeys(mixes)
    if "worst" in mixes:
        mixes["worst"], words = worst(rules, SEED)
        print("\n%s: by the model a worst packet costs %.1f words of 64 rules" % (name, words))
    for family in (4, 6):
        run_case(bench, {"set": name, "family": family, "rules": len(rules)}, rules, level, mixes)


def run_sixteen(bench):
    """The 16 rules of filter.py and its one packet, as ever."""
    case = Case(bench, {"set": SIXTEEN, "family": 4, "rules": 16}, configuration(16))
    try:
        case.measure("one packet", headers_of([packet()]) * HEADERS)
        bench.cases.append(case.about)
    finally:
        case.close()
    show(bench, case.about, 1)


# ---- the report -----------------------------------------------------------

def cell(row, name, key="median"):
    found = row["over_base"].get(name)
    return "%.1f" % found[key] if found else "noisy" if "noisy" in row else "-"


def show(bench, about, count):
    print("\n%(set)s, IPv%(family)d, %(rules)d rules: " % about
          + "%.2f MB of tables, check %.2f s, apply %.2f s" % (
              about["table_bytes"] / 1e6, about["check_s"], about["apply_s"])
          + ("; nftables: %(nft_maps)d maps, %(nft_s).2f s" % about if "nft_s" in about else ""))
    table(["ns over base", "rules hit", "sluice", "p99", "nftables", "p99", "xdp-filter"],
          [[row["mix"], row["rules_hit"], cell(row, "sluice"), cell(row, "sluice", "p99"),
            cell(row, "nftables"), cell(row, "nftables", "p99"), cell(row, "xdp-filter")]
           for row in bench.rows[-count:]])
    sys.stdout.flush()


def target(row):
    """What the row's median may be, or None."""
    if row["set"] == SIXTEEN:
        return TARGET_NS
    if not row["set"].endswith("_10k") or row["rules"] in CURVE_RULES:
        return None
    limit = TARGETS_NS[row["mix"]]
    if row["set"].startswith("acl") and row["mix"] in ("uniform", "zipf"):
        limit = ACL_TARGET_NS
    return limit * (2 if row["family"] == 6 else 1)


def missed(bench):
    """Yields (what, figure) of each target that was not met."""
    for row in bench.rows:
        limit, found = target(row), row["over_base"].get("sluice")
        if limit and found and found["median"] > limit:
            yield ("%(set)s, IPv%(family)d, %(mix)s" % row,
                   "%.1f ns, not %d" % (found["median"], limit))
    for about in bench.cases:
        name = "%(set)s, IPv%(family)d" % about
        if about["check_s"] > SECONDS_TARGET:
            yield name, "check took %.2f s, not %.0f" % (about["check_s"], SECONDS_TARGET)
        if about["table_bytes"] > BYTES_TARGET:
            yield name, "%.1f MB of tables, not %.1f" % (about["table_bytes"] / 1e6,
                                                        BYTES_TARGET / 1e6)


def report(bench):
    print()
    result = bench.result
    for name, why in bench.absent:
        result.lacks(name, why)
    noisy = [row for row in bench.rows if "noisy" in row]
    for row in noisy:
        result.lacks("%(set)s, %(rules)d rules, IPv%(family)d, %(mix)s" % row, row["noisy"])
    for row in bench.rows:
        if row["nft_otherwise"]:
            print("%(set)s, IPv%(family)d, %(mix)s: nftables answered otherwise for "
                  "%(nft_otherwise)d packets" % row + " of %d" % JUDGED)
    for name, why in bench.failed:
        result.fails("%s: %s" % (name, why))
    misses = list(missed(bench))
    judged = [row for row in bench.rows if target(row) and "sluice" in row["over_base"]]
    for name, why in misses:
        print("MISSED: %s: %s" % (name, why))
    result.target("%d rows, %d configurations" % (len(judged), len(bench.cases)),
                  "; ".join("%s: %s" % miss for miss in misses) or "all as wanted" if judged
                  else "none was judged", "each what classify.py names", judged and not misses)
    result.details(configurations=bench.cases, rows=bench.rows)
    return 1 if bench.failed or noisy or not judged else 0


def chosen(options):
    """{name: rules} of the sets asked for; LabError where there are none."""
    folder = os.path.join(CORPUS, "rules", "classbench")
    if not os.path.isdir(folder):
        raise LabError("%s: no rule sets; SLUICE_CORPUS names the folder above rules/" % folder)
    found = classbench.sets(folder)
    names = options.set or (QUICK_SETS if options.quick else found)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise LabError("no such set: %s; there are %s" % (" ".join(unknown), " ".join(found)))
    return {name: classbench.load(found[name]) for name in names}


def main():
    parser = arguments(__doc__)
    parser.add_argument("set", nargs="*", help="instead of all; with --quick, of two")
    options = parser.parse_args()
    with running("classify", "What 10,000 ordered rules cost a packet", options.quick,
                 traffic="BPF_PROG_TEST_RUN, 65,536 headers") as result, Lab() as lab:
        sets, bench = chosen(options), Bench(lab, 2 if options.quick else TURNS, result)
        bench.add_peers()
        run_sixteen(bench)
        for name, rules in sets.items():
            for cut in CURVE_RULES if name in CURVE_SETS and not options.quick else ():
                run_set(bench, name, rules[:cut], ("uniform",))
            run_set(bench, name, rules, ("uniform", "flood") if options.quick else MIXES)
        return report(bench)


if __name__ == "__main__":
    finish(main)
