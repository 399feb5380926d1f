# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The page of bench/report: results (result.py) in, one HTML text out.

Nothing outside the page is asked for and no script runs in it. What stands on it, in order:
the verdicts counted by benchmark, the targets missed; for each benchmark its comparisons with
peers as ratios, what it has of its floors, its sweeps as curves, its figures as bars with every
sample, and one table; then what was not measured and why, how it was measured, and the machine.
"""
import statistics
from html import escape

import chart
from result import FLOOR, OURS, PEER, place, values

MANY = 14  # pairs of a benchmark: more are drawn as a dot each
SPREADS = 5  # columns of a table: more have no room for their spreads
TABLES = 4  # of a benchmark: more are folded away
STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2024;--soft:#5b636b;--rule:#d5d9dd;
--c0:#1f4e79;--c1:#b45309;--c2:#4d8f5b;--c3:#a8508f;--c4:#5b9bd5;--c5:#8a7a1c;--c6:#a3abb3;
--c7:#0f8b8d;--c8:#6d4cc0;--win:#2f7d4f;--loss:#c0392b;--within:#a3abb3}
@media screen and (prefers-color-scheme:dark){:root{--paper:#14181c;--ink:#e6e9ec;
--soft:#9aa4ae;--rule:#343b43;--c0:#5b9bd5;--c1:#e0933f;--c2:#7fbf8c;--c3:#e3b3d6;--c4:#a9cdf0;
--c5:#d6c65a;--c6:#6b747d;--c7:#3fc1c0;--c8:#ab92f0;
--win:#58b27c;--loss:#ef7b6c;--within:#6b747d}}
body{margin:0 auto;max-width:60rem;padding:1.5rem;background:var(--paper);color:var(--ink);
font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0 0 .2rem}
h2{font-size:1.2rem;margin:2.4rem 0 .2rem;border-top:2px solid var(--rule);padding-top:1rem}
h3{font-size:1rem;margin:1.4rem 0 .3rem}p{margin:.3rem 0}.soft{color:var(--soft)}
.banner{border:2px solid var(--loss);padding:.6rem .8rem;margin:1rem 0;font-weight:600}
table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{text-align:left;padding:.18rem .9rem .18rem 0;border-bottom:1px solid var(--rule);
vertical-align:top}th{font-weight:600}td:first-child{white-space:nowrap}
th.n{max-width:9rem}td.n{white-space:nowrap}td.n,th.n{text-align:right}
.scroll{overflow-x:auto}b.win,td.win{color:var(--win)}b.loss,td.loss{color:var(--loss)}
a{color:inherit}summary{cursor:pointer;margin:.4rem 0}
svg.chart{display:block;max-width:100%;height:auto;margin:.4rem 0}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg text.axis{fill:var(--soft)}
svg text.name,svg text.value{font-weight:600}
.grid{stroke:var(--rule);stroke-width:1}.tick,.one{stroke:var(--soft);stroke-width:1}
.spread{stroke:var(--ink);stroke-width:1.3;fill:none}
.sample{fill:var(--paper);stroke:var(--ink);stroke-width:.7}
.line{fill:none;stroke-width:2}.thin{stroke-width:1.2}.line.ours{stroke-width:4}
.thin.ours{stroke-width:2}
.line.floor{stroke-dasharray:5 4}
.dot{fill-opacity:.75}rect.win,circle.win{fill:var(--win)}rect.loss,circle.loss{fill:var(--loss)}
rect.within,circle.within{fill:var(--within)}
""" + "".join(".c%d{fill:var(--c%d)}.sc%d{stroke:var(--c%d)}" % (n, n, n, n)
              for n in range(9)) + """
@media print{body{max-width:none;padding:0;font-size:9.5pt}h2,h2~p,h3{break-after:avoid}
svg,tr{break-inside:avoid}.scroll{overflow:visible}table{font-size:8pt}
th,td{padding-right:.5rem}th.n{max-width:4.5rem}.keep{break-inside:avoid}@page{margin:14mm}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
METHOD = """Candidates took turns on one machine, and what is compared is the ratio within a round,
turned so that more than 1 is better for Sluice. A spread is the part of the samples that holds the
true median with 95 % certainty. A difference that is not greater than the noise, or that rests on
fewer than five rounds, is “within noise”: neither a win nor a loss. A round in which a measured
process waited for its CPU was refused and repeated. Floors are what this machine can do at best,
and nothing wins over them. Small circles are the samples, whiskers the spread."""


# ---- small parts ------------------------------------------------------------

def _table(heads, rows, numbers=()):
    """Cells are HTML; those of the columns in `numbers` stand right."""
    def line(tag, cells):
        return "<tr>" + "".join("<%s%s>%s</%s>" % (
            tag, ' class="n"' if at in numbers else "", cell, tag)
            for at, cell in enumerate(cells)) + "</tr>"
    return '<div class="scroll"><table><thead>%s</thead><tbody>%s</tbody></table></div>' % (
        line("th", heads), "".join(line("td", row) for row in rows))


def _unit(figure):
    return "; ".join(part for part in (figure["unit"], figure["better"] + " is better") if part)


def _title(figure):
    return figure["what"] + (", " + place(figure) if figure["at"] else "")


def _pairs(result, roles=(PEER,)):
    """[(figure, pair)] that have a ratio."""
    return [(figure, pair) for figure in result["figures"] for pair in figure["pairs"]
            if pair["role"] in roles and pair["ratio"]]


def _grouped(figures, key):
    groups = {}
    for figure in figures:
        groups.setdefault(key(figure), []).append(figure)
    return groups


# ---- a benchmark ------------------------------------------------------------

def _few(what, pairs):
    def name(pair, at):
        """Who is compared, and where the comparisons of this title differ, where."""
        return "%s / %s" % (pair["ours"], pair["other"]) + (", " + at if at else "")
    return chart.ratios([(name(pair, place(figure)), pair["ratio"], pair["low"], pair["high"],
                          pair["verdict"]) for figure, pair in pairs], what + ", by ratio")


def _many(what, pairs):
    """A row for each two that are compared, and for each mix of traffic where there are such."""
    rows = {}
    for figure, pair in pairs:
        family = [value for key, value in figure["at"].items() if key == "mix"]
        name = ", ".join(["%s / %s" % (pair["ours"], pair["other"])] + family)
        rows.setdefault(name, []).append((pair["ratio"], pair["verdict"], place(figure)))
    table = _table(["", "place", "times", "spread", "rounds", "verdict"], [
        [escape("%s / %s" % (p["ours"], p["other"])), escape(place(f)), "%.2f" % p["ratio"],
         "%.2f – %.2f" % (p["low"], p["high"]), p["rounds"], _verdict(p)] for f, p in pairs],
        (2, 3, 4))
    return chart.strip(list(rows.items()), what + ", by ratio") + (
        "<details><summary>all %d comparisons</summary>%s</details>" % (len(pairs), table))


def _verdict(pair):
    return '<b class="%s">%s</b>' % (pair["verdict"].split()[0], pair["verdict"])


def _comparisons(result):
    """The pairs with peers, a picture for each quantity."""
    parts = []
    for what in dict.fromkeys(figure["what"] for figure in result["figures"]):
        pairs = [(f, p) for f, p in _pairs(result) if f["what"] == what]
        if pairs:
            parts.append('<div class="keep"><h3>%s: how many times better</h3>%s</div>' % (
                escape(what[0].upper() + what[1:]),
                _many(what, pairs) if len(pairs) > MANY else _few(what, pairs)))
    return parts


def _possible(result):
    """
    What Sluice has of each floor: of one place its spread, of several the median of the
    places, and the least and the most as its spread.
    """
    parts = []
    for what in dict.fromkeys(figure["what"] for figure in result["figures"]):
        groups = _grouped([p for f, p in _pairs(result, (FLOOR,)) if f["what"] == what],
                          lambda p: "%s, of %s" % (p["ours"], p["other"]))
        rows = []
        for name, pairs in groups.items():
            ratios = sorted(100 * pair["ratio"] for pair in pairs)
            low, high = ((100 * pairs[0]["low"], 100 * pairs[0]["high"]) if len(pairs) == 1
                         else (ratios[0], ratios[-1]))
            name += " (%d places)" % len(pairs) if len(pairs) > 1 else ""
            rows.append((name, OURS, statistics.median(ratios), low, high, []))
        if rows:
            parts.append('<div class="keep"><h3>%s: how much of what is possible here</h3>%s</div>'
                         % (escape(what[0].upper() + what[1:]), chart.bars(
                             rows, "% of a floor; more is better", what + ", of its floors")))
    return parts


def _panels(figures, along):
    """{title: {name: points}} of the figures that differ in `along` alone."""
    panels = {}
    for figure in figures:
        rest = ", ".join(str(v) for k, v in figure["at"].items() if k != along)
        for one in figure["candidates"]:
            if one["median"] is None or one["role"] == FLOOR and _is_base(figure, one):
                continue
            panels.setdefault(rest, {}).setdefault(one["name"], []).append(
                (figure["at"][along], one["median"], one["low"], one["high"]))
    for lines in panels.values():
        for points in lines.values():
            points.sort()
    return {title: lines for title, lines in panels.items()
            if max(map(len, lines.values())) > 1}


def _is_base(figure, candidate):
    """Whether others of the figure are taken over this one, so that it is their zero."""
    return any(one["over"] == candidate["name"] for one in figure["candidates"])


def _sweeps(result):
    parts = []
    swept = [figure for figure in result["figures"] if figure["along"]]
    for (what, along), figures in _grouped(
            swept, lambda f: (f["what"], f["along"])).items():
        panels = _panels(figures, along)
        if panels:
            roles = {one["name"]: one["role"] for figure in figures
                     for one in figure["candidates"]
                     if not (one["role"] == FLOOR and _is_base(figure, one))}
            parts.append('<div class="keep"><h3>%s, by %s</h3>%s</div>' % (
                escape(what[0].upper() + what[1:]), escape(along),
                chart.curves(panels, roles, along, _unit(figures[0]), what,
                             shape="even" if along == "percentile" else "lines")))
    return parts


def _bars(result):
    """Of what is no sweep, no part of a sum nor the sum, and not for the table alone."""
    parts = []
    for figure in result["figures"]:
        shown = [one for one in figure["candidates"]
                 if one["median"] is not None and not _is_base(figure, one)]
        parted = any(other["stack"] and other["at"] == figure["at"]
                     and other["unit"] == figure["unit"] for other in result["figures"])
        if figure["along"] or not figure["judged"] or not shown or parted:
            continue
        rows = [(one["name"], one["role"], one["median"], one["low"], one["high"],
                 values(figure, one["name"])) for one in shown]
        title = _title(figure)
        parts.append('<div class="keep"><h3>%s</h3>%s</div>' % (
            escape(title[0].upper() + title[1:]), chart.bars(rows, _unit(figure), title)))
    return parts


def _stacks(result):
    parts = []
    stacked = [figure for figure in result["figures"] if figure["stack"]]
    for (name, at), figures in _grouped(stacked, lambda f: (f["stack"], place(f))).items():
        names = [one["name"] for one in figures[0]["candidates"]]
        by_name = [{c["name"]: c["median"] or 0 for c in figure["candidates"]}
                   for figure in figures]
        rows = [(one, [max(0, medians.get(one, 0)) for medians in by_name]) for one in names]
        parts.append('<div class="keep"><h3>%s%s</h3>%s</div>' % (
            escape(name), escape(", " + at if at else ""),
            chart.stack(rows, [figure["what"] for figure in figures], _unit(figures[0]), name)))
    return parts


def _histograms(result):
    parts = []
    for what, shown in _grouped(result.get("histograms", []), lambda h: h["what"]).items():
        panels = {place(h): {c["name"]: [(x, 100 * share, 100 * share, 100 * share)
                                         for x, share in c["slots"]] for c in h["candidates"]}
                  for h in shown}
        roles = {c["name"]: c["role"] for h in shown for c in h["candidates"]}
        parts.append('<div class="keep"><h3>%s</h3>%s</div>' % (
            escape(what[0].upper() + what[1:]), chart.curves(
                panels, roles, shown[0]["unit"], "% of them, by slots of 1.25 times", what,
                shape="steps")))
    return parts


def _worst(candidate, kind):
    shares = [share for share in candidate["noise"].get(kind, []) if share is not None]
    return "%.1f %%" % (100 * max(shares)) if shares else "-"


def _figures_table(at, figures):
    """One row a candidate, one column a figure of the same place."""
    names = dict.fromkeys(one["name"] for figure in figures for one in figure["candidates"])
    rows = []
    for name in names:
        row, last = [escape(name)], None
        for figure in figures:
            found = [one for one in figure["candidates"] if one["name"] == name]
            last = found[0] if found else last
            row.append(_cell(found[0], len(figures) <= SPREADS) if found else "")
        role = {OURS: "Sluice", PEER: "peer", FLOOR: "floor"}[last["role"]]
        if any(_is_base(figure, last) for figure in figures):
            role += ", whole"  # the others' figures are over it
        rows.append(row[:1] + [role] + row[1:] + [
            "%d + %d" % (len(last["samples"]), len(last["refused"])),
            "%s / %s" % (_worst(last, "waited"), _worst(last, "steal"))])
    heads = ["%s" % escape(at), ""] + [
        escape(f["what"]) + ('<br><span class="soft">%s</span>' % escape(f["unit"])
                             if f["unit"] else "") for f in figures]
    heads += ["rounds used + refused", "waited / steal, at most"]
    return _table(heads, rows, range(2, len(heads)))


def _cell(candidate, with_spread):
    if candidate["median"] is None:
        return "-"
    text = chart.short(candidate["median"])
    if with_spread and len(candidate["samples"]) > 1:
        text += '<br><span class="soft">%s – %s</span>' % (
            chart.short(candidate["low"]), chart.short(candidate["high"]))
    return text


def _tables(result):
    tables = [_figures_table(at, figures)
              for at, figures in _grouped(result["figures"], place).items()]
    if len(tables) <= TABLES:
        return tables
    return ["<details><summary>the figures as %d tables</summary>%s</details>" % (
        len(tables), "".join(tables))]


def _targets(result):
    if not result["targets"]:
        return []
    return ["<h3>Targets</h3>", _table(["", "found", "wanted", ""], [
        [escape(t["what"]), escape(t["value"]), escape(t["wanted"]),
         "met" if t["met"] else '<b class="loss">missed</b>'] for t in result["targets"]])]


def _section(result):
    notes = [result["when"].replace("T", " ").replace("Z", " UTC"), "traffic: " + result["traffic"]]
    if result.get("clock") == "virtual":
        notes.append("virtual time of an emulated processor: compares work, not speed")
    if result.get("quick"):
        notes.append("a quick run, with fewer rounds and cases")
    parts = ['<h2 id="%s">%s</h2><p>%s</p><p class="soft">%s</p>' % (
        escape(result["name"]), escape(result["name"]), escape(result["question"]),
        escape("; ".join(notes)))]
    after = result["state"].get("after", {}).get("why", [])
    if after:
        parts.append('<p><b class="loss">The machine became busy while this ran</b>: %s.</p>'
                     % escape("; ".join(after)))
    parts += ['<p><b class="loss">failed</b>: %s</p>' % escape(text) for text in result["failed"]]
    parts += _comparisons(result) + _possible(result) + _sweeps(result) + _histograms(result)
    parts += _stacks(result) + _bars(result)
    return "\n".join(parts + _tables(result) + _targets(result))


# ---- the page ---------------------------------------------------------------

def _overview(results):
    rows = []
    for result in results:
        verdicts = [pair["verdict"] for _figure, pair in _pairs(result)]
        rows.append(['<a href="#%s">%s</a>' % (escape(result["name"]), escape(result["name"])),
                     escape(result["question"]), escape(result["traffic"])]
                    + [verdicts.count(v) or "-" for v in ("win", "loss", "within noise")]
                    + ["%d of %d" % (sum(t["met"] for t in result["targets"]),
                                     len(result["targets"])) if result["targets"] else "-",
                       len(result["not_measured"]) or "-", len(result["failed"]) or "-"])
    return _table(["benchmark", "what is asked", "packets from", "wins", "losses", "within noise",
                   "targets met", "not measured", "failed"], rows, range(3, 9))


def _missing(results):
    rows = [[escape(result["name"]), escape(name), escape(why)] for result in results
            for name, why in result["not_measured"].items()]
    return ["<h2>Not measured</h2>", _table(["benchmark", "what", "why"], rows)] if rows else []


def _machine(result):
    facts, versions = result["machine"], result["versions"]
    rows = [["CPU", "%s, %s of them%s" % (facts.get("cpu"), facts.get("cpus"),
                                          ", virtual" if facts.get("virtual") else "")],
            ["kernel", "%s, %s" % (facts.get("kernel"), facts.get("arch"))],
            ["frequency governor", facts.get("governor") or "not visible"],
            ["page-table isolation", {True: "on", False: "off"}.get(
                facts.get("page_table_isolation"), "not told")],
            *[["mitigation: " + name, text]
              for name, text in facts.get("mitigations", {}).items()],
            *[["version: " + name, text] for name, text in versions.items()]]
    return _table(["", ""], [[escape(str(cell)) for cell in row] for row in rows])


def _machines(results):
    """[(the names of the results, one of them)] by machine and versions."""
    groups = {}
    for result in results:
        groups.setdefault(repr((result["machine"], result["versions"])), []).append(result)
    parts = ["<h2>The machine</h2>"]
    for group in groups.values():
        if len(groups) > 1:
            parts.append("<h3>of %s</h3>" % escape(", ".join(r["name"] for r in group)))
        parts.append(_machine(group[0]))
    return parts


def html(results):
    """The page of [result]."""
    first = results[0]
    line = "; ".join(dict.fromkeys("%s, Linux %s" % (r["machine"].get("cpu"), r["machine"].get(
        "kernel")) for r in results))
    when = sorted(r["when"][:10] for r in results)
    parts = ["<h1>Sluice, measured</h1>", '<p class="soft">%s; %s; version %s</p>' % (
        escape(line), escape(" to ".join(dict.fromkeys((when[0], when[-1])))),
        escape(first["versions"].get("sluice", "unknown")))]
    if any(result["state"].get("fake") for result in results):
        parts.append('<p class="banner">The state of the machine was made up for a test of the '
                     "harness: nothing here is a measurement to rely on.</p>")
    parts += [_overview(results), '<p class="soft">%s</p>' % escape(METHOD)]
    parts += [_section(result) for result in results]
    parts += _missing(results) + _machines(results)
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
            'content="width=device-width,initial-scale=1"><title>Sluice, measured</title><style>%s'
            "</style></head><body>\n%s\n</body></html>\n" % (STYLE, "\n".join(parts)))
