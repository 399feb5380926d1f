# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest: an AF_XDP socket with its rings, and a program that fills it,
slow and without a library: the driver alone is to be seen. Root.

The barriers between the rings' words are those of the one processor.
"""
import ctypes
import mmap
import os
import socket
import struct

import xsk
from lab import wait_for

TX_RING, STATISTICS, OPTIONS, MMAP_OFFSETS = 3, 7, 8, 1  # linux/if_xdp.h, here and below
NEED_WAKEUP, USE_SG = 8, 16
CONTINUED = 1      # of a descriptor: the next one has more of the frame
RX, TX, FILL, COMPLETION = range(4)
RING_SETUP = (xsk.RX_RING, TX_RING, xsk.FILL_RING, xsk.COMPLETION_RING)
RING_PAGES = (0, 0x80000000, 0x100000000, 0x180000000)
DESC, ADDR = struct.Struct("QII"), struct.Struct("Q")
ROOM = 256         # XDP_PACKET_HEADROOM
META = 0x5a1ce5a1  # what a program put before the frame

# linux/bpf.h
MAP_CREATE, MAP_UPDATE, PROG_LOAD, OBJ_PIN = 0, 2, 5, 6
XSKMAP, PROG_XDP, SYS_BPF = 17, 6, 321
REDIRECT_MAP, ADJUST_META = 51, 54
BTF_FUNC, DEV_BOUND = 12, 64

# Of ask(): 0 or -errno and the tag; the same, the hash, its type; the same of the time stamp.
ANSWER = struct.Struct("iIiIIi")


class Ring:
    """Entries that one side produces and the other consumes."""

    def __init__(self, fd, page, offsets, entry, count):
        self.producer, self.consumer, self.first, self.flags = offsets
        self.entry, self.count = entry, count
        self.map = mmap.mmap(fd, self.first + count * entry.size, offset=page,
                             flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)

    def _word(self, offset):
        return struct.unpack_from("I", self.map, offset)[0]

    def put(self, *entries):
        """Produces; the caller knows that there is room."""
        at = self._word(self.producer)
        for n, entry in enumerate(entries):
            self.entry.pack_into(self.map, self.first + (at + n) % self.count * self.entry.size,
                                 *entry)
        struct.pack_into("I", self.map, self.producer, (at + len(entries)) & 0xffffffff)

    def take(self):
        """Consumes all that there is."""
        at, end = self._word(self.consumer), self._word(self.producer)
        found = [self.entry.unpack_from(self.map, self.first + (at + n) % self.count *
                                        self.entry.size) for n in range((end - at) & 0xffffffff)]
        struct.pack_into("I", self.map, self.consumer, end)
        return found

    def wants_wakeup(self):
        return self._word(self.flags) & 1


class Xsk:
    """A socket on queue 0, with a UMEM of its own: half of it to receive into.
    OSError if the kernel refuses."""

    def __init__(self, dev, flags=xsk.ZEROCOPY | NEED_WAKEUP, count=512, chunk=4096, headroom=0):
        self.count, self.chunk, self.headroom = count, chunk, headroom
        self.umem = mmap.mmap(-1, count * chunk)
        self.always = not flags & NEED_WAKEUP
        self.parts = b""  # of a frame that is not all there
        self.rings = []
        self.socket = socket.socket(xsk.AF_XDP, socket.SOCK_RAW)
        try:
            self._register()
            self._bind(dev, flags)
        except BaseException:
            self.close()
            raise
        self.fill(n * chunk for n in range(count // 2))
        self.spare = [n * chunk for n in range(count // 2, count)]

    def _register(self):
        sock, count = self.socket, self.count
        sock.setsockopt(xsk.SOL_XDP, xsk.UMEM_REG, struct.pack(
            "QQIII4x", ctypes.addressof(ctypes.c_char.from_buffer(self.umem)), count * self.chunk,
            self.chunk, self.headroom, 0))
        for ring in RING_SETUP:
            sock.setsockopt(xsk.SOL_XDP, ring, count)
        offsets = struct.unpack("16Q", sock.getsockopt(xsk.SOL_XDP, MMAP_OFFSETS, 128))
        self.rings = [Ring(sock.fileno(), page, offsets[n * 4:n * 4 + 4],
                           DESC if n < FILL else ADDR, count) for n, page in enumerate(RING_PAGES)]

    def _bind(self, dev, flags):
        name = struct.pack("HHIII", xsk.AF_XDP, flags, socket.if_nametoindex(dev), 0, 0)
        failed = [0]

        def bound():
            done = ctypes.CDLL(None, use_errno=True).bind(self.socket.fileno(), name, len(name))
            failed[0] = ctypes.get_errno() if done else 0
            return failed[0] != 16  # EBUSY: a while after the socket before is closed

        wait_for(bound)
        if failed[0]:
            raise OSError(failed[0], "%s: bind AF_XDP: %s" % (dev, os.strerror(failed[0])))

    def zero_copy(self):
        return struct.unpack("I", self.socket.getsockopt(xsk.SOL_XDP, OPTIONS, 4))[0] & 1

    def statistics(self):
        names = ("rx_dropped", "rx_invalid", "tx_invalid", "rx_full", "fill_empty", "tx_empty")
        return dict(zip(names, struct.unpack("6Q", self.socket.getsockopt(
            xsk.SOL_XDP, STATISTICS, 48))))

    def fill(self, addresses):
        self.rings[FILL].put(*((address,) for address in addresses))

    def kick(self):
        """Has the driver look at the rings, if it asks for that."""
        try:
            if self.always or self.rings[TX].wants_wakeup():
                self.socket.send(b"", socket.MSG_DONTWAIT)
            if self.rings[FILL].wants_wakeup():
                self.socket.recv(0, socket.MSG_DONTWAIT)
        except OSError:
            pass  # the device is down, and looks when it is up; or sends, slower

    def take(self, meta=0):
        """Frames received, with what is before them; their buffers go back."""
        found = []
        for address, length, options in self.rings[RX].take():
            self.parts += bytes(self.umem[address - meta:address + length])
            if not options & CONTINUED:
                found.append(self.parts)
                self.parts = b""
            # aligned chunks: where in the chunk is all the same
            self.fill([address - address % self.chunk])
        self.kick()
        return found

    def send(self, frames):
        """Hands over as many frames as there are spare buffers; how many."""
        descs, given = [], 0
        for data in frames:
            parts = [data[at:at + self.chunk] for at in range(0, len(data), self.chunk)]
            if len(parts) > len(self.spare):
                break
            for left, part in enumerate(parts, 1 - len(parts)):
                address = self.spare.pop(0)
                self.umem[address:address + len(part)] = part
                descs.append((address, len(part), CONTINUED if left else 0))
            given += 1
        self.rings[TX].put(*descs)
        self.kick()
        return given

    def sent(self):
        """How many of them are done since the last call; checks that none is done twice."""
        done = [address for address, in self.rings[COMPLETION].take()]
        self.spare += done
        if len(set(self.spare)) != len(self.spare) or len(self.spare) > self.count // 2:
            raise AssertionError("frames are done twice: %s" % sorted(done))
        return len(done)

    def close(self):
        """Frees the queue: the rings' maps hold the socket, too."""
        for ring in self.rings:
            ring.map.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()


