#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sluice-gen on a veth pair (root): counts, rates, what is on the wire, bounds.
What it refuses and reports is in test_generator_errors.py.

    [tx] g0 ------ g1 [rx]

What arrives is read by a packet socket on g1. Every frame's lengths and sums
are checked by the few lines of sums() below, and some of each kind by scapy,
which builds the packet anew.
"""
import ipaddress
import json
import os
import re
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import Lab, LabError, built, wait_for  # noqa: E402
from tap import Skip, Tap, check  # noqa: E402

from scapy.all import Dot1Q, Ether, IP, IPv6, TCP, UDP  # noqa: E402

SOL_PACKET, PACKET_AUXDATA, SO_RCVBUFFORCE = 263, 8, 33
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
# Slow enough that a receiver in Python on a busy machine loses nothing.
PACE = "10k"


def generate(lab, *args, status=0, timeout=30):
    """Runs the generator on g0; its JSON (None: it printed none) and stderr."""
    done = lab.run([built("sluice-gen"), "g0", "--json"] + list(args), ns="tx", check=False,
                   timeout=timeout)
    if done.returncode != status:
        raise AssertionError("sluice-gen %s: exit %d, not %d\n%s%s" % (
            " ".join(args), done.returncode, status, done.stdout, done.stderr))
    return json.loads(done.stdout) if done.stdout.startswith("{") else None, done.stderr


def read_frame(sock):
    """One frame with the VLAN tag that the kernel has taken out put back; None: not ours."""
    frame, aux, _flags, where = sock.recvmsg(65536, 256)
    if where[2] == socket.PACKET_OUTGOING:
        return None
    for level, kind, data in aux:
        if (level, kind) != (SOL_PACKET, PACKET_AUXDATA):
            continue
        status, _len, _snap, _mac, _net, tci, tpid = struct.unpack_from("=IIIHHHH", data)
        if status & TP_STATUS_VLAN_VALID:
            tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
            frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
    return frame


def capture(lab, count, *args, threads=1):
    """Sends `count` packets; the frames that arrived, and the JSON."""
    sock = lab.packet_socket("rx", "g1", receive=True)
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    sock.settimeout(0.5)
    frames = []
    try:
        # A sender in the background, so that the socket's buffer never fills.
        proc = lab.popen([built("sluice-gen"), "g0", "--json", "--rate", PACE, "--count",
                          str(count)] + list(args), ns="tx")
        while True:
            try:
                frame = read_frame(sock)
                if frame:
                    frames.append(frame)
            except socket.timeout:
                if proc.poll() is not None:
                    break
    finally:
        sock.close()
    text = proc.stdout.read()
    if proc.returncode != 0:
        raise AssertionError("exit %d\n%s" % (proc.returncode, text))
    result = json.loads(text[text.index("{"):])
    check(result["attempted"], count, "attempted")
    if threads == 1:
        check(result["transmitted"], count, "transmitted")
    elif result["transmitted"] > count:
        # Two CPUs in one queue's counter lose some of each other's additions.
        raise AssertionError("transmitted: got %d of %d" % (result["transmitted"], count))
    check(len(frames), count, "frames received")
    return frames, result


def right(frame):
    """Are the frame's lengths and checksums what scapy makes of it?"""
    packet = Ether(frame)
    for layer in (IP, UDP, TCP):
        if layer in packet:
            del packet[layer].chksum
    if IP in packet:
        del packet[IP].len
    if IPv6 in packet:
        del packet[IPv6].plen
    if UDP in packet:
        del packet[UDP].len
    return bytes(packet) == frame


