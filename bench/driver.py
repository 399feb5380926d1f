#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What e1000e's patches give and cost, in virtual time: `bench/run driver` (root).

Each subject is a guest of tests/vm with one processor whose time is the
instructions that it executes (--icount), so a busy host changes no figure.
pktgen sends UDP of 60 bytes without a pause from eth0, an skb a thousand times
(with +fresh: one for each packet); bench/driver/guest.py has eth1 receive them in
one way after the other.

    pps         packets that came through, by the whole run's time: sender included
    ns          that time less the sender's own (with no receiver), per packet
    irq         interrupts of eth1 per packet

DPDK polls without an end on the sender's processor, so its time has empty polls
in it: its ns is an upper bound. The sockets that poll busily (-busy) are on it, too,
but pause when there is nothing: `empty` says how many of their polls found nothing,
for each that found some. A sender that costs little overloads what costs much, which
then loses packets that it has worked on: for that compare +fresh.
"""
import argparse
import json
import os
import subprocess
import sys
from xml.sax.saxutils import escape

from measure import BUILD, RESULTS, built, table
from result import OURS, PEER, Result, candidate

HERE = os.path.dirname(os.path.abspath(__file__))
VM = os.path.join(HERE, "..", "tests", "vm", "run")
SECONDS = 1800  # of the host's, for one guest on a busy host
SOCKETS = ("copy drop", "copy forward", "zero-copy drop", "zero-copy forward")
BUSY = ("copy-busy drop", "copy-busy forward", "zero-copy-busy drop", "zero-copy-busy forward")
FRESH = ("sender+fresh alone", "stack+fresh drop", "native+fresh drop", "copy+fresh drop",
         "copy+fresh forward", "zero-copy+fresh drop", "zero-copy+fresh forward")
NATIVE = ("stack drop", "generic drop", "native drop", "native tx", "native redirect") + SOCKETS
# Subject -> (kernel, NICs, options of tests/vm/run, module built here, cases)
SUBJECTS = {
    "e1000e stock": ("6.12", "e1000e:2", (), None,
                     ("stack drop", "generic drop", "generic tx", "generic redirect",
                      "copy-generic drop", "copy-generic forward")),
    "e1000e patched": ("6.12", "e1000e:2", (), "driver/e1000e.ko", NATIVE + BUSY + FRESH),
    "igb": ("newest", "igb:2", (), None, NATIVE),
    # A device that DPDK had is not given back: a guest for each.
    "DPDK drop": ("6.12", "e1000e:2", ("--load", "uio_pci_generic"), None, ("dpdk drop",)),
    "DPDK forward": ("6.12", "e1000e:2", ("--load", "uio_pci_generic"), None, ("dpdk forward",)),
}
COLOURS = {"e1000e stock": "#6b7280", "e1000e patched": "#0b6e4f", "igb": "#1f5fbf",
           "DPDK drop": "#c2410c", "DPDK forward": "#c2410c"}
# (what, judged by pps or by ns, a figure, at least this many times as good as, another)
TARGETS = (
    ("native drop over stack drop", "pps", ("e1000e patched", "native drop"), 2.5,
     ("e1000e patched", "stack drop")),
    ("native drop over stack drop, an skb for each packet", "pps",
     ("e1000e patched", "native+fresh drop"), 2.5, ("e1000e patched", "stack+fresh drop")),
    ("receive without XDP over stock's", "ns", ("e1000e patched", "stack drop"), 0.99,
     ("e1000e stock", "stack drop")),
    ("zero-copy drop over copy drop", "ns", ("e1000e patched", "zero-copy drop"), 1.5,
     ("e1000e patched", "copy drop")),
    ("zero-copy forward over copy forward", "ns", ("e1000e patched", "zero-copy forward"), 2,
     ("e1000e patched", "copy forward")),
    ("zero-copy drop over copy drop, an skb for each packet", "ns",
     ("e1000e patched", "zero-copy+fresh drop"), 1.5, ("e1000e patched", "copy+fresh drop")),
    ("zero-copy forward over copy forward, an skb for each packet", "ns",
     ("e1000e patched", "zero-copy+fresh forward"), 2, ("e1000e patched", "copy+fresh forward")),
    ("zero-copy drop over copy drop, busy polling", "ns",
     ("e1000e patched", "zero-copy-busy drop"), 1.5, ("e1000e patched", "copy-busy drop")),
    ("zero-copy forward over copy forward, busy polling", "ns",
     ("e1000e patched", "zero-copy-busy forward"), 2, ("e1000e patched", "copy-busy forward")),
    ("zero-copy forward over DPDK's", "pps", ("e1000e patched", "zero-copy forward"), 0.8,
     ("DPDK forward", "dpdk forward")),
)
RARE = 0.001  # interrupts a packet with busy polling, at most


def guest(name):
    """{case: what guest.py printed} of a subject, and why it has none, or None."""
    kernel, nics, options, module, cases = SUBJECTS[name]
    argv = ["nice", VM, "--icount", "--timeout", str(SECONDS), *options, kernel, nics,
            os.path.join(HERE, "driver", "guest.py")]
    argv += ["--module", built(module)] if module else []
    done = subprocess.run(argv + ["sender alone", *cases], stdout=subprocess.PIPE, text=True,
                          errors="replace", check=False)
    rows = [json.loads(line[7:]) for line in done.stdout.splitlines()
            if line.startswith("figure ")]
    if not rows:
        return {}, done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no output"
    return {row["case"]: row for row in rows}, None


def figures(rows):
    """Adds pps, ns and irq to each row that was measured."""
    for case, row in rows.items():
        alone = rows.get("sender+fresh alone" if "+" in case else "sender alone", row)
        if "ns" not in row or row is alone:
            continue
        through = row["sent_back"] if case.endswith(("tx", "redirect", "forward")) else (
            row["received"])
        if not through:
            row["refused"] = "no packet came through"
            continue
        row["through"] = through
        row["pps"] = through * 1e9 / row["ns"]
        row["ns_each"] = (row["ns"] - alone["ns"] * row["sent"] / alone["sent"]) / through
        row["irq"] = row["interrupts"] / through
        if row.get("turns"):
            row["empty_each"] = row["empty"] / row["turns"]


def svg(found):
    """Bars of pps, by case and subject: the text of the picture."""
    bars = [(case, name, row["pps"]) for name, rows in found.items()
            for case, row in rows.items() if "pps" in row]
    order = list(dict.fromkeys(bar[0] for bar in bars))
    bars.sort(key=lambda bar: order.index(bar[0]))
    most = max(bar[2] for bar in bars)
    height, parts = 56 + 24 * len(bars), []
    for number, (case, name, pps) in enumerate(bars):
        y = 48 + 24 * number
        parts.append('<text x="300" y="%d" text-anchor="end">%s</text>'
                     '<rect x="308" y="%d" width="%.1f" height="16" fill="%s"/>'
                     '<text x="%.1f" y="%d">%s</text>' % (
                         y + 12, escape("%s, %s" % (case, name)), y, 420 * pps / most,
                         COLOURS[name], 314 + 420 * pps / most, y + 12,
                         "{:,.0f}".format(pps)))
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="820" height="%d" viewBox="0 0 820 %d">'
            "<style>text{font:12px sans-serif;fill:#222}</style>"
            '<rect width="100%%" height="100%%" fill="#fff"/>'
            '<text x="12" y="24">Virtual packets per second, sender included (one emulated '
            "processor)</text>%s</svg>\n" % (height, height, "\n".join(parts)))


def judge(found):
    """[(what, judged by, {"pps": ratio, "ns": ratio} or None, wanted)] of TARGETS."""
    result = []
    for what, by, over, wanted, under in TARGETS:
        a, b = (found.get(name, {}).get(case, {}) for name, case in (over, under))
        both = "pps" in a and "pps" in b
        result.append((what, by, {"pps": a["pps"] / b["pps"], "ns": b["ns_each"] / a["ns_each"]}
                       if both else None, wanted))
    return result


def polled(found):
    """[(case, interrupts a packet)] of what polls busily."""
    rows = found.get("e1000e patched", {})
    return [(case, rows[case]["irq"]) for case in BUSY if "irq" in rows.get(case, {})]


def record(found, absent, targets):
    """build/bench/driver.json; one run each, so no verdict is drawn of it."""
    result = Result("driver", "What e1000e's patches give and cost, in virtual time",
                    clock="virtual", traffic="pktgen, in the guest")
    for name, why in absent.items():
        result.data["not_measured"][name] = why
    for case in dict.fromkeys(case for rows in found.values() for case in rows):
        shown = {name: rows[case] for name, rows in found.items() if "pps" in rows.get(case, {})}
        for what, unit, better, key in (
                ("came through in a virtual second", "packets/s", "more", "pps"),
                ("time of a packet, without the sender's", "ns", "less", "ns_each")):
            if shown:
                result.figure(what, unit, better, [
                    candidate(name, OURS if name == "e1000e patched" else PEER, [{name: row}],
                              value=lambda row, key=key: row[key])
                    for name, row in shown.items()], at={"case": case})
    for what, by, ratios, wanted in targets:
        if ratios is not None:
            result.data["targets"].append({
                "what": what, "value": "%(pps).2f in pps, %(ns).2f in ns" % ratios,
                "wanted": "at least %g in %s" % (wanted, by), "met": ratios[by] >= wanted})
    for case, irq in polled(found):
        result.data["targets"].append({
            "what": "interrupts a packet, " + case, "value": "%.5f" % irq,
            "wanted": "at most %g" % RARE, "met": irq <= RARE})
    result.details(subjects=found)
    result.write(RESULTS)


def report(found, absent):
    for name, rows in found.items():
        print("\n" + name)
        table(["", "pps", "ns", "irq", "lost", "empty"],
              [[case, "%.0f" % row["pps"], "%.0f" % row["ns_each"], "%.4f" % row["irq"],
                row["sent"] - row["through"],
                "%.2f" % row["empty_each"] if "empty_each" in row else ""]
               for case, row in rows.items() if "pps" in row])
        for case, row in rows.items():
            if "refused" in row:
                print("%s: not measured: %s" % (case, row["refused"]))
    for name, why in absent.items():
        print("%s: not measured: %s" % (name, why))
    print()
    targets = judge(found)
    for what, by, ratios, wanted in targets:
        print("%s: %s; at least %g is wanted in %s" % (
            what, "not measured" if ratios is None else "%.2f in pps, %.2f in ns%s" % (
                ratios["pps"], ratios["ns"], "" if ratios[by] >= wanted else " MISSED"),
            wanted, by))
    for case, irq in polled(found):
        print("interrupts a packet, %s: %.5f; at most %g is wanted%s" % (
            case, irq, RARE, "" if irq <= RARE else " MISSED"))
    record(found, absent, targets)
    path = os.path.join(BUILD, "bench", "driver.svg")
    with open(path, "w", encoding="ascii") as out:
        out.write(svg(found))
    print("picture: " + path)


def main():
    parser = argparse.ArgumentParser(description="What a received packet costs, by driver.")
    parser.add_argument("subject", nargs="*", help="of " + ", ".join(SUBJECTS))
    options = parser.parse_args()
    for name in options.subject:
        if name not in SUBJECTS:
            parser.error("%s: no such subject" % name)
    found, absent = {}, {}
    for name in options.subject or SUBJECTS:
        rows, why = guest(name)
        if why or "ns" not in rows.get("sender alone", {}):
            absent[name] = why or "the sender alone was not measured"
            continue
        figures(rows)
        found[name] = rows
    if not any("pps" in row for rows in found.values() for row in rows.values()):
        sys.exit("nothing was measured: %s" % absent)
    report(found, absent)
    return 0 if not absent else 1


if __name__ == "__main__":
    sys.exit(main())
