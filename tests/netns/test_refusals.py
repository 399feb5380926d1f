#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What must be refused, with which words and exit status, and that a refused
apply leaves the running configuration as it was. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import os
import shutil

from network import foreign_object, program, settle, two_sides
from lab import Lab, built, wait_for
from tap import Tap

DONE, INPUT, USAGE, SYSTEM = 0, 1, 2, 3
RUNNING = "interface box0\ndefault pass\nrule udp9 drop udp to any port 9\n"
UDP9 = bytes.fromhex("02000000000b02000000000a0800" "4500001c000000004011000001020304" "05060708"
                     "0001000900080000")

# (name, configuration, set file, words of the message)
BAD_INPUT = [
    ("an unknown word", "interface box0\nrule x dorp\n", None,
     ["sluice.conf:2:8", "dorp", "pass", "^"]),
    ("a statement cut off", "interface box0\nset s { 10.0.0.0/8\n", None, ["sluice.conf:"]),
    ("a rule name twice", "interface box0\nrule a drop tcp\nrule a pass udp\n", None,
     ["sluice.conf:3:6", "a"]),
    ("a set that is not there", "interface box0\nrule a drop from @nowhere\n", None,
     ["sluice.conf:2:", "nowhere"]),
    ("a bad port", "interface box0\nrule a drop tcp to any port 65536\n", None,
     ["sluice.conf:2:", "65535"]),
    ("a port without a protocol", "interface box0\nrule a drop to any port 5\n", None,
     ["sluice.conf:2:", "tcp"]),
    ("a prefix too long", "interface box0\nrule a drop from 10.0.0.0/33\n", None,
     ["sluice.conf:2:", "33"]),
    ("a set file with a bad line",
     'interface box0\nset s { file "set.txt" }\nrule a drop from @s\n',
     "10.0.0.0/8\n# fine\n2001:db8::/129\n", ["set.txt:3:", "2001:db8::/129"]),
    ("a set file that is not there", 'interface box0\nset s { file "gone.txt" }\n', None,
     ["gone.txt", "No such file"]),
    ("metrics where nobody can listen", 'interface box0\nmetrics { listen "eth0:9435" }\n', None,
     ["sluice.conf:2:", "metrics", "eth0:9435"]),
    ("route to a forwarder with wires",
     "interface box0, box1\nforwarder { wire box0 box1 }\nrule a route\n", None,
     ["sluice.conf:3:", "route", "wires"]),
    ("three rules where two may be", "interface box0\nlimits { rules 2 }\n" + "".join(
        "rule r%d drop tcp to any port %d\n" % (n, n + 1) for n in range(3)), None,
     ["sluice.conf:5:", "3 rules", "the limit is 2", "r2"]),
    ("more tables than the budget", "interface box0\nlimits { tables 64K }\nrule a drop from 10.0.0.1\n",
     None, ["box0: compile: 1 rules need", "the budget is 64 KiB", "limits { tables }"]),
]
USAGE_ERRORS = [["no-such-command"], ["apply"], ["check"], ["explain", "box0"],
                ["stats", "--no-such-option"], []]

# What an operator may type while RUNNING runs: (arguments, status, words of the message).
MISTAKES = [
    (["rule", "list", "nosuch0"], INPUT, ["nosuch0: no such interface", "`ip link`"]),
    (["rule", "add", "-i", "nosuch0", "x drop"], INPUT, ["nosuch0: no such interface"]),
    (["ext", "list", "nosuch0"], INPUT, ["nosuch0: no such interface"]),
    (["rule", "list", "box1"], SYSTEM, ["box1: no configuration runs on it", "`sluice apply"]),
    (["ext", "list", "box1"], SYSTEM, ["box1: no configuration runs on it", "`sluice apply"]),
    (["log", "box1"], SYSTEM, ["box1: no filter is attached", "`sluice apply"]),
    (["rule", "mend", "x"], USAGE, ['rule: expected "add", "del" or "list", not "mend"']),
    (["set", "add", "gone", "10.0.0.1"], INPUT, ['set "gone"', "`sluice show`", "`live`"]),
    (["ext", "load", "before", "1", __file__], INPUT, ["(ELF): BPF object format invalid"]),
    (["explain", "box0", "/none.pcap"], INPUT, ["sluice: /none.pcap: read packets: No such file"]),
    (["ports", "--top", "0"], USAGE, ["--top 0: expected a number from 1\n"]),
    (["stats", "--watch=x"], USAGE, ["--watch x: expected a number from 1 to 86400"]),
    (["stats", "--nonsense"], USAGE, ["sluice stats: unrecognized option '--nonsense'"]),
]
# And where no filter is: (arguments, status, words of the answer).
NOTHING = [
    (["ports"], DONE, ["no filter is attached", "`sluice apply"]),
    (["down"], DONE, ["no filter of Sluice's is attached"]),
    (["ext", "list"], DONE, ["no extension is loaded"]),
    (["set", "list", "x"], INPUT, ['set "x": no filter is attached', "`sluice apply"]),
]


