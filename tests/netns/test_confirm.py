#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`apply --confirm` (root): the rules go back by themselves, whoever is killed, and
packets show it; `confirm` keeps them, `rollback` and `down` end the wait; the journal is told.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import glob
import json
import os
import signal
import subprocess
import sys
import time

from network import settle, two_sides
import tuning
from lab import Lab, built, wait_for
from tap import Tap

import frames as raw

OLD = ("interface box0, box1\nset known live { 192.0.2.1 }\nrule seven drop udp to any port 7\n")
NEW = ("interface box0, box1\nset known live { 192.0.2.1 }\nrule eight drop udp to any port 8\n"
       "rule nine drop udp to any port 9\n")
STATE = "/run/sluice/confirm"
SENT = 20


def udp(port):
    return raw.ethernet(0x800, raw.ipv4(0x0a000001, 0xc0000201, raw.UDP, raw.udp(99, port)))


def judged(lab):
    """The ports whose packets are dropped, on both interfaces alike."""
    dropped = []
    for dev, sender in (("box0", ("peer", "peer0")), ("box1", ("far", "far0"))):
        for port in (7, 8):
            before = lab.stats("box", dev)
            lab.send(*sender, [udp(port)] * SENT)
            after = settle(lab, "box", dev, before["rx"]["packets"] + SENT)
            lost = sum(after["reasons"][r]["packets"] - before["reasons"][r]["packets"]
                       for r in ("rule_drop", "rule") if r in after["reasons"])
            if lost:
                dropped.append((dev, port, lost))
    return dropped


RUNS_OLD = [("box0", 7, SENT), ("box1", 7, SENT)]
RUNS_NEW = [("box0", 8, SENT), ("box1", 8, SENT)]


def waits(lab):
    return lab.sluice_json("status", "--json", ns="box")["unconfirmed"]


def gone_back(lab, timeout=8):
    return wait_for(lambda: waits(lab) is None, timeout, 0.1)


def apply(lab, *options, text=NEW, check=True, env=None):
    path = lab.file("next.conf", text)
    return lab.run([built("sluice"), "apply", path] + list(options), ns="box", check=check, env=env)


def shell_killed(tap, lab):
    proc = lab.popen(["sh", "-c", '"$@"; sleep 60', "sh", built("sluice"), "apply",
                      lab.file("next.conf", NEW), "--confirm", "3"], ns="box")
    wait_for(lambda: waits(lab))
    begin = time.monotonic()
    tap.equal(judged(lab), RUNS_NEW, "--confirm: the new rules judge packets")
    tap.contains(lab.sluice("status", ns="box").stdout,
                 ["next.conf", "not confirmed", "sluice confirm", "sluice rollback"],
                 "status says so")
    os.killpg(proc.pid, signal.SIGHUP)
    os.killpg(proc.pid, signal.SIGKILL)
    tap.ok(gone_back(lab), "the shell and its session are killed: it goes back by itself")
    took = time.monotonic() - begin
    tap.ok(1 < took < 6, "in time", took)
    tap.equal(judged(lab), RUNS_OLD, "packets are judged by the old rules")
    listed = lab.sluice_json("rollback", "--list", "--json", ns="box")["configurations"]
    tap.equal([(e["running"], e["confirmed"]) for e in listed], [(True, True), (False, False)],
              "the history says what runs, and what is confirmed")


def killed_at_each_step(tap, lab):
    """kill -9 before each step that changes anything: old rules in the end, on both."""
    die_at = tuning.preload(lab)
    wrong, number, status = [], 0, -9
    while status == -9 and number < 40:
        number += 1
        env = dict(os.environ, **die_at(number))
        status = subprocess.run(
            ["ip", "netns", "exec", lab.name("box"), built("sluice"), "apply", "--confirm", "1",
             lab.file("next.conf", NEW)], env=env, capture_output=True, check=False).returncode
        if not gone_back(lab):
            wrong.append((number, "still waits"))
            lab.sluice("rollback", ns="box")
        shown = lab.sluice("show", ns="box").stdout
        if "rule eight" in shown or shown.count("rule seven") != 1:
            wrong.append((number, shown))
    tap.equal((status, wrong), (0, []), "killed before each of its %d steps" % number)
    tap.ok(number > 8, "there were steps", number)
    tap.equal(judged(lab), RUNS_OLD, "packets are judged by the old rules")
    tap.equal(glob.glob(STATE + "/%d-*" % lab.spaces["box"]), [], "nothing is left to wait")


