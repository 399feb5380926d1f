#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Routing by the kernel's tables: `redirect fib` within XDP, `route` through the
forwarder; each packet as the kernel itself would have sent it. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]     192.0.2.0/24, 2001:db8:2::/48
                            \\___ box2 ---- side0 [side]   the other way to the same

VLAN devices and VRF are tested where the kernel has them: in the guest (tests/vm/matrix).
"""
import struct
import threading
import time

from scapy.all import Ether

from network import drain, gather, two_sides
from lab import Lab
from tap import Tap
from test_forwarder import Forwarder, accounted

import frames as raw

CONFIG = """
interface box0, box1, box2 { mode %s }
default pass
rule go %s
%s
"""
KINDS = {"redirect fib": ("redirect fib", ""),
         "route": ("route fallback drop", "forwarder { route; workers 1; zero-copy off }")}
COUNT = 300
SINK4, SINK6 = 0xc0000200, 0x20010db8000200000000000000000000


class Router:
    """The lab with a filter on all of the box, and the forwarder where the rule wants one."""

    def __init__(self, lab, kind, mode="native", extra=""):
        self.lab, self.kind = lab, kind
        two_sides(lab, ipv6=True)
        lab.add("side", ipv6=True)
        lab.veth("box", "box2", "side", "side0")
        for number, (dev, ns, there) in enumerate((("box0", "peer", "peer0"),
                                                   ("box1", "far", "far0"),
                                                   ("box2", "side", "side0"))):
            # Link-local, too: from there the kernel asks for the next hop of what it forwards.
            lab.address("box", dev, "10.0.%d.1/24" % number, "fd00:%d::1/64" % number, "fe80::1/64")
            lab.address(ns, there, "10.0.%d.2/24" % number, "fd00:%d::2/64" % number)
            lab.run(["ip", "route", "add", "default", "via", "10.0.%d.1" % number], ns=ns)
            lab.run(["ip", "route", "add", "default", "via", "fd00:%d::1" % number], ns=ns)
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            lab.sysctl("box", key, 1)
        self.to("far", "add")
        rule, forwarder = KINDS[kind]
        self.text = CONFIG % (mode, rule, extra + forwarder)
        lab.apply(self.text, ns="box")
        self.forwarder = Forwarder(lab, self.text) if forwarder else None
        self.macs = {dev: lab.mac("box", dev) for dev in ("box0", "box1", "box2")}
        self.macs.update({dev: lab.mac(ns, dev) for ns, dev in (
            ("peer", "peer0"), ("far", "far0"), ("side", "side0"))})

    def to(self, ns, verb="replace"):
        """The route to the sinks leads by way of `far` or `side`."""
        number = {"far": 1, "side": 2}[ns]
        for prefix, via in (("192.0.2.0/24", "10.0.%d.2"), ("2001:db8:2::/48", "fd00:%d::2")):
            self.lab.run(["ip", "route", verb, prefix, "via", via % number], ns="box")

    def counted(self, reason="to_kernel"):
        return self.lab.stats("box", "box0")["reasons"][reason]["packets"]

    def frames(self, count, six=False, first=0, ttl=64, size=40, alone=False):
        """Datagrams for the sinks, no two alike; `alone`: not to be fragmented."""
        made = []
        for number in range(first, first + count):
            data = raw.udp(1024 + number, 7, struct.pack("!I", number) + bytes(size))
            if six:
                head = bytearray(raw.ipv6(0xfd00 << 112 | 2, SINK6 | number, raw.UDP, data))
                head[7] = ttl
                kind = 0x86dd
            else:
                head = bytearray(raw.ipv4(0x0a000002, SINK4 | number & 127, raw.UDP, data,
                                          fragment=0x4000 if alone else 0))
                head[8] = ttl
                head[10:12] = bytes(2)
                head[10:12] = struct.pack("!H", raw.checksum(head[:20]))
                kind = 0x800
            made.append(raw.ethernet(kind, bytes(head), dst=self.macs["box0"],
                                     src=self.macs["peer0"]))
        return made

    def warm(self, out="far"):
        """Has the kernel resolve the next hops."""
        number = {"far": 1, "side": 2}[out]
        for address in ("10.0.%d.2" % number, "fd00:%d::2" % number):
            if not self.lab.ping("box", address, count=3):
                raise RuntimeError("%s does not answer" % address)

    def end(self, tap, label):
        if self.forwarder:
            accounted(tap, label + ": ", *self.forwarder.stop())
        for dev in ("box0", "box1", "box2"):
            stats = self.lab.stats("box", dev)
            tap.equal(sum(r["packets"] for r in stats["reasons"].values()),
                      stats["rx"]["packets"], "%s: %s: rx == sum of reasons" % (label, dev))
        tap.equal(self.lab.leftovers(), [], label + ": down leaves nothing behind")


def routed(frame, dst, src):
    """The frame as it leaves: by scapy, which knows nothing of ours."""
    packet = Ether(frame)
    packet.dst, packet.src = (":".join("%02x" % byte for byte in mac) for mac in (dst, src))
    if packet.type == 0x800:
        packet.payload.ttl -= 1
        del packet.payload.chksum
    else:
        packet.payload.hlim -= 1
    return bytes(packet)


def ours(got):
    """Of received frames, those of the test."""
    return [f for f in got if (f[12:14] == b"\x08\x00" and f[23] == raw.UDP and f[36:38] == b"\0\7")
            or (f[12:14] == b"\x86\xdd" and f[20] == raw.UDP and f[56:58] == b"\0\7")]


def sends(tap, kind, mode):
    label = "%s, %s" % (kind, mode)
    with Lab() as lab:
        box = Router(lab, kind, mode)
        box.warm()
        for six in (False, True):
            name = "%s: IPv%d" % (label, 6 if six else 4)
            sent = box.frames(COUNT, six) + box.frames(3, six, COUNT, ttl=2) \
                + box.frames(3, six, COUNT + 3, ttl=255)
            before = box.counted()
            with lab.packet_socket("far", "far0", receive=True) as far:
                lab.send("peer", "peer0", sent)
                got = ours(gather(far, len(sent)))
            want = [routed(f, box.macs["far0"], box.macs["box1"]) for f in sent]
            tap.ok(sorted(got) == sorted(want),
                   name + ": all arrive with new MACs, TTL and checksum",
                   len(got), len(want), *[f.hex() for f in got[:1] + want[:1]])
            tap.ok(box.counted() - before <= 5, name + ": hardly one of them by the kernel",
                   box.counted() - before)
        box.end(tap, label)


def icmp(got, six):
    """(type, code, the 32 bits after the checksum) of ICMP in received frames."""
    proto, at, start = (0x86dd, 20, 54) if six else (0x800, 23, 34)
    return {struct.unpack("!BB2xI", f[start:start + 8]) for f in got
            if struct.unpack("!H", f[12:14])[0] == proto
            and f[at] == (raw.ICMP6 if six else raw.ICMP)}


def answers(tap, kind):
    """What the kernel must do itself, it does."""
    with Lab() as lab:
        box = Router(lab, kind)
        lab.run(["ip", "link", "set", "box1", "mtu", "1280"], ns="box")
        for six in (False, True):
            name = "%s: IPv%d: " % (kind, 6 if six else 4)
            with lab.packet_socket("peer", "peer0", receive=True) as near, \
                    lab.packet_socket("far", "far0", receive=True) as far:
                before = box.counted()
                lab.send("peer", "peer0", box.frames(1, six, ttl=1))
                tap.ok(((3, 0, 0) if six else (11, 0, 0)) in icmp(drain(near), six),
                       name + "the last hop is told: time exceeded")
                lab.send("peer", "peer0", box.frames(1, six, size=1400, alone=True))
                tap.ok(((2, 0, 1280) if six else (3, 4, 1280)) in icmp(drain(near), six),
                       name + "too big for the MTU is told: %s" % (
                           "packet too big" if six else "fragmentation needed"))
                tap.equal(len(ours(drain(far))), 0, name + "neither was sent on")
                tap.ok(lab.ping("peer", "fd00:1::1" if six else "10.0.1.1", count=3) == 3,
                       name + "an address of the box itself answers")
                tap.ok(box.counted() >= before + 5, name + "all of them by the kernel")
        with lab.packet_socket("far", "far0", receive=True) as far:
            box.warm()
            plain = box.frames(1)[0]
            packets = {
                "another's MAC": (b"\2\0\0\0\0\x7f" + plain[6:], 0),
                "a wrong checksum": (plain[:24] + bytes([plain[24] ^ 1]) + plain[25:], 0),
                "an address of nobody": (plain[:26] + bytes([127, 0, 0, 5]) + plain[30:], 0),
                "options": (raw.ethernet(0x800, raw.ipv4(
                    0x0a000002, SINK4, raw.UDP, raw.udp(5, 7, bytes(20)), bytes([1] * 4)),
                    dst=plain[:6]), 1)}
            for what, (frame, arrive) in packets.items():
                before = box.counted()
                lab.send("peer", "peer0", [frame])
                got = [f for f in drain(far) if f[12:14] == b"\x08\x00" and f[23] == raw.UDP]
                tap.ok(len(got) == arrive and box.counted() > before,
                       "%s: %s: the kernel's" % (kind, what), len(got), box.counted() - before)
        box.end(tap, kind)


def resolves(tap, kind):
    """A next hop that is not known yet is the kernel's to ask for; then it is ours."""
    with Lab() as lab:
        box = Router(lab, kind)
        for six in (False, True):
            name = "%s: IPv%d: " % (kind, 6 if six else 4)
            with lab.packet_socket("far", "far0", receive=True) as far:
                before = box.counted()
                lab.send("peer", "peer0", box.frames(1, six))
                first = len(ours(gather(far, 1)))
                tap.ok(first == 1 and box.counted() > before,
                       name + "an unresolved next hop: by the kernel", first, box.counted())
                before = box.counted()
                lab.send("peer", "peer0", box.frames(50, six, 1))
                tap.ok(len(ours(gather(far, 50))) == 50 and box.counted() <= before + 2,
                       name + "and ours once it is known", box.counted() - before)
        box.end(tap, kind)


