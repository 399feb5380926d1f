# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Rules of tests/oracle/classbench.py as numbers: what they have in common.

A rule is a box: a range in each of source, destination, source port and
destination port, and a set of kinds. A kind is a protocol together with a TCP
flags byte, as far as some rule can tell it from another.
"""
import numpy

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIELDS = ("src", "dst", "sport", "dport")


def flags(rule):
    """(value, mask) of the condition on the TCP flags; (0, 0): none."""
    if rule.proto != (TCP, 255):
        return 0, 0
    return (rule.flags[0] & rule.flags[1]) >> 8, rule.flags[1] >> 8


def _addresses(prefix):
    number, length = prefix
    return number, number | (1 << 32 - length) - 1


def flag_classes(rules):
    """For each TCP flags byte the number, from 0, of the conditions it meets."""
    conditions = sorted({flags(rule) for rule in rules} - {(0, 0)})
    met = [tuple(byte & mask == value for value, mask in conditions) for byte in range(256)]
    numbers = {answers: number for number, answers in enumerate(dict.fromkeys(met))}
    return [numbers[answers] for answers in met]


class Boxes:
    """
    low, high: {field: numbers, one a rule}; kinds: [(protocol, flags byte)], the flags of
    TCP alone; takes: one row a rule, true where it takes that kind.
    """

    def __init__(self, rules):
        rows = {"src": [_addresses(rule.src) for rule in rules],
                "dst": [_addresses(rule.dst) for rule in rules],
                "sport": [rule.sport for rule in rules],
                "dport": [rule.dport for rule in rules]}
        self.count = len(rules)
        self.low = {f: numpy.array([low for low, _ in rows[f]], "u4") for f in FIELDS}
        self.high = {f: numpy.array([high for _, high in rows[f]], "u4") for f in FIELDS}
        named = {rule.proto[0] for rule in rules if rule.proto[1]}
        other = next(number for number in range(254, 0, -1) if number not in named)
        classes = flag_classes(rules)
        self.kinds = [(TCP, classes.index(number)) for number in sorted(set(classes))]
        self.kinds += [(number, 0) for number in sorted(named | {UDP, other}) if number != TCP]
        self.takes = numpy.array([[self._takes(rule, *kind) for kind in self.kinds]
                                  for rule in rules], bool)

    @staticmethod
    def _takes(rule, protocol, byte):
        if rule.proto[1] and rule.proto[0] != protocol:
            return False
        value, mask = flags(rule)
        return byte & mask == value

    def overlap(self, rule):
        """Which earlier rules share a point with this one, and which hold all of it."""
        share = (self.takes[:rule] & self.takes[rule]).any(axis=1)
        hold = (self.takes[:rule] | ~self.takes[rule]).all(axis=1)
        for field in FIELDS:
            low, high = self.low[field], self.high[field]
            share &= (low[:rule] <= high[rule]) & (high[:rule] >= low[rule])
            hold &= (low[:rule] <= low[rule]) & (high[:rule] >= high[rule])
        return share, hold
