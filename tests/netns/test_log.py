#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`log` rules and `sluice log` on real traffic. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]

Each record must be of a packet that was sent, with its bytes and what the
oracle says of it; none may be missing or twice but those counted as lost.
"""
import json
import math
import os
import signal
import struct

import network
from network import drain, settle, two_sides
from lab import Lab, built, wait_for
from tap import Tap, check

import capture
import config as language
import frames as raw
import oracle

HEAD = 128
RING_RECORDS = (1 << 20) // (8 + 184)  # a record with its header in the ring's 1 MiB
PASS, DROP, TX, REDIRECT = 2, 1, 3, 4  # enum xdp_action
ACTIONS = {"pass": PASS, "drop": DROP, "bounce": TX, "redirect": REDIRECT}

RULES = """
rule all      log
rule dns      log sample 1 udp to any port 53
rule quiet    log observe
rule spoofed  drop from 10.66.0.0/16
rule back     bounce udp to any port 7
rule away     redirect box1 udp to any port 9
rule taken    forward fallback drop tcp to any port 9000
rule "a web"  pass tcp to any port 80
rule late     log
"""


def mixed(count=240):
    """Frames of many kinds and lengths, each of them different."""
    found = []
    for number in range(count):
        pad = struct.pack("!I", number) + bytes(number % 90)
        src = 0x0a420001 + number if number % 3 == 0 else 0xc0000201
        layer = (raw.udp(1000 + number, (53, 7, 9, 123)[number // 2 % 4], pad) if number % 2 == 0
                 else raw.tcp(1000 + number, (80, 9000, 443)[number % 3], pad))
        proto = 17 if number % 2 == 0 else 6
        packet = (raw.ipv4(src, 0xc6336401, proto, layer) if number % 5 else
                  raw.ipv6(0x20010db8 << 96 | number, 2, proto, layer))
        found.append(raw.ethernet(0x800 if number % 5 else 0x86dd, packet,
                                  [(0x8100, 7)] if number % 7 == 0 else []))
    found.append(raw.ethernet(0x806, bytes(46)))
    found.append(raw.ethernet(0x800, b"\x45" + bytes(5)))  # truncated
    return found


def numbered(count, dport=53):
    return [raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(5, dport, struct.pack("!I", n))))
            for n in range(count)]


def start(lab, *args, ns="box"):
    """Starts `sluice log`; its output goes to the file that is the process's .out."""
    out, err = (lab.file("log%d.%s" % (len(lab.procs), name), "") for name in ("out", "err"))
    with open(out, "w") as stdout, open(err, "w") as stderr:
        proc = lab.popen([built("sluice"), "log", *args], ns=ns, stdout=stdout, stderr=stderr)
    proc.out, proc.err = out, err
    return proc


def text(path):
    with open(path) as source:
        return source.read()


def samples(proc):
    return [json.loads(line) for line in text(proc.out).splitlines() if line.endswith("}")]


def ready(proc):
    """Waits until the reader holds its lock on the ring."""
    def holds():
        with open("/proc/locks") as locks:
            return any(line.split()[-4] == str(proc.pid) for line in locks)
    assert wait_for(holds), text(proc.err)
    return proc


def follow(lab, *args):
    """A reader that is at work."""
    return ready(start(lab, "--json", *args))


def expected(config, frame):
    """What a record must say of a frame."""
    verdict, rule, reason = oracle.judge(config, frame, "box0")
    counted = oracle.counting(config, frame, "box0")
    logs = [r.name for r in config.rules if r.verdict == "log" and not r.observe
            and r.name in counted]
    return {"interface": "box0", "queue": 0, "generation": 1, "logs": logs, "verdict": verdict,
            "reason": reason, "rule": rule, "bytes": len(frame), "head": frame[:HEAD].hex()}


