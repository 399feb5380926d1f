#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Another data plane on the same frames and sockets, while traffic runs. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
    sluice-gen          \\_ wire _/        filter: counts

SLUICE_PPS sets the rate (20000), SLUICE_KILLS the rounds of kill -9 (6).
"""
import json
import os
import re
import signal
import time

from network import program, two_sides
from lab import EMULATED, Lab, built, wait_for
from tap import Tap
from test_agent import sockets
import capture
from test_forwarder import WIRE, Forwarder, accounted, datagram, passes

PPS = int(os.environ.get("SLUICE_PPS", "2000" if EMULATED else "20000"))
KILLS = int(os.environ.get("SLUICE_KILLS", "6"))
COUNT = "interface far0\ndefault pass\nrule seen drop udp to any port 7\n"
LINUX = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
REMAP = LINUX >= (6, 4)  # maps the rings of a bound socket
TRIES = 5


def rule(lab, ns, dev, name):
    return next(r["packets"] for r in lab.stats(ns, dev)["rules"] if r["name"] == name)


class Load:
    """sluice-gen into the wire, for `seconds`."""

    def __init__(self, lab, seconds, pps=PPS):
        self.lab = lab
        self.before = rule(lab, "far", "far0", "seen")
        self.entered = rule(lab, "box", "box0", "soft")
        self.proc = lab.popen([built("sluice-gen"), "peer0", "--dport", "7", "--rate", str(pps),
                               "--duration", str(seconds), "--batch", "16", "--json"], ns="peer")

    def end(self):
        """(what the filter forwarded, what arrived at the other end)."""
        self.proc.communicate(timeout=60)
        entered = rule(self.lab, "box", "box0", "soft") - self.entered

        def seen():
            return rule(self.lab, "far", "far0", "seen") - self.before

        wait_for(lambda: seen() >= entered, 2)
        return entered, seen()


def lab_with_load(lab):
    two_sides(lab)
    lab.apply(WIRE, ns="box")
    lab.apply(COUNT, ns="far", name="count.conf")


class Successor(Forwarder):
    """Takes over from one that runs."""

    def __init__(self, first, name="next"):
        self.lab, self.config = first.lab, first.config
        self.log = open(first.lab.file(name + ".log", ""), "r+")
        self.proc = first.lab.popen([built("sluice-fwd"), "-c", self.config, "--json",
                                     "--takeover"], ns="box", stderr=self.log)


def where(lab):
    """Packets lost on RX rings that were full, and on far0's, which veth counts as box1's."""
    done = lab.run([built("sluice-fwd"), "--ctl", "stats"], ns="box")
    ledger = json.loads(done.stdout.splitlines()[1])["ledger"]
    link = json.loads(lab.output(["ip", "-j", "-s", "link", "show", "dev", "box1"], ns="box"))[0]
    return sum(side["lost"] for side in ledger["interfaces"]), link["stats64"]["tx"]["dropped"]


def gaps(forwarder):
    """(ms without a worker, packets lost meanwhile) of each of its handovers, as it says them."""
    said = re.findall(r"handover: (\d+) us without a worker, (\d+) packets", forwarder.messages())
    return [(int(us) / 1e3, int(lost)) for us, lost in said]


def relay(tap, lab, forwarder):
    """Three successors and as many reloads under load: (the last, forwarded, lost, gaps)."""
    load = Load(lab, 5)
    without = []
    time.sleep(0.5)
    for _turn in range(3):
        old = forwarder
        forwarder = Successor(old, "next%d" % time.monotonic_ns())
        tap.ok(wait_for(lambda f=old: f.proc.poll() is not None), "takeover: the old one ends")
        tap.equal((old.proc.returncode, forwarder.proc.poll()), (0, None),
                  "takeover: cleanly, and the new one runs")
        wait_for(lambda f=forwarder: f.messages().count("->") >= 2)
        time.sleep(0.2)
        done = lab.run([built("sluice-fwd"), "--ctl", "reload"], ns="box")
        tap.equal(json.loads(done.stdout), {"ok": True}, "reload: is answered")
        time.sleep(0.2)
        without += gaps(forwarder)
    entered, arrived = load.end()
    return forwarder, entered, entered - arrived, without


def lossless(tap):
    """
    By another process three times, and by a reload as often: none of these loses a packet. What a
    busy machine loses else, by taking the CPU away from the worker or, so that it makes up for it
    in one burst, from the generator, is accounted for. If it does so in a handover for as long as
    an RX ring lasts, 100 ms at 20,000 a second, there is another try.
    """
    with Lab() as lab:
        lab_with_load(lab)
        forwarder = Forwarder(lab)
        tries, total, lost, without = 0, 0, 0, [(0, 1)]
        while sum(gone for _ms, gone in without) and tries < TRIES:
            forwarder, entered, more, without = relay(tap, lab, forwarder)
            tries, total, lost = tries + 1, total + entered, lost + more
            tap.diag("%d packets at %d a second, %d lost; handovers, ms and packets lost: %s" % (
                entered, PPS, more, without))
        tap.ok(entered > 1000, "lossless: there was load", entered)
        if REMAP:
            tap.equal([gone for _ms, gone in without], [0] * 6, "lossless: none is lost in any")
            tap.equal(sum(where(lab)), lost, "lossless: every other is accounted for")
        else:
            tap.skip("lossless: none is lost in any",
                     "Linux %d.%d maps no ring of a bound socket" % LINUX)
            tap.contains(forwarder.messages(), ["not without a gap"], "lossless: that is told")
        status, stats = forwarder.stop()
        accounted(tap, "lossless: ", status, stats)
        if REMAP:
            side = stats["ledger"]["interfaces"][0]
            tap.equal((side["forwarded"], side["received"] + side["lost"]), (total, total),
                      "lossless: the counters go on")
        tap.equal(lab.leftovers(), [], "lossless: down leaves nothing behind")


def captured(tap):
    """Two data planes with one file, one after the other: no copy is lost or cut."""
    if not REMAP:
        tap.skip("captured", "Linux %d.%d maps no ring of a bound socket" % LINUX)
        return
    with Lab() as lab:
        lab_with_load(lab)
        forwarder = Forwarder(lab, WIRE.replace("zero-copy auto",
                                                'zero-copy auto; capture "all.pcapng"'))
        load = Load(lab, 4)
        for turn in range(4):
            time.sleep(0.5)
            if turn % 2:
                lab.run([built("sluice-fwd"), "--ctl", "reload"], ns="box")
            else:
                old, forwarder = forwarder, Successor(forwarder, "next%d" % turn)
                tap.ok(wait_for(lambda f=old: f.proc.poll() is not None),
                       "captured: the old one ends")
        entered, _arrived = load.end()
        status, stats = forwarder.stop()
        accounted(tap, "captured: ", status, stats)
        path = os.path.join(lab.dir, "all.pcapng")
        with open(path, "rb") as text:
            sections = text.read().count(bytes.fromhex("0a0d0d0a"))
        tap.equal(sections, 5, "captured: each data plane begins a section")
        tap.equal(len(list(capture.read(path))), stats["ledger"]["received"],
                  "captured: each packet is in the file")
        tap.ok(entered > 1000, "captured: there was load", entered)


def differs(tap):
    """Another plan is no successor: the old one is stopped, and that is told."""
    with Lab() as lab:
        two_sides(lab)
        lab.veth("box", "more0", "far", "more1")
        text = WIRE.replace("box0, box1", "box0, box1, more0")
        lab.apply(text, ns="box")
        forwarder = Forwarder(lab, text)
        forwarder.config = lab.file("other.conf", text.replace("wire box0 box1",
                                                              "wire box1 more0"))
        other = Successor(forwarder)
        tap.ok(wait_for(lambda: other.messages().count("->") >= 2), "differs: the new one runs",
               other.messages())
        tap.contains(other.messages(), ["not without a gap", "differ"], "differs: which is told")
        accounted(tap, "differs: the old one: ", *forwarder.stop())
        accounted(tap, "differs: the new one: ", *other.stop())
        alone = Successor(forwarder, "alone")
        tap.ok(wait_for(lambda: alone.proc.poll() is not None) and alone.proc.returncode == 3,
               "differs: with none that runs it refuses", alone.messages())


def reloads(tap):
    """A configuration that is wrong changes nothing; one with another plan is taken."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        data = forwarder.plane()
        for was, now, word in (("{ wire box0", "{ wires box0", "wires"),
                               ("{ wire box0", "{ wire no0", "no0"),
                               ("zero-copy auto", 'stage "none.so"', "none.so"),
                               ("zero-copy auto", 'capture "/no/where"', "/no/where"),
                               ("zero-copy auto", "zero-copy require", "copy mode")):
            text = WIRE.replace(was, now)
            lab.file("forwarder.conf", text)
            done = lab.run([built("sluice-fwd"), "--ctl", "reload"], ns="box", check=False)
            tap.ok(done.returncode == 3 and "error" in json.loads(done.stdout),
                   "reload: refused", done.stdout)
            tap.contains(forwarder.messages(), [word], "reload: with the reason")
            tap.ok(forwarder.plane() == data and wait_for(lambda: passes(lab) == 200),
                   "reload: and nothing changed")
        lab.file("forwarder.conf", WIRE.replace("zero-copy auto", "zero-copy auto; police 1pps"))
        done = lab.run([built("sluice-fwd"), "--ctl", "reload"], ns="box")
        tap.ok(wait_for(lambda: passes(lab) < 200), "reload: a stage that is new does its work")
        accounted(tap, "reload: ", *forwarder.stop())


