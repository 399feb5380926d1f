#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest: `attach shared`, beside another program, under libxdp's
dispatcher. Where the tests run, its kernel may refuse freplace. Root.

    [peer] peer0 ---- box0 [the guest itself: `ip netns exec` would hide its bpffs]
"""
import json
import os
import shutil
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "netns")]
from network import foreign_object
from lab import Lab, built, wait_for
from tap import Tap, check

import capture
import frames as raw

SHARED = """interface box0 { mode %s; attach shared }
default pass
rule one drop udp to any port %d
"""


def udp(port):
    return raw.ethernet(0x800, raw.ipv4(0x0a000001, 0xc0000201, raw.UDP, raw.udp(9, port)))


def link(lab):
    lab.add("peer")
    for name in ("all", "default"):
        with open("/proc/sys/net/ipv6/conf/%s/disable_ipv6" % name, "w", encoding="ascii") as out:
            out.write("1")
    lab.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"])
    lab.run(["ip", "link", "add", "box0", "type", "veth", "peer", "name", "peer0",
             "netns", lab.name("peer")])
    for ns, dev in ((None, "box0"), ("peer", "peer0")):
        lab.run(["ethtool", "-K", dev, "gro", "on", "tx", "off"], ns=ns)
        lab.run(["ip", "link", "set", dev, "up"], ns=ns)


def programs(lab):
    """Names of the dispatcher's programs on box0, in its order."""
    said = lab.output(["xdp-loader", "status", "box0"])
    return [line.split()[2] for line in said.splitlines() if line.lstrip().startswith("=>")]


def counted(lab):
    found = next(i for i in lab.sluice_json("stats", "--json")["interfaces"] if i["name"] == "box0")
    assert found["rx"]["packets"] == sum(r["packets"] for r in found["reasons"].values()), found
    return found["rx"]["packets"], {r["name"]: r["packets"] for r in found["rules"]}["one"]


def judged(lab, port):
    """Sends some frames; what box0 has counted of them, all and by the rule."""
    before = counted(lab)
    lab.send("peer", "peer0", [udp(port)] * 3 + [udp(9)] * 2)
    wait_for(lambda: counted(lab)[0] - before[0] >= 5)
    return tuple(now - then for now, then in zip(counted(lab), before))


def captured(lab):
    """What `sluice capture` says of three packets that are dropped."""
    proc = lab.popen([built("sluice"), "capture", "box0", "--json", "-c", "3"])
    folder = "/proc/%d/fdinfo" % proc.pid

    def taps():
        said = lab.run(["sh", "-c", "cat %s/*" % folder], check=False).stdout
        return proc.poll() is not None or "tracing" in said
    wait_for(taps, 20)
    judged(lab, 7)
    said = proc.communicate(timeout=20)[0]
    lines = [json.loads(line) for line in said.splitlines()]
    return [(line["verdict"], line["rule"], line["reason"]) for line in lines]


def run(tap, lab, mode, foreign):
    label = mode + ": "
    with tap.case(label + "a foreign program is there first"):
        lab.run(["xdp-loader", "load", "-m", "skb" if mode == "generic" else mode, "-s", "xdp",
                 "box0", foreign])
        check(programs(lab), ["foreign"], "the dispatcher's")
    path = lab.file("shared.conf", SHARED % (mode, 7))
    with tap.case(label + "the filter joins it"):
        lab.sluice("apply", path)
        check(sorted(programs(lab)), ["foreign", "sluice_xdp"], "the dispatcher's")
        check("shared" in lab.sluice("status").stdout, True, "status says shared")
    with tap.case(label + "it judges and counts"):
        check(judged(lab, 7), (5, 3), "rx, by the rule")
    with tap.case(label + "explain runs the dispatcher"):
        frames = os.path.join(lab.dir, "frames.pcap")
        capture.write(frames, [udp(7), udp(9)])
        said = lab.sluice("explain", "--json", "box0", frames).stdout
        check([json.loads(line)["verdict"] for line in said.splitlines()], ["drop", "pass"],
              "its verdicts")
    with tap.case(label + "capture sees what it drops"):
        check(captured(lab), [("drop", "one", "rule")] * 3, "its packets")
    with tap.case(label + "a reload swaps it"):
        lab.sluice("apply", lab.file("shared.conf", SHARED % (mode, 8)))
        check(sorted(programs(lab)), ["foreign", "sluice_xdp"], "the dispatcher's")
        check(judged(lab, 8), (5, 3), "rx, by the rule")
        check(judged(lab, 7), (5, 0), "rx, by the rule that has changed")
    with tap.case(label + "down leaves the foreign one alone"):
        lab.sluice("down")
        check(programs(lab), ["foreign"], "the dispatcher's")
        lab.run(["xdp-loader", "unload", "box0", "--all"])


def main():
    tap = Tap()
    if not shutil.which("xdp-loader"):
        tap.skip("attach shared", "no xdp-loader here to attach a second program (xdp-tools)")
        tap.done()
    with Lab() as lab:
        link(lab)
        foreign = foreign_object(lab)
        for mode in ("native", "generic"):
            run(tap, lab, mode, foreign)
    tap.done()


if __name__ == "__main__":
    main()
