#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Live sets: `sluice set` changes what the loaded filter does, without a new
program; what it refuses; a million prefixes; changes under traffic. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import ipaddress
import json
import os
import random
import subprocess
import threading
import time

from network import drain, program, settle, two_sides
from lab import EMULATED, Lab, built
from tap import Tap

import capture
import frames as raw

CONFIG = """
interface box0, box1
default pass
set blocked live { 198.51.100.0/24, 198.51.0.0/16, 2001:db8:bad::/48 }
set friends live max 3 { 192.0.2.1 }
set targets live { }
rule block   drop from @blocked
rule target  drop to @targets
rule strange drop udp from not @friends to any port 99
"""
MANY = 1000000


def packet(source, target="203.0.113.9", port=53):
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    body = raw.udp(1, port)
    if source.version == 6:
        return raw.ethernet(0x86dd, raw.ipv6(int(source), int(target), raw.UDP, body))
    return raw.ethernet(0x800, raw.ipv4(int(source), int(target), raw.UDP, body))


def rules(lab, *packets, dev="box0"):
    """The rule that decides each packet; None: the default."""
    path = lab.file("live.pcap", b"")
    capture.write(path, packets)
    text = lab.sluice("explain", "--json", dev, path, ns="box").stdout
    return [json.loads(line)["rule"] for line in text.splitlines()]


def change(lab, *args):
    return lab.sluice("set", *args, ns="box").stdout


def content(lab, name):
    return lab.sluice("set", "list", name, ns="box").stdout.split()


def membership(tap, lab):
    lab.apply(CONFIG, ns="box")
    loaded = program(lab, "box", "box0"), lab.stats("box", "box0")["generation"]
    probes = [packet("198.51.100.7"), packet("198.51.7.7"), packet("198.52.0.1"),
              packet("2001:db8:bad::1", "2001:db8::2"), packet("2001:db8:bae::1", "2001:db8::2")]
    tap.equal(rules(lab, *probes), ["block", "block", None, "block", None], "as in the file")
    change(lab, "del", "blocked", "198.51.0.0/16")
    tap.equal(rules(lab, *probes), ["block", None, None, "block", None],
              "a prefix is deleted, the one inside it stays")
    tap.contains(change(lab, "add", "blocked", "198.52.0.0/15", "2001:db8:ba0::/44", "198.51.7.7"),
                 "3 added", "three are added")
    tap.equal(rules(lab, *probes), ["block", "block", "block", "block", "block"],
              "and hold their addresses")
    tap.equal(rules(lab, *probes, dev="box1"), ["block", "block", "block", "block", "block"],
              "on the other interface too")
    change(lab, "add", "blocked", "0.0.0.0/0", "::/0")
    tap.equal(rules(lab, packet("1.2.3.4"), packet("::1", "::2")), ["block", "block"],
              "all addresses")
    change(lab, "del", "blocked", "0.0.0.0/0", "::/0")
    tap.equal(rules(lab, packet("1.2.3.4"), packet("::1", "::2"), probes[0]),
              [None, None, "block"], "and none but those before")
    tap.equal(rules(lab, packet("1.2.3.4", "5.6.7.8")), [None], "not a target yet")
    change(lab, "add", "targets", "5.6.7.0/24")
    tap.equal(rules(lab, packet("1.2.3.4", "5.6.7.8"), packet("5.6.7.8", "1.2.3.4")),
              ["target", None], "a set of destinations is none of sources")
    tap.equal(rules(lab, packet("192.0.2.1", port=99), packet("192.0.2.2", port=99)),
              [None, "strange"], "`not` a live set")
    tap.equal((program(lab, "box", "box0"), lab.stats("box", "box0")["generation"]), loaded,
              "all that with one program and generation")