def ones_sum(data):
    """The sum of RFC 1071: 0xffff over bytes that hold a right checksum."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return total


def sums(frame):
    """Are the lengths and sums right? Headers without options only."""
    ip = frame[18:] if frame[12:14] == b"\x81\x00" else frame[14:]
    if ip[0] == 0x45:
        length, proto, addresses, l4 = struct.unpack_from("!H", ip, 2)[0], ip[9], ip[12:20], ip[20:]
        fine = length == len(ip) and ones_sum(ip[:20]) == 0xffff
    else:
        length, proto, addresses, l4 = struct.unpack_from("!H", ip, 4)[0], ip[6], ip[8:40], ip[40:]
        fine = ip[0] == 0x60 and length == len(l4)
    if proto == 17:
        fine = fine and struct.unpack_from("!HH", l4, 4)[0] == len(l4) and l4[6:8] != b"\0\0"
    return fine and ones_sum(addresses + struct.pack("!HH", proto, len(l4)) + l4) == 0xffff


def check_sums(frames):
    wrong = [f for f in frames if not sums(f)] + [f for f in frames[::50] if not right(f)]
    check(len(wrong), 0, "wrong frames, the first: %r" % (wrong[:1],))


def test_counts(tap, lab):
    with tap.case("count is exact, and the device's own count agrees"):
        for count in (1, 63, 64, 65, 12345):
            result, _ = generate(lab, "--count", str(count), "--rate", "50k")
            check((result["attempted"], result["transmitted"], result["not_transmitted"],
                   result["ended_by"]), (count, count, 0, "count"), "count %d" % count)
            check(result["bytes"], 60 * count, "bytes")
    with tap.case("count is exact as fast as it goes"):
        result, _ = generate(lab, "--count", "1000001")
        check(result["attempted"], 1000001, "attempted")
        check(result["transmitted"] + result["not_transmitted"], 1000001, "sum")
        check(result["refused"], result["not_transmitted"], "refused by the receiver's ring")
    with tap.case("two threads share count and values"):
        if os.cpu_count() < 2:
            raise Skip("one CPU")
        # Slower than the rest: while both CPUs send, nobody empties the 256 entries of
        # the receiver's ring, and at this rate it holds them for 50 ms.
        frames, result = capture(lab, 2001, "--threads", "2", "--sport", "1-2001", "--rate",
                                 "5k", "--batch", "16", threads=2)
        check(sorted(t["attempted"] for t in result["threads"]), [1000, 1001], "shares")
        check(sorted(Ether(f)[UDP].sport for f in frames), list(range(1, 2002)), "ports")


def test_rates(tap, lab):
    for rate in (1000, 20000, 200000):
        with tap.case("%d pps come at that rate" % rate):
            result, _ = generate(lab, "--rate", str(rate), "--duration", "2")
            check(result["attempted"], 2 * rate, "packets in 2 s")
            if not 0.9 < result["attempted_pps"] / rate < 1.05:
                raise AssertionError("ratio %f" % (result["attempted_pps"] / rate))
    with tap.case("3 pps are spread over the time"):
        result, _ = generate(lab, "--rate", "3", "--count", "3")
        if not 0.9 < result["seconds"] < 1.3:
            raise AssertionError("3 packets took %f s" % result["seconds"])


def test_wire(tap, lab):
    four = ["--src", "10.1.0.0/22", "--dst", "10.2.0.250-10.2.1.5"]
    six = ["--src", "2001:2::/118", "--dst", "2001:2::ff00-2001:2::1:0010"]
    for family, addresses in (("IPv4", four), ("IPv6", six)):
        for proto in ("udp", "tcp"):
            for tag in ([], ["--vlan", "77"]):
                name = "%s %s%s: every checksum and length is right" % (
                    family, proto, " tagged" if tag else "")
                with tap.case(name):
                    wire_case(lab, proto, addresses, tag)
    with tap.case("a checksum that folds to 0 is sent as 0xffff over UDP"):
        frames, _ = capture(lab, 65536, "--sport", "0-65535", "--dst-mac", "02:00:00:00:00:99")
        sums = [struct.unpack_from("!H", f, 40)[0] for f in frames]
        check(sums.count(0), 0, "zero checksums")
        # One port in 65,535 gives all ones: the case has occurred.
        if 0xffff not in sums:
            raise AssertionError("no packet had the sum that is in question")
        check_sums(frames)
    with tap.case("frames that come back changed are sent right again"):
        recycle_case(lab)


def wire_case(lab, proto, addresses, tag):
    for size in ("79", "333", "1500"):
        extra = ["--flags", "syn,ack"] if proto == "tcp" else []
        frames, _ = capture(lab, 1500, "--proto", proto, *addresses, *tag, *extra, "--size",
                            size, "--sport", "1000-1700", "--dport", "53-54", "--random",
                            "--dst-mac", "02:aa:00:00:00:01")
        check({len(f) for f in frames}, {int(size)}, "sizes")
        check_sums(frames)
        packet = Ether(frames[-1])
        check(packet.dst, "02:aa:00:00:00:01", "destination MAC")
        check(packet.src, lab.mac("tx", "g0").hex(":"), "source MAC")
        check(packet[Dot1Q].vlan if tag else None, 77 if tag else None, "VLAN id")
        if proto == "tcp":
            check(str(packet[TCP].flags), "SA", "flags")


def ip_counters(lab, ns):
    rows = [line.split() for line in lab.output(["cat", "/proc/net/snmp"], ns=ns).splitlines()
            if line.startswith("Ip:")]
    return dict(zip(rows[0][1:], map(int, rows[1][1:])))


def recycle_case(lab):
    """
    A router behind g1 rewrites MACs, TTL and header checksum in the frame itself
    and sends it on to a sink; the page goes back to the pool. 100,000 packets
    use each page hundreds of times: a TTL not written anew would be spent.
    """
    lab.add("sink")
    lab.veth("rx", "h0", "sink", "h1")
    lab.address("rx", "h0", "198.18.7.1/24")
    lab.sysctl("rx", "net.ipv4.ip_forward", 1)
    lab.sysctl("rx", "net.ipv4.conf.g1.rp_filter", 0)
    lab.sysctl("rx", "net.ipv4.conf.all.rp_filter", 0)
    lab.run(["ip", "neigh", "add", "198.18.7.2", "lladdr", "02:00:00:00:77:02", "dev", "h0"],
            ns="rx")
    before = ip_counters(lab, "rx")
    result, _ = generate(lab, "--count", "100k", "--src", "198.18.0.64/26", "--dst", "198.18.7.2",
                         "--dst-mac", lab.mac("rx", "g1").hex(":"), "--sport", "1-5000")
    arrived = lambda: ip_counters(lab, "rx")["InReceives"] - before["InReceives"]
    wait_for(lambda: arrived() >= result["transmitted"], 5)
    after = ip_counters(lab, "rx")
    lab.remove("sink")
    check(after["InReceives"] - before["InReceives"], result["transmitted"], "received")
    check(after["InHdrErrors"] - before["InHdrErrors"], 0, "wrong headers or TTL spent")
    check(after["ForwDatagrams"] - before["ForwDatagrams"], result["transmitted"], "forwarded")
    if result["transmitted"] < 50000:
        raise AssertionError("only %d got through: no page came round" % result["transmitted"])


def values(frames):
    out = []
    for frame in frames:
        packet = Ether(frame)
        ip = packet[IP] if IP in packet else packet[IPv6]
        layer = packet[UDP] if UDP in packet else packet[TCP]
        out.append((ip.src, ip.dst, layer.sport, layer.dport))
    return out


def test_ranges(tap, lab):
    ranges = ["--src", "10.9.9.254-10.9.10.1", "--dst", "10.0.0.0/29", "--sport", "65533-65535",
              "--dport", "7"]
    src = [str(ipaddress.ip_address("10.9.9.254") + i) for i in range(4)]
    dst = [str(ipaddress.ip_address("10.0.0.0") + i) for i in range(8)]
    with tap.case("values count up, each range on its own"):
        frames, _ = capture(lab, 500, *ranges)
        want = [(src[i % 4], dst[i % 8], 65533 + i % 3, 7) for i in range(500)]
        check(values(frames), want, "packets")
    with tap.case("drawn values fill the ranges and nothing else"):
        frames, _ = capture(lab, 2000, *ranges, "--random")
        got = list(zip(*values(frames)))
        check([sorted(set(column)) for column in got],
              [sorted(src), sorted(dst), [65533, 65534, 65535], [7]], "values")
        # Independent draws: all 4 x 8 x 3 meet in 2,000 packets (p > 1 - 1e-7).
        check(len(set(values(frames))), 96, "combinations")
    with tap.case("a seed repeats a run, another does not"):
        runs = [values(capture(lab, 200, *ranges, "--random", "--seed", seed)[0])
                for seed in ("5", "5", "6")]
        check(runs[0], runs[1], "same seed")
        if runs[0] == runs[2]:
            raise AssertionError("two seeds gave the same packets")
    with tap.case("an IPv6 /64 is drawn from as a whole"):
        frames, _ = capture(lab, 500, "--src", "2001:2:0:7::/64", "--random")
        low = [int(ipaddress.ip_address(v[0])) & (1 << 64) - 1 for v in values(frames)]
        check({int(ipaddress.ip_address(v[0])) >> 64 for v in values(frames)},
              {0x2001000200000007}, "prefixes")
        if len(set(low)) < 499 or not min(low) < 1 << 60 < 15 << 60 < max(low):
            raise AssertionError("not spread: %d values" % len(set(low)))
    with tap.case("a UDP socket of the kernel takes every packet"):
        udp_case(lab)


def udp_case(lab):
    def make():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(("198.18.0.2", 4000))
        return sock
    sock = lab.within("rx", make)
    sock.settimeout(1)
    result, _ = generate(lab, "--src", "198.18.0.64/26", "--dport", "4000", "--count", "1000",
                         "--rate", PACE, "--size", "200", "--dst-mac",
                         lab.mac("rx", "g1").hex(":"))
    check(result["transmitted"], 1000, "transmitted")
    payloads = {sock.recv(2048) for _ in range(1000)}
    sock.close()
    check(payloads, {bytes(i & 255 for i in range(200 - 42))}, "payloads")


def pcap_file(lab, name, frames, linktype=1, snap=None):
    out = struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, linktype)
    for frame in frames:
        kept = frame[:snap]
        out += struct.pack("=IIII", 0, 0, len(kept), len(frame)) + kept
    return lab.file(name, out)


def pcapng_file(lab, name, frames):
    """One section, one Ethernet interface, enhanced packet blocks."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("=II", kind, len(body) + 12) + body + struct.pack("=I", len(body) + 12)
    out = block(0x0a0d0d0a, struct.pack("=IHHq", 0x1a2b3c4d, 1, 0, -1))
    out += block(1, struct.pack("=HHI", 1, 0, 0))
    for frame in frames:
        out += block(6, struct.pack("=IIIII", 0, 0, 0, len(frame), len(frame)) + frame)
    return lab.file(name, out)


