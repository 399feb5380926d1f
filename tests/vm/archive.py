# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Debian's kernels and QEMUs, fetched by package into a cache of the lab's own.

A release is looked at through an apt root below the cache: its sources lists,
its package lists. The machine's /etc/apt is read, never changed; the mirrors
are those it names. Packages are unpacked, not installed, and versions are
looked up, not pinned.

    archive = Archive(cache)
    kernel = archive.kernel("6.12")      # a Kernel: unpacked, with modules.dep
    emulator = archive.emulator(10)      # a Qemu of at least that version

Unavailable says what cannot be had and why. Any number of processes may share
a cache.
"""
import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections import namedtuple

# release: the kernel's own name for itself, as below lib/modules.
Kernel = namedtuple("Kernel", "release folder image")
# folder: a Debian whose /usr/src has the headers, and linux-source-<base>.tar.xz.
Development = namedtuple("Development", "release folder base")
# prefix: what stands before its arguments, environment: what it needs besides the user's.
Qemu = namedtuple("Qemu", "prefix environment version")

# Name -> (Debian release that has it, what its release strings look like).
KERNELS = {
    "6.1": ("bookworm", r"6\.1\.[\d.-]+-amd64"),
    "6.12": ("bookworm", r"6\.12\.[\d.]+\+deb12[\d.]*-amd64"),
    "6.12-rt": ("bookworm", r"6\.12\.[\d.]+\+deb12[\d.]*-rt-amd64"),
    "newest": ("trixie", r"\d+\.\d+\.[\d.]+\+deb13[\d.]*-amd64"),
}
# What a Debian needs to boot, to run the tools and to be tested.
SYSTEM = ("systemd-sysv", "udev", "dbus", "kmod", "procps", "iproute2", "ethtool", "python3",
          "libxdp1", "libbpf1", "libjansson4", "libcap-ng0", "libpcap0.8", "libmnl0",
          "libseccomp2", "libsystemd0", "libmicrohttpd12", "libncursesw6")
# What builds a module there, and checks and installs it.
DEVELOPMENT = ("make", "sparse", "dkms", "patch", "xz-utils", "kmod")
KEYRING = "/usr/share/keyrings/debian-archive-keyring"
LISTS_SECONDS = 86400  # a kernel a day old will do
# A mirror may list what it has not got yet: the next older one then.
TRIES = 3
APT_SECONDS = 900  # for 200 MB from a slow mirror


class Unavailable(Exception):
    """It cannot be had here; the text says what and why."""


def _run(argv, seconds=APT_SECONDS, **options):
    """Output of a command; Unavailable with its last line of complaint if it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace",
                              timeout=seconds, check=False, **options)
    except FileNotFoundError as missing:
        raise Unavailable("%s: not installed" % argv[0]) from missing
    except subprocess.TimeoutExpired as late:
        raise Unavailable("%s: not done after %d s" % (argv[0], seconds)) from late
    if done.returncode != 0:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise Unavailable("%s: %s" % (argv[0], said[-1] if said else "exit %d" % done.returncode))
    return done.stdout


