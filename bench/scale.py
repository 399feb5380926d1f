#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What rules, prefixes and sockets cost as they grow: time, memory, start and change (root).

    scale.py [--quick] [rules] [prefixes] [sockets]

rules       1 to 10,000, each of a source, a destination and a port of its own
prefixes    1 to 1,000,000 addresses in a `live` set that one rule asks for
    - from nothing to filtering: the whole command, `sluice apply` after `sluice down`; nftables:
      `nft -f` of the same, rule for rule, in an empty namespace
    - changed: the same again with one rule of the other verdict, while it filters (a reload), or
      one prefix more (`sluice set add`, `nft add element`)
    - the most memory that the command had; the bytes of all maps of the loaded program, by bpftool
    - the time of a packet over an empty program: 4,096 headers, each of one of the rules, or
      every other from an address of the set (mix.py). classify.py has rules that overlap
sockets     2 to 32 AF_XDP sockets of one worker, half of them a port, in copy mode on veth
    - from nothing (`sluice apply`, `sluice-fwd`) to the first packet forwarded, of 10,000 a second;
      with two sockets beside dpdk-testpmd
    - packets a second of a flood, which on veth all come to one queue, so to two of the sockets
    - how much more memory is in use than before the filter was loaded: frames (Shmem), rings and
      maps (VmallocUsed, Percpu), what the kernel keeps of each frame for each socket (Slab)

What a command had of memory is VmHWM, read each millisecond until it ends.
"""
import contextlib
import json
import os
import random
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (arguments, attach, column, cpu_ticks, difference, finish,
                     median, rounds, running, schedstat, table, xdp_id)
import box
import hops
import machine
import mix
from lab import Lab, LabError, built, wait_for
from result import FLOOR, OURS, PEER, candidate

ROUNDS, QUICK_ROUNDS = 5, 5
RULES, QUICK_RULES = (1, 10, 100, 1000, 10000), (1, 1000)
PREFIXES, QUICK_PREFIXES = (1, 100, 10000, 100000, 1000000), (1, 10000)
QUEUES, QUICK_QUEUES = (1, 2, 4, 8, 16), (1, 8)
NFT_MOST = 100000  # prefixes: these already take nft seconds, each round twice
TURNS = 3  # of classify-run, in each of three runs
SECONDS = 1.0
SEED = 1
CPU = str(max(os.sched_getaffinity(0)))
SLUICE_TARGET_S = 2  # a million prefixes
MEMORY = ("AnonPages", "Shmem", "Slab", "VmallocUsed", "Percpu")  # MemFree has CPUs' own lists
START_NS = 1000000  # a new process waits for its CPU while its parent goes on: `nft` 0.4 of 4 ms


# ---- a command --------------------------------------------------------------

def _peak(pid):
    """The most memory that a process has had, in bytes; None: it has ended."""
    try:
        with open("/proc/%d/status" % pid, encoding="ascii") as source:
            found = [line for line in source if line.startswith("VmHWM")]
    except OSError:
        return None
    return int(found[0].split()[1]) * 1024 if found else None


def command(argv):
    """measure.timed() in ms, with the command's peak of memory: a sample."""
    cpus = os.sched_getaffinity(0)
    try:
        return _command(argv, cpus)
    finally:
        os.sched_setaffinity(0, cpus)


def _command(argv, cpus):
    os.sched_setaffinity(0, {int(CPU)})  # the command inherits it
    ticks, start = cpu_ticks(None), time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as proc:
        # Who looks at it does so from another CPU.
        os.sched_setaffinity(0, cpus - {int(CPU)} or cpus)
        most, ended = 0, select.poll()
        pidfd = os.pidfd_open(proc.pid)
        ended.register(pidfd, select.POLLIN)
        while not ended.poll(1):
            most = max(most, _peak(proc.pid) or 0)
        seconds = time.monotonic() - start
        # A zombie still has its times.
        waited = max(0, schedstat(proc.pid)[1] - START_NS) / 1e9 / seconds
        os.close(pidfd)
        said = proc.stderr.read()
    if proc.returncode:
        raise LabError("%s: exit %d: %s" % (" ".join(argv), proc.returncode, said[-500:]))
    shares = machine.shares(ticks, cpu_ticks(None))
    return {"value": seconds * 1e3, "peak": most, "waited": waited, "steal": shares["steal"],
            "softirq": shares["softirq"]}


