#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with two NICs on one hub: what else touches the rings of the
patched e1000e, with a program attached. Root.

    guest_e1000e.py --module KO     the one built for this kernel

    eth0 (sends) ---- hub ---- eth1 (native XDP)

Not suspend and resume: the guest's root is on virtio-9p, which the kernel's
drivers do not bring back (RESULTS.md says what was seen by hand).
"""
import os
import socket
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "oracle")]
import guest_driver as driver
import guest_judges
from lab import SO_RCVBUFFORCE, Lab, built, wait_for
from pktgen import up
from tap import Tap, check

PIN = "/sys/fs/bpf/pass"
JUMBO = 9000
MESSAGES = 200  # of netconsole
NETCONSOLE = "@192.0.2.1/eth1,6666@192.0.2.2/%s"


def mac(lab, dev):
    return bytes.fromhex(lab.link(None, dev)["address"].replace(":", ""))


def exchange(lab, bodies, ethertype=driver.ETHERTYPE):
    """Sends payloads from eth0; those that eth1's stack got (it takes a tag off by itself)."""
    head = mac(lab, "eth1") + mac(lab, "eth0")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as source, \
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sink:
        sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        sink.bind(("eth1", 0))
        sink.settimeout(5)
        source.bind(("eth0", 0))
        got = []
        for body in bodies:
            source.send(head + ethertype.to_bytes(2, "big") + body)
            try:
                while True:
                    seen = sink.recv(JUMBO + 64)
                    if seen[12:14] == driver.ETHERTYPE.to_bytes(2, "big"):
                        got.append(seen[14:])
                        break
            except socket.timeout:
                got.append(None)
        return got


def settled(lab):
    """Both links are up, and frames of every length pass."""
    for dev in ("eth0", "eth1"):
        if not wait_for(lambda dev=dev: "LOWER_UP" in lab.output(["ip", "link", "show", dev]),
                        20):
            raise AssertionError(dev + ": no carrier")
    time.sleep(1)
    driver.carried(lab)


def offline(lab):
    """Each part of the offline test, and whether it passes: QEMU's 82574L passes not all of
    them. The code of the interrupt part depends on the host's load."""
    done = lab.run(["ethtool", "-t", "eth1", "offline"], check=False, timeout=300)
    found = [(line.split()[0], line.split()[-1] == "0") for line in done.stdout.splitlines()
             if "offline)" in line]
    check(len(found), 5, "parts that it reports: " + done.stdout + done.stderr)
    return found


def selftests(tap, lab, stock):
    with tap.case("ethtool -t, with a program: online, and offline"):
        check("PASS" in lab.output(["ethtool", "-t", "eth1", "online"], timeout=120), True,
              "the online test's result")
        # Offline it takes the rings for its loopback test, and gives them back.
        check(offline(lab), stock, "the offline test, as of the kernel's own driver")
        check(driver.xdp(lab, "eth1"), 1, "native mode after it")
        settled(lab)
    with tap.case("ethtool -L: there is one queue, and that is said"):
        done = lab.run(["ethtool", "-L", "eth1", "combined", "2"], check=False)
        check(done.returncode != 0, True, "refused: " + done.stderr)
        settled(lab)


def odd(tap, lab):
    with tap.case("runts are padded on their way, by zeros"):
        bodies = [bytes([n + 1] * n) for n in range(3, 46)]
        check(exchange(lab, bodies), [body.ljust(46, b"\0") for body in bodies], "payloads")
    with tap.case("a frame whose tag the hardware does not take arrives"):
        lab.run(["ethtool", "-K", "eth1", "rxvlan", "off"])
        lab.run(["ethtool", "-K", "eth1", "rx-vlan-filter", "off"], check=False)
        bodies = [b"\x00\x07" + driver.ETHERTYPE.to_bytes(2, "big") + bytes([n % 256] * n)
                  for n in range(60, 1500, 97)]
        check(exchange(lab, bodies, 0x8100), [body[4:] for body in bodies], "payloads")
        lab.run(["ethtool", "-K", "eth1", "rxvlan", "on"])
    with tap.case("an MTU of %d without a program, and back to a program" % JUMBO):
        lab.run(["ip", "link", "set", "eth1", "xdpdrv", "off"])
        for dev in ("eth0", "eth1"):
            lab.run(["ip", "link", "set", dev, "mtu", str(JUMBO)])
        time.sleep(3)
        bodies = [bytes((n + i) & 255 for i in range(n)) for n in (60, 1500, 1501, 4096, JUMBO)]
        check(exchange(lab, bodies) == bodies, True, "each payload, unchanged")
        for dev in ("eth0", "eth1"):
            lab.run(["ip", "link", "set", dev, "mtu", "1500"])
        lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", PIN])
        settled(lab)


def netpoll(tap, lab):
    with tap.case("netpoll: netconsole sends through eth1 while it receives"):
        lab.run(["ip", "address", "add", "192.0.2.1/24", "dev", "eth1"])
        to = NETCONSOLE % lab.link(None, "eth0")["address"]
        lab.run(["modprobe", "-d", kernel_folder(), "netconsole", "netconsole=" + to])
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sink:
            sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
            sink.bind(("eth0", 0))
            sink.settimeout(5)
            with driver.Load(lab.link(None, "eth1")["address"]):
                for number in range(MESSAGES):
                    with open("/dev/kmsg", "w", encoding="ascii") as out:
                        out.write("<1>netpoll %d\n" % number)
            seen = set()
            try:
                while len(seen) < MESSAGES:
                    data = sink.recv(2048)
                    mark = data.find(b"netpoll ")
                    if mark > 0 and data[6:12] == mac(lab, "eth1"):
                        seen.add(data[mark:].split(b"\n")[0])
            except socket.timeout:
                pass
        lab.run(["rmmod", "netconsole"])
        # It gives up on a full ring, so under load some may be missing, but not many.
        check(len(seen) >= MESSAGES // 2, True, "messages at eth0: %d of %d" % (
            len(seen), MESSAGES))
        settled(lab)


def kernel_folder():
    with open("/run/results/kernel", encoding="utf-8") as source:
        return source.read().strip()


def main():
    tap = Tap()
    with Lab() as lab:
        up(lab, "eth0", "eth1")
        stock = offline(lab)
        with tap.case("the patched module replaces the kernel's"):
            guest_judges.module(lab, sys.argv[2])
        up(lab, "eth0", "eth1")
        subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)
        lab.run(["bpftool", "prog", "load", built("pass.bpf.o"), PIN], timeout=120)
        lab.run(["ip", "link", "set", "eth1", "xdpdrv", "pinned", PIN])
        settled(lab)
        selftests(tap, lab, stock)
        odd(tap, lab)
        netpoll(tap, lab)
    tap.done()


if __name__ == "__main__":
    main()
