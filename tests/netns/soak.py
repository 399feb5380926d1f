#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The forwarder under mixed traffic while all around it changes, every few seconds. Root.

    usage: soak.py [SECONDS]        (600; SLUICE_SEED repeats the order of events)

    [peer] peer0 ==== box0 [box] box1 ==== far0 [far]     MTU 9000, two queues
             <------- mixed traffic ------->

After each event the traffic pauses, and then, exactly: no packet is unexplained, every frame is in
one place, every packet that the filter saw is in one reason, promiscuous mode is asked for
once, no process, pin or descriptor is left over, and memory has not grown.

What the kernel holds for us (maps, programs, links, UMEMs, sockets) lives by a descriptor of the
two processes, a pin or an interface: it cannot grow while these are counted and stay as many.
"""
import json
import os
import random
import re
import signal
import socket
import struct
import sys
import threading
import time

from network import two_sides
from lab import Lab, built, wait_for
from tap import Tap
from test_agent import sockets
from test_forwarder import Forwarder
from test_takeover import REMAP, Successor, at_rest, gaps, start

import capture
import frames as raw
import traffic

CORPUS = os.environ.get("SLUICE_CORPUS", os.path.join(os.path.dirname(__file__),
                                                      "../../../shared/data"))
CONFIG = """
interface box0, box1 { frags on }
default pass
rule deny drop udp to any port 9
%s
rule wire forward fallback drop
forwarder { wire box0 box1; workers 1; poll sleep; capture "soak.pcapng" sample 1000 }
"""
EXTRA = ("", "rule six count ip6", "rule slow limit 50kpps udp from any port 1024")
# Anonymous memory, KiB. malloc's arenas settle by some hundred; statistics of two ports are
# 10 KiB, so that one leak of them an event is over it within minutes. The data plane's spool of a
# capture, 4 MiB (SL_COURIER_SPOOL), is touched for the first time as it fills.
AGENT_GROWTH = 1024
PLANE_GROWTH = 1024 + 4096
RESTART_S = 1.0
MTU = 9000


def mixed(lab):
    """Captures of real and malformed packets, cut ones, both families, in one pcap file; both."""
    found = []
    for top, _dirs, names in os.walk(os.path.join(CORPUS, "pcap")):
        for name in sorted(names):
            try:
                found += [frame for link, frame in capture.read(os.path.join(top, name))
                          if link == capture.ETHERNET and 14 <= len(frame) <= 1514][:200]
            except capture.CaptureError:
                continue
    random.shuffle(found)
    found = found[:4000] + [f for f in traffic.cut_frames() if 14 <= len(f) <= 1514]
    for size in range(60, 1514, 7):
        found.append(raw.ethernet(0x86dd, raw.ipv6(1 << 64, 2 << 64, raw.UDP,
                                                   raw.udp(1024, 7, bytes(size)))))
    random.shuffle(found)
    path = os.path.join(lab.dir, "mixed.pcap")
    capture.write(path, found[:5000])
    return path


def jumbo(number):
    content = random.Random(number).randbytes(random.randint(18, MTU - 28))
    return raw.ethernet(0x800, raw.ipv4(0x0a000001, 0xc0000201, raw.UDP,
                                        raw.udp(number % 65536, 7, content)))


class Generators:
    """sluice-gen on both sides: single small packets, large ones, the mix, and floods."""

    def __init__(self, lab):
        self.lab, self.procs = lab, []
        mix = mixed(lab)
        self.commands = (
            ("peer", ["peer0", "--dport", "7", "--rate", "8000", "--batch", "8"]),
            ("far", ["far0", "--dport", "8", "--rate", "3000", "--size", "1400"]),
            ("peer", ["peer0", "--pcap", mix, "--rate", "2000"]),
            ("far", ["far0", "--pcap", mix, "--rate", "1000"]),
            ("peer", ["peer0", "--src", "10.0.0.0/8", "--dport", "1-65535", "--random",
                      "--proto", "tcp", "--count", "100000"]),
        )

    def run(self):
        for ns, words in self.commands[:-1] + (self.commands[-1:] if random.random() < 0.3
                                               else ()):
            self.procs.append(self.lab.popen([built("sluice-gen")] + words + ["--duration", "30"],
                                             ns=ns, stdout=-3))

    def rest(self):
        for proc in self.procs:
            if proc.poll() is None:
                proc.terminate()
        for proc in self.procs:
            proc.wait(10)
            self.lab.procs.remove(proc)
        self.procs = []


class Talk(threading.Thread):
    """In a thread of its own, while `going`: TCP through the wire, and jumbo frames."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.going, self.resting, self.end = (threading.Event() for _ in range(3))
        self.listener = lab.within("far", socket.create_server, ("192.0.2.2", 5001))
        self.link = lab.packet_socket("peer", "peer0")
        self.lab, self.whole, self.broken = lab, 0, 0

    def dial(self):
        sock = self.lab.within("peer", socket.socket)
        sock.settimeout(0.5)
        # Ended by a reset: nothing of it is sent again in a pause.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return sock

    def transfer(self):
        data, got = random.randbytes(200000), b""
        with self.dial() as client:
            client.connect(("192.0.2.2", 5001))
            server, _ = self.listener.accept()
            with server:
                server.settimeout(0.5)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                for at in range(0, len(data), 20000):
                    client.sendall(data[at:at + 20000])
                    while len(got) < min(at + 20000, len(data)):
                        got += server.recv(65536)
        return got == data

    def run(self):
        self.listener.settimeout(0.5)
        while not self.end.is_set():
            if not self.going.is_set():
                self.resting.set()
                time.sleep(0.02)
                continue
            try:
                self.link.send(jumbo(self.whole))
                self.whole += self.transfer()
            except OSError:
                self.broken += 1


