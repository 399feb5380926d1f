# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The machine that a figure is of: what it is, and whether it is quiet enough.

facts()      CPU, kernel, mitigations, page-table isolation, governor: told, never judged
versions()   of the tools a benchmark ran or was built with, of those that are here
look()       a second of /proc/stat while the benchmark itself does nothing
Busy         raised where that second was somebody else's: nothing is measured then

Two CPUs are enough for a generator and what it feeds, but not for anything else beside
them; a benchmark that runs all the same measures the other work. So it is refused, before
it begins, and no option lets it through. SLUICE_BENCH_STATE is for tests of the harness: a
JSON object of the same keys as look()'s, taken instead of looking, and of "noise", the share
of a sample's time that it may have been disturbed. A result that was made so says so in
`state`, is never a baseline, and its page carries a banner.
"""
import functools
import json
import os
import platform
import re
import shutil
import subprocess
import time

# CPUs' worth of work, a share of all CPUs' time, and tasks on average; of an idle machine some
# 0.02, 0.00 and 0.1. Whatever the number of CPUs: those that a benchmark uses are two or three,
# and one task that computes can be on one of them.
MOST = {"busy": 0.2, "steal": 0.02, "runnable": 0.5}
LOOK_SECONDS = 1.0
LOOKS = 20
FAKE = "SLUICE_BENCH_STATE"
VULNERABILITIES = "/sys/devices/system/cpu/vulnerabilities"


class Busy(Exception):
    """Why this machine is not to be measured now, and what to do."""


def _read(path, otherwise=None):
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read().strip()
    except OSError:
        return otherwise


# ---- its state --------------------------------------------------------------

def ticks(text, cpu=None):
    """{kind: ticks since boot} of one CPU, or of all, in the text of /proc/stat."""
    wanted = "cpu" if cpu is None else "cpu%s" % cpu
    kinds = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    for line in text.splitlines():
        name, *fields = line.split()
        if name == wanted:
            return dict(zip(kinds, map(int, fields)))
    raise ValueError("/proc/stat: no line %s" % wanted)


def shares(before, after):
    """{kind: share of the time between}, of two ticks(); all 0 where none went by."""
    spent = {kind: after[kind] - before[kind] for kind in before}
    every = sum(spent.values())
    return {kind: count / every if every else 0.0 for kind, count in spent.items()}


def idle_ns():
    """
    {CPU: (clock, idle)}: how long each CPU has been idle since boot, and when that was read, in
    ns; needs root. What is left of the time is all work, interrupts included, exactly: a tick
    counts whoever it meets as having had 4 or 10 ms, and hardly meets what the timer behind the
    tick itself has woken.
    """
    found, home = {}, os.sched_getaffinity(0)
    try:
        for cpu in sorted(home):
            os.sched_setaffinity(0, {cpu})  # idle time is counted when it ends: it ends here
            clock, text = time.monotonic_ns(), _read("/proc/timer_list", "")
            of_cpu = text.partition("\ncpu: %d\n" % cpu)[2].partition("\ncpu: ")[0]
            parts = re.findall(r"^  \.(?:idle|iowait)_sleeptime *: (\d+) nsecs", of_cpu, re.M)
            if len(parts) != 2:
                raise OSError("/proc/timer_list: no idle time of CPU %d" % cpu)
            found[cpu] = clock, sum(map(int, parts))
    finally:
        os.sched_setaffinity(0, home)
    return found


def busy_cpus(before, after):
    """How many CPUs' worth of work there was between two idle_ns()."""
    return sum(1 - (after[cpu][1] - idle) / (after[cpu][0] - clock)
               for cpu, (clock, idle) in before.items())


def runnable(text):
    """Tasks that run or want to, but the one that asks, in the text of /proc/stat."""
    return int(re.search(r"^procs_running (\d+)", text, re.M).group(1)) - 1


def state_of(texts):
    """What look() returns, of successive texts of /proc/stat."""
    spent = shares(ticks(texts[0]), ticks(texts[-1]))
    cpus = len(re.findall(r"^cpu\d", texts[0], re.M))
    return {"busy": cpus * (1 - spent["idle"] - spent["iowait"] - spent["steal"]),
            "steal": spent["steal"],
            "runnable": sum(map(runnable, texts)) / len(texts)}


