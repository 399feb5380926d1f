# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The ways to drop a packet at, or to take it over, one hop: Sluice's, the kernel's, the peers'.

    [tx] t0 ------ b0 [box] b1 ------ k0 [sink]

Each way is a context manager of (lab, cpu) that yields the processes which have a part in it,
none where the kernel does it all, and leaves the box as it was. `cpu` is for those processes.
tried() gives those that are here and work; methods.py and latency.py measure them.
"""
import contextlib
import os
import shutil
import signal

from box import TESTPMD, XSK_FWD, peer, start_fwd
from lab import LabError, children, wait_for
from measure import XDP_FILTER, attach, attach_redirect, attach_xdp_filter
from result import FLOOR, OURS, PEER

DROP, FORWARD = "drop", "forward"
PORT = 9
SLUICE_DROP = """interface b0 { mode native }
default pass
rule flood drop udp from any to any port %d
""" % PORT
SLUICE_REDIRECT = """interface b0, b1 { mode native }
default pass
rule all redirect b1 on b0 udp
"""
NFT_DROP = """table netdev hop {
chain ingress {
type filter hook ingress device "b0" priority 0; policy accept;
udp dport %d counter drop
}
}
""" % PORT
NFT_INET_DROP = """table inet hop {
chain raw {
type filter hook prerouting priority raw; policy accept;
udp dport %d counter drop
}
}
""" % PORT
IPTABLES_DROP = ["iptables-nft", "-t", "raw", "-A", "PREROUTING", "-p", "udp", "--dport",
                 str(PORT), "-j", "DROP"]
BPFILTER = os.environ.get("BPFILTER", "")  # its bfcli, of a version that needs no daemon
BPFILTER_DROP = "chain hop BF_HOOK_XDP{ifindex=%d} ACCEPT rule udp.dport eq %d counter DROP"
TC_ADD = ["tc", "filter", "add", "dev", "b0", "ingress"]
TC_FLOWER = ["protocol", "ip", "flower", "ip_proto", "udp", "dst_port", str(PORT), "action", "drop"]
# Not each kernel has flower. IPv4, UDP, the port at 16 behind the IP header: TC_ACT_SHOT (2);
# else TC_ACT_UNSPEC (-1), as linux/pkt_cls.h has them.
TC_BPF = ["bpf", "direct-action", "bytecode", "9,40 0 0 12,21 0 6 2048,48 0 0 23,21 0 4 17,"
          "177 0 0 14,72 0 0 16,21 0 1 %d,6 0 0 2,6 0 0 4294967295" % PORT]
GATEWAY, SINK = "10.0.1.1", "10.0.1.2"
SOURCE, TARGET = "198.18.0.1", "198.18.0.2"  # what sluice-gen sends unless told otherwise


def addressed(lab, job, name):
    """The MAC address that a way wants on a packet: the router's own, a bridge's not its own."""
    ns, dev = ("box", "b0") if job == DROP or "routing" in name else ("sink", "k0")
    return lab.link(ns, dev)["address"]


def received(lab, ns, dev):
    """Packets that a veth end has taken, by whichever path."""
    def read():
        with open("/proc/thread-self/net/dev", encoding="ascii") as source:
            for line in source:
                name, _, fields = line.partition(":")
                if name.strip() == dev:
                    return int(fields.split()[1])
        raise LabError("%s: not in /proc/net/dev" % dev)
    return lab.within(ns, read)


# ---- dropping ---------------------------------------------------------------

@contextlib.contextmanager
def sluice(lab, _cpu, text):
    lab.apply(text, "box", "hop.conf")
    try:
        yield []
    finally:
        lab.sluice("down", ns="box", check=False)


@contextlib.contextmanager
def bare(lab, _cpu, job):
    if job == DROP:
        attach(lab, "box", "b0", "drop.bpf.o")
    else:
        attach_redirect(lab, "box", "b0", "b1")
    try:
        yield []
    finally:
        lab.run(["ip", "link", "set", "dev", "b0", "xdp", "off"], ns="box")


@contextlib.contextmanager
def nftables(lab, _cpu, words, text=None):
    """A ruleset of nftables, or of iptables, which is one."""
    lab.run(words, ns="box", stdin=text)
    try:
        yield []
    finally:
        lab.run(["nft", "flush", "ruleset"], ns="box")


@contextlib.contextmanager
def bpfilter(lab, _cpu):
    top = os.path.join(lab.dir, "bpffs")  # where it pins: not beside what the machine may have
    os.makedirs(top, exist_ok=True)
    lab.run(["mount", "-t", "bpf", "none", top])
    command = [os.path.abspath(BPFILTER), "--bpffs-path", top]
    try:
        lab.run([*command, "chain", "set", "--from-str", BPFILTER_DROP % (
            lab.link("box", "b0")["ifindex"], PORT)], ns="box")
        yield []
    finally:
        lab.run([*command, "ruleset", "flush"], ns="box", check=False)
        lab.run(["umount", top])


@contextlib.contextmanager
def clsact(lab, _cpu, classifier):
    lab.run(["tc", "qdisc", "add", "dev", "b0", "clsact"], ns="box")
    try:
        lab.run(TC_ADD + classifier, ns="box")
        yield []
    finally:
        lab.run(["tc", "qdisc", "del", "dev", "b0", "clsact"], ns="box")


@contextlib.contextmanager
def xdp_filter(lab, _cpu):
    attach_xdp_filter(lab, "box", "b0", ["-f", "udp"], PORT)
    try:
        yield []
    finally:
        lab.run(["ip", "link", "set", "dev", "b0", "xdp", "off"], ns="box")


# ---- forwarding -------------------------------------------------------------

@contextlib.contextmanager
def forwarder(lab, cpu, poll):
    proc = start_fwd(lab, cpu, poll)
    try:
        # The agent's child has the workers.
        yield wait_for(lambda: children(proc.pid), 10, 0.002) or [proc.pid]
    finally:
        lab.end(proc, signal.SIGINT)
        lab.sluice("down", ns="box", check=False)


@contextlib.contextmanager
def bridge(lab, _cpu):
    lab.run(["ip", "link", "add", "br0", "type", "bridge"], ns="box")
    try:
        for dev in ("b0", "b1"):
            lab.run(["ip", "link", "set", dev, "master", "br0"], ns="box")
        lab.run(["ip", "link", "set", "br0", "up"], ns="box")
        yield []
    finally:
        lab.run(["ip", "link", "del", "br0"], ns="box")


@contextlib.contextmanager
def routing(lab, _cpu):
    mac = lab.link("sink", "k0")["address"]
    lab.sysctl("box", "net.ipv4.ip_forward", 1)
    try:
        for dev, address in (("b0", "10.0.0.1/24"), ("b1", GATEWAY + "/24")):
            lab.run(["ip", "addr", "add", address, "dev", dev], ns="box")
            lab.sysctl("box", "net.ipv4.conf.%s.rp_filter" % dev, 0)
        lab.sysctl("box", "net.ipv4.conf.all.rp_filter", 0)
        lab.run(["ip", "neigh", "replace", SINK, "lladdr", mac, "nud", "permanent", "dev", "b1"],
                ns="box")
        lab.run(["ip", "route", "add", TARGET, "via", SINK], ns="box")
        yield []
    finally:
        for dev in ("b0", "b1"):
            lab.run(["ip", "addr", "flush", "dev", dev], ns="box")
            lab.run(["ip", "neigh", "flush", "dev", dev, "nud", "permanent"], ns="box",
                    check=False)
        lab.sysctl("box", "net.ipv4.ip_forward", 0)


@contextlib.contextmanager
def program(lab, _cpu, words):
    with peer(lab, words) as pid:
        yield [pid]


# ---- which are here ---------------------------------------------------------

def _programs(cpus):
    """[(name, words or None, why not)] of the peers that forward in user space."""
    testpmd = [word % cpus if "%s" in word else word for word in TESTPMD]
    yield ("testpmd af_xdp", testpmd if shutil.which("dpdk-testpmd") else None,
           "not installed (Debian: dpdk-dev)")
    # xdpsock sends back where it received: its packets do not come to the sink.
    path = os.environ.get("XSK_FWD")
    named = bool(path) and os.access(path, os.X_OK)
    yield ("xsk_fwd", ["taskset", "-c", cpus[1], os.path.abspath(path)] + XSK_FWD
           + ["-c", cpus[1]] if named else None, "XSK_FWD names no program")


def _drops():
    yield "sluice", OURS, lambda lab, cpu: sluice(lab, cpu, SLUICE_DROP), None
    yield "XDP program that only drops", FLOOR, lambda lab, cpu: bare(lab, cpu, DROP), None
    for name, tool, way in (
            ("nftables netdev", "nft",
             lambda lab, cpu: nftables(lab, cpu, ["nft", "-f", "-"], NFT_DROP)),
            ("nftables inet", "nft",
             lambda lab, cpu: nftables(lab, cpu, ["nft", "-f", "-"], NFT_INET_DROP)),
            ("iptables-nft raw", "iptables-nft",
             lambda lab, cpu: nftables(lab, cpu, IPTABLES_DROP)),
            ("tc clsact flower", "tc", lambda lab, cpu: clsact(lab, cpu, TC_FLOWER)),
            ("tc clsact bpf", "tc", lambda lab, cpu: clsact(lab, cpu, TC_BPF)),
            ("xdp-filter", XDP_FILTER, xdp_filter)):
        yield name, PEER, way if shutil.which(tool) else None, "no %s here" % tool
    yield ("bpfilter", PEER, bpfilter if os.access(BPFILTER, os.X_OK) else None,
           "BPFILTER names no bfcli")


def _forwards(cpus):
    yield "sluice redirect", OURS, lambda lab, cpu: sluice(lab, cpu, SLUICE_REDIRECT), None
    yield ("XDP program that only redirects", FLOOR, lambda lab, cpu: bare(lab, cpu, FORWARD),
           None)
    for poll in ("sleep", "adaptive", "busy"):
        yield ("sluice-fwd " + poll, OURS,
               lambda lab, cpu, poll=poll: forwarder(lab, cpu, poll), None)
    yield "kernel bridge", PEER, bridge, None
    yield "kernel routing", PEER, routing, None
    for name, words, why in _programs(cpus):
        yield (name, PEER, words and (
            lambda lab, cpu, words=words: program(lab, cpu, words)), why)


def ways(job, cpus):
    """({name: (role, way)}, {name: why it is not here}) for DROP or FORWARD."""
    found, absent = {}, {}
    for name, role, way, why in _drops() if job == DROP else _forwards(cpus):
        if way:
            found[name] = (role, way)
        else:
            absent[name] = why
    return found, absent


def tried(result, job, cpus, take):
    """ways() that work, by take(name, way) once of each. The result says why others do not."""
    found, absent = ways(job, cpus)
    for name, (_role, way) in list(found.items()):
        try:
            take(name, way)
        except (LabError, OSError) as fault:
            if name.startswith("sluice"):
                raise
            absent[name] = " ".join(str(fault).split())[-160:]
            del found[name]
    for name, why in absent.items():
        result.lacks("%s, %s" % (job, name), why)
    return found