def every_packet(tap, mode):
    """Each packet once, as it came in, with the oracle's verdict."""
    label = mode + ": "
    rules = "interface box0 { %s }\n" % mode + RULES
    config, sent = language.parse(rules), mixed()
    want = [expected(config, frame) for frame in sent]
    with Lab() as lab:
        two_sides(lab)
        lab.apply(rules, ns="box")
        reader = follow(lab, "box0", "-c", str(len(sent)))
        lab.send("peer", "peer0", sent)
        tap.equal(reader.wait(10), 0, label + "the reader ends when it has so many")
        got = samples(reader)
        times = [sample.pop("time") for sample in got]
        wrong = ["%r\n  want %r" % pair for pair in zip(got, want) if pair[0] != pair[1]]
        tap.ok(len(got) == len(want) and not wrong, label + "a record for each packet",
               len(got), len(want), *wrong[:3])
        tap.ok(times == sorted(times) and times[0][:2] == "20", label + "in the order of time",
               times[:2])
        stats = settle(lab, "box", "box0", len(sent))
        counted = {r["name"]: r["packets"] for r in stats["rules"]}
        tap.equal((counted["all"], counted["quiet"], stats["log"]["lost"]["packets"]),
                  (len(sent), len(sent), 0), label + "log rules count; nothing is lost")
        tap.equal(len({verdict["verdict"] for verdict in want}), 4,
                  label + "the traffic meets four verdicts")
        tap.equal(lab.leftovers(), [], label + "down leaves nothing behind")


def options_of(data):
    """[(block type, {option: [values]})] of a pcapng file in little-endian order."""
    at, found = 0, []
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        check(struct.unpack_from("<I", data, at + size - 4)[0], size, "length at a block's end")
        skip = {0x0a0d0d0a: 16, 1: 8}.get(kind)
        if kind == 6:
            skip = 20 + (struct.unpack_from("<I", data, at + 20)[0] + 3) // 4 * 4
        place, options = at + 8 + skip, {}
        while place < at + size - 4:
            code, length = struct.unpack_from("<HH", data, place)
            if code:
                options.setdefault(code, []).append(data[place + 4:place + 4 + length])
            place += 4 + (length + 3) // 4 * 4
        check(place, at + size - 4, "end of a block's options")
        found.append((kind, options))
        at += size
    return found


def pcapng(tap):
    """The file as libpcap reads it, and the options by the letter of the draft."""
    rules = "interface box0, box1 { mode generic }\n" + RULES
    config, sent = language.parse(rules), mixed()
    with Lab() as lab:
        two_sides(lab)
        lab.apply(rules, ns="box")
        path = os.path.join(lab.dir, "x.pcapng")
        lab.send("peer", "peer0", sent)
        lab.send("far", "far0", sent[:1])
        first = lab.sluice("log", "box1", "-c", "1", "-w", "-", ns="box").stdout
        tap.contains(first, "sluice", "pcapng: to standard output")
        lab.send("far", "far0", sent[1:2])
        lab.sluice("log", "box0", "box1", "-w", path, "-c", str(len(sent) + 1), ns="box")
        with open(path, "rb") as source:
            blocks = options_of(source.read())
        names = [(o[2], o[9]) for kind, o in blocks if kind == 1]
        tap.equal(names, [([b"box0"], [b"\x09"]), ([b"box1"], [b"\x09"])],
                  "pcapng: both interfaces, in nanoseconds")
        plain = os.path.join(lab.dir, "x.pcap")
        told = lab.run(["tcpdump", "-r", path, "-w", plain], check=False)
        tap.equal(told.returncode, 0, "pcapng: tcpdump reads it")
        heads = [frame for _link, frame in capture.read(plain)]
        want = sorted(frame[:HEAD] for frame in sent + sent[1:2])
        if not tap.ok(sorted(heads) == want, "pcapng: the bytes are those that were sent",
                      len(heads)):
            return
        packets = [o for kind, o in blocks if kind == 6]
        whole = {frame[:HEAD]: frame for frame in sent}
        judged = [oracle.judge(config, whole[head], "box0") for head in heads]
        verdicts = [struct.pack("<BQ", 2, ACTIONS[verdict]) for verdict, _rule, _why in judged]
        tap.equal([o[7][0] for o in packets], verdicts, "pcapng: the verdict as an XDP action")
        named = [(': %s, %s%s, generation 1' % (verdict, why, ' "%s"' % rule if rule else ""))
                 for verdict, rule, why in judged]
        wrong = [pair for pair in zip((o[1][0].decode() for o in packets), named)
                 if not pair[0].startswith('log "all"') or not pair[0].endswith(pair[1])]
        tap.ok(not wrong, "pcapng: the comment names rules and verdict", *wrong[:3])
        tap.equal({(o[2][0], o[6][0]) for o in packets}, {(b"\1\0\0\0", bytes(4))},
                  "pcapng: inbound, queue 0")


def near(tap, got, tries, chance, name):
    """Within six standard deviations: by chance it fails once in 500 million runs."""
    mean, sigma = tries * chance, math.sqrt(tries * chance * (1 - chance))
    tap.ok(abs(got - mean) <= 6 * sigma, name, "%d of %d, %.0f +- %.0f" % (
        got, tries, mean, 6 * sigma))


