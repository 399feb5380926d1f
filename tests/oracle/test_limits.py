#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The largest configurations: as many rules as there may be, looking at every
field, and the longest sets. The loaded program against the oracle. Root.

Each rule has packets of its own, so every rule is seen to decide.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import frames
from lab import LabError
from loaded import DEVICE, OTHER, Loaded, differences
from tap import Tap

RULES = 256
PREFIXES = 10000
VERDICTS = ("pass", "drop", "bounce", "redirect " + OTHER, "forward", "forward fallback drop")
PROTOS = (("tcp", frames.TCP), ("udp", frames.UDP), ("sctp", frames.SCTP))
FRAGMENTS = {"": 0x4000, "fragment no": 0, "fragment first": 0x2000}
NET4, NET6 = 0x0a000000, 0x20010db8 << 96


def addresses(number):
    """(family, source, destination, source prefix, destination prefix) of a rule."""
    if number % 2:
        return (4, NET4 | number << 8, 0xac100000 | number << 4,
                "10.0.%d.0/24" % number, "172.16.%d.%d/28" % (number >> 4, (number & 15) << 4))
    return (6, NET6 | number << 64, NET6 | 1 << 80 | number, "2001:db8:0:%x::/64" % number,
            "2001:db8:1::%x" % number)


def rule(number, fields):
    """(text, [frames]): a rule that states `fields`, packets in it and just beside it."""
    family, source, destination, source_text, destination_text = addresses(number)
    word, proto = PROTOS[number % 3]
    fragment = list(FRAGMENTS)[number % 3] if "fragment" in fields else ""
    vlan = number * 16 + 15 if "vlan" in fields and number % 4 == 0 else None
    low, high = number * 250, number * 250 + number % 7
    ports = ["%d" % low if low == high else "%d-%d" % (low, high)] * 2
    parts = ["rule", "n%d" % number, VERDICTS[number % len(VERDICTS)], word, "from", source_text]
    parts += ["port", ports[0]] if "sport" in fields else []
    parts += ["to", destination_text] if "destination" in fields else ["to any"]
    parts += ["port", ports[1]] + ([fragment] if fragment else [])
    parts += ["vlan %d" % vlan] if vlan is not None else []
    made = []
    for sport, dport, tag in ((low, high, vlan), (high, low, vlan), (high + 1, low, vlan),
                              (low, (low - 1) % 65536, vlan), (low, low, (vlan or 0) ^ 1)):
        layer4 = {6: frames.tcp, 17: frames.udp, 132: frames.sctp}[proto](sport, dport)
        if family == 4:
            packet = frames.ipv4(source, destination, proto, layer4,
                                 fragment=FRAGMENTS[fragment])
        else:
            chain = [frames.extension(frames.FRAGMENT, fragment=1)] if (
                fragment == "fragment first") else []
            packet = frames.ipv6(source, destination, proto, layer4, chain)
        tags = [] if tag is None else [(0x8100, tag)]
        made.append(frames.ethernet(0x800 if family == 4 else 0x86dd, packet, tags))
    return " ".join(parts), made


def fields_at_once(tap, loaded, fields, options=""):
    name = "%d rules on source, destination port%s%s" % (
        RULES, "".join(", " + field for field in fields), options)
    made = [rule(number, fields) for number in range(RULES)]
    text = "interface %s, %s%s\ndefault drop\n%s\n" % (
        DEVICE, OTHER, options, "\n".join(text for text, _frames in made))
    compare(tap, loaded, name, text, {}, [f for _text, own in made for f in own], RULES)


def long_sets(tap, loaded):
    """One set with as many prefixes as there may be, asked at the ends of each 20th."""
    lines, asked = [], []
    for number in range(PREFIXES // 2):
        lines += ["%d.%d.%d.0/25" % (11 + number // 4096, number // 16 % 256, number % 16 * 16),
                  "2001:db8:%x::/49" % number]
        if number % 20 == 0:
            base = (11 + number // 4096) << 24 | (number // 16 % 256) << 16 | number % 16 * 16 << 8
            asked += [frames.ethernet(0x800, frames.ipv4(base + step, 1, 6, frames.tcp(1, 2)))
                      for step in (-1, 0, 127, 128)]
            base = NET6 | number << 80
            asked += [frames.ethernet(0x86dd, frames.ipv6(base + step, 1, 6, frames.tcp(1, 2)))
                      for step in (-1, 0, (1 << 79) - 1, 1 << 79)]
    text = ('interface %s\ndefault drop\nset long { file "long.txt" }\n'
            "rule in pass from @long\nrule out bounce from not @long\n" % DEVICE)
    compare(tap, loaded, "a set of %d prefixes" % PREFIXES, text,
            {"long.txt": "\n".join(lines) + "\n"}, asked, 2)


def long_names(tap, loaded):
    names = ["n" * 62 + letter for letter in "abc"]
    text = "interface %s\n%s\n" % (DEVICE, "\n".join(
        "rule %s drop proto %d" % (name, number) for number, name in enumerate(names)))
    asked = [frames.ethernet(0x800, frames.ipv4(1, 2, proto, b"")) for proto in range(4)]
    compare(tap, loaded, "names of 63 bytes", text, {}, asked, 3)


def compare(tap, loaded, name, text, files, asked, deciding):
    """The program agrees with the oracle, and so many rules decide some packet."""
    try:
        loaded.apply(text, files)
        got = loaded.explain(asked)
    except (LabError, AssertionError) as fault:
        tap.ok(False, name, str(fault)[:3000])
        return
    want = loaded.expected(asked)
    wrong = differences(asked, got, want)
    tap.ok(not wrong, name, *wrong)
    tap.equal(len({rule for _verdict, rule, _reason in got if rule}), deciding,
              name + ": every rule decides")


def main():
    tap = Tap()
    with Loaded() as loaded:
        every = ("destination", "sport", "fragment", "vlan")
        for count in range(len(every) + 1):
            fields_at_once(tap, loaded, every[:count])
        fields_at_once(tap, loaded, every, " { frags on }")
        long_sets(tap, loaded)
        long_names(tap, loaded)
        tap.equal(loaded.lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