def _bpf(command, attr):
    data = ctypes.create_string_buffer(attr, max(len(attr), 128))
    fd = ctypes.CDLL(None, use_errno=True).syscall(SYS_BPF, command, data, len(data))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf(%d): %s" % (
            command, os.strerror(ctypes.get_errno())))
    return fd


def insn(code, registers=0, offset=0, imm=0):
    return struct.pack("<BBhi", code, registers, offset, imm)


def _room(size):
    """r2 = so many bytes before the frame, of the context in r1."""
    return [insn(0xb7, 2, 0, -size), insn(0x85, 0, 0, ADJUST_META),
            insn(0x61, 0x62, 8), insn(0x61, 0x63, 0),      # r2 = data_meta; r3 = data
            insn(0xbf, 0x24), insn(0x07, 4, 0, size),      # r4 = r2 + size
            insn(0xbd, 0x34, 2),                           # if r4 <= r3: there is room
            insn(0xb7, 0), insn(0x95)]                     # return XDP_ABORTED


def put_meta():
    """Instructions: eight bytes before the frame."""
    return ([insn(0xbf, 0x16)] + _room(8) +                # r6 = r1
            [insn(0x7a, 2, 0, META), insn(0xbf, 0x61)])    # *r2 = META; r1 = r6


def _kfunc(name):
    """A call of a function of the kernel, which BTF numbers."""
    bpf = ctypes.CDLL("libbpf.so.1")
    bpf.btf__load_vmlinux_btf.restype = ctypes.c_void_p
    number = bpf.btf__find_by_name_kind(ctypes.c_void_p(bpf.btf__load_vmlinux_btf()),
                                        name.encode(), BTF_FUNC)
    if number < 0:
        raise OSError(-number, "BTF of %s" % name)
    return insn(0x85, 0x20, 0, number)