def anonymous(pid):
    """Resident anonymous memory in KiB."""
    with open("/proc/%d/status" % pid) as text:
        return int(re.search(r"RssAnon:\s*(\d+)", text.read()).group(1))


class Soak:
    def __init__(self, tap, lab):
        self.tap, self.lab, self.forwarder, self.extra = tap, lab, None, 0
        self.failures, self.events, self.checks = 0, {}, 0
        self.slowest, self.gaps, self.name = (0, 0), [], "start"
        self.memory = {}  # pid -> KiB when it was first looked at
        self.first, self.most = {}, {"agent": 0, "plane": 0}
        self.descriptors = {}
        lab.apply(CONFIG % EXTRA[0], ns="box")
        self.generators, self.talk = Generators(lab), Talk(lab)
        self.forwarder = Forwarder(lab, CONFIG % "")
        self.talk.start()

    def fail(self, *text):
        self.failures += 1
        self.tap.ok(False, "soak: after '%s'" % self.name, *text, self.forwarder.messages()[-2000:])

    def expect(self, condition, *text):
        if not condition:
            self.fail(*text)

    # ---- events ------------------------------------------------------------------

    def keep_gaps(self):
        self.gaps += gaps(self.forwarder)

    def reload(self):
        done = self.lab.run([built("sluice-fwd"), "--ctl", "reload"], ns="box", check=False)
        self.expect(json.loads(done.stdout or "{}") == {"ok": True}, "reload", done.stdout)

    def takeover(self):
        self.keep_gaps()
        old, self.forwarder = self.forwarder, Successor(self.forwarder, "next")
        self.expect(wait_for(lambda: old.proc.poll() is not None, 20), "the old one does not end")
        self.expect(wait_for(lambda: self.forwarder.messages().count("->") >= 2, 10),
                    "the new one does not run")
        self.expect(old.proc.poll() == 0, "the old one's status", old.proc.poll(), old.messages())
        self.gone(old)

    def gone(self, forwarder):
        forwarder.proc.stdout.close()
        forwarder.log.close()
        self.lab.procs.remove(forwarder.proc)

    def begin(self):
        self.slowest = max(self.slowest, start(self.forwarder), key=lambda s: s[0] - s[1])

    def kill(self, pid):
        self.keep_gaps()
        os.kill(pid, signal.SIGKILL)
        self.expect(wait_for(lambda: self.forwarder.proc.poll() is not None, 5), "it does not end")
        self.gone(self.forwarder)
        self.begin()

    def kill_agent(self):
        self.kill(self.forwarder.proc.pid)

    def kill_plane(self):
        self.kill(self.forwarder.plane())

    def flap(self):
        ns, dev = random.choice((("box", "box0"), ("box", "box1"), ("peer", "peer0"),
                                 ("far", "far0")))
        for state in ("down", "up"):
            self.lab.run(["ip", "link", "set", dev, state], ns=ns)
            time.sleep(random.uniform(0, 0.5))

    def apply(self):
        self.extra = (self.extra + 1) % len(EXTRA)
        self.lab.apply(CONFIG % EXTRA[self.extra], ns="box")

    def channels(self):
        """A queue less, which the kernel allows without a socket only; and more, while it runs."""
        self.stop(False)
        self.lab.run(["ethtool", "-L", "peer0", "tx", "1"], ns="peer")
        self.lab.run(["ethtool", "-L", "box0", "rx", "1"], ns="box")
        self.forwarder.start()
        time.sleep(0.5)
        self.lab.run(["ethtool", "-L", "box0", "rx", "2"], ns="box")
        self.lab.run(["ethtool", "-L", "peer0", "tx", "2"], ns="peer")
        self.expect(wait_for(lambda: "box0 queue 1 ->" in self.forwarder.messages(), 10),
                    "the queue is not served")

    def stop(self, again=True):
        self.keep_gaps()
        last, status = self.forwarder, None
        status, stats = last.stop()
        self.expect(status == 0 and stats and stats["accounted"], "a clean end", status, stats)
        self.gone(last)
        if again:
            self.begin()

    # ---- what must hold ----------------------------------------------------------

    def stats(self):
        done = self.lab.run([built("sluice-fwd"), "--ctl", "stats"], ns="box", check=False)
        lines = done.stdout.splitlines()
        return json.loads(lines[1]) if len(lines) == 2 else None

    def settled(self):
        stats = self.stats()
        if not stats or stats["ledger"]["unexplained"] or not stats["accounted"]:
            return None
        return stats if not any(i["waiting"] for i in stats["ledger"]["interfaces"]) else None

    def check_packets(self):
        self.expect(wait_for(self.settled, 10, 0.1), "unexplained, or frames not accounted for",
                    json.dumps(self.stats()))
        for dev in ("box0", "box1"):
            stats = self.lab.stats("box", dev)
            self.expect(stats["rx"]["packets"] == sum(r["packets"] for r in
                                                      stats["reasons"].values()),
                        dev + ": packets in no reason, or in two", json.dumps(stats))

    def left(self):
        """Processes, sockets, pins, promiscuous modes and descriptors, as they are at rest."""
        pids = sorted(map(int, self.lab.output(["ip", "netns", "pids", self.lab.name("box")])
                          .split()))
        return {
            "processes": len(pids),
            "control sockets": len(sockets(self.lab)),
            "pins": len(self.lab.pins("box")),
            "promiscuity": [self.lab.link("box", d)["promiscuity"] for d in ("box0", "box1")],
            "descriptors": [len(os.listdir("/proc/%d/fd" % pid)) for pid in
                            (self.forwarder.proc.pid, self.forwarder.plane())],
        }

    def check_left(self):
        """As at the start, but for the connection that a data plane that took over has open."""
        def same():
            now = self.left()
            now["descriptors"][1] -= self.witness()
            return now == self.first

        if not self.first:
            self.first = at_rest(self.left)
        self.expect(wait_for(same, 5, 0.1), "left over", self.left(), "at the start:", self.first)

    def witness(self):
        return int("next.log" in self.forwarder.log.name and
                   "--takeover" in self.forwarder.proc.args and
                   self.forwarder.plane() == self.forwarder.first_plane)

    def check_memory(self):
        for kind, pid, limit in (("agent", self.forwarder.proc.pid, AGENT_GROWTH),
                                 ("plane", self.forwarder.plane(), PLANE_GROWTH)):
            now = anonymous(pid)
            # Of one process, and from one that came to another that is as old.
            first = self.memory.setdefault(pid, now)
            base = self.memory.setdefault(kind, now)
            grown = max(now - first, first - base)
            self.most[kind] = max(self.most[kind], grown)
            self.expect(grown <= limit, "%s: %d KiB more" % (kind, grown))

    def round(self, name):
        self.name = name
        self.events[name] = self.events.get(name, 0) + 1
        self.generators.run()
        self.talk.resting.clear()
        self.talk.going.set()
        time.sleep(random.uniform(0.3, 1))
        getattr(self, name)()
        time.sleep(random.uniform(0.3, 1))
        self.talk.going.clear()
        self.talk.resting.wait(10)
        self.generators.rest()
        if not hasattr(self.forwarder, "first_plane"):
            self.forwarder.first_plane = self.forwarder.plane()
        self.check_packets()
        self.check_left()
        self.check_memory()
        self.checks += 1


