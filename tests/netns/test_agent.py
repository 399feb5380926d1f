#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The forwarder's two processes: who may do what, how each ends, the control socket. Root.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]
                        \\_ wire _/
"""
import json
import os
import random
import signal
import socket
import stat
import time

from network import two_sides
from lab import Lab, built, wait_for
from tap import Tap
from test_forwarder import WIRE, Forwarder, accounted, datagram, passes
from test_stages import shared_object

SOCKETS = "/run/sluice/forwarder"
# Calls what the last byte of the packet's UDP payload names.
CALLER = """
#include <fcntl.h>
#include <signal.h>
#include <sluice/stage.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>
static void call(int which)
{
	if (which == 1)
		socket(AF_INET, SOCK_DGRAM, 0);
	else if (which == 2)
		open("/etc/passwd", O_RDONLY);
	else if (which == 3)
		execl("/bin/true", "true", (char *)0);
	else if (which == 4)
		kill(1, 0);
	else if (which == 5)
		mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else if (which == 6)
		ptrace(PTRACE_ATTACH, 1, 0, 0);
	else if (which == 7)
		fork();
	else if (which == 8)
		setuid(0);
}
static void process(void *state, const struct sl_stage_burst *burst)
{
	(void)state;
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct iovec *all = burst->packets[i].buffers;
		call(((const uint8_t *)all->iov_base)[all->iov_len - 1]);
	}
}
const struct sl_stage_object sluice_stage = { SL_STAGE_ABI, 0, 0, process, 0 };
"""
CALLS = ((1, "socket"), (2, "openat"), (3, "execve"), (4, "kill"), (5, "mmap"), (6, "ptrace"),
         (7, "clone"), (8, "setuid"))


def status_of(pid):
    with open("/proc/%d/status" % pid) as text:
        return dict(line.rstrip("\n").split(":\t", 1) for line in text if ":\t" in line)


def descriptors(pid):
    """What the process has open, without the numbers: 'socket', 'anon_inode', a path."""
    names = [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
    return sorted(name.split("[")[0].rstrip(":") for name in names)


def separate(tap):
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        agent, data = forwarder.proc.pid, forwarder.plane()
        tap.ok(wait_for(lambda: int(status_of(agent)["CapEff"], 16) == 0),
               "separate: the agent has no capability effective", status_of(agent)["CapEff"])
        seen = status_of(data)
        tap.equal([seen[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
                  ["0" * 16] * 5, "separate: the data plane has none at all")
        for task in os.listdir("/proc/%d/task" % data):
            with open("/proc/%d/task/%s/status" % (data, task)) as text:
                lines = text.read()
            tap.contains(lines, ["NoNewPrivs:\t1\n", "Seccomp:\t2\n", "CapPrm:\t" + "0" * 16],
                         "separate: each of its threads: no new privileges, seccomp")
        with open("/proc/%d/maps" % agent) as text:
            maps = text.read()
        tap.ok("sluice-umem" not in maps and "AF_XDP" not in maps and "[XDP]" not in maps,
               "separate: the agent has no frame mapped")
        with open("/proc/%d/maps" % data) as text:
            tap.contains(text.read(), ["sluice-umem"], "separate: the data plane has")
        named = [name for name in descriptors(data) if name.startswith("/")
                 and not name.startswith(("/dev/null", "/memfd:", lab.dir))]
        tap.ok(not [n for n in named if not n.startswith("/dev/pts")],
               "separate: the data plane has no file open", descriptors(data))
        tap.ok("anon_inode:bpf-map" in descriptors(agent), "separate: the agent has the maps",
               descriptors(agent))
        tap.ok("anon_inode:bpf-map" not in descriptors(data), "separate: it has not",
               descriptors(data))
        tap.equal(passes(lab), 200, "separate: datagrams pass")
        accounted(tap, "separate: ", *forwarder.stop())


def marked(which):
    return datagram(7, 1)[:-1] + bytes([which])


def forbidden(tap):
    """Each call is refused and named; the filter goes on, and the next start works."""
    with Lab() as lab:
        two_sides(lab)
        text = WIRE.replace("zero-copy auto", 'zero-copy auto; stage "caller.so"')
        shared_object(lab, "caller.so", CALLER)
        lab.apply(text, ns="box")
        for which, name in CALLS:
            forwarder = Forwarder(lab, text)
            lab.send("peer", "peer0", [marked(which)])
            tap.ok(wait_for(lambda f=forwarder: f.proc.poll() is not None),
                   "forbidden: %s: the forwarder ends" % name)
            tap.equal(forwarder.proc.poll(), 3, "forbidden: %s: its exit status" % name)
            tap.contains(forwarder.messages(), ["system call " + name, "not allowed"],
                         "forbidden: %s: is named" % name)
        forwarder = Forwarder(lab, text)
        tap.equal(passes(lab), 200, "forbidden: the next one forwards")
        accounted(tap, "forbidden: ", *forwarder.stop())


def died(tap):
    """kill -9 of either: the other follows at once, nothing is left, the next start works."""
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        os.kill(forwarder.plane(), signal.SIGKILL)
        tap.ok(wait_for(lambda: forwarder.proc.poll() is not None, 2),
               "died: the agent ends with its data plane")
        tap.equal(forwarder.proc.poll(), 3, "died: exit status")
        tap.contains(forwarder.messages(), ["data plane", "signal 9", "fallback"], "died: is told")
        begin = time.monotonic()
        forwarder.start()
        tap.equal(passes(lab), 200, "died: the next one forwards")
        data = forwarder.plane()
        forwarder.proc.kill()
        forwarder.proc.wait(5)
        tap.ok(wait_for(lambda: not os.path.exists("/proc/%d" % data), 2),
               "died: the data plane ends with its agent")
        begin = time.monotonic()
        forwarder.start()
        took = time.monotonic() - begin
        tap.ok(took < 5 if "SLUICE_GUEST" in os.environ else took < 1,
               "died: a start after kill -9 takes less than a second", took)
        tap.equal(len(sockets(lab)), 1, "died: no control socket is left of it")
        accounted(tap, "died: ", *forwarder.stop())
        tap.equal(sockets(lab), [], "died: nor of one that ended")
        tap.equal(lab.leftovers(), [], "died: down leaves nothing behind")


def sockets(lab, ns="box"):
    """Control sockets of a namespace."""
    begin = "%d-" % lab.spaces[ns]
    names = os.listdir(SOCKETS) if os.path.isdir(SOCKETS) else []
    return [os.path.join(SOCKETS, name) for name in names if name.startswith(begin)]


def ask(path, line, timeout=10):
    """All that is answered until the end of the connection's patience."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout)
        sock.connect(path)
        got = b""
        try:
            sock.sendall(line)
            while data := sock.recv(65536):
                got += data
        except (BrokenPipeError, ConnectionResetError):
            pass
    return got


