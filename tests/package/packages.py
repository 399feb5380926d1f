# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The Debian packages of this tree: build them, find them, make newer ones of them."""
import glob
import os
import shutil
import subprocess

from lab import BUILD, ROOT

DEBS = os.path.join(BUILD, "deb")
NEWER = "+1"  # behind a version
BUILD_SECONDS = 600


def build(tap):
    done = subprocess.run(["make", "-C", ROOT, "BUILD=" + BUILD, "deb"], capture_output=True,
                          text=True, check=False, timeout=BUILD_SECONDS)
    tap.ok(done.returncode == 0, "make deb builds the packages", done.stdout[-2000:],
           done.stderr[-2000:])
    return done.returncode == 0


def lint(tap):
    changes = glob.glob(DEBS + "/*.changes")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning"] + changes,
                          capture_output=True, text=True, check=False, timeout=120)
    tap.ok(len(changes) == 1 and done.returncode == 0, "lintian finds no error and no warning",
           done.stdout, done.stderr)


def package(name):
    """The path of what was built under that name."""
    return glob.glob("%s/%s_*.deb" % (DEBS, name))[0]


def version(name):
    return os.path.basename(package(name)).split("_")[1]


def newer(name, share):
    """The same package once more, of a higher version."""
    tree = os.path.join(share, name)
    subprocess.run(["dpkg-deb", "-R", package(name), tree], check=True)
    path = os.path.join(tree, "DEBIAN", "control")
    with open(path, encoding="utf-8") as text:
        control = text.read()
    old = version(name)
    with open(path, "w", encoding="utf-8") as text:
        text.write(control.replace("Version: " + old, "Version: " + old + NEWER)
                   .replace("(= %s)" % old, "(= %s)" % (old + NEWER)))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, share], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
