#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One `sluice` at a time (root): those who wait are served in turn, the wait has
an end, who only counts need not wait, and Ctrl-C leaves all as before or as after.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import contextlib
import fcntl
import os
import signal
import sys
import time

from network import two_sides
from lab import Lab, built, wait_for
from tap import Tap

LOCK = "/run/sluice/lock"
TEXT = "interface box0, box1\nset bad live { }\nrule bad drop from @bad\nrule %s pass tcp\n"
MANY = ["10.%d.%d.%d" % (n >> 16, n >> 8 & 255, n & 255) for n in range(20000)]
TRIES = 5

# Takes the lock and gives it back, again and again. Others of its kind are
# waiting meanwhile, so the lock is never free for who only looks in now and then.
HOG = """
import fcntl, os, sys, time
end = time.monotonic() + 20
with open(sys.argv[1], "r+") as lock:
    while time.monotonic() < end:
        fcntl.flock(lock, fcntl.LOCK_EX)
        time.sleep(0.1)
        fcntl.flock(lock, fcntl.LOCK_UN)
        time.sleep(0.02)  # as another process would: not at once
"""


@contextlib.contextmanager
def held():
    """The lock, as a `sluice` holds it."""
    with open(LOCK, "r+", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write("%d\n" % os.getpid())
        lock.flush()
        yield


def start(lab, *args):
    return lab.popen([built("sluice")] + list(args), ns="box")


def takes_lock(proc):
    """True once it has the lock; false if it ended too soon to be seen."""
    def seen():
        with open(LOCK, encoding="ascii") as lock:
            return lock.readline().strip() == str(proc.pid) or proc.poll() is not None
    return wait_for(seen, 20, 0.0005) and proc.poll() is None


def in_turn(tap, lab):
    hogs = [lab.popen([sys.executable, "-c", HOG, LOCK]) for _ in range(4)]
    time.sleep(0.5)
    begin = time.monotonic()
    waiting = [start(lab, "set", "add", "bad", "192.0.2.%d" % n) for n in range(4)]
    status = [proc.wait(30) for proc in waiting]
    took = time.monotonic() - begin
    tap.equal([hog.poll() for hog in hogs], [None] * 4, "the lock was asked for all the time")
    for hog in hogs:
        lab.end(hog)
    tap.equal(status, [0] * 4, "four that waited for it got it")
    tap.ok(took < 8, "in their turn, not in the end", took)


def bounded(tap, lab):
    with held():
        begin = time.monotonic()
        counted = lab.sluice_json("stats", "--json", ns="box")["interfaces"]
        listed = lab.sluice("rule", "list", ns="box").stdout
        took = time.monotonic() - begin
        tap.equal([i["name"] for i in counted], ["box0", "box1"], "stats needs no lock")
        tap.contains(listed, ["bad"], "nor does rule list")
        tap.ok(took < 5, "they do not wait", took)
        proc = start(lab, "set", "add", "bad", "192.0.2.77")
        time.sleep(1)
        proc.send_signal(signal.SIGINT)
        tap.equal(proc.wait(5), -signal.SIGINT, "Ctrl-C ends the wait")
        begin = time.monotonic()
        done = lab.sluice("set", "add", "bad", "192.0.2.77", ns="box", check=False)
        took = time.monotonic() - begin
        tap.equal(done.returncode, 3, "a lock that is never given back ends it, too")
        tap.contains(done.stderr, ["process %d" % os.getpid(), "try again"], "with who has it")
        tap.ok(9.5 < took < 14, "after ten seconds", took)
    tap.equal(lab.sluice("set", "test", "bad", "192.0.2.77", ns="box", check=False).returncode, 1,
              "neither has changed anything")


def shown(tap, lab):
    """`show` prints what sets hold, so it waits: it never sees half a change."""
    with held():
        proc = start(lab, "show")
        time.sleep(1)
        tap.equal(proc.poll(), None, "show waits for a change to end")
    out, _ = proc.communicate(timeout=20)
    tap.equal(proc.returncode, 0, "and then goes on")
    tap.contains(out, ["# loaded on box0 box1", "rule bad drop from @bad"], "with what is loaded")
    proc = start(lab, "set", "add", "bad", *MANY)
    caught = takes_lock(proc)
    found = lab.sluice("show", ns="box").stdout
    proc.wait(20)
    tap.equal((caught, len(set(found.split()) & set(MANY))), (True, len(MANY)),
              "asked in the middle of `set add`, it shows all that was added")
    lab.sluice("set", "del", "bad", *MANY, ns="box")


def interrupted_add(tap, lab):
    seen = []
    for _ in range(TRIES):
        proc = start(lab, "set", "add", "bad", *MANY)
        caught = takes_lock(proc)
        proc.send_signal(signal.SIGINT)
        proc.wait(30)
        content = lab.sluice("set", "list", "bad", ns="box").stdout.split()
        seen.append((caught and proc.returncode == -signal.SIGINT,
                     len(set(content) & set(MANY))))
        lab.sluice("set", "del", "bad", *MANY, ns="box")
    tap.ok({n for _, n in seen} <= {0, len(MANY)}, "Ctrl-C in `set add`: all or none", seen)
    tap.ok((True, len(MANY)) in seen, "all, where it came in the middle", seen)


def interrupted_apply(tap, lab):
    seen = []
    for number in range(TRIES):
        before = lab.sluice("show", ns="box").stdout
        path = lab.file("next.conf", TEXT % ("r%d" % number))
        proc = start(lab, "apply", path)
        caught = takes_lock(proc)
        proc.send_signal(signal.SIGINT)
        proc.wait(30)
        after = lab.sluice("show", ns="box").stdout  # both run one text, or it prints two
        rules = [[r["name"] for r in i["rules"]]
                 for i in lab.sluice_json("stats", "--json", ns="box")["interfaces"]]
        whole = rules in ([["bad", "r%d" % number]] * 2, [["bad", "r%d" % (number - 1)]] * 2)
        seen.append((caught and proc.returncode == -signal.SIGINT, after != before, whole))
    tap.ok(all(whole for _, _, whole in seen), "Ctrl-C in `apply`: both interfaces, or none", seen)
    tap.ok((True, True, True) in seen, "both, where it came in the middle", seen)


def main():
    tap = Tap()
    with Lab() as lab:
        two_sides(lab)
        lab.apply(TEXT % "r-1", ns="box")
        for test in in_turn, bounded, shown, interrupted_add, interrupted_apply:
            with tap.case(test.__name__):
                test(tap, lab)
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
