#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with two NICs on one hub: `sluice tune` on a driver with real rings and
interrupts. Whatever it sets, undo leaves all of it as it was. Root.

    eth0 ---- hub ---- eth1 (tuned)
"""
import glob
import json
import os
import re
import signal
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS]
from lab import Lab, built, wait_for
from pktgen import pktgen, up
from tap import Tap, check
import tuning

# Other values than the plan's where a driver has the setting at all.
EVERY = ("--set", "poll=busy", "--set", "rx-ring=128", "--set", "tx-ring=128",
         "--set", "rx-usecs=77", "--set", "napi-threaded=1")
FEWER = EVERY + ("--set", "channels=1")  # the queues that go take their settings with them
PACKETS = 100
# Steps at which it is killed; tests/netns/test_tune.py takes each.
STEPS = (7, 13, 22, 31, 45, 61, 80, 104)


class Card(Lab):
    """eth1, as it is found, and what sets it."""

    def __init__(self, tap):
        super().__init__()
        self.tap = tap
        up(self, "eth0", "eth1")
        self.mac = self.link(None, "eth1")["address"]

    def tune(self, *args, code=0):
        done = self.run([built("sluice"), "tune"] + list(args), check=False, timeout=60)
        check(done.returncode, code, "exit status of %r: %s%s" % (args, done.stdout, done.stderr))
        return done.stdout

    def rows(self, *args):
        return json.loads(self.tune(*args, "--json"))["settings"]

    def snapshot(self, device="eth1"):
        return tuning.snapshot(self, None, device)

    def settle(self):
        """Values of an operator's, so that undo has more to bring back than defaults."""
        for number, name in enumerate(sorted(tuning.interrupts("eth1"))):
            self.affinity(name, str(number % os.cpu_count()))
        self.run(["sh", "-c", "echo 3 > /sys/class/net/eth1/napi_defer_hard_irqs; "
                  "echo 70000 > /sys/class/net/eth1/gro_flush_timeout"])
        return self.snapshot()

    def affinity(self, name, cpus):
        with open("/proc/interrupts", encoding="ascii") as table:
            number = next(line.split(":")[0].strip() for line in table
                          if line.split()[-1] == name)
        with open("/proc/irq/%s/smp_affinity_list" % number, "w", encoding="ascii") as out:
            out.write(cpus)

    def unchanged(self, before, device="eth1"):
        check(tuning.differences(before, self.snapshot(device)), {}, "what differs")
        check(set(os.listdir("/run/sluice/tune")) - {"lock"}, set(), "what is left")

    def carries(self):
        """Packets still come through the rings."""
        def received():
            with open("/sys/class/net/eth1/statistics/rx_packets", encoding="ascii") as count:
                return int(count.read())
        wait_for(lambda: "LOWER_UP" in self.output(["ip", "link", "show", "eth1"]))
        before = received()
        # Fewer than a ring holds: pktgen may have the processor of who empties it.
        pktgen("eth0", self.mac, PACKETS)
        check(bool(wait_for(lambda: received() - before >= PACKETS)), True, "packets received")


def every(card):
    """All settings, set and undone."""
    before = card.settle()
    card.tap.diag(card.tune("plan", *FEWER, "eth1"))
    rows = card.rows("apply", *FEWER, "eth1")
    during = card.snapshot()
    undone = card.rows("undo")
    card.tap.diag(*["%s %s: %s, %s" % (r["setting"], r["unit"], r["outcome"], r["why"])
                    for r in rows])
    check([r for r in undone if r["outcome"] != "undone"], [], "what is not undone")
    done = {r["setting"] for r in rows if r["outcome"] == "set"}
    check({"napi-defer-hard-irqs", "gro-flush-timeout"} <= done, True, "deferral is set")
    check(during != before, True, "something differs meanwhile")
    card.unchanged(before)
    card.carries()


def shown(card):
    """What is said to be set is what other tools see."""
    before = card.settle()
    rows = card.rows("apply", *EVERY, "eth1")
    during = card.snapshot()
    units = {r["unit"] for r in rows if r["setting"] == "napi-defer-hard-irqs"}
    if units == {"interface"}:
        check(during["napi_defer_hard_irqs"].strip(), "2", "deferral by /sys")
    else:
        check([n for n in during["netlink"] if n[2] and (5, 2) not in n[2]], [],
              "deferral by netlink, of each queue that names its NAPI")
    for setting, option, pattern in (("rx-ring", "-g", r"Current.*?RX:\s+(\d+)"),
                                     ("rx-usecs", "-c", r"rx-usecs:\s+(\d+)")):
        row = next(r for r in rows if r["setting"] == setting)
        if row["outcome"] == "set":
            seen = re.search(pattern, during[option], re.S).group(1)
            check(seen, row["now"], setting)
    cpus = [r for r in rows if r["setting"] == "irq-affinity" and r["outcome"] in ("set", "same")]
    check(len(cpus) > 0, True, "interrupts are placed")
    if os.cpu_count() > 1 and len({r["unit"][2:] for r in cpus}) > 1:
        check(len({r["now"] for r in cpus}) > 1, True, "a CPU for each queue: %r" % cpus)
    card.carries()
    card.tune("undo")
    card.unchanged(before)


