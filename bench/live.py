#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How many packets a second a rule drops, passes, redirects and bounces on a live veth (root),
against XDP programs that only return that verdict: one of a few instructions, and xdp-bench's.

    [tx] s0 ------ s1 [rx] s2 ------ s3 [sink]     sluice, one rule
    [tx] f0 ------ f1 [rx] f2 ------ f3 [sink]     the floor: pass, drop, tx, redirect .bpf.o
    [tx] x0 ------ x1 [rx] x2 ------ x3 [sink]     xdp-bench VERDICT x1

Packets are counted where the verdict takes them: dropped at s1, received at s1 and not dropped
(pass: the IP stack, which they are not addressed to, ends them), dropped at s3 (redirect) or at s0
(bounce), where drop.bpf.o is. The variable XDP_BENCH names the xdp-bench to run; without
it the one on the PATH is tried.

veth's receiver runs in softirq on the CPU of its sender, so generator, receiver and sink
share one CPU, always busy, and the rate is that of all together. The generator's part is the
same for all, so the ratio of the rates understates how the receivers differ. How much, is told
by the share of the CPU's time that was softirqs' (/proc/stat): share / rate is the time for each
packet. Where the generator had the greater share, it was the limit and not the receiver.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (Window, arguments, attach, attach_redirect, column, dropped, finish, median,
                     ratio, rounds, running, table, takes_xdp_frames)
from hops import received
from lab import Lab, LabError, built, wait_for
from result import FLOOR, OURS, PEER

SECONDS = 0.5
ROUNDS, QUICK_ROUNDS = 7, 5
# What is passed is freed by ksoftirqd and RCU as well, which take the generator's CPU: 3 to
# 5 % of the time on an idle machine. They take it from every candidate alike.
NOISE = {"drop": 0.02, "pass": 0.08, "redirect": 0.04, "bounce": 0.04}
SIZES = (64, 256, 1024, 1500)  # of a frame, without FCS
QUICK_SIZES = {"drop": (64, 1500)}  # of the others the first
CANDIDATES = {"sluice": ("s", OURS), "floor": ("f", FLOOR), "xdp-bench": ("x", PEER)}
TARGET = 0.9  # of `drop`; of the others none was promised
CPU = str(max(os.sched_getaffinity(0)))
NATIVE = 1  # XDP_ATTACHED_DRV of linux/if_link.h
CONFIG = """interface s1%s { mode native }
default pass
rule flood %s udp from 198.18.0.0/15 to any port 9
"""
# As the configuration says it, the floor's object, xdp-bench's words.
VERDICTS = {"drop": ("drop", "drop.bpf.o", ["drop", "x1"]),
            "pass": ("pass", "pass.bpf.o", ["pass", "x1"]),
            "redirect": ("redirect s2", "redirect.bpf.o", ["redirect", "x1", "x2"]),
            "bounce": ("bounce", "tx.bpf.o", ["tx", "x1"])}


def counter(lab, verdict, letter):
    """A function that gives the packets which have taken the verdict's way."""
    ns, dev = {"drop": ("rx", letter + "1"), "redirect": ("sink", letter + "3"),
               "bounce": ("tx", letter + "0"), "pass": ("rx", letter + "1")}[verdict]
    if verdict == "pass":
        return lambda: received(lab, ns, dev) - dropped(lab, ns, dev)
    return lambda: dropped(lab, ns, dev)


def sampler(lab, verdict, letter, size):
    count = counter(lab, verdict, letter)
    # What is for another station costs the stack less: each gets what is for it.
    mac = lab.link("rx", letter + "1")["address"]

    def take():
        proc = lab.popen([built("sluice-gen"), letter + "0", "--json", "--cpus", CPU,
                          "--size", str(size), "--dst-mac", mac,
                          "--duration", str(SECONDS + 4)], ns="tx")
        idle = count()
        # Loaded and at its speed; it says so by what arrives.
        if not wait_for(lambda: count() > idle + 1000, 2):
            raise LabError("sluice-gen %s0: nothing takes the way of %s" % (letter, verdict))
        window = Window([proc.pid], count, CPU)
        time.sleep(SECONDS)
        window.stop()
        if proc.poll() is not None:
            raise LabError("sluice-gen %s0: it ended inside the window" % letter)
        lab.end(proc, signal.SIGINT)
        out = proc.stdout.read()
        if proc.returncode:
            raise LabError("sluice-gen %s0: %s" % (letter, out))
        result = json.loads(out[out.index("{"):])
        return {"value": window.counted / window.seconds, **window.noise(),
                "transmitted": result["transmitted"],
                "attempted": result["attempted"]}
    return take


# ---- the candidates' verdicts -----------------------------------------------

def start_floor(lab, name):
    """The program on f1."""
    lab.run(["ip", "link", "set", "dev", "f1", "xdp", "off"], ns="rx")
    if name == "redirect.bpf.o":
        attach_redirect(lab, "rx", "f1", "f2")
    else:
        attach(lab, "rx", "f1", name)


