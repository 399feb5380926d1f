#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How `sluice log` goes on when one of its filters ends, and how it ends itself. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import os
import signal

from network import settle, two_sides
from lab import Lab, built, wait_for
from tap import Tap
from test_log import RING_RECORDS, follow, numbered, options_of, ready, samples, start, text

RULES = "rule all log\nrule no drop udp\n"
ONE, OTHER = "interface box0\n" + RULES, "interface box1\n" + RULES


def arrived(reader, **counts):
    """Do the reader's records come to these numbers by interface?"""
    def same():
        names = [sample["interface"] for sample in samples(reader)]
        return {name: names.count(name) for name in names} == counts
    return wait_for(same)


def comes_back(tap):
    """A reader of two interfaces reads one again that was down, also as another generation."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(ONE, ns="box")
        lab.apply(OTHER, ns="box")
        reader = follow(lab, "box0", "box1")
        lab.send("far", "far0", numbered(3))
        tap.ok(arrived(reader, box1=3), "comes back: both are read")
        lab.sluice("down", "box1", ns="box")
        # It looks twice a second: two packets on box0 that it has shown since say that it looked.
        for count in (1, 2):
            lab.send("peer", "peer0", numbered(1))
            tap.ok(arrived(reader, box0=count, box1=3), "comes back: the other is read on")
            wait_for(lambda: False, timeout=0.6)
        lab.apply(OTHER, ns="box")
        lab.send("far", "far0", numbered(4))
        tap.ok(arrived(reader, box0=2, box1=7), "comes back: applied again, read again",
               text(reader.err))
        lab.apply(OTHER.replace("all", "every"), ns="box")
        lab.send("far", "far0", numbered(1))
        tap.ok(arrived(reader, box0=2, box1=8) and samples(reader)[-1]["logs"] == ["every"],
               "comes back: and through the next reload", samples(reader)[-1:])
        lab.sluice("down", ns="box")
        tap.equal((reader.wait(10), "no filter is left" in text(reader.err)), (0, True),
                  "comes back: the reader ends with the last filter")


def packets_in(path):
    with open(path, "rb") as source:
        return sum(kind == 6 for kind, _options in options_of(source.read()))


def emptied(tap):
    """A signal ends the reading, not before what the rings hold is written."""
    count = RING_RECORDS - 100
    for number, args in ((signal.SIGINT, ("-w",)), (signal.SIGTERM, ("--json",))):
        label = "emptied: %s: " % args[0]
        with Lab() as lab:
            two_sides(lab)
            lab.apply("interface box0, box1\n" + RULES, ns="box")
            path = os.path.join(lab.dir, "x.pcapng")
            reader = ready(start(lab, *args, *([path] if args == ("-w",) else []), "box0", "box1"))
            reader.send_signal(signal.SIGSTOP)
            lab.send("peer", "peer0", numbered(count))
            lab.send("far", "far0", numbered(5))
            settle(lab, "box", "box0", count)
            settle(lab, "box", "box1", 5)
            reader.send_signal(number)
            reader.send_signal(signal.SIGCONT)
            tap.equal(reader.wait(20), 0, label + "the reader ends")
            got = packets_in(path) if args == ("-w",) else len(samples(reader))
            tap.equal(got, count + 5, label + "with all that was in the rings")


def flooded(tap):
    """In a flood, too, it ends, and what it took from the ring it has written."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(ONE, ns="box")
        first, second = (os.path.join(lab.dir, name) for name in ("1.pcapng", "2.pcapng"))
        reader = ready(start(lab, "box0", "-w", first))
        sender = lab.popen([built("sluice-gen"), "peer0", "--duration", "3"], ns="peer")
        wait_for(lambda: os.path.getsize(first) > 1 << 20)
        tap.equal(lab.end(reader, signal.SIGINT, timeout=2), 0, "flooded: it ends")
        tap.ok(sender.poll() is None, "flooded: before the flood does")
        sender.communicate(timeout=10)
        wait_for(lambda: lab.stats("box", "box0") == lab.stats("box", "box0"))
        reader = ready(start(lab, "box0", "-w", second))
        lab.end(reader, signal.SIGINT)
        stats = lab.stats("box", "box0")
        parts = packets_in(first), packets_in(second), stats["log"]["lost"]["packets"]
        tap.equal(sum(parts), stats["rx"]["packets"],
                  "flooded: written + read by the next + lost = received")
        tap.diag("%d written, %d by the next reader, %d lost" % parts)


def main():
    tap = Tap()
    for case in (comes_back, emptied, flooded):
        with tap.case(case.__name__ + ": to the end"):
            case(tap)
    tap.done()


if __name__ == "__main__":
    main()
