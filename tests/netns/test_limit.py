#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`limit` rules on real traffic (root): sluice-gen floods a veth from two CPUs.

    [peer] p0 ------ b0 [box]: the filter

What passes is what the rate and the burst allow in the time that the flood took;
what does not is counted as `limited`, under the rule; a packet that conforms goes
on to the next rule; each source has a bucket of its own; a reload that leaves a
limiter as it is leaves its bucket too. How exact the limiter is on two CPUs at
every rate is tests/bpf/test_limit.py's.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import EMULATED, Lab, built  # noqa: E402
from tap import Skip, Tap, check  # noqa: E402

HEAD = "interface b0 { mode native }\ndefault pass\n"
THREADS = min(2, len(os.sched_getaffinity(0)))


def apply(lab, *rules):
    lab.apply(HEAD + "".join("rule %s\n" % rule for rule in rules), "box")


def fresh(lab, *rules):
    """The rules, with buckets that nobody has asked yet."""
    lab.sluice("down", ns="box", check=False)
    apply(lab, *rules)


def flood(lab, *args):
    """Sends; what each rule and reason has counted more: {name: packets}, and the seconds."""
    before = counts(lab)
    done = lab.run([built("sluice-gen"), "p0", "--json", "--threads", str(THREADS)] + list(args),
                   ns="peer", timeout=60)
    after = counts(lab)
    for _ in range(50):  # what a full ring dropped never arrives: until no more does
        time.sleep(0.1)
        last, after = after, counts(lab)
        if last == after:
            break
    seconds = json.loads(done.stdout)["seconds"]
    return {name: after[name] - before[name] for name in after}, seconds


def counts(lab):
    stats = lab.stats("box", "b0")
    found = {"rx": stats["rx"]["packets"]}
    for reason, counter in stats["reasons"].items():
        found["reason " + reason] = counter["packets"]
    for rule in stats["rules"]:
        found[rule["name"]] = rule["packets"]
    return found


def passed(found):
    check(sum(n for name, n in found.items() if name.startswith("reason ")), found["rx"],
          "sum of the reasons")
    return found["rx"] - found["reason limited"]


def near(got, want, what):
    check(want * 0.95 <= got <= want * 1.05, True, "%s: %d passed, %d should" % (what, got, want))


def test_rates(lab, tap):
    for rate, packets, burst in (("100pps", 100, 10), ("10kpps", 10000, 1000),
                                 ("100kpps", 100000, 10000)):
        with tap.case("%s: what passes of a flood" % rate):
            fresh(lab, "slow limit %s udp" % rate, "rest pass udp")
            found, seconds = flood(lab, "--duration", "3")
            enough = found["rx"] > 1.5 * (burst + packets * seconds)
            if EMULATED and not enough:
                raise Skip("an emulated processor sends no more than %d" % found["rx"])
            check(enough, True, "enough was sent")
            near(passed(found), burst + packets * seconds, rate)
            check(found["slow"], found["reason limited"], "the limit rule counts what it refused")
            check(found["rest"], passed(found), "the next rule decides for what conforms")
    with tap.case("10Mbps of 1,000 bytes: what passes of a flood"):
        fresh(lab, "slow limit 10Mbps burst 100000 udp")
        found, seconds = flood(lab, "--duration", "3", "--size", "1000")
        near(passed(found), 100 + 1250 * seconds, "10Mbps")


def test_conforming(lab, tap):
    with tap.case("below the rate nothing is dropped, and another protocol never is"):
        fresh(lab, "slow limit 50kpps udp")
        found, _ = flood(lab, "--rate", "10k", "--duration", "2")
        check(found["reason limited"], 0, "limited below the rate")
        found, _ = flood(lab, "--proto", "tcp", "--count", "100000")
        check((found["reason limited"], found["slow"]), (0, 0), "limited of TCP")


def test_sources(lab, tap):
    with tap.case("per source: each has its own burst, per /24 a net has one"):
        fresh(lab, "slow limit 1pps burst 5 per source udp")
        found, _ = flood(lab, "--src", "198.18.0.0/22", "--count", "20480")
        near(passed(found), 5 * 1024, "1,024 sources")
        fresh(lab, "slow limit 1pps burst 500 per source /24 udp")
        found, _ = flood(lab, "--src", "198.18.0.0/22", "--count", "20480")
        near(passed(found), 500 * 4, "4 nets")
    with tap.case("per source: IPv6, per /64"):
        fresh(lab, "slow limit 1pps burst 500 per source /32 /64 udp")
        found, _ = flood(lab, "--src", "2001:db8::/118", "--dst", "2001:db8:1::1",
                         "--count", "20480")
        near(passed(found), 500, "one net")


def test_spoofed(lab, tap):
    with tap.case("a spoofed flood passes as new sources do, and gives a known one nothing"):
        fresh(lab, "slow limit 10pps burst 20 per source udp")
        found, _ = flood(lab, "--count", "1000")
        near(passed(found), 20, "the known source, before")
        flood(lab, "--src", "0.0.0.0/1", "--random", "--count", "1000000")
        found, seconds = flood(lab, "--duration", "2")
        # It has been let off for as long as the flood took, up to a burst.
        check(10 * seconds - 1 <= passed(found) <= 10 * seconds + 21, True,
              "the known source, after: %d in %.1f s" % (passed(found), seconds))


def test_reload(lab, tap):
    with tap.case("a reload keeps the bucket of a limiter that has not changed, no other"):
        fresh(lab, "slow limit 1pps burst 500 udp")
        found, _ = flood(lab, "--count", "2000")
        near(passed(found), 500, "first")
        apply(lab, "web pass tcp", "slow limit 1pps burst 500 udp")
        found, _ = flood(lab, "--count", "2000")
        check(passed(found) <= 20, True, "after a reload: %d passed" % passed(found))
        apply(lab, "slow limit 1pps burst 600 udp")
        found, _ = flood(lab, "--count", "2000")
        near(passed(found), 600, "after a change")


def main():
    tap = Tap()
    with Lab() as lab:
        lab.add("peer", "box")
        lab.veth("peer", "p0", "box", "b0", queues=THREADS)
        apply(lab)
        test_rates(lab, tap)
        test_conforming(lab, tap)
        test_sources(lab, tap)
        test_spoofed(lab, tap)
        test_reload(lab, tap)
    tap.done()


if __name__ == "__main__":
    main()
