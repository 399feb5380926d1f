#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Extensions, on real traffic: a user's programs before and after the rules,
put there, refused, kept and taken out again. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import json
import os

from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from network import drain, program, settle, two_sides
from lab import ROOT, Lab, built, wait_for
from tap import Tap
from test_reload import Sender

import frames as raw

BASE = """interface box0, box1
default pass
rule seven drop udp to any port 7
rule eight bounce udp to any port 8
"""

# Looks at the UDP destination port of a plain IPv4 packet.
SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "xdp/extension.h"
char LICENSE[] SEC("license") = "GPL";
static __always_inline int port(struct xdp_md *ctx)
{
	__u8 *p = (void *)(long)ctx->data;
	if (p + 38 > (__u8 *)(long)ctx->data_end)
		return -1;
	return p[36] << 8 | p[37];
}
SEC("%s")
int %s(struct xdp_md *ctx)
{
	%s
}
"""


def udp(port):
    return raw.ethernet(0x800, raw.ipv4(0x0a000001, 0xc0000201, raw.UDP, raw.udp(9, port)))


def compiled(lab, name, body, section="xdp", source=SOURCE):
    """Builds an extension; its path."""
    path = os.path.join(lab.dir, name + ".bpf.o")
    arch = "-I/usr/include/" + lab.output(["gcc", "-print-multiarch"]).strip()
    lab.run(["clang", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-I", ROOT, "-I",
             os.path.join(ROOT, "include"), arch, "-c",
             lab.file(name + ".bpf.c", source % (section, name, body) if "%s" in source
                      else source), "-o", path])
    return path


def decides(lab, name, port, action, section="xdp"):
    """An extension that takes `action` on a port and hands on the rest."""
    return compiled(lab, name, "return port(ctx) == %d ? %s : sluice_next(ctx);" % (
        port, action), section)


def pins(lab):
    return [path for path in lab.pins("box") if not os.path.isdir(path)]


def loaded(lab, name):
    """Whether the kernel has a program of that name."""
    return name in [entry.get("name") for entry in
                    json.loads(lab.output(["bpftool", "prog", "list", "-j"]))]


class Box:
    """A filter on box0 and box1, and what box0 makes of packets."""

    def __init__(self, lab, text=BASE):
        self.lab = lab
        two_sides(lab)
        lab.apply(text, ns="box")

    def ext(self, *args, check=True):
        return self.lab.sluice("ext", *args, ns="box", check=check)

    def listed(self, dev="box0"):
        """{(side, slot): (program, owner)}"""
        found = self.lab.sluice_json("ext", "list", dev, "--json", ns="box")["extensions"]
        return {(e["side"], e["slot"]): (e["program"], e["owner"]) for e in found}

    def state(self):
        return (program(self.lab, "box", "box0"), program(self.lab, "box", "box1"),
                self.ext("list").stdout, self.lab.sluice("show", ns="box").stdout)

    def send(self, *packets, dev="box0"):
        """{reason: packets} and {rule: packets} of what these came to, 0 left out."""
        before = self.lab.stats("box", dev)
        peer = ("peer", "peer0") if dev == "box0" else ("far", "far0")
        count = self.lab.send(*peer, [bytes(p) for p in packets])
        after = settle(self.lab, "box", dev, before["rx"]["packets"] + count)
        for unit in ("packets", "bytes"):
            total = sum(r[unit] for r in after["reasons"].values())
            assert total == after["rx"][unit], (total, after["rx"])
        had = {rule["name"]: rule["packets"] for rule in before["rules"]}
        reasons = {name: entry["packets"] - before["reasons"][name]["packets"]
                   for name, entry in after["reasons"].items()}
        rules = {rule["name"]: rule["packets"] - had.get(rule["name"], 0)
                 for rule in after["rules"]}
        return tuple({name: n for name, n in counts.items() if n} for counts in (reasons, rules))

    def arrives(self, *packets):
        """How many of these reach the kernel of box0."""
        with self.lab.packet_socket("box", "box0", receive=True) as arrived:
            self.send(*packets)
            return len(drain(arrived))


def example(tap):
    """config/ext/drop_dns_any.bpf.c, by hand and by the configuration."""
    query = {name: [Ether(dst="ff:ff:ff:ff:ff:ff", src="02:00:00:00:00:01") / net /
                    UDP(sport=999, dport=53) / DNS(rd=1, qd=DNSQR(qname="a.example", qtype=name))
                    for net in (IP(src="10.0.0.1", dst="192.0.2.1"),
                                IPv6(src="2001:db8::1", dst="2001:db8::2"))]
             for name in (255, "A")}
    with Lab() as lab:
        box = Box(lab)
        tap.equal(box.send(*query[255]), ({"default": 2}, {}), "without it ANY queries pass")
        answer = json.loads(box.ext("load", "--json", "before", "0",
                                    built("ext/drop_dns_any.bpf.o")).stdout)
        tap.equal([i["name"] for i in answer["interfaces"]], ["box0", "box1"], "loaded on all")
        tap.equal(box.listed(), {("before", 0): ("drop_dns_any", "live")}, "list shows it")
        tap.equal(box.send(*query[255]), ({"extension": 2}, {}), "with it they are dropped")
        tap.equal(box.arrives(*query[255]), 0, "really")
        tap.equal(box.send(*query["A"]), ({"default": 2}, {}), "other queries go on")
        tap.equal(box.send(udp(7), udp(9)), ({"rule": 1, "default": 1}, {"seven": 1}),
                  "and so does the rest, to the rules")
        tap.equal(box.arrives(*query["A"], udp(7), udp(9)), 3, "really")
        tap.equal(box.send(*query[255], dev="box1"), ({"extension": 2}, {}), "box1 has its own")
        ports = lab.sluice_json("ports", "box1", "--json", ns="box")["ports"]
        tap.equal([(p["port"], p["packets"]) for p in ports if p["packets"]], [(53, 2)],
                  "what an extension drops is counted by port")
        box.ext("unload", "-i", "box0", "before", "0")
        tap.equal((box.listed(), list(box.listed("box1"))), ({}, [("before", 0)]), "unload -i")
        tap.equal(box.send(*query[255]), ({"default": 2}, {}), "ANY queries pass again")


def configured(tap):
    """The statement `extension`, its path beside the file."""
    with Lab() as lab:
        decides(lab, "five", 5, "XDP_DROP")
        text = BASE + 'extension before 3 "five.bpf.o"\n'
        box = Box(lab, text)
        tap.equal(box.listed(), {("before", 3): ("five", "config")}, "apply loads it")
        tap.equal(box.send(udp(5), udp(7)), ({"extension": 1, "rule": 1}, {"seven": 1}), "it runs")
        tap.contains(lab.sluice("show", ns="box").stdout, 'extension before 3 "five.bpf.o"',
                     "show keeps it")
        for args in (("unload", "before", "3"), ("load", "before", "3", lab.dir + "/five.bpf.o")):
            done = box.ext(*args, check=False)
            tap.equal(done.returncode, 1, "%s of the file's is refused" % args[0])
            tap.contains(done.stderr, ["before 3", "the file's"], "with why")
        os.rename(lab.dir + "/five.bpf.o", lab.dir + "/gone.bpf.o")
        lab.sluice("rule", "add", "nine drop udp to any port 9", ns="box")
        tap.equal(box.send(udp(5), udp(9)), ({"extension": 1, "rule": 1}, {"nine": 1}),
                  "a new rule leaves it, and needs no file")
        held = box.state()
        done = lab.apply(text, ns="box", check=False)
        tap.equal(done.returncode, 1, "apply does")
        tap.contains(done.stderr, ["before 3", "five.bpf.o", "cannot be read"], "and says so")
        tap.equal(box.state(), held, "and what ran runs on")
        box.ext("load", "after", "0", lab.dir + "/gone.bpf.o")
        lab.apply(BASE, ns="box")
        tap.equal(box.listed(), {("after", 0): ("five", "live")},
                  "without the statement it goes, and a live one stays")
        done = lab.apply(BASE + 'extension after 0 "gone.bpf.o"\n', ns="box", check=False)
        tap.equal(done.returncode, 1, "a statement does not oust a live one")
        tap.contains(done.stderr, ["after 0", "sluice ext unload after 0"], "and says so")


def order(tap):
    with Lab() as lab:
        box = Box(lab)
        box.ext("load", "before", "15", decides(lab, "drops", 5, "XDP_DROP"))
        tap.equal(box.arrives(udp(5), udp(6)), 1, "the first one")
        box.ext("load", "before", "2", decides(lab, "passes", 5, "XDP_PASS"))
        tap.equal(box.arrives(udp(5), udp(6)), 2, "one in a slot before it comes before it")
        tap.equal(list(box.listed().items()), [(("before", 2), ("passes", "live")),
                                               (("before", 15), ("drops", "live"))], "in order")
        box.ext("load", "before", "2", decides(lab, "six", 6, "XDP_DROP"))
        tap.equal(box.arrives(udp(5), udp(6), udp(9)), 1, "a slot is replaced; both run")
        tap.equal(box.send(udp(5), udp(6), udp(9), udp(7)),
                  ({"extension": 2, "default": 1, "rule": 1}, {"seven": 1}), "and are counted")
        box.ext("unload", "before", "15")
        tap.equal(box.arrives(udp(5), udp(6)), 1, "without the second")


def after(tap):
    """They run once the rules have decided, and may decide otherwise."""
    with Lab() as lab:
        box = Box(lab)
        spares = compiled(lab, "spares", """
	const struct sl_ext_state *s = sluice_state();
	if (s && s->reason == SL_REASON_RULE && s->verdict == SL_VERDICT_DROP &&
	    s->act == XDP_DROP && s->generation)
		return XDP_PASS;
	return sluice_next(ctx);""")
        tap.equal(box.arrives(udp(7), udp(9)), 1, "a rule drops")
        box.ext("load", "after", "0", spares)
        tap.equal(box.arrives(udp(7), udp(9)), 2, "the extension spares what it dropped")
        tap.equal(box.send(udp(7), udp(9)), ({"extension": 1, "default": 1}, {}),
                  "which counts as the extension's")
        with lab.packet_socket("peer", "peer0", receive=True) as back:
            tap.equal(box.send(udp(8)), ({"rule": 1}, {"eight": 1}), "a bounce is carried out")
            tap.equal(len(drain(back)), 1, "behind it")
        box.ext("load", "before", "0", decides(lab, "nine", 9, "XDP_DROP"))
        tap.equal(box.send(udp(7), udp(9), udp(10)), ({"extension": 2, "default": 1}, {}),
                  "both sides")
        path = lab.file("probe.pcap", "")
        wrpcap(path, [Ether(udp(7)), Ether(udp(9))])
        held = lab.stats("box", "box0")
        said = [json.loads(line) for line in lab.output(
            [built("sluice"), "explain", "box0", path, "--json"], ns="box").splitlines()]
        tap.equal([(s["verdict"], s["rule"]) for s in said], [("drop", "seven"), ("pass", None)],
                  "explain answers for the rules")
        tap.equal(lab.stats("box", "box0"), held, "and counts nothing")


def refusals(tap):
    with Lab() as lab:
        box = Box(lab)
        good = decides(lab, "five", 5, "XDP_DROP")
        box.ext("load", "before", "1", good)
        held = box.state()
        refused = compiled(lab, "refused", "__u8 *p = (void *)(long)ctx->data; return p[40];")
        two = compiled(lab, "two", "return 1; } SEC(\"xdp\") int b(struct xdp_md *ctx) { return 2;")
        classifier = compiled(lab, "tc", "", source="""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("tc") int classifier(struct __sk_buff *skb) { (void)skb; return 0; }
