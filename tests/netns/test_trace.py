#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sluice trace on a veth: what it counts is what was made to happen. Root.

    [peer] peer0 ---- box0 [box]

A packet sent alone is polled alone: the storm. With deferral a poll finds many.
"""
import contextlib
import html.parser
import json
import os
import re
import signal
import socket
import struct
import threading
import time

from network import foreign_object  # noqa: F401  (sets the paths)
from lab import EMULATED, Lab, LabError, built, wait_for
from tap import Skip, Tap, check

CONFIG = "interface box0 { mode native }\ndefault drop\n"
RATE = 100000
SO_BUSY_POLL = 46  # asm-generic/socket.h
PLAIN, DEFERRED = (0, 0), (2, 200000)
PORT = 7777


class Box(Lab):
    def __init__(self):
        super().__init__()
        self.add("peer", "box")
        self.veth("peer", "peer0", "box", "box0")

    def set(self, name, value):
        self.run(["sh", "-c", 'echo "$1" > "$2"', "sh", str(value),
                  "/sys/class/net/box0/" + name], ns="box")

    def defer(self, setting):
        self.set("napi_defer_hard_irqs", setting[0])
        self.set("gro_flush_timeout", setting[1])

    @contextlib.contextmanager
    def traffic(self, *args):
        """Packets into box0, one at a time, while the block runs."""
        proc = self.popen([built("sluice-gen"), "peer0", "--batch", "1", "--duration", "60",
                           "--json"] + list(args or ("--rate", str(RATE))), ns="peer")
        try:
            sent = self.received()
            if not wait_for(lambda: self.received() > sent + 1000):
                raise LabError("sluice-gen: nothing arrives at box0")
            yield
            if proc.poll() is not None:
                raise LabError("sluice-gen ended: " + proc.stdout.read())
        finally:
            self.end(proc, signal.SIGINT)

    def received(self):
        return int(self.output(["cat", "/sys/class/net/box0/statistics/rx_packets"], ns="box"))

    def trace(self, *args, seconds=1):
        return self.sluice_json("trace", "box0", "--duration", str(seconds), "--json", *args,
                                ns="box")


def medians(run):
    return {name: m["median"] for name, m in run["metrics"].items()}


@contextlib.contextmanager
def deferral(box, setting):
    box.defer(setting)
    try:
        yield
    finally:
        box.defer(PLAIN)


def at_rate(box):
    """An observation with the generator near its rate; it is tried five times."""
    for _ in range(5):
        with box.traffic():
            run = medians(box.trace())
        if run["packets"] > 0.9 * RATE:
            break
    if run["packets"] < 0.5 * RATE:
        raise Skip("the generator did not reach %d packets a second" % (0.5 * RATE))
    return run


def same(a, b, part, what):
    check(abs(a - b) <= part * max(a, b), True, "%s: %s and %s" % (what, a, b))


def storm(box, tap):
    before = at_rate(box)
    with deferral(box, DEFERRED):
        after = at_rate(box)
    for run in (before, after):
        tap.diag("%d packets/s: %.4f polls per packet" % (run["packets"], run["polls"]))
    check(0.95 <= before["polls"] <= 1.05, True, "plain: %r" % before["polls"])
    # One a flush timeout: 0.05 at the full rate, and more where the machine was too busy for it.
    bound = 1e9 / DEFERRED[1] / min(RATE, after["packets"])
    check(after["polls"] <= bound, True, "deferred: %r of %r" % (after["polls"], bound))


def counts(box):
    """Polls and packets of the one NAPI in question are the filter's and each other's."""
    with box.traffic("--rate", "20k"):
        run = box.trace("--deep", seconds=2)
    check((run["source"], run["packets_from"], run["interfaces"], run["deep"]),
          ("bpf", "filter", ["box0"], True), "what was seen")
    ours = [n for n in run["napis"] if n["in_question"]]
    check([n["interface"] for n in ours], ["box0"], "instances in question")
    polls = sum(ours[0]["polls"].values())
    same(ours[0]["packets"], run["packets"], 0.02, "packets polled and counted")
    same(polls, run["packets"], 0.05, "polls of single packets")
    histograms = {h["name"]: h for h in run["histograms"]}
    for name in ("net_rx_wait", "net_rx", "poll", "packets_of_poll_softirq", "irq_local_timer"):
        check(sum(n for _, n in histograms[name]["slots"]), histograms[name]["count"], name)
    check(0 < histograms["net_rx"]["count"] <= 1.05 * polls, True, "runs that were timed")
    check(sum(c["softirqs"]["NET_RX"] for c in run["cpus"]) >= 0.9 * polls, True, "runs")
    # One wakes the kernel for a packet; for several where the generator was behind its rate.
    check(medians(run)["system_calls"] >= 0.1, True, "system calls: %r" % medians(run))
    check(medians(run)["context_switches"] > 0, True, "context switches")
    check([len([i for i in run["intervals"] if i["traced"] is on]) for on in (True, False)],
          [10, 10], "intervals with and without the programs")
    cost = run["cost"]
    check(cost["runs"] > 4 * 10000 * cost["seconds"] > 0, True, "the cost: %r" % cost)
    check(0 < cost["run_ns"] < 1e9 * cost["seconds"], True, "its time: %r" % cost)


def contexts(box, tap):
    """A NAPI thread's polls and a busily polling task's are told from a softirq's."""
    box.set("threaded", 1)
    try:
        with box.traffic("--rate", "20k"):
            run = medians(box.trace("--deep"))
    finally:
        box.set("threaded", 0)
    tap.diag("threaded: %r" % {k: v for k, v in run.items() if k.startswith("polls")})
    check(run["polls_thread"] > 0.9 * run["polls"] > 0, True, "polls by the thread: %r" % run)
    check(run["polls_user"], 0, "polls by a task")
    check(0 < run["napi_threads"] < 1, True, "the thread's time: %r" % run)
    with box.traffic("--rate", "20k"):
        run = medians(box.trace())
    check((run["polls_softirq"] > 0.5, run["polls_thread"], run["polls_user"]), (True, 0, 0),
          "the softirq's again: %r" % run)


