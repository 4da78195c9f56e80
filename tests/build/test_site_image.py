"""A configuration that is compiled in: checked by the build, and what the program runs by itself.

Guards against an image whose mistakes show at the site, against a build that compiles in what was
there before a change, and against a verb that wants a file all the same. The program is a board's,
emulated."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "live"))

from support import LiveTest, wait_until  # noqa: E402

EMULATOR = "qemu-arm-static"
SITE = """
[agent]
site = branch-7
sandbox = off
socket = {folder}/status.sock
include = conf.d/*.conf
"""
PROBE = """
[http portal]
url = http://127.0.0.1:1/
verify = off
timeout = 1s
interval = 1s
"""


class SiteImage(LiveTest):
    def setUp(self):
        super().setUp()
        self.site = self.folder / "site"
        (self.site / "conf.d").mkdir(parents=True)
        self.write("site.conf", SITE.format(folder=self.folder))
        self.write("conf.d/portal.conf", PROBE)
        self.build_folder = ROOT / "build" / "armv7hf-site-image"
        self.program = self.build_folder / "bin" / "picketd"

    def write(self, name, text):
        (self.site / name).write_text(text)

    def cmake(self, *arguments):
        return subprocess.run(["cmake", *map(str, arguments)], cwd=ROOT, capture_output=True,
                              text=True, timeout=900)

    def configure(self, file):
        return self.cmake("--preset", "armv7hf", "-B", self.build_folder,
                          f"-DPICKET_SITE_CONFIG={file}")

    def build(self):
        return self.cmake("--build", self.build_folder, "--target", "picketd", "-j", "2")

    def assertDone(self, done):
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])

    def picketd(self, *arguments):
        return subprocess.run([EMULATOR, self.program, *map(str, arguments)], capture_output=True,
                              text=True, timeout=60, cwd=self.folder)

    def assert_runs_by_itself(self):
        """Run and status, without a file."""
        with open(self.folder / "log", "w+", encoding="utf-8") as log:
            agent = subprocess.Popen([EMULATOR, self.program, "run", "--state", self.folder],
                                     stdin=subprocess.DEVNULL, stderr=log, cwd=self.folder)
            self.addCleanup(agent.wait)
            self.addCleanup(agent.kill)

            def status():
                told = self.picketd("status", "--format", "json")
                if told.returncode == 2:
                    return None
                probes = json.loads(told.stdout)["targets"]
                return probes if probes[0]["results"]["failure"] > 0 else None

            wait_until(lambda: status() is not None, "a failure is counted", 30)
            self.assertEqual(status()[0]["probe"], "portal")
            agent.send_signal(signal.SIGTERM)
            self.assertEqual(agent.wait(30), 0, (self.folder / "log").read_text())

    def test_it_is_checked_compiled_in_and_run(self):
        missing = self.configure(self.site / "not-there.conf")
        self.assertNotEqual(missing.returncode, 0)
        self.assertIn("there is no", missing.stderr)

        self.assertDone(self.configure(self.site / "site.conf"))
        self.assertDone(self.build())
        self.assertIn("configuration compiled in", self.picketd("--version").stdout)
        check = self.picketd("check", "--no-files")
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertIn("branch-7", check.stdout)
        probe = self.picketd("probe", "portal", "--format", "json")
        self.assertEqual((probe.returncode, json.loads(probe.stdout)["reason"]), (1, "refused"),
                         probe.stdout + probe.stderr)
        self.assertEqual(self.picketd("probe", "nobody").returncode, 2)
        self.assert_runs_by_itself()
        # A file that is named goes first.
        other = self.file("other.conf", "[agent]\nsite = other\n" + PROBE)
        self.assertIn("other", self.picketd("check", "--no-files", other).stdout)
        # No path of this machine is in it.
        self.assertNotIn(os.fsencode(self.site), self.program.read_bytes())

        # One more file for the include's pattern, and its mistake ends the build.
        self.write("conf.d/wrong.conf", "[http wrong]\nurl = http://127.0.0.1:1/\nintervall = 1s\n")
        broken = self.build()
        self.assertNotEqual(broken.returncode, 0)
        self.assertIn("conf.d/wrong.conf:3: ", broken.stdout + broken.stderr)
        self.assertIn("interval", broken.stdout + broken.stderr)
        self.write("conf.d/wrong.conf", "[http right]\nurl = http://127.0.0.1:1/\nverify = off\n")
        self.assertDone(self.build())
        self.assertEqual(self.picketd("probe", "right").returncode, 1)


if __name__ == "__main__":
    unittest.main()
