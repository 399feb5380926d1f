# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading sFlow datagrams, by the letter of sflow_version_5.txt and sflow_drops.txt: an
AssertionError for whatever is not as it says. Only what `sluice export` sends is known."""
import collections
import struct

from tap import check

Sample = collections.namedtuple(
    "Sample", "sequence source rate pool lost input output length stripped head rule")
Counters = collections.namedtuple(
    "Counters", "sequence index type speed direction status in_bytes in_unicast in_multicast "
    "in_broadcast in_discards in_errors in_unknown out_bytes out_unicast out_multicast "
    "out_broadcast out_discards out_errors promiscuous")
Datagram = collections.namedtuple("Datagram", "agent sub sequence uptime samples")


class Words:
    """XDR: words of four bytes, and opaques with their length."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def word(self):
        self.at += 4
        return struct.unpack_from("!I", self.data, self.at - 4)[0]

    def opaque(self, length):
        found = self.data[self.at:self.at + length]
        check(len(found), length, "an opaque is whole")
        self.at += (length + 3) // 4 * 4
        check(self.data[self.at - (-length % 4):self.at], bytes(-length % 4), "padding")
        return found

    def counted(self):
        return self.opaque(self.word())

    def part(self):
        """(format, Words) of a sample or a record."""
        return self.word(), Words(self.counted())

    def end(self):
        check(self.at, len(self.data), "nothing is left over")


def flow_sample(words):
    values = [words.word() for _ in range(7)]
    head, rule = None, None
    for _ in range(words.word()):
        kind, record = words.part()
        if kind == 1:
            check(record.word(), 1, "header_protocol: Ethernet")
            head = (record.word(), record.word(), record.counted())
        else:
            check(kind, 1037, "extended_acl")
            check(record.word(), 0, "rules have no number")
            rule = record.counted().decode()
            check(record.word(), 1, "ingress")
        record.end()
    words.end()
    return Sample(*values, *head, rule)


def counters_sample(words):
    sequence, source, records = (words.word() for _ in range(3))
    check(records, 1, "one record")
    kind, record = words.part()
    check(kind, 1, "if_counters")
    values = struct.unpack("!IIQIIQ6IQ6I", record.data)
    check(values[0], source, "the source is the interface")
    words.end()
    return Counters(sequence, *values)


def decode(data):
    check(len(data) <= 1400, True, "a datagram has up to 1,400 bytes")
    words = Words(data)
    check(words.word(), 5, "version")
    agent = words.opaque({1: 4, 2: 16}[words.word()])
    sub, sequence, uptime = (words.word() for _ in range(3))
    samples = []
    for _ in range(words.word()):
        kind, body = words.part()
        samples.append({1: flow_sample, 2: counters_sample}[kind](body))
    words.end()
    return Datagram(agent, sub, sequence, uptime, samples)
