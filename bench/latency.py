#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How long one hop keeps a packet, at a low rate and at half of what it can take (root).

    [tx] t0 ------ b0 [box] b1 ------ k0 [sink] a UDP socket
        CPU 0      what forwards in user space on CPU 1

A probe each millisecond or so: from the clock read before send() to the sink's kernel time
stamp of the same packet (SO_TIMESTAMPNS). Both are CLOCK_REALTIME of one machine, so nothing
has to be synchronised; a slewed clock errs by 0.05 % at most. What a veth, the system call and
the interpreter take is in every figure and shown beside, as "no hop": two veth ends and no box.

Half load: what a way forwards at a flood is measured first, and sluice-gen then sends half of it
beside the probes, from the CPU of the probes, as a burst each millisecond; a filter at the sink
drops those, so they cost the sink's socket nothing. The probes start at random within their
gap, or all would meet the same part of a burst.
"""
import bisect
import contextlib
import errno
import math
import os
import random
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hops
from box import build, two_cpus
from lab import Lab, LabError, built, wait_for
from measure import Window, arguments, column, finish, median, rounds, running, table
from result import FLOOR

from scapy.all import Ether, IP, UDP

ROUNDS, QUICK_ROUNDS = 5, 5
PROBES, QUICK_PROBES = 1000, 300
GAP = 0.001
PROBE_PORT = 4242
PERCENTILES = (50, 90, 99, 99.9)
LOADS = ("low rate", "half load")
PATIENCE = 0.5  # seconds for the last probes; one that is lost took as long
LOST = 0.01  # more than this share of the probes lost is a failure of the way
NOISE = 0.04
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python does not name it
SINK_FILTER = """interface k0 { mode native }
default pass
rule load drop udp from any to any port %d
""" % hops.PORT
HEADERS = 14 + 20 + 8


def frame(source, target):
    """What stands before the number of a probe from one MAC address to another, and behind it."""
    made = bytes(Ether(src=source, dst=target)
                 / IP(src=hops.SOURCE, dst=hops.TARGET)
                 / UDP(sport=PROBE_PORT, dport=PROBE_PORT, chksum=0) / bytes(18))
    return made[:HEADERS], made[HEADERS + 4:]


def listener(lab, ns):
    def make():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((hops.TARGET, PROBE_PORT))
        return sock
    sock = lab.within(ns, make)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.setblocking(False)
    return sock


def drain(sock, stamps):
    """Adds {probe: ns since 1970 at which the sink's kernel had it}."""
    while True:
        try:
            data, control, _, _ = sock.recvmsg(64, 64)
        except BlockingIOError:
            return
        seconds, nanoseconds = struct.unpack("qq", control[0][2])
        stamps[struct.unpack("!I", data[:4])[0]] = seconds * 1000000000 + nanoseconds


def probe(out, sock, parts, count):
    """[us] of the probes that arrived, of `count`; read in the pauses, so the buffer suffices."""
    draw, sent, stamps = random.Random(1), [], {}
    next_at = time.monotonic()
    drain(sock, {})  # what came late for those before
    for number in range(count):
        next_at += GAP * draw.uniform(0.5, 1.5)
        time.sleep(max(0, next_at - time.monotonic()))
        data = parts[0] + struct.pack("!I", number) + parts[1]
        sent.append(time.time_ns())
        try:
            out.send(data)
        except OSError as why:
            if why.errno != errno.ENOBUFS:  # the veth's ring is full: lost, as any other
                raise
        drain(sock, stamps)
    wait_for(lambda: drain(sock, stamps) or len(stamps) == count, PATIENCE, 0.01)
    return [(stamps[number] - at) / 1e3 for number, at in enumerate(sent) if number in stamps]


def percentile(values, share):
    """The least value that `share` percent of the values are not above."""
    return sorted(values)[max(0, math.ceil(len(values) * share / 100) - 1)]


@contextlib.contextmanager
def pinned(cpu):
    """This thread on one CPU; programs that start inside would inherit that."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(cpu)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Bench:
    """The lab, its sockets, and what each way forwards at a flood."""

    def __init__(self, lab, cpus, probes):
        self.lab, self.cpus, self.probes = lab, cpus, probes
        self.most = {}
        build(lab)
        lab.add("direct")
        lab.veth("tx", "d0", "direct", "d1")
        lab.address("sink", "k0", hops.TARGET + "/24")
        lab.address("direct", "d1", hops.TARGET + "/24")
        lab.apply(SINK_FILTER, "sink", "sink.conf")
        lab.apply(SINK_FILTER.replace("k0", "d1"), "direct", "direct.conf")
        self.sockets = {ns: listener(lab, ns) for ns in ("sink", "direct")}
        self.out = {dev: lab.packet_socket("tx", dev) for dev in ("t0", "d0")}

    @contextlib.contextmanager
    def load(self, dev, mac, rate):
        """sluice-gen from a device; rate None: nothing, 0: a flood."""
        if rate is None:
            yield None
            return
        argv = [built("sluice-gen"), dev, "--cpus", self.cpus[0], "--size", "64", "--sport",
                "1024-1087", "--dport", str(hops.PORT), "--dst-mac", mac, "--duration", "60"]
        proc = self.lab.popen(argv + (["--rate", str(rate)] if rate else []), ns="tx")
        try:
            time.sleep(0.3)
            yield proc
        finally:
            self.lab.end(proc, signal.SIGINT)

    def ends(self, name):
        """(device that sends, MAC address it sends to, (ns, dev) of the sink) for a way."""
        if name == "no hop":
            return "d0", self.lab.link("direct", "d1")["address"], ("direct", "d1")
        return "t0", hops.addressed(self.lab, hops.FORWARD, name), ("sink", "k0")

    def flood(self, name):
        """Packets a second that a running way takes of a flood."""
        dev, mac, (ns, end) = self.ends(name)
        with self.load(dev, mac, 0):
            window = Window([os.getpid()], lambda: hops.received(self.lab, ns, end))
            time.sleep(1)
            window.stop()
        return window.counted / window.seconds

    def take(self, name, way, loaded):
        """One sample of a way; starts it and ends it."""
        lab, (dev, mac, (ns, _)) = self.lab, self.ends(name)
        with way(lab, self.cpus[1]) as pids:
            parts, sock = frame(lab.link("tx", dev)["address"], mac), self.sockets[ns]
            if not wait_for(lambda: probe(self.out[dev], sock, parts, 3), 10):
                raise LabError("%s: no probe comes through" % name)
            if loaded and name not in self.most:
                self.most[name] = self.flood(name)
            rate = int(self.most[name] / 2) if loaded else None
            with self.load(dev, mac, rate), pinned(self.cpus[0]):
                window = Window([*pids, os.getpid()])
                took = probe(self.out[dev], sock, parts, self.probes)
                window.stop()
        lost = self.probes - len(took)
        # The sender waits for the load, which has its CPU, before it reads the clock.
        waited = max(window.waited[:-1] if loaded else window.waited, default=0.0)
        # Of one that had no CPU it says nothing; the round is refused for that.
        if lost > self.probes * LOST and waited <= NOISE:
            raise LabError("%s: %d of %d probes were lost" % (name, lost, self.probes))
        took += [PATIENCE * 1e6] * lost
        return {"value": median(took), "us": took, "lost": lost,
                "rate": rate, **window.noise(), "waited": waited}


@contextlib.contextmanager
def none(_lab, _cpu):
    yield []


def histogram(samples, name):
    """[[from us, share of the probes]] from 1 us on: each up to 1.25 times its `from`."""
    every = sorted(value for round_ in samples for value in round_[name]["us"])
    slots, start, done = [], 1.0, 0
    while done < len(every):
        below = bisect.bisect_left(every, start * 1.25)
        slots.append([start, (below - done) / len(every)])
        start, done = start * 1.25, below
    return slots


def record(result, load, roles, taken):
    for share in PERCENTILES:
        result.rounds("time of a packet over one hop", "us", "less", roles, taken,
                      at={"load": load, "percentile": share}, along="percentile",
                      value=lambda s, share=share: percentile(s["us"], share))
    result.histogram("how long the probes took", "us", {"load": load},
                     {name: histogram(taken[0], name) for name in roles}, roles)


def show(load, quiet, refused):
    print("%s: us from send() to the sink's kernel" % load)
    rows = []
    for name in quiet[0]:
        values = [median([percentile(r[name]["us"], share) for r in quiet])
                  for share in PERCENTILES]
        rate = column(quiet, name, "rate")[0]
        rows.append([name, "%.0f" % (rate / 1e3) if rate else "-"] + ["%.1f" % v for v in values]
                    + [sum(column(quiet, name, "lost")),
                       "%.3f" % median(column(quiet, name, "waited"))])
    table(["way", "kpps beside"] + ["p%g" % share for share in PERCENTILES] + ["lost", "waited"],
          rows)
    print("%d quiet rounds, %d noisy ones refused" % (len(quiet), len(refused)))


def main():
    options, cpus = arguments(__doc__).parse_args(), two_cpus()
    with running("latency", "How long one hop keeps a packet", options.quick,
                 traffic="a socket on this host; the load beside by sluice-gen") as result, \
            Lab() as lab:
        bench = Bench(lab, cpus, QUICK_PROBES if options.quick else PROBES)
        found = {"no hop": (FLOOR, none), **hops.tried(
            result, hops.FORWARD, cpus, lambda name, way: bench.take(name, way, False))}
        roles = {name: role for name, (role, _way) in found.items()}
        for load in LOADS:
            takers = {name: lambda name=name, way=way: bench.take(name, way, load == LOADS[1])
                      for name, (_role, way) in found.items()}
            taken = rounds(takers, QUICK_ROUNDS if options.quick else ROUNDS, NOISE)
            show(load, *taken)
            record(result, load, roles, taken)
        result.details(flood_pps=bench.most)
    return 0


if __name__ == "__main__":
    finish(main)
