#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`sluice top` in a terminal (tmux) with real traffic. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import os
import re
import signal
import statistics
import time

from network import two_sides
from lab import Lab, built, wait_for
from tap import Tap

CONFIG = """
interface box0
rule watch log sample 10
rule dns   drop udp to any port 53
rule echo  pass udp to any port 7
rule "web one" pass tcp to any port 80
"""
RATES = {53: 3000, 7: 1000, 123: 300}  # of UDP by port, packets/s
RULES = {"dns": 3000, "echo": 1000}
ROW = re.compile(r"^box0 +(\S.*?) +(\S+)? +(-|[0-9]+) +(-|[0-9.]+) +([0-9]+)(?: +[0-9]*)?$")
SIZES = ((80, 24), (60, 15), (200, 50), (20, 6), (7, 3), (1, 1), (80, 24))


class Terminal:
    """A shell in a tmux of its own, in the namespace `box`."""

    def __init__(self, lab, env=None):
        self.lab, self.socket = lab, os.path.join(lab.dir, "tmux%d" % len(os.listdir(lab.dir)))
        words = ["%s=%s" % item for item in (env or {}).items()]
        lab.used_sluice.add("box")
        lab.run(["env", "-u", "TMUX"] + words + [
            "tmux", "-f", "/dev/null", "-S", self.socket, "new-session", "-d", "-x", "80", "-y",
            "24", "sh"], ns="box")
        self.tmux("set-option", "-g", "window-size", "manual")
        assert wait_for(lambda: self.screen().strip()), "no prompt"

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.tmux("kill-server")

    def tmux(self, *args):
        return self.lab.run(["tmux", "-S", self.socket] + list(args)).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def lines(self):
        return [line.rstrip() for line in self.screen().splitlines()]

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def shows(self, *parts, timeout=10):
        """Waits until all of this is on the screen."""
        return wait_for(lambda: all(part in self.screen() for part in parts), timeout)

    def start(self, *args, before=""):
        """Starts top in the shell; its process id."""
        path = os.path.join(self.lab.dir, "pid%d" % time.monotonic_ns())
        self.type("clear; %s sh -c 'echo $$ > %s; exec %s top %s'" % (
            before, path, built("sluice"), " ".join(args)), "Enter")
        assert self.shows("1 verdicts", "packets/s"), self.screen()
        with open(path) as source:
            return int(source.read())

    def stty(self):
        path = os.path.join(self.lab.dir, "stty%d" % time.monotonic_ns())
        self.type("stty -a > %s; echo done >> %s" % (path, path), "Enter")

        def written():
            if not os.path.exists(path):
                return None
            with open(path) as source:
                text = source.read()
            return text if text.endswith("done\n") else None
        return wait_for(written)

    def flags(self):
        return self.tmux("display-message", "-p", "#{cursor_flag} #{alternate_on}").strip()

    def rows(self):
        """[(name, packets/s or None, packets)] as shown."""
        found = [ROW.match(line) for line in self.lines()]
        return [(row[1], None if row[3] == "-" else int(row[3]), int(row[5]))
                for row in found if row]

    def rated(self):
        assert wait_for(lambda: self.rows() and all(row[1] is not None for row in self.rows())), \
            self.screen()
        return self.rows()


def gone(pid):
    return wait_for(lambda: not os.path.exists("/proc/%d" % pid))


def traffic(lab):
    for port, rate in RATES.items():
        lab.popen([built("sluice-gen"), "peer0", "--dport", str(port), "--rate", str(rate),
                   "--src", "198.18.%d.1" % port, "--duration", "250"], ns="peer")
    assert wait_for(lambda: lab.stats("box", "box0")["rx"]["packets"] > 100)


def near(shown, wanted):
    """A generator on a busy machine falls behind for moments: the middle of several readings."""
    return bool(shown) and abs(statistics.median(shown) - wanted) <= wanted * 0.15


def counts(lab):
    return {rule["name"]: rule["packets"] for rule in lab.stats("box", "box0")["rules"]}


