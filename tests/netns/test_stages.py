#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The forwarder's stages, on real traffic. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
                        \\_ wire _/
                               tap0 ---- seen0 [seen]      a mirror's interface
"""
import json
import os
import signal
import stat
import struct
import time

from scapy.all import rdpcap

from network import TESTS, drain, two_sides
from lab import Lab, built, wait_for
from tap import Tap
from test_forwarder import Flood, Forwarder, accounted
from test_log import options_of

import capture as pcap
import frames as raw

CONFIG = """
interface box0, box1
default pass
rule wire forward fallback drop
forwarder { wire box0 box1; workers %d; zero-copy off
%s
}
"""
# Drops UDP to port 9, lets all else pass.
DROPPER = """
#include <sluice/stage.h>
static void process(void *state, const struct sl_stage_burst *burst)
{
	(void)state;
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct iovec *head = burst->packets[i].buffers;
		const uint8_t *frame = head->iov_base;
		burst->packets[i].drop = head->iov_len >= 42 && frame[23] == 17 &&
			!frame[36] && frame[37] == 9;
	}
}
const struct sl_stage_object sluice_stage = { .abi = %s, .process = process };
"""
# Counts on by itself: init, what it is told of each packet, and fini. Says so at the end.
TELLER = """
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sluice/stage.h>
struct told { uint32_t worker, workers, packets, in, out, queue, rule, bursts; uint64_t bytes; };
static int init(const struct sl_stage_start *start, void **state)
{
	struct told *told = REFUSES ? NULL : calloc(1, sizeof(*told));
	if (!told)
		return -ENOMEM;
	told->worker = start->worker;
	told->workers = start->workers;
	*state = told;
	return 0;
}
static void process(void *state, const struct sl_stage_burst *burst)
{
	struct told *told = state;
	told->bursts += burst->n >= 1 && burst->n <= 64 && burst->now_ns != 0;
	for (uint32_t i = 0; i < burst->n; i++) {
		struct sl_stage_packet *packet = &burst->packets[i];
		uint32_t bytes = 0;
		for (uint32_t k = 0; k < packet->n_buffers; k++)
			bytes += packet->buffers[k].iov_len;
		told->packets += bytes == packet->bytes && !packet->drop;
		told->bytes += bytes;
		told->in = packet->in;
		told->out = packet->out;
		told->queue = packet->queue;
		told->rule = packet->rule;
	}
}
static void fini(void *state)
{
	struct told *told = state;
	fprintf(stderr, "told %u/%u: %u packets %llu bytes in %u out %u queue %u rule %d\\n",
		told->worker, told->workers, told->packets, (unsigned long long)told->bytes,
		told->in, told->out, told->queue, (int)told->rule);
	free(told);
}
const struct sl_stage_object sluice_stage = { SL_STAGE_ABI, 0, init, process, fini };
"""
UNIQUE = 2000  # datagrams that a test sends, no two alike


def config(*stages, workers=1):
    return CONFIG % (workers, "\n".join(stages))


def shared_object(lab, name, source, *flags):
    """Builds a stage; its path."""
    path = os.path.join(lab.dir, name)
    include = os.path.join(TESTS, "..", "include")
    lab.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-I", include, "-o", path, "-x", "c",
             lab.file(name + ".c", source)] + list(flags))
    return path


def unique(count=UNIQUE, port=7, size=40):
    """Datagrams of different length and content."""
    return [raw.ethernet(0x800, raw.ipv4(0x0a000001, 0xc0000201, raw.UDP, raw.udp(
        number, port, struct.pack("!I", number) + bytes(size + number % 7)))) for number in
            range(count)]


def arrivals(sock, count):
    """Frames that come in on a socket: `count`, or what came in 10 s; and what comes after."""
    got, end = drain(sock, 0.05), time.monotonic() + 10
    while len(got) < count and time.monotonic() < end:
        got += drain(sock, 0.05)
    return got


def through(lab, frames, passes=lambda frame: True):
    """
    What arrives in `far` of what is sent in `peer`, where those that `passes` are expected.
    So few at a time that no ring overflows, however busy the machine is.
    """
    got = []
    with lab.packet_socket("far", "far0", receive=True) as far:
        for start in range(0, len(frames), 100):
            part = frames[start:start + 100]
            lab.send("peer", "peer0", part)
            got += arrivals(far, sum(map(passes, part)))
    return got


def stages_now(forwarder):
    """The statistics of the stages while it runs."""
    forwarder.proc.send_signal(signal.SIGUSR1)
    return json.loads(forwarder.proc.stdout.readline())["stages"]


def ends(tap, label, forwarder):
    """A clean end at which everything adds up; the stages' statistics."""
    status, stats = forwarder.stop()
    accounted(tap, label, status, stats)
    ports = [port for worker in stats["workers"] for port in worker["ports"]]
    taken = sum(port["rx"]["packets"] for port in ports)
    sent = sum(port["tx"]["packets"] for port in ports)
    drops = {reason: sum(port["drops"][reason] for port in ports) for reason in ports[0]["drops"]}
    tap.equal(taken, sent + sum(drops.values()), label + "received = sent + dropped")
    stages = stats["stages"]
    for kind, reason in (("police", "policed"), ("stage", "stage")):
        tap.equal(sum(s["dropped"] for s in stages if s["stage"] == kind), drops[reason],
                  label + "what %s drops has its reason" % kind)
    for before, after in zip(stages, stages[1:]):
        tap.equal(after["packets"], before["packets"] - before["dropped"],
                  label + "a stage sees what the one before lets pass")
    return stages


