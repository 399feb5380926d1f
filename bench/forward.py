#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sluice-fwd against dpdk-testpmd, xdpsock and xsk_fwd, on veth in copy mode (root).

    forward.py [--rounds N] [--noise SHARE]

    [tx] t0 ------ b0 [box] b1 ------ k0 [sink] drop.bpf.o
        CPU 0      forwarder on CPU 1

Each in turn forwards what the generator sends as fast as it can; what the sink's
end of the veth takes is counted. Both forwarders are pinned to one CPU, which
the generator does not use. Beside the rate it takes the user-space CPU time a
packet (what the kernel spends to receive and send is the same for all), and
sluice-fwd's system calls a packet, by its own statistics and, in a run of its
own, by strace.

Mpps/CPU is packets over the CPU time that the forwarder got, its rate with a
CPU to itself: it stands where --noise lets rounds through in which it waited.

Beside them what the parts of forwarding cost by themselves (floors.py), unless it is a quick
run, which has frames of 64 bytes only.

xdpsock and xsk_fwd are not packaged: XDPSOCK and XSK_FWD name binaries. xdpsock
sends back where it received, so its sink is the generator's end of the veth.
"""
import json
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import (Window, attach, arguments, column, finish, median, rounds, running, table)
import floors
from box import (BACK, NOISE, SINK, TESTPMD, XSK_FWD, build, generator, is_forwarding, peer,
                 start_fwd, sunk, two_cpus)
from lab import Lab, LabError, children, wait_for
from result import FLOOR, OURS, PEER

SECONDS = 2.0
ROUNDS, SIZE_ROUNDS, QUICK_ROUNDS = 7, 5, 5
SIZES = (64, 256, 1024, 1500)  # of a frame, without FCS; of the first the targets are judged
TARGET = 1.0
USER_TARGET = 0.7
SYSCALLS_TARGET = 1 / 32
SAMPLES_HZ = 4999  # beside the timer's own round figures; 10,000 samples tell 5 % to a twentieth
XDPSOCK = ["-l", "-i", "b0", "-q", "0", "-N", "-c", "-Q"]


def profile(lab, pid, cpu):
    """
    Samples a process for SECONDS, from another CPU. By perf's timer: the ticks
    behind /proc/PID/stat hardly ever hit user space of one that sleeps often.
    """
    data = os.path.join(lab.dir, "perf.data")
    lab.run(["taskset", "-c", cpu, "perf", "record", "-q", "-e", "cpu-clock", "-F",
             str(SAMPLES_HZ), "-o", data, "-p", str(pid), "--", "sleep", str(SECONDS)])
    return data


def user_share(lab, data):
    """Which part of a profiled process's CPU time is user space."""
    where = [int(word, 16) >> 63 for word in
             lab.output(["perf", "script", "-i", data, "-F", "ip"], timeout=120).split()]
    return where.count(0) / max(len(where), 1)  # the kernel has the upper half


def sample(lab, pid, cpu, size, sink=SINK):
    """
    Sends through a running forwarder; its rate, how long it waited for its CPU,
    and, from the same seconds, how much of its CPU time is user space.
    """
    with generator(lab, cpu, SECONDS + 15, "--size", str(size)) as proc:
        if not is_forwarding(lab, sink):
            raise LabError("nothing came through the forwarder")
        window = Window((pid, proc.pid), lambda: sunk(lab, sink))
        data = profile(lab, pid, cpu)
        window.stop()
    # The generator offers several times what is forwarded, so only the
    # forwarder's wait spoils the figure.
    return {"value": window.counted / window.seconds, **window.noise(), "ran": window.ran,
            "per_cpu": window.counted / window.seconds / window.ran[0], "waits": window.waited,
            "packets": window.counted,
            "user_seconds": user_share(lab, data) * window.ran[0] * window.seconds}


def last_json(text):
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    raise LabError("no statistics in: %s" % text[-2000:])


