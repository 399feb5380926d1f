# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a benchmark found, in the one form that bench/report and bench/compare read.

    benchmark --(rounds, roles)--> Result.figure() --> build/bench/NAME.json --> report, compare

A result is a list of figures. A figure is one quantity (what, unit, which way is better) of
candidates that took turns, at one place (`at`: {"frame bytes": 64}); figures that differ in
`at` alone are a sweep, whose axis is the place named by `along`. A candidate is `ours`, a
`peer`, or a `floor`: what is possible at best on this machine, such as an empty program.

The verdict of a pair is of the ratio within each round, turned so that over 1 is better for
us. Its spread is the narrowest pair of order statistics that holds the true median with 95 %
certainty, whatever the distribution; the whole range where there are too few rounds for that.
Its noise is the farther end of the spread from the median (as a factor, in logarithms), at
least one step of the clock. A difference that is not greater than the noise, or that rests on
fewer than ENOUGH rounds, is within noise: never a win, and never a loss.

The file: {"sluice_bench": 1, "name", "question", "when", "quick", "clock": "wall"|"virtual",
"traffic", "machine", "versions", "state": {"before", "after", "fake"}, "figures": [{"what",
"unit", "better": "more"|"less", "at", "along", "stack", "step", "judged", "candidates": [{"name",
"role", "over", "samples", "refused", "noise": {"waited", "softirq", "steal"}, "median", "low",
"high"}], "pairs": [{"ours", "other", "role", "rounds", "ratio", "low", "high", "noise",
"verdict"}]}], "histograms": [{"what", "unit", "at", "candidates": [{"name", "role", "slots":
[[from, share]]}]}], "not_measured": {NAME: why}, "failed": [text], "targets": [{"what",
"value", "wanted", "met"}], "details"}. median, low and high are less the candidate `over`, round by
round, where one is named; `samples` never are. Nothing reads `details`.
"""
import json
import math
import os
import statistics
import time

import machine

SCHEMA = 1
OURS, PEER, FLOOR = "ours", "peer", "floor"
WIN, LOSS, NOISE = "win", "loss", "within noise"
ENOUGH = 5
CERTAINTY = 0.95
NOISES = ("waited", "softirq", "steal")


class ResultError(Exception):
    """A file that is no result, with its name and why."""


# ---- statistics -------------------------------------------------------------

def spread(values):
    """(low, high) of the median; see above."""
    values = sorted(values)
    outside, below = 0.0, 0
    while below < (len(values) - 1) // 2:
        outside += 2 * math.comb(len(values), below) / 2 ** len(values)
        if outside + 2 * math.comb(len(values), below + 1) / 2 ** len(values) > 1 - CERTAINTY:
            break
        below += 1
    return values[below], values[-1 - below]


def judged(ratios, resolution=0.0):
    """{"rounds", "ratio", "low", "high", "noise", "verdict"} of the ratios of the rounds."""
    if not ratios or min(ratios) <= 0:
        return {"rounds": len(ratios), "ratio": None, "low": None, "high": None, "noise": None,
                "verdict": NOISE}  # a difference over a floor that was not seen at all
    middle = statistics.median(ratios)
    low, high = spread(ratios)
    noise = max(math.log(high / middle), math.log(middle / low), resolution)
    verdict = NOISE
    if len(ratios) >= ENOUGH and abs(math.log(middle)) > noise:
        verdict = WIN if middle > 1 else LOSS
    return {"rounds": len(ratios), "ratio": middle, "low": low, "high": high, "noise": noise,
            "verdict": verdict}


# ---- figures ----------------------------------------------------------------

def _values(candidate, by_name):
    """A candidate's samples, each less that of its base in the same round."""
    if not candidate["over"]:
        return candidate["samples"]
    return [a - b for a, b in zip(candidate["samples"], by_name[candidate["over"]]["samples"])]


def _pair(figure, ours, other, by_name):
    """Of a floor the whole figure counts, of a peer what each takes over its base."""
    whole = other["role"] == FLOOR
    a, b = ((c["samples"] if whole else _values(c, by_name)) for c in (ours, other))
    sign = 1 if figure["better"] == "more" else -1
    ratios = [(x / y) ** sign if x > 0 and y > 0 else 0 for x, y in zip(a, b)]
    least = min(abs(statistics.median(v)) for v in (a, b)) if a and b else 0
    resolution = math.log1p(figure["step"] / least) if figure["step"] and least else 0.0
    return {"ours": ours["name"], "other": other["name"], "role": other["role"],
            **judged(ratios, resolution)}


def figure(what, unit, better, candidates, *, at=None, along=None, step=0, stack=None, judged=True):
    """
    One figure of [{"name", "role", "over", "samples", ...}], as the file has it. `step`: what
    the clock can tell apart; `stack`: a name that parts of one sum have in common. The parts,
    and what is not `judged`, are shown and make no pairs: the sum is a figure of its own.
    """
    assert better in ("more", "less"), better
    made = {"what": what, "unit": unit, "better": better, "at": at or {}, "along": along,
            "stack": stack, "step": step, "judged": judged and not stack,
            "candidates": candidates, "pairs": []}
    by_name = {c["name"]: c for c in candidates}
    for one in candidates:
        values = _values(one, by_name)
        one["median"] = statistics.median(values) if values else None
        one["low"], one["high"] = spread(values) if values else (None, None)
    made["pairs"] = [] if not made["judged"] else [
        _pair(made, a, b, by_name) for a in candidates if a["role"] == OURS
        for b in candidates if b["role"] == PEER or (
            b["role"] == FLOOR and a["over"] in (None, b["name"]))]
    return made