def police(tap):
    """Over the rate: what passes is the rate and the burst, however many workers there are."""
    for rate, workers, unit in (("100pps", 1, 1), ("100pps", 2, 1), ("66kbps", 1, 82 * 8)):
        label = "police %s, %d workers: " % (rate, workers)
        with Lab() as lab:
            lab.add("peer", "box", "far")
            lab.veth("peer", "peer0", "box", "box0", queues=workers)
            lab.veth("box", "box1", "far", "far0", queues=workers)
            text = config("police " + rate, workers=workers)
            lab.apply(text, ns="box")
            forwarder = Forwarder(lab, text)
            with lab.packet_socket("peer", "peer0") as out:
                flood = Flood(out)
                begin = time.monotonic()
                flood.start()
                time.sleep(3)
                flood.stop()
                took = time.monotonic() - begin
            stages = ends(tap, label, forwarder)
            # 100 ms of the rate, but 64 KiB at least where it is in bits.
            burst = 10 if unit == 1 else 65536 // 82
            per_s = 100 if unit == 1 else 66000 / unit
            passed = stages[0]["packets"] - stages[0]["dropped"]
            # At least half: the sender may have been held up. The unit test is exact.
            tap.ok(0.5 * (burst + per_s * 3) < passed <= burst + per_s * took * 1.02,
                   label + "what passes", passed, stages, took)
            tap.ok(stages[0]["dropped"] > 1000, label + "the rest is dropped", stages)


def police_below(tap):
    with Lab() as lab:
        two_sides(lab)
        text = config("police 1Mpps", "police 1Gbps")
        lab.apply(text, ns="box")
        forwarder = Forwarder(lab, text)
        tap.equal(len(through(lab, unique())), UNIQUE, "police: below the rate all pass")
        stages = ends(tap, "police below: ", forwarder)
        tap.equal([(s["target"], s["packets"], s["dropped"]) for s in stages],
                  [("1Mpps", UNIQUE, 0), ("1Gbps", UNIQUE, 0)], "police: both have seen them")


def with_tap(lab):
    two_sides(lab)
    lab.add("seen")
    lab.veth("box", "tap0", "seen", "seen0")


