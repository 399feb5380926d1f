#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Configurations that ask much of the verifier: its million instructions and
the stack's 512 bytes. Every combination of parts loads, and a packet is judged; built
by the compiler of build/, and by every other clang that is installed. Root.

    [peer] peer0 ---- box0 [box]
"""
import glob
import itertools
import re
import subprocess
import tempfile

import network  # finds what is below tests/
import lab as laboratory
from lab import ROOT, Lab, LabError, built
from tap import Tap

import frames as raw

SETS = "set bad live { 10.9.0.0/16, 2001:db8:9::/48 }\nset m mac { 02:00:00:00:ff:ff }\n"
# Some are put together; each is judged alone, too.
PARTS = {
    "live": "rule a drop from @bad\nrule b drop to @bad\nrule c drop udp from not @bad to @bad\n",
    "limit": "rule d limit 1Mpps udp\nrule e limit 1Mpps per source udp\nrule f limit 1Gbps\n",
    "log": "rule g log\nrule h log sample 100 tcp\nrule i count\n",
    "timed": "rule j drop tcp to 10.0.0.1 expires 5h\nrule k drop udp observe\n",
    "fields": "rule l drop vlan 7 inner-vlan 8\nrule m drop mac src @m mac dst not @m\n"
              "rule n drop tcp flags syn/syn,ack length 100-200\nrule o drop icmp icmp-type 8 code 0\n"
              "rule p drop ethertype 2054\nrule q drop udp dscp 46 fragment first\n",
}
ADDRESSES = "".join("rule s%d drop udp from 10.%d.0.0/16 port %d to 2001:db8:%x::/48\n".replace(
    "from 10.%d.0.0/16", "from { 10.%d.0.0/16, 2001:db8:7::/48 }") % (
        n, n, 1000 + n, n) for n in range(40))
# More than 65,536 keys: bit vectors and the cache.
SPARSE = "".join("rule t%d drop udp from 172.16.%d.0/24 to 192.168.%d.0/24 port %d\n" % (n, n, n, n + 1)
                 for n in range(120))
LAST = "rule last drop udp from 198.18.0.0/16 to any port 9\n"


def configurations():
    for count in (1, len(PARTS)):
        for names in itertools.combinations(PARTS, count):
            for rules, of in (("", "few keys"), (ADDRESSES, "IPv6"), (SPARSE, "many keys")):
                for entry in ("", " { frags on }"):
                    yield ("%s; %s%s" % (" ".join(names), of, entry),
                           "interface box0%s\n%s%s%s%s" % (
                               entry, SETS, "".join(PARTS[name] for name in names), rules, LAST))


def other_compilers():
    """Of build/'s clang the version, and {version: path} of the others here."""
    with open(built("sluice.bpf.o"), "rb") as source:
        ours = int(re.search(rb"clang version (\d+)", source.read()).group(1))
    found = {}
    for path in sorted(glob.glob("/usr/bin/clang") + glob.glob("/usr/bin/clang-[0-9]*")):
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"clang version (\d+)", told.stdout)
        if version and int(version.group(1)) != ours:
            found[int(version.group(1))] = path
    return ours, found


def load_all(tap, compiler):
    frame = raw.ethernet(0x800, raw.ipv4(0xc6120001, 0xc6120002, raw.UDP, raw.udp(5, 9)))
    with Lab() as lab:
        lab.add("peer", "box")
        lab.veth("peer", "peer0", "box", "box0")
        for name, text in configurations():
            name = "clang %d: %s" % (compiler, name)
            try:
                lab.apply(text, ns="box")
                lab.send("peer", "peer0", [frame] * 3)
                rules = {rule["name"]: rule["packets"] for rule in lab.stats("box", "box0")["rules"]}
                tap.equal(rules["last"], 3, name)
            except LabError as why:
                tap.ok(False, name, str(why)[-1500:])
            lab.sluice("down", ns="box", check=False)


def main():
    tap = Tap()
    ours, others = other_compilers()
    load_all(tap, ours)
    if not others:
        tap.skip("another clang", "only clang %d is installed" % ours)
    for version, path in sorted(others.items()):
        with tempfile.TemporaryDirectory(prefix="sluice-clang-") as folder, \
                tap.case("clang %d: to the end" % version):
            made = subprocess.run(["make", "-s", "-C", ROOT, "BUILD=" + folder, "CLANG=" + path,
                                   folder + "/sluice"], capture_output=True, text=True, check=False)
            assert made.returncode == 0, made.stderr[-1500:]
            laboratory.BUILD = folder  # where built() looks
            load_all(tap, version)
    tap.done()


if __name__ == "__main__":
    main()
