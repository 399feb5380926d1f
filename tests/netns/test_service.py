#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The forwarder as a service: what it tells the service manager, whose part is played by this
test, and that what its unit leaves it is enough. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
                        \\_ wire _/
"""
import os
import re
import shutil
import signal
import socket
import time

from network import TESTS, two_sides
from lab import Lab, built, wait_for
from tap import Tap
from test_forwarder import WIRE, Forwarder, accounted, datagram, passes
from test_stages import shared_object

UNIT = os.path.join(TESTS, "..", "config", "systemd", "sluice-fwd@.service")
WATCHDOG_S = 2
EXPOSURE_MAX = 2.4
# Hangs on a datagram whose last byte is 1.
HANGER = """
#include <sluice/stage.h>
static volatile int forever = 1;
static void process(void *state, const struct sl_stage_burst *burst)
{
	(void)state;
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct iovec *all = burst->packets[i].buffers;
		while (forever && ((const uint8_t *)all->iov_base)[all->iov_len - 1] == 1)
			;
	}
}
const struct sl_stage_object sluice_stage = { SL_STAGE_ABI, 0, 0, process, 0 };
"""


# Where a journal would listen, in a mount namespace of its own.
JOURNAL = """
import os, socket, subprocess, sys
os.makedirs("/run/systemd/journal")
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
s.settimeout(0.2)
with open(sys.argv[1], "w") as err:
    found = os.fstat(err.fileno())
    os.environ["JOURNAL_STREAM"] = "%d:%d" % (found.st_dev, found.st_ino)
    subprocess.run(sys.argv[2:], stderr=err, stdout=subprocess.DEVNULL, timeout=60, check=False)
while True:
    try:
        print(s.recv(65536).decode("utf-8", "replace") + "--")
    except socket.timeout:
        break
"""


class Manager:
    """The socket that NOTIFY_SOCKET names, and what came there, in order."""

    def __init__(self, lab):
        self.path = os.path.join(lab.dir, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.told = []

    def read(self):
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except BlockingIOError:
                return self.told
            self.told += [line for line in text.splitlines()
                          if not line.startswith("MONOTONIC_USEC=")]

    def count(self, line):
        return self.read().count(line)

    def awaits(self, line, more=1, timeout=5):
        """Whether the line comes so many times more."""
        want = self.count(line) + more
        return wait_for(lambda: self.count(line) >= want, timeout)


class Service(Forwarder):
    """Started as the manager would, under `wrap`."""

    def __init__(self, lab, manager, text=WIRE, wrap=()):
        self.wrap = ["env", "NOTIFY_SOCKET=" + manager.path,
                     "WATCHDOG_USEC=%d" % (WATCHDOG_S * 1000000)] + list(wrap)
        super().__init__(lab, text)

    def command(self):
        return self.wrap + super().command()


def unit(key):
    with open(UNIT, encoding="ascii") as file:
        return " ".join(re.findall("^%s=(.*)$" % key, file.read(), re.M))


def notifies(tap):
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        manager = Manager(lab)
        service = Service(lab, manager)
        wait_for(lambda: "READY=1" in manager.read())
        tap.equal(manager.read()[:2], ["READY=1", "STATUS=Forwarding: interfaces 2, queues 2 "
                                       "(zero-copy 0), workers 1, poll sleep"],
                  "ready, and what forwards, is the first that it tells")
        tap.equal(passes(lab), 200, "from then on datagrams pass")
        tap.ok(manager.awaits("WATCHDOG=1", 3, 4 * WATCHDOG_S), "it tells that it lives",
               manager.told)
        for label, text in (("reload", WIRE), ("a reload that is refused", "wire {")):
            lab.file("forwarder.conf", text)
            del manager.told[:]
            service.proc.send_signal(signal.SIGHUP)
            wait_for(lambda: "READY=1" in manager.read())
            tap.equal([line for line in manager.told if line in ("RELOADING=1", "READY=1")],
                      ["RELOADING=1", "READY=1"], label + " has a begin and an end")
        tap.equal(passes(lab), 200, "datagrams pass after both")
        accounted(tap, "", *service.stop())
        tap.equal(manager.read()[-2:], ["STOPPING=1", "STATUS=Draining"],
                  "the last that it tells is that it stops")


def journalled(tap):
    """Standard error is the journal's: what is said has fields there."""
    with Lab() as lab:
        two_sides(lab)
        for _ in range(3):
            lab.apply(WIRE, ns="box")
        # With a rule that the filter does not have.
        text = WIRE.replace("rule soft", "rule later forward udp to any port 8\nrule soft")
        path = lab.file("said.conf", text.replace("zero-copy auto", 'zero-copy auto; capture "%s" '
                                                  "rule later" % os.path.join(lab.dir, "x")))
        plain = os.path.join(lab.dir, "stderr")
        # With a bpffs there the commands stay (lib/pins.h).
        script = ('mount -t tmpfs none /run/sluice; mkdir /run/sluice/bpf /run/systemd -p\n'
                  'mount -t bpf none /run/sluice/bpf; mount -t tmpfs none /run/systemd; exec "$@"')

        def said(*command):
            text = lab.output(["unshare", "-m", "sh", "-ec", script, "sh", "/usr/bin/python3", "-c",
                               JOURNAL, plain] + list(command), ns="box", timeout=60)
            return [dict(line.split("=", 1) for line in entry.splitlines())
                    for entry in text.split("--\n") if entry]

        entries = said(built("sluice-fwd"), "-c", path, "--duration", "1")
        queue = [e for e in entries if "box0 queue 0 -> box1 queue 0" in e["MESSAGE"]]
        tap.equal([(e["SLUICE_INTERFACE"], e["SLUICE_GENERATION"], e["PRIORITY"],
                    e["SYSLOG_IDENTIFIER"]) for e in queue], [("box0", "3", "6", "sluice-fwd")],
                  "journal: a queue's interface and generation")
        stage = [e for e in entries if "no filter here" in e["MESSAGE"]]
        tap.equal([e.get("SLUICE_RULE") for e in stage], ["later"], "journal: a stage's rule")
        with open(plain, encoding="utf-8") as file:
            tap.equal(file.read(), "", "journal: nothing is said twice")
        lab.sluice("down", ns="box")
        entries = said("sh", "-c", '"$0" apply "$1"; "$0" apply "$2"; "$0" down', built("sluice"),
                       lab.file("both.conf", WIRE), lab.file("only.conf", "interface box1\n"))
        tap.equal([(e["SLUICE_INTERFACE"], e["SLUICE_GENERATION"], e["PRIORITY"]) for e in entries
                   if "the file does not name it" in e["MESSAGE"]],
                  [("box0", "1", "4")], "journal: a warning of sluice apply")


