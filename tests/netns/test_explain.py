#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`sluice explain`: its inputs, its text, what it refuses. What it answers is
compared with the oracle in tests/oracle. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import json
import subprocess

from network import two_sides
from lab import Lab, built
from tap import Tap

import capture
import frames as raw
from scapy.all import Ether, wrpcapng

CONFIG = """
interface box0
default pass
rule dns   drop udp to any port 53
rule web   forward fallback drop tcp to any port 80
"""
FRAMES = [raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(1, 53))),
          raw.ethernet(0x86dd, raw.ipv6(1, 2, 6, raw.tcp(1, 80))),
          raw.ethernet(0x800, raw.ipv4(1, 2, 17, raw.udp(1, 54))),
          raw.ethernet(0x800, b"\x45")]
ANSWERS = [{"packet": 1, "verdict": "drop", "rule": "dns", "reason": "rule"},
           {"packet": 2, "verdict": "drop", "rule": "web", "reason": "no_socket"},
           {"packet": 3, "verdict": "pass", "rule": None, "reason": "default"},
           {"packet": 4, "verdict": "pass", "rule": None, "reason": "truncated"}]


def objects(text):
    """One object a packet, a line each; keys beyond the documented ones are dropped."""
    return [{key: answer.get(key) for key in ANSWERS[0]}
            for answer in map(json.loads, text.splitlines())]


def inputs(tap, lab):
    path = lab.file("frames.pcap", b"")
    capture.write(path, FRAMES)
    before = lab.stats("box", "box0")
    tap.equal(objects(lab.sluice("explain", "--json", "box0", path, ns="box").stdout), ANSWERS,
              "a pcap file")
    with open(path, "rb") as source:
        done = subprocess.run(["ip", "netns", "exec", lab.name("box"), built("sluice"), "explain",
                               "--json", "box0", "-"], stdin=source, capture_output=True,
                              timeout=30, check=False)
    tap.equal(objects(done.stdout.decode()), ANSWERS, "standard input")
    path = lab.file("frames.pcapng", b"")
    wrpcapng(path, [Ether(frame) for frame in FRAMES[:1]])
    tap.equal(objects(lab.sluice("explain", "--json", "box0", path, ns="box").stdout),
              ANSWERS[:1], "a pcapng file")
    capture.write(path, FRAMES)
    text = lab.sluice("explain", "box0", path, ns="box").stdout
    tap.contains(text, ["dns", "drop", "no_socket", "default", "truncated"], "as text")
    tap.equal(lab.stats("box", "box0"), before, "no counter changed")
    empty = lab.file("empty.pcap", b"")
    capture.write(empty, [])
    tap.equal(lab.sluice("explain", "--json", "box0", empty, ns="box").stdout, "",
              "a capture without packets")


def awkward_frames(tap, lab):
    """Frames that BPF_PROG_TEST_RUN may not take are told, and end nothing."""
    path = lab.file("awkward.pcap", b"")
    capture.write(path, [FRAMES[0], b"\x02" * 13, FRAMES[0] + bytes(3000),
                         FRAMES[0] + bytes(20000), FRAMES[0]])
    done = lab.sluice("explain", "--json", "box0", path, ns="box", check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    known = {a["packet"]: a.get("rule") for a in answers if a.get("verdict")}
    tap.equal([known.get(1), known.get(3), known.get(5)], ["dns"] * 3,
              "what can be explained is, beside frames that cannot")
    told = done.stderr + "".join(json.dumps(a) for a in answers if not a.get("verdict"))
    tap.ok(4 in known or "4" in told, "a frame too long is not passed over", done)
    tap.ok(2 in known or "2" in told, "a frame too short is not passed over", done)


def refusals(tap, lab):
    path = lab.file("frames.pcap", b"")
    capture.write(path, FRAMES)
    for name, words, status, said in (
            ("no such interface", ["nosuch0", path], (1, 3), ["nosuch0"]),
            ("no filter there", ["box1", path], (1, 3), ["box1"]),
            ("no such file", ["box0", "/nonexistent.pcap"], (1,), ["/nonexistent.pcap"]),
            ("not a capture", ["box0", lab.file("text.pcap", "not a capture at all, just text")],
             (1,), ["text.pcap"])):
        done = lab.sluice("explain", *words, ns="box", check=False)
        tap.ok(done.returncode in status, name + ": exit status", done)
        tap.contains(done.stderr, said, name + ": the message")
    raw_ip = lab.file("rawip.pcap", b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(8)
                      + b"\xff\xff\0\0\x65\0\0\0")
    done = lab.sluice("explain", "box0", raw_ip, ns="box", check=False)
    tap.ok(done.returncode == 1 and "Ethernet" in done.stderr, "not Ethernet: refused", done)


def main():
    tap = Tap()
    with tap.case("to the end"), Lab() as lab:
        two_sides(lab)
        lab.apply(CONFIG, ns="box")
        inputs(tap, lab)
        awkward_frames(tap, lab)
        refusals(tap, lab)
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