class Running:
    """The running configuration, and the proof that it is untouched."""

    def __init__(self, lab):
        self.lab = lab
        lab.apply(RUNNING, ns="box", name="running.conf")
        self.before = self.state()

    def state(self):
        stats = self.lab.stats("box", "box0")
        return (program(self.lab, "box", "box0"), self.lab.sluice("show", ns="box").stdout,
                stats["generation"], [r["name"] for r in stats["rules"]])

    def filters(self):
        """Does a packet that rule udp9 drops still meet it?"""
        count = self.lab.stats("box", "box0")["rules"][0]["packets"]
        self.lab.send("peer", "peer0", [UDP9])
        return wait_for(lambda: self.lab.stats("box", "box0")["rules"][0]["packets"] == count + 1)

    def refused(self, tap, name, done, status, words):
        """`done` failed with that status and those words, and changed nothing."""
        tap.equal(done.returncode, status, name + ": exit status") or tap.diag(done.stderr)
        tap.contains(done.stderr, words, name + ": the message")
        tap.ok(self.state() == self.before and self.filters(),
               name + ": the running configuration is untouched", self.state(), self.before)


def bad_input(tap, lab, running):
    for name, text, content, words in BAD_INPUT:
        if content is not None:
            lab.file("set.txt", content)
        path = lab.file("sluice.conf", text)
        running.refused(tap, name, lab.sluice("apply", path, ns="box", check=False), INPUT, words)
        done = lab.sluice("check", path, check=False)
        tap.ok(done.returncode == INPUT and done.stderr, name + ": check says so too",
               done.returncode, done.stderr)
    done = lab.sluice("apply", "/nonexistent/sluice.conf", ns="box", check=False)
    running.refused(tap, "no such file", done, INPUT, ["/nonexistent/sluice.conf", "No such file"])


def mistakes(tap, lab, running):
    for args, status, words in MISTAKES:
        running.refused(tap, "sluice " + " ".join(args),
                        lab.sluice(*args, ns="box", check=False, timeout=10), status, words)
    for args, status, words in NOTHING:
        done = lab.sluice(*args, ns="far", check=False)
        tap.equal(done.returncode, status, "no filter: %s: exit status" % args[0])
        tap.contains(done.stdout + done.stderr, words, "no filter: %s: the answer" % args[0])
    lab.run(["ip", "link", "set", "box0", "down"], ns="box")
    tap.contains(lab.sluice("status", ns="box").stdout,
                 ["box0: the interface is down", "`ip link set box0 up`"], "down: status says so")
    lab.run(["ip", "link", "set", "box0", "up"], ns="box")
    wait_for(lambda: "LOWER_UP" in lab.link("peer", "peer0")["flags"])


def system_refusals(tap, lab, running):
    done = lab.apply("interface nosuch0\n", ns="box", check=False)
    running.refused(tap, "an unknown interface", done, INPUT, ["nosuch0"])
    # One of two is wrong: neither may change.
    done = lab.apply("interface box0, nosuch0\nrule new drop\n", ns="box", check=False)
    running.refused(tap, "one unknown interface of two", done, INPUT, ["nosuch0"])
    done = lab.apply("interface box0\nrule a redirect nosuch1\n", ns="box", check=False)
    running.refused(tap, "redirect to an unknown interface", done, INPUT, ["nosuch1"])

    lab.run(["ip", "link", "set", "dev", "box1", "xdp", "obj", foreign_object(lab), "sec", "xdp"],
            ns="box")
    theirs = program(lab, "box", "box1")
    done = lab.apply("interface box0, box1\nrule new drop\n", ns="box", check=False)
    running.refused(tap, "another program holds the interface", done, SYSTEM,
                    ["box1", str(theirs), "foreign"])
    tap.equal(program(lab, "box", "box1"), theirs, "the foreign program is left alone")
    tap.ok("ip link set dev box1 xdpdrv off" in done.stderr, "how to proceed is told",
           done.stderr)
    done = lab.sluice("stats", "box1", ns="box", check=False)
    running.refused(tap, "another program's interface", done, SYSTEM,
                    ["box1", "foreign", "not Sluice's", "ip link set dev box1 xdpdrv off"])
    lab.run(["ip", "link", "set", "dev", "box1", "xdp", "off"], ns="box")

    for dev, ns in (("box1", "box"), ("far0", "far")):
        lab.run(["ip", "link", "set", dev, "mtu", "9000"], ns=ns)
    done = lab.apply("interface box0, box1\nrule new drop\n", ns="box", check=False)
    running.refused(tap, "an MTU too large for native XDP", done, SYSTEM, ["box1", "MTU", "frags"])
    done = lab.apply("interface box0\ninterface box1 { frags on }\n" + RUNNING.partition("\n")[2],
                     ns="box", check=False)
    tap.equal(done.returncode, DONE, "with frags on it is taken") or tap.diag(done.stderr)
    lab.sluice("down", "box1", ns="box")
    for dev, ns in (("box1", "box"), ("far0", "far")):
        lab.run(["ip", "link", "set", dev, "mtu", "1500"], ns=ns)
    running.before = running.state()


