# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Debian's Chromium without a screen, driven over its DevTools protocol by two pipes.

    with Chromium(lab, "box") as browser:      # in a namespace of the lab
        page = browser.open("http://127.0.0.1:9435/", width=390, dark=True)
        page.wait("document.title == 'Sluice'")
        page.screenshot("/tmp/page.png")
        page.problems                          # what the console and the network complained of
"""
import base64
import json
import os
import select
import shutil
import time

from lab import LabError


class Chromium:
    def __init__(self, lab, ns):
        program = shutil.which("chromium")
        if not program:
            raise LabError("chromium: not installed; config/debian/ensure-packages test")
        out_read, self.write_fd = os.pipe()
        self.read_fd, in_write = os.pipe()
        self.lab, self.last, self.pages, self.rest = lab, 0, {}, b""
        # The protocol's descriptors are 3 and 4. No sandbox: root has none in Chromium.
        command = 'exec 3<&%d 4>&%d; exec "$@"' % (out_read, in_write)
        self.proc = lab.popen(
            ["bash", "-c", command, "bash", program, "--headless=new", "--no-sandbox",
             "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--hide-scrollbars",
             "--user-data-dir=" + os.path.join(lab.dir, "chromium"), "about:blank"],
            ns=ns, pass_fds=(out_read, in_write),
            stderr=open(os.path.join(lab.dir, "chromium.log"), "w"))
        os.close(out_read)
        os.close(in_write)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        os.close(self.write_fd)  # which ends it
        try:
            self.proc.wait(5)
        except Exception:  # pylint: disable=broad-except
            self.proc.kill()
            self.proc.wait(5)
        os.close(self.read_fd)

    def call(self, method, params=None, session=None, timeout=30):
        """One command's result; events on the way go to their page."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        os.write(self.write_fd, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for got in self.receive(end - time.monotonic()):
                if got.get("id") == message["id"]:
                    if "error" in got:
                        raise LabError("chromium: %s: %s" % (method, got["error"]))
                    return got["result"]
        raise LabError("chromium: %s: no answer in %d s" % (method, timeout))

    def receive(self, seconds):
        """Messages that come within so many seconds, none or some."""
        ready, _, _ = select.select([self.read_fd], [], [], max(0, seconds))
        if not ready:
            return []
        data = os.read(self.read_fd, 1 << 20)
        if not data:
            raise LabError("chromium: ended with %r" % self.proc.poll())
        *whole, self.rest = (self.rest + data).split(b"\0")
        messages = [json.loads(text) for text in whole]
        for message in messages:
            page = self.pages.get(message.get("sessionId"))
            if page and "method" in message:
                page.event(message["method"], message["params"])
        return messages

    def open(self, url, width=1280, height=900, dark=False):
        return Page(self, url, width, height, dark)


class Page:
    def __init__(self, browser, url, width, height, dark):
        self.browser, self.problems, self.requests, self.width = browser, [], {}, width
        target = browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget",
                                    {"targetId": target, "flatten": True})["sessionId"]
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        self.call("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.call("Page.navigate", {"url": url})

    def call(self, method, params=None):
        return self.browser.call(method, params, self.session)

    def event(self, method, params):
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.problems.append(json.dumps(params["args"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append("%(level)s: %(text)s" % params["entry"])
        elif method == "Network.requestWillBeSent":
            self.requests[params["request"]["url"]] = 0
        elif method == "Network.responseReceived":
            self.requests[params["response"]["url"]] = params["response"]["status"]

    def run(self, expression):
        """The value of a JavaScript expression (a promise: what it comes to)."""
        got = self.call("Runtime.evaluate", {"expression": expression, "returnByValue": True,
                                             "awaitPromise": True})
        if "exceptionDetails" in got:
            raise LabError("%s: %s" % (expression, json.dumps(got["exceptionDetails"])[:500]))
        return got["result"].get("value")

    def wait(self, expression, timeout=15):
        """Until it is true; its last value."""
        end = time.monotonic() + timeout
        while True:
            value = self.run(expression)
            if value or time.monotonic() > end:
                return value
            time.sleep(0.1)

    def key(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", {
                "type": kind, "key": key, "code": key if len(key) > 1 else "Key" + key.upper(),
                "text": {"Enter": "\r"}.get(key, key if len(key) == 1 else ""),
                "windowsVirtualKeyCode": {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39}.get(
                    key, ord(key[0].upper()))})

    def close(self):
        self.browser.call("Target.closeTarget", {"targetId": self.target})

    def screenshot(self, path):
        """All of the page, as long as it is."""
        picture = self.call("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": {
            "x": 0, "y": 0, "width": self.width, "scale": 1,
            "height": self.run("document.documentElement.scrollHeight")}})
        with open(path, "wb") as out:
            out.write(base64.b64decode(picture["data"]))