def answers(tap, lab):
    tap.equal(content(lab, "blocked"),
              ["198.51.7.7", "198.51.100.0/24", "198.52.0.0/15", "2001:db8:ba0::/44",
               "2001:db8:bad::/48"], "list is sorted and whole")
    got = lab.sluice_json("set", "--json", "list", "friends", ns="box")
    tap.equal(got, {"set": "friends", "count": 1, "max": 3, "prefixes": ["192.0.2.1"]},
              "list --json")
    done = lab.sluice("set", "test", "blocked", "198.53.255.255", "198.51.100.128/25", "198.54.0.0",
                      "--json", ns="box", check=False)
    tap.equal(json.loads(done.stdout)["prefixes"],
              [{"prefix": "198.53.255.255", "in": True, "by": "198.52.0.0/15"},
               {"prefix": "198.51.100.128/25", "in": True, "by": "198.51.100.0/24"},
               {"prefix": "198.54.0.0", "in": False, "by": None}], "test says by which prefix")
    tap.equal(done.returncode, 1, "and exits 1 when one is not in")
    tap.equal(lab.sluice("set", "test", "blocked", "198.51.7.7", ns="box").returncode, 0,
              "0 when all are")
    tap.equal(lab.sluice_json("set", "--json", "add", "blocked", "198.51.7.7", "9.9.9.9", ns="box"),
              {"set": "blocked", "added": 1, "unchanged": 1}, "add --json")
    tap.equal(lab.sluice_json("set", "--json", "del", "blocked", "9.9.9.9", "9.9.9.8", ns="box"),
              {"set": "blocked", "deleted": 1, "unchanged": 1}, "del --json")


def refused(tap, lab):
    def attempt(status, what, *args):
        before = content(lab, "friends")
        done = lab.sluice("set", *args, ns="box", check=False)
        tap.equal(done.returncode, status, "status of: set " + " ".join(args))
        tap.contains(done.stderr, what, "its message")
        tap.equal(content(lab, "friends"), before, "the set is as it was")

    attempt(1, ["nobody", "no filter"], "add", "nobody", "1.2.3.4")
    attempt(1, ["1.2.3.400", "not an address"], "add", "friends", "9.9.9.9", "1.2.3.400")
    attempt(2, "usage", "add", "friends")
    attempt(2, "usage", "list", "friends", "1.2.3.4")
    attempt(2, "usage", "clear", "friends", "1.2.3.4")
    change(lab, "add", "friends", "192.0.2.8/29", "192.0.2.3")
    attempt(3, ["friends", "3 of at most 3", "max"], "add", "friends", "9.9.9.9")
    change(lab, "del", "friends", "192.0.2.8/29")
    attempt(3, ["friends", "2 of at most 3", "none of the 3"], "add", "friends", "192.0.2.1",
            "9.9.9.8", "9.9.9.9")
    lab.apply(CONFIG, ns="box")
    tap.equal(content(lab, "friends"), ["192.0.2.1"], "apply makes a set what the file says")


TWO = """
interface %s
set friends live max %d { 192.0.2.1 }
rule friend drop from @friends
"""


def two_maps(tap, lab):
    """Interfaces with maps of their own: a change that one refuses is none."""
    lab.apply(TWO % ("box0", 4), ns="box")
    lab.apply(TWO % ("box1", 2), ns="box")
    probes = [packet("192.0.2.%d" % n) for n in range(1, 5)]

    def held():
        return [[rule is not None for rule in rules(lab, *probes, dev=dev)]
                for dev in ("box0", "box1")]
    tap.equal(change(lab, "add", "friends", "192.0.2.2"), "friends: 1 added\n", "both take one")
    before = held()
    tap.equal(before, [[True, True, False, False]] * 2, "both have it")
    done = lab.sluice("set", "add", "friends", "2001:db8::1", "192.0.2.3", ns="box", check=False)
    tap.equal(done.returncode, 3, "one is full: refused")
    tap.contains(done.stderr, ["friends", "box1", "2 of at most 2", "none of the 2"],
                 "it says which, its most, and how many are in it")
    tap.equal((held(), content(lab, "friends")), (before, ["192.0.2.1", "192.0.2.2"]),
              "neither has any of them")
    change(lab, "del", "friends", "192.0.2.1")
    tap.equal(held(), [[False, True, False, False]] * 2, "deleted in both")
    lab.apply(CONFIG, ns="box")