def in_space(lab, ns, *argv):
    # Entered here, not by `ip netns exec`, whose mounts would be timed as well.
    return lab.within(ns, command, list(argv))


def map_bytes(lab, ns, dev):
    """What the kernel says that all maps of a device's program take."""
    shown = json.loads(lab.output(["bpftool", "-j", "prog", "show", "id",
                                   str(xdp_id(lab, ns, dev))]))
    return sum(json.loads(lab.output(["bpftool", "-j", "map", "show", "id", str(number)]))
               ["bytes_memlock"] for number in shown["map_ids"])


# ---- what is loaded ---------------------------------------------------------

class Rules:
    """`count` rules, and a header for each."""
    along, change = "rules", "one rule changed, by a reload of all"
    cost = "time of a packet over an empty program"

    def __init__(self, lab, count):
        self.lab, self.count = lab, count
        self.matches = [("10.%d.%d.0/24" % (i >> 8, i & 255), "192.0.2.0/24", 1000 + i)
                        for i in range(count)]

    def files(self):
        """(sluice's, sluice's with another verdict, nft's, nft's with another)."""
        made = []
        for verdict in ("drop", "pass"):
            lines = ["interface b0 { mode native }", "default pass"]
            lines += ["rule r%d %s udp from %s to %s port %d" % (
                i, verdict if i == 0 else "drop", *match) for i, match in enumerate(self.matches)]
            made.append(self.lab.file("scale-%s.conf" % verdict, "\n".join(lines) + "\n"))
        for verdict in ("drop", "accept"):
            rules = "\n".join("ip saddr %s ip daddr %s udp dport %d counter %s" % (
                *match, verdict if i == 0 else "drop") for i, match in enumerate(self.matches))
            made.append(self.lab.file("scale-%s.nft" % verdict, NFT % ("", rules)))
        return made

    def frames(self):
        draw = random.Random(SEED)
        for source, _target, port in (draw.choice(self.matches) for _ in range(mix.LEAST)):
            yield frame(int.from_bytes(socket.inet_aton(source[:-3]), "big") + 1, port)

    def changes(self, files):
        """The commands that change what filters."""
        return {"sluice": [built("sluice"), "apply", "--force", files[1]],
                "nftables": ["nft", "-f", files[3]]}


class Prefixes:
    """`count` addresses in a live set."""
    along, change = "prefixes", "one prefix added"
    cost = "time of a packet that asks a live set, over an empty program"
    MORE = "224.0.0.9"

    def __init__(self, lab, count):
        self.lab, self.count = lab, count
        self.numbers = random.Random(SEED).sample(range(1 << 24, 224 << 24), count)

    def files(self):
        items = [socket.inet_ntoa(struct.pack("!I", number)) for number in self.numbers]
        self.lab.file("scale.txt", "\n".join(items) + "\n")
        conf = self.lab.file("scale.conf", 'interface b0 { mode native }\ndefault pass\n'
                             'set listed live { file "scale.txt" }\nrule r0 drop from @listed\n')
        if self.count > NFT_MOST:
            return [conf, conf, None, None]
        text = NFT % ("set listed { type ipv4_addr; flags interval; elements = { %s } }\n"
                      % ", ".join(items), "ip saddr @listed counter drop")
        return [conf, conf] + [self.lab.file("scale.nft", text)] * 2

    def frames(self):
        draw = random.Random(SEED)
        for n in range(mix.LEAST):
            yield frame(draw.choice(self.numbers) if n % 2 else draw.randrange(1 << 32), 9)

    def changes(self, _files):
        element = ["element", "inet", "scale", "listed", "{ %s }" % self.MORE]
        return {"sluice": [built("sluice"), "set", "add", "listed", self.MORE],
                "nftables": ["nft", "add", *element]}


NFT = """flush ruleset
table inet scale {
%schain raw { type filter hook prerouting priority raw; policy accept;
%s
}
}
"""


def frame(source, port):
    """Ethernet, IPv4, UDP. Checksums are not looked at."""
    return (bytes(12) + b"\x08\0" + struct.pack("!BBHIBBHI4s", 0x45, 0, 46, 0, 64, 17, 0, source,
                                                bytes((192, 0, 2, 1)))
            + struct.pack("!HHHH", 1024, port, 26, 0) + bytes(18))


# ---- rules and prefixes -----------------------------------------------------

def changed(lab, ns, sample, change):
    """The sample, with the ms of a command that changes what it loaded."""
    then = in_space(lab, ns, *change)
    return {**sample, "change": then["value"], "waited": max(sample["waited"], then["waited"])}


