# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest: its NICs, and the kernel's pktgen on one of them
(Documentation/networking/pktgen.rst)."""
import re

from lab import wait_for

PORTS = range(5, 10)  # of UDP, one after the other: as many packets each
PACE_NS = 20000       # what one emulated processor sends, carries and receives


def _write(path, text):
    with open(path, "w", encoding="ascii") as out:
        out.write(text + "\n")  # pktgen cuts the last byte off


def up(lab, *devices):
    """Sets NICs up, silent: nothing but pktgen's packets is to be counted."""
    for name in ("all", "default"):
        _write("/proc/sys/net/ipv6/conf/%s/disable_ipv6" % name, "1")
    for dev in devices:
        lab.run(["ip", "link", "set", dev, "up"])
    for dev in devices:
        if not wait_for(lambda dev=dev: "LOWER_UP" in lab.output(["ip", "link", "show", dev])):
            raise AssertionError(dev + ": no carrier")


def pktgen(device, mac, count, pace_ns=PACE_NS, sources=1, again=0):
    """Sends UDP from a NIC, and from addresses in turn, to a MAC, 60 bytes each, every skb
    `again` times (0: once); how many the driver took."""
    thread, control = "/proc/net/pktgen/kpktgend_0", "/proc/net/pktgen/" + device
    for line in ("rem_device_all", "add_device " + device):
        _write(thread, line)
    for line in ("count %d" % count, "clone_skb %d" % again, "pkt_size 60", "delay %d" % pace_ns,
                 "dst_mac " + mac, "src_min 192.0.2.1", "src_max 192.0.2.%d" % sources,
                 "dst 198.51.100.1",
                 "udp_src_min 9", "udp_src_max 9", "udp_dst_min %d" % PORTS.start,
                 "udp_dst_max %d" % PORTS.stop):
        _write(control, line)
    _write("/proc/net/pktgen/pgctrl", "start")  # returns when all is sent
    with open(control, encoding="ascii") as source:
        return int(re.search(r"pkts-sofar: (\d+)", source.read()).group(1))