def spreads(tap, kind):
    """Two next hops, and an egress that is no port."""
    with Lab() as lab:
        box = Router(lab, kind)
        box.warm()
        box.warm("side")
        for prefix, via in (("192.0.2.0/24", "10.0.%d.2"), ("2001:db8:2::/48", "fd00:%d::2")):
            lab.run(["ip", "route", "replace", prefix, "nexthop", "via", via % 1, "nexthop", "via",
                     via % 2], ns="box")
        for six in (False, True):
            name = "%s: IPv%d: " % (kind, 6 if six else 4)
            before = box.counted()
            with lab.packet_socket("far", "far0", receive=True) as far, \
                    lab.packet_socket("side", "side0", receive=True) as side:
                lab.send("peer", "peer0", box.frames(COUNT, six))
                here, there = ours(gather(far, COUNT)), ours(drain(side))
            tap.ok(len(here) + len(there) == COUNT and min(len(here), len(there)) > COUNT // 10,
                   name + "both next hops of a route are used", len(here), len(there))
            tap.ok(box.counted() - before <= 5, name + "and the kernel sent hardly one",
                   box.counted() - before)
        lab.veth("box", "apart", "far", "far1")
        lab.address("box", "apart", "10.0.7.1/24")
        lab.address("far", "far1", "10.0.7.2/24")
        lab.run(["ip", "route", "replace", "192.0.2.0/24", "via", "10.0.7.2"], ns="box")
        before = box.counted()
        with lab.packet_socket("far", "far1", receive=True) as far:
            lab.send("peer", "peer0", box.frames(50))
            got = len(ours(gather(far, 50)))
        tap.equal((got, box.counted() - before), (50, 50),
                  kind + ": out of what is no port: all arrive, by the kernel")
        box.end(tap, kind)


