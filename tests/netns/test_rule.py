#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Live rules, on real traffic: added and deleted while a configuration runs,
kept by apply, gone when their time is up. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import json
import resource
import subprocess
import threading
import time

from network import drain, program, settle, two_sides
from lab import Lab, built, wait_for
from tap import Tap
from test_reload import Sender

import frames as raw

BASE = """interface box0
default pass
set nets { 10.0.0.0/8, 2001:db8::/32 }
rule seven drop udp to any port 7 band 10
rule web   pass tcp to any port 80 band 10
"""


def udp(port, src=0x0a000001):
    return raw.ethernet(0x800, raw.ipv4(src, 0xc0000201, raw.UDP, raw.udp(9, port)))


class Box:
    """A filter on box0, and what it makes of packets."""

    def __init__(self, lab, text=BASE):
        self.lab = lab
        two_sides(lab)
        lab.apply(text, ns="box")

    def rule(self, *args, check=True):
        return self.lab.sluice("rule", *args, ns="box", check=check)

    def listed(self, *args):
        """The rules of the one configuration, by name."""
        found = self.lab.sluice_json("rule", "list", "--json", *args, ns="box")["configurations"]
        assert len(found) == 1, found
        return {rule["name"]: rule for rule in found[0]["rules"]}

    def order(self):
        return list(self.listed())

    def send(self, *packets):
        """What these packets came to: {verdict: packets}, {rule: packets}, of what is not 0."""
        before = self.lab.stats("box", "box0")
        count = self.lab.send("peer", "peer0", packets)
        after = settle(self.lab, "box", "box0", before["rx"]["packets"] + count)
        had = {rule["name"]: rule["packets"] for rule in before["rules"]}
        verdicts = {name: entry["packets"] - before["verdicts"][name]["packets"]
                    for name, entry in after["verdicts"].items()}
        rules = {rule["name"]: rule["packets"] - had.get(rule["name"], 0)
                 for rule in after["rules"]}
        return tuple({name: n for name, n in counts.items() if n} for counts in (verdicts, rules))


def add_and_delete(tap):
    with Lab() as lab:
        box = Box(lab)
        tap.equal(box.send(*[udp(9)] * 5), ({"pass": 5}, {}), "without the rule packets pass")
        answer = json.loads(box.rule("add", "--json", "nine drop udp to any port 9").stdout)
        tap.equal((answer["added"], answer["expired"], [i["name"] for i in answer["interfaces"]],
                   answer["interfaces"][0]["generation"]), (1, [], ["box0"], 2),
                  "add says what it did")
        tap.equal(box.send(*[udp(9)] * 5), ({"drop": 5}, {"nine": 5}), "with it they are dropped")
        box.rule("add", "rule ten drop udp to any port 10", "eleven drop udp to any port 11")
        tap.equal(box.send(udp(9), udp(10), udp(11), udp(12)),
                  ({"drop": 3, "pass": 1}, {"nine": 1, "ten": 1, "eleven": 1}),
                  "several at once, the first counts on")
        tap.equal(box.listed()["nine"]["packets"], 6, "its counter went through the reload")
        answer = json.loads(box.rule("del", "--json", "nine", "ten", "nine").stdout)
        tap.equal((answer["deleted"], answer["interfaces"][0]["rules"]), (2, 3),
                  "del says what it did")
        tap.equal(box.send(udp(9), udp(10), udp(11)), ({"drop": 1, "pass": 2}, {"eleven": 1}),
                  "what is deleted matches no more")
        box.rule("add", "nine", "drop", "udp", "from", "@nets", "to", "any", "port", "9")
        tap.equal(box.listed()["nine"]["packets"], 0, "words make one rule; it begins at 0")
        tap.equal(box.send(udp(9), udp(9, 0x0b000001)), ({"drop": 1, "pass": 1}, {"nine": 1}),
                  "a live rule names the configuration's sets")
        done = subprocess.run(["ip", "netns", "exec", lab.name("box"), built("sluice"), "rule",
                               "add", "-"], input="# many\nrule n1 drop udp to any port 1\n\n"
                              "n2 drop udp to any port 2\n", text=True, timeout=30,
                              capture_output=True, check=False)
        tap.equal(done.returncode, 0, "rules are read from standard input: " + done.stderr)
        tap.equal(box.send(udp(1), udp(2)), ({"drop": 2}, {"n1": 1, "n2": 1}), "and count")
        plain = lab.file("shown.conf", lab.sluice("show", ns="box").stdout)
        before = box.listed()
        lab.sluice("apply", "--force", plain, ns="box")
        tap.equal(box.listed(), before, "what show prints can be applied, and changes nothing")
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
        done = box.rule("add", "nine drop", check=False)
        tap.equal(done.returncode, 3, "without a configuration there is nothing to add to")
        tap.contains(done.stderr, ["no configuration runs", "sluice apply"], "and it says so")


