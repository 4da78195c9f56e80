"""The same commit gives the same packages: built again in another folder, at another time, by a
user with another time zone and language. (Not another umask: the members of the ar archive that a
.deb is have the mode that cpack's umask gives.)"""

import hashlib
import os
import shutil
import unittest

from package_box import ROOT, BoxTest, deb, run, tarball

PRESET = "amd64"


class Reproducible(BoxTest):
    def copy_of_the_source(self):
        """A clone, and over it what is not committed yet, so that both build the same."""
        copy = self.shared / "another" / "place"
        run("git", "clone", "--quiet", ROOT, copy)
        changed = run("git", "-C", ROOT, "ls-files", "-z", "--modified", "--others",
                      "--exclude-standard").stdout.split("\0")
        for name in filter(None, changed):
            if (ROOT / name).exists():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, copy / name)
            else:
                (copy / name).unlink()
        return copy

    def test_two_builds_in_two_folders_are_the_same_bytes(self):
        copy = self.copy_of_the_source()
        other = dict(os.environ, TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
        other.pop("SOURCE_DATE_EPOCH", None)
        run("sh", "-c", f"cmake --preset {PRESET} && "
            f"cmake --build --preset {PRESET} --target package", cwd=copy, env=other, timeout=1200)
        for package in (deb(PRESET), tarball(PRESET)):
            again = copy / "build" / PRESET / "package" / package.name
            self.assertEqual(hashlib.sha256(again.read_bytes()).hexdigest(),
                             hashlib.sha256(package.read_bytes()).hexdigest(), package.name)


if __name__ == "__main__":
    unittest.main()
