#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sluice-fwd against xdpsock -l and xsk_fwd in a guest: zero-copy and copy (root).

    guest_forward.py [--kernel K] [NIC...]      all three, newest, unless said otherwise

    eth0 (pktgen) ---- hub ---- eth1 (forwarder) eth2 ---- hub ---- eth3 (dropped, XDP)

QEMU under TCG with `-icount`: time is instructions executed, so a busy host does
not slow it; a sender alone repeats to 0.3 %, a forwarder with its sleeps to 5 %.
One processor, which sender, driver, forwarder and sink share. xdpsock sends back
by eth1 and eth0 is the sink, all else alike; so does the floor, a loop that does
nothing else (bench/driver/run.c).

    pps       forwarded in a virtual second of a flood: pktgen without a delay, which
              sends an skb again and again
    own us    of each of these, what is not the sender's: the time less a sender's
              and a sink's for each packet sent, taken from a run without a forwarder
    added us  one packet at a time, every 2 ms: the median from send() to the kernel's
              time stamp at the sink, less the same over a hub alone

e1000e is the one that `make driver` built. The peers are not packaged: XDPSOCK and
XSK_FWD name binaries; one that is not there, or does not forward, is listed with the
reason.
"""
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "tests"),
                os.path.join(ROOT, "tests", "vm")]
from lab import Lab, LabError, built, wait_for
from measure import arguments, finish, running, table
from result import FLOOR, OURS, PEER, candidate

TARGET = 1.2
SECONDS = 0.5    # of a flood, virtual; settled before for SETTLE
SETTLE = 0.2
FLOOD = 1000000  # packets, unless it is stopped
AGAIN = 1000     # each skb of them
PINGS = 200
GAP = 0.002      # between them: each finds the forwarder asleep, if it sleeps
FRAME = bytes.fromhex("020000000103020000000100") + b"\x88\xb5" + bytes(46)
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python does not name it
MARK = "RESULT "
NICS = ("virtio", "igb", "e1000e")
CONFIG = """interface eth1, eth2 { mode native }
default pass
rule wire forward fallback drop
forwarder { wire eth1 eth2; workers 1; poll sleep; zero-copy %s }
"""


# ---- in the guest ---------------------------------------------------------

def counter(dev, name):
    with open("/sys/class/net/%s/statistics/%s" % (dev, name), encoding="ascii") as source:
        return int(source.read())


def carriers(lab):
    """igb and virtio lose theirs for a moment when a socket comes or goes."""
    def all_up():
        return all("LOWER_UP" in lab.output(["ip", "link", "show", "eth%d" % n])
                   for n in range(4))
    time.sleep(1)
    if not wait_for(all_up, 20):
        raise LabError("a NIC has no carrier")
    time.sleep(1)


def sink(lab, *devices):
    for dev in devices:
        lab.run(["ip", "link", "set", "dev", dev, "xdpdrv", "obj", built("drop.bpf.o"), "sec",
                 "xdp"])


def flood(sender, far):
    """(sent, arrived) a virtual second."""
    from pktgen import pktgen
    thread = threading.Thread(target=pktgen, args=(sender, "02:00:00:00:01:03", FLOOD, 0),
                              kwargs={"again": AGAIN})
    thread.start()
    try:
        time.sleep(SETTLE)
        start = time.monotonic()
        before = counter(sender, "tx_packets"), counter(far, "rx_packets")
        time.sleep(SECONDS)
        after = counter(sender, "tx_packets"), counter(far, "rx_packets")
        elapsed = time.monotonic() - start
    finally:
        with open("/proc/net/pktgen/pgctrl", "w", encoding="ascii") as out:
            out.write("stop\n")
        thread.join()
    return [(b - a) / elapsed for a, b in zip(before, after)]


def stamp(receiver):
    """When the next packet that came in was handed to the stack, in ns since 1970."""
    while True:
        _, control, _, address = receiver.recvmsg(2048, 64)
        if address[2] != socket.PACKET_OUTGOING:
            seconds, nanoseconds = struct.unpack("qq", control[0][2])
            return seconds * 1000000000 + nanoseconds


def latency(sender, far):
    """us from send() to the receiving driver: the median of PINGS, None if one was lost."""
    took = []
    receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
    with receiver, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        receiver.bind((far, 0x88b5))
        receiver.settimeout(1)
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        out.bind((sender, 0))
        for _ in range(PINGS):
            time.sleep(GAP)
            start = time.time_ns()
            out.send(FRAME)
            try:
                arrived = stamp(receiver)
            except socket.timeout:
                return None
            took.append((arrived - start) / 1e3)
    return statistics.median(took)


def measure(lab, far):
    """Of a forwarder that runs; the sink's program comes after the latency."""
    carriers(lab)
    result = {"latency_us": latency("eth0", far)}
    sink(lab, far)
    carriers(lab)
    result["sent"], result["pps"] = flood("eth0", far)
    lab.run(["ip", "link", "set", "dev", far, "xdp", "off"])
    return result