def confirmed(tap, lab):
    begin = time.monotonic()
    apply(lab, "--confirm", "2")
    done = lab.sluice("confirm", ns="box")
    tap.contains(done.stdout, ["next.conf", "confirmed"], "confirm")
    tap.equal(lab.sluice("confirm", ns="box", check=False).returncode, 1, "only once")
    time.sleep(max(0.0, begin + 4 - time.monotonic()))
    tap.equal(judged(lab), RUNS_NEW, "after its time the new rules still judge packets")
    listed = lab.sluice_json("rollback", "--list", "--json", ns="box")["configurations"]
    tap.equal([(e["running"], e["confirmed"]) for e in listed][-1], (True, True),
              "it is what runs after a boot")
    lab.apply(OLD, ns="box")


def taken_back(tap, lab):
    apply(lab, "--confirm", "60")
    done = lab.sluice("apply", lab.file("third.conf", OLD), ns="box", check=False)
    tap.equal(done.returncode, 3, "another apply is refused meanwhile")
    tap.contains(done.stderr, ["next.conf", "not confirmed", "sluice rollback"], "and told why")
    lab.sluice("set", "add", "known", "192.0.2.77", ns="box")
    lab.sluice("rule", "add", "late drop udp to any port 70", ns="box")
    lab.sluice("rollback", ns="box")
    tap.equal((judged(lab), waits(lab)), (RUNS_OLD, None), "rollback takes it back at once")
    shown = lab.sluice("show", ns="box").stdout
    tap.contains(shown, ["rule late drop", "192.0.2.1"], "a live rule added meanwhile stays")
    # A live rule that only the new rules can have: the old ones come back all the same.
    apply(lab, "--confirm", "60", text=NEW + "set fresh { 192.0.2.5 }\n")
    lab.sluice("rule", "add", "hangs drop from @fresh", ns="box")
    lab.sluice("rollback", ns="box")
    tap.equal(judged(lab), RUNS_OLD, "one that does not go with the old rules does not stop it")
    lab.sluice("rule", "del", "late", ns="box")


def live_sets(tap, lab):
    """What `set add` had put in before the change is back with the old rules."""
    lab.sluice("set", "add", "known", "198.51.100.7", ns="box")
    apply(lab, "--confirm", "60", text=NEW)
    tap.equal(lab.sluice("set", "test", "known", "198.51.100.7", ns="box", check=False).returncode,
              1, "apply makes a live set what the file says")
    lab.sluice("rollback", ns="box")
    tap.equal(lab.sluice("set", "list", "known", ns="box").stdout.split(),
              ["192.0.2.1", "198.51.100.7"], "rollback makes it what it was")


def nothing_before(tap, lab):
    lab.sluice("down", ns="box")
    apply(lab, "--confirm", "4")
    tap.equal(judged(lab), RUNS_NEW, "the first rules of all, unconfirmed")
    gone_back(lab)
    tap.equal(lab.sluice_json("stats", "--json", ns="box")["interfaces"], [],
              "go: nothing ran before")
    lab.apply(OLD.replace("box0, box1", "box0"), ns="box")
    apply(lab, "--confirm", "1")
    gone_back(lab)
    tap.equal([i["name"] for i in lab.sluice_json("stats", "--json", ns="box")["interfaces"]],
              ["box0"], "one interface had rules before, the other none: so again")
    apply(lab, "--confirm", "60")
    done = lab.sluice("down", ns="box")
    tap.contains(done.stderr, "waited to be confirmed", "down says what it ends")
    tap.equal(waits(lab), None, "down ends the wait")
    lab.apply(OLD, ns="box")


def guard_pid(lab):
    path = glob.glob(STATE + "/%d-*.json" % lab.spaces["box"])[0]
    with open(path, encoding="utf-8") as file:
        return json.load(file)["guard"]