def hangs(tap):
    with Lab() as lab:
        two_sides(lab)
        text = WIRE.replace("zero-copy auto", 'zero-copy auto; stage "hanger.so"')
        shared_object(lab, "hanger.so", HANGER)
        lab.apply(text, ns="box")
        manager = Manager(lab)
        service = Service(lab, manager, text)
        tap.ok(manager.awaits("WATCHDOG=1"), "it lives")
        lab.send("peer", "peer0", [datagram(7, 1)[:-1] + b"\1"])
        tap.ok(wait_for(lambda: "it has not gone round for 1000 ms" in service.messages(),
                        4 * WATCHDOG_S), "a worker that hangs in a stage is named",
               service.messages())
        before = manager.count("WATCHDOG=1")
        time.sleep(2 * WATCHDOG_S)
        tap.equal(manager.count("WATCHDOG=1"), before, "and nothing more tells that all is well")
        lab.end(service.proc, signal.SIGKILL)


def confined(tap):
    """With the unit's capabilities, which setpriv gives it."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        names = [name.lower().replace("cap_", "") for name in unit("CapabilityBoundingSet").split()]
        wrap = ["prlimit", "--memlock=" + unit("LimitMEMLOCK").replace("infinity", "unlimited")]
        if lab.run(wrap + ["true"], check=False).returncode:  # a container's root may not
            names, wrap = names + ["ipc_lock"], []
        wrap += ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set",
                 ",".join(["-all"] + ["+" + name for name in names])]
        service = Service(lab, Manager(lab), WIRE, wrap)
        with open("/proc/%d/status" % service.proc.pid, encoding="ascii") as status:
            bounding = re.search(r"CapBnd:\s*(\w+)", status.read()).group(1)
        tap.equal(bin(int(bounding, 16)).count("1"), len(names), "it has the unit's capabilities")
        tap.equal(passes(lab), 200, "datagrams pass")
        accounted(tap, "confined: ", *service.stop())


def hardened(tap):
    """What systemd says of the unit."""
    with Lab() as lab:
        found = []
        for name in ("sluice-fwd@.service",):
            with open(os.path.join(os.path.dirname(UNIT), name), encoding="ascii") as file:
                text = file.read().replace("/usr/sbin", os.path.dirname(built("sluice")))
            found.append(lab.file(name.replace("@", "@test"), text))
        done = lab.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"] + found)
        tap.equal(done.stdout + done.stderr, "", "the unit is right")
        text = lab.output(["systemd-analyze", "security", "--no-pager", "--offline=true",
                           found[0]])
        exposure = float(re.search(r"exposure level for \S+: ([0-9.]+)", text).group(1))
        tap.ok(exposure <= EXPOSURE_MAX, "the forwarder's exposure: %.1f" % exposure, text)


def main():
    tap = Tap()
    if not shutil.which("systemd-analyze"):
        tap.ok(False, "systemd-analyze: install the packages of group test")
    else:
        hardened(tap)
    for test in (notifies, journalled, hangs, confined):
        with tap.case(test.__name__ + ": to its end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