def has_type(lab, kind):
    """Whether the kernel has devices of a type."""
    argv = ["ip", "link", "add", "try0", "type"] + {
        "vrf": ["vrf", "table", "9"], "vlan": ["vlan", "id", "9"]}[kind]
    if kind == "vlan":
        argv[3:3] = ["link", "box2"]
    done = lab.run(argv, ns="box", check=False)
    lab.run(["ip", "link", "del", "try0"], ns="box", check=False)
    return done.returncode == 0


def tagged(tap, kind):
    """A route out of a VLAN device, which is the kernel's to tag."""
    with Lab() as lab:
        box = Router(lab, kind)
        if not has_type(lab, "vlan"):
            tap.skip(kind + ": VLAN egress", "this kernel has no VLAN devices")
            return
        for ns, dev, address in (("box", "box1", 1), ("far", "far0", 2)):
            lab.run(["ip", "link", "add", "link", dev, "name", dev + ".7", "type", "vlan", "id",
                     "7"], ns=ns)
            lab.run(["ip", "link", "set", dev + ".7", "up"], ns=ns)
            lab.address(ns, dev + ".7", "10.0.7.%d/24" % address)
        lab.run(["ip", "route", "replace", "192.0.2.0/24", "via", "10.0.7.2"], ns="box")
        before = box.counted()
        with lab.packet_socket("far", "far0.7", receive=True) as far:
            lab.send("peer", "peer0", box.frames(50))
            got = len(ours(gather(far, 50)))
        tap.equal((got, box.counted() - before), (50, 50),
                  kind + ": out of a VLAN device: all arrive, by the kernel")
        box.end(tap, kind)


