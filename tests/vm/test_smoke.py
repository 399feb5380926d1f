#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The oldest kernel that is supported, in a guest with two e1000e: what stresses
the verifier most, libxdp's dispatcher, packets through descriptor rings. The
matrix of kernels and NICs is `make check-vm`. Root."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import cases

# One of each kind: the table searches, every field, all at once in both builds.
CASES = ("empty-off", "fields-on", "limit-off", "random40-on", "all-on")
SECONDS = 480
VM = os.path.join(cases.BUILD, "vm")


def main():
    folder = os.path.join(VM, "smoke")
    cases.write(folder, CASES)
    argv = [os.path.join(HERE, "run"), "--timeout", str(SECONDS), "6.1", "e1000e:2",
            "guest_smoke", folder, cases.BUILD]
    sys.exit(subprocess.run(argv, check=False).returncode)


if __name__ == "__main__":
    main()