def take_sluice(lab, cpus, size, poll):
    proc = start_fwd(lab, cpus[1], poll)
    try:
        # The agent's child has the workers.
        planes = wait_for(lambda: children(proc.pid), 10)
        result = sample(lab, planes[0], cpus[0], size)
    finally:
        lab.end(proc, signal.SIGINT)
    stats = last_json(proc.stdout.read())
    result["syscalls_per_packet"] = [w["syscalls_per_packet"] for w in stats["workers"]]
    lab.sluice("down", ns="box")
    return result


def take_peer(lab, cpus, size, words, sink):
    with peer(lab, words) as pid:
        return sample(lab, pid, cpus[0], size, sink)


def peers(lab, cpus):
    """({name: (words, sink)} of those that forward here, {name: why not} of the others)."""
    found, absent = {}, {}
    if shutil.which("dpdk-testpmd"):
        found["testpmd io"] = [w % cpus if "%s" in w else w for w in TESTPMD], SINK
    else:
        absent["testpmd io"] = "not installed (Debian: dpdk-dev)"
    pinned = ["taskset", "-c", cpus[1]]
    for name, variable, args, sink in (
            ("xdpsock -l -c", "XDPSOCK", XDPSOCK, BACK),
            ("xdpsock -l -c -p", "XDPSOCK", XDPSOCK + ["-p"], BACK),
            ("xsk_fwd", "XSK_FWD", XSK_FWD + ["-c", cpus[1]], SINK)):
        path = os.environ.get(variable)
        if path and os.access(path, os.X_OK):
            found[name] = pinned + [os.path.abspath(path)] + args, sink
        else:
            absent[name] = "%s names no program" % variable
    for name in list(found):
        try:
            take_peer(lab, cpus, SIZES[0], *found[name])  # the first run is nobody's sample
        except LabError as fault:
            absent[name] = " ".join(str(fault).split())[-160:]
            del found[name]
    return found, absent


def count_by_strace(lab, cpus):
    """
    System calls that strace -c -f saw over the packets forwarded meanwhile.
    strace slows each call, so bursts are longer and the figure is a lower one
    than that of the statistics: it checks that no call goes uncounted.
    """
    if not shutil.which("strace"):
        return None
    log = os.path.join(lab.dir, "strace")
    proc = start_fwd(lab, cpus[1], "sleep", ["strace", "-c", "-f", "-o", log])
    with generator(lab, cpus[0], 4) as sender:
        is_forwarding(lab)
        sender.wait(15)
    # What it traces ends, and strace writes its table.
    for child in children(proc.pid):
        os.kill(child, signal.SIGINT)
    wait_for(lambda: proc.poll() is not None, 10)
    lab.end(proc, signal.SIGINT)
    stats = last_json(proc.stdout.read())
    lab.sluice("down", ns="box")
    with open(log) as table_:
        rows = [line.split() for line in table_]
    seen = {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}
    own = {}
    for worker in stats["workers"]:
        for name, count in worker["syscalls"].items():
            own[name] = own.get(name, 0) + count
    return {"strace": {n: seen.get(n, 0) for n in ("ppoll", "sendto", "recvfrom", "sendmsg",
                                                   "recvmsg")}, "statistics": own}


def options_of():
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--noise", type=float, default=NOISE,
                        help="a forwarder's wait for its CPU over which a round is refused")
    options = parser.parse_args()
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    return options


def takers_of(lab, cpus, found, size):
    """{name: function that takes a sample} of Sluice and of the peers found."""
    takers = {"sluice-fwd " + poll: lambda poll=poll: take_sluice(lab, cpus, size, poll)
              for poll in ("sleep", "busy")}
    for name, how in found.items():
        takers[name] = lambda how=how: take_peer(lab, cpus, size, *how)
    return takers


def measured(result, options):
    """Measures and reports each size of frame."""
    cpus = two_cpus()
    with Lab() as lab:
        build(lab)
        attach(lab, "sink", "k0", "drop.bpf.o")
        attach(lab, "tx", "t0", "drop.bpf.o")
        found, absent = peers(lab, cpus)
        for name, why in absent.items():
            result.lacks(name, why)
        for size in SIZES[:1] if options.quick else SIZES:
            takers = takers_of(lab, cpus, found, size)
            if not options.quick:
                takers.update(floors.takers(lab, cpus, size))
            report(result, size, *rounds(takers, options.rounds if size == SIZES[0] else
                                         SIZE_ROUNDS, options.noise))
        strace = None if options.quick else count_by_strace(lab, cpus)
    if strace:
        print("strace's count %s, sluice-fwd's own %s" % (strace["strace"],
                                                          strace["statistics"]))
        result.details(strace=strace)


