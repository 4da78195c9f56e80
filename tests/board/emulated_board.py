"""An emulated board under test: boots boards/qemu's machines, has commands done on them, and tells
when they were reset.

The console of all boots goes to one file. Commands go over the network, so that they and the
console do not mix. QEMU's monitor says what the watchdog did, and when. The host's loopback is
10.0.2.2."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "live"))

from support import free_port, wait_until  # noqa: E402

# What runs on the board; PICKET_BUILD is this machine's, whose programs look into a board's disk.
BUILD = pathlib.Path(os.environ.get("PICKET_BOARD_BUILD", ROOT / "build" / "armv7hf"))
QEMU = ROOT / "boards" / "qemu"
BOARD = QEMU / "board"
HOST = "10.0.2.2"
CANNOT = 3  # boards/qemu: emulator or packages cannot be had
READY = "board: ready"
# From power on or a reset until its first process is ready: 3 to 12 s, and many times that on a
# busy machine.
BOOT = 120


def tool(*command):
    """What a program of boards/qemu prints; skips the test when the board cannot be had here."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)
    if done.returncode == CANNOT:
        raise unittest.SkipTest(done.stderr.strip().splitlines()[-1])
    if done.returncode != 0:
        raise AssertionError(f"{command}: exit {done.returncode}: {done.stderr}")
    return done.stdout.strip()


def stripped(folder):
    """The program as it ships for a board."""
    if not shutil.which("arm-linux-gnueabihf-strip"):
        raise unittest.SkipTest("needs gcc-arm-linux-gnueabihf")
    out = pathlib.Path(folder) / "picketd"
    subprocess.run(["arm-linux-gnueabihf-strip", "-o", out, BUILD / "bin" / "picketd"], check=True,
                   timeout=60)
    return out


class Board:
    """One machine with its disk. `files` are what its initramfs holds besides: {path: file}; `name` is
    that of its console's log, and no two tests have the same."""

    def __init__(self, folder, machine, files, name):
        self.folder = pathlib.Path(folder)
        self.machine = machine
        self.console_path = (pathlib.Path(os.environ.get("PICKET_LOGS", self.folder)) /
                             f"board-{name}.console")
        self.console_path.write_bytes(b"")
        self.events = []  # (moment, name, data)
        self.process = self.monitor = None
        self.port = free_port()
        self.initramfs, self.disk = self.folder / "initramfs", self.folder / "disk"
        tool(BOARD, "initramfs", machine, self.initramfs,
             *(f"{path}={file}" for path, file in files.items()))
        tool(BOARD, "disk", self.disk)

    def power_on(self):
        monitor = self.folder / "monitor"
        monitor.unlink(missing_ok=True)
        with open(self.console_path, "ab") as console:
            self.process = subprocess.Popen(
                [BOARD, "boot", self.machine, self.initramfs, self.disk, "-nic",
                 f"user,hostfwd=tcp:127.0.0.1:{self.port}-:23", "-qmp",
                 f"unix:{monitor},server=on,wait=off"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            wait_until(lambda: monitor.exists() or self.process.poll() is not None, "QEMU is up")
            self.listen(monitor)
        except BaseException:
            self.cut()
            raise
        return self

    def cut(self):
        """The power goes: what the machine had not written to its disk is gone."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.monitor:
            self.monitor.close()
            self.monitor = None

    def listen(self, monitor):
        if self.process.poll() is not None:
            raise AssertionError(f"QEMU ended at once: {self.console()[-2000:]}")
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.connect(str(monitor))
        # Events are told only to those who have greeted.
        self.monitor.sendall(b'{"execute": "qmp_capabilities"}\n')
        threading.Thread(target=self.note_events, args=(self.monitor.makefile(),),
                         daemon=True).start()

    def note_events(self, lines):
        for line in lines:
            said = json.loads(line)
            if "event" in said:
                self.events.append((time.monotonic(), said["event"], said.get("data", {})))

    def moments(self, event):
        return [moment for moment, name, _ in self.events if name == event]

    def console(self):
        return self.console_path.read_text(errors="replace")

    def boots(self):
        return self.console().count(READY)

    def wait(self, condition, what, seconds):
        """As wait_until; what the board had to say goes with a failure."""
        def look():
            if self.process.poll() is not None:
                raise AssertionError(f"QEMU ended, {self.process.returncode}")
            return condition()
        try:
            return wait_until(look, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.console()[-6000:]}") from None

    def set_clock(self):
        """What a board without a clock gets from the network, sooner or later."""
        self.run(f"date -u -s @{int(time.time())}")

    def began(self):
        """The moment when its kernel began to count time."""
        samples = []
        for _ in range(5):
            before = time.monotonic()
            uptime = float(self.run("cat /proc/uptime").split()[0])
            after = time.monotonic()
            samples.append((after - before, (before + after) / 2 - uptime))
        return min(samples)[1]

    def wait_boot(self, number):
        return self.wait(lambda: self.boots() >= number, f"boot {number}", BOOT)

    def run(self, command, seconds=20):
        """What a shell command on the board prints; fails when it does."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as shell:
            shell.settimeout(seconds)
            shell.sendall(f"exec 2>&1\n( {command}\n)\necho \"=$?\"\nexit\n".encode())
            answer = b""
            while part := shell.recv(65536):
                answer += part
        text, _, code = answer.decode(errors="replace").rpartition("=")
        if code.strip() != "0":
            raise AssertionError(f"on the board, {command}: {answer!r}\n{self.console()[-3000:]}")
        return text

    def close(self):
        self.cut()
