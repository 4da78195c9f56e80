"""The Ansible role against a copy of this machine: guards against a role that reports success and
did not deploy, that changes something at every run, or that lets a bad value of the inventory
replace a configuration that works. The inventory is the example that ships."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from overlay_box import OverlayBox

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PICKET_BUILD", ROOT / "build" / "host"))
SECRET = "correct-horse-battery"
SITE_CONF = "/etc/picket/site.conf"

# What Debian's update-rc.d wants to see in a script of /etc/init.d.
LSB = """### BEGIN INIT INFO
# Provides:          picketd
# Required-Start:    $network
# Required-Stop:     $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
### END INIT INFO
"""
CONTROL = """Package: picketd
Version: {}
Architecture: all
Maintainer: nobody <nobody@localhost>
Description: what a package of Picket installs, without systemd
"""
POSTINST = """#!/bin/sh
set -e
useradd --system --no-create-home --user-group picket
install -d -o picket -g picket -m 0750 /var/lib/picket
"""


def make_package(folder, version="0.1.0"):
    """A package of the program just built, for the init system that the box has: none of its own,
    so the script for BusyBox and sysvinit."""
    tree = folder / f"tree-{version}"
    for name, source, mode in [("usr/bin/picketd", BUILD / "bin" / "picketd", 0o755),
                               ("etc/picket/site.conf", ROOT / "boards/package/site.conf", 0o644)]:
        (tree / name).parent.mkdir(parents=True)
        shutil.copy(source, tree / name)
        (tree / name).chmod(mode)
    script = (ROOT / "boards/package/sysv/S95picketd").read_text()
    texts = {"etc/init.d/picketd": (script.replace("#!/bin/sh\n", "#!/bin/sh\n" + LSB, 1), 0o755),
             "DEBIAN/control": (CONTROL.format(version), 0o644),
             "DEBIAN/postinst": (POSTINST, 0o755),
             "DEBIAN/conffiles": (SITE_CONF + "\n", 0o644)}
    for name, (text, mode) in texts.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
        (tree / name).chmod(mode)
    package = folder / f"picketd_{version}_all.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, package],
                   check=True, capture_output=True)
    return package


class AnsibleRole(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = OverlayBox()
        cls.addClassCleanup(cls.box.close)
        # The box has a /tmp of its own, so all it is to see is put there.
        inside = cls.box.root / "tmp"
        shutil.copytree(ROOT / "boards/package/ansible", inside / "ansible")
        package = make_package(inside)
        cls.vars = {"ansible_connection": "local", "ansible_become": False,
                    "ansible_python_interpreter": "/usr/bin/python3",
                    "vault_push_password": SECRET, "picket_package": "/tmp/" + package.name,
                    "picket_package_sha256": hashlib.sha256(package.read_bytes()).hexdigest()}
        cls.first = cls.play()

    @classmethod
    def play(cls, site="branch-0001", **values):
        """Exit code, what was printed, and the recap's counts of one run against one site."""
        done = cls.box.run(
            "env", "-C", "/tmp/ansible", "HOME=/root", "LC_ALL=C.UTF-8", "ANSIBLE_NOCOLOR=1",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "/usr/bin/ansible-playbook", "site.yml", "-v",
            "--limit", site, "-e", json.dumps({**cls.vars, **values}))
        printed = done.stdout + done.stderr
        recap = re.search(rf"^{site} .*", printed, re.M)
        counts = dict(re.findall(r"(\w+)=(\d+)", recap[0])) if recap else {}
        return done.returncode, printed, {key: int(count) for key, count in counts.items()}

    def configuration(self):
        return (self.box.root / SITE_CONF[1:]).read_text()

    def status(self):
        done = self.box.run("picketd", "status", "-c", SITE_CONF, "--format", "json")
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(done.stdout)

    def parent(self):
        return (self.box.root / "run/picketd.pid").read_text()

    def test_first_run_brings_a_site_up_with_its_own_configuration(self):
        code, printed, counts = self.first
        self.assertEqual(code, 0, printed)
        self.assertGreater(counts["changed"], 4, printed)
        self.assertEqual(self.play()[0], 0)
        text = self.configuration()
        for line in ("site = branch-0001", "label = region=emea", "slo = availability 99.9% 30d",
                     "slo = latency 95% 800ms 30d", "[modbus boiler]", "[slo portal-all]",
                     "probe = portal-cert", "[maintenance patch-night]"):
            self.assertIn(f"\n{line}\n", text)
        self.assertEqual(self.status()["site"], "branch-0001")
        self.assertEqual(len(self.status()["targets"]), 3)

    def test_second_run_changes_nothing(self):
        self.assertEqual(self.play()[0], 0)
        parent = self.parent()
        code, printed, counts = self.play()
        self.assertEqual((code, counts["changed"], counts["failed"]), (0, 0, 0), printed)
        self.assertEqual(self.parent(), parent)

    def test_secrets_are_roots_alone_and_are_not_printed(self):
        secret = self.box.root / "etc/picket/secrets/push.pw"
        self.assertEqual(secret.read_text(), SECRET)
        self.assertEqual((secret.stat().st_mode & 0o777, secret.stat().st_uid), (0o600, 0))
        self.assertNotIn(SECRET, self.first[1])
        self.assertNotIn(SECRET, self.configuration())

    def test_bad_value_is_told_by_picketd_and_replaces_nothing(self):
        before, parent = self.configuration(), self.parent()
        code, printed, counts = self.play(picket_defaults={"interval": "5x", "timeout": "5s"})
        self.assertNotEqual(code, 0)
        self.assertEqual(counts["failed"], 1)
        self.assertIn("'5x' is not a duration", printed)
        self.assertEqual(self.configuration(), before)
        self.assertEqual(self.parent(), parent)
        self.status()

    def test_secret_that_is_not_in_the_inventory_is_told_and_replaces_nothing(self):
        before = self.configuration()
        push = {"url": "https://push.example.net:9091", "username": "x",
                "password_file": "/etc/picket/secrets/other.pw"}
        code, printed, _ = self.play(picket_push=push)
        self.assertNotEqual(code, 0)
        self.assertIn("other.pw", printed)
        self.assertEqual(self.configuration(), before)

    def test_change_is_taken_up_by_the_running_agent(self):
        self.assertEqual(self.play()[0], 0)
        parent = self.parent()
        code, printed, counts = self.play(picket_site="branch-0009")
        self.assertEqual((code, counts["changed"]), (0, 2), printed)
        self.assertEqual(self.status()["site"], "branch-0009")
        self.assertEqual(self.parent(), parent)

    def test_other_site_gets_its_own(self):
        code, printed, _ = self.play("branch-0002")
        self.assertEqual(code, 0, printed)
        text = self.configuration()
        self.assertIn("\n[defaults]\ninterval = 5m\ntimeout = 10s\n", text)
        self.assertIn("\nlabel = region=apac\n", text)
        self.assertNotIn("modbus", text)

    def test_package_with_another_sum_is_not_installed(self):
        package = make_package(self.box.root / "tmp", "0.1.1")
        code, printed, _ = self.play(picket_package="/tmp/" + package.name)
        self.assertNotEqual(code, 0)
        self.assertIn("it was not installed", printed)
        version = self.box.run("dpkg-query", "-W", "-f", "${Version}", "picketd").stdout
        self.assertEqual(version, "0.1.0")


if __name__ == "__main__":
    unittest.main()
