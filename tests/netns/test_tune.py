#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sluice tune: what it plans it does, and undo leaves all that it may change as it was,
also after a crash at any step, a link flap, a rename, and with the card gone. Root.

    [peer] peer0 ---- box0 [box]
"""
import fcntl
import glob
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import Lab, LabError, built, wait_for  # noqa: E402
from tap import Tap, check  # noqa: E402
import tuning  # noqa: E402

DIRECTORY = "/run/sluice/tune"
CONFIG = """interface box0, box1 {}
rule all forward udp
forwarder { wire box0 box1; workers 3; poll %s }
"""
EVERY = ("--set", "channels=2", "--set", "napi-threaded=1", "--set", "gro-flush-timeout=70000")


class Box(Lab):
    """A lab with a veth between `peer` and `box`, and the tuning in `box`."""

    def __init__(self, queues=4):
        super().__init__()
        self.add("peer", "box")
        self.veth("peer", "peer0", "box", "box0", queues=queues)
        self.settled = self.snapshot()

    def snapshot(self, device="box0"):
        return tuning.snapshot(self, "box", device)

    def tune(self, *args, code=0, env=None, ns="box"):
        """A `sluice tune` that ends with that status."""
        done = self.run([built("sluice"), "tune"] + list(args), ns=ns, check=False, env=env)
        check(done.returncode, code, "exit status of tune %s: %s%s" % (
            " ".join(args), done.stdout, done.stderr))
        return done

    def rows(self, *args, code=0):
        """{(setting, unit): row} of a `sluice tune ... --json`."""
        answer = json.loads(self.tune(*args, "--json", code=code).stdout)
        return {(r["setting"], r["unit"]): r for r in answer["settings"]}

    def outcomes(self, *args, code=0):
        return {key: row["outcome"] for key, row in self.rows(*args, code=code).items()
                if row["outcome"] != "unsupported"}

    def journal(self):
        """The path of the namespace's journal."""
        return os.path.join(DIRECTORY, "%d.json" % self.spaces["box"])

    def sysfs(self, name, value=None, device="box0"):
        path = "/sys/class/net/%s/%s" % (device, name)
        if value is None:
            return self.output(["cat", path], ns="box").strip()
        return self.run(["sh", "-c", 'echo "$1" > "$2"', "sh", value, path], ns="box")

    def unchanged(self, before, device="box0"):
        """Inside case(): all is as it was, and nothing is left to undo."""
        check(tuning.differences(before, self.snapshot(device)), {}, "what differs")
        check(glob.glob(self.journal() + "*"), [], "what is left")


def plans(tap):
    with Box() as box:
        defer, flush = ("napi-defer-hard-irqs", "interface"), ("gro-flush-timeout", "interface")
        with tap.case("plan says what now and what then, and changes nothing"):
            rows = box.rows("plan", "box0")
            check((rows[defer]["now"], rows[defer]["wanted"], rows[defer]["outcome"]),
                  ("0", "2", "change"), "deferral")
            check(rows[flush]["wanted"], "200000", "its time")
            check("poll sleep" in rows[defer]["why"], True, "why: %r" % rows[defer])
            box.unchanged(box.settled)
        with tap.case("the configuration decides: workers, poll, defer, timeout"):
            rows = box.rows("plan", "-c", box.file("t.conf", CONFIG % "busy"), "box0")
            check(rows["channels", "interface"]["wanted"], "rx 3 tx 3", "queues for 3 workers")
            check([key for key in rows if key[0] == "irq-suspend-timeout"], [],
                  "suspension, which recvfrom() knows not")
        with tap.case("suspension, asked for"):
            rows = box.rows("plan", "--set", "irq-suspend-timeout=20000000", "box0")
            check([row["wanted"] for key, row in rows.items() if key[0] == "irq-suspend-timeout"],
                  ["20000000"], "wanted")
        with tap.case("without an interface or a file: usage, not all interfaces"):
            check("name an interface" in box.tune("plan", code=2).stderr, True, "what it says")
        for args, code, said in ((("plan", "none0"), 1, "no such interface"),
                                 (("plan", "--set", "speed=9", "box0"), 2, "the names are poll"),
                                 (("plan", "--set", "poll=fast", "box0"), 2, "the names are poll"),
                                 (("apply", "--set", "channels=two", "box0"), 1,
                                  "expected a number of queues"),
                                 (("undo", "--set", "channels=2"), 2, "usage"),
                                 (("confirm",), 1, "nothing waits")):
            with tap.case("refused: tune " + " ".join(args)):
                check(said in box.tune(*args, code=code).stderr, True, "what it says")
        box.unchanged(box.settled)


