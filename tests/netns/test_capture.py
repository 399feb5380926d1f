#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`sluice capture` and `sluice explain --live` on real traffic. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]

Packets come from a tap on the filter or, where the kernel lets nobody tap, from a `log`
rule. Which of them is found by asking; a guest's kernel (tests/vm) must let us tap.
"""
import json
import math
import os
import re
import signal
import struct

from network import settle, two_sides
from lab import EMULATED, Lab, built, wait_for
from tap import Tap

import capture
import config as language
import frames as raw
import oracle

RULES = """
default drop
%srule dns  drop udp to any port 53
rule web  pass tcp to any port 80
rule back bounce udp to any port 7
"""
HEAD = 128


class Way:
    """Where packets come from, and what follows from that."""

    def __init__(self, taps):
        self.taps = taps
        self.name = "tap" if taps else "log"
        self.log = "" if taps else "rule watch log\n"
        self.rules = "interface box0\n" + RULES % self.log
        self.config = language.parse(self.rules)
        self.logged = "" if taps else ', logged by "watch"'
        self.most = 1 << 16 if taps else HEAD

    def comment(self, frame, generation=1):
        verdict, rule, reason = oracle.judge(self.config, frame, "box0")
        return '%s, %s%s%s, generation %d' % (
            verdict, reason, ' "%s"' % rule if rule else "", self.logged, generation)


def mixed(count=60):
    """Frames of several lengths that meet every rule and the default, each different."""
    found = []
    for number in range(count):
        pad = struct.pack("!I", number) + bytes(number * 23 % 1400)
        layer = (raw.udp(1000 + number, (53, 7, 123)[number // 2 % 3], pad) if number % 2
                 else raw.tcp(1000 + number, (80, 443)[number // 2 % 2], pad))
        ip = (raw.ipv4(0xc0000201, 0xc6336401, 17 if number % 2 else 6, layer) if number % 5 else
              raw.ipv6(0x20010db8 << 96 | number, 2, 17 if number % 2 else 6, layer))
        found.append(raw.ethernet(0x800 if number % 5 else 0x86dd, ip,
                                  [(0x8100, 7)] if number % 7 == 0 else []))
    found.append(raw.ethernet(0x800, b"\x45" + bytes(45)))  # malformed
    return found


def dropped(way, frames):
    return [f for f in frames if oracle.judge(way.config, f, "box0")[0] == "drop"]


def start(lab, *args):
    """Starts a command that reads packets; its output goes to files: .out and .err."""
    out, err = (lab.file("run%d.%s" % (len(lab.procs), name), "") for name in ("out", "err"))
    with open(out, "w") as stdout, open(err, "w") as stderr:
        proc = lab.popen([built("sluice")] + list(args), ns="box", stdout=stdout, stderr=stderr)
    proc.out, proc.err = out, err

    def reads():
        assert proc.poll() is None, text(err)
        with open("/proc/locks") as locks:
            if any(line.split()[-4] == str(proc.pid) for line in locks):
                return True
        folder = "/proc/%d/fdinfo" % proc.pid
        return any("link_type:\ttracing" in text(os.path.join(folder, name))
                   for name in os.listdir(folder))
    assert wait_for(reads, 20), text(err)
    return proc


def text(path):
    try:
        with open(path) as source:
            return source.read()
    except FileNotFoundError:  # a descriptor that is closed meanwhile
        return ""


def objects(proc):
    return [json.loads(line) for line in text(proc.out).splitlines()]


def tshark(lab, path, *fields):
    """[[field, ...]] of each packet, as tshark reads the file."""
    argv = ["tshark", "-n", "-r", path, "-T", "fields"]
    for field in fields:
        argv += ["-e", field]
    return [line.split("\t") for line in lab.output(argv, timeout=60).splitlines()]


def heads(lab, path, plain=None):
    """The packets' bytes, by tcpdump."""
    plain = plain or path + ".pcap"
    lab.run(["tcpdump", "-r", path, "-w", plain])
    return [frame for _link, frame in capture.read(plain)]


