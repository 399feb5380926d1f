#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with four NICs: the forwarder between two of them. Root.

    guest_forwarder.py MODE ZERO-COPY...    native or generic; off or require

    eth0 (pktgen) ---- hub ---- eth1 (box) eth2 ---- hub ---- eth3 (counted)
"""
import json
import os
import signal
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)
from lab import Lab, built, wait_for
from pktgen import PORTS, pktgen, up
from tap import Tap, check

PACKETS = 5000
PACE_NS = 100000  # four rings and a process more than the filter alone
CONFIG = """interface eth1, eth2 { mode %s }
default pass
rule seven drop udp to any port 7
rule wire forward fallback drop
forwarder { wire eth1 eth2; workers 1; poll sleep; zero-copy %s }
"""
GRANTED = {"off": "copy", "require": "zero-copy"}


def received(dev):
    with open("/sys/class/net/%s/statistics/rx_packets" % dev, encoding="ascii") as source:
        return int(source.read())


def start(lab, path):
    """(process, its messages' file) of a forwarder whose sockets stand."""
    # To append: both sides share the place in the file, and one of them seeks.
    log = open(lab.file("forwarder.log", ""), "a+", encoding="utf-8")
    proc = lab.popen([built("sluice-fwd"), "-c", path, "--json"], stderr=log)

    def said():
        log.seek(0)
        return log.read()

    wait_for(lambda: said().count("->") >= 2 or proc.poll() is not None, 10)
    if proc.poll() is not None or said().count("->") < 2:
        raise AssertionError("sluice-fwd does not start: " + said())
    return proc, log


def forward(lab, mode, zero_copy):
    path = lab.file("wire.conf", CONFIG % (mode, zero_copy))
    lab.sluice("apply", path)
    proc, log = start(lab, path)
    try:
        up(lab, "eth1", "eth2")  # a driver may reset the NIC to bind a socket
        before, mac = received("eth3"), lab.link(None, "eth3")["address"]
        check(pktgen("eth0", mac, PACKETS, PACE_NS), PACKETS, "pktgen's own count")
        want = PACKETS - PACKETS // len(PORTS)
        wait_for(lambda: received("eth3") - before >= want)
        check(received("eth3") - before, want, "packets at the far end")
    finally:
        status = lab.end(proc, signal.SIGTERM, 60)
        lines = proc.stdout.read().strip().splitlines()
        log.close()
    check(status, 0, "exit status")
    stats = json.loads(lines[-1])
    check(stats["accounted"], True, "every frame is accounted for")
    ports = {p["interface"]: p for w in stats["workers"] for p in w["ports"]}
    check({p["mode"] for p in ports.values()}, {GRANTED[zero_copy]}, "the mode that was granted")
    check((ports["eth1"]["rx"]["packets"], ports["eth2"]["tx"]["packets"]), (want, want),
          "received, sent")
    ledger(stats, mode, want)


def ledger(stats, mode, want):
    """From the NIC to the NIC; generic XDP sees what the stack made of it, and e1000e counts when
    it reads its registers: what was not seen is not known."""
    driver = os.path.basename(os.readlink("/sys/class/net/eth1/device/driver"))
    known = mode == "native" and driver != "e1000e"
    sides = {side["name"]: side for side in stats["ledger"]["interfaces"]}
    check(stats["ledger"]["unexplained"], 0, "packets unexplained")
    check((sides["eth1"]["seen"], sides["eth1"]["forwarded"]), (PACKETS, want),
          "what the filter saw, and forwarded")
    check(sides["eth1"]["unseen"], 0 if known else None, "and did not see")
    if known:
        check(sides["eth1"]["nic"]["rx_packets"], PACKETS, "what the NIC received")


def main():
    tap = Tap()
    with Lab() as lab:
        up(lab, "eth0", "eth1", "eth2", "eth3")
        for zero_copy in sys.argv[2:]:
            with tap.case("%s, zero-copy %s: forwards and accounts for all" % (
                    sys.argv[1], zero_copy)):
                forward(lab, sys.argv[1], zero_copy)
            lab.sluice("down")
    tap.done()


if __name__ == "__main__":
    main()
