#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The man pages against what runs (root): the commands of their EXAMPLES work,
and the keys of --json are those of their JSON sections.

    peer                         box: where the commands run
      p1  <------ veth ------>   eth1     a packet every few milliseconds
      p2  <------ veth ------>   eth2
"""
import glob
import json
import os
import re
import sys
import time

from scapy.all import Ether, IP, Raw, UDP, wrpcap

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from lab import Lab, ROOT, built
from tap import Tap

MAN = os.path.join(ROOT, "docs", "man")
CONFIG = """interface eth1, eth2 { mode native }
set blocked live { 198.51.100.0/24 }
rule watched log udp to any port 9
rule block drop from @blocked
rule spoofed drop from 198.18.0.0/15
rule bridge forward udp to any port 7
forwarder { wire eth1 eth2 }
"""
# They run until another example, or the end of the page, ends them.
BACKGROUND = re.compile(r"sluice-fwd -c |sluice-exporter |sluice export ")
# They want a terminal: tests/netns/test_top.py.
SCREEN = re.compile(r"sluice top")
# Keys that are names of what is counted, and so are no keys of ours.
NAMES = ("classes", "metrics", "polls", "softirqs")
# Of each page, the commands whose answers are looked at; in this order.
JSON = (
    ("check", "check sluice.conf"), ("show", "show sluice.conf"), ("apply", "apply sluice.conf"),
    ("apply", "apply --dry-run sluice.conf"), ("apply", "apply --confirm 60 sluice.conf"),
    ("confirm", "confirm"), ("rollback", "rollback --list"),
    ("show", "show"), ("status", "status"),
    ("stats", "stats eth1"), ("ports", "ports"), ("set", "set add blocked 192.0.2.1"),
    ("set", "set test blocked 192.0.2.1"), ("set", "set list blocked"),
    ("set", "set del blocked 192.0.2.1"), ("rule", "rule add t drop tcp expires 1h"),
    ("rule", "rule list"), ("rule", "rule del t"), ("log", "log eth1 -c 1"),
    ("explain", "explain eth1 capture.pcap"), ("explain", "explain --live 1 eth1"),
    ("capture", "capture eth1 -c 1"),
    ("ext", "ext load before 0 drop_dns_any.bpf.o"),
    ("ext", "ext list"), ("ext", "ext unload before 0"), ("doctor", "doctor eth1"),
    ("tune", "tune plan --set poll=busy eth1"), ("trace", "trace eth1 --duration 1 --save a.json"),
    ("trace", "trace --compare a.json a.json"), ("down", "down"),
)


def world(lab):
    lab.add("peer", "box")
    for number in "12":
        lab.veth("peer", "p" + number, "box", "eth" + number)
    for name in ("sluice.conf", "bridge.conf"):
        lab.file(name, CONFIG)
    os.symlink(built("ext/drop_dns_any.bpf.o"), os.path.join(lab.dir, "drop_dns_any.bpf.o"))
    wrpcap(os.path.join(lab.dir, "capture.pcap"),
           [Ether() / IP(src="198.51.100.1", dst="192.0.2.1") / UDP(dport=9) / Raw(b"x")])
    lab.popen([built("sluice-gen"), "p1", "--rate", "200", "--duration", "300"], ns="peer")


def shell(lab, text, check=False, background=False):
    """Runs a line as in the folder of the configuration, with the programs on PATH."""
    lab.used_sluice.add("box")
    argv = ["sh", "-c", "cd %s; PATH=%s:$PATH; exec 2>&1; %s%s" % (
        lab.dir, os.path.dirname(built("sluice")), "exec " if background else "",
        text.replace("/etc/sluice/sluice.conf", "sluice.conf"))]
    if background:
        return lab.popen(argv, ns="box")
    return lab.run(argv, ns="box", check=check, timeout=60)


def examples(path):
    found = re.search(r"^\.Sh EXAMPLES\n(.*?)(?=^\.Sh )", read(path), re.M | re.S)
    return re.findall(r"^(?:\.Dl )?[#$] (.*)$", found.group(1) if found else "", re.M)


def works(tap, lab, path):
    name = os.path.basename(path)
    lines = examples(path)
    tap.ok(lines, "%s: it has an example" % name)
    shell(lab, "sluice apply sluice.conf", check=True)
    running = []
    for line in lines:
        if SCREEN.search(line):
            continue
        if BACKGROUND.search(line):
            running.append(shell(lab, line, background=True))
            time.sleep(2)
            tap.ok(running[-1].poll() is None, "%s: %s" % (name, line))
            continue
        done = shell(lab, re.sub(r"^sluice-gen eth1", "sluice-gen eth2", line))
        tap.ok(done.returncode == 0, "%s: %s" % (name, line), done.stdout)
    for proc in running:
        lab.end(proc)
        tap.equal(proc.returncode, 0, "%s: what ran is ended" % name)
    shell(lab, "sluice tune undo; sluice down")


def keys(value):
    """All keys of ours in an answer."""
    if isinstance(value, list):
        return {key for item in value for key in keys(item)}
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, item in value.items():
        inner = item.values() if key in NAMES and isinstance(item, dict) else [item]
        found |= {key} | {k for one in inner for k in keys(one)}
    return found


def read(name):
    with open(os.path.join(MAN, name), encoding="ascii") as text:
        return text.read()


def documented(page):
    """The words of its JSON section, and of the pages that this refers to."""
    found = read("sluice-%s.8" % page)
    words = re.search(r"^\.Sh JSON\n(.*?)(?=^\.Sh )", found, re.M | re.S).group(1)
    words += "".join(read(name + ".8") for name in re.findall(r"Xr (sluice-\w+) 8", words))
    # What lists the reasons is part of the page of the counters.
    words += found if page == "stats" else ""
    return set(re.findall(r"[A-Za-z_0-9]+", words))


def answers(tap, lab):
    for page, line in JSON:
        done = shell(lab, "sluice %s --json" % line)
        try:
            # What it warns of stands before it.
            answer = [text for text in done.stdout.splitlines() if text.startswith("{")]
            found = keys(json.loads(answer[0]))
        except (ValueError, IndexError):
            tap.ok(False, "sluice %s --json answers" % line, done.returncode, done.stdout)
            continue
        tap.ok(found and not found - documented(page),
               "sluice-%s.8 has the keys of: %s" % (page, line), sorted(found - documented(page)))


def main():
    tap = Tap()
    with tap.case("to the end"), Lab() as lab:
        world(lab)
        answers(tap, lab)
        for path in sorted(glob.glob(MAN + "/sluice*.8")):
            works(tap, lab, path)
        tap.equal(lab.leftovers(), [], "nothing is left behind")
    tap.done()


if __name__ == "__main__":
    main()
