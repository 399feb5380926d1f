#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What sluice-exporter serves is what was counted; nobody who asks can harm it. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]

The exporter, Prometheus and those who ask are in `box`, on its loopback.
"""
import concurrent.futures
import contextlib
import grp
import json
import os
import random
import resource
import signal
import socket
import sys
import time

from network import settle, two_sides
from exporter import Exporter, descriptors, parse
from lab import Lab, built, wait_for
from tap import Tap, check

import frames as raw

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ODD = 'a"b\\c <i>&amp;</i> {x="1"}'  # in the language with a backslash before " and \\
TEXT = r'''
interface box0, box1
default pass
set bogons { 198.18.0.0/15, fc00::/7 }
set blocked live { 203.0.113.0/24 }
rule deny drop udp to any port 9
rule "a\"b\\c <i>&amp;</i> {x=\"1\"}" count udp to any port 53
rule spoofed drop from @bogons
rule blocked drop from @blocked
rule wire forward fallback pass udp to any port 7
metrics { listen "127.0.0.1:0"; ports 2 }
forwarder { wire box0 box1; workers 1; poll sleep }
'''


def traffic():
    return [raw.datagram(port, n)
            for port, count in ((9, 50), (53, 40), (123, 30), (7, 20), (443, 1))
            for n in range(count)] + [raw.datagram(1, n, source=0xcb007105) for n in range(5)]


def start(lab, *args):
    two_sides(lab)
    lab.apply(TEXT, ns="box")
    return Exporter(lab, *args, config=lab.file("box.conf", TEXT))


def pick(samples, name, **labels):
    """The value of the one sample of that name with these labels."""
    found = [value for (sample, has), value in samples.items()
             if sample == name and labels.items() <= dict(has).items()]
    if len(found) != 1:
        raise AssertionError("%s %r: %d samples" % (name, labels, len(found)))
    return found[0]


def total(samples, name, **labels):
    return sum(value for (sample, has), value in samples.items()
               if sample == name and labels.items() <= dict(has).items())


def check_filter(samples, stats):
    dev = stats["name"]
    for half in ("packets", "bytes"):
        check(pick(samples, "sluice_received_%s_total" % half, interface=dev),
              stats["rx"][half], half)
        for kind, key in (("reason", "reasons"), ("verdict", "verdicts")):
            for name, counter in stats[key].items():
                check(total(samples, "sluice_%s_total" % half, interface=dev, **{kind: name}),
                      counter[half], "%s %s" % (kind, name))
        got = [(dict(has)["rule"], dict(has)["verdict"], value)
               for (name, has), value in samples.items()
               if name == "sluice_rule_%s_total" % half and dict(has)["interface"] == dev]
        check(got, [(r["name"], r["verdict"], r[half]) for r in stats["rules"]], "rules")
    check(pick(samples, "sluice_generation", interface=dev), stats["generation"], "generation")


def values(tap):
    with Lab() as lab:
        exporter = start(lab, "--port", "tcp/22")
        sent = traffic()
        lab.send("peer", "peer0", sent)
        stats = settle(lab, "box", "box0", len(sent))
        time.sleep(0.6)  # what is older than that is read anew
        status, headers, text = exporter.get()
        samples = parse(text)
        tap.equal((status, headers["Content-Type"]), (
            200, "application/openmetrics-text; version=1.0.0; charset=utf-8"), "values: type")
        with tap.case("values: all that `sluice stats --json` says"):
            check(stats["rx"]["packets"], len(sent), "what was sent was counted")
            check_filter(samples, stats)
            check_filter(samples, lab.stats("box", "box1"))
        with tap.case("values: a name with quotes and markup is a label and no more"):
            check(pick(samples, "sluice_rule_packets_total", interface="box0",
                       rule=ODD), 40, "its packets")
        with tap.case("values: ports, the most and the chosen"):
            ports = {(dict(has)["proto"], dict(has)["port"]): value
                     for (name, has), value in samples.items()
                     if name == "sluice_port_packets_total" and dict(has)["interface"] == "box0"}
            check(ports, {("udp", "9"): 50, ("udp", "53"): 40, ("tcp", "22"): 0}, "ports")
        with tap.case("values: sets"):
            check(pick(samples, "sluice_set_items", interface="box0", set="bogons"), 2, "folded")
            check(pick(samples, "sluice_set_items", interface="box0", set="blocked"), 1, "live")
            lab.sluice("set", "add", "blocked", "192.0.2.0/28", "192.0.2.99", ns="box")
            time.sleep(0.6)
            check(pick(exporter.metrics(), "sluice_set_items", interface="box0", set="blocked"), 3,
                  "after an addition")
        with tap.case("values: a reload shows"):
            lab.apply(TEXT.replace("rule deny", "rule more count tcp\nrule deny"), ns="box")
            time.sleep(0.6)
            samples = exporter.metrics()
            check(pick(samples, "sluice_generation", interface="box0"), 2, "generation")
            check(pick(samples, "sluice_rules", interface="box0"), 6, "rules")
            check(pick(samples, "sluice_rule_packets_total", interface="box0", rule="deny"), 50,
                  "the counter went on")
        page_state(tap, exporter)
        tap.equal(exporter.stop(), 0, "values: ends cleanly")
        tap.equal(lab.leftovers(), [], "values: down leaves nothing behind")


def page_state(tap, exporter):
    with tap.case("state: the same figures"):
        state = exporter.state()
        box0 = next(one for one in state["interfaces"] if one["name"] == "box0")
        check(box0["rx"]["packets"], len(traffic()), "received")
        rules = {rule["name"]: rule for rule in box0["rules"]}
        check(rules["deny"]["matched"]["packets"], 50, "a rule")
        check(rules["deny"]["hit_seconds"] is not None, True, "its last hit was seen")
        check(rules["more"]["hit_seconds"], None, "another was never hit")
        check([(p["proto"], p["port"]) for p in box0["ports"]],
              [("udp", 9), ("udp", 53), ("tcp", 22)], "ports")


def forward(lab):
    """sluice-fwd in `box`, once its wire stands."""
    log = open(os.path.join(lab.dir, "forwarder.log"), "w+")
    proc = lab.popen([built("sluice-fwd"), "-c", lab.file("box.conf", TEXT)], ns="box", stderr=log)
    check(bool(wait_for(lambda: open(log.name).read().count("->") >= 2)), True, "forwarder")
    return proc


def forwarded(tap):
    with Lab() as lab:
        exporter = start(lab)
        forwarder = forward(lab)
        lab.send("peer", "peer0", [raw.datagram(7, n) for n in range(300)])
        settle(lab, "box", "box0", 300)
        with tap.case("forwarder: its packets, frames and ledger"):
            wait_for(lambda: total(exporter.metrics(), "sluice_queue_sent_packets_total") == 300)
            samples = exporter.metrics()
            name = os.path.join(lab.dir, "box.conf")
            check(pick(samples, "sluice_queue_received_packets_total", interface="box0",
                       forwarder=name), 300, "received")
            check(pick(samples, "sluice_queue_sent_packets_total", interface="box1"), 300, "sent")
            check(total(samples, "sluice_worker_frames", worker="0"),
                  pick(samples, "sluice_worker_capacity_frames", worker="0"), "frames add up")
            check(pick(samples, "sluice_unexplained_packets", forwarder=name), 0, "unexplained")
            check(pick(samples, "sluice_forwarder_accounted", forwarder=name), 1, "accounted")
            check(pick(samples, "sluice_ledger_packets", interface="box0", entry="forwarded"),
                  300, "ledger")
            check(pick(samples, "sluice_queue_info", interface="box0", mode="copy",
                       copy_reason="driver"), 1, "mode")
            check(total(samples, "sluice_queue_dropped_packets_total"), 0, "drops")
        with tap.case("forwarder: copy mode is explained"):
            found = [f for f in exporter.state()["findings"] if f["text"].startswith("Copy mode")]
            check([f["where"] for f in found], ["box0 queue 0, box1 queue 0"], "findings")
        with tap.case("forwarder: one that is stopped keeps nobody waiting"):
            forwarder.send_signal(19)
            time.sleep(0.6)
            begin = time.monotonic()
            samples = exporter.metrics()
            check(total(samples, "sluice_forwarder_accounted"), 0, "it is left out")
            check(total(samples, "sluice_exporter_failures_total") > 0, True, "and counted")
            check(time.monotonic() - begin < 8, True, "within seconds")
            forwarder.send_signal(18)
        exporter.stop()
        lab.end(forwarder)
        tap.equal(lab.leftovers(), [], "forwarder: down leaves nothing behind")


def prometheus(tap):
    """The judges: promtool reads the text and the rules, a real Prometheus scrapes."""
    with Lab() as lab:
        exporter = start(lab)
        lab.send("peer", "peer0", traffic())
        settle(lab, "box", "box0", len(traffic()))
        text = exporter.get(headers={"Accept": "text/plain"})[2]
        done = lab.run(["promtool", "check", "metrics"], stdin=text, check=False)
        tap.equal((done.returncode, done.stdout, done.stderr), (0, "", ""),
                  "promtool: finds nothing wrong with the metrics")
        rules = os.path.join(ROOT, "config/prometheus/sluice.rules.yml")
        done = lab.run(["promtool", "check", "rules", rules], check=False)
        tap.ok(done.returncode == 0, "promtool: takes the alert rules", done.stdout, done.stderr)
        config = lab.file("prometheus.yml", "global: {scrape_interval: 1s}\nrule_files: [%s]\n"
                          "scrape_configs:\n- job_name: sluice\n  static_configs:\n"
                          "  - targets: ['127.0.0.1:%d']\n" % (rules, exporter.port))
        server = lab.popen(["prometheus", "--config.file", config, "--storage.tsdb.path",
                            os.path.join(lab.dir, "tsdb"), "--web.listen-address",
                            "127.0.0.1:19090"], ns="box",
                           stderr=open(os.path.join(lab.dir, "prometheus.log"), "w"))

        def ask(query):
            done = lab.run(["curl", "-sfG", "http://127.0.0.1:19090/api/v1/query",
                            "--data-urlencode", "query=" + query], ns="box", check=False)
            found = json.loads(done.stdout or "{}").get("data", {}).get("result", [])
            return [(one["metric"], float(one["value"][1])) for one in found]

        wait_for(lambda: ask('up{job="sluice"} == 1'), timeout=30)
        with tap.case("prometheus: answers with what was sent"):
            check([v for _m, v in ask('sum(sluice_received_packets_total)')], [len(traffic())],
                  "received")
            check([v for _m, v in ask('sluice_rule_packets_total{interface="box0",rule="deny"}')],
                  [50], "a rule")
            check(sum(v for _m, v in ask('sluice_packets_total{interface="box0"}')),
                  len(traffic()), "every packet has one reason")
            names = [m["rule"] for m, _v in ask('sluice_rule_packets_total{interface="box0"}')]
            check(ODD in names, True, "the odd name: %r" % names)
        with tap.case("dashboard: every query finds series"):
            forwarder = forward(lab)
            for _ in range(8):  # a rate wants traffic between two scrapes
                lab.send("peer", "peer0", traffic())
                time.sleep(0.5)
            check(dashboard(ask), [], "queries without an answer")
            lab.end(forwarder)
        lab.end(server, timeout=30)
        exporter.stop()
        tap.equal(lab.leftovers(), [], "prometheus: down leaves nothing behind")


def dashboard(ask):
    """The queries of the Grafana dashboard that come to nothing."""
    with open(os.path.join(ROOT, "config/grafana/sluice.json")) as text:
        board = json.load(text)
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    check(len(queries) > 10, True, "the dashboard has queries")
    return [q for q in queries if not ask(q.replace("$interface", ".*")
                                                         .replace("$__rate_interval", "30s"))]


def listening(tap):
    """Where it listens, who may, and what it says when it cannot."""
    with Lab() as lab:
        two_sides(lab)
        exporter = Exporter(lab, "--listen", "127.0.0.1:0")
        with tap.case("no filter: that is no error"):
            check(exporter.state()["interfaces"], [], "state")
            check(total(exporter.metrics(), "sluice_received_packets_total"), 0, "metrics")
        busy = "127.0.0.1:%d" % exporter.port
        for label, args, words in (
                ("a used port", ["-l", busy], [busy, "in use"]),
                ("no address", ["-l", "here"], ["here", "ADDRESS:PORT"]),
                ("no such address", ["-l", "192.0.2.77:1"], ["192.0.2.77", "ip address"]),
                ("no such group", ["-g", "no-such-group"], ["no-such-group"]),
                ("no port", ["-p", "tcp/65536"], ["tcp/65536", "udp/N"]),
                ("a bad file", ["-c", lab.file("x.conf", 'metrics { listen "eth0" }\n')],
                 ["x.conf:1:", "listen", "eth0"])):
            done = lab.run([built("sluice-exporter")] + args, ns="box", check=False)
            tap.ok(done.returncode in (1, 3), label + ": refused", done.returncode)
            tap.contains(done.stderr, words, label + ": said")
        exporter.stop()
        unix_socket(tap, lab)
        activation(tap, lab)


def ask_unix(lab, path, user=None):
    words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", path,
             "http://sluice/metrics"]
    if user:
        words = ["setpriv", "--reuid", "65534", "--regid", user, "--clear-groups"] + words
    return lab.run(words, ns="box", check=False).stdout


def unix_socket(tap, lab):
    path = os.path.join(lab.dir, "metrics.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)  # left behind by one that was killed
    exporter = Exporter(lab, "-l", path, "-g", "daemon")
    tap.equal(ask_unix(lab, path), "200", "unix: root may")
    tap.equal(ask_unix(lab, path, user=str(grp.getgrnam("daemon").gr_gid)), "200",
              "unix: the group may")
    tap.equal(ask_unix(lab, path, user="65534"), "000", "unix: another user may not")
    exporter.stop()
    tap.ok(not os.path.exists(path), "unix: it takes its socket away")


def activation(tap, lab):
    """As systemd does it: descriptor 3, LISTEN_FDS and LISTEN_PID."""
    script = lab.file("activate.py", """
