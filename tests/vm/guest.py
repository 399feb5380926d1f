# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One guest: its initramfs, its QEMU command, what its kernel complained of.

The guest has no disk and no way out. It sees the host's root read-only over
9p and runs in it (init), so it has the tools built here; its NICs are ports of
hubs, two on each, and each other's only company.
"""
import gzip
import lzma
import os
import re
import shutil

from archive import Unavailable

HERE = os.path.dirname(os.path.abspath(__file__))
NOTHING = "none"
# What must be there before the host's root is. The rest loads on demand.
FIRST = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
# Model -> (QEMU's device, the kernel's module, the QEMU that has it first).
MODELS = {
    "e1000e": ("e1000e", "e1000e", 0),
    # Without the platform's DMA the driver refuses zero-copy (virtqueue_dma_dev()).
    "virtio": ("virtio-net-pci,disable-legacy=on,iommu_platform=on", "virtio_net", 0),
    "igb": ("igb", "igb", 8),
}
NICS_MAX = 4
# A kernel's words for what no test may cause. A line that tells of a bug, not one that mentions it.
COMPLAINT = re.compile(
    r"\bBUG\b|WARNING: (CPU|.* at )|\bOops\b|Kernel panic|general protection|Call Trace|"
    r"unable to handle|rcu.*(stall|starved)|blocked for more than|page_pool.*stalled|"
    r"refcount_t|UBSAN|KASAN|lockdep|NETDEV WATCHDOG|Detected Hardware Unit Hang")


class Usage(Exception):
    pass


def nics(text):
    """(model, count) of `none` or MODEL:COUNT; Usage if it is neither."""
    if text == NOTHING:
        return None, 0
    model, _, count = text.partition(":")
    if model not in MODELS or not re.fullmatch("[1-%d]" % NICS_MAX, count):
        raise Usage("%s: expected none, or one of %s with :1 to :%d, as in e1000e:2" % (
            text, ", ".join(MODELS), NICS_MAX))
    return model, int(count)


def _devices(model, count):
    """QEMU's arguments for `count` NICs: the first two on one hub, the next on another."""
    args = []
    for number in range(count):
        device = "%s,netdev=n%d,mac=02:00:00:00:01:%02x,romfile=" % (
            MODELS[model][0], number, number)
        if model == "igb":  # PCI Express alone, and a slot has room for one
            args += ["-device", "pcie-root-port,id=p%d,chassis=%d,slot=%d" % (
                number, number + 1, number + 1)]
            device += ",bus=p%d" % number
        args += ["-netdev", "hubport,id=n%d,hubid=%d" % (number, number // 2),
                 "-device", device]
    return args


def command(qemu, kernel, initramfs, results, model, count, options):
    """The whole command; its standard output is what the guest's test prints."""
    words = "console=ttyS0,115200 quiet panic=-1 nokaslr mitigations=off random.trust_cpu=on " \
            "net.ifnames=0 log_buf_len=4M"
    args = qemu.prefix + [
        "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", str(options.memory),
        "-smp", str(options.smp), "-nodefaults", "-no-user-config", "-nographic", "-no-reboot",
        "-serial", "file:" + os.path.join(results, "console"), "-serial", "stdio",
        "-kernel", kernel.image, "-initrd", initramfs,
        "-append", " ".join([words, options.append]),
        "-device", "isa-debug-exit,iobase=0x501,iosize=0x02", "-device", "virtio-rng-pci"]
    for name, path, more in (("host", "/", ",readonly=on,multidevs=remap"),
                             ("results", results, "")):
        args += ["-fsdev", "local,id=%s,path=%s,security_model=none%s" % (name, path, more),
                 "-device", "virtio-9p-pci,fsdev=%s,mount_tag=%s" % (name, name)]
    if options.icount:  # virtual time is instructions: figures repeat, busy host or not
        args += ["-icount", "shift=1,sleep=off"]
    return args + _devices(model, count)


# ---- the initramfs --------------------------------------------------------

def _dependencies(kernel):
    """{module: [paths in loading order, its own last]} of modules.dep."""
    base = os.path.join(kernel.folder, "lib/modules", kernel.release)
    found = {}
    with open(os.path.join(base, "modules.dep"), encoding="ascii") as source:
        for line in source:
            path, _, needed = line.partition(":")
            name = os.path.basename(path).split(".ko")[0].replace("-", "_")
            found[name] = [os.path.join(base, one) for one in needed.split()[::-1] + [path]]
    return found


def loadable(kernel, names):
    """Those of some modules that are modules: the others are built in, or not there."""
    return [name for name in names if name.replace("-", "_") in _dependencies(kernel)]


def _module(path):
    """(name without .xz, content): init's insmod then needs no decompressor."""
    with open(path, "rb") as source:
        data = source.read()
    name = os.path.basename(path)
    for end, unpack in ((".xz", lzma.decompress), (".gz", gzip.decompress)):
        if name.endswith(end):
            return name[:-len(end)], unpack(data)
    return name, data


def _cpio(out, name, mode, data=b""):
    """One entry of a `newc` archive (the kernel's initramfs/buffer-format)."""
    name = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    for part in (head, data):
        out.write(part + bytes(-len(part) % 4))


def initramfs(kernel, path):
    busybox = next((p for p in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(p)), None)
    if not busybox:
        raise Unavailable("busybox: not installed (package busybox-static)")
    files = {}
    dependencies = _dependencies(kernel)
    for module in FIRST:
        for needed in dependencies.get(module, []):
            name, data = _module(needed)
            files.setdefault("modules/" + name, data)
    order = "".join(os.path.basename(name) + "\n" for name in files)
    files["modules/order"] = order.encode()
    with open(path, "wb") as out:
        for folder in ("bin", "modules"):
            _cpio(out, folder, 0o40755)
        for name, source in (("bin/busybox", busybox), ("init", os.path.join(HERE, "init"))):
            with open(source, "rb") as data:
                _cpio(out, name, 0o100755, data.read())
        for name, data in files.items():
            _cpio(out, name, 0o100644, data)
        _cpio(out, "TRAILER!!!", 0)


# ---- after the end --------------------------------------------------------

def complaints(results):
    """Lines of the kernel's log, and of the console, that tell of a bug."""
    found = []
    for name in ("dmesg", "console"):
        path = os.path.join(results, name)
        if os.path.exists(path):
            with open(path, errors="replace", encoding="utf-8") as source:
                found += [line.strip() for line in source if COMPLAINT.search(line)]
    return list(dict.fromkeys(found))


def bound(seconds):
    """What ends QEMU after its time, even when who started it is gone."""
    return [shutil.which("timeout") or "timeout", "--kill-after=5", str(seconds)]
