# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A box that forwards between two veths: what goes in, what comes out, and who forwards.

    [tx] t0 ------ b0 [box] b1 ------ k0 [sink]
        CPU 0      forwarder on CPU 1

forward.py, paths.py and floors.py use it; methods.py and latency.py do by way of hops.py.
"""
import contextlib
import os
import signal
import time

from measure import Window, dropped, takes_xdp_frames, threads, waited_for_others
from lab import LabError, built, wait_for

# With a CPU for each of generator and forwarder nothing is left for the rest of
# the system: on two idle CPUs either forwarder waits 1 to 2 % of the time.
NOISE = 0.04
CONFIG = """interface b0, b1 { mode native }
default pass
rule all forward fallback drop udp
forwarder {
    wire b0 b1
    workers 1 cpus %s
    poll %s
    zero-copy off
}
"""
TESTPMD = ["dpdk-testpmd", "-l", "%s,%s", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
           "--vdev", "net_af_xdp0,iface=b0", "--vdev", "net_af_xdp1,iface=b1", "--", "-i",
           "--total-num-mbufs=16384", "--nb-cores=1", "--auto-start", "--forward-mode=io"]
XSK_FWD = ["-i", "b0", "-q", "0", "-i", "b1", "-q", "0"]
SINK, BACK = ("sink", "k0"), ("tx", "t0")


def build(lab, queues=1):
    """The namespaces and veths of the drawing."""
    lab.add("tx", "box", "sink")
    lab.veth("tx", "t0", "box", "b0", queues=queues)
    lab.veth("box", "b1", "sink", "k0", queues=queues)
    takes_xdp_frames(lab, ("tx", "t0"), ("box", "b0"), ("box", "b1"), ("sink", "k0"))


def two_cpus():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise LabError("this needs two CPUs, one of them for the generator")
    return str(cpus[0]), str(cpus[1])


def sunk(lab, sink=SINK):
    """Packets that the sink's XDP program has dropped."""
    return dropped(lab, *sink)


def sample(pids, count, seconds, one_cpu=False):
    """
    The rate of `count` over a window, and over the CPU time of the first process. Where one
    CPU is for all its threads, what they wait for each other is its own time, no disturbance.
    """
    before, window = threads(pids[0]), Window(pids, count)
    time.sleep(seconds)
    window.stop()
    rate = window.counted / window.seconds
    found = {"value": rate, "per_cpu": rate / window.ran[0], **window.noise()}
    if one_cpu:
        found["waited"] = waited_for_others(before, threads(pids[0])) / 1e9 / window.seconds
    return found


@contextlib.contextmanager
def generator(lab, cpu, seconds, *more):
    proc = lab.popen([built("sluice-gen"), "t0", "--json", "--cpus", cpu, "--sport",
                      "1024-1087", "--duration", str(seconds), *more], ns="tx")
    try:
        yield proc
    finally:
        lab.end(proc, signal.SIGINT)


def is_forwarding(lab, sink=SINK):
    before = sunk(lab, sink)
    return wait_for(lambda: sunk(lab, sink) > before + 1000, 10)


def start_fwd(lab, cpu, poll, wrap=()):
    return start_with(lab, CONFIG % (cpu, poll), wrap)


def start_with(lab, text, wrap=()):
    """Filter and forwarder of a configuration, in the box; the forwarder."""
    path = lab.file("forward.conf", text)
    lab.sluice("apply", path, ns="box")
    return lab.popen(list(wrap) + [built("sluice-fwd"), "-c", path, "--json"], ns="box")


@contextlib.contextmanager
def peer(lab, words):
    """A program that forwards until it is told `quit`, or interrupted; its process id."""
    with open(os.path.join(lab.dir, "peer.log"), "w+", encoding="utf-8") as log:
        proc = lab.popen(words, ns="box", stdin=-1, stdout=log, stderr=log)
        try:
            yield proc.pid
        except (LabError, OSError) as fault:
            log.seek(0)
            raise LabError("%s: %s\n%s" % (words[0], fault, log.read()[-2000:])) from None
        finally:
            with contextlib.suppress(OSError):
                proc.stdin.write("quit\n")
                proc.stdin.close()
            if not wait_for(lambda: proc.poll() is not None, 5):
                proc.send_signal(signal.SIGINT)
                wait_for(lambda: proc.poll() is not None, 10)
            lab.end(proc, signal.SIGKILL)
            for dev in ("b0", "b1"):
                lab.run(["ip", "link", "set", "dev", dev, "xdp", "off"], ns="box", check=False)