def hostile(tap, lab, forwarder, path):
    """Nothing that is sent there hurts, or holds up who asks properly."""
    draw = random.Random(int(os.environ.get("SLUICE_SEED", "1")))
    lines = [b"\n", b"{}\n", b"[]\n", b'"stats"\n', b'{"request":7}\n', b'{"request":null}\n',
             b'{"request":"no such"}\n', b'{"request":"handover"}\n', b"[" * 60000 + b"\n",
             b'{"request":"handover","plan":"' + b"x" * 60000 + b'"}\n',
             b'{"request":"handover","plan":{}}\n', b"\0" * 100 + b"\n",
             b'{"request":"sta\xff\xfets"}\n']
    lines += [bytes(draw.randrange(256) for _ in range(draw.randrange(200))) + b"\n"
              for _ in range(200)]
    refused = [ask(path, line) for line in lines]
    tap.ok(all(b'"error"' in answer and answer.endswith(b"\n") for answer in refused),
           "hostile: each of %d bad requests gets an error" % len(lines),
           [answer for answer in refused if b'"error"' not in answer][:3])
    tap.equal(ask(path, b"x" * 70000), b"", "hostile: a request without an end is cut off")
    silent = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    for sock in silent:
        sock.connect(path)
    time.sleep(0.2)
    tap.equal(passes(lab), 200, "hostile: silent clients hold no packet up")
    began = time.monotonic()
    answer = wait_for(lambda: ask(path, b'{"request":"stats"}\n'), 8, 0.2)
    tap.ok(answer and b'"pid"' in answer, "hostile: they are dropped for who asks",
           time.monotonic() - began)
    for sock in silent:
        sock.close()
    tap.equal(forwarder.proc.poll(), None, "hostile: it runs on")


