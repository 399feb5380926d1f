#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The filter attached by `ip` alone, then found and served by `sluice`. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import json
import os

from network import foreign_object, program, settle, two_sides
from lab import Lab, built
from tap import Tap

ADDRESSES = (("peer", "peer0", "192.0.2.1/24", "2001:db8::1/64"),
             ("box", "box0", "192.0.2.2/24", "2001:db8::2/64"))
PINGS = 5


def ping(lab, address):
    return lab.ping("peer", address, PINGS)


def map_dump(lab, number, name):
    """`bpftool map dump` of the map of that name of a program."""
    shown = json.loads(lab.output(["bpftool", "-j", "prog", "show", "id", str(number)]))
    for index in shown["map_ids"]:
        found = json.loads(lab.output(["bpftool", "-j", "map", "show", "id", str(index)]))
        if found.get("name") == name:
            return json.loads(lab.output(["bpftool", "-j", "map", "dump", "id", str(index)]))
    raise AssertionError("program %d has no map %s" % (number, name))


def named_fields(lab, number):
    """The packets of sl_totals.rx over all CPUs, by name."""
    (entry,) = map_dump(lab, number, "sl_totals")
    return sum(cpu["value"]["rx"]["packets"] for cpu in entry["formatted"]["values"])


def attached_by_ip(tap, keyword, section, mode):
    label = "%s sec %s: " % (keyword, section)
    with Lab() as lab:
        two_sides(lab, ipv6=True)
        for ns, dev, *prefixes in ADDRESSES:
            lab.address(ns, dev, *prefixes)
        lab.run(["ip", "link", "set", "dev", "box0", keyword, "obj", built("sluice.bpf.o"),
                 "sec", section], ns="box")
        first = program(lab, "box", "box0")
        tap.ok(first, label + "is attached")
        tap.equal((ping(lab, "192.0.2.2"), ping(lab, "2001:db8::2")), (PINGS, PINGS),
                  label + "ping passes")
        tap.ok(named_fields(lab, first) >= 2 * PINGS, label + "bpftool shows named counters")

        lab.run(["python3", "-c", "import socket; s = socket.socket(socket.AF_INET, "
                 "socket.SOCK_DGRAM)\nfor _ in range(7): s.sendto(b'x', ('192.0.2.2', 4242))"],
                ns="peer")
        stats = settle(lab, "box", "box0", 2 * PINGS + 7)
        tap.equal(stats["generation"], 0, label + "no configuration is loaded")
        tap.equal(stats["mode"], mode, label + "its mode is told")
        tap.equal(stats["rx"]["packets"], sum(r["packets"] for r in stats["reasons"].values()),
                  label + "rx is the sum of reasons")
        tap.equal([(p["proto"], p["port"], p["packets"]) for p in lab.sluice_json(
            "ports", "--json", ns="box")["ports"]], [("udp", 4242, 7)], label + "ports")
        tap.contains(lab.sluice("status", ns="box").stdout, "box0", label + "status names it")
        tap.equal(lab.pins("box"), [], label + "reading pins nothing")

        frags = "; frags on" if section == "xdp.frags" else ""
        lab.apply("interface box0 { mode %s%s }\nrule no-ping drop icmp\n" % (mode, frags),
                  ns="box")
        tap.equal((ping(lab, "192.0.2.2"), ping(lab, "2001:db8::2")), (0, PINGS),
                  label + "apply gives it rules")
        after = lab.stats("box", "box0")
        tap.equal([(r["name"], r["packets"]) for r in after["rules"]], [("no-ping", PINGS)],
                  label + "the rule counted")
        tap.ok(after["rx"]["packets"] > stats["rx"]["packets"] + 2 * PINGS - 1
               and after["generation"] == 1, label + "counters went on", stats, after)
        tap.contains(lab.sluice("show", ns="box").stdout, "rule no-ping drop icmp",
                     label + "show tells what is loaded")
        # The attachment is not Sluice's, though the rules are: `ip` has the say.
        done = lab.sluice("down", "box0", ns="box", check=False)
        mode = "xdpgeneric" if stats["mode"] == "generic" else "xdpdrv"
        tap.ok(done.returncode == 3 and "ip link set dev box0 %s off" % mode in done.stderr
               and program(lab, "box", "box0"),
               label + "down leaves what `ip` attached, and says so", done)
        lab.run(["ip", "link", "set", "dev", "box0", keyword, "off"], ns="box")
        tap.equal(lab.leftovers(), [], label + "nothing is left behind")


