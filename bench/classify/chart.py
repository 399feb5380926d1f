# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Panels of lines over the number of rules, both axes logarithmic, as one SVG file."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 330, 300  # of a panel's plot
LEFT, TOP, GAP, BELOW = 64, 58, 54, 92
LEGEND = 200
COLOURS = ("#0b6e4f", "#1f5fbf", "#c2410c", "#6b7280", "#7c3aed")
X_TICKS = (1, 10, 100, 1000, 10000)
STYLE = ("text{font:12px sans-serif;fill:#222}.title{font-size:14px;font-weight:bold}"
         ".grid{stroke:#ddd}.frame{fill:none;stroke:#888}.line{fill:none;stroke-width:2}")


def _ticks(values):
    """1, 2, 5, 10, ... around the values."""
    steps = [factor * 10 ** power for power in range(-1, 6) for factor in (1, 2, 5)]
    low = max([s for s in steps if s <= min(values)], default=steps[0])
    high = min([s for s in steps if s >= max(values)], default=steps[-1])
    return [s for s in steps if low <= s <= max(high, low * 10)]


def _text(x, y, text, anchor="middle", more=""):
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>' % (
        x, y, anchor, more, escape(text))


class _Panel:
    def __init__(self, left, ticks):
        self.left, self.ticks = left, ticks

    def x(self, value):
        return self.left + WIDTH * math.log10(value) / math.log10(X_TICKS[-1])

    def y(self, value):
        low, high = self.ticks[0], self.ticks[-1]
        share = math.log(max(value, low) / low) / math.log(high / low)
        return TOP + HEIGHT * (1 - share)

    def axes(self, title):
        bottom, right = TOP + HEIGHT, self.left + WIDTH
        yield _text(self.left + WIDTH / 2, TOP - 12, title, more=' class="title"')
        for tick in self.ticks:
            y = self.y(tick)
            yield '<path class="grid" d="M%d %.1fH%d"/>' % (self.left, y, right)
            yield _text(self.left - 6, y + 4, "%g" % tick, "end")
        for tick in X_TICKS:
            x = self.x(tick)
            yield '<path class="grid" d="M%.1f %dV%d"/>' % (x, TOP, bottom)
            yield _text(x, bottom + 18, "{:,}".format(tick))
        yield '<rect class="frame" x="%d" y="%d" width="%d" height="%d"/>' % (
            self.left, TOP, WIDTH, HEIGHT)
        yield _text(self.left + WIDTH / 2, bottom + 38, "rules")

    def line(self, points, colour):
        """A line through points; through a single one, a flat dashed line."""
        at = [(self.x(x), self.y(y)) for x, y in points]
        if len(at) == 1:
            yield ('<path class="line" stroke="%s" stroke-dasharray="6 4" d="M%d %.1fh%d"/>' % (
                colour, self.left, at[0][1], WIDTH))
            return
        yield '<polyline class="line" stroke="%s" points="%s"/>' % (
            colour, " ".join("%.1f,%.1f" % place for place in at))
        for place in at:
            yield '<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>' % (*place, colour)


def svg(heading, panels):
    """
    panels: {title: {label: [(rules, ns), ...]}}; the text of the picture. A label has
    the same colour in every panel; values below the lowest tick are drawn on it.
    """
    labels = list(dict.fromkeys(label for lines in panels.values() for label in lines))
    values = [max(y, 1) for lines in panels.values() for points in lines.values()
              for _, y in points]
    ticks = _ticks(values)
    width = LEFT + max(len(panels) * (WIDTH + GAP), len(labels) * LEGEND)
    height = TOP + HEIGHT + BELOW
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
             'viewBox="0 0 %d %d">' % (width, height, width, height),
             "<style>%s</style>" % STYLE, '<rect width="100%" height="100%" fill="#fff"/>',
             _text(LEFT, 22, heading, "start"),
             _text(0, 0, "ns a packet over an empty program", more=(
                 ' transform="translate(18 %d) rotate(-90)"' % (TOP + HEIGHT / 2)))]
    for number, (title, lines) in enumerate(panels.items()):
        panel = _Panel(LEFT + number * (WIDTH + GAP), ticks)
        parts += panel.axes(title)
        for label, points in lines.items():
            parts += panel.line(points, COLOURS[labels.index(label) % len(COLOURS)])
    for number, label in enumerate(labels):
        x, y = LEFT + number * LEGEND, TOP + HEIGHT + 68
        parts.append('<path class="line" stroke="%s" d="M%d %dh24"/>' % (
            COLOURS[number % len(COLOURS)], x, y))
        parts.append(_text(x + 30, y + 4, label, "start"))
    return "\n".join(parts) + "\n</svg>\n"
