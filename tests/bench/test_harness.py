#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The benchmarks' harness: verdicts, refusals, the page, the comparison (root, no traffic)."""
import glob
import ipaddress
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BENCH = os.path.join(ROOT, "bench")
sys.path[:0] = [HERE, os.path.join(ROOT, "tests"), BENCH]
import chart
import filter as filter_of
import latency
import made
import machine
import measure
import page as page_of
import result as results
import scale
from tap import Tap

tap = Tap()
BUSY = {"busy": 1.94, "runnable": 5.2}


def tool(name, *args, state=None, **changed):
    """Runs bench/NAME; (exit status, what it said)."""
    env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **changed)
    if state is not None:
        env[machine.FAKE] = json.dumps(state)
    done = subprocess.run([os.path.join(BENCH, name), *args], stdout=subprocess.PIPE, env=env,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def folder(top, name, **changed):
    """A folder of made-up results."""
    path = os.path.join(top, name)
    made.write(path, **changed)
    return path


# ---- verdicts ---------------------------------------------------------------

def verdicts():
    tap.equal([results.spread(list(range(n))) for n in (3, 5, 8, 9, 12, 15)],
              [(0, 2), (0, 4), (0, 7), (1, 7), (2, 9), (3, 11)],
              "a spread is the order statistics that tables name for 95 %")
    tap.equal(results.judged([1.2] * 9)["verdict"], "win", "what is better each time is a win")
    tap.equal(results.judged([0.8] * 9)["verdict"], "loss", "what is worse each time is a loss")
    tap.equal(results.judged([1.2] * (results.ENOUGH - 1))["verdict"], "within noise",
              "of too few rounds nothing is a win")
    wide = [1.02, 0.7, 1.4, 1.05, 0.9, 1.1, 1.06, 1.3, 0.8]
    tap.equal(results.judged(wide)["verdict"], "within noise", "noise over the difference: no win")
    # All rounds on one side, and yet the noise is the greater.
    tap.equal(results.judged([1.02, 1.03, 1.03, 1.04, 1.2, 1.2, 1.03])["verdict"], "within noise",
              "a spread as wide as the difference: no win")
    tap.equal(results.judged([1.1] * 9, resolution=0.2)["verdict"], "within noise",
              "a difference below a step of the clock: no win")
    draw = random.Random(7)
    found = [results.judged([draw.gauss(1, 0.05) / draw.gauss(1, 0.05) for _ in range(9)])
             for _ in range(1000)]
    wrong = sum(one["verdict"] != "within noise" for one in found)
    tap.ok(wrong <= 50, "of 1,000 comparisons of a program with itself at most 5 % decide",
           "%d did" % wrong)


def figures():
    draw = random.Random(3)
    pairs = made.filter_result(draw).data["figures"][0]["pairs"]
    of = {pair["other"]: pair for pair in pairs}
    tap.ok(6.5 < of["xdp-filter, all features"]["ratio"] < 7.9,
           "peers are compared by what each takes over the empty program", of)
    tap.ok(0.6 < of["empty"]["ratio"] < 0.7, "a floor is compared whole", of)
    result = results.Result("t", "?")
    rounds = made.taken(draw, {"a": 10.0, "b": 10.0, "fa": 10.0, "fb": 1.0})
    figure = result.rounds("x", "ns", "less", {"a": "ours", "b": "peer", "fa": "floor",
                                               "fb": "floor"}, rounds, over={"a": "fa"})
    tap.equal([pair["other"] for pair in figure["pairs"]], ["b", "fa"],
              "a candidate over a floor is compared with no other floor")
    tap.equal(figure["pairs"][0]["verdict"], "within noise",
              "a difference that was not seen at all is no win")
    sums = result.rounds("part", "ns", "less", {"a": "ours", "b": "peer"}, rounds, stack="sum")
    tap.equal(sums["pairs"], [], "parts of a sum are not judged")


# ---- refusals ---------------------------------------------------------------

def stat(user, idle, steal, running):
    return "cpu  %d 0 0 %d 0 0 0 %d 0 0\ncpu0 1 0 0 1 0\ncpu1 1 0 0 1 0\nprocs_running %d\n" % (
        user, idle, steal, running)


def states():
    quiet = machine.state_of([stat(100, 1000, 0, 1), stat(102, 1198, 0, 1)])
    tap.equal((round(quiet["busy"], 3), quiet["steal"], quiet["runnable"]), (0.02, 0.0, 0.0),
              "an idle machine, of /proc/stat")
    tap.equal(machine.reasons(quiet), [], "an idle machine is quiet")
    busy = machine.state_of([stat(100, 1000, 0, 3), stat(200, 1100, 0, 5)])
    tap.contains("; ".join(machine.reasons(busy)), ["kept 1.00 CPUs busy", "3.0 other tasks"],
                 "a busy one is not")
    stolen = machine.state_of([stat(0, 0, 0, 1), stat(0, 90, 10, 1)])
    tap.contains("; ".join(machine.reasons(stolen)), "withheld 10.0 %", "nor one that is withheld")


def cpu_time():
    waits = measure.waited_for_others
    before = {"worker": (0, 0), "writer": (0, 0)}
    tap.equal(waits(before, {"worker": (70, 30), "writer": (20, 80)}), 10,
              "what a thread waits while its process has the CPU is no disturbance")
    tap.equal(waits(before, {"worker": (70, 5), "writer": (20, 80)}), 0, "nor less than none")
    tap.equal(waits({"worker": (5, 5)}, {"worker": (70, 30), "writer": (20, 80)}), 25,
              "a thread that was not there at the start is not counted")
    tap.equal(waits({}, {}), 0, "nor where the process has ended")
    start, idle, spun = time.monotonic_ns(), machine.idle_ns(), time.thread_time_ns()
    while time.thread_time_ns() < spun + 200_000_000:
        pass
    busy = machine.busy_cpus(idle, machine.idle_ns())
    share = 199_000_000 / (time.monotonic_ns() - start)
    tap.ok(share <= busy <= len(idle) + 0.01,
           "200 ms of work are work: %.2f of %d CPUs, at least %.2f" % (busy, len(idle), share))


def refusals(top):
    for path in sorted(glob.glob(os.path.join(BENCH, "*.py"))):
        with open(path, encoding="utf-8") as source:
            text = source.read()
        if "    finish(main)" not in text or 'clock="virtual"' in text:
            continue
        name = os.path.basename(path)
        status, said = tool(name, state=BUSY, SLUICE_BUILD=top)
        tap.equal(status, 3, "%s refuses a busy machine" % name) and tap.contains(
            said, ["other work kept 1.94 CPUs busy", "5.2 other tasks", "wait, and start"],
            "%s says why, and what to do" % name)
    status, said = tool("run", "filter", "ports", state=BUSY, SLUICE_BUILD=top)
    tap.equal(status, 3, "bench/run says so, too")
    tap.equal(glob.glob(os.path.join(top, "bench", "*")), [], "and nothing is written")


def noisy_rounds():
    waits = iter([0.5, 0.0, 0.0, 0.5, 0.0])

    def take():
        return {"value": 1, "waited": next(waits), "steal": 0.0}
    quiet, refused = measure.rounds({"a": take}, 3)
    tap.equal((len(quiet), len(refused)), (3, 2), "a round in which one waited is repeated")
    for kind in ("waited", "steal"):
        sample = {"value": 1, "waited": 0.0, "steal": 0.0, kind: 0.1}
        try:
            measure.rounds({"a": lambda sample=sample: sample}, 5)
            tap.ok(False, "a run of noisy rounds (%s) reports nothing" % kind)
        except measure.Noisy as why:
            tap.contains(str(why), ["0 quiet rounds of 15", "10.0 %"],
                         "a run of noisy rounds (%s) reports nothing" % kind)


def noise_of_tests():
    def take():
        return {"value": 1, "waited": 0.5, "steal": 0.0}
    os.environ[machine.FAKE] = json.dumps({"noise": 1})
    quiet, refused = measure.rounds({"a": take}, 3)
    tap.equal((len(quiet), len(refused)), (3, 0), "a made-up state may let noise through")
    tap.equal(machine.look()["fake"], True, "and is told from a real one, too")
    os.environ[machine.FAKE] = "{}"
    try:
        measure.rounds({"a": take}, 3)
        tap.ok(False, "another lets none through")
    except measure.Noisy:
        tap.ok(True, "another lets none through")
    del os.environ[machine.FAKE]


def became_busy(top):
    measure.RESULTS = os.path.join(top, "became")
    os.environ[machine.FAKE] = "{}"
    with measure.running("t", "?"):
        os.environ[machine.FAKE] = json.dumps(BUSY)
    del os.environ[machine.FAKE]
    found = results.load(measure.RESULTS)[0]
    tap.equal((found["state"]["before"]["why"], len(found["state"]["after"]["why"])), ([], 2),
              "a machine that became busy is recorded")
    tap.ok(found["state"]["fake"], "a made-up state is told from a real one")
    status, said = tool("report", "-o", os.path.join(top, "became.html"), measure.RESULTS)
    with open(os.path.join(top, "became.html"), encoding="utf-8") as page:
        text = page.read()
    tap.equal(status, 0, "its page is made") or tap.diag(said)
    tap.contains(text, ["became busy while this ran", "state of the machine was made up"],
                 "and its page says both")
    status, said = tool("compare", "--update", "--baseline", os.path.join(top, "no.json"),
                        measure.RESULTS)
    tap.equal((status, os.path.exists(os.path.join(top, "no.json"))), (1, False),
              "it is no baseline")


# ---- the page ---------------------------------------------------------------

def boxes(svg):
    """(the box of each text that is not turned, the width and height of the picture)."""
    root = ET.fromstring(svg)
    found = []
    for text in root.iter("text"):
        wide, x = 6.1 * len(text.text), float(text.get("x"))
        x -= {"start": 0, "middle": wide / 2, "end": wide}[text.get("text-anchor")]
        found.append((x, float(text.get("y")) - 9, x + wide, float(text.get("y")), text.text))
    return found, [float(part) for part in root.get("viewBox").split()[2:]]


def collisions(svg):
    """Texts that lie over each other or leave the picture."""
    found, (width, height) = boxes(svg)
    wrong = ["%r leaves the picture" % box[4] for box in found
             if box[0] < -1 or box[2] > width + 1 or box[3] > height]
    for at, a in enumerate(found):
        wrong += ["%r over %r" % (a[4], b[4]) for b in found[:at]
                  if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]]
    return wrong


