#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with two NICs on one hub: what `sluice doctor` says of a driver with real
rings is held against the kernel, by trying. Root.

    eth0 ---- hub ---- eth1 (asked)
"""
import os
import re
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "oracle")]
from lab import Lab
from pktgen import up
from tap import Tap, check
import xsk

CONFIG = "interface eth1 { mode native }\ndefault pass\n"
# Findings that only netdev-genl tells; before Linux 6.3 there is none.
ASKED = ("xdp-native", "xdp-frags", "xdp-redirect", "xdp-redirect-target", "zero-copy")


def release():
    return tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())


def ask(lab):
    """(findings of the machine, of eth1, eth1)."""
    answer = lab.sluice_json("doctor", "eth1", "--json")
    nic = answer["interfaces"][0]
    return ({f["name"]: f for f in answer["host"]["findings"]},
            {f["name"]: f for f in nic["findings"]}, nic)


def native(lab, tap):
    """Is it as the driver does when it is asked to attach?"""
    _, before, _ = ask(lab)
    done = lab.apply(CONFIG, None, check=False)
    works = done.returncode == 0
    tap.diag("native XDP works: %s %s" % (works, done.stderr))
    if works:
        _, during, _ = ask(lab)
        check((during["xdp-native"]["severity"], during["xdp-native"]["known"]), ("ok", True),
              "xdp-native while a native program runs")
        check("native, program id" in during["xdp-attached"]["value"], True,
              "attached: %r" % during["xdp-attached"])
    lab.sluice("down")
    if release() < (6, 3):
        check([n for n in ASKED if before[n]["known"]], [], "what is claimed without proof")
        return
    check((before["xdp-native"]["severity"] == "ok", before["xdp-native"]["known"]),
          (works, True), "xdp-native")


def zero_copy(lab, tap):
    _, found, _ = ask(lab)
    claimed = found.get("zero-copy", {"known": True, "severity": "none"})
    try:
        with xsk.Xsk("eth1", 0, xsk.ZEROCOPY):
            granted = True
            _, during, nic = ask(lab)
            tap.diag("sockets: %s" % during["sockets"]["value"])
            check(during["sockets"]["value"], "AF_XDP on queues 0, zero-copy", "the socket")
            check([q["id"] for q in nic["queues"] if q["zero_copy"] and q["direction"] == "rx"],
                  [0], "its queue")
    except OSError as why:
        tap.diag("zero-copy: %s" % why)
        granted = False
    check(claimed["severity"] == "ok", granted if claimed["known"] else False, "zero-copy")
    with xsk.Xsk("eth1", 0, xsk.COPY):
        _, during, _ = ask(lab)
        # Debian's 6.1 is built without sock_diag for AF_XDP.
        check(during["sockets"]["known"], release() > (6, 1), "sockets can be asked")
        if during["sockets"]["known"]:
            check(during["sockets"]["value"], "AF_XDP on queues 0, copy mode", "the socket")


def settings(lab):
    """Rings, interrupts and offloads against ethtool and /proc/interrupts."""
    _, found, nic = ask(lab)
    rings = [int(n) for n in re.findall(r"^RX:\s+(\d+)",
                                        lab.output(["ethtool", "-g", "eth1"]), re.M)]
    check("receive %d of %d" % (rings[1], rings[0]) in found["rings"]["value"], True,
          "%r against ethtool -g %r" % (found["rings"], rings))
    with open("/proc/interrupts", encoding="ascii") as table:
        lines = {line.split()[-1]: int(line.split(":")[0]) for line in table
                 if line.split(":")[0].strip().isdigit()}
    check(len(nic["irqs"]) > 0, True, "an interrupt of eth1")
    check({i["name"]: i["irq"] for i in nic["irqs"]}.items() <= lines.items(), True,
          "interrupts %r against %r" % (nic["irqs"], lines))
    vlan = "rx-vlan-offload: on" in lab.output(["ethtool", "-k", "eth1"])
    check(found["vlan-offload"]["severity"], "warn" if vlan else "ok", "vlan-offload")


def sends(lab, found, nic):
    """igb pairs RX and TX with more than half of its 8 queues (igb_main.c); virtio_net never."""
    napi = {(q["direction"], q["id"]): q["napi"] for q in nic["queues"]}
    said = found.get("busy-poll-send")
    zero_copy = found.get("zero-copy", {"known": False})
    told = zero_copy["known"] and zero_copy["severity"] == "ok"
    if not told or not (napi["rx", 0] and napi["tx", 0]):
        check(said, None, "busy-poll-send without a NAPI to tell, or zero-copy")
        return
    driver = os.path.basename(os.path.realpath("/sys/class/net/eth1/device/driver"))
    check((driver in ("virtio_net", "igb"), said["severity"]), (True, "note"), "busy-poll-send")
    if driver == "igb":
        lab.run(["ethtool", "-L", "eth1", "combined", "5"])
        check(ask(lab)[1]["busy-poll-send"]["severity"], "ok", "busy-poll-send of paired queues")
        lab.run(["ethtool", "-L", "eth1", "combined", "1"])


def polling(lab, tap):
    """A queue's NAPI is named from 6.8 on, by the drivers that do; else that is said."""
    _, found, nic = ask(lab)
    named = [q["napi"] for q in nic["queues"] if q["direction"] == "rx" and q["napi"]]
    tap.diag("NAPI ids: %s; busy-poll: %s" % (named, found["busy-poll"]["value"]))
    check(found["napi"]["known"], release() >= (6, 8), "napi can be asked")
    if found["napi"]["known"]:
        check(found["busy-poll"]["severity"], "ok" if named else "note", "busy-poll")
    sends(lab, found, nic)
    lab.run(["sh", "-c", "echo 3 > /sys/class/net/eth1/napi_defer_hard_irqs && "
             "echo 70000 > /sys/class/net/eth1/gro_flush_timeout"])
    _, found, _ = ask(lab)
    check(found["deferral"]["value"], "napi_defer_hard_irqs 3, gro_flush_timeout 70000 ns",
          "deferral")


def machine(lab):
    """Stock kernels of Debian have what this one is asked for, from their releases on."""
    found, _, _ = ask(lab)
    for name, since in (("bpf", (0, 0)), ("attach-shared", (0, 0)), ("trace", (0, 0)),
                        ("fentry", (0, 0)), ("af-xdp", (0, 0)), ("xdp-link", (0, 0)),
                        ("ring-remap", (6, 4)), ("af-xdp-frags", (6, 6)),
                        ("netdev-genl", (6, 13))):
        check((name, found[name]["severity"]), (name, "ok" if release() >= since else "note"),
              "of the machine: %r" % found[name])


def main():
    tap = Tap()
    with Lab() as lab:
        up(lab, "eth0", "eth1")
        tap.diag(lab.sluice("doctor", "eth1").stdout)
        for name, test in (("native XDP is what attaching says", lambda: native(lab, tap)),
                           ("zero-copy is what bind says", lambda: zero_copy(lab, tap)),
                           ("rings, interrupts, offloads are the kernel's", lambda: settings(lab)),
                           ("NAPI and deferral", lambda: polling(lab, tap)),
                           ("the machine's features", lambda: machine(lab))):
            with tap.case(name):
                test()
    tap.done()


if __name__ == "__main__":
    main()
