#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest with two e1000e: a little of everything that the matrix does.

    guest_smoke.py CASES BUILD
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from nested import nested
from tap import Tap

SECONDS = 240


def main():
    tap = Tap()
    for name, args in (("verifier", sys.argv[1:]), ("shared", []),
                       ("nic", ["no-native", "generic"])):
        script = os.path.join(HERE, "guest_%s.py" % name)
        nested(tap, ["/usr/bin/python3", script] + args, name, SECONDS)
    tap.done()


if __name__ == "__main__":
    main()
