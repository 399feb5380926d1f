#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with four NICs on two hubs: the patched e1000e that `make driver`
built, in place of the kernel's own. Root.

    eth0 (pktgen) ---- hub ---- eth1 (filter: native)
    eth2 (redirected to) --- hub ---- eth3 (counts)
"""
import errno
import os
import socket
import subprocess
import sys
import threading
import time
import zlib

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "oracle")]
import guest_nic
import netdev_netlink as netdev
from lab import SO_RCVBUFFORCE, Lab, built, wait_for
from pktgen import PORTS, pktgen, up
from tap import Tap, check

NICS = ("eth0", "eth1", "eth2", "eth3")
ETHERTYPE = 0x88b5  # IEEE 802's for local experiments
FRAMES = 1500       # more than there are lengths
PACKETS = 20000
FLAPS, CHANGES = 8, 200
LOAD = 100000000    # packets, more than are sent while the load is on
SETTLE = 65         # the kernel tells of a page pool that keeps pages after a minute
# Of `make driver`, by the lab's name of the kernel.
MODULES = {"6.12": "driver/e1000e.ko", "newest": "driver-7.x/e1000e.ko"}
COUNT = """interface %s { mode native }
default drop
"""


def module(lab):
    """The NICs again, driven by the patched module."""
    path = built(MODULES[os.environ["SLUICE_GUEST"]])
    lab.run(["rmmod", "e1000e"])
    lab.run(["insmod", path])
    with open("/proc/modules", encoding="ascii") as source:
        check([line.split()[-1] for line in source if line.startswith("e1000e ")], ["(OE)"],
              "the flags of the loaded module")


def xdp(lab, dev):
    return lab.link(None, dev).get("xdp", {}).get("mode")


def received(lab, dev):
    """What the filter of a device that only counts has seen."""
    return lab.stats(None, dev)["rx"]["packets"]


def frame(number, source, target):
    """A frame of its own length, whose end is the checksum of the rest."""
    length = 60 + number % 1455
    body = target + source + ETHERTYPE.to_bytes(2, "big") + number.to_bytes(4, "big")
    body += bytes((number * 31 + i * i) & 255 for i in range(length - len(body) - 4))
    return body + zlib.crc32(body).to_bytes(4, "big")


def ends(lab):
    """The addresses of eth0 and eth1."""
    return [bytes.fromhex(lab.link(None, dev)["address"].replace(":", ""))
            for dev in ("eth0", "eth1")]


def carried(lab):
    """Frames of every length arrive, whole and in order."""
    pair = ends(lab)
    wanted = [frame(number, *pair) for number in range(FRAMES)]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE)) as sink:
        sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        sink.bind(("eth1", ETHERTYPE))
        sink.settimeout(5)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as source:
            source.bind(("eth0", 0))
            for number, want in enumerate(wanted):
                source.send(want)
                if number % 64 == 63:
                    time.sleep(0.01)  # a quarter of the receiver's ring
        for number, want in enumerate(wanted):
            got = sink.recv(2048)
            if got != want:
                raise AssertionError("frame %d of %d bytes: got %d bytes, %s" % (
                    number, len(want), len(got), got[:24].hex()))


class Load:
    """pktgen from eth0 to eth1 while the block runs."""

    def __init__(self, mac):
        self.mac = mac
        self.sent = 0

    def __enter__(self):
        self.thread = threading.Thread(target=self._send)
        self.thread.start()
        time.sleep(1)
        return self

    def _send(self):
        self.sent = pktgen("eth0", self.mac, LOAD)

    def __exit__(self, *_exc):
        with open("/proc/net/pktgen/pgctrl", "w", encoding="ascii") as control:
            control.write("stop\n")
        self.thread.join()
        check(0 < self.sent < LOAD, True, "the load went on throughout, %d sent" % self.sent)


def bounced(lab, mac):
    """The filter of eth1 gets all, and eth0's what that sends back."""
    lab.sluice("apply", "--force", lab.file("driver.conf", COUNT % "eth0, eth1" +
                                 "rule back bounce on eth1 udp to any port 7\n"))
    for dev in ("eth0", "eth1"):
        wait_for(lambda dev=dev: "LOWER_UP" in lab.output(["ip", "link", "show", dev]), 10)
    exact(lab, mac, "eth0")


