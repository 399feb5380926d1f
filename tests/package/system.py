# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A clean Debian that packages are installed in (root).

    system = System(lab, "box", "bookworm", packages, share)   # in lab's namespace `box`
    system.run(["dpkg", "-i", "/mnt/sluice.deb"])
    system.files()                                  # what is there, but dpkg's own notes

It is the guest lab's archive that makes it (tests/vm/archive.py), once. Here an
overlay in memory lies over it, in a mount and a process namespace of its own
whose process 1 does nothing: so /run is empty, a bpffs that Sluice mounts is
seen here alone, and all of it is gone with that process. `share` is at /mnt.

The root is left by pivot_root: the machine's files are not below it. Nothing is
ever removed below it from outside.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "vm"))
from archive import Archive
from lab import BUILD, LabError, children, wait_for

CACHE = os.environ.get("SLUICE_VM_CACHE", os.path.join(BUILD, "vm"))
# $1: the Debian, $2: what is at /mnt. The tmpfs holds what is written, and goes with us.
ENTER = """
set -eu
mount -t tmpfs -o mode=0755 system /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$1,upperdir=/mnt/upper,workdir=/mnt/work" system /mnt/root
mount --bind "$2" /mnt/root/mnt
mount -t proc proc /mnt/root/proc
mount -t sysfs -o ro sysfs /mnt/root/sys
mount --rbind /dev /mnt/root/dev
mount -t tmpfs -o mode=0755 run /mnt/root/run
cd /mnt/root
pivot_root . .
umount -l .
echo ready
exec sleep infinity
"""
# Written whenever dpkg or umount runs, whatever it does.
NOTES = ("/var/lib/dpkg/", "/var/log/", "/var/cache/", "/mnt/", "/tmp/", "/run/mount/",
         "/etc/ld.so.cache")


class System:
    def __init__(self, lab, ns, release, packages, share):
        folder = Archive(CACHE).clean(release, packages)
        self.lab = lab
        self.holder = lab.popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
             "sh", "-c", ENTER, "sh", folder, share], ns=ns)
        if self.holder.stdout.readline().strip() != "ready":
            raise LabError("%s: it cannot be entered: %s" % (folder, self.holder.stdout.read()))
        self.first = str(children(self.holder.pid)[0])

    def argv(self, cmd):
        return ["nsenter", "--target", self.first, "--mount", "--pid", "--net", "--",
                "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive"] + list(cmd)

    def run(self, cmd, timeout=120, check=True):
        return self.lab.run(self.argv(cmd), timeout=timeout, check=check)

    def output(self, cmd, **options):
        return self.run(cmd, **options).stdout

    def files(self):
        """The paths of all files and directories, but what dpkg notes of its work."""
        found = self.output(["find", "/", "-mindepth", "1", "-not", "-path", "/proc/*", "-not",
                             "-path", "/sys/*", "-not", "-path", "/dev/*"])
        return {path for path in found.splitlines() if not (path + "/").startswith(NOTES)}

    def close(self):
        subprocess.run(["kill", "-KILL", str(self.holder.pid)], check=False)
        wait_for(lambda: self.holder.poll() is not None)