def bands(tap):
    with Lab() as lab:
        box = Box(lab)
        box.rule("add", "late pass udp to any port 7 band 11",
                 "same pass udp to any port 7 band 10")
        tap.equal(box.order(), ["seven", "web", "same", "late"], "behind the rules of its band")
        tap.equal(box.send(udp(7)), ({"drop": 1}, {"seven": 1}), "an earlier band decides")
        box.rule("add", "early pass udp to any port 7 band 9", "zero count udp")
        tap.equal(box.order(), ["zero", "early", "seven", "web", "same", "late"], "by band")
        tap.equal(box.send(udp(7)), ({"pass": 1}, {"zero": 1, "early": 1}),
                  "a lower band goes first, count goes on")
        box.rule("add", "early2 drop udp to any port 7 band 9")
        tap.equal(box.send(udp(7)), ({"pass": 1}, {"zero": 1, "early": 1}),
                  "in a band the older goes first")
        box.rule("del", "early", "zero")
        tap.equal(box.send(udp(7)), ({"drop": 1}, {"early2": 1}), "then the next")
        lab.apply(BASE, ns="box")
        tap.equal(box.order(), ["early2", "seven", "web", "same", "late"],
                  "apply leaves live rules at their places")


def expiry(tap):
    with Lab() as lab:
        box = Box(lab)
        box.rule("add", "brief drop udp to any port 9 expires 3s band 1")
        start = time.monotonic()
        tap.equal(box.send(udp(9)), ({"drop": 1}, {"brief": 1}), "until then it matches")
        first = box.listed()["brief"]
        tap.ok(0 < first["remaining_s"] <= 3 and not first["expired"] and first["expires_s"] == 3,
               "list shows the time left", first)
        # Reloads give it no time: another rule, the file again, twice.
        box.rule("add", "other drop udp to any port 11 expires 1h")
        lab.apply(BASE, ns="box")
        lab.apply(BASE + "rule more drop sctp\n", ns="box")
        now = box.listed()["brief"]
        tap.ok(now["remaining_s"] < first["remaining_s"] and now["packets"] == 1,
               "a reload gives it no time", first, now)

        def over():
            box.lab.send("peer", "peer0", [udp(9)])
            time.sleep(0.02)
            return lab.stats("box", "box0")["reasons"]["default"]["packets"] > 0
        tap.ok(wait_for(over, timeout=10), "it ends without a change")
        took = time.monotonic() - start
        tap.ok(2 < took < 4, "when its time is up, to a second", took)
        tap.equal(box.send(udp(9), udp(11)), ({"pass": 1, "drop": 1}, {"other": 1}),
                  "it matches no more")
        ended = box.listed()["brief"]
        tap.ok(ended["expired"] and ended["remaining_s"] == 0 and ended["packets"] > 1,
               "list shows that it has expired and what it counted", ended)
        tap.contains(box.rule("list").stdout, "expired", "in words, too")
        answer = json.loads(box.rule("add", "--json", "brief drop udp to any port 9").stdout)
        tap.equal((answer["added"], answer["expired"]), (1, ["brief"]),
                  "the next change drops it; its name is free")
        tap.equal(box.send(udp(9)), ({"drop": 1}, {"brief": 1}),
                  "and a new rule under it matches, and begins at 0")
        tap.equal(box.listed()["brief"]["packets"], 1, "in list, too")


