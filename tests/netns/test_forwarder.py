#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The forwarder between two hosts that know nothing of it. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
                        \\_ wire _/
"""
import json
import os
import signal
import threading
import time

from network import drain, foreign_object, settle, two_sides
from lab import Lab, LabError, built, children, wait_for
from tap import Tap, check

from frames import datagram

MEGABYTES = 200
WIRE = """
interface box0, box1
default pass
rule deny drop udp to any port 9
rule soft forward udp to any port 7
rule wire forward fallback drop
forwarder { wire box0 box1; workers 1; poll sleep; zero-copy auto }
"""
TRANSFER = """
import hashlib, socket, sys
mode, address, megabytes = sys.argv[1], (sys.argv[2], 5001), int(sys.argv[3])
digest, count = hashlib.sha256(), 0
if mode == "receive":
    listener = socket.create_server(address)
    print("ready", flush=True)
    link, _ = listener.accept()
    while data := link.recv(1 << 20):
        digest.update(data)
        count += len(data)
else:
    link = socket.create_connection(address, timeout=30)
    block = hashlib.shake_256(b"sluice").digest(1 << 20)
    for number in range(megabytes):
        data = number.to_bytes(4, "big") + block[4:]
        digest.update(data)
        link.sendall(data)
        count += len(data)
    link.shutdown(socket.SHUT_WR)
print(count, digest.hexdigest())
"""


class Forwarder:
    """sluice-fwd in the namespace `box`."""

    def __init__(self, lab, text=WIRE):
        self.lab = lab
        self.config = lab.file("forwarder.conf", text)
        self.start()

    def start(self):
        # To append: it shares the place in the file with us, who seek.
        self.log = open(self.lab.file("forwarder.log", ""), "a+")
        self.proc = self.lab.popen(self.command(), ns="box", stderr=self.log)
        # It names each wire's direction once its sockets stand.
        if not wait_for(lambda: self.messages().count("->") >= 2 or self.proc.poll() is not None):
            raise LabError("sluice-fwd does not start: " + self.messages())
        if self.proc.poll() is not None:
            raise LabError("sluice-fwd: exit %d: %s" % (self.proc.returncode, self.messages()))

    def command(self):
        return [built("sluice-fwd"), "-c", self.config, "--json"]

    def messages(self):
        self.log.seek(0)
        return self.log.read()

    def plane(self):
        """The data plane's process id; 0: there is none."""
        return (children(self.proc.pid) or [0])[0]

    def stop(self, number=signal.SIGTERM):
        """(exit status, the last statistics)."""
        status = self.lab.end(self.proc, number)
        lines = self.proc.stdout.read().strip().splitlines()
        return status, json.loads(lines[-1]) if lines else None


