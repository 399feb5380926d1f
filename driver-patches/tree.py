#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a series of driver patches is applied to and built in.

    driver-patches/tree.py BASE FOLDER      BASE: 6.12 or 7.x; into FOLDER:

    linux/      the driver's part of Debian's linux-source, and checkpatch
    debian      a link to a Debian with the compiler and headers of that kernel
    release     of the kernel that the module is for
    stock.ko.xz that kernel's own module

The packages come as those of the guest lab do (tests/vm/archive.py), of the
very version of the lab's kernel. Done once for a version.
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests", "vm"))
from archive import Archive, Unavailable

BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build")))
CACHE = os.environ.get("SLUICE_VM_CACHE", os.path.join(BUILD, "vm"))
KERNELS = {"6.12": "6.12", "7.x": "newest"}  # of the lab
PARTS = ("drivers/net/ethernet/intel/Kconfig", "drivers/net/ethernet/intel/e1000e",
         "scripts/checkpatch.pl", "scripts/spelling.txt", "scripts/const_structs.checkpatch")


def source(found, folder):
    top = "linux-source-" + found.base
    os.makedirs(folder)
    subprocess.run(["tar", "-x", "-C", folder, "--strip-components=1",
                    "-f", os.path.join(found.folder, "usr/src", top + ".tar.xz")]
                   + ["%s/%s" % (top, part) for part in PARTS], check=True)


def stock(kernel):
    found = Archive(CACHE).kernel(kernel)
    return os.path.join(found.folder, "lib/modules", found.release, "kernel", PARTS[1],
                        "e1000e.ko.xz")


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in KERNELS:
        print("usage: tree.py %s FOLDER" % "|".join(KERNELS), file=sys.stderr)
        return 2
    folder = os.path.abspath(sys.argv[2])
    try:
        found = Archive(CACHE).development(KERNELS[sys.argv[1]])
    except Unavailable as why:
        print("tree.py: %s" % why, file=sys.stderr)
        return 3
    stamp = os.path.join(folder, "release")
    if all(os.path.exists(os.path.join(folder, name))
           for name in ("release", "debian/usr", "stock.ko.xz")):
        with open(stamp, encoding="ascii") as text:
            if text.read().strip() == found.release:
                return 0
    shutil.rmtree(folder, ignore_errors=True)
    source(found, os.path.join(folder, "linux"))
    os.symlink(found.folder, os.path.join(folder, "debian"))
    shutil.copy(stock(KERNELS[sys.argv[1]]), os.path.join(folder, "stock.ko.xz"))
    with open(stamp, "w", encoding="ascii") as out:
        out.write(found.release + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
