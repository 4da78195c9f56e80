"""The program as it is installed on a board: what the build says of its size is true, and building
it again elsewhere gives the same bytes; every target's is hardened.

Guards against a report whose sums are not those of the program, a budget that nobody holds, and a
program that tells who built it, or where."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PICKET_BOARD_BUILD", ROOT / "build" / "armv7hf"))
PROGRAM = BUILD / "bin" / "picketd"
# What is built for boards before these tests begin.
TARGETS = ("armv7hf", "armv5te", "aarch64", "amd64")
REPORT = ROOT / "boards" / "size" / "report"
COLUMNS = ("text", "rodata", "data", "bss")


def tool(name, build=BUILD):
    """A tool of the compiler that made the program."""
    cache = (build / "CMakeCache.txt").read_text()
    return re.search(rf"^CMAKE_{name}:\w+=(.*)$", cache, re.M).group(1)


def run(*command, **options):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=900,
                          **options)


def reported(text):
    """{row: [bytes by column, and in the file]}"""
    rows = [line.split() for line in text.splitlines()[3:]]
    return {row[0]: [int(number) for number in row[1:]] for row in rows}


def sections():
    """{column: bytes} of what is loaded, as the program's own headers have it."""
    found = dict.fromkeys(COLUMNS, 0)
    listed = run(tool("READELF"), "-SW", PROGRAM).stdout
    for name, kind, size, flags in re.findall(
            r"\] (\S+) +(\w+) +\w+ \w+ (\w+) \w+ +([A-Z]*) ", listed):
        if "A" in flags:
            column = ("bss" if kind == "NOBITS" else "text" if "X" in flags else
                      "data" if "W" in flags else "rodata")
            found[column] += int(size, 16)
    return found


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="picket-test."))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def test_the_reported_sizes_are_those_of_the_program(self):
        rows = reported(PROGRAM.with_suffix(".size").read_text())
        total = rows.pop("total")
        self.assertEqual(dict(zip(COLUMNS, total)), sections())
        for at in range(len(total)):
            self.assertEqual(sum(row[at] for row in rows.values()), total[at])
        for part in ("common", "probes", "boards/linux", "firmware", "mbedtls", "curl", "libc"):
            self.assertGreater(rows[part][4], 10_000, part)
        # What belongs to nobody: relocations and padding.
        self.assertLess(rows["linker"][4], total[4] * 0.05)
        # The rest of the file: headers, and what fills the last page of a segment.
        self.assertLess(PROGRAM.stat().st_size - total[4], 32 * 1024)

    def test_a_program_over_its_budget_is_none(self):
        copy = self.folder / "picketd"
        shutil.copy(PROGRAM, copy)
        size = copy.stat().st_size
        self.assertEqual(run(REPORT, copy, f"{PROGRAM}.map", size).returncode, 0)
        refused = run(REPORT, copy, f"{PROGRAM}.map", size - 1)
        self.assertEqual(refused.returncode, 1)
        self.assertEqual(refused.stderr, f"size: picketd has {size} bytes, 1 more than its budget "
                                         f"of {size - 1}\n")

    def test_what_was_stripped_belongs_to_the_program(self):
        notes = [run(tool("READELF"), "-n", path).stdout for path in
                 (PROGRAM, PROGRAM.with_suffix(".debug"))]
        found = [re.search(r"Build ID: (\w+)", note).group(1) for note in notes]
        self.assertEqual(found[0], found[1])
        self.assertNotIn(".debug_info", run(tool("READELF"), "-SW", PROGRAM).stdout)

    def test_it_is_static_and_hardened_on_every_target(self):
        for target in TARGETS:
            build = BUILD.parent / target
            program = build / "bin" / "picketd"
            with self.subTest(target):
                headers = run(tool("READELF", build), "-hlW", program).stdout
                dynamic = run(tool("READELF", build), "-dW", program).stdout
                names = run(tool("NM", build), f"{program}.debug").stdout
                self.assertRegex(headers, r"Type: +DYN")
                self.assertNotIn("INTERP", headers)
                self.assertRegex(headers, r"GNU_STACK .* RW +0x")
                self.assertNotRegex(headers, r"LOAD .* RWE ")
                self.assertRegex(headers, r"GNU_RELRO ")
                self.assertRegex(dynamic, r"FLAGS_1\) +Flags: .*\bNOW\b.*\bPIE\b")
                self.assertNotRegex(dynamic, r"NEEDED|TEXTREL")
                for hardened in ("__stack_chk_fail", "__memcpy_chk", "__snprintf_chk"):
                    self.assertRegex(names, rf"\b{hardened}\b")
        for target, landing in (("aarch64", r"\bpaciasp\b"), ("amd64", r"\bendbr64\b")):
            with self.subTest(target):
                build = BUILD.parent / target
                code = run(tool("OBJDUMP", build), "-d", "--no-show-raw-insn",
                           build / "bin" / "picketd").stdout
                self.assertGreater(len(re.findall(landing, code)), 1000)

    def test_built_again_elsewhere_it_is_the_same_bytes(self):
        for target in TARGETS[:3]:  # that of amd64 is compared as packages
            with self.subTest(target):
                self.same_bytes(target)

    def same_bytes(self, preset):
        # With its history, out of which the commit comes; and what is not committed yet.
        copy = self.folder / preset / "longer path" / "picket"
        run("git", "clone", "-q", "--shared", ROOT, copy, check=True)
        changed = run("git", "-C", ROOT, "diff", "--name-only", "-z", "HEAD").stdout
        for name in filter(None, changed.split("\0")):
            (copy / name).unlink(missing_ok=True)
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, copy / name)
        other = self.folder / f"other {preset}"
        for command in (["cmake", "--preset", preset, "-B", other],
                        ["cmake", "--build", other, "--target", "picketd", f"-j{os.cpu_count()}"]):
            done = run(*command, cwd=copy)
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        for name in ("picketd", "picketd.debug"):
            ours = (BUILD.parent / preset / "bin" / name).read_bytes()
            theirs = (other / "bin" / name).read_bytes()
            self.assertTrue(ours == theirs, f"{name} differs, see cmp")
            self.assertNotIn(str(ROOT).encode(), ours)


if __name__ == "__main__":
    unittest.main()
