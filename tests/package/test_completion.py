#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Completion: what bash's function answers, and what zsh makes of a line that is
typed at it, on a terminal of its own. Names of rules and sets come from a filter
that runs, in a network namespace: root."""
import json
import os
import pty
import select
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from lab import Lab, ROOT, built, wait_for
from tap import Tap

FOLDER = os.path.join(ROOT, "config", "completion")
# Of bash: words behind `sluice`, the last to be completed -> what it can become.
BASH = (
    (["expl"], {"explain"}),
    (["se"], {"set"}),
    (["set", ""], {"add", "del", "test", "list"}),
    (["rule", "l"], {"list"}),
    (["rule", "list", "--"], {"--owner", "--json"}),
    (["rule", "--json", "list", ""], set()),
    (["trace", "--"], {"--duration", "--deep", "--json", "--save", "--html", "--compare"}),
    (["trace", "--compare", "x", "y", "--j"], {"--json"}),
    (["log", "-"], {"--json", "-w", "-c", "--rule"}),
    (["ext", "load", ""], {"before", "after"}),
    (["ext", "load", "before", "1", "filter"], {"filter.bpf.o"}),
    (["check", "my"], {"my.conf"}),
    (["check", "my.conf", ""], {"--json"}),
    (["tune", "apply", "-c", "my"], {"my.conf"}),
    (["help", "ex"], {"explain", "export", "ext"}),
    (["stats", "l"], {"lo"}),
    (["stats", "--watch", "l"], {"lo"}),
    (["explain", "lo", "pack"], {"packets.pcap"}),
    (["nonsense", ""], set()),
)
# Of zsh: a line up to the cursor -> what Tab makes of it.
ZSH = (
    ("sluice expl", "sluice explain "),
    ("sluice rule l", "sluice rule list "),
    ("sluice rule list --o", "sluice rule list --owner "),
    ("sluice stats l", "sluice stats lo "),
    ("sluice check my", "sluice check my.conf "),
    ("sluice explain lo pack", "sluice explain lo packets.pcap "),
    ("sluice nonsense x", "sluice nonsense x"),
)
EVIL = "x$(touch pwned);`touch pwned`' y"
CONFIG = """
interface e0
set blocked live { 192.0.2.0/24 }
set "%s" live { 198.51.100.0/24 }
rule first drop from @blocked
rule "%s" count from @"%s"
""" % (EVIL, EVIL, EVIL)


def bash(words, folder):
    """What the completion function answers, in a bash of its own."""
    script = 'source "$1/sluice.bash"; command="$2"; shift 2; COMP_WORDS=(sluice "$@"); ' \
        'COMP_CWORD=$#; complete -p sluice >/dev/null || exit 9; ' \
        '_sluice "$command"; [ ${#COMPREPLY[@]} = 0 ] || printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", FOLDER, built("sluice")] + words,
                          cwd=folder, capture_output=True, text=True, check=False, timeout=30)
    return set(done.stdout.splitlines()) if done.returncode == 0 and not done.stderr else done


class Zsh:
    """An interactive zsh on a terminal; Ctrl-X b writes the line that it edits to a file."""

    def __init__(self, folder):
        self.folder = folder
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], dict(
                os.environ, TERM="dumb", HOME=folder, PATH=os.path.dirname(built("sluice"))
                + ":/usr/sbin:/usr/bin:/sbin:/bin"))
        self.type("unsetopt zle_bracketed_paste; PS1='> '; fpath=('%s' $fpath)\n" % FOLDER)
        self.type("autoload -Uz compinit; compinit -u -D; bindkey -e\n")
        self.type("tell() { print -rn -- \"$BUFFER\" >line.new; mv line.new line; BUFFER= }; "
                  "zle -N tell; bindkey '^Xb' tell\n")

    def drain(self):
        while select.select([self.fd], [], [], 0)[0]:
            if not os.read(self.fd, 65536):
                return

    def type(self, text):
        self.drain()
        os.write(self.fd, text.encode())

    def complete(self, line):
        path = os.path.join(self.folder, "line")
        self.type(line + "\t\x18b")

        def there():
            self.drain()
            return os.path.exists(path)
        if not wait_for(there, timeout=20):
            return None
        with open(path, encoding="utf-8") as text:
            got = text.read()
        os.unlink(path)
        return got

    def close(self):
        os.write(self.fd, b"\x15exit\n")
        os.close(self.fd)
        time.sleep(0.1)
        try:
            os.kill(self.pid, 9)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


def shells(tap, folder):
    for name in ("my.conf", "filter.bpf.o", "packets.pcap"):
        with open(os.path.join(folder, name), "w", encoding="ascii"):
            pass
    for words, want in BASH:
        tap.equal(bash(words, folder), want, "bash: sluice %s" % " ".join(words))
    zsh = Zsh(folder)
    try:
        for line, want in ZSH:
            tap.equal(zsh.complete(line), want, "zsh: %s" % line)
    finally:
        zsh.close()


def names(tap, lab):
    """Those of the filter that runs: as they are, never expanded."""
    lab.add("peer", "box")
    lab.veth("peer", "p0", "box", "e0")
    lab.apply(CONFIG, ns="box")
    lab.sluice("rule", "add", "later drop to 203.0.113.1", ns="box")
    for words, want in ((["set", "list", ""], {"blocked", EVIL}),
                        (["log", "--rule", "f"], {"first"}),
                        (["rule", "del", ""], {"later"}),
                        (["down", "e"], {"e0"})):
        got = lab.output([built("sluice"), "help", "--complete"] + words, ns="box")
        tap.equal(set(got.splitlines()), want, "a filter runs: sluice %s" % " ".join(words))
    script = "source %s/sluice.bash; COMP_WORDS=(sluice set list x); COMP_CWORD=3; _sluice %s; " \
        "eval \"set -- ${COMPREPLY[0]}\"; printf %%s \"$1\"" % (FOLDER, built("sluice"))
    got = lab.run(["bash", "--norc", "-c", "cd %s; %s" % (lab.dir, script)], ns="box")
    tap.equal(got.stdout, EVIL, "bash: a name with the shell's own characters is quoted")
    tap.ok(not os.path.exists(os.path.join(lab.dir, "pwned")), "and nothing in it was run")
    tap.ok(json.loads(lab.sluice("rule", "list", "--json", ns="box").stdout), "the filter is whole")


def main():
    tap = Tap()
    with tap.case("to the end"), tempfile.TemporaryDirectory() as folder:
        shells(tap, folder)
        with Lab() as lab:
            names(tap, lab)
            tap.equal(lab.leftovers(), [], "nothing is left behind")
    tap.done()


if __name__ == "__main__":
    main()
