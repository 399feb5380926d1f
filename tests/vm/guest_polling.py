#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with four NICs: the forwarder's poll modes on drivers with NAPI ids. Root.

    guest_polling.py [patched] [paired] ZERO-COPY...
                     off or require; patched: e1000e by `make driver`; paired: igb with one NAPI
                     for RX and TX of a queue, and the way to that while the forwarder runs

    eth0 (pktgen) ---- hub ---- eth1 (box) eth2 ---- hub ---- eth3 (counted)

What is shown for each: that busy polling is claimed where NAPI polls of the worker were seen,
and nowhere else; that forwarding goes on past a full ring; which hard interrupts 1,000 packets
cost, and what for; how late a single packet comes.
"""
import json
import os
import re
import signal
import socket
import struct
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)
from guest_driver import MODULES
from lab import Lab, built, wait_for
from pktgen import pktgen, up
from tap import Tap, check

NICS = ("eth0", "eth1", "eth2", "eth3")
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1  # linux/if_packet.h
RING = 2048
PACKETS = 3 * RING  # what stalls, stalls when the rings are full
PACE_NS = 100000
SINGLES = 100   # of the latency, one at a time
SO_TIMESTAMPNS = 35  # asm-generic/socket.h
CONFIG = """interface eth1, eth2 { mode %s }
default pass
rule wire forward fallback drop
forwarder { wire eth1 eth2; workers 1; poll %s; zero-copy %s }
"""
# Drivers whose sockets have a NAPI id: (driver, zero-copy) -> the kernels where it is so.
NAPI = {("virtio_net", "off"): ("6.1", "6.12", "6.12-rt", "newest"),
        ("virtio_net", "require"): ("newest",),
        ("igb", "off"): ("newest",), ("igb", "require"): ("newest",),
        ("e1000e", "off"): ("newest",), ("e1000e", "patched"): ("6.12", "newest")}
# The vectors of queue 0. Those of other queues, and of the card itself, have no reason.
VECTORS = r"(virtio\d+-(in|out)put\.0|eth[12]-(rx|tx|TxRx)-0)$"
RARE = PACKETS // 1000  # interrupts of an end that is polled busily
PAIRED = 5  # more than half of igb's 8 queues (igb_main.c: IGB_FLAG_QUEUE_PAIRS)
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

    def admitted(self, dev, seconds, queue=0):
        """Whether a port was seen to poll, in the time that this may take."""
        line = "%s queue %d: busy polling: " % (dev, queue)
        return wait_for(lambda: line in self.said(), seconds)

    def kicks(self):
        """How often it has called sendto() by now."""
        self.proc.send_signal(signal.SIGUSR1)
        return json.loads(self.proc.stdout.readline())["workers"][0]["syscalls"]["send"]

    def stop(self):
        status = self.lab.end(self.proc, signal.SIGTERM, 60)
        lines, said = self.proc.stdout.read().strip().splitlines(), self.said()
        self.log.close()
        check(status, 0, "exit status: %s %s" % (said, lines[-1:]))
        stats = json.loads(lines[-1])
        check(stats["accounted"], True, "every frame is accounted for")
        return {port["interface"]: port for port in stats["workers"][0]["ports"]
                if not port["queue"]}


def load(lab):
    """Hard interrupts of both ends, as raised; the far end gets more than a ring of packets."""
    mac, before = lab.link(None, "eth3")["address"], received("eth3")
    first = {dev: vectors(dev) for dev in ("eth1", "eth2")}
    check(pktgen("eth0", mac, PACKETS, PACE_NS), PACKETS, "pktgen's own count")
    wait_for(lambda: received("eth3") - before >= PACKETS, 5)
    last = {dev: vectors(dev) for dev in ("eth1", "eth2")}
    # Not all, where a worker that never sleeps has the one processor to itself.
    check(received("eth3") - before > RING, True, "packets at the far end")
    return {dev: {name: count - first[dev][name] for name, count in last[dev].items()
                  if count != first[dev][name]} for dev in last}


def per_1000(irqs):
    return {name: round(count * 1000 / PACKETS, 2) for of in irqs.values()
            for name, count in of.items()}


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
        self.back.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sent = 0

    def one(self, seconds):
        """Sends one, and waits for it. Microseconds until eth3's driver had it: who waits here may
        not get the one processor from a worker that never sleeps."""
        self.back.settimeout(seconds)
        self.sent += 1
        start = time.clock_gettime_ns(time.CLOCK_REALTIME)
        self.out.send(FRAME)
        frame = b""
        while frame[:14] != FRAME[:14]:
            frame, [(_, _, stamp)], _, _ = self.back.recvmsg(2048, 64)
        after_s, after_ns = struct.unpack("qq", stamp)
        return (after_s * 1000000000 + after_ns - start) / 1000

    def arrives(self):
        try:
            self.one(1)
        except TimeoutError:
            return False
        return True

    def latency(self):
        """Microseconds, median and 99th percentile, 5 ms apart."""
        times = []
        for _ in range(SINGLES):
            times.append(self.one(20))  # a host that is busy elsewhere
            time.sleep(0.005)
        times.sort()
        return times[SINGLES // 2], times[SINGLES * 99 // 100]

    def close(self):
        self.out.close()
        self.back.close()


def expected(zero_copy, patched):
    kernels = NAPI.get((driver(), "patched" if patched else zero_copy), ())
    return os.environ["SLUICE_GUEST"] in kernels


def explained(irqs, kicks, sender_polled):
    """Zero-copy and `busy`: how often each vector was raised, and what for (docs/polling.md)."""
    come, gone = sum(irqs["eth1"].values()), sum(irqs["eth2"].values())
    strange = [name for of in irqs.values() for name in of if not re.match(VECTORS, name)]
    check(strange, [], "vectors without a reason: %r" % irqs)
    if driver() != "igb":  # QEMU's never masks a vector by itself, so each burst raises it
        check(come <= RARE, True, "reception: %r" % irqs)
    if driver() == "virtio_net":
        check(gone <= kicks, True, "completions, %d kicks: %r" % (kicks, irqs))
    if driver() == "e1000e" and sender_polled:
        check(gone <= RARE, True, "transmission: %r" % irqs)


def run(tap, lab, zero_copy, patched, paired):
    """Each poll mode; `sleep` first, as what the others are read beside."""
    mode = "generic" if driver() == "e1000e" and not patched else "native"
    for poll in ("sleep", "busy", "adaptive"):
        with tap.case("zero-copy %s, poll %s" % (zero_copy, poll)):
            forwarder, singles = Forwarder(lab, mode, poll, zero_copy), Singles()
            try:
                # Zero-copy resets some drivers; and in copy mode a packet may have to come first.
                check(wait_for(singles.arrives, 10), True, "a packet at the far end")
                seen = bool(poll != "sleep" and forwarder.admitted(
                    "eth1", 20 if expected(zero_copy, patched) else 3))
                kicks = -forwarder.kicks()
                irqs = load(lab)
                kicks += forwarder.kicks()
                late = singles.latency()
            finally:
                said = forwarder.said()
                ports = forwarder.stop()
                singles.close()
            print("# %s: hard interrupts for 1,000 packets: %s, kicks %.2f; one packet: "
                  "p50 %.0f us, p99 %.0f us" % (
                      (poll, per_1000(irqs), kicks * 1000 / PACKETS) + late))
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
            if poll == "busy" and zero_copy == "require" and seen:
                explained(irqs, kicks, ports["eth2"]["busy_poll"])
        lab.sluice("down")


def queues_set(lab, n):
    for dev in ("eth1", "eth2"):
        lab.run(["ethtool", "-L", dev, "combined", str(n)])
        lab.run(["ethtool", "-X", dev, "equal", "1"])


def pairs(tap, lab):
    """igb: RX and TX of a queue get one NAPI under the forwarder, which then prefers its polls."""
    queues_set(lab, 1)
    with tap.case("zero-copy, poll busy: queues are paired under it"):
        forwarder, singles = Forwarder(lab, "native", "busy", "require"), Singles()
        try:
            check(wait_for(lambda: "not preferred" in forwarder.said(), 20), True, "split at first")
            queues_set(lab, PAIRED)
            check(forwarder.admitted("eth1", 20, PAIRED - 1), True, "polled again")
            check(wait_for(singles.arrives, 10), True, "a packet at the far end")
            print("# paired under it: %s" % per_1000(load(lab)))
            done = lab.run(["ethtool", "-L", "eth1", "combined", "1"], check=False)
            check(done.returncode != 0, True, "not split again under its sockets")
        finally:
            said = forwarder.said()
            ports = forwarder.stop()
            singles.close()
        last = [line for line in said.splitlines() if "eth1 queue 0: busy polling: " in line][-1]
        check("not preferred" in last, False, "preferred: " + said)
        check(ports["eth1"]["busy_poll"], True, "claimed")
    lab.sluice("down")


def main():
    tap = Tap()
    patched, paired = "patched" in sys.argv[1:], "paired" in sys.argv[1:]
    with Lab() as lab:
        if patched:
            lab.run(["rmmod", "e1000e"])
            lab.run(["insmod", built(MODULES[os.environ["SLUICE_GUEST"]])])
        up(lab, *NICS)
        if paired:
            queues_set(lab, PAIRED)
        for zero_copy in sys.argv[1:]:
            if zero_copy not in ("patched", "paired"):
                run(tap, lab, zero_copy, patched, paired)
        if paired and "require" in sys.argv[1:]:
            pairs(tap, lab)
    tap.done()


if __name__ == "__main__":
    main()