def take_alone(lab):
    """The sender and the sink, without a forwarder: one hub."""
    result = {"latency_us": latency("eth2", "eth3")}
    sink(lab, "eth3")
    carriers(lab)
    result["sent"], result["pps"] = flood("eth2", "eth3")
    lab.run(["ip", "link", "set", "dev", "eth3", "xdp", "off"])
    return result


def take_sluice(lab, zero_copy):
    path = lab.file("wire.conf", CONFIG % ("require" if zero_copy else "off"))
    lab.sluice("apply", path)
    log = open(lab.file("forwarder.log", ""), "r+", encoding="utf-8")
    proc = lab.popen([built("sluice-fwd"), "-c", path, "--json"], stderr=log)

    def said():
        log.seek(0)
        return log.read()

    try:
        if not wait_for(lambda: said().count("->") >= 2 or proc.poll() is not None, 10) or (
                proc.poll() is not None):
            raise LabError(said())
        result = measure(lab, "eth3")
    finally:
        lab.end(proc, signal.SIGTERM, 60)
        lines = proc.stdout.read().strip().splitlines()
        log.close()
        lab.sluice("down")
    if lines:
        worker = json.loads(lines[-1])["workers"][0]
        result["syscalls_per_packet"] = worker["syscalls_per_packet"]
        result["mode"] = worker["ports"][0]["mode"]
    return result


def take_peer(lab, argv, far, devices):
    log = lab.file("peer.log", "")
    with open(log, "w", encoding="utf-8") as out:
        proc = lab.popen(argv, stdout=out, stderr=subprocess.STDOUT)
    try:
        time.sleep(1)
        if proc.poll() is None:
            return measure(lab, far)
        with open(log, encoding="utf-8", errors="replace") as source:
            raise LabError(" ".join(source.read().split())[-200:] or "ended at once")
    finally:
        lab.end(proc, signal.SIGINT, 20)
        for dev in devices:
            lab.run(["ip", "link", "set", "dev", dev, "xdp", "off"], check=False)


def candidates(xdpsock, xsk_fwd):
    """{name: function of the lab}; a peer that was not named is None."""
    taken = {"alone": take_alone}
    for mode, flag, zero_copy in (("zero-copy", "-z", True), ("copy", "-c", False)):
        taken["sluice-fwd sleep, " + mode] = (
            lambda lab, zero_copy=zero_copy: take_sluice(lab, zero_copy))
        taken["bare loop, " + mode] = lambda lab, mode=mode: take_peer(
            lab, [built("driver-run"), built("verdict.bpf.o"), "eth1", mode, "forward", "600"],
            "eth0", ["eth1"])
        for poll in ("-p", ""):
            argv = [xdpsock, "-l", "-i", "eth1", "-q", "0", "-N", "-Q", flag] + poll.split()
            taken[" ".join(["xdpsock -l", flag, poll]).strip()] = xdpsock and (
                lambda lab, argv=argv: take_peer(lab, argv, "eth0", ["eth1"]))
    argv = [xsk_fwd, "-i", "eth1", "-q", "0", "-i", "eth2", "-q", "0", "-c", "0"]
    taken["xsk_fwd"] = xsk_fwd and (lambda lab: take_peer(lab, argv, "eth3", ["eth1", "eth2"]))
    return taken


def in_guest(module, xdpsock, xsk_fwd):
    from pktgen import up
    with Lab() as lab:
        if module:
            lab.run(["rmmod", "e1000e"])
            lab.run(["insmod", module])
        up(lab, *("eth%d" % n for n in range(4)))
        for n in range(4):
            lab.run(["ip", "link", "set", "eth%d" % n, "promisc", "on"])
        for name, take in candidates(xdpsock, xsk_fwd).items():
            if not take:
                result = {"why": "not named in the environment"}
            else:
                try:
                    result = take(lab)
                except (LabError, subprocess.SubprocessError) as fault:
                    result = {"why": str(fault)}
            print(MARK + json.dumps([name, result]), flush=True)


