#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""README.md and docs/*.md against what runs (root).

What a page has in an indented block is one of these, and nothing else:

  a session   Its first line begins with `$ `, a prompt of root's on the box, or with `NAME$ `,
              one on another host. A command is typed into a shell of that host, which stays
              for the page; it has to succeed. The lines below it are what it says: `...` is any
              lines, or the rest of one, a number any number but 0, and 0 is 0. Where there are
              none, it may say what it likes.
  a file      Its first line is `# NAME` or `/* NAME */`. It is written for the commands behind
              it; a NAME.conf is checked.
  a synopsis  The options after `sluice COMMAND` are those of its help.
  the rest    stands in NOT_RUN by how its first line begins, with the reason.

A block that is none of it fails, and so does a line of the tables below that no page has. Each
page has a box between two hosts of its own; the names of the box's interfaces are the pages':

    left                    box                    right              apart
     l0  <--- veth --->  eth1  eth2  <--- veth --->  r0      eth3 <--> a0

tests/netns/test_docs.py PAGE... runs these alone, and shows what each command says.
"""
import glob
import os
import re
import selectors
import sys
import time

from scapy.all import Ether, IP, Raw, UDP, wrpcap

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from lab import Lab, LabError, ROOT, built
from tap import Tap

BLOCK = re.compile(r"^\n((?:    .*\n|\n(?=    ))+)", re.M)
PROMPT = re.compile(r"(?:([a-z]+)\$|\$) (.*)")
FILE = re.compile(r"(?:# |/\* )([\w-]+\.\w+)(?: \*/)?")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+Z)?")
SYNOPSIS = re.compile(r"(sluice [a-z]+|sluice-[a-z]+) .*(\[|\||[A-Z]{4})")
INDEX = os.path.join(ROOT, "docs", "README.md")
SECONDS = 60  # for a command; those of UNTIL_INTERRUPTED get Ctrl-C before
UNTIL_INTERRUPTED = re.compile(r"--watch\b")
# Commands of a session that are not run here, and why.
ELSEWHERE = {
    "cp my.conf /etc/sluice/": "the packages make that folder: tests/package/deb.py",
    "systemctl ": "tests/vm/guest_systemd.py: a Debian booted by its systemd",
}
# Commands that are to fail, and with which exit status.
FAILS = {
    "ping -c 1 -W 1 192.0.2.1": 1,  # dropped
    "ping -c 1 -W 1 192.0.2.80": 1,
    "ping -c 1 -t 1 203.0.113.80": 1,  # the answer is: time exceeded
    "curl --silent --max-time 2 telnet://192.0.2.1": 28,  # no answer in time
    "curl --silent --max-time 2 telnet://192.0.2.80": 28,
    "sluice check stations.conf": 1,
    'su nobody -s /bin/sh -c "$(command -v sluice) stats"': 3,
}
# Blocks that are no commands, or are run elsewhere: (page, how the first line begins): why.
FORM = "a form, with words to fill in"
PICTURE = "a picture"
NOT_RUN = {
    ("README.md", "wire -> NIC"): PICTURE,
    ("README.md", "sudo make demo"): "this test is a part of the second; the first takes a minute",
    ("README.md", "make deb"): "tests/package/deb.py: in a clean Debian",
    ("README.md", "make check-quick"): "this test is a part of it; others take hours",
    ("configuration.md", "interface NAME"): FORM,
    ("configuration.md", "default pass|drop"): FORM,
    ("configuration.md", "limits {"): FORM,
    ("configuration.md", "set NAME"): FORM,
    ("configuration.md", "rule NAME"): FORM,
    ("configuration.md", "VERDICT :="): FORM,
    ("configuration.md", "    extension before|after"): FORM,
    ("configuration.md", "forwarder { wire IFACE"): FORM,
    ("configuration.md", "metrics { listen"): FORM,
    ("configuration.md", "packet -> before 0"): PICTURE,
    ("configuration.md", "FILE:LINE:COLUMN"): FORM,
    ("configuration.md", "eth0: 17 rules"): "what `check` says of a larger file: tests/golden",
    ("configuration.md", "FILE:7:6: warning"): "what `check` warns of: tests/golden",
    ("doctor.md", "warn  vlan-offload"): "one finding: tests/netns/test_doctor.py",
    ("doctor.md", '{"host"'): "the form of the answer: tests/netns/test_doctor.py",
    ("dpdk.md", "sluice apply"): "tests/netns/test_dpdk.py, where DPDK is new enough",
    ("dpdk.md", "dpdk-testpmd"): "tests/netns/test_dpdk.py",
    ("dpdk.md", "sluice status"): "tests/netns/test_dpdk.py",
    ("export.md", "rule sampled log"): "a rule: tests/netns/test_export.py has such",
    ("forensics.md", "rule watch log"): "a rule: scrubbing-box.md has it",
    ("guest-lab.md", "tests/vm/run"): "of QEMU: tests/vm/test_smoke.py calls it",
    ("metrics.md", "scrape_configs:"): "of Prometheus: tests/netns/test_exporter.py runs one",
    ("polling.md", "forwarder {"): FORM,
    ("polling.md", "eth1 queue 0: busy polling: "): "of a card: tests/vm/guest_polling.py",
    ("routing.md", "interface eth1, eth2, eth3"): "two files: tests/netns/test_route.py",
    ("safe-changes.md", "apply by alice"): "a line of the journal: tests/vm/guest_systemd.py",
    ("stages.md", "forwarder {"): "a part of a file: config/examples/monitor.conf is all of it",
    ("stages.md", "forward by web"): "a packet's comment: tests/netns/test_stages.py",
    ("tuning.md", "# sluice tune plan"): "of a card with 8 queues: tests/vm/guest_tune.py",
}
# my.conf of the pages that write none.
CONFIG = """interface eth1, eth2 { mode auto }
default pass
set blocked live { 192.0.2.128/25 }
rule watch log udp to any port 9
rule spoofed drop from 198.18.0.0/15
"""
# Pages before which somebody has applied my.conf, and whose left sends all the time.
RUNNING = ("configuration.md", "forensics.md", "metrics.md", "safe-changes.md", "trace.md")
# Pages whose box has no address: left and right are in one subnet.
BRIDGED = ("bridge.md", "counters.md")
# Where the page itself makes the hosts.
OWN = ("first-hour.md",)


def blocks(text):
    """[(number of the first line, lines)] of a page's indented blocks."""
    return [(text.count("\n", 0, found.start(1)) + 1,
             [line[4:] for line in found.group(1).split("\n")[:-1]])
            for found in BLOCK.finditer(text)]


