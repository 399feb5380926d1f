# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The same rules for nftables: verdict maps on a netdev ingress hook.

A map of concatenated ranges (the kernel's pipapo) finds a box in one lookup,
but boxes of one map must not overlap, and these rules do: the first that
matches decides. So each rule stands in the map behind the last one that holds
an earlier rule it overlaps, and the maps are asked in that order: of the rules
that match a packet the earliest stands in the earliest map. A rule within an
earlier one can never match and is left out.

nftables has no range that says "ACK is set", so a first rule makes of the TCP
flags a number (one for each answer to all conditions), and the maps hold that.

Each element counts, as a rule of Sluice does. All verdicts are drop, as is
the policy: what is measured is the search, not the stack behind it.
"""
import ipaddress
import json

import numpy

from boxes import TCP, ICMP, ICMP6, Boxes, flag_classes, flags

NET6 = 0x20010db8 << 96  # as in classbench.py
# Asked one after the other by each packet that nothing matches.
MAPS_MAX = 256
BASE = """table netdev classify {
%schain ingress {
type filter hook ingress device lo priority 0; policy drop;
%s}
}
"""


class Inexpressible(Exception):
    """Why this form cannot hold the rules."""


def levels(rules):
    """The map of each rule, from 0; -1: an earlier rule holds all of it."""
    boxes = Boxes(rules)
    level = numpy.full(len(rules), -1)
    for rule in range(len(rules)):
        share, hold = boxes.overlap(rule)
        if not hold.any():
            level[rule] = level[:rule][share].max(initial=-1) + 1
    return level


def _address(prefix, ip6):
    number, length = prefix
    if ip6:
        return "%s/%d" % (ipaddress.IPv6Address(NET6 | number << 64), 32 + length)
    return "%s/%d" % (ipaddress.IPv4Address(number), length)


def _range(low, high):
    return "%d" % low if low == high else "%d-%d" % (low, high)


def _protocol(rule, ip6):
    value, mask = rule.proto
    if not mask:
        return "0-255"
    return str(ICMP6 if ip6 and value == ICMP else value)


def _elements(rule, number, classes, ip6):
    """The map elements of one rule: one for each class of flags, if it looks at them."""
    key = [_address(rule.src, ip6), _address(rule.dst, ip6), _protocol(rule, ip6),
           _range(*rule.sport), _range(*rule.dport)]
    value, mask = flags(rule)
    marks = [None]
    if max(classes):
        marks = sorted({c for byte, c in enumerate(classes) if byte & mask == value})
        marks = ["%d-%d" % (0, max(classes))] if not mask else marks
    for mark in marks:
        yield " . ".join(key + ([str(mark)] if mark is not None else [])) + \
            ' comment "r%d" : drop' % number


def ruleset(rules, level, ip6=False):
    """
    (text for `nft -f`, number of maps) of rules and their levels(). Inexpressible
    where they overlap so deeply that it would be a list again.
    """
    count = level.max(initial=-1) + 1
    if count > MAPS_MAX:
        raise Inexpressible("%d maps one behind the other" % count)
    classes = flag_classes(rules)
    word = "ip6" if ip6 else "ip"
    kind = ("ipv6_addr" if ip6 else "ipv4_addr")
    types = [kind, kind, "inet_proto", "inet_service", "inet_service"]
    match = ["%s saddr" % word, "%s daddr" % word, "meta l4proto", "th sport", "th dport"]
    chain = ""
    if max(classes):
        types.append("mark")
        match.append("meta mark")
        chain = "meta l4proto %d meta mark set tcp flags map { %s }\n" % (TCP, ", ".join(
            "%d : %d" % (byte, number) for byte, number in enumerate(classes)))
    maps = ""
    for number in range(count):
        elements = [element for rule in numpy.flatnonzero(level == number)
                    for element in _elements(rules[rule], rule, classes, ip6)]
        maps += "map m%d {\ntype %s : verdict\nflags interval\ncounter\nelements = {\n%s }\n}\n" % (
            number, " . ".join(types), ",\n".join(elements))
        chain += "%s vmap @m%d\n" % (" . ".join(match), number)
    return BASE % (maps, chain + "counter\n"), int(count)


EMPTY = BASE % ("", "")


def counted(listing):
    """{rule: packets} of the text of `nft -j list ruleset`; "default" is no rule's."""
    packets = {}
    for item in json.loads(listing)["nftables"]:
        for element in item.get("map", {}).get("elem", []):
            found = element[0]["elem"]
            name = found["comment"]
            packets[name] = packets.get(name, 0) + found["counter"]["packets"]
        for part in item.get("rule", {}).get("expr", []):
            if "counter" in part:
                packets["default"] = part["counter"]["packets"]
    return packets
