#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest: does this kernel's verifier take the filter, and does it then
judge as the rules say?

    guest_verifier.py CASES BUILD...     a folder of cases.py, folders with `sluice`

Each case is applied with each build, some frames are explained, and how many
instructions the verifier walked is printed (its limit is a million). Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
"""
import ctypes
import json
import os
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "netns")]
from network import two_sides
from loaded import objects
from lab import Lab
from tap import Tap

APPLY_SECONDS = 60  # times lab.PATIENCE
# linux/bpf.h, x86-64's system call.
BPF, PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = 321, 13, 15
INFO_BYTES, VERIFIED_AT = 232, 216  # struct bpf_prog_info, verified_insns since 5.16


def _bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 128)
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(BPF, command, buffer, len(buffer))
    if result < 0:
        raise OSError(ctypes.get_errno(), "bpf(%d)" % command)
    return result


def verified(program_id):
    """The instructions that the verifier processed for a loaded program."""
    fd = _bpf(PROG_GET_FD_BY_ID, program_id.to_bytes(4, "little"))
    try:
        info = ctypes.create_string_buffer(INFO_BYTES)
        _bpf(OBJ_GET_INFO_BY_FD, fd.to_bytes(4, "little") + INFO_BYTES.to_bytes(4, "little")
             + ctypes.addressof(info).to_bytes(8, "little"))
        return int.from_bytes(info.raw[VERIFIED_AT:VERIFIED_AT + 4], "little")
    finally:
        os.close(fd)


def judge(lab, sluice, folder):
    """Applies a case and asks its frames; (program's id, what differs)."""
    done = lab.run([sluice, "apply", "--force", "--json", folder + "/sluice.conf"], ns="box",
                   timeout=APPLY_SECONDS)
    entry = next(e for e in objects(done.stdout)[0]["interfaces"] if e["name"] == "box0")
    done = lab.run([sluice, "explain", "--json", "box0", folder + "/frames.pcap"], ns="box",
                   timeout=APPLY_SECONDS)
    got = [[a.get("verdict"), a.get("rule"), a.get("reason")] for a in objects(done.stdout)]
    with open(folder + "/want.json", encoding="ascii") as source:
        want = json.load(source)
    differ = ["frame %d: got %r, want %r" % (n + 1, got[n], want[n])
              for n in range(min(len(got), len(want))) if got[n] != want[n]]
    if len(got) != len(want) or not want:
        differ.insert(0, "%d answers for %d frames" % (len(got), len(want)))
    return entry["program_id"], differ


def run(tap, lab, build, folder):
    sluice = os.path.join(build, "sluice")
    label = "%s, %s" % (os.path.basename(folder), os.path.basename(build))
    begin, count, differ = time.monotonic(), 0, []
    try:
        number, differ = judge(lab, sluice, folder)
        count = verified(number)
    except Exception as why:  # a refusal is this case's failure
        differ = [str(why)[-1500:]]
    tap.ok(not differ, "%s: loads and judges right" % label, *differ[:5])
    tap.diag("verified %8d instructions, %5.1f s: %s" % (count, time.monotonic() - begin, label))
    lab.run([sluice, "down"], ns="box", check=False, timeout=APPLY_SECONDS)


def main():
    cases, builds = sys.argv[1], sys.argv[2:]
    tap = Tap()
    with open(os.path.join(cases, "left_out.json"), encoding="ascii") as source:
        for name, why in json.load(source).items():
            tap.skip(name, why)
    with Lab() as lab:
        two_sides(lab)
        for build in builds:
            for name in sorted(os.listdir(cases)):
                folder = os.path.join(cases, name)
                if os.path.isdir(folder):
                    run(tap, lab, build, folder)
    tap.done()


if __name__ == "__main__":
    main()