def exact(lab, mac, target):
    """eth1 receives what is sent, and `target` one port in five of it."""
    before = received(lab, "eth1"), received(lab, target)
    sent = pktgen("eth0", mac, PACKETS)
    wait_for(lambda: received(lab, target) - before[1] >= sent // len(PORTS))
    check(received(lab, "eth1") - before[0], sent, "seen by eth1")
    check(received(lab, target) - before[1], sent // len(PORTS), "came out at " + target)


def moved(tap, lab, mac):
    """XDP_TX and XDP_REDIRECT: another NIC's filter counts what comes out."""
    with tap.case("bounce: what was sent back is what the sender receives"):
        bounced(lab, mac)
    with tap.case("redirect: what was handed to eth2 is what its peer receives"):
        lab.sluice("apply", "--force", lab.file("driver.conf", COUNT % "eth1, eth3" +
                                     "rule over redirect eth2 on eth1 udp to any port 7\n"))
        lab.run(["ip", "link", "set", "eth3", "promisc", "on"])
        exact(lab, mac, "eth3")
        lab.run(["ip", "link", "set", "eth3", "promisc", "off"])
    with tap.case("the driver's own counters agree"):
        for dev, name, least in (("eth1", "rx_xdp_tx", 1), ("eth1", "rx_xdp_redirect", 1),
                                 ("eth1", "rx_xdp_drop", 2), ("eth2", "tx_xdp_xmit", 1)):
            check(statistic(lab, dev, name) >= least * PACKETS // len(PORTS), True, name)
        for name in ("tx_err", "redirect_err", "aborted"):
            check(statistic(lab, "eth1", "rx_xdp_" + name), 0, name)
        check(statistic(lab, "eth2", "tx_xdp_xmit_err"), 0, "tx_xdp_xmit_err")


def statistic(lab, dev, name):
    for line in lab.output(["ethtool", "-S", dev]).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return int(value)
    raise AssertionError("%s: no statistic %s" % (dev, name))


def refused(lab, argv, *parts):
    done = lab.run(argv, check=False)
    said = done.stdout + done.stderr
    check(done.returncode != 0 and all(part in said for part in parts), True,
          "refused, with %r: %s" % (parts, said))


def limits(tap, lab, pin):
    attach = ["ip", "link", "set", "eth1", "xdpdrv", "pinned", pin]
    with tap.case("a large MTU and a program exclude each other, with the reason"):
        lab.run(["ip", "link", "set", "eth1", "mtu", "2027"])
        refused(lab, attach, "MTU 2027", "2026")
        check(xdp(lab, "eth1"), None, "a program")
        lab.run(["ip", "link", "set", "eth1", "mtu", "1500"])
        lab.run(attach)
        refused(lab, ["ip", "link", "set", "eth1", "mtu", "2027"])
        check(lab.link(None, "eth1")["mtu"], 1500, "the MTU")
        for allowed in ("1400", "2026", "1500"):
            lab.run(["ip", "link", "set", "eth1", "mtu", allowed])
        lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])
    with tap.case("so do rx-all and rx-fcs"):
        for feature in ("rx-all", "rx-fcs"):
            lab.run(attach)
            lab.run(["ethtool", "-K", "eth1", feature, "on"], check=False)
            check(feature + ": off" in lab.output(["ethtool", "-k", "eth1"]), True, feature)
            lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])
            check(feature + ": on" in lab.output(["ethtool", "-k", "eth1"]), True,
                  feature + ", which was asked for meanwhile,")
            refused(lab, attach, feature)
            lab.run(["ethtool", "-K", "eth1", feature, "off"])