def session(lines):
    """[(host or None, command, [line that it says])]; a line that ends by \\ is continued."""
    steps = []
    for line in lines:
        prompt = PROMPT.fullmatch(line)
        if steps and steps[-1][1].endswith("\\") and not steps[-1][2]:
            steps[-1][1] += "\n" + line
        elif prompt:
            steps.append([prompt.group(1), prompt.group(2), []])
        elif line.strip():
            steps[-1][2].append(line)
    return steps


def pattern(said):
    """What matches the lines that a page shows."""
    def part(text):
        if TIME.fullmatch(text):
            return TIME.pattern
        if text[:1].isdigit() and text.strip("0."):
            return r"(?!0+(?:\.0+)*(?!\.?\d))\d+(?:\.\d+)*"
        return ".*" if text == "..." else r"\s+" if text.isspace() else re.escape(text)

    parts = re.compile(r"(%s|(?<!\w)\d+(?:\.\d+)*|\.\.\.|\s+)" % TIME.pattern)
    return "".join(r"(?:.*\n)*?" if line.strip() == "..." else r"\s*%s\s*?\n" % "".join(
        map(part, parts.split(line.strip()))) for line in said)


class Shell:
    """One bash on a host: it takes a command after the other, as a terminal does."""

    def __init__(self, lab, argv, ns, folder):
        self.lab, self.count = lab, 0
        self.proc = lab.popen(argv, ns=ns, text=False, bufsize=0, stdin=-1, cwd=folder)
        status, said = self.run(
            "export EDITOR=true PATH=%s:$PATH C_INCLUDE_PATH=%s; "
            "cd %s; export SLUICE_HISTORY=$PWD/history TMPDIR=$PWD; ! touch /etc/docs" % (
                os.path.dirname(built("sluice")), os.path.join(ROOT, "include"), folder))
        if status:
            raise LabError("%s: no shell: %s" % (" ".join(argv), said))

    def run(self, command):
        """(exit status, what it said); None for the status: it did not end."""
        self.count += 1
        command = re.sub(r"\bsudo ", "", command)
        if UNTIL_INTERRUPTED.search(command):
            command = "timeout --preserve-status --signal=INT 2 " + command
        if command.endswith("&"):
            command = "%s >background.%d 2>&1 & sleep 1; kill -0 $!" % (
                command[:-1], self.count)
        mark = "end of command %d, status " % self.count
        if self.proc.poll() is not None:
            return None, "the shell has ended"
        self.proc.stdin.write(("{ %s\n} </dev/null; echo \"%s$?\"\n" % (command, mark)).encode())
        return self._read(mark)

    def _read(self, mark):
        said, end = "", time.monotonic() + SECONDS
        with selectors.DefaultSelector() as ready:
            ready.register(self.proc.stdout, selectors.EVENT_READ)
            while time.monotonic() < end:
                if not ready.select(end - time.monotonic()):
                    break
                got = os.read(self.proc.stdout.fileno(), 65536)
                said += got.decode(errors="replace")
                found = re.search(mark + r"(\d+)\n", said)
                if found or not got:
                    return int(found.group(1)) if found else None, said[:found and found.start()]
        self.proc.kill()
        return None, said + "\nit did not end within %d s" % SECONDS


