# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A Debian for tests/vm/run --system, with the packages of `make deb` installed as a user would.

The packages' own scripts run in it; what they start waits for the boot.
"""
import glob
import os
import shutil
import subprocess

from archive import Archive, Unavailable

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build")))
CACHE = os.environ.get("SLUICE_VM_CACHE", os.path.join(BUILD, "vm"))
CONFIG = """interface eth1, eth2 { mode auto }
default pass
rule seven drop udp to any port 7
rule wire forward fallback drop
forwarder { wire eth1 eth2; workers 1; poll sleep }
"""


def make(release="bookworm"):
    """Its folder: CONFIG is in /etc/sluice, the filter's unit enabled. Unavailable: why not."""
    packages = [path for path in glob.glob(os.path.join(BUILD, "deb", "sluice*_amd64.deb"))
                if "dbgsym" not in path]
    if not packages:
        raise Unavailable("no packages below %s: run `make deb`" % BUILD)
    debian = Archive(CACHE).system(release)
    folder = os.path.join(BUILD, "vm", "system-" + release)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    subprocess.run(["cp", "-a", debian, folder], check=True)
    for package in packages:
        shutil.copy(package, os.path.join(folder, "root"))
    done = subprocess.run(["chroot", folder, "sh", "-c", "dpkg -i /root/*.deb"], text=True,
                          capture_output=True, check=False,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                               "DEBIAN_FRONTEND": "noninteractive"})
    if done.returncode:
        raise Unavailable("dpkg -i: " + done.stdout + done.stderr)
    for name in ("sluice.conf", "wire.conf"):
        with open(os.path.join(folder, "etc/sluice", name), "w", encoding="ascii") as out:
            out.write(CONFIG)
    subprocess.run(["systemctl", "--quiet", "--root=" + folder, "enable", "sluice.service"],
                   check=True)
    return folder
