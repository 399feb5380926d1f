# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Composes Ethernet frames as bytes, well-formed or not as the caller wishes.

Addresses are integers; a length or version left at None is the right one.
Much faster than scapy, which the differential test's tens of thousands of
packets need, and able to say what scapy mends silently.
"""
import struct

DST, SRC = bytes.fromhex("02000000000b"), bytes.fromhex("02000000000a")
TCP, UDP, SCTP, ICMP, ICMP6 = 6, 17, 132, 1, 58
HOP, ROUTING, FRAGMENT, AUTH, OPTIONS = 0, 43, 44, 51, 60


def ethernet(ethertype, payload, tags=(), dst=DST, src=SRC):
    """`tags`: (TPID, TCI) pairs, outermost first."""
    out = dst + src
    for tpid, tci in tags:
        out += struct.pack("!HH", tpid, tci)
    return out + struct.pack("!H", ethertype) + payload


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data[:len(data) & ~1]))
    if len(data) & 1:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(src, dst, protocol, payload, options=b"", fragment=0, version=4, ihl=None, total=None,
         tos=0):
    """`fragment` is the 16-bit word of flags and offset; `options` a multiple of 4 bytes."""
    ihl = 5 + len(options) // 4 if ihl is None else ihl
    total = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH", version << 4 | ihl, tos, total & 0xffff, 0x1234, fragment, 64,
                       protocol, 0)
    head += src.to_bytes(4, "big") + dst.to_bytes(4, "big") + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(src, dst, protocol, payload, extensions=(), version=6, length=None, tos=0):
    """
    `extensions`: (kind, body) pairs; `body` is the header without its first
    byte, the next-header value, which is filled in here.
    """
    kinds = [kind for kind, _body in extensions] + [protocol]
    chain = b"".join(bytes([following]) + body
                     for (_kind, body), following in zip(extensions, kinds[1:]))
    length = len(chain) + len(payload) if length is None else length
    return (struct.pack("!IHBB", version << 28 | tos << 20, length & 0xffff, kinds[0], 64)
            + src.to_bytes(16, "big") + dst.to_bytes(16, "big") + chain + payload)


def extension(kind, units=0, fragment=0):
    """
    The body of an extension header that is `units` longer than the shortest:
    8 bytes each, 4 for authentication. `fragment`: the word of a fragment header.
    """
    if kind == FRAGMENT:
        return kind, struct.pack("!BHI", 0, fragment, 0xabcd)
    size = 4 * (units + 2) if kind == AUTH else 8 * (units + 1)
    return kind, bytes([units]) + bytes(size - 2)


def tcp(sport, dport, data=b"", flags=0x02):
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 0x50, flags, 1024, 0, 0) + data


def udp(sport, dport, data=b""):
    # A checksum of 0 is "none" over IPv4.
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


def datagram(port, number=0, size=40, source=0x0a000001, **ethernet_words):
    """UDP from 10.0.0.1 to 192.0.2.1; `number` is the source port, so that each is another."""
    return ethernet(0x800, ipv4(source, 0xc0000201, UDP, udp(number % 65536, port, bytes(size))),
                    **ethernet_words)


def sctp(sport, dport, data=b""):
    return struct.pack("!HHII", sport, dport, 7, 0) + data


def icmp(kind, code, data=b""):
    body = struct.pack("!BBHI", kind, code, 0, 0) + data
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]
