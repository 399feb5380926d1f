#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with four NICs: the forwarder's poll modes on drivers with NAPI ids. Root.

    guest_polling.py [patched] [paired] ZERO-COPY...
                     off or require; patched: e1000e by `make driver`; paired: igb with one NAPI
                     for RX and TX of a queue

    eth0 (pktgen) ---- hub ---- eth1 (box) eth2 ---- hub ---- eth3 (counted)

What is shown for each: that busy polling is claimed where NAPI polls of the worker were seen,
and nowhere else; that forwarding goes on past a full ring; how many hard interrupts 1,000 packets
cost beside plain `sleep`; how late a single packet comes.
"""
import json
import os
import re
import signal
import socket
import statistics
import struct
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)
from lab import Lab, built, wait_for
from pktgen import pktgen, up
from tap import Tap, check

NICS = ("eth0", "eth1", "eth2", "eth3")
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1  # linux/if_packet.h
RING = 2048
PACKETS = 3 * RING  # what stalls, stalls when the rings are full
PACE_NS = 100000
SINGLES = 40    # of the latency, one at a time
CONFIG = """interface eth1, eth2 { mode %s }
default pass
rule wire forward fallback drop
forwarder { wire eth1 eth2; workers 1; poll %s; zero-copy %s }
"""
# Drivers whose sockets have a NAPI id: (driver, zero-copy) -> the kernels where it is so.
NAPI = {("virtio_net", "off"): ("6.1", "6.12", "6.12-rt", "newest"),
        ("virtio_net", "require"): ("newest",),
        ("igb", "off"): ("newest",), ("igb", "require"): ("newest",),
        ("e1000e", "patched"): ("6.12",)}
# `busy` has at most one interrupt for so many of `sleep`, zero-copy: where packets come in, of
# all. QEMU's igb never masks a vector by itself (EIAM), so it interrupts while NAPI is polled;
# on 6.12 the end that only sends has no NAPI id before a packet comes in there. In copy mode
# the sender's interrupts are its own.
SAVED = {"virtio_net": (20, 5), "e1000e": (2, 1)}
ETHERTYPE = 0x88b5  # IEEE 802's for local experiments
FRAME = bytes(2 * [2, 0, 0, 0, 0, 255]) + ETHERTYPE.to_bytes(2, "big") + bytes(46)


def driver():
    return os.path.basename(os.path.realpath("/sys/class/net/eth1/device/driver"))


def vectors(dev):
    """Interrupts that a NIC has raised, by name: of its PCI function, or its virtio device."""
    found, device = {}, os.path.basename(os.path.realpath("/sys/class/net/%s/device" % dev))
    with open("/proc/interrupts", encoding="ascii") as source:
        for line in source:
            words = line.split()
            if not re.match("(%s|%s)(-|$)" % (re.escape(device), dev), words[-1]):
                continue
            found[words[-1]] = sum(int(word) for word in words[1:] if word.isdigit())
    return found


def received(dev):
    with open("/sys/class/net/%s/statistics/rx_packets" % dev, encoding="ascii") as source:
        return int(source.read())


class Forwarder:
    def __init__(self, lab, mode, poll, zero_copy):
        path = lab.file("wire.conf", CONFIG % (mode, poll, zero_copy))
        lab.sluice("apply", path)
        for dev in ("eth1", "eth2"):  # attaching a program resets some drivers
            if not wait_for(lambda dev=dev: "LOWER_UP" in lab.output(["ip", "link", "show", dev]),
                            15):
                raise AssertionError(dev + ": no carrier")
        self.lab = lab
        self.log = open(lab.file("forwarder.log", ""), "r+", encoding="utf-8")
        self.proc = lab.popen([built("sluice-fwd"), "-c", path, "--json"], stderr=self.log)
        wait_for(lambda: self.said().count("->") >= 2 or self.proc.poll() is not None, 15)
        if self.proc.poll() is not None:
            raise AssertionError("sluice-fwd does not start: " + self.said())

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def admitted(self, dev, seconds):
        """Whether a port was seen to poll, in the time that this may take."""
        return wait_for(lambda: dev + " queue 0: busy polling: " in self.said(), seconds)

    def stop(self):
        status = self.lab.end(self.proc, signal.SIGTERM, 60)
        lines = self.proc.stdout.read().strip().splitlines()
        self.log.close()
        check(status, 0, "exit status")
        stats = json.loads(lines[-1])
        check(stats["accounted"], True, "every frame is accounted for")
        return {port["interface"]: port for port in stats["workers"][0]["ports"]
                if not port["queue"]}


def load(lab):
    """Hard interrupts of both ends for 1,000 packets; the far end gets more than a ring of them."""
    mac, before = lab.link(None, "eth3")["address"], received("eth3")
    first = {dev: vectors(dev) for dev in ("eth1", "eth2")}
    check(pktgen("eth0", mac, PACKETS, PACE_NS), PACKETS, "pktgen's own count")
    wait_for(lambda: received("eth3") - before >= PACKETS, 5)
    last = {dev: vectors(dev) for dev in ("eth1", "eth2")}
    # Not all, where a worker that never sleeps has the one processor to itself.
    check(received("eth3") - before > RING, True, "packets at the far end")
    return {name: (count - first[dev][name]) * 1000 / PACKETS
            for dev in last for name, count in last[dev].items()}


def packet_socket(dev, protocol):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((dev, protocol))
    return sock


class Singles:
    """Single packets from eth0 to eth3, which is not whom they are addressed to."""

    def __init__(self):
        self.out, self.back = packet_socket("eth0", 0), packet_socket("eth3", ETHERTYPE)
        membership = struct.pack("IHH8s", socket.if_nametoindex("eth3"), PACKET_MR_PROMISC, 0, b"")
        self.back.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
        self.sent = 0

    def one(self, seconds):
        """Sends one, and waits for it."""
        self.back.settimeout(seconds)
        self.out.send(FRAME)
        self.sent += 1
        while self.back.recv(2048)[:14] != FRAME[:14]:
            pass

    def arrives(self):
        try:
            self.one(1)
        except TimeoutError:
            return False
        return True

    def latency(self):
        """Median microseconds, 5 ms apart."""
        times = []
        for _ in range(SINGLES):
            start = time.monotonic()
            self.one(20)  # a host that is busy elsewhere
            times.append((time.monotonic() - start) * 1e6)
            time.sleep(0.005)
        return statistics.median(times)

    def close(self):
        self.out.close()
        self.back.close()


def expected(zero_copy, patched):
    kernels = NAPI.get((driver(), "patched" if patched else zero_copy), ())
    return os.environ["SLUICE_GUEST"] in kernels


def run(tap, lab, zero_copy, patched, paired):
    """Each poll mode; `sleep` first, as what the others are measured against."""
    mode = "generic" if driver() == "e1000e" and not patched else "native"
    plain = None
    for poll in ("sleep", "busy", "adaptive"):
        with tap.case("zero-copy %s, poll %s" % (zero_copy, poll)):
            forwarder, singles = Forwarder(lab, mode, poll, zero_copy), Singles()
            try:
                # Zero-copy resets some drivers; and in copy mode a packet may have to come first.
                check(wait_for(singles.arrives, 10), True, "a packet at the far end")
                seen = bool(poll != "sleep" and forwarder.admitted(
                    "eth1", 20 if expected(zero_copy, patched) else 3))
                irqs, late = load(lab), singles.latency()
            finally:
                said = forwarder.said()
                ports = forwarder.stop()
                singles.close()
            print("# %s: hard interrupts for 1,000 packets: %.2f %s; one packet: %.0f us" % (
                poll, sum(irqs.values()), {k: round(v, 2) for k, v in irqs.items() if v}, late))
            for line in said.splitlines():
                if "busy polling" in line:
                    print("# " + line)
            check(poll == "sleep" or seen == expected(zero_copy, patched), True,
                  "admitted where it can be: " + said)
            # Where only packets bring a NAPI id, eth2 has none: nothing comes in there.
            check({dev: port["busy_poll"] for dev, port in ports.items()},
                  {dev: dev + " queue 0: busy polling: " in said for dev in ports},
                  "what is claimed")
            tx = ports["eth2"]["tx"]
            # In copy mode a burst may be more than the ring of the card: tx_full. And zero-copy
            # resets some drivers, which takes their link away: link_down of the first packets.
            drops = ports["eth2"]["drops"]
            full = drops["link_down"] + (drops["tx_full"] if zero_copy == "off" else 0)
            came, sent = ports["eth1"]["rx"]["packets"], PACKETS + singles.sent
            print("# received %d of %d; hub and ring lose some when the host stalls" % (came, sent))
            check(RING < came <= sent, True, "received: %d of %d" % (came, sent))
            check([tx["packets"] + full, tx["unsent"]], [came, 0],
                  "sent, not sent: %r" % ports)
            prefers = driver() == "e1000e" or paired or zero_copy == "off"
            check("not preferred over" in said, seen and not prefers, "preference: " + said)
            plain = plain or irqs
            if poll == "busy" and seen and driver() in SAVED and zero_copy == "require":
                part = SAVED[driver()]
                arrive = [sum(v for k, v in of.items() if "input" in k or "eth1" in k)
                          for of in (irqs, plain)]
                check(arrive[0] <= arrive[1] / part[0], True,
                      "interrupts of reception: %r" % arrive)
                check(sum(irqs.values()) <= sum(plain.values()) / part[1], True,
                      "all of them: %r, plain %r" % (irqs, plain))
        lab.sluice("down")


def main():
    tap = Tap()
    patched, paired = "patched" in sys.argv[1:], "paired" in sys.argv[1:]
    with Lab() as lab:
        if patched:
            lab.run(["rmmod", "e1000e"])
            lab.run(["insmod", built("driver/e1000e.ko")])
        if paired:  # with more than half of its 8 queues (igb_main.c: IGB_FLAG_QUEUE_PAIRS)
            for dev in ("eth1", "eth2"):
                lab.run(["ethtool", "-L", dev, "combined", "5"])
        up(lab, *NICS)
        if paired:
            for dev in ("eth1", "eth2"):
                lab.run(["ethtool", "-X", dev, "equal", "1"])
        for zero_copy in sys.argv[1:]:
            if zero_copy not in ("patched", "paired"):
                run(tap, lab, zero_copy, patched, paired)
    tap.done()


if __name__ == "__main__":
    main()
