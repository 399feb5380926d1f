#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`poll sleep|adaptive|busy` of the forwarder on veth, which has no NAPI ids: what is claimed, what
is deferred and given back, how often NAPI runs, when a worker sleeps. Root.

    [peer] peer0 ---- poll0 [box] poll1 ---- far0 [far]
                         \\_ wire _/

NAPI polls are counted by the kernel's trace point, kept to the name poll0, which nothing else on
this machine has.
"""
import fcntl
import glob
import json
import os
import signal
import time

from test_forwarder import Forwarder  # first: it knows the way to the next two
from lab import Lab, built, wait_for
from tap import Tap, check

WIRE = """
interface poll0, poll1
default pass
rule wire forward fallback drop
forwarder { wire poll0 poll1; workers 1; %s; zero-copy auto }
"""
DEFERRED = {"napi_defer_hard_irqs": 2, "gro_flush_timeout": 50000}
PLAIN = dict.fromkeys(DEFERRED, 0)
RATE = 100000  # packets a second, each sent by itself
ROUNDS = 4     # another helper of the machine may take the CPU in one of them


def world(lab):
    lab.add("peer", "box", "far")
    lab.veth("peer", "peer0", "box", "poll0")
    lab.veth("box", "poll1", "far", "far0")
    lab.apply(WIRE % "poll sleep", ns="box")


def settings(lab, dev="poll0"):
    """What the interface has now, of DEFERRED."""
    return {name: int(lab.output(["cat", "/sys/class/net/%s/%s" % (dev, name)], ns="box"))
            for name in DEFERRED}


def send(lab, rate, count):
    """(seconds, packets) of `count` single ones. What a full ring refuses is not sent."""
    argv = [built("sluice-gen"), "peer0", "--json", "--batch", "1", "--rate", str(rate),
            "--count", str(count)]
    before = time.monotonic()
    done = json.loads(lab.output(argv, ns="peer", timeout=60))
    check(done["transmitted"] > count / 2, True, "most packets are sent")
    return time.monotonic() - before, done["transmitted"]


class Polls:
    """NAPI polls of poll0: an instance of tracefs with one event, filtered by name."""

    def __init__(self):
        self.root = "/sys/kernel/tracing"
        if not os.path.exists(self.root + "/events"):
            check(os.system("mount -t tracefs tracefs " + self.root), 0, "mount tracefs")
        self.path = "%s/instances/sluice-%d" % (self.root, os.getpid())

    def __enter__(self):
        os.mkdir(self.path)
        self._write("events/napi/napi_poll/filter", 'dev_name == "poll0"')
        self._write("events/napi/napi_poll/enable", "1")
        return self

    def __exit__(self, *_exc):
        os.rmdir(self.path)

    def _write(self, name, text):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as out:
            out.write(text)

    def count(self):
        """What was recorded, and what was recorded and overwritten."""
        total = 0
        for name in glob.glob(self.path + "/per_cpu/cpu*/stats"):
            with open(name, encoding="ascii") as source:
                words = dict(line.split(": ", 1) for line in source if ": " in line)
            total += int(words["entries"]) + int(words["overrun"]) + int(words["dropped events"])
        return total


def stats(lab, forwarder):
    """What `sluice-fwd` prints on SIGUSR1, of its one worker."""
    forwarder.proc.send_signal(signal.SIGUSR1)
    return json.loads(forwarder.proc.stdout.readline())["workers"][0]


def calls(worker):
    system = worker["syscalls"]
    return sum(system.values()) - worker["idle_polls"]


def one_round(lab, forwarder, polls):
    """What 100,000 packets cost: NAPI polls and system calls of the worker."""
    first, before = stats(lab, forwarder), polls.count()
    seconds, sent = send(lab, RATE, RATE)
    after, last = polls.count(), stats(lab, forwarder)
    received = [w["ports"][0]["rx"]["packets"] for w in (first, last)]
    packets = received[1] - received[0]
    return {"kpps": packets / seconds / 1000, "polls": after - before,
            "polls a packet": (after - before) / sent,
            # A sender that is held up brings fewer packets to each poll of the timer.
            "polls a packet due": (after - before) / (RATE * seconds),
            "calls a packet": (calls(last) - calls(first)) / packets}


def plain(tap):
    """Without deferral each packet that comes by itself is a NAPI poll."""
    with Lab() as lab, Polls() as polls:
        world(lab)
        forwarder = Forwarder(lab, WIRE % "poll sleep")
        seen = one_round(lab, forwarder, polls)
        tap.ok(0.5 <= seen["polls a packet"] <= 1.1,
               "plain: %.3f NAPI polls a packet at %d kpps" % (
                   seen["polls a packet"], seen["kpps"]), seen)
        forwarder.stop()


def figures(tap):
    """With deferral at most one NAPI poll, and one system call, for twenty packets."""
    for mode in ("adaptive", "busy", "sleep defer 2 timeout 200us"):
        with Lab() as lab, Polls() as polls:
            world(lab)
            forwarder = Forwarder(lab, WIRE % ("poll " + mode))
            rounds = []
            for _ in range(ROUNDS):
                rounds.append(one_round(lab, forwarder, polls))
                if max(rounds[-1]["polls a packet due"], rounds[-1]["calls a packet"]) <= 0.05:
                    break
            seen = rounds[-1]
            tap.ok(seen["polls a packet due"] <= 0.05, "%s: %.3f NAPI polls a packet at %d kpps" % (
                mode, seen["polls a packet"], seen["kpps"]), rounds)
            tap.ok(seen["calls a packet"] <= 0.05, "%s: %.4f system calls a packet" % (
                mode, seen["calls a packet"]), rounds)
            status, last = forwarder.stop()
            tap.equal((status, last["accounted"]), (0, True), mode + ": all is accounted for")


def claims(tap):
    """veth: no NAPI id. The reason is told, nothing is claimed, deferral is what works."""
    for mode in ("adaptive", "busy"):
        with Lab() as lab:
            world(lab)
            tap.equal(settings(lab), PLAIN, mode + ": plain before")
            forwarder = Forwarder(lab, WIRE % ("poll " + mode))
            tap.ok(wait_for(lambda lab=lab: settings(lab) == DEFERRED), mode + ": deferred",
                   settings(lab))
            tap.ok(wait_for(lambda f=forwarder: "not engaged" in f.messages()),
                   mode + ": told", forwarder.messages())
            tap.contains(forwarder.messages(), [
                "poll0 queue 0: busy polling not engaged: no NAPI id",
                "poll1: interrupts deferred: 2 empty polls, 50 us"], mode + ": says why")
            ports = stats(lab, forwarder)["ports"]
            tap.equal([(p["busy_poll"], p["deferred"]) for p in ports], [(False, True)] * 2,
                      mode + ": claims deferral, and no busy polling")
            forwarder.stop()
            tap.equal([settings(lab), settings(lab, "poll1")], [PLAIN] * 2,
                      mode + ": given back at the end")


def parameters(tap):
    """defer and timeout are the configuration's; a reload changes them, and takes them away."""
    with Lab() as lab:
        world(lab)
        lab.run(["sh", "-c", "echo 7 >/sys/class/net/poll1/napi_defer_hard_irqs"], ns="box")
        other = {"napi_defer_hard_irqs": 7, "gro_flush_timeout": 0}
        forwarder = Forwarder(lab, WIRE % "poll busy defer 5 timeout 50us")
        want = {"napi_defer_hard_irqs": 5, "gro_flush_timeout": 50000}
        tap.ok(wait_for(lambda: settings(lab, "poll1") == want), "parameters: set",
               settings(lab, "poll1"))
        for text, want in (("poll adaptive defer 6", {"napi_defer_hard_irqs": 6,
                                                     "gro_flush_timeout": 50000}),
                           ("poll sleep timeout 20us", {"napi_defer_hard_irqs": 2,
                                                        "gro_flush_timeout": 20000}),
                           ("poll sleep", other)):
            lab.file("forwarder.conf", WIRE % text)
            lab.run([built("sluice-fwd"), "--ctl", "reload"], ns="box")
            tap.ok(wait_for(lambda want=want: settings(lab, "poll1") == want),
                   "parameters: reload to " + text,
                   (settings(lab, "poll1"), forwarder.messages()))
        tap.equal(settings(lab), PLAIN, "parameters: each interface has its own again")
        tap.equal(forwarder.stop()[0], 0, "parameters: ends well")
        tap.equal(settings(lab, "poll1"), other, "parameters: and leaves it so")


