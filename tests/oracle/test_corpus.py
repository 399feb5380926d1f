#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every Ethernet frame of a folder of captures, the loaded program against the
oracle. Root.

The captures are in $SLUICE_CORPUS/pcap (../shared/data beside the project
unless set); skipped where that is absent.
"""
import collections
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import capture
import oracle
from generate import prefix_text, seed
from lab import ROOT, LabError
from loaded import DEVICE, OTHER, Loaded, differences
from tap import Tap

CORPUS = os.environ.get("SLUICE_CORPUS", os.path.join(ROOT, "..", "shared", "data"))
# What BPF_PROG_TEST_RUN takes: an Ethernet header; a page less its reserves.
FRAME_MIN, FRAME_MAX = 14, 3520
BATCH = 50000

SERVICES = """
interface %s, %s
default drop
rule dns     pass tcp from any to any port 53
rule dns-out forward fallback pass udp from any port 53
rule dns-in  forward fallback drop udp to any port 53
rule web     redirect %s tcp to any port { 80, 443, 8000-8100 }
rule web-out pass tcp from any port { 80, 443, 8000-8100 }
rule low     drop udp to any port 0-1023
rule ping    bounce icmp
rule nd      pass icmp6
rule sctp    drop sctp
rule high    pass udp from any port 1024-65535 to any port 1024-65535
rule igmp    drop proto 2
rule esp     drop proto 50
rule gre     pass proto 47
rule rest4   drop ip
""" % (DEVICE, OTHER, OTHER)

PLACES = """
interface %s, %s { frags on }
set private   { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7 }
set multicast { 224.0.0.0/4; ff00::/8 }
set local     { 127.0.0.0/8, 169.254.0.0/16, fe80::/10, ::/128 }
rule many     drop to @multicast
rule spoofed  drop from @local to not @local
rule inside   pass from @private to @private
rule out      forward tcp from @private to not { 10.0.0.0/8, fc00::/7 }
rule in       redirect %s from not @private to @private
rule docs     bounce from { 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24, 2001:db8::/32 }
rule six      pass ip6 from 2000::/3
rule zero     drop from 0.0.0.0
rule odd      drop from not 0.0.0.0/1 to not 128.0.0.0/1
""" % (DEVICE, OTHER, OTHER)

SHAPES = """
interface %s, %s
default drop
rule later   drop fragment later
rule first   pass fragment first
rule v0      pass vlan 0
rule v1      bounce vlan 1
rule v100    redirect %s vlan 100
rule whole6  forward tcp from ::/0 fragment no
rule whole4  forward fallback drop tcp from 0.0.0.0/0 fragment no
rule ports   pass udp from any port 1-65535 fragment no
rule some    drop ip fragment no
rule on1     drop on %s
rule frags   drop fragment yes
rule six     pass ip6
""" % (DEVICE, OTHER, OTHER, OTHER)


FIELDS = """
interface %s, %s
default drop
set cisco mac { 01:00:0c:cc:cc:cc, 01:80:c2:00:00:00, 01:80:c2:00:00:0e, 00:00:0c:07:ac:00 }
set all   mac { ff:ff:ff:ff:ff:ff }
rule seen    count
rule synack  pass tcp flags syn,ack/syn,ack
rule syn     drop tcp flags syn/syn,ack,fin,rst length 40-60
rule reset   bounce tcp flags rst/rst
rule would   drop observe length 0-65535
rule push    pass tcp flags psh,ack/0xff length 0-200
rule closing redirect %s tcp flags 0x11/0x13
rule echo    pass icmp icmp-type 8 code 0
rule unreach drop icmp icmp-type 3
rule ns      pass icmp6 icmp-type 135
rule ra      forward icmp6 icmp-type 134 code 0
rule net     drop dscp 48
rule ef      pass dscp 46
rule bcast   bounce udp mac dst @all
rule l2      drop mac dst @cisco
rule arp     pass ethertype 0x0806 mac dst not @all
rule arps    drop ethertype 0x0806
rule inner   pass inner-vlan 100
rule qinq    drop vlan 1 ethertype 0x800
rule big     pass udp length 1200-65535
rule small   drop udp length 28-99
rule mpls    drop ethertype 0x8847
rule first   pass ethertype 0x88cc band 0
rule late    drop ip6 mac src not @cisco band 1
""" % (DEVICE, OTHER, OTHER)


def collect(tap):
    """Every usable frame; prints what was left out, and why."""
    frames, out = [], collections.Counter()
    folder = os.path.join(CORPUS, "pcap")
    for top, _dirs, names in sorted(os.walk(folder)):
        for name in sorted(names):
            out["files"] += 1
            try:
                packets = list(capture.read(os.path.join(top, name)))
            except capture.CaptureError as fault:
                tap.diag(os.path.relpath(str(fault), folder))
                out["files not read"] += 1
                continue
            for link, data in packets:
                if link != capture.ETHERNET:
                    out["not Ethernet"] += 1
                elif len(data) < FRAME_MIN:
                    out["under %d bytes" % FRAME_MIN] += 1
                elif len(data) > FRAME_MAX:
                    out["over %d bytes" % FRAME_MAX] += 1
                else:
                    frames.append(data)
    tap.diag("%d frames; left out: %s" % (len(frames), dict(out)))
    return frames


def drawn(frames, rng):
    """250 rules that each name what one frame of the corpus has."""
    lines = ["interface %s" % DEVICE, "default drop"]
    words = {6: "tcp", 17: "udp", 132: "sctp"}
    while len(lines) < 252:
        known = oracle.facts(rng.choice(frames))
        if known.family is None:
            continue
        word = words.get(known.protocol)
        parts = [word or ("ip" if known.family == 4 else "ip6")]
        for side, address, port in (("from", known.source, known.source_port),
                                    ("to", known.destination, known.destination_port)):
            family, number = address
            bits = 32 if family == 4 else 128
            length = rng.choice((bits, bits, bits - 1, bits * 3 // 4))
            number = number >> (bits - length) << (bits - length)
            choice = rng.random()
            if choice < 0.7:
                parts += [side, prefix_text((family, length, number))]
            else:
                parts += [side, "any"]
            if word and port is not None and rng.random() < 0.5:
                parts += ["port", "%d-%d" % (port, min(65535, port + rng.choice((0, 0, 1, 9))))]
        if parts[1:] == ["from", "any", "to", "any"]:
            continue
        lines.append("rule r%d %s %s" % (len(lines) - 2, rng.choice(("pass", "drop", "forward")),
                                         " ".join(parts)))
    return "\n".join(lines) + "\n"


def compare(tap, loaded, name, text, frames):
    seen = collections.Counter()
    try:
        loaded.apply(text)
        before = loaded.counters()
        wrong = []
        for start in range(0, len(frames), BATCH):
            batch = frames[start:start + BATCH]
            want = loaded.expected(batch)
            wrong += differences(batch, loaded.explain(batch), want)
            seen.update(want)
        if loaded.counters() != before:
            wrong += ["explain changed a counter"]
    except (LabError, AssertionError, KeyError) as fault:
        tap.ok(False, name, fault)
        return
    tap.ok(not wrong, "%s: %d frames" % (name, len(frames)), *wrong[:20])
    tap.ok(len({rule for _verdict, rule, _reason in seen if rule}) >= 6,
           "%s: at least 6 of its rules decide some frame" % name, seen)
    tap.diag("  " + ", ".join("%s/%s/%s %d" % (*answer, count)
                              for answer, count in seen.most_common(12)))


def main():
    tap = Tap()
    if not os.path.isdir(os.path.join(CORPUS, "pcap")):
        tap.skip("the corpus", "no folder %s/pcap (SLUICE_CORPUS names another)"
                 % os.path.relpath(CORPUS, ROOT))
        tap.done()
    number = seed()
    tap.diag("SLUICE_SEED=%d" % number)
    frames = collect(tap)
    tap.ok(frames, "the corpus has frames")
    with Loaded() as loaded:
        for name, text in (("services", SERVICES), ("places", PLACES), ("shapes", SHAPES),
                           ("fields", FIELDS), ("drawn", drawn(frames, random.Random(number)))):
            compare(tap, loaded, name, text, frames)
        tap.equal(loaded.lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