def whole(tap, lab, way):
    """Every drop, its bytes, and what tshark reads of it."""
    sent = mixed()
    want = dropped(way, sent)
    path = os.path.join(lab.dir, "drops.pcapng")
    proc = start(lab, "capture", "box0", "-o", path, "-c", str(len(want)))
    lab.send("peer", "peer0", sent)
    tap.equal(proc.wait(20), 0, "ends after so many")
    tap.ok(heads(lab, path) == [frame[:way.most] for frame in want], "the bytes of each drop")
    got = tshark(lab, path, "frame.comment", "frame.interface_name", "frame.len")
    rows = [[way.comment(frame), "box0", str(len(frame))] for frame in want]
    wrong = [pair for pair in zip(got, rows) if pair[0] != pair[1]]
    tap.ok(len(got) == len(rows) and not wrong, "tshark: rule and reason, interface, length",
           len(got), len(rows), *wrong[:3])
    # tshark's own filter on the comment, as people use it.
    named = lab.output(["tshark", "-n", "-r", path, "-Y", 'frame.comment contains "dns"'],
                       timeout=60).splitlines()
    tap.equal(len(named), sum('"dns"' in way.comment(frame) for frame in want),
              "tshark: a filter on the comment")


def narrowed(tap, lab, way):
    """By pcap filter, rule, reason; to a pipe."""
    sent = mixed()
    want = dropped(way, sent)
    dns = [f for f in want if oracle.judge(way.config, f, "box0")[1] == "dns"]
    default = [f for f in want if oracle.judge(way.config, f, "box0")[2] == "default"]
    tagged = [f for f in dns if f[12:14] == b"\x81\x00"]
    assert 0 < len(tagged) < len(dns) < len(want) > len(default) > 0
    for name, args, expected in (
            ("--rule", ("--rule", "dns"), dns),
            ("--reason", ("--reason", "default"), default),
            ("a pcap filter", ("vlan 7 and udp port 53",), tagged),
            ("a pcap filter in words", ("vlan", "7", "and", "udp", "port", "53"), tagged)):
        proc = start(lab, "capture", "box0", "-o", "-", *args)
        before = lab.stats("box", "box0")["rx"]["packets"]
        lab.send("peer", "peer0", sent)
        settle(lab, "box", "box0", before + len(sent))
        tap.equal(lab.end(proc, signal.SIGINT), 0, name + ": a signal ends it")
        tap.ok(heads(lab, proc.out) == [f[:way.most] for f in expected],
               name + ": these and no others", len(expected))


def lines(tap, lab, way):
    """--all as JSON; text; what `explain --live` says."""
    sent = mixed()
    judged = [oracle.judge(way.config, frame, "box0") for frame in sent]
    proc = start(lab, "capture", "--json", "--all", "box0", "-c", str(len(sent)))
    lab.send("peer", "peer0", sent)
    tap.equal(proc.wait(20), 0, "--all: ends")
    got = objects(proc)
    tap.equal([(o["verdict"], o["rule"], o["reason"]) for o in got], judged,
              "--all: verdicts, rules and reasons")
    tap.equal([(o["bytes"], o["interface"], o["generation"]) for o in got],
              [(len(f), "box0", 1) for f in sent], "--all: lengths")
    tap.equal({str(o["doubt"]) for o in got}, {"None"}, "--all: there is no doubt")
    proc = start(lab, "capture", "box0", "-c", "1")
    lab.send("peer", "peer0", [f for f in sent if oracle.judge(
        way.config, f, "box0")[1] == "dns"])
    proc.wait(20)
    tap.contains(text(proc.out), ['box0 drop, rule "dns"' + way.logged, "bytes, ", "udp "],
                 "as text")
    proc = start(lab, "explain", "--live", str(len(sent)), "box0", "--json")
    lab.send("peer", "peer0", sent)
    tap.equal(proc.wait(20), 0, "explain --live: ends after so many")
    got = objects(proc)
    tap.equal([(o["packet"], o["verdict"], o["rule"], o["reason"]) for o in got],
              [(n + 1,) + j for n, j in enumerate(judged)], "explain --live: as the oracle says")
    proc = start(lab, "explain", "--live", "2", "box0")
    lab.send("peer", "peer0", sent[:2])
    proc.wait(20)
    tap.ok(text(proc.out).startswith('packet 1: pass, rule "web"; ') and "\npacket 2: " in
           text(proc.out), "explain --live: as text", text(proc.out))


