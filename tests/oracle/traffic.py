# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Packets that come close to the rules of a list.

A Scenario is one rule list: its configuration text, its set files, and
packets() derived from the rules: every packet sets out to satisfy one rule,
with values at the ends of its ranges and one beyond them. A packet may also
be unlike any rule, malformed or cut off. Everything follows from the seed.

What is drawn here decides only which questions are asked; the answers are the
oracle's, which reads the configuration text for itself.
"""
import random
from dataclasses import dataclass, field

import frames

BITS = {4: 32, 6: 128}
PORTED = {"tcp": frames.TCP, "udp": frames.UDP, "sctp": frames.SCTP}
NUMBERS = dict(PORTED, icmp=frames.ICMP, icmp6=frames.ICMP6)
EDGE_PORTS = (0, 1, 53, 80, 255, 256, 1023, 1024, 32767, 32768, 65279, 65280, 65534, 65535)
EDGE_VLANS = (0, 1, 2, 100, 2047, 2048, 4094, 4095)
EDGE_FLAGS = (0, 0x01, 0x02, 0x10, 0x12, 0x14, 0x18, 0x29, 0x40, 0x80, 0xc2, 0xff)
EDGE_DSCPS = (0, 1, 10, 32, 46, 62, 63)
EDGE_ICMP = {"icmp": (0, 3, 8, 11, 255), "icmp6": (1, 128, 129, 135, 255)}
ETHERTYPES = (0, 0x26, 0x5ff, 0x600, 0x801, 0x806, 0x86dc, 0x88b5, 0x88cc, 0xffff)
TPIDS = (0x8100, 0x88a8)
LENGTH_LONGEST = 1600  # of the packets that aim at a length


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
    flags: tuple = None      # (value, mask)
    icmp: tuple = None       # (type, code or None)
    length: tuple = None     # (low, high)
    dscp: int = None
    vlan: int = None
    inner_vlan: int = None
    ethertype: int = None
    macs: dict = field(default_factory=dict)  # src, dst -> (list of integers, negated)
    goes_on: bool = False    # decides nothing

    def breadth(self):
        """Roughly which part of all packets the rule takes from those behind it."""
        if self.goes_on:
            return 0.0
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
        if self.flags:
            part *= 0.7 ** bin(self.flags[1]).count("1")
        if self.length:
            part *= min(1.0, (self.length[1] - self.length[0] + 5) / 200)
        if self.ethertype is not None:
            part *= 0.5 if self.ethertype in (0x800, 0x86dd) else 0.02
        for _macs, negated in self.macs.values():
            part *= 0.8 if negated else 0.2
        narrow = (self.icmp, self.dscp, self.vlan, self.inner_vlan)
        return part * 0.1 ** sum(value is not None for value in narrow)


@dataclass
class Scenario:
    text: str
    files: dict              # name -> content
    intents: list
    rng: random.Random
    pool: list = field(default_factory=list)  # prefixes
    macs: list = field(default_factory=list)

    def packets(self, count):
        return [self._packet() for _ in range(count)]

    # ---- one packet -------------------------------------------------------

    def _packet(self):
        rng = self.rng
        intent = rng.choice(self.intents) if rng.random() < 0.85 else Intent()
        if rng.random() < (0.02 if intent.ethertype in (None, 0x800, 0x86dd) else 0.9):
            return self._not_ip(intent)
        family = self._family(intent)
        protocol = self._protocol(intent, family)
        source = self._address(intent.source, intent.source_not, family)
        destination = self._address(intent.destination, intent.destination_not, family)
        payload = self._layer4(protocol, intent)
        build = self._ipv4 if family == 4 else self._ipv6
        packet = build(source, destination, protocol, payload, intent)
        frame = self._ethernet({4: 0x800, 6: 0x86dd}[family], packet, intent)
        if rng.random() < 0.15:  # padding, as a NIC adds to short frames
            frame += bytes(rng.randrange(1, 40))
        if rng.random() < 0.06:
            frame = frame[:rng.randrange(14, len(frame) + 1)]
        if rng.random() < 0.03:
            frame = self._flip(frame)
        return frame

    def _not_ip(self, intent):
        rng = self.rng
        ethertype = rng.choice(ETHERTYPES)
        if intent.ethertype is not None and rng.random() < 0.8:
            ethertype = intent.ethertype
        # Under a TPID the body is read as tags, and cut off.
        body = rng.randbytes(rng.randrange(0, 60 if ethertype not in TPIDS else 6))
        return self._ethernet(ethertype, body, intent)

    def _ethernet(self, ethertype, payload, intent):
        return frames.ethernet(ethertype, payload, self._tags(intent),
                               dst=self._mac(intent, "dst"), src=self._mac(intent, "src"))

    def _mac(self, intent, side):
        """In the set that the rule names, out of it, or one bit beside it."""
        rng = self.rng
        macs, negated = intent.macs.get(side, ((), False))
        usual = int.from_bytes(frames.DST if side == "dst" else frames.SRC, "big")
        if not macs or rng.random() < (0.7 if negated else 0.1):
            macs = self.macs + [usual] if macs or rng.random() < 0.3 else [usual]
        flip = 1 << rng.randrange(48) if rng.random() < 0.05 else 0
        return (rng.choice(macs) ^ flip).to_bytes(6, "big")

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
        if intent.proto in ("ip", "icmp") or intent.ethertype == 0x800:
            return 4
        if intent.proto in ("ip6", "icmp6") or intent.ethertype == 0x86dd:
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

    def _layer4(self, protocol, intent):
        rng = self.rng
        ports = self._port(intent.source_ports), self._port(intent.destination_ports)
        data = bytes(rng.choice((0, 0, 1, 18, 100)))
        if protocol == frames.TCP:
            out = frames.tcp(*ports, data, flags=self._flags(intent.flags))
        elif protocol == frames.UDP:
            out = frames.udp(*ports, data)
        elif protocol in (frames.ICMP, frames.ICMP6):
            out = frames.icmp(*self._icmp(intent.icmp), data)
        else:
            # Ports where they would stand, whether the protocol has them or not.
            out = frames.sctp(*ports, data)
        if rng.random() < 0.04:
            out = out[:rng.randrange(0, 20)]  # around the 4 bytes of the ports, the 14 of the flags
        return out

    def _flags(self, wanted):
        rng = self.rng
        flags = rng.choice(EDGE_FLAGS) if rng.random() < 0.7 else rng.getrandbits(8)
        if wanted is None or rng.random() < 0.1:
            return flags
        value, mask = wanted
        flip = 1 << rng.randrange(8) if rng.random() < 0.15 else 0
        return (value | flags & ~mask) ^ flip

    def _icmp(self, wanted):
        rng = self.rng
        if wanted is None or rng.random() < 0.1:
            return rng.choice((0, 3, 8, 11, 128, 135)), rng.randrange(3)
        kind, code = wanted
        kind = kind if rng.random() < 0.9 else kind ^ 1
        return kind, rng.randrange(3) if code is None or rng.random() < 0.15 else code

    def _dscp(self, wanted):
        rng = self.rng
        if wanted is not None and rng.random() < 0.9:
            return wanted if rng.random() < 0.9 else (wanted + rng.choice((1, -1))) % 64
        return rng.choice(EDGE_DSCPS) if rng.random() < 0.2 else 0

    def _lengthened(self, payload, head, wanted):
        """The payload with data behind it for an IP packet of a wanted length, if it can be."""
        rng = self.rng
        if wanted is None or rng.random() < 0.1:
            return payload
        low, high = wanted
        length = rng.choice((low, high, low - 1, high + 1, rng.randint(low, high)))
        if length > LENGTH_LONGEST:
            length = rng.choice((low, low - 1)) if low <= LENGTH_LONGEST else 0
        return payload + bytes(max(0, length - head - len(payload)))

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

    def _tags(self, intent):
        rng = self.rng
        wanted = [intent.vlan, intent.inner_vlan]
        if wanted != [None, None] and rng.random() < 0.95:
            depth = rng.choice((1, 1, 1, 2, 2, 3) if wanted[1] is None else (1, 2, 2, 2, 2, 3))
        else:
            depth = rng.choice((0,) * 24 + (1, 1, 2, 2, 3))
        vlans = [vlan if vlan is not None else rng.choice(EDGE_VLANS) for vlan in wanted]
        if rng.random() < 0.1:
            beside = rng.randrange(2)
            vlans[beside] = (vlans[beside] + rng.choice((1, -1))) % 4096
        # Priority and drop-eligible bits are not part of the id.
        return [(rng.choice(TPIDS), rng.randrange(16) << 12 | vlan)
                for vlan in (vlans + [rng.choice(EDGE_VLANS)])[:depth]]

    def _ipv4(self, source, destination, protocol, payload, intent):
        rng = self.rng
        options = bytes(4 * rng.choice((0,) * 8 + (1, 2, 9, 10)))
        payload = self._lengthened(payload, 20 + len(options), intent.length)
        fragment = self._fragment(intent.fragment)
        word = fragment if fragment is not None else rng.choice((0, 0x4000, 0x8000))
        wrong = {}
        if rng.random() < 0.04:
            right = 20 + len(options) + len(payload)
            wrong = rng.choice((
                {"version": rng.choice((0, 5, 6, 15))}, {"ihl": rng.randrange(16)},
                {"total": rng.choice((0, 19, 20, 21, 24, right - 1, right + 1, 65535))}))
        tos = self._dscp(intent.dscp) << 2 | rng.choice((0, 0, 0, 1, 3))  # ECN below
        return frames.ipv4(source, destination, protocol, payload, options, word, tos=tos, **wrong)

    def _ipv6(self, source, destination, protocol, payload, intent):
        rng = self.rng
        fragment = self._fragment(intent.fragment)
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
        headers = sum(1 + len(body) for _kind, body in chain)
        payload = self._lengthened(payload, 40 + headers, intent.length)
        wrong = {}
        if rng.random() < 0.04:
            right = headers + len(payload)
            wrong = rng.choice(({"version": rng.choice((0, 4, 7))}, {
                "length": rng.choice((0, 1, 7, 8, max(right - 1, 0), right // 2, right + 1,
                                      65535))}))
        tos = self._dscp(intent.dscp) << 2 | rng.choice((0, 0, 0, 1, 3))
        return frames.ipv6(source, destination, protocol, payload, chain, tos=tos, **wrong)


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