def take_sluice(lab, files, change):
    lab.sluice("down", ns="sluice", check=False)
    sample = in_space(lab, "sluice", built("sluice"), "apply", "--force", files[0])
    sample["maps"] = map_bytes(lab, "sluice", "b0")
    return changed(lab, "sluice", sample, change)


def take_nft(lab, files, change):
    lab.run(["nft", "flush", "ruleset"], ns="nft")
    sample = in_space(lab, "nft", "nft", "-f", files[2])
    return changed(lab, "nft", sample, change)


def packet_times(lab, result, what, ids, wanted):
    """The time of a packet with what is loaded; ns over the empty program."""
    path = lab.file("headers", mix.headers_of(what.frames()))
    taken = rounds({"run": lambda: mix.run(lab, CPU, path, ids, "-t", str(TURNS))}, wanted)
    turns = [[turn for samples in of for turn in mix.turns_of(samples["run"], TURNS)]
             for of in taken]
    result.figure(what.cost, "ns", "less", [
        candidate("empty", FLOOR, *turns), candidate("sluice", OURS, *turns, over="empty")],
        at={what.along: what.count}, along=what.along)
    return difference(turns[0], "sluice", "empty")


def record(result, what, taken):
    roles = {name: OURS if name == "sluice" else PEER for name in taken[0][0]}
    place = {"at": {what.along: what.count}, "along": what.along}
    result.rounds("from nothing to filtering", "ms", "less", roles, taken, **place)
    result.rounds(what.change, "ms", "less", roles, taken,
                  value=lambda s: s["change"], **place)
    result.rounds("most memory of the command", "bytes", "less", roles, taken,
                  value=lambda s: s["peak"], **place)
    result.rounds("memory of the maps", "bytes", "less", {"sluice": OURS}, taken,
                  value=lambda s: s["maps"], **place)