def full_disk(tap, lab):
    """A disk that fills up: what was written is whole packets."""
    path = os.path.join(lab.dir, "small")
    os.mkdir(path)
    lab.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", path])
    try:
        proc = start(lab, "capture", "box0", "-o", path + "/x.pcapng")
        for _ in range(20):
            lab.send("peer", "peer0", [raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(
                5, 53, bytes(100)))) for _ in range(100)])
        tap.equal(proc.wait(20), 3, "a disk that fills up: ends")
        tap.contains(text(proc.err), "No space left", "a disk that fills up: is said")
        count = len(heads(lab, path + "/x.pcapng", os.path.join(lab.dir, "plain.pcap")))
        tap.ok(count > 50, "a disk that fills up: whole packets", count)
    finally:
        lab.run(["umount", path])


def bounds(tap, lab, way):
    """--size, --duration, --sample, and disks that are full."""
    path = os.path.join(lab.dir, "bounded.pcapng")
    frames = [raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(5, 53, bytes(200) + struct.pack(
        "!I", n)))) for n in range(2000)]
    proc = start(lab, "capture", "box0", "-o", path, "--size", "16K")
    lab.send("peer", "peer0", frames)
    tap.equal(proc.wait(20), 0, "--size: ends")
    size, count = os.path.getsize(path), len(heads(lab, path))
    tap.ok(12 << 10 < size <= 16 << 10 and count > 20, "--size: and is kept", size, count)
    tap.contains(text(proc.err), ["ends at its --size", "after %d packets" % count],
                 "--size: is said")
    done = lab.sluice("capture", "box0", "-o", path, "--duration", "1", "port 1", ns="box")
    tap.equal((done.returncode, heads(lab, path)), (0, []), "--duration: ends, an empty file")
    before = lab.stats("box", "box0")["rx"]["packets"]
    proc = start(lab, "capture", "box0", "-o", path, "--sample", "4")
    lab.send("peer", "peer0", frames)
    settle(lab, "box", "box0", before + len(frames))
    tap.equal(lab.end(proc, signal.SIGTERM), 0, "--sample: SIGTERM ends it")
    mean, sigma = len(frames) / 4, math.sqrt(len(frames) * 3 / 16)
    count = len(heads(lab, path))
    tap.ok(abs(count - mean) < 6 * sigma, "--sample: one in four", count, text(proc.err))
    done = lab.sluice("capture", "box0", "-o", "/dev/full", ns="box", check=False)
    tap.equal(done.returncode, 3, "a full disk: ends")
    tap.contains(done.stderr, ["/dev/full", "No space left"], "a full disk: is said")
    full_disk(tap, lab)