def guard_killed(tap, lab):
    apply(lab, "--confirm", "60")
    os.kill(guard_pid(lab), signal.SIGKILL)
    wait_for(lambda: not waits(lab)["automatic"])
    tap.contains(lab.sluice("ports", ns="box").stderr, ["warning", "is gone", "sluice rollback"],
                 "the process that would undo it is killed: the next command says so")
    lab.sluice("rollback", ns="box")
    tap.equal((judged(lab), waits(lab)), (RUNS_OLD, None), "rollback still takes it back")
    apply(lab, "--confirm", "1")
    os.kill(guard_pid(lab), signal.SIGKILL)
    time.sleep(2.5)
    for words in (["status"], ["ports"], ["show"]):
        done = lab.sluice(*words, ns="box")
        tap.contains(done.stdout + done.stderr, ["next.conf", "overdue", "sluice confirm"],
                     "%s says that it is overdue" % words[0])
    tap.equal(judged(lab), RUNS_NEW, "nobody has taken it back")
    lab.sluice("rollback", ns="box")
    tap.equal((judged(lab), waits(lab)), (RUNS_OLD, None), "rollback does")
    apply(lab, "--confirm", "1")
    os.kill(guard_pid(lab), signal.SIGKILL)
    time.sleep(1.5)
    lab.sluice("confirm", ns="box")
    tap.equal((judged(lab), waits(lab)), (RUNS_NEW, None), "and confirm still keeps it")
    lab.apply(OLD, ns="box")


def guard_clean(tap, lab):
    """What the process keeps open: not the lock, not the terminal."""
    apply(lab, "--confirm", "60")
    pid = guard_pid(lab)
    opened = {os.path.basename(os.readlink(path)) if "confirm" in os.readlink(path)
              else os.readlink(path) for path in glob.glob("/proc/%d/fd/*" % pid)}
    tap.equal({name for name in opened if name[:5] not in ("/dev/", "pipe:", "socke")}, {"confirm"},
              "it keeps open what it needs")
    lab.sluice("confirm", ns="box")
    tap.ok(wait_for(lambda: not os.path.exists("/proc/%d" % pid), 4), "and ends when confirmed")
    lab.apply(OLD, ns="box")


def refusals(tap, lab):
    for words, status in ((("--confirm", "0"), 2), (("--confirm", "3601"), 2),
                          (("--confirm", "x"), 2), (("--confirm",), 2)):
        tap.equal(apply(lab, *words, check=False).returncode, status, "apply " + " ".join(words))
    done = apply(lab, "--confirm", "9", text=NEW + "rule r redirect nosuch0\n", check=False)
    tap.equal((done.returncode, waits(lab)), (1, None), "what is refused does not wait")
    tap.equal(judged(lab), RUNS_OLD, "and changes nothing")
    done = apply(lab, "--dry-run", "--confirm", "9")
    tap.equal((judged(lab), waits(lab)), (RUNS_OLD, None), "nor does a dry run")
    tap.contains(done.stdout, ["removed: rule seven", "added:   rule eight", "would run"],
                 "which says what it would change")


def two_operators(tap, lab):
    """Both at once: one after the other, or refused with who it is."""
    paths = [lab.file("op%d.conf" % n, NEW.replace("nine", "op%d" % n)) for n in range(2)]
    procs = [lab.popen([built("sluice"), "apply", path], ns="box") for path in paths]
    tap.equal([proc.wait(30) for proc in procs], [0, 0], "two applies at once: both, in turn")
    shown = lab.sluice("show", ns="box").stdout
    tap.ok(("rule op0" in shown) != ("rule op1" in shown) and shown.count("rule eight") == 1,
           "all of one of them runs, on both interfaces", shown)
    # One that hangs in the middle, as by a debugger.
    env = dict(os.environ, SUDO_USER="alice", SSH_CONNECTION="192.0.2.9 4711 192.0.2.1 22")
    for _ in range(20):
        slow = subprocess.Popen(["ip", "netns", "exec", lab.name("box"), built("sluice"), "apply",
                                 paths[0]], env=env, stdout=subprocess.DEVNULL)
        lab.procs.append(slow)
        caught = wait_for(lambda pid=slow.pid: held_by(pid), 5, 0.0005)
        slow.send_signal(signal.SIGSTOP)
        if caught and held_by(slow.pid) and slow.poll() is None:
            break
        slow.send_signal(signal.SIGCONT)
        slow.wait(30)
    try:
        done = lab.sluice("apply", paths[1], ns="box", check=False)
    finally:
        slow.send_signal(signal.SIGCONT)
    tap.equal(done.returncode, 3, "while one hangs, the other is refused")
    tap.contains(done.stderr, ["process %d" % slow.pid, "alice", "192.0.2.9", "since 20",
                               "apply " + paths[0]], "and told who, from where, since when, what")
    tap.equal(slow.wait(30), 0, "the first one ends well")
    lab.apply(OLD, ns="box")


