# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the verifier is asked in a guest: configurations that each ask something
else of it, with frames and what the oracle says of them.

Made on the host, where Python is not emulated:

    cases.write(folder)                        every case that can be made here
    cases.write(folder, ("empty", "all"))      some

A case is a folder NAME-off or NAME-on (`frags`) with sluice.conf and what it
names, frames.pcap, want.json. What was left out, and why, is in left_out.json.
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
ROOT = os.path.dirname(TESTS)
sys.path[:0] = [TESTS, os.path.join(TESTS, "oracle")]
import bulk
import capture
import classbench
import config as language
import frames as raw
from generate import Generator

BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build")))
SETS = os.path.join(os.environ.get("SLUICE_CORPUS", os.path.join(ROOT, "..", "shared", "data")),
                    "rules", "classbench")
SEED = 5
FRAMES = 800     # judged by the oracle, of which
EACH = 4         # so many of each answer (rule, reason) are kept,
KEPT = 160       # and no more than so many: an emulated machine asks them

NAMED = """set macs mac { 02:00:00:00:00:01, 02:00:00:00:00:02, 02:00:00:00:00:aa }
set macd mac { 02:00:00:00:00:bb, 02:00:00:00:00:10 }
set bad { 10.66.0.0/16, 2001:db8:66::/48 }
"""
LIVE_SETS = """set lsrc live { file "live.txt" }
set ldst live { 198.51.100.0/24, 10.0.0.9, 2001:db8::2/127 }
"""
SIMPLE = (
    "drop udp to any port 53", "pass tcp to any port 443", "drop from 10.66.0.0/16",
    "drop from 2001:db8:66::/48", "drop vlan 5", "pass icmp", "drop icmp6",
    "drop udp to any port 5353", "pass tcp to any port { 80, 8000-8010 }", "drop sctp",
    "drop tcp from 192.0.2.0/30", "drop fragment later", "pass udp from any port 67",
    "drop udp to any port 19", "drop ip to 198.51.100.1", "pass ip6 to 2001:db8::2")
FIELDS = (
    "drop tcp from @bad to any port 22 flags syn/syn,ack", "drop tcp flags 0/0x3f",
    "drop icmp icmp-type 8 code 0", "drop icmp6 icmp-type 135",
    "drop fragment first dscp 46", "drop fragment later length 20-100",
    "pass udp from any port 53 to any port 1024-65535",
    "drop udp to any port { 123, 500, 5353 } length 700-1500", "drop ethertype 0x88b5",
    "pass ethertype 0x806", "drop vlan 100 inner-vlan 7", "drop vlan 5 dscp 10",
    "drop tcp to any port 9000-9003 mac src @macs", "drop udp to 198.51.100.1 mac src not @macs",
    "pass mac dst @macd", "drop ip from 192.0.2.0/29 to 10.0.0.0/8",
    "drop ip6 from 2001:db8::/64 to not 2001:db8::/126",
    "drop sctp from any port 1 to any port 80", "drop proto 50",
    "drop ip6 fragment yes length 0-200")
LIVE = (
    "drop udp from @lsrc to any port 53", "pass tcp to @ldst port 443",
    "drop from @lsrc to @ldst", "drop tcp from not @lsrc to @ldst", "pass to @lsrc")
LIMIT = (
    "limit 10kpps udp", "limit 1kpps burst 50 per source tcp",
    "limit 10kpps per source /24 /56 ip6", "limit 100Mbps icmp",
    "limit 1Gbps per source udp to any port 53", "drop udp to any port 53", "pass tcp",
    "drop sctp")
NOTES = (
    "count udp", "log tcp", "log sample 100 icmp", "drop udp to any port 53 observe",
    "drop tcp to any port 443 expires 1h", "count ip6", "log udp from 10.66.0.0/16",
    "drop udp to any port 5353 expires 2h observe", "drop sctp", "pass icmp expires 1h")
AWAY = (
    "redirect box1 udp to any port 123", "bounce udp to any port 7",
    "forward fallback drop tcp to any port 9000", "forward tcp to any port 9001",
    "forward fallback pass udp from 192.0.2.0/29", "redirect fib tcp to any port 9003",
    "route fallback drop udp to any port 9003", "route ip6 to 2001:db8::5")
ALL = (NOTES[:3] + LIMIT[:5] + LIVE[:1] + AWAY[:2] + FIELDS[:8]
       + ("log sample 3 from @lsrc", "count to @ldst") + AWAY[2:] + LIVE[1:4] + FIELDS[8:]
       + NOTES[3:8] + ("drop sctp", "drop tcp to @ldst flags rst/rst expires 1h"))
