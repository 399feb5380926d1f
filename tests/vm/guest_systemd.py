#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a Debian that has booted with Sluice's packages (system.py), by a systemd that is real: the
filter before the network, the forwarder under its watchdog and hardening. Four NICs; root.

    eth0 ---- hub ---- eth1 (box) eth2 ---- hub ---- eth3
"""
import json
import os
import re
import signal
import socket
import sys
import urllib.request

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "oracle")]
os.environ["SLUICE_BUILD"] = "/usr/sbin"
from lab import Lab, children, wait_for
from pktgen import up
from tap import Tap, check

import frames as raw

CONFIG = "/etc/sluice/sluice.conf"
UNIT = "sluice-fwd@wire.service"
COUNT = 50
ETH_P_ALL = 3
EXPORTER = "sluice-exporter.service"
EXPOSURE_MAX = {UNIT: 2.4, EXPORTER: 2.0}


def packet_socket(dev, proto):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(proto))
    sock.bind((dev, proto))
    return sock


class System:
    def __init__(self, lab):
        self.lab = lab

    def ctl(self, *words, fine=True):
        return self.lab.run(["systemctl", "--no-pager"] + list(words), check=fine, timeout=120)

    def show(self, unit, name):
        return self.ctl("show", "--value", "-p", name, unit).stdout.strip()

    def state(self, unit):
        return self.show(unit, "ActiveState"), self.show(unit, "Result")

    def journal(self, unit):
        return self.lab.output(["journalctl", "-b", "--no-pager", "-o", "cat", "-u", unit])

    def attached(self):
        found = self.lab.sluice_json("status", "--json")["interfaces"]
        return sorted(one["name"] for one in found if one.get("program") or one.get("generation"))

    def is_hard(self, unit):
        text = self.lab.output(["systemd-analyze", "--no-pager", "security", unit], timeout=60)
        exposure = float(re.search(r"exposure level for \S+: ([0-9.]+)", text).group(1))
        check(exposure <= EXPOSURE_MAX[unit], True, "%s: exposure %.1f" % (unit, exposure))

    def crosses(self):
        """COUNT datagrams to port 9 reach the far end, those to port 7 do not."""
        seen, mac = [], self.lab.mac(None, "eth3")
        with packet_socket("eth3", ETH_P_ALL) as far:
            with packet_socket("eth0", 0) as near:
                for number in range(COUNT):
                    # To the MAC, because a NIC is not promiscuous by itself.
                    near.send(raw.datagram(7, number, dst=mac))
                    near.send(raw.datagram(9, number, dst=mac))
            far.settimeout(5)
            while len(seen) < COUNT:
                frame = far.recv(2048)  # TimeoutError is the test's failure
                if frame[12:14] == b"\x08\x00" and frame[23] == 17:
                    seen.append(int.from_bytes(frame[36:38], "big"))
        check(set(seen), {9}, "ports that came through")


def fields(system):
    """What the forwarder says is found by interface and generation."""
    lines = system.lab.output(["journalctl", "-b", "-o", "json", "-u", UNIT,
                               "SLUICE_INTERFACE=eth1"]).splitlines()
    found = [json.loads(line) for line in lines]
    running = system.lab.sluice_json("stats", "--json")["interfaces"][0]["generation"]
    check({(one["SLUICE_GENERATION"], one["_SYSTEMD_UNIT"]) for one in found
           if "queue 0" in one["MESSAGE"]}, {(str(running), UNIT)}, "of eth1's queue")


def exports(system):
    """By the socket: who asks starts it, behind all that its unit takes away."""
    system.ctl("start", "sluice-exporter.socket")
    check(system.state(EXPORTER)[0], "inactive", "nobody has asked")
    with urllib.request.urlopen("http://127.0.0.1:9435/metrics", timeout=60) as answer:
        text = answer.read().decode()
    check(system.state(EXPORTER), ("active", "success"), EXPORTER)
    for line in ('sluice_interface_up{interface="eth1"} 1',
                 'sluice_forwarder_accounted{forwarder="/etc/sluice/wire.conf"} 1',
                 "sluice_exporter_failures_total 0"):
        check(line in text.splitlines(), True, line)
    check(bool(re.search(r'sluice_cpu_ksoftirqd_run_seconds_total\{cpu="0"\} [\d.]+', text)), True,
          "a kernel thread's time")
    with urllib.request.urlopen("http://127.0.0.1:9435/", timeout=60) as answer:
        check(b"<html" in answer.read(), True, "the page")
    check("signal 31" in system.journal(EXPORTER), False, "a system call that it lacks")
    system.is_hard(EXPORTER)


def boots(system):
    """Attached before the network was brought up, from the file."""
    check(system.state("sluice.service"), ("active", "success"), "sluice.service")
    filters, network = (int(system.show(name, "ActiveEnterTimestampMonotonic"))
                        for name in ("sluice.service", "network-pre.target"))
    check(0 < filters < network, True, "the filter at %d us, the network from %d us on" % (
        filters, network))
    check(system.attached(), ["eth1", "eth2"], "interfaces with the filter")


def forwards(system):
    up(system.lab, "eth0", "eth1", "eth2", "eth3")
    system.ctl("start", UNIT)
    check(system.state(UNIT), ("active", "success"), UNIT)
    text = system.show(UNIT, "StatusText")
    check(bool(re.fullmatch(r"Forwarding: interfaces 2, queues 2 \(zero-copy \d\), workers 1, "
                            "poll sleep", text)), True, "its status: " + text)
    system.crosses()


def reloads(system):
    pid = system.show(UNIT, "MainPID")
    system.ctl("reload", UNIT)
    check(wait_for(lambda: system.state(UNIT) == ("active", "success"), 10), True, "active")
    check(system.show(UNIT, "MainPID"), pid, "the process")
    system.crosses()


def restarts(system):
    """A data plane that stands still is found, and another one comes."""
    drop_in = "/run/systemd/system/%s.d" % UNIT
    os.makedirs(drop_in)
    with open(drop_in + "/fast.conf", "w", encoding="ascii") as out:
        out.write("[Service]\nWatchdogSec=4\n")
    system.ctl("daemon-reload")
    system.ctl("restart", UNIT)
    pid = system.show(UNIT, "MainPID")
    os.kill(children(int(pid))[0], signal.SIGSTOP)  # the data plane
    check(wait_for(lambda: system.show(UNIT, "NRestarts") == "1"
                   and system.state(UNIT)[0] == "active", 30), True, "it was restarted")
    check(system.show(UNIT, "MainPID") != pid, True, "by another process")
    system.crosses()


def hardened(system):
    system.is_hard(UNIT)
    pid = system.show(UNIT, "MainPID")
    with open("/proc/%s/status" % pid, encoding="ascii") as text:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in text if ":\t" in line)
    check((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"), "the agent: seccomp, no new")
    check(bin(int(status["CapBnd"], 16)).count("1"), 3, "capabilities that it may have")


def stops(system):
    system.ctl("stop", UNIT)
    check(system.state(UNIT), ("inactive", "success"), UNIT)
    said = system.journal(UNIT)
    check("missing" in said or "not sent" in said, False, "frames missing: " + said)


def refuses(system):
    """A file that is wrong at boot leaves what was confirmed last, and a failed unit."""
    with open(CONFIG, encoding="ascii") as file:
        good = file.read()
    with open(CONFIG, "w", encoding="ascii") as out:
        out.write("rule {\n")
    try:
        check(system.ctl("reload", "sluice.service", fine=False).returncode != 0, True,
              "a reload fails")
        check(system.attached(), ["eth1", "eth2"], "after it")
        system.ctl("stop", "sluice.service")
        check(system.attached(), [], "after the stop")
        system.ctl("start", "sluice.service", fine=False)
        check(system.state("sluice.service")[0], "failed", "the unit")
        check(system.attached(), ["eth1", "eth2"], "interfaces with the filter, all the same")
        rules = system.lab.output(["/usr/sbin/sluice", "show"])
        check("rule seven drop udp to any port 7" in rules, True, "the rules: " + rules)
        said = system.journal("sluice.service")
        check(CONFIG in said and "confirmed last" in said, True, "what it says: " + said)
    finally:
        with open(CONFIG, "w", encoding="ascii") as out:
            out.write(good)


def audited(system):
    """Who did it, in fields."""
    lines = system.lab.output(["journalctl", "-b", "-o", "json", "SLUICE_ACTION=apply"])
    last = json.loads(lines.splitlines()[-1])
    check((last["SLUICE_UID"], last["SLUICE_USER"]), ("0", "root"), "who applied")


def main():
    tap = Tap()
    with Lab() as lab:
        system = System(lab)
        # Not --wait: this test is one of its services.
        wait_for(lambda: system.show("multi-user.target", "ActiveState") == "active", 60)
        for test in (boots, forwards, fields, exports, reloads, restarts, hardened, stops, refuses,
                     audited):
            with tap.case(test.__name__):
                test(system)
        if tap.failed:
            tap.diag(lab.output(["journalctl", "-b", "--no-pager", "-n", "60", "-u",
                                 "sluice*"]))
    tap.done()


if __name__ == "__main__":
    main()
