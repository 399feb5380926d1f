#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sluice-dkms, in a Debian with the headers and the source of Linux 6.12 (root):
its installation builds the module, an upgrade builds it again, and after the
purge the kernel has its own driver again. Nothing is loaded.

On request (tests/run dkms), because that Debian takes 0.8 GB; `make driver` makes it."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "vm")]
from archive import Archive, Unavailable
from lab import BUILD, Lab, ROOT
from packages import NEWER, build, newer, package, version
from tap import Skip, Tap, check

CACHE = os.environ.get("SLUICE_VM_CACHE", os.path.join(BUILD, "vm"))
NAME = "sluice-dkms"
# What it says of itself goes to files; what is looked at to standard output, a line each.
SCRIPT = """
export DEBIAN_FRONTEND=noninteractive
state() {
	echo "$1 $(ls /lib/modules/*/updates/dkms/e1000e.ko* 2>/dev/null | wc -l)" \
		"$(ls -d /usr/src/e1000e-xdp-* /var/lib/dkms/e1000e-xdp 2>/dev/null | wc -l)"
}
for deb; do
	dpkg -i "/mnt/$deb" >/mnt/log 2>&1 || exit 1
	state "$(dpkg-query -W -f '${Version}' sluice-dkms)"
	modinfo -F vermagic /lib/modules/*/updates/dkms/e1000e.ko* 2>/dev/null
done
dpkg --purge sluice-dkms >/mnt/log 2>&1 || exit 1
state purged
ls /lib/modules/*/kernel/drivers/net/ethernet/intel/e1000e
"""


def life(lab):
    try:
        debian = Archive(CACHE).development("6.12")
    except Unavailable as why:
        raise Skip(str(why)) from why
    share = os.path.join(lab.dir, "share")
    os.mkdir(share)
    shutil.copy(package(NAME), share)
    newer(NAME, share)
    old = os.path.basename(package(NAME))
    new = old.replace("_%s_" % version(NAME), "_%s_" % (version(NAME) + NEWER))
    done = subprocess.run([os.path.join(ROOT, "driver-patches", "inside"), debian.folder, share,
                           "sh", "-c", SCRIPT, "sh", old, new], capture_output=True, text=True,
                          check=False, timeout=1700)
    with open(os.path.join(share, "log"), encoding="utf-8", errors="replace") as log:
        said = log.read()
    if done.returncode:
        raise AssertionError("exit %d\n%s\n%s" % (done.returncode, done.stdout, said))
    got = [" ".join(line.split()[:3]) for line in done.stdout.splitlines()]
    magic = "%s SMP preempt" % debian.release
    check(got, [version(NAME) + " 1 2", magic, version(NAME) + NEWER + " 1 2", magic, "purged 0 0",
                "e1000e.ko.xz"], "the states")


def main():
    tap = Tap()
    with tap.case("to the end"), Lab() as lab:
        build(tap)
        with tap.case("installed, upgraded, purged: the module comes and goes"):
            life(lab)
    tap.done()


if __name__ == "__main__":
    main()
