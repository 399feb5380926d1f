#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The main job, live (root): `make demo`.

    client -- c0 ===== in0 [ sluice ] out0 ===== s0 -- server
                            |      |
                        the kernel  sluice-fwd (AF_XDP)

Three network namespaces of its own, removed at the end, also on Ctrl-C. Every
figure shown is read from the running filter.
"""
import hashlib
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, LabError, ROOT, built, wait_for  # noqa: E402

from scapy.all import (Dot1Q, Ether, IP, IPv6, IPv6ExtHdrDestOpt, Raw, TCP,  # noqa: E402
                       UDP, fragment, wrpcap)

CONFIG = os.path.join(ROOT, "config", "demo", "sluice.conf")
BOX, CLIENT, SERVER = "192.0.2.1", "192.0.2.10", "192.0.2.80"
FILE_BYTES = 200 * 1000 * 1000
FLOOD_PPS, FLOOD_SECONDS = "300k", 6
WIDTH = 78


def title(number, text):
    print("\n\033[1m%d. %s\033[0m" % (number, text) if sys.stdout.isatty()
          else "\n%d. %s" % (number, text), flush=True)


def say(text):
    print("   " + text, flush=True)


def typed(command):
    print("   $ " + command, flush=True)


def show(text):
    for line in text.rstrip("\n").split("\n"):
        print("     " + line, flush=True)


def rate(value):
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return "%.2f %s" % (value / size, unit)
    return "%.0f " % value


class Demo:
    def __init__(self, lab):
        self.lab = lab
        self.seen = []

    def build(self):
        lab = self.lab
        lab.add("client", "sluice", "server")
        lab.veth("client", "c0", "sluice", "in0")
        lab.veth("sluice", "out0", "server", "s0")
        lab.address("client", "c0", CLIENT + "/24")
        lab.address("server", "s0", SERVER + "/24")
        lab.address("sluice", "in0", BOX + "/24")
        # The neighbours are written down instead of asked for by ARP, so that no packet
        # but those sent here is counted.
        for ns, dev, address, of, its in (
                ("client", "c0", SERVER, "server", "s0"), ("client", "c0", BOX, "sluice", "in0"),
                ("server", "s0", CLIENT, "client", "c0"), ("sluice", "in0", CLIENT, "client", "c0")):
            mac = ":".join("%02x" % byte for byte in lab.mac(of, its))
            lab.run(["ip", "neigh", "replace", address, "lladdr", mac, "dev", dev,
                     "nud", "permanent"], ns=ns)

    def start_filter(self):
        typed("sluice apply config/demo/sluice.conf")
        show(self.lab.sluice("apply", CONFIG, ns="sluice").stdout)

    def start_forwarder(self):
        typed("sluice-fwd -c config/demo/sluice.conf")
        self.forwarder = self.lab.popen([built("sluice-fwd"), "-c", CONFIG], ns="sluice")

        if not wait_for(lambda: self.lab.ping("client", SERVER, count=1), timeout=10):
            raise LabError("sluice-fwd: forwards nothing after 10 s")
        typed("sluice status")
        show(self.lab.sluice("status", ns="sluice").stdout)
        answered = self.lab.ping("client", SERVER, count=3)
        say("ping client -> server through the forwarder: %d of 3 answered" % answered)
        answered = self.lab.ping("client", BOX, count=3)
        say("ping client -> the box itself (rule mgmt, the kernel answers): %d of 3" % answered)

    def start_server(self):
        digest = hashlib.sha256()
        path = os.path.join(self.lab.dir, "file")
        with open(path, "wb") as out:
            for _ in range(FILE_BYTES // 1000000):
                block = os.urandom(1000000)
                digest.update(block)
                out.write(block)
        self.digest = digest.hexdigest()
        self.lab.popen(["/usr/bin/python3", "-m", "http.server", "-b", SERVER, "-d",
                        self.lab.dir, "80"], ns="server")
        wait_for(lambda: self.curl("/", "/dev/null").returncode == 0, timeout=10, interval=0.2)

    def curl(self, path, to, **options):
        return self.lab.run(["curl", "-s", "--max-time", "60", "-o", to, "-w",
                             "%{speed_download} %{time_total}", "http://%s%s" % (SERVER, path)],
                            ns="client", check=False, timeout=70, **options)

    def download(self):
        typed("curl http://%s/file" % SERVER)
        to = os.path.join(self.lab.dir, "download")
        done = self.curl("/file", to)
        if done.returncode != 0:
            raise LabError("curl: exit %d" % done.returncode)
        with open(to, "rb") as got:
            same = hashlib.sha256(got.read()).hexdigest() == self.digest
        os.unlink(to)
        speed, seconds = (float(word) for word in done.stdout.split())
        say("%d MB in %.1f s: %.0f Mbit/s through sluice-fwd, SHA-256 %s" % (
            FILE_BYTES // 1000000, seconds, speed * 8 / 1e6, "equal" if same else "DIFFERENT"))
        if not same:
            raise LabError("the download was damaged")
        self.seen.append("%d MB over HTTP through AF_XDP, intact" % (FILE_BYTES // 1000000))

    def flood(self):
        gen = self.lab.popen([built("sluice-gen"), "c0", "--proto", "udp", "--src",
                              "203.0.113.0/24", "--dst", SERVER, "--sport", "1024-65535",
                              "--dport", "53", "--dst-mac", "02:00:00:00:00:02",
                              "--rate", FLOOD_PPS, "--duration", FLOOD_SECONDS, "--json"],
                             ns="client")
        typed("sluice-gen c0 --dport 53 --rate %s   (on the client), with a download beside it"
              % FLOOD_PPS)
        curl = self.lab.popen(["curl", "-s", "--limit-rate", "20M", "--max-time",
                               FLOOD_SECONDS, "-o", "/dev/null", "-w", "%{size_download}",
                               "http://%s/file" % SERVER], ns="client")
        typed("sluice stats --watch")
        before, then = self.lab.stats("sluice", "in0"), time.monotonic()
        for _ in range(FLOOD_SECONDS - 1):
            time.sleep(1)
            now, moment = self.lab.stats("sluice", "in0"), time.monotonic()
            rules = {rule["name"]: rule["packets"] for rule in before["rules"]}
            rates = ["%s %s %spps" % (rule["verdict"], rule["name"],
                                      rate((rule["packets"] - rules[rule["name"]]) /
                                           (moment - then)))
                     for rule in now["rules"] if rule["packets"] > rules[rule["name"]]]
            say("in0 by rule: " + " | ".join(rates))
            before, then = now, moment
        typed("sluice ports in0 --top 2")
        show(self.lab.sluice("ports", "in0", "--top", "2", ns="sluice").stdout)
        downloaded = int(curl.communicate(timeout=FLOOD_SECONDS + 10)[0].split()[-1])
        out, _ = gen.communicate(timeout=FLOOD_SECONDS + 10)
        sent = json.loads(out[out.index("{"):])
        dropped = next(rule["packets"] for rule in self.lab.stats("sluice", "in0")["rules"]
                       if rule["name"] == "dns-flood")
        say("the generator sent %d packets; rule dns-flood dropped %d" % (
            sent["transmitted"], dropped))
        say("beside it %.0f MB were downloaded" % (downloaded / 1e6))
        if downloaded < 10e6:
            raise LabError("the download starved under the flood")
        self.seen.append("a flood of %d packets dropped by one rule, while %.0f MB came through"
                         % (dropped, downloaded / 1e6))

    def oddities(self):
        ether = Ether(src=self.lab.mac("client", "c0"), dst=self.lab.mac("sluice", "in0"))
        packets = [
            ("from a blocked net", ether / IP(src="198.18.7.7", dst=SERVER) / TCP(dport=80)),
            ("the same in IPv6", ether / IPv6(src="2001:db8:bad::1", dst="2001:db8::80") /
             TCP(dport=80)),
            ("first IPv4 fragment", fragment(ether / IP(src=CLIENT, dst=SERVER) / UDP(dport=80) /
                                             Raw(bytes(2000)), 1000)[0]),
            ("later IPv4 fragment", fragment(ether / IP(src=CLIENT, dst=SERVER) / UDP(dport=80) /
                                             Raw(bytes(2000)), 1000)[1]),
            ("QinQ, DNS inside", ether / Dot1Q(vlan=7) / Dot1Q(vlan=9) /
             IP(src=CLIENT, dst=SERVER) / UDP(dport=53)),
            ("three VLAN tags", ether / Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) /
             IP(src=CLIENT, dst=SERVER) / TCP(dport=80)),
            ("nine extension headers", ether / self.extensions(9) / UDP(dport=53)),
            ("IP length past the frame", ether / IP(src=CLIENT, dst=SERVER, len=900) /
             TCP(dport=80)),
            ("header length of 8 bytes", ether / IP(src=CLIENT, dst=SERVER, ihl=2) /
             TCP(dport=80)),
            ("web, the rule's port", ether / IP(src=CLIENT, dst=SERVER) / TCP(dport=8042)),
        ]
        frames = [packet if len(packet) >= 60 else packet / Raw(bytes(60 - len(packet)))
                  for _, packet in packets]
        path = os.path.join(self.lab.dir, "odd.pcap")
        wrpcap(path, [Ether(bytes(frame)) for frame in frames])
        typed("sluice explain in0 odd.pcap   (asks the loaded filter; counts nothing)")
        answers = self.lab.sluice("explain", "in0", path, ns="sluice").stdout.strip().split("\n")
        for (what, _), answer in zip(packets, answers):
            say("%-26s %s" % (what, answer.split(": ", 1)[1]))
        before = self.lab.stats("sluice", "in0")["rx"]["packets"]
        sent = self.lab.send("client", "c0", [bytes(frame) for frame in frames])
        wait_for(lambda: self.lab.stats("sluice", "in0")["rx"]["packets"] >= before + sent)
        say("%d sent for real; received %d" % (
            sent, self.lab.stats("sluice", "in0")["rx"]["packets"] - before))
        self.seen.append("malformed and nested packets, each with its own counted reason")

    @staticmethod
    def extensions(count):
        header = IPv6(src="2001:db8::10", dst="2001:db8::80")
        for _ in range(count):
            header = header / IPv6ExtHdrDestOpt()
        return header

    def summary(self):
        typed("sluice stats in0")
        show(self.lab.sluice("stats", "in0", ns="sluice").stdout)
        typed("sluice ports in0 --top 5")
        show(self.lab.sluice("ports", "in0", "--top", "5", ns="sluice").stdout)
        stats = self.lab.stats("sluice", "in0")
        total = sum(reason["packets"] for reason in stats["reasons"].values())
        say("received %d = sum of all reasons %d" % (stats["rx"]["packets"], total))
        if total != stats["rx"]["packets"]:
            raise LabError("a packet is missing from the reasons")

    def stop(self):
        typed("kill -TERM <sluice-fwd>; sluice down")
        status = self.lab.end(self.forwarder)
        tail = self.forwarder.stdout.read().rstrip("\n").split("\n")[-6:]
        show("\n".join(tail))
        if status != 0:
            raise LabError("sluice-fwd: exit %d" % status)
        show(self.lab.sluice("down", ns="sluice").stdout)


def run(demo):
    title(1, "A lab: client -- sluice -- server, three network namespaces")
    demo.build()
    title(2, "Rules: drop by default, drop attacks, forward web and ping")
    with open(CONFIG, encoding="utf-8") as config:
        show("".join(line for line in config if line.strip() and line[0] != "#"))
    demo.start_filter()
    title(3, "The forwarder: frames from in0 to out0 and back through AF_XDP")
    demo.start_forwarder()
    title(4, "A download through it")
    demo.start_server()
    demo.download()
    title(5, "The same under a flood of DNS queries")
    demo.flood()
    title(6, "Odd packets, made with scapy")
    demo.oddities()
    title(7, "What was counted")
    demo.summary()
    title(8, "The end: nothing is left behind")
    demo.stop()


def main():
    began = time.monotonic()
    try:
        with Lab() as lab:
            demo = Demo(lab)
            run(demo)
    except (LabError, OSError) as fault:
        print("\ndemo: failed: %s" % fault, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; the lab is gone", file=sys.stderr)
        return 130
    print("\n" + "-" * WIDTH)
    print("You have seen, in %.0f s:" % (time.monotonic() - began))
    for thing in demo.seen:
        print("  - " + thing)
    print("""
Next, on a real NIC (here eth1; keep the one your SSH session uses out of it):
  sudo ip link set dev eth1 xdp obj build/sluice.bpf.o sec xdp   # count and pass
  sudo build/sluice ports eth1 ; sudo ip link set dev eth1 xdp off
  $EDITOR config/sluice.conf ; build/sluice check config/sluice.conf
  sudo build/sluice apply config/sluice.conf ; sudo build/sluice stats --watch
  sudo build/sluice down""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