def candidate(name, role, quiet, refused=(), value=lambda sample: sample["value"], over=None):
    """A candidate of rounds [{name: sample}], as measure.rounds() returns them."""
    of = [round_[name] for round_ in quiet]
    return {"name": name, "role": role, "over": over, "samples": [value(s) for s in of],
            "refused": [value(round_[name]) for round_ in refused],
            "noise": {kind: [s.get(kind) for s in of] for kind in NOISES}}


class Result:
    """What one benchmark adds to while it runs; written once, by write()."""

    def __init__(self, name, question, quick=False, clock="wall", traffic="sluice-gen, this host"):
        self.data = {"sluice_bench": SCHEMA, "name": name, "question": question,
                     "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "quick": quick,
                     "clock": clock, "traffic": traffic, "machine": machine.facts(),
                     "versions": machine.versions(), "state": {}, "figures": [], "histograms": [],
                     "not_measured": {}, "failed": [], "targets": [], "details": {}}

    def figure(self, what, unit, better, candidates, **more):
        self.data["figures"].append(figure(what, unit, better, candidates, **more))
        return self.data["figures"][-1]

    def rounds(self, what, unit, better, roles, taken, **more):
        """
        A figure of `taken`, what measure.rounds() returned, for roles {name: role}. `value`
        turns a sample into the figure; `over` is {name: base}.
        """
        quiet, refused = taken
        value, over = more.pop("value", lambda sample: sample["value"]), more.pop("over", {})
        return self.figure(what, unit, better, [
            candidate(name, role, quiet, refused, value, over.get(name))
            for name, role in roles.items()], **more)

    def histogram(self, what, unit, at, slots, roles):
        """slots: {candidate: [[from, share of all], ...]} of the quiet rounds together."""
        self.data["histograms"].append({"what": what, "unit": unit, "at": at, "candidates": [
            {"name": name, "role": roles[name], "slots": of} for name, of in slots.items()]})

    def lacks(self, name, why):
        """A candidate that was not measured; also said on the terminal."""
        self.data["not_measured"][name] = why
        print("%s: not measured: %s" % (name, why))

    def fails(self, text):
        self.data["failed"].append(text)
        print("FAILED: " + text)

    def target(self, what, value, wanted, met):
        """A figure that was promised; `value` and `wanted` are text with their units."""
        self.data["targets"].append({"what": what, "value": value, "wanted": wanted,
                                     "met": bool(met)})
        print("target: %s: %s; wanted %s: %s" % (what, value, wanted, "met" if met else "MISSED"))

    def details(self, **more):
        self.data["details"].update(more)

    def write(self, folder):
        path = os.path.join(folder, self.data["name"] + ".json")
        os.makedirs(folder, exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            json.dump(self.data, out, indent=1)
            out.write("\n")
        return path


# ---- reading ----------------------------------------------------------------

NEEDED = ("name", "question", "when", "traffic", "figures", "histograms", "machine", "versions",
          "state", "not_measured", "failed", "targets")
OF_A_FIGURE = ("what", "unit", "better", "at", "along", "stack", "judged", "candidates", "pairs")


def _checked(path, data):
    if not isinstance(data, dict) or data.get("sluice_bench") != SCHEMA:
        raise ResultError("%s: no result of this version (\"sluice_bench\": %d); run the "
                          "benchmark again" % (path, SCHEMA))
    found = data["results"] if "results" in data else [data]
    for result in found:
        missing = [key for key in NEEDED if key not in result]
        missing += sorted({key for figure_ in result.get("figures", []) for key in OF_A_FIGURE
                           if key not in figure_})
        if missing:
            raise ResultError("%s: a result without %s; run the benchmark again" % (
                path, ", ".join(missing)))
    return found


def load(path):
    """[result] of a file (one result, or a baseline of several) or of a folder's *.json."""
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path) if name.endswith(".json"))
        if not names:
            raise ResultError("%s: no results there; `bench/run` makes them" % path)
        return [result for name in names for result in load(os.path.join(path, name))]
    try:
        with open(path, encoding="utf-8") as source:
            return _checked(path, json.load(source))
    except OSError as why:
        raise ResultError("%s: %s; `bench/run` makes results" % (path, why.strerror)) from None
    except ValueError as why:
        raise ResultError("%s: not JSON: %s" % (path, why)) from None


def values(figure_, name):
    """The samples of a candidate less its base's: what its median, low and high are of."""
    by_name = {c["name"]: c for c in figure_["candidates"]}
    return _values(by_name[name], by_name)


def place(figure_):
    """`at` as text, "" for none."""
    return ", ".join("%s %s" % (key, value) for key, value in figure_["at"].items())