def separate(tap, kind):
    """Interfaces of a VRF: its table decides, not the main one, which leads elsewhere."""
    with Lab() as lab:
        box = Router(lab, kind)
        if not has_type(lab, "vrf"):
            tap.skip(kind + ": VRF", "this kernel has no VRF devices")
            return
        lab.run(["ip", "link", "add", "red", "type", "vrf", "table", "10"], ns="box")
        lab.run(["ip", "link", "set", "red", "up"], ns="box")
        for dev in ("box0", "box1"):
            lab.run(["ip", "link", "set", dev, "master", "red"], ns="box")
        lab.run(["ip", "route", "add", "192.0.2.0/24", "via", "10.0.1.2", "vrf", "red"], ns="box")
        lab.run(["ip", "route", "replace", "192.0.2.0/24", "via", "10.0.2.2"], ns="box")
        with lab.packet_socket("far", "far0", receive=True) as far:
            lab.send("peer", "peer0", box.frames(1))
            tap.equal(len(ours(gather(far, 1))), 1, kind + ": VRF: the first by the kernel")
            before = box.counted()
            lab.send("peer", "peer0", box.frames(COUNT, first=1))
            got = len(ours(gather(far, COUNT)))
        tap.ok(got == COUNT and box.counted() - before <= 5,
               kind + ": VRF: all by its table, and hardly one by the kernel", got,
               box.counted() - before)
        box.end(tap, kind)


class Flow(threading.Thread):
    """A thousand datagrams a second, both families; half a minute at most."""

    def __init__(self, box, sock):
        super().__init__(daemon=True)
        self.sock, self.stopped = sock, threading.Event()
        self.frames = box.frames(100) + box.frames(100, True)

    def run(self):
        end = time.monotonic() + 30
        while not self.stopped.is_set() and time.monotonic() < end:
            for at in range(0, len(self.frames), 2):
                self.sock.send(self.frames[at])
                time.sleep(0.001)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exc):
        self.stopped.set()
        self.join(10)