def only_ours(tap):
    with Lab() as lab:
        two_sides(lab)
        foreign = foreign_object(lab)
        lab.run(["ip", "link", "set", "dev", "box1", "xdp", "obj", foreign, "sec", "xdp"],
                ns="box")
        theirs = program(lab, "box", "box1")
        lab.apply("interface box0\n", ns="box")
        tap.ok(program(lab, "box", "box0"), "ours is attached beside a foreign one")
        tap.ok(any(lab.pins("box")), "what Sluice attaches it holds by a pin")
        lab.sluice("down", ns="box")
        tap.equal((program(lab, "box", "box0"), program(lab, "box", "box1")), (None, theirs),
                  "down takes ours and leaves the foreign program")
        tap.equal(lab.pins("box"), [], "down leaves no pin")
        lab.run(["ip", "link", "set", "dev", "box0", "xdp", "obj", built("sluice.bpf.o"), "sec",
                 "xdp"], ns="box")
        ours = program(lab, "box", "box0")
        lab.sluice("down", ns="box")
        tap.equal(program(lab, "box", "box0"), ours, "down leaves what `ip` attached")
        lab.run(["ip", "link", "set", "dev", "box0", "xdp", "off"], ns="box")


def pinned(tap):
    """`ip link set xdp off` cannot strip what is held by a link."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply("interface box0\nrule all drop\n", ns="box")
        ours = program(lab, "box", "box0")
        lab.run(["ip", "link", "set", "dev", "box0", "xdp", "off"], ns="box", check=False)
        tap.equal(program(lab, "box", "box0"), ours, "`ip ... xdp off` does not strip it")
        lab.apply("interface box0\ninterface box1\nrule all drop\n", ns="box")
        lab.sluice("down", "box1", ns="box")
        tap.ok(program(lab, "box", "box0") and not program(lab, "box", "box1"),
               "down IFACE takes that one only")
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")


def strange_name(tap):
    """The kernel takes any bytes for a name; JSON has UTF-8 alone, and leaves none out."""
    dev = os.fsdecode(b"b\xffx")
    with Lab() as lab:
        lab.add("box")
        lab.run(["ip", "link", "add", dev, "type", "veth", "peer", "name", "b0"], ns="box")
        lab.run(["ip", "link", "set", "dev", dev, "up", "xdp", "obj", built("sluice.bpf.o"), "sec",
                 "xdp"], ns="box")
        for command in ("status", "stats", "show", "doctor"):
            told = lab.sluice_json(command, "--json", ns="box")["interfaces"]
            tap.ok("b\\xffx" in [i["name"] for i in told], "strange name: " + command, told)
        lab.run(["ip", "link", "set", "dev", dev, "xdp", "off"], ns="box")


def main():
    tap = Tap()
    for keyword, section, mode in (("xdp", "xdp", "native"), ("xdpgeneric", "xdp", "generic"),
                                   ("xdpdrv", "xdp", "native"),
                                   ("xdpdrv", "xdp.frags", "native")):
        with tap.case("%s sec %s: to the end" % (keyword, section)):
            attached_by_ip(tap, keyword, section, mode)
    with tap.case("only ours: to the end"):
        only_ours(tap)
    with tap.case("pinned: to the end"):
        pinned(tap)
    with tap.case("strange name: to the end"):
        strange_name(tap)
    tap.done()


if __name__ == "__main__":
    main()
