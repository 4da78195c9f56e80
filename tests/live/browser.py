"""A real browser: headless Chromium, driven by W3C WebDriver (chromedriver)."""

import base64
import contextlib
import http.client
import json

from support import Program, free_port, wait_until


class Refused(Exception):
    """What the driver says of a command that failed."""


class Browser:
    def __init__(self, folder, *arguments):
        self.port = free_port()
        self.driver = Program(folder, "chromedriver", f"--port={self.port}", port=self.port)
        self.session = None
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu",
                            "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile",
                            *arguments]}
        try:
            reply = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        except BaseException:
            self.driver.close()
            raise
        self.session = reply["sessionId"]

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            reply = connection.getresponse()
            value = json.loads(reply.read())["value"]
            if reply.status != 200:
                raise Refused(f"{path}: {value}")
            return value

    def ask(self, method, path, body=None):
        return self.call(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """The value a script's body returns."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script, what, seconds=20.0):
        return wait_until(lambda: self.run(script), what, seconds)

    def resize(self, width, height):
        """The page's own size, whatever the window has around it."""
        self.ask("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}})

    def scheme(self, name):
        self.ask("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.setEmulatedMedia",
            "params": {"features": [{"name": "prefers-color-scheme", "value": name}]}})

    def scripts(self, on):
        self.ask("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.setScriptExecutionDisabled", "params": {"value": not on}})

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.ask("GET", "/screenshot")))

    def complaints(self):
        """What it had to say of the page so far: refused resources, errors of scripts."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]

    def close(self):
        if self.session:
            with contextlib.suppress(Refused, OSError):
                self.ask("DELETE", "")
        self.driver.close()
