#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with two NICs on one hub: Linux's own tests of XDP, AF_XDP and of
NIC drivers, as tests/vm/judges.py built them from the guest's kernel's source.

    guest_judges.py [--module KO] FOLDER JUDGE[:CASE]...

    --module KO     the NICs by this e1000e in place of the kernel's own
    JUDGE           skb, drv or zc (xskxceiver in that mode), or a test in Python:
                    xdp, queues, napi_id, ping
    CASE            these of its cases alone, a pattern: zc:*_RING_SIZE, xdp:*_tx_*

    eth0 ---- hub ---- eth1         (Python: eth1 in a namespace, the remote end)

Each case of a judge is a test here. What a judge skips is skipped, with its
reason. A case that fails everywhere (KNOWN: stock drivers, too) is skipped with
that reason; if it passes all the same, that is said. One that spoils the guest's
kernel whatever the driver (SPOILS) is not run. Root.
"""
import argparse
import fnmatch
import os
import re
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)
from lab import Lab
from pktgen import up
from tap import Tap, check

SELFTESTS = "tools/testing/selftests"
MODES = ("skb", "drv", "zc")
CASE = re.compile(r"(not )?ok (\d+)(?: (?!# )(.*?))?(?: # (SKIP|XFAIL)\b *(.*))?")
SECONDS = {"xdp": 3000, "ping": 1800}
CASE_SECONDS = 90  # of xskxceiver, for each case, which gives up after 20 by itself
KNOWN_SECONDS = 15  # two waits of 5 s for the link, and some
HUGEPAGES = 128
REMOTE = "remote"
# Kernel, judges, what their case is named like -> why it fails whatever the driver.
KNOWN = {
    ("6.12", "zc", "_INV_DESC"): "Debian's 6.12 completes invalid descriptors, as 7.x does, and "
                                 "its test expects them not to be",
    ("newest", "skb|drv|zc", "HW_SW_MAX_RING_SIZE"):
        "waits to have as many descriptors of its Tx ring of 2,048 at once as the NIC has, less 8",
}
# The same, of one case.
SPOILS = {
    ("newest", "skb", "XDP_ADJUST_TAIL_SHRINK_MULTI_BUFF"):
        "it leaves bad pages, as with virtio_net: generic XDP copies a long frame into pages of "
        "the system's page pool, and bpf_xdp_adjust_tail() frees them as if they were of none",
}


def known(judge, name):
    return next((why for (kernel, of, like), why in KNOWN.items() if re.fullmatch(of, judge)
                 and kernel == os.environ.get("SLUICE_GUEST") and re.search(like, name)), None)


def take(tap, judge, line, own=None):
    """Passes one line of a judge on; 1 if it was a case (`own`: a better name than its)."""
    case = CASE.fullmatch(line)
    if not case:
        tap.diag(line[2:] if line.startswith("# ") else line)
        return 0
    failed, _, name, directive, reason = case.groups()
    name = own or name
    label, why = "%s: %s" % (judge, name), known(judge, name)
    if directive:
        tap.skip(label, reason or "the judge says no more")
    elif failed and why:
        tap.skip(label, "fails: " + why)
    else:
        tap.ok(not failed, label)
        if why:
            tap.diag("%s: passes, though it is known to fail: %s" % (label, why))
    return 1


def started(argv, seconds, **options):
    return subprocess.Popen(["timeout", "--kill-after=5", str(seconds)] + argv,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", **options)


def judged(tap, judge, argv, **options):
    """Runs a judge; the number of its cases must be what it planned."""
    seen, plan = 0, None
    with started(argv, SECONDS.get(judge, 900), **options) as proc:
        for line in proc.stdout:
            line = line.rstrip()
            planned = re.fullmatch(r"1\.\.(\d+)", line)
            if planned:
                plan = int(planned.group(1))
            else:
                seen += take(tap, judge, line)
    tap.ok(plan == seen and seen > 0, judge + ": reaches its end",
           "%s cases of %s, exit status %d" % (seen, plan, proc.returncode))


def module(lab, path):
    """The NICs again, driven by that module."""
    lab.run(["rmmod", "e1000e"])
    lab.run(["insmod", path])
    with open("/proc/modules", encoding="ascii") as source:
        check([line.split()[-1] for line in source if line.startswith("e1000e ")], ["(OE)"],
              "the flags of the loaded module")


def one_queue(lab):
    """xskxceiver binds to queue 0, and takes what comes to any address."""
    for dev in ("eth0", "eth1"):
        lab.run(["ethtool", "-L", dev, "combined", "1"], check=False)  # e1000e has but one
        lab.run(["ip", "link", "set", dev, "promisc", "on"])


def linked(tap, lab):
    """Both links. In virtual time all of the wait may pass while the host gives
    the guest `ip` to read: so look again before they are said to be lost."""
    try:
        up(lab, "eth0", "eth1")
    except AssertionError as fault:
        tap.diag("%s at first" % fault)
        up(lab, "eth0", "eth1")


def xskxceiver(tap, lab, folder, mode, only):
    """Each case by itself: one that gives up, or hangs, ends no other."""
    options = {"cwd": os.path.join(folder, SELFTESTS, "bpf")}
    argv = ["./xskxceiver", "-i", "eth0", "-i", "eth1"]
    with started(argv + ["-l"], CASE_SECONDS, **options) as proc:
        cases = [case for case in re.findall(r"^(\d+): (\w+)$", proc.stdout.read(), re.M)
                 if fnmatch.fnmatchcase(case[1], only or "*")]
    tap.ok(cases, mode + ": names its cases")
    for number, name in cases:
        spoils = SPOILS.get((os.environ.get("SLUICE_GUEST"), mode, name))
        if spoils:
            tap.skip("%s: %s" % (mode, name), "not run: " + spoils)
            continue
        for dev in ("eth0", "eth1"):  # where the case before has not
            for kind in ("xdpgeneric", "xdpdrv"):
                lab.run(["ip", "link", "set", dev, kind, "off"])
            lab.run(["ip", "link", "set", dev, "mtu", "1500"])
        linked(tap, lab)
        one_queue(lab)
        why = known(mode, name)
        with started(argv + ["-m", mode, "-t", number], KNOWN_SECONDS if why else CASE_SECONDS,
                     **options) as proc:
            said = proc.stdout.read().splitlines()
        found = [line for line in said if CASE.fullmatch(line)]
        for line in said:
            if line not in found and line.startswith("#") and "Totals:" not in line:
                tap.diag(line[2:])
        if len(found) == 1:
            take(tap, mode, found[0], name)
        elif why:
            tap.skip("%s: %s" % (mode, name), "fails: " + why)
        else:
            tap.ok(False, "%s: %s" % (mode, name),
                   "%d results, exit status %d" % (len(found), proc.returncode))


def remote(lab):
    """eth1 becomes the remote end, addresses on both."""
    lab.run(["ip", "netns", "add", REMOTE])
    lab.run(["ip", "link", "set", "eth1", "netns", REMOTE, "promisc", "off"])
    lab.run(["ip", "link", "set", "eth0", "promisc", "off"])
    with open("/proc/sys/net/ipv6/conf/eth0/keep_addr_on_down", "w", encoding="ascii") as out:
        out.write("1\n")  # queues.py takes it down
    for dev, last, ip in (("eth0", 1, ["ip"]), ("eth1", 2, ["ip", "-n", REMOTE])):
        for address in ("192.0.2.%d/24" % last, "2001:db8::%d/64" % last):
            extra = ["nodad"] if ":" in address else []
            lab.run(ip + ["address", "add", address, "dev", dev] + extra)
        lab.run(ip + ["link", "set", dev, "up"])
    return dict(os.environ, NETIF="eth0", REMOTE_TYPE="netns", REMOTE_ARGS=REMOTE,
                LOCAL_V4="192.0.2.1", REMOTE_V4="192.0.2.2",
                LOCAL_V6="2001:db8::1", REMOTE_V6="2001:db8::2")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--module")
    parser.add_argument("folder")
    parser.add_argument("judges", nargs="+", metavar="JUDGE")
    options = parser.parse_args()
    tap = Tap()
    with open("/proc/sys/vm/nr_hugepages", "w", encoding="ascii") as out:
        out.write("%d\n" % HUGEPAGES)
    with Lab() as lab:
        if options.module:
            with tap.case("the patched module replaces the kernel's"):
                module(lab, options.module)
        environment = None
        for judge in options.judges:
            judge, _, only = judge.partition(":")
            if judge in MODES:
                xskxceiver(tap, lab, options.folder, judge, only)
                continue
            environment = environment or remote(lab)
            judged(tap, judge,
                   ["/usr/bin/python3", judge + ".py"] + (["-t", only] if only else []),
                   env=environment, cwd=os.path.join(options.folder, SELFTESTS, "drivers/net"))
    tap.done()


if __name__ == "__main__":
    main()
