#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`apply` refuses what would cut the operator off (root): ARP, neighbour discovery, and the
session that runs it, by a real TCP connection that goes on or, with --force, stops.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]

The session comes from `peer`: over box0, over a VLAN on it, over a bridge of both.
"""
import contextlib
import os
import socket

from network import two_sides
from lab import Lab, built, wait_for
from tap import Skip, Tap

NEIGHBOURS = "rule arp pass ethertype 0x0806\nrule nd pass icmp6\n"


class Session:
    """A connection from `peer` to port 22 of `box`, and how `ssh` tells of it."""

    def __init__(self, lab, server="192.0.2.1"):
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self.listener = lab.within("box", socket.socket, family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((server, 22))
        self.listener.listen()
        self.client = lab.within("peer", socket.socket, family)
        self.client.settimeout(10)
        self.client.connect((server, 22))
        self.server, peer = self.listener.accept()
        self.connection = "%s %d %s 22" % (peer[0], peer[1], server)

    def works(self, timeout=2.0):
        """Does a line go to the server and back within so long? TCP sends it again."""
        self.server.settimeout(timeout)
        self.client.settimeout(timeout)
        with contextlib.suppress(socket.timeout):
            self.client.send(b"x")
            self.server.recv(100)
            self.server.send(b"y")
            return bool(self.client.recv(100))
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        for sock in (self.client, self.server, self.listener):
            sock.close()


def apply(lab, text, session=None, *options, before=()):
    env = {"SSH_CONNECTION": session.connection} if session else None
    return lab.run(list(before) + [built("sluice"), "apply", lab.file("guard.conf", text)] +
                   list(options), ns="box", env=env, check=False)


def told(tap, done, words, name):
    tap.ok(done.returncode == 1 and all(w in done.stderr for w in words), name,
           done.returncode, done.stdout, done.stderr, words)


def accepted(tap, done, name):
    tap.ok(done.returncode == 0, name, done.stdout, done.stderr)


def neighbours(tap, lab):
    for rules, words, name in (
            ("default drop\n", ["box0", "default policy", "ARP", "neighbour solicitations",
                                "neighbour advertisements", "--force", "nothing was changed"],
             "everything"),
            ("rule tight drop ethertype 0x0806\n", ['rule "tight"', "ARP"], "ARP"),
            ("rule six drop icmp6\n", ['rule "six"', "solicitations"], "ICMPv6"),
            ("rule six drop icmp6 icmp-type 136\n", ['rule "six"', "advertisements"], "half of it"),
            ("default drop\nrule four pass ip\nrule six pass ip6\n", ["ARP"], "ARP alone")):
        told(tap, apply(lab, "interface box0\n" + rules), words, "refused: dropping " + name)
    tap.equal(lab.sluice_json("stats", "--json", ns="box")["interfaces"], [], "nothing runs")
    accepted(tap, apply(lab, "interface box0\ndefault drop\n" + NEIGHBOURS), "ARP and ICMPv6 pass")
    accepted(tap, apply(lab, "interface box0\ndefault drop\nrule bridge forward\n"),
             "all is carried across")
    done = apply(lab, "interface box0\ndefault drop\n", None, "--dry-run")
    told(tap, done, ["ARP"], "a dry run says so, too")
    done = apply(lab, "interface box0\ndefault drop\n", None, "--force")
    tap.ok(done.returncode == 0 and "warning" in done.stderr and "ARP" in done.stderr,
           "--force applies it, with a warning", done.stderr)
    lab.run(["ip", "neigh", "flush", "dev", "peer0"], ns="peer")
    tap.equal(lab.ping("peer", "192.0.2.1", count=1), 0, "and ARP is cut off")
    lab.sluice("down", ns="box")


def session_on(tap, lab, session, dev, where):
    """A session over `dev`, by way of `where`."""
    head = "interface %s\n" % dev
    tap.ok(session.works(), "%s: the session works" % where)
    port = session.connection.split()[1]
    told(tap, apply(lab, head + "rule shut drop tcp to any port 22\n", session),
         ['rule "shut"', "SSH session", "port " + port, "--force"], where + ": refused, by name")
    told(tap, apply(lab, head + "default drop\n" + NEIGHBOURS, session),
         ["default policy", "SSH session"], where + ": by the default policy")
    told(tap, apply(lab, head + "rule long drop tcp length 1000-1500\n", session),
         ['rule "long"'], where + ": some of its packets")
    tap.ok(session.works(), where + ": it goes on")
    accepted(tap, apply(lab, head + "rule shut drop tcp to any port 23\n", session),
             where + ": another port")
    accepted(tap, apply(lab, head + "default drop\n" + NEIGHBOURS +
                        "rule ssh pass tcp from %s to any port 22\n" %
                        session.connection.split()[0], session),
             where + ": it passes, all else is dropped")
    tap.ok(session.works(), where + ": and it goes on")
    done = apply(lab, head + "rule shut drop tcp to any port 22\n", session, "--force")
    tap.ok(done.returncode == 0 and "shut" in done.stderr, where + ": --force applies it",
           done.stderr)
    tap.ok(not session.works(1), where + ": it was right, the session stops")
    lab.sluice("down", ns="box")
    tap.ok(wait_for(session.works, 10), where + ": and goes on without the rules")


def sessions(tap, lab):
    with Session(lab) as session:
        session_on(tap, lab, session, "box0", "IPv4")
        accepted(tap, apply(lab, "interface box1\ndefault drop\n" + NEIGHBOURS, session),
                 "an interface that the session does not use")
        lab.sluice("down", ns="box")
        mac = ":".join("%02x" % byte for byte in lab.mac("peer", "peer0"))
        told(tap, apply(lab, "interface box0\nset m mac { %s }\nrule who drop mac src @m\n" % mac,
                        session), ['rule "who"'], "its MAC address")
        accepted(tap, apply(lab, "interface box0\nset m mac { %s }\nrule who pass mac src @m\n"
                            "default drop\n" % mac + NEIGHBOURS, session), "its MAC alone passes")
        tap.ok(session.works(), "and it goes on")
        lab.sluice("down", ns="box")
        # A live rule that runs already cuts with the new rules: the guard sees both.
        lab.apply("interface box0\nrule keep pass tcp to any port 22\n", ns="box")
        lab.sluice("rule", "add", "live drop tcp from 192.0.2.0/24 band 5", ns="box")
        told(tap, apply(lab, "interface box0\n", session), ['rule "live"'], "a live rule")
        lab.sluice("down", ns="box")
    with Session(lab, "2001:db8::1") as session:
        session_on(tap, lab, session, "box0", "IPv6")


def by_sudo(tap, lab):
    """sudo drops SSH_CONNECTION: the shell that started it still has it."""
    text = "interface box0\nrule shut drop tcp to any port 22\n"
    with Session(lab) as session:
        done = apply(lab, text, session,
                     before=("sh", "-c", 'env -u SSH_CONNECTION "$@"; exit $?', "sh"))
        told(tap, done, ['rule "shut"', "SSH session"], "found in the environment of a parent")
    accepted(tap, lab.run(["env", "-u", "SSH_CONNECTION", built("sluice"), "apply",
                           lab.file("guard.conf", text)], ns="box", check=False),
             "without a session, there is none to cut")
    for broken in ("", "x", "1 2 3", "192.0.2.9 4711 192.0.2.1", "a b c d",
                   "192.0.2.9 99999 192.0.2.1 22", "::1 1 192.0.2.1 2", "9" * 4000):
        done = lab.run([built("sluice"), "apply", lab.file("guard.conf", text)], ns="box",
                       env={"SSH_CONNECTION": broken}, check=False)
        accepted(tap, done, "SSH_CONNECTION=%.30s is none" % broken)
    lab.sluice("down", ns="box")


def vlan(tap, lab):
    probe = lab.run(["ip", "link", "add", "link", "peer0", "name", "v9", "type", "vlan", "id", "9"],
                    ns="peer", check=False)
    if probe.returncode:
        raise Skip("this kernel has no VLAN devices; tests/vm runs it on one that has")
    lab.run(["ip", "link", "del", "v9"], ns="peer")
    for ns, dev, address in (("peer", "peer0", "198.51.100.2/24"),
                             ("box", "box0", "198.51.100.1/24")):
        lab.run(["ip", "link", "add", "link", dev, "name", "v10", "type", "vlan", "id", "10"],
                ns=ns)
        lab.run(["ip", "link", "set", "v10", "up"], ns=ns)
        lab.address(ns, "v10", address)
    with Session(lab, "198.51.100.1") as session:
        session_on(tap, lab, session, "box0", "a VLAN")
        told(tap, apply(lab, "interface box0\nrule tag drop tcp vlan 10\n", session),
             ['rule "tag"', "SSH"], "a VLAN: by its tag")
        accepted(tap, apply(lab, "interface box0\nrule tag drop tcp vlan 11\n", session),
                 "another tag")
        tap.ok(session.works(), "it goes on")
        told(tap, apply(lab, "interface box0\nrule tag drop ethertype 0x0806 vlan 10\n"),
             ['rule "tag"', "ARP", "VLAN 10"], "ARP in a VLAN of this machine")
        accepted(tap, apply(lab, "interface box0\nrule tag drop ethertype 0x0806 vlan 11\n"),
                 "ARP in a VLAN that is not this machine's")
        lab.sluice("down", ns="box")
    for ns in ("peer", "box"):
        lab.run(["ip", "link", "del", "v10"], ns=ns)


def bridge(tap, lab):
    lab.run(["ip", "addr", "flush", "dev", "box0"], ns="box")
    lab.run(["ip", "link", "add", "br0", "type", "bridge"], ns="box")
    for dev in ("box0", "box1"):
        lab.run(["ip", "link", "set", dev, "master", "br0"], ns="box")
    lab.run(["ip", "link", "set", "br0", "up"], ns="box")
    lab.address("box", "br0", "192.0.2.1/24")
    with Session(lab) as session:
        session_on(tap, lab, session, "box0", "a bridge")


def main():
    tap = Tap()
    with Lab() as lab:
        two_sides(lab, ipv6=True)
        lab.used_sluice.add("box")
        lab.address("peer", "peer0", "192.0.2.2/24", "2001:db8::2/64")
        lab.address("box", "box0", "192.0.2.1/24", "2001:db8::1/64")
        os.environ.pop("SSH_CONNECTION", None)
        for test in neighbours, sessions, by_sudo, vlan, bridge:
            with tap.case(test.__name__):
                test(tap, lab)
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