def sampling(tap):
    """The share of packets, also where traffic and sampling have the same period."""
    rules = "interface box0\nrule some log sample 4 udp\nrule rare log sample 100 tcp\n"
    period, total = 4, 24000
    sent = [frame for four in zip(*(numbered(1, 50 + i) * (total // period)
                                    for i in range(period))) for frame in four]
    other = [raw.ethernet(0x800, raw.ipv4(1, 2, 6, raw.tcp(1, 2)))] * total
    with Lab() as lab:
        two_sides(lab)
        lab.apply(rules, ns="box")
        reader = follow(lab, "box0")
        lab.send("peer", "peer0", sent)
        lab.send("peer", "peer0", other)
        settle(lab, "box", "box0", 2 * total)
        lab.end(reader, signal.SIGINT)
        got = samples(reader)
        near(tap, sum(s["logs"] == ["rare"] for s in got), total, 1 / 100, "sampling: one in 100")
        for index in range(period):
            port = struct.pack("!H", 50 + index).hex()
            near(tap, sum(s["logs"] == ["some"] and s["head"][72:76] == port for s in got),
                 total // period, 1 / 4, "sampling: one in 4, packet %d of a period of 4" % index)
        tap.equal(lab.stats("box", "box0")["log"]["lost"]["packets"], 0, "sampling: none is lost")


def full(tap):
    """Without a reader the ring keeps the oldest, and the rest is counted as lost."""
    rules = "interface box0\nrule all log\nrule no drop udp to any port 54\n"
    sent = numbered(RING_RECORDS + 700)
    with Lab() as lab:
        two_sides(lab)
        lab.apply(rules, ns="box")
        with lab.packet_socket("box", "box0", receive=True) as arrived:
            lab.send("peer", "peer0", sent)
            stats = settle(lab, "box", "box0", len(sent))
            tap.equal(len(drain(arrived)), len(sent), "full: no packet is lost")
        tap.equal(stats["log"]["lost"], {"packets": 700, "bytes": 700 * len(sent[0])},
                  "full: samples without room are counted")
        tap.contains(lab.sluice("stats", ns="box").stdout, "log samples lost", "full: as text")
        reader = start(lab, "--json", "box0", "-c", str(RING_RECORDS))
        tap.equal(reader.wait(20), 0, "full: the ring is read")
        heads = [sample["head"] for sample in samples(reader)]
        tap.ok(heads == [frame.hex() for frame in sent[:RING_RECORDS]],
               "full: the oldest, in order", len(heads))
        tap.contains(text(reader.err), "box0: 700 samples lost", "full: the reader says so")
        last = numbered(1, 54)
        reader = follow(lab, "box0", "-c", "1")
        lab.send("peer", "peer0", last)
        tap.equal(reader.wait(10), 0, "full: then there is room again")
        tap.equal([s["head"] for s in samples(reader)], [last[0].hex()], "full: for the next one")


RELOADS = [
    "rule first log\nrule web drop udp to any port 53\n",
    "rule second log\nrule web pass udp to any port 53\n",
    # Here "third" gets the slot that "first" has left.
    "rule third log\nrule fourth drop udp to any port 53\n",
    "rule fifth log\nrule sixth log\nrule web pass\n",
    "rule web drop\n",  # no log: another ring
    "rule again log\nrule web drop\n",
]


def reloads(tap):
    """A reader stays through reloads, and names rules as they were then."""
    total = 400
    with Lab() as lab:
        two_sides(lab)
        lab.apply("interface box0\n" + RELOADS[0], ns="box")
        reader = follow(lab, "box0")
        want = []
        for index, rules in enumerate(RELOADS):
            if index:
                lab.apply("interface box0\n" + rules, ns="box")
            config = language.parse("interface box0\n" + rules)
            sent = numbered(total)
            lab.send("peer", "peer0", sent)
            settle(lab, "box", "box0", (index + 1) * total)
            judged = [dict(expected(config, frame), generation=index + 1) for frame in sent]
            want += [record for record in judged if record["logs"]]
            if index >= 3:  # the ring was changed: the reader looks twice a second
                wait_for(lambda: len(samples(reader)) == len(want))
        wait_for(lambda: len(samples(reader)) >= len(want))
        lab.sluice("down", ns="box")
        tap.equal(reader.wait(10), 0, "reloads: the reader ends with the filter")
        tap.contains(text(reader.err), "no filter is left", "reloads: and says why")
        got = samples(reader)
        for sample in got:
            del sample["time"]
        wrong = ["%r\n  want %r" % pair for pair in zip(got, want) if pair[0] != pair[1]]
        tap.ok(len(got) == len(want) and not wrong, "reloads: every packet once, by its generation",
               len(got), len(want), *wrong[:3])


def swaps(tap):
    """Reloads in the midst of traffic: a record for each packet, right by its generation."""
    sets = ["interface box0\nrule odd log\nrule cut drop udp\n",
            "interface box0\nrule even log\nrule keep pass udp\n"]
    want = {0: (["even"], "pass", "keep"), 1: (["odd"], "drop", "cut")}
    with Lab() as lab:
        two_sides(lab)
        lab.apply(sets[0], ns="box")
        reader = follow(lab, "box0")
        sender = lab.popen([built("sluice-gen"), "peer0", "--rate", "10k", "--duration", "3"],
                           ns="peer")
        applied = 1
        while sender.poll() is None and applied < 100:
            lab.apply(sets[applied % 2], ns="box")
            applied += 1
        sender.communicate(timeout=10)
        wait_for(lambda: lab.stats("box", "box0") == lab.stats("box", "box0"))
        stats = lab.stats("box", "box0")
        wait_for(lambda: len(samples(reader)) + stats["log"]["lost"]["packets"]
                 >= stats["rx"]["packets"])
        lab.end(reader)
        got = samples(reader)
        wrong = [s for s in got if (s["logs"], s["verdict"], s["rule"])
                 != want[s["generation"] % 2]]
        tap.ok(not wrong, "swaps: each record is of one generation", len(wrong), *wrong[:3])
        tap.equal(len(got) + stats["log"]["lost"]["packets"], stats["rx"]["packets"],
                  "swaps: a record for each packet")
        seen = {s["generation"] for s in got}
        tap.ok(applied > 5 and len(seen) > 5, "swaps: there were many", applied, len(seen))
        tap.diag("%d reloads, %d packets" % (applied - 1, stats["rx"]["packets"]))


def late(tap):
    """A reader that comes two reloads later does not name what it cannot know."""
    with Lab() as lab:
        two_sides(lab)
        for index, rules in enumerate(RELOADS[:3]):
            lab.apply("interface box0\n" + rules, ns="box")
            lab.send("peer", "peer0", numbered(1))
            settle(lab, "box", "box0", index + 1)
        reader = start(lab, "--json", "box0", "-c", "3")
        tap.equal(reader.wait(10), 0, "late: all three are there")
        tap.equal([(s["generation"], s["logs"], s["rule"], s["verdict"]) for s in samples(reader)],
                  [(1, [None], None, "drop"), (2, [None], None, "pass"),
                   (3, ["third"], "fourth", "drop")],
                  "late: names are those of the generation or none")


def jumbo(tap):
    """xdp.frags: the head comes from the first buffer, the length is the packet's."""
    rules = "interface box0 { frags on }\nrule all log\nrule big drop udp to any port 7\n"
    sent = [raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(1, 7 + size % 2, bytes(size))))
            for size in (1, 60, 86, 87, 1400, 5000, 8900)]
    with Lab() as lab:
        two_sides(lab, mtu=9000)
        lab.apply(rules, ns="box")
        config = language.parse(rules)
        reader = follow(lab, "box0", "-c", str(len(sent)))
        lab.send("peer", "peer0", sent)
        tap.equal(reader.wait(10), 0, "jumbo: as many records as packets")
        got = [{k: v for k, v in s.items() if k != "time"} for s in samples(reader)]
        tap.equal(got, [expected(config, frame) for frame in sent], "jumbo: what they say")