# The first sees nothing but traffic. Reloads most: an agent is to live through many of them.
EVENTS = (["reload"] * 5 + ["flap"] * 4 + ["apply"] * 3 + ["takeover"] * 2 +
          ["kill_agent", "kill_plane", "channels", "stop"])


def soak(tap, lab, seconds):
    two_sides(lab, mtu=MTU, queues=2)
    lab.address("peer", "peer0", "192.0.2.1/24")
    lab.address("far", "far0", "192.0.2.2/24")
    run = Soak(tap, lab)
    end = time.monotonic() + seconds
    run.round("stats")
    while time.monotonic() < end and run.failures < 3:
        events = EVENTS[:]
        random.shuffle(events)
        for name in events:
            if time.monotonic() < end and run.failures < 3:
                run.round(name)
        tap.diag("%d s to go; %s" % (end - time.monotonic(), run.events))
    run.keep_gaps()
    run.talk.end.set()
    took = sorted(ms for ms, _lost in run.gaps) or [0]
    tap.diag("start after a kill or stop: %.2f s at most, %.2f of it without a CPU" % run.slowest,
             "handovers: %d, of which %d lost packets; without a worker %.1f ms in the median, "
             "%.1f at most" % (len(took), sum(lost > 0 for _ms, lost in run.gaps),
                               took[len(took) // 2], took[-1]),
             "TCP: %d transfers whole, %d cut by an event" % (run.talk.whole, run.talk.broken),
             "memory: %s KiB more at most" % run.most)
    tap.ok(run.slowest[0] - run.slowest[1] < RESTART_S,
           "soak: each start takes less than a second")
    tap.ok(run.talk.whole > 0, "soak: TCP gets through")
    tap.ok(not REMAP or run.gaps, "soak: there were handovers")
    run.stop(False)
    tap.equal(lab.leftovers(), [], "soak: down leaves nothing behind")
    tap.equal(run.failures, 0, "soak: %d checks without a failure" % run.checks)


def main():
    tap = Tap()
    seed = int(os.environ.get("SLUICE_SEED", str(random.randrange(1 << 32))))
    random.seed(seed)
    tap.diag("SLUICE_SEED=%d" % seed)
    with tap.case("soak: to the end"), Lab() as lab:
        soak(tap, lab, int(sys.argv[1]) if len(sys.argv) > 1 else 600)
    tap.done()


if __name__ == "__main__":
    main()
