#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with four NICs on two hubs: AF_XDP zero-copy on the patched
e1000e that `make driver` built. Root.

    eth0 (pktgen, frames) ---- hub ---- eth1 (socket)
    eth2 (the forwarder's other end) --- hub ---- eth3 (counts)
"""
import contextlib
import errno
import os
import socket
import struct
import subprocess
import sys
import threading
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "oracle")]
import guest_forwarder
import xsk
from guest import COMPLAINT
from guest_driver import (COUNT, ETHERTYPE, FRAMES, Load, carried, exact, frame, module,
                          none_kept, statistic, unloaded)
from guest_driver_xsk import (ANSWER, DEV_BOUND, META, NEED_WAKEUP, Redirect, Xsk, ask,
                              put_meta)
from lab import SO_RCVBUFFORCE, Lab, built, wait_for
from pktgen import pktgen, up
from tap import Tap, check

PIN, META_PIN, PASS_PIN = ("/sys/fs/bpf/" + name for name in ("redirect", "meta", "pass"))
CHANGES = 200
SHOWN = 20         # of the changes that wait for the link, and for frames
BURST = 64         # frames, less than any ring
RING = 256         # the driver's
SHORT = (14, 16)   # bytes that the hardware does not pad
TCTL, TCTL_EN = 0x400, 2
HANG_SECONDS = 60  # the driver looks every 2 s, the stack waits for 5
NO_DATA = -errno.ENODATA


def attach(lab, pin):
    lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", pin])


def detach(lab):
    lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])


def changes():
    with open("/sys/class/net/eth1/carrier_changes", encoding="ascii") as source:
        return int(source.read())


def packets(dev):
    """An AF_PACKET socket for the tests' frames."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    sock.bind((dev, ETHERTYPE))
    sock.settimeout(5)
    return sock


def gather(sock, count, meta=0):
    """Frames of an AF_XDP socket, as many as come in some seconds."""
    found = []

    def enough():
        found.extend(sock.take(meta))
        return len(found) >= count

    wait_for(enough, 5)
    return found


def address(dev):
    with open("/sys/class/net/%s/address" % dev, encoding="ascii") as text:
        return bytes.fromhex(text.read().strip().replace(":", ""))


def numbered(count, source="eth0", target="eth1"):
    return [frame(number, address(source), address(target)) for number in range(count)]


def back(count):
    return numbered(count, "eth1", "eth0")


def same(got, want):
    for number, (left, right) in enumerate(zip(got, want)):
        if left != right:
            raise AssertionError("frame %d of %d bytes: got %d bytes, %s" % (
                number, len(right), len(left), left[:24].hex()))
    check(len(got), len(want), "frames")


def receives(sock, frames, meta=0, few=BURST):
    """eth0 sends them a few at a time; what the socket gets of them."""
    found = []
    with packets("eth0") as source:
        for first in range(0, len(frames), few):
            part = frames[first:first + few]
            for data in part:
                source.send(data)
            found += gather(sock, len(part), meta)
    return found


def transmits(sock, frames, few=BURST):
    """The socket sends them; what eth0 gets of them. All are done in the end."""
    def free(count):
        return wait_for(lambda: sock.kick() or sock.sent() >= 0 and len(sock.spare) >= count, 5)

    found, given = [], 0
    with packets("eth0") as sink:
        while given < len(frames) and free(BURST):
            given += sock.send(frames[given:given + few])
        check(free(sock.count // 2), True, "all buffers are free again")
        sink.settimeout(1)
        try:
            while len(found) < len(frames):
                found.append(sink.recv(16384))
        except TimeoutError:
            pass
    return found


def works(lab, sock):
    """Both directions, once the link is there."""
    up(lab, "eth0", "eth1")
    there, here = numbered(BURST), back(BURST)
    same(receives(sock, there), there)
    same(transmits(sock, here), here)


def whole(tap, lab, redirect):
    for name, flags in (("copy", xsk.COPY), ("zero-copy", xsk.ZEROCOPY),
                        ("zero-copy, need_wakeup", xsk.ZEROCOPY | NEED_WAKEUP)):
        with tap.case(name + ": granted; frames of every length, whole, each way"):
            with Xsk("eth1", flags) as sock:
                check(sock.zero_copy(), int(flags & xsk.ZEROCOPY != 0), "zero-copy")
                redirect.to(sock)
                up(lab, "eth0", "eth1")
                there, here = numbered(FRAMES), back(FRAMES)
                same(receives(sock, there), there)
                same(transmits(sock, here), here)
                faults = sock.statistics()
                check([faults[name] for name in ("rx_dropped", "rx_invalid", "tx_invalid",
                                                 "rx_full")], [0, 0, 0, 0], "faults")


def metadata(tap, lab):
    redirect = Redirect(META_PIN, put_meta())
    attach(lab, META_PIN)
    for name, flags in (("copy", xsk.COPY), ("zero-copy", xsk.ZEROCOPY | NEED_WAKEUP)):
        with tap.case(name + ": what a program puts before the frame gets there"):
            with Xsk("eth1", flags) as sock:
                redirect.to(sock)
                up(lab, "eth0", "eth1")
                frames = numbered(BURST)
                want = [META.to_bytes(8, "little") + data for data in frames]
                same(receives(sock, frames, meta=8), want)
    detach(lab)
    redirect.close()


def described(tap, lab):
    """What the kfuncs of a program bound to the device tell of VLAN, hash and time."""
    ends = address("eth1") + address("eth0")
    inner = b"\x45\0\0\x1c\0\0\0\0\x40\xfd\0\0\xc0\0\2\1\xc0\0\2\2" + bytes(26)
    frames = [ends + b"\x81\0\x60\x07\x88\xb5" + bytes(46),
              ends + b"\x08\0" + inner, ends + b"\x88\xb5" + bytes(46)]
    redirect = Redirect(META_PIN, ask(), DEV_BOUND, socket.if_nametoindex("eth1"))
    attach(lab, META_PIN)
    lab.run(["ip", "link", "set", "eth1", "promisc", "on"])  # else tags nobody asked for are lost
    for name, flags in (("copy", xsk.COPY), ("zero-copy", xsk.ZEROCOPY | NEED_WAKEUP)):
        with tap.case(name + ": a program learns the VLAN tag, and that there is no more"):
            with Xsk("eth1", flags) as sock:
                redirect.to(sock)
                up(lab, "eth0", "eth1")
                got = [ANSWER.unpack_from(data) for data in
                       receives(sock, frames, meta=ANSWER.size)]
                check(len(got), len(frames), "frames")
                check([one[:2] for one in got], [(0, 0x6007), (NO_DATA, 0), (NO_DATA, 0)],
                      "tags")
                check([one[2] for one in got], 3 * [NO_DATA], "hashes: MRQC does not enable them")
                check([one[5] for one in got], 3 * [NO_DATA], "time stamps, which nobody asked for")
    lab.run(["ip", "link", "set", "eth1", "promisc", "off"])
    detach(lab)
    redirect.close()


def full(tap, lab, redirect):
    with tap.case("a TX ring smaller than what is given; frames too short or too long"):
        lab.run(["ethtool", "-G", "eth1", "tx", "80"])
        with Xsk("eth1", count=1024) as sock:
            redirect.to(sock)
            up(lab, "eth0", "eth1")
            before = statistic(lab, "eth1", "tx_xsk_err")
            frames = back(400)
            bad = [bytes(length) for length in SHORT] + [bytes(1519)]
            got = transmits(sock, frames[:200] + bad + frames[200:] + bad)
            same(got, frames)
            same(transmits(sock, bad), [])
            check(statistic(lab, "eth1", "tx_xsk_err") - before, 3 * len(bad), "refused")
        lab.run(["ethtool", "-G", "eth1", "tx", str(RING)])
    with tap.case("more than the fill ring has: the rest is dropped, then it goes on"):
        with Xsk("eth1", count=2 * BURST) as sock:
            redirect.to(sock)
            up(lab, "eth0", "eth1")
            mac = lab.link(None, "eth1")["address"]
            check(pktgen("eth0", mac, 1000), 1000, "pktgen's own count")
            check(len(gather(sock, BURST)) >= BURST, True, "frames that had room")
            while gather(sock, 1):
                pass  # what waited in the NIC
            works(lab, sock)


def shared(tap, lab, pin):
    """What other verdicts do with the socket's buffers."""
    with tap.case("pass: the stack gets a copy, the socket keeps its buffers"):
        attach(lab, pin)
        with Xsk("eth1", count=64) as sock:
            up(lab, "eth0", "eth1")
            sender = threading.Thread(target=carried, args=(lab,))
            sender.start()
            while sender.is_alive():
                sock.kick()
                time.sleep(0.01)
            sender.join()
        detach(lab)
    with tap.case("bounce and redirect out of the socket's buffers"):
        lab.run(["ip", "link", "set", "eth3", "promisc", "on"])
        for rule, target in (("bounce", "eth0"), ("redirect eth2", "eth3")):
            lab.sluice("apply", "--force", lab.file("zc.conf", COUNT % ("eth1, " + target) +
                                         "rule one %s on eth1 udp to any port 7\n" % rule))
            with Xsk("eth1", count=1024):
                up(lab, "eth0", "eth1", "eth2", "eth3")
                exact(lab, lab.link(None, "eth1")["address"], target)
            lab.sluice("down")
        lab.run(["ip", "link", "set", "eth3", "promisc", "off"])


def refused(tap, lab, redirect):
    with tap.case("a chunk too small for a frame is refused; nothing is touched"):
        lab.run(["ip", "link", "set", "eth1", "mtu", "1280"])
        with Xsk("eth1", xsk.COPY) as sock:
            redirect.to(sock)
            up(lab, "eth0", "eth1")
        before = changes()
        try:
            Xsk("eth1", chunk=2048, headroom=300).close()
            raise AssertionError("a chunk of 2048 with a headroom of 300 is taken")
        except OSError as fault:
            check(fault.errno, 22, "errno")
        check("chunks hold" in lab.output(["dmesg"]), True, "the reason in the kernel's log")
        check(changes(), before, "carrier changes")
        with Xsk("eth1", xsk.COPY) as sock:
            redirect.to(sock)
            works(lab, sock)
        lab.run(["ip", "link", "set", "eth1", "mtu", "1500"])


def disturbed(tap, lab, redirect):
    mac = lab.link(None, "eth1")["address"]
    with tap.case("%d times bound and closed, under load" % CHANGES):
        with Load(mac):
            for number in range(CHANGES):
                with Xsk("eth1") as sock:
                    redirect.to(sock)
                    if number % SHOWN == SHOWN - 1:
                        up(lab, "eth1")
                        check(len(gather(sock, BURST)) >= BURST, True, "frames received")
        with Xsk("eth1") as sock:
            redirect.to(sock)
            works(lab, sock)
    with tap.case("a socket through link flaps, other rings, a program taken and given back"):
        with Xsk("eth1") as sock:
            redirect.to(sock)
            with Load(mac):
                for argv in (["ip", "link", "set", "eth1", "down"],
                             ["ip", "link", "set", "eth1", "up"],
                             ["ethtool", "-G", "eth1", "rx", "80", "tx", "80"],
                             ["ethtool", "-G", "eth1", "rx", str(RING), "tx", str(RING)],
                             ["ethtool", "-r", "eth1"],
                             ["ip", "link", "set", "eth1", "mtu", "1400"],
                             ["ip", "link", "set", "eth1", "mtu", "1500"],
                             ["ip", "link", "set", "eth1", "xdpdrv", "off"],
                             ["ip", "link", "set", "eth1", "xdpdrv", "pinned", PIN]):
                    lab.run(argv)
                    sock.send(back(BURST))
                    time.sleep(0.1)
                    sock.sent()
                    sock.take()
            up(lab, "eth0", "eth1")
            while gather(sock, 1):
                pass  # what waited in the NIC
            works(lab, sock)


def stop_sending(dev):
    """The hardware goes on to take descriptors' addresses, and sends none (TCTL.EN)."""
    fd = os.open("/sys/class/net/%s/device/resource2" % dev, os.O_RDWR)  # IOADDR, IODATA
    os.pwrite(fd, struct.pack("I", TCTL), 0)
    control, = struct.unpack("I", os.pread(fd, 4, 4))
    os.pwrite(fd, struct.pack("I", control & ~TCTL_EN), 4)
    os.close(fd)


@contextlib.contextmanager
def provoked(lab, *expected):
    """The kernel is to complain in these words, and in no others; it is forgotten after that."""
    def complaints():
        return [line for line in lab.output(["dmesg"]).splitlines() if COMPLAINT.search(line)]
    check(complaints(), [], "complaints before")
    lab.run(["dmesg", "-n", "1"])  # not on the console, which is looked at, too
    yield
    found = complaints()
    for words in expected:
        check(any(words in line for line in found), True, "the kernel says " + words)
    check([line for line in found if not any(words in line for words in expected)], [],
          "other complaints")
    lab.run(["dmesg", "--clear"])
    lab.run(["dmesg", "-n", "4"])


def hung(tap, lab, redirect):
    with tap.case("the NIC sends no more: the watchdog resets it, and the socket goes on"):
        with Xsk("eth1") as sock:
            redirect.to(sock)
            works(lab, sock)
            before = statistic(lab, "eth1", "tx_timeout_count")
            with provoked(lab, "Detected Hardware Unit Hang", "NETDEV WATCHDOG"):
                stop_sending("eth1")
                sock.send(back(BURST))
                check(wait_for(lambda: statistic(lab, "eth1", "tx_timeout_count") > before,
                               HANG_SECONDS), True, "a reset by the watchdog")
            works(lab, sock)


def forwards(tap, lab):
    """The forwarder, which accounts for every buffer."""
    with tap.case("sluice-fwd, zero-copy required, between two of them"):
        guest_forwarder.forward(lab, "native", "require")
        lab.sluice("down")


def removed(tap, lab, redirect):
    with tap.case("rmmod under load with a socket open; no page is kept"):
        attach(lab, PIN)
        with Xsk("eth1") as sock:
            redirect.to(sock)
            up(lab, "eth0", "eth1")
            unloaded(lab)
            sock.kick()
        none_kept(lab)


def main():
    tap = Tap()
    with Lab() as lab:
        module(lab)
        up(lab, "eth0", "eth1", "eth2", "eth3")
        subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)
        lab.run(["bpftool", "prog", "load", built("pass.bpf.o"), PASS_PIN], timeout=120)
        redirect = Redirect(PIN)
        attach(lab, PIN)
        whole(tap, lab, redirect)
        full(tap, lab, redirect)
        refused(tap, lab, redirect)
        disturbed(tap, lab, redirect)
        hung(tap, lab, redirect)
        detach(lab)
        metadata(tap, lab)
        described(tap, lab)
        shared(tap, lab, PASS_PIN)
        forwards(tap, lab)
        removed(tap, lab, redirect)
    tap.done()


if __name__ == "__main__":
    main()
