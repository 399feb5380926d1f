# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the tests of `sluice tune` share: a snapshot of all that it may change, asked of
the kernel by other tools, and a way to end it in the middle."""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "vm")]
from lab import ROOT
import netdev_netlink

ETHTOOL = ("-g", "-c", "-l", "-x", "-k")
SYSFS = ("napi_defer_hard_irqs", "gro_flush_timeout", "threaded")
VIRTIO = re.compile(r"/virtio\d+$")


def _netlink(device):
    """Queues and the NAPI behind each, without the ids: those change with a link."""
    try:
        queues = netdev_netlink.dump(netdev_netlink.QUEUE_GET, netdev_netlink.QUEUE_IFINDEX,
                                     device)
        napis = netdev_netlink.dump(netdev_netlink.NAPI_GET, netdev_netlink.NAPI_IFINDEX, device)
    except (OSError, KeyError) as why:  # before Linux 6.8
        return repr(why)
    by_id = {napi.pop(netdev_netlink.NAPI_ID): napi for napi in napis}
    for napi in by_id.values():
        napi.pop(netdev_netlink.NAPI_IRQ, None)
        napi.pop(4, None)  # the pid of its thread
    return sorted((q[netdev_netlink.QUEUE_TYPE], q[1],
                   sorted(by_id.get(q.get(netdev_netlink.QUEUE_NAPI_ID), {}).items()))
                  for q in queues)


def interrupts(device):
    """{name: its CPUs} of the device's, by /proc."""
    folder = os.path.realpath("/sys/class/net/%s/device" % device)
    folder = VIRTIO.sub("", folder)
    numbers = [os.path.basename(p) for p in glob.glob(folder + "/msi_irqs/*")]
    if not numbers and os.path.exists(folder + "/irq"):
        with open(folder + "/irq", encoding="ascii") as line:
            numbers = [line.read().strip()]
    found = {}
    with open("/proc/interrupts", encoding="ascii") as table:
        for line in table:
            number = line.split(":")[0].strip()
            if number in numbers:
                with open("/proc/irq/%s/smp_affinity" % number, encoding="ascii") as mask:
                    found[line.split()[-1]] = mask.read()
    return found


def snapshot(lab, ns, device):
    """All that `sluice tune` may change, as text or plain data, to be compared."""
    asked = ["ethtool %s %s 2>&1" % (option, device) for option in ETHTOOL]
    asked += ["cat /sys/class/net/%s/%s 2>&1" % (device, name) for name in SYSFS]
    # One shell: `ip netns exec` for each would take most of a test's time.
    said = lab.output(["sh", "-c", "; echo ----; ".join(asked) + "; true"], ns=ns)
    found = dict(zip(ETHTOOL + SYSFS, said.split("----\n")))
    found["netlink"] = lab.within(ns, _netlink, device) if ns else _netlink(device)
    found["interrupts"] = {} if ns else interrupts(device)
    return found


def differences(before, after):
    """The parts of two snapshots that differ, for check(): none is {}."""
    return {key: (before[key], after[key]) for key in before if before[key] != after[key]}


def preload(lab):
    """The environment that ends a program before the Nth thing it does: die_at(N)."""
    built = os.path.join(lab.dir, "die_at.so")
    lab.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-I", ROOT, "-o", built,
             os.path.join(ROOT, "tests", "die_at.c"), "-ldl"])
    return lambda number: {"LD_PRELOAD": built, "DIE_AT": str(number)}