class Flood(threading.Thread):
    """About 10,000 datagrams a second to ports 7 and 9 by turns; half a minute at most."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.sent = sock, 0
        self.stopped = threading.Event()

    def run(self):
        end = time.monotonic() + 30
        while not self.stopped.is_set() and time.monotonic() < end:
            for _ in range(10):
                self.sock.send(datagram(7, self.sent))
                self.sock.send(datagram(9, self.sent))
                self.sent += 2
            time.sleep(0.002)

    def stop(self):
        self.stopped.set()
        self.join(10)


def rule(stats, name):
    return next(r["packets"] for r in stats["rules"] if r["name"] == name)


def accounted(tap, label, status, stats):
    """A clean exit: every frame is in exactly one place."""
    tap.equal((status, stats and stats["accounted"]), (0, True), label + "ends cleanly")
    tap.equal(stats and stats["ledger"]["unexplained"], 0, label + "no packet is unexplained")
    for worker in stats["workers"] if stats else []:
        frames = dict(worker["frames"])
        total = frames.pop("total")
        tap.ok(total > 0 and sum(frames.values()) == total, label + "the frames add up", frames,
               total)


def transfer(tap):
    with Lab() as lab:
        two_sides(lab)
        lab.address("peer", "peer0", "192.0.2.1/24")
        lab.address("far", "far0", "192.0.2.2/24")
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        script = lab.file("transfer.py", TRANSFER)
        python = ["/usr/bin/python3", script]
        server = lab.popen(python + ["receive", "192.0.2.2", "0"], ns="far")
        check(server.stdout.readline(), "ready\n", "the server")
        begin = time.monotonic()
        sent = lab.output(python + ["send", "192.0.2.2", str(MEGABYTES)], ns="peer", timeout=150)
        got = server.communicate(timeout=30)[0]
        took = time.monotonic() - begin
        tap.equal(got, sent, "%d MB of TCP arrive with the right checksum" % MEGABYTES)
        tap.equal(int(sent.split()[0]), MEGABYTES << 20, "all of it was sent")
        time.sleep(0.5)
        status, stats = forwarder.stop()
        accounted(tap, "transfer: ", status, stats)
        tap.diag("%.1f s, %.0f Mbit/s" % (took, (MEGABYTES << 23) / took / 1e6))
        for port in stats["workers"][0]["ports"]:
            filtered = lab.stats("box", port["interface"])
            lost = port["xdp"]["rx_dropped"] + port["xdp"]["rx_ring_full"]
            tap.equal(rule(filtered, "wire"), port["rx"]["packets"] + lost
                      + filtered["reasons"]["no_socket"]["packets"],
                      port["interface"] + ": what the filter forwards, the forwarder gets")
            tap.diag("%s: %s" % (port["interface"], json.dumps(port)))
        tap.diag("system calls per packet: %g" % stats["workers"][0]["syscalls_per_packet"])
        tap.equal(lab.leftovers(), [], "transfer: down leaves nothing behind")


def killed(tap):
    """kill -9 under load: the filter goes on, fallbacks apply, a new start works at once."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        with lab.packet_socket("peer", "peer0") as out, \
                lab.packet_socket("far", "far0", receive=True) as far, \
                lab.packet_socket("box", "box0", receive=True) as local:
            flood = Flood(out)
            flood.start()
            try:
                time.sleep(1)
                before = len(drain(local, 0.05))
                forwarder.proc.kill()
                forwarder.proc.wait(5)
                time.sleep(1)
                gap = lab.stats("box", "box0")
                fallen = len(drain(local, 0.01))
                forwarder.start()
                drain(far, 0.0001)
                time.sleep(1)
            finally:
                flood.stop()
            stats = settle(lab, "box", "box0", flood.sent)
            after = drain(far)
        tap.ok(flood.sent > 5000, "killed: there was load", flood.sent)
        tap.equal((stats["rx"]["packets"], sum(r["packets"] for r in stats["reasons"].values())),
                  (flood.sent, flood.sent), "killed: every packet was counted, in one reason")
        tap.equal((rule(stats, "deny"), rule(stats, "soft")), (flood.sent // 2,) * 2,
                  "killed: the rules went on")
        tap.ok(gap["reasons"]["no_socket"]["packets"] > 500, "killed: the fallback applied", gap)
        tap.ok(before == 0 and fallen > 500, "killed: it let the packets pass to the kernel",
               before, fallen)
        tap.ok(len(after) > 500, "killed: the new one forwards", len(after))
        tap.equal([f for f in after if f[36:38] != b"\0\7"], [],
                  "killed: nothing but what is to be forwarded")
        accounted(tap, "killed: ", *forwarder.stop())
        tap.equal(lab.leftovers(), [], "killed: down leaves nothing behind")


def ended(tap):
    """SIGTERM and SIGINT in the middle of traffic."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        for number in (signal.SIGTERM, signal.SIGINT):
            forwarder = Forwarder(lab)
            with lab.packet_socket("peer", "peer0") as out:
                flood = Flood(out)
                flood.start()
                time.sleep(0.5)
                status, stats = forwarder.stop(number)
                flood.stop()
            accounted(tap, "%s under load: " % number.name, status, stats)
            tap.ok(stats["workers"][0]["ports"][0]["rx"]["packets"] > 100,
                   number.name + ": it had forwarded", stats)


def passes(lab, count=200):
    """How many of `count` datagrams get through the wire."""
    with lab.packet_socket("far", "far0", receive=True) as far:
        lab.send("peer", "peer0", [datagram(7, n) for n in range(count)])
        return len(drain(far))


def link_changes(tap):
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        tap.equal(passes(lab), 200, "link: datagrams pass")
        lab.run(["ip", "link", "set", "box1", "down"], ns="box")
        lab.send("peer", "peer0", [datagram(7, n) for n in range(100)])
        lab.run(["ip", "link", "set", "box1", "up"], ns="box")
        tap.ok(wait_for(lambda: passes(lab) == 200, 10, 0.2), "link: they pass again after up")
        # A reload replaces the program; the sockets stay.
        lab.apply(WIRE.replace("rule deny", "rule more drop sctp\nrule deny"), ns="box")
        tap.equal(passes(lab), 200, "link: they pass after a reload, at once")
        lab.run(["ip", "link", "del", "box0"], ns="box")
        time.sleep(1)
        status, stats = forwarder.stop()
        tap.ok(status in (0, 3), "an interface that vanishes is no crash", status,
               forwarder.messages())
        tap.equal(stats and stats["ledger"]["unexplained"], 0,
                  "and leaves no packet unexplained")
        tap.contains(forwarder.messages(), ["box0", "gone"], "and is told")


def hangup(tap):
    """SIGHUP reads the configuration again; one that is wrong changes nothing."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        lab.file("forwarder.conf", WIRE.replace("zero-copy auto",
                                                "zero-copy auto; police 1Gpps"))
        forwarder.proc.send_signal(signal.SIGHUP)
        tap.ok(wait_for(lambda: forwarder.messages().count("box0 queue 0 ->") == 2),
               "hangup: it is read again", forwarder.messages())
        lab.file("forwarder.conf", "nonsense")
        forwarder.proc.send_signal(signal.SIGHUP)
        tap.ok(wait_for(lambda: "forwarder.conf:1:1" in forwarder.messages()),
               "hangup: what is wrong is told", forwarder.messages())
        tap.equal(passes(lab), 200, "hangup: datagrams pass")
        status, stats = forwarder.stop()
        accounted(tap, "hangup: ", status, stats)
        tap.equal([(s["stage"], s["packets"]) for s in stats["stages"]], [("police", 200)],
                  "hangup: by the last one that was right")


