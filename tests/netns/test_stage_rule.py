#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`rule NAME` of a stage: the filter tells the forwarder by which rule a packet came. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
                        \\_ wire _/
"""
import os
import time

from scapy.all import rdpcap

from network import gather, two_sides
from lab import Lab, wait_for
from tap import Tap
from test_forwarder import Forwarder, accounted, datagram
from test_stages import shared_object

HEAD = "interface box0, box1 { mode %s }\ndefault pass\n"
RULES = {"first": "rule first forward udp to any port 7\n",
         "second": "rule second forward udp to any port 8\n",
         "rest": "rule rest forward fallback drop\n"}
STAGES = """
forwarder { wire box0 box1; workers 1; zero-copy off
stage "all.so" rule first
capture "second.pcapng" rule second
capture "all.pcapng"
}
"""
DROPS_ALL = """
#include <sluice/stage.h>
static void process(void *state, const struct sl_stage_burst *burst)
{
	(void)state;
	for (uint32_t i = 0; i < burst->n; i++)
		burst->packets[i].drop = 1;
}
const struct sl_stage_object sluice_stage = { .abi = SL_STAGE_ABI, .process = process };
"""
COUNT = 100


def text(mode, *names):
    return HEAD % mode + "".join(RULES[name] for name in names) + STAGES


def ports(frames):
    """{destination port: how many} of datagrams."""
    found = [int.from_bytes(bytes(f)[36:38], "big") for f in frames]
    return {port: found.count(port) for port in sorted(set(found))}


def captured(lab, name):
    path = os.path.join(lab.dir, name)
    return ports(rdpcap(path)) if os.path.getsize(path) else {}


def chooses(tap, mode):
    with Lab() as lab:
        two_sides(lab)
        shared_object(lab, "all.so", DROPS_ALL)
        lab.apply(text(mode, "first", "second", "rest"), ns="box")
        forwarder = Forwarder(lab, text(mode, "first", "second", "rest"))

        def send():
            with lab.packet_socket("far", "far0", receive=True) as far:
                lab.send("peer", "peer0", [datagram(port, n) for n in range(COUNT)
                                           for port in (7, 8, 9)])
                return ports(gather(far, 2 * COUNT))

        tap.equal(send(), {8: COUNT, 9: COUNT}, mode + ": a stage drops those of its rule only")
        wait_for(lambda: captured(lab, "second.pcapng") == {8: COUNT})
        tap.equal((captured(lab, "second.pcapng"), captured(lab, "all.pcapng")),
                  ({8: COUNT}, {8: COUNT, 9: COUNT}), mode + ": a capture writes those of its rule")

        # Its slot may be another when it comes back.
        lab.apply(text(mode, "second", "rest").replace(" rule first", " rule second"), ns="box")
        lab.apply(HEAD % mode + "rule new forward udp to any port 9\n" + "".join(RULES.values()),
                  ns="box")
        time.sleep(2.5)  # the forwarder looks once a second
        tap.equal(send(), {8: COUNT, 9: COUNT}, mode + ": the same after the rules were replaced")
        status, stats = forwarder.stop()
        accounted(tap, mode + ": ", status, stats)
        tap.equal([(s["packets"], s["dropped"]) for s in stats["stages"]],
                  [(2 * COUNT, 2 * COUNT), (2 * COUNT, 0), (4 * COUNT, 0)],
                  mode + ": the counters of the stages")
        tap.equal(lab.leftovers(), [], mode + ": down leaves nothing behind")


def missing(tap):
    with Lab() as lab:
        two_sides(lab)
        shared_object(lab, "all.so", DROPS_ALL)
        lab.apply(HEAD % "native" + RULES["second"], ns="box")
        forwarder = Forwarder(lab, text("native", "first", "second", "rest"))
        tap.contains(forwarder.messages(), ["stage all.so (line ", 'rule "first": no filter here'],
                     "a rule that is not loaded is told")
        tap.ok('rule "second"' not in forwarder.messages(), "and only that")
        accounted(tap, "it runs nevertheless: ", *forwarder.stop())


def main():
    tap = Tap()
    for name, test in (("native", lambda t: chooses(t, "native")),
                       ("generic", lambda t: chooses(t, "generic")),
                       ("a rule that is missing", missing)):
        with tap.case(name + ": to the end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
