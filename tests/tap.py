# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A small TAP reporter for the Python tests.

    tap = Tap()
    tap.ok(x > 0, "x is positive")
    tap.equal(got, want, "the counters")
    with tap.case("a transfer arrives"):   # an exception is a failure
        ...
        raise Skip("no curl here")         # counted apart, with its reason
    tap.done()                             # prints the plan, exits 0 or 1

A test that ends without done() prints no plan, and tests/run counts it as
failed: a crash cannot look like a pass.
"""
import contextlib
import sys
import traceback


class Skip(Exception):
    """Raised inside case(): this test cannot run here; the text says why."""


class Tap:
    def __init__(self, stream=sys.stdout):
        self.stream = stream
        self.count = 0
        self.failed = 0

    def _line(self, text):
        # Flushed line by line, so that a killed test still shows how far it got.
        self.stream.write(text + "\n")
        self.stream.flush()

    def diag(self, *texts):
        for text in texts:
            for line in str(text).splitlines() or [""]:
                self._line("# " + line)

    def ok(self, condition, name, *diagnostics):
        """Reports one test; `diagnostics` are printed when it failed."""
        self.count += 1
        if not condition:
            self.failed += 1
        self._line("%sok %d - %s" % ("" if condition else "not ", self.count,
                                     name.replace("#", "\\#")))
        if not condition:
            self.diag(*diagnostics)
        return bool(condition)

    def equal(self, got, want, name):
        return self.ok(got == want, name, "got:  %r" % (got,), "want: %r" % (want,))

    def contains(self, text, parts, name):
        """Each of `parts` (a string or several) stands in `text`, any case."""
        parts = [parts] if isinstance(parts, str) else parts
        missing = [p for p in parts if p.lower() not in text.lower()]
        return self.ok(not missing, name, "missing: %r" % missing, "in:", text)

    def skip(self, name, reason):
        self.count += 1
        self._line("ok %d - %s # SKIP %s" % (self.count, name.replace("#", "\\#"), reason))

    @contextlib.contextmanager
    def case(self, name):
        """
        One test: fails on an exception (with its trace), is skipped on Skip,
        else passes. Checks made inside by assert or check() need no name.
        """
        try:
            yield self
        except Skip as reason:
            self.skip(name, reason)
        except Exception:  # any fault of a test is that test's failure
            self.ok(False, name, traceback.format_exc())
        else:
            self.ok(True, name)

    def done(self):
        """Prints the plan and ends the process."""
        self._line("1..%d" % self.count)
        if self.count == 0:
            self.diag("no test was run")
        sys.exit(1 if self.failed or self.count == 0 else 0)


def check(got, want, what):
    """Inside case(): raises unless got == want, showing both."""
    if got != want:
        raise AssertionError("%s: got %r, want %r" % (what, got, want))
