# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the end-to-end tests share: the two-sided lab, the mix of real packets,
and exact accounts of what the filter must have counted."""
import collections
import os
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [TESTS, os.path.join(TESTS, "oracle")]
import config as language
import oracle
from lab import wait_for

FOREIGN = """
#include <linux/bpf.h>
__attribute__((section("xdp"), used)) int foreign(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
char licence[] __attribute__((section("license"), used)) = "Dual BSD/GPL";
"""


def two_sides(lab, ipv6=False, mtu=1500, queues=1):
    """
        [peer] peer0 ---- box0 [box] box1 ---- far0 [far]

    Traffic enters at peer0; Sluice runs in `box`.
    """
    lab.add("peer", "box", "far", ipv6=ipv6)
    lab.veth("peer", "peer0", "box", "box0", mtu=mtu, queues=queues)
    lab.veth("box", "box1", "far", "far0", mtu=mtu, queues=queues)


def foreign_object(lab):
    """Builds an XDP program that is not Sluice's; its path."""
    source = lab.file("foreign.bpf.c", FOREIGN)
    path = os.path.join(lab.dir, "foreign.bpf.o")
    arch = "-I/usr/include/" + lab.output(["gcc", "-print-multiarch"]).strip()
    lab.run(["clang", "-target", "bpf", "-O2", "-g", arch, "-c", source, "-o", path])
    return path


def program(lab, ns, dev):
    """The id of the XDP program on an interface; None: there is none."""
    xdp = (lab.link(ns, dev) or {}).get("xdp", {})
    return xdp.get("prog", {}).get("id") or next(
        (a["prog"]["id"] for a in xdp.get("attached", []) if "prog" in a), None)


def gather(sock, count):
    """Frames that come in on a packet socket: `count` of them, as late as 10 s, and any more."""
    frames = []
    end = time.monotonic() + 10
    while len(frames) < count and time.monotonic() < end:
        frames += drain(sock)
    return frames + drain(sock)


class Account:
    """What the filter must have counted, by the oracle's judgement of each frame."""

    def __init__(self, text, dev, folder=".", **judging):
        self.config = language.parse(text, folder)
        self.dev, self.judging = dev, judging
        self.rx = [0, 0]
        self.reasons = collections.Counter()
        self.reason_bytes = collections.Counter()
        self.rules = collections.Counter()
        self.rule_bytes = collections.Counter()
        self.ports = collections.Counter()
        self.port_bytes = collections.Counter()
        self.verdicts = collections.Counter()

    def add(self, frames):
        for frame in frames:
            frame = bytes(frame)
            verdict, rule, reason = oracle.judge(self.config, frame, self.dev, **self.judging)
            self.rx[0] += 1
            self.rx[1] += len(frame)
            self.reasons[reason] += 1
            self.reason_bytes[reason] += len(frame)
            self.verdicts[verdict] += 1
            if rule:
                self.rules[rule] += 1
                self.rule_bytes[rule] += len(frame)
            port = oracle.counted_port(frame)
            if port:
                self.ports[port] += 1
                self.port_bytes[port] += len(frame)

    def differences(self, stats, ports=None):
        """Texts on everything that the counters of Sluice say otherwise."""
        wrong = []

        def compare(what, got, want):
            if got != want:
                wrong.append("%s: counted %r, sent %r" % (what, got, want))

        def pair(entry):
            return entry["packets"], entry["bytes"]

        compare("rx", pair(stats["rx"]), tuple(self.rx))
        compare("sum of reasons", sum(r["packets"] for r in stats["reasons"].values()),
                self.rx[0])
        compare("sum of reasons' bytes", sum(r["bytes"] for r in stats["reasons"].values()),
                self.rx[1])
        compare("reasons", {name: pair(r) for name, r in stats["reasons"].items()
                            if r["packets"]},
                {name: (n, self.reason_bytes[name]) for name, n in self.reasons.items()})
        compare("rules", {r["name"]: pair(r) for r in stats["rules"]},
                {r.name: (self.rules[r.name], self.rule_bytes[r.name])
                 for r in self.config.rules if r.on in (None, self.dev)})
        if ports is not None:
            compare("ports", {(p["proto"], p["port"]): pair(p) for p in ports["ports"]
                              if p["interface"] == self.dev},
                    {key: (n, self.port_bytes[key]) for key, n in self.ports.items()})
        return wrong


def settle(lab, ns, dev, packets, timeout=5):
    """Waits until so many packets were counted; the statistics then."""
    wait_for(lambda: lab.stats(ns, dev)["rx"]["packets"] >= packets, timeout)
    return lab.stats(ns, dev)


def drain(sock, quiet=0.3):
    """Frames that have come in on a packet socket, until none comes for `quiet` seconds."""
    frames = []
    sock.settimeout(quiet)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            frames.append(sock.recv(65536))
        except socket.timeout:
            break
    return frames
