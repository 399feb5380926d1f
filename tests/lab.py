# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Network namespaces for the tests (root).

    with Lab() as lab:
        lab.add("peer", "box")                  # two namespaces
        lab.veth("peer", "p0", "box", "b0")     # p0 <-> b0, both up
        lab.sluice("apply", conf, ns="box")
        lab.send("peer", "p0", frames)

Names of namespaces carry the process id and a random part, so tests may run
side by side. Whatever happens (an exception, SIGTERM, SIGINT) the lab ends the
processes that it started, takes down what Sluice attached in its namespaces
and deletes them. leftovers() tells what Sluice has left behind on its bpffs.

Nothing here touches the namespace the test was started in, except for the
names below /run/netns.
"""
import atexit
import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build")))
PINS = "/run/sluice/bpf"
EMULATED = "SLUICE_GUEST" in os.environ  # in tests/vm's guest: no speed is to be expected
PATIENCE = 5 if EMULATED else 1  # of what is awaited; clang takes half a minute there
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python does not name it
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """A command of the set-up failed, or took too long."""


def built(name):
    """The path of something in build/; LabError if it has not been built."""
    path = os.path.join(BUILD, name)
    if not os.path.exists(path):
        raise LabError("%s: not built; run `make`" % path)
    return path


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, "setns: " + os.strerror(code))


def wait_for(predicate, timeout=5.0, interval=0.02):
    """Polls until predicate() is true; its last value (false: timed out)."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = predicate()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(interval)