def main():
    options = options_of()
    with running("forward", "Packets a second through sluice-fwd on veth, in copy mode",
                 options.quick) as result:
        measured(result, options)
    return 0


def user_ns(quiet, name):
    """User-space CPU time a packet, over all samples."""
    return 1e9 * sum(column(quiet, name, "user_seconds")) / sum(column(quiet, name, "packets"))


def judge(result, names, found, quiet, key):
    """The targets: each of ours to the best peer, in rate and in user-space time."""
    best = max(found, key=lambda name: median(column(quiet, name, key)))
    least = min(user_ns(quiet, name) for name in found)
    for name in names:
        rate = median([r[name][key] / r[best][key] for r in quiet])
        user = user_ns(quiet, name) / least
        result.target("%s, rate to that of %s" % (name, best), "%.3f" % rate,
                      "at least %.1f" % TARGET, rate >= TARGET)
        result.target("%s, user-space time to the least of a peer" % name, "%.2f" % user,
                      "at most %.1f" % USER_TARGET, user <= USER_TARGET)


def figures(result, key, size, taken):
    """What the table shows, for the file."""
    place = {"at": {"frame bytes": size}, "along": "frame bytes"}
    roles = {name: OURS if name.startswith("sluice") else FLOOR if name in floors.NAMES else PEER
             for name in taken[0][0]}
    result.rounds("forwarded" + ("" if key == "value" else ", for each second that it had a CPU"),
                  "packets/s", "more", roles, taken, value=lambda s: s[key], **place)
    roles = {name: role for name, role in roles.items() if role != FLOOR}
    result.rounds("user-space time of a packet", "ns", "less", roles, taken,
                  value=lambda s: 1e9 * s["user_seconds"] / s["packets"], **place)
    result.rounds("system calls of a packet", "", "less",
                  {name: role for name, role in roles.items() if role == OURS}, taken,
                  value=lambda s: max(s["syscalls_per_packet"]), **place)


def show(size, quiet, calls):
    rows = []
    print("frames of %d bytes" % size)
    for name, rates in ((name, column(quiet, name)) for name in quiet[0]):
        program = name not in floors.NAMES
        rows.append([name, "%.3f" % (median(rates) / 1e6),
                     "%.3f" % (median(column(quiet, name, "per_cpu")) / 1e6),
                     "%.2f" % median(column(quiet, name, "waited")),
                     "%.0f" % user_ns(quiet, name) if program else "",
                     "%.4f" % calls[name] if name in calls else ""])
    table(["forwarder", "Mpps", "Mpps/CPU", "waited", "user ns/packet", "syscalls/packet"], rows)


def report(result, size, quiet, refused):
    ours = [name for name in quiet[0] if name.startswith("sluice")]
    found = [name for name in quiet[0] if name not in ours + list(floors.NAMES)]
    calls = {name: max(max(r[name]["syscalls_per_packet"]) for r in quiet) for name in ours}
    show(size, quiet, calls)
    waited = max(r[name]["waited"] for r in quiet for name in ours + found) > NOISE
    if waited:
        print("noisy rounds were let through: rates are by the forwarder's CPU time")
    key = "per_cpu" if waited else "value"
    figures(result, key, size, (quiet, refused))
    print("%d rounds, %d noisy ones refused" % (len(quiet), len(refused)))
    if size != SIZES[0]:
        return
    if found:
        judge(result, ours, found, quiet, key)
    worst = max(calls.values())
    result.target("system calls of a packet", "%.4f" % worst, "at most %.4f" % SYSCALLS_TARGET,
                  worst <= SYSCALLS_TARGET)


if __name__ == "__main__":
    finish(main)