def restart(tap):
    """del and add begin the time anew; what has expired goes with apply and with del."""
    with Lab() as lab:
        box = Box(lab, BASE + "rule own drop udp to any port 12 expires 1s\n")
        box.rule("add", "a drop udp to any port 9 expires 1s", "b drop on box0 sctp expires 1s")
        box.rule("del", "a")
        box.rule("add", "a drop udp to any port 9 expires 1h")
        time.sleep(1.3)
        tap.equal(box.send(udp(9), udp(12)), ({"drop": 1, "pass": 1}, {"a": 1}),
                  "del and add begin the time anew")
        tap.equal([box.listed()[name]["expired"] for name in ("a", "b", "own")],
                  [False, True, True], "the others have expired")
        lab.apply(BASE + "rule own drop udp to any port 12 expires 1s\n", ns="box")
        tap.equal(box.order(), ["own", "a", "seven", "web"], "apply drops the live one")
        tap.equal(box.send(udp(12))[0], {"pass": 1}, "and gives the file's no new time")
        box.rule("add", "c drop sctp expires 100ms")
        tap.ok(box.listed()["own"]["expired"], "a change leaves the file's, expired or not")
        time.sleep(0.2)
        lab.apply(BASE + "rule c drop udp to any port 13\n", ns="box")
        tap.equal(box.send(udp(13)), ({"drop": 1}, {"c": 1}), "the file may take an expired name")
        tap.equal(box.listed()["c"]["owner"], "config", "for its owner")
        box.rule("add", "d drop sctp expires 100ms", "e drop sctp")
        time.sleep(0.2)
        answer = json.loads(box.rule("del", "--json", "d").stdout)
        tap.equal((answer["deleted"], answer["expired"]), (1, []), "del takes an expired one")


def lifetime(tap):
    """A rule of the file that has expired stays so, until its `expires` is another."""
    text = BASE + "rule own drop udp to any port 12 expires %s\n"
    with Lab() as lab:
        box = Box(lab, text % "1s")
        time.sleep(1.2)
        lab.apply(text % "1s" + "rule more drop sctp\n", ns="box")
        tap.equal((box.listed()["own"]["expired"], box.send(udp(12))), (True, ({"pass": 1}, {})),
                  "the same lifetime in the file: it goes on expired")
        lab.apply(text % "1h", ns="box")
        own = box.listed()["own"]
        tap.ok(not own["expired"] and 3590 < own["remaining_s"] <= 3600,
               "another lifetime begins with the apply", own)
        tap.equal(box.send(udp(12)), ({"drop": 1}, {"own": 1}), "and the rule matches")
        lab.apply(text % "2h", ns="box")
        tap.ok(box.listed()["own"]["remaining_s"] > 3600, "before its time is up, too")
        time.sleep(1.2)
        lab.apply(text % "2h", ns="box")
        tap.ok(box.listed()["own"]["remaining_s"] < 7199.5, "the same again: no more time")


def observing(tap):
    with Lab() as lab:
        box = Box(lab)
        box.rule("add", "would drop udp observe", "tally count udp", "seen pass udp to any port 7")
        tap.equal(box.send(udp(7), udp(9)), ({"pass": 2}, {"would": 2, "tally": 2, "seen": 1}),
                  "it counts what it would have dropped, and decides nothing")
        kinds = {rule["name"]: (rule["verdict"], rule["observe"])
                 for rule in lab.stats("box", "box0")["rules"]}
        tap.equal(kinds, {"would": ("drop", True), "tally": ("count", False),
                          "seen": ("pass", False), "seven": ("drop", False),
                          "web": ("pass", False)}, "stats --json tells them apart")
        tap.equal({name: (rule["verdict"], rule["observe"]) for name, rule in box.listed().items()},
                  kinds, "and so does list --json")
        words = ["drop (observe)", "count"]
        tap.contains(lab.sluice("stats", ns="box").stdout, words, "stats in words")
        tap.contains(box.rule("list").stdout, words, "list in words")
        box.rule("del", "would", "seen")
        box.rule("add", "would drop udp")
        tap.equal(box.send(udp(7)), ({"drop": 1}, {"tally": 1, "would": 1}),
                  "without observe it decides")


