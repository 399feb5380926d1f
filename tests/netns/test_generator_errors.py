#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sluice-gen on a veth pair (root): what it refuses, and what it says of packets
that were not sent.

    [tx] g0 ------ g1 [rx]
"""
import fcntl
import os
import struct
import time

from test_generator import generate, pcap_file, run  # finds what is below tests/
from lab import built, wait_for
from tap import Skip, check

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000  # linux/if_tun.h


def text_of(lab, dev, *args, status=0):
    """What the generator prints without --json."""
    done = lab.run([built("sluice-gen"), dev] + list(args), ns="tx", check=False)
    check(done.returncode, status, "exit status: " + done.stderr)
    return done.stdout


def test_reasons(tap, lab):
    with tap.case("why packets were not transmitted: a full ring, where veth counts it"):
        # Batches as large as the ring, from two threads at once, overflow it.
        for _ in range(10):
            text = text_of(lab, "g0", "--threads", str(min(2, os.cpu_count())), "--batch", "256",
                           "--duration", "0.5")
            if "not transmitted" in text:
                break
        else:
            raise Skip("the ring never was full")
        check("ring of its receiver was full" in text, True, text)
    with tap.case("why packets were not transmitted: not known of a veth that takes none"):
        lab.run(["ethtool", "-K", "g1", "gro", "off"], ns="rx")
        text = text_of(lab, "g0", "--count", "5000", status=3)
        lab.run(["ethtool", "-K", "g1", "gro", "on"], ns="rx")
        check(("5000 not transmitted" in text, "was full\n" in text), (True, False), text)
    with tap.case("why packets were not transmitted: not known of another interface"):
        tap_case(lab)


def tap_case(lab):
    """A tap that nobody reads takes what its ring holds, and counts none as sent."""
    def make():
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"g9", IFF_TAP | IFF_NO_PI))
        return fd
    try:
        fd = lab.within("tx", make)
    except OSError as why:
        raise Skip("no tap device here: %s" % why) from why
    try:
        lab.run(["ip", "link", "set", "g9", "up"], ns="tx")
        text = text_of(lab, "g9", "--count", "5000", status=3)
        check(("5000 not transmitted" in text, "does not say why" in text, "full" in text),
              (True, True, False), text)
    finally:
        os.close(fd)


USAGE = (
    ([], "expected one interface"),
    (["g0", "g0"], "expected one interface"),
    (["g0", "--nonsense"], "no such option"),
    (["g0", "--rate"], "needs a value"),
    (["g0", "--rate", "0"], "packets per second"),
    (["g0", "--rate", "1kk"], "packets per second"),
    (["g0", "--stats", "0.05"], "0.1"),
    (["g0", "--src", "10.0.0.9-10.0.0.1"], "lower address"),
    (["g0", "--src", "10.0.0.1", "--dst", "::1"], "one family"),
    (["g0", "--src", "2001:2::/63"], "/64"),
    (["g0", "--dport", "9-5"], "N <= M"),
    (["g0", "--vlan", "4095"], "0-4094"),
    (["g0", "--flags", "syn"], "tcp"),
    (["g0", "--pcap", "x", "--size", "90"], "--pcap"),
    (["g0", "--cpus", "0,0"], "once"),
    (["g0", "--batch", "257"], "1-256"),
)


def refused(tap, lab, name, args, status, parts):
    done = lab.run([built("sluice-gen")] + args, ns="tx", check=False)
    tap.equal((name, done.returncode), (name, status), "%s: exit %d" % (name, status))
    tap.contains(done.stderr, parts, "%s: says why" % name)


def test_errors(tap, lab):
    for args, part in USAGE:
        refused(tap, lab, "usage %s" % " ".join(args), args, 2, part)
    refused(tap, lab, "unknown interface", ["nosuch0"], 1, ["nosuch0", "no such device"])
    refused(tap, lab, "frame over the MTU", ["g0", "--size", "1519"], 1, ["1518", "MTU"])
    refused(tap, lab, "a CPU that is not there", ["g0", "--cpus", "4095"], 1, "4095")
    refused(tap, lab, "no capture", ["g0", "--pcap", lab.dir + "/nosuch"], 1, "nosuch")
    refused(tap, lab, "not a capture", ["g0", "--pcap", lab.file("text", "hello\n" * 9)], 1,
            "pcap")
    refused(tap, lab, "another link type",
            ["g0", "--pcap", pcap_file(lab, "raw", [bytes(60)], linktype=101)], 1, "Ethernet")
    refused(tap, lab, "an empty capture", ["g0", "--pcap", pcap_file(lab, "none", [])], 1,
            "nothing to send")
    whole = open(pcap_file(lab, "whole", [bytes(60)] * 3), "rb").read()
    refused(tap, lab, "a damaged capture", ["g0", "--pcap", lab.file("half", whole[:-5])], 1,
            "damaged after 2")
    done = lab.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                    "--inh-caps=-all", "--bounding-set=-all", built("sluice-gen"), "g0"],
                   ns="tx", check=False)
    tap.equal(done.returncode, 3, "without privileges: exit 3")
    tap.contains(done.stderr, ["no permission", "root"], "without privileges: says why")


def test_refusals(tap, lab):
    with tap.case("the interface of the default route only with --force"):
        lab.sysctl("tx", "net.ipv6.conf.g0.disable_ipv6", 0)
        for route in (["route", "add", "default", "dev", "g0"],
                      ["-6", "route", "add", "default", "dev", "g0"]):
            lab.run(["ip"] + route, ns="tx")
            _, err = generate(lab, "--count", "1", status=1)
            check("--force" in err and "default route" in err, True, err)
            result, _ = generate(lab, "--count", "5", "--force")
            check(result["transmitted"], 5, "with --force")
            route[route.index("add")] = "del"
            lab.run(["ip"] + route, ns="tx")
        lab.sysctl("tx", "net.ipv6.conf.g0.disable_ipv6", 1)
    with tap.case("the interface under a VLAN with the default route, too"):
        made = lab.run(["ip", "link", "add", "link", "g0", "name", "g0.5", "type", "vlan", "id",
                        "5"], ns="tx", check=False)
        if made.returncode:
            raise Skip("this kernel has no VLAN devices: " + made.stderr.strip())
        lab.run(["ip", "link", "set", "g0.5", "up"], ns="tx")
        lab.run(["ip", "route", "add", "default", "dev", "g0.5"], ns="tx")
        _, err = generate(lab, "--count", "1", status=1)
        check("--force" in err, True, err)
        lab.run(["ip", "link", "del", "g0.5"], ns="tx")
    with tap.case("a veth whose peer takes nothing: told early, with the cure"):
        lab.run(["ethtool", "-K", "g1", "gro", "off"], ns="rx")
        start = time.monotonic()
        result, err = generate(lab, "--duration", "20", status=3)
        check((result["transmitted"], result["ended_by"]), (0, "blocked"), "result")
        check("gro on" in err, True, err)
        if time.monotonic() - start > 5:
            raise AssertionError("took %f s" % (time.monotonic() - start))
        lab.run(["ethtool", "-K", "g1", "gro", "on"], ns="rx")
    with tap.case("an interface that is down"):
        lab.run(["ip", "link", "set", "g0", "down"], ns="tx")
        _, err = generate(lab, "--count", "1", status=1)
        check("down" in err and "ip link set g0 up" in err, True, err)
        lab.run(["ip", "link", "set", "g0", "up"], ns="tx")
    with tap.case("an interface that goes away ends the run"):
        proc = lab.popen([built("sluice-gen"), "g0", "--rate", "10k", "--duration", "20"],
                         ns="tx")
        time.sleep(1)
        lab.run(["ip", "link", "del", "g0"], ns="tx")
        check(bool(wait_for(lambda: proc.poll() is not None, 5)), True, "it ended")
        check(proc.returncode, 3, "exit status")
        check("went away" in proc.stdout.read(), True, "message")


if __name__ == "__main__":
    run(test_reasons, test_errors, test_refusals)