def mirror(tap):
    frames = unique()
    with Lab() as lab:
        with_tap(lab)
        text = config("mirror tap0")
        lab.apply(text, ns="box")
        forwarder = Forwarder(lab, text)
        with lab.packet_socket("seen", "seen0", receive=True) as seen:
            arrived = through(lab, frames)
            copies = arrivals(seen, len(frames))
        tap.equal(arrived, frames, "mirror: the originals arrive, in order")
        tap.equal(copies, frames, "mirror: so do the copies")
        # Copies cannot leave any more; packets do not mind.
        lab.run(["ip", "link", "set", "tap0", "down"], ns="box")
        tap.equal(through(lab, frames), frames, "mirror: with its interface down, all arrive")
        tap.ok(wait_for(lambda: "Network is down" in forwarder.messages()),
               "mirror: the failure is told", forwarder.messages())
        wait_for(lambda: stages_now(forwarder)[0]["lost"] == UNIQUE)
        lab.run(["ip", "link", "set", "tap0", "up"], ns="box")
        with lab.packet_socket("seen", "seen0", receive=True) as seen:
            wait_for(lambda: "state UP" in lab.output(["ip", "-o", "link", "show", "tap0"],
                                                      ns="box"))
            through(lab, frames[:500])
            tap.equal(arrivals(seen, 500), frames[:500], "mirror: up again, it goes on by itself")
        stages = ends(tap, "mirror: ", forwarder)
        tap.equal((stages[0]["copied"], stages[0]["lost"]), (UNIQUE + 500, UNIQUE),
                  "mirror: copied and lost copies are counted")
        tap.ok("mirror tap0 (line 6): send copies" in forwarder.messages(),
               "mirror: the message names it", forwarder.messages())


def packets_of(path):
    """The options of each packet of a capture, by the letter of the draft."""
    with open(path, "rb") as source:
        return [options for kind, options in options_of(source.read()) if kind == 6]


def captures(tap):
    """Before and behind a stage that drops; sampled; both directions."""
    keep, gone = unique(), unique(500, port=9)
    with Lab() as lab:
        two_sides(lab)
        shared_object(lab, "dropper.so", DROPPER % "SL_STAGE_ABI")
        text = config('capture "all.pcapng"', 'stage "dropper.so"', 'capture "kept.pcapng"',
                      'capture "some.pcapng" sample 10')
        lab.apply(text, ns="box")
        forwarder = Forwarder(lab, text)
        arrived = through(lab, gone + keep, lambda frame: frame[36:38] == b"\0\7")
        with lab.packet_socket("peer", "peer0", receive=True) as peer:
            lab.send("far", "far0", keep[:1])
            back = arrivals(peer, 1)
        tap.equal((arrived, back), (keep, keep[:1]), "capture: what is not dropped arrives")
        begin = time.time()
        stages = ends(tap, "capture: ", forwarder)
        tap.equal([s["dropped"] for s in stages], [0, 500, 0, 0], "capture: one stage drops")
        tap.equal([s.get("copied") for s in stages],
                  [UNIQUE + 501, None, UNIQUE + 1, (UNIQUE + 1 + 9) // 10],
                  "capture: all, the kept, one in ten are written")
        paths = [os.path.join(lab.dir, name + ".pcapng") for name in ("all", "kept", "some")]
        found = [[frame for _link, frame in pcap.read(path)] for path in paths]
        tap.equal(found[0], gone + keep + keep[:1], "capture: before the stage: all, whole")
        tap.equal(found[1], keep + keep[:1], "capture: behind it: what it let pass")
        tap.equal(found[2], (keep + keep[:1])[::10], "capture: each tenth")
        blocks = packets_of(paths[0])
        tap.equal([o[1][0].decode() for o in (blocks[0], blocks[-1])],
                  ["forward by wire, box0 queue 0 -> box1 queue 0",
                   "forward by wire, box1 queue 0 -> box0 queue 0"],
                  "capture: verdict, rule, way, queue")
        tap.equal({(o[2][0], o[6][0], o[7][0]) for o in blocks},
                  {(b"\1\0\0\0", bytes(4), struct.pack("<BQ", 2, 4))},
                  "capture: inbound, queue 0, XDP_REDIRECT")
        read = rdpcap(paths[0])
        tap.equal(len(read), UNIQUE + 501, "capture: scapy reads it")
        tap.ok(all(begin - 60 < float(p.time) < begin + 1 for p in read), "capture: with its time")
        for path in paths:
            done = lab.run(["tcpdump", "-r", path, "-w", os.devnull], check=False)
            tap.equal(done.returncode, 0, "capture: tcpdump reads it")
            tap.equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "capture: the owner's only")


