# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the benchmarks share: a run on a quiet machine, interleaved rounds, noise, tables.

A machine with other work on it slows whoever runs just then. So a run is refused where a
second before it was not quiet (machine.py); candidates take turns (A B A B); a round in
which a measured process had to wait for its CPU longer than NOISE of the time, or the
hypervisor withheld as much, is not used but repeated, and said; and what is compared is
the ratio within one round. Every sample is written out, the refused ones too (result.py).
"""
import argparse
import contextlib
import glob
import json
import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests"))
from lab import BUILD, LabError, built  # noqa: E402
import machine  # noqa: E402
from result import Result  # noqa: E402

# Of the time of a sample; the least that tells a quiet machine from one on
# which something else ran (a quiet one shows 0.1 to 0.5 %).
NOISE = 0.02
RESULTS = os.path.join(BUILD, "bench")
XDP_FILTER = os.environ.get("XDP_FILTER") or "xdp-filter"  # the user's own, or Debian's
REFUSED = 3  # the exit status of a run that a busy machine did not let be


class Noisy(Exception):
    """Too many rounds were disturbed to report anything."""


def threads(pid):
    """{path: (ns on a CPU, ns waiting for one)} of the threads of a process."""
    found = {}
    for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
        with contextlib.suppress(OSError):  # the thread has ended
            with open(path, encoding="ascii") as file:
                ran, waited, _slices = map(int, file.read().split())
            found[path] = ran, waited
    return found


def schedstat(pid):
    """(ns on a CPU, ns waiting for one) of all threads of a process."""
    every = threads(pid).values()
    return sum(ran for ran, _ in every), sum(waited for _, waited in every)


def waited_for_others(before, after):
    """
    ns for which the busiest thread of a process that has one CPU waited for it, at least: its
    other threads are taken to have run only meanwhile. Of two threads().
    """
    spent = [(after[path][0] - ran, after[path][1] - waited)
             for path, (ran, waited) in before.items() if path in after]
    ran, waited = max(spent, default=(0, 0))
    return max(0, waited - (sum(of for of, _ in spent) - ran))


def cpu_ticks(cpu):
    """{kind: ticks since boot} of a CPU; None: of all."""
    with open("/proc/stat", encoding="ascii") as file:
        return machine.ticks(file.read(), cpu)


class Window:
    """
    Between start and stop(): time, run time and wait of processes, how far
    count(), if given, went on, and how much of the time of `cpu` (None: of all) was
    softirqs' or withheld by the hypervisor. What is compared must come from one window.
    """

    def __init__(self, pids, count=lambda: 0, cpu=None):
        self.pids, self.count, self.cpu = pids, count, cpu
        self.counted = count()
        self.start = time.monotonic()
        self.before = [schedstat(pid) for pid in pids]
        self.ticks = cpu_ticks(cpu)

    def stop(self):
        # In the order of the start, so that both ends are as late.
        self.counted = self.count() - self.counted
        self.seconds = time.monotonic() - self.start
        after = [schedstat(pid) for pid in self.pids]
        self.shares = machine.shares(self.ticks, cpu_ticks(self.cpu))
        self.ran = [(b[0] - a[0]) / 1e9 / self.seconds for a, b in zip(self.before, after)]
        self.waited = [(b[1] - a[1]) / 1e9 / self.seconds for a, b in zip(self.before, after)]
        return self

    def noise(self):
        """What a sample carries of the window's: of the first process, and of the CPU."""
        return {"waited": self.waited[0], "softirq": self.shares["softirq"],
                "steal": self.shares["steal"]}