def killed(tap):
    """After SIGKILL the settings stay; the next one, or `sluice tune undo`, gives them back."""
    with Lab() as lab:
        world(lab)
        for how in ("the next forwarder", "sluice tune undo", "the next one that does not defer"):
            forwarder = Forwarder(lab, WIRE % "poll adaptive")
            wait_for(lambda: settings(lab) == DEFERRED)
            forwarder.proc.kill()
            forwarder.proc.wait()
            tap.equal(settings(lab), DEFERRED, "killed: they stay (%s)" % how)
            if how == "sluice tune undo":
                lab.sluice("tune", "undo", ns="box")
            elif how == "the next one that does not defer":
                forwarder = Forwarder(lab, WIRE % "poll sleep")
                tap.ok(wait_for(lambda: settings(lab) == PLAIN), "killed: given back at its start",
                       forwarder.messages())
                forwarder.stop()
            else:
                forwarder.start()
                wait_for(lambda f=forwarder: "deferred" in f.messages())
                tap.equal(settings(lab), DEFERRED, "killed: held by the next one")
                forwarder.stop()
            tap.equal([settings(lab), settings(lab, "poll1")], [PLAIN] * 2,
                      "killed: given back by " + how)


def locked(tap):
    """Another sluice tunes: the forwarder answers, ends, and asks again when that is done."""
    with Lab() as lab:
        world(lab)
        os.makedirs("/run/sluice/tune", exist_ok=True)
        lock = os.open("/run/sluice/tune/lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        forwarder = Forwarder(lab, WIRE % "poll busy")
        tap.ok(wait_for(lambda: "another sluice" in forwarder.messages()), "locked: told",
               forwarder.messages())
        waits = []
        for _ in range(4):
            before = time.monotonic()
            stats(lab, forwarder)
            waits.append(time.monotonic() - before)
            time.sleep(0.3)
        tap.ok(max(waits) < 1.5, "locked: answers within %.2f s" % max(waits), waits)
        tap.equal(settings(lab), PLAIN, "locked: nothing set meanwhile")
        os.close(lock)
        tap.ok(wait_for(lambda: [settings(lab), settings(lab, "poll1")] == [DEFERRED] * 2),
               "locked: set when it is free", forwarder.messages())
        tap.equal(forwarder.stop()[0], 0, "locked: ends well")
        tap.equal(settings(lab), PLAIN, "locked: given back")


def dies(tap):
    """A reload in which the data plane does not let go is the end: the settings are given back."""
    with Lab() as lab:
        world(lab)
        forwarder = Forwarder(lab, WIRE % "poll busy")
        wait_for(lambda: settings(lab) == DEFERRED)
        os.kill(forwarder.plane(), signal.SIGSTOP)
        lab.run([built("sluice-fwd"), "--ctl", "reload"], ns="box", check=False)
        tap.ok(forwarder.proc.wait(30) != 0, "dies: ends", forwarder.messages())
        tap.equal([settings(lab), settings(lab, "poll1")], [PLAIN] * 2, "dies: given back")


def returns(tap):
    """An interface that was down has what it had: asked for again when it comes up."""
    with Lab() as lab:
        world(lab)
        forwarder = Forwarder(lab, WIRE % "poll busy")
        wait_for(lambda: settings(lab) == DEFERRED)
        lab.run(["ip", "link", "set", "poll0", "down"], ns="box")
        tap.ok(wait_for(lambda: "poll0: link down" in forwarder.messages()), "flap: seen")
        lab.run(["sh", "-c", "echo 0 >/sys/class/net/poll0/gro_flush_timeout"], ns="box")
        lab.run(["ip", "link", "set", "poll0", "up"], ns="box")
        tap.ok(wait_for(lambda: settings(lab) == DEFERRED), "flap: deferred again",
               (settings(lab), forwarder.messages()))
        tap.equal(forwarder.stop()[0], 0, "flap: ends well")
        tap.equal(settings(lab), PLAIN, "flap: given back")


def cpu_seconds(pid):
    """What the threads of a process have used."""
    total = 0
    for name in glob.glob("/proc/%d/task/*/stat" % pid):
        with open(name, encoding="ascii") as source:
            fields = source.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def adapts(tap):
    """Sleeps at a low rate, polls at a high one, and goes back to sleep."""
    with Lab() as lab:
        world(lab)
        forwarder = Forwarder(lab, WIRE % "poll adaptive")
        send(lab, 1000, 100)
        for _ in range(ROUNDS):
            before, used = stats(lab, forwarder), cpu_seconds(forwarder.plane())
            send(lab, 1000, 3000)
            low = stats(lab, forwarder)
            used = cpu_seconds(forwarder.plane()) - used
            # What waits while the CPU is another's comes in a burst.
            if low["turns"] == before["turns"]:
                break
        tap.equal((low["polling"], low["turns"]), (False, before["turns"]),
                  "adaptive: asleep at 1 kpps")
        tap.ok(used < 0.6, "adaptive: used %.2f s of CPU in 3 s" % used)
        high = []
        for _ in range(ROUNDS):
            proc = lab.popen([built("sluice-gen"), "peer0", "--rate", str(RATE), "--batch", "16",
                              "--duration", "1"], ns="peer")
            time.sleep(0.6)
            high.append(stats(lab, forwarder))
            proc.wait()
            if high[-1]["polling"]:
                break
        tap.ok(high[-1]["polling"], "adaptive: polls at 100 kpps", high[-1])
        tap.ok(wait_for(lambda: not stats(lab, forwarder)["polling"], 3),
               "adaptive: sleeps when it is over")
        before = stats(lab, forwarder)["turns"]
        send(lab, 64000, 192000)
        turns = stats(lab, forwarder)["turns"] - before
        tap.ok(turns <= 30, "adaptive: %d turns in 3 s at the threshold" % turns)
        status, last = forwarder.stop()
        tap.equal((status, last["accounted"]), (0, True), "adaptive: all is accounted for")


def main():
    tap = Tap()
    for case in (claims, parameters, returns, killed, locked, dies, adapts, plain, figures):
        case(tap)
    tap.done()


if __name__ == "__main__":
    main()
