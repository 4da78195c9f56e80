"""An emulated board under test: boots boards/qemu's machines, has commands done on them, and tells
when they were reset.

The console goes to a file. Commands go over the network, so that they and the console do not mix.
QEMU's monitor says what the watchdog did, and when. The board calls the host's loopback 10.0.2.2."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "live"))

from support import free_port, wait_until  # noqa: E402

BUILD = pathlib.Path(os.environ.get("PICKET_BUILD", ROOT / "build" / "armv7hf"))
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


class Board:
    """One machine with its disk. `files` are what its initramfs holds besides: {path: file}."""

    def __init__(self, folder, machine, files):
        self.folder = pathlib.Path(folder)
        self.console_path = (pathlib.Path(os.environ.get("PICKET_LOGS", self.folder)) /
                             f"board-{machine}.console")
        self.events = []  # (moment, name, data)
        self.process = self.monitor = None
        self.port = free_port()
        initramfs, disk = self.folder / "initramfs", self.folder / "disk"
        tool(BOARD, "initramfs", machine, initramfs,
             *(f"{path}={file}" for path, file in files.items()))
        tool(BOARD, "disk", disk)
        monitor = self.folder / "monitor"
        with open(self.console_path, "wb") as console:
            self.process = subprocess.Popen(
                [BOARD, "boot", machine, initramfs, disk, "-nic",
                 f"user,hostfwd=tcp:127.0.0.1:{self.port}-:23", "-qmp",
                 f"unix:{monitor},server=on,wait=off"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            wait_until(lambda: monitor.exists() or self.process.poll() is not None, "QEMU is up")
            self.listen(monitor)
        except BaseException:
            self.close()
            raise

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
        if self.monitor:
            self.monitor.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
