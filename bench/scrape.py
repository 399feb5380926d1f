#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What sluice-exporter costs, with 10,000 rules and every eighth port counted (root): how
long a scrape takes, and how many packets a rule drops on a live veth at full load while
nobody watches, while it is scraped each second, and while a page is open besides.

    [tx] s0 ------ s1 [rx] sluice, 10,000 rules, the exporter on another CPU

As in trace.py: packets are for each second that the generator ran, a watched sample is
between two unwatched ones and compared with the mean of them, and what those two
differ by is the noise. Prometheus scrapes each 15 s or more seldom: this is the worst.
"""
import contextlib
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from measure import Window, arguments, column, dropped, finish, median, rounds, running, table
from measure import takes_xdp_frames
from trace import costs, generator, quartiles
from lab import Lab, LabError, ROOT
from result import FLOOR, OURS

sys.path.append(os.path.join(ROOT, "tests", "oracle"))
from exporter import Exporter
import frames

RULES = 10000
PORTS = range(0, 65536, 8)
SECONDS = 3
ROUNDS, QUICK_ROUNDS = 9, 5
SCRAPES = 21
PAUSE = 0.6  # longer than what it read is kept
TARGET_MS = 100


def configuration():
    return "interface s1 { mode native }\ndefault pass\n" + "".join(
        "rule r%d count udp from 10.%d.%d.0/24 to any port %d\n" % (n, n >> 8, n & 255, n + 1)
        for n in range(RULES - 1)) + "rule flood drop udp from 198.18.0.0/15 to any port 9\n"


def scrape(exporter):
    """ms of one; what it sent is complete."""
    begin = time.monotonic()
    status, _, text = exporter.get()
    took = 1000 * (time.monotonic() - begin)
    if status != 200 or not text.endswith("# EOF\n"):
        raise LabError("sluice-exporter: status %d, %d bytes without an end" % (status, len(text)))
    return took


def scraping(exporter, page, done):
    while not done.wait(1):
        scrape(exporter)
        if page:
            exporter.state()


@contextlib.contextmanager
def watched(exporter, page):
    """Asks from a thread of this process."""
    done = threading.Event()
    thread = threading.Thread(target=scraping, args=(exporter, page, done))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def sampler(lab, proc, watch):
    def take():
        with watch():
            window = Window([proc.pid], lambda: dropped(lab, "rx", "s1"))
            time.sleep(SECONDS)
            window.stop()
        if proc.poll() is not None:
            raise LabError("sluice-gen s0: it ended inside the window")
        return {"value": window.counted / window.seconds / window.ran[0], **window.noise()}
    return take


def measured(wanted):
    """(ms of each scrape, bytes of one, what rounds() returned)"""
    with Lab() as lab:
        lab.add("tx", "rx")
        lab.veth("tx", "s0", "rx", "s1")
        takes_xdp_frames(lab, ("rx", "s1"))
        lab.apply(configuration(), "rx", timeout=240)
        exporter = Exporter(lab, "-l", "127.0.0.1:0", "-n", "100", ns="rx")
        lab.send("tx", "s0", (frames.datagram(port, port) for port in PORTS))
        times = []
        for _ in range(SCRAPES):
            time.sleep(PAUSE)
            times.append(scrape(exporter))
        size = len(exporter.get()[2])
        proc = generator(lab, 256)
        other = min(os.sched_getaffinity(0))  # the generator has the last CPU
        os.sched_setaffinity(0, {other})
        for pid in (exporter.proc.pid, exporter.server()):
            os.sched_setaffinity(pid, {other})
        unwatched = contextlib.nullcontext
        taken = rounds({"nobody": sampler(lab, proc, unwatched),
                        "scraped": sampler(lab, proc, lambda: watched(exporter, False)),
                        "nobody again": sampler(lab, proc, unwatched),
                        "scraped, and a page": sampler(lab, proc, lambda: watched(exporter, True))},
                       wanted, noise=1)
        exporter.stop()
        return times, size, taken


def main():
    options = arguments(__doc__).parse_args()
    with running("scrape", "What sluice-exporter costs, with 10,000 rules",
                 options.quick) as result:
        times, size, taken = measured(QUICK_ROUNDS if options.quick else ROUNDS)
        print("a scrape of %d kB: median %.0f ms, least %.0f, most %.0f" % (
            size // 1000, median(times), min(times), max(times)))
        table(["watching", "Mpps of its time", "cost", "25 % .. 75 %"],
              [[name, "%.2f" % (median(column(taken[0], name)) / 1e6),
                "%.2f %%" % (100 * median(costs(taken[0], name))),
                "%.2f .. %.2f %%" % tuple(100 * v for v in quartiles(costs(taken[0], name)))]
               for name in taken[0][0]])
        result.rounds("dropped for each second that the generator ran", "packets/s", "more",
                      {name: OURS if name.startswith("scraped") else FLOOR
                       for name in taken[0][0]}, taken)
        result.target("a scrape, 10,000 rules and all ports", "%.0f ms" % median(times),
                      "less than %d ms" % TARGET_MS, median(times) < TARGET_MS)
        result.details(scrape_ms=times, bytes=size, cost=costs(taken[0], "scraped"),
                       noise=costs(taken[0], "nobody again"))
    return 0


if __name__ == "__main__":
    finish(main)