def limited(tap, lab, way):
    """What a limit rule drops, which explaining alone would not find; and a reload."""
    rules = "interface box0\n%srule slow limit 1pps burst 1 udp to any port 7\n" % way.log
    frames = [raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(5, 7, bytes([n])))) for n in range(9)]
    path = os.path.join(lab.dir, "limited.pcapng")
    lab.apply("interface box0\n" + way.log, ns="box")
    proc = start(lab, "capture", "box0", "--json")
    lab.apply(rules, ns="box")  # the capture follows
    wait_for(lambda: False, 1.5)
    lab.send("peer", "peer0", frames)
    wait_for(lambda: len(objects(proc)) >= 7, 5)
    lab.end(proc, signal.SIGINT)
    got = {(o["verdict"], o["reason"], o["rule"], o["generation"]) for o in objects(proc)}
    tap.equal(got, {("drop", "limited", "slow", 3)}, "a limit rule, after a reload")
    tap.ok(len(objects(proc)) >= 7, "each packet over the limit", len(objects(proc)))
    proc = start(lab, "capture", "box0", "-o", path)
    lab.sluice("down", ns="box")
    tap.equal(proc.wait(20), 0, "the filter is gone: ends")
    tap.contains(text(proc.err), "no filter is left", "the filter is gone: is said")


def flood(tap, lab, way):
    """More than is read: each packet is in the file or counted as missing."""
    frames = [raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(5, 53, bytes(1000))))] * 7000
    path = os.path.join(lab.dir, "flood.pcapng")
    lab.sluice("down", ns="box")
    lab.apply(way.rules, ns="box")
    proc = start(lab, "capture", "box0", "-o", path)
    proc.send_signal(signal.SIGSTOP)
    lab.send("peer", "peer0", frames)
    settle(lab, "box", "box0", len(frames))
    proc.send_signal(signal.SIGCONT)
    assert wait_for(lambda: os.path.getsize(path) > 100000)
    tap.equal(lab.end(proc, signal.SIGINT), 0, "a flood: ends")
    missing = re.search(r"box0: (\d+) packets are missing", text(proc.err))
    count = len(heads(lab, path))
    tap.ok(missing and 100 < count < len(frames) and
           count + int(missing[1]) == len(frames), "a flood: what is missing is counted",
           count, text(proc.err))


def bare(tap, lab):
    """A filter that iproute2 attached, which knows no rules."""
    lab.sluice("down", ns="box")
    lab.run(["ip", "link", "set", "dev", "box0", "xdp", "obj", built("sluice.bpf.o"), "sec", "xdp"],
            ns="box")
    proc = start(lab, "capture", "box0", "--json", "--all", "-c", "1")
    lab.send("peer", "peer0", mixed(1))
    proc.wait(20)
    tap.equal([(o["verdict"], o["rule"], o["reason"], o["doubt"]) for o in objects(proc)],
              [("pass", None, "default", None)], "a filter without rules passes")
    lab.run(["ip", "link", "set", "dev", "box0", "xdp", "off"], ns="box")


def extensions(tap, lab):
    """With an extension the filter is another program; what it drops the rules cannot tell."""
    question = b"\1a\0" + struct.pack("!HH", 255, 1)
    query = raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(5, 53, struct.pack(
        "!HHHHHH", 1, 0x100, 1, 0, 0, 0) + question)))
    cut = raw.ethernet(0x800, raw.ipv4(1, 2, 6, raw.tcp(5, 81)))
    lab.apply('interface box0\nextension before 0 "%s"\nrule cut drop tcp\n' %
              built("ext/drop_dns_any.bpf.o"), ns="box")
    proc = start(lab, "capture", "box0", "--json", "-c", "2")
    lab.send("peer", "peer0", [query, cut])
    proc.wait(20)
    tap.equal([(o["verdict"], o["rule"], o["reason"], o["doubt"]) for o in objects(proc)],
              [("drop", None, None, "an extension did"),
               ("drop", "cut", "rule", "an extension may have decided")],
              "an extension's drop, and a rule's beside it")