def children(pid):
    """The processes that a process has started; [] when it is gone."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []


class Lab:
    def __init__(self):
        if os.geteuid() != 0:
            raise LabError("the lab makes network namespaces: run as root")
        self.tag = "sl%d%s" % (os.getpid(), secrets.token_hex(2))
        self.pid = os.getpid()
        self.spaces = {}  # short name -> inode of the network namespace
        self.procs = []
        self.ends = 0  # veth ends so far: the last byte of their MAC addresses
        self.used_sluice = set()
        self.closed = False
        # 0755, so that a test which drops its user can read the files.
        self.dir = tempfile.mkdtemp(prefix=self.tag + "-")
        os.chmod(self.dir, 0o755)
        # Of the commands that run here, as in a namespace that is the machine's own.
        os.environ["SLUICE_HISTORY"] = os.path.join(self.dir, "history")
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # As an exception: `finally` and `with` then clean up in order.
            signal.signal(number, lambda n, _frame: sys.exit(128 + n))

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    # ---- namespaces -------------------------------------------------------

    def name(self, short):
        return "%s-%s" % (self.tag, short)

    def add(self, *shorts, ipv6=False):
        """
        Adds namespaces. Without `ipv6` none of their interfaces ever speaks
        IPv6, so no neighbour or multicast report spoils an exact count.
        """
        for short in shorts:
            self.run(["ip", "netns", "add", self.name(short)])
            self.spaces[short] = os.stat("/run/netns/" + self.name(short)).st_ino
            self.run(["ip", "link", "set", "lo", "up"], ns=short)
            off = "0" if ipv6 else "1"
            for key, value in (("disable_ipv6", off), ("accept_dad", "0"),
                               ("router_solicitations", "0"), ("autoconf", "0")):
                for scope in ("all", "default"):
                    self.sysctl(short, "net.ipv6.conf.%s.%s" % (scope, key), value)

    def sysctl(self, short, key, value):
        path = "/proc/sys/" + key.replace(".", "/")
        self.run(["sh", "-c", 'if [ -e "$1" ]; then echo "$2" > "$1"; fi', "sh",
                  path, str(value)], ns=short)

    def remove(self, short):
        """Deletes one namespace and all in it."""
        self.spaces.pop(short, None)
        subprocess.run(["ip", "netns", "del", self.name(short)],
                       stderr=subprocess.DEVNULL, timeout=30, check=False)

    def veth(self, ns_a, if_a, ns_b, if_b, mtu=1500, queues=1):
        """
        A pair with both ends up: GRO on (native XDP redirect into a veth needs
        it on the receiving peer), transmit checksums and tag offloads off
        (XDP must see whole packets), and no queueing discipline to drop.
        """
        size = ["numrxqueues", str(queues), "numtxqueues", str(queues)]
        self.run(["ip", "link", "add", if_a, "netns", self.name(ns_a), "mtu", str(mtu)]
                 + size + ["type", "veth", "peer", "name", if_b, "netns", self.name(ns_b),
                           "mtu", str(mtu)] + size)
        for ns, dev in ((ns_a, if_a), (ns_b, if_b)):
            self.ends += 1
            self.run(["ip", "link", "set", dev, "address",
                      "02:00:00:00:00:%02x" % self.ends], ns=ns)
            self.run(["ethtool", "-K", dev, "gro", "on", "tx", "off", "tso", "off", "gso",
                      "off", "txvlan", "off", "rxvlan", "off"], ns=ns)
        # Up after GRO is on at both: a veth that opens looks at its peer's GRO once, and
        # else takes no redirected frames (NETDEV_XDP_ACT_NDO_XMIT is missing).
        for ns, dev in ((ns_a, if_a), (ns_b, if_b)):
            self.run(["ip", "link", "set", dev, "addrgenmode", "none", "up"], ns=ns)
        for ns, dev in ((ns_a, if_a), (ns_b, if_b)):
            if not wait_for(lambda ns=ns, dev=dev: "state UP" in self.output(
                    ["ip", "-o", "link", "show", "dev", dev], ns=ns)):
                raise LabError("%s: did not come up" % dev)

    def address(self, ns, dev, *prefixes):
        for prefix in prefixes:
            nodad = ["nodad"] if ":" in prefix else []
            self.run(["ip", "addr", "add", prefix, "dev", dev] + nodad, ns=ns)

    def mac(self, ns, dev):
        """The interface's MAC address as 6 bytes."""
        text = json.loads(self.output(["ip", "-j", "link", "show", "dev", dev], ns=ns))
        return bytes.fromhex(text[0]["address"].replace(":", ""))

    def link(self, ns, dev):
        """What `ip -j -d link show` says of one interface; None: not there."""
        done = self.run(["ip", "-j", "-d", "link", "show", "dev", dev], ns=ns, check=False)
        return json.loads(done.stdout)[0] if done.returncode == 0 else None

    # ---- processes --------------------------------------------------------

    def _argv(self, cmd, ns):
        cmd = [str(word) for word in cmd]
        return ["ip", "netns", "exec", self.name(ns)] + cmd if ns else cmd

    def run(self, cmd, ns=None, timeout=30, check=True, stdin=None, env=None):
        """
        Runs a command to its end; its CompletedProcess, with text in stdout
        and stderr. LabError when it fails (with check) or takes longer.
        """
        argv = self._argv(cmd, ns)
        timeout *= PATIENCE
        try:
            done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout,
                                  text=True, errors="replace", check=False,
                                  env=dict(os.environ, **env) if env else None)
        except subprocess.TimeoutExpired as late:
            raise LabError("%s: still running after %s s" % (" ".join(argv), timeout)) from late
        if check and done.returncode != 0:
            raise LabError("%s: exit %d\n%s%s" % (" ".join(argv), done.returncode,
                                                  done.stdout, done.stderr))
        return done

    def output(self, cmd, ns=None, **options):
        return self.run(cmd, ns=ns, **options).stdout

    def popen(self, cmd, ns=None, **options):
        """Starts a command that close() ends; text pipes unless said otherwise."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.STDOUT)
        options.setdefault("text", True)
        # `ip netns exec` becomes the command, so the pid is the command's own.
        proc = subprocess.Popen(self._argv(cmd, ns), start_new_session=True, **options)
        self.procs.append(proc)
        return proc

    def end(self, proc, number=signal.SIGTERM, timeout=10):
        """Signals a process and waits; its exit status (-N: by signal N)."""
        if proc.poll() is None:
            proc.send_signal(number)
        try:
            return proc.wait(timeout)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait(5)
            raise LabError("pid %d: did not end within %s s of signal %d" % (
                proc.pid, timeout, number)) from None

    def file(self, name, content):
        """Writes a file in the lab's own directory; its path."""
        path = os.path.join(self.dir, name)
        with open(path, "wb" if isinstance(content, bytes) else "w") as out:
            out.write(content)
        return path

    # ---- Sluice -----------------------------------------------------------

    def sluice(self, *args, ns=None, check=True, timeout=60):
        """Runs the command `sluice`, in a namespace if given."""
        if ns:
            self.used_sluice.add(ns)
        return self.run([built("sluice")] + list(args), ns=ns, check=check, timeout=timeout)

    def sluice_json(self, *args, ns=None):
        return json.loads(self.sluice(*args, ns=ns).stdout)

    def apply(self, text, ns, name="sluice.conf", **options):
        """Whatever it cuts off (--force): ARP is of no use to most tests."""
        return self.sluice("apply", "--force", self.file(name, text), ns=ns, **options)

    def stats(self, ns, dev):
        """One interface of `sluice stats --json`."""
        for found in self.sluice_json("stats", "--json", ns=ns)["interfaces"]:
            if found["name"] == dev:
                return found
        raise LabError("sluice stats: no interface %s" % dev)

    def pins(self, ns):
        """Paths on Sluice's bpffs that carry the namespace's inode."""
        inode = self.spaces[ns] if ns in self.spaces else ns
        return [os.path.join(top, name) for top, dirs, files in os.walk(PINS)
                for name in dirs + files if str(inode) in os.path.join(top, name)]

    def leftovers(self):
        """`sluice down` in every namespace; the files and XDP programs that remain."""
        left = []
        for ns in sorted(self.used_sluice & set(self.spaces)):
            self.sluice("down", ns=ns, check=False)
            left += [path for path in self.pins(ns) if not os.path.isdir(path)]
            links = json.loads(self.output(["ip", "-j", "-d", "link"], ns=ns))
            left += ["%s: %s" % (link["ifname"], link["xdp"]) for link in links
                     if link.get("xdp", {}).get("mode")]
        return left

    # ---- frames -----------------------------------------------------------

    def within(self, ns, function, *args):
        """Calls function() with this thread inside a namespace."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open("/run/netns/" + self.name(ns), os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
            try:
                return function(*args)
            finally:
                _setns(here)
        finally:
            os.close(here)
            os.close(there)

    def packet_socket(self, ns, dev, receive=False):
        """An AF_PACKET socket on an interface; it receives only if asked to."""
        def make():
            proto = socket.htons(3) if receive else 0  # ETH_P_ALL
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, proto)
            sock.bind((dev, 3 if receive else 0))
            return sock
        sock = self.within(ns, make)
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        sock.settimeout(5)
        return sock

    def ping(self, ns, address, count=5, timeout=1.0, size=0):
        """
        How many of `count` echo requests with `size` bytes are answered, each
        within `timeout` seconds. By hand, because ping is not in every installation.
        """
        six = ":" in address
        family, proto, request, reply = (socket.AF_INET6, 58, 128, 129) if six else (
            socket.AF_INET, 1, 8, 0)
        sock = self.within(ns, socket.socket, family, socket.SOCK_RAW, proto)
        answered = 0
        with sock:
            for number in range(count):
                echo = struct.pack("!BBHHH", request, 0, 0, self.pid & 0xffff, number)
                total = sum(struct.unpack("!4H", echo))
                if not six:  # the kernel fills in ICMPv6's, which covers the addresses too
                    total = (total & 0xffff) + (total >> 16)
                    echo = echo[:2] + struct.pack("!H", ~total & 0xffff) + echo[4:]
                echo += bytes(size)  # zeros, which no checksum sees
                sock.sendto(echo, (address, 0))
                answered += self._echo(sock, bytes([reply, 0]), echo[4:], timeout)
        return answered

    @staticmethod
    def _echo(sock, kind, rest, timeout):
        """Waits for the one answer that carries `rest`."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                got = sock.recv(65536)
            except socket.timeout:
                return False
            got = got[20:] if sock.family == socket.AF_INET else got
            if got[:2] == kind and got[4:] == rest:
                return True
        return False

    def send(self, ns, dev, frames):
        """
        Sends frames (bytes) out of an interface and returns how many. Paused
        every 128, so that the 256 entries of a veth ring never overflow.
        """
        count = 0
        with self.packet_socket(ns, dev) as sock:
            for frame in frames:
                sock.send(bytes(frame))
                count += 1
                if count % 128 == 0:
                    time.sleep(0.002)
        return count

    # ---- the end ----------------------------------------------------------

    def close(self):
        # A forked child (multiprocessing) must not take its parent's lab down.
        if self.closed or os.getpid() != self.pid:
            return
        self.closed = True
        for proc in self.procs:
            self._reap(proc)
        for ns in list(self.spaces):
            if ns in self.used_sluice:
                try:
                    self.sluice("down", ns=ns, check=False, timeout=20)
                except LabError as fault:
                    print("# lab: sluice down: %s" % fault, file=sys.stderr)
        stale = [path for ns in list(self.spaces) for path in self.pins(ns)]
        for ns in list(self.spaces):
            self.remove(ns)
        # A pin would outlive its namespace, and inodes of namespaces are used again.
        for path in reversed(stale):
            with contextlib.suppress(OSError):
                (os.rmdir if os.path.isdir(path) else os.unlink)(path)
        shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def _reap(proc):
        if proc.poll() is None:
            proc.terminate()
            try:
                proc.wait(3)
            except subprocess.TimeoutExpired:
                proc.kill()
                proc.wait(5)
        for pipe in (proc.stdin, proc.stdout, proc.stderr):
            if pipe:
                pipe.close()
