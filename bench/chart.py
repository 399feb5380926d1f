# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Pictures for bench/report: SVG text that takes its colours from the page's style sheet.

bars    a median each, from zero, with its spread and every sample
ratios  how many times better, from 1, logarithmic, with the spread, coloured by verdict
strip   the same of many places at once: a dot each
stack   the parts of a sum
curves  panels of lines over a place, with spreads; legend above

Widths of text are taken as 0.56 of its size for each letter, which is more than the fonts of
`system-ui` have on average: a column is as wide as its longest text, so none run into another.
"""
import math
from xml.sax.saxutils import escape

WIDTH = 900
LETTER = 6.8  # of 12 px
ROW = 24
COLOURS = {"ours": ("c0", "c4", "c7", "c8"), "peer": ("c1", "c2", "c3", "c5"), "floor": ("c6",)}


def short(value):
    """Three digits, and a letter for thousands: 5.31 M, 812 k, 32.1, 0.0123."""
    if value is None:
        return "-"
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size * 0.9995:
            return short(value / size) + letter
    if value == 0 or abs(value) >= 99.95:
        return "%.0f" % value
    return "%.*f" % (max(0, 2 - math.floor(math.log10(abs(value)) + 0.0002)), value)


def _mark(value):
    """The number at a tick: 1 k, 0.5, 100; ticks are round, so few digits are exact."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return "%g%s" % (value / size, letter)
    return "%g" % value


def _text(x, y, text, anchor="start", cls=""):
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>' % (
        x, y, anchor, ' class="%s"' % cls if cls else "", escape(str(text)))


def _line(x1, y1, x2, y2, cls):
    return '<path class="%s" d="M%.1f %.1fL%.1f %.1f"/>' % (cls, x1, y1, x2, y2)


def _svg(height, parts, label, width=WIDTH):
    return ('<svg class="chart" viewBox="0 0 %d %d" width="%d" role="img" aria-label="%s">%s</svg>'
            % (width, height, width, escape(label, {'"': "&quot;"}), "\n".join(parts)))


def _column(texts):
    return max((len(text) for text in texts), default=0) * LETTER + 8


def ticks(most, wanted=5):
    """0 and round numbers up to at least `most`."""
    if most <= 0:
        return [0, 1]
    raw = most / wanted
    step = 10 ** math.floor(math.log10(raw))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step >= raw * 0.999)
    return [step * n for n in range(math.ceil(most / step * 0.999) + 1)]


def _axis(marks, place, top, bottom, unit, first=None):
    """A line at each mark; a number where it has room, and always at `first`."""
    taken = []
    for mark in sorted(marks, key=lambda mark: mark != first):
        x, half = place(mark), len(_mark(mark)) * LETTER / 2 + 3
        yield _line(x, top, x, bottom, "grid")
        if all(x + half < a or x - half > b for a, b in taken):
            taken.append((x - half, x + half))
            yield _text(x, bottom + 15, _mark(mark), "middle", "axis")
    yield _text(place(marks[-1]), bottom + 31, unit, "end", "axis")


def _whisker(x1, x2, y):
    return '<path class="spread" d="M%.1f %.1fv8M%.1f %.1fv8M%.1f %.1fH%.1f"/>' % (
        x1, y - 4, x2, y - 4, x1, y, x2)


def classes(roles):
    """{name: class of its colour}: one for each candidate, by role."""
    seen, found = {}, {}
    for name, role in roles.items():
        found[name] = COLOURS[role][seen.get(role, 0) % len(COLOURS[role])]
        seen[role] = seen.get(role, 0) + 1
    return found


def bars(rows, unit, label):
    """rows: [(name, role, median, low, high, samples)]."""
    values = [short(row[2]) for row in rows]
    left, right = _column([row[0] for row in rows]), WIDTH - _column(values) - 12
    marks = ticks(max(max([row[4], *row[5]]) for row in rows))
    bottom = 6 + ROW * len(rows)

    def place(value):
        return left + (right - left) * max(0, value) / marks[-1]
    parts = list(_axis(marks, place, 4, bottom, unit))
    for number, (name, role, median, low, high, samples) in enumerate(rows):
        y = 6 + ROW * number + ROW / 2
        parts.append(_text(left - 8, y + 4, name, "end"))
        parts.append('<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="14"/>' % (
            COLOURS[role][0], left, y - 7, place(median) - left))
        parts += ['<circle class="sample" cx="%.1f" cy="%.1f" r="1.8"/>' % (place(one), y)
                  for one in samples]
        parts.append(_whisker(place(low), place(high), y))
        parts.append(_text(WIDTH - 4, y + 4, values[number], "end", "value"))
    return _svg(bottom + 38, parts, label)


