"""The tarball and its installer, for boards without a package manager: into images with every kind
of init, by nothing but BusyBox, and on a running BusyBox system."""

import os
import pathlib
import re
import shutil
import unittest

from package_box import BoxTest, run, tarball, wait_until

BUSYBOX = pathlib.Path("/bin/busybox")
# Without a newline at its end.
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false"
GROUP = "root:x:0:\nnogroup:x:65534:\ntaken:x:999:\n"
BUSYBOX_TAB = "::sysinit:/etc/init.d/rcS\n::askfirst:-/bin/sh\n"
SYSV_TAB = "id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\n"
CONFIG = "etc/picket/site.conf"
RUN = "/usr/bin/picketd run -c /etc/picket/site.conf"


def touch(root, path, text="", mode=0o755):
    path = root / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def image(folder, *files):
    """The root of a board's image, as far as an installer looks at it."""
    root = folder / "image"
    touch(root, "etc/passwd", PASSWD, 0o644)
    touch(root, "etc/group", GROUP, 0o644)
    for path, text in files:
        touch(root, path, text)
    return root


def contents(root):
    """Every file below, with owner, mode and text."""
    found = {}
    for path in sorted(root.rglob("*")):
        if not path.is_dir() or path.is_symlink():
            entry = path.lstat()
            text = os.readlink(path) if path.is_symlink() else path.read_bytes()
            found[str(path.relative_to(root))] = (entry.st_uid, entry.st_gid, entry.st_mode, text)
    return found


