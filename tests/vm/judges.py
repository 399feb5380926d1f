#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Builds Linux's own selftests of XDP and NICs, for tests/vm/guest_judges.py.

    tests/vm/judges.py 6.12         prints the folder: a part of the kernel's tree

The source is linux-source of the version that the guest runs. xskxceiver is
built with its tree's libbpf, by the commands below rather than by the kernel's
makefiles, which want the whole tree configured and every selftest's needs.

Changed before, and nowhere else (LONGER): what waits for packets waits longer,
because the processor is emulated; what sends waits for the link, which binding,
attaching, other MTUs and other offloads take away from many NICs for seconds;
and Debian 12's ethtool, without JSON for -c, counts as a driver without -c.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
from archive import Archive, Unavailable

BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build")))
CACHE = os.environ.get("SLUICE_VM_CACHE", os.path.join(BUILD, "vm"))
TESTS = "tools/testing/selftests"
PARTS = ("tools/arch", "tools/build", "tools/include", "tools/lib", "tools/net", "tools/scripts",
         TESTS, "Documentation/netlink", "scripts/bpf_doc.py", "include/uapi/linux/bpf.h")
# (file, what stands there, what is put there)
LONGER = (
    (TESTS + "/bpf/*xsk*.[ch]", r"(#define POLL_TMOUT\s+)1000\b", r"\g<1>10000"),
    (TESTS + "/bpf/*xsk*.[ch]", r"(#define THREAD_TMOUT\s+)3\b", r"\g<1>20"),
    (TESTS + "/bpf/prog_tests/*xsk*.[ch]", r"(#define POLL_TMOUT\s+)1000\b", r"\g<1>10000"),
    (TESTS + "/bpf/prog_tests/*xsk*.[ch]", r"(#define THREAD_TMOUT\s+)3\b", r"\g<1>20"),
    (TESTS + "/bpf/xskxceiver.c", r"(\terr = send_pkts\()", r"\tsleep(5);\n\g<1>"),
    (TESTS + "/bpf/prog_tests/*xsk*.c", r"(\terr = send_pkts\()", r"\tsleep(5);\n\g<1>"),
    (TESTS + "/drivers/net/*.py", r"-W0\.5\b", "-W5"),
    (TESTS + "/drivers/net/*.py", r"(socat [^\"]*-[tT]) 2\b", r"\g<1> 10"),
    (TESTS + "/drivers/net/*.py", r"\bksft_wait=3\b", "ksft_wait=30"),
    (TESTS + "/drivers/net/xdp.py", r"(\nimport string\n)", r"\g<1>import time\n"),
    (TESTS + "/drivers/net/xdp.py", r"(\n    xdp_info = ip\()", r"\n    time.sleep(8)\g<1>"),
    (TESTS + "/drivers/net/ping.py", r'(\n +)(ethtool\(f" -K .* tx \{on\} "\))',
     r"\g<1>\g<2>\g<1>time.sleep(8)"),
    (TESTS + "/drivers/net/lib/py/env.py", r'("Operation not supported")( not in e.cmd.stderr)',
     r'\g<1>\g<2> and "bad command line"\g<2>'),
    (TESTS + "/net/lib/py/*.py", r"\btimeout=20\b", "timeout=600"),
    (TESTS + "/net/lib/py/*.py", r"\bdeadline=5\b", "deadline=30"),
)


def run(argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False,
                          **options)
    if done.returncode:
        raise Unavailable("%s: exit %d\n%s" % (" ".join(argv), done.returncode,
                                               (done.stdout + done.stderr)[-2000:]))
    return done.stdout


def unpack(found, folder):
    top = "linux-source-" + found.base
    run(["tar", "-x", "-C", folder, "--strip-components=1",
         "-f", os.path.join(found.folder, "usr/src", top + ".tar.xz")]
        + ["%s/%s" % (top, part) for part in PARTS])


def wait_longer(folder):
    for pattern, there, put in LONGER:
        for path in glob.glob(os.path.join(folder, pattern)):
            with open(path, encoding="utf-8") as source:
                text = source.read()
            changed = re.sub(there, put, text)
            if changed != text:
                with open(path, "w", encoding="utf-8") as out:
                    out.write(changed)


def xskxceiver(folder):
    tests, out = os.path.join(folder, TESTS), os.path.join(folder, "out")
    bpf = os.path.join(tests, "bpf")
    os.makedirs(out + "/libbpf")
    run(["make", "-s", "-C", folder + "/tools/lib/bpf", "OUTPUT=%s/libbpf/" % out,
         "DESTDIR=" + out, "prefix=", "install_headers", out + "/libbpf/libbpf.a"],
        env=dict(os.environ, MAKEFLAGS=""))
    compile_bpf(folder, bpf + "/progs/xsk_xdp_progs.c", out + "/xsk_xdp_progs.o")
    with open(out + "/xsk_xdp_progs.skel.h", "w", encoding="ascii") as skeleton:
        skeleton.write(run(["bpftool", "gen", "skeleton", out + "/xsk_xdp_progs.o", "name",
                            "xsk_xdp_progs"]))
    sources = [bpf + name for name in ("/xskxceiver.c", "/xsk.c", "/network_helpers.c")]
    sources += glob.glob(bpf + "/prog_tests/test_xsk.c") + [folder + "/tools/lib/find_bit.c"]
    run(["gcc", "-O2", "-std=gnu11", "-w", "-D_GNU_SOURCE"]
        + ["-I" + path for path in (out, out + "/include", bpf, tests, folder + "/tools/lib",
                                    folder + "/tools/include", folder + "/tools/include/uapi")]
        + sources + [out + "/libbpf/libbpf.a", "-lelf", "-lz", "-lpthread",
                     "-o", bpf + "/xskxceiver"])
    # It reads the object by a name of its own.
    shutil.copy(out + "/xsk_xdp_progs.o", bpf + "/xsk_xdp_progs.bpf.o")


def compile_bpf(folder, source, target):
    run(["clang", "-g", "-O2", "-w", "-target", "bpf", "-mcpu=v3", "-I" + os.path.dirname(source),
         "-I%s/%s/bpf" % (folder, TESTS), "-I%s/out/include" % folder,
         "-I%s/tools/include/uapi" % folder, "-I/usr/include/x86_64-linux-gnu", "-c", source,
         "-o", target])


def helpers(folder):
    """What the tests in Python call; kernels before 6.15 have none of it."""
    tests = os.path.join(folder, TESTS)
    for source in glob.glob(tests + "/net/lib/*.bpf.c"):
        compile_bpf(folder, source, source[:-1] + "o")
    for name in ("net/lib/xdp_helper", "drivers/net/napi_id_helper"):
        source = os.path.join(tests, name + ".c")
        if os.path.exists(source):
            run(["gcc", "-O2", "-w", "-I" + tests, "-I%s/tools/include/uapi" % folder, source,
                 "-o", source[:-2]])


def make(kernel):
    """The folder of a kernel's judges, built if they are not."""
    found = Archive(CACHE).development(kernel)
    folder = os.path.join(BUILD, "vm", "judges-" + found.release)
    if not os.path.isdir(folder):
        growing = folder + ".new"
        shutil.rmtree(growing, ignore_errors=True)
        os.makedirs(growing)
        unpack(found, growing)
        wait_longer(growing)
        xskxceiver(growing)
        helpers(growing)
        os.rename(growing, folder)
    return folder


if __name__ == "__main__":
    try:
        print(make(sys.argv[1]))
    except Unavailable as fault:
        sys.exit("judges.py: %s" % fault)