# ---- on the host ----------------------------------------------------------

def guest(kernel, nic):
    """{name: result} of one guest."""
    from guest_driver import MODULES
    module = built(MODULES[kernel]) if nic == "e1000e" else ""
    peers = [os.path.abspath(os.environ[name]) if os.environ.get(name) else ""
             for name in ("XDPSOCK", "XSK_FWD")]
    argv = [os.path.join(ROOT, "tests", "vm", "run"), "--icount", "--timeout", "3000", kernel,
            nic + ":4", os.path.abspath(__file__), "--guest", module] + peers
    proc = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    lines = proc.stdout.splitlines()
    found = dict(json.loads(line[len(MARK):]) for line in lines if line.startswith(MARK))
    if "alone" not in found or "pps" not in found["alone"]:
        raise LabError("%s: nothing measured\n%s" % (nic, "\n".join(lines[-20:])))
    return found


def own_us(result, alone):
    """Virtual us a packet forwarded that were not the sender's or the sink's."""
    return (1 - result["sent"] / alone["pps"]) / result["pps"] * 1e6


def row(name, result, alone):
    if not result.get("pps"):
        return [name, result.get("why", "forwards nothing").replace("\n", " ")[:60], "", "", "", ""]
    added = result["latency_us"]
    return [name, "%.0f" % result["pps"], "%.2f" % (result["pps"] / result["sent"]),
            "%.2f" % own_us(result, alone),
            "lost" if added is None else "%.0f" % (added - alone["latency_us"]),
            "%.4f" % result["syscalls_per_packet"] if "syscalls_per_packet" in result else ""]


def report(nic, found):
    alone = found["alone"]
    print("%s: a sender and a sink alone: %.0f packets/s, %.0f us" % (
        nic, alone["pps"], alone["latency_us"]))
    table(["forwarder", "pps", "of sent", "own us", "added us", "syscalls/packet"],
          [row(name, result, alone) for name, result in found.items() if name != "alone"])
    for mode, flag in (("zero-copy", "-z"), ("copy", "-c")):
        ours = found["sluice-fwd sleep, " + mode]
        for name, peer in found.items():
            if name.startswith("xdpsock -l " + flag) and peer.get("pps") and ours.get("pps"):
                share = ours["pps"] / peer["pps"]
                print("%s, sluice-fwd / %s: %.2f%s; own time %.2f" % (
                    mode, name, share, "" if mode == "copy" else "; target %.1f: %s" % (
                        TARGET, "met" if share >= TARGET else "MISSED"),
                    own_us(ours, alone) / own_us(peer, alone)))


def role(name):
    return OURS if name.startswith("sluice") else FLOOR if name.startswith("bare") else PEER


def figures(result, nic, found):
    """What the table shows, for the file: one sample each, so no verdict is drawn of it."""
    alone = found["alone"]
    shown = {name: one for name, one in found.items() if name != "alone" and one.get("pps")}
    for name, one in found.items():
        if name not in shown and name != "alone":
            result.lacks("%s, %s" % (nic, name), row(name, one, alone)[1])
    for what, unit, better, value in (
            ("forwarded in a virtual second", "packets/s", "more", lambda one: one["pps"]),
            ("own time of a packet", "us", "less", lambda one: own_us(one, alone))):
        result.figure(what, unit, better, [
            candidate(name, role(name), [{name: one}], (), value)
            for name, one in shown.items()], at={"NIC": nic})


def main():
    parser = arguments(__doc__)
    parser.add_argument("--kernel", default="newest")
    parser.add_argument("nic", nargs="*", default=list(NICS))
    options = parser.parse_args()
    with running("guest_forward", "sluice-fwd beside xdpsock and xsk_fwd in a guest",
                 clock="virtual", traffic="pktgen, in the guest") as result:
        results = {}
        for nic in options.nic:
            results[nic] = guest(options.kernel, nic)
            report(nic, results[nic])
            figures(result, nic, results[nic])
        result.details(kernel=options.kernel, nics=results)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--guest"]:
        in_guest(*sys.argv[2:5])
    else:
        finish(main)