def timed(argv):
    """
    Runs a command whose errors go to its output: (seconds from fork to exit, the noise of
    that time as Window.noise() has it, output). LabError if it fails.
    """
    start, ticks = time.monotonic(), cpu_ticks(None)
    proc = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with proc:
        out = proc.stdout.read()
        # Left a zombie for the moment: it still has its times.
        os.waitid(os.P_PID, proc.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.monotonic() - start
        shares = machine.shares(ticks, cpu_ticks(None))
        waited = schedstat(proc.pid)[1] / 1e9 / seconds
    if proc.returncode != 0:
        raise LabError("%s: exit %d\n%s" % (" ".join(argv), proc.returncode, out))
    return seconds, {"waited": waited, "softirq": shares["softirq"],
                     "steal": shares["steal"]}, out


def disturbed(samples, noise):
    """What disturbed a round {name: sample} more than `noise` lets through; None: nothing."""
    say = {"waited": "waited for a CPU", "steal": "had its CPU withheld by the hypervisor"}
    share, kind, name = max((sample.get(kind) or 0, kind, name)
                            for name, sample in samples.items() for kind in say)
    return None if share <= noise else "%s %s %.1f %% of its time (%.0f %% is let through)" % (
        name, say[kind], 100 * share, 100 * noise)


def rounds(candidates, wanted, noise=NOISE):
    """
    Takes one sample of each candidate {name: function}, in turn, until `wanted`
    rounds are quiet; a sample is a dictionary with "value" and Window.noise()'s shares
    of its time, refused over `noise`. Returns (quiet rounds, refused
    ones); Noisy after three times as many rounds with fewer than three quiet.
    """
    quiet, refused, why = [], [], None
    noise = machine.noise(noise)
    while len(quiet) < wanted and len(quiet) + len(refused) < 3 * wanted:
        samples = {name: take() for name, take in candidates.items()}
        why = disturbed(samples, noise)
        (refused if why else quiet).append(samples)
        if why:
            print("round %d refused: %s" % (len(quiet) + len(refused), why), file=sys.stderr)
    if len(quiet) < min(3, wanted):
        raise Noisy("%d quiet rounds of %d: the machine became too busy to measure; the last: %s" %
                    (len(quiet), len(quiet) + len(refused), why))
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


def arguments(description):
    """A parser with what every benchmark takes; it may add its own."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--quick", action="store_true",
                        help="fewer rounds and cases: for a look, not for a published figure")
    return parser


@contextlib.contextmanager
def running(name, question, quick=False, **more):
    """
    A Result that is written to build/bench/NAME.json when the block ends well. machine.Busy
    at once where the machine is not quiet; where it became so meanwhile, that is said and
    recorded. A clock of virtual time minds neither.
    """
    result = Result(name, question, quick, **more)
    virtual = result.data["clock"] == "virtual"
    state = {} if virtual else {"before": machine.demand_quiet()}
    yield result
    if not virtual:
        state["after"] = machine.look()
        for why in state["after"]["why"]:
            print("the machine became busy while this ran: %s" % why, file=sys.stderr)
    state["fake"] = any(of.get("fake", False) for of in list(state.values()))
    result.data["state"] = state
    print("written: %s" % result.write(RESULTS))


def attach(lab, ns, dev, name):
    """Attaches build/NAME to the device, native."""
    lab.run(["ip", "link", "set", "dev", dev, "xdpdrv", "obj", built(name), "sec", "xdp"], ns=ns)


def attach_redirect(lab, ns, dev, out):
    """Attaches the program that only redirects to `out`, native."""
    attach(lab, ns, dev, "redirect.bpf.o")
    number = lab.link(ns, out)["ifindex"].to_bytes(4, sys.byteorder)
    shown = json.loads(lab.output(["bpftool", "-j", "prog", "show", "id",
                                   str(xdp_id(lab, ns, dev))]))
    lab.run(["bpftool", "map", "update", "id", str(shown["map_ids"][0]), "key", "0", "0", "0", "0",
             "value", *map(str, number)], ns=ns)


def attach_xdp_filter(lab, ns, dev, options, port):
    """
    Attaches xdp-filter with a rule for a UDP port, native. It pins its maps below /sys/fs/bpf,
    which a command in a namespace has for itself; they stay as long as the program does.
    """
    script = "mount -t bpf bpf /sys/fs/bpf && %s load -m native %s %s && %s port %d -p udp -m dst"
    lab.run(["sh", "-c", script % (XDP_FILTER, " ".join(options), dev, XDP_FILTER, port)], ns=ns)


def xdp_id(lab, ns, dev):
    """The id of the XDP program on a device."""
    return lab.link(ns, dev)["xdp"]["prog"]["id"]


def dropped(lab, ns, dev, verdict="drops"):
    """Packets that XDP programs on a veth have dropped, or given another verdict ("redirect")."""
    text = lab.output(["ethtool", "-S", dev], ns=ns)
    return sum(int(n) for n in re.findall(r"rx_queue_\d+_xdp_%s: (\d+)" % verdict, text))


def takes_xdp_frames(lab, *ends):
    """
    Switches GRO off and on at each (ns, dev): veth marks its peer as taking XDP
    frames where GRO changes while both ends are up.
    """
    for ns, dev in ends:
        for state in ("off", "on"):
            lab.run(["ethtool", "-K", dev, "gro", state], ns=ns)


def finish(main):
    """Runs a benchmark's main(); exits REFUSED where the machine did not let it measure."""
    try:
        sys.exit(main())
    except (Noisy, machine.Busy) as why:
        print("not measured: %s" % why, file=sys.stderr)
        sys.exit(REFUSED)
    except LabError as why:
        print("not measured: %s" % why, file=sys.stderr)
        sys.exit(1)