def _order(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def _mirrors():
    """(archive, security archive or None) that the machine's sources name."""
    seen = set(re.findall(r"^'(\S+)/dists/(\S+)/InRelease'",
                          _run(["apt-get", "update", "--print-uris"]), re.M))
    # The archive is what has a suite and its updates: a third party's has not both.
    main = [base for base, suite in sorted(seen) if (base, suite + "-updates") in seen]
    security = [base for base, suite in sorted(seen)
                if suite.endswith("-security") and (main and suite[:-9] in
                                                    {s for b, s in seen if b == main[0]})]
    if not main:
        raise Unavailable("apt's sources name no Debian archive with its updates")
    return main[0], security[0] if security else None


class Archive:
    def __init__(self, cache):
        self.cache = os.path.abspath(cache)
        os.makedirs(self.cache, exist_ok=True)

    @contextlib.contextmanager
    def _lock(self):
        with open(os.path.join(self.cache, "lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # ---- apt --------------------------------------------------------------

    def _root(self, release):
        return os.path.join(self.cache, "apt-" + release)

    def _apt(self, release, tool, *args, **options):
        root = self._root(release)
        settings = {"Dir::Etc::sourcelist": root + "/sources.list", "Dir::Etc::sourceparts": "-",
                    "Dir::Etc::preferences": "-", "Dir::Etc::preferencesparts": "-",
                    "Dir::State::lists": root + "/lists", "Dir::Cache": root + "/cache",
                    "Acquire::Languages": "none", "APT::Sandbox::User": "root",
                    "Acquire::Retries": "2"}
        words = [word for key, value in settings.items() for word in ("-o", key + "=" + value)]
        return _run([tool, "-q"] + words + list(args), **options)

    def _update(self, release):
        """Package lists of at most a day's age."""
        root = self._root(release)
        stamp = os.path.join(root, "updated")
        if os.path.exists(stamp) and time.time() - os.path.getmtime(stamp) < LISTS_SECONDS:
            return
        for folder in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(root, folder), exist_ok=True)
        key = next((k for k in (KEYRING + ".gpg", KEYRING + ".pgp") if os.path.exists(k)), None)
        if not key:
            raise Unavailable("%s.gpg: not there (package debian-archive-keyring)" % KEYRING)
        main, security = _mirrors()
        suites = [(main, release + end) for end in ("", "-updates", "-backports")]
        if security:
            suites.append((security, release + "-security"))
        with open(os.path.join(root, "sources.list"), "w", encoding="ascii") as out:
            out.writelines("deb [signed-by=%s] %s %s main\n" % (key, *suite) for suite in suites)
        self._apt(release, "apt-get", "update", "--error-on=any")
        with open(stamp, "w", encoding="ascii"):
            pass

    def _unpack(self, release, packages, folder):
        """Downloads packages and unpacks them below `folder`."""
        debs = folder + ".debs"
        shutil.rmtree(debs, ignore_errors=True)
        os.makedirs(debs)
        try:
            self._apt(release, "apt-get", "download", *packages, cwd=debs)
            for deb in sorted(glob.glob(debs + "/*.deb")):
                _run(["dpkg", "-x", deb, folder])
        finally:
            shutil.rmtree(debs)

    def _made(self, name, make):
        """cache/name, which make(path) fills unless it is there; whole or not at all."""
        folder = os.path.join(self.cache, name)
        if os.path.isdir(folder):
            return folder
        growing = folder + ".new"
        shutil.rmtree(growing, ignore_errors=True)
        os.makedirs(growing)
        make(growing)
        os.rename(growing, folder)
        return folder

    # ---- kernels ----------------------------------------------------------

    def _kernels(self, release, pattern):
        """{release string: its packages}, of those that can be downloaded."""
        name = re.compile(r"linux-(image|binary|modules)-(%s)(-unsigned)?" % pattern)
        names = [n for n in self._apt(release, "apt-cache", "pkgnames", "linux-").split()
                 if name.fullmatch(n)]
        if not names:
            return {}
        # pkgnames also knows names that are only referred to; show does not.
        shown = self._apt(release, "apt-cache", "show", "--no-all-versions", *names)
        there = set(re.findall(r"^Package: (\S+)", shown, re.M))
        found = {}
        for one in {name.fullmatch(n).group(2) for n in there}:
            # Newer ones have image and modules in packages of their own, and link them.
            for packages in (["linux-binary-" + one, "linux-modules-" + one],
                             ["linux-image-" + one], ["linux-image-" + one + "-unsigned"]):
                if there.issuperset(packages):
                    found[one] = packages
                    break
        return found

    def _kernel(self, name):
        release, pattern = KERNELS[name]
        self._update(release)
        found = self._kernels(release, pattern)
        if not found:
            raise Unavailable("kernel %s: no package of that name in %s" % (name, release))
        why = None
        for one in sorted(found, key=_order, reverse=True)[:TRIES]:
            def make(folder, one=one):
                self._unpack(release, found[one], folder)
                usr = os.path.join(folder, "usr/lib/modules")
                if os.path.isdir(usr):  # packages since the merge of /usr
                    os.makedirs(folder + "/lib", exist_ok=True)
                    os.rename(usr, folder + "/lib/modules")
                _run(["depmod", "-b", folder, one])
            try:
                return one, self._made("kernel-" + one, make)
            except Unavailable as fault:
                why = why or fault
        raise Unavailable("kernel %s: %s" % (name, why))

    def kernel(self, name):
        """The newest kernel of a name in KERNELS."""
        with self._lock():
            release, folder = self._kernel(name)
        images = glob.glob(folder + "/boot/vmlinu*") + glob.glob(
            "%s/lib/modules/%s/vmlinuz" % (folder, release))
        if not images:
            raise Unavailable("kernel %s: its package has no image" % release)
        return Kernel(release, folder, images[0])

    def _development(self, name):
        release = KERNELS[name][0]
        kernel, _ = self._kernel(name)
        base = re.match(r"\d+\.\d+", kernel).group(0)
        shown = self._apt(release, "apt-cache", "show", "--no-all-versions",
                          "linux-headers-" + kernel)
        version = re.search(r"^Version: (\S+)", shown, re.M).group(1)
        packages = DEVELOPMENT + ("linux-headers-" + kernel,
                                  "linux-source-%s=%s" % (base, version))

        return Development(kernel, self._debian("debian-" + kernel, release, packages), base)

    def _debian(self, name, release, packages):
        def make(folder):
            # In a mount namespace of its own: should it be killed, the machine's /dev/shm, which
            # it mounts there, is not below `folder` when that is removed.
            _run(["unshare", "--mount", "mmdebstrap", "--variant=minbase",
                  "--aptopt=APT::Install-Recommends \"false\"",
                  "--include=" + ",".join(packages), release, folder,
                  self._root(release) + "/sources.list"])
        return self._made(name, make)

    def system(self, release="bookworm"):
        """A Debian that boots, of SYSTEM; its folder."""
        with self._lock():
            self._update(release)
            mark = hashlib.sha256(" ".join(SYSTEM).encode()).hexdigest()[:8]
            return self._debian("system-%s-%s" % (release, mark), release, SYSTEM)

    def development(self, name):
        """A Debian with compiler, headers and source of the kernel that kernel(name) is."""
        with self._lock():
            return self._development(name)

    def clean(self, release, packages):
        """A small Debian of a release, with these packages and what they need; its folder."""
        mark = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
        with self._lock():
            self._update(release)
            return self._debian("clean-%s-%s" % (release, mark), release, packages)

    # ---- QEMU -------------------------------------------------------------

    def emulator(self, version=0):
        """QEMU for x86 of at least a major version: the machine's, or backports'."""
        program = "qemu-system-x86_64"
        installed = Qemu([program], {}, self._version([program], {}))
        if installed.version >= version:
            return installed
        with self._lock():
            self._update("bookworm")
            folder = self._made("qemu-%d" % version, self._unpack_qemu)
        libraries = ":".join(folder + end for end in ("/usr/lib/x86_64-linux-gnu",
                                                      "/lib/x86_64-linux-gnu"))
        prefix = [folder + "/usr/bin/" + program]
        for data in ("qemu", "seabios"):
            prefix += ["-L", folder + "/usr/share/" + data]
        environment = {"LD_LIBRARY_PATH": libraries}
        found = self._version(prefix[:1], environment)
        if found < version:
            raise Unavailable("QEMU %d: bookworm-backports has %d" % (version, found))
        return Qemu(prefix, environment, found)

    def _unpack_qemu(self, folder):
        """What the machine misses of it; its other libraries are the machine's."""
        plan = self._apt("bookworm", "apt-get", "install", "--simulate",
                         "--no-install-recommends", "-t", "bookworm-backports",
                         "qemu-system-x86")
        missing = re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", plan, re.M)
        self._unpack("bookworm", ["%s=%s" % package for package in missing], folder)

    @staticmethod
    def _version(prefix, environment):
        said = _run(prefix + ["--version"], env=dict(os.environ, **environment))
        found = re.search(r"version (\d+)", said)
        return int(found.group(1)) if found else 0