def rates(tap, lab, term):
    """What is shown is what the counters say."""
    term.start("box0")
    term.type("2")
    term.rated()
    begin, before, shown = time.monotonic(), counts(lab), {name: [] for name in RULES}
    for _ in range(7):
        time.sleep(1)
        for name, pps, _total in term.rated():
            if name in shown:
                shown[name].append(pps)
    seconds, after = time.monotonic() - begin, counts(lab)
    true = {name: (after[name] - before[name]) / seconds for name in RULES}
    tap.ok(all(near(shown[name], true[name]) for name in RULES), "rates of rules are true",
           shown, true, term.screen())
    totals = {name: total for name, _pps, total in term.rated()}
    tap.ok(all(before[name] <= totals[name] <= counts(lab)[name] for name in RULES),
           "and their totals", before, totals)
    head = re.search(r"^box0 +(\d+) packets/s, (\d+) dropped \((\d+)\.\d %\)", term.screen(),
                     re.M)
    tap.ok(head and near([int(head[1])], sum(RATES.values())) and near([int(head[3])], 70),
           "the interface's rate, and what of it is dropped", term.screen())
    term.type("1")
    assert term.shows(" rule "), term.screen()
    named = {row[0] for row in term.rated()}
    tap.equal(named, {"drop", "pass"}, "verdicts")
    term.type("3")
    assert term.shows("udp 53"), term.screen()
    ports = {name: pps for name, pps, _total in term.rated()}
    tap.ok(set(ports) == {"udp %d" % port for port in RATES}
           and all(near([ports["udp %d" % port]], rate)
                   for port, rate in RATES.items()), "ports", ports)


def sources(tap, lab, term):
    term.type("4")
    tap.ok(term.shows("`log` rules sampled", "198.18.53.1"), "sources say what they are",
           term.screen())
    time.sleep(3)
    shown = dict(row[:2] for row in term.rated())
    tap.ok(near([shown.get("198.18.53.1", 0)], RATES[53] / 10) or shown.get(
        "198.18.53.1", 0) > 2 * shown.get("198.18.7.1", 0) > 0, "the samples of each", shown)
    tap.equal(lab.sluice("log", "box0", "-c", "1", ns="box", check=False).returncode, 3,
              "while in view, they are read here and nowhere else")
    term.type("2")
    assert term.shows("dns"), term.screen()
    tap.equal(lab.sluice("log", "box0", "-c", "1", ns="box").returncode, 0, "and else not")
    term.type("5")
    tap.ok(term.shows("No forwarder"), "queues: that no forwarder runs is said", term.screen())
    term.type("2")


def keys(tap, lab, term):
    term.type("2")
    order = [row[0] for row in term.rated()]
    tap.equal(order[:3], ["watch", "dns", "echo"], "by rate, the highest first")
    term.type("r")
    assert term.shows("reversed"), term.screen()
    tap.equal([row[0] for row in term.rated()], ["web one", "echo", "dns", "watch"], "reversed")
    for _ in range(3):
        term.type("s")
    assert term.shows("by name"), term.screen()
    tap.equal([row[0] for row in term.rated()], ["dns", "echo", "watch", "web one"], "by name")
    term.type("s")
    assert term.shows("by place"), term.screen()
    tap.equal([row[0] for row in term.rated()], ["watch", "dns", "echo", "web one"],
              "as the rules are tried")
    term.type("s")
    term.type("/", "W", "e", "B")
    assert term.shows("filter: WeB"), term.screen()
    tap.equal([row[0] for row in term.rows()], ["web one"], "a filter narrows")
    term.type("Enter")
    tap.ok(term.shows('1 rows with "WeB"'), "and is kept", term.screen())
    term.type("Escape")
    tap.ok(wait_for(lambda: len(term.rows()) == 4), "until Escape", term.screen())
    term.type("f")
    assert term.shows("FROZEN"), term.screen()
    held, packets = term.screen(), lab.stats("box", "box0")["rx"]["packets"]
    time.sleep(2.5)
    tap.ok(term.screen() == held, "freeze holds", held, term.screen())
    assert lab.stats("box", "box0")["rx"]["packets"] > packets + 1000
    term.type("f")
    tap.ok(wait_for(lambda: "FROZEN" not in term.screen() and term.screen() != held),
           "and goes on", term.screen())
    term.type("h")
    tap.ok(term.shows("freeze: the screen"), "help", term.screen())
    term.type("x")
    tap.ok(term.shows("dns"), "and back", term.screen())


def sizes(tap, term, pid):
    """Each size shows what fits into it, and no line is longer."""
    for width, height in SIZES:
        term.tmux("resize-window", "-x", str(width), "-y", str(height))

        def fits(wide=width):
            lines = term.screen().splitlines()
            title = "sluice top, every"[:max(0, wide - 1)].strip()
            return title in lines[0] and (wide < 60 or "dns" in term.screen())
        good = wait_for(fits)
        alive = os.path.exists("/proc/%d" % pid)
        tap.ok(good and alive, "%dx%d" % (width, height), alive, term.screen())
        if (width, height) == (60, 15):
            pattern = re.compile(r"^box0 +dns +drop +\d+ +[0-9.]+$", re.M)
            tap.ok(wait_for(lambda p=pattern: p.search(term.screen())),
                   "60 columns: names, verdicts and rates", term.screen())
        if width == 200:
            tap.ok(term.shows(" bytes"), "200 columns: bytes, too", term.screen())


