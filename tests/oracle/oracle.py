# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The oracle: what Sluice should do with a packet, by the plainest means.

It is written from docs/packet-semantics.md (the numbers in brackets are that
page's) and shares no code with the filter: packets are read from raw bytes
here, and rules are tried one after the other. The differential tests compare
it with the loaded program.
"""
import struct
from dataclasses import dataclass

TPIDS = (0x8100, 0x88A8)
EXTENSIONS = {0: "hop-by-hop", 43: "routing", 44: "fragment", 51: "authentication",
              60: "destination"}
EXTENSIONS_MAX = 8
PORT_PROTOCOLS = (6, 17, 132)  # TCP, UDP, SCTP


@dataclass
class Facts:
    """What is known of a packet; None is not known."""
    ethertype: int = None
    vlan: int = None
    inner_vlan: int = None
    family: int = None
    source: tuple = None       # (family, integer)
    destination: tuple = None
    protocol: int = None
    fragment: str = None       # no, first, later
    source_port: int = None
    destination_port: int = None
    icmp_type: int = None
    icmp_code: int = None
    anomaly: str = None


def facts(frame):
    """Reads a frame (bytes)."""
    known = Facts()
    if len(frame) < 14:  # [1]
        known.anomaly = "truncated"
        return known
    known.ethertype, = struct.unpack_from("!H", frame, 12)
    at = 14
    for field in ("vlan", "inner_vlan"):  # [2]
        if known.ethertype not in TPIDS:
            break
        if len(frame) < at + 4:
            known.anomaly = "truncated"
            return known
        tci, known.ethertype = struct.unpack_from("!HH", frame, at)
        setattr(known, field, tci & 0xfff)
        at += 4
    if known.ethertype in TPIDS:
        known.anomaly = "vlan_bound"
    elif known.ethertype == 0x0800:  # [3]
        _ipv4(known, frame[at:])
    elif known.ethertype == 0x86DD:
        _ipv6(known, frame[at:])
    return known


def _ipv4(known, data):
    if len(data) < 20:  # [4]
        known.anomaly = "truncated"
        return
    header = (data[0] & 15) * 4
    total, = struct.unpack_from("!H", data, 2)
    if data[0] >> 4 != 4 or header < 20 or total < header:
        known.anomaly = "malformed"
        return
    if header > len(data) or total > len(data):
        known.anomaly = "truncated"
        return
    known.family = 4  # [5]
    known.source = 4, int.from_bytes(data[12:16], "big")
    known.destination = 4, int.from_bytes(data[16:20], "big")
    known.protocol = data[9]
    word, = struct.unpack_from("!H", data, 6)
    if word & 0x1fff:
        known.fragment = "later"
    else:
        known.fragment = "first" if word & 0x2000 else "no"
    _layer4(known, data[header:total])  # [6]


def _ipv6(known, data):
    if len(data) < 40:  # [7]
        known.anomaly = "truncated"
        return
    if data[0] >> 4 != 6:
        known.anomaly = "malformed"
        return
    end = 40 + struct.unpack_from("!H", data, 4)[0]
    if end > len(data):
        known.anomaly = "truncated"
        return
    known.family = 6
    known.source = 6, int.from_bytes(data[8:24], "big")
    known.destination = 6, int.from_bytes(data[24:40], "big")
    _extensions(known, data[6], data[40:end])


def _extensions(known, kind, data):
    """[8], [9]: walks from the next-header value `kind`; `data` is what follows the header."""
    walked, fragment = 0, "no"
    while kind in EXTENSIONS and fragment != "later":
        if walked == EXTENSIONS_MAX:
            known.anomaly = "ext_bound"
            return
        walked += 1
        length = 8
        if len(data) >= 8 and kind == 51:
            length = 4 * (data[1] + 2)
        elif len(data) >= 8 and kind != 44:
            length = 8 * (data[1] + 1)
        if len(data) < length:
            known.anomaly = "truncated"
            return
        if kind == 44:
            word, = struct.unpack_from("!H", data, 2)
            if word & 0xfff8:
                fragment = "later"
            else:
                fragment = "first" if word & 1 else "no"
        kind, data = data[0], data[length:]
    known.protocol = kind
    known.fragment = fragment
    _layer4(known, data)


def _layer4(known, data):
    if known.fragment == "later":  # [10]
        return
    if known.protocol in PORT_PROTOCOLS:
        if len(data) < 4:
            known.anomaly = "truncated"
            return
        known.source_port, known.destination_port = struct.unpack_from("!HH", data)
    elif (known.family, known.protocol) in ((4, 1), (6, 58)):
        if len(data) < 2:
            known.anomaly = "truncated"
            return
        known.icmp_type, known.icmp_code = data[0], data[1]


def _in_ports(port, ranges):
    return port is not None and any(low <= port <= high for low, high in ranges)


def _in_addresses(address, match):
    # [11]: an unknown address is neither in a set nor not in it.
    return address is not None and (address in match.addresses) != match.negated


def matches(rule, known, interface):
    """Does one rule match? [11]-[13]"""
    if rule.on is not None and rule.on != interface:
        return False
    if rule.ip_only and known.family is None:
        return False
    if rule.family is not None and rule.family != known.family:
        return False
    if rule.protocol is not None and rule.protocol != known.protocol:
        return False
    if rule.vlan is not None and rule.vlan != known.vlan:
        return False
    if rule.fragment is not None:
        wanted = {"yes": ("first", "later")}.get(rule.fragment, (rule.fragment,))
        if known.fragment not in wanted:
            return False
    if rule.source_ports is not None and not _in_ports(known.source_port, rule.source_ports):
        return False
    if rule.destination_ports is not None and not _in_ports(known.destination_port,
                                                           rule.destination_ports):
        return False
    if rule.source is not None and not _in_addresses(known.source, rule.source):
        return False
    return rule.destination is None or _in_addresses(known.destination, rule.destination)


def judge(config, frame, interface, sockets=False, devices=None):
    """
    (verdict, name of the rule or None, reason) [14], [15]. `sockets`: has the
    receive queue an AF_XDP socket? `devices`: names that exist; None: all do.
    """
    known = facts(frame)
    for rule in config.rules:
        if matches(rule, known, interface):
            return _verdict(rule, sockets, devices)
    return config.default, None, known.anomaly or "default"


def _verdict(rule, sockets, devices):
    if rule.verdict == "forward" and not sockets:
        return rule.fallback, rule.name, "no_socket"
    if rule.verdict == "redirect" and devices is not None and rule.device not in devices:
        return "drop", rule.name, "no_device"
    return rule.verdict, rule.name, "rule"


def counted_port(frame):
    """("tcp" or "udp", destination port) a frame is counted under, or None."""
    known = facts(frame)
    if known.protocol in (6, 17) and known.destination_port is not None:
        return {6: "tcp", 17: "udp"}[known.protocol], known.destination_port
    return None
