#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a change of filters must not lose: names, modes, locks, old pins. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import json
import os
import struct

from network import program, settle, two_sides
from lab import PINS, Lab, built, wait_for
from tap import Tap

import frames as raw

DROP = "interface %s { mode %s }\ndefault drop\nrule one drop udp to any port 7\n"


def udp(port):
    return raw.ethernet(0x800, raw.ipv4(0x0a000001, 0xc0000201, raw.UDP, raw.udp(9, port)))


def entry(lab, dev):
    """One interface of `sluice status --json`, or None."""
    found = lab.sluice_json("status", "--json", ns="box")["interfaces"]
    return next((one for one in found if one["name"] == dev), None)


def renamed(tap):
    with Lab() as lab:
        two_sides(lab)
        lab.apply(DROP % ("box0", "native"), ns="box")
        lab.run(["ip", "link", "set", "box0", "down"], ns="box")
        lab.run(["ip", "link", "set", "box0", "name", "wan0"], ns="box")
        lab.run(["ip", "link", "set", "wan0", "up"], ns="box")
        tap.equal(entry(lab, "wan0")["attached"], "link", "a renamed interface is still ours")
        # A new interface under the old name must not take the old one's pin.
        lab.run(["ip", "link", "add", "box0", "type", "veth", "peer", "name", "box9"], ns="box")
        held = program(lab, "box", "wan0")
        lab.apply(DROP % ("box0", "native"), ns="box")
        tap.equal(program(lab, "box", "wan0"), held, "a namesake does not take its filter away")
        done = lab.apply(DROP % ("wan0", "native"), ns="box")
        tap.contains(done.stderr, ["box0", "runs on"], "apply names the filters it leaves running")
        tap.equal(lab.sluice("down", ns="box", check=False).returncode, 0, "down takes both off")
        tap.equal((program(lab, "box", "wan0"), program(lab, "box", "box0")), (None, None),
                  "nothing is attached")


def altname(tap):
    with Lab() as lab:
        two_sides(lab)
        lab.run(["ip", "link", "property", "add", "dev", "box0", "altname", "uplink"], ns="box")
        lab.apply(DROP % ("uplink", "native"), ns="box")
        tap.equal(entry(lab, "box0")["attached"], "link", "attached by another name, found by its own")
        tap.equal(lab.sluice("down", ns="box", check=False).returncode, 0, "and taken down")


def modes(tap):
    """A change of mode that is refused, and one that is rolled back."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(DROP % ("box0", "generic"), ns="box")
        for ns, dev in (("box", "box0"), ("peer", "peer0")):
            lab.run(["ip", "link", "set", dev, "mtu", "9000"], ns=ns)
        done = lab.apply(DROP % ("box0", "native"), ns="box", check=False)
        tap.equal(done.returncode, 3, "native XDP is refused at MTU 9000")
        tap.contains(done.stderr, "old filter is back", "the moment without a filter is said")
        tap.equal(entry(lab, "box0")["mode"], "generic", "and the old one is back")
        done = lab.apply(DROP % ("box0", "auto"), ns="box")
        tap.equal(entry(lab, "box0")["mode"], "generic", "auto keeps it")

        lab.sluice("down", ns="box")
        for ns, dev in (("box", "box0"), ("peer", "peer0")):
            lab.run(["ip", "link", "set", dev, "mtu", "1500"], ns=ns)
        lab.run(["ip", "link", "set", "box1", "mtu", "9000"], ns="box")
        lab.run(["ip", "link", "set", "far0", "mtu", "9000"], ns="far")
        lab.apply(DROP % ("box0", "native"), ns="box")
        held = program(lab, "box", "box0")
        done = lab.apply("interface box0 { mode generic }\ninterface box1 { mode native }\n",
                         ns="box", check=False)
        tap.equal(done.returncode, 3, "the second interface refuses")
        tap.equal((entry(lab, "box0")["mode"], program(lab, "box", "box0")), ("native", held),
                  "the first has its mode and its program back")


def together(tap):
    """Two first applies at once: one bpffs, two links."""
    with Lab() as lab:
        two_sides(lab)
        procs = [lab.popen([built("sluice"), "apply", "--force", lab.file(dev + ".conf", DROP % (dev, "native"))],
                           ns="box") for dev in ("box0", "box1")]
        lab.used_sluice.add("box")
        tap.equal([proc.wait(20) for proc in procs], [0, 0], "two applies at once succeed")
        tap.equal([entry(lab, dev)["attached"] for dev in ("box0", "box1")], ["link", "link"],
                  "both hold their filter by a link")
        with open("/proc/self/mountinfo", encoding="ascii") as mounts:
            tap.equal(sum(PINS in line for line in mounts), 1, "one bpffs is mounted")


def names(tap):
    with Lab() as lab:
        two_sides(lab)
        lab.apply(DROP % ("box0", "native"), ns="box")
        done = lab.sluice("down", "box1", "box0", ns="box", check=False)
        tap.equal(done.returncode, 3, "down of an interface without a filter fails")
        tap.equal(program(lab, "box", "box0"), None, "and spares no other")
        done = lab.sluice("down", "--json", ns="box")
        tap.equal(json.loads(done.stdout), {"detached": []}, "down --json says what it did")


def vanished(tap):
    """The pins of a namespace that is gone are swept by the next apply anywhere."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(DROP % ("box0", "native"), ns="box")
        inode = str(lab.spaces["box"])
        lab.remove("box")
        path = os.path.join(PINS, inode)
        wait_for(lambda: not os.path.exists("/run/netns/" + lab.name("box")))
        lab.veth("peer", "peer1", "far", "far1")

        def swept():
            lab.apply(DROP % ("far1", "native"), ns="far")
            return not os.path.exists(path)
        tap.ok(wait_for(swept, interval=0.5), "no pin is left of it", path)
        lab.sluice("down", ns="far")


def jumbo(tap):
    """explain judges no frame that the test run would cut in two."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(DROP % ("box0", "generic"), ns="box")
        frame = raw.ethernet(0x800, raw.ipv4(1, 2, raw.UDP, raw.udp(9, 7, bytes(5000))))
        pcap = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + struct.pack(
            "<IIII", 0, 0, len(frame), len(frame)) + frame
        answer = json.loads(lab.sluice("explain", "--json", "box0", lab.file("j.pcap", pcap),
                                       ns="box").stdout)
        tap.equal((answer["verdict"], answer["reason"]), (None, "not run"),
                  "a jumbo frame is not judged in half")
        lab.send("peer", "peer0", [udp(7)])
        tap.equal(settle(lab, "box", "box0", 1)["rules"][0]["packets"], 1, "the filter still counts")


def main():
    tap = Tap()
    for test in (renamed, altname, modes, together, names, vanished, jumbo):
        with tap.case(test.__name__):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