def command(tap):
    """Options, refusals, and what makes no record."""
    rules = "interface box0\nrule dns log udp to any port 53\nrule all log\nrule no drop tcp\n"
    with Lab() as lab:
        two_sides(lab)

        def refused(status, parts, *args):
            told = lab.sluice("log", *args, ns="box", check=False, timeout=10)
            tap.ok(told.returncode == status and all(p in told.stderr for p in parts),
                   "command: log %s: %d" % (" ".join(args), status), told.returncode, told.stderr)

        refused(3, ["no filter is attached"])
        refused(3, ["box0: no filter is attached"], "box0")
        lab.apply("interface box0\nrule no drop tcp\n", ns="box")
        shown = lab.output(["bpftool", "-j", "map", "show"])
        programs = lab.output(["bpftool", "-j", "prog", "show", "id",
                               str(network.program(lab, "box", "box0"))])
        mine = [m for m in json.loads(shown) if m.get("name") == "sl_log"
                and m["id"] in json.loads(programs)["map_ids"]]
        tap.equal([m["max_entries"] for m in mine], [os.sysconf("SC_PAGESIZE")],
                  "command: without a log rule the ring is one page")
        lab.apply(rules, ns="box")
        refused(1, ['no rule "nil"'], "box0", "--rule", "nil")
        for wrong in (["-c", "0"], ["-c", "x"], ["--json", "-w", "x"], ["--no"]):
            refused(2, [], "box0", *wrong)
        refused(3, ["create"], "box0", "-w", lab.dir + "/none/x")
        # What is only explained is not logged: the first record is of what was sent.
        probe, sent = numbered(1, 53), numbered(1, 99)
        path = lab.file("probe.pcap", b"")
        capture.write(path, probe * 5)
        lab.sluice("explain", "box0", path, ns="box")
        reader = follow(lab, "box0", "--rule", "all", "-c", "2")
        told = lab.sluice("log", "box0", ns="box", check=False, timeout=10)
        tap.ok(told.returncode == 3 and "(%d)" % reader.pid in told.stderr,
               "command: a second reader is refused, and told whose the first is", told.stderr)
        lab.send("peer", "peer0", sent + probe)
        tap.equal(reader.wait(10), 0, "command: read")
        tap.equal([s["head"] for s in samples(reader)], [sent[0].hex(), probe[0].hex()],
                  "command: explain makes no record")
        only = follow(lab, "box0", "--rule", "dns", "-c", "1")
        lab.send("peer", "peer0", sent + probe)
        tap.equal((only.wait(10), [s["logs"] for s in samples(only)]), (0, [["dns", "all"]]),
                  "command: --rule shows that rule's")
        tcp = [raw.ethernet(0x86dd, raw.ipv6(1, 2, 6, raw.tcp(3, 4)), [(0x8100, 5)])]
        lab.send("peer", "peer0", tcp)
        told = lab.sluice("log", "--rule", "no", "-c", "1", ns="box", timeout=10).stdout
        tap.contains(told, 'Z box0 log "all": drop, rule "no", %d bytes, vlan 5 tcp [::1]:3 > '
                     '[::2]:4\n' % len(tcp[0]), "command: as text, by the rule that decided")
        lab.send("peer", "peer0", probe)
        broken = lab.run(["sh", "-c", built("sluice") + " log box0 --json > /dev/full"], ns="box",
                         check=False)
        tap.ok(broken.returncode == 3 and "cannot write" in broken.stderr,
               "command: a full disk is an error", broken)


