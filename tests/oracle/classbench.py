# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""ClassBench rule sets as Sluice configurations, and traffic derived from them.

A set holds one rule a line, tab-separated:

    @SRC/LEN  DST/LEN  LOW : HIGH  LOW : HIGH  PROTO/MASK  FLAGS/MASK

with the source ports before the destination's. The high byte of FLAGS is the
TCP flags; on ICMP the word means type and code, which is not taken over.

The IPv6 form of a set maps a.b.c.d/LEN to 2001:db8:AABB:CCDD::/(32+LEN): the
same classes, the same order, in the other family.

    rules = load("acl1_10k")
    text = sluice_config(rules, "eth1")
    frames = headers(rules, 100000, "zipf", seed=1)
"""
import itertools
import os
import random
from collections import namedtuple

import frames

# src, dst: (integer, length); sport, dport: (low, high); proto, flags: (value, mask)
Rule = namedtuple("Rule", "src dst sport dport proto flags")

MIXES = ("uniform", "zipf", "flood")
ANY_PORT = (0, 65535)
NET6 = 0x20010db8 << 96
SYN, ACK = 0x02, 0x10
ESP_LIKE = bytes([59]) + bytes(19)  # under AH in IPv6 it reads as "no next header"
WORDS = {frames.TCP: "tcp", frames.UDP: "udp", frames.SCTP: "sctp"}


def sets(folder):
    """{name: path} of the sets in a folder, small ones first."""
    names = [name for name in os.listdir(folder) if name.endswith(("_1k", "_10k"))]
    names.sort(key=lambda name: (name.endswith("_10k"), name))
    return {name: os.path.join(folder, name) for name in names}


def _masked(text):
    value, mask = text.split("/")
    return int(value, 16), int(mask, 16)


def _prefix(text):
    address, length = text.lstrip("@").split("/")
    number, length = int.from_bytes(map(int, address.split(".")), "big"), int(length)
    return number >> (32 - length) << (32 - length), length


def _range(text):
    low, high = text.split(":")
    return int(low), int(high)


def _with_ports(rules):
    """
    Ports only where a protocol has them. fw2 writes TCP and UDP as 2 and 1
    (each of its rules of 1 and 2 states ports, none of 3 and 4 does), so in a
    set that states ports on these two they are read as what they stand for; a
    rule of any protocol that states ports becomes one for TCP and one for UDP.
    """
    coded = any(rule.proto[0] in (1, 2) and rule.proto[1] and
                (rule.sport, rule.dport) != (ANY_PORT, ANY_PORT) for rule in rules)
    codes = {1: frames.UDP, 2: frames.TCP} if coded else {}
    for rule in rules:
        value, mask = rule.proto
        ported = (rule.sport, rule.dport) != (ANY_PORT, ANY_PORT)
        if mask:
            value = codes.get(value, value)
            if ported and value not in WORDS:
                raise ValueError("ports on protocol %d" % value)
            yield rule._replace(proto=(value, mask))
        elif ported:
            yield rule._replace(proto=(frames.TCP, 255))
            yield rule._replace(proto=(frames.UDP, 255), flags=(0, 0))
        else:
            yield rule


def load(path):
    """The rules of a set in order, as a list of Rule."""
    rules = []
    with open(path) as lines:
        for line in lines:
            part = line.strip().split("\t")
            if part != [""]:
                rules.append(Rule(_prefix(part[0]), _prefix(part[1]), _range(part[2]),
                                  _range(part[3]), _masked(part[4]), _masked(part[5])))
    return list(_with_ports(rules))


# ---- the configuration ----------------------------------------------------

def _address_text(prefix, ip6):
    number, length = prefix
    if ip6:
        return "2001:db8:%x:%x::/%d" % (number >> 16, number & 0xffff, 32 + length)
    return "%d.%d.%d.%d/%d" % (*number.to_bytes(4, "big"), length)


def _ports_text(ports):
    if ports == ANY_PORT:
        return ""
    return " port %d" % ports[0] if ports[0] == ports[1] else " port %d-%d" % ports


def _proto_text(rule, ip6):
    value, mask = rule.proto
    if not mask:
        return "ip6" if ip6 else "ip"
    if value == frames.ICMP:
        return "icmp6" if ip6 else "icmp"
    return WORDS.get(value, "proto %d" % value)


def _flags(rule):
    """(value, mask) of the TCP flags; (0, 0): no condition."""
    if rule.proto != (frames.TCP, 255):
        return 0, 0
    return (rule.flags[0] & rule.flags[1]) >> 8, rule.flags[1] >> 8


def rule_text(rule, number, ip6=False):
    """The statement of one rule, named r<number>."""
    value, mask = _flags(rule)
    # Neighbours and rules eight apart differ in no simple rhythm.
    verdict = "drop" if (number ^ number >> 1 ^ number >> 3) & 1 else "pass"
    return "rule r%d %s %s from %s%s to %s%s%s" % (
        number, verdict, _proto_text(rule, ip6), _address_text(rule.src, ip6),
        _ports_text(rule.sport), _address_text(rule.dst, ip6), _ports_text(rule.dport),
        " flags 0x%02x/0x%02x" % (value, mask) if mask else "")


def sluice_config(rules, interface, ip6=False):
    """A whole configuration: rule n is r<n>, pass or drop; the default is pass."""
    lines = ["interface " + interface, "default pass"]
    lines += [rule_text(rule, number, ip6) for number, rule in enumerate(rules)]
    return "\n".join(lines) + "\n"


# ---- traffic --------------------------------------------------------------

def _chosen(rules, n, mix, rng):
    """The rule that each of n packets is drawn from."""
    if mix == "uniform":
        return rng.choices(rules, k=n)
    if mix == "zipf":  # the n-th most asked for is asked for 1/n as often, in any order
        ranked = rng.sample(rules, len(rules))
        weights = itertools.accumulate(1 / rank for rank in range(1, len(rules) + 1))
        return rng.choices(ranked, cum_weights=list(weights), k=n)
    if mix == "flood":
        return [rng.choice(rules)] * n
    raise ValueError("mix %r: uniform, zipf or flood" % mix)


def _address(prefix, ip6, rng):
    number, length = prefix
    if ip6:
        return NET6 | number << 64 | rng.getrandbits(96 - length)
    return number | rng.getrandbits(32 - length) if length < 32 else number


def _payload(rule, protocol, rng):
    sport, dport = rng.randint(*rule.sport), rng.randint(*rule.dport)
    if protocol == frames.UDP:
        return frames.udp(sport, dport)
    if protocol == frames.TCP:
        value, mask = _flags(rule)
        flags = rng.choice((SYN, ACK, SYN | ACK, rng.getrandbits(8)))
        return frames.tcp(sport, dport, flags=value | flags & ~mask)
    if protocol in (frames.ICMP, frames.ICMP6):
        return frames.icmp(8 if protocol == frames.ICMP else 128, 0)
    return ESP_LIKE


def _frame(rule, mix, ip6, rng):
    value, mask = rule.proto
    protocol = value if mask else rng.choice(
        (frames.TCP, frames.TCP, frames.UDP, frames.UDP, frames.ICMP))
    if ip6 and protocol == frames.ICMP:
        protocol = frames.ICMP6
    source = _address((0, 0) if mix == "flood" else rule.src, ip6, rng)
    destination = _address(rule.dst, ip6, rng)
    payload = _payload(rule, protocol, rng)
    if ip6:
        return frames.ethernet(0x86dd, frames.ipv6(source, destination, protocol, payload))
    frame = frames.ethernet(0x800, frames.ipv4(source, destination, protocol, payload))
    return frame.ljust(60, b"\0")  # as on the wire


def headers(rules, n, mix, seed, ip6=False):
    """
    n frames (bytes): of a rule chosen uniformly, or by Zipf's law with s = 1,
    and a random point within it; or ("flood") all within one rule but for
    their random sources. The same arguments give the same frames.
    """
    rng = random.Random("%s %s %s" % (seed, mix, ip6))
    return [_frame(rule, mix, ip6, rng) for rule in _chosen(rules, n, mix, rng)]