def _times(values):
    """Marks and place of a logarithmic axis around 1 that holds the values."""
    steps = sorted(factor * 10.0 ** power for power in range(-6, 7) for factor in (1, 2, 5))
    low, high = min([0.9, *values]), max([1.1, *values])
    near = [0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2]
    if low >= near[0] and high <= near[-1]:
        steps = near
    marks = [s for s in steps if max([t for t in steps if t <= low]) <= s
             <= min([t for t in steps if t >= high])]
    if len(marks) <= 10:
        return marks
    first, last = math.floor(math.log10(marks[0])), math.ceil(math.log10(marks[-1]))
    return [10.0 ** power for power in range(first, last + 1)]


def _ratio_frame(names, tails, values, rows):
    left, right = _column(names), WIDTH - _column(tails) - 12
    marks = _times(values)
    span = math.log(max(marks[-1], max(values)) / min(marks[0], min(values)))
    first = math.log(min(marks[0], min(values)))
    bottom = 22 + ROW * rows

    def place(value):
        return left + (right - left) * (math.log(value) - first) / span
    parts = [_text(place(1) - 8, 12, "\u2190 worse", "end", "axis"),
             _text(place(1) + 8, 12, "better \u2192", "start", "axis")]
    parts += _axis(marks, place, 18, bottom, "times", 1)
    parts.append(_line(place(1), 18, place(1), bottom, "one"))
    return left, bottom, place, parts


def ratios(rows, label):
    """rows: [(name, ratio, low, high, verdict)]."""
    tails = ["%.2f\u00d7 %s" % (row[1], row[4]) for row in rows]
    left, bottom, place, parts = _ratio_frame(
        [row[0] for row in rows], tails, [v for row in rows for v in row[1:4]], len(rows))
    for number, (name, ratio, low, high, verdict) in enumerate(rows):
        y = 22 + ROW * number + ROW / 2
        parts.append(_text(left - 8, y + 4, name, "end"))
        a, b = sorted((place(1), place(ratio)))
        parts.append('<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="12"/>' % (
            verdict.split()[0], a, y - 6, max(b - a, 1)))
        parts.append(_whisker(place(low), place(high), y))
        parts.append(_text(WIDTH - 4, y + 4, tails[number], "end", "value"))
    return _svg(bottom + 38, parts, label)


def strip(rows, label):
    """rows: [(name, [(ratio, verdict, place as text)])]."""
    counts = []
    for _name, dots in rows:
        seen = [verdict for _ratio, verdict, _where in dots]
        counts.append(", ".join("%d %s" % (seen.count(v), v)
                                for v in ("win", "loss", "within noise") if v in seen))
    left, bottom, place, parts = _ratio_frame(
        [row[0] for row in rows], counts, [dot[0] for row in rows for dot in row[1]], len(rows))
    for number, (name, dots) in enumerate(rows):
        y = 22 + ROW * number + ROW / 2
        parts.append(_text(left - 8, y + 4, name, "end"))
        parts += ['<circle class="%s dot" cx="%.1f" cy="%.1f" r="4"><title>%s: %.2f</title>'
                  "</circle>" % (verdict.split()[0], place(ratio), y, escape(where), ratio)
                  for ratio, verdict, where in dots]
        parts.append(_text(WIDTH - 4, y + 4, counts[number], "end", "value"))
    return _svg(bottom + 38, parts, label)


def _legend(names, cls, width=WIDTH):
    """(parts, height): as many rows as the names need."""
    parts, x, y = [], 8, 12
    for name in names:
        wide = 34 + len(name) * LETTER
        if x + wide > width and x > 8:
            x, y = 8, y + 20
        parts.append('<rect class="%s" x="%.1f" y="%.1f" width="14" height="10"/>' % (
            cls[name], x, y - 9))
        parts.append(_text(x + 20, y, name))
        x += wide + 10
    return parts, y + 10


def stack(rows, names, unit, label):
    """rows: [(candidate, [value of each of names])]: bars of the parts, and their sum."""
    cls = {name: "c%d" % number for number, name in enumerate(names)}
    parts, top = _legend(names, cls)
    sums = [short(sum(values)) for _name, values in rows]
    left, right = _column([row[0] for row in rows]), WIDTH - _column(sums) - 12
    marks = ticks(max(sum(values) for _name, values in rows))
    bottom = top + 4 + ROW * len(rows)

    def place(value):
        return left + (right - left) * value / marks[-1]
    parts += _axis(marks, place, top, bottom, unit)
    for number, (name, values) in enumerate(rows):
        y, before = top + 4 + ROW * number + ROW / 2, 0
        parts.append(_text(left - 8, y + 4, name, "end"))
        for part, value in zip(names, values):
            parts.append('<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="14"/>' % (
                cls[part], place(before), y - 7, place(before + value) - place(before)))
            before += value
        parts.append(_text(WIDTH - 4, y + 4, sums[number], "end", "value"))
    return _svg(bottom + 38, parts, label)


# ---- curves -----------------------------------------------------------------

PLOT = 190
GUTTER, MARGIN = 46, 26  # left of a plot for its numbers, right of it for the last of x
ORDER = ("ours", "floor", "peer")  # ours is wide, so what coincides with it shows both


