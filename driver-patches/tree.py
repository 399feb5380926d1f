#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a series of driver patches is applied to and built with.

    driver-patches/tree.py 6.12 FOLDER      into FOLDER:

    linux/      the driver's part of Debian's linux-source, and checkpatch
    headers/    what `make -C` takes to build a module
    release     of the kernel that the module is for

The packages come as those of the guest lab do (tests/vm/archive.py), of the
very version of the lab's kernel of that name. Done once for a version.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests", "vm"))
from archive import Archive, Unavailable

BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build")))
CACHE = os.environ.get("SLUICE_VM_CACHE", os.path.join(BUILD, "vm"))
PARTS = ("drivers/net/ethernet/intel/Kconfig", "drivers/net/ethernet/intel/e1000e",
         "scripts/checkpatch.pl", "scripts/spelling.txt", "scripts/const_structs.checkpatch")


def source(found, folder):
    top = "linux-source-" + found.base
    os.makedirs(folder)
    subprocess.run(["tar", "-x", "-C", folder, "--strip-components=1",
                    "-f", os.path.join(found.folder, "usr/src", top + ".tar.xz")]
                   + ["%s/%s" % (top, part) for part in PARTS], check=True)


def headers(found, folder):
    """Links to the package's, but for the Makefile, which names where it would be installed."""
    base = os.path.join(found.folder, "usr/src")
    packaged = os.path.join(base, "linux-headers-" + found.release)
    os.makedirs(folder)
    for path in glob.glob(packaged + "/*") + glob.glob(packaged + "/.[ck]*"):
        if os.path.basename(path) != "Makefile":
            os.symlink(path, os.path.join(folder, os.path.basename(path)))
    with open(os.path.join(packaged, "Makefile"), encoding="ascii") as text:
        moved = re.sub(r"(?m)^include /usr/src/", "include %s/" % base, text.read())
    with open(os.path.join(folder, "Makefile"), "w", encoding="ascii") as out:
        out.write(moved)


def main():
    if len(sys.argv) != 3:
        print("usage: tree.py KERNEL FOLDER", file=sys.stderr)
        return 2
    folder = os.path.abspath(sys.argv[2])
    try:
        found = Archive(CACHE).development(sys.argv[1])
    except Unavailable as why:
        print("tree.py: %s" % why, file=sys.stderr)
        return 3
    stamp = os.path.join(folder, "release")
    if os.path.exists(stamp):
        with open(stamp, encoding="ascii") as text:
            if text.read().strip() == found.release:
                return 0
    shutil.rmtree(folder, ignore_errors=True)
    source(found, os.path.join(folder, "linux"))
    headers(found, os.path.join(folder, "headers"))
    with open(stamp, "w", encoding="ascii") as out:
        out.write(found.release + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