import os, socket, sys
sock = socket.create_server(("127.0.0.1", 0))
if sock.fileno() == 3:
    os.set_inheritable(3, True)
else:
    os.dup2(sock.fileno(), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
print(sock.getsockname()[1], flush=True)
os.execv(sys.argv[1], sys.argv[1:])
""")
    log = open(os.path.join(lab.dir, "passed.log"), "w+")
    proc = lab.popen([sys.executable, script, built("sluice-exporter")], ns="box", stderr=log)
    port = proc.stdout.readline().strip()
    wait_for(lambda: "passed" in open(log.name).read())
    got = lab.run(["curl", "-s", "http://127.0.0.1:%s/metrics" % port], ns="box").stdout
    tap.ok("sluice_exporter_readings_total " in got, "activation: serves the socket it was passed",
           got[-300:], open(log.name).read())
    lab.end(proc)


def status_of(pid):
    with open("/proc/%d/status" % pid) as text:
        return dict(line.rstrip("\n").split(":\t", 1) for line in text if ":\t" in line)


def privileges(tap):
    with Lab() as lab:
        exporter = start(lab)
        exporter.get()
        server, reader = status_of(exporter.server()), status_of(exporter.proc.pid)
        tap.equal((server["CapEff"], server["CapPrm"], server["CapBnd"], server["Seccomp"],
                   server["NoNewPrivs"]), ("0" * 16,) * 3 + ("2", "1"),
                  "privileges: the server has none, and is under seccomp")
        tap.equal((reader["CapEff"], reader["CapPrm"], reader["NoNewPrivs"]),
                  ("%016x" % (1 << 21),) * 2 + ("1",),
                  "privileges: the reader has CAP_SYS_ADMIN alone")
        os.kill(exporter.server(), 9)
        tap.equal(exporter.proc.wait(10), 3, "privileges: each ends with the other")
        tap.contains(exporter.messages(), "signal 9", "privileges: and says why")


REQUESTS = (
    ("POST", b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", b"405"),
    ("DELETE", b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"405"),
    ("a body", b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", b"400"),
    ("chunks", b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     b"400"),
    ("a name that is not ours", b"GET /metrics HTTP/1.1\r\nHost: rebound.example:9435\r\n\r\n",
     b"421"),
    ("huge headers", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
     b"431"),
    ("a long path", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"41"),
    ("another file", b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
    ("no line of HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
     b""),
)


def exchange(exporter, data):
    """What comes back for some bytes, until it is over, however that is."""
    got = b""
    with exporter.connect(5) as sock:
        with contextlib.suppress(OSError):  # it may be closed while we still send
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while more := sock.recv(65536):
                got += more
    return got


def malformed(tap, exporter):
    for label, data, want in REQUESTS:
        got = exchange(exporter, data)
        # A connection that ends with data unread may take the answer with it.
        lost = len(data) > 16384 and not got
        tap.ok(lost or got[9:].startswith(want) and b" 200 " not in got[:20],
               "malformed: " + label, got[:200])
    seed = random.SystemRandom().randrange(1 << 32)
    source = random.Random(seed)
    valid = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n"
    for _ in range(300):
        data = bytearray(valid)
        for _ in range(source.randrange(1, 8)):
            data[source.randrange(len(data))] = source.randrange(256)
        exchange(exporter, bytes(data))
    for _ in range(100):
        exchange(exporter, source.randbytes(source.randrange(1, 3000)))
    tap.equal(exporter.get()[0], 200, "malformed: after 400 random requests it serves, seed %d"
              % seed)


def resident_kb(pid):
    return int(status_of(pid)["VmRSS"].split()[0])


def crowd(tap, exporter, readings):
    """1,000 scrapes at once."""
    server = exporter.server()
    before = total(exporter.metrics(), "sluice_exporter_readings_total")
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(1000) as pool:
        done = list(pool.map(lambda _n: exporter.get()[0], range(1000)))
    took = time.monotonic() - begin
    after = total(exporter.metrics(), "sluice_exporter_readings_total")
    tap.equal(done.count(200), 1000, "crowd: 1,000 scrapes at once are all answered")
    tap.ok(after - before <= took / 0.5 + 2, "crowd: of few readings", after - before, took)
    tap.diag("1,000 scrapes in %.2f s, of %d readings" % (took, after - before))
    readings.append((resident_kb(server), descriptors(server)))


def slow(tap, exporter, readings):
    """1,000 who never finish their request, or never take their answer."""
    server = exporter.server()
    links = []
    for n in range(1000):
        link = exporter.connect()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        link.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + (b"\r\n" * (n % 2)))
        links.append(link)
    begin = time.monotonic()
    with tap.case("slow: with 1,000 slow clients a scrape is answered"):
        check(exporter.get()[0], 200, "status")
    tap.diag("a scrape beside 1,000 slow clients: %.2f s" % (time.monotonic() - begin))
    readings.append((resident_kb(server), descriptors(server)))
    for link in links:
        link.close()
    wait_for(lambda: descriptors(server) < 30, timeout=10)
    readings.append((resident_kb(server), descriptors(server)))


def leaves(tap, exporter):
    """All whom it can serve are there, and go at once."""
    links, server = [exporter.connect() for _ in range(1000)], exporter.server()
    wait_for(lambda: descriptors(server) > 450)
    os.kill(server, signal.SIGSTOP)
    for link in links:
        link.close()
    os.kill(server, signal.SIGCONT)
    with tap.case("leaves: it still listens"):
        check(exporter.get()[0], 200, "status")


def attacked(tap):
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192,) * 2)
    with Lab() as lab:
        exporter = start(lab)
        malformed(tap, exporter)
        readings = []
        for _ in range(2):
            crowd(tap, exporter, readings)
            slow(tap, exporter, readings)
        leaves(tap, exporter)
        tap.diag("resident kB, descriptors: %r" % readings)
        tap.ok(max(fds for _kb, fds in readings) < 560, "bounded: descriptors", readings)
        tap.ok(readings[-1][0] < readings[2][0] + 4096 and readings[-1][0] < 40000,
               "bounded: memory", readings)
        tap.ok(readings[-1][1] < 30, "bounded: who has gone is gone", readings)
        tap.equal(exporter.stop(), 0, "attacked: still ends cleanly")
        tap.equal(lab.leftovers(), [], "attacked: down leaves nothing behind")


def large(tap):
    """10,000 rules and every port: the figure of the issue, told, not judged."""
    rules = "".join("rule r%d count udp from 10.%d.%d.0/24 to any port %d\n" % (
        n, n >> 8, n & 255, n + 1) for n in range(10000))
    with Lab() as lab:
        two_sides(lab)
        lab.apply("interface box0\ndefault pass\n" + rules, ns="box", timeout=240)
        exporter = Exporter(lab, "-l", "127.0.0.1:0", "-n", "100")
        lab.send("peer", "peer0", (raw.datagram(port, port) for port in range(0, 65536, 8)))
        settle(lab, "box", "box0", 8192, timeout=20)
        times, reads = [], []
        for _ in range(7):
            time.sleep(0.6)
            begin = time.monotonic()
            text = exporter.get()[2]
            times.append(1000 * (time.monotonic() - begin))
            reads.append(1000 * pick(parse(text), "sluice_exporter_read_seconds"))
        samples = parse(text)
        tap.equal(len([1 for name, _has in samples if name == "sluice_rule_packets_total"]), 10000,
                  "large: every rule is there")
        tap.equal(len(exporter.state()["interfaces"][0]["rules"]), 500,
                  "large: the page is given those with most packets")
        tap.diag("10,000 rules, 8,192 ports counted: %d kB in %s ms, of these reading %s ms" % (
            len(text) // 1000, " ".join("%.0f" % t for t in sorted(times)),
            " ".join("%.0f" % t for t in sorted(reads))))
        exporter.stop()
        tap.equal(lab.leftovers(), [], "large: down leaves nothing behind")


def main():
    tap = Tap()
    for part in (values, forwarded, prometheus, listening, privileges, attacked, large):
        if len(sys.argv) < 2 or part.__name__ in sys.argv[1:]:
            part(tap)
    tap.done()


main()