def slow_disk(tap):
    """A reader that does not read, and a disk that is full: records are lost, packets are not."""
    big = [frame + bytes(1400) for frame in unique(200)]
    rounds = 25  # 7 MB: more than FIFO and spool hold
    with Lab() as lab:
        two_sides(lab)
        small = os.path.join(lab.dir, "small")
        os.mkdir(small)
        lab.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", small])
        try:
            fifo = os.path.join(lab.dir, "fifo")
            os.mkfifo(fifo)
            reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
            text = config('capture "fifo"', 'capture "small/full.pcapng"')
            lab.apply(text, ns="box")
            forwarder = Forwarder(lab, text)
            arrived = [len(through(lab, big)) for _ in range(rounds)]
            tap.equal(arrived, [200] * rounds, "slow disk: every packet arrives")
            tap.ok(wait_for(lambda: "No space left" in forwarder.messages()),
                   "slow disk: that it is full is told", forwarder.messages())
            begin = time.monotonic()
            stages = ends(tap, "slow disk: ", forwarder)
            tap.ok(time.monotonic() - begin < 6, "slow disk: it does not hold up the end")
            os.close(reader)
            for stage in stages:
                tap.equal(stage["copied"] + stage["lost"], 200 * rounds,
                          "slow disk: each copy is written or lost")
                tap.ok(stage["lost"] > 200, "slow disk: some are lost", stage)
            path = os.path.join(small, "full.pcapng")
            sent = iter(big * rounds)
            tap.ok(all(frame in sent for _link, frame in pcap.read(path)),
                   "slow disk: what is there is whole and in order")
            tap.equal(len(packets_of(path)), stages[1]["copied"],
                      "slow disk: the file ends with a whole block")
            tap.ok(stages[1]["copied"] > 64, "slow disk: until it was full, it was written to",
                   stages)
        finally:
            lab.run(["umount", small])


def reader_goes(tap):
    """The reader of a FIFO reads everything, then goes away."""
    frames = unique(500)
    with Lab() as lab:
        two_sides(lab)
        fifo, copy = os.path.join(lab.dir, "fifo"), os.path.join(lab.dir, "copy")
        os.mkfifo(fifo)
        reader = lab.popen(["cp", fifo, copy])
        text = config('capture "fifo"')
        lab.apply(text, ns="box")
        # The reader's open waits for ours, and ours refuses while there is no reader.
        wait_for(lambda: b"fifo_open" in open("/proc/%d/wchan" % reader.pid, "rb").read()
                 or b"wait_for_partner" in open("/proc/%d/wchan" % reader.pid, "rb").read())
        forwarder = Forwarder(lab, text)
        tap.equal(through(lab, frames), frames, "FIFO: packets pass")
        wait_for(lambda: os.path.exists(copy) and len(list(pcap.read(copy))) == 500)
        tap.equal([frame for _link, frame in pcap.read(copy)], frames,
                  "FIFO: the reader has them at once")
        lab.end(reader, signal.SIGKILL)
        tap.equal(through(lab, frames), frames, "FIFO: packets pass without a reader")
        tap.ok(wait_for(lambda: "Broken pipe" in forwarder.messages()), "FIFO: that is told",
               forwarder.messages())
        stages = ends(tap, "FIFO: ", forwarder)
        tap.equal((stages[0]["copied"], stages[0]["lost"]), (500, 500), "FIFO: and counted")


