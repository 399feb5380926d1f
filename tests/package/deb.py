#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The Debian packages (root): they are built, lintian finds no error, and in a
clean Debian they are installed, upgraded under traffic, and purged.

    peer                        box: a Debian of its own (system.py)
      p0  <------ veth ------>  b0  filter: drop udp port 9; sluice-fwd
      p1  <------ veth ------>  b1  joins b0 and b1

While packets for that rule come in, a higher version is installed over the one
that runs. What comes past the filter is an IP packet that the kernel receives;
what the filter sees its rule counts.
"""
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from lab import Lab, built, wait_for
from packages import NEWER, build, lint, newer, package, version
from system import System  # finds what is below tests/vm
from archive import Unavailable
from tap import Skip, Tap, check

RELEASES = ("bookworm", "trixie")
NAMES = ("sluice", "sluice-fwd")
CONFIG = """interface b0, b1
default pass
set blocked live { 192.0.2.0/24 }
rule flood drop udp to any port 9
rule blocked drop from @blocked
rule web forward udp to any port 80
forwarder { wire b0 b1 }
"""


def depends():
    """What the packages need of Debian, by name."""
    fields = [subprocess.run(["dpkg-deb", "-f", package(name), "Depends"], check=True,
                             capture_output=True, text=True).stdout for name in NAMES]
    names = {re.split(r"[ (:]", part.strip())[0] for field in fields for part in field.split(",")}
    return sorted(names - {"sluice"})


def prepare(lab):
    """A folder with both versions of the packages."""
    share = os.path.join(lab.dir, "share")
    if not os.path.isdir(share):
        os.mkdir(share)
        for name in NAMES:
            newer(name, share)
            shutil.copy(package(name), share)
    return share


def debs(more=""):
    """The packages as the clean Debian sees them; of the higher version with NEWER."""
    return ["/mnt/" + os.path.basename(package(name)).replace(
        "_%s_" % version(name), "_%s_" % (version(name) + more)) for name in NAMES]


def received(lab):
    """IP packets that came in to the kernel of the box."""
    text = lab.output(["cat", "/proc/net/snmp"], ns="box")
    names, values = [line.split() for line in text.splitlines() if line.startswith("Ip:")]
    return int(values[names.index("InReceives")])


def sluice(system, *args):
    return json.loads(system.output(["sluice"] + list(args) + ["--json"]))


def install(tap, system):
    system.run(["dpkg", "-i"] + debs())
    with tap.case("installed: the command, its pages and the configuration are there"):
        system.run(["sluice", "check", "/etc/sluice/sluice.conf"])
        system.run(["sluice-fwd", "--help"])
        for path in ("/usr/lib/sluice/sluice.bpf.o", "/usr/share/man/man8/sluice-apply.8.gz",
                     "/usr/share/man/man5/sluice.conf.5.gz", "/usr/include/sluice/extension.h",
                     "/usr/share/bash-completion/completions/sluice",
                     "/usr/share/zsh/vendor-completions/_sluice"):
            system.run(["test", "-s", path])
    with tap.case("installed: nothing is filtered until somebody applies a configuration"):
        check(sluice(system, "status")["interfaces"], [], "programs")


def upgrade(tap, lab, system):
    lab.file("share/box.conf", CONFIG)
    system.run(["cp", "/mnt/box.conf", "/etc/sluice/box.conf"])
    system.run(["sluice", "apply", "/etc/sluice/box.conf"])
    system.run(["sluice", "rule", "add", "later drop tcp to any port 9 band 7"])
    system.run(["sluice", "set", "add", "blocked", "198.51.100.1"])
    forwarder = lab.popen(system.argv(["sluice-fwd", "-c", "/etc/sluice/box.conf"]))
    tap.ok(wait_for(lambda: sluice(system, "stats").get("forwarders")), "the forwarder runs")
    before = sluice(system, "status"), received(lab)
    sender = lab.popen([built("sluice-gen"), "p0", "--dst-mac", lab.mac("box", "b0").hex(":"),
                        "--rate", "20k", "--count", "200k", "--json"], ns="peer")
    wait_for(lambda: sluice(system, "stats")["interfaces"][0]["rules"][0]["packets"] > 1000)
    system.run(["dpkg", "-i"] + debs(NEWER))
    stats = sluice(system, "stats")["interfaces"][0]
    seen = stats["rules"][0]["packets"]
    tap.ok(sender.poll() is None and seen > 1000,
           "the upgrade is over while packets still come in", seen)
    sent = json.loads(sender.communicate(timeout=60)[0])["transmitted"]
    wait_for(lambda: sluice(system, "stats")["interfaces"][0]["rules"][0]["packets"] >= sent)
    rule = sluice(system, "stats")["interfaces"][0]["rules"][0]
    tap.equal(rule["packets"], sent, "upgraded: the rule has counted all, before and since")
    tap.equal(received(lab), before[1], "upgraded: no packet went past the filter")
    tap.equal(system.output(["dpkg-query", "-W", "-f", "${Version} "] + list(NAMES)).split(),
              [version(name) + NEWER for name in NAMES], "upgraded: the versions are the new ones")
    tap.equal(sluice(system, "status"), before[0], "upgraded: the same program runs")
    names = [rule["name"] for rule in sluice(system, "rule", "list")["configurations"][0]["rules"]]
    tap.equal(names, ["flood", "blocked", "web", "later"],
              "upgraded: the rules are there, the live one too")
    tap.equal(sluice(system, "set", "test", "blocked", "198.51.100.1")["prefixes"][0]["in"], True,
              "upgraded: the live set is as it was changed")
    tap.ok(forwarder.poll() is None and sluice(system, "stats")["forwarders"],
           "upgraded: the forwarder runs on")
    system.run(["sluice", "apply", "/etc/sluice/box.conf"])
    tap.equal(sluice(system, "stats")["interfaces"][0]["rules"][0]["packets"], sent,
              "upgraded: the new command applies again, and the counter goes on")
    return forwarder


def purge(tap, lab, system, clean, forwarder):
    system.run(["rm", "/etc/sluice/box.conf"])
    tap.ok(system.output(["ls", "/var/lib/sluice/history"]), "before the purge there is a history")
    tap.ok(lab.link("box", "b0").get("xdp"), "before the purge the filter is attached")
    done = system.run(["dpkg", "--purge"] + list(reversed(NAMES)))
    # debhelper of the one release puts units where no other package of the other has any.
    said = [line for line in done.stderr.splitlines()
            if "'/lib/systemd/system' not empty" not in line]
    tap.equal(said, [], "purged without a complaint")
    tap.equal(sorted(system.files() ^ clean), [], "purged: all files are as before")
    tap.ok(wait_for(lambda: forwarder.poll() is not None), "purged: the forwarder has ended")
    left = [lab.link("box", name).get("xdp") for name in ("b0", "b1")]
    tap.equal(left, [None, None], "purged: no program is attached")
    tap.ok(system.run(["mountpoint", "-q", "/run/sluice/bpf"], check=False).returncode,
           "purged: the bpffs is unmounted")
    before = received(lab)
    lab.run([built("sluice-gen"), "p0", "--dst-mac", lab.mac("box", "b0").hex(":"), "--rate", "10k",
             "--count", "1k"], ns="peer")
    tap.ok(wait_for(lambda: received(lab) - before == 1000),
           "purged: packets come to the kernel, so they would have been seen before",
           received(lab) - before)


def life(tap, release):
    with Lab() as lab:
        lab.add("peer", "box")
        lab.veth("peer", "p0", "box", "b0")
        lab.veth("peer", "p1", "box", "b1")
        try:
            system = System(lab, "box", release, depends(), prepare(lab))
        except Unavailable as why:
            raise Skip("no Debian %s: %s" % (release, why)) from why
        try:
            clean = system.files()
            install(tap, system)
            purge(tap, lab, system, clean, upgrade(tap, lab, system))
        finally:
            system.close()


def main():
    tap = Tap()
    with tap.case("to the end"):
        if build(tap):
            lint(tap)
        for release in RELEASES:
            tap.diag(release)
            with tap.case("%s: to the end" % release):
                life(tap, release)
    tap.done()


if __name__ == "__main__":
    main()
