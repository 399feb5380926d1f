# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The loaded program, asked through `sluice explain`, beside the oracle."""
import json
import os

import bulk
import capture
import config as language
import oracle
from lab import Lab

DEVICE, OTHER = "box0", "box1"


def objects(text):
    """The JSON objects of a text: one after the other, or in an array."""
    decoder, at, found = json.JSONDecoder(), 0, []
    text = text.strip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found += value if isinstance(value, list) else [value]
        while at < len(text) and text[at].isspace():
            at += 1
    return found


class Loaded:
    """
    A namespace with two interfaces, where configurations are applied and asked:

        [peer] peer0 --- box0 [box]     explain runs on box0
               peer1 --- box1           the target of redirects, and of `on`
    """

    def __init__(self):
        self.lab = Lab()
        try:
            self.lab.add("peer", "box")
            self.lab.veth("peer", "peer0", "box", DEVICE)
            self.lab.veth("peer", "peer1", "box", OTHER)
        except BaseException:
            self.lab.close()
            raise
        self.config = None
        self.lists = 0

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.lab.close()

    def apply(self, text, files=()):
        """Loads a configuration; `files`: {name: content} beside it."""
        self.lists += 1
        folder = "list%d" % self.lists
        os.mkdir(os.path.join(self.lab.dir, folder))
        for name, content in dict(files).items():
            self.lab.file(os.path.join(folder, name), content)
        path = self.lab.file(os.path.join(folder, "sluice.conf"), text)
        self.lab.sluice("apply", "--force", path, ns="box")
        self.config = language.read(path)

    def counters(self):
        return {key: value for key, value in self.lab.stats("box", DEVICE).items()
                if key in ("rx", "reasons", "rules")}

    def explain(self, frames):
        """[(verdict, rule, reason)] of the loaded program, a frame each."""
        path = self.lab.file("frames.pcap", b"")
        capture.write(path, frames)
        out = self.lab.sluice("explain", "--json", DEVICE, path, ns="box", timeout=300).stdout
        found = objects(out)
        if [answer["packet"] for answer in found] != list(range(1, len(frames) + 1)):
            raise AssertionError("explain: %d packets gave %d answers: %s" % (
                len(frames), len(found), out[:300]))
        return [(a["verdict"], a["rule"], a["reason"]) for a in found]

    def expected(self, frames):
        return bulk.judge(self.config, frames, DEVICE)


def differences(frames, got, want, most=3):
    """The first mismatches as text, for a failed test's diagnostics."""
    wrong = [n for n in range(len(frames)) if got[n] != want[n]]
    text = ["%d of %d packets differ" % (len(wrong), len(frames))] if wrong else []
    for number in wrong[:most]:
        known = {k: v for k, v in vars(oracle.facts(frames[number])).items() if v is not None}
        text += ["packet %d: %s" % (number + 1, frames[number].hex()),
                 "  program: %s %s %s" % got[number], "  oracle:  %s %s %s" % want[number],
                 "  oracle's facts: %r" % known]
    return text
