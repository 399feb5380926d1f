#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The largest configurations: as many rules as there may be, looking at every
field, and the longest sets. The loaded program against the oracle. Root.

Each rule has packets of its own, so every rule is seen to decide.
"""
import os
import resource
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import frames
from lab import LabError
from loaded import DEVICE, OTHER, Loaded, differences
from tap import Tap

RULES = 256
RULES_MOST = 16384  # without `limits`
ASKED = 16          # of that many rules, one in so many has packets
PREFIXES = 10000
MAC = 0x0200_0000_0000
MACS = 8
FLAGS = 0x5f        # those that rules ask for
VERDICTS = ("pass", "drop", "bounce", "redirect " + OTHER, "forward", "forward fallback drop")
PROTOS = (("tcp", frames.TCP), ("udp", frames.UDP), ("sctp", frames.SCTP))
FRAGMENTS = {"": 0x4000, "fragment no": 0, "fragment first": 0x2000}
NET4, NET6 = 0x0a000000, 0x20010db8 << 96


def addresses(number):
    """(family, source, destination, source prefix, destination prefix) of a rule."""
    if number % 2:
        return (4, NET4 | number << 8, 0xac100000 | number << 4,
                "10.%d.%d.0/24" % (number >> 8, number & 255),
                "172.%d.%d.%d/28" % (16 | number >> 12, number >> 4 & 255, (number & 15) << 4))
    return (6, NET6 | number << 64, NET6 | 1 << 80 | number, "2001:db8:0:%x::/64" % number,
            "2001:db8:1::%x" % number)


class Rule:
    """A rule that states `fields`, the same for the same number."""

    def __init__(self, number, fields):
        self.number = number
        self.family, self.source, self.destination, *self.prefixes = addresses(number)
        self.word, self.proto = PROTOS[number % 3]
        self.fragment = list(FRAGMENTS)[number % 3] if "fragment" in fields else ""
        self.vlan = number * 16 % 4096 + 15 if "vlan" in fields and number % 4 == 0 else None
        self.low = number * 250 % 65500
        self.high = self.low + number % 7
        self.length = 200 + number % 1000 if "length" in fields else None
        self.text = " ".join(self._words(fields))

    def _words(self, fields):
        number, ports = self.number, "port %d-%d" % (self.low, self.high)
        yield "rule n%d %s %s" % (number, VERDICTS[number % len(VERDICTS)], self.word)
        yield "from %s %s" % (self.prefixes[0], ports if "sport" in fields else "")
        yield "to %s %s" % (self.prefixes[1] if "destination" in fields else "any", ports)
        yield self.fragment
        if self.vlan is not None:
            yield "vlan %d" % self.vlan
        if "mac" in fields:
            yield "mac src @m%d" % (number % MACS)
        if "dscp" in fields:
            yield "dscp %d" % (number % 64)
        if self.length:
            yield "length %d-%d" % (self.length, self.length + 1)
        if "flags" in fields and self.proto == frames.TCP:
            yield "flags 0x%02x/0x%02x" % (number & FLAGS, FLAGS)

    def packets(self):
        """In the rule, and beside it in one field."""
        yield self._packet(self.low, self.high, longer=1, flags=0xff & ~FLAGS)
        yield self._packet(self.high, self.low)
        yield self._packet(self.high + 1, self.low)
        yield self._packet(self.low, (self.low - 1) % 65536)
        yield self._packet(self.low, self.low, vlan=1)
        yield self._packet(self.low, self.low, longer=2)
        yield self._packet(self.low, self.low, mac=1)
        yield self._packet(self.low, self.low, flags=0x40)
        yield self._packet(self.low, self.low, dscp=32)

    def _packet(self, sport, dport, vlan=0, longer=0, mac=0, flags=0, dscp=0):
        number, proto = self.number, self.proto
        layer4 = {6: frames.tcp(sport, dport, flags=number & FLAGS ^ flags),
                  17: frames.udp(sport, dport), 132: frames.sctp(sport, dport)}[proto]
        chain = [frames.extension(frames.FRAGMENT, fragment=1)] if (
            self.family == 6 and self.fragment == "fragment first") else []
        head = 20 if self.family == 4 else 40 + 8 * len(chain)
        layer4 = layer4.ljust((self.length or 0) + longer - head, b"\0")
        tos = (number + dscp) % 64 << 2
        if self.family == 4:
            packet = frames.ipv4(self.source, self.destination, proto, layer4,
                                 fragment=FRAGMENTS[self.fragment], tos=tos)
        else:
            packet = frames.ipv6(self.source, self.destination, proto, layer4, chain, tos=tos)
        tags = [(0x8100, (self.vlan or 0) ^ vlan)] if self.vlan is not None or vlan else []
        return frames.ethernet({4: 0x800, 6: 0x86dd}[self.family], packet, tags,
                               src=(MAC | (number + mac) % MACS).to_bytes(6, "big"))


def fields_at_once(tap, loaded, fields, options="", rules=RULES, asked=1):
    """`options` stand behind the interface's name; one rule of `asked` has packets."""
    name = "%d rules on source, destination port%s%s" % (
        rules, "".join(", " + field for field in fields), options.replace("\n", ", "))
    made = [Rule(number, fields) for number in range(rules)]
    sets = ["set m%d mac { 02:00:00:00:00:%02x }" % (number, number) for number in range(MACS)]
    text = "interface %s%s\ndefault drop\n%s\n" % (
        DEVICE, options, "\n".join(sets + [rule.text for rule in made]))
    compare(tap, loaded, name, text, {}, [f for rule in made[::asked] for f in rule.packets()],
            len(made[::asked]))


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


