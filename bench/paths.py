#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What sluice-fwd's ways cost on veth in copy mode: wire, route, police, capture, workers (root).

    [tx] t0 ------ b0 [box] b1 ------ k0 [sink] drop.bpf.o
        CPU 0      forwarder on CPU 1        two queues each

No peers: forward.py has them. Ways are Sluice's own, beside what the parts of forwarding cost
by themselves (floors.py). What the sink's end of the veth takes is counted; Mpps/CPU is
that over the CPU time that the forwarder got, its capture's thread included, which has the
worker's CPU: what they wait for each other is the forwarder's own time.

`police` is a rate that nothing exceeds: what asking costs. `capture` writes one packet in a
hundred into a file. A route is the kernel's, its answer found by the filter.

Two workers: a veth's queue is that of the CPU which sends, so the generator sends from both CPUs,
one and a half times what one worker forwarded of a flood. Workers and generator then share two
CPUs and wait for each other, which refuses no round here: the figure is what came through of
that, with one worker for both queues, and with one for each.
"""
import contextlib
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import arguments, attach, column, finish, median, rounds, running, table
import floors
import hops
from box import NOISE, build, generator, is_forwarding, sample, start_with, sunk, two_cpus
from lab import Lab, LabError, children, wait_for
from result import FLOOR, OURS

SECONDS = 1.2
ROUNDS, QUICK_ROUNDS = 7, 5
FILTER = "interface b0, b1 { mode native }\ndefault pass\nrule all %s fallback drop udp\n"
FORWARDER = "forwarder { %s; workers %d cpus %s; poll sleep; zero-copy off; %s }\n"
POLICE, CAPTURE = "police 100Gbps;", 'capture "paths.pcapng" sample 100;'
# Verdict, where to, and stages of each way.
WAYS = {"wire": ("forward", "wire b0 b1", ""),
        "wire, police": ("forward", "wire b0 b1", POLICE),
        "wire, capture": ("forward", "wire b0 b1", CAPTURE),
        "wire, police, capture": ("forward", "wire b0 b1", POLICE + CAPTURE),
        "route": ("route", "route", ""),
        "route, police, capture": ("route", "route", POLICE + CAPTURE)}
OFFERED = 1.5  # times what one worker forwards


@contextlib.contextmanager
def forwarder(lab, way, workers, cpus):
    """A running forwarder's data plane."""
    verdict, outlet, stages = WAYS[way]
    routed = hops.routing(lab, None) if verdict == "route" else contextlib.nullcontext()
    with routed:
        proc = start_with(lab, FILTER % verdict + FORWARDER % (
            outlet, workers, cpus, stages), ["taskset", "-c", cpus])
        try:
            # The agent's child has the workers.
            planes = wait_for(lambda: children(proc.pid), 10)
            if not planes:
                raise LabError("%s: sluice-fwd: %s" % (way, proc.stdout.read()))
            yield planes[0]
        finally:
            lab.end(proc, signal.SIGINT)
            lab.sluice("down", ns="box", check=False)


def take(lab, pid, cpus, more):
    with generator(lab, cpus, SECONDS + 15, *more) as proc:
        if not is_forwarding(lab):
            raise LabError("nothing came through the forwarder")
        return sample([pid, proc.pid], lambda: sunk(lab), SECONDS, one_cpu=True)


def take_way(lab, way, cpus):
    with forwarder(lab, way, 1, cpus[1]) as pid:
        mac = lab.link("box", "b0")["address"]
        return take(lab, pid, cpus[0], ["--dst-mac", mac])


def take_workers(lab, workers, cpus, rate):
    with forwarder(lab, "wire", workers, ",".join(cpus[2 - workers:])) as pid:
        found = take(lab, pid, ",".join(cpus), ["--threads", "2", "--rate", str(rate)])
    # They wait for the generator as it does for them: that is in the figure, and no disturbance.
    return {**found, "waited": None}


def report(result, taken, rate_of, at=None):
    quiet, refused = taken
    roles = {name: OURS if name in WAYS or name.startswith("wire") else FLOOR
             for name in quiet[0]}
    table(["way", "Mpps", "Mpps/CPU", "least", "most"],
          [[name, "%.3f" % (median(column(quiet, name)) / 1e6),
            "%.3f" % (median(column(quiet, name, "per_cpu")) / 1e6),
            "%.3f" % (min(column(quiet, name)) / 1e6), "%.3f" % (max(column(quiet, name)) / 1e6)]
           for name in quiet[0]])
    print("%d quiet rounds, %d noisy ones refused" % (len(quiet), len(refused)))
    result.rounds(rate_of, "packets/s", "more", roles, taken, at=at)
    result.rounds(rate_of + ", for each second that the program had a CPU", "packets/s", "more",
                  roles, taken, at=at, value=lambda s: s["per_cpu"])


def main():
    options, cpus = arguments(__doc__).parse_args(), two_cpus()
    wanted = QUICK_ROUNDS if options.quick else ROUNDS
    with running("paths", "What sluice-fwd's ways cost: wire, route, police, capture, workers",
                 options.quick) as result, Lab() as lab:
        build(lab, queues=2)
        attach(lab, "sink", "k0", "drop.bpf.o")
        ways = {way: lambda way=way: take_way(lab, way, cpus) for way in WAYS}
        taken = rounds({**ways, **floors.takers(lab, cpus)}, wanted, NOISE)
        report(result, taken, "forwarded")
        offered = int(OFFERED * median(column(taken[0], "wire")))
        taken = rounds({"wire, %d worker%s" % (n, "s" * (n > 1)):
                        lambda n=n: take_workers(lab, n, cpus, offered) for n in (1, 2)},
                       wanted, NOISE)
        report(result, taken, "forwarded of what two CPUs offered",
               {"offered": "%.2f Mpps" % (offered / 1e6)})
    return 0


if __name__ == "__main__":
    finish(main)