def marked(frame):
    """The frame with DSCP 46, as config/stage/dscp.c is to make it."""
    at = 14
    while frame[at - 2:at] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    if frame[at - 2:at] == b"\x08\x00" and len(frame) >= at + 20:
        head = bytearray(frame[at:at + 20])
        head[1] = head[1] & 3 | 46 << 2
        head[10:12] = bytes(2)
        head[10:12] = struct.pack("!H", raw.checksum(bytes(head)))
        return frame[:at] + bytes(head) + frame[at + 20:]
    if frame[at - 2:at] == b"\x86\xdd":
        word = struct.unpack_from("!I", frame, at)[0]
        return frame[:at] + struct.pack("!I", word & 0xf03fffff | 46 << 22) + frame[at + 4:]
    return frame


def example(tap):
    """config/stage/dscp.c"""
    v4 = [raw.ipv4(0x0a000001 + n * 7919, 0xc0000201, raw.UDP, raw.udp(n, 7, bytes(n)), tos=n)
          for n in range(256)]
    v6 = [raw.ipv6(1 << 120 | n, 2, raw.UDP, raw.udp(n, 7, bytes(n)), tos=n) for n in range(256)]
    vlan, qinq = ((0x8100, 5),), ((0x88a8, 5), (0x8100, 6))
    frames = [raw.ethernet(kind, packet, tags) for kind, packets in ((0x800, v4), (0x86dd, v6))
              for tags in ((), vlan, qinq) for packet in packets]
    frames += [raw.ethernet(0x806, bytes(46)), raw.ethernet(0x800, v4[0][:12])]
    want = [marked(frame) for frame in frames]
    with Lab() as lab:
        two_sides(lab)
        text = config('stage "%s"' % built("stage/dscp.so"))
        lab.apply(text, ns="box")
        forwarder = Forwarder(lab, text)
        got = through(lab, frames)
        # The receiving veth takes the outer tag out of the frame.
        plain = [n for n, f in enumerate(frames) if f[12:14] not in (b"\x81\0", b"\x88\xa8")]
        tags = len(frames) - len(plain)
        tap.equal(len(got), len(frames), "example: every packet arrives")
        tap.ok(all(a != b for a, b in zip(want[:46], frames[:46])), "example: there is a change")
        if len(got) == len(frames):
            wrong = [(n, got[n].hex(), want[n].hex()) for n in plain if got[n] != want[n]]
            tap.ok(not wrong, "example: DSCP and checksum are right", *wrong[:2])
            wrong = [n for n in range(len(frames)) if n not in plain
                     and got[n] not in (want[n], want[n][:12] + want[n][16:])]
            tap.ok(not wrong and tags == 1024, "example: behind VLAN tags, too", wrong[:5])
        stages = ends(tap, "example: ", forwarder)
        tap.equal((stages[0]["packets"], stages[0]["dropped"]), (len(frames), 0),
                  "example: it saw them all")


def told(tap):
    """What a stage, the second of two objects, is told for each of two workers."""
    with Lab() as lab:
        two_sides(lab, queues=2)
        shared_object(lab, "dropper.so", DROPPER % "SL_STAGE_ABI")
        shared_object(lab, "teller.so", TELLER, "-DREFUSES=0")
        text = config('stage "dropper.so"', 'stage "teller.so"', workers=2)
        lab.apply(text, ns="box")
        forwarder = Forwarder(lab, text)
        frames = unique(400)
        through(lab, frames)
        ends(tap, "told: ", forwarder)
        lines = sorted(line for line in forwarder.messages().splitlines()
                       if line.startswith("told "))
        tap.equal([line.split(":")[0] for line in lines], ["told 0/2", "told 1/2"],
                  "told: each worker has its own state, and it ends")
        words = [line.split() for line in lines]
        tap.equal((sum(int(w[2]) for w in words), sum(int(w[4]) for w in words)),
                  (400, sum(map(len, frames))), "told: packets and bytes")
        ways = {(w[7], w[9], w[13]) for w in words if w[2] != "0"}
        index = [lab.link("box", dev)["ifindex"] for dev in ("box0", "box1")]
        tap.equal(ways, {(str(index[0]), str(index[1]), "0")},
                  "told: interfaces by index, and the rule's slot")


