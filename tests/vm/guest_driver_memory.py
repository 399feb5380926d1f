#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with two NICs on one hub, --memory 1024 and --append swiotlb=force:
the patched e1000e that `make driver` built, short of memory. Root.

    eth0 (frames) ---- hub ---- eth1 (program, socket)

All DMA goes through bounce buffers, 64 MiB for the whole machine. So what the
driver does not sync is not seen by the other side, and a larger UMEM cannot be
mapped. Memory for larger rings is taken away in another way: packet rings,
which the kernel can neither reclaim nor move, take all free blocks as large as
descriptors need. Smaller ones stay, so that nobody is killed.
"""
import os
import re
import resource
import socket
import struct
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "oracle")]
from guest_driver import Load, carried, module, none_kept, xdp
from guest_driver_xsk import Redirect, Xsk
from guest_driver_zc import PIN, attach, changes, detach, provoked, whole, works
from lab import Lab, built, wait_for
from pktgen import up
from tap import Tap, check

PASS_PIN = "/sys/fs/bpf/pass"
BOUNCE = 64 << 20        # bytes of swiotlb, the kernel's default
CHUNK = 4096
LARGE = 2 * BOUNCE // CHUNK
ENOMEM, TIMES = 12, 10
RINGS, MOST = "256", "4096"  # descriptors: the driver's default, and its limit
BLOCK = 65536            # bytes of the smaller ring's descriptors, 4096 of 16
PACKET_RX_RING, SOL_PACKET = 5, 263  # linux/if_packet.h
SMALL, SMALLS = 32768, 1024  # bytes, pieces: every second stays free
RESERVE = "/proc/sys/vm/min_free_kbytes"
HOARDS = 32              # attempts to take what is free


def bounced():
    """Bytes in bounce buffers now."""
    with open("/sys/kernel/debug/swiotlb/io_tlb_used", encoding="ascii") as source:
        return int(source.read()) * 2048


def packets():
    with open("/sys/class/net/eth1/statistics/rx_packets", encoding="ascii") as source:
        return int(source.read())


def goes_on():
    before = packets()
    check(wait_for(lambda: packets() > before), True, "packets go on")


def unmapped(tap, lab):
    with tap.case("a UMEM that cannot be mapped is refused; program and traffic go on"):
        lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", PASS_PIN])
        up(lab, "eth0", "eth1")
        before = changes()
        with Load(lab.link(None, "eth1")["address"]):
            for _ in range(TIMES):
                try:
                    Xsk("eth1", count=LARGE, chunk=CHUNK).close()
                    raise AssertionError("a UMEM of %d bytes is mapped" % (LARGE * CHUNK))
                except OSError as fault:
                    check(fault.errno, ENOMEM, "errno")
                goes_on()
        check("mapping the UMEM failed" in lab.output(["dmesg"]), True,
              "the reason in the kernel's log")
        check(changes(), before, "carrier changes")
        check(xdp(lab, "eth1"), 1, "native mode")
        carried(lab)
        detach(lab)
    with tap.case("and a smaller one is taken after that, with all of it"):
        redirect = Redirect(PIN)
        attach(lab, PIN)
        with Xsk("eth1") as sock:
            redirect.to(sock)
            works(lab, sock)
        detach(lab)
        redirect.close()


def free_blocks():
    """How many blocks of BLOCK bytes the free memory has."""
    least, found = (BLOCK // 4096).bit_length() - 1, 0
    with open("/proc/buddyinfo", encoding="ascii") as source:
        for line in source:
            counts = [int(word) for word in line.split()[4:]]
            found += sum(n << (order - least) for order, n in enumerate(counts)
                         if order >= least)
    return found


def pinned(size, count):
    """A packet ring: so many blocks of memory until it is closed."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack("4I", size, count, size, count))
    return sock


class Hoard:
    """Takes free blocks of BLOCK bytes and more until closed; small pieces stay free."""

    def __init__(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * SMALLS, 2 * SMALLS))
        with open(RESERVE, "r+", encoding="ascii") as reserve:
            self.reserve = reserve.read()
            reserve.seek(0)
            reserve.write("2048")  # what the kernel keeps for itself would do for the rings
        pieces = [pinned(4096, SMALL // 4096) for _ in range(SMALLS)]
        for piece in pieces[::2]:
            piece.close()
        self.sockets = pieces[1::2]

    def take(self):
        # The kernel makes a block of single pages when it has none: that is to be seen.
        while (before := free_blocks()) > 0:
            sock = pinned(BLOCK, before // 2 or 1)
            if free_blocks() >= before:
                sock.close()
                break
            self.sockets.append(sock)

    def close(self):
        with open(RESERVE, "w", encoding="ascii") as reserve:
            reserve.write(self.reserve)
        while self.sockets:
            self.sockets.pop().close()


def rings(lab):
    """(rx, tx) descriptors that eth1 has."""
    return tuple(re.findall(r"^[RT]X:\s+(\d+)", lab.output(["ethtool", "-g", "eth1"]), re.M)[2:])


def exhausted(lab, hoard, argv):
    """Takes memory until a command fails for the lack of it."""
    for _ in range(HOARDS):
        hoard.take()
        done = lab.run(argv, check=False)
        if done.returncode:
            return done.stdout + done.stderr
        lab.run(["ethtool", "-G", "eth1", "rx", RINGS, "tx", RINGS])
    raise AssertionError("%s is not refused; free blocks: %d" % (argv, free_blocks()))


def smaller(tap, lab):
    with tap.case("no memory for larger rings: refused; the old ones, and the program, go on"):
        lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", PASS_PIN])
        up(lab, "eth0", "eth1")
        hoard = Hoard()
        with provoked(lab, "Call Trace"):  # of the failed allocation
            for which in (["rx", MOST], ["tx", MOST]):
                said = exhausted(lab, hoard, ["ethtool", "-G", "eth1"] + which)
                check("Cannot allocate memory" in said, True, "said: " + said)
                check(rings(lab), (RINGS, RINGS), "descriptors")
                up(lab, "eth0", "eth1")
                carried(lab)
            hoard.close()
        check(xdp(lab, "eth1"), 1, "native mode")
        lab.run(["ethtool", "-G", "eth1", "rx", MOST, "tx", MOST])
        check(rings(lab), (MOST, MOST), "descriptors")
        up(lab, "eth0", "eth1")
        carried(lab)
        detach(lab)


def main():
    tap = Tap()
    with Lab() as lab:
        module(lab)
        up(lab, "eth0", "eth1")
        subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)
        subprocess.run(["mount", "-t", "debugfs", "debugfs", "/sys/kernel/debug"], check=True)
        lab.run(["bpftool", "prog", "load", built("pass.bpf.o"), PASS_PIN], timeout=120)
        with tap.case("the NICs' buffers are bounced"):
            check(bounced() >= 2 * int(RINGS) * CHUNK, True, "bounced: %d bytes" % bounced())
        redirect = Redirect(PIN)
        attach(lab, PIN)
        whole(tap, lab, redirect)
        detach(lab)
        redirect.close()
        unmapped(tap, lab)
        smaller(tap, lab)
        with tap.case("no page is kept, and nothing bounced"):
            lab.run(["rmmod", "e1000e"])
            none_kept(lab)
            check(bounced(), 0, "bytes in bounce buffers")
    tap.done()


if __name__ == "__main__":
    main()
