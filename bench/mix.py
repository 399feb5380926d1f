# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Many headers through XDP programs, by classify/run.c: what filter.py and classify.py share."""
import json

from measure import median
from lab import LabError, built

HEADER_BYTES = 64
LEAST = 4096  # headers: a batch of classify-run


def headers_of(frames):
    """What stands behind Ethernet, as classify-run takes it."""
    behind = [frame[14:].ljust(HEADER_BYTES, b"\0") for frame in frames]
    if any(len(header) > HEADER_BYTES and any(header[HEADER_BYTES:]) for header in behind):
        raise LabError("a header does not fit %d bytes" % HEADER_BYTES)
    return b"".join(header[:HEADER_BYTES] for header in behind)


def run(lab, cpu, path, candidates, *options):
    """One run over the headers in a file; its packets and times by candidate {name: id}."""
    out = json.loads(lab.output(
        [built("classify-run"), "-c", cpu, *options, built("mix.bpf.o"), path]
        + [str(number) for number in candidates.values()], timeout=600))
    for key in ("packets", "ns"):
        out[key] = dict(zip(candidates, out[key]))
    return out


def turns_of(sample, turns):
    """[{candidate: sample}] of the turns of a run: the median batch of each turn."""
    noise = {"waited": sample["waited"]}
    parts = {name: len(ns) // turns for name, ns in sample["ns"].items()}
    return [{name: {"value": median(ns[turn * parts[name]:(turn + 1) * parts[name]]), **noise}
             for name, ns in sample["ns"].items()} for turn in range(turns)]
