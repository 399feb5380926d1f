#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""No program has an edge that old kernels refuse. No root, loads nothing.

Before it verifies anything, the kernel walks a program's control flow, depth
first. Linux 6.1, the oldest one supported, lets only jumps lead back onto the
path it walks: an instruction that is no jump and falls through onto the head
of the loop that it is in is refused as a "back-edge" (-EINVAL), however well
the loop is bounded. Later kernels take it; 6.12 does. Whether a loop is laid
out so is up to clang, and may change with any line of it.

So this guards 6.1, whatever kernel the tests run on: it walks every program
of build/*.bpf.o as check_cfg() of 6.1 does. It stands in for loading them
there until a guest of each supported kernel runs the tests; what else a kernel
may refuse (the verifier's bounds, a missing helper) it does not see.
"""
import glob
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from tap import Tap, check

BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", os.path.join(HERE, "../../build")))
# The objects that must be there, and a program of each that must be seen.
EXPECTED = {"sluice.bpf.o": {"sluice_xdp", "sluice_frags"}, "gen.bpf.o": {"gen_vary"}}

INSN = struct.Struct("<BBhi")  # opcode, registers, offset, immediate
LD_IMM64 = 0x18                # the one instruction of two slots
JMP, JMP32 = 5, 6              # classes: the low three bits of the opcode
JA, CALL, EXIT = 0x00, 0x80, 0x90

SHT_SYMTAB, SHF_EXECINSTR, STT_FUNC = 2, 4, 2


def successors(insns, at):
    """[(instruction, may it be on the path)] in the order in which 6.1 walks."""
    opcode, _registers, offset, immediate = insns[at]
    kind, operation = opcode & 7, opcode & 0xf0
    if opcode == LD_IMM64:
        return [(at + 2, False)]
    if kind not in (JMP, JMP32) or operation == CALL:
        return [(at + 1, False)]  # a called function is walked on its own
    if operation == EXIT:
        return []
    if operation == JA:  # the 32-bit form (JMP32) has its offset in the immediate
        return [(at + 1 + (offset if kind == JMP else immediate), True)]
    return [(at + 1, True), (at + 1 + offset, True)]


def refused(code):
    """The edges [(from, to)] of a function that check_cfg() of 6.1 refuses."""
    insns = list(INSN.iter_unpack(code))
    path, bad = [0], []
    left = {0: successors(insns, 0)}  # of an instruction: the edges not walked yet
    on_path = {0}
    while path:
        at = path[-1]
        if not left[at]:
            on_path.remove(path.pop())
            continue
        to, may_loop = left[at].pop(0)
        if not 0 <= to < len(insns):
            raise ValueError("instruction %d leads to %d of %d" % (at, to, len(insns)))
        if to not in left:
            left[to] = successors(insns, to)
            path.append(to)
            on_path.add(to)
        elif to in on_path and not may_loop:
            bad.append((at, to))
    return bad


def text(data, at):
    return data[at:data.index(b"\0", at)].decode()


def functions(data):
    """[(section, function, code)] of an ELF object, subprograms too."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a little-endian ELF64 object")
    start, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    # name, type, flags, address, offset, size, link, ...
    sections = [struct.unpack_from("<IIQQQQI", data, start + i * size) for i in range(count)]
    found = []
    for _name, kind, _flags, _address, offset, length, link in sections:
        if kind != SHT_SYMTAB:
            continue
        for at in range(offset, offset + length, 24):
            name, info, _other, index, value, bytes_ = struct.unpack_from("<IBBHQQ", data, at)
            if info & 15 == STT_FUNC:
                begin = sections[index][4] + value
                found.append((index, text(data, sections[link][4] + name),
                              data[begin:begin + bytes_]))
    for index, section in enumerate(sections):  # no code may go unseen
        if section[2] & SHF_EXECINSTR:
            check(sum(len(f[2]) for f in found if f[0] == index), section[5],
                  "bytes of functions in section %d" % index)
    return [(text(data, sections[names][4] + sections[i][0]), name, code)
            for i, name, code in found]


def assemble(*insns):
    return b"".join(INSN.pack(*insn) for insn in insns)


def test_itself(tap):
    """By hand: r0 counts to 4. What is refused differs in the layout alone."""
    zero, add, end = (0xb7, 0, 0, 0), (0x07, 0, 0, 1), (0x95, 0, 0, 0)
    call, other = (0x85, 0, 0, 5), (0x00, 0, 0, 0)  # other: an immediate's second slot

    def until_4(offset):
        return (0xa5, 0, offset, 4)  # if r0 < 4 goto

    def jump(offset):
        return (0x05, 0, offset, 0)

    tap.equal(refused(assemble(zero, jump(1), add, until_4(-2), end)), [(2, 3)],
              "by hand: an addition that falls onto the loop's head is found")
    tap.equal(refused(assemble(zero, jump(2), (LD_IMM64, 1, 0, 0), other, until_4(-3), end)),
              [(2, 4)], "by hand: so is an instruction of two slots")
    tap.equal(refused(assemble(zero, jump(1), call, until_4(-2), end)), [(2, 3)],
              "by hand: so is a call")
    tap.equal(refused(assemble(zero, add, until_4(-2), end)), [],
              "by hand: a loop that ends in a jump to its head is not")
    tap.equal(refused(assemble(zero, jump(2), add, jump(0), until_4(-3), end)), [],
              "by hand: nor one whose body jumps onto the head")
    tap.equal(refused(assemble(zero, (0x06, 0, 0, 2), add, (0x06, 0, 0, 0), until_4(-3), end)), [],
              "by hand: nor with jumps of 32 bits")
    tap.equal(refused(assemble(zero, until_4(1), add, end)), [],
              "by hand: nor a fall-through that joins two ways forward")


def test_object(tap, path):
    name = os.path.basename(path)
    with tap.case("%s: all its programs are seen" % name):
        with open(path, "rb") as file:
            found = functions(file.read())
        missing = EXPECTED.get(name, set()) - {function for _section, function, _code in found}
        check(missing, set(), "programs not found")
        check(bool(found), True, "has a program")
        for section, function, code in found:
            edges = refused(code)
            tap.ok(not edges, "%s: %s, %s: no edge that 6.1 refuses" % (name, section, function),
                   "an instruction falls through onto the head of its loop: %s" % ", ".join(
                       "%d -> %d" % edge for edge in edges),
                   "see them by: llvm-objdump -dl --disassemble-symbols=%s %s" % (function, path))


def main():
    tap = Tap()
    test_itself(tap)
    paths = sorted(glob.glob(os.path.join(BUILD, "*.bpf.o")))
    missing = sorted(set(EXPECTED) - {os.path.basename(path) for path in paths})
    tap.ok(not missing, "the objects are built", "not in %s: %s" % (BUILD, ", ".join(missing)))
    for path in paths:
        test_object(tap, path)
    tap.done()


if __name__ == "__main__":
    main()