class _Panel:
    """One plot: x evenly by order or logarithmic, y from zero or logarithmic; see curves()."""

    def __init__(self, at, xs, marks, shape, logarithmic):
        self.left, self.top, self.width = at
        self.xs, self.marks, self.shape, self.logarithmic = xs, marks, shape, logarithmic

    def x(self, value):
        if len(self.xs) == 1:
            return self.left + self.width / 2
        if self.shape == "even":
            return self.left + self.width * self.xs.index(value) / (len(self.xs) - 1)
        return self.left + self.width * math.log(value / self.xs[0]) / math.log(
            self.xs[-1] / self.xs[0])

    def y(self, value):
        low, high = self.marks[0], self.marks[-1]
        if self.logarithmic:
            return self.top + PLOT * (1 - math.log(max(value, low) / low) / math.log(high / low))
        return self.top + PLOT * (1 - value / high)

    def frame(self, title, along):
        bottom = self.top + PLOT
        if title:
            yield _text(self.left, self.top - 10, title, cls="name")
        for mark in self.marks:
            yield _line(self.left, self.y(mark), self.left + self.width, self.y(mark), "grid")
            yield _text(self.left - 5, self.y(mark) + 4, _mark(mark), "end", "axis")
        last = None
        for value in self.xs if self.shape != "steps" else [
                mark for mark in _log_marks(self.xs) if self.xs[0] <= mark <= self.xs[-1]]:
            x, text = self.x(value), _mark(value) if value >= 1e4 else "{:,.10g}".format(value)
            yield _line(x, bottom, x, bottom + 4, "tick")
            if last is None or x - last > len(text) * LETTER + 4:
                yield _text(x, bottom + 17, text, "middle", "axis")
                last = x
        yield _text(self.left + self.width / 2, bottom + 33, along, "middle", "axis")

    def series(self, points, cls, role):
        """points: [(x, median, low, high)]."""
        at = [(self.x(x), self.y(y)) for x, y, _low, _high in points]
        if self.shape == "steps":
            yield self.steps(points, cls, role)
            return
        yield '<polyline class="line s%s %s" points="%s"/>' % (
            cls, role, " ".join("%.1f,%.1f" % place for place in at))
        for (x, y), (_x, _y, low, high) in zip(at, points):
            yield _line(x, self.y(low), x, self.y(high), "line thin s" + cls)
            yield '<circle class="%s" cx="%.1f" cy="%.1f" r="3.2"/>' % (cls, x, y)


    def steps(self, points, cls, role):
        """A histogram's outline; slots that nothing fell into are at zero."""
        heights = {x: y for x, y, _low, _high in points}
        path = ["M%.1f %.1f" % (self.x(self.xs[0]), self.y(0))]
        path += ["H%.1fV%.1f" % (self.x(x), self.y(heights.get(x, 0))) for x in self.xs]
        return '<path class="line thin s%s %s" d="%s"/>' % (cls, role, "".join(path))


def _log_marks(values):
    steps = [factor * 10.0 ** power for power in range(-3, 10) for factor in (1, 2, 5)]
    low = max([s for s in steps if s <= min(values)], default=steps[0])
    high = min([s for s in steps if s >= max(values)], default=steps[-1])
    marks = [s for s in steps if low <= s <= max(high, 2 * low)]
    if len(marks) <= 7:
        return marks
    first, last = math.floor(math.log10(marks[0])), math.ceil(math.log10(marks[-1]))
    return [10.0 ** power for power in range(first, last + 1)]


def curves(panels, roles, along, unit, label, shape="lines"):
    """
    panels: {title: {name: [(x, median, low, high), ...]}}, roles {name: role}. All have one y
    axis: logarithmic where the values differ more than 20 times, and it says so. `shape`: with
    "lines" x is logarithmic, with "even" it is in order, "steps" is the outline of a histogram.
    """
    cls = classes(roles)
    parts, top = _legend(list(roles), cls)
    values = [y for lines in panels.values() for points in lines.values()
              for point in points for y in point[1:4]]
    positive = [value for value in values if value > 0] or [1]
    logarithmic = shape != "steps" and max(positive) > 20 * min(positive)
    marks = _log_marks(positive) if logarithmic else ticks(max(positive))
    across = min(3, len(panels))
    width = WIDTH / across - GUTTER - MARGIN
    parts.append(_text(8, top + 12, unit + (", logarithmic" if logarithmic else ""), cls="axis"))
    for number, (title, lines) in enumerate(panels.items()):
        xs = sorted({point[0] for one in (panels.values() if shape == "steps" else [lines])
                     for points in one.values() for point in points})
        panel = _Panel((GUTTER + (number % across) * (width + GUTTER + MARGIN),
                        top + 46 + (number // across) * (PLOT + 84), width), xs, marks,
                       shape, logarithmic)
        parts += panel.frame(title, along)
        for name in sorted(lines, key=lambda name: ORDER.index(roles[name])):
            parts += panel.series(lines[name], cls[name], roles[name])
    rows = math.ceil(len(panels) / across)
    return _svg(top + 46 + rows * (PLOT + 84) - 40, parts, label)
