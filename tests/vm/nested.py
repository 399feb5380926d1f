# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A TAP stream within another: each test of a command is a test here, with a
word before its name. A command without a plan, or with another number of tests
than planned, is a failure more."""
import re
import subprocess

TEST = re.compile(r"(not )?ok\b *\d*[ -]*((?:\\.|[^\\#])*)(?:# *SKIP\S* *(.*))?", re.I)
PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*SKIP\S*\s*(.*))?", re.I)


def _take(tap, line, label):
    """Passes one line on; 1 if it was a test."""
    test = TEST.fullmatch(line)
    if not test:
        tap.diag(line[2:] if line.startswith("# ") else line)
        return 0
    name = "%s: %s" % (label, test.group(2).strip().replace("\\#", "#"))
    if test.group(3) is not None:
        tap.skip(name, test.group(3))
    else:
        tap.ok(not test.group(1), name)
    return 1


def nested(tap, argv, label, seconds, **options):
    """Runs a command that speaks TAP, for at most `seconds`; its exit status."""
    seen, plan, failed = 0, None, tap.failed
    argv = ["timeout", "--kill-after=20", str(seconds)] + argv
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          **options) as proc:
        try:
            for line in proc.stdout:
                line = line.rstrip("\n")
                planned = PLAN.fullmatch(line)
                if planned:
                    plan = planned
                else:
                    seen += _take(tap, line, label)
        except BaseException:
            proc.terminate()  # `timeout` hands it on
            raise
    if plan and plan.group(2) is not None and plan.group(1) == "0":
        tap.skip(label, plan.group(2))
    elif not plan or int(plan.group(1)) != seen or not seen:
        tap.ok(False, "%s: reaches its end" % label, "exit %d, %d tests seen, plan %s" % (
            proc.returncode, seen, plan.group(0) if plan else "missing"))
    elif proc.returncode and tap.failed == failed:
        tap.ok(False, "%s: exit %d without a failed test" % (label, proc.returncode))
    return proc.returncode
