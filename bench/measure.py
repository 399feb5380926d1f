# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the benchmarks share: interleaved rounds, noise, tables, JSON.

A machine with other work on it slows whoever runs just then. So candidates take
turns (A B A B), a round in which a measured process had to wait for its CPU
longer than NOISE of the time is not used but repeated, and what is compared is
the ratio within one round. Every sample is written out, the refused ones too.
"""
import glob
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests"))
from lab import BUILD, LabError, built  # noqa: E402

# Of the time of a sample; the least that tells a quiet machine from one on
# which something else ran (a quiet one shows 0.1 to 0.5 %).
NOISE = 0.02


class Noisy(Exception):
    """Too many rounds were disturbed to report anything."""


def schedstat(pid):
    """(ns on a CPU, ns waiting for one) of all threads of a process."""
    ran = waited = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
        try:
            with open(path) as file:
                fields = file.read().split()
        except OSError:
            continue  # the thread has ended
        ran += int(fields[0])
        waited += int(fields[1])
    return ran, waited


def cpu_ticks(cpu):
    """(ticks of softirqs, ticks of all kinds) of a CPU since boot."""
    with open("/proc/stat") as file:
        for line in file:
            name, *fields = line.split()
            if name == "cpu%s" % cpu:
                ticks = [int(field) for field in fields[:8]]  # guest time is in user time
                return ticks[6], sum(ticks)
    raise LabError("/proc/stat: no CPU %s" % cpu)


class Window:
    """
    Between start and stop(): time, run time and wait of processes, how far
    count(), if given, went on, and how much of the time of `cpu`, if given, was
    softirqs'. What is compared must come from one window.
    """

    def __init__(self, pids, count=lambda: 0, cpu=None):
        self.pids, self.count, self.cpu = pids, count, cpu
        self.counted = count()
        self.start = time.monotonic()
        self.before = [schedstat(pid) for pid in pids]
        self.ticks = cpu_ticks(cpu) if cpu is not None else (0, 0)

    def stop(self):
        # In the order of the start, so that both ends are as late.
        self.counted = self.count() - self.counted
        self.seconds = time.monotonic() - self.start
        after = [schedstat(pid) for pid in self.pids]
        if self.cpu is not None:
            soft, every = (b - a for a, b in zip(self.ticks, cpu_ticks(self.cpu)))
            self.softirq = soft / max(every, 1)
        self.ran = [(b[0] - a[0]) / 1e9 / self.seconds for a, b in zip(self.before, after)]
        self.waited = [(b[1] - a[1]) / 1e9 / self.seconds for a, b in zip(self.before, after)]
        return self


def timed(argv):
    """
    Runs a command whose errors go to its output: (seconds from fork to exit,
    share of them in which it waited for a CPU, output). LabError if it fails.
    """
    start = time.monotonic()
    proc = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with proc:
        out = proc.stdout.read()
        # Left a zombie for the moment: it still has its times.
        os.waitid(os.P_PID, proc.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.monotonic() - start
        waited = schedstat(proc.pid)[1] / 1e9 / seconds
    if proc.returncode != 0:
        raise LabError("%s: exit %d\n%s" % (" ".join(argv), proc.returncode, out))
    return seconds, waited, out


def rounds(candidates, wanted, noise=NOISE):
    """
    Takes one sample of each candidate {name: function}, in turn, until `wanted`
    rounds are quiet; a sample is a dictionary with "value" and "waited" (a
    share of its time, refused over `noise`). Returns (quiet rounds, refused
    ones); Noisy after three times as many rounds with fewer than three quiet.
    """
    quiet, refused = [], []
    while len(quiet) < wanted and len(quiet) + len(refused) < 3 * wanted:
        samples = {name: take() for name, take in candidates.items()}
        worst = max(sample["waited"] for sample in samples.values())
        (refused if worst > noise else quiet).append(samples)
    if len(quiet) < min(3, wanted):
        raise Noisy("%d quiet rounds of %d: the machine is too busy to measure" % (
            len(quiet), len(quiet) + len(refused)))
    return quiet, refused


def column(samples, name, key="value"):
    return [round_[name][key] for round_ in samples]


def median(values):
    return statistics.median(values)


def ratio(samples, a, b):
    """The median of a/b within each round."""
    return median([round_[a]["value"] / round_[b]["value"] for round_ in samples])


def difference(samples, a, b):
    return median([round_[a]["value"] - round_[b]["value"] for round_ in samples])


def table(heads, rows):
    cells = [[str(c) for c in row] for row in [heads] + rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    for row in cells:
        print("  ".join(c.ljust(w) if i == 0 else c.rjust(w)
                        for i, (c, w) in enumerate(zip(row, widths))).rstrip())


def write(name, result):
    """build/bench/NAME.json, with what the figures depend on."""
    folder = os.path.join(BUILD, "bench")
    os.makedirs(folder, exist_ok=True)
    result["machine"] = {"kernel": platform.release(), "cpus": os.cpu_count(),
                         "arch": platform.machine()}
    with open(os.path.join(folder, name + ".json"), "w") as out:
        json.dump(result, out, indent=1)
        out.write("\n")


def attach(lab, ns, dev, name):
    """Attaches build/NAME to the device, native."""
    lab.run(["ip", "link", "set", "dev", dev, "xdpdrv", "obj", built(name), "sec", "xdp"], ns=ns)


def xdp_id(lab, ns, dev):
    """The id of the XDP program on a device."""
    return lab.link(ns, dev)["xdp"]["prog"]["id"]


def dropped(lab, ns, dev):
    """Packets that XDP programs on a veth have dropped."""
    text = lab.output(["ethtool", "-S", dev], ns=ns)
    return sum(int(n) for n in re.findall(r"rx_queue_\d+_xdp_drops: (\d+)", text))


def takes_xdp_frames(lab, *ends):
    """
    Switches GRO off and on at each (ns, dev): veth marks its peer as taking XDP
    frames where GRO changes while both ends are up.
    """
    for ns, dev in ends:
        for state in ("off", "on"):
            lab.run(["ethtool", "-K", dev, "gro", state], ns=ns)


def finish(main):
    """Runs a benchmark's main(); exits 1 where nothing could be measured."""
    try:
        sys.exit(main())
    except Noisy as why:
        print("not measured: %s" % why, file=sys.stderr)
        sys.exit(1)
