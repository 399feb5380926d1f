# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The oracle for many packets and rules at once.

oracle.judge() asks every rule for every packet: 10,000 rules and 100,000
packets would take it an hour. Here the packets' facts stand in numpy columns,
and one rule after the other is asked for all packets that no earlier rule
has decided; still a linear search, rule by rule. The packets are read by
oracle.facts(). test_oracle.py compares the two.
"""
import numpy

import oracle

UNKNOWN = -1
FRAGMENTS = {"no": 0, "first": 1, "later": 2}
# Facts that fit an int64 column as they are.
NUMBERS = ("mac_source", "mac_destination", "ethertype", "vlan", "inner_vlan", "family",
           "protocol", "length", "dscp", "source_port", "destination_port", "flags", "icmp_type",
           "icmp_code")
LOW64 = (1 << 64) - 1
# Columns are rid of decided packets when these are more than one in so many.
COMPACT = 8


def _columns(known):
    """{name: array}, a row for each of a list of oracle.Facts."""
    columns = {name: numpy.fromiter(
        (UNKNOWN if value is None else value for value in (getattr(k, name) for k in known)),
        numpy.int64, len(known)) for name in NUMBERS}
    columns["fragment"] = numpy.fromiter((FRAGMENTS.get(k.fragment, UNKNOWN) for k in known),
                                         numpy.int64, len(known))
    for side in ("source", "destination"):
        # The family is its own column; where it is unknown, the number has no meaning.
        numbers = [(getattr(k, side) or (0, 0))[1] for k in known]
        columns[side + "_high"] = numpy.fromiter((n >> 64 for n in numbers), numpy.uint64,
                                                 len(known))
        columns[side + "_low"] = numpy.fromiter((n & LOW64 for n in numbers), numpy.uint64,
                                                len(known))
    return columns


def _in_range(low, high):
    return lambda column: (column >= low) & (column <= high)


def _in_ranges(ranges):
    def condition(column):
        found = numpy.zeros(len(column), bool)
        for low, high in ranges:
            found |= _in_range(low, high)(column)
        return found
    return condition


class Packets:
    """The packets that no rule has decided yet."""

    def __init__(self, frames):
        self.known = [oracle.facts(frame) for frame in frames]
        self.columns = _columns(self.known)
        self.number = numpy.arange(len(frames))  # row -> packet
        self.open = numpy.ones(len(frames), bool)
        self.members = {}  # (id of a set, side) -> (the set, a column: is in it)

    # ---- addresses --------------------------------------------------------

    def _in_prefixes(self, side, addresses, rows):
        """Addresses are in a short list of prefixes."""
        family = self.columns["family"][rows]
        found = numpy.zeros(len(family), bool)
        for (of, length), prefixes in addresses.by_length.items():
            # How far the prefix's bits stand above bit 0 of the low word.
            shift = {4: 32, 6: 128}[of] - length
            for bits in prefixes:
                holds = family == of
                for name, at in (("_high", 64), ("_low", 0)):
                    mask = ((1 << length) - 1) << shift >> at & LOW64
                    if mask:  # else these 64 bits are free
                        value = bits << shift >> at & LOW64
                        holds &= (self.columns[side + name][rows] & numpy.uint64(mask)
                                  == numpy.uint64(value))
                found |= holds
        return found

    def _in_long_set(self, side, addresses, rows):
        """Addresses, or MACs, are in a set: asked one by one, once for all rules."""
        key = id(addresses), side
        if key not in self.members:
            asked = (getattr(self.known[number], side) for number in self.number)
            self.members[key] = addresses, numpy.fromiter(
                (value is not None and value in addresses for value in asked), bool,
                len(self.number))
        return self.members[key][1][rows]

    def _member(self, side, match, rows):
        """`[not] ADDR` holds."""
        addresses = match.addresses
        if side.startswith("mac"):
            found, known = self._in_long_set(side, addresses, rows), side
        else:
            short = sum(map(len, addresses.by_length.values())) <= 8
            found = (self._in_prefixes if short else self._in_long_set)(side, addresses, rows)
            known = "family"
        if match.negated:
            return ~found & (self.columns[known][rows] != UNKNOWN)
        return found

    # ---- rules ------------------------------------------------------------

    def _matching(self, rule):
        """The rows of undecided packets that a rule matches."""
        rows = slice(None)
        for side in ("destination", "source", "mac_source", "mac_destination"):
            match = getattr(rule, side)
            if match is not None:
                rows = self._narrow(rows, self._member(side, match, rows))
        for name, condition in _conditions(rule):
            rows = self._narrow(rows, condition(self.columns[name][rows]))
        rows = numpy.arange(len(self.open)) if isinstance(rows, slice) else rows
        return rows[self.open[rows]]

    @staticmethod
    def _narrow(rows, holds):
        """Rows out of `rows` (all of them, while it is a slice) where it holds."""
        return numpy.flatnonzero(holds) if isinstance(rows, slice) else rows[holds]

    def take(self, rule):
        """The packets (numbers) that a rule decides; they are undecided no longer."""
        rows = self._matching(rule)
        taken = self.number[rows]
        self.open[rows] = False
        if (len(self.open) - numpy.count_nonzero(self.open)) * COMPACT > len(self.open):
            self.columns = {name: column[self.open] for name, column in self.columns.items()}
            self.members = {key: (addresses, column[self.open])
                            for key, (addresses, column) in self.members.items()}
            self.number = self.number[self.open]
            self.open = numpy.ones(len(self.number), bool)
        return taken


def _conditions(rule):
    """(column, condition) of what a rule states beside addresses."""
    for name in ("vlan", "inner_vlan", "ethertype", "family", "protocol", "dscp", "icmp_type",
                 "icmp_code"):
        wanted = getattr(rule, name)
        if wanted is not None:
            yield name, _in_range(wanted, wanted)
    for name in ("source_ports", "destination_ports"):
        if getattr(rule, name) is not None:
            yield name[:-1], _in_ranges(getattr(rule, name))
    if rule.ip_only and rule.family is None:
        yield "family", _in_range(4, 6)
    if rule.length is not None:
        yield "length", _in_range(*rule.length)
    if rule.fragment is not None:
        low, high = {"yes": (1, 2)}.get(rule.fragment, (FRAGMENTS.get(rule.fragment),) * 2)
        yield "fragment", _in_range(low, high)
    if rule.flags is not None:
        value, mask = rule.flags
        yield "flags", lambda column: (column != UNKNOWN) & (column & mask == value)


def judge(config, frames, interface):
    """What oracle.judge() says of each of a list of frames."""
    packets = Packets(frames)
    answers = [oracle.undecided(config, known) for known in packets.known]
    for rule in config.rules:
        if rule.decides() and rule.on in (None, interface) and len(packets.number):
            answer = oracle.verdict(rule)
            for number in packets.take(rule):
                answers[number] = answer
    return answers
