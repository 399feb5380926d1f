#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The page of sluice-exporter in a real browser, traffic running. Root; Debian's Chromium.

    [peer] peer0 ---- box0 [box] box1 ---- far0 [far]

The exporter and the browser are in `box`. With SLUICE_SCREENSHOTS=DIR it leaves pictures there.
"""
import os
import threading
import time

from network import two_sides
from chromium import Chromium
from exporter import Exporter
from lab import Lab, built, wait_for
from tap import Tap, check

import frames as raw

ODD = '<img src=x onerror="alert(1)">'
TEXT = r'''
interface box0, box1
default pass
set bogons { 198.18.0.0/15, fc00::/7 }
set blocked live { 203.0.113.0/24 }
rule deny drop udp to any port 9
rule "<img src=x onerror=\"alert(1)\">" count udp to any port 53
rule blocked drop from @blocked
rule wire forward fallback pass udp
forwarder { wire box0 box1; workers 1; poll sleep }
'''
LINES = ("[...document.querySelectorAll('#rules tbody tr')]"
         ".map(r => [r.querySelector('.name').innerText, r.lastChild.innerText])")
SHOTS = os.environ.get("SLUICE_SCREENSHOTS")


class Traffic(threading.Thread):
    """Some thousand datagrams a second for 90 seconds at most."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.sock, self.stopped = lab.packet_socket("peer", "peer0"), threading.Event()

    def run(self):
        end = time.monotonic() + 90
        number = 0
        while not self.stopped.is_set() and time.monotonic() < end:
            for port, count, size in ((53, 20, 40), (9, 12, 300), (443, 6, 900), (123, 4, 48)):
                for _ in range(count):
                    number += 1
                    self.sock.send(raw.datagram(port, number, size))
            time.sleep(0.01)

    def stop(self):
        self.stopped.set()
        self.join(10)
        self.sock.close()


def shot(page, name):
    if SHOTS:
        page.screenshot(os.path.join(SHOTS, name + ".png"))


def quiet(tap, page, label, url):
    tap.equal(page.problems, [], label + ": no error in the console")
    tap.equal([u for u in page.requests if not u.startswith(url)], [],
              label + ": nothing from elsewhere")


def shows(tap, page, label):
    """The main figures stand, and move."""
    with tap.case(label + ": rates, rules, ports, ring states and ledger"):
        moving = page.wait("document.querySelector('.figure span').innerText.match(/k$/) !== null")
        check(moving, True, "thousands of packets a second")
        rules = page.run(LINES)
        check([r[0] for r in rules], ["deny", ODD, "blocked", "wire"], "rules, by their own names")
        check([r[-1] for r in rules], ["now", "now", "\u2013", "now"], "last hits")
        check(page.run("document.images.length"), 0, "a name made no element")
        ports = page.run("[...document.querySelectorAll('#ports td.name')].map(c => c.innerText)")
        check(sorted(ports), sorted("udp\u2009%d" % p for p in (53, 9, 443, 123)), "ports")
        queues = page.run("document.querySelector('.queues tbody').innerText")
        check("box0\u20090" in queues and "copy" in queues, True, "queues: %r" % queues)
        check("unexplained" in page.run("document.querySelector('.ledger').innerText"), True,
              "the ledger")
        check("Copy mode" in page.run("document.getElementById('findings').innerText"), True,
              "copy mode is explained")
        check(page.run("document.querySelectorAll('#cpus tbody tr').length") > 0, True, "CPUs")


def keyboard(tap, page):
    with tap.case("keyboard: pause, choose an interface, sort"):
        page.key("p")
        check(page.wait("document.getElementById('live').innerText == 'paused'"), True, "paused")
        before = page.run("document.querySelector('.figure span').innerText")
        time.sleep(2.5)
        check(page.run("document.querySelector('.figure span').innerText"), before, "it stands")
        page.key("p")
        check(page.wait("document.getElementById('live').innerText == 'live'"), True, "it goes on")
        page.run("document.querySelector('#choice input:checked').focus()")
        page.key("ArrowRight")
        check(page.wait("document.querySelector('#choice input:checked').value == 'box1'"), True,
              "the other interface")
        page.run("document.querySelector('#choice input').click()")
        page.run("document.querySelector('#rules button[data-sort=packets]').focus()")
        page.key("Enter")
        check(page.wait(LINES + "[0][0] == 'wire'"), True, "sorted by packets")
        reached = set()
        page.run("document.activeElement.blur()")
        for _ in range(12):
            page.key("Tab")
            reached.add(page.run("document.activeElement.id || document.activeElement.tagName"))
        check({"A", "pause", "INPUT"} <= reached, True, "Tab reaches all: %r" % reached)