def held_by(pid):
    with open("/run/sluice/lock", encoding="utf-8", errors="replace") as lock:
        return lock.readline().strip() == str(pid)


# Where a journal would listen, in a mount namespace of this test's own; with the bpffs in
# it, the commands stay there (lib/pins.h).
JOURNAL = """
mount -t tmpfs none /run/sluice && mkdir /run/sluice/bpf && mount -t bpf none /run/sluice/bpf
mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && mkdir /run/systemd/journal
exec "$@"
"""
LISTEN = """
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
s.settimeout(0.2)
for command in sys.stdin.read().splitlines():
    subprocess.run(command, shell=True, stdout=subprocess.DEVNULL, check=False)
while True:
    try:
        print(s.recv(65536).decode("utf-8", "replace") + "--")
    except socket.timeout:
        break
"""


def audit(tap, lab):
    sluice = "ip netns exec %s %s " % (lab.name("box"), built("sluice"))
    path = lab.file("next.conf", NEW)
    commands = [sluice + words for words in (
        "apply %s" % path, "apply --dry-run %s" % path, "rule add live drop udp to any port 70",
        "rule list", "rule del live", "set add known 192.0.2.8", "set test known 192.0.2.8",
        "set add known 192.0.2.8", "set del known 192.0.2.8",
        "apply %s --confirm 60" % lab.file("o.conf", OLD), "confirm",
        "apply %s --confirm 60" % path, "rollback", "rollback", "down")]
    env = dict(os.environ, SUDO_USER="bob", SSH_CONNECTION="198.51.100.3 4711 192.0.2.1 22")
    env["PATH"] += ":/sbin:/usr/sbin"
    lab.sluice("down", ns="box")
    done = subprocess.run(["unshare", "-m", "sh", "-c", JOURNAL, "sh", sys.executable, "-c",
                           LISTEN], input="\n".join(commands) + "\n", env=env, text=True,
                          capture_output=True, timeout=120, check=False)
    lines = [dict(line.split("=", 1) for line in entry.splitlines() if "=" in line)
             for entry in done.stdout.split("--\n") if entry.strip()]
    tap.equal([entry["SLUICE_ACTION"] for entry in lines],
              ["apply", "rule add", "rule del", "set add", "set del", "apply", "confirm", "apply",
               "rollback", "rollback", "down"],
              "one line for each change, none for what changes nothing")
    first = lines[0] if lines else {}
    tap.contains(first.get("MESSAGE", ""), ["apply by bob (uid 0)", "from 198.51.100.3", "box1",
                                            "-> ", path], "who, what, from where")
    tap.equal((first.get("SLUICE_SUDO_USER"), first.get("SLUICE_UID"),
               first.get("SYSLOG_IDENTIFIER"), first.get("PRIORITY")),
              ("bob", "0", "sluice", "5"), "in fields")
    tap.equal(int(first.get("SLUICE_GENERATION", 0)),
              int(first.get("SLUICE_GENERATION_BEFORE", -1)) + 1, "the generations")
    lab.apply(OLD, ns="box")


def main():
    tap = Tap()
    with Lab() as lab:
        two_sides(lab)
        lab.used_sluice.add("box")
        lab.apply(OLD, ns="box")
        if not tap.equal(judged(lab), RUNS_OLD, "the old rules judge packets"):
            tap.done()
        for test in (shell_killed, killed_at_each_step, confirmed, taken_back, live_sets,
                     nothing_before, guard_killed, guard_clean, refusals, two_operators, audit):
            with tap.case(test.__name__):
                test(tap, lab)
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
        tap.equal(glob.glob(STATE + "/%d-*" % lab.spaces["box"]), [], "nor does --confirm")
    tap.done()


if __name__ == "__main__":
    main()
