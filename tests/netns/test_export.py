#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`sluice export` on real traffic, to a decoder of its own and to Debian's collectors. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]

Traffic enters at box0; the collectors are in `far`. What a datagram says is compared
with the frames that were sent and with what the oracle says of them.
"""
import collections
import glob
import json
import math
import os
import re
import signal
import socket
import struct
import time

from network import settle, two_sides
from lab import Lab, built, wait_for
from sflow import Counters, Sample, decode
from tap import Tap

import config as language
import frames as raw
import oracle

HEAD = 128
RING_RECORDS = (1 << 20) // (8 + 184)  # a record with its header in the ring's 1 MiB
BOX, FAR = "198.51.100.1", "198.51.100.2"
BOX6, FAR6 = "2001:db8:51::1", "2001:db8:51::2"
PORT = 6343
DISCARDED = 1  # format of an interface that is none
ACL, SHAPED, CORRUPTED, SMALL = 258, 261, 275, 324

RULES = """
interface box0
rule all      log
rule spoofed  drop from 10.66.0.0/16
rule back     bounce udp to any port 7
rule away     redirect box1 udp to any port 9
rule "a web"  pass tcp to any port 80
"""

class Collector:
    """A socket in `far` that keeps what comes in."""

    def __init__(self, lab, address=FAR, port=PORT):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = lab.within("far", socket.socket, family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind((address, port))
        self.socket.setblocking(False)
        self.datagrams = []

    def read(self):
        while True:
            try:
                self.datagrams.append(decode(self.socket.recv(65536)))
            except BlockingIOError:
                return self

    def of(self, kind):
        self.read()
        return [s for d in self.datagrams for s in d.samples if isinstance(s, kind)]

    def flows(self):
        return self.of(Sample)

    def wait(self, count):
        wait_for(lambda: len(self.flows()) >= count)
        return self.flows()

    def close(self):
        self.socket.close()


def sides(lab):
    two_sides(lab, ipv6=True)
    for ns, dev, four, six in (("box", "box1", BOX, BOX6), ("far", "far0", FAR, FAR6)):
        lab.address(ns, dev, four + "/24", six + "/64")


def text(path):
    with open(path) as source:
        return source.read()


def start(lab, *args, ready=True):
    """`sluice export` in `box`; its messages go to the file that is the process's .err."""
    err = lab.file("export%d.err" % len(lab.procs), "")
    with open(err, "w") as stderr:
        proc = lab.popen([built("sluice"), "export", *args], ns="box", stderr=stderr)
    proc.err = err
    if ready:
        assert wait_for(lambda: "exporting to" in text(err)), text(err)
    return proc


def index(lab, dev, ns="box"):
    return lab.link(ns, dev)["ifindex"]