def page(top):
    path, out = folder(top, "page"), os.path.join(top, "page.html")
    status, said = tool("report", "-o", out, path)
    tap.equal(status, 0, "a page is made of results") or tap.diag(said)
    with open(out, encoding="utf-8") as source:
        text = source.read()
    outside = re.findall(r"https?:|<script|<link|<img|url\(|@import| src=", text)
    tap.equal(outside, [], "it asks for nothing outside, and has no script")
    pictures = re.findall(r"<svg.*?</svg>", text, re.S)
    tap.ok(len(pictures) >= 8, "it has pictures", len(pictures))
    tap.equal([wrong for svg in pictures for wrong in collisions(svg)], [],
              "their texts do not collide")
    tap.contains(text, ["7.", "win</b>", "prefers-color-scheme:dark", "@media print",
                        "XSK_FWD names no program", "page-table isolation"],
                 "verdicts, both themes, print, what is missing, the machine")
    tap.contains(text, ["how much of what is possible here", "sluice, of floor (8 places)",
                        "<th>packets from</th>", "BPF_PROG_TEST_RUN, 4,096 headers"],
                 "what is had of the floors, and where the packets came from")
    result = results.Result("a<b", "x & y")
    result.rounds("<i>", "ns", "less", {"<o>": "ours", "<p>": "peer"},
                  made.taken(random.Random(1), {"<o>": 1.0, "<p>": 2.0}))
    result.write(os.path.join(top, "odd"))
    tool("report", "-o", out, os.path.join(top, "odd"))
    with open(out, encoding="utf-8") as source:
        text = source.read()
    tap.ok(not re.search("<i>|<o>|<p>:|a<b", text), "names cannot become markup")
    status, said = tool("report", "-o", out, os.path.join(HERE, "made.py"))
    tap.equal(status, 1, "a file that is no result is refused")
    tap.contains(said, ["made.py", "not JSON"], "and named")
    with open(os.path.join(top, "old.json"), "w", encoding="utf-8") as old:
        old.write('{"unit": "ns"}')
    tap.contains(tool("report", os.path.join(top, "old.json"))[1], "run the benchmark again",
                 "a result of another version, too")


