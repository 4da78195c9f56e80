"""What a build says and leaves when it cannot be made.

Guards against a missing compiler that ends in pages of CMake, a library that was tampered with, and
half a library that the next build takes for a whole one. Nothing is downloaded or compiled: the
sources are made here, and cmake, curl and the compilers are stand-ins where they come into it."""

import hashlib
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "live"))

import support  # noqa: E402
from support import LiveTest, ROOT, wait_until  # noqa: E402

DEPS = ROOT / "boards" / "deps"
COMPILERS = {"armv7hf": "arm-linux-gnueabihf", "armv5te": "arm-linux-gnueabi",
             "aarch64": "aarch64-linux-gnu", "amd64": "x86_64-linux-gnu"}

# As far as boards/deps/build needs it: it configures, builds (and stays at that as long as a file
# called `stay` lies beside it) and installs an archive into the prefix it was configured with.
CMAKE = """#!/bin/sh
here=$(dirname "$0")
case $1 in
-S)
    mkdir -p "$4"
    for a; do case $a in -DCMAKE_INSTALL_PREFIX=*) echo "${a#*=}" >"$4/to" ;; esac; done ;;
--build) : >"$here/began"; while [ -e "$here/stay" ]; do sleep 0.05; done ;;
--install) to=$(cat "$2/to"); mkdir -p "$to/lib"; : >"$to/lib/libinih.a" ;;
esac
"""
CURL = """#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" != -o ] || echo 'another file' >"$2"; shift; done
"""


@unittest.skipIf(support.BUILD.name != "host", "is about this machine's tools, whatever they build")
class Build(LiveTest):
    def setUp(self):
        super().setUp()
        self.cache = self.folder / "cache"
        self.tools = self.folder / "bin"
        self.tools.mkdir()

    def stand_in(self, name, text):
        path = self.tools / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def all_tools_but(self, *patterns):
        """PATH is then one folder, of links to all that this machine has but for some."""
        for folder in ("/bin", "/usr/bin"):
            for tool in pathlib.Path(folder).iterdir():
                link = self.tools / tool.name
                if not link.exists() and not any(re.fullmatch(p, tool.name) for p in patterns):
                    link.symlink_to(tool)

    def command(self, *arguments, **options):
        return subprocess.Popen([str(a) for a in arguments], text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=self.folder,
                                env={"HOME": str(self.folder), "PATH": str(self.tools),
                                     "PICKET_CACHE": str(self.cache)}, **options)

    def failure(self, process):
        """The one line of ours; all else is CMake's, where it comes into it."""
        said = process.communicate(timeout=60 * support.PATIENCE)[1]
        self.assertNotEqual(process.returncode, 0, said)
        lines = [line for line in said.splitlines() if re.search("install|did not build", line)]
        self.assertEqual(len(lines), 1, said)
        return lines[0]

    def assertNothingHalfBuilt(self):
        for kind in ("deps", "libc"):
            for left in (self.cache / kind).glob("*"):
                self.assertTrue(left.name.startswith(".lock-"), left)

    # ---- the recipes, on a source made here ----

    def recipes(self):
        """A copy of them whose one library, inih, is a tarball in the cache."""
        copy = self.folder / "deps"
        shutil.copytree(DEPS, copy)
        pins = (copy / "pins").read_text()
        name = re.search(r"^inih +\S+ +(\S+)", pins, re.M).group(1)
        text = re.search(r"^inih .*", (copy / "licenses").read_text(), re.M).group(0)
        source = self.folder / "inih"
        source.mkdir()
        for file in re.split(r" *\| *", text)[4].split():
            (source / file).write_text("free\n")
        (self.cache / "src").mkdir(parents=True)
        self.tarball = self.cache / "src" / name
        with tarfile.open(self.tarball, "w:gz") as tar:
            tar.add(source, "inih")
        digest = hashlib.sha256(self.tarball.read_bytes()).hexdigest()
        (copy / "pins").write_text(re.sub(r"(?m)^(inih +\S+ +\S+ +)[0-9a-f]{64}", rf"\g<1>{digest}",
                                          pins))
        return copy

    def build(self, recipes, **options):
        return self.command(recipes / "build", "--only", "inih", start_new_session=True, **options)

    def test_a_missing_compiler_is_named_with_its_package(self):
        self.all_tools_but(r".*-gnu(eabi(hf)?)?-gcc(-[0-9.]+)?")
        for preset, triplet in COMPILERS.items():
            with self.subTest(preset):
                shutil.rmtree(self.folder / "build", ignore_errors=True)
                line = self.failure(self.command("cmake", "-S", ROOT, "-B", self.folder / "build",
                                                 "--preset", preset))
                self.assertIn(f"{triplet}-gcc is missing; install it", line)
                native = triplet.startswith(platform.machine())
                package = "gcc" if native else "gcc-" + triplet.replace("_", "-")
                self.assertIn(f"apt-get install {package})", line)
                self.assertFalse(self.cache.exists())
        # Once it is there, the same command goes on in the same folder.
        done = subprocess.run(["cmake", "-S", ROOT, "-B", self.folder / "build", "--preset", preset],
                              capture_output=True, text=True, timeout=500)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_file_with_another_hash_is_refused_and_not_kept(self):
        self.all_tools_but("apt.*", "wget", "curl", "cmake")
        self.stand_in("cmake", CMAKE)
        self.stand_in("curl", CURL)
        recipes = self.recipes()
        self.tarball.write_bytes(self.tarball.read_bytes() + b"!")
        process = self.build(recipes)
        said = process.communicate(timeout=60 * support.PATIENCE)[1]
        self.assertEqual(process.returncode, 1, said)
        self.assertRegex(said.splitlines()[-1], "has another sha256 than pins says; it was not")
        self.assertFalse(self.tarball.exists())
        self.assertNothingHalfBuilt()

    def test_a_library_that_does_not_build_leaves_nothing_but_its_log(self):
        self.all_tools_but("cmake")
        self.stand_in("cmake", "#!/bin/sh\n[ \"$1\" != --build ]\n")
        line = self.failure(self.build(self.recipes()))
        self.assertRegex(line, "inih r59 did not build; the whole log is /")
        self.assertTrue(pathlib.Path(line.split()[-1]).exists())
        self.assertNothingHalfBuilt()

    def test_a_build_that_is_ended_leaves_no_library_and_the_next_one_makes_it(self):
        self.all_tools_but("cmake")
        self.stand_in("cmake", CMAKE)
        recipes = self.recipes()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            (self.tools / "began").unlink(missing_ok=True)
            (self.tools / "stay").touch()
            process = self.build(recipes)
            wait_until((self.tools / "began").exists, "the build goes on")
            os.killpg(process.pid, number)
            self.assertNotEqual(process.wait(20 * support.PATIENCE), 0)
            process.communicate()
            self.assertEqual(list((self.cache / "deps").glob("[!.]*")), [], number)
            if number != signal.SIGKILL:  # which nobody can answer: the next build clears away
                self.assertNothingHalfBuilt()
        (self.tools / "stay").unlink()
        process = self.build(recipes)
        prefix, said = process.communicate(timeout=60 * support.PATIENCE)
        self.assertEqual(process.returncode, 0, said)
        self.assertEqual([path.name for path in (self.cache / "deps").glob("[!.]*")],
                         [pathlib.Path(prefix.strip()).name])
        self.assertTrue((pathlib.Path(prefix.strip()) / "inih/lib/libinih.a").exists())
        self.assertEqual(list((self.cache / "deps").glob(".work*")), [])


if __name__ == "__main__":
    unittest.main()