def test_replay(tap, lab):
    mac = bytes.fromhex("02aa0000000102bb00000001")
    # No IP: what the receiving kernel would drop as malformed arrives, too.
    frames = [mac + b"\x88\xb5" + bytes([i]) * (i * 37 % 1480) for i in range(1, 60)]
    for make in (pcap_file, pcapng_file):
        with tap.case("%s: the same frames in the same order, and again" % make.__name__):
            path = make(lab, make.__name__, frames)
            got, result = capture(lab, 150, "--pcap", path)
            check(got, (frames * 3)[:150], "frames")
            check(result["replay"], {"frames": 59, "too_short": 0, "too_long": 0, "cut": 0},
                  "what was read")
    with tap.case("two threads replay each frame equally often"):
        if os.cpu_count() < 2:
            raise Skip("one CPU")
        got, _ = capture(lab, 590, "--pcap", pcap_file(lab, "two", frames), "--threads", "2",
                         threads=2)
        check(sorted(got), sorted(frames * 10), "frames")
    with tap.case("frames that cannot be sent are counted"):
        path = pcap_file(lab, "odd", [frames[0], mac[:13], mac + bytes(1600), frames[1]])
        got, result = capture(lab, 4, "--pcap", path)
        check(got, [frames[0], frames[1]] * 2, "frames")
        check(result["replay"], {"frames": 2, "too_short": 1, "too_long": 1, "cut": 0}, "counts")
    with tap.case("frames captured in part are counted, and sent as captured"):
        got, result = capture(lab, 1, "--pcap", pcap_file(lab, "cut", [frames[9]], snap=60))
        check((got, result["replay"]["cut"]), ([frames[9][:60]], 1), "frame")


