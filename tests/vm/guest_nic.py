#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with two NICs on one hub: the filter on a driver with real
descriptor rings, and the kernel's pktgen at the other end. Root.

    guest_nic.py MODE...         native, generic or no-native (the driver has none)

    eth0 (pktgen) ---- hub ---- eth1 (filter)
"""
import json
import os
import socket
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "oracle")]
from lab import SO_RCVBUFFORCE, Lab, wait_for
from pktgen import PORTS, pktgen, up
from tap import Tap, check

PACKETS = 20000
CONFIG = """interface eth1 { mode %s }
default %s
rule seven drop udp to any port 7
rule eight pass udp to any port 8
rule none drop tcp
"""


def counted(lab):
    return next(i for i in lab.sluice_json("stats", "--json")["interfaces"] if i["name"] == "eth1")


def exact(lab, mac):
    """What was sent is what the filter got, by rule, by reason and in sum."""
    sent = pktgen("eth0", mac, PACKETS)
    check(sent, PACKETS, "pktgen's own count")
    wait_for(lambda: counted(lab)["rx"]["packets"] >= sent)
    found = counted(lab)
    check(found["rx"]["packets"], sent, "rx")
    check(found["rx"]["bytes"], sent * 60, "its bytes")
    check({r["name"]: r["packets"] for r in found["rules"]},
          {"seven": sent // len(PORTS), "eight": sent // len(PORTS), "none": 0}, "by rule")
    check({name: r["packets"] for name, r in found["reasons"].items() if r["packets"]},
          {"rule": 2 * sent // len(PORTS), "default": 3 * sent // len(PORTS)}, "by reason")


def passed(mac):
    """What the kernel of eth1 gets of it: what was not dropped."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:  # ETH_P_ALL
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        sock.bind(("eth1", 0))
        count = len(PORTS) * 100
        check(pktgen("eth0", mac, count), count, "pktgen's own count")
        got = 0
        sock.settimeout(1)
        try:
            while True:
                frame = sock.recv(2048)
                got += frame[12:14] == b"\x08\x00" and frame[23] == 17
        except OSError:  # no more
            pass
    check(got, count // len(PORTS), "packets for the kernel, of one port in five")


def run(tap, lab, mac, mode):
    if mode == "no-native":
        with tap.case("native XDP, which this driver has not, is refused, and nothing is left"):
            done = lab.sluice("apply", "--force", lab.file("nic.conf", CONFIG % ("native", "pass")),
                              check=False)
            check(done.returncode, 3, "exit status")
            check("mode generic" in done.stderr, True, "what to do is said: " + done.stderr)
            check("xdp" in lab.link(None, "eth1"), False, "a program on eth1")
        return
    with tap.case(mode + ": counters equal what was sent"):
        lab.sluice("apply", "--force", lab.file("nic.conf", CONFIG % (mode, "pass")))
        check(counted(lab)["mode"], mode, "the mode")
        exact(lab, mac)
    with tap.case(mode + ": just what is passed arrives"):
        lab.sluice("apply", "--force", lab.file("nic.conf", CONFIG % (mode, "drop")))
        passed(mac)
    with tap.case(mode + ": down leaves the interface as it was"):
        lab.sluice("down")
        check("xdp" in lab.link(None, "eth1"), False, "a program on eth1")
        check(json.loads(lab.sluice("stats", "--json").stdout)["interfaces"], [], "interfaces")


def main():
    tap = Tap()
    with Lab() as lab:
        up(lab, "eth0", "eth1")
        mac = lab.link(None, "eth1")["address"]
        for mode in sys.argv[1:]:
            run(tap, lab, mac, mode)
    tap.done()


if __name__ == "__main__":
    main()