def kept(tap):
    """apply replaces the file's rules and leaves those of others alone, or refuses."""
    with Lab() as lab:
        box = Box(lab)
        box.rule("add", "nine drop udp from @nets to any port 9 owner flow",
                 "mine drop on box0 sctp")
        box.send(*[udp(9)] * 4)
        lab.apply("interface box0\ndefault drop\nset nets { 10.0.0.1 }\nrule only pass udp\n"
                  "rule five drop udp to any port 5 band 4\n", ns="box")
        tap.equal({name: (rule["owner"], rule["packets"]) for name, rule in box.listed().items()},
                  {"only": ("config", 0), "nine": ("flow", 4), "mine": ("live", 0),
                   "five": ("config", 0)}, "the file's rules are others, live ones go on")
        tap.equal(list(box.listed("--owner", "flow")), ["nine"], "list --owner")
        lab.apply("interface box0\nset nets { 11.0.0.0/8 }\n", ns="box")
        tap.equal(box.send(udp(9), udp(9, 0x0b000001)), ({"pass": 1, "drop": 1}, {"nine": 1}),
                  "they follow the file's sets")
        box.rule("add", "short drop udp to any port 8 owner flow expires 1h")
        left = box.listed()["short"]["remaining_s"]
        lab.apply("interface box0\nset nets { 11.0.0.0/8 }\nrule nine pass udp owner flow\n"
                  "rule short drop udp to any port 8 owner flow expires 1h\n", ns="box")
        tap.equal([(name, rule["text"]) for name, rule in box.listed().items()][0],
                  ("nine", "rule nine pass udp owner flow"),
                  "a rule of the same name and owner in the file takes the place of the live one")
        tap.ok(box.listed()["short"]["remaining_s"] < left, "and keeps its time")

        held = lab.sluice("show", ns="box").stdout, program(lab, "box", "box0")
        for text, words, name in (
                ("interface box0\nset nets { 1.1.1.1 }\n\nrule mine drop\n",
                 ["clash.conf:4:6", '"mine"', 'owner "live"', "box0", "rename",
                  "rule del -i box0 mine"],
                 "a name of another owner"),
                ("interface box1\ninterface box0\nrule nine drop owner else\n",
                 ["clash.conf:3:6", '"nine"', 'owner "flow"'], "and among live ones"),
                ("interface box0 { mode native }\nlimits { rules 2 }\n",
                 ["clash.conf", "3 live", "limit is 2"], "more than the limit")):
            done = lab.apply(text, ns="box", name="clash.conf", check=False)
            tap.equal(done.returncode, 1, "refused: " + name)
            tap.contains(done.stderr, words, "with both and the remedy: " + name)
        box.rule("add", "set drop udp from @nets")
        for text, words, name in (
                ("interface box0\n",
                 ['"set"', '"live"', '"nets"', "does not define", "rule del -i box0 set"],
                 "a set that the file has not"),
                ("interface box0\nset nets mac { 02:00:00:00:00:01 }\n", ['"nets"', "another kind"],
                 "a set of another kind")):
            done = lab.apply(text, ns="box", name="clash.conf", check=False)
            tap.equal(done.returncode, 1, "refused: " + name)
            tap.contains(done.stderr, words, "with both and the remedy: " + name)
        box.rule("del", "set")
        tap.equal(lab.sluice("show", ns="box").stdout, held[0], "what ran runs on")


def refusals(tap):
    with Lab() as lab:
        box = Box(lab)
        box.rule("add", "there drop sctp")
        held = program(lab, "box", "box0"), lab.sluice("show", ns="box").stdout
        for args, words in (
                (("add", "a drop", "b  drp tcp"), ["rule add:2:4: error: expected a verdict",
                                                   "    b  drp tcp\n       ^"]),
                (("add", "a drop from @no"), ["rule add:1:13:", 'no set "no"']),
                (("add", "a drop on far0"), ["rule add:1:11:", '"far0" has no interface']),
                (("add", "a drop icmp to any port 1"), ["rule add:1:", "port"]),
                (("add", "a redirect nowhere0"), ["nowhere0", "no such interface"]),
                (("add", "a drop", "a pass"), ['rule "a" is defined in line 1 already']),
                (("add", "there drop"), ['"there"', 'owner "live"', "choose another"]),
                (("add", "seven drop"), ['"seven"', 'owner "config"']),
                (("add", "a drop owner config"), ['"config"', "edit it and apply"]),
                (("add", "set x { 1.1.1.1 }"), ["rule add:1:5:", "expected a verdict"]),
                (("add", " "), ["no rule to add"]),
                (("del", "there", "seven"), ['"seven"', "edit the file"]),
                (("del", "there", "nobody"), ['"nobody"', "rule list"])):
            done = box.rule(*args, check=False)
            tap.equal(done.returncode, 1, "refused: " + " ".join(args))
            tap.contains(done.stderr, words, "and says why")
        for args in ((), ("add",), ("del",), ("list", "a", "b"), ("mend", "a"),
                     ("add", "--owner", "x", "a drop")):
            tap.equal(box.rule(*args, check=False).returncode, 2, "usage: " + " ".join(args))
        tap.equal(box.rule("add", "-i", "box1", "a drop", check=False).returncode, 3,
                  "an interface without a configuration")
        tap.equal((program(lab, "box", "box0"), lab.sluice("show", ns="box").stdout), held,
                  "nothing has changed")


