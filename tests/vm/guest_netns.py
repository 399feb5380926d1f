#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""In a guest: tests of tests/netns, on this kernel.

    guest_netns.py test_filter...
"""
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)
from nested import nested
from tap import Tap

SECONDS = 1800  # each; about a minute on two idle cores, a quarter of an hour on busy ones with 6.1


def main():
    tap = Tap()
    for name in sys.argv[1:]:
        nested(tap, ["/usr/bin/python3", os.path.join(TESTS, "netns", name + ".py")], name, SECONDS)
    tap.done()


if __name__ == "__main__":
    main()
