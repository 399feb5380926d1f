# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sluice-exporter in a namespace of the lab, and what it serves."""
import http.client
import json
import os
import re
import socket

from lab import LabError, built, children, wait_for

LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\["\\n])*)"(?:,|$)')
SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")


class Exporter:
    def __init__(self, lab, *args, ns="box", config=None, env=None):
        self.lab, self.ns = lab, ns
        command = [built("sluice-exporter")] + list(args)
        if config:
            command += ["-c", config]
        self.log = open(os.path.join(lab.dir, "exporter%d.log" % len(lab.procs)), "w+")
        lab.used_sluice.add(ns)
        self.proc = lab.popen(command, ns=ns, stderr=self.log,
                              env=dict(os.environ, **env) if env else None)
        if not wait_for(lambda: self.messages() or self.proc.poll() is not None):
            raise LabError("sluice-exporter says nothing")
        found = re.search(r":(\d+)/", self.messages())
        self.port = int(found.group(1)) if found else 0  # 0: a Unix socket, or it ended

    def messages(self):
        self.log.seek(0)
        return self.log.read()

    def server(self):
        """The process id of the one that speaks HTTP."""
        return children(self.proc.pid)[0]

    def connect(self, timeout=30):
        sock = self.lab.within(self.ns, socket.socket, socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(("127.0.0.1", self.port))
        return sock

    def get(self, path="/metrics", method="GET", headers=None, body=None):
        """(status, headers, text)"""
        link = http.client.HTTPConnection("127.0.0.1", self.port)
        link.sock = self.connect()
        try:
            link.request(method, path, body, headers or {})
            answer = link.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            link.close()

    def metrics(self):
        """{(sample, ((label, value), ...)): number}, by OpenMetrics' rules."""
        return parse(self.get()[2])

    def state(self):
        return json.loads(self.get("/state.json")[2])

    def stop(self):
        return self.lab.end(self.proc)


def unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), text)


def labels(text):
    found = LABEL.findall(text)
    rebuilt = ",".join('%s="%s"' % pair for pair in found)
    if rebuilt != text:
        raise ValueError("labels %r" % text)
    return tuple((name, unescape(value)) for name, value in found)


def parse(text):
    """Raises ValueError at what is no OpenMetrics 1.0."""
    lines = text.split("\n")
    if lines[-2:] != ["# EOF", ""]:
        raise ValueError("ends with %r" % lines[-2:])
    families, samples, family, suffix = set(), {}, None, None
    for line in lines[:-2]:
        if line.startswith("# TYPE "):
            family, kind = line[7:].split(" ")
            suffix = {"counter": "_total", "gauge": "", "info": "_info"}[kind]
            if family in families:
                raise ValueError("%s: in two places" % family)
            families.add(family)
        elif line.startswith("# UNIT "):
            name, unit = line[7:].split(" ")
            if name != family or not family.endswith("_" + unit):
                raise ValueError(line)
        elif line.startswith("# HELP "):
            if not line.startswith("# HELP %s " % family):
                raise ValueError(line)
        else:
            name, inside, value = SAMPLE.fullmatch(line).groups()
            key = (name, labels(inside or ""))
            if name != family + suffix or key in samples:
                raise ValueError("misplaced, or twice: %s" % line)
            samples[key] = float(value)
    return samples


def descriptors(pid):
    """How many a process has open."""
    return len(os.listdir("/proc/%d/fd" % pid))