def axes():
    """No value of a picture lies outside its axis, where it would be drawn on the edge."""
    draw = random.Random(5)
    for _ in range(300):
        values = [10 ** draw.uniform(-3, 7) for _ in range(draw.randint(1, 6))]
        marks = chart._log_marks(values)
        if not (marks[0] <= min(values) * 1.0001 and max(values) <= marks[-1] * 1.0001
                and 2 <= len(marks) <= 12):
            return tap.ok(False, "a logarithmic axis holds its values", values, marks)
        top = chart.ticks(max(values))
        if top[0] != 0 or top[-1] < max(values) * 0.998:
            return tap.ok(False, "a linear axis holds its values", values, top)
    return tap.ok(True, "axes hold their values, and a linear one begins at zero")


def colours():
    roles = {"%s %d" % (role, n): role for role in ("ours", "peer") for n in range(4)}
    tap.equal(len(set(chart.classes(roles).values())), 8,
              "four of ours and four peers have a colour each")
    unknown = [name for name in chart.classes(roles).values()
               if ".%s{" % name not in page_of.STYLE]
    tap.equal(unknown, [], "and the style sheet knows them")


def percentiles():
    values = list(range(1, 1001))
    tap.equal([latency.percentile(values, share) for share in latency.PERCENTILES],
              [500, 900, 990, 999], "percentiles are the least value that holds the share")
    tap.equal(latency.percentile([7.0], 99.9), 7.0, "of one value, that")
    slots = latency.histogram([{"a": {"us": [1.1, 3.0, 3.05, 90.0]}}], "a")
    tap.ok(abs(sum(share for _from, share in slots) - 1) < 1e-9 and slots[-1][0] <= 90.0
           < 1.25 * slots[-1][0], "a histogram holds every probe", slots)