def busy(box, tap):
    """A UDP socket that polls: veth gives its packets a NAPI id."""
    box.sluice("down", ns="box")
    box.address("box", "box0", "198.18.0.2/24")
    sock = box.within("box", socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    done = threading.Event()

    def receive():
        while not done.is_set():
            with contextlib.suppress(BlockingIOError):
                sock.recv(2048)

    with sock:
        sock.bind(("198.18.0.2", PORT))
        sock.setsockopt(socket.SOL_SOCKET, SO_BUSY_POLL, 200)
        # Python's own timeout is a poll() before each recv(), which then never waits.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200000))
        reader = threading.Thread(target=receive)
        reader.start()
        try:
            with box.traffic("--rate", "2k", "--dport", str(PORT), "--dst-mac",
                             box.mac("box", "box0").hex(":")):
                run = box.trace()
        finally:
            done.set()
            reader.join()
    box.apply(CONFIG, "box")
    tap.diag("busy: %r" % {k: v for k, v in medians(run).items() if k.startswith("polls")})
    check(run["packets_from"], "interface", "no filter: the interface's counter")
    check(medians(run)["polls_user"] > 0.01, True, "polls by a task: %r" % medians(run))


def compares(box):
    """A B A B: what deferral changes is a change; a file against itself is noise."""
    a, b = (os.path.join(box.dir, name) for name in ("a.json", "b.json"))
    for _ in range(2):
        for path, setting in ((a, PLAIN), (b, DEFERRED)):
            with deferral(box, setting), box.traffic("--rate", "50k"):
                box.trace("--save", path)
    found = box.sluice_json("trace", "--compare", a, b, "--json")
    check((found["a_runs"], found["b_runs"], found["interleaved"], found["unlike"]),
          (2, 2, True, None), "the runs")
    check(found["metrics"]["polls"]["verdict"], "changed", "polls: %r" % found["metrics"])
    check(found["metrics"]["polls_thread"]["verdict"], "noise", "none, and none")
    text = box.sluice("trace", "--compare", a, b).stdout
    check(re.search(r"^  polls .*-\d+\.\d %$", text, re.M) is not None, True, text)
    found = box.sluice_json("trace", "--compare", a, a, "--json")
    check({m["verdict"] for m in found["metrics"].values()} <= {"noise", "unknown"}, True,
          "a file against itself: %r" % found["metrics"])


def refused(box):
    """Without capabilities /proc has to do, and that is said."""
    with box.traffic("--rate", "20k"):
        command = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", built("sluice"),
                   "trace", "box0", "--duration", "1"]
        run = json.loads(box.output(command + ["--json"], ns="box"))
        text = box.output(command, ns="box")
    check((run["source"], run["packets_from"]), ("proc", "interface"), "what was seen")
    check("CAP_BPF" in run["refused"], True, run["refused"])
    check((run["napis"], run["histograms"], medians(run)["polls"]), ([], [], None), "no polls")
    check(medians(run)["net_rx"] >= 0.95, True, "softirqs per packet: %r" % medians(run))
    check("/proc alone" in text and "CAP_BPF" in text, True, text)