def held(lab):
    """
    Processes, pins, XDP programs, promiscuous modes and control sockets. Maps and sockets live by
    these, and by the descriptors of the processes.
    """
    pids = lab.output(["ip", "netns", "pids", lab.name("box")]).split()
    return {
        "processes": len(pids),
        "descriptors": sum(len(os.listdir("/proc/%s/fd" % pid)) for pid in pids),
        "pins": sorted(lab.pins("box")),
        "programs": [program(lab, "box", dev) for dev in ("box0", "box1")],
        "promiscuity": [lab.link("box", dev)["promiscuity"] for dev in ("box0", "box1")],
        "control sockets": len(sockets(lab)),
    }


def waited(*pids):
    """Seconds that threads were ready and had no CPU (sched_info); 0 where it is not counted."""
    total = 0
    for pid in pids:
        try:
            with open("/proc/%s/schedstat" % pid) as text:
                total += int(text.read().split()[1])
        except (FileNotFoundError, IndexError):
            pass
    return total / 1e9


def start(forwarder):
    """Starts it: (the seconds that took, of which neither it nor we had a CPU)."""
    begin, before = time.monotonic(), waited("thread-self")
    forwarder.start()
    took = time.monotonic() - begin
    return took, waited("thread-self", forwarder.proc.pid, forwarder.plane()) - before