def one_refuses(tap, lab, path):
    """Another at whose socket nobody can connect: who asks hears of it, and of the rest."""
    pid = int(path.split("-")[-1].split(".")[0])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind("%s/%d-1.sock" % (SOCKETS, lab.spaces["box"]))
        try:
            done = lab.sluice("stats", "--json", ns="box")
            tap.equal([f["pid"] for f in json.loads(done.stdout)["forwarders"]], [pid],
                      "one refuses: the others answer")
            tap.contains(done.stderr, ["forwarder 1: ", "wrong type"], "one refuses: it is named")
            done = lab.run([built("sluice-fwd"), "--ctl", "stats"], ns="box", check=False)
            tap.equal((done.returncode, '"pid":%d,' % pid in done.stdout,
                       "forwarder 1: " in done.stderr), (3, True, True),
                      "one refuses: sluice-fwd --ctl says both")
        finally:
            os.unlink(other.getsockname())


STRANGER = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
try:
    sock.sendall(b'{"request":"stats"}\\n')
    print(sock.recv(100))
except (BrokenPipeError, ConnectionResetError):
    print(b"")
"""


def control(tap):
    with Lab() as lab:
        two_sides(lab)
        lab.apply(WIRE, ns="box")
        forwarder = Forwarder(lab)
        tap.ok(wait_for(lambda: sockets(lab)), "control: the socket is there")
        path = sockets(lab)[0]
        tap.equal((stat.S_IMODE(os.stat(path).st_mode), stat.S_IMODE(os.stat(SOCKETS).st_mode)),
                  (0o600, 0o700), "control: it is root's alone")
        tap.ok(path.endswith("-%d.sock" % forwarder.proc.pid), "control: its name has the process",
               path)
        stranger = ["setpriv", "--reuid", "65534", "--inh-caps", "+dac_override",
                    "--ambient-caps", "+dac_override", "/usr/bin/python3",
                    lab.file("stranger.py", STRANGER), path]
        tap.equal(lab.output(stranger).strip(), "b''",
                  "control: another user who gets there is not answered")
        tap.equal(passes(lab), 200, "control: datagrams pass")
        done = lab.run([built("sluice-fwd"), "--ctl", "stats"], ns="box")
        first, second = [json.loads(line) for line in done.stdout.splitlines()]
        tap.equal((first["pid"], first["config"], [i["name"] for i in first["interfaces"]]),
                  (forwarder.proc.pid, forwarder.config, ["box0", "box1"]),
                  "control: stats: who answers")
        tap.equal((second["accounted"], second["workers"][0]["ports"][0]["rx"]["packets"]),
                  (True, 200), "control: stats: of the data plane")
        told = lab.sluice_json("stats", "--json", ns="box")["forwarders"]
        tap.equal([(f["pid"], f["ledger"]["unexplained"]) for f in told],
                  [(forwarder.proc.pid, 0)], "control: sluice stats has its ledger")
        box0 = told[0]["ledger"]["interfaces"][0]
        want = {"name": "box0", "seen": 200, "unseen": 0, "forwarded": 200, "received": 200,
                "lost": 0, "waiting": 0, "unexplained": 0, "sent": 0}
        tap.equal({key: box0.get(key) for key in want}, want, "control: of each interface")
        tap.contains(lab.sluice("stats", ns="box").stdout, [
            "box0            box1", "seen by filter             200",
            "in all: received 200 = sent 200 + dropped 0; unexplained 0"],
                     "control: as text, too")
        one_refuses(tap, lab, path)
        hostile(tap, lab, forwarder, path)
        done = lab.run([built("sluice-fwd"), "--ctl", "stop"], ns="box")
        tap.equal(json.loads(done.stdout), {"ok": True}, "control: stop is answered")
        tap.ok(wait_for(lambda: forwarder.proc.poll() is not None), "control: and it stops")
        accounted(tap, "control: ", *forwarder.stop())
        done = lab.run([built("sluice-fwd"), "--ctl", "stats"], ns="box", check=False)
        tap.equal(done.returncode, 3, "control: nobody is there any more")
        tap.contains(done.stderr, ["find a forwarder"], "control: which is told")


def main():
    tap = Tap()
    for name, test in (("separate", separate), ("forbidden", forbidden), ("died", died),
                       ("control", control)):
        with tap.case(name + ": to the end"):
            test(tap)
    tap.done()


if __name__ == "__main__":
    main()
