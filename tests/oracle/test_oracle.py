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
TCP13 = PORTS + "00000001 00000000 50"

# name: (frame after the MAC addresses, facts that differ from unknown; the MAC addresses are
# known of every frame here but the empty one)
UDP4 = {"ethertype": 0x800, "family": 4, "protocol": 17, "fragment": "no", "length": 28, "dscp": 0,
        "source": (4, 0xc0000201), "destination": (4, 0xc6336402),
        "source_port": 1234, "destination_port": 53}
UDP6 = {"ethertype": 0x86dd, "family": 6, "protocol": 17, "fragment": "no", "length": 48, "dscp": 0,
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
    "options": ("0800 46000020000000004011 0000" + IP4 + "01010101" + PORTS + "0008 0000",
                but(UDP4, length=32)),
    "options past the frame": ("0800 4f00003c000000004011 0000" + IP4 + "00" * 39,
                               {"ethertype": 0x800, "anomaly": "truncated"}),
    "options past the total length": ("0800 4f00001c000000004011 0000" + IP4 + "00" * 60,
                                      {"ethertype": 0x800, "anomaly": "malformed"}),
    "ports behind the total length": ("0800 45000016000000004011 0000" + IP4 + PORTS + "00080000",
                                      but(UDP4, *NO_PORTS, anomaly="truncated", length=22)),
    "just the ports": ("0800 45000018000000004011 0000" + IP4 + PORTS, but(UDP4, length=24)),
    "a first fragment": ("0800 4500001c000020004011 0000" + IP4 + PORTS + "0008 0000",
                         but(UDP4, fragment="first")),
    "a later fragment": ("0800 4500001c000000014011 0000" + IP4 + PORTS + "0008 0000",
                         but(UDP4, *NO_PORTS, fragment="later")),
    "a later fragment, more to come": ("0800 45000014000020014006 0000" + IP4,

                                       but(UDP4, *NO_PORTS, fragment="later", protocol=6,
                                           length=20)),
    "don't fragment": ("0800 4500001c000040004011 0000" + IP4 + PORTS + "0008 0000", UDP4),
    "the reserved bit": ("0800 4500001c000080004011 0000" + IP4 + PORTS + "0008 0000", UDP4),
    "ICMP": ("0800 45000016000000004001 0000" + IP4 + "0b01",
             but(UDP4, *NO_PORTS, protocol=1, icmp_type=11, icmp_code=1, length=22)),
    "one byte of ICMP": ("0800 45000015000000004001 0000" + IP4 + "0b01",
                         but(UDP4, *NO_PORTS, protocol=1, anomaly="truncated", length=21)),
    "ICMPv6 in IPv4": ("0800 4500001400000000403a 0000" + IP4,
                       but(UDP4, *NO_PORTS, protocol=58, length=20)),
    "SCTP": ("0800 45000018000000004084 0000" + IP4 + PORTS, but(UDP4, protocol=132, length=24)),
    "ESP": ("0800 45000014000000004032 0000" + IP4, but(UDP4, *NO_PORTS, protocol=50, length=20)),
    "UDP in IPv6": ("86dd 600000000008 1140" + IP6 + PORTS + "0008 0000", UDP6),
    "39 bytes of IPv6": ("86dd 60" + "00" * 38, {"ethertype": 0x86dd, "anomaly": "truncated"}),
    "IPv6 of version 4": ("86dd 400000000008 1140" + IP6 + PORTS + "0008 0000",
                          {"ethertype": 0x86dd, "anomaly": "malformed"}),
    "a payload past the frame": ("86dd 600000000009 1140" + IP6 + PORTS + "0008 0000",
                                 {"ethertype": 0x86dd, "anomaly": "truncated"}),
    "the longest payload": ("86dd 60000000ffff 3b40" + IP6 + "00" * 65535,
                            but(UDP6, *NO_PORTS, protocol=59, length=65535)),
    "a payload length of 0": ("86dd 600000000000 1140" + IP6 + PORTS + "0008 0000",
                              but(UDP6, *NO_PORTS, anomaly="truncated", length=40)),
    "no next header": ("86dd 600000000000 3b40" + IP6,
                       but(UDP6, *NO_PORTS, protocol=59, length=40)),
    "hop-by-hop": ("86dd 600000000010 0040" + IP6 + "1100 000000000000" + PORTS + "00080000",
                   but(UDP6, length=56)),
    "destination options of 16 bytes": ("86dd 600000000018 3c40" + IP6 + "1101" + "00" * 14
                                        + PORTS + "00080000", but(UDP6, length=64)),
    "an authentication header": ("86dd 600000000014 3340" + IP6 + "1101" + "00" * 10
                                 + PORTS + "00080000", but(UDP6, length=60)),
    "an extension header cut off": ("86dd 600000000007 0040" + IP6 + "1100 0000000000",
                                    but(UDP6, *NO_L4, anomaly="truncated", length=47)),
    "a long extension header cut off": ("86dd 60000000000f 0040" + IP6 + "1101" + "00" * 13,
                                        but(UDP6, *NO_L4, anomaly="truncated", length=55)),
    "8 extension headers": ("86dd 600000000048 3c40" + IP6 + "3c00000000000000" * 7
                            + "1100000000000000" + PORTS + "00080000", but(UDP6, length=112)),
    "9 extension headers": ("86dd 600000000050 3c40" + IP6 + "3c00000000000000" * 8
                            + "1100000000000000" + PORTS + "00080000",
                            but(UDP6, *NO_L4, anomaly="ext_bound", length=120)),
    "a ninth that is not there": ("86dd 600000000040 3c40" + IP6 + "3c00000000000000" * 8,
                                  but(UDP6, *NO_L4, anomaly="ext_bound", length=104)),
    "an atomic fragment": ("86dd 600000000010 2c40" + IP6 + "1100 0000 00000001" + PORTS
                           + "00080000", but(UDP6, length=56)),
    "reserved bits of a fragment header": ("86dd 600000000010 2c40" + IP6 + "11ff 0006 00000001"
                                           + PORTS + "00080000", but(UDP6, length=56)),
    "a first IPv6 fragment": ("86dd 600000000010 2c40" + IP6 + "1100 0001 00000001" + PORTS
                              + "00080000", but(UDP6, fragment="first", length=56)),
    "a later IPv6 fragment": ("86dd 600000000010 2c40" + IP6 + "1100 0008 00000001" + PORTS
                              + "00080000", but(UDP6, *NO_PORTS, fragment="later", length=56)),
    "a later fragment of an extension header": (
        "86dd 600000000008 2c40" + IP6 + "3c00 fff9 00000001",
        but(UDP6, *NO_PORTS, fragment="later", protocol=60, length=48)),
    "a first fragment, then an atomic one": (
        "86dd 600000000018 2c40" + IP6 + "2c00 0001 00000001 1100 0000 00000001" + PORTS
        + "00080000", but(UDP6, length=64)),
    "ICMPv6": ("86dd 600000000002 3a40" + IP6 + "8700",
               but(UDP6, *NO_PORTS, protocol=58, icmp_type=135, icmp_code=0, length=42)),
    "TCP, its first 13 bytes": ("0800 45000021000000004006 0000" + IP4 + TCP13,
                                but(UDP4, protocol=6, length=33)),
    "TCP, its first 14 bytes": ("0800 45000022000000004006 0000" + IP4 + TCP13 + "12",
                                but(UDP4, protocol=6, flags=0x12, length=34)),
    "TCP, the flags behind the total length": (
        "0800 45000021000000004006 0000" + IP4 + TCP13 + "12",
        but(UDP4, protocol=6, length=33)),
    "TCP in IPv6": ("86dd 600000000014 0640" + IP6 + TCP13 + "c1" + "00" * 6,
                    but(UDP6, protocol=6, flags=0xc1, length=60)),
    "the first fragment of TCP": ("0800 45000028000020004006 0000" + IP4 + TCP13 + "02" + "00" * 6,
                                  but(UDP4, protocol=6, flags=2, fragment="first", length=40)),
    "a later fragment of TCP": ("0800 45000028000000034006 0000" + IP4 + TCP13 + "02" + "00" * 6,
                                but(UDP4, *NO_PORTS, protocol=6, fragment="later", length=40)),
    "EF in IPv4": ("0800 45bb001c000000004011 0000" + IP4 + PORTS + "0008 0000",
                   but(UDP4, dscp=46)),
    "EF in IPv6": ("86dd 6bbfffff0008 1140" + IP6 + PORTS + "0008 0000", but(UDP6, dscp=46)),
    "padding behind the total length": ("0800 4500001c000000004011 0000" + IP4 + PORTS
                                        + "0008 0000" + "00" * 18, UDP4),
    "ICMP in IPv6": ("86dd 600000000000 0140" + IP6, but(UDP6, *NO_PORTS, protocol=1, length=40)),
}

