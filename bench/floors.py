# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What this machine can do at best of the parts of which forwarding in copy mode is made.

    receive alone   driver-run: the shortest AF_XDP loop, each frame back into the fill ring
    send alone      floor-run: a TX ring that is always full of the same frames
    copy alone      floor-run: each frame into a UMEM and out of it, by memcpy()

Each has the CPU, the veths and the sink that a forwarder would have. A forwarder does all of it,
so none of them is a rate that one could have; how far it is from the least of them is what
the forwarder itself, and doing them together, costs. An empty XDP program is the floor of the
filter (filter.py), one that only returns the verdict that of a live veth (live.py).
"""
import json

from measure import Window, dropped
from box import generator, sample, sunk
from lab import LabError, built, wait_for

SECONDS = 1.0
NAMES = RECEIVE, SEND, COPY = (
    "AF_XDP receive alone", "AF_XDP send alone", "memory copies alone")


def _window(lab, pid, count):
    """The sample of a process at work."""
    idle = count()
    if not wait_for(lambda: count() > idle + 1000, 10):
        raise LabError("nothing comes through")
    return sample([pid], count, SECONDS)


def _program(lab, cpu, words):
    proc = lab.popen(["taskset", "-c", cpu, *words], ns="box")
    said = proc.stdout.readline()
    if said != "ready\n":
        raise LabError("%s: %s" % (" ".join(words), said + proc.stdout.read()))
    return proc


def receive(lab, cpus, size):
    proc = _program(lab, cpus[1], [built("driver-run"), built("verdict.bpf.o"), "b0", "copy",
                                   "drop"])
    try:
        with generator(lab, cpus[0], SECONDS + 15, "--size", str(size)):
            return _window(lab, proc.pid, lambda: dropped(lab, "box", "b0", "redirect"))
    finally:
        lab.end(proc)


def send(lab, cpus, size):
    proc = _program(lab, cpus[1], [built("floor-run"), "send", "b1", str(size)])
    try:
        return _window(lab, proc.pid, lambda: sunk(lab))
    finally:
        lab.end(proc)


def copy(lab, cpus, size):
    window = Window([])
    rate = json.loads(lab.output(["taskset", "-c", cpus[1], built("floor-run"), "copy",
                                  str(size)]))["copied"]
    window.stop()
    return {"value": rate, "per_cpu": rate, "waited": 0.0, "softirq": window.shares["softirq"],
            "steal": window.shares["steal"]}


def takers(lab, cpus, size=64):
    """{name: function that takes a sample} of frames of `size` bytes, for measure.rounds()."""
    return {name: lambda part=part: part(lab, cpus, size)
            for name, part in zip(NAMES, (receive, send, copy))}
