# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The dearest traffic that can be made from a set of rules.

Whatever remembers an answer by what the rules can tell of a packet is defeated
by never telling the same twice: the points of a field that the same rules match
are one class, and no two packets here share source class, destination class
and class of the rest (ports, protocol, flags).

Of such triples those are kept that cost a search by bit vectors most, however
it is arranged: the rules stand in words of 64, in order, and a word must be
looked at when each of the three classes has some rule in it, up to the first
that all three have in common; a rule that matches is then counted. The classes drawn
from are the HEAVY ones with most words that are not empty, so there are many of them,
too: tables that fit a cache for a few classes do not for these.
"""
import numpy

from boxes import ICMP, ICMP6, TCP, UDP, Boxes

HEADERS = 1 << 20
# Of each kind of class. 1,024 vectors of 10,000 rules are 1.2 MB.
HEAVY = 1024
# Triples drawn for each kept.
DRAWN = 4
# Combinations of kind, source and destination port to look for classes in.
RESTS = 32768
CHUNK = 8192
# What counting a match costs, in words looked at: a guess, it only ranks packets.
MATCH_WORDS = 2
FRAME_BYTES = 64
L4_BYTES = 20

L4 = [("sport", ">u2"), ("dport", ">u2"), ("seq", ">u4"), ("ack", ">u4"), ("offset", "u1"),
      ("flags", "u1"), ("window", ">u2"), ("sum", ">u2"), ("urgent", ">u2")]
IP4 = numpy.dtype([("version", "u1"), ("tos", "u1"), ("length", ">u2"), ("id", ">u2"),
                   ("fragment", ">u2"), ("ttl", "u1"), ("proto", "u1"), ("check", ">u2"),
                   ("src", ">u4"), ("dst", ">u4")] + L4 + [("rest", "V24")])
# 2001:db8:A.B:C.D::, as in classbench.py.
IP6 = numpy.dtype([("version", ">u4"), ("length", ">u2"), ("proto", "u1"), ("ttl", "u1"),
                   ("src_net", ">u4"), ("src", ">u4"), ("src_low", ">u8"), ("dst_net", ">u4"),
                   ("dst", ">u4"), ("dst_low", ">u8")] + L4 + [("rest", "V4")])


def _pack(rows):
    """Rows of booleans, one a rule, as rows of 64-bit words."""
    packed = numpy.packbits(rows, axis=1, bitorder="little")
    words = numpy.zeros((len(rows), (rows.shape[1] + 63) // 64 * 8), "u1")
    words[:, :packed.shape[1]] = packed
    return words.view("u8")


def _same(vectors):
    """The number of each vector's class, from 0, and the index of one vector of each."""
    factors = numpy.random.default_rng(1).integers(1 << 63, size=vectors.shape[1], dtype="u8")
    _, index, number = numpy.unique((vectors * (factors | 1)).sum(axis=1, dtype="u8"),
                                    return_index=True, return_inverse=True)
    return number, index


