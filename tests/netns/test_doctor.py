#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sluice doctor: each finding that a veth can make differ is made to differ, and seen;
and nothing is changed by asking. Root.

    [peer] peer0 ---- box0 [box]
"""
import json
import os
import re
import shutil

from network import foreign_object
from lab import ROOT, Lab, LabError, built, wait_for
from tap import Skip, Tap, check
import xsk

DOC = os.path.join(ROOT, "docs", "doctor.md")
CONFIG = "interface box0 { mode %s }\ndefault pass\n"
# What a program that only looks does not call, but to say what it saw.
CHANGES = re.compile(
    r"open(at)?\(.*(O_WRONLY|O_RDWR|O_CREAT)|ioctl\(.*SIOCS|send\w+\(.*RTM_(NEW|SET|DEL)|"
    r"^\d+ +(u?mount2?|unlink(at)?|mkdir(at)?|rename|f?chmod|f?truncate|f?init_module|kill|"
    r"sched_setaffinity|setrlimit)\(")


class Box(Lab):
    """A lab with a veth between `peer` and `box`, and the doctor in `box`."""

    def __init__(self, queues=1):
        super().__init__()
        self.add("peer", "box")
        self.veth("peer", "peer0", "box", "box0", queues=queues)

    def set(self, *words, ns="box"):
        self.run(words, ns=ns)

    def sysfs(self, name, value):
        self.run(["sh", "-c", 'echo "$1" > "$2"', "sh", value, "/sys/class/net/box0/" + name],
                 ns="box")

    def find(self, name, where="box0"):
        """One finding, of an interface or of `host`."""
        answer = self.sluice_json("doctor", "box0", "--json", ns="box")
        part = answer["host"] if where == "host" else answer["interfaces"][0]
        return next(f for f in part["findings"] if f["name"] == name)

    def sees(self, name, severity, value, remedy=""):
        """Inside case(): that finding, with those words in its value and remedy."""
        found = self.find(name)
        check(found["severity"], severity, "severity of %r" % found)
        for text, key in ((value, "value"), (remedy, "remedy")):
            check(text in (found[key] or ""), True, "%r in the %s of %r" % (text, key, found))


def each(tap, box, rows):
    """Rows of (what is done, the command, the finding expected)."""
    for what, command, expected in rows:
        with tap.case(what):
            command()
            box.sees(*expected)


def link(tap):
    with Box() as box:
        each(tap, box, (
            ("link: up", lambda: None, ("link", "ok", "up")),
            ("link: no carrier", lambda: box.set("ip", "link", "set", "peer0", "down", ns="peer"),
             ("link", "bad", "carrier", "cable")),
            ("link: down", lambda: box.set("ip", "link", "set", "box0", "down"),
             ("link", "warn", "down", "ip link set dev box0 up")),
            ("napi of a link that is down", lambda: None, ("napi", "note", "down")),
            ("driver", lambda: None, ("driver", "ok", "veth")),
            ("promiscuous: off", lambda: None, ("promiscuous", "ok", "off")),
            ("promiscuous: on", lambda: box.set("ip", "link", "set", "box0", "promisc", "on"),
             ("promiscuous", "ok", "on")),
            ("mtu: 1500", lambda: None, ("mtu", "ok", "1500")),
            ("mtu: 9000", lambda: box.set("ip", "link", "set", "box0", "mtu", "9000"),
             ("mtu", "warn", "9000", "frags on")),
        ))


def offloads(tap):
    with Box() as box:
        def gro(dev, ns, value):
            box.set("ethtool", "-K", dev, "gro", value, ns=ns)
            box.set("ip", "link", "set", "box0", "down")
            box.set("ip", "link", "set", "box0", "up")
        each(tap, box, (
            ("redirect target: GRO at the peer", lambda: None,
             ("xdp-redirect-target", "ok", "yes")),
            ("redirect target: none", lambda: gro("peer0", "peer", "off"),
             ("xdp-redirect-target", "warn", "no", "gro on")),
            ("redirect target: again", lambda: gro("peer0", "peer", "on"),
             ("xdp-redirect-target", "ok", "yes")),
            ("gro: on", lambda: None, ("gro", "ok", "on")),
            ("gro: off", lambda: gro("box0", "box", "off"), ("gro", "warn", "off", "gro on")),
            ("veth offloads: off", lambda: None, ("veth-offload", "ok", "off")),
            ("veth offloads: tso",
             lambda: box.set("ethtool", "-K", "box0", "tx", "on", "tso", "on"),
             ("veth-offload", "warn", "tso", "tso off")),
            ("vlan offload: off", lambda: None, ("vlan-offload", "ok", "off")),
            ("vlan offload: on", lambda: box.set("ethtool", "-K", "box0", "rxvlan", "on"),
             ("vlan-offload", "warn", "on", "rxvlan off")),
            ("lro: a veth has none", lambda: None, ("lro", "ok", "off")),
            ("native XDP, frags, no zero-copy", lambda: None, ("xdp-native", "ok", "yes")),
            ("frags", lambda: None, ("xdp-frags", "ok", "yes")),
            ("zero-copy", lambda: None, ("zero-copy", "note", "no")),
        ))


def attached(tap):
    with Box() as box:
        foreign = foreign_object(box)

        def attach(kind):
            box.set("ip", "link", "set", "dev", "box0", "xdp" + kind, "obj", foreign, "sec", "xdp")

        def sluice(mode):
            box.sluice("down", ns="box")
            box.apply(CONFIG % mode, ns="box")
        each(tap, box, (
            ("attached: nothing", lambda: None, ("xdp-attached", "ok", "nothing")),
            ("attached: native, by ip", lambda: attach("drv"),
             ("xdp-attached", "ok", '"foreign", held by netlink')),
            ("attached: gone", lambda: box.set("ip", "link", "set", "dev", "box0", "xdpdrv", "off"),
             ("xdp-attached", "ok", "nothing")),
            ("attached: generic, by ip", lambda: attach("generic"),
             ("xdp-attached", "note", "generic", "mode native")),
            ("attached: Sluice's", lambda: (box.set("ip", "link", "set", "dev", "box0",
                                                    "xdpgeneric", "off"), sluice("native")),
             ("xdp-attached", "ok", "held by Sluice's link")),
            ("attached: Sluice's, generic", lambda: sluice("generic"),
             ("xdp-attached", "note", "generic")),
        ))
        tap.equal(box.leftovers(), [], "down leaves nothing behind")


def queues(tap):
    with Box(queues=4) as box:
        def channels(number):
            for ns, dev in (("peer", "peer0"), ("box", "box0")):
                box.set("ethtool", "-L", dev, "rx", str(number), "tx", str(number), ns=ns)

        def fewer(dev, ns):
            box.set("ethtool", "-L", dev, "rx", "1", ns=ns)
        each(tap, box, (
            ("channels: all", lambda: channels(4), ("channels", "ok", "receive 4 of 4")),
            ("rss: a veth shows none", lambda: None, ("rss", "note", "each of 4 queues")),
            ("channels: one", lambda: channels(1), ("channels", "note", "1 of 4", "ethtool -L")),
            ("rss: one queue", lambda: None, ("rss", "ok", "one queue")),
            ("channels: fewer to send", lambda: (channels(4), box.set(
                "ethtool", "-L", "box0", "tx", "1")), ("channels", "warn", "send 1", "tx 4")),
            ("native XDP: not with fewer queues than the peer sends on",
             lambda: (channels(4), fewer("box0", "box")),
             ("xdp-native", "warn", "no", "ethtool -L")),
            ("busy polling: not on a veth", lambda: channels(2),
             ("busy-poll", "note", "names no NAPI", "adaptive")),
            ("napi: none named", lambda: None, ("napi", "ok", "0 of 2")),
        ))
        with tap.case("sockets: one queue of two"):
            if box.find("sockets")["severity"] == "note" and _release() < (6, 16):
                raise Skip("neither sock_diag nor netdev-genl of this kernel tells")
            with box.within("box", xsk.Xsk, "box0", 0, xsk.COPY):
                box.sees("sockets", "warn", "AF_XDP on queues 0", "ethtool -X")
                found = box.sluice_json("doctor", "box0", "--json", ns="box")["interfaces"][0]
                check([q["socket"] for q in found["queues"] if q["direction"] == "rx"],
                      [True, False], "the queues with a socket")
                channels(1)
                box.sees("sockets", "ok", "AF_XDP on queues 0")


def _release():
    return tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())


def polling(tap):
    with Box() as box:
        each(tap, box, (
            ("deferral: off", lambda: None, ("deferral", "note", "hard_irqs 0", "200000")),
            ("deferral: half", lambda: box.sysfs("napi_defer_hard_irqs", "2"),
             ("deferral", "warn", "hard_irqs 2, gro_flush_timeout 0")),
            ("deferral: on", lambda: box.sysfs("gro_flush_timeout", "50000"),
             ("deferral", "ok", "hard_irqs 2, gro_flush_timeout 50000")),
            ("threaded: off", lambda: None, ("napi-threaded", "ok", "off")),
            ("threaded: on", lambda: box.sysfs("threaded", "1"), ("napi-threaded", "note", "on")),
            ("irqs: a veth has none", lambda: None, ("irqs", "ok", "none")),
        ))
        with tap.case("/sys of another network namespace is not believed"):
            done = box.run(["nsenter", "--net=/run/netns/" + box.name("box"), built("sluice"),
                            "doctor", "box0", "--json"])
            found = {f["name"]: f for f in json.loads(done.stdout)["interfaces"][0]["findings"]}
            check(found["deferral"]["known"], False, "deferral is known")
            check("ip netns exec" in found["deferral"]["value"], True, "what to do is said")


def host(tap):
    with Box() as box:
        plain = box.sluice_json("doctor", "box0", "--json", ns="box")
        for name in ("bpf", "af-xdp", "btf", "xdp-link"):
            found = next(f for f in plain["host"]["findings"] if f["name"] == name)
            tap.equal((found["severity"], found["known"]), ("ok", True), "host: " + name)
        with tap.case("without root: the rest is told, and what could not be seen"):
            done = box.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                            built("sluice"), "doctor", "box0", "--json"], ns="box")
            bare = json.loads(done.stdout)
            found = {f["name"]: f for f in bare["host"]["findings"]}
            for name in ("bpf", "af-xdp", "capabilities"):
                check(found[name]["severity"], "warn", name)
            for name in ("trace", "xdp-link", "ring-remap"):
                check((found[name]["known"], bool(found[name]["value"])), (False, True), name)
            check(bare["interfaces"], plain["interfaces"], "an interface's findings")
        with tap.case("irqbalance: a process of that name is found"):
            program = os.path.join(box.dir, "irqbalance")
            shutil.copy(shutil.which("sleep"), program)
            proc = box.popen([program, "60"])
            found = wait_for(lambda: box.find("irqbalance", "host")["severity"] == "warn"
                             and box.find("irqbalance", "host"))
            check(found and "runs, pid" in found["value"], True, "irqbalance: %r" % found)
            box.end(proc)
        with tap.case("memlock: what is too little, without CAP_IPC_LOCK"):
            done = box.run(["prlimit", "--memlock=65536:65536", "setpriv", "--bounding-set",
                            "-ipc_lock", "--inh-caps", "-ipc_lock", built("sluice"), "doctor",
                            "box0", "--json"], ns="box")
            found = {f["name"]: f for f in json.loads(done.stdout)["host"]["findings"]}
            check((found["memlock"]["severity"], found["memlock"]["value"]), ("warn", "64 KiB"),
                  "memlock")
            check("CAP_IPC_LOCK" in found["capabilities"]["value"], True, "capabilities")


def answers(tap):
    with Box() as box:
        answer = box.sluice_json("doctor", "--json", ns="box")
        tap.equal([i["name"] for i in answer["interfaces"]], ["box0"],
                  "without a name every interface but the loopback")
        every = answer["host"]["findings"] + answer["interfaces"][0]["findings"]
        tap.ok(all(set(f) == {"name", "severity", "known", "value", "consequence", "remedy"}
                   and f["severity"] in ("ok", "note", "warn", "bad") for f in every),
               "JSON: each finding has the documented keys", every)
        with open(DOC, encoding="utf-8") as text:
            documented = set(re.findall(r"^\| `([a-z0-9-]+)` \|", text.read(), re.M))
        tap.equal(sorted({f["name"] for f in every} - documented), [],
                  "every name is in docs/doctor.md")
        text = box.sluice("doctor", "box0", ns="box").stdout
        tap.ok(all(f["name"] in text for f in every), "the text has every finding", text)
        tap.ok(re.search(r"\d+ bad, \d+ warn, \d+ note; nothing was changed\n$", text),
               "and ends with their number", text)
        done = box.sluice("doctor", "none0", ns="box", check=False)
        tap.equal((done.returncode, done.stdout), (3, ""), "an interface that is not there: 3")
        tap.contains(done.stderr, ["none0", "ip link"], "and what to do is said")
        tap.equal(box.sluice("doctor", "--nonsense", ns="box", check=False).returncode, 2,
                  "an option that is not there: 2")


def snapshot(box):
    """All that can be read of the two interfaces but their counters."""
    seen = []
    for ns, dev in (("peer", "peer0"), ("box", "box0")):
        seen += [box.output(["ip", "-d", "link", "show", dev], ns=ns)]
        seen += [box.run(["ethtool", flag, dev], ns=ns, check=False).stdout
                 for flag in ("-k", "-g", "-l", "-c", "-x", "-a")]
        seen += [box.output(["sh", "-c", "cd /sys/class/net/$0 && grep -rs . . --exclude-dir=power"
                             " --exclude-dir=statistics | sort", dev], ns=ns)]
        seen += [box.output(["sh", "-c", "grep -rs . /proc/sys/net | sort"], ns=ns)]
    return "\n".join(seen)


def changes_nothing(tap):
    with Box(queues=2) as box:
        box.apply(CONFIG % "native", ns="box")
        before = snapshot(box)
        box.sluice("doctor", "--json", ns="box")
        after = snapshot(box)
        changed = set(before.splitlines()) ^ set(after.splitlines())
        tap.equal(changed, set(), "settings, sysfs and sysctl are as they were")
        with tap.case("no file is opened to write, no interface's setting is set"):
            if not shutil.which("strace"):
                raise LabError("strace: not installed; `config/debian/ensure-packages test`")
            log = os.path.join(box.dir, "strace")
            box.run(["strace", "-f", "-o", log, built("sluice"), "doctor", "--json"], ns="box",
                    timeout=60)
            with open(log, encoding="utf-8", errors="replace") as text:
                lines = text.read().splitlines()
            check(len(lines) > 100, True, "a trace was made")
            check([line for line in lines if CHANGES.search(line)], [],
                  "calls that change something")
        tap.equal(box.leftovers(), [], "down leaves nothing behind")


def main():
    tap = Tap()
    for name, test in (("link", link), ("offloads", offloads), ("attached", attached),
                       ("queues", queues), ("polling", polling), ("host", host),
                       ("answers", answers), ("changes nothing", changes_nothing)):
        with tap.case(name + ": to the end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
