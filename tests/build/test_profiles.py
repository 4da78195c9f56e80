"""Board profiles: each builds, is what it says, and fits; one that cannot be is refused at once.

Guards against a profile that nobody has built since, and against limits that only show on a board."""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "live"))

from support import LiveTest  # noqa: E402

PROFILES = ROOT / "boards" / "profiles"
# Processor of a program, and what runs it here.
EMULATOR = {"armv7hf": ["qemu-arm-static"], "aarch64": ["qemu-aarch64-static"], "amd64": []}
CONFIG = """
[agent]
site = there
[http portal]
url = http://127.0.0.1:1/
verify = off
"""

# A line instead of the profile's own, or beside it; what is said.
REFUSED = (
    ("cap_targets = 8", "CAP_TARGETS is not CAP_PROBES to 4096"),
    ("cap_waits = 10", "CAP_WAITS is less than 4 for each of CAP_RUNS"),
    ("cap_probes = 0", "CAP_PROBES is not 1 to 4096"),
    ("cap_luck = 7", "unknown key 'cap_luck'"),
    ("cap_runs = many", "'many' is no size"),
    ("store_size = 2M", "more than 'cap_store_blocks' hold"),
    ("store_size = 100000", "no multiple of 4K"),
    ("flash_size = 128K", "does not fit on 128K"),
    ("flash = paper", "'paper' is none of emmc, sd, nor, nand, disk"),
    ("store = store.pk", "neither a path"),
    ("watchdog_device = dog", "is not none, systemd, procd or below /dev"),
    ("watchdog_timeout = 2h", "not between 1s and 3600s"),
    ("commit = 2", "'2' is no time"),
    ("without = icmp", "'icmp' is none of http, modbus, tcp, tls"),
    ("preset = aarch64", "it is for preset 'aarch64', and this is 'armv7hf'"),
    ("nonsense", "is not KEY = VALUE"),
)


def read(profile):
    text = (PROFILES / profile).read_text()
    return dict(re.findall(r"^([a-z_]+) *= *(.*?) *$", text, re.MULTILINE))


def names():
    return sorted(path.name for path in PROFILES.iterdir())


class Profiles(LiveTest):
    def cmake(self, *arguments, source=ROOT):
        return subprocess.run(["cmake", *map(str, arguments)], cwd=source, capture_output=True,
                              text=True, timeout=500)

    def copy(self):
        """Of the sources, to be changed."""
        def made(folder, _):
            return {"build", ".git"} if pathlib.Path(folder) == ROOT else set()
        return pathlib.Path(shutil.copytree(ROOT, self.folder / "source", ignore=made))

    def test_each_builds_and_has_its_defaults(self):
        for name in names():
            with self.subTest(name):
                profile = read(name)
                for step in (["--preset", name], ["--build", "--preset", name]):
                    done = self.cmake(*step)
                    self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
                program = [*EMULATOR[profile["preset"].split()[0]],
                           ROOT / "build" / name / "bin" / "picketd"]
                version = subprocess.run([*program, "--version"], capture_output=True, text=True,
                                         check=True, timeout=60).stdout
                self.assertIn(f"profile {name}", version)
                check = subprocess.run(
                    [*program, "check", "--no-files", self.file("there.conf", CONFIG)],
                    capture_output=True, text=True, check=True, timeout=60).stdout
                for said in (f"store       {profile['store']}, {profile['store_size']}",
                             f"commit      every {profile['commit'].replace('60s', '1m')}",
                             f"watchdog    {profile['watchdog_device']}"):
                    self.assertIn(said, check)

    def test_what_is_left_out_is_not_there(self):
        source = self.copy()
        file = source / "boards" / "profiles" / "openwrt-router"
        file.write_text(file.read_text() + "without = modbus\n")
        for step in (["--preset", "openwrt-router"],
                     ["--build", "--preset", "openwrt-router", "--target", "picketd"]):
            done = self.cmake(*step, source=source)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        program = source / "build" / "openwrt-router" / "bin" / "picketd"
        whole = ROOT / "build" / "openwrt-router" / "bin" / "picketd"
        self.assertLess(program.stat().st_size, whole.stat().st_size - 20_000)
        emulator = EMULATOR["armv7hf"]
        said = subprocess.run([*emulator, program, "--version"], capture_output=True, text=True,
                              check=True, timeout=60).stdout
        self.assertIn("left out", said)
        config = self.file("plc.conf", CONFIG + "[modbus plc]\naddress = tcp://127.0.0.1:502\n"
                           "read = level holding 1 u16\n")
        for built, text in ((program, "plc.conf:7: "), (whole, None)):
            done = subprocess.run([*emulator, built, "check", "--no-files", config],
                                  capture_output=True, text=True, timeout=60)
            if text:
                self.assertIn(text, done.stderr)
            self.assertEqual(done.returncode, 2 if text else 0, done.stderr)

    def test_what_cannot_be_is_refused_at_once_and_in_one_line(self):
        source = self.copy()
        whole = (PROFILES / "openwrt-router").read_text()
        file = source / "boards" / "profiles" / "openwrt-router"
        for line, said in REFUSED:
            with self.subTest(line):
                key = line.split()[0]
                kept = [one for one in whole.splitlines() if one.split()[:1] != [key]]
                file.write_text("\n".join([*kept, line, ""]))
                done = self.cmake("--preset", "openwrt-router", source=source)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(said, " ".join(done.stderr.split()))
                self.assertIn("boards/profiles/openwrt-router: ", done.stderr)
        self.assertIn("there is no profile 'toaster'; there are: gateway imx6-gateway",
                      self.cmake("--preset", "armv7hf", "-DPICKET_PROFILE=toaster",
                                 source=source).stderr)

    def test_a_recipes_compiler_is_no_preset_and_takes_any_profile(self):
        source = self.copy()
        file = source / "boards" / "profiles" / "openwrt-router"
        # Wrong behind the preset: so it shows which of the two was looked at, and nothing is built.
        file.write_text(file.read_text().replace("commit ", "commit = 2\n#"))
        foreign = self.file("armv5te.cmake", "set(CMAKE_SYSTEM_NAME Linux)\n"
                                             "set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)\n")
        ours = source / "boards" / "toolchains" / "armv5te.cmake"
        for toolchain, said in ((foreign, "'2' is no time"), (ours, "it is for preset 'armv7hf'")):
            done = self.cmake("-B", self.folder / toolchain.parent.name,
                              f"-DCMAKE_TOOLCHAIN_FILE={toolchain}",
                              "-DPICKET_PROFILE=openwrt-router", source=source)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, " ".join(done.stderr.split()))


if __name__ == "__main__":
    unittest.main()
