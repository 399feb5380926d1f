# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Random rule lists, with every field that a rule can name. The packets that
go with a list are traffic.py's. Everything follows from the seed."""
import ipaddress
import os
import random

import frames
from traffic import (BITS, EDGE_DSCPS, EDGE_FLAGS, EDGE_ICMP, EDGE_PORTS, EDGE_VLANS, ETHERTYPES,
                     PORTED, TPIDS, Intent, Scenario)

LENGTHS = {4: (0, 1, 4, 8, 9, 12, 15, 16, 17, 20, 24, 28, 31, 32),
           6: (0, 1, 3, 7, 16, 32, 47, 48, 56, 63, 64, 65, 96, 120, 127, 128)}
FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")
GOES_ON = ("count", "log", "log sample 100")
# Of IP packets, those that cannot be among them.
EDGE_SIZES = (0, 19, 20, 21, 27, 28, 39, 40, 41, 60, 64, 127, 128, 255, 256, 576, 1279, 1280, 1500,
              1501, 65534, 65535)


def seed():
    """SLUICE_SEED, or a fresh one."""
    given = os.environ.get("SLUICE_SEED")
    return int(given) if given else random.SystemRandom().randrange(1 << 32)


def prefix_text(prefix):
    family, length, address = prefix
    kind = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
    host = length == BITS[family]
    return str(kind(address)) + ("" if host else "/%d" % length)