SET_FILE = "10.0.0.0/8 # private\n\n# nothing\n2001:db8::/32\n"
# (rule without its name, packets of FACTS that it matches out of those named)
ASKED = ("UDP in IPv4", "UDP in IPv6", "ARP", "one tag", "a first fragment", "a later fragment",
         "IPv4 of version 5", "ICMP", "three tags", "9 extension headers",
         "ports behind the total length", "an atomic fragment")
TCPS = ("TCP, its first 13 bytes", "TCP, its first 14 bytes", "TCP in IPv6",
        "the first fragment of TCP", "a later fragment of TCP")
# Of the rules that name a field of their own.
FIELDS = TCPS + ("ICMP", "one byte of ICMP", "ICMPv6", "ICMP in IPv6", "EF in IPv4", "EF in IPv6",
                 "UDP in IPv4", "two tags", "a tag cut off", "a second tag cut off", "three tags",
                 "ARP", "LLC", "an empty frame", "IPv4 of version 5", "9 extension headers",
                 "an extension header cut off")
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


ETHER = tuple(name for name in FIELDS if name != "an empty frame")
FIELD_RULES = [
    ("drop tcp flags syn/syn", ("TCP, its first 14 bytes", "the first fragment of TCP")),
    ("drop tcp flags syn/syn,ack", ("the first fragment of TCP",)),
    ("drop tcp flags syn,ack/syn,ack", ("TCP, its first 14 bytes",)),
    ("drop tcp flags 0/rst", ("TCP, its first 14 bytes", "TCP in IPv6",
                              "the first fragment of TCP")),
    ("drop tcp flags 0/0", ("TCP, its first 14 bytes", "TCP in IPv6",
                            "the first fragment of TCP")),
    ("drop tcp flags 0xc1/255", ("TCP in IPv6",)),
    ("drop tcp flags fin,ece,cwr/fin,syn,rst,psh,ack,urg,ece,cwr vlan 1", ()),
    ("drop tcp fragment later flags 0/0", ()),
    ("drop icmp icmp-type 11", ("ICMP",)),
    ("drop icmp icmp-type 11 code 1", ("ICMP",)),
    ("drop icmp icmp-type 11 code 0", ()),
    ("drop icmp6 icmp-type 135", ("ICMPv6",)),
    ("drop icmp6 icmp-type 11", ()),
    ("drop length 40", ("the first fragment of TCP", "a later fragment of TCP", "ICMP in IPv6")),
    ("drop length 33-34", ("TCP, its first 13 bytes", "TCP, its first 14 bytes")),
    ("drop length 41-48", ("ICMPv6", "EF in IPv6", "an extension header cut off")),
    ("drop length 0-65575", tuple(n for n in FIELDS if FACTS[n][1].get("family"))),
    ("drop dscp 46", ("EF in IPv4", "EF in IPv6")),
    ("drop dscp 0", tuple(n for n in FIELDS if FACTS[n][1].get("dscp") == 0)),
    ("drop dscp 46 length 28", ("EF in IPv4",)),
    ("drop inner-vlan 0", ("two tags",)),
    ("drop inner-vlan 2", ("three tags",)),
    ("drop vlan 4095 inner-vlan 0", ("two tags",)),
    ("drop vlan 4095 inner-vlan 4095", ()),
    ("drop ethertype 0x0806", ("ARP",)),
    ("drop ethertype 38", ("LLC",)),
    ("drop ethertype 0x86dd", ("TCP in IPv6", "ICMPv6", "ICMP in IPv6", "EF in IPv6",
                               "9 extension headers", "an extension header cut off")),
    ("drop ethertype 0x8100", ("a tag cut off", "three tags")),
    ("drop ethertype 0x88a8", ("a second tag cut off",)),
    ("drop ip ethertype 0x800 length 28", ("EF in IPv4", "UDP in IPv4", "two tags")),
    ("drop mac dst @here", ETHER),
    ("drop mac src @here", ()),
    ("drop mac src not @here", ETHER),
    ("drop mac dst not @here", ()),
    ("drop mac src @both mac dst @both", ETHER),
    ("drop mac src @both ethertype 0x806", ("ARP",)),
    ("drop tcp to any port 53 mac dst @both", tuple(n for n in TCPS if "later" not in n)),
    ("drop observe", ()),
    ("count", ()),
    ("log sample 10", ()),
    ("limit 1kpps burst 10 per source /24 /64", ()),
    ("drop icmp band 7 owner me expires 1h icmp-type 11", ("ICMP",)),
]


