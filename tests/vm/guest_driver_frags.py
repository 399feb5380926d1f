#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with four NICs on two hubs: XDP on frames of several buffers, on
the patched e1000e that `make driver` built. Root.

    eth0 (frames) ---- hub ---- eth1 (program)
    eth2 (redirected to) --- hub ---- eth3 (receives)
"""
import os
import random
import socket
import subprocess
import sys
import time
import zlib

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)
from guest_driver import ETHERTYPE, NICS, Load, module, none_kept, refused, statistic
from guest_driver_zc import address, changes, packets, receives, same, transmits
from guest_driver_xsk import USE_SG, Program, Redirect, Xsk, insn
import xsk
from lab import Lab
from pktgen import up
from tap import Tap, check

MTU, ONE = 9000, 2026  # ONE: the largest whose frames take one buffer
DROP, PASS, TX = 1, 2, 3
REDIRECT, ADJUST_TAIL, HAS_FRAGS = 23, 65, 32  # linux/bpf.h
# Around a descriptor's buffer (2,048), and what fits in so many of them.
EDGES = (60, 1514, 1515, 2047, 2048, 2049, 4095, 4096, 4097, 6144, 6145, 8191, 8193, 9013, 9014)
ROUNDS = 40   # of the edges: more frames than either ring has descriptors
FEW = 8       # frames at a time: a ring holds some 50 of the longest
CUT = 3000    # bytes: one buffer and a part of another
TIMES = 6


def verdict(value):
    return [insn(0xb7, 0, 0, value), insn(0x95)]


def over(ifindex):
    return [insn(0xb7, 1, 0, ifindex), insn(0xb7, 2), insn(0x85, 0, 0, REDIRECT), insn(0x95)]


def cut(value):
    """CUT bytes off the end, where there are as many."""
    return [insn(0xb7, 2, 0, -CUT), insn(0x85, 0, 0, ADJUST_TAIL)] + verdict(value)


def frames():
    """Frames from eth0 to eth1, whose content no other has, with its checksum at the end."""
    head = address("eth1") + address("eth0") + ETHERTYPE.to_bytes(2, "big")
    made = []
    for number in range(ROUNDS * len(EDGES)):
        length = EDGES[number % len(EDGES)]
        body = head + random.Random(number).randbytes(length - len(head) - 4)
        made.append(body + zlib.crc32(body).to_bytes(4, "big"))
    return made


def arrive(data, target, wanted):
    """eth0 sends some at a time; what of them comes out at `target`."""
    with packets("eth0") as source, packets(target) as sink:
        for first in range(0, len(data), FEW):
            for one in data[first:first + FEW]:
                source.send(one)
            got = []
            for _ in wanted[first:first + FEW]:
                got.append(sink.recv(16384))
            same(got, wanted[first:first + FEW])


def shortened(data):
    return [one[:-CUT] if len(one) - CUT >= 14 else one for one in data]


class Attached:
    """A program on eth1, with the link."""

    def __init__(self, lab, insns, flags=HAS_FRAGS):
        self.lab, self.program = lab, Program("/sys/fs/bpf/frags", insns, flags)

    def __enter__(self):
        self.lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", self.program.pin])
        up(self.lab, *NICS)
        return self

    def __exit__(self, *_exc):
        self.lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])
        self.program.close()


def mtu(lab, value):
    for dev in NICS:
        lab.run(["ip", "link", "set", dev, "mtu", str(value)])
    up(lab, *NICS)


def verdicts(tap, lab, data):
    with tap.case("without a program, whole"):
        arrive(data, "eth1", data)
    with tap.case("passed, whole"):
        with Attached(lab, verdict(PASS)):
            arrive(data, "eth1", data)
    with tap.case("sent back, whole"):
        with Attached(lab, verdict(TX)):
            arrive(data, "eth0", data)
    with tap.case("redirected, whole"):
        with Attached(lab, over(socket.if_nametoindex("eth2"))):
            arrive(data, "eth3", data)
    with tap.case("cut, and passed, sent back, dropped"):
        with Attached(lab, cut(PASS)):
            arrive(data, "eth1", shortened(data))
        with Attached(lab, cut(TX)):
            arrive(data, "eth0", shortened(data))
        with Attached(lab, cut(DROP)):
            arrive(data, "eth1", [])
    with tap.case("after all that, whole"):
        arrive(data, "eth1", data)


def limits(tap, lab):
    with tap.case("a program that knows no fragments is refused, and so is zero-copy"):
        program = Program("/sys/fs/bpf/plain", verdict(PASS))
        attach = ["ip", "link", "set", "eth1", "xdpdrv", "pinned", program.pin]
        refused(lab, attach, "MTU 9000", "fragments")
        mtu(lab, 1500)
        lab.run(attach)
        before = changes()
        refused(lab, ["ip", "link", "set", "eth1", "mtu", "2100"])
        check(changes(), before, "carrier changes")
        lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])
        program.close()
        mtu(lab, 2100)
        with Attached(lab, verdict(PASS)):
            try:
                Xsk("eth1").close()
                raise AssertionError("zero-copy is granted at an MTU of 2100")
            except OSError as fault:
                check(fault.errno, 95, "errno")
    with tap.case("a pool keeps the MTU of a program at 1500"):
        mtu(lab, 1500)
        with Attached(lab, verdict(PASS)):
            with Xsk("eth1"):
                refused(lab, ["ip", "link", "set", "eth1", "mtu", "2100"])
    mtu(lab, MTU)


def sockets(tap, lab, data):
    redirect = Redirect("/sys/fs/bpf/sockets", flags=HAS_FRAGS)
    lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", redirect.pin])
    with tap.case("a socket that takes fragments, copy mode: whole, each way"):
        with Xsk("eth1", xsk.COPY | USE_SG) as sock:
            redirect.to(sock)
            up(lab, *NICS)
            same(receives(sock, data, few=FEW), data)
            same(transmits(sock, data, few=FEW), data)
    with tap.case("zero-copy for fragments is refused: pools are for frames of one buffer"):
        try:
            Xsk("eth1", xsk.ZEROCOPY | USE_SG).close()
            raise AssertionError("zero-copy is granted")
        except OSError as fault:
            check(fault.errno, 95, "errno")
    lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])
    redirect.close()


def longest(tap, lab):
    """MTUs above 1500 whose frames take one buffer. Of chunks of 2048 the kernel
    wants that they hold the MTU. The hardware then takes 1,522 bytes: with the FCS,
    which older QEMUs do not count, so 1,519 to 1,522 are left out."""
    redirect = Redirect("/sys/fs/bpf/sockets")
    mtu(lab, ONE)
    lab.run(["ip", "link", "set", "eth0", "mtu", str(MTU)])
    lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", redirect.pin])
    for chunk, least, lengths in ((4096, ONE, (3000, ONE + 14, 60)),
                                  (2048, 1518, (1523, 1518, 60))):
        with tap.case("zero-copy, MTU %d, chunks of %d: all but a longer frame" % (least, chunk)):
            lab.run(["ip", "link", "set", "eth1", "mtu", str(least)])
            with Xsk("eth1", chunk=chunk) as sock:
                redirect.to(sock)
                up(lab, *NICS)
                before = statistic(lab, "eth1", "rx_long_length_errors")
                head = address("eth1") + address("eth0") + ETHERTYPE.to_bytes(2, "big")
                there = [head + bytes(length - len(head)) for length in lengths]
                same(receives(sock, there), there[1:])
                time.sleep(5)  # the driver reads the hardware's counters every 2 s
                check(statistic(lab, "eth1", "rx_long_length_errors") - before,
                      int(chunk == 2048), "counted as too long by the hardware")
    lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])
    redirect.close()
    mtu(lab, MTU)


def disturbed(tap, lab, data):
    mac = lab.link(None, "eth1")["address"]
    with tap.case("%d times attached and detached, and MTUs, under load" % TIMES):
        with Load(mac):
            for number in range(TIMES):
                with Attached(lab, verdict(PASS)):
                    lab.run(["ip", "link", "set", "eth1", "mtu", ("1500", "9000")[number % 2]])
        mtu(lab, MTU)
        with Attached(lab, verdict(PASS)):
            with packets("eth1") as rest:
                rest.settimeout(1)
                try:
                    while True:
                        rest.recv(16384)
                except TimeoutError:
                    pass
            arrive(data[:len(EDGES)], "eth1", data[:len(EDGES)])


def main():
    tap = Tap()
    with Lab() as lab:
        module(lab)
        subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)
        up(lab, *NICS)
        mtu(lab, MTU)
        for dev in ("eth0", "eth3"):
            lab.run(["ip", "link", "set", dev, "promisc", "on"])
        data = frames()
        verdicts(tap, lab, data)
        sockets(tap, lab, data)
        limits(tap, lab)
        longest(tap, lab)
        disturbed(tap, lab, data)
        with tap.case("no page is kept"):
            lab.run(["rmmod", "e1000e"])
            none_kept(lab)
    tap.done()


if __name__ == "__main__":
    main()