def errors(tap, lab):
    for name, args, status, says in (
            ("a pcap filter that is none", ("box0", "udp prot 53"), 1, "pcap-filter"),
            ("a rule that is none", ("box0", "--rule", "nine"), 1, 'no rule "nine"'),
            ("a reason that is none", ("box0", "--reason", "x"), 2, "there are: rule"),
            ("a size that is none", ("box0", "-o", "x", "--size", "0"), 2, "--size 0"),
            ("a size to a pipe", ("box0", "-o", "-", "--size", "1M"), 2, "usage"),
            ("a size without a file", ("box0", "--size", "1M"), 2, "usage"),
            ("JSON to a file", ("box0", "--json", "-o", "x"), 2, "usage"),
            ("no such folder", ("box0", "-o", "/nowhere/x"), 3, "/nowhere/x: create"),
            ("one without a filter", ("box1",), 3, "box1: no filter is attached")):
        done = lab.sluice("capture", *args, ns="box", check=False)
        tap.equal((done.returncode, says in done.stderr), (status, True), name)
    done = lab.sluice("explain", "--live", "0", "box0", ns="box", check=False)
    tap.equal(done.returncode, 2, "explain --live 0")
    done = lab.sluice("explain", "--live", "1", "box0", "x.pcap", ns="box", check=False)
    tap.equal(done.returncode, 2, "explain --live of a file")


def elsewhere(tap, lab):
    """In a mount namespace of its own, as a container's: a path is what the caller sees."""
    folder = os.path.join(lab.dir, "own")
    os.mkdir(folder)
    packets = os.path.join(lab.dir, "one.pcap")
    capture.write(packets, [raw.ethernet(0x800, raw.ipv4(1, 2, 6, raw.tcp(5, 80)))])

    def attempt(script):
        # Without the bpffs that the filter is pinned in: sluice has to go and look for it.
        return lab.run(["unshare", "-m", "sh", "-ec", "mount -t tmpfs none /run/sluice\n"
                        'mount -t tmpfs none "$1"; cd "$1"; cp "$2" own.pcap\n' + script,
                        built("sluice"), folder, packets], ns="box", check=False)

    for what, script in (
            ("capture -o", '"$0" capture --duration 1 -o "$1/x" box0; test -s x'),
            ("capture -o, by a relative path", '"$0" capture --duration 1 -o x box0; test -s x'),
            ("log -w", '"$0" log -w "$1/x" box0 & sleep 2; kill $!; wait $!; test -s x'),
            ("explain", '"$0" explain box0 "$1/own.pcap"')):
        done = attempt(script)
        tap.ok(done.returncode == 0, "a mount namespace of its own: " + what, done.stderr)
    done = attempt('echo old >x; "$0" capture --rule nine -o x box0 || cat x')
    tap.equal(done.stdout, "old\n", "what is refused leaves the file")


def taps(tap, lab):
    """Does this kernel let us tap? What it says if not."""
    lab.apply("interface box0\n", ns="box")
    done = lab.sluice("capture", "--duration", "1", "box0", ns="box", check=False)
    if done.returncode == 0:
        tap.equal((done.stdout, done.stderr), ("", ""), "a tap: nothing to say")
        return True
    tap.equal(done.returncode, 3, "no tap, no log rule: refused")
    tap.contains(done.stderr, ["refuses", "fexit", "rule watch log sample"],
                 "no tap: why, what to do")
    assert not EMULATED, done.stderr
    tap.skip("a tap", "this kernel refuses fexit; tests/vm has one that does not")
    lab.apply("interface box0\nrule watch log\n", ns="box")
    done = lab.sluice("capture", "--duration", "1", "box0", ns="box")
    tap.contains(done.stderr, ["refuses", "first 128 bytes", "`log` rules"],
                 "no tap: what comes in its place")
    return False


def main():
    tap = Tap()
    with Lab() as lab:
        two_sides(lab)
        way = Way(taps(tap, lab))
        lab.sluice("down", ns="box")
        lab.apply(way.rules, ns="box")
        for part in (whole, narrowed, lines, bounds):
            part(tap, lab, way)
        flood(tap, lab, way)
        errors(tap, lab)
        elsewhere(tap, lab)
        limited(tap, lab, way)
        if way.taps:
            extensions(tap, lab)
            bare(tap, lab)
        tap.equal(lab.leftovers(), [], "nothing is left behind")
    tap.done()


if __name__ == "__main__":
    main()
