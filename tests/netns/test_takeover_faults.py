#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A takeover in which somebody dies, or lies, at each of its steps (afxdp-app/takeover.h). Root.

    new agent ---- [middle] ---- old agent         the control socket
        |                            |
    new data plane               old data plane    the same frames and sockets

The middle hands each message on, once it has done what the case wants at that step.
"""
import os
import signal
import socket
import threading
import time

from network import two_sides
from lab import EMULATED, Lab, wait_for
from tap import Skip, Tap
from test_agent import SOCKETS, sockets
from test_forwarder import WIRE, Forwarder, accounted, datagram
from test_takeover import COUNT, LINUX, REMAP, Successor, rule

STEPS = ("request", "yes", "descriptors", "standby", "record", "running")
PARCEL = 68  # struct parcel of afxdp-app/handover.c
PROMPT = 1 if not EMULATED else 10  # seconds of a start after kill -9
WAITING = 50  # datagrams that come in while nobody forwards


def line_of(sock):
    """A line and no byte more; b"" at the end of the connection."""
    line = b""
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            return b""
        line += byte
    return line


def alive(pid):
    """Whether a process runs; one that only waits for its parent does not."""
    try:
        with open("/proc/%d/stat" % pid) as text:
            return text.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Middle(threading.Thread):
    """Takes the old agent's place on the control socket; act(step, fds) at each step."""

    def __init__(self, lab, act):
        super().__init__(daemon=True)
        self.act, self.reached = act, []
        self.path = sockets(lab)[0]
        self.pid = int(self.path.rsplit("-", 1)[1].split(".")[0])
        self.moved = os.path.join(SOCKETS, "moved-" + os.path.basename(self.path))
        os.rename(self.path, self.moved)
        self.listener = socket.socket(socket.AF_UNIX)
        self.place = os.path.join(SOCKETS, "%d-1.sock" % lab.spaces["box"])
        self.listener.bind(self.place)
        self.listener.listen(8)
        self.listener.settimeout(30)
        self.start()

    def parcel(self, source, target, step):
        data, fds, _flags, _from = socket.recv_fds(source, PARCEL, 64)
        if not data:
            return False
        self.reached.append(step)
        give = list(fds)
        try:
            data, give = self.act(step, data, fds)
            socket.send_fds(target, [data], give)
        finally:
            # A socket lives as long as somebody has it, and holds its queue.
            for fd in set(fds) | set(give):
                os.close(fd)
        return True

    def line(self, source, target, step):
        data = line_of(source)
        if not data:
            return False
        self.reached.append(step)
        target.sendall(self.act(step, data, [])[0])
        return True

    def run(self):
        try:
            new, _ = self.listener.accept()
            old = socket.socket(socket.AF_UNIX)
            for sock in (new, old):
                sock.settimeout(30)
            old.connect(self.moved)
            with new, old:
                for step in STEPS:
                    source, target = ((old, new) if step in ("yes", "descriptors", "record")
                                      else (new, old))
                    carry = (self.parcel if step in ("descriptors", "record") else self.line)
                    if not carry(source, target, step):
                        return
                # The old one's end is all that can come.
                old.recv(1)
        except OSError:
            pass  # one of the two is gone, and the other learns it by our end

    def end(self):
        """The old agent has its place again, if it lives."""
        self.listener.close()
        os.unlink(self.place)
        self.join(30)
        if alive(self.pid):
            os.rename(self.moved, self.path)
        elif os.path.exists(self.moved):
            os.unlink(self.moved)  # the new one has looked for what is left by now


