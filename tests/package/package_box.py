"""A machine that packages are installed on: a Debian (or any other) root under an overlay, in
namespaces of its own, with its own init system as process 1 or with none; and the packages."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "package"
sys.path.insert(0, str(ROOT / "tests" / "live"))

from support import wait_until  # noqa: E402

# Presets, what Debian calls their machine, and who runs their program here.
ARCHITECTURES = {"amd64": ("amd64", None), "armv7hf": ("armhf", "qemu-arm-static"),
                 "armv5te": ("armel", "qemu-arm-static"),
                 "aarch64": ("arm64", "qemu-aarch64-static")}
# The first start of a machine, on a busy one.
BOOT = 120
PATIENCE = 60


def run(*command, check=True, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True,
                          timeout=options.pop("timeout", 300), **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


def newest(folder, pattern):
    found = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        raise AssertionError(f"no {pattern} in {folder}: build the target `package` first")
    return found[-1]


def deb(preset):
    return newest(ROOT / "build" / preset / "package",
                  f"picketd_*_{ARCHITECTURES[preset][0]}.deb")


def tarball(preset):
    return newest(ROOT / "build" / preset / "package", f"picket-*-{preset}.tar.gz")


def later_version(package, folder):
    """The same package as a later version, whose shipped configuration differs by a comment."""
    tree = folder / "later"
    run("dpkg-deb", "-R", package, tree)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: (.*)$", r"Version: \1+later", control.read_text()))
    config = tree / "etc" / "picket" / "site.conf"
    config.write_text(config.read_text() + "# of the later version\n")
    sums = tree / "DEBIAN" / "md5sums"
    digest = run("md5sum", config).stdout.split()[0]
    sums.write_text(re.sub(r"(?m)^\w+(  etc/picket/site.conf)$", rf"{digest}\1", sums.read_text()))
    run("dpkg-deb", "--root-owner-group", "-b", tree, folder / "later.deb")
    shutil.rmtree(tree)


class Box:
    """`init`: what is process 1; None: nothing but a process that waits."""

    def __init__(self, root, shared, init="--boot"):
        self.temporary = tempfile.TemporaryDirectory(prefix="picket-box-")
        self.folder = pathlib.Path(self.temporary.name)
        self.log = self.folder / "log"
        program = [init] if init else ["/bin/sleep", "infinity"]
        with open(self.log, "wb") as log:
            # Whatever ends the test ends the box.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", HERE / "box", root, self.folder, shared,
                 *program], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            self.pid = wait_until(self.find_first, "the box is there", BOOT)
        except BaseException:
            self.close()
            raise

    def find_first(self):
        """The machine's process 1, as seen from here, once it is what it is to be."""
        if self.process.poll() is not None:
            raise AssertionError(f"the box ended at once: {self.log.read_text()}")
        with contextlib.suppress(OSError, ValueError, IndexError):
            nspawn = int((self.folder / "nspawn.pid").read_text())
            for child in pathlib.Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
                program = os.path.basename(os.readlink(f"/proc/{child}/exe"))
                if program != "systemd-nspawn":
                    return int(child)
        return None

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.temporary.cleanup()

    def do(self, command, check=True, **options):
        """A line of shell, as root of the machine."""
        return run("nsenter", "-t", self.pid, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w",
                   "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LC_ALL=C.UTF-8",
                   "DEBIAN_FRONTEND=noninteractive", "sh", "-c", command, check=check,
                   stdin=options.pop("stdin", subprocess.DEVNULL), **options)

    def says(self, command):
        return self.do(command).stdout.strip()

    def write(self, path, text):
        run("nsenter", "-t", self.pid, "-m", "-r", "-w", "/bin/sh", "-c", f"cat > {path}",
            input=text)

    def status(self):
        """What `picketd status` knows, or None."""
        done = self.do("picketd status --format json", check=False)
        return json.loads(done.stdout) if done.returncode in (0, 1) and done.stdout else None


class BoxTest(unittest.TestCase):
    """Boxes that are ended with their test, and a folder for what they share."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="picket-package-")
        self.addCleanup(temporary.cleanup)
        self.shared = pathlib.Path(temporary.name)

    def box(self, root, init="--boot"):
        box = Box(root, self.shared, init)
        self.addCleanup(box.close)
        return box