class World:
    """The hosts of one page, their shells, and the folder that all of these are in."""

    def __init__(self, lab, page):
        self.lab, self.page, self.shells = lab, page, {}
        self.folder = os.path.join(lab.dir, page)
        os.mkdir(self.folder)
        for name, path in (("build", os.path.dirname(built("sluice"))),
                           ("config", os.path.join(ROOT, "config"))):
            os.symlink(path, os.path.join(self.folder, name))
        wrpcap(os.path.join(self.folder, "capture.pcap"),
               [Ether() / IP(src="192.0.2.10", dst="192.0.2.1") / UDP(dport=19) / Raw(b"x")])
        with open(os.path.join(self.folder, "my.conf"), "w", encoding="ascii") as out:
            out.write(CONFIG)
        if page not in OWN:
            self.cable()
        if page in RUNNING:
            status, said = self.shell(None).run("sluice apply my.conf")
            if status:
                raise LabError("sluice apply my.conf: " + said)
            lab.popen([built("sluice-gen"), "l0", "--rate", "200", "--duration", "120"], ns="left")

    def cable(self):
        lab = self.lab
        lab.add("box", "left", "right", "apart")
        for number, host in enumerate(("left", "right", "apart"), 1):
            lab.veth("box", "eth%d" % number, host, host[0] + "0")
        lab.address("left", "l0", "192.0.2.10/24")
        if self.page in BRIDGED:
            lab.address("right", "r0", "192.0.2.80/24")
            return
        lab.address("right", "r0", "203.0.113.80/24")
        lab.address("box", "eth1", "192.0.2.1/24")
        lab.address("box", "eth2", "203.0.113.1/24")
        lab.run(["ip", "route", "add", "203.0.113.0/24", "via", "192.0.2.1"], ns="left")
        lab.run(["ip", "route", "add", "192.0.2.0/24", "via", "203.0.113.1"], ns="right")

    def shell(self, host):
        if host not in self.shells:
            self.shells[host] = Shell(self.lab, *self.way(host), self.folder)
        return self.shells[host]

    def way(self, host):
        """How to a shell on a host: (argv, the lab's namespace)."""
        # Whatever a page says: of the machine's files those of the page alone can be written.
        alone = "".join("mount --rbind %s %s && " % (path, path) for path in ("/run", self.folder))
        alone += "mount -o remount,bind,ro / && "
        if self.page not in OWN:
            return ["unshare", "--mount", "sh", "-c", alone + "exec bash"], host or "box"
        if host is None:
            # A machine of the page's own, with a card: what it names is not seen outside.
            return ["unshare", "--mount", "--net", "sh", "-c", alone +
                    "mount -t tmpfs none /run/netns && "
                    "ip link add eth1 type veth peer name wire && ip link set eth1 up && "
                    "ip link set wire up && exec bash"], None
        return ["nsenter", "--mount", "--net", "--target", str(self.shell(None).proc.pid), "ip",
                "netns", "exec", host, "bash"], None

    def close(self):
        if self.page in OWN:
            self.shell(None).run(
                "for ns in $(ls /run/netns); do ip netns exec $ns sluice down; done")
        for shell in self.shells.values():
            shell.run("kill $(jobs -p); wait; sluice tune undo; sluice down")
            shell.proc.stdin.close()
            self.lab.end(shell.proc)
        left = [pin for host in self.lab.spaces for pin in self.lab.pins(host)
                if not os.path.isdir(pin)]
        for host in list(self.lab.spaces):
            self.lab.remove(host)
        return left


