#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with two NICs on one hub, one processor, time that is
instructions: what a received packet costs. For bench/driver.py. Root.

    guest.py [--module KO] CASE...      a case: "native drop", as MODE[+fresh] ACTION

    eth0 (pktgen, no pause) ---- hub ---- eth1 (CASE)

pktgen addresses eth1, and nothing here changes a frame: what eth1 sends back
is not eth0's, whose filter (of the device) drops it at no cost to the guest. That
filter has a hash of multicast groups, too, which must not match: MAC. It sends an
skb again and again: to make one for each packet would cost the processor that
both share more than most ways to receive it. With "+fresh" it makes one for each.
Prints a line of JSON for each case.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests/vm")]
from lab import Lab, built, wait_for
from pktgen import pktgen, up

# Hashed it is 0x011. The lab's own (02:00:00:00:01:01) is 0x010, as is 224.0.0.1.
MAC = "02:00:00:00:10:01"
PACKETS = 100000  # what waits in rings at the end is 0.3 % of it
AGAIN = 1000
SETTLE_S = 1
# For busy polling: several times driver-run's pause. Until the first frame has told the
# socket whom to poll this is how long one waits: not longer than QEMU's queue (10,000) holds.
BUSY = {"napi_defer_hard_irqs": 100, "gro_flush_timeout": 2000000}


def statistic(dev, name):
    with open("/sys/class/net/%s/statistics/%s" % (dev, name), encoding="ascii") as source:
        return int(source.read())


def interrupts(dev):
    with open("/proc/interrupts", encoding="ascii") as source:
        return sum(int(line.split()[1]) for line in source
                   if re.search(r"\b%s\b" % dev, line))


def send(mac, again):
    """(packets, ns) of one run of pktgen."""
    sent = pktgen("eth0", mac, PACKETS, 0, again=again)
    with open("/proc/net/pktgen/eth0", encoding="ascii") as source:
        return sent, int(re.search(r"OK: (\d+)\(", source.read()).group(1)) * 1000


def measure(mac, dev, again=AGAIN):
    """One run; dev: whose interrupts and packets are counted, or None."""
    def state():
        found = [statistic("eth0", "rx_packets")]
        if dev:
            found += [interrupts(dev), statistic(dev, "rx_packets"), statistic(dev, "tx_packets")]
        return found
    before = state()
    sent, ns = send(mac, again)
    time.sleep(SETTLE_S)
    names = ("back_at_sender", "interrupts", "received", "sent_back")
    return {"sent": sent, "ns": ns,
            **dict(zip(names, (b - a for a, b in zip(before, state()))))}


def poll_busily(dev, values):
    for name, value in values.items():
        with open("/sys/class/net/%s/%s" % (dev, name), "w", encoding="ascii") as out:
            out.write(str(value))


class Receiver:
    """driver-run on eth1 while the block runs; its own count after it."""

    def __init__(self, lab, mode, action):
        self.lab, self.own = lab, {}
        if mode.endswith("busy"):
            poll_busily("eth1", BUSY)
        self.argv = [built("driver-run"), built("verdict.bpf.o"), "eth1", mode, action, "600"]

    def __enter__(self):
        self.proc = subprocess.Popen(self.argv, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True)
        if self.proc.stdout.readline().strip() != "ready":
            raise RuntimeError(self.proc.communicate()[1].strip())
        carrier(self.lab)  # some drivers reset the device for a program
        return self

    def __exit__(self, *_exc):
        self.proc.terminate()
        self.own = json.loads(self.proc.communicate()[0] or "{}")
        poll_busily("eth1", dict.fromkeys(BUSY, 0))


def carrier(lab):
    for dev in ("eth0", "eth1"):
        if not wait_for(lambda dev=dev: "LOWER_UP" in lab.output(["ip", "link", "show", dev])):
            raise RuntimeError(dev + ": no carrier")
    time.sleep(SETTLE_S)


def case(lab, mac, mode, action):
    mode, _, fresh = mode.partition("+")
    again = 0 if fresh else AGAIN
    if (mode, action) == ("sender", "alone"):
        lab.run(["ip", "link", "set", "eth1", "down"])
        row = measure(mac, None, again)
        lab.run(["ip", "link", "set", "eth1", "up"])
        carrier(lab)
        return row
    if mode == "stack":
        return measure(mac, "eth1", again)
    receiver = Receiver(lab, mode, action)
    with receiver:
        row = measure(mac, "eth1", again)
    if mode.startswith(("copy", "zero-copy")):
        row["sent_back"] = receiver.own.pop("sent")
        row.update(receiver.own)
    carrier(lab)
    return row


def dpdk(lab, mac, action):
    """testpmd with the device's own driver (net_e1000_em), polling on the sender's processor."""
    device = os.path.basename(os.readlink("/sys/class/net/eth1/device"))
    at = "/sys/bus/pci/devices/" + device
    for path, text in (("/proc/sys/vm/nr_hugepages", "256"), (at + "/driver/unbind", device),
                       (at + "/driver_override", "uio_pci_generic"),
                       ("/sys/bus/pci/drivers_probe", device)):
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
    os.makedirs("/run/huge", exist_ok=True)
    lab.run(["mount", "-t", "hugetlbfs", "none", "/run/huge"])
    mode = {"drop": "rxonly", "forward": "io"}[action]
    argv = ["dpdk-testpmd", "--lcores", "0@0,1@0", "--huge-dir", "/run/huge", "--no-telemetry",
            "-a", device, "--", "--nb-cores=1", "--auto-start", "--forward-mode=" + mode,
            "--total-num-mbufs=4096", "--stats-period=3600"]
    with open("/run/testpmd", "w", encoding="utf-8") as log:
        proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log,
                                stderr=subprocess.STDOUT)
    def says(text):
        with open("/run/testpmd", encoding="utf-8", errors="replace") as source:
            return text in source.read()
    if not wait_for(lambda: says("Port statistics") or says("packet forwarding") and
                    says("Done"), 60):
        proc.kill()
        with open("/run/testpmd", encoding="utf-8", errors="replace") as source:
            raise RuntimeError("testpmd: " + source.read()[-600:])
    time.sleep(SETTLE_S)
    row = measure(mac, None)
    proc.terminate()
    proc.wait(60)
    with open("/run/testpmd", encoding="utf-8", errors="replace") as source:
        text = source.read()
    found = re.findall(r"RX-packets: (\d+)", text), re.findall(r"TX-packets: (\d+)", text)
    row["received"] = max(int(n) for n in found[0])
    row["sent_back"] = max(int(n) for n in found[1])
    row["interrupts"] = 0
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--module")
    parser.add_argument("cases", nargs="+")
    options = parser.parse_args()
    with Lab() as lab:
        if options.module:
            lab.run(["rmmod", "e1000e"])
            lab.run(["insmod", options.module])
        lab.run(["ip", "link", "set", "eth1", "address", MAC])
        up(lab, "eth0", "eth1")
        for dev in ("eth0", "eth1"):
            lab.run(["ethtool", "-L", dev, "combined", "1"], check=False)
        carrier(lab)
        for name in options.cases:
            mode, action = name.split()
            try:
                row = dpdk(lab, MAC, action) if mode == "dpdk" else case(lab, MAC, mode, action)
            except RuntimeError as why:
                row = {"refused": str(why)}
            print("figure " + json.dumps({"case": name, **row}), flush=True)


if __name__ == "__main__":
    main()