class Tarball(BoxTest):
    def setUp(self):
        super().setUp()
        run("tar", "-xzf", tarball("amd64"), "-C", self.shared)
        self.archive, = self.shared.glob("picket-*")
        # A PATH on which there is nothing but BusyBox.
        self.tools = self.shared / "tools"
        self.tools.mkdir()
        run(BUSYBOX, "--install", "-s", self.tools)

    def install(self, *arguments, check=True):
        return run(BUSYBOX, "sh", self.archive / "install.sh", *arguments, check=check,
                   env={"PATH": str(self.tools)})

    def test_archive_is_one_folder_with_what_it_is_made_of(self):
        names = {str(path.relative_to(self.archive)) for path in self.archive.rglob("*")}
        self.assertEqual(names, {
            "picketd", "picketd.spdx.json", "THIRD-PARTY-NOTICES.txt", "README.md", "site.conf",
            "install.sh", "init", "init/picketd.service", "init/picketd.procd",
            "init/picketd.openrc"})

    def test_every_init_system_starts_it(self):
        wants = "etc/systemd/system/multi-user.target.wants/picketd.service"
        rows = [
            # what the image has; what starts picketd; how it is switched on
            ([("lib/systemd/systemd", "")], "etc/systemd/system/picketd.service",
             (wants, "/etc/systemd/system/picketd.service")),
            ([("sbin/procd", ""), ("etc/inittab", BUSYBOX_TAB)], "etc/init.d/picketd",
             ("etc/rc.d/S95picketd", "../init.d/picketd")),
            ([("sbin/openrc-run", ""), ("etc/inittab", BUSYBOX_TAB)], "etc/init.d/picketd",
             ("etc/runlevels/default/picketd", "/etc/init.d/picketd")),
            ([("etc/inittab", BUSYBOX_TAB)], "etc/inittab", None),
        ]
        for files, starter, link in rows:
            with self.subTest(starter, files=files[0][0]):
                root = image(self.shared, *files)
                before = contents(root)
                self.install("--root", root)
                text = (root / starter).read_text()
                self.assertIn("/usr/bin/picketd", text)
                self.assertIn("/etc/picket/site.conf", text)
                if link:
                    self.assertEqual(os.readlink(root / link[0]), link[1])
                if starter.startswith("etc/init.d"):
                    self.assertTrue(os.access(root / starter, os.X_OK))
                    run("sh", "-n", root / starter)
                self.install("uninstall", "--purge", "--root", root)
                self.assertEqual(contents(root).keys(), before.keys())
                shutil.rmtree(root)

    def test_inittab_has_one_line_in_its_own_dialect(self):
        for table, line in ((BUSYBOX_TAB, f"::respawn:{RUN}"),
                            (SYSV_TAB, f"pk:2345:respawn:{RUN}")):
            for logger, tail in ((False, ""), (True, " 2>&1 | logger -t picketd")):
                with self.subTest(line, logger=logger):
                    root = image(self.shared, ("etc/inittab", table),
                                 *([("usr/bin/logger", "")] if logger else []))
                    self.install("--root", root)
                    self.install("--root", root)
                    self.assertEqual((root / "etc/inittab").read_text(), f"{table}{line}{tail}\n")
                    self.install("uninstall", "--root", root)
                    self.assertEqual((root / "etc/inittab").read_text(), table)
                    shutil.rmtree(root)

    def test_user_folders_and_modes(self):
        root = image(self.shared, ("etc/shadow", "root:*:1::::::\n"))
        self.install("--root", root)
        # 999 is another group's.
        self.assertEqual((root / "etc/passwd").read_text(), PASSWD + "\n"
                         "picket:x:998:998:Picket agent:/var/lib/picket:/bin/false\n")
        self.assertEqual((root / "etc/group").read_text(), GROUP + "picket:x:998:\n")
        self.assertIn("picket:!:", (root / "etc/shadow").read_text())
        state = (root / "var/lib/picket").stat()
        self.assertEqual((state.st_uid, state.st_gid, state.st_mode & 0o777), (998, 998, 0o750))
        good = (root / "var/lib/picket-good").stat()
        self.assertEqual((good.st_uid, good.st_mode & 0o777), (0, 0o700))
        for path, mode in (("usr/bin/picketd", 0o755), (CONFIG, 0o644),
                           ("usr/share/doc/picketd/THIRD-PARTY-NOTICES.txt", 0o644),
                           ("usr/share/doc/picketd/picketd.spdx.json", 0o644)):
            entry = (root / path).stat()
            self.assertEqual((entry.st_uid, entry.st_mode & 0o777), (0, mode), path)
        self.assertEqual((root / "usr/bin/picketd").read_bytes(),
                         (self.archive / "picketd").read_bytes())
        # Once more: nothing twice.
        before = contents(root)
        self.install("--root", root)
        self.assertEqual(contents(root), before)

    def test_existing_configuration_and_store_are_kept(self):
        root = image(self.shared, ("etc/inittab", BUSYBOX_TAB), (CONFIG, "[agent]\nsite = mine\n"))
        self.assertIn("is kept as it is", self.install("--root", root).stdout)
        touch(root, "var/lib/picket/store.pk", "totals")
        self.install("uninstall", "--root", root)
        self.assertEqual((root / CONFIG).read_text(), "[agent]\nsite = mine\n")
        self.assertEqual((root / "var/lib/picket/store.pk").read_text(), "totals")
        self.assertFalse((root / "usr/bin/picketd").exists())
        self.assertFalse((root / "usr/share/doc/picketd").exists())

    def test_purge_leaves_the_image_as_it_was(self):
        root = image(self.shared, ("etc/inittab", BUSYBOX_TAB), ("etc/shadow", "root:*:1::::::\n"))
        (root / "etc/passwd").write_text(PASSWD + "\n")
        before = contents(root)
        self.install("--root", root)
        self.install("uninstall", "--purge", "--root", root)
        self.assertEqual(contents(root), before)

    def test_another_prefix(self):
        root = image(self.shared, ("lib/systemd/systemd", ""))
        self.install("--root", root, "--prefix", "/opt/picket")
        self.assertTrue((root / "opt/picket/bin/picketd").exists())
        unit = (root / "etc/systemd/system/picketd.service").read_text()
        self.assertIn("ExecStart=/opt/picket/bin/picketd run", unit)
        self.assertNotIn("/usr/bin/picketd", unit)

    def refused(self, *arguments):
        """One line, and nothing done."""
        done = self.install(*arguments, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual((done.stdout, len(done.stderr.splitlines())), ("", 1), done.stderr)
        return done.stderr

    def test_wrong_machine_is_refused_in_one_line(self):
        root = image(self.shared)
        header = bytearray(BUSYBOX.read_bytes()[:64])
        header[18] = 40  # EM_ARM
        touch(root, "bin/busybox")
        (root / "bin/busybox").write_bytes(header)
        before = contents(root)
        self.assertIn("is for another machine", self.refused("--root", root))
        self.assertEqual(contents(root), before)
        shutil.copy(BUSYBOX, root / "bin/busybox")
        self.install("--root", root)
        # On this machine itself it is tried whether it runs.
        (self.archive / "picketd").write_bytes(header)
        self.assertIn("does not run on this machine", self.refused())

    def test_wrong_usage_is_refused_in_one_line(self):
        root = image(self.shared)
        self.assertIn("unknown argument", self.refused("--rot", root))
        self.assertIn("needs a value", self.refused("--root"))
        self.assertIn("no folder", self.refused("--root", root / "nowhere"))
        self.assertIn("absolute path", self.refused("--root", root, "--prefix", "opt"))
        (root / "etc/passwd").unlink()
        self.assertIn("etc/passwd", self.refused("--root", root))

    def busybox_system(self):
        """A whole system of BusyBox alone, with its init as process 1."""
        root = self.shared.parent / (self.shared.name + "-busybox")
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        for folder in "bin sbin usr/bin usr/sbin etc proc sys dev run tmp var/lib".split():
            (root / folder).mkdir(parents=True)
        shutil.copy(BUSYBOX, root / "bin/busybox")
        # Debian has it static and, as `busybox`, with a C library.
        for library in re.findall(r"(/\S+) \(", run("ldd", BUSYBOX, check=False).stdout):
            (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, root / library[1:])
        for applet in run(BUSYBOX, "--list-full").stdout.split():
            if applet != "bin/busybox":
                (root / applet).parent.mkdir(parents=True, exist_ok=True)
                (root / applet).symlink_to("/bin/busybox")
        touch(root, "etc/passwd", "root:x:0:0:root:/:/bin/sh\n", 0o644)
        touch(root, "etc/group", "root:x:0:\n", 0o644)
        touch(root, "etc/os-release", "ID=busybox\n", 0o644)
        touch(root, "etc/inittab", "::respawn:/sbin/syslogd -n -O /var/lib/messages\n", 0o644)
        return root

    def test_on_a_running_busybox_system(self):
        box = self.box(self.busybox_system())
        installer = f"sh /shared/{self.archive.name}/install.sh"
        wait_until(lambda: "init" in box.says("cat /proc/1/cmdline"), "BusyBox is process 1")
        accounts = box.says("cat /etc/passwd /etc/group /etc/inittab")
        said = box.says(installer)
        self.assertIn("started by inittab", said)
        status = wait_until(box.status, "the agent answers", 60)
        self.assertEqual(status["targets"], [])

        def parents():
            """The first of the two processes, whose parent is not picketd."""
            pids = set(box.do("pidof picketd", check=False).stdout.split())
            return {pid for pid in pids
                    if box.do(f"awk '{{print $4}}' /proc/{pid}/stat", check=False)
                    .stdout.strip() not in pids}
        first = wait_until(parents, "there is a parent")
        self.assertEqual(len(first), 1)
        box.do(f"kill -KILL {next(iter(first))}")
        wait_until(lambda: parents() and parents() != first, "init starts it again", 60)
        wait_until(box.status, "it answers", 60)
        wait_until(lambda: "sandbox: user picket, no capabilities" in
                   box.says("cat /var/lib/messages"), "it logs to syslog, as the user", 30)
        # The same archive again stands for a later one: it runs anew, with what it had.
        box.do("echo '# mine' >> /etc/picket/site.conf")
        second = wait_until(parents, "there is a parent")
        self.assertIn("is kept as it is", box.says(installer))
        wait_until(lambda: parents() and not parents() & second, "it was started anew", 60)
        wait_until(box.status, "it answers", 60)
        self.assertIn("# mine", box.says("cat /etc/picket/site.conf"))
        box.do(f"{installer} uninstall --purge")
        wait_until(lambda: not box.do("pidof picketd", check=False).stdout, "it has ended", 60)
        self.assertEqual(box.says("cat /etc/passwd /etc/group /etc/inittab"), accounts)
        self.assertEqual(box.do("ls -d /usr/bin/picketd /etc/picket /var/lib/picket*", check=False)
                         .stdout, "")


if __name__ == "__main__":
    unittest.main()
