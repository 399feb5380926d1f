#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reloads: counters are kept, and under traffic no packet is lost or judged by
half a configuration. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import threading
import time

from network import drain, program, settle, two_sides
from lab import Lab
from tap import Tap

import frames as raw

RELOADS = 40
# Both drop UDP to port 9, by rules of other names, places and tables.
EVEN = "interface box0\ndefault pass\nrule keep drop udp to any port 9\nrule even pass tcp\n"
ODD = ("interface box0\ndefault drop\nset many { 10.0.0.0/8, 2001:db8::/32, 192.0.2.0/24 }\n"
       "rule odd pass udp from @many to any port { 10-20, 53 }\n"
       "rule also drop sctp\nrule keep drop udp to any port 9\n")


def packet(number):
    return raw.ethernet(0x800, raw.ipv4(0x0a000000 + number % 60000, 0xc0000201, raw.UDP,
                                        raw.udp(1 + number % 60000, 9)))


class Sender(threading.Thread):
    """Sends about 10,000 packets a second until stopped, at most for a minute."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.sent, self.bytes = sock, 0, 0
        self.stopped = threading.Event()

    def run(self):
        end = time.monotonic() + 60
        while not self.stopped.is_set() and time.monotonic() < end:
            for _ in range(20):
                self.bytes += self.sock.send(packet(self.sent))
                self.sent += 1
            time.sleep(0.002)


def under_traffic(tap, lab):
    lab.apply(EVEN, ns="box")
    paths = lab.file("even.conf", EVEN), lab.file("odd.conf", ODD)
    with lab.packet_socket("peer", "peer0") as out, \
            lab.packet_socket("box", "box0", receive=True) as arrived:
        sender = Sender(out)
        sender.start()
        programs = set()
        try:
            for number in range(RELOADS):
                lab.sluice("apply", "--force", paths[(number + 1) % 2], ns="box")
                programs.add(program(lab, "box", "box0"))
        finally:
            sender.stopped.set()
            sender.join(10)
        stats = settle(lab, "box", "box0", sender.sent)
        leaked = drain(arrived)
    tap.diag("%d packets, %d reloads" % (sender.sent, RELOADS))
    tap.equal(len(programs), RELOADS, "every reload is a program of its own")
    tap.equal(stats["generation"], RELOADS + 1, "the generation counts the reloads")
    tap.ok(sender.sent > 1000, "there was traffic", sender.sent)
    tap.equal(stats["rx"], {"packets": sender.sent, "bytes": sender.bytes}, "none was lost")
    tap.equal({name: r["packets"] for name, r in stats["reasons"].items() if r["packets"]},
              {"rule": sender.sent}, "none fell between two configurations")
    tap.equal([r["packets"] for r in stats["rules"] if r["name"] == "keep"], [sender.sent],
              "the rule's counter goes through all reloads")
    tap.equal(len(leaked), 0, "none got past")


def identity(tap, lab):
    """A counter belongs to a rule's name: it survives a move, not a removal and a new one."""
    before = lab.stats("box", "box0")
    lab.apply("interface box0\nrule fresh drop tcp\nrule keep drop udp to any port 9\n", ns="box")
    lab.send("peer", "peer0", [packet(n) for n in range(10)])
    after = settle(lab, "box", "box0", before["rx"]["packets"] + 10)
    kept = {r["name"]: r["packets"] for r in before["rules"]}["keep"]
    tap.equal({r["name"]: r["packets"] for r in after["rules"]}, {"fresh": 0, "keep": kept + 10},
              "a moved rule keeps its counter, a new one begins at 0")
    lab.apply("interface box0\nrule fresh drop tcp\n", ns="box")
    lab.apply("interface box0\nrule other drop udp\n", ns="box")
    lab.send("peer", "peer0", [packet(n) for n in range(5)])
    after = settle(lab, "box", "box0", before["rx"]["packets"] + 15)
    tap.equal({r["name"]: r["packets"] for r in after["rules"]}, {"other": 5},
              "a new rule does not inherit the counter of one that is gone")


def dry_run(tap, lab):
    before = program(lab, "box", "box0"), lab.stats("box", "box0")
    path = lab.file("dry.conf", EVEN)
    lab.sluice("apply", "--force", path, "--dry-run", ns="box")
    tap.equal((program(lab, "box", "box0"), lab.stats("box", "box0")), before,
              "--dry-run changes nothing")
    shown = lab.sluice("show", ns="box").stdout
    again = lab.file("shown.conf", shown)
    plain = "".join(line for line in shown.splitlines(True) if not line.startswith("#"))
    tap.equal(lab.sluice("show", again).stdout, plain, "what show prints is a configuration")
    lab.sluice("apply", "--force", again, ns="box")
    tap.equal(lab.sluice("show", ns="box").stdout, shown, "and can be applied")


def main():
    tap = Tap()
    with tap.case("to the end"), Lab() as lab:
        two_sides(lab)
        under_traffic(tap, lab)
        identity(tap, lab)
        dry_run(tap, lab)
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
