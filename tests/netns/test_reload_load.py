#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reloads under full load: no packet is lost, none is judged by a mixture. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]

sluice-gen sends UDP as fast as it can while `apply` goes to and fro between two
configurations. They disagree on every packet, and each packet passes a chain of rules
of one of them:

    A   shared, a-tag, 300 others, a-tag2, one of 16 a-cell-*, a-end (drop)     few keys
    B   shared, b-tag, 300 others, b-tag2, one of 256 b-cell-*, b-end (pass)    many keys

B comes in two kinds: by ports, with SLUICE_RELOADS reloads (100 unless set), and by
prefixes and ports, with a tenth as many: over addresses the verifier takes half a second.

The rules of A's chain are in B too, under their names and behind B's, but match nothing
that is sent, and the other way round: counters go by name, so they add up over all
reloads. A packet that met a part of each configuration would leave the counters along a
chain unequal. The 300 others come and go with their configuration, so that rules change
slots. What was sent the generator's device has counted, what passed the box's IP stack.
"""
import json
import os
import signal
import statistics
import time

from network import settle, two_sides
from lab import Lab, built
from tap import Tap

RELOADS = int(os.environ.get("SLUICE_RELOADS", "100"))
OTHERS = 300
CELLS = ["%d-%d" % (low, low + 63) for low in range(1024, 2048, 64)]
A_CHAIN = ([("a-tag", "count", ""), ("a-tag2", "count", "")]
           + [("a-cell-" + ports, "count", "to any port " + ports) for ports in CELLS]
           + [("a-end", "drop", "")])
# TCP, which is not sent.
A_OTHERS = ["rule a-other-%d pass tcp to any port %d" % (n, 3000 + 2 * n) for n in range(OTHERS)]


def b_chain(cells):
    """`cells`: matches of which every packet that is sent satisfies one."""
    return ([("b-tag", "count", ""), ("b-tag2", "count", "")]
            + [("b-cell-%d" % n, "count", cell) for n, cell in enumerate(cells)]
            + [("b-end", "pass", "")])


def by_ports():
    """B's chain and its other rules."""
    return b_chain("from any port %s to any port %s" % (s, d) for s in CELLS for d in CELLS), [
        "rule b-other-%d drop tcp from any port %d to any port %d" % (
            n, 5000 + 2 * n, 3000 + 2 * n) for n in range(OTHERS)]


def by_prefixes():
    return b_chain("to 10.0.%d.0/24 port %s" % (n, d) for n in range(16) for d in CELLS), [
        "rule b-other-%d drop tcp to 172.%d.%d.0/24 port %d" % (
            n, 16 + n // 256, n % 256, 3000 + 2 * n) for n in range(OTHERS)]


def config(default, chain, others, dead):
    alive = ["rule %s %s udp %s" % rule for rule in chain]
    lines = ["interface box0 { mode native }", "default " + default, "rule shared count udp",
             alive[0]] + others + alive[1:]
    # 253: an IP protocol for experiments (RFC 3692), which is not sent.
    return "\n".join(lines + ["rule %s drop proto 253" % rule[0] for rule in dead]) + "\n"


def answers(lab, path):
    """How a configuration will find its answers."""
    return lab.sluice_json("check", "--json", path)["interfaces"][0]["answers"]


def received(lab):
    """Packets that the box's IP stack was given."""
    rows = [line.split() for line in lab.output(["cat", "/proc/net/snmp"], ns="box").splitlines()
            if line.startswith("Ip:")]
    return int(dict(zip(*rows))["InReceives"])


def generator(lab, seconds):
    # To box0's own MAC, so that the stack takes what passes; it has no address and drops it.
    return lab.popen([built("sluice-gen"), "peer0", "--json", "--random", "--duration",
                      str(seconds), "--dst", "10.0.0.0/20", "--sport", "1024-2047", "--dport",
                      "1024-2047", "--dst-mac", lab.mac("box", "box0").hex(":")], ns="peer")


def reload_all(tap, lab, paths, reloads):
    """Reloads while the generator sends: what that says at its end."""
    # The bound for the generator if nobody ends it: a reload takes two seconds at most.
    sender = generator(lab, 60 + 2 * reloads)
    begin = time.monotonic()
    swaps = [lab.sluice_json("apply", "--force", "--json", paths[(number + 1) % 2], ns="box")
             ["interfaces"][0]["swap_ms"] for number in range(reloads)]
    seconds = time.monotonic() - begin
    lab.end(sender, signal.SIGINT)
    text = sender.stdout.read()
    sent = json.loads(text[text.index("{"):])
    tap.diag("%d reloads in %.1f s; swap_ms: median %.2f, at most %.2f" % (
        reloads, seconds, statistics.median(swaps), max(swaps)))
    tap.equal(sent["ended_by"], "signal", "the generator sent until the last reload was done")
    return sent


def chains(tap, rules, ends):
    """Along each chain every counter, or the sum of a division into cases, is the same."""
    def total(prefix):
        return sum(n for name, n in rules.items() if name.startswith(prefix))
    for tag, cases in (("a", "a-cell-"), ("b", "b-cell-")):
        tap.equal([rules[tag + "-tag"], rules[tag + "-tag2"], total(cases)], [ends[tag]] * 3,
                  "whoever met a rule of %s met all of its chain" % tag.upper())
    tap.equal({name: n for name, n in rules.items() if "-other-" in name and n}, {},
              "rules for other packets counted none")


def under_load(tap, lab, chain, others, reloads):
    """`chain` and `others` are B's."""
    paths = (lab.file("a.conf", config("pass", A_CHAIN, A_OTHERS, chain)),
             lab.file("b.conf", config("drop", chain, others, A_CHAIN)))
    tap.equal([answers(lab, path) for path in paths], ["table", "vectors"],
              "one lookup has few keys, the other many")
    lab.sluice("apply", "--force", paths[0], ns="box")
    before = received(lab)
    sent = reload_all(tap, lab, paths, reloads)
    stats = settle(lab, "box", "box0", sent["transmitted"])
    rules = {rule["name"]: rule["packets"] for rule in stats["rules"]}
    ends = {"a": rules["a-end"], "b": rules["b-end"]}
    count = stats["rx"]["packets"]
    tap.diag("%d packets: A judged %d, B judged %d; %d more were refused by the full ring" % (
        count, ends["a"], ends["b"], sent["refused"]))
    tap.ok(min(ends.values()) > 1000 * reloads, "there was load under both", ends)
    tap.equal(stats["generation"], reloads + 1, "the generation counts the reloads")
    tap.equal(sent["transmitted"] + sent["refused"], sent["attempted"],
              "the device took or refused all that was sent")
    tap.equal(count, sent["transmitted"], "none was lost")
    tap.equal({name: r["packets"] for name, r in stats["reasons"].items() if r["packets"]},
              {"rule": count}, "a rule decided each")
    tap.equal(sum(ends.values()), count, "and that was the last of a chain")
    tap.equal(rules["shared"], count, "the rule of both counted each")
    chains(tap, rules, ends)
    tap.equal(received(lab) - before, ends["b"], "what B passed, and no more, came to the stack")


def main():
    tap = Tap()
    for kind, reloads in ((by_ports, RELOADS), (by_prefixes, max(2, RELOADS // 10))):
        with tap.case("to the end: " + kind.__name__), Lab() as lab:
            two_sides(lab)
            under_load(tap, lab, *kind(), reloads)
            tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