def applies(tap):
    with Box() as box:
        expected = {("channels", "interface"): "set", ("gro-flush-timeout", "interface"): "set",
                    ("napi-defer-hard-irqs", "interface"): "set",
                    ("napi-threaded", "interface"): "set"}
        with tap.case("apply sets each, and reads it back"):
            check(box.outcomes("apply", *EVERY, "box0"), expected, "outcomes")
            check([box.sysfs(n) for n in tuning.SYSFS], ["2", "70000", "1"], "in /sys")
        with tap.case("what this driver has not is said, and no error"):
            rows = box.rows("plan", *EVERY, "box0")
            check(rows["rx-ring", "interface"]["outcome"], "unsupported", "rings of a veth")
        with tap.case("again: nothing to do, and undo still knows the first values"):
            check(set(box.outcomes("apply", *EVERY, "box0").values()), {"same"}, "outcomes")
        with tap.case("another value over ours: undo goes back to the first"):
            box.tune("apply", *EVERY, "--set", "napi-defer-hard-irqs=7", "box0")
            check(box.sysfs("napi_defer_hard_irqs"), "7", "in /sys")
            rows = box.rows("status")
            check({k: r["outcome"] for k, r in rows.items()},
                  {key: "holds" for key in expected}, "status")
            check(rows["napi-defer-hard-irqs", "interface"]["old"], "0", "what undo brings back")
        with tap.case("undo: each setting is as it was, byte by byte"):
            check(set(box.outcomes("undo").values()), {"undone"}, "outcomes")
            box.unchanged(box.settled)
            check("nothing to undo" in box.tune("undo").stdout, True, "undo again")


def refusals(tap):
    with Box() as box:
        with tap.case("out of range, by netlink: the kernel's words, and all is undone"):
            done = box.tune("apply", "--set", "channels=9", "box0", code=1)
            check("exceeds maximum" in done.stderr, True, done.stderr)
            box.unchanged(box.settled)
        with tap.case("out of range, in the middle: what was set before it is undone"):
            done = box.tune("apply", *EVERY, "--set", "napi-defer-hard-irqs=99999999999", "box0",
                            code=1)
            check("napi-defer-hard-irqs" in done.stderr and "undone (1" in done.stderr, True,
                  done.stderr)
            box.unchanged(box.settled)
        with tap.case("a second apply that fails: what the first set stays"):
            box.tune("apply", *EVERY, "box0")
            box.tune("apply", "--set", "napi-threaded=0", "--set", "channels=9", "box0", code=1)
            check(set(box.outcomes("status").values()), {"holds"}, "status")
            check(box.sysfs("threaded"), "1", "what it did not come to")
            box.tune("undo")
            box.unchanged(box.settled)
        with tap.case("a value that only we chose and that is refused is no error"):
            # A veth wants no fewer queues than its peer sends to, while XDP runs.
            box.apply("interface box0 { mode native }\n", ns="box")
            box.run(["ethtool", "-L", "box0", "rx", "4", "tx", "4"], ns="box")
            rows = box.rows("apply", "--set", "poll=busy", "box0")
            box.tune("undo")
            box.sluice("down", ns="box")
            tap.diag(rows["channels", "interface"])
            check(rows["channels", "interface"]["outcome"], "refused", "channels")
            check(rows["napi-defer-hard-irqs", "interface"]["outcome"], "set", "what comes after")
            box.unchanged(box.settled)
        with tap.case("no journal can be written: nothing is changed"):
            os.makedirs(box.journal() + ".new/in-the-way")
            done = box.tune("apply", *EVERY, "box0", code=3)
            os.removedirs(box.journal() + ".new/in-the-way")
            check("write the journal" in done.stderr, True, done.stderr)
            box.unchanged(box.settled)
        with tap.case("no journal can be written at undo: all is undone, and it says so"):
            box.tune("apply", *EVERY, "box0")
            set_there = len(box.rows("status"))
            os.makedirs(box.journal() + ".new/in-the-way")
            rows = box.tune("undo", code=3)
            os.removedirs(box.journal() + ".new/in-the-way")
            check("write the journal" in rows.stderr, True, rows.stderr)
            check(rows.stdout.count("  undone "), set_there, rows.stdout)
            box.tune("undo")
            box.unchanged(box.settled)
        with tap.case("a file that is no journal is not touched, and stops all"):
            os.makedirs(DIRECTORY, exist_ok=True)
            with open(box.journal(), "w", encoding="ascii") as out:
                out.write("{}")
            for verb in (("apply", "box0"), ("undo",), ("status",)):
                check("not a journal" in box.tune(*verb, code=3).stderr, True, verb[0])
            os.unlink(box.journal())
            box.unchanged(box.settled)