def promiscuous(tap):
    """A wire takes what is addressed to others: the interfaces are promiscuous while it runs."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")

        def seen():
            return [lab.link("box", dev)["promiscuity"] for dev in ("box0", "box1")]

        tap.equal(seen(), [0, 0], "promiscuous: not before")
        for number in (signal.SIGTERM, signal.SIGKILL):
            forwarder = Forwarder(lab)
            tap.equal(seen(), [1, 1], "promiscuous: while it runs")
            status, stats = forwarder.stop(number)
            if number == signal.SIGTERM:
                accounted(tap, "promiscuous: ", status, stats)
            tap.ok(wait_for(lambda: seen() == [0, 0]), "promiscuous: not after " + number.name,
                   seen())


def filter_changes(tap):
    """Another program in the filter's place is told once; the filter's return, too."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        tap.equal(passes(lab), 200, "filter: datagrams pass")
        lab.run([built("sluice"), "down"], ns="box")
        tap.ok(wait_for(lambda: "no XDP program" in forwarder.messages()),
               "filter: its end is told", forwarder.messages())
        lab.run(["ip", "link", "set", "dev", "box0", "xdp", "obj", foreign_object(lab), "sec",
                 "xdp"], ns="box")
        tap.ok(wait_for(lambda: lab.link("box", "box0").get("xdp")), "filter: a foreign one is on")
        time.sleep(2.5)
        lab.run(["ip", "link", "set", "dev", "box0", "xdp", "off"], ns="box")
        lab.apply(WIRE, ns="box")
        tap.ok(wait_for(lambda: forwarder.messages().count("attached anew") == 2),
               "filter: its return is told for both ends", forwarder.messages())
        tap.equal(passes(lab), 200, "filter: datagrams pass again")
        tap.equal(forwarder.messages().count("box1: find the filter"), 1,
                  "filter: told once, not every second")
        accounted(tap, "filter: ", *forwarder.stop())


