"""The Debian package, in a Debian with systemd as process 1: what is there once it is installed,
how the service lives, what an upgrade keeps, and that a purge leaves nothing."""

import re
import shutil
import time
import unittest

from package_box import HERE, BoxTest, deb, later_version, run, wait_until

CONFIG = "/etc/picket/site.conf"
STORE = "/var/lib/picket/store.pk"
WANTS = "/etc/systemd/system/multi-user.target.wants/picketd.service"
# A probe of a port of the box itself where nobody listens: it fails, and is counted, offline.
SITE = f"""[agent]
site = branch-0042
store = {STORE}
commit = 1s
flash = disk
user = picket
[tcp nobody]
address = 127.0.0.1:9
interval = 200ms
timeout = 100ms
"""
# What Debian's own tools leave behind at any package or user.
BOOKKEEPING = ("/var/lib/dpkg /var/lib/systemd /var/log /var/cache /tmp /var/tmp /etc/.pwd.lock "
               "/etc/passwd- /etc/group- /etc/shadow- /etc/gshadow-").split()


def files(box):
    """Every file on the disk of the box with type, owner, mode and link."""
    skip = " -o ".join(f"-path {path}" for path in BOOKKEEPING)
    return set(box.says(f"find / -xdev \\( {skip} \\) -prune -o "
                        r"-printf '%p %y %U:%G %m %l\n'").splitlines())


def accounts(box):
    return box.says("cat /etc/passwd /etc/group /etc/shadow /etc/gshadow")


def systemd_keeps(box):
    return box.says("find /var/lib/systemd -name '*picket*'")


def shown(box, *properties):
    """What systemd says of the service, in that order."""
    return [box.says(f"systemctl show -P {name} picketd") for name in properties]


def main_pid(box):
    return int(shown(box, "MainPID")[0])


def runs_in(status):
    return sum(sum(target["results"].values()) for target in status["targets"]) if status else 0


def first_answer(box):
    """Of an agent that has just been started: what it recovered, and hardly more."""
    return runs_in(wait_until(box.status, "the agent answers", 30))