def refusals(tap):
    """Each fault is told at its place, and the forwarder does not start."""
    with Lab() as lab:
        with_tap(lab)
        lab.veth("box", "loop0", "box", "loop1")
        lab.apply(config().replace("box1\n", "box1, loop0\n"), ns="box")
        lab.run(["ip", "link", "add", "link", "box0", "name", "mac0", "type", "macvlan"], ns="box")
        lab.run(["ip", "link", "add", "bridge0", "type", "bridge"], ns="box")
        lab.run(["ip", "link", "set", "box1", "master", "bridge0"], ns="box")
        shared_object(lab, "old.so", DROPPER % "SL_STAGE_ABI + 1")
        shared_object(lab, "none.so", "int x;\n")
        shared_object(lab, "idle.so", "#include <sluice/stage.h>\nconst struct sl_stage_object "
                                      "sluice_stage = { .abi = SL_STAGE_ABI };\n")
        shared_object(lab, "needs.so", "int f(void); int g(void) { return f(); }\n")
        shared_object(lab, "refuses.so", TELLER, "-DREFUSES=1")
        os.chmod(shared_object(lab, "loose.so", DROPPER % "SL_STAGE_ABI"), 0o777)
        os.chown(shared_object(lab, "theirs.so", DROPPER % "SL_STAGE_ABI"), 65534, 65534)
        lab.file("text.so", "not an object")
        os.symlink("/dev/null", os.path.join(lab.dir, "link"))
        os.link(lab.file("one", ""), os.path.join(lab.dir, "two"))
        os.mkfifo(os.path.join(lab.dir, "fifo"))
        os.chown(lab.file("theirs", "x"), 65534, 65534)
        for stage, status, words in (
                ('stage "missing.so"', 1, ["missing.so (line 6)", "No such file"]),
                ('stage "old.so"', 1, ["version 2", "version 1", "build it anew"]),
                ('stage "none.so"', 1, ["sluice_stage"]),
                ('stage "idle.so"', 1, ["process"]),
                ('stage "needs.so"', 1, ["undefined symbol"]),
                ('stage "refuses.so"', 3, ["init", "Cannot allocate memory"]),
                ('stage "text.so"', 1, ["text.so (line 6)", "load"]),
                ('stage "loose.so"', 1, ["root", "chmod go-w"]),
                ('stage "theirs.so"', 1, ["root", "chown"]),
                ('stage "/dev/zero"', 1, ["root", "regular file"]),
                ("mirror nodev", 3, ["mirror nodev (line 6)", "No such device"]),
                ("mirror box0", 1, ["box0", "wire", "mirrored again"]),
                ("mirror mac0", 1, ["box0", "mirrored again"]),
                ("mirror bridge0", 1, ["box1", "mirrored again"]),
                ("mirror loop1", 1, ["loop0", "mirrored again"]),
                ('capture "/nonexistent/x"', 3, ["/nonexistent/x (line 6)", "No such file"]),
                ('capture "link"', 3, ["symbolic link"]),
                ('capture "one"', 3, ["one name"]),
                ('capture "theirs"', 3, ["of our own"]),
                ('capture "fifo"', 3, ["nobody reads"]),
                ("police 2000Gpps", 1, ["police 2000Gpps (line 6)", "1000G"]),
                ('capture "x" rule gone', 1, ["6:1", 'no rule "gone"'])):
            text = config(stage)
            if stage == "mirror loop1":
                text = text.replace("box1", "loop0")
            path = lab.file("stage.conf", text)
            done = lab.run([built("sluice-fwd"), "-c", path], ns="box", check=False)
            tap.equal(done.returncode, status, "refused: %s: exit status" % stage)
            tap.contains(done.stderr, words, "refused: %s: the message" % stage)
        tap.equal((os.stat(os.path.join(lab.dir, "theirs")).st_size, os.path.getsize("/dev/null")),
                  (1, 0), "refused: what is not ours is not emptied")


def main():
    tap = Tap()
    for name, test in (("police", police), ("police below", police_below), ("mirror", mirror),
                       ("captures", captures), ("slow disk", slow_disk),
                       ("reader goes", reader_goes), ("example", example), ("told", told),
                       ("refusals", refusals)):
        with tap.case(name + ": to the end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
