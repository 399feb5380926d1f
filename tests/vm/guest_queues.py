#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with two processors and four NICs of several queues: RSS, and the forwarder. Root.

    eth0 (pktgen) ---- hub ---- eth1 (box) eth2 ---- hub ---- eth3 (counted)

Each queue that the indirection table names has a socket, and gets packets; one that the table
leaves out gets none.
"""
import json
import os
import signal
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)
from guest_forwarder import CONFIG, PACE_NS, received, start
from lab import Lab
from pktgen import pktgen, up
from tap import Tap, check

PACKETS = 4000
QUEUES = 2
SOURCES = 200
TEXT = CONFIG.replace("workers 1", "workers %d" % QUEUES)


def forward(lab, said):
    """({queue of eth1: packets}, statistics) after PACKETS of SOURCES addresses."""
    proc, log = start(lab, lab.file("wire.conf", TEXT % ("native", "off")))
    try:
        log.seek(0)
        text = log.read()
        check(all(words in text for words in said), True, "it says %s: %s" % (said, text))
        before, mac = received("eth3"), lab.link(None, "eth3")["address"]
        check(pktgen("eth0", mac, PACKETS, PACE_NS, SOURCES), PACKETS, "pktgen's own count")
        # Two emulated processors may be too slow for all; what is there is to be exact.
        arrived = -1
        while arrived != received("eth3") - before:
            arrived = received("eth3") - before
            time.sleep(1)
        done = lab.run(["ethtool", "-L", "eth1", "combined", "1"], check=False)
        check(done.returncode != 0, True, "a queue with a socket cannot be taken away")
    finally:
        status = lab.end(proc, signal.SIGTERM, 60)
        lines = proc.stdout.read().strip().splitlines()
        log.close()
    check(status, 0, "exit status")
    stats = json.loads(lines[-1])
    check((stats["accounted"], stats["ledger"]["unexplained"]), (True, 0), "accounted for")
    eth1, eth2 = stats["ledger"]["interfaces"]
    check((eth1["unseen"], eth1["seen"]), (0, eth1["nic"]["rx_packets"]), "unseen, seen")
    check((arrived, eth1["received"]), (eth2["sent"], eth2["sent"]), "arrived, received: as sent")
    got = {port["queue"]: port["rx"]["packets"] for worker in stats["workers"]
           for port in worker["ports"] if port["interface"] == "eth1"}
    check((sum(got.values()), arrived > PACKETS // 4), (arrived, True), "received on all queues")
    return got


def main():
    tap = Tap()
    with Lab() as lab:
        up(lab, "eth0", "eth1", "eth2", "eth3")
        lab.sluice("apply", lab.file("wire.conf", TEXT % ("native", "off")))
        with tap.case("the table as it is"):
            got = forward(lab, ["eth1: sockets on RX queues 0 to 1; the RSS indirection table"])
            check(sorted(got) == [0, 1] and all(got.values()), True,
                  "each queue has packets of its own: %s" % got)
        with tap.case("a table of one queue"):
            lab.run(["ethtool", "-X", "eth1", "weight", "0", "1"])
            got = forward(lab, ["eth1: sockets on RX queues 0 to 1; the RSS indirection table"])
            check((got[0], got[1] > 0), (0, True), "the other one has none")
        lab.sluice("down")
    tap.done()


if __name__ == "__main__":
    main()
