# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the kernel's generic netlink family `netdev` tells of an interface
(include/uapi/linux/netdev.h)."""
import socket
import struct

NETLINK_GENERIC, GENL_ID_CTRL, CTRL_GETFAMILY = 16, 16, 3
CTRL_FAMILY_ID, CTRL_FAMILY_NAME = 1, 2
QUEUE_GET, NAPI_GET, QSTATS_GET = 10, 11, 12
QUEUE_IFINDEX, QUEUE_TYPE, QUEUE_NAPI_ID = 2, 3, 4
NAPI_IFINDEX, NAPI_ID, NAPI_IRQ = 1, 2, 3
QSTATS_IFINDEX, QSTATS_RX_PACKETS, QSTATS_TX_PACKETS = 1, 8, 10
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3


def _attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind] = int.from_bytes(data[4:length], "little")
        data = data[(length + 3) & ~3:]
    return found


def _ask(sock, family, command, flags, attribute):
    """Attributes of each message of the answer."""
    body = struct.pack("=BBH", command, 1, 0) + attribute
    sock.send(struct.pack("=IHHII", 16 + len(body), family, flags | NLM_F_REQUEST, 1, 0) + body)
    answers = []
    while True:
        data = sock.recv(65536)
        while data:
            length, kind = struct.unpack_from("=IH", data)
            if kind == NLMSG_ERROR:
                raise OSError(-struct.unpack_from("=i", data, 16)[0], "netdev netlink")
            if kind == NLMSG_DONE:
                return answers
            answers.append(_attributes(data[20:length]))
            data = data[(length + 3) & ~3:]
        if not flags:
            return answers


def dump(command, ifindex_attribute, device):
    """A list of {attribute: value}."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
        sock.bind((0, 0))
        sock.settimeout(5)
        family = _ask(sock, GENL_ID_CTRL, CTRL_GETFAMILY, 0,
                      _attribute(CTRL_FAMILY_NAME, b"netdev\0"))[0][CTRL_FAMILY_ID]
        index = struct.pack("=I", socket.if_nametoindex(device))
        return _ask(sock, family, command, NLM_F_DUMP, _attribute(ifindex_attribute, index))
