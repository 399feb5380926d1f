#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a change of the rules takes over from what runs (root): the buckets of
limiters into maps with more room, and out of maps that other interfaces use; the
live sets of each interface; live rules on an interface that has another name by now.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import json

from network import settle, two_sides
from lab import Lab
from tap import Tap

import capture
import frames as raw

SLOW = "rule slow limit 1pps burst 100 per source udp to any port 7\n"
SENT = 300


def udp(port, src=0x0a000001):
    return raw.ethernet(0x800, raw.ipv4(src, 0xc0000201, raw.UDP, raw.udp(9, port)))


def passed(lab, dev="box0", src=0x0a000001):
    """How many of 300 packets from one source pass."""
    before = lab.stats("box", dev)
    sender = ("peer", "peer0") if dev == "box0" else ("far", "far0")
    lab.send(*sender, [udp(7, src)] * SENT)
    after = settle(lab, "box", dev, before["rx"]["packets"] + SENT)
    limited = after["reasons"]["limited"]["packets"] - before["reasons"]["limited"]["packets"]
    return SENT - limited


def spent(tap, got, name):
    """The bucket is as it was: a packet a second since, and the batch a CPU had claimed."""
    tap.ok(got <= 20, name, "%d of %d passed" % (got, SENT))


def full(tap, got, name):
    tap.ok(95 <= got <= 125, name, "%d of %d passed" % (got, SENT))


def limiters_grow(tap, lab):
    text = "interface box0\n" + SLOW
    lab.apply(text, ns="box")
    full(tap, passed(lab), "at first there is a burst")
    spent(tap, passed(lab), "and then none")
    # The first maps have room for twice what they were made for, not for five times.
    more = "".join("rule m%d limit 9pps per source udp to any port %d\n" % (n, 100 + n)
                   for n in range(4))
    lab.apply(text + more, ns="box")
    spent(tap, passed(lab), "maps with more room: the source gets no new burst")
    full(tap, passed(lab, src=0x0a000002), "another source has its own")
    lab.sluice("rule", "add", *("n%d limit 9pps per source udp to any port %d" % (n, 200 + n)
                                for n in range(10)), ns="box")
    spent(tap, passed(lab), "more again by live rules, from one map to the next")
    spent(tap, passed(lab, src=0x0a000002), "whoever the source is")
    done = lab.sluice("rule", "add", *("o%d limit 9pps udp to any port %d" % (n, 300 + n)
                                       for n in range(50)), ns="box", check=False)
    tap.equal(done.returncode, 1, "more limit rules than there may be are refused, live ones too")
    tap.contains(done.stderr, ["\"o49\"", "64 limit rules"], "and it says which")
    spent(tap, passed(lab), "nothing has changed")


def limiters_elsewhere(tap, lab):
    """Two interfaces share limiters; then a reload concerns one of them only."""
    lab.sluice("down", ns="box")
    lab.apply("interface box0, box1\n" + SLOW, ns="box")
    full(tap, passed(lab), "one burst for both interfaces")
    spent(tap, passed(lab, "box1"), "so the other has none")
    lab.apply("interface box1\n" + SLOW + "rule more pass tcp\n", ns="box")
    spent(tap, passed(lab, "box1"), "the one that is reloaded takes the bucket along")
    spent(tap, passed(lab), "and leaves it to the other")
    full(tap, passed(lab, "box1", 0x0a000003), "from then on each has its own:")
    full(tap, passed(lab, "box0", 0x0a000003), "a new source has a burst on both")
    lab.apply("interface box0, box1\n" + SLOW, ns="box")
    spent(tap, passed(lab, "box1", 0x0a000003), "together again: no new burst")


def decided(lab, dev, source):
    path = lab.file("carry.pcap", b"")
    capture.write(path, [udp(7, source)])
    return json.loads(lab.sluice("explain", "--json", dev, path, ns="box").stdout)["rule"]


def rename(lab, old, new):
    lab.run(["ip", "link", "set", "dev", old, "down"], ns="box")
    lab.run(["ip", "link", "set", "dev", old, "name", new], ns="box")
    lab.run(["ip", "link", "set", "dev", new, "up"], ns="box")