def interfaces(tap):
    """A change reaches the interfaces that run the configuration, and no other."""
    with Lab() as lab:
        box = Box(lab, BASE.replace("box0", "box0, box1"))
        answer = json.loads(box.rule("add", "--json", "nine drop udp to any port 9",
                                     "one drop on box1 udp to any port 1").stdout)
        tap.equal([(i["name"], i["rules"]) for i in answer["interfaces"]],
                  [("box0", 3), ("box1", 4)], "both are swapped")
        lab.send("far", "far0", [udp(9), udp(1)])
        settle(lab, "box", "box1", 2)
        tap.equal(box.send(udp(9), udp(1)), ({"drop": 1, "pass": 1}, {"nine": 1}), "on one")
        tap.equal([box.listed()[name]["packets"] for name in ("nine", "one")], [2, 1],
                  "list counts all interfaces")
        done = lab.apply(BASE, ns="box", name="clash.conf", check=False)
        tap.equal(done.returncode, 1, "the file may not lose an interface that a live rule is on")
        tap.contains(done.stderr, ['"one"', '"box1"', "clash.conf", "rule del -i box0 one"],
                     "and is told")
        box.rule("del", "one")

        lab.sluice("down", "box1", ns="box")
        box.rule("add", "ten drop udp to any port 10")
        tap.equal(program(lab, "box", "box1"), None, "what was taken down stays down")
        lab.apply("interface box1\nrule other pass\n", ns="box")
        done = box.rule("add", "eleven drop udp to any port 11", check=False)
        tap.equal(done.returncode, 1, "with two configurations it must be said which")
        tap.contains(done.stderr, ["box0", "box1", "-i IFACE"], "and it says so")
        done = box.rule("add", "eleven drop on box1 udp from 10.1.1.1/8 to any port 11")
        tap.equal(done.stderr.count("rule add:1:30: warning:"), 1, "a warning is said once")
        box.rule("add", "-i", "box0", "twelve drop udp to any port 12")
        found = lab.sluice_json("rule", "list", "--json", ns="box")["configurations"]
        tap.equal({c["interfaces"][0]: [r["name"] for r in c["rules"]] for c in found},
                  {"box0": ["nine", "ten", "twelve", "seven", "web"], "box1": ["other", "eleven"]},
                  "`on` says it, or -i")
        box.rule("add", "-i", "box1", "nine pass udp")
        done = lab.apply(BASE.replace("box0", "box0, box1"), ns="box", check=False)
        tap.equal(done.returncode, 1, "two that disagree do not become one")
        remedy = "`sluice rule del -i box1 nine`"
        tap.contains(done.stderr, ['"nine"', "another", remedy], "and it says why")
        box.rule(*remedy.strip("`").split()[2:])
        lab.apply(BASE.replace("box0", "box0, box1"), ns="box")
        tap.equal(box.order(), ["nine", "ten", "twelve", "eleven", "seven", "web"],
                  "two that agree do, with the live rules of both")


class Lister(threading.Thread):
    """Reads the list over and over, as a control plane might, until stopped."""

    def __init__(self, box):
        super().__init__(daemon=True)
        self.box, self.whole, self.broken = box, 0, []
        self.stopped = threading.Event()

    def run(self):
        end = time.monotonic() + 60
        while not self.stopped.is_set() and time.monotonic() < end:
            done = self.box.rule("list", "--json", check=False)
            found = json.loads(done.stdout or "{}").get("configurations", [])
            if len(found) == 1 and "base" in [rule["name"] for rule in found[0]["rules"]]:
                self.whole += 1
            else:
                self.broken.append(done.stdout + done.stderr)


