"""What the agent pushes, before the real judges: promtool and a real Pushgateway on loopback.

Guards against bodies that only our own reader accepts. Run as
`python3 -m unittest tests/live/test_exposition.py`; PICKET_BUILD names the build folder."""

import json
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from support import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PICKET_BUILD", ROOT / "build" / "host"))
DUMP = BUILD / "tests" / "exposition_dump"
PROTOBUF = ("application/vnd.google.protobuf; "
            "proto=io.prometheus.client.MetricFamily; encoding=delimited")
GROUP = {"job": "picket", "site": "branch-0042"}

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)', re.DOTALL)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)', re.DOTALL)
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def bits(value):
    """NaN is equal to itself, -0 is not 0."""
    return struct.pack("<d", value)


def parse_labels(text):
    labels, end = {}, 0
    for match in LABEL.finditer(text):
        if match.start() != end:
            raise ValueError(f"labels: {text!r}")
        end = match.end()
        value = re.sub(r"\\.", lambda m: ESCAPES[m.group()], match.group(2))
        if match.group(1) == "le":
            value = float(value)
        labels[match.group(1)] = value
    if end != len(text):
        raise ValueError(f"labels: {text!r}")
    return labels


def parse(text):
    """{(name, labels): value} of a body in the text format, with {name: type}."""
    samples, types = {}, {}
    if text and not text.endswith("\n"):
        raise ValueError("the last line has no end")
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            _, word, name, rest = line.split(" ", 3)
            if word == "TYPE":
                types[name] = rest
            continue
        match = SAMPLE.fullmatch(line)
        if not match:
            raise ValueError(f"sample: {line!r}")
        key = match.group(1), frozenset(parse_labels(match.group(2) or "").items())
        if key in samples:
            raise ValueError(f"twice: {key}")
        samples[key] = float(match.group(3))
    return samples, types


class Pushgateway:
    def __init__(self):
        self.address = f"127.0.0.1:{free_port()}"
        self.process = subprocess.Popen(
            ["prometheus-pushgateway", f"--web.listen-address={self.address}",
             "--persistence.file=", "--log.level=error"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.request("GET", "/-/ready")
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)

    def request(self, method, path, body=None, content_type=None):
        request = urllib.request.Request(f"http://{self.address}{path}", data=body, method=method)
        if content_type:
            request.add_header("Content-Type", content_type)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


class Exposition(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        subprocess.run([DUMP, folder.name], check=True)
        cls.folder = pathlib.Path(folder.name)
        cls.names = sorted(path.stem for path in cls.folder.glob("*.txt"))
        cls.gateway = Pushgateway()
        cls.addClassCleanup(cls.gateway.stop)

    def read(self, name, ending):
        return (self.folder / f"{name}.{ending}").read_bytes()

    def test_there_is_something_to_judge(self):
        self.assertIn("normal", self.names)
        self.assertGreaterEqual(len(self.names), 11)

    def test_promtool_has_nothing_to_say(self):
        for name in self.names:
            with self.subTest(name):
                run = subprocess.run(["promtool", "check", "metrics"], capture_output=True,
                                     input=self.read(name, "txt"), timeout=60)
                self.assertEqual((run.returncode, run.stdout, run.stderr), (0, b"", b""))

    def pushed_samples(self, name):
        """What the Pushgateway shows of the group, without the labels and series it adds."""
        path = "/metrics" + "".join(f"/{k}/{v}" for k, v in GROUP.items())
        status, reply = self.gateway.request("PUT", path, self.read(name, "pb"), PROTOBUF)
        self.assertEqual((status, reply), (200, b""))
        status, shown = self.gateway.request("GET", "/metrics")
        self.assertEqual(status, 200)
        samples, types = parse(shown.decode())
        group = set(GROUP.items())
        ours = {(metric, labels - group): value for (metric, labels), value in samples.items()
                if group <= labels and not re.fullmatch("push_(failure_)?time_seconds", metric)}
        return ours, types

    def test_a_pushgateway_shows_what_the_text_says(self):
        for name in self.names:
            with self.subTest(name):
                shown, shown_types = self.pushed_samples(name)
                said, said_types = parse(self.read(name, "txt").decode())
                self.assertGreater(len(said), 60)
                self.assertEqual(shown.keys(), said.keys())
                for key, value in said.items():
                    self.assertEqual(bits(shown[key]), bits(value), key)
                for metric, kind in said_types.items():
                    self.assertEqual(shown_types[metric], kind)

    def test_a_pushgateway_takes_the_text_too(self):
        for name in self.names:
            with self.subTest(name):
                status, reply = self.gateway.request(
                    "PUT", "/metrics/job/picket/site/branch-0042", self.read(name, "txt"),
                    "text/plain; version=0.0.4")
                self.assertEqual((status, reply), (200, b""))

    def test_a_certificate_cannot_forge_a_series(self):
        shown, _ = self.pushed_samples("hostile-1")
        self.assertFalse([key for key in shown if "forged" in key[0]])
        info = [dict(labels) for metric, labels in shown if metric == "probe_ssl_last_chain_info"]
        self.assertEqual(len(info), 1)
        self.assertEqual(info[0]["subject"],
                         '"} 1\nforged_total{x="y"} 7\n# TYPE forged_total counter\n')

    def test_status_is_json_whatever_a_target_sent(self):
        for name in self.names:
            with self.subTest(name):
                page = json.loads(self.read(name, "json").decode(), parse_constant=self.fail)
                self.assertEqual(page["site"], "branch-0042")
                for target in page["targets"]:
                    self.assertIn(target["outcome"], ("success", "failure", "unknown", None))
                    self.assertEqual(set(target["results"]), {"success", "failure", "unknown"})
                self.assertTrue(page["slos"])


if __name__ == "__main__":
    unittest.main()
