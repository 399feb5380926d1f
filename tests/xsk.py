# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""An AF_XDP socket that only holds a queue, for tests of what others see of it (root)."""
import ctypes
import errno
import mmap
import socket
import struct

from lab import wait_for

AF_XDP, SOL_XDP = 44, 283  # linux/if_xdp.h, here and below
COPY, ZEROCOPY = 2, 4
RX_RING, UMEM_REG, FILL_RING, COMPLETION_RING = 2, 4, 5, 6
FRAMES, FRAME = 64, 4096


class Xsk:
    """Bound when made; OSError if the kernel refuses. Close it to free the queue."""

    def __init__(self, dev, queue, mode):
        self.failed = 0
        self.memory = mmap.mmap(-1, FRAMES * FRAME)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.socket = socket.socket(AF_XDP, socket.SOCK_RAW)
        try:
            self.socket.setsockopt(SOL_XDP, UMEM_REG, struct.pack(
                "QQIII4x", address, FRAMES * FRAME, FRAME, 0, 0))
            for ring in (FILL_RING, COMPLETION_RING, RX_RING):
                self.socket.setsockopt(SOL_XDP, ring, FRAMES)
            name = struct.pack("HHIII", AF_XDP, mode, socket.if_nametoindex(dev), queue, 0)
            # The queue is free a while after the socket before is closed.
            wait_for(lambda: self._bind(name) != errno.EBUSY)
            if self.failed:
                raise OSError(self.failed, "%s: bind AF_XDP" % dev)
        except BaseException:
            self.socket.close()
            raise

    def _bind(self, name):
        bound = ctypes.CDLL(None, use_errno=True).bind(self.socket.fileno(), name, len(name))
        self.failed = ctypes.get_errno() if bound else 0
        return self.failed

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.socket.close()