def events(tap, lab, term):
    """The filter is reloaded, goes away and comes back."""
    lab.apply(CONFIG + "rule late drop tcp to any port 99\n", ns="box")
    tap.ok(term.shows("box0: reloaded, generation 2 now", "late"), "a reload", term.screen())
    lab.sluice("down", "box0", ns="box")
    tap.ok(term.shows("box0: its filter is gone", "no filter"), "the filter is gone",
           term.screen())
    lab.apply(CONFIG, ns="box")
    tap.ok(term.shows("box0: it has a filter again", "dns"), "and back", term.screen())


def ends(tap, term, pid, before):
    """However it ends, the terminal is as it was."""
    ways = (("q", lambda _pid: term.type("q")),
            ("SIGTERM", lambda p: os.kill(p, signal.SIGTERM)),
            ("Control-C", lambda _pid: term.type("C-c")),
            ("SIGHUP", lambda p: os.kill(p, signal.SIGHUP)))
    for name, way in ways:
        way(pid)
        ended = gone(pid)
        tap.equal((ended, term.stty(), term.flags()), (True, before, "1 0"),
                  name + ": stty as before, cursor seen, no other screen")
        pid = term.start()
    term.type("q")
    gone(pid)


def plain(tap, lab):
    """Terminals without colour, and of no known kind."""
    for term_type, colour in (("vt100", ""), ("screen", "NO_COLOR=1"), ("screen", "")):
        with Terminal(lab) as term:
            pid = term.start("--interval", "1", before="TERM=%s %s" % (term_type, colour))
            term.type("4")
            assert term.shows("198.18.53.1"), term.screen()
            text = term.tmux("capture-pane", "-p", "-e")
            colours = bool(re.search(r"\x1b\[[0-9;]*3[0-7]m", text))
            tap.equal(colours, not colour and term_type != "vt100",
                      "TERM=%s %s: colours" % (term_type, colour))
            term.type("q")
            tap.ok(gone(pid), "TERM=%s %s: ends" % (term_type, colour))
    with Terminal(lab) as term:
        term.type("TERM=nonsense %s top" % built("sluice"), "Enter")
        tap.ok(term.shows('"nonsense"', "stats --watch"), "an unknown terminal is named",
               term.screen())
    done = lab.sluice("top", ns="box", check=False)
    tap.equal(done.returncode, 3, "without a terminal: refused")
    tap.contains(done.stderr, ["no terminal", "sluice stats --watch"], "and the other way named")
    done = lab.sluice("top", "box9", ns="box", check=False)
    tap.equal((done.returncode, "box9" in done.stderr), (1, True), "no such interface")
    done = lab.sluice("top", "box1", ns="box", check=False)
    tap.equal((done.returncode, "box1" in done.stderr), (3, True), "one without a filter")
    done = lab.sluice("top", "--interval", "0", ns="box", check=False)
    tap.equal(done.returncode, 2, "no such interval")


def forwarder(tap, lab):
    """Queues and workers of a forwarder that runs."""
    lab.apply("interface box0, box1\nrule all forward\nforwarder { wire box0 box1 }\n", ns="box")
    conf = os.path.join(lab.dir, "sluice.conf")
    lab.popen([built("sluice-fwd"), "-c", conf], ns="box")
    with Terminal(lab) as term:
        pid = term.start()
        term.type("5")
        tap.ok(term.shows("queue 0 rx", "queue 0 tx", "queue 0 dropped", "copy"),
               "queues: sockets", term.screen())

        def moves():
            rows = dict(row[:2] for row in term.rows())
            return near([rows.get("queue 0 rx") or 0], sum(RATES.values()))
        tap.ok(wait_for(moves, 20), "queues: their rates", term.screen())
        term.type("/", *"frames", "Enter")
        tap.ok(term.shows("worker 0 total", "worker 0 fill", "frames, CPU"),
               "queues: frames by state", term.screen())
        term.type("q")
        gone(pid)


def main():
    tap = Tap()
    with Lab() as lab:
        two_sides(lab)
        lab.apply(CONFIG, ns="box")
        traffic(lab)
        with Terminal(lab) as term:
            before = term.stty()
            rates(tap, lab, term)
            sources(tap, lab, term)
            keys(tap, lab, term)
            term.type("q")
            assert wait_for(lambda: term.flags() == "1 0"), term.screen()
            pid = term.start("box0")
            term.type("2")
            sizes(tap, term, pid)
            events(tap, lab, term)
            ends(tap, term, pid, before)
        plain(tap, lab)
        forwarder(tap, lab)
        for proc in lab.procs:
            lab.end(proc)
        tap.equal(lab.leftovers(), [], "nothing is left behind")
    tap.done()


if __name__ == "__main__":
    main()