def at_rest(look):
    """What is seen three times in a row: the agent opens something for a moment now and then."""
    seen = []
    wait_for(lambda: seen.append(look()) or (len(seen) > 2 and seen[-1] == seen[-2] == seen[-3]),
             5, 0.1)
    return seen[-1]


def killed(tap):
    """kill -9 of either process under load, again and again."""
    with Lab() as lab:
        lab_with_load(lab)
        forwarder = Forwarder(lab)
        at_first = at_rest(lambda: held(lab))
        load = Load(lab, 3 + KILLS)
        slowest = (0, 0)
        for turn in range(KILLS):
            time.sleep(0.3)
            victim = forwarder.plane() if turn % 2 else forwarder.proc.pid
            os.kill(victim, signal.SIGKILL)
            if not wait_for(lambda: forwarder.proc.poll() is not None, 5):
                tap.ok(False, "killed: round %d: it ends" % turn, forwarder.messages())
                return
            slowest = max(slowest, start(forwarder), key=lambda s: s[0] - s[1])
        tap.diag("the slowest of %d starts: %.2f s, %.2f of it without a CPU"
                 % ((KILLS,) + slowest))
        tap.ok(EMULATED or slowest[0] - slowest[1] < 1, "killed: each takes less than a second")
        load.proc.terminate()
        entered, arrived = load.end()
        stats = lab.stats("box", "box0")
        fallen = stats["reasons"]["no_socket"]["packets"]
        tap.ok(0 < arrived <= entered, "killed: packets arrive", arrived, entered)
        tap.diag("%d forwarded, %d fell back, %d arrived, %d lost with the killed" % (
            entered, fallen, arrived, entered - fallen - arrived))
        tap.equal(stats["rx"]["packets"], sum(r["packets"] for r in stats["reasons"].values()),
                  "killed: every packet was counted, in one reason")
        before = rule(lab, "far", "far0", "seen")
        lab.send("peer", "peer0", [datagram(7, n) for n in range(200)])
        tap.ok(wait_for(lambda: rule(lab, "far", "far0", "seen") == before + 200),
               "killed: the last one forwards")
        tap.equal(at_rest(lambda: held(lab)), at_first, "killed: nothing is left of the others")
        accounted(tap, "killed: ", *forwarder.stop())
        tap.equal(lab.leftovers(), [], "killed: down leaves nothing behind")


def main():
    tap = Tap()
    for name, test in (("lossless", lossless), ("captured", captured), ("differs", differs),
                       ("reloads", reloads), ("killed", killed)):
        with tap.case(name + ": to the end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