def frame(name):
    tail = FACTS[name][0]
    return bytes.fromhex(MACS + tail) if tail else b""


def test_facts(tap):
    for name, (_text, want) in FACTS.items():
        known = {k: v for k, v in vars(oracle.facts(frame(name))).items() if v is not None}
        macs = known.pop("mac_destination", None), known.pop("mac_source", None)
        tap.equal(known, want, "facts: " + name)
        tap.equal(macs, (0x02000000000a, 0x02000000000b) if frame(name) else (None, None),
                  "facts: the MAC addresses of " + name)


def test_rules(tap):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "set.txt"), "w") as out:
            out.write(SET_FILE)
        for text, matching in RULES:
            conf = language.parse('set listed { file "set.txt" }\nrule r %s\n' % text, folder)
            got = [n for n in ASKED if oracle.judge(conf, frame(n), "eth1")[1] == "r"]
            tap.equal(got, [n for n in ASKED if n in matching], "rule: " + text)
    macs = ("set here mac { 02:00:00:00:00:0a }\n"
            "set both mac { 02:00:00:00:00:0A, 02:00:00:00:00:0b }\n")
    for text, matching in FIELD_RULES:
        conf = language.parse(macs + "rule r %s\n" % text)
        got = [n for n in FIELDS if oracle.judge(conf, frame(n), "eth1")[1] == "r"]
        tap.equal(got, [n for n in FIELDS if n in matching], "rule: " + text)