def conflicts(tap):
    with Box() as box:
        box.tune("apply", *EVERY, "box0")
        box.sysfs("gro_flush_timeout", "12345")
        with tap.case("what somebody has set since: status says it drifted"):
            row = box.rows("status")["gro-flush-timeout", "interface"]
            check((row["outcome"], row["now"], row["wanted"]), ("drifted", "12345", "70000"),
                  "the row")
        with tap.case("undo leaves it alone and says so, and undoes the rest"):
            found = box.outcomes("undo", "box0")
            check(found.pop(("gro-flush-timeout", "interface")), "conflict", "that setting")
            check(set(found.values()), {"undone"}, "the others")
            check(box.sysfs("gro_flush_timeout"), "12345", "their value")
            box.sysfs("gro_flush_timeout", "0")
            box.unchanged(box.settled)
        with tap.case("apply over somebody's value: undo brings back that one"):
            box.tune("apply", *EVERY, "box0")
            box.sysfs("gro_flush_timeout", "12345")
            box.tune("apply", *EVERY, "box0")
            check(box.sysfs("gro_flush_timeout"), "70000", "ours again")
            box.tune("undo")
            check(box.sysfs("gro_flush_timeout"), "12345", "theirs again")
            box.sysfs("gro_flush_timeout", "0")
            box.unchanged(box.settled)