def test_bounds(tap, lab):
    with tap.case("the duration ends a run that is as fast as it goes"):
        result, _ = generate(lab, "--duration", "0.5")
        check(result["ended_by"], "duration", "ended by")
        if not 0.49 < result["seconds"] < 0.9:
            raise AssertionError("took %f s" % result["seconds"])
    with tap.case("the duration ends a run whose count is not reached"):
        result, _ = generate(lab, "--duration", "0.5", "--rate", "1k", "--count", "100k")
        check((result["ended_by"], result["attempted"]), ("duration", 500), "end")
    with tap.case("without a bound it stops after 10 s"):
        start = time.monotonic()
        result, _ = generate(lab, "--rate", "100")
        check((result["ended_by"], result["attempted"]), ("duration", 1000), "end")
        if time.monotonic() - start > 13:
            raise AssertionError("took %f s" % (time.monotonic() - start))
    with tap.case("SIGINT ends it with its result"):
        proc = lab.popen([built("sluice-gen"), "g0", "--json", "--rate", "1k", "--duration",
                          "60"], ns="tx")
        time.sleep(1)
        check(lab.end(proc, signal.SIGINT), 0, "exit status")
        result = json.loads(proc.stdout.read())
        check(result["ended_by"], "signal", "ended by")
        check(result["transmitted"], result["attempted"], "transmitted")
    with tap.case("live lines come on stderr"):
        _, err = generate(lab, "--rate", "1k", "--duration", "1", "--stats", "0.2")
        if not 3 <= err.count("pps") <= 5:
            raise AssertionError(err)
    with tap.case("a live line's rate is that of the time since the one before"):
        live_case(lab)