def ends_of_fields(tap, loaded):
    """The first and the last value of each field, where `none` might be mistaken for one."""
    ip = {proto: frames.ipv4(1, 2, proto, layer4) for proto, layer4 in (
        (frames.UDP, frames.udp(0, 65535)), (frames.ICMP, frames.icmp(255, 255)), (255, b""))}
    asked = [frames.ethernet(ethertype, bytes(30)) for ethertype in (0, 65535)]
    asked += [frames.ethernet(0x800, ip[255], [(0x8100, vlan)]) for vlan in (0, 4095)]
    asked += [frames.ethernet(0x800, ip[255], [(0x8100, 7), (0x8100, vlan)])
              for vlan in (0, 4095)]
    asked += [frames.ethernet(0x800, frames.ipv4(1, 2, frames.TCP, frames.tcp(1, 2, flags=bits)))
              for bits in (0, 255)]
    asked += [frames.ethernet(0x86dd, frames.ipv6(1, 2, frames.ICMP6, frames.icmp(0, 0)))]
    asked += [frames.ethernet(0x800, ip[proto]) for proto in (frames.ICMP, frames.UDP, 255)]
    asked += [frames.ethernet(0x800, frames.ipv4(1, 2, 0, b"", tos=tos)) for tos in (252, 3)]
    rules = ("ethertype 0", "ethertype 65535", "inner-vlan 0", "inner-vlan 4095", "vlan 0",
             "vlan 4095", "flags 0/255", "flags 255/255", "icmp-type 0 code 0",
             "icmp-type 255 code 255", "", "dscp 63", "", "dscp 0")
    words = {6: "tcp ", 7: "tcp ", 8: "icmp6 ", 9: "icmp ", 10: "udp from any port 0 to any port "
             "65535", 12: "proto 255"}
    text = "interface %s\ndefault pass\n%s\n" % (DEVICE, "\n".join(
        "rule e%d drop %s%s" % (number, words.get(number, ""), rest)
        for number, rest in enumerate(rules)))
    compare(tap, loaded, "the ends of fields", text, {}, asked, len(rules))


def long_names(tap, loaded):
    names = ["n" * 62 + letter for letter in "abc"]
    text = "interface %s\n%s\n" % (DEVICE, "\n".join(
        "rule %s drop proto %d" % (name, number) for number, name in enumerate(names)))
    asked = [frames.ethernet(0x800, frames.ipv4(1, 2, proto, b"")) for proto in range(4)]
    compare(tap, loaded, "names of 63 bytes", text, {}, asked, 3)


def many_counts(tap, lab):
    """Rules that let packets go on: each packet may pass by all of them."""
    for name, rule in (("the same", "count udp"),
                       ("nested", "count udp to any port 1-%d"),
                       ("overlapping", "count udp to any port {0}-%d")):
        rules = [rule.format(10000 - n) % (20000 - n) if "%" in rule else rule
                 for n in range(10000)]
        path = lab.file("counts.conf", "interface %s\n%s" % (DEVICE, "".join(
            "rule c%d %s\n" % (n, rule) for n, rule in enumerate(rules))))
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        done = lab.sluice("check", path, check=False, timeout=100)
        took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        tap.equal(done.returncode, 0, "10,000 count rules, %s: correct" % name)
        tap.ok(took < 2, "check of them takes under 2 s", took)


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
        every = ("destination", "sport", "fragment", "vlan", "mac", "dscp", "length", "flags")
        for count in range(len(every) + 1):
            fields_at_once(tap, loaded, every[:count])
        fields_at_once(tap, loaded, every, " { frags on }")
        fields_at_once(tap, loaded, (), rules=RULES_MOST, asked=ASKED)
        fields_at_once(tap, loaded, every[4:], "\nlimits { tables 128M }", RULES_MOST, ASKED)
        long_sets(tap, loaded)
        ends_of_fields(tap, loaded)
        long_names(tap, loaded)
        many_counts(tap, loaded.lab)
        tap.equal(loaded.lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
