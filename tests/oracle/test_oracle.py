#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The oracle against cases worked out by hand. No root.

Every packet here is written out as hex, so that no code is shared between
what makes a packet and what judges it.
"""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import config as language
import oracle
from tap import Tap, check

MACS = "02000000000a 02000000000b "
IP4 = "c0000201 c6336402"  # 192.0.2.1 -> 198.51.100.2
IP6 = "20010db8000000000000000000000001 20010db8000000000000000000000002"
PORTS = "04d2 0035"        # 1234 -> 53

# name: (frame after the MAC addresses, facts that differ from unknown)
UDP4 = {"ethertype": 0x800, "family": 4, "protocol": 17, "fragment": "no",
        "source": (4, 0xc0000201), "destination": (4, 0xc6336402),
        "source_port": 1234, "destination_port": 53}
UDP6 = {"ethertype": 0x86dd, "family": 6, "protocol": 17, "fragment": "no",
        "source": (6, 0x20010db8 << 96 | 1), "destination": (6, 0x20010db8 << 96 | 2),
        "source_port": 1234, "destination_port": 53}


def but(base, *unknown, **changes):
    """`base` without some facts and with others."""
    return {**{k: v for k, v in base.items() if k not in unknown}, **changes}


NO_PORTS = ("source_port", "destination_port")
NO_L4 = NO_PORTS + ("protocol", "fragment")
FACTS = {
    "an empty frame": ("", {"anomaly": "truncated"}),
    "ARP": ("0806 0001", {"ethertype": 0x806}),
    "LLC": ("0026 4242", {"ethertype": 0x26}),
    "UDP in IPv4": ("0800 4500001c000000004011 0000" + IP4 + PORTS + "0008 0000", UDP4),
    "one tag": ("8100 e064 0800 4500001c000000004011 0000" + IP4 + PORTS + "0008 0000",
                but(UDP4, vlan=100)),
    "two tags": ("88a8 0fff 8100 0000 0800 4500001c000000004011 0000" + IP4 + PORTS
                 + "0008 0000", but(UDP4, vlan=4095, inner_vlan=0)),
    "three tags": ("8100 0001 8100 0002 8100 0003 0800 45",
                   {"ethertype": 0x8100, "vlan": 1, "inner_vlan": 2, "anomaly": "vlan_bound"}),
    "a tag cut off": ("8100 0001 08", {"ethertype": 0x8100, "anomaly": "truncated"}),
    "a second tag cut off": ("8100 0001 88a8 0002 08",
                             {"ethertype": 0x88a8, "vlan": 1, "anomaly": "truncated"}),
    "19 bytes of IPv4": ("0800" + "45" + "00" * 18, {"ethertype": 0x800, "anomaly": "truncated"}),
    "IPv4 of version 5": ("0800 5500001c000000004011 0000" + IP4 + PORTS + "00080000",
                          {"ethertype": 0x800, "anomaly": "malformed"}),
    "a header length of 16": ("0800 4400001c000000004011 0000" + IP4 + PORTS + "00080000",
                              {"ethertype": 0x800, "anomaly": "malformed"}),
    "a total length of 19": ("0800 45000013000000004011 0000" + IP4 + PORTS + "00080000",
                             {"ethertype": 0x800, "anomaly": "malformed"}),
    "a total length past the frame": ("0800 4500001d000000004011 0000" + IP4 + PORTS + "00080000",
                                      {"ethertype": 0x800, "anomaly": "truncated"}),
    "options": ("0800 46000020000000004011 0000" + IP4 + "01010101" + PORTS + "0008 0000", UDP4),
    "options past the frame": ("0800 4f00003c000000004011 0000" + IP4 + "00" * 39,
                               {"ethertype": 0x800, "anomaly": "truncated"}),
    "options past the total length": ("0800 4f00001c000000004011 0000" + IP4 + "00" * 60,
                                      {"ethertype": 0x800, "anomaly": "malformed"}),
    "ports behind the total length": ("0800 45000016000000004011 0000" + IP4 + PORTS + "00080000",
                                      but(UDP4, *NO_PORTS, anomaly="truncated")),
    "just the ports": ("0800 45000018000000004011 0000" + IP4 + PORTS, UDP4),
    "a first fragment": ("0800 4500001c000020004011 0000" + IP4 + PORTS + "0008 0000",
                         but(UDP4, fragment="first")),
    "a later fragment": ("0800 4500001c000000014011 0000" + IP4 + PORTS + "0008 0000",
                         but(UDP4, *NO_PORTS, fragment="later")),
    "a later fragment, more to come": ("0800 45000014000020014006 0000" + IP4,
                                       but(UDP4, *NO_PORTS, fragment="later", protocol=6)),
    "don't fragment": ("0800 4500001c000040004011 0000" + IP4 + PORTS + "0008 0000", UDP4),
    "the reserved bit": ("0800 4500001c000080004011 0000" + IP4 + PORTS + "0008 0000", UDP4),
    "ICMP": ("0800 45000016000000004001 0000" + IP4 + "0b01",
             but(UDP4, *NO_PORTS, protocol=1, icmp_type=11, icmp_code=1)),
    "one byte of ICMP": ("0800 45000015000000004001 0000" + IP4 + "0b01",
                         but(UDP4, *NO_PORTS, protocol=1, anomaly="truncated")),
    "ICMPv6 in IPv4": ("0800 4500001400000000403a 0000" + IP4,
                       but(UDP4, *NO_PORTS, protocol=58)),
    "SCTP": ("0800 45000018000000004084 0000" + IP4 + PORTS, but(UDP4, protocol=132)),
    "ESP": ("0800 45000014000000004032 0000" + IP4, but(UDP4, *NO_PORTS, protocol=50)),
    "UDP in IPv6": ("86dd 600000000008 1140" + IP6 + PORTS + "0008 0000", UDP6),
    "39 bytes of IPv6": ("86dd 60" + "00" * 38, {"ethertype": 0x86dd, "anomaly": "truncated"}),
    "IPv6 of version 4": ("86dd 400000000008 1140" + IP6 + PORTS + "0008 0000",
                          {"ethertype": 0x86dd, "anomaly": "malformed"}),
    "a payload past the frame": ("86dd 600000000009 1140" + IP6 + PORTS + "0008 0000",
                                 {"ethertype": 0x86dd, "anomaly": "truncated"}),
    "a payload length of 0": ("86dd 600000000000 1140" + IP6 + PORTS + "0008 0000",
                              but(UDP6, *NO_PORTS, anomaly="truncated")),
    "no next header": ("86dd 600000000000 3b40" + IP6, but(UDP6, *NO_PORTS, protocol=59)),
    "hop-by-hop": ("86dd 600000000010 0040" + IP6 + "1100 000000000000" + PORTS + "00080000", UDP6),
    "destination options of 16 bytes": ("86dd 600000000018 3c40" + IP6 + "1101" + "00" * 14
                                        + PORTS + "00080000", UDP6),
    "an authentication header": ("86dd 600000000014 3340" + IP6 + "1101" + "00" * 10
                                 + PORTS + "00080000", UDP6),
    "an extension header cut off": ("86dd 600000000007 0040" + IP6 + "1100 0000000000",
                                    but(UDP6, *NO_L4, anomaly="truncated")),
    "a long extension header cut off": ("86dd 60000000000f 0040" + IP6 + "1101" + "00" * 13,
                                        but(UDP6, *NO_L4, anomaly="truncated")),
    "8 extension headers": ("86dd 600000000048 3c40" + IP6 + "3c00000000000000" * 7
                            + "1100000000000000" + PORTS + "00080000", UDP6),
    "9 extension headers": ("86dd 600000000050 3c40" + IP6 + "3c00000000000000" * 8
                            + "1100000000000000" + PORTS + "00080000",
                            but(UDP6, *NO_L4, anomaly="ext_bound")),
    "a ninth that is not there": ("86dd 600000000040 3c40" + IP6 + "3c00000000000000" * 8,
                                  but(UDP6, *NO_L4, anomaly="ext_bound")),
    "an atomic fragment": ("86dd 600000000010 2c40" + IP6 + "1100 0000 00000001" + PORTS
                           + "00080000", UDP6),
    "reserved bits of a fragment header": ("86dd 600000000010 2c40" + IP6 + "11ff 0006 00000001"
                                           + PORTS + "00080000", UDP6),
    "a first IPv6 fragment": ("86dd 600000000010 2c40" + IP6 + "1100 0001 00000001" + PORTS
                              + "00080000", but(UDP6, fragment="first")),
    "a later IPv6 fragment": ("86dd 600000000010 2c40" + IP6 + "1100 0008 00000001" + PORTS
                              + "00080000", but(UDP6, *NO_PORTS, fragment="later")),
    "a later fragment of an extension header": (
        "86dd 600000000008 2c40" + IP6 + "3c00 fff9 00000001",
        but(UDP6, *NO_PORTS, fragment="later", protocol=60)),
    "a first fragment, then an atomic one": (
        "86dd 600000000018 2c40" + IP6 + "2c00 0001 00000001 1100 0000 00000001" + PORTS
        + "00080000", UDP6),
    "ICMPv6": ("86dd 600000000002 3a40" + IP6 + "8700",
               but(UDP6, *NO_PORTS, protocol=58, icmp_type=135, icmp_code=0)),
    "ICMP in IPv6": ("86dd 600000000000 0140" + IP6, but(UDP6, *NO_PORTS, protocol=1)),
}

SET_FILE = "10.0.0.0/8 # private\n\n# nothing\n2001:db8::/32\n"
# (rule without its name, packets of FACTS that it matches out of those named)
ASKED = ("UDP in IPv4", "UDP in IPv6", "ARP", "one tag", "a first fragment", "a later fragment",
         "IPv4 of version 5", "ICMP", "three tags", "9 extension headers",
         "ports behind the total length", "an atomic fragment")
RULES = [
    ("drop", ASKED),
    ("drop from any to any", ASKED),
    ("drop from any port any", ASKED),
    ("drop ip", ("UDP in IPv4", "one tag", "a first fragment", "a later fragment", "ICMP",
                 "ports behind the total length")),
    ("drop ip6", ("UDP in IPv6", "9 extension headers", "an atomic fragment")),
    ("drop icmp", ("ICMP",)),
    ("drop proto 1", ("ICMP",)),
    ("drop icmp6", ()),
    ("drop udp", ("UDP in IPv4", "UDP in IPv6", "one tag", "a first fragment",
                  "a later fragment", "ports behind the total length", "an atomic fragment")),
    ("drop udp to any port 53", ("UDP in IPv4", "UDP in IPv6", "one tag", "a first fragment",
                                 "an atomic fragment")),
    ("drop udp to any port { 1, 50-52, 54-65535 }", ()),
    ("drop udp from any port 1234 to any port { 53, 80 }",
     ("UDP in IPv4", "UDP in IPv6", "one tag", "a first fragment", "an atomic fragment")),
    ("drop from 192.0.2.0/24", ("UDP in IPv4", "one tag", "a first fragment",
                                "a later fragment", "ICMP", "ports behind the total length")),
    ("drop from not 192.0.2.1", ("UDP in IPv6", "9 extension headers", "an atomic fragment")),
    ("drop from not { 192.0.2.1, ::/0 }", ()),
    ("drop to { 198.51.100.2/32, 2001:db8::2 }",
     ("UDP in IPv4", "UDP in IPv6", "one tag", "a first fragment", "a later fragment", "ICMP",
      "9 extension headers", "ports behind the total length", "an atomic fragment")),
    ("drop from ::ffff:192.0.2.1", ()),
    ("drop from @listed", ("UDP in IPv6", "9 extension headers", "an atomic fragment")),
    ("drop from not @listed", ("UDP in IPv4", "one tag", "a first fragment",
                               "a later fragment", "ICMP", "ports behind the total length")),
    ("drop fragment no", ("UDP in IPv4", "UDP in IPv6", "one tag", "ICMP",
                          "ports behind the total length", "an atomic fragment")),
    ("drop fragment yes", ("a first fragment", "a later fragment")),
    ("drop fragment first", ("a first fragment",)),
    ("drop fragment later", ("a later fragment",)),
    ("drop vlan 100", ("one tag",)),
    ("drop vlan 1", ("three tags",)),
    ("drop on eth1", ASKED),
    ("drop on eth2", ()),
]


def frame(name):
    tail = FACTS[name][0]
    return bytes.fromhex(MACS + tail) if tail else b""


def test_facts(tap):
    for name, (_text, want) in FACTS.items():
        known = {k: v for k, v in vars(oracle.facts(frame(name))).items() if v is not None}
        tap.equal(known, want, "facts: " + name)


def test_rules(tap):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "set.txt"), "w") as out:
            out.write(SET_FILE)
        for text, matching in RULES:
            conf = language.parse('set listed { file "set.txt" }\nrule r %s\n' % text, folder)
            got = [n for n in ASKED if oracle.judge(conf, frame(n), "eth1")[1] == "r"]
            tap.equal(got, [n for n in ASKED if n in matching], "rule: " + text)


def test_verdicts(tap):
    conf = language.parse("""
        # comment { not a brace
        interface eth1, "fib" { mode auto; frags on }
        default drop
        rule "a b" forward fallback drop tcp   # a trailing comment
        rule f forward udp
        rule r redirect "fib" icmp
        rule b bounce ip6
        set s { 10.0.0.0/8; 192.168.0.0/16
            fc00::/7,
        }
        rule s pass from { 10.0.0.0/8
            ::1 } to @s
        """)
    check(conf.interfaces, {"eth1": {"mode": "auto", "frags": "on"},
                            "fib": {"mode": "auto", "frags": "on"}}, "interfaces")
    udp, icmp, arp = frame("UDP in IPv4"), frame("ICMP"), frame("ARP")
    tap.equal(oracle.judge(conf, udp, "eth1"), ("pass", "f", "no_socket"), "fallback pass")
    tap.equal(oracle.judge(conf, udp, "eth1", sockets=True), ("forward", "f", "rule"), "forward")
    tcp = udp[:23] + b"\x06" + udp[24:]
    tap.equal(oracle.judge(conf, tcp, "eth1"), ("drop", "a b", "no_socket"), "fallback drop")
    tap.equal(oracle.judge(conf, icmp, "eth1"), ("redirect", "r", "rule"), "redirect")
    tap.equal(oracle.judge(conf, icmp, "eth1", devices=["eth2"]), ("drop", "r", "no_device"),
              "redirect to a device that is gone")
    tap.equal(oracle.judge(conf, frame("ICMPv6"), "eth1"), ("bounce", "b", "rule"), "bounce")
    tap.equal(oracle.judge(conf, arp, "eth1"), ("drop", None, "default"), "default")
    tap.equal(oracle.judge(conf, frame("three tags"), "eth1"), ("drop", None, "vlan_bound"),
              "the reason names the anomaly")
    tap.equal(oracle.counted_port(udp), ("udp", 53), "the port a packet is counted under")
    tap.equal(oracle.counted_port(icmp), None, "ICMP is counted under no port")
    order = language.parse("rule a pass udp\nrule b drop\n")
    tap.equal([oracle.judge(order, f, "x")[1] for f in (udp, icmp)], ["a", "b"], "first match")


def test_refusals(tap):
    for text in ("rule r drop dscp 4", "rule r limit 1kpps", "limits { rules 1 }",
                 "rule r redirect fib", "rule r drop from any to any extra", "set s { 1.2.3 }"):
        with tap.case("not understood: " + text):
            try:
                language.parse(text)
            except (language.ConfigError, ValueError):
                continue
            raise AssertionError("the oracle took it")


def main():
    tap = Tap()
    test_facts(tap)
    test_rules(tap)
    test_verdicts(tap)
    test_refusals(tap)
    tap.done()


if __name__ == "__main__":
    main()