def flap(card):
    """NAPI ids change when the link goes down; the queue is still found."""
    before = card.settle()
    card.tune("apply", *EVERY, "eth1")
    for state in ("down", "up"):
        card.run(["ip", "link", "set", "eth1", state])
    card.tap.diag(card.tune("status"))
    card.tune("undo")
    after = card.snapshot()
    # A driver may forget by itself what was set of its NAPIs; never is ours left.
    check(tuning.differences({k: before[k] for k in before if k != "netlink"}, after), {},
          "what differs")
    check(set(os.listdir("/run/sluice/tune")) - {"lock"}, set(), "what is left")
    card.carries()


def down(card):
    """Undo while the link is down: what cannot be seen waits in the journal."""
    before = card.settle()
    card.tune("apply", *EVERY, "eth1")
    card.run(["ip", "link", "set", "eth1", "down"])
    done = card.run([built("sluice"), "tune", "undo"], check=False)
    card.tap.diag(done.stdout)
    card.run(["ip", "link", "set", "eth1", "up"])
    check(done.returncode, 3 if " left " in done.stdout else 0, "exit status")
    card.tune("undo")
    check(tuning.differences({k: before[k] for k in before if k != "netlink"}, card.snapshot()),
          {}, "what differs")
    card.carries()


def refused(card):
    """Beyond what the rings can hold: the kernel's words, and nothing is set."""
    before = card.settle()
    done = card.run([built("sluice"), "tune", "apply", "--set", "rx-ring=999999", "eth1"],
                    check=False)
    said = card.tune("plan", "--set", "rx-ring=999999", "eth1")
    if re.search(r"unsupported +rx-ring", said):
        check(done.returncode, 0, "a setting that the driver has not: " + done.stderr)
        card.tune("undo")
    else:
        check((done.returncode, "exceeds maximum" in done.stderr), (1, True), done.stderr)
    card.unchanged(before)


def crashes(card):
    """Killed at every so many steps of apply."""
    before = card.settle()
    die_at = tuning.preload(card)
    for number in STEPS:
        done = card.run([built("sluice"), "tune", "apply", *FEWER, "eth1"], check=False,
                        env=die_at(number), timeout=60)
        check(done.returncode in (0, -signal.SIGKILL), True, done.stderr)
        card.tune("undo")
        card.unchanged(before)
    card.carries()


def between(card):
    """Killed where another value stands there than before and after: the default table on
    the way to another one, and a list of CPUs that the kernel writes in its own form."""
    card.run(["ethtool", "-X", "eth1", "equal", "1"], check=False)
    card.tune("apply", "--set", "rss=1", "eth1")
    # What is set is the operator's now, so each step below is one of these two settings.
    for path in glob.glob("/run/sluice/tune/*.json"):
        os.unlink(path)
    before = card.snapshot()
    die_at = tuning.preload(card)
    args = ["--set", "rss=%d" % os.cpu_count(), "--set", "irq-affinity=0,1"]

    def killed(number, *verb):
        done = card.run([built("sluice"), "tune"] + list(verb), check=False, timeout=60,
                        env=die_at(number))
        check(done.returncode in (0, -signal.SIGKILL), True, done.stderr)
        return done.returncode != 0

    number = 1
    while killed(number, "apply", *args, "eth1"):
        card.tune("undo")
        card.unchanged(before)
        number += 1
    number = 1
    while killed(number, "undo"):
        card.tune("undo")
        card.unchanged(before)
        card.tune("apply", *args, "eth1")
        number += 1
    card.tap.diag("%d steps to undo" % (number - 1))


def main():
    tap = Tap()
    with Card(tap) as card:
        for name, test in (("every setting, and back", every),
                           ("what is set is what other tools see", shown),
                           ("a link flap in between", flap),
                           ("undo while the link is down", down),
                           ("out of range", refused),
                           ("killed in the middle", crashes),
                           ("killed between two values", between)):
            with tap.case(name):
                test(card)
            card.run([built("sluice"), "tune", "undo"], check=False)
    tap.done()


if __name__ == "__main__":
    main()