def flood(tap):
    """From two senders at full speed: written and lost add up, no verdict is missing."""
    rules = "interface box0\nrule all log\nrule no drop udp\n"
    with Lab() as lab:
        two_sides(lab)
        lab.apply(rules, ns="box")
        path = os.path.join(lab.dir, "x.pcapng")
        reader = start(lab, "box0", "-w", path)
        ready(reader)
        lab.run([built("sluice-gen"), "peer0", "--duration", "1", "--threads", "2"], ns="peer")
        wait_for(lambda: lab.stats("box", "box0") == lab.stats("box", "box0"))
        stats = lab.stats("box", "box0")
        tap.equal(lab.end(reader, signal.SIGINT), 0, "flood: the reader ends on SIGINT")
        rx = stats["rx"]["packets"]
        with open(path, "rb") as source:
            written = sum(kind == 6 for kind, _options in options_of(source.read()))
        tap.equal(written + stats["log"]["lost"]["packets"], rx, "flood: written + lost = received")
        tap.equal(sum(r["packets"] for r in stats["reasons"].values()), rx,
                  "flood: every packet has a verdict")
        tap.ok(rx > RING_RECORDS, "flood: more than the ring holds", rx)
        tap.diag("%d packets, %d written" % (rx, written))


def main():
    tap = Tap()
    for mode in ("mode native", "mode generic", "mode native; frags on"):
        every_packet(tap, mode)
    pcapng(tap)
    sampling(tap)
    full(tap)
    reloads(tap)
    swaps(tap)
    late(tap)
    jumbo(tap)
    command(tap)
    flood(tap)
    tap.done()


if __name__ == "__main__":
    main()