def rule_mixes():
    """That filter.py's headers are of the rules that it says, and its counters are judged."""
    for family in filter_of.FAMILIES:
        every, start = filter_of.matches(16, family), filter_of.SOURCE_AT[family][0]
        size = filter_of.SOURCE_AT[family][1] - start
        nets = [[ipaddress.ip_network(prefix) for prefix in match[:2]] for match in every]

        def hits(frame):
            source, target = (ipaddress.ip_address(frame[at:at + size])
                              for at in (start, start + size))
            port = int.from_bytes(frame[start + 2 * size + 2:start + 2 * size + 4], "big")
            return [n for n, (of, to) in enumerate(nets)
                    if source in of and target in to and port == every[n][2]]
        found = {name: [hits(frame) for frame in filter_of.frames(name, 16, family)[:256]]
                 for name in filter_of.MIXES}
        tap.equal(found, {"one packet": [[15]] * 256, "random sources": [[15]] * 256,
                          "all rules": [[n % 16] for n in range(256)], "no rule": [[]] * 256},
                  "%s: the headers of each mix match what they are to" % family)
    before, after = {"r0": 1, "last": 2}, {"r0": 5, "last": 6}
    tap.equal(filter_of.wrong(before, after, "all rules", 8), None, "counters that are right")
    for name, packets in (("all rules", 10), ("one packet", 8), ("no rule", 8)):
        tap.contains(filter_of.wrong(before, after, name, packets) or "", "matched 4 packets of",
                     "counters that are wrong for: " + name)