def disturbed(tap, lab, mac, pin):
    with tap.case("rings of other sizes, with a program, under load"):
        lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", pin])
        with Load(mac):
            for size in ("80", "4096", "256"):
                lab.run(["ethtool", "-G", "eth1", "rx", size, "tx", size])
        lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])
        bounced(lab, mac)
    with tap.case("%d times down and up, bouncing, under load" % FLAPS):
        with Load(mac):
            for _ in range(FLAPS):
                lab.run(["ip", "link", "set", "eth1", "down"])
                lab.run(["ip", "link", "set", "eth1", "up"])
                time.sleep(2)
        bounced(lab, mac)
        lab.sluice("down")
    with tap.case("%d times attached and detached under load; the link stays" % CHANGES):
        changes = "/sys/class/net/eth1/carrier_changes"
        with open(changes, encoding="ascii") as source:
            before = source.read()
        with Load(mac):
            for _ in range(CHANGES):
                lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", pin])
                lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])
        with open(changes, encoding="ascii") as source:
            check(source.read(), before, "carrier changes")
        carried(lab)


def told(tap, lab, mac):
    """Queues, NAPI and statistics in netlink."""
    with tap.case("both queues name their NAPI instance, and that its interrupt"):
        queues = netdev.dump(netdev.QUEUE_GET, netdev.QUEUE_IFINDEX, "eth1")
        check(sorted(q[netdev.QUEUE_TYPE] for q in queues), [0, 1], "one queue each way")
        napis = netdev.dump(netdev.NAPI_GET, netdev.NAPI_IFINDEX, "eth1")
        check(len(napis), 1, "NAPI instances")
        check([q.get(netdev.QUEUE_NAPI_ID) for q in queues], 2 * [napis[0][netdev.NAPI_ID]],
              "the queues' NAPI")
        with open("/proc/interrupts", encoding="ascii") as source:
            irqs = [int(line.split(":")[0]) for line in source if "eth1-rx-0" in line]
        check([napis[0].get(netdev.NAPI_IRQ)], irqs, "its interrupt")
    with tap.case("a queue's statistics count what XDP dropped, too"):
        def packets():
            rows = netdev.dump(netdev.QSTATS_GET, netdev.QSTATS_IFINDEX, "eth1")
            return rows[0][netdev.QSTATS_RX_PACKETS]
        lab.sluice("apply", "--force", lab.file("driver.conf", COUNT % "eth1"))
        before = packets()
        sent = pktgen("eth0", mac, PACKETS)
        wait_for(lambda: packets() - before >= sent)
        check(packets() - before, sent, "received")
        lab.sluice("down")


def until_gone(data):
    """Sends from eth0 while it is there (pktgen would have it wait)."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as source:
        source.bind(("eth0", 0))
        for _ in range(LOAD):
            try:
                source.send(data)
            except OSError as fault:
                if fault.errno != errno.ENOBUFS:
                    return


def unloaded(lab):
    """The module goes, while eth0 sends."""
    sender = threading.Thread(target=until_gone, args=(frame(0, *ends(lab)),))
    sender.start()
    time.sleep(1)
    lab.run(["rmmod", "e1000e"])
    sender.join()
    check(os.path.exists("/sys/class/net/eth1"), False, "eth1")


def none_kept(lab):
    """All pages are back, some time after the module has gone."""
    time.sleep(SETTLE)
    stalled = [line for line in lab.output(["dmesg"]).splitlines() if "stalled pool" in line]
    check(stalled, [], "page pools that keep pages")


def removed(tap, lab, pin):
    with tap.case("rmmod under load, with programs attached; no page is kept"):
        lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", pin])
        unloaded(lab)
        none_kept(lab)


def main():
    tap = Tap()
    with Lab() as lab:
        with tap.case("the patched module replaces the kernel's"):
            module(lab)
        up(lab, *NICS)
        mac = lab.link(None, "eth1")["address"]
        with tap.case("frames of every length arrive unchanged, without a program"):
            carried(lab)
        subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)
        pin = "/sys/fs/bpf/pass"
        lab.run(["bpftool", "prog", "load", built("pass.bpf.o"), pin], timeout=120)
        with tap.case("and with one that passes them"):
            lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", pin])
            check(xdp(lab, "eth1"), 1, "native mode")
            carried(lab)
            lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])
        guest_nic.run(tap, lab, mac, "native")
        moved(tap, lab, mac)
        lab.sluice("down")
        told(tap, lab, mac)
        limits(tap, lab, pin)
        disturbed(tap, lab, mac, pin)
        removed(tap, lab, pin)
    tap.done()


if __name__ == "__main__":
    main()