class Case:
    def __init__(self, tap, lab, old, name):
        self.tap, self.lab, self.old, self.name = tap, lab, old, name
        self.new, self.sent, self.error = None, 0, ""
        self.before = rule(lab, "far", "far0", "seen")

    def send(self, count):
        self.lab.send("peer", "peer0", [datagram(7, n) for n in range(count)])
        self.sent += count

    def arrived(self):
        return rule(self.lab, "far", "far0", "seen") - self.before

    def victim(self, who):
        return {"new agent": lambda: self.new.proc.pid, "new plane": self.new.plane,
                "old agent": lambda: self.old.proc.pid, "old plane": self.old.plane}[who]()

    def run(self, act):
        """Through the middle, until one of the two agents has ended or both have had time to."""
        ready = threading.Event()

        def when_started(*args):
            ready.wait(10)
            return act(*args)

        middle = Middle(self.lab, when_started)
        self.new = Successor(self.old, "new%d" % time.monotonic_ns())
        ready.set()
        wait_for(lambda: not middle.is_alive(), 15)
        self.tap.ok(not middle.is_alive(), self.name + ": it comes to an end", middle.reached)
        middle.end()
        return middle

    def survivor(self):
        """The one that forwards after it, by itself or because it was started again."""
        def ended():
            return [f for f in (self.old, self.new) if f.proc.poll() is not None]

        wait_for(lambda: len(ended()) == 2 or (ended() and
                 any(alive(f.plane()) for f in (self.old, self.new) if f.plane())), 8)
        left = [f for f in (self.old, self.new) if f not in ended()]
        self.tap.ok(len(left) < 2, self.name + ": not both of them run",
                    self.old.messages(), self.new.messages())
        if left:
            return left[0], True
        begin = time.monotonic()
        self.old.start()
        took = time.monotonic() - begin
        self.tap.ok(took < PROMPT, self.name + ": the next start takes less than a second", took)
        return self.old, False

    def judge(self, want, kept):
        """`want`: who forwards; `kept`: not a packet is lost."""
        one, by_itself = self.survivor()
        who = ("old" if one is self.old else "new") if by_itself else "none"
        self.tap.equal(who, want, self.name + ": who forwards then")
        if who == "new":
            wait_for(lambda: one.messages().count("->") >= 2 or one.proc.poll() is not None)
        if kept:
            self.tap.ok(wait_for(lambda: self.arrived() == self.sent),
                        self.name + ": what came in meanwhile is forwarded", self.arrived(),
                        self.sent, self.old.messages(), self.new.messages())
        start = self.arrived()
        self.send(200)
        self.tap.ok(wait_for(lambda: self.arrived() == start + 200), self.name + ": it forwards",
                    self.arrived() - start, one.messages())
        self.tap.equal([self.lab.link("box", dev)["promiscuity"] for dev in ("box0", "box1")],
                       [1, 1], self.name + ": promiscuous once")
        self.tap.ok(wait_for(lambda: len(sockets(self.lab)) == 1), self.name + ": one socket",
                    sockets(self.lab))
        return one


# By step and victim: who forwards at the end, and whether no packet is lost meanwhile.
def outcome(step, who):
    if step == "running" and who.startswith("new"):
        return "none", False  # it was the one that runs: as a kill -9 at any other time
    if who.startswith("new"):
        return "old", True
    return "new", step in ("record", "running")


def kill_each(tap, lab, old):
    for step in STEPS:
        for who in ("new agent", "new plane", "old agent", "old plane"):
            # Not there yet, or not there any more.
            if (who == "new plane" and step in STEPS[:3]) or (
                    who == "old plane" and step in STEPS[4:]):
                continue
            case = Case(tap, lab, old, "%s, %s dies" % (step, who))

            def act(now, data, fds, case=case, step=step, who=who):
                if now != step:
                    return data, fds
                if step == "record":
                    case.send(WAITING)
                pid = case.victim(who)
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda: not alive(pid), 5)
                return data, fds

            middle = case.run(act)
            tap.ok(step in middle.reached, case.name + ": the step was reached", middle.reached)
            old = case.judge(*outcome(step, who))
    return old


def lie_each(tap, lab, old):
    """What is not understood changes nothing for the one that runs."""
    def null(data, fds):
        return data, [os.open("/dev/null", os.O_RDWR) for _fd in fds]

    def garbage(data, _fds):
        fd = os.memfd_create("garbage")
        os.write(fd, os.urandom(4096))
        return data, [fd]

    lies = (("yes", lambda data, fds: (b"{}\n", fds), "old"),
            ("descriptors", lambda data, fds: (b"\xff" * PARCEL, fds), "old"),
            ("descriptors", lambda data, fds: (data, fds[:1]), "old"),
            ("descriptors", null, "old"),
            ("standby", lambda data, fds: (b"stand by please\n", fds), "old"),
            ("record", null, "old"),
            ("record", garbage, "old"))
    for number, (step, lie, want) in enumerate(lies):
        case = Case(tap, lab, old, "%s, lie %d" % (step, number))

        def act(now, data, fds, step=step, lie=lie):
            return lie(data, fds) if now == step else (data, fds)

        case.run(act)
        old = case.judge(want, True)
    return old


def silent(tap, lab, old):
    """A new one that says nothing more does not keep the old one from its end."""
    case = Case(tap, lab, old, "standby, silence")
    stopped = []

    def act(now, data, fds):
        if now == "standby":
            stopped.append(time.monotonic())
            case.old.proc.send_signal(signal.SIGTERM)
            wait_for(lambda: case.old.proc.poll() is not None, 5)
            stopped.append(time.monotonic())
        return data, fds

    case.run(act)
    tap.ok(len(stopped) == 2 and stopped[1] - stopped[0] < 4 * PROMPT,
           "silence: a signal ends the old one all the same", stopped)
    return case.judge("new", False)


def main():
    tap = Tap()
    with tap.case("to the end"), Lab() as lab:
        if not REMAP:
            raise Skip("Linux %d.%d maps no ring of a bound socket" % LINUX)
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        lab.apply(COUNT, ns="far", name="count.conf")
        one = Forwarder(lab)
        for part in (kill_each, lie_each, silent):
            one = part(tap, lab, one)
        accounted(tap, "at the end: ", *one.stop())
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