class Page:
    """A page, run from its top to its bottom."""

    def __init__(self, tap, lab, path, show):
        self.tap, self.name, self.show = tap, os.path.basename(path), show
        with open(path, encoding="utf-8") as text:
            self.text = text.read()
        self.folder = os.path.dirname(path)
        self.used = set()  # lines of the tables
        self.lab, self.world = lab, None

    def reason(self, line):
        for key in NOT_RUN:
            if key[0] == self.name and line.startswith(key[1]):
                self.used.add(key)
                return NOT_RUN[key]
        return None

    def run(self):
        try:
            for number, lines in blocks(self.text):
                self.block("%s:%d" % (self.name, number), lines)
        finally:
            left = self.world.close() if self.world else []
        self.tap.equal(left, [], "%s: nothing is left behind" % self.name)

    def words(self, known):
        """What is not in a block: links lead somewhere, and a `sluice COMMAND` is one."""
        wrong = [link for link in re.findall(r"\]\(([^)#:]+)\)", self.text)
                 if not os.path.exists(os.path.join(self.folder, link))]
        paths = re.findall(r"`((?:docs|config|tests|lib)/[\w./-]+\.\w+)`", self.text)
        wrong += [path for path in paths if not os.path.exists(os.path.join(ROOT, path))]
        wrong += [word for word in re.findall(r"`sluice ([a-z]+)", self.text) if word not in known]
        self.tap.equal(wrong, [], "%s: what it refers to is there" % self.name)

    def block(self, place, lines):
        if self.reason(lines[0]):
            return
        if not PROMPT.fullmatch(lines[0]) and SYNOPSIS.match(lines[0]):
            self.synopsis(place, lines)
            return
        self.world = self.world or World(self.lab, self.name)
        named = FILE.fullmatch(lines[0])
        if PROMPT.fullmatch(lines[0]):
            for step in session(lines):
                self.step(place, *step)
        elif named:
            self.file(place, named.group(1), lines)
        else:
            self.tap.ok(False, "%s: %s: a session (`$ COMMAND`), a file (`# NAME`), or a line of "
                        "NOT_RUN with the reason" % (place, lines[0]))

    def step(self, place, host, command, said):
        for text in ELSEWHERE:
            if command.startswith(text):
                self.used.add(text)
                return
        status, output = self.world.shell(host).run(command)
        if self.show:
            self.tap.diag("%s$ %s" % (host or "", command), output, "status %s" % status)
        wanted = FAILS.get(command, 0)
        self.used.add(command)
        interrupted = UNTIL_INTERRUPTED.search(command) and status == 130
        self.tap.ok(status == wanted or interrupted, "%s: %s" % (place, command),
                    "exit %s" % status, output)
        if said:
            self.tap.ok(re.fullmatch(pattern(said), output.lstrip("\n")),
                        "%s: what it says: %s" % (place, command),
                        "the page:", *said, "it says:", output)

    def file(self, place, name, lines):
        with open(os.path.join(self.world.folder, name), "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        if name.endswith(".conf"):
            status, output = self.world.shell(None).run("sluice check " + name)
            self.tap.ok(status == 0 and "warning" not in output, "%s: %s" % (place, name), output)

    def synopsis(self, place, lines):
        programs = sorted(set(re.findall(r"^sluice[ -][a-z]+", "\n".join(lines), re.M)))
        known = set()
        for program in programs:
            words = program.split()
            known |= set(re.findall(r"--[a-z-]+", self.lab.output(
                [built(words[0])] + (["help"] + words[1:] if words[1:] else ["--help"]))))
        asked = set(re.findall(r"--[a-z-]+", "\n".join(lines)))
        self.tap.ok(asked <= known, "%s: the options of %s" % (place, ", ".join(programs)),
                    asked - known)


def main():
    tap, used = Tap(), set()
    paths = [os.path.join(ROOT, "README.md")] + sorted(glob.glob(os.path.join(ROOT, "docs/*.md")))
    chosen = [path for path in paths if os.path.basename(path) in sys.argv[1:]]
    if not chosen and sys.argv[1:]:
        sys.exit("%s: no such page; README.md, or one of docs/" % " ".join(sys.argv[1:]))
    with Lab() as lab:
        known = re.findall(r"^  ([a-z]+)", lab.output([built("sluice"), "help"]), re.M)
        for path in chosen or paths:
            page = Page(tap, lab, path, bool(chosen))
            page.words(known)
            with tap.case("%s: to the end" % page.name):
                page.run()
            used |= page.used
    if not chosen:
        tap.equal([path for path in paths[1:] if not os.path.samefile(path, INDEX) and
                   "(%s)" % os.path.basename(path) not in Page(tap, lab, INDEX, False).text], [],
                  "docs/README.md has each page")
        tap.equal(sorted(map(str, {*NOT_RUN, *ELSEWHERE, *FAILS} - used)), [],
                  "each line of the tables is of a page")
    tap.done()


if __name__ == "__main__":
    main()