def locked(tap):
    with Box() as box:
        box.tune("status")
        box.tune("apply", "box0")
        box.tune("undo")
        with open(DIRECTORY + "/lock", "r+", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate(0)
            lock.write("%d\n" % os.getpid())
            lock.flush()
            with tap.case("two at once: the second is refused, and told who is at it"):
                for verb in (("apply", "box0"), ("undo",), ("confirm",)):
                    done = box.tune(*verb, code=3)
                    check("process %d" % os.getpid() in done.stderr, True, done.stderr)
            with tap.case("who only looks does not wait"):
                box.tune("plan", "box0")
                box.tune("status")
        box.unchanged(box.settled)


def crashes(tap):
    """Killed before each thing it does, apply and undo; then one undo sets all right."""
    with Box() as box:
        die_at = tuning.preload(box)

        def killed(number, *args):
            done = box.run([built("sluice"), "tune"] + list(args), ns="box", check=False,
                           env=die_at(number))
            check(done.returncode in (0, -signal.SIGKILL), True, "%d: %r" % (number, done))
            return done.returncode != 0

        with tap.case("apply, killed at each step"):
            number, middle = 1, 0
            while killed(number, "apply", *EVERY, "box0"):
                middle += os.path.exists(box.journal())
                box.tune("undo")
                box.unchanged(box.settled)
                number += 1
            box.tune("undo")
            box.unchanged(box.settled)
            tap.diag("%d steps, a journal left at %d" % (number - 1, middle))
            check(middle >= 4 * 4, True, "steps with a journal: %d" % middle)
        with tap.case("undo, killed at each step"):
            number = 1
            while True:
                box.tune("apply", *EVERY, "box0")
                again = killed(number, "undo")
                box.tune("undo")
                box.unchanged(box.settled)
                if not again:
                    break
                number += 1
            tap.diag("%d steps" % (number - 1))
            check(number > 4 * 3, True, "steps: %d" % number)
        with tap.case("apply, killed at each step, and apply again: undo still goes back to the "
                      "first values"):
            number = 1
            while killed(number, "apply", *EVERY, "box0"):
                box.tune("apply", *EVERY, "box0")
                box.tune("undo")
                box.unchanged(box.settled)
                number += 5
            box.tune("undo")
            box.unchanged(box.settled)


def links(tap):
    with Box() as box:
        with tap.case("a link flap in between"):
            box.tune("apply", *EVERY, "box0")
            for state in ("down", "up"):
                box.run(["ip", "link", "set", "box0", state], ns="box")
            wait_for(lambda: box.link("box", "box0")["operstate"] == "UP")
            box.tune("undo")
            box.unchanged(box.settled)
        with tap.case("a rename in between: it is the same card, and is found"):
            box.tune("apply", *EVERY, "box0")
            box.run(["ip", "link", "set", "box0", "down"], ns="box")
            box.run(["ip", "link", "set", "box0", "name", "lan0"], ns="box")
            box.run(["ip", "link", "set", "lan0", "up"], ns="box")
            check(set(box.outcomes("status", "lan0").values()), {"holds"}, "status by its new name")
            rows = box.rows("undo", "lan0")
            check({(r["interface"], r["outcome"]) for r in rows.values()}, {("lan0", "undone")},
                  "undo")
            check("it was box0" in next(iter(rows.values()))["why"], True, "its old name is said")
            box.run(["ip", "link", "set", "lan0", "down"], ns="box")
            box.run(["ip", "link", "set", "lan0", "name", "box0"], ns="box")
            box.run(["ip", "link", "set", "box0", "up"], ns="box")
            wait_for(lambda: box.link("box", "box0")["operstate"] == "UP")
            box.unchanged(box.settled)
        with tap.case("unplugged in between, and another card of that name: left alone"):
            box.tune("apply", *EVERY, "box0")
            box.run(["ip", "link", "del", "box0"], ns="box")
            check(set(box.outcomes("status").values()), {"gone"}, "status")
            box.veth("peer", "peer0", "box", "box0", queues=4)
            box.sysfs("gro_flush_timeout", "70000")
            check(set(box.outcomes("undo").values()), {"gone"}, "undo")
            check(box.sysfs("gro_flush_timeout"), "70000", "its own value")
            check(os.path.exists(box.journal()), False, "a journal")


def hidden(tap):
    with Box() as box:
        with tap.case("a /sys of another network namespace hides it: it stays in the journal"):
            box.tune("apply", *EVERY, "box0")
            hide = ["nsenter", "--net=/run/netns/" + box.name("box"), built("sluice"), "tune"]
            done = box.run(hide + ["undo"], check=False)
            check(done.returncode, 3, "exit status: " + done.stdout + done.stderr)
            check("ip netns exec" in done.stdout, True, done.stdout)
            check(box.sysfs("gro_flush_timeout"), "70000", "what is set")
            box.tune("undo")
            box.unchanged(box.settled)


def stale(tap):
    with Box() as box:
        box.tune("apply", *EVERY, "box0")
        with open(box.journal(), encoding="utf-8") as file:
            journal = json.load(file)
        for key, value in (("boot", "00000000-0000-0000-0000-000000000000"), ("cookie", 1)):
            with tap.case("a journal of another %s: said, and not used" % key):
                with open(box.journal(), "w", encoding="utf-8") as file:
                    json.dump(dict(journal, **{key: value}), file)
                done = box.tune("undo")
                check("of another boot" in done.stderr and "nothing to undo" in done.stdout, True,
                      done.stderr + done.stdout)
                check(os.path.exists(box.journal()), False, "the journal")
                check(box.sysfs("gro_flush_timeout"), "70000", "what is set")
        with open(box.journal(), "w", encoding="utf-8") as file:
            json.dump(journal, file)
        box.tune("undo")
        box.unchanged(box.settled)


def guard(box):
    """The pid of the process that would undo it."""
    with open(box.journal(), encoding="utf-8") as file:
        return json.load(file)["guard"]


def confirms(tap):
    with Box() as box:
        with tap.case("--confirm: undone by itself, after its time, also without the shell"):
            # The whole session of the command is killed, as when a connection breaks.
            proc = box.popen(["sh", "-c", '"$@"; sleep 60', "sh", built("sluice"), "tune", "apply",
                              "--confirm", "3"] + list(EVERY) + ["box0"], ns="box")
            wait_for(lambda: box.sysfs("threaded") == "1")
            os.killpg(proc.pid, signal.SIGKILL)
            begin = time.monotonic()
            check("unless `sluice tune confirm`" in box.tune("status").stdout, True, "status")
            wait_for(lambda: not os.path.exists(box.journal()), 8)
            took = time.monotonic() - begin
            check(1 < took < 6, True, "seconds until it was undone: %s" % took)
            box.unchanged(box.settled)
        with tap.case("--confirm, killed in the middle: what was set is undone"):
            die_at = tuning.preload(box)
            box.run([built("sluice"), "tune", "apply", "--confirm", "2"] + list(EVERY) + ["box0"],
                    ns="box", check=False, env=die_at(16))
            check(os.path.exists(box.journal()), True, "a journal")
            wait_for(lambda: not os.path.exists(box.journal()), 8)
            box.unchanged(box.settled)
        with tap.case("confirmed: it stays, and the process ends"):
            box.tune("apply", "--confirm", "3", *EVERY, "box0")
            check("waits for" in box.tune("apply", "box0", code=3).stderr, True, "an apply before")
            pid = guard(box)
            opened = {os.readlink(path) for path in glob.glob("/proc/%d/fd/*" % pid)}
            check({name for name in opened if name[:5] not in ("/dev/", "pipe:", "socke")}, set(),
                  "what it keeps open, such as the lock")
            box.tune("confirm")
            check(bool(wait_for(lambda: not os.path.exists("/proc/%d" % pid), 4)), True, "its end")
            time.sleep(3)
            check(set(box.outcomes("status").values()), {"holds"}, "status")
            box.tune("undo")
            box.unchanged(box.settled)
        with tap.case("the process that would undo it is killed: status says so, undo does it"):
            box.tune("apply", "--confirm", "30", *EVERY, "box0")
            os.kill(guard(box), signal.SIGKILL)
            wait_for(lambda: "is gone" in box.tune("status").stdout)
            check("is gone" in box.tune("status").stdout, True, "status")
            box.tune("undo")
            box.unchanged(box.settled)
        with tap.case("nothing to change: nothing to confirm"):
            box.tune("apply", *EVERY, "box0")
            check("to be undone" in box.tune("apply", "--confirm", "9", *EVERY, "box0").stdout,
                  False, "what it says")
            box.tune("confirm", code=1)
            box.tune("undo")
            box.unchanged(box.settled)
        with tap.case("what was set before, and is no part of it, is not undone"):
            box.tune("apply", "--set", "channels=2", "box0")
            box.tune("apply", "--confirm", "1", "--set", "channels=2", "--set", "napi-threaded=1",
                     "box0")
            wait_for(lambda: box.sysfs("threaded") == "0", 6)
            wait_for(lambda: ("napi-threaded", "interface") not in box.rows("status"))
            check(box.outcomes("status"), {("channels", "interface"): "holds",
                                           ("napi-defer-hard-irqs", "interface"): "holds",
                                           ("gro-flush-timeout", "interface"): "holds"}, "status")
            box.tune("undo")
            box.unchanged(box.settled)


def main():
    tap = Tap()
    if not os.path.exists("/run/sluice"):
        os.makedirs("/run/sluice", mode=0o700)
    for test in (plans, applies, refusals, conflicts, locked, links, hidden, stale, confirms,
                 crashes):
        try:
            test(tap)
        except (LabError, AssertionError, subprocess.SubprocessError) as why:
            tap.ok(False, "%s: its set-up" % test.__name__, str(why))
    tap.done()


if __name__ == "__main__":
    main()
