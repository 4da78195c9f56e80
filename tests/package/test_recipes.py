"""The recipes for OpenWrt, Buildroot and Yocto, as far as they can be tried without these: they
name the pinned libraries and this version, their scripts do what they say under BusyBox, and what
they configure is accepted by picketd. Guards against a library that is bumped in one place only,
and against a board that comes up without its agent."""

import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from overlay_box import OverlayBox

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICKETD = pathlib.Path(os.environ.get("PICKET_BUILD", ROOT / "build" / "host")) / "bin" / "picketd"
PACKAGE = ROOT / "boards" / "package"
OPENWRT = PACKAGE / "openwrt" / "picket"
BUILDROOT = PACKAGE / "buildroot" / "package" / "picket"
YOCTO = PACKAGE / "yocto" / "meta-picket" / "recipes-support" / "picket"
SYSV = PACKAGE / "sysv" / "S95picketd"

# What /lib/functions.sh and procd.sh of OpenWrt offer, as far as the script uses it. Options come
# from the environment, option_NAME; what procd is told is printed.
OPENWRT_STUBS = """
config_load() { [ "$1" = picket ]; }
config_get() { eval "$1=\\$option_$3"; }
config_get_bool() { eval "$1=\\${option_$3:-$4}"; }
config_list_foreach() { [ -z "$option_label" ] || $3 "$option_label"; }
procd_open_instance() { echo open; }
procd_close_instance() { echo close; }
procd_set_param() { echo "$@"; }
procd_send_signal() { echo "signal $1"; }
procd_running() { [ -n "$is_running" ]; }
procd_add_reload_trigger() { echo "trigger $1"; }
stop() { echo stop; }
start() { echo start; start_service; }
"""


def pins():
    """Of each library that a board's program is built from: file, sha256 and upstream's URL."""
    script = (ROOT / "boards/deps/build").read_text()
    needed = re.search(r"^libraries='(.*)'$", script, re.M)[1].split()
    rows = [line.split() for line in (ROOT / "boards/deps/pins").read_text().splitlines()
            if line and not line.startswith("#")]
    return {(row[2], row[3], row[5]) for row in rows if row[0] in needed}


