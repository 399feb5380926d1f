#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The history of configurations (root): rollback to each of ten, with packets; a full
disk; what runs after a boot.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import glob
import os

from network import settle, two_sides
from lab import Lab, built
from tap import Tap

import frames as raw

SENT = 10


def udp(port):
    return raw.ethernet(0x800, raw.ipv4(0x0a000001, 0xc0000201, raw.UDP, raw.udp(99, port)))


def text(number, interfaces="box0, box1"):
    return ("interface %s\nset bad { 198.51.100.%d }\nrule r%d drop udp to any port %d\n" % (
        interfaces, number, number, number))


def judged(lab, ports, dev="box0"):
    """Of these ports, those whose packets are dropped."""
    dropped = []
    for port in ports:
        before = lab.stats("box", dev)
        lab.send("peer", "peer0", [udp(port)] * SENT)
        after = settle(lab, "box", dev, before["rx"]["packets"] + SENT)
        rules = sum(r["packets"] for r in after["rules"]) - sum(
            r["packets"] for r in before["rules"])
        if rules == SENT:
            dropped.append(port)
    return dropped


def entries(lab):
    return lab.sluice_json("rollback", "--list", "--json", ns="box")["configurations"]


def apply(lab, number, *options, **more):
    return lab.sluice("apply", lab.file("c%d.conf" % number, text(number)), *options, ns="box",
                      **more)


def running(lab):
    """The number in the name of the rule that both interfaces run."""
    shown = lab.sluice("show", ns="box").stdout
    rules = [line.split()[1] for line in shown.splitlines() if line.startswith("rule r")]
    return int(rules[0][1:]) if len(rules) == 1 and "# loaded on box0 box1" in shown else rules


def ten(tap, lab):
    tap.equal(lab.sluice("rollback", ns="box", check=False).returncode, 1,
              "with nothing before, rollback says so")
    for number in range(1, 13):
        apply(lab, number)
    listed = entries(lab)
    tap.equal([os.path.basename(e["file"]) for e in listed],
              ["c%d.conf" % n for n in range(3, 13)], "of twelve applied, the last ten are kept")
    tap.equal([(e["running"], e["confirmed"]) for e in listed],
              [(False, False)] * 9 + [(True, True)], "the last one runs, and is confirmed")
    tap.ok(all(e["who"].startswith("root (uid 0)") and e["time"] > 1.7e9 and e["generation"] == n
               for n, e in enumerate(listed, 3)), "who, when, generation", listed)
    wrong = []
    for entry in listed:
        number = int(os.path.basename(entry["file"])[1:-5])
        lab.sluice("rollback", str(entry["number"]), ns="box")
        got = running(lab), judged(lab, [number, number % 10 + 20])
        if got != (number, [number]):
            wrong.append((entry["number"], got))
    tap.equal(wrong, [], "rollback to each of them: it runs, and judges packets")
    tap.equal(sorted(os.path.basename(e["file"]) for e in entries(lab)),
              sorted("c%d.conf" % n for n in range(3, 13)), "none is lost by that")
    lab.sluice("rollback", ns="box")
    first = running(lab)
    lab.sluice("rollback", ns="box")
    tap.equal((first, running(lab)), (11, 12), "without a number: the one before, and back")
    tap.equal(lab.sluice("rollback", "1", ns="box", check=False).returncode, 1,
              "a number that is no more")
    tap.contains(lab.sluice("rollback", "--list", ns="box").stdout,
                 ["c7.conf", "applied last", "runs after a boot"], "the list for people")


def plain_text(tap, lab):
    """An entry is a configuration: what `show` prints, without other owners' live rules."""
    lab.sluice("rule", "add", "other drop udp to any port 99", ns="box")
    apply(lab, 40)
    newest = sorted(glob.glob(os.environ["SLUICE_HISTORY"] + "/*.conf"))[-1]
    with open(newest, encoding="utf-8") as file:
        kept = file.read().splitlines()
    shown = lab.sluice("show", ns="box").stdout.splitlines()
    tap.equal(kept[1:], [line for line in shown[1:] if "other" not in line],
              "the text that runs, but for live rules")
    tap.equal(lab.sluice("check", newest, check=False).returncode, 0, "`sluice check` takes it")
    lab.sluice("rollback", ns="box")
    tap.contains(lab.sluice("show", ns="box").stdout, "rule other drop",
                 "a live rule lives through rollback")
    lab.sluice("rule", "del", "other", ns="box")


def confirms(tap, lab):
    before = running(lab)
    target = next(e["number"] for e in entries(lab) if e["file"].endswith("c5.conf"))
    lab.sluice("rollback", str(target), "--confirm", "60", ns="box")
    now = running(lab)
    lab.sluice("rollback", ns="box")
    tap.equal((now, running(lab)), (5, before), "rollback --confirm, taken back")
    target = next(e["number"] for e in entries(lab) if e["file"].endswith("c5.conf"))
    tap.contains(lab.sluice("rollback", str(target), "--dry-run", ns="box").stdout,
                 ["added:   rule r5", "would run"], "rollback --dry-run")
    tap.equal(running(lab), before, "changes nothing")