class Changer(threading.Thread):
    """Adds and deletes prefixes around and inside what is blocked, until stopped."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab, self.changes, self.stopped = lab, 0, threading.Event()

    def run(self):
        around = ["198.51.100.%d" % n for n in range(0, 250, 5)] + ["198.0.0.0/8", "198.51.0.0/16",
                  "198.51.100.0/25", "198.51.96.0/19", "198.51.100.64/26", "0.0.0.0/1"]
        end = time.monotonic() + 60
        while not self.stopped.is_set() and time.monotonic() < end:
            change(self.lab, "add", "blocked", *around)
            change(self.lab, "del", "blocked", *around)
            self.changes += 2 * len(around)


def read_meanwhile(tap, lab):
    """Who reads takes no lock, and finds a change of many under way nearly always."""
    many = lab.file("many", "".join("10.%d.%d.0/24\n" % (n >> 8, n & 255) for n in range(4000)))
    stop = os.path.join(lab.dir, "stop")
    script = ('while ! [ -e "$2" ] && "$0" set add blocked $(cat "$1") && '
              '"$0" set del blocked $(cat "$1"); do :; done')
    changer = lab.popen(["sh", "-c", script, built("sluice"), many, stop],
                        ns="box", stdout=subprocess.DEVNULL)
    try:
        done = [lab.sluice("show", ns="box", check=False) for _ in range(40)]
        going_on = changer.poll() is None
    finally:
        lab.file("stop", "")
        changer.wait(30)
    tap.ok(going_on and not [d.stderr for d in done if d.returncode],
           "shown while it changes", *{d.stderr for d in done})
    lab.apply(CONFIG, ns="box")


def under_traffic(tap, lab):
    """What a prefix holds throughout is dropped throughout."""
    before = lab.stats("box", "box0")["rx"]["packets"]
    changer, sent = Changer(lab), 0
    with lab.packet_socket("peer", "peer0") as out, \
            lab.packet_socket("box", "box0", receive=True) as arrived:
        changer.start()
        try:
            end = time.monotonic() + 4
            while time.monotonic() < end:
                for n in range(20):
                    out.send(packet("198.51.100.%d" % (n * 12)))
                    sent += 1
                time.sleep(0.001)
        finally:
            changer.stopped.set()
            changer.join(20)
        stats = settle(lab, "box", "box0", before + sent)
        leaked = drain(arrived)
    tap.diag("%d packets, %d changes" % (sent, changer.changes))
    tap.ok(sent > 1000 and changer.changes > 500, "there were packets and changes")
    tap.equal(len(leaked), 0, "none got past")
    tap.equal(stats["rx"]["packets"], before + sent, "none was lost")


def million(tap, lab):
    random.seed(1)
    chosen = random.sample(range(1 << 24, 224 << 24), MANY // 2)
    six = random.sample(range(1 << 29, 1 << 32), MANY // 2)
    with open(lab.file("many.txt", ""), "w", encoding="ascii") as out:
        out.writelines("%d.%d.%d.%d\n" % (n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255)
                       for n in chosen)
        out.writelines("2001:db8:%x:%x::/64\n" % (n >> 16, n & 65535) for n in six)
    text = 'interface box0\ndefault pass\nset many live { file "many.txt" }\n' \
           "rule block drop from @many\n"
    took = []
    for _ in range(3):
        begin = time.monotonic()
        lab.apply(text, ns="box")
        took.append(time.monotonic() - begin)
    quick = "a million prefixes are applied in less than 2 s"
    if EMULATED:
        tap.skip(quick, "an emulated processor")
    else:
        tap.ok(min(took) < 2, quick, took)
    tap.diag("applied in %s s" % " ".join("%.2f" % t for t in took))
    probes = [packet(ipaddress.ip_address(chosen[n])) for n in range(500)] + \
        [packet(ipaddress.ip_address((0x20010db8 << 96) + (six[n] << 64) + n), "::1")
         for n in range(500)]
    tap.equal(set(rules(lab, *probes)), {"block"}, "a thousand of them are blocked")
    held, others = set(chosen), random.sample(range(1 << 24, 224 << 24), 1000)
    wanted = ["block" if n in held else None for n in others]
    tap.equal(rules(lab, *(packet(ipaddress.ip_address(n)) for n in others)), wanted,
              "others are not")
    change(lab, "del", "many", str(ipaddress.ip_address(chosen[0])))
    change(lab, "add", "many", "2001:db7::/32")
    tap.equal(rules(lab, probes[0], probes[1], packet("2001:db7::1", "::1")),
              [None, "block", "block"], "one less, one more")


def main():
    tap = Tap()
    with tap.case("to the end"), Lab() as lab:
        two_sides(lab)
        for part in membership, answers, refused, two_maps, read_meanwhile, under_traffic, million:
            part(tap, lab)
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