class Tags(html.parser.HTMLParser):
    """Every tag is closed in order, and nothing is fetched."""

    def __init__(self):
        super().__init__()
        self.open, self.outside, self.svgs = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.outside += [a for a in attrs if a[0] in ("src", "href", "srcset", "data")]
        self.svgs += tag == "svg"
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.outside += [a for a in attrs if a[0] in ("src", "href")]

    def handle_endtag(self, tag):
        check(self.open.pop(), tag, "the tag that is closed")


def pages(box):
    path, saved = os.path.join(box.dir, "page.html"), os.path.join(box.dir, "saved.json")
    with box.traffic("--rate", "20k"):
        text = box.sluice("trace", "box0", "--duration", "1", "--html", path, "--save", saved,
                          ns="box").stdout
    check(re.search(r"^  polls_softirq +\d", text, re.M) is not None, True, text)
    check(re.search(r"^\* box0 +\d+ +\d+", text, re.M) is not None, True, text)
    check(re.search(r"^ +256\+ +\d+ \|#", text, re.M) is not None, True, text)
    for command in ((), ("trace", "--compare", saved, saved, "--html", path)):
        if command:
            box.sluice(*command)
        with open(path, encoding="utf-8") as file:
            page = file.read()
        tags = Tags()
        tags.feed(page)
        check((tags.open, tags.outside, tags.svgs > 5), ([], [], True), "the page's tags")
        check(re.findall(r"url\(|@import|<script", page), [], "what a page would fetch")


def interrupted(box):
    """Ctrl-C ends the observation, not its report."""
    with box.traffic("--rate", "20k"):
        proc = box.popen([built("sluice"), "trace", "box0", "--duration", "600", "--json"],
                         ns="box")
        time.sleep(2)
        status = box.end(proc, signal.SIGINT)
    run = json.loads(proc.stdout.read())
    check((status, run["packets"] > 0, 0 < run["seconds"] < 30), (0, True, True),
          "the report: %r s, %r packets" % (run["seconds"], run["packets"]))


def wrong(box, tap):
    foreign = box.file("foreign.json", '{"some": "thing"}')
    for args, status, words in (
            (("nowhere0",), 1, "nowhere0: no such interface"),
            (("box0", "--duration", "0"), 2, "--duration 0"),
            (("box0", "box0"), 2, "usage"),
            (("--compare", foreign), 2, "usage"),
            (("--compare", foreign, foreign), 1, "foreign.json"),
            (("--compare", "/nowhere.json", foreign), 1, "/nowhere.json"),
            (("box0", "--save", foreign, "--duration", "600"), 1, "foreign.json"),
            (("box0", "--duration", "1", "--html", "/nowhere/x"), 3, "/nowhere/x")):
        with tap.case("refused: " + " ".join(os.path.basename(arg) for arg in args)):
            done = box.sluice("trace", *args, ns="box", check=False, timeout=20)
            check((done.returncode, words in done.stderr), (status, True), done.stderr)
    with tap.case("a page that cannot be written does not cost the observation"):
        path = os.path.join(box.dir, "kept.json")
        done = box.sluice("trace", "box0", "--duration", "1", "--html", "/nowhere/x", "--save",
                          path, "--json", ns="box", check=False)
        with open(path, encoding="utf-8") as file:
            saved = json.load(file)["runs"]
        check((done.returncode, len(saved), json.loads(done.stdout)["deep"]), (3, 1, False),
              done.stderr)
    with open(foreign, encoding="utf-8") as file:
        tap.equal(file.read(), '{"some": "thing"}', "somebody else's file is as it was")


def main():
    tap = Tap()
    with Box() as box:
        box.apply(CONFIG, "box")
        with tap.case("a storm of single packets: polls per packet 1 -> 0.05 by deferral"):
            if EMULATED:
                raise Skip("no speed is to be expected here")
            storm(box, tap)
        for name, test in (("packets, polls and softirqs are those that were made",
                            lambda: counts(box)),
                           ("threaded NAPI is told from softirqs", lambda: contexts(box, tap)),
                           ("a busily polling task is seen", lambda: busy(box, tap)),
                           ("saved runs are compared", lambda: compares(box)),
                           ("BPF refused", lambda: refused(box)),
                           ("the page and the text", lambda: pages(box)),
                           ("interrupted", lambda: interrupted(box))):
            with tap.case(name):
                test()
        wrong(box, tap)
        tap.equal(box.leftovers(), [], "nothing is left")
    tap.done()


if __name__ == "__main__":
    main()