class Field:
    """The classes of an address or a port: vectors, and the points of each."""

    def __init__(self, boxes, field):
        low, high = boxes.low[field].astype("i8"), boxes.high[field].astype("i8")
        top = 0xffff if field.endswith("port") else 0xffffffff
        edges = numpy.unique(numpy.concatenate(([0], low, high + 1)))
        edges = edges[edges <= top]
        vectors = numpy.concatenate([
            _pack((low <= points[:, None]) & (points[:, None] <= high))
            for points in numpy.array_split(edges, len(edges) // 512 + 1)])
        number, index = _same(vectors)
        self.vectors = vectors[index]
        # The ranges between edges, those of a class side by side.
        order = numpy.argsort(number, kind="stable")
        self.edges, self.ends = edges[order], numpy.append(edges[1:] - 1, top)[order]
        self.count = numpy.bincount(number)
        self.first = numpy.cumsum(self.count) - self.count

    def points(self, classes, rng):
        """Of each class a random point of a random range."""
        chosen = self.first[classes] + rng.integers(self.count[classes])
        return rng.integers(self.edges[chosen], self.ends[chosen], endpoint=True)


class Rest:
    """The classes of all but the addresses: vectors, and kind and class of ports of each."""

    def __init__(self, boxes, rng):
        self.ports = sport, dport = Field(boxes, "sport"), Field(boxes, "dport")
        ported = [n for n, kind in enumerate(boxes.kinds) if kind[0] in (TCP, UDP)]
        kind = rng.choice(ported, RESTS)
        kind[:len(boxes.kinds)] = range(len(boxes.kinds))
        s, d = (rng.integers(len(port.vectors), size=RESTS) for port in self.ports)
        # Without ports only a rule that takes any port matches.
        plain = ~numpy.isin(kind, ported)
        any_port = numpy.ones(boxes.count, bool)
        for field in ("sport", "dport"):
            any_port &= (boxes.low[field] == 0) & (boxes.high[field] == 0xffff)
        vectors = _pack(boxes.takes.T)[kind]
        vectors[plain] &= _pack(any_port[None, :])
        vectors[~plain] &= sport.vectors[s[~plain]] & dport.vectors[d[~plain]]
        index = _same(vectors)[1]
        self.vectors, self.kind, self.of_port = vectors[index], kind[index], (s[index], d[index])


def _heavy(vectors):
    """The numbers of the classes with most words that are not empty."""
    return numpy.argsort(-numpy.count_nonzero(vectors, axis=1), kind="stable")[:HEAVY]


def _costs(vectors, triples):
    """What a search costs for each triple, in words looked at."""
    costs = numpy.empty(len(triples), "u2")
    for start in range(0, len(triples), CHUNK):
        rows = [v[triples[start:start + CHUNK, n]] for n, v in enumerate(vectors)]
        looked_at = (rows[0] != 0) & (rows[1] != 0) & (rows[2] != 0)
        found = (rows[0] & rows[1] & rows[2]) != 0
        first = numpy.where(found.any(axis=1), found.argmax(axis=1), found.shape[1])
        looked_at &= numpy.arange(found.shape[1]) <= first[:, None]
        costs[start:start + CHUNK] = looked_at.sum(axis=1) + \
            MATCH_WORDS * (first < found.shape[1])
    return costs


def _triples(vectors, wanted, rng):
    """The dearest distinct triples of classes, in random order, and their costs."""
    sizes = [len(v) for v in vectors]
    total = int(numpy.prod(sizes))
    drawn = rng.integers(total, size=DRAWN * wanted) if total > 4 * wanted else \
        numpy.arange(total)
    triples = numpy.column_stack(numpy.unravel_index(numpy.unique(drawn), sizes))
    costs = _costs(vectors, triples)
    # A power of two, which is what the runner takes.
    count = 1 << min(wanted, len(triples)).bit_length() - 1
    kept = rng.permutation(numpy.argsort(-costs.astype("i4"), kind="stable")[:count])
    return triples[kept], costs[kept]


class Packets:
    """src, dst, sport, dport, proto, flags: arrays, one item a packet."""

    def __init__(self, points, kinds):
        self.src, self.dst, self.sport, self.dport = points
        self.proto, self.flags = numpy.array(kinds, "u1").T

    def __len__(self):
        return len(self.proto)

    def table(self, ip6=False):
        """The headers for classify-run, 64 bytes each."""
        rows = numpy.zeros(len(self), IP6 if ip6 else IP4)
        icmp = self.proto == ICMP
        rows["proto"] = numpy.where(icmp, ICMP6, self.proto) if ip6 else self.proto
        rows["version"] = 6 << 28 if ip6 else 0x45
        rows["length"] = L4_BYTES if ip6 else 20 + L4_BYTES
        rows["ttl"] = 64
        if ip6:
            rows["src_net"] = rows["dst_net"] = 0x20010db8
        rows["src"], rows["dst"] = self.src, self.dst
        # Without ports: an echo request; or what reads as "no next header" (59) under AH.
        plain = ~numpy.isin(self.proto, (TCP, UDP))
        first = numpy.where(icmp, 128 if ip6 else 8, 59) << 8
        rows["sport"] = numpy.where(plain, first, self.sport)
        rows["dport"] = numpy.where(plain, 0, self.dport)
        # UDP has its length where TCP has the sequence number.
        rows["seq"] = numpy.where(self.proto == UDP, L4_BYTES << 16, 0)
        rows["offset"], rows["flags"] = 0x50, self.flags
        return rows.tobytes()


def worst(rules, seed, wanted=HEADERS):
    """
    (Packets, what a search costs on average, in words looked at). Of a set with few
    classes fewer packets than `wanted`.
    """
    rng = numpy.random.default_rng(seed)
    boxes = Boxes(rules)
    src, dst, rest = Field(boxes, "src"), Field(boxes, "dst"), Rest(boxes, rng)
    heavy = [_heavy(part.vectors) for part in (src, dst, rest)]
    triples, costs = _triples([part.vectors[numbers] for part, numbers in
                               zip((src, dst, rest), heavy)], wanted, rng)
    of_src, of_dst, of_rest = (heavy[n][triples[:, n]] for n in range(3))
    points = [src.points(of_src, rng), dst.points(of_dst, rng)]
    points += [port.points(classes[of_rest], rng) for port, classes in
               zip(rest.ports, rest.of_port)]
    return Packets(points, numpy.array(boxes.kinds)[rest.kind[of_rest]]), float(costs.mean())