def live_sets(tap, lab):
    """One text on two interfaces, applied at two times: each has a map of its own."""
    text = "interface box0, box1\nset bad live { }\nrule bad drop from @bad\n"
    lab.sluice("down", ns="box")
    lab.veth("box", "spare0", "far", "spare1")
    lab.apply(text, ns="box")
    lab.sluice("set", "add", "bad", "10.0.0.1", ns="box")
    rename(lab, "box0", "aside")
    rename(lab, "spare0", "box0")
    lab.apply(text, ns="box")  # on what is box0 now, and on box1
    lab.run(["ip", "link", "del", "dev", "box0"], ns="box")
    rename(lab, "aside", "box0")
    lab.sluice("set", "add", "bad", "10.0.0.2", ns="box")
    wanted = ["bad", "bad"], [None, "bad"]

    def held():
        return tuple([decided(lab, dev, source) for source in (0x0a000001, 0x0a000002)]
                     for dev in ("box0", "box1"))
    tap.equal(held(), wanted, "two interfaces run one text, with sets that differ")
    lab.sluice("rule", "add", "more drop sctp", ns="box")
    tap.equal(held(), wanted, "a rule is added: each keeps the sets that it has")
    lab.sluice("rule", "del", "more", ns="box")
    tap.equal(held(), wanted, "and deleted: likewise")
    lab.sluice("set", "add", "bad", "10.0.0.0/8", ns="box")
    tap.equal(held(), (["bad", "bad"], ["bad", "bad"]), "both can still be changed")


TEXT = "interface %s\ndefault pass\nrule seven drop udp to any port 7\n"


def texts(lab):
    listed = lab.sluice_json("rule", "list", "--json", ns="box")["configurations"]
    return sorted(rule["text"] for one in listed for rule in one["rules"])


def renamed(tap, lab):
    lab.sluice("down", ns="box")
    lab.apply(TEXT % "box0, box1", ns="box")
    lab.sluice("rule", "add", "old drop on box0 udp to any port 9", ns="box")
    rename(lab, "box0", "new0")
    lab.sluice("rule", "add", "next drop on new0 udp to any port 10", ns="box")
    tap.equal([text for text in texts(lab) if " on " in text],
              ["rule next drop on new0 udp to any port 10 owner live",
               "rule old drop on new0 udp to any port 9 owner live"],
              "a rule is added by the new name, and the old rule has it")
    rename(lab, "new0", "third0")
    done = lab.apply(TEXT % "box0, box1", ns="box", check=False)
    tap.equal(done.returncode, 1, "a file that has the old name is refused")
    tap.contains(done.stderr, ["\"old\"", "third0"], "and it says what the name is now")
    lab.apply(TEXT % "third0, box1", ns="box")
    tap.ok("rule old drop on third0 udp to any port 9 owner live" in texts(lab),
           "a file with the new name is applied; live rules go with it", texts(lab))
    lab.send("peer", "peer0", [udp(9)] * 5)
    stats = settle(lab, "box", "third0", 5)
    tap.equal({r["name"]: r["packets"] for r in stats["rules"]}["old"], 5, "and match")
    # Two at once: the rules tell which is which.
    rename(lab, "third0", "box8")
    rename(lab, "box1", "box9")
    lab.sluice("rule", "del", "next", ns="box")
    tap.ok("rule old drop on box8 udp to any port 9 owner live" in texts(lab),
           "two were renamed: a rule stays where it was", texts(lab))
    names = {i["name"]: [r["name"] for r in i["rules"]]
             for i in lab.sluice_json("stats", "--json", ns="box")["interfaces"]}
    tap.equal(names, {"box8": ["seven", "old"], "box9": ["seven"]}, "and where it was not")
    done = lab.apply(TEXT % "box9", ns="box", check=False)
    tap.equal(done.returncode, 1, "a file without the interface of a live rule is refused")
    tap.contains(done.stderr, ["\"old\"", "\"box8\"", "rule del -i box8 old"],
                 "with the name that it has now, and what to do")
    lab.sluice("rule", "del", "old", ns="box")
    lab.apply(TEXT % "box9", ns="box")
    rename(lab, "box8", "box0")
    rename(lab, "box9", "box1")


def main():
    tap = Tap()
    with Lab() as lab:
        two_sides(lab)
        for test in limiters_grow, limiters_elsewhere, live_sets, renamed:
            with tap.case(test.__name__):
                test(tap, lab)
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