class Debian(BoxTest):
    @classmethod
    def setUpClass(cls):
        cls.root = run(HERE / "debian_root", timeout=1800).stdout.strip()

    def setUp(self):
        super().setUp()
        shutil.copy(deb("amd64"), self.shared / "picketd.deb")

    def booted(self):
        box = self.box(self.root)
        wait_until(lambda: box.do("systemctl is-system-running", check=False).stdout.strip() in
                   ("running", "degraded"), "systemd has booted", 120)
        return box

    def installed(self):
        box = self.booted()
        box.do("dpkg -i /shared/picketd.deb")
        return box

    def configured(self):
        """With a site that has been probed for a while."""
        box = self.installed()
        box.write(CONFIG, SITE)
        box.do("picketd check %s && systemctl reload picketd" % CONFIG)
        wait_until(lambda: runs_in(box.status()) >= 5, "probes run", 30)
        return box

    def journal(self, box):
        return box.says("journalctl --no-pager -o cat -u picketd")

    def test_installing_starts_a_service_that_sends_nothing(self):
        box = self.installed()
        self.assertEqual(box.says("systemctl is-enabled picketd; systemctl is-active picketd"),
                         "enabled\nactive")
        self.assertEqual(shown(box, "Type", "User", "WatchdogUSec", "NRestarts", "Result"),
                         ["notify", "picket", "10s", "0", "success"])
        pids = box.says("cat /sys/fs/cgroup/system.slice/picketd.service/cgroup.procs").split()
        self.assertEqual(len(pids), 2)
        self.assertEqual(box.says(f"stat -c %U /proc/{pids[0]} /proc/{pids[1]}"), "picket\npicket")
        status = box.status()
        self.assertEqual((status["targets"], status["push"].get("url")), ([], None))
        # No socket of any internet protocol: nothing was sent, and nobody can send to it.
        self.assertEqual(box.says("cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 "
                                  "/proc/net/raw /proc/net/raw6 | sed /local_address/d"), "")
        self.assertIn("Active: active (running)", box.says("systemctl status --no-pager picketd"))
        self.assertRegex(self.journal(box), r"sandbox: user uid \d+, no capabilities, .*seccomp")

    def test_installed_files_have_owners_and_modes(self):
        box = self.installed()
        listed = box.says(f"stat -c '%n %U:%G %a' /usr/bin/picketd {CONFIG} /etc/picket "
                          f"/var/lib/picket {STORE} /usr/share/doc/picketd/*")
        self.assertEqual(listed.splitlines()[:5], [
            "/usr/bin/picketd root:root 755", "/etc/picket/site.conf root:root 644",
            "/etc/picket root:root 755", "/var/lib/picket picket:picket 750",
            "/var/lib/picket/store.pk picket:picket 600"])
        for name in ("picketd.spdx.json", "THIRD-PARTY-NOTICES.txt.gz", "copyright"):
            self.assertIn(f"/usr/share/doc/picketd/{name} root:root 644", listed)
        self.assertEqual(box.says("dpkg-query -W -f '${Conffiles}' picketd").split()[0], CONFIG)
        self.assertEqual(box.says("dpkg --verify picketd"), "")
        self.assertRegex(box.says("getent passwd picket"),
                         r"^picket:x:\d{3}:\d{3}:.*:/var/lib/picket:/usr/sbin/nologin$")
        self.assertEqual(box.says("dpkg-query -W -f '${Depends}${Pre-Depends}' picketd"), "")

    def test_service_reloads_restarts_and_stops(self):
        box = self.configured()
        pid = main_pid(box)
        box.write(CONFIG, SITE + "[tcp other]\naddress = 127.0.0.1:9\n")
        box.do("systemctl reload picketd")
        wait_until(lambda: len((box.status() or {"targets": []})["targets"]) == 2,
                   "the new file is in force", 30)
        self.assertEqual(main_pid(box), pid)
        box.write(CONFIG, "[agent]\nsit = typo\n")
        box.do("systemctl reload picketd")
        wait_until(lambda: "did you mean" in self.journal(box), "the bad file is refused", 30)
        self.assertEqual((main_pid(box), len(box.status()["targets"])), (pid, 2))
        box.write(CONFIG, SITE)
        before = runs_in(box.status())
        box.do("systemctl restart picketd")
        self.assertNotEqual(main_pid(box), pid)
        self.assertGreaterEqual(first_answer(box), before)
        box.do("systemctl stop picketd")
        self.assertEqual(shown(box, "ActiveState", "Result"), ["inactive", "success"])
        self.assertIn("whole", box.says(f"picketd store verify {STORE}"))

    def test_service_that_is_killed_or_stopped_comes_back(self):
        box = self.configured()
        box.do("systemctl kill --kill-whom=main -s KILL picketd")
        wait_until(lambda: shown(box, "NRestarts", "ActiveState") == ["1", "active"],
                   "systemd starts it again", 30)
        # A parent that stands still tells systemd nothing more: WatchdogSec=10s.
        begin = time.monotonic()
        box.do("systemctl kill --kill-whom=main -s STOP picketd")
        wait_until(lambda: shown(box, "NRestarts", "ActiveState") == ["2", "active"],
                   "systemd's watchdog ends it", 60)
        self.assertGreater(time.monotonic() - begin, 5)
        self.assertIn("Watchdog timeout (limit 10s)!", self.journal(box))
        self.assertTrue(wait_until(box.status, "it answers", 30)["targets"])

    def test_upgrade_keeps_configuration_and_totals(self):
        later_version(deb("amd64"), self.shared)
        box = self.configured()
        wait_until(lambda: runs_in(box.status()) >= 20, "there is something to lose", 30)
        pid, before = main_pid(box), runs_in(box.status())
        box.do("dpkg -i --force-confold /shared/later.deb")
        self.assertEqual(box.says("systemctl is-active picketd"), "active")
        self.assertNotEqual(main_pid(box), pid)
        self.assertEqual(box.says(f"cat {CONFIG}"), SITE.strip())
        self.assertIn("# of the later version", box.says(f"cat {CONFIG}.dpkg-dist"))
        self.assertGreaterEqual(first_answer(box), before)

    def test_upgrade_leaves_a_disabled_service_alone(self):
        later_version(deb("amd64"), self.shared)
        box = self.installed()
        box.do("systemctl disable --now picketd")
        box.do("dpkg -i /shared/later.deb")
        self.assertEqual(box.do("systemctl is-enabled picketd", check=False).stdout, "disabled\n")

    def test_purge_leaves_nothing(self):
        box = self.booted()
        files_before, accounts_before = files(box), accounts(box)
        box.do("dpkg -i /shared/picketd.deb && echo secret > /etc/picket/push.pw")
        box.do("dpkg -r picketd")
        self.assertEqual(box.do("systemctl is-active picketd", check=False).stdout, "inactive\n")
        left = {line.split()[0] for line in files(box) - files_before}
        self.assertEqual(left, {"/etc/picket", CONFIG, "/etc/picket/push.pw", "/var/lib/picket",
                                "/var/lib/picket-good", STORE, WANTS})
        box.do("dpkg -P picketd")
        self.assertEqual(files(box) ^ files_before, set())
        self.assertEqual(accounts(box), accounts_before)
        self.assertEqual(systemd_keeps(box), "")
        self.assertEqual(box.do("dpkg -s picketd", check=False).returncode, 1)

    def test_without_a_running_systemd_it_installs_and_purges(self):
        box = self.box(self.root, None)
        files_before, accounts_before = files(box), accounts(box)
        box.do("dpkg -i /shared/picketd.deb")
        self.assertEqual(box.says(f"readlink {WANTS}"), "/lib/systemd/system/picketd.service")
        # By hand, as another supervisor would: root starts it, and the agent becomes the user.
        box.do(f"timeout 3 picketd run -c {CONFIG} 2>/var/log/picketd || true; "
               "grep 'user picket' /var/log/picketd")
        box.do("dpkg -P picketd")
        self.assertEqual(files(box) ^ files_before, set())
        self.assertEqual((accounts(box), systemd_keeps(box)), (accounts_before, ""))

    def test_without_any_of_systemds_tools_it_installs_and_purges(self):
        box = self.box(self.root, None)
        box.do("rm /usr/bin/deb-systemd-helper /usr/bin/deb-systemd-invoke /bin/systemctl")
        files_before, accounts_before = files(box), accounts(box)
        box.do("dpkg -i /shared/picketd.deb && picketd check " + CONFIG)
        box.do("dpkg -P picketd")
        self.assertEqual((files(box) ^ files_before, accounts(box)), (set(), accounts_before))

    def test_lintian_finds_no_error(self):
        done = run("lintian", "--fail-on", "error,warning", "--allow-root",
                   self.shared / "picketd.deb", check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_no_time_of_the_build_is_in_it(self):
        tree = self.shared / "tree"
        run("dpkg-deb", "-x", self.shared / "picketd.deb", tree)
        for path in tree.rglob("*.gz"):
            self.assertEqual(path.read_bytes()[3:8], b"\0" * 5, path)  # no name, no time
            run("gzip", "-t", path)
        listing = run("dpkg-deb", "-c", self.shared / "picketd.deb").stdout
        times = set(re.findall(r" (\d{4}-\d\d-\d\d \d\d:\d\d) ", listing))
        self.assertEqual(len(times), 1, listing)


if __name__ == "__main__":
    unittest.main()