def ask():
    """Instructions: what the descriptor says, before the frame, see ANSWER."""
    asked = [insn(0xbf, 0x16)]                               # r6 = r1
    asked += [insn(0x7a, 10, -offset) for offset in range(8, 80, 8)]
    for name, results, outs in (("vlan_tag", 24, (8, 16)), ("hash", 48, (32, 40)),
                                ("timestamp", 64, (56,))):
        asked.append(insn(0xbf, 0x61))                       # r1 = r6
        for register, out in enumerate(outs, 2):
            asked += [insn(0xbf, 0xa0 | register), insn(0x07, register, 0, -out)]
        asked += [_kfunc("bpf_xdp_metadata_rx_" + name), insn(0x63, 0x0a, -results)]
    asked += [insn(0xbf, 0x61)] + _room(ANSWER.size)         # r1 = r6
    for at, source in enumerate((24, 16, 48, 32, 40, 64)):
        asked += [insn(0x61, 0xa5, -source), insn(0x63, 0x52, 4 * at)]  # r5 = stack; meta = r5
    return asked + [insn(0xbf, 0x61)]


class Program:
    """An XDP program, pinned at `pin`; of a device alone if there is an ifindex."""

    def __init__(self, pin, insns, flags=0, ifindex=0):
        text = b"".join(insns)
        code, licence = ctypes.create_string_buffer(text), ctypes.create_string_buffer(b"GPL")
        log = ctypes.create_string_buffer(65536)
        try:
            self.prog = _bpf(PROG_LOAD, struct.pack(
                "IIQQIIQII16xI", PROG_XDP, len(text) // 8, ctypes.addressof(code),
                ctypes.addressof(licence), 1, len(log), ctypes.addressof(log), 0, flags, ifindex))
        except OSError as fault:
            raise OSError(fault.errno, "%s: %s" % (fault, log.value.decode())) from fault
        self.pin = pin
        path = ctypes.create_string_buffer(pin.encode())
        _bpf(OBJ_PIN, struct.pack("QI", ctypes.addressof(path), self.prog))

    def close(self):
        os.unlink(self.pin)
        os.close(self.prog)


class Redirect(Program):
    """Hands all to the socket that it is given, and passes the rest. `before`
    runs first, and leaves the context in r1."""

    def __init__(self, pin, before=(), flags=0, ifindex=0):
        self.map = _bpf(MAP_CREATE, struct.pack("IIIII", XSKMAP, 4, 4, 1, 0))
        super().__init__(pin, list(before) + [
            insn(0x61, 0x12, 16),                            # r2 = rx_queue_index
            insn(0x18, 0x11, 0, self.map), insn(0),          # r1 = map
            insn(0xb7, 3, 0, 2), insn(0x85, 0, 0, REDIRECT_MAP),
            insn(0x95)], flags, ifindex)

    def to(self, sock):
        key, value = ctypes.c_uint32(0), ctypes.c_uint32(sock.socket.fileno())
        _bpf(MAP_UPDATE, struct.pack("I4xQQQ", self.map, ctypes.addressof(key),
                                     ctypes.addressof(value), 0))

    def close(self):
        super().close()
        os.close(self.map)
