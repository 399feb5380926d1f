#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""DPDK's net_af_xdp behind the filter, by the recipes of docs/dpdk.md. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
                        \\_ testpmd io _/
"""
import contextlib
import json
import os
import re
import shutil
import signal

from network import drain, program, settle, two_sides
from lab import Lab, LabError, built, wait_for
from tap import Skip, Tap

import frames as raw

CONFIG = """
interface box0, box1
default pass
rule web forward fallback drop udp to any port 80
rule bad drop udp to any port 9
"""
PORTS = (80, 9, 7)  # forwarded, dropped, passed
BURST = 100  # frames to each of them
# The first release whose af_xdp driver takes `use_pinned_map`.
PINNED_MAP_SINCE = (24, 7)


def datagrams():
    return [raw.ethernet(0x800, raw.ipv4(0x0a000001, 0xc0000201, raw.UDP,
                                         raw.udp(number, port, bytes(40))))
            for number in range(BURST) for port in PORTS]


class Testpmd:
    """dpdk-testpmd in the namespace `box`, from box0 to box1 and back."""

    def __init__(self, lab, options=""):
        """`options` of both ports behind `iface=`, in which % stands for the interface."""
        self.lab = lab
        self.log = lab.file("testpmd.log", "")
        words = ["dpdk-testpmd", "-v", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
                 "--file-prefix", lab.tag]
        for number, dev in enumerate(("box0", "box1")):
            words += ["--vdev", "net_af_xdp%d,iface=%s%s" % (number, dev,
                                                             options.replace("%", dev))]
        words += ["--", "-i", "--total-num-mbufs=16384", "--nb-cores=1", "--auto-start",
                  "--forward-mode=io"]
        with open(self.log, "w") as log:
            self.proc = lab.popen(words, ns="box", stdin=-1, stdout=log)
        # The prompt comes when the ports are started, or have refused to.
        if not wait_for(lambda: "testpmd>" in self.said() or self.proc.poll() is not None, 20):
            raise LabError("testpmd: no prompt: " + self.said())

    def said(self):
        with open(self.log) as log:
            return log.read()

    def is_running(self):
        return self.proc.poll() is None and "Start ports failed" not in self.said()

    def quit(self):
        with contextlib.suppress(OSError):
            self.proc.stdin.write("quit\n")
            self.proc.stdin.flush()
        if not wait_for(lambda: self.proc.poll() is not None, 20):
            raise LabError("testpmd: does not quit: " + self.said())

    def forwarded(self):
        """(packets received, packets sent) by all its ports, told when it has quit."""
        said = self.said().rpartition("Accumulated forward statistics")[2]
        return tuple(int(re.search(way + r"-packets: (\d+)", said).group(1))
                     for way in ("RX", "TX"))


def burst(lab, receiver):
    """Sends one burst through the box; how many of each port come out at the far end."""
    sent = datagrams()
    lab.send("peer", "peer0", sent)
    got = drain(receiver)
    return [sum(frame == other for other in got for frame in sent[index::len(PORTS)])
            for index in range(len(PORTS))]


def expect(lab, bursts, generation):
    """What `stats` says of box0 otherwise than after so many bursts."""
    stats = settle(lab, "box", "box0", bursts * BURST * len(PORTS))
    got = (stats["rx"]["packets"], sum(r["packets"] for r in stats["reasons"].values()),
           stats["generation"], {r["name"]: r["packets"] for r in stats["rules"]})
    want = (bursts * BURST * len(PORTS), bursts * BURST * len(PORTS), generation,
            {"web": bursts * BURST, "bad": bursts * BURST})
    return [] if got == want else ["got %r, want %r" % (got, want)]


def attached(lab):
    """How `status` says that our filter is held, of box0 and box1."""
    seen = {i["name"]: i["attached"] for i in
            lab.sluice_json("status", "--json", ns="box")["interfaces"] if i["sluice"]}
    return [seen.get(dev) for dev in ("box0", "box1")]


def pin_sockets(lab, dev, folder):
    """Pins the XSKMAP of an interface's filter under the interface's name."""
    shown = json.loads(lab.output(["bpftool", "-j", "prog", "show", "id",
                                   str(program(lab, "box", dev))]))
    for number in shown["map_ids"]:
        found = json.loads(lab.output(["bpftool", "-j", "map", "show", "id", str(number)]))
        if found.get("name") == "xsks_map":
            lab.run(["bpftool", "map", "pin", "id", str(number), os.path.join(folder, dev)])
            return
    raise LabError("%s: its filter has no xsks_map" % dev)


def adopted(tap):
    """testpmd attaches our object, `sluice` gives it rules; then testpmd ends."""
    with Lab() as lab:
        two_sides(lab)
        far = lab.packet_socket("far", "far0", receive=True)
        testpmd = Testpmd(lab, ",xdp_prog=" + built("sluice.bpf.o"))
        tap.ok(testpmd.is_running(), "adopted: testpmd runs on our object", testpmd.said())
        tap.equal(attached(lab), ["netlink"] * 2, "adopted: status shows it, not held by Sluice")
        tap.equal(burst(lab, far), [0, 0, 0], "adopted: without rules testpmd gets nothing")
        stats = settle(lab, "box", "box0", BURST * len(PORTS))
        tap.equal((stats["generation"], stats["rx"]["packets"],
                   stats["reasons"]["default"]["packets"]),
                  (0, BURST * len(PORTS), BURST * len(PORTS)), "adopted: it counts and passes")
        tap.equal(sorted((p["port"], p["packets"]) for p in lab.sluice_json(
            "ports", "--json", ns="box")["ports"]), [(p, BURST) for p in sorted(PORTS)],
                  "adopted: ports")
        done = lab.apply(CONFIG, ns="box")
        tap.contains(done.stderr, ["box0", "box1", "DPDK", "take it off"],
                     "adopted: apply says who holds the filter")
        tap.equal(burst(lab, far), [BURST, 0, 0], "adopted: testpmd forwards what the rule says")
        lab.apply(CONFIG, ns="box")
        tap.equal(burst(lab, far), [BURST, 0, 0], "adopted: and goes on over a reload")
        rules = {r["name"]: r["packets"] for r in lab.stats("box", "box0")["rules"]}
        tap.equal(rules, {"web": 2 * BURST, "bad": 2 * BURST}, "adopted: the rules counted")
        done = lab.sluice("down", ns="box", check=False)
        tap.ok(attached(lab) == ["netlink"] * 2 and "box0" in done.stderr,
               "adopted: down leaves what DPDK attached, and says so", done)
        testpmd.quit()
        tap.equal(testpmd.forwarded(), (2 * BURST, 2 * BURST), "adopted: testpmd's own count")
        # DPDK takes off whatever netlink holds when it ends, the rules with it.
        tap.contains(lab.sluice("status", ns="box").stdout, ["no XDP program", "sluice apply"],
                     "adopted: DPDK's end takes the filter off, and status says so")
        lab.apply(CONFIG, ns="box")
        tap.equal(attached(lab), ["link"] * 2, "adopted: the next apply holds it by a link")
        tap.equal(lab.leftovers(), [], "adopted: nothing is left behind")


def killed(tap):
    """testpmd has no chance to take anything off; its next start has."""
    with Lab() as lab:
        two_sides(lab)
        far = lab.packet_socket("far", "far0", receive=True)
        options = ",xdp_prog=" + built("sluice.bpf.o")
        testpmd = Testpmd(lab, options)
        lab.apply(CONFIG, ns="box")
        tap.equal(burst(lab, far), [BURST, 0, 0], "killed: testpmd forwards")
        lab.end(testpmd.proc, signal.SIGKILL)
        tap.equal(attached(lab), ["netlink"] * 2, "killed: the filter stays")
        tap.equal(burst(lab, far), [0, 0, 0], "killed: what was forwarded takes its fallback")
        stats = settle(lab, "box", "box0", 2 * BURST * len(PORTS))
        tap.equal((stats["reasons"]["no_socket"]["packets"],
                   {r["name"]: r["packets"] for r in stats["rules"]}),
                  (BURST, {"web": 2 * BURST, "bad": 2 * BURST}), "killed: and is counted")
        testpmd = Testpmd(lab, options)
        tap.contains(testpmd.said(), "already attached", "killed: a second start is refused")
        testpmd.quit()
        tap.contains(lab.sluice("status", ns="box").stdout, "no XDP program",
                     "killed: and takes the filter off, which status says")


def refused(tap):
    """The filter that a link holds outlives a start of DPDK that fails."""
    with Lab() as lab:
        two_sides(lab)
        far = lab.packet_socket("far", "far0", receive=True)
        lab.apply(CONFIG, ns="box")
        before = [program(lab, "box", dev) for dev in ("box0", "box1")]
        for number, options in enumerate(("", ",xdp_prog=" + built("sluice.bpf.o"))):
            label = "refused%s: " % (" with xdp_prog" if options else "")
            testpmd = Testpmd(lab, options)
            tap.contains(testpmd.said(), "Start ports failed", label + "testpmd does not start")
            tap.equal(burst(lab, far), [0, 0, 0], label + "nothing gets past the filter")
            testpmd.quit()
            tap.equal([program(lab, "box", dev) for dev in ("box0", "box1")], before,
                      label + "the same filter is there")
            tap.equal(attached(lab), ["link"] * 2, label + "held by its link")
            tap.equal(burst(lab, far), [0, 0, 0], label + "it still decides")
            tap.equal(expect(lab, 2 * number + 2, 1), [], label + "and counts each packet")


def stripped(tap):
    """A filter that netlink holds goes with a failed start; the other one's tells."""
    with Lab() as lab:
        two_sides(lab)
        lab.run(["ip", "link", "set", "dev", "box0", "xdp", "obj", built("sluice.bpf.o"), "sec",
                 "xdp"], ns="box")
        lab.apply(CONFIG, ns="box")
        tap.equal(attached(lab), ["netlink", "link"], "stripped: one of each kind runs")
        testpmd = Testpmd(lab)
        testpmd.quit()
        tap.equal(attached(lab), [None, "link"], "stripped: DPDK took off what netlink held")
        done = lab.sluice("status", ns="box")
        tap.contains(done.stdout, ["box0: no XDP program", "box1", "sluice apply"],
                     "stripped: status names the interface that lost its filter")
        lab.apply(CONFIG, ns="box")
        tap.equal(attached(lab), ["link"] * 2, "stripped: apply puts it back, by a link")
        tap.ok("no XDP program" not in lab.sluice("status", ns="box").stdout,
               "stripped: status is content")


