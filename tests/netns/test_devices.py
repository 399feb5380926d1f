#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bounce, redirect, and devices that go down, vanish and come back. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import json

from network import drain, foreign_object, program, settle, two_sides
from lab import Lab, wait_for
from tap import Tap

import frames as raw

COUNT = 300
CONFIG = """
interface box0 { mode %s }
default pass
rule out  redirect box1 udp to any port 7
rule back bounce tcp
"""


def udp(number):
    return raw.ethernet(0x800, raw.ipv4(0x0a000001, 0xc0000201, raw.UDP,
                                        raw.udp(1000 + number, 7, b"datum")))


def tcp(number):
    return raw.ethernet(0x86dd, raw.ipv6(1, 2, raw.TCP, raw.tcp(1000 + number, 80)))


def rules(stats):
    return {r["name"]: r["packets"] for r in stats["rules"]}


def count(stats, reason):
    return stats["reasons"].get(reason, {"packets": 0})["packets"]


def moves(tap, mode):
    """Redirected frames leave unchanged, bounced ones with their MACs swapped."""
    label = mode + ": "
    with Lab() as lab:
        two_sides(lab)
        if mode == "native":
            # A veth takes bounced frames only when its peer runs XDP as well.
            lab.run(["ip", "link", "set", "dev", "peer0", "xdp", "obj", foreign_object(lab), "sec",
                     "xdp"], ns="peer")
        lab.apply(CONFIG % mode, ns="box")
        with lab.packet_socket("far", "far0", receive=True) as far, \
                lab.packet_socket("peer", "peer0", receive=True) as near, \
                lab.packet_socket("box", "box0", receive=True) as local:
            out = [udp(n) for n in range(COUNT)]
            back = [tcp(n) for n in range(COUNT)]
            lab.send("peer", "peer0", out + back)
            stats = settle(lab, "box", "box0", 2 * COUNT)
            tap.equal(rules(stats), {"out": COUNT, "back": COUNT}, label + "both rules counted")
            tap.equal(count(stats, "rule"), 2 * COUNT, label + "under reason rule")
            got = drain(far)
            tap.ok(sorted(got) == sorted(out), label + "redirected frames arrive unchanged",
                   "%d of %d came" % (len(got), len(out)))
            # Outgoing frames of the test itself are seen here too: those that left are `back`.
            swapped = sorted(frame[6:12] + frame[:6] + frame[12:] for frame in back)
            got = sorted(f for f in drain(near) if f[:6] == raw.SRC)
            tap.ok(got == swapped, label + "bounced frames come back, MACs swapped",
                   len(got), len(swapped))
            tap.equal(len(drain(local)), 0, label + "the kernel saw none of them")

            lab.run(["ip", "link", "del", "box1"], ns="box")
            lab.send("peer", "peer0", out)
            stats = settle(lab, "box", "box0", 3 * COUNT)
            tap.equal((count(stats, "no_device"), rules(stats)["out"]), (COUNT, 2 * COUNT),
                      label + "redirect to a device that is gone drops, and is counted")
            tap.equal(len(drain(local)), 0, label + "and reaches nobody")
        tap.equal(lab.leftovers(), [], label + "down leaves nothing behind")


def down_and_up(tap):
    with Lab() as lab:
        two_sides(lab)
        lab.apply("interface box0\nrule all drop udp\n", ns="box")
        ours = program(lab, "box", "box0")
        sent = 0
        for _round in range(3):
            sent += lab.send("peer", "peer0", [udp(n) for n in range(50)])
            settle(lab, "box", "box0", sent)
            lab.run(["ip", "link", "set", "box0", "down"], ns="box")
            tap.ok(lab.sluice("stats", ns="box", check=False).returncode == 0
                   and lab.sluice("status", ns="box", check=False).returncode == 0,
                   "stats and status while the link is down")
            lab.run(["ip", "link", "set", "box0", "up"], ns="box")
            wait_for(lambda: "LOWER_UP" in lab.link("box", "box0")["flags"])
        stats = settle(lab, "box", "box0", sent)
        tap.equal((program(lab, "box", "box0"), rules(stats)["all"], stats["rx"]["packets"]),
                  (ours, sent, sent), "the filter outlives down and up, and counts exactly")
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")


def vanishes(tap):
    with Lab() as lab:
        two_sides(lab)
        lab.apply("interface box0, box1\nrule all drop udp\n", ns="box")
        lab.run(["ip", "link", "del", "box0"], ns="box")
        for command in ("stats", "status", "ports"):
            done = lab.sluice(command, "--json", ns="box", check=False)
            tap.ok(done.returncode == 0 and '"box0"' not in done.stdout
                   and (command == "ports" or '"box1"' in done.stdout),
                   "%s without the interface that is gone" % command, done.stdout, done.stderr)
        lab.veth("peer", "peer0", "box", "box0")
        lab.apply("interface box0, box1\nrule all drop udp\n", ns="box")
        sent = lab.send("peer", "peer0", [udp(n) for n in range(50)])
        tap.equal(rules(settle(lab, "box", "box0", sent)), {"all": sent},
                  "a new interface of that name is served, from 0")
        lab.run(["ip", "link", "del", "box0"], ns="box")
        tap.equal(lab.leftovers(), [], "down cleans up after an interface that is gone")


def nothing_attached(tap):
    with Lab() as lab:
        two_sides(lab)
        for command in ("status", "stats", "ports", "show", "down"):
            done = lab.sluice(command, ns="box", check=False)
            tap.equal((done.returncode, done.stderr), (0, ""),
                      "%s with nothing attached" % command)
        tap.equal(lab.sluice_json("stats", "--json", ns="box"), {"interfaces": []},
                  "stats --json with nothing attached")
        tap.equal(lab.sluice_json("ports", "--json", ns="box"), {"ports": []},
                  "ports --json with nothing attached")
        with tap.case("status --json with nothing attached"):
            json.loads(lab.sluice("status", "--json", ns="box").stdout)


def vlan_taken_off(tap):
    """A rule waits for a tag that the device takes off first: that is said, by name."""
    rules = "interface box0, box1\nrule plain pass\nrule tagged drop on box0 vlan 5\n"
    with Lab() as lab:
        two_sides(lab)
        for dev in ("box0", "box1"):
            lab.run(["ethtool", "-K", dev, "rxvlan", "on"], ns="box")
        done = lab.apply(rules, ns="box")
        tap.contains(done.stderr, ["box0: warning: ", '"tagged"', "ethtool -K box0 rxvlan off"],
                     "a `vlan` rule behind a VLAN offload is warned of")
        tap.equal("box1" in done.stderr, False, "not where the rule is not in force")
        lab.run(["ethtool", "-K", "box0", "rxvlan", "off"], ns="box")
        tap.equal(lab.apply(rules, ns="box").stderr, "", "nor with the offload off")


def main():
    tap = Tap()
    for name, test in (("native", lambda t: moves(t, "native")),
                       ("generic", lambda t: moves(t, "generic")),
                       ("link down and up", down_and_up), ("an interface vanishes", vanishes),
                       ("nothing attached", nothing_attached),
                       ("VLAN tags taken off", vlan_taken_off)):
        with tap.case(name + ": to the end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