def start_xdp_bench(lab, words):
    """(its process, None) once it is on x1; (None, why it is not)."""
    path = os.environ.get("XDP_BENCH") or shutil.which("xdp-bench")
    if not path:
        return None, "XDP_BENCH names none, and there is none on the PATH"
    log = os.path.join(lab.dir, "xdp-bench.log")
    with open(log, "w", encoding="utf-8") as out:
        # It reads and prints at each interval: so seldom that it does not disturb.
        proc = lab.popen([path, *words, "-m", "native", "-i", "60"], ns="rx",
                         stdin=subprocess.DEVNULL, stdout=out)

    def mode():
        return lab.link("rx", "x1").get("xdp", {}).get("mode")
    wait_for(lambda: mode() or proc.poll() is not None, 10)
    time.sleep(0.5)  # some of its versions fail, and detach, after they attached
    if proc.poll() is None and mode() == NATIVE:
        return proc, None
    state = "runs, but not natively on x1" if proc.poll() is None else (
        "exit %d" % proc.returncode)
    lab.end(proc)
    with open(log, encoding="utf-8", errors="replace") as file:
        said = [line.strip() for line in file if line.strip()]
    return None, "%s: %s: %s" % (os.path.basename(path), state,
                                 "; ".join(said[-2:]) or "said nothing")


# ---- what was found ---------------------------------------------------------

def own_ns(sample):
    """The receiver's time for a packet."""
    return sample["softirq"] / sample["value"] * 1e9


def report(result, verdict, size, taken):
    quiet, refused = taken
    print("%s, frames of %d bytes" % (verdict, size))
    table(["program", "Mpps", "receiver's part", "ns/packet", "samples"],
          [[name, "%.2f" % (median(column(quiet, name)) / 1e6),
            "%.0f %%" % (100 * median(column(quiet, name, "softirq"))),
            "%.0f" % median([own_ns(r[name]) for r in quiet]),
            " ".join("%.2f" % (v / 1e6) for v in column(quiet, name))] for name in quiet[0]])
    print("%d quiet rounds, %d noisy ones refused" % (len(quiet), len(refused)))
    roles = {name: CANDIDATES[name][1] for name in quiet[0]}
    place = {"at": {"verdict": verdict, "frame bytes": size}, "along": "frame bytes"}
    result.rounds("rate on a live veth, generator included", "packets/s", "more", roles,
                  taken, **place)
    result.rounds("the receiver's time of a packet", "ns", "less", roles, taken, value=own_ns,
                  **place)
    for peer in list(roles)[1:]:
        share = ratio(quiet, "sluice", peer)
        part = 1 - median(column(quiet, peer, "softirq"))
        if verdict == "drop":
            result.target("%s, %d bytes, rate to that of %s" % (verdict, size, peer),
                          "%.3f" % share, "at least %.1f" % TARGET, share >= TARGET)
        if part > 0.5:
            print("  the generator took %.0f %% of the CPU, so it was the limit, and the ratio of "
                  "the rates hides most of the difference" % (100 * part))


def run(lab, result, verdict, options):
    """All sizes of one verdict. False: the rule did not decide each packet."""
    text, program, words = VERDICTS[verdict]
    lab.apply(CONFIG % (", s2" if verdict == "redirect" else "", text), "rx")
    start_floor(lab, program)
    peer, absent = start_xdp_bench(lab, words)
    if absent:
        result.lacks("xdp-bench, %s" % verdict, absent)
    sizes = QUICK_SIZES.get(verdict, SIZES[:1]) if options.quick else SIZES
    sent = 0
    for size in sizes:
        takers = {name: sampler(lab, verdict, letter, size)
                  for name, (letter, role) in CANDIDATES.items() if peer or role != PEER}
        taken = rounds(takers, QUICK_ROUNDS if options.quick else ROUNDS, NOISE[verdict])
        report(result, verdict, size, taken)
        sent += sum(r["sluice"]["transmitted"] for r in taken[0] + taken[1])
    if peer:
        lab.end(peer, signal.SIGINT)
    rule = [r for r in lab.stats("rx", "s1")["rules"] if r["name"] == "flood"][0]
    lab.sluice("down", ns="rx")
    if rule["packets"] != sent:
        result.fails("%s: the rule counted %d packets of %d sent" % (
            verdict, rule["packets"], sent))
    return rule["packets"] == sent


def main():
    options = arguments(__doc__).parse_args()
    with running("live", "How many packets a second a rule drops, passes, redirects and bounces "
                 "on a live veth", options.quick) as result, Lab() as lab:
        lab.add("tx", "rx", "sink")
        for letter, _role in CANDIDATES.values():
            lab.veth("tx", letter + "0", "rx", letter + "1")
            lab.veth("rx", letter + "2", "sink", letter + "3")
            takes_xdp_frames(lab, ("tx", letter + "0"), ("rx", letter + "1"),
                             ("rx", letter + "2"), ("sink", letter + "3"))
            attach(lab, "tx", letter + "0", "drop.bpf.o")
            attach(lab, "sink", letter + "3", "drop.bpf.o")
        right = [run(lab, result, verdict, options) for verdict in VERDICTS]
    return 0 if all(right) else 1


if __name__ == "__main__":
    finish(main)
