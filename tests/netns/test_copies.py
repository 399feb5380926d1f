#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Copies of packets through what happens around them: capture and mirror. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
                          tap0 ---- seen0 [seen]
"""
import os

from network import two_sides
from lab import Lab, wait_for
from tap import Tap
from test_forwarder import Forwarder, accounted
from test_stages import arrivals, packets_of, through, unique

HEAD = """interface box0, box1 { mode %s }
default pass
rule seven forward udp to any port 7
rule rest forward fallback drop
forwarder { wire box0 box1; workers 1; zero-copy off
    %s
}
"""
FSIZE = 20 << 10


def config(stage, mode="native"):
    return HEAD % (mode, stage)


def comments(path):
    return [options[1][0].decode() for options in packets_of(path)]


def names(tap):
    """A capture names the rule of each packet, also after the rules were replaced."""
    text = config('capture "named.pcapng"')
    sent = unique(3) + unique(2, port=9)
    with Lab() as lab:
        two_sides(lab)
        lab.apply(text, ns="box")
        forwarder = Forwarder(lab, text)
        path = os.path.join(lab.dir, "named.pcapng")
        tap.equal(through(lab, sent), sent, "names: datagrams pass")
        # Another rule gets the name, and one in front of it.
        lab.apply(text.replace("rule seven", "rule first drop sctp\nrule web"), ns="box")
        tap.ok(wait_for(lambda: through(lab, sent) == sent and "by web" in " ".join(
            comments(path)), 10, 0.5), "names: they pass by the new rules")
        accounted(tap, "names: ", *forwarder.stop())
        way = ", box0 queue 0 -> box1 queue 0"
        told = comments(path)
        tap.equal(told[:5], ["forward by seven" + way] * 3 + ["forward by rest" + way] * 2,
                  "names: the rules of the first")
        tap.equal(told[-5:], ["forward by web" + way] * 3 + ["forward by rest" + way] * 2,
                  "names: the rules of the last")
        # Between the reload and the agent's next look a rule's number is all that is known.
        tap.ok(all(text.startswith(("forward by seven,", "forward by rest,", "forward by web,",
                                    "forward by rule #")) for text in told),
               "names: no other is made up", told)


def limited(tap):
    """A file at its RLIMIT_FSIZE loses records, and ends no data plane."""
    big = [frame + bytes(1400) for frame in unique(200)]
    text = config('capture "limited.pcapng"')
    with Lab() as lab:
        two_sides(lab)
        lab.apply(text, ns="box")
        forwarder = Forwarder(lab, text)
        lab.run(["prlimit", "--pid", str(forwarder.plane()), "--fsize=%d" % FSIZE])
        # A batch that is short enough still fits, and ends the failure before it is told.
        passed = []
        wait_for(lambda: passed.append(through(lab, big) == big) or "File too large"
                 in forwarder.messages(), 20, 0.5)
        tap.contains(forwarder.messages(), ["File too large"], "limited: that it is full is told")
        passed.append(through(lab, big) == big)
        tap.equal(passed, [True] * len(passed), "limited: datagrams pass, before and after")
        status, stats = forwarder.stop()
        accounted(tap, "limited: ", status, stats)
        stage = stats["stages"][0]
        tap.equal(stage["copied"] + stage["lost"], 200 * len(passed),
                  "limited: each copy is written or lost")
        path = os.path.join(lab.dir, "limited.pcapng")
        tap.ok(0 < os.path.getsize(path) <= FSIZE, "limited: the file is no longer",
               os.path.getsize(path))
        tap.equal(len(packets_of(path)), stage["copied"], "limited: and ends with a whole block")


def returns(tap):
    """The interface of a mirror is deleted, and there again; then it is one that would loop."""
    frames = unique(50)
    text = config("mirror tap0")
    with Lab() as lab:
        two_sides(lab)
        lab.add("seen")
        lab.veth("box", "tap0", "seen", "seen0")
        lab.apply(text, ns="box")
        forwarder = Forwarder(lab, text)
        lab.run(["ip", "link", "del", "tap0"], ns="box")
        tap.equal(through(lab, frames), frames, "returns: without its interface, packets pass")
        lab.veth("box", "tap0", "seen", "seen0")
        tap.ok(wait_for(lambda: "tap0 (line 6): the interface is there anew"
                        in forwarder.messages()), "returns: it is told", forwarder.messages())
        with lab.packet_socket("seen", "seen0", receive=True) as seen:
            tap.equal(through(lab, frames), frames, "returns: packets pass")
            tap.equal(arrivals(seen, len(frames)), frames, "returns: and copies are there again")
        lab.run(["ip", "link", "del", "tap0"], ns="box")
        # The other end of a wire: what goes in there comes in at box1.
        lab.run(["ip", "link", "set", "far0", "netns", lab.name("box"), "name", "tap0"], ns="far")
        lab.run(["ip", "link", "set", "tap0", "up"], ns="box")
        tap.ok(wait_for(lambda: "mirrored again" in forwarder.messages()),
               "returns: one that would loop is refused", forwarder.messages())
        lab.run(["ip", "link", "set", "tap0", "netns", lab.name("far"), "name", "far0"], ns="box")
        lab.run(["ip", "link", "set", "far0", "up"], ns="far")
        tap.equal(through(lab, frames), frames, "returns: and gets no copies")
        status, stats = forwarder.stop()
        accounted(tap, "returns: ", status, stats)
        stage = stats["stages"][0]
        tap.equal((stage["copied"], stage["lost"]), (50, 100), "returns: what was lost is counted")
        tap.equal(forwarder.messages().count("mirrored again"), 1, "returns: told once")


def main():
    tap = Tap()
    for name, test in (("names", names), ("limited", limited), ("returns", returns)):
        with tap.case(name + ": to the end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
