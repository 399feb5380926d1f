# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reads pcap and pcapng captures, and writes pcap. Links other than Ethernet
are told by the link type; a damaged file is read as far as it goes."""
import struct

ETHERNET = 1
MAGICS = {0xa1b2c3d4, 0xa1b23c4d}  # microseconds, nanoseconds


class CaptureError(Exception):
    pass


def write(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, ETHERNET))
        for number, frame in enumerate(frames):
            out.write(struct.pack("<IIII", number, 0, len(frame), len(frame)) + frame)


def read(path):
    """Yields (link type, bytes) of each packet."""
    with open(path, "rb") as source:
        data = source.read()
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return _pcapng(data)
    for order in "<>":
        if len(data) >= 24 and struct.unpack_from(order + "I", data)[0] in MAGICS:
            return _pcap(data, order)
    raise CaptureError("%s: neither pcap nor pcapng" % path)


def _pcap(data, order):
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xffff
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from(order + "I", data, at + 8)[0]
        if at + 16 + size > len(data):
            return
        yield link, data[at + 16:at + 16 + size]
        at += 16 + size


def _pcapng(data):
    at, order, links = 0, "<", []
    while at + 12 <= len(data):
        kind = struct.unpack_from(order + "I", data, at)[0]
        if kind == 0x0a0d0d0a:  # a section: its byte order, its own interfaces
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        size = struct.unpack_from(order + "I", data, at + 4)[0]
        if size < 12 or at + size > len(data):
            return
        body = data[at + 8:at + size - 4]
        at += size
        if kind == 1:
            links.append(struct.unpack_from(order + "H", body)[0])
        elif kind == 6 and len(body) >= 20:  # enhanced packet block
            port, _high, _low, length = struct.unpack_from(order + "IIII", body)
            if port < len(links):
                yield links[port], body[20:20 + length]
        elif kind == 3 and links and len(body) >= 4:  # simple packet block
            length = struct.unpack_from(order + "I", body)[0]
            yield links[0], body[4:4 + length]
