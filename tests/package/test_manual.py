#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The man pages: there is one for each command, it is called as the page says,
the pages are well formed and refer to each other. No root."""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from lab import BUILD, ROOT, built
from tap import Tap

MAN = os.path.join(ROOT, "docs", "man")
SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO")
# What lint says of pages that are not installed here: their names are looked at below.
ELSEWHERE = re.compile(r"referenced manual not found|outdated mandoc.db")


def output(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30).stdout


def page(name):
    """The page as text, one line a paragraph, by section."""
    text = output("mandoc", "-Tascii", "-Owidth=900", os.path.join(MAN, name))
    text = re.sub(r".\x08", "", text)
    sections, title = {}, None
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z][A-Z ]*", line):
            title = line
            sections[title] = []
        elif title and line.startswith("  "):
            sections[title].append(" ".join(line.split()))
    return {title: [line for line in lines if line] for title, lines in sections.items()}


def usage(text):
    """The forms of a usage message."""
    head = re.sub(r"^[Uu]sage:", "", text.split("\n\n")[0])
    # A form that is longer than a line goes on in the next.
    forms = re.split(r"\n(?=\s+sluice)", head)
    return [" ".join(form.split()) for form in forms]


def programs():
    """Those that are no command of sluice."""
    names = [os.path.basename(path)[:-2] for path in glob.glob(MAN + "/sluice-*.8")]
    return sorted(name for name in names if os.path.exists(os.path.join(BUILD, name)))


def commands():
    return [line for line in output(built("sluice"), "help", "--complete", "").splitlines() if line]


def synopses(tap):
    for command in commands():
        name = "sluice-%s.8" % command
        if not tap.ok(os.path.exists(os.path.join(MAN, name)),
                      "%s: the command has a page" % name):
            continue
        want = usage(output(built("sluice"), "help", command))
        tap.equal(page(name).get("SYNOPSIS"), want, "%s: it is called as the table says" % name)
        tap.equal(output(built("sluice"), command, "--help"),
                  output(built("sluice"), "help", command), "%s --help is help %s" % (command,
                                                                                     command))
        tap.contains("\n".join(page("sluice.8")["DESCRIPTION"]), "sluice-%s(8)" % command,
                     "sluice.8 names it")
    for program in programs():
        tap.equal(page(program + ".8").get("SYNOPSIS"), usage(output(built(program), "--help")),
                  "%s.8: it is called as its help says" % program)


def options(tap):
    """Each option of the programs that list theirs is in the page."""
    for program in programs():
        text = "\n".join("\n".join(lines) for lines in page(program + ".8").values())
        names = re.findall(r"^ .*?(--[a-z-]+)", output(built(program), "--help"), re.M)
        tap.ok(names and all(name in text for name in names), "%s.8 has every option" % program,
               [name for name in names if name not in text])


def lint(tap):
    for path in sorted(glob.glob(MAN + "/*.[0-9]")):
        name = os.path.basename(path)
        done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", path], capture_output=True,
                              text=True, check=False, timeout=30)
        said = [line for line in (done.stdout + done.stderr).splitlines()
                if not ELSEWHERE.search(line)]
        tap.equal(said, [], "%s: mandoc finds nothing to say" % name)
        with open(path, encoding="ascii") as text:
            ours = re.findall(r"^\.(?:It )?Xr (sluice\S*) (\d)", text.read(), re.M)
        missing = [ref for ref in ours if not os.path.exists(os.path.join(MAN, "%s.%s" % ref))]
        tap.equal(missing, [], "%s: the pages of ours that it refers to are there" % name)
        if name.endswith(".8"):
            found = page(name)
            tap.equal([title for title in SECTIONS if title not in found], [],
                      "%s: it has its sections" % name)
            tap.ok("--json" not in " ".join(found["SYNOPSIS"]) or found.get("JSON"),
                   "%s: it says what the keys of --json are" % name)


def language(tap):
    """The example of sluice.conf(5) is a configuration."""
    with open(os.path.join(MAN, "sluice.conf.5"), encoding="ascii") as text:
        example = re.search(r"\.Sh EXAMPLES\n\.Bd[^\n]*\n(.*?)\.Ed", text.read(), re.S).group(1)
    done = subprocess.run([built("sluice"), "check", "/dev/stdin"], input=example, text=True,
                          capture_output=True, check=False, timeout=30)
    tap.ok(done.returncode == 0 and not done.stderr, "sluice.conf.5: the example is correct",
           done.stdout, done.stderr)
    words = set(re.findall(r"[a-z][a-z0-9-]+", "\n".join("\n".join(lines) for lines
                                                        in page("sluice.conf.5").values())))
    with open(os.path.join(ROOT, "docs", "configuration.md"), encoding="utf-8") as text:
        forms = re.findall(r"^ {4,}((?:interface|default|limits|set|rule|VERDICT|PROTO|ADDR|PORTS|"
                           r"OPTION|extension|forwarder|STAGE|metrics|  +[|a-z]).*)$",
                           text.read().split("## Live rules")[0], re.M)
    known = set(re.findall(r"\b[a-z][a-z0-9-]+\b", re.sub(r"sluice .*", "", "\n".join(forms))))
    tap.ok(len(known) > 50 and known <= words | {"pcapng", "bpf"},
           "sluice.conf.5 has every keyword of docs/configuration.md", sorted(known - words))


def main():
    tap = Tap()
    with tap.case("to the end"):
        synopses(tap)
        options(tap)
        lint(tap)
        language(tap)
    tap.done()


if __name__ == "__main__":
    main()