def weight(tap, page, exporter, url):
    with tap.case("the page is light"):
        own = [exporter.get(u[len(url) - 1:]) for u in page.requests if "state" not in u]
        check([status for status, _h, _t in own], [200] * len(own), "all of it")
        check(sum(len(text) for _s, _h, text in own) < 100000, True, "under 100 kB")
        for _status, headers, _text in own:
            check(headers["Content-Security-Policy"].startswith("default-src 'none'"), True, "CSP")
            check(headers["X-Content-Type-Options"], "nosniff", "type")
    paint = page.run("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    tap.diag("%d bytes; first contentful paint after %s ms" % (
        sum(len(text) for _s, _h, text in own), paint and round(paint)))


def broken(tap, lab, browser, exporter, url, forwarder):
    """No forwarder, no filter, no exporter: the page says so."""
    page = browser.open(url)
    page.wait(LINES + ".length == 4")
    lab.end(forwarder)
    with tap.case("empty: the forwarder went, the filter too"):
        check(page.wait("!document.querySelector('#forwarders section')"), True, "no forwarder")
        lab.sluice("down", ns="box")
        check(page.wait("document.getElementById('interfaces').innerText.includes('No filter')"),
              True, "no filter")
        check(page.run("document.getElementById('detail').hidden"), True, "no empty tables")
    quiet(tap, page, "empty", url)
    shot(page, "empty")
    lab.apply(TEXT, ns="box")
    check(page.wait("!document.getElementById('detail').hidden"), True, "the filter is back")
    exporter.stop()
    with tap.case("gone: the exporter ended, and the page says that its figures are old"):
        check(page.wait("!document.getElementById('gone').hidden"), True, "a message")
        check(page.run("document.getElementById('live').innerText"), "no answer", "the lamp")
        time.sleep(3)
        check("old" in page.run("document.getElementById('gone').innerText"), True, "how old")
    shot(page, "gone")
    again = Exporter(lab, "-l", "127.0.0.1:%d" % exporter.port)
    tap.ok(page.wait("document.getElementById('gone').hidden"), "gone: it comes back by itself")
    again.stop()


def main():
    tap = Tap()
    with Lab() as lab:
        two_sides(lab)
        lab.apply(TEXT, ns="box")
        log = open(os.path.join(lab.dir, "forwarder.log"), "w+")
        forwarder = lab.popen([built("sluice-fwd"), "-c", lab.file("box.conf", TEXT)], ns="box",
                              stderr=log)
        check(bool(wait_for(lambda: open(log.name).read().count("->") >= 2)), True, "forwarder")
        exporter = Exporter(lab, "-l", "127.0.0.1:0", "-n", "10")
        url = "http://127.0.0.1:%d/" % exporter.port
        traffic = Traffic(lab)
        traffic.start()
        try:
            with Chromium(lab, "box") as browser:
                for label, width, dark in (("light", 1280, False), ("dark", 1280, True),
                                           ("phone", 390, False)):
                    page = browser.open(url, width=width, dark=dark)
                    page.wait(LINES + ".length == 4")
                    shows(tap, page, label)
                    time.sleep(4 if SHOTS else 0)
                    shot(page, label)
                    tap.equal(page.run("document.documentElement.scrollWidth"), width,
                              label + ": nothing is wider than the screen")
                    if label == "light":
                        weight(tap, page, exporter, url)
                        keyboard(tap, page)
                    quiet(tap, page, label, url)
                    page.close()
                broken(tap, lab, browser, exporter, url, forwarder)
        finally:
            traffic.stop()
        tap.equal(lab.leftovers(), [], "down leaves nothing behind")
    tap.done()


main()