def pinned_map(tap):
    """A newer DPDK takes the XSKMAP only: the filter stays Sluice's."""
    with Lab() as lab, contextlib.ExitStack() as undo:
        two_sides(lab)
        far = lab.packet_socket("far", "far0", receive=True)
        lab.apply(CONFIG, ns="box")
        folder = os.path.join(lab.dir, "bpf")
        os.mkdir(folder)
        lab.run(["mount", "-t", "bpf", "bpf", folder])
        undo.callback(lab.run, ["umount", "-l", folder])
        for dev in ("box0", "box1"):
            pin_sockets(lab, dev, folder)
        testpmd = Testpmd(lab, ",use_pinned_map=1,dp_path=%s/%%" % folder)
        version = re.search(r"RTE Version: 'DPDK (\d+)\.(\d+)", testpmd.said())
        if tuple(map(int, version.groups())) < PINNED_MAP_SINCE:
            testpmd.quit()
            raise Skip("DPDK %s.%s has no use_pinned_map (from 24.07)" % version.groups())
        tap.ok(testpmd.is_running(), "pinned map: testpmd runs", testpmd.said())
        tap.equal(burst(lab, far), [BURST, 0, 0], "pinned map: testpmd forwards")
        lab.apply(CONFIG, ns="box")
        tap.equal(burst(lab, far), [BURST, 0, 0], "pinned map: and goes on over a reload")
        testpmd.quit()
        tap.equal(testpmd.forwarded(), (2 * BURST, 2 * BURST), "pinned map: its own count")
        tap.equal(attached(lab), ["link"] * 2, "pinned map: the filter outlives DPDK")
        tap.equal(burst(lab, far), [0, 0, 0], "pinned map: and goes on deciding")
        tap.equal(expect(lab, 3, 2), [], "pinned map: and counting")


def main():
    tap = Tap()
    for function in (adopted, killed, refused, stripped, pinned_map):
        with tap.case("%s: to the end" % function.__name__):
            if not shutil.which("dpdk-testpmd"):
                raise Skip("no dpdk-testpmd here (Debian: dpdk-dev)")
            function(tap)
    tap.done()


if __name__ == "__main__":
    main()
