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
    mac_source: int = None
    mac_destination: int = None
    ethertype: int = None
    vlan: int = None
    inner_vlan: int = None
    family: int = None
    source: tuple = None       # (family, integer)
    destination: tuple = None
    protocol: int = None
    fragment: str = None       # no, first, later
    length: int = None         # bytes of the IP packet
    dscp: int = None
    source_port: int = None
    destination_port: int = None
    flags: int = None          # TCP's
    icmp_type: int = None
    icmp_code: int = None
    anomaly: str = None


def facts(frame):
    """Reads a frame (bytes)."""
    known = Facts()
    if len(frame) < 14:  # [1]
        known.anomaly = "truncated"
        return known
    known.mac_destination = int.from_bytes(frame[:6], "big")
    known.mac_source = int.from_bytes(frame[6:12], "big")
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
    known.length, known.dscp = total, data[1] >> 2
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
    # The traffic class lies across the first two bytes.
    known.length, known.dscp = min(end, 65535), (data[0] & 15) << 2 | data[1] >> 6
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
        if known.protocol == 6 and len(data) >= 14:
            known.flags = data[13]
    elif (known.family, known.protocol) in ((4, 1), (6, 58)):
        if len(data) < 2:
            known.anomaly = "truncated"
            return
        known.icmp_type, known.icmp_code = data[0], data[1]


def _in_ports(port, ranges):
    return port is not None and any(low <= port <= high for low, high in ranges)


def _in_set(address, match):
    # [11]: an unknown address is neither in a set nor not in it.
    return address is not None and (address in match.addresses) != match.negated


def _is(value, wanted):
    return wanted is None or value == wanted


def _matches_ip(rule, known):
    """What a rule says of layers 3 and 4."""
    if rule.ip_only and known.family is None:
        return False
    if not (_is(known.family, rule.family) and _is(known.protocol, rule.protocol)
            and _is(known.dscp, rule.dscp) and _is(known.icmp_type, rule.icmp_type)
            and _is(known.icmp_code, rule.icmp_code)):
        return False
    if rule.fragment is not None:
        wanted = {"yes": ("first", "later")}.get(rule.fragment, (rule.fragment,))
        if known.fragment not in wanted:
            return False
    if rule.length is not None and not (
            known.length is not None and rule.length[0] <= known.length <= rule.length[1]):
        return False
    if rule.flags is not None:
        value, mask = rule.flags
        if known.flags is None or known.flags & mask != value:
            return False
    if rule.source_ports is not None and not _in_ports(known.source_port, rule.source_ports):
        return False
    if rule.destination_ports is not None and not _in_ports(known.destination_port,
                                                           rule.destination_ports):
        return False
    if rule.source is not None and not _in_set(known.source, rule.source):
        return False
    return rule.destination is None or _in_set(known.destination, rule.destination)


def matches(rule, known, interface):
    """Does one rule match? [11]-[13]"""
    if not (_is(interface, rule.on) and _is(known.vlan, rule.vlan)
            and _is(known.inner_vlan, rule.inner_vlan) and _is(known.ethertype, rule.ethertype)):
        return False
    if rule.mac_source is not None and not _in_set(known.mac_source, rule.mac_source):
        return False
    if rule.mac_destination is not None and not _in_set(known.mac_destination,
                                                       rule.mac_destination):
        return False
    return _matches_ip(rule, known)


def judge(config, frame, interface, sockets=False, devices=None):
    """
    (verdict, name of the rule or None, reason) [14]-[16]. `sockets`: has the
    receive queue an AF_XDP socket? `devices`: names that exist; None: all do.
    """
    known = facts(frame)
    for rule in config.rules:
        if rule.decides() and matches(rule, known, interface):
            return verdict(rule, sockets, devices)
    return undecided(config, known)


def undecided(config, known):
    """The answer for a packet that no rule decides."""
    return config.default, None, known.anomaly or "default"


def counting(config, frame, interface):
    """The names of the rules that a packet counts for, in order: those that let it go on,
    those that only observe, and the one that decides."""
    known, names = facts(frame), []
    for rule in config.rules:
        if matches(rule, known, interface):
            names.append(rule.name)
            if rule.decides():
                break
    return names


def verdict(rule, sockets=False, devices=None):
    """The answer of a rule that decides; the arguments as for judge(). [15]"""
    if rule.fib:  # by the kernel's tables, which say of no packet of the oracle where it goes
        return "pass", rule.name, "to_kernel"
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