def modes(tap, lab, running):
    """`mode auto` falls back to generic, and says so; `shared` is never claimed in vain."""
    for dev, ns in (("box1", "box"), ("far0", "far")):
        lab.run(["ip", "link", "set", dev, "mtu", "9000"], ns=ns)
    done = lab.apply(RUNNING + "interface box1 { mode auto }\n", ns="box", check=False)
    tap.equal(done.returncode, DONE, "mode auto where native is refused") or tap.diag(done.stderr)
    tap.contains(done.stdout + done.stderr, ["box1", "generic"], "mode auto: the fallback is told")
    tap.equal((lab.stats("box", "box1")["mode"], lab.link("box", "box1")["xdp"]["mode"]),
              ("generic", 2), "mode auto: and shown")
    lab.sluice("down", "box1", ns="box")
    for dev, ns in (("box1", "box"), ("far0", "far")):
        lab.run(["ip", "link", "set", dev, "mtu", "1500"], ns=ns)
    running.before = running.state()

    done = lab.apply(RUNNING + "interface box1 { attach shared }\n", ns="box", check=False)
    if done.returncode == DONE:
        tap.contains(lab.sluice("status", ns="box").stdout, ["shared"],
                     "attach shared: taken, and shown")
        lab.sluice("down", "box1", ns="box")
        running.before = running.state()
    else:
        running.refused(tap, "attach shared without freplace", done, SYSTEM, ["box1", "exclusive"])
        tap.equal(program(lab, "box", "box1"), None, "attach shared: nothing stays on box1")


def no_permission(tap, lab, running):
    # A copy: the build folder may not be open to others.
    copy = os.path.join(lab.dir, "sluice")
    shutil.copy(built("sluice"), copy)
    os.chmod(copy, 0o755)
    path = lab.file("allowed.conf", "interface box0\nrule new drop\n")
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
              "--bounding-set=-all", "--inh-caps=-all"]
    done = lab.run(nobody + [copy, "apply", path], ns="box", check=False)
    running.refused(tap, "no permission", done, SYSTEM, ["permi"])
    tap.ok("root" in done.stderr or "CAP_" in done.stderr, "no permission: what is needed is told",
           done.stderr)
    done = lab.run(nobody + [copy, "down"], ns="box", check=False)
    running.refused(tap, "down without permission", done, SYSTEM, ["permi"])
    done = lab.run(nobody + [copy, "check", path], ns="box", check=False)
    tap.equal(done.returncode, DONE, "check needs no permission") or tap.diag(done.stderr)


def no_bpffs(tap):
    """Where no bpffs can be mounted, it attaches by netlink and says so."""
    with Lab() as lab:
        two_sides(lab)
        path = lab.file("sluice.conf", RUNNING)
        lab.used_sluice.add("box")
        # Its own mount namespace hides the bpffs that other runs may have mounted; without
        # CAP_SYS_ADMIN it can neither leave it nor mount another.
        script = ('mkdir -p /run/sluice && mount -t tmpfs none /run/sluice && exec setpriv '
                  '--bounding-set=-sys_admin --inh-caps=-sys_admin "$@"')
        done = lab.run(["unshare", "-m", "sh", "-c", script, "sh", built("sluice"), "apply", path],
                       ns="box", check=False)
        tap.equal(done.returncode, DONE, "no bpffs: apply works") or tap.diag(done.stderr)
        tap.contains(done.stdout + done.stderr, ["netlink", "box0"], "no bpffs: it says so")
        tap.equal(lab.pins("box"), [], "no bpffs: nothing is pinned")
        tap.ok(program(lab, "box", "box0"), "no bpffs: the filter is attached")
        lab.send("peer", "peer0", [UDP9] * 3)
        tap.equal([r["packets"] for r in settle(lab, "box", "box0", 3)["rules"]], [3],
                  "no bpffs: the filter counts")
        tap.equal(lab.leftovers(), [], "no bpffs: down takes it off")


def usage(tap, lab):
    for words in USAGE_ERRORS:
        done = lab.sluice(*words, ns="box", check=False)
        tap.ok(done.returncode == USAGE and done.stderr and not done.stdout,
               "usage: sluice %s" % " ".join(words), done.returncode, done.stdout, done.stderr)


def main():
    tap = Tap()
    with tap.case("to the end"), Lab() as lab:
        two_sides(lab)
        running = Running(lab)
        bad_input(tap, lab, running)
        usage(tap, lab)
        mistakes(tap, lab, running)
        system_refusals(tap, lab, running)
        modes(tap, lab, running)
        no_permission(tap, lab, running)
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    with tap.case("no bpffs: to the end"):
        no_bpffs(tap)
    tap.done()


if __name__ == "__main__":
    main()
