#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The filter on real traffic: what was sent, what arrived, what was counted.
Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]

Every count must be exact: rx == what was sent == the sum of the reasons, and
the same by rule, by reason and by port, in packets and bytes.
"""
from network import Account, drain, settle, two_sides
from lab import Lab
from tap import Tap

import frames as raw
from scapy.all import (ARP, ICMP, IP, IPv6, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6EchoRequest,
                       IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, Raw, fragment)

CONFIG = """
interface box0 { mode %s }
default %s
set bad { 10.66.0.0/16, 2001:db8:66::/48 }
rule spoofed  drop from @bad
rule dns      drop udp to any port 53
rule tagged   drop vlan 100
rule later    drop fragment later
rule web      pass tcp to any port { 80, 443, 8000-8010 }
rule fw-drop  forward fallback drop tcp to any port 9000
rule fw-pass  forward tcp to any port 9001
rule pings    pass icmp
rule pings6   drop icmp6
"""

MACS = {"src": "02:00:00:00:00:aa", "dst": "02:00:00:00:00:bb"}
ETH = Ether(**MACS)
V4 = IP(src="192.0.2.1", dst="198.51.100.1")
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2")


def traffic():
    """Frames composed by scapy, and oddities that it would not compose."""
    packets = []
    for number in range(40):
        port = 1024 + number
        packets += [
            ETH / V4 / UDP(sport=port, dport=53) / Raw(b"x" * number),
            ETH / V6 / UDP(sport=port, dport=53),
            ETH / V4 / TCP(sport=port, dport=443, flags="S"),
            ETH / V6 / TCP(sport=port, dport=8010, flags="S"),
            ETH / V4 / TCP(sport=port, dport=8011, flags="S"),
            ETH / V4 / TCP(sport=port, dport=9000, flags="S"),
            ETH / V6 / TCP(sport=port, dport=9001, flags="S"),
            ETH / IP(src="10.66.1.%d" % number, dst="198.51.100.1") / UDP(sport=1, dport=7),
            ETH / IPv6(src="2001:db8:66::%x" % (number + 1), dst="2001:db8::2") / UDP(
                sport=1, dport=7),
            ETH / Dot1Q(vlan=100) / V4 / UDP(sport=port, dport=123),
            ETH / Dot1AD(vlan=100) / Dot1Q(vlan=7) / V6 / TCP(sport=port, dport=80, flags="S"),
            ETH / Dot1Q(vlan=101) / V4 / TCP(sport=port, dport=80, flags="S"),
            ETH / V4 / ICMP(id=number), ETH / V6 / ICMPv6EchoRequest(id=number),
            ETH / V6 / IPv6ExtHdrHopByHop() / TCP(sport=port, dport=80, flags="S"),
            ETH / V6 / IPv6ExtHdrFragment(offset=0, m=1, id=number) / UDP(sport=port, dport=124),
            ETH / V6 / IPv6ExtHdrFragment(offset=185, m=0, id=number) / Raw(b"\0\x35\0\x35" * 9),
            ETH / ARP(psrc="192.0.2.1", pdst="192.0.2.9")]
    packets += fragment(ETH / IP(src="192.0.2.1", dst="198.51.100.1", id=77) / UDP(
        sport=5, dport=125) / Raw(b"y" * 4000), fragsize=1400)
    six = 0x20010db8 << 96 | 1, 0x20010db8 << 96 | 2
    odd = [
        raw.ethernet(0x800, bytes(7)), raw.ethernet(0x800, b"\x55" + bytes(40)),
        raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(1, 53), total=60)),
        raw.ethernet(0x800, b"", [(0x8100, 1), (0x8100, 2), (0x8100, 100)]),
        raw.ethernet(0x86dd, raw.ipv6(*six, 17, raw.udp(1, 53), [raw.extension(60)] * 9)),
        raw.ethernet(0x88b5, bytes(50)),
    ]
    return [bytes(packet) for packet in packets] + [frame for frame in odd for _ in range(25)]


def run(tap, mode, default):
    label = "%s, default %s: " % (mode, default)
    text = CONFIG % (mode, default)
    frames = traffic()
    account = Account(text, "box0")
    account.add(frames)
    with Lab() as lab:
        two_sides(lab)
        lab.apply(text, ns="box")
        tap.equal(lab.stats("box", "box0")["mode"], mode, label + "the mode is reported")
        with lab.packet_socket("box", "box0", receive=True) as arrived:
            tap.equal(lab.send("peer", "peer0", frames), len(frames), label + "all was sent")
            stats = settle(lab, "box", "box0", len(frames))
            got = drain(arrived)
        ports = lab.sluice_json("ports", "--json", "--top", "1000", ns="box")
        wrong = account.differences(stats, ports)
        tap.ok(not wrong, label + "counters equal what was sent", *wrong)
        tap.equal(len(got), account.verdicts["pass"], label + "just the passed frames arrived")
        verdicts = {r["name"]: r["verdict"] for r in stats["rules"]}
        tap.equal(verdicts, {r.name: r.verdict for r in account.config.rules},
                  label + "each rule's verdict is shown")
        top = lab.sluice_json("ports", "--json", "--top", "3", ns="box")["ports"]
        want = sorted(account.ports.values(), reverse=True)[:3]
        tap.equal([p["packets"] for p in top], want, label + "the three busiest ports")
        # The same again: counters go on, and nothing depends on the first run.
        account.add(frames)
        lab.send("peer", "peer0", frames)
        wrong = account.differences(settle(lab, "box", "box0", account.rx[0]))
        tap.ok(not wrong, label + "counters equal what was sent twice", *wrong)
        text = lab.sluice("stats", ns="box").stdout
        tap.contains(text, ["box0", "spoofed", "fw-drop", str(account.rx[0])],
                     label + "stats as text")
        tap.equal(lab.leftovers(), [], label + "down leaves nothing behind")


def jumbo(tap):
    """Frames over several buffers: every byte is counted, and rules read the first one."""
    text = "interface box0 { frags on }\nrule big drop udp to any port 7\n"
    frames = [raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(1, 7 + number % 2, bytes(size))))
              for number, size in enumerate(list(range(3300, 8900, 280)) + [1, 1400, 8972])]
    account = Account(text, "box0")
    account.add(frames)
    with Lab() as lab:
        two_sides(lab, mtu=9000)
        lab.apply(text, ns="box")
        with lab.packet_socket("box", "box0", receive=True) as arrived:
            lab.send("peer", "peer0", frames)
            stats = settle(lab, "box", "box0", len(frames))
            got = sorted(drain(arrived))
        ports = lab.sluice_json("ports", "--json", ns="box")
        wrong = account.differences(stats, ports)
        tap.ok(not wrong, "jumbo: counters equal what was sent", *wrong)
        tap.ok(got == sorted(f for f in frames if f[37] != 7), "jumbo: passed frames are whole",
               len(got))
        tap.equal(lab.leftovers(), [], "jumbo: down leaves nothing behind")


def apart(tap):
    """Two interfaces count apart; another namespace sees neither."""
    text = "interface box0, box1\nrule all drop udp\nrule second drop on box1\n"
    frames = [raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(1, 9)))] * 30
    others = [raw.ethernet(0x88b5, bytes(50))] * 20
    with Lab() as lab:
        two_sides(lab)
        lab.apply(text, ns="box")
        first, second = Account(text, "box0"), Account(text, "box1")
        for account, ns, dev in ((first, "peer", "peer0"), (second, "far", "far0")):
            sent = (frames + others) if account is first else others
            account.add(sent)
            lab.send(ns, dev, sent)
            wrong = account.differences(settle(lab, "box", account.dev, account.rx[0]))
            tap.ok(not wrong, "%s counts what it got" % account.dev, *wrong)
        wrong = first.differences(lab.stats("box", "box0"))
        tap.ok(not wrong, "box0 counts nothing of box1's", *wrong)
        tap.equal(lab.sluice_json("stats", "--json", ns="peer"), {"interfaces": []},
                  "another namespace has none of it")
        tap.equal(lab.leftovers(), [], "apart: down leaves nothing behind")


def main():
    tap = Tap()
    run(tap, "native", "pass")
    run(tap, "native", "drop")
    run(tap, "generic", "pass")
    run(tap, "generic", "drop")
    jumbo(tap)
    apart(tap)
    tap.done()


if __name__ == "__main__":
    main()