def version():
    return re.search(r"project\(picket VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]


class Pins(unittest.TestCase):
    maxDiff = None

    def test_openwrt_downloads_the_pinned_libraries(self):
        text = (OPENWRT / "Makefile").read_text()
        found = re.findall(r"FILE:=(\S+)\n  URL:=(\S+)\n  URL_FILE:=(\S+)\n  HASH:=(\S+)\n", text)
        self.assertEqual({(file, sha256, f"{url}/{name}") for file, url, name, sha256 in found},
                         pins())
        names = re.findall(r"define Download/(\S+)", text)
        self.assertEqual(re.search(r"PICKET_LIBRARIES:=(.*)", text)[1].split(), names)

    def test_buildroot_downloads_the_pinned_libraries(self):
        found = re.findall(r"^\t(\S+)=(https://\S+)", (BUILDROOT / "picket.mk").read_text(), re.M)
        hashes = dict(reversed(line.split()[1:]) for line in
                      (BUILDROOT / "picket.hash").read_text().splitlines() if line[0] != "#")
        self.assertEqual({(file, hashes.get(url.rpartition("/")[2]), url) for file, url in found},
                         pins())
        self.assertEqual(len(hashes), len(found))

    def test_yocto_downloads_the_pinned_libraries(self):
        text = (YOCTO / f"picket_{version()}.bb").read_text()
        found = re.findall(r"(https://\S+?);name=([^;]+);downloadfilename=([^;]+);", text)
        hashes = dict(re.findall(r'^SRC_URI\[(\S+)\.sha256sum\] = "(\w+)"', text, re.M))
        self.assertEqual({(file, hashes.get(name), url) for url, name, file in found}, pins())
        self.assertEqual(len(hashes), len(found))

    def test_yocto_leaves_the_libraries_their_own_flags(self):
        text = (YOCTO / f"picket_{version()}.bb").read_text().replace("\\\n        ", "")
        command = re.search(r"^    sed -i (.*) \$\{WORKDIR\}/toolchain\.cmake$", text, re.M)[1]
        # As cmake.bbclass writes them.
        lines = ('set( CMAKE_C_FLAGS "-O2 -g" CACHE STRING "CFLAGS" )\n',
                 'set( CMAKE_C_FLAGS_RELEASE "-DNDEBUG" CACHE STRING "for release" )\n')
        done = subprocess.run(["sh", "-c", f"sed {command}"], input="".join(lines),
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, 'set( CMAKE_C_FLAGS_INIT "-O2 -g" )\n' + lines[1])

    def test_recipes_are_of_this_version(self):
        for file, pattern in ((OPENWRT / "Makefile", r"^PKG_VERSION:=(\S+)$"),
                              (BUILDROOT / "picket.mk", r"^PICKET_VERSION = (\S+)$")):
            self.assertEqual(re.search(pattern, file.read_text(), re.M)[1], version(), file)
        self.assertEqual([file.name for file in YOCTO.iterdir()], [f"picket_{version()}.bb"])

    def test_recipes_hand_over_the_profile_that_was_chosen(self):
        yocto = YOCTO / f"picket_{version()}.bb"
        for file, option, choice in (
                (OPENWRT / "Makefile", "$(call qstrip,$(CONFIG_PICKET_PROFILE))",
                 OPENWRT / "Makefile"),
                (BUILDROOT / "picket.mk", "$(call qstrip,$(BR2_PACKAGE_PICKET_PROFILE))",
                 BUILDROOT / "Config.in"),
                (yocto, "${PICKET_PROFILE}", yocto)):
            self.assertIn(f"-DPICKET_PROFILE={option}", file.read_text())
            name = re.search(r"(\w*)PICKET_PROFILE", option)[0].removeprefix("CONFIG_")
            self.assertRegex(choice.read_text(), rf"(?m)^(config {name}$|{name} \?=)")

    def test_recipes_take_along_all_that_a_board_is_built_from(self):
        text = (ROOT / "CMakeLists.txt").read_text()
        text = re.sub(r"if\(PICKET_(HOST|TESTS)\b.*?endif\(\)", "", text, flags=re.S)
        floors = {name.split("/")[0] for name in re.findall(r"add_subdirectory\((\S+)\)", text)}
        for file in (OPENWRT / "Makefile", BUILDROOT / "picket.mk",
                     YOCTO / f"picket_{version()}.bb"):
            for part in floors | {"CMakeLists.txt"}:
                self.assertRegex(file.read_text(), rf"(=|//|[ ,]){part}\b", file)


class Scripts(unittest.TestCase):
    def test_shellcheck_and_busybox_find_nothing_to_say(self):
        # 3043: OpenWrt's shell has local. 2034: what rc.common reads is not used in the script.
        for script, ignored in ((SYSV, ""), (OPENWRT / "files" / "picketd.init", "-e3043,2034")):
            for command in (["shellcheck", "-s", "sh", *filter(None, [ignored])],
                            ["busybox", "ash", "-n"]):
                done = subprocess.run([*command, script], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)


    def test_yamllint_finds_nothing_to_say_about_the_role(self):
        done = subprocess.run(["yamllint", "--strict", "."], cwd=PACKAGE / "ansible",
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)


class OpenWrtInit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = self.folder / "etc" / "picket.conf"
        self.config = self.folder / "site.conf"
        self.good = self.folder / "good"
        text = (OPENWRT / "files" / "site.conf").read_text()
        # The machine of the test has neither the user nor the folders of a router.
        text = text.replace("/var/etc/picket.conf", str(self.site))
        text = re.sub("(?m)^user .*", "", text).replace("/srv/", f"{self.folder}/")
        self.config.write_text(text.replace("/var/run/", f"{self.folder}/"))

    def call(self, action, **options):
        """What procd was told when the script did `action` with these options in UCI."""
        text = (OPENWRT / "files" / "picketd.init").read_text()
        text = text.replace("/var/etc/picket.conf", str(self.site))
        text = text.replace("/etc/picket/site.conf", str(self.config))
        text = text.replace("/etc/picket/good", str(self.good))
        running = {"is_running": "1"} if options.pop("running", False) else {}
        environment = {f"option_{key}": value for key, value in options.items()} | running
        done = subprocess.run(["busybox", "ash", "-c", OPENWRT_STUBS + text + f"\n{action}\n"],
                              capture_output=True, text=True, env={**os.environ, **environment})
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines()

    def check(self):
        done = subprocess.run([PICKETD, "check", "--no-files", self.config], capture_output=True,
                              text=True)
        return done.returncode, done.stdout + done.stderr

    def test_options_become_a_configuration_that_picketd_accepts(self):
        told = self.call("start_service", enabled="1", name="branch-0042", label="region=emea",
                         push_url="https://push.example.net:9091", push_interval="60s",
                         push_username="branch-0042", push_password_file="/etc/picket/push.pw")
        self.assertIn(f"command /usr/bin/picketd run -c {self.config} --state {self.good}", told)
        self.assertEqual(self.good.stat().st_mode & 0o777, 0o700)
        self.assertIn("watchdog 1 15", told)
        code, printed = self.check()
        self.assertEqual(code, 0, printed)
        self.assertRegex(printed, r"site +branch-0042\n")
        self.assertIn("username = branch-0042\n", self.site.read_text())

    def test_what_is_unset_is_left_out_and_the_defaults_of_the_feed_are_accepted(self):
        defaults = dict(re.findall(r"option (\w+) '(.*)'",
                                   (OPENWRT / "files" / "picket.config").read_text()))
        self.assertEqual(self.call("start_service", **defaults), [])
        self.call("start_service", **{**defaults, "enabled": "1"})
        self.assertNotIn("name", self.site.read_text())
        self.assertEqual(self.check()[0], 0, self.check()[1])

    def test_value_cannot_add_a_line_of_its_own(self):
        self.call("start_service", enabled="1", name="a", push_url="http://h\n[http x]\nurl = y")
        self.assertNotIn("\n[http x]", self.site.read_text())
        self.assertEqual(self.check()[0], 2)

    def test_reload_signals_what_runs_and_stops_what_is_disabled(self):
        self.assertEqual(self.call("reload_service", running=True, enabled="1", name="b"),
                         ["signal picketd"])
        self.assertIn("site = b\n", self.site.read_text())
        self.assertEqual(self.call("reload_service", running=True, enabled="0"), ["stop", "start"])
        self.assertIn("open", self.call("reload_service", enabled="1"))

    def test_change_of_the_settings_is_what_reloads(self):
        self.assertEqual(self.call("service_triggers"), ["trigger picket"])


class SysvScript(unittest.TestCase):
    """S95picketd with BusyBox's start-stop-daemon; test_ansible.py has it with Debian's."""

    @classmethod
    def setUpClass(cls):
        cls.box = OverlayBox()
        cls.addClassCleanup(cls.box.close)
        for source, place, mode in ((PICKETD, "usr/bin/picketd", 0o755),
                                    (SYSV, "etc/init.d/S95picketd", 0o755),
                                    (PACKAGE / "site.conf", "etc/picket/site.conf", 0o644)):
            target = cls.box.root / place
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(mode)
        setup = cls.box.run("sh", "-ec", "mkdir /tmp/bin; busybox --install -s /tmp/bin;"
                            " useradd --system --user-group --no-create-home picket")
        assert setup.returncode == 0, setup.stderr

    def call(self, action):
        done = self.box.run("env", "PATH=/tmp/bin", "/tmp/bin/sh", "/etc/init.d/S95picketd",
                            action)
        return done.returncode, done.stdout

    def parents(self):
        """Those of picketd's processes whose parent is none of them."""
        found = self.box.run("ps", "-C", "picketd", "-o", "pid=,ppid=").stdout.split()
        pids = found[::2]
        return [pid for pid, parent in zip(pids, found[1::2]) if parent not in pids]

    def wait_for_status(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            done = self.box.run("picketd", "status", "-c", "/etc/picket/site.conf")
            if done.returncode in (0, 1):
                return
            time.sleep(0.2)
        self.fail(done.stderr)

    def test_life_of_the_service(self):
        self.assertEqual(self.call("status"), (3, "picketd is stopped\n"))
        self.assertEqual(self.call("stop"), (0, "Stopping picketd: OK\n"))
        self.assertEqual(self.call("reload")[0], 1)
        self.assertEqual(self.call("start"), (0, "Starting picketd: OK\n"))
        self.wait_for_status()
        first = self.parents()
        self.assertEqual(len(first), 1)
        self.assertEqual(self.call("start")[0], 0)
        self.assertEqual(self.call("status"), (0, "picketd is running\n"))
        self.assertEqual(self.call("reload"), (0, "Reloading picketd: OK\n"))
        self.wait_for_status()
        self.assertEqual(self.parents(), first)
        self.assertEqual(self.call("restart")[0], 0)
        self.wait_for_status()
        self.assertEqual(len(self.parents()), 1)
        self.assertNotEqual(self.parents(), first)
        self.assertEqual(self.call("stop"), (0, "Stopping picketd: OK\n"))
        self.assertEqual(self.parents(), [])


if __name__ == "__main__":
    unittest.main()
