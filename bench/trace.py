#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What `sluice trace` costs: how many packets a rule drops on a live veth at full load
(root), while nobody watches, while it does, and while it does so with --deep.

    [tx] s0 ------ s1 [rx] sluice, one rule

veth's receiver runs in softirq on the CPU of its sender, in the sender's time. So what
is compared is packets for each second that the generator ran, which leaves out the time
in which other work had the CPU; the share of it is reported. The trace is between two
samples without one, and compared with the mean of them, which takes a drift out; what
those two differ by is the noise.

The generator's batches fill veth's ring of 256: a poll that uses its whole budget of 64
is followed by another, as on a card at full load. With batches of 64 each is followed
by a poll that finds nothing, which doubles what there is to trace; that is shown, too.
"""
import glob
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (Window, arguments, column, dropped, finish, median, rounds, running, table,
                     takes_xdp_frames)
from lab import Lab, LabError, built, wait_for
from result import FLOOR, OURS

SECONDS = 1
ROUNDS, QUICK_ROUNDS = 11, 5
BATCHES = (256, 64)
TARGET = 0.03
CPU = str(max(os.sched_getaffinity(0)))
DEFAULT = 6  # programs
CONFIG = """interface s1 { mode native }
default pass
rule flood drop udp from 198.18.0.0/15 to any port 9
"""


def programs(pid):
    """How many tracepoints a process has programs at."""
    count = 0
    for path in glob.glob("/proc/%d/fdinfo/*" % pid):
        try:
            with open(path, encoding="ascii") as file:
                count += "link_type:\traw_tracepoint" in file.read()
        except OSError:
            continue  # closed in between
    return count


def watch(lab, args):
    """Starts a trace and waits until all its programs run."""
    proc = lab.popen([built("sluice"), "trace", "s1", "--duration", "600"] + args, ns="rx",
                     stdout=subprocess.DEVNULL)
    seen = [0, 0]

    def steady():
        seen[0], seen[1] = seen[1], programs(proc.pid)
        return seen[0] == seen[1] >= DEFAULT
    if not wait_for(steady, 10, 0.2):
        raise LabError("sluice trace: its programs do not run")
    return proc, seen[1]


def generator(lab, batch):
    """The one load of all samples, so that they differ by nothing but who watches."""
    proc = lab.popen([built("sluice-gen"), "s0", "--cpus", CPU, "--duration", "3600",
                      "--batch", str(batch)], ns="tx", stdout=subprocess.DEVNULL)
    idle = dropped(lab, "rx", "s1")
    if not wait_for(lambda: dropped(lab, "rx", "s1") > idle + 1000, 5):
        raise LabError("sluice-gen s0: nothing is dropped at s1")
    return proc


def sampler(lab, proc, args):
    def take():
        trace, running = watch(lab, args) if args is not None else (None, 0)
        window = Window([proc.pid], lambda: dropped(lab, "rx", "s1"))
        time.sleep(SECONDS)
        window.stop()
        if trace:
            lab.end(trace, signal.SIGKILL)
        if proc.poll() is not None:
            raise LabError("sluice-gen s0: it ended inside the window")
        return {"value": window.counted / window.seconds / window.ran[0], "programs": running,
                "rate": window.counted / window.seconds, **window.noise()}
    return take


def quartiles(values):
    values = sorted(values)
    return values[len(values) // 4], values[-1 - len(values) // 4]


def report(samples, names):
    table(["watching", "programs", "Mpps of its time", "25 % .. 75 %", "cost", "25 % .. 75 %",
           "waited"],
          [[name, max(column(samples, name, "programs")),
            "%.2f" % (median(column(samples, name)) / 1e6),
            "%.2f .. %.2f" % tuple(v / 1e6 for v in quartiles(column(samples, name)))]
           + ["%.1f %%" % (100 * median(costs(samples, name))),
              "%.1f .. %.1f %%" % tuple(100 * v for v in quartiles(costs(samples, name))),
              "%.0f %%" % (100 * median(column(samples, name, "waited")))]
           for name in names])


def costs(samples, name):
    """The part that is missing, round by round."""
    return [1 - 2 * r[name]["value"] / (r["nobody"]["value"] + r["nobody again"]["value"])
            for r in samples]


def measured(wanted):
    """{batch: what rounds() returned}; rounds in which the generator waited count, too."""
    found = {}
    with Lab() as lab:
        lab.add("tx", "rx")
        lab.veth("tx", "s0", "rx", "s1")
        takes_xdp_frames(lab, ("rx", "s1"))
        lab.apply(CONFIG, "rx")
        for batch in BATCHES:
            proc = generator(lab, batch)
            takers = {"nobody": sampler(lab, proc, None), "trace": sampler(lab, proc, []),
                      "nobody again": sampler(lab, proc, None),
                      "trace --deep": sampler(lab, proc, ["--deep"])}
            found[batch] = rounds(takers, wanted, noise=1)
            lab.end(proc, signal.SIGINT)
            print("batches of %d" % batch)
            report(found[batch][0], list(takers))
    return found


def main():
    options = arguments(__doc__).parse_args()
    with running("trace", "What `sluice trace` costs of the rate at which a rule drops",
                 options.quick) as result:
        found = measured(QUICK_ROUNDS if options.quick else ROUNDS)
        for batch, taken in found.items():
            result.rounds("dropped for each second that the generator ran", "packets/s", "more",
                          {name: OURS if name.startswith("trace") else FLOOR
                           for name in taken[0][0]}, taken, at={"batch": batch})
        cost = median(costs(found[BATCHES[0]][0], "trace"))
        result.target("cost of the default set, batches of %d" % BATCHES[0],
                      "%.1f %%" % (100 * cost), "at most %.0f %%" % (100 * TARGET), cost <= TARGET)
        result.details(cost={batch: costs(quiet, "trace") for batch, (quiet, _) in found.items()},
                       noise={batch: costs(quiet, "nobody again")
                              for batch, (quiet, _) in found.items()})
    return 0 if cost <= TARGET else 1


if __name__ == "__main__":
    finish(main)