def test_verdicts(tap):
    conf = language.parse("""
        # comment { not a brace
        interface eth1, "fib" { mode auto; frags on }
        default drop
        rule "a b" forward fallback drop tcp   # a trailing comment
        rule f forward udp
        rule r redirect "fib" icmp
        rule b bounce ip6
        rule k redirect fib sctp
        rule l route fallback drop proto 47
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
    for number, name, what in ((132, "k", "redirect fib"), (47, "l", "route")):
        tap.equal(oracle.judge(conf, udp[:23] + bytes([number]) + udp[24:], "eth1", sockets=True),
                  ("pass", name, "to_kernel"), what)
    tap.equal(oracle.judge(conf, frame("ICMPv6"), "eth1"), ("bounce", "b", "rule"), "bounce")
    tap.equal(oracle.judge(conf, arp, "eth1"), ("drop", None, "default"), "default")
    tap.equal(oracle.judge(conf, frame("three tags"), "eth1"), ("drop", None, "vlan_bound"),
              "the reason names the anomaly")
    tap.equal(oracle.counted_port(udp), ("udp", 53), "the port a packet is counted under")
    tap.equal(oracle.counted_port(icmp), None, "ICMP is counted under no port")
    order = language.parse("rule a pass udp\nrule b drop\n")
    tap.equal([oracle.judge(order, f, "x")[1] for f in (udp, icmp)], ["a", "b"], "first match")


ORDER = """
rule late  drop band 2
rule seen  count udp
rule slow  limit 10pps per source
rule would drop observe
rule some  log sample 5 ip
rule two   pass udp from @later band 1
rule one   bounce icmp band 1
set later { 192.0.2.0/24 }
"""


def test_order(tap):
    conf = language.parse(ORDER)
    asked = [frame(name) for name in ("UDP in IPv4", "ICMP", "ARP")]
    tap.equal([oracle.judge(conf, f, "x") for f in asked],
              [("pass", "two", "rule"), ("bounce", "one", "rule"), ("drop", "late", "rule")],
              "bands, then position; what goes on decides nothing")
    tap.equal([oracle.counting(conf, f, "x") for f in asked],
              [["seen", "slow", "would", "some", "two"], ["slow", "would", "some", "one"],
               ["slow", "would", "late"]], "the rules that a packet counts for")


def test_refusals(tap):
    for text in ("rule r drop ttl 4", "metrics { ports 1 }",
                 "rule r redirect", "rule r drop from any to any extra", "set s { 1.2.3 }"):
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
    test_order(tap)
    test_refusals(tap)
    tap.done()


if __name__ == "__main__":
    main()
