#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What others' AF_XDP programs fell into, as far as it takes a real kernel to see. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
                        \\_ wire _/
"""
import os
import signal
import socket
import time

from network import gather, settle, two_sides
from lab import Lab, built
from tap import Tap

from test_forwarder import Forwarder, WIRE, accounted, datagram, rule

TWO = WIRE.replace("workers 1", "workers 2")
# veth has no indirection table. With this before the forwarder's ioctl() it shows one, whose last
# entry is the queue LAST.
TABLE = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>

int ioctl(int fd, unsigned long request, ...)
{
	struct ethtool_rxfh_indir *table;
	va_list list;
	void *argument;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	if (request == SIOCETHTOOL) {
		table = (void *)((struct ifreq *)argument)->ifr_data;
		if (table->cmd == ETHTOOL_GRXFHINDIR) {
			if (table->size)
				table->ring_index[table->size - 1] = atoi(getenv("LAST"));
			table->size = 8;
			return 0;
		}
	}
	return ((int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl"))(
		fd, request, argument);
}
"""


def two_queues(lab):
    two_sides(lab, queues=2)
    lab.apply(WIRE, ns="box")


def through(lab, count):
    """How many of `count` datagrams, of as many flows, get through the wire."""
    with lab.packet_socket("far", "far0", receive=True) as far:
        lab.send("peer", "peer0", [datagram(7, n) for n in range(count)])
        return len(gather(far, count))


def every_queue(tap):
    """A socket on queue 0 sees nothing of the flows hashed elsewhere: there is one on each."""
    with Lab() as lab:
        two_queues(lab)
        forwarder = Forwarder(lab, TWO)
        tap.equal(through(lab, 400), 400, "every queue: all flows get through")
        status, stats = forwarder.stop()
        accounted(tap, "every queue: ", status, stats)
        got = {port["queue"]: port["rx"]["packets"] for worker in stats["workers"]
               for port in worker["ports"] if port["interface"] == "box0"}
        tap.ok(sorted(got) == [0, 1] and all(got.values()) and sum(got.values()) == 400,
               "every queue: each has packets of its own", got)


def few_queues(tap):
    """A TX queue that is not in use sends nothing and says nothing: it is not sent to."""
    with Lab() as lab:
        two_queues(lab)
        lab.run(["ethtool", "-L", "box1", "tx", "1"], ns="box")
        forwarder = Forwarder(lab, TWO)
        tap.contains(forwarder.messages(), ["box0 queue 1 -> box1 queue 0"],
                     "few queues: two queues leave by the one there is")
        tap.equal(through(lab, 400), 400, "few queues: all flows get through")
        accounted(tap, "few queues: ", *forwarder.stop())


def uncovered(tap):
    """A queue that RSS can choose and that has no socket: the forwarder refuses to start."""
    with Lab() as lab:
        two_queues(lab)
        shown = os.path.join(lab.dir, "table.so")
        lab.run(["gcc", "-shared", "-fPIC", "-o", shown, lab.file("table.c", TABLE)])
        for last, status in ((1, 0), (2, 3)):
            done = lab.run(["env", "LD_PRELOAD=" + shown, "LAST=%d" % last, built("sluice-fwd"),
                            "--duration", "1", "-c", lab.file("two.conf", TWO)], ns="box",
                           check=False)
            tap.equal(done.returncode, status, "uncovered: a table up to queue %d" % last)
            words = ["box0: cover the RX queues", "table leads to queue 2", "queues 0 to 1",
                     "ethtool -X box0 equal 2"]
            if not status:
                words = ["box0: sockets on RX queues 0 to 1; the RSS indirection table, and 0"]
            tap.contains(done.stderr, words, "uncovered: which is told")
        tap.equal([lab.link("box", dev)["promiscuity"] for dev in ("box0", "box1")], [0, 0],
                  "uncovered: nothing is left")


def rebind(tap):
    """The end of a socket is asynchronous: the next one waits for the queue, within a bound."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        took = []
        for _ in range(10):
            forwarder.stop(signal.SIGKILL)
            begin = time.monotonic()
            forwarder.start()
            took.append(time.monotonic() - begin)
        tap.ok(max(took) < 2.5, "rebind: ten starts right after a kill", took)
        tap.equal(through(lab, 100), 100, "rebind: the last one forwards")
        accounted(tap, "rebind: ", *forwarder.stop())


def overload(tap):
    """A worker that gets no CPU: what the kernel drops meanwhile is found in its counters."""
    sent = 6000
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        with lab.packet_socket("far", "far0", receive=True) as far:
            os.kill(forwarder.plane(), signal.SIGSTOP)
            lab.send("peer", "peer0", [datagram(7, n) for n in range(sent)])
            os.kill(forwarder.plane(), signal.SIGCONT)
            arrived = len(gather(far, 1))
        filtered = settle(lab, "box", "box0", sent)
        status, stats = forwarder.stop()
        accounted(tap, "overload: ", status, stats)
        box0, box1 = stats["workers"][0]["ports"]
        xdp = box0["xdp"]
        tap.equal(rule(filtered, "soft"), sent, "overload: the filter saw all")
        tap.ok(arrived < sent, "overload: some were lost", arrived)
        tap.equal(box0["rx"]["packets"] + xdp["rx_dropped"] + xdp["rx_ring_full"]
                  + filtered["reasons"]["no_socket"]["packets"], sent,
                  "overload: each is received, or in a counter of the kernel's")
        tap.equal(arrived + sum(box1["drops"].values()), box0["rx"]["packets"],
                  "overload: what was received arrives or is counted")
        tap.diag("arrived %d; %s" % (arrived, xdp))


def checksums(tap):
    """veth leaves checksums for later, and AF_XDP knows no later: `tx off` at the sender."""
    with Lab() as lab:
        two_sides(lab)
        lab.address("peer", "peer0", "192.0.2.1/24")
        lab.address("far", "far0", "192.0.2.2/24")
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        receiver = lab.within("far", socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        sender = lab.within("peer", socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        with receiver, sender:
            receiver.bind(("192.0.2.2", 7))
            for offload, expected in (("on", 0), ("off", 20)):
                lab.run(["ethtool", "-K", "peer0", "tx", offload], ns="peer")
                for number in range(20):
                    sender.sendto(b"%d" % number, ("192.0.2.2", 7))
                tap.equal(len(gather(receiver, expected)), expected,
                          "checksums: with tx " + offload)
        accounted(tap, "checksums: ", *forwarder.stop())


def main():
    tap = Tap()
    for name, test in (("every queue", every_queue), ("few queues", few_queues),
                       ("uncovered", uncovered), ("rebind", rebind), ("overload", overload),
                       ("checksums", checksums)):
        with tap.case(name + ": to the end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