def point(lab, result, what, empty, wanted):
    """One number of rules or prefixes: its row of the table."""
    files = what.files()
    changes = what.changes(files)
    takers = {"sluice": lambda: take_sluice(lab, files, changes["sluice"])}
    if files[2]:
        takers["nftables"] = lambda: take_nft(lab, files, changes["nftables"])
    taken = rounds(takers, wanted)
    record(result, what, taken)
    lab.sluice("apply", "--force", files[0], ns="sluice")
    ids = {"empty": empty, "sluice": xdp_id(lab, "sluice", "b0")}
    cost = packet_times(lab, result, what, ids, (wanted + 2) // TURNS + 1)
    quiet = taken[0]
    row = ["{:,}".format(what.count), "%.1f" % cost,
           "%.1f" % (median(column(quiet, "sluice", "maps")) / 1e6)]
    for name in ("sluice", "nftables"):
        row += ["%.1f" % (median(column(quiet, name, key)) / scale) for key, scale in (
            ("value", 1), ("change", 1), ("peak", 1e6))] if name in quiet[0] else ["-"] * 3
    if what.along == "prefixes" and what.count == PREFIXES[-1]:
        took = median(column(quiet, "sluice")) / 1e3
        result.target("a million prefixes, from nothing to filtering", "%.2f s" % took,
                      "at most %d s" % SLUICE_TARGET_S, took <= SLUICE_TARGET_S)
    return row


def grow(lab, result, kind, counts, wanted):
    lab.add("peer", "empty", "sluice", "nft")
    for ns in ("empty", "sluice"):
        lab.veth("peer", "p" + ns, ns, "b0")
    attach(lab, "empty", "b0", "pass.bpf.o")
    empty = xdp_id(lab, "empty", "b0")
    rows = [point(lab, result, kind(lab, count), empty, wanted) for count in counts]
    print("sluice, then nftables: ms from nothing, ms for a change, MB of the command")
    table([kind.along, "packet ns", "maps MB", "apply", kind.along + " changed", "peak", "nft",
           "changed", "peak"], rows)
    if kind is Prefixes and counts[-1] > NFT_MOST:
        result.lacks("nftables, over {:,} prefixes".format(NFT_MOST),
                     "not tried: it takes seconds for as many, and each round loads them")
    for ns in ("empty", "sluice", "nft", "peer"):
        lab.sluice("down", ns=ns, check=False)
        lab.remove(ns)


# ---- sockets ----------------------------------------------------------------

def memory():
    """Bytes in use of the kinds that a forwarder takes, once what was given back has come back."""
    seen, deadline = [], time.monotonic() + 3
    while len(seen) < 5 or (max(seen[-5:]) - min(seen[-5:]) > 1 << 20
                            and time.monotonic() < deadline):
        with open("/proc/meminfo", encoding="ascii") as source:
            kinds = dict(re.findall(r"^(\w+): *(\d+) kB", source.read(), re.M))
        seen.append(1024 * sum(int(kinds[kind]) for kind in MEMORY))
        time.sleep(0.1)
    return seen[-1]


def take_sockets(lab, cpus, way):
    """A forwarder (hops.py) started under a trickle of packets, then flooded."""
    def sunk():
        return hops.received(lab, *box.SINK)
    idle = memory()
    with contextlib.ExitStack() as stack:
        with box.generator(lab, cpus[0], 30, "--rate", "10k"):
            before, start = sunk(), time.monotonic()
            pids = stack.enter_context(way(lab, cpus[1]))
            if not wait_for(lambda: sunk() > before, 20, 0.001):
                raise LabError("nothing came through")
            started = time.monotonic() - start
        with box.generator(lab, cpus[0], SECONDS + 15) as sender:
            if not box.is_forwarding(lab):
                raise LabError("nothing came through the forwarder")
            found = box.sample([*pids, sender.pid], lambda: box.sunk(lab), SECONDS)
        taken = memory() - idle
    return {**found, "value": started * 1e3, "rate": found["value"], "memory": taken}


def starters(cpus, queues):
    """{name: way} of what is started; testpmd with one queue a port."""
    ways = {"sluice-fwd": lambda lab, cpu: hops.forwarder(lab, cpu, "sleep")}
    if queues == 1 and shutil.which("dpdk-testpmd"):
        words = [word % cpus if "%s" in word else word for word in box.TESTPMD]
        ways["testpmd"] = lambda lab, cpu: hops.program(lab, cpu, words)
    return ways


def sockets(lab, result, counts, wanted):
    cpus, rows = box.two_cpus(), []
    for queues in counts:
        box.build(lab, queues)
        attach(lab, "sink", "k0", "drop.bpf.o")
        ways = starters(cpus, queues)
        taken = rounds({name: lambda way=way: take_sockets(lab, cpus, way)
                        for name, way in ways.items()}, wanted, box.NOISE)
        roles = {name: OURS if name == "sluice-fwd" else PEER for name in ways}
        # What testpmd has of memory is what it was told to take (-m).
        for what, unit, better, key in (
                ("from nothing to the first packet forwarded", "ms", "less", "value"),
                ("forwarded with most sockets idle", "packets/s", "more", "rate"),
                ("memory that forwarding takes", "bytes", "less", "memory")):
            result.rounds(what, unit, better, roles, taken, at={"sockets": 2 * queues},
                          along="sockets", judged=key != "memory",
                          value=lambda s, key=key: s[key])
        rows += [[name, 2 * queues, *("%.*f" % (digits, median(column(taken[0], name, key)) / scale)
                                      for key, digits, scale in (
                                          ("value", 0, 1), ("rate", 3, 1e6), ("memory", 1, 1e6)))]
                 for name in ways]
        for ns in ("tx", "box", "sink"):
            lab.remove(ns)
    table(["forwarder", "sockets", "ms to the first packet", "Mpps", "MB"], rows)


def main():
    parser = arguments(__doc__)
    parser.add_argument("what", nargs="*", help="rules, prefixes, sockets; all unless given")
    options = parser.parse_args()
    wanted, quick = QUICK_ROUNDS if options.quick else ROUNDS, options.quick
    parts = {"rules": lambda lab, result: grow(lab, result, Rules, QUICK_RULES if quick else RULES,
                                               wanted),
             "prefixes": lambda lab, result: grow(lab, result, Prefixes, QUICK_PREFIXES if quick
                                                  else PREFIXES, wanted),
             "sockets": lambda lab, result: sockets(lab, result, QUICK_QUEUES if quick else QUEUES,
                                                    wanted)}
    if set(options.what) - set(parts):
        parser.error("there are %s" % ", ".join(parts))
    with running("scale", "What rules, prefixes and sockets cost as they grow", quick,
                 traffic="BPF_PROG_TEST_RUN, 4,096 headers; sockets: sluice-gen, this host"
                 ) as result:
        for name in options.what or parts:
            with Lab() as lab:
                parts[name](lab, result)
    return 0


if __name__ == "__main__":
    finish(main)