def full_disk(tap, lab):
    store = os.path.join(lab.dir, "small")
    os.mkdir(store)
    lab.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", store])
    kept = os.environ["SLUICE_HISTORY"]
    os.environ["SLUICE_HISTORY"] = store
    try:
        apply(lab, 50)
        with open(store + "/filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(512))
            except OSError:
                pass
        files = sorted(os.listdir(store))
        done = apply(lab, 51)
        tap.contains(done.stderr, ["warning", store, "No space left", "applied all the same"],
                     "a full disk is told")
        tap.equal(judged(lab, [50, 51]), [51], "the filter is applied all the same")
        tap.equal(sorted(os.listdir(store)), files, "and nothing half written is left")
        tap.equal([os.path.basename(e["file"]) for e in entries(lab)], ["c50.conf"],
                  "the history is what it was")
        apply(lab, 52, "--confirm", "60")
        done = lab.sluice("confirm", ns="box")
        tap.equal(judged(lab, [51, 52]), [52], "--confirm works without the history")
        done = lab.sluice("rollback", str(entries(lab)[0]["number"]), ns="box")
        tap.equal(judged(lab, [50, 52]), [50], "and so does rollback to what is there")
        os.unlink(store + "/filler")
        apply(lab, 53)
        tap.equal(os.path.basename(entries(lab)[-1]["file"]), "c53.conf",
                  "with room again, so is it")
    finally:
        os.environ["SLUICE_HISTORY"] = kept
        lab.run(["umount", store])


def no_promise(tap, lab):
    """What `--confirm` would go back to cannot be written: then nothing is changed."""
    apply(lab, 59)
    before = running(lab)
    script = ("mount -t tmpfs none /run/sluice && mkdir /run/sluice/bpf /run/sluice/confirm && "
              "mount -t bpf none /run/sluice/bpf && "
              "mount -t tmpfs -o size=4k none /run/sluice/confirm && "
              "{ head -c 4096 /dev/zero > /run/sluice/confirm/filler; :; } && "
              '"$@"; status=$?; ls /run/sluice/confirm; exit $status')
    lab.sluice("down", ns="box")
    done = lab.run(["unshare", "-m", "sh", "-c", script, "sh", built("sluice"), "apply",
                    lab.file("c60.conf", text(60)), "--confirm", "60"], ns="box", check=False)
    tap.equal(done.returncode, 3, "no room for what ran: --confirm is refused")
    tap.contains(done.stderr, ["No space left", "nothing was changed"], "and says why")
    tap.equal(done.stdout.split()[-1:], ["filler"], "nothing is left of it")
    tap.equal(lab.sluice_json("stats", "--json", ns="box")["interfaces"], [], "nothing runs")
    lab.sluice("rollback", str(next(e["number"] for e in entries(lab) if e["running"])), ns="box")
    tap.equal(running(lab), before, "what ran is in the history")


def boot(lab, *words, **more):
    """As after a boot: nothing is attached."""
    lab.sluice("down", ns="box")
    return lab.sluice("apply", "--boot", *words, ns="box", check=False, **more)


def boots(tap, lab):
    apply(lab, 70)
    apply(lab, 71, "--confirm", "60")  # never confirmed, and then the power goes
    lab.sluice("down", ns="box")
    done = boot(lab)
    tap.equal((done.returncode, running(lab)), (0, 70), "--boot: what was confirmed last")
    path = lab.file("new.conf", text(72))
    done = boot(lab, path)
    tap.equal((done.returncode, running(lab)), (0, 72), "--boot FILE")
    for name, content in (("no rule", "interface box0, box1\nrule x drup\n"),
                          ("no interface", "rule x drop tcp\n"),
                          ("ARP cut off", "interface box0, box1\ndefault drop\n"),
                          ("over its budget", "interface box0, box1\nlimits { tables 1k }\n"
                           "rule x drop udp to any port 7\n"),
                          ("no such device", text(73) + "rule x redirect nosuch0\n")):
        done = boot(lab, lab.file("new.conf", content))
        tap.equal((done.returncode, running(lab)), (1, 72),
                  "--boot FILE with %s: the last good one is kept, and the status says so" % name)
        tap.contains(done.stderr, "confirmed last is kept", "in words")
    done = boot(lab, "/nonexistent/sluice.conf")
    tap.equal((done.returncode, running(lab)), (1, 72), "--boot FILE that is not there")
    # What drops ARP and was confirmed so is not asked about again.
    path = lab.file("quiet.conf", "interface box0, box1\ndefault drop\nrule r74 pass udp\n")
    lab.sluice("apply", "--force", path, ns="box")
    tap.equal(boot(lab, path).returncode, 0, "what was confirmed with --force boots without")
    # The second interface comes later.
    apply(lab, 75)
    lab.sluice("down", ns="box")
    lab.run(["ip", "link", "set", "box1", "down"], ns="box")
    lab.run(["ip", "link", "set", "box1", "name", "late1"], ns="box")
    done = lab.sluice("apply", "--boot", ns="box", check=False)
    tap.equal((done.returncode, judged(lab, [74, 75])), (3, [75]),
              "an interface that is not there yet: the others are filtered")
    tap.contains(done.stderr, ["box1", "not there yet"], "and it is named")
    lab.run(["ip", "link", "set", "late1", "name", "box1"], ns="box")
    lab.run(["ip", "link", "set", "box1", "up"], ns="box")
    done = lab.sluice("apply", "--boot", ns="box", check=False)
    tap.equal((done.returncode, running(lab)), (0, 75), "when it is, again, and all are")
    os.environ["SLUICE_HISTORY"] += "-none"
    done = boot(lab)
    tap.equal((done.returncode, "no configuration was ever confirmed" in done.stderr), (0, True),
              "nothing was ever confirmed: nothing runs, no failure")
    done = boot(lab, "/nonexistent/sluice.conf")
    tap.equal(done.returncode, 3, "nor the file there: a failure")


def main():
    tap = Tap()
    with Lab() as lab:
        two_sides(lab)
        lab.used_sluice.add("box")
        for test in ten, plain_text, confirms, full_disk, no_promise, boots:
            with tap.case(test.__name__):
                test(tap, lab)
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


if __name__ == "__main__":
    main()