def commands():
    """The peak of a command is its own, not that of the process it was forked from."""
    held = bytearray(96 << 20)
    small = scale.command(["sleep", "0.05"])
    tap.ok(0 < small["peak"] < 32 << 20, "a small command has a small peak", small["peak"])
    tap.ok(small["value"] >= 50, "and its time is the whole of it", small["value"])
    large = scale.command([sys.executable, "-c",
                           "import time; b = bytearray(64 << 20); time.sleep(0.05)"])
    tap.ok(large["peak"] > 64 << 20, "a large one has a large one", large["peak"], len(held))
    try:
        scale.command(["ls", "/nowhere"])
        tap.ok(False, "a command that fails is no sample")
    except measure.LabError as why:
        tap.contains(str(why), ["ls /nowhere", "No such file"],
                     "a command that fails is no sample")


# ---- the comparison ---------------------------------------------------------

def comparison(top):
    base = folder(top, "base", seed=1)
    for name, status, changed in (
            ("the same again", 0, {"seed": 1}), ("noise alone", 0, {"seed": 2}),
            ("a filter 30 % dearer", 1, {"seed": 2, "cost": 14.5}),
            ("a drop 10 % slower", 1, {"seed": 2, "rate": 0.9}),
            ("a filter 30 % cheaper", 0, {"seed": 2, "cost": 8.0}),
            ("a filter 5 % dearer, with 10 % of noise", 0,
             {"seed": 2, "cost": 11.5, "spread": 0.1})):
        found, said = tool("compare", base, folder(top, name.replace(" ", "_"), **changed))
        tap.equal(found, status, "compare: " + name) or tap.diag(said)
        tap.equal("REGRESSION" in said, status == 1, "compare: %s, as it says" % name)
    drifted = folder(top, "drifted")
    for path in glob.glob(os.path.join(drifted, "*.json")):
        with open(path, encoding="utf-8") as source:
            text = json.load(source)
        for figure in text["figures"]:
            for at, one in enumerate(figure["candidates"]):
                one["samples"] = [value * 1.3 for value in one["samples"]]
            text["figures"][text["figures"].index(figure)] = results.figure(
                figure["what"], figure["unit"], figure["better"], figure["candidates"],
                at=figure["at"], along=figure["along"], step=figure["step"],
                stack=figure["stack"])
        with open(path, "w", encoding="utf-8") as out:
            json.dump(text, out)
    tap.equal(tool("compare", base, drifted)[0], 0, "a machine 30 % slower is no regression")
    tap.equal(tool("compare", os.path.join(base, "filter.json"),
                   os.path.join(base, "live.json"))[0], 2, "nothing in common is no pass")


def baseline(top):
    base, kept = folder(top, "kept"), os.path.join(top, "baseline.json")
    status, said = tool("compare", "--update", "--baseline", kept, base)
    tap.equal(status, 0, "a baseline is kept") or tap.diag(said)
    tap.equal(tool("compare", kept, base)[0], 0, "and compared with")
    worse = folder(top, "worse", rate=0.8)
    tap.equal(tool("compare", kept, worse)[0], 1, "and finds what is worse")
    status, said = tool("compare", "--update", "--baseline", kept, folder(top, "loud", quiet=False))
    tap.equal(status, 1, "no baseline of a machine that became busy")
    tap.contains(said, ["not measured on a quiet machine", "run it again"], "and it says so")


def main():
    with tempfile.TemporaryDirectory() as top:
        sys.stdout, out = open(os.devnull, "w", encoding="utf-8"), sys.stdout
        tap.stream = out
        verdicts()
        figures()
        states()
        cpu_time()
        noisy_rounds()
        noise_of_tests()
        refusals(os.path.join(top, "build"))
        became_busy(top)
        page(top)
        axes()
        colours()
        percentiles()
        rule_mixes()
        commands()
        comparison(top)
        baseline(top)
    tap.done()


if __name__ == "__main__":
    main()