def look():
    """
    A second of the machine while the caller does nothing: {"busy": CPUs' worth of
    work, "steal": share of all CPUs' time, "runnable": tasks on average, "why": [reason]}.
    """
    fake = os.environ.get(FAKE)
    if fake:
        state = {"busy": 0.0, "steal": 0.0, "runnable": 0.0, **json.loads(fake), "fake": True}
    else:
        texts = []
        for _ in range(LOOKS):
            texts.append(_read("/proc/stat"))
            time.sleep(LOOK_SECONDS / LOOKS)
        state = state_of(texts + [_read("/proc/stat")])
    state["why"] = reasons(state)
    return state


def noise(allowed):
    """The share of a sample's time that it may have been disturbed: `allowed`, unless faked."""
    return json.loads(os.environ.get(FAKE) or "{}").get("noise", allowed)


def reasons(state):
    """[text]: each measure of the state that is over what is let through."""
    say = {"busy": (1, "other work kept %.2f CPUs busy (%.1f is let through)"),
           "steal": (100, "the hypervisor withheld %.1f %% of the CPUs' time (%.0f %% is let "
                     "through)"),
           "runnable": (1, "%.1f other tasks wanted a CPU on average (%.1f is let through)")}
    return [text % (scale * state[key], scale * MOST[key]) for key, (scale, text) in say.items()
            if state[key] > MOST[key]]


def busiest(count=3):
    """The commands that have most CPU time in half a second: what to end or to wait for."""
    def times():
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            text = _read("/proc/%s/stat" % pid)
            if text and int(pid) != os.getpid():
                name, fields = text[text.index("(") + 1:].rsplit(")", 1)
                found[pid, name] = sum(map(int, fields.split()[11:13]))
        return found
    before = times()
    time.sleep(0.5)
    spent = {key: used - before.get(key, used) for key, used in times().items()}
    most = sorted((key for key in spent if spent[key] > 2), key=lambda key: -spent[key])
    return ["%s (pid %s)" % (name, pid) for pid, name in most[:count]]


def demand_quiet():
    """The state of a quiet machine; Busy on another."""
    state = look()
    if not state["why"]:
        return state
    running = [] if state.get("fake") else busiest()
    raise Busy("the machine is too busy to measure: %s%s. End what runs beside, or wait, and "
               "start the benchmark again" % (
                   "; ".join(state["why"]),
                   "; most by " + ", ".join(running) if running else ""))


# ---- what it is -------------------------------------------------------------

def _cpu():
    text = _read("/proc/cpuinfo", "")
    found = re.search(r"^model name\s*: (.*)$", text, re.M)
    return found.group(1) if found else platform.processor() or platform.machine()


def _isolation(meltdown):
    """Whether kernel page tables are kept apart; None: the kernel does not tell."""
    return None if meltdown is None else "PTI" in meltdown


def facts():
    """What a figure depends on and no benchmark can choose."""
    names = sorted(os.listdir(VULNERABILITIES)) if os.path.isdir(VULNERABILITIES) else []
    weak = {name: _read(os.path.join(VULNERABILITIES, name)) for name in names}
    memory = re.search(r"MemTotal:\s+(\d+)", _read("/proc/meminfo", ""))
    return {"cpu": _cpu(), "cpus": os.cpu_count(), "arch": platform.machine(),
            "virtual": " hypervisor" in _read("/proc/cpuinfo", ""),
            "memory_bytes": int(memory.group(1)) * 1024 if memory else None,
            "kernel": platform.release(),
            "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "bpf_jit": _read("/proc/sys/net/core/bpf_jit_enable"),
            "page_table_isolation": _isolation(weak.get("meltdown")),
            "mitigations": {name: text for name, text in weak.items() if text != "Not affected"}}


VERSIONS = {
    "sluice": ["git", "-C", os.path.dirname(os.path.abspath(__file__)), "describe", "--always",
               "--dirty"],
    "clang": ["clang", "--version"],
    "libbpf": ["pkg-config", "--modversion", "libbpf"],
    "bpftool": ["bpftool", "version"],
    "xdp-filter": ["xdp-filter", "--version"],
    "xdp-bench": ["xdp-bench", "--version"],
    "nftables": ["nft", "--version"],
    "dpdk": ["pkg-config", "--modversion", "libdpdk"],
    "iproute2": ["ip", "-V"],
}


@functools.lru_cache(maxsize=None)
def versions():
    """{tool: the first line of what it says of itself} of those that are here."""
    found = {}
    for name, argv in VERSIONS.items():
        if not shutil.which(argv[0]):
            continue
        try:
            done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, errors="replace", timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.strip():
            found[name] = done.stdout.strip().splitlines()[0]
    return found