class Generator:
    """Draws Scenarios. `device`: where packets enter; `other`: another interface."""

    def __init__(self, number, device, other):
        self.rng = random.Random(number)
        self.device, self.other = device, other
        self.pool = []
        self.sets = {}  # name -> prefixes
        self.mac_sets = {}  # name -> integers
        self.bands = ()  # that the rules of a list are drawn into
        self.going_on = 0.0
        self.declared = ()  # interfaces with a statement of their own

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

    def _mac_set(self, name, count, files):
        rng = self.rng
        base = rng.getrandbits(48)
        macs = [int.from_bytes(rng.choice((frames.DST, frames.SRC)), "big")] + [
            rng.choice((base ^ 1 << rng.randrange(48), rng.getrandbits(48), 0, (1 << 48) - 1))
            for _ in range(count)]
        self.mac_sets[name] = macs
        items = [mac.to_bytes(6, "big").hex(":") for mac in macs]
        items = [item.upper() if rng.random() < 0.2 else item for item in items]
        if count > 20:
            files[name + ".txt"] = "\n".join(items) + "\n"
            items = ['file "%s.txt"' % name]
        return "set %s mac %s" % (name, self._list(items))

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

    def _verdict(self, intent):
        rng = self.rng
        if rng.random() < self.going_on * 2 / 3:
            intent.goes_on = True
            return rng.choice(GOES_ON)
        return rng.choice((
            "pass", "pass", "drop", "drop", "drop", "bounce", "redirect " + self._word(self.other),
            "forward", "forward fallback pass", "forward fallback drop", "redirect fib", "route",
            "route fallback drop"))

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

    def _number(self, value):
        """Numbers may be written in hexadecimal, too."""
        return "0x%x" % value if self.rng.random() < 0.3 else str(value)

    def _flags(self):
        """(text, value, mask); now and then a mask of nothing, or of everything."""
        rng = self.rng
        mask = rng.choice(EDGE_FLAGS) | rng.choice(EDGE_FLAGS)
        value = mask & rng.choice(EDGE_FLAGS + (0xff,))
        texts = []
        for bits in (value, mask):
            names = [name for number, name in enumerate(FLAGS) if bits >> number & 1]
            rng.shuffle(names)
            texts.append(",".join(names) if names and rng.random() < 0.6 else self._number(bits))
        return "/".join(texts), value, mask

    def _length(self):
        rng = self.rng
        low = rng.choice(EDGE_SIZES)
        high = low if rng.random() < 0.4 else rng.choice([n for n in EDGE_SIZES if n >= low])
        return (str(low) if low == high else "%d-%d" % (low, high)), (low, high)

    def _ip_options(self, intent):
        """Options that narrow a rule to IP, and fit its protocol."""
        rng, parts = self.rng, []
        if rng.random() < 0.10:
            intent.fragment = rng.choice(("first", "later", "yes", "no"))
            parts.append("fragment " + intent.fragment)
        if intent.proto == "tcp" and rng.random() < 0.4:
            text, *intent.flags = self._flags()
            parts.append("flags " + text)
        if intent.proto in EDGE_ICMP and rng.random() < 0.6:
            kind = rng.choice(EDGE_ICMP[intent.proto])
            code = rng.choice((None, 0, 1, 255))
            intent.icmp = kind, code
            parts.append("icmp-type %s" % self._number(kind) + (
                "" if code is None else " code %s" % self._number(code)))
        if rng.random() < 0.12:
            text, intent.length = self._length()
            parts.append("length " + text)
        if rng.random() < 0.12:
            intent.dscp = rng.choice(EDGE_DSCPS)
            parts.append("dscp " + self._number(intent.dscp))
        return parts

    def _frame_options(self, intent, families):
        """Options of layer 2. `families`: what the rule leaves; empty: it need not be IP."""
        rng, parts = self.rng, []
        for key, word, part in (("vlan", "vlan", 0.1), ("inner_vlan", "inner-vlan", 0.08)):
            if rng.random() < part:
                setattr(intent, key, rng.choice(EDGE_VLANS))
                parts.append("%s %s" % (word, self._number(getattr(intent, key))))
        if rng.random() < 0.08:
            # `check` refuses an ethertype that contradicts the rest of the rule.
            intent.ethertype = rng.choice([{4: 0x800, 6: 0x86dd}[family] for family in families]
                                          or ETHERTYPES + TPIDS + (0x800, 0x86dd))
            parts.append("ethertype " + self._number(intent.ethertype))
        for side in ("src", "dst"):
            if self.mac_sets and rng.random() < 0.1:
                name, negated = rng.choice(sorted(self.mac_sets)), rng.random() < 0.3
                intent.macs[side] = self.mac_sets[name], negated
                parts.append("mac %s %s@%s" % (side, "not " if negated else "", name))
        return parts

    def _options(self, intent, families, ip):
        """
        `families`: those that the parts before leave possible; `ip`: whether
        one of those parts narrows the rule to IP.
        """
        rng = self.rng
        parts = self._ip_options(intent)
        parts += self._frame_options(intent, families if ip or parts else ())
        if rng.random() < self.going_on / 3:
            intent.goes_on = True
            parts.append("observe")
        if rng.random() < 0.03:
            parts.append("expires %s" % rng.choice(("1h", "7d", "86400")))
        if self.bands:
            parts += ["band %s" % self._number(rng.choice(self.bands))]
        rng.shuffle(parts)
        return parts

    def _rule(self, name, wide):
        """One rule; without `wide` it states a few conditions at least."""
        rng = self.rng
        intent = Intent()
        parts = ["rule", self._word(name), self._verdict(intent)]
        if rng.random() < 0.06:
            parts += ["on", self._word(rng.choice(self.declared))]
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
        for word, side, part in (("from", "source", 0.7), ("to", "destination", 0.8)):
            if rng.random() < (0.4 if wide else part):
                parts += self._side(word, intent, families)
                # `check` refuses a rule that contradicts itself in the family.
                prefixes = getattr(intent, side)
                if prefixes and not getattr(intent, side + "_not"):
                    families = tuple({prefix[0] for prefix in prefixes} & set(families))
        parts += self._options(intent, families,
                               bool(intent.proto or intent.source or intent.destination))
        return " ".join(parts), intent

    def scenario(self, rules, long_sets=0, options="", going_on=0.1):
        """
        A Scenario of `rules` rules; `long_sets` prefixes in one of its sets;
        `options` stand in the interface's braces; `going_on`: the part of the
        rules that let packets go on, or only observe.
        """
        rng = self.rng
        self.going_on = going_on
        self.pool, self.sets, self.mac_sets = [], {}, {}
        self.bands = rng.choice(((), (), (0, 1, 7, 4294967295)))
        files, lines, intents = {}, ["# %d rules" % rules], []
        braces = " { %s }" % options if options else ""
        # Seldom both: each interface costs a load of its own.
        self.declared = (self.device,) if rng.random() < 0.75 else (self.device, self.other)
        lines.append("interface %s%s" % (", ".join(self.declared), braces))
        if rng.random() < 0.8:
            lines.append("default " + rng.choice(("pass", "drop")))
        for number in range(rng.choice((0, 1, 2, 4))):
            lines.append(self._set("s%d" % number, rng.choice((1, 3, 10, 40)), files))
        for number in range(rng.choice((0, 1, 2))):
            lines.append(self._mac_set("m%d" % number, rng.choice((0, 2, 8, 60)), files))
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
                        random.Random(rng.getrandbits(64)), list(self.pool),
                        sorted(set().union(*self.mac_sets.values())))
