#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Packets of several buffers through the forwarder, whole or not at all. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]     MTU 9000
                        \\_ wire _/
"""
import random
import time

from network import gather, two_sides
from lab import Lab, wait_for
from tap import Tap, check

import frames as raw
from test_forwarder import Forwarder, TRANSFER, accounted

MTU = 9000
MEGABYTES = 50
WIRE = """
interface box0, box1 { frags on }
default pass
rule wire forward fallback drop
forwarder { wire box0 box1; workers 1; poll sleep; zero-copy auto }
"""
# Around what XDP takes in one piece (3,520), a frame of the UMEM (3,840, 7,680) and a page.
EDGES = [60, 1514, 3520, 3521, 3839, 3840, 3841, 4095, 4096, 4097, 7680, 7681, 8192, 9013, 9014]


def datagram(number, size):
    """A frame of `size` bytes that no other equals, its content random to the last byte."""
    content = random.Random(number).randbytes(size - 42)
    return raw.ethernet(0x800, raw.ipv4(0x0a000001, 0xc0000201, raw.UDP,
                                        raw.udp(number % 65536, 7, content)))


def sent(lab, frames, expected=None):
    """What arrives of `frames`, sent a few at a time; all of them unless said otherwise."""
    with lab.packet_socket("far", "far0", receive=True) as far:
        for first in range(0, len(frames), 50):
            lab.send("peer", "peer0", frames[first:first + 50])
            time.sleep(0.005)
        return gather(far, len(frames) if expected is None else expected)


def whole(tap, mode):
    """Each size alone, then mixed: every frame arrives once, in order, with all its bytes."""
    with Lab() as lab:
        two_sides(lab, mtu=MTU)
        lab.apply(WIRE.replace("frags on", "frags on; mode " + mode), ns="box")
        forwarder = Forwarder(lab)
        tap.contains(forwarder.messages(), ["multi-buffer"], mode + ": the sockets take them")
        edges = [datagram(n, size) for n, size in enumerate(EDGES)]
        tap.ok(sent(lab, edges) == edges, mode + ": frames of each size arrive as they were")
        sizes = random.Random(4)
        mixed = [datagram(n, sizes.randint(60, MTU + 14)) for n in range(2000)]
        got = sent(lab, mixed)
        tap.equal(len(got), len(mixed), mode + ": as many arrive as were sent")
        tap.ok(got == mixed, mode + ": in order and whole")
        status, stats = forwarder.stop()
        accounted(tap, mode + ": ", status, stats)
        ports = stats["workers"][0]["ports"]
        packets = len(edges) + len(mixed)
        size = sum(map(len, edges + mixed))
        tap.equal((ports[0]["rx"]["packets"], ports[0]["rx"]["bytes"]), (packets, size),
                  mode + ": packets are counted, not buffers")
        tap.equal((ports[1]["tx"]["packets"], ports[1]["tx"]["bytes"]), (packets, size),
                  mode + ": the same on the way out")
        tap.equal((sum(ports[1]["drops"].values()), ports[0]["xdp"]["rx_dropped"]), (0, 0),
                  mode + ": none is dropped")


def transfer(tap):
    with Lab() as lab:
        two_sides(lab, mtu=MTU)
        lab.address("peer", "peer0", "192.0.2.1/24")
        lab.address("far", "far0", "192.0.2.2/24")
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        tap.equal(lab.ping("peer", "192.0.2.2", count=20, size=8900), 20,
                  "echo requests of 8,900 bytes are answered")
        python = ["/usr/bin/python3", lab.file("transfer.py", TRANSFER)]
        server = lab.popen(python + ["receive", "192.0.2.2", "0"], ns="far")
        check(server.stdout.readline(), "ready\n", "the server")
        done = lab.output(python + ["send", "192.0.2.2", str(MEGABYTES)], ns="peer", timeout=150)
        tap.equal(server.communicate(timeout=30)[0], done,
                  "%d MB of TCP arrive with the right checksum" % MEGABYTES)
        time.sleep(0.5)
        status, stats = forwarder.stop()
        accounted(tap, "transfer: ", status, stats)
        rx = stats["workers"][0]["ports"][0]["rx"]
        tap.ok(rx["bytes"] / rx["packets"] > 5000, "transfer: in packets of the MTU's size", rx)


def too_late(tap):
    """The MTU grew after the start: what no longer fits is lost, counted, and told."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        tap.ok("multi-buffer" not in forwarder.messages(), "too late: one buffer is enough at 1500")
        for ns, dev in (("peer", "peer0"), ("box", "box0"), ("box", "box1"), ("far", "far0")):
            lab.run(["ip", "link", "set", "dev", dev, "mtu", str(MTU)], ns=ns)
        tap.ok(wait_for(lambda: forwarder.messages().count("MTU 9000") == 2),
               "too late: told for each interface", forwarder.messages())
        frames = [datagram(n, (1000, 9000)[n % 2]) for n in range(200)]
        tap.ok(sent(lab, frames, 100) == frames[::2], "too late: what fits goes on")
        time.sleep(1.2)
        tap.equal(forwarder.messages().count("MTU 9000"), 2, "too late: told once")
        status, stats = forwarder.stop()
        accounted(tap, "too late: ", status, stats)
        tap.equal(stats["workers"][0]["ports"][0]["xdp"]["rx_dropped"], 100,
                  "too late: what does not is counted")


def main():
    tap = Tap()
    for name, test in (("native", lambda t: whole(t, "native")),
                       ("generic", lambda t: whole(t, "generic")),
                       ("transfer", transfer), ("too late", too_late)):
        with tap.case(name + ": to the end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
