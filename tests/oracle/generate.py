# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Random rule lists, and packets that come close to them.

A Scenario is one rule list: its configuration text, its set files, and
packets() derived from the rules: every packet sets out to satisfy one rule,
with values at the ends of its ranges and one beyond them. A packet may also
be unlike any rule, malformed or cut off. Everything follows from the seed.

What is drawn here decides only which questions are asked; the answers are the
oracle's, which reads the configuration text for itself.
"""
import ipaddress
import os
import random
from dataclasses import dataclass, field

import frames

BITS = {4: 32, 6: 128}
PORTED = {"tcp": frames.TCP, "udp": frames.UDP, "sctp": frames.SCTP}
NUMBERS = dict(PORTED, icmp=frames.ICMP, icmp6=frames.ICMP6)
LENGTHS = {4: (0, 1, 4, 8, 9, 12, 15, 16, 17, 20, 24, 28, 31, 32),
           6: (0, 1, 3, 7, 16, 32, 47, 48, 56, 63, 64, 65, 96, 120, 127, 128)}
EDGE_PORTS = (0, 1, 53, 80, 255, 256, 1023, 1024, 32767, 32768, 65279, 65280, 65534, 65535)
EDGE_VLANS = (0, 1, 2, 100, 2047, 2048, 4094, 4095)


def seed():
    """SLUICE_SEED, or a fresh one."""
    given = os.environ.get("SLUICE_SEED")
    return int(given) if given else random.SystemRandom().randrange(1 << 32)


def prefix_text(prefix):
    family, length, address = prefix
    kind = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
    host = length == BITS[family]
    return str(kind(address)) + ("" if host else "/%d" % length)


def ends(prefix):
    """The first and last address of a prefix."""
    family, length, address = prefix
    return address, address | ((1 << (BITS[family] - length)) - 1)


@dataclass
class Intent:
    """A rule as drawn: what its packets aim at."""
    proto: str = None
    number: int = None       # of `proto N`
    source: list = None      # prefixes
    destination: list = None
    source_not: bool = False
    destination_not: bool = False
    source_ports: list = None
    destination_ports: list = None
    fragment: str = None
    vlan: int = None


    def breadth(self):
        """Roughly which part of all packets the rule matches."""
        part = {None: 1.0, "ip": 0.5, "ip6": 0.5, "tcp": 0.3, "udp": 0.3}.get(self.proto, 0.1)
        for prefixes, negated, ports in (
                (self.source, self.source_not, self.source_ports),
                (self.destination, self.destination_not, self.destination_ports)):
            if prefixes and not negated:
                part *= min(1.0, sum(2.0 ** -length for _family, length, _a in prefixes))
            if ports:
                part *= min(1.0, sum(high - low + 1000 for low, high in ports) / 65536)
        if self.fragment not in (None, "no"):
            part *= 0.1
        return part * (1.0 if self.vlan is None else 0.1)


@dataclass
class Scenario:
    text: str
    files: dict              # name -> content
    intents: list
    rng: random.Random
    pool: list = field(default_factory=list)

    def packets(self, count):
        return [self._packet() for _ in range(count)]

    # ---- one packet -------------------------------------------------------

    def _packet(self):
        rng = self.rng
        intent = rng.choice(self.intents) if rng.random() < 0.85 else Intent()
        if rng.random() < 0.02:
            return self._not_ip(intent)
        family = self._family(intent)
        protocol = self._protocol(intent, family)
        source = self._address(intent.source, intent.source_not, family)
        destination = self._address(intent.destination, intent.destination_not, family)
        payload = self._layer4(protocol, self._port(intent.source_ports),
                               self._port(intent.destination_ports))
        fragment = self._fragment(intent.fragment)
        build = self._ipv4 if family == 4 else self._ipv6
        packet = build(source, destination, protocol, payload, fragment)
        frame = frames.ethernet({4: 0x800, 6: 0x86dd}[family], packet, self._tags(intent.vlan))
        if rng.random() < 0.15:  # padding, as a NIC adds to short frames
            frame += bytes(rng.randrange(1, 40))
        if rng.random() < 0.06:
            frame = frame[:rng.randrange(14, len(frame) + 1)]
        if rng.random() < 0.03:
            frame = self._flip(frame)
        return frame

    def _not_ip(self, intent):
        rng = self.rng
        ethertype = rng.choice((0x806, 0x88cc, 0x26, 0x5ff, 0x600, 0x801, 0x86dc, 0xffff, 0x88b5))
        body = rng.randbytes(rng.randrange(0, 60))
        return frames.ethernet(ethertype, body, self._tags(intent.vlan))

    def _flip(self, frame):
        """One random byte of the first 100 changed, not the MAC addresses."""
        if len(frame) <= 14:
            return frame
        at = self.rng.randrange(12, min(len(frame), 100))
        return frame[:at] + bytes([self.rng.randrange(256)]) + frame[at + 1:]

    def _family(self, intent):
        rng = self.rng
        if rng.random() < 0.03:
            return rng.choice((4, 6))
        if intent.proto in ("ip", "icmp"):
            return 4
        if intent.proto in ("ip6", "icmp6"):
            return 6
        for prefixes, negated in ((intent.source, intent.source_not),
                                  (intent.destination, intent.destination_not)):
            if prefixes and not negated:
                other = intent.destination if prefixes is intent.source else None
                common = {p[0] for p in prefixes}
                if other and not intent.destination_not:
                    common = common & {p[0] for p in other} or common
                return rng.choice(sorted(common))
        return rng.choice((4, 6))

    def _protocol(self, intent, family):
        rng = self.rng
        if rng.random() < 0.04:
            return rng.choice((0, 1, 2, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 132, 135, 255))
        if intent.proto == "proto":
            return intent.number
        if intent.proto in NUMBERS:
            return NUMBERS[intent.proto]
        return rng.choice((6, 6, 17, 17, 132, 58 if family == 6 else 1))

    def _address(self, prefixes, negated, family):
        rng = self.rng
        usable = [p for p in prefixes or () if p[0] == family]
        if not usable or (negated and rng.random() < 0.6):
            usable = [p for p in self.pool if p[0] == family]
        if not usable or rng.random() < 0.04:
            return rng.getrandbits(BITS[family])
        first, last = ends(rng.choice(usable))
        choice = rng.random()
        if choice < 0.5:
            value = rng.randint(first, last)
        elif choice < 0.9:
            value = rng.choice((first, last))
        else:
            value = rng.choice((first - 1, last + 1))
        return value % (1 << BITS[family])

    def _port(self, ranges):
        rng = self.rng
        if not ranges or rng.random() < 0.04:
            return rng.choice(EDGE_PORTS) if rng.random() < 0.5 else rng.randrange(65536)
        low, high = rng.choice(ranges)
        choice = rng.random()
        if choice < 0.4:
            value = rng.randint(low, high)
        elif choice < 0.85:
            value = rng.choice((low, high))
        else:
            value = rng.choice((low - 1, high + 1))
        return value % 65536

    def _layer4(self, protocol, sport, dport):
        rng = self.rng
        data = bytes(rng.choice((0, 0, 1, 18, 100)))
        if protocol == frames.TCP:
            out = frames.tcp(sport, dport, data)
        elif protocol == frames.UDP:
            out = frames.udp(sport, dport, data)
        elif protocol in (frames.ICMP, frames.ICMP6):
            out = frames.icmp(rng.choice((0, 3, 8, 11, 128, 135)), rng.randrange(3), data)
        else:
            # Ports where they would stand, whether the protocol has them or not.
            out = frames.sctp(sport, dport, data)
        if rng.random() < 0.04:
            out = out[:rng.randrange(0, 6)]
        return out

    def _fragment(self, wanted):
        """The word of flags and offset, as IPv4 has it; None: not fragmented."""
        rng = self.rng
        if wanted is None or rng.random() < 0.1:
            wanted = "no" if rng.random() < 0.93 else rng.choice(("first", "later"))
        if wanted == "yes":
            wanted = rng.choice(("first", "later"))
        if wanted == "first":
            return 0x2000
        if wanted == "later":
            return rng.choice((1, 2, 185, 0x1fff, 0x2001, 0x3fff))
        return None

    def _tags(self, wanted):
        rng = self.rng
        if wanted is not None and rng.random() < 0.95:
            first = wanted if rng.random() < 0.9 else (wanted + rng.choice((1, -1))) % 4096
            depth = rng.choice((1, 1, 1, 2, 2, 3))
        else:
            first = rng.choice(EDGE_VLANS)
            depth = rng.choice((0,) * 24 + (1, 1, 2, 2, 3))
        vlans = [first] + [rng.choice(EDGE_VLANS) for _ in range(2)]
        # Priority and drop-eligible bits are not part of the id.
        return [(rng.choice((0x8100, 0x88a8)), rng.randrange(16) << 12 | vlan)
                for vlan in vlans[:depth]]

    def _ipv4(self, source, destination, protocol, payload, fragment):
        rng = self.rng
        options = bytes(4 * rng.choice((0,) * 8 + (1, 2, 9, 10)))
        word = fragment if fragment is not None else rng.choice((0, 0x4000, 0x8000))
        wrong = {}
        if rng.random() < 0.04:
            right = 20 + len(options) + len(payload)
            wrong = rng.choice((
                {"version": rng.choice((0, 5, 6, 15))}, {"ihl": rng.randrange(16)},
                {"total": rng.choice((0, 19, 20, 21, 24, right - 1, right + 1, 65535))}))
        return frames.ipv4(source, destination, protocol, payload, options, word, **wrong)

    def _ipv6(self, source, destination, protocol, payload, fragment):
        rng = self.rng
        kinds = (frames.HOP, frames.ROUTING, frames.AUTH, frames.OPTIONS)
        count = rng.choice((0,) * 12 + (1, 1, 2, 3, 5, 7, 8, 9, 10))
        chain = [frames.extension(rng.choice(kinds), rng.choice((0, 0, 0, 1, 2, 5)))
                 for _ in range(count)]
        if fragment is not None:
            # The same word as IPv4's: MF becomes M, the offset moves up.
            word = (fragment & 0x1fff) << 3 | bool(fragment & 0x2000)
            chain.insert(rng.randint(0, len(chain)), frames.extension(frames.FRAGMENT,
                                                                     fragment=word))
        elif rng.random() < 0.05:  # atomic, with the reserved bits set or not
            chain.insert(rng.randint(0, len(chain)), frames.extension(
                frames.FRAGMENT, fragment=rng.choice((0, 6))))
        if fragment is not None and rng.random() < 0.05:
            chain.append(frames.extension(frames.FRAGMENT, fragment=rng.choice((0, 1, 8))))
        wrong = {}
        if rng.random() < 0.04:
            right = sum(1 + len(body) for _kind, body in chain) + len(payload)
            wrong = rng.choice(({"version": rng.choice((0, 4, 7))}, {
                "length": rng.choice((0, 1, 7, 8, max(right - 1, 0), right // 2, right + 1,
                                      65535))}))
        return frames.ipv6(source, destination, protocol, payload, chain, **wrong)


class Generator:
    """Draws Scenarios. `device`: where packets enter; `other`: another interface."""

    def __init__(self, number, device, other):
        self.rng = random.Random(number)
        self.device, self.other = device, other
        self.pool = []
        self.sets = {}  # name -> prefixes

    # ---- prefixes ---------------------------------------------------------

    def _prefix(self, family):
        """New, or a neighbour, part or widening of an earlier one, so that they overlap."""
        rng = self.rng
        bits = BITS[family]
        known = [p for p in self.pool[-200:] if p[0] == family]
        if known and rng.random() < 0.6:
            _family, length, address = rng.choice(known)
            length = min(bits, max(0, length + rng.choice((-9, -4, -1, 0, 1, 4, 9))))
            address ^= rng.choice((0, 0, 1 << (bits - length) if length else 0))
            address |= rng.getrandbits(bits) & ((1 << (bits - length)) - 1) >> 1
        else:
            length = rng.choice(LENGTHS[family])
            # A /0 ends most lists: seldom, then.
            length = length or (0 if rng.random() < 0.1 else 8)
            address = rng.getrandbits(bits)
        address = address % (1 << bits) >> (bits - length) << (bits - length)
        prefix = family, length, address
        self.pool.append(prefix)
        return prefix

    def _prefixes(self, count, families=(4, 6)):
        return [self._prefix(self.rng.choice(families)) for _ in range(count)]

    def _many(self, count):
        """A long set: dense neighbours and scattered hosts, both families."""
        rng = self.rng
        found = set()
        bases = {4: rng.getrandbits(32), 6: rng.getrandbits(128)}
        while len(found) < count:
            family = rng.choice((4, 6))
            bits = BITS[family]
            length = min(bits, int(rng.triangular(8, bits + 1, bits * 3 // 4)))
            address = rng.getrandbits(bits)
            if rng.random() < 0.7:  # under the common base: many share leading bits
                keep = bits // 2
                address = bases[family] >> keep << keep | address & ((1 << keep) - 1)
            found.add((family, length, address >> (bits - length) << (bits - length)))
        found = sorted(found)
        rng.shuffle(found)
        self.pool += rng.sample(found, min(60, count))
        return found

    # ---- text -------------------------------------------------------------

    def _list(self, items):
        """`{ ... }` with a separator that the language allows."""
        separator = self.rng.choice((", ", "; ", ",", "\n\t", ",\n\t"))
        return "{ %s }" % separator.join(items)

    def _word(self, text):
        return '"%s"' % text if self.rng.random() < 0.1 else text

    def _set(self, name, count, files):
        prefixes = self._many(count) if count > 100 else self._prefixes(count)
        self.sets[name] = prefixes
        items = [prefix_text(p) for p in prefixes]
        if count > 20 or self.rng.random() < 0.3:
            inline = items[:self.rng.randrange(3)]
            lines = ["# a set file", ""] + [
                item + self.rng.choice(("", "", " # why", "\t")) for item in items[len(inline):]]
            files[name + ".txt"] = "\n".join(lines) + "\n"
            return "set %s %s" % (name, self._list(inline + ['file "%s.txt"' % name]))
        return "set %s %s" % (name, self._list(items))

    def _addresses(self, families):
        """(text, prefixes, negated) of an ADDR."""
        rng = self.rng
        negated = rng.random() < 0.12
        usable = [name for name, prefixes in sorted(self.sets.items())
                  if {family for family, _length, _address in prefixes} & set(families)]
        if usable and rng.random() < 0.35:
            name = rng.choice(usable)
            text, prefixes = "@" + name, self.sets[name]
        else:
            prefixes = self._prefixes(rng.choice((1, 1, 1, 2, 5)), families)
            items = [prefix_text(p) for p in prefixes]
            text = items[0] if len(items) == 1 and rng.random() < 0.8 else self._list(items)
        return ("not " if negated else "") + text, prefixes, negated

    def _ports(self):
        rng = self.rng
        ranges = []
        for _ in range(rng.choice((1, 1, 2, 4, 8))):
            low = rng.choice(EDGE_PORTS) if rng.random() < 0.6 else rng.randrange(65536)
            width = rng.choice((0, 0, 0, 1, 10, 255, 256, 1000, 30000))
            ranges.append((low, min(65535, low + width)))
        items = [str(a) if a == b and rng.random() < 0.8 else "%d-%d" % (a, b) for a, b in ranges]
        return items[0] if len(items) == 1 else self._list(items), ranges

    def _verdict(self):
        return self.rng.choice((
            "pass", "pass", "drop", "drop", "drop", "bounce", "redirect " + self._word(self.other),
            "forward", "forward fallback pass", "forward fallback drop"))

    def _side(self, word, intent, families):
        """`from ...` or `to ...` with its ports; the intent is told of both."""
        rng = self.rng
        side = {"from": "source", "to": "destination"}[word]
        text = "any"
        if rng.random() < 0.6:
            text, prefixes, negated = self._addresses(families)
            setattr(intent, side, prefixes)
            setattr(intent, side + "_not", negated)
        parts = [word, text]
        if intent.proto in PORTED and rng.random() < (0.35 if word == "from" else 0.7):
            ports, ranges = self._ports()
            setattr(intent, side + "_ports", ranges)
            parts += ["port", ports]
        elif rng.random() < 0.03:
            parts += ["port", "any"]
        return parts

    def _rule(self, name, wide):
        """One rule; without `wide` it states a few conditions at least."""
        rng = self.rng
        intent = Intent()
        parts = ["rule", self._word(name), self._verdict()]
        if rng.random() < 0.06:
            parts += ["on", self._word(rng.choice((self.device, self.other)))]
        families = (4, 6)
        if rng.random() < (0.5 if wide else 0.85):
            intent.proto = rng.choice(("tcp", "tcp", "udp", "udp", "sctp", "icmp", "icmp6", "ip",
                                       "ip6", "proto"))
            families = {"ip": (4,), "icmp": (4,), "ip6": (6,), "icmp6": (6,)}.get(
                intent.proto, families)
            if intent.proto == "proto":
                intent.number = rng.choice((0, 1, 2, 6, 17, 41, 44, 50, 58, 59, 60, 132, 255))
                parts += ["proto", str(intent.number)]
            else:
                parts.append(intent.proto)
        if rng.random() < (0.4 if wide else 0.7):
            parts += self._side("from", intent, families)
            # `check` refuses a rule that contradicts itself in the family.
            if intent.source and not intent.source_not:
                families = tuple({prefix[0] for prefix in intent.source} & set(families))
        if rng.random() < (0.4 if wide else 0.8):
            parts += self._side("to", intent, families)
        if rng.random() < 0.10:
            intent.fragment = rng.choice(("first", "later", "yes", "no"))
            parts += ["fragment", intent.fragment]
        if rng.random() < 0.12:
            intent.vlan = rng.choice(EDGE_VLANS)
            parts += ["vlan", str(intent.vlan)]
        return " ".join(parts), intent

    def scenario(self, rules, long_sets=0, options=""):
        """
        A Scenario of `rules` rules; `long_sets` prefixes in one of its sets;
        `options` stand in the interface's braces.
        """
        rng = self.rng
        self.pool, self.sets = [], {}
        files, lines, intents = {}, ["# %d rules" % rules], []
        braces = " { %s }" % options if options else ""
        lines.append("interface %s, %s%s" % (self.device, self.other, braces))
        if rng.random() < 0.8:
            lines.append("default " + rng.choice(("pass", "drop")))
        for number in range(rng.choice((0, 1, 2, 4))):
            lines.append(self._set("s%d" % number, rng.choice((1, 3, 10, 40)), files))
        if long_sets:
            lines.append(self._set("long", long_sets, files))
        for number in range(rules):
            # Rules that match much hide what follows: few of them, and late.
            wide = rng.random() < (0.4 if rules < 10 else 4 * number / rules ** 2)
            for _attempt in range(20):
                text, intent = self._rule("r%d" % number, wide)
                if wide or intent.breadth() < 0.5 / rules:
                    break
            lines.append(text + rng.choice(("", "", "  # a remark")))
            intents.append(intent)
        return Scenario("\n".join(lines) + "\n", files, intents,
                        random.Random(rng.getrandbits(64)), list(self.pool))


def cut_frames():
    """
    Well-formed frames of every kind, each cut off at every length from 14
    bytes on, with the length fields right for the whole.
    """
    four = 0x0a000001, 0xc0a80101
    six = 0xfc00 << 112 | 1, 0x20010db8 << 96 | 2
    chain = [frames.extension(frames.HOP), frames.extension(frames.ROUTING, 2),
             frames.extension(frames.FRAGMENT, fragment=1), frames.extension(frames.AUTH, 4),
             frames.extension(frames.OPTIONS)]
    tags = [(0x88a8, 10), (0x8100, 20)]
    whole = [
        frames.ethernet(0x800, frames.ipv4(*four, 6, frames.tcp(80, 443), bytes(40))),
        frames.ethernet(0x800, frames.ipv4(*four, 17, frames.udp(53, 53), fragment=0x2000), tags),
        frames.ethernet(0x800, frames.ipv4(*four, 1, frames.icmp(8, 0)), tags[:1]),
        frames.ethernet(0x86dd, frames.ipv6(*six, 6, frames.tcp(80, 443))),
        frames.ethernet(0x86dd, frames.ipv6(*six, 17, frames.udp(53, 53), chain), tags),
        frames.ethernet(0x86dd, frames.ipv6(*six, 58, frames.icmp(135, 0), chain[:1])),
        frames.ethernet(0x86dd, frames.ipv6(*six, 132, frames.sctp(1, 2), [
            frames.extension(frames.OPTIONS)] * 9)),
        frames.ethernet(0x800, b"", tags + [(0x8100, 30)]),
    ]
    return [frame[:length] for frame in whole for length in range(14, len(frame) + 1)]