def within(sock, seconds, done):
    """Reads frames until done() of the last 50 of ours, of both families; None: it was too late."""
    begin, last = time.monotonic(), []
    while time.monotonic() < begin + seconds:
        sock.settimeout(0.2)
        try:
            last = (last + ours([sock.recv(65536)]))[-50:]
        except TimeoutError:
            continue
        if len(last) == 50 and len({f[12:14] for f in last}) == 2 and all(map(done, last)):
            return time.monotonic() - begin
    return None


def announce(lab, mac):
    """What a host says that has got a new MAC: gratuitous ARP, unsolicited neighbour advert."""
    arp = struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + mac + bytes([10, 0, 1, 2]) + bytes(6) \
        + bytes([10, 0, 1, 2])
    address = 0xfd000001 << 96 | 2
    body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + address.to_bytes(16, "big") \
        + b"\2\1" + mac
    every = 0xff02 << 112 | 1
    pseudo = address.to_bytes(16, "big") + every.to_bytes(16, "big") + struct.pack(
        "!II", len(body), raw.ICMP6)
    body = body[:2] + struct.pack("!H", raw.checksum(pseudo + body)) + body[4:]
    head = bytearray(raw.ipv6(address, every, raw.ICMP6, body))
    head[7] = 255
    lab.send("far", "far0", [raw.ethernet(0x806, arp, dst=b"\xff" * 6, src=mac),
                             raw.ethernet(0x86dd, bytes(head), dst=b"\x33\x33\0\0\0\1", src=mac)])


def follows(tap, kind):
    """A route and a neighbour change under load, seen within 3 s, without a restart."""
    with Lab() as lab:
        box = Router(lab, kind)
        box.warm()
        box.warm("side")
        # A second, where the kernel's defaults are half a minute.
        for family in ("ipv4", "ipv6"):
            for key, value in (("base_reachable_time_ms", 1000), ("retrans_time_ms", 100),
                               ("delay_first_probe_time", 0)):
                lab.sysctl("box", "net.%s.neigh.box1.%s" % (family, key), value)
        with lab.packet_socket("peer", "peer0") as out, \
                lab.packet_socket("far", "far0", receive=True) as far, \
                lab.packet_socket("side", "side0", receive=True) as side, Flow(box, out):
            took = within(far, 3, lambda f: f[:6] == box.macs["far0"])
            tap.ok(took, kind + ": packets arrive")
            box.to("side")
            took = within(side, 3, lambda f: f[:6] == box.macs["side0"])
            tap.ok(took, kind + ": a route that changes is followed within 3 s")
            tap.diag("%s: route: %.2f s" % (kind, took or -1))
            box.to("far")
            for number, how in enumerate(("announced", "in silence")):
                mac = bytes([2, 0, 0, 0, 0xee, number])
                lab.run(["ip", "link", "set", "far0", "address", mac.hex(":")], ns="far")
                if how == "announced":
                    announce(lab, mac)
                took = within(far, 3, lambda f, mac=mac: f[:6] == mac)
                tap.ok(took, "%s: a MAC that changes %s is followed within 3 s" % (kind, how),
                       lab.output(["ip", "neigh"], ns="box"))
                tap.diag("%s: MAC %s: %.2f s" % (kind, how, took or -1))
        box.end(tap, kind)


def main():
    tap = Tap()
    for kind in KINDS:
        for mode in ("native", "generic"):
            with tap.case("%s, %s: to the end" % (kind, mode)):
                sends(tap, kind, mode)
        for test in (answers, resolves, spreads, tagged, separate, follows):
            with tap.case("%s, %s: to the end" % (kind, test.__name__)):
                test(tap, kind)
    tap.done()


if __name__ == "__main__":
    main()