def under_load(tap):
    """Added, deleted, expired and applied under traffic: no packet is lost."""
    with Lab() as lab:
        box = Box(lab, "interface box0\ndefault pass\nrule base count udp band 5\n")
        path = lab.file("again.conf", "interface box0\nrule base count udp band 5\n")
        lists = Lister(box)
        with lab.packet_socket("peer", "peer0") as out, \
                lab.packet_socket("box", "box0", receive=True) as arrived:
            sender = Sender(out)
            sender.start()
            lists.start()
            try:
                for number in range(12):
                    box.rule("add", "r%d drop udp to any port 9 expires 150ms" % number)
                    box.rule("add", "s%d drop udp from 10.0.0.0/9 to any port 9 band 1" % number)
                    if number % 4 == 0:
                        lab.sluice("apply", "--force", path, ns="box")
                    box.rule("del", "s%d" % number)
            finally:
                sender.stopped.set()
                lists.stopped.set()
                sender.join(10)
                lists.join(10)
            stats = settle(lab, "box", "box0", sender.sent)
            passed = len(drain(arrived))
        reasons = {name: entry["packets"] for name, entry in stats["reasons"].items()
                   if entry["packets"]}
        tap.ok(sender.sent > 1000, "there was traffic", sender.sent)
        tap.equal(stats["rx"], {"packets": sender.sent, "bytes": sender.bytes}, "none was lost")
        tap.equal(sum(reasons.values()), sender.sent, "each is in one reason")
        tap.ok(reasons.get("rule", 0) > 0 and reasons.get("default", 0) > 0,
               "the rules came and went", reasons)
        tap.equal(passed, stats["verdicts"]["pass"]["packets"], "what is counted as passed passed")
        tap.equal(stats["verdicts"]["drop"]["packets"], reasons.get("rule", 0), "and dropped")
        tap.ok(lists.whole > 10 and not lists.broken,
               "whoever lists meanwhile sees one whole configuration", lists.whole, lists.broken)


def many(tap):
    with Lab() as lab:
        text = "interface box0\n" + "".join(
            "rule r%d %s tcp from 10.%d.%d.0/24 to 192.0.%d.0/24 port %d\n" % (
                i, ("pass", "drop")[i % 2], i >> 8, i & 255, i % 200, i % 900)
            for i in range(10000))
        box = Box(lab, text)
        took = []  # processor seconds, which a busy machine does not stretch as much
        for number in range(3):
            start, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            answer = json.loads(box.rule("add", "--json", "x%d drop udp to any port %d" % (
                number, 100 + number)).stdout)["interfaces"][0]
            start, now = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            took.append(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime)
            tap.diag("10,000 rules and one: %.0f ms, of processor %.0f ms; compile %.1f, "
                     "load %.1f, swap %.2f" % (start * 1000, took[-1] * 1000, answer["compile_ms"],
                                               answer["load_ms"], answer["swap_ms"]))
        tap.equal(answer["rules"], 10003, "10,000 rules and three live ones run")
        tap.ok(min(took) < 1, "adding one takes less than a second", took)
        tap.equal(box.send(udp(100), udp(102), udp(99)), ({"drop": 2, "pass": 1},
                                                          {"x0": 1, "x2": 1}), "they match")
        tap.equal(len(box.listed()), 10003, "list has them all")
        lines = "".join("y%d drop udp to any port %d\n" % (i, 1000 + i) for i in range(5000))
        path = lab.file("many.txt", lines)
        lab.run(["sh", "-c", '"$1" rule add - < "$2"', "sh", built("sluice"), path], ns="box")
        tap.equal(box.send(udp(1000), udp(5999), udp(6000)),
                  ({"drop": 2, "pass": 1}, {"y0": 1, "y4999": 1}), "5,000 more at once")
        names = ["y%d" % i for i in range(5000)]
        box.rule("del", *names)
        tap.equal((len(box.listed()), box.send(udp(1000))), (10003, ({"pass": 1}, {})),
                  "and gone at once")


def main():
    tap = Tap()
    for test in (add_and_delete, bands, expiry, restart, lifetime, observing, kept, refusals,
                 interfaces, under_load, many):
        with tap.case(test.__name__):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