LIVE_TXT = "\n".join(
    ["10.66.0.0/16", "192.0.2.0/30", "192.0.2.5", "2001:db8:66::/48", "2001:db8::1",
     "2001:db8::4/127"]
    + ["10.%d.%d.0/24" % (100 + n // 200, n % 200) for n in range(2000)]
    + ["2001:db8:f%03x::/48" % n for n in range(500)]) + "\n"
EXTENSION = 'extension before 0 "FRAGS.bpf.o"\n'


# ---- frames ---------------------------------------------------------------

def _v4(text):
    return int.from_bytes(bytes(map(int, text.split("."))), "big")


FOUR = [_v4("10.66.1.%d" % n) for n in range(4)] + [_v4("192.0.2.%d" % n) for n in range(6)] + [
    _v4("10.0.0.9"), _v4("198.51.100.1")]
SIX = [0x20010db8 << 96 | n for n in range(6)] + [
    0x20010db8 << 96 | 0x66 << 80 | n for n in range(4)]


def _payload(rng, protocol, six):
    source = rng.choice((1, 53, 67, 1024, 5000))
    port = rng.choice((7, 19, 22, 53, 80, 123, 443, 500, 5353, 8000, 8010, 9000, 9001, 9003))
    data = bytes(rng.choice((0, 0, 4, 80, 700, 1300)))
    if protocol == raw.ICMP:
        number = raw.ICMP6 if six else raw.ICMP
        return number, raw.icmp(rng.choice((0, 3, 8, 128, 135)), rng.choice((0, 1, 3)), data)
    if protocol == raw.TCP:
        return protocol, raw.tcp(source, port, data, rng.choice((2, 0x12, 0x10, 4, 0, 0x29, 0x3f)))
    return protocol, (raw.udp if protocol == raw.UDP else raw.sctp)(source, port, data)


def _frame(rng):
    six = rng.random() < .5
    protocol, payload = _payload(
        rng, rng.choice((raw.TCP, raw.TCP, raw.UDP, raw.UDP, raw.SCTP, raw.ICMP)), six)
    tos = rng.choice((0, 0, 46 << 2, 10 << 2 | 1))
    fragment = rng.choice((None,) * 8 + (0x2000, 5, 0x2005))  # more fragments, offset
    if six:
        extensions = [] if fragment is None else [raw.extension(
            raw.FRAGMENT, fragment=(fragment & 0x1fff) << 3 | bool(fragment & 0x2000))]
        if rng.random() < .2:
            extensions.insert(0, raw.extension(raw.HOP))
        body = raw.ipv6(rng.choice(SIX), rng.choice(SIX), protocol, payload, extensions, tos=tos)
    else:
        body = raw.ipv4(rng.choice(FOUR), rng.choice(FOUR), protocol, payload, b"",
                        fragment or 0, tos=tos)
    tags = rng.choice(([], [], [], [(0x8100, 100)], [(0x88a8, 100), (0x8100, 7)], [(0x8100, 5)],
                       [(0x8100, 5), (0x8100, 8)]))
    source = bytes.fromhex("02000000000" + rng.choice("12345"))
    return raw.ethernet(0x86dd if six else 0x800, body, tags, src=source)


def _pool():
    rng = random.Random(SEED)
    found = [_frame(rng) for _ in range(FRAMES)]
    for number in range(3):
        found += Generator(1000 + number, "box0", "box1").scenario(24).packets(60)
    found += [raw.ethernet(kind, bytes(46)) for kind in (0x806, 0x88b5, 0x86dd)]
    return found


# ---- cases ----------------------------------------------------------------

def _numbered(rules, prefix="r"):
    return "".join("rule %s%d %s\n" % (prefix, n, rule) for n, rule in enumerate(rules))


def _without_head(text):
    """A ClassBench configuration's rules: without `interface`, without `default`."""
    return text.split("\n", 2)[2]


def _extensions():
    """The shipped example, for either flavour of the filter."""
    with open(os.path.join(ROOT, "config", "ext", "drop_dns_any.bpf.c"), encoding="ascii") as text:
        source = text.read()
    arch = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True)
    argv = ["clang", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-DSLUICE_TREE", "-I", ROOT, "-I",
            os.path.join(ROOT, "include"), "-I/usr/include/" + arch.stdout.strip(), "-x", "c",
            "-c", "-", "-o", "-"]
    return {name + ".bpf.o": subprocess.run(
        argv, input=source.replace('SEC("xdp")', 'SEC("%s")' % section).encode(),
        capture_output=True, check=True).stdout for name, section in (("off", "xdp"),
                                                                      ("on", "xdp.frags"))}


def _plain(pool):
    """Yields (name, text, files, frames) of the cases written by hand."""
    live = {"live.txt": LIVE_TXT}
    yield "empty", "default pass\n", {}, pool[:100]
    yield "simple", "default pass\n" + _numbered(SIMPLE), {}, pool
    yield "fields", "default pass\n" + NAMED + _numbered(FIELDS), {}, pool
    yield "live", "default pass\n" + LIVE_SETS + _numbered(LIVE), live, pool
    yield "limit", "default pass\n" + _numbered(LIMIT), {}, pool
    yield "notes", "default pass\n" + _numbered(NOTES), {}, pool
    yield "all", "default drop\n" + NAMED + LIVE_SETS + _numbered(ALL), live, pool
    yield "extension", EXTENSION + "default pass\n" + NAMED + _numbered(FIELDS), _extensions(), pool
    for seed, count in ((11, 40), (12, 200)):
        scenario = Generator(seed, "box0", "box1").scenario(count)
        yield "random%d" % count, scenario.text, scenario.files, scenario.packets(FRAMES)


def _classbench(pool):
    """The same of those that need ClassBench's sets."""
    for name in ("acl1_10k", "fw1_10k"):
        rules = classbench.load(os.path.join(SETS, name))
        for six in (False, True):
            text = classbench.sluice_config(rules, "box0", six)
            yield ("%s-v%d" % (name, 6 if six else 4), "default pass\n" + _without_head(text), {},
                   classbench.headers(rules, FRAMES, "uniform", 1, six))
    rules = classbench.load(os.path.join(SETS, "fw1_1k"))
    text = _without_head(classbench.sluice_config(rules, "box0"))
    yield ("all-fw1_1k", "default drop\nlimits { rules 20000 }\n" + NAMED + LIVE_SETS
           + _numbered(ALL, "a") + text, {"live.txt": LIVE_TXT},
           pool + classbench.headers(rules, FRAMES, "uniform", 1))


def _headed(text, frags):
    """The text with its interfaces' options: theirs if it has them, box0's if not."""
    braces = " { mode native; frags %s }" % frags
    found = re.search(r"^interface ([^{\n]*).*$", text, re.M)
    if not found:
        return "interface box0" + braces + "\n" + text
    return text[:found.end(1)].rstrip() + braces + text[found.end():]


def _few(frames, answers):
    """Numbers of some frames, with as many different answers as there are."""
    seen, chosen = {}, []
    for number, answer in enumerate(answers):
        seen[answer] = seen.get(answer, 0) + 1
        if seen[answer] <= EACH and 14 <= len(frames[number]) <= 1514:
            chosen.append(number)
    return chosen[:KEPT]


def _write(folder, text, files, frames):
    os.makedirs(folder)
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
    with open(os.path.join(folder, "sluice.conf"), "w", encoding="utf-8") as out:
        out.write(text)
    # The oracle has no extensions; this one lets all of these frames go on.
    config = language.parse(re.sub("^extension .*$", "", text, flags=re.M), folder)
    answers = [tuple(answer) for answer in bulk.judge(config, frames, "box0")]
    chosen = _few(frames, answers)
    capture.write(os.path.join(folder, "frames.pcap"), [frames[n] for n in chosen])
    with open(os.path.join(folder, "want.json"), "w", encoding="ascii") as out:
        json.dump([answers[n] for n in chosen], out)


def write(folder, names=None):
    """Makes the cases in `folder` anew; their names, in order."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    pool, left_out, made = _pool(), {}, []
    sources = [_plain(pool)]
    if os.path.isdir(SETS):
        sources.append(_classbench(pool))
    elif names is None:
        left_out["classbench"] = "no folder %s (SLUICE_CORPUS names another)" % os.path.relpath(
            SETS, ROOT)
    for source in sources:
        for name, text, files, frames in source:
            for frags in ("off", "on"):
                tag = "%s-%s" % (name, frags)
                if names is None or tag in names:
                    config = _headed(text.replace("FRAGS", frags), frags)
                    _write(os.path.join(folder, tag), config, files, frames)
                    made.append(tag)
    with open(os.path.join(folder, "left_out.json"), "w", encoding="ascii") as out:
        json.dump(left_out, out)
    return made