def live_case(lab):
    """0.13 s is no multiple of the 20 ms at which lines are looked for."""
    _, err = generate(lab, "--rate", "50k", "--duration", "1.2", "--stats", "0.13")
    lines = [(float(seconds), int(packets), int(pps)) for seconds, packets, pps in re.findall(
        r"g0: (\S+) s, (\d+) packets, (\d+) pps", err)]
    check(len(lines) >= 4, True, err)
    for before, (seconds, packets, pps) in zip([(0.0, 0, 0)] + lines, lines):
        real = (packets - before[1]) / (seconds - before[0])
        if not 0.97 < pps / real < 1.03:
            raise AssertionError("%d pps, %.0f by its own time and count\n%s" % (pps, real, err))


def ends(lab):
    """The veth pair, ready to carry what the generator sends."""
    lab.add("tx", "rx")
    lab.veth("tx", "g0", "rx", "g1")
    lab.address("rx", "g1", "198.18.0.2/24")
    # veth notes that its peer takes XDP frames where GRO changes on an open device.
    for state in ("off", "on"):
        lab.run(["ethtool", "-K", "g1", "gro", state], ns="rx")


def run(*parts):
    """Each part(tap, lab), one after the other, on one pair; the test's main()."""
    tap = Tap()
    try:
        built("sluice-gen")
        with Lab() as lab:
            ends(lab)
            for part in parts:
                part(tap, lab)
    except LabError as fault:
        print("Bail out! %s" % fault)
        sys.exit(1)
    tap.done()


if __name__ == "__main__":
    run(test_counts, test_rates, test_wire, test_ranges, test_replay, test_bounds)