def mixed(count=240):
    """Frames of several kinds and lengths, each of them different; none of IPv6's own noise."""
    found = []
    for number in range(count):
        pad = struct.pack("!I", number) + bytes(number % 90)
        src = 0x0a420001 + number if number % 3 == 0 else 0xc0000201
        layer = (raw.udp(1000 + number, (53, 7, 9, 123)[number // 2 % 4], pad) if number % 2 == 0
                 else raw.tcp(1000 + number, (80, 443)[number % 3 % 2], pad))
        proto = 17 if number % 2 == 0 else 6
        packet = (raw.ipv4(src, 0xc6336401, proto, layer) if number % 5 else
                  raw.ipv6(0x20010db8 << 96 | number, 2, proto, layer))
        found.append(raw.ethernet(0x800 if number % 5 else 0x86dd, packet,
                                  [(0x8100, 7)] if number % 7 == 0 else []))
    return found


def expected(lab, rules, frame):
    """(output, length, head, rule) that a sample must have."""
    verdict, rule, _reason = oracle.judge(language.parse(rules), frame, "box0")
    output = {"pass": 0, "drop": DISCARDED << 30 | ACL, "bounce": index(lab, "box0"),
              "redirect": index(lab, "box1")}[verdict]
    return output, len(frame) + 4, frame[:HEAD], rule


def numbered(count, dport=53, src=1):
    return [raw.ethernet(0x800, raw.ipv4(src, 2, 17, raw.udp(5, dport, struct.pack("!I", n))))
            for n in range(count)]


def every_packet(tap, address, source):
    """Each packet once, with what the oracle says of it; and the numbers that go with it."""
    label = address + ": "
    sent = mixed()
    with Lab() as lab:
        sides(lab)
        lab.apply(RULES, ns="box")
        lab.send("peer", "peer0", sent[:20])  # before the export: of another time
        settle(lab, "box", "box0", 20)
        collector = Collector(lab, address)
        exporter = start(lab, "--sflow", address, "box0")
        want = [expected(lab, RULES, frame) for frame in sent]
        lab.send("peer", "peer0", sent)
        settle(lab, "box", "box0", 20 + len(sent))
        tap.equal(lab.end(exporter), 0, label + "SIGTERM ends it")
        got = collector.wait(len(sent))
        pairs = [((s.output, s.length, s.head, s.rule), w) for s, w in zip(got, want)]
        wrong = ["%r\n  want %r" % pair for pair in pairs if pair[0] != pair[1]]
        tap.ok(len(got) == len(want) and not wrong, label + "a sample for each packet",
               len(got), len(want), *wrong[:3])
        tap.equal(len({w[0] for w in want}), 4, label + "the traffic meets four verdicts")
        here = index(lab, "box0")
        tap.equal({(s.source, s.input, s.rate, s.lost, s.stripped) for s in got},
                  {(here, here, 1, 0, 4)}, label + "interface, rate, losses, the stripped FCS")
        tap.equal([s.sequence for s in got], list(range(1, len(sent) + 1)),
                  label + "samples are numbered")
        tap.equal([s.pool for s in got], list(range(1, len(sent) + 1)), label + "the pool grows")
        all_of = collector.datagrams
        tap.equal([d.sequence for d in all_of], list(range(1, len(all_of) + 1)),
                  label + "datagrams are numbered")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        tap.equal({(d.agent, d.sub) for d in all_of}, {(socket.inet_pton(family, source), here)},
                  label + "the agent is this end of the socket")
        uptimes = [d.uptime for d in all_of]
        tap.ok(uptimes == sorted(uptimes) and uptimes[-1] < 60000, label + "uptime", uptimes)
        tap.contains(text(exporter.err), "%d samples exported in %d datagrams; 0 of" % (
            len(sent), len(all_of)), label + "it says how many")
        collector.close()
        tap.equal(lab.leftovers(), [], label + "down leaves nothing behind")


def reasons(tap):
    """Drops that are no rule's."""
    rules = """
interface box0
default drop
rule all log
rule slow limit 1pps burst 1 udp to any port 53
rule ok pass udp
"""
    broken = [raw.ethernet(0x800, b"\x45" + bytes(5)),
              raw.ethernet(0x800, raw.ipv4(1, 2, 17, bytes(8), ihl=4))]
    with Lab() as lab:
        sides(lab)
        lab.apply(rules, ns="box")
        collector = Collector(lab)
        start(lab, "--sflow", FAR, "--agent", "192.0.2.99", "box0")
        lab.send("peer", "peer0", numbered(10) + broken + [raw.ethernet(0x806, bytes(46))])
        got = [(s.output, s.rule) for s in collector.wait(13)]
        shaped = [s for s in got[:10] if s[0]]
        tap.ok(len(shaped) >= 8 and set(shaped) == {(DISCARDED << 30 | SHAPED, "slow")},
               "reasons: over a limit, by the limit's name", got)
        tap.equal(got[10:], [(DISCARDED << 30 | SMALL, None), (DISCARDED << 30 | CORRUPTED, None),
                             (DISCARDED << 30 | ACL, None)],
                  "reasons: cut off, malformed, the default policy")
        tap.equal({d.agent for d in collector.datagrams}, {bytes([192, 0, 2, 99])},
                  "reasons: the agent's address as given")
        collector.close()


def near(tap, got, tries, chance, name):
    """Within six standard deviations: by chance it fails once in 500 million runs."""
    mean, sigma = tries * chance, math.sqrt(tries * chance * (1 - chance))
    tap.ok(abs(got - mean) <= 6 * sigma, name, "%d of %d, %.0f +- %.0f" % (
        got, tries, mean, 6 * sigma))


def sampling(tap):
    """Rates of two rules, one rule alone, and the pool that a collector divides by."""
    rules = "interface box0\nrule tenth log sample 10\nrule rare log sample 50 udp to any port 54\n"
    total = 12000
    with Lab() as lab:
        sides(lab)
        lab.apply(rules, ns="box")
        collector = Collector(lab)
        exporter = start(lab, "--sflow", FAR, "--rule", "tenth", "box0")
        lab.send("peer", "peer0", numbered(total, 54))
        settle(lab, "box", "box0", total)
        lab.end(exporter)
        got = collector.flows()
        near(tap, len(got), total, 0.1, "sampling: one in ten")
        tap.equal({s.rate for s in got}, {10}, "sampling: the rule's rate alone")
        tap.equal([s.pool for s in got], list(range(10, 10 * len(got) + 1, 10)),
                  "sampling: the pool grows by what each sample stands for")
        collector.datagrams.clear()
        exporter = start(lab, "--sflow", FAR, "box0")
        lab.send("peer", "peer0", numbered(total, 54))
        settle(lab, "box", "box0", 2 * total)
        lab.end(exporter)
        rates = collections.Counter(s.rate for s in collector.flows())
        near(tap, rates[10], total, 0.1, "sampling: both rules, one in ten")
        near(tap, rates[50], total, 0.9 / 50, "sampling: both rules, the rest of one in fifty")
        tap.equal(set(rates), {10, 50}, "sampling: no other rate")
        collector.close()


def counters(tap):
    """The interface as the kernel counts it, and what was dropped."""
    rules = "interface box0\nrule cut drop udp to any port 53\nrule some log sample 1000\n"
    with Lab() as lab:
        sides(lab)
        lab.apply(rules, ns="box")
        lab.send("peer", "peer0", numbered(50))  # before: not of this export
        settle(lab, "box", "box0", 50)
        collector = Collector(lab)
        start(lab, "--sflow", FAR, "--counters", "1", "box0")
        tap.ok(wait_for(lambda: collector.of(Counters)), "counters: the first at once")
        lab.send("peer", "peer0", numbered(70) + numbered(30, 54))
        settle(lab, "box", "box0", 150)
        wait_for(lambda: collector.of(Counters)[-1].in_discards >= 70)
        last = collector.of(Counters)[-1]
        kernel = json.loads(lab.output(["ip", "-j", "-s", "link", "show", "box0"], ns="box"))[0]
        rx = kernel["stats64"]["rx"]
        tap.equal((last.in_bytes, last.in_unicast + last.in_multicast, last.in_errors),
                  (rx["bytes"], rx["packets"], 0), "counters: what the kernel counts")
        tap.equal(last.in_discards, 70 + rx["dropped"], "counters: with what Sluice dropped")
        tap.equal((last.index, last.type, last.speed, last.direction, last.status,
                   last.in_broadcast, last.promiscuous),
                  (index(lab, "box0"), 6, 10 ** 10, 1, 3, 0xffffffff, 0), "counters: the state")
        wait_for(lambda: len(collector.of(Counters)) >= 3)
        numbers = [c.sequence for c in collector.of(Counters)]
        tap.equal(numbers, list(range(1, len(numbers) + 1)), "counters: numbered, each second")
        collector.close()


def changes(tap):
    """Reloads with another rate, a filter that goes and comes, and no rule that logs."""
    with Lab() as lab:
        sides(lab)
        lab.apply("interface box0\nrule a log\nrule b drop udp to any port 53\n", ns="box")
        collector = Collector(lab)
        exporter = start(lab, "--sflow", FAR, "box0")
        lab.send("peer", "peer0", numbered(100))
        tap.equal({(s.rate, s.rule) for s in collector.wait(100)}, {(1, "b")}, "changes: before")
        lab.apply("interface box0\nrule a log sample 2\nrule c drop udp to any port 53\n", ns="box")
        collector.datagrams.clear()
        lab.send("peer", "peer0", numbered(100))
        got = collector.wait(15)  # 1 in 10^14 runs there are fewer
        tap.equal({(s.rate, s.rule) for s in got}, {(2, "c")}, "changes: another rate and name")
        lab.sluice("down", ns="box")
        tap.ok(wait_for(lambda: "waiting for one" in text(exporter.err)),
               "changes: without a filter it waits", text(exporter.err))
        lab.apply("interface box0\nrule d log sample 3\n", ns="box")
        time.sleep(1)  # it looks twice a second
        collector.read().datagrams.clear()
        lab.send("peer", "peer0", numbered(200))
        got = collector.wait(20)
        tap.equal({s.rate for s in got}, {3}, "changes: the next filter's samples")
        tap.ok(got[0].pool >= 100, "changes: the pool did not fall", got[0])
        tap.equal(lab.end(exporter, signal.SIGINT), 0, "changes: SIGINT ends it")
        collector.close()


def lost(tap):
    """A full ring: what was lost is in the samples that come after."""
    rules = "interface box0\nrule all log\nrule no drop udp\n"
    sent = RING_RECORDS + 700
    with Lab() as lab:
        sides(lab)
        lab.apply(rules, ns="box")
        collector = Collector(lab)
        exporter = start(lab, "--sflow", FAR, "box0")
        exporter.send_signal(signal.SIGSTOP)
        lab.send("peer", "peer0", numbered(sent))
        settle(lab, "box", "box0", sent)
        exporter.send_signal(signal.SIGCONT)
        tap.ok(len(collector.wait(RING_RECORDS)) == RING_RECORDS, "lost: what the ring held")
        time.sleep(0.2)
        lab.send("peer", "peer0", numbered(1))
        last = collector.wait(RING_RECORDS + 1)[-1]
        tap.equal((last.sequence, last.lost), (RING_RECORDS + 1, 700), "lost: how many")
        collector.close()


def nfdump(lab, folder):
    """{(source, packets, bytes, input, output)} of what sfcapd has kept."""
    lines = lab.output(["nfdump", "-q", "-N", "-R", folder, "-o",
                        "fmt:%pr,%sa,%sp,%da,%dp,%pkt,%byt,%in,%out"]).splitlines()
    return [tuple(word.strip() for word in line.split(",")) for line in lines if "," in line]


def sfcapd(lab, folder):
    os.makedirs(folder, exist_ok=True)
    proc = lab.popen(["sfcapd", "-w", folder, "-b", FAR, "-p", str(PORT), "-t", "3600"], ns="far",
                     stdout=open(folder + ".log", "a"))
    listening(lab)
    return proc


def listening(lab):
    assert wait_for(lambda: ":%d" % PORT in lab.output(["ss", "-Hlun"], ns="far")), "no collector"


TWO = """
interface box0
rule some log sample 1
rule cut drop from 10.66.0.0/16
"""


def traffic():
    """(kept, dropped): 60 frames of one flow, and 40 of another."""
    kept = raw.ipv4(0xc0000201, 0xc6336401, 17, raw.udp(4000, 53, bytes(100)))
    cut = raw.ipv4(0x0a420001, 0xc6336401, 6, raw.tcp(5000, 80, bytes(10)))
    return [raw.ethernet(0x800, kept)] * 60, [raw.ethernet(0x800, cut)] * 40


def with_nfdump(tap):
    """sfcapd of Debian keeps flows; it is restarted, and nothing else need be."""
    kept, cut = traffic()
    with Lab() as lab:
        sides(lab)
        lab.apply(TWO, ns="box")
        first, second = (os.path.join(lab.dir, name) for name in ("first", "second"))
        capture = sfcapd(lab, first)
        exporter = start(lab, "--sflow", FAR, "--counters", "1", "box0")
        lab.send("peer", "peer0", kept + cut)
        settle(lab, "box", "box0", 100)
        time.sleep(2)  # until the last datagram is sent
        lab.end(capture)
        flows = collections.Counter()
        octets = collections.Counter()
        for flow in nfdump(lab, first):
            key = flow[:5] + flow[7:]
            flows[key] += int(flow[5])
            octets[key] += int(flow[6])
        here = str(index(lab, "box0"))
        want = {("17", "192.0.2.1", "4000", "198.51.100.1", "53", here, "0"): 60,
                ("6", "10.66.0.1", "5000", "198.51.100.1", "80", here, str(ACL)): 40}
        tap.equal(dict(flows), want, "nfdump: flows, packets, interfaces, the drop's reason")
        tap.equal(sorted(octets.values()),
                  sorted([60 * (len(kept[0]) + 4), 40 * (len(cut[0]) + 4)]),
                  "nfdump: bytes of frames with their FCS")
        tap.contains(text(first + ".log"), "Packets: 100, Bytes: %d, Sequence Errors: 0, "
                     "Bad Packets: 0" % sum(octets.values()), "nfdump: it complains of nothing")
        tap.ok(wait_for(lambda: "refused" in text(exporter.err)), "nfdump: its end is said",
               text(exporter.err))
        lab.send("peer", "peer0", kept)  # more than ICMP says a word of
        settle(lab, "box", "box0", 160)
        time.sleep(2)
        capture = sfcapd(lab, second)
        tap.ok(wait_for(lambda: "there again" in text(exporter.err)), "nfdump: its return, too",
               text(exporter.err))
        lab.send("peer", "peer0", kept)
        settle(lab, "box", "box0", 220)
        tap.equal(lab.end(exporter), 0, "nfdump: the export ends")
        time.sleep(0.2)
        lab.end(capture)
        tap.equal(sum(int(flow[5]) for flow in nfdump(lab, second)), 60,
                  "nfdump: after the restart, all of the rest")
        tap.equal([text(exporter.err).count(word) for word in ("refused", "there again")], [1, 1],
                  "nfdump: each change is said once")


def with_pmacct(tap):
    """sfacctd of Debian multiplies by the rate."""
    rules = TWO.replace("sample 1", "sample 4")
    kept, cut = traffic()
    sent = (kept * 2 + cut * 3) * 40
    with Lab() as lab:
        sides(lab)
        lab.apply(rules, ns="box")
        out = os.path.join(lab.dir, "pmacct.csv")
        settings = lab.file("sfacctd.conf", """
sfacctd_ip: %s
sfacctd_port: %d
sfacctd_renormalize: true
logfile: %s.log
plugins: print
aggregate: src_host, dst_host, src_port, dst_port, proto, in_iface, out_iface
print_output: json
print_output_file: %s
print_output_file_append: true
print_refresh_time: 1
""" % (FAR, PORT, out, out))
        daemon = lab.popen(["sfacctd", "-f", settings], ns="far")
        listening(lab)
        exporter = start(lab, "--sflow", FAR, "--counters", "1", "box0")
        lab.send("peer", "peer0", sent)
        settle(lab, "box", "box0", len(sent))
        lab.end(exporter)
        time.sleep(3)
        lab.end(daemon, signal.SIGINT)
        found = collections.Counter()
        for line in text(out).splitlines():
            flow = json.loads(line)
            found[flow["ip_proto"], flow["ip_src"], flow["port_dst"], flow["iface_in"],
                  flow["iface_out"]] += flow["packets"]
        here = index(lab, "box0")
        keys = [("udp", "192.0.2.1", 53, here, 0),
                ("tcp", "10.66.0.1", 80, here, DISCARDED << 30 | ACL)]
        tap.equal(sorted(found), sorted(keys), "pmacct: flows, interfaces, the drop's reason")
        exported = int(re.search(r"(\d+) samples exported in", text(exporter.err)).group(1))
        tap.equal(sum(found.values()), 4 * exported, "pmacct: packets are samples by their rate")
        for key in keys:
            near(tap, found[key] / 4, len(sent) // 2, 0.25, "pmacct: packets of " + key[0])
        log = "".join(text(path) for path in glob.glob(out + ".log"))
        tap.ok("discarding" not in log, "pmacct: it complains of nothing", log)


def refusals(tap):
    with Lab() as lab:
        sides(lab)
        lab.apply(TWO, ns="box")
        exporter = start(lab, "--sflow", FAR, "box0")
        other = lab.sluice("log", "box0", ns="box", check=False)
        tap.equal(other.returncode, 3, "refusals: one reader at a time")
        tap.contains(other.stderr, ["box0", "(%d)" % exporter.pid, "sluice export --sflow"],
                     "refusals: it says who reads")
        lab.end(exporter)
        for args, status, said in (
                ([], 2, "usage"), (["--sflow", "x:y"], 1, "not a collector"),
                (["--sflow", FAR, "--agent", "here"], 2, "not an IPv4 or IPv6 address"),
                (["--sflow", FAR, "--counters", "0"], 2, "--counters"),
                (["--sflow", FAR, "--rule", "none"], 1, 'no rule "none"'),
                (["--sflow", "203.0.113.1"], 3, "unreachable"),
                (["--sflow", FAR, "box1"], 3, "no filter is attached")):
            done = lab.sluice("export", *args, ns="box", check=False)
            tap.equal(done.returncode, status, "refusals: %s" % " ".join(args))
            tap.contains(done.stderr, said, "refusals: says %s" % said)


def main():
    tap = Tap()
    for case, args in ((every_packet, (FAR, BOX)), (every_packet, (FAR6, BOX6)), (reasons, ()),
                       (sampling, ()), (counters, ()), (changes, ()), (lost, ()),
                       (with_nfdump, ()), (with_pmacct, ()), (refusals, ())):
        with tap.case(case.__name__):
            case(tap, *args)
    tap.done()


if __name__ == "__main__":
    main()