""")
        maps_only = compiled(lab, "maps", "", source="int x = 1;\n")
        for path, words in (
                (refused, ["refuses", "invalid access to packet", "refused.bpf.o"]),
                (two, ["one program", "2"]),
                (classifier, ["not an XDP program", "and is tc"]),
                (maps_only, ["maps.bpf.o"]),
                (decides(lab, "big", 5, "XDP_DROP", "xdp.frags"), ["xdp.frags", "frags off"]),
                (lab.file("text.bpf.o", "hello"), ["not a BPF object"]),
                (lab.dir + "/none.bpf.o", ["cannot be read", "No such file"])):
            done = box.ext("load", "before", "0", path, check=False)
            tap.equal(done.returncode, 1, "refused: " + os.path.basename(path))
            tap.contains(done.stderr, words + ["before 0"], "and says why")
            tap.equal(box.state(), held, "and nothing has changed")
        done = lab.apply(BASE + 'extension after 1 "refused.bpf.o"\n', ns="box", check=False)
        tap.equal(done.returncode, 1, "refused by apply, too")
        tap.contains(done.stderr, ["after 1", "invalid access to packet"], "with the log")
        tap.equal(box.state(), held, "and what ran runs on")
        tap.equal(box.send(udp(5), udp(7)), ({"extension": 1, "rule": 1}, {"seven": 1}), "really")
        for args in (("load", "before", "16", good), ("load", "during", "1", good),
                     ("unload", "before", "1x"), ("unload", "after", "1")):
            tap.equal(box.ext(*args, check=False).returncode, 1, "wrong: " + " ".join(args[:3]))
        for args in ((), ("load",), ("load", "before", "1"), ("unload", "before"), ("mend",)):
            tap.equal(box.ext(*args, check=False).returncode, 2, "usage: " + " ".join(args))
        done = box.ext("load", "-i", "none0", "before", "0", good, check=False)
        tap.equal((done.returncode, "none0: no such interface" in done.stderr), (1, True),
                  "no such interface")
        for slot in range(30):
            box.ext("load", "-i", "box0", ("before", "after")[slot >= 15],
                    str(slot % 15 + (slot < 15)), good)
        tap.equal(len(box.listed()), 30, "30 extensions")
        box.ext("load", "-i", "box0", "before", "0", good)
        tap.equal(box.send(udp(6), udp(7)), ({"default": 1, "rule": 1}, {"seven": 1}),
                  "a packet passes all 31")
        done = box.ext("load", "-i", "box0", "after", "15", good, check=False)
        tap.equal(done.returncode, 1, "one more is refused")
        tap.contains(done.stderr, "at most 31", "with the limit")


def flavours(tap):
    for kind in ("frags on", "mode generic"):
        with Lab() as lab:
            box = Box(lab, BASE.replace("box0, box1", "box0, box1 { %s }" % kind))
            section = "xdp.frags" if kind == "frags on" else "xdp"
            five = decides(lab, "five", 5, "XDP_DROP", section)
            for side in ("before", "after"):
                box.ext("load", side, "4", five)
            tap.equal(box.send(udp(5), udp(6), udp(7)),
                      ({"extension": 1, "default": 1, "rule": 1}, {"seven": 1}), kind)
            if kind == "frags on":
                done = lab.apply(BASE, ns="box", check=False)
                tap.equal(done.returncode, 1, "frags cannot change under a live one")
                tap.contains(done.stderr, ["frags", "sluice ext unload"], "and it says so")
            else:
                lab.apply(BASE, ns="box")
                tap.equal(box.send(udp(5), udp(6)), ({"extension": 1, "default": 1}, {}),
                          "a change of the mode keeps them")


def under_load(tap):
    """Loaded, unloaded and reloaded under traffic: no packet is lost or miscounted."""
    with Lab() as lab:
        box = Box(lab, "interface box0\nrule all count udp\n")
        slots = [("before", "0"), ("before", "9"), ("after", "3")]
        hands_on = decides(lab, "hands", 7777, "XDP_DROP")
        path = lab.file("again.conf", "interface box0\nrule all count udp\n")
        with lab.packet_socket("peer", "peer0") as out, \
                lab.packet_socket("box", "box0", receive=True) as arrived:
            sender = Sender(out)
            sender.start()
            try:
                for number in range(6):
                    for slot in slots:
                        box.ext("load", *slot, hands_on)
                    lab.sluice("apply", path, ns="box")
                    lab.sluice("rule", "add", "r%d count tcp" % number, ns="box")
                    for slot in slots[::1 if number % 2 else -1]:
                        box.ext("unload", *slot)
            finally:
                sender.stopped.set()
                sender.join(10)
            stats = settle(lab, "box", "box0", sender.sent)
            passed = len(drain(arrived))
        reasons = {name: (entry["packets"], entry["bytes"])
                   for name, entry in stats["reasons"].items() if entry["packets"]}
        tap.ok(sender.sent > 1000, "there was traffic", sender.sent)
        tap.equal(stats["rx"], {"packets": sender.sent, "bytes": sender.bytes}, "all are counted")
        tap.equal(reasons, {"default": (sender.sent, sender.bytes)}, "each by the rules, once")
        tap.equal(stats["verdicts"]["extension"]["packets"], 0, "none is left with an extension")
        tap.ok(passed > 0, "they pass", passed)


def life(tap):
    """Reloads keep what was loaded; down leaves nothing."""
    with Lab() as lab:
        box = Box(lab)
        name = "five%d" % os.getpid()
        box.ext("load", "before", "0", decides(lab, name, 5, "XDP_DROP"))
        tap.ok(loaded(lab, name), "it is in the kernel")
        listed = box.ext("list", "box0", "--json").stdout
        lab.apply(BASE + "rule nine drop udp to any port 9\n", ns="box")
        tap.equal(box.ext("list", "box0", "--json").stdout, listed, "the same program after apply")
        tap.equal(box.send(udp(5), udp(9)), ({"extension": 1, "rule": 1}, {"nine": 1}),
                  "and it runs, before the new rules")
        tap.equal(len(pins(lab)), 4, "two links, two chains are pinned")
        done = lab.apply(BASE.replace("box1", "box1 { mtu }"), ns="box", check=False)
        tap.equal(done.returncode, 1, "a wrong file")
        tap.equal(box.send(udp(5)), ({"extension": 1}, {}), "changes nothing")
        box.ext("unload", "-i", "box0", "before", "0")
        tap.equal(len(pins(lab)), 3, "without extensions there is no chain")
        lab.sluice("down", ns="box")
        tap.equal(pins(lab), [], "down leaves nothing")
        # The kernel empties a program array some time later.
        tap.ok(wait_for(lambda: not loaded(lab, name)), "nor in the kernel")
        lab.apply(BASE, ns="box")
        tap.equal(box.listed(), {}, "and the next apply begins without")


def main():
    tap = Tap()
    for test in (example, configured, order, after, refusals, flavours, under_load, life):
        with tap.case(test.__name__):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