def busy_workers(tap):
    """Two workers that never sleep on one CPU: it works, and is told to be a bad idea."""
    text = WIRE.replace("workers 1; poll sleep", "workers 2 cpus %s; poll busy")
    with Lab() as lab:
        two_sides(lab, queues=2)
        lab.apply(WIRE, ns="box")
        cpu = sorted(os.sched_getaffinity(0))[0]
        forwarder = Forwarder(lab, text % cpu)
        wait_for(lambda: "not engaged" in forwarder.messages())
        tap.contains(forwarder.messages(), ["spin on the same CPU", "no NAPI id"],
                     "busy: one CPU for two is told")
        tap.equal(passes(lab), 200, "busy: datagrams pass")
        status, stats = forwarder.stop()
        accounted(tap, "busy: ", status, stats)
        tap.equal([port["busy_poll"] for worker in stats["workers"] for port in worker["ports"]],
                  [False] * 4, "busy: nothing is claimed that is not there")
        tap.equal([worker["violations"] for worker in stats["workers"]], [0, 0],
                  "busy: no frame came twice")


def more_queues(tap):
    """A receive queue that appears later gets a socket."""
    with Lab() as lab:
        two_sides(lab, queues=2)
        for ns, dev in (("peer", "peer0"), ("box", "box0"), ("box", "box1"), ("far", "far0")):
            lab.run(["ethtool", "-L", dev, "rx", "1", "tx", "1"], ns=ns)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        tap.equal(passes(lab), 200, "queues: with one queue all pass")
        lab.run(["ethtool", "-L", "box0", "rx", "2"], ns="box")
        lab.run(["ethtool", "-L", "peer0", "tx", "2"], ns="peer")
        # veth runs no XDP program on a queue added by ethtool -L until one is attached again
        # (drivers/net/veth.c: veth_set_channels() does not set the queue's xdp_prog).
        lab.apply(WIRE, ns="box")
        tap.ok(wait_for(lambda: "box0 queue 1 ->" in forwarder.messages()),
               "queues: the new one has a socket", forwarder.messages())
        tap.contains(forwarder.messages(), ["queues changed from 1 RX, 1 TX to 2 RX, 1 TX"],
                     "queues: which is told")
        before = lab.stats("box", "box0")["reasons"]["no_socket"]["packets"]
        tap.equal(passes(lab, 400), 400, "queues: with two all pass, too")
        tap.equal(lab.stats("box", "box0")["reasons"]["no_socket"]["packets"], before,
                  "queues: none of them takes the fallback")
        done = lab.run(["ethtool", "-L", "box0", "rx", "1"], ns="box", check=False)
        tap.ok(done.returncode, "queues: the kernel takes none away that has a socket")
        accounted(tap, "queues: ", *forwarder.stop())


def comes_back(tap):
    """An interface that was deleted and is there again, with its filter, is opened anew."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        lab.run(["ip", "link", "del", "box0"], ns="box")
        tap.ok(wait_for(lambda: "gone" in forwarder.messages()), "back: its end is told")
        lab.veth("peer", "peer0", "box", "box0")
        time.sleep(1.5)
        tap.equal((forwarder.proc.poll(), forwarder.messages().count("->")), (None, 2),
                  "back: without a filter nothing is opened")
        lab.apply(WIRE, ns="box")
        tap.ok(wait_for(lambda: forwarder.messages().count("->") == 4),
               "back: with it the sockets are", forwarder.messages())
        tap.equal(passes(lab), 200, "back: datagrams pass")
        accounted(tap, "back: ", *forwarder.stop())


def refusals(tap):
    with Lab() as lab:
        two_sides(lab)

        def forward(*words):
            return lab.run([built("sluice-fwd")] + list(words), ns="box", check=False)

        path = lab.file("wire.conf", WIRE)
        for name, done, status, words in (
                ("no configuration named", forward(), 2, ["-c"]),
                ("an unknown option", forward("--nonsense"), 2, []),
                ("no such file", forward("-c", "/nonexistent.conf"), 1, ["/nonexistent.conf"]),
                ("no wire", forward("-c", lab.file("none.conf", "interface box0\n")), 1, ["wire"]),
                ("no filter is attached", forward("-c", path), 3, ["box0", "apply"])):
            tap.equal(done.returncode, status, "refused: %s: exit status" % name)
            tap.contains(done.stderr, words, "refused: %s: the message" % name)


def main():
    tap = Tap()
    for name, test in (("transfer", transfer), ("killed", killed), ("ended", ended),
                       ("link changes", link_changes), ("promiscuous", promiscuous),
                       ("hangup", hangup), ("filter changes", filter_changes),
                       ("busy workers", busy_workers),
                       ("more queues", more_queues), ("comes back", comes_back),
                       ("refusals", refusals)):
        with tap.case(name + ": to the end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
