"""The bill of materials and the notices: complete, true to what was linked, and refused when a
library has no licence."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import unittest

from package_box import ARCHITECTURES, ROOT, BoxTest, deb, run

DEPS = ROOT / "boards" / "deps"
SBOM = ROOT / "boards" / "package" / "sbom"
# What SPDX 2.3 requires of a document, a package and a relationship; what an identifier is.
DOCUMENT = {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo"}
PACKAGE = {"SPDXID", "name", "downloadLocation"}
# What a reader of this one needs besides (NTIA's minimum elements, and what to look for).
WANTED = PACKAGE | {"versionInfo", "supplier", "licenseConcluded", "licenseDeclared",
                    "externalRefs"}
RELATIONSHIP = {"spdxElementId", "relationshipType", "relatedSpdxElement"}
IDENTIFIER = re.compile(r"^SPDXRef-[A-Za-z0-9.-]+$")
PRESET = "amd64"


def table(name, separator):
    """Rows of a table of boards/deps by their first column."""
    lines = (DEPS / name).read_text().splitlines()
    rows = [re.split(separator, line) for line in lines if line and not line.startswith("#")]
    return {row[0].strip(): [cell.strip() for cell in row] for row in rows}


def build_of(preset):
    """The environment that the build gives to `sbom`."""
    made = ROOT / "build" / preset
    command = next(line for line in (made / "CMakeFiles" / "package_files.dir" / "build.make")
                   .read_text().splitlines() if "PREFIX=" in line)
    words = dict(word.split("=", 1) for word in command.split() if re.match(r"[A-Z_]+=", word))
    return words, made / "bin" / "picketd.map"


class Bill(BoxTest):
    def setUp(self):
        super().setUp()
        run("dpkg-deb", "-x", deb(PRESET), self.shared / "tree")
        self.docs = self.shared / "tree" / "usr" / "share" / "doc" / "picketd"
        self.bill = json.loads((self.docs / "picketd.spdx.json").read_text())
        self.libraries = {package["name"]: package for package in self.bill["packages"]
                          if package["name"] != "picketd"}

    def test_bill_has_what_spdx_requires(self):
        self.assertLessEqual(DOCUMENT, set(self.bill))
        self.assertEqual((self.bill["spdxVersion"], self.bill["dataLicense"], self.bill["SPDXID"]),
                         ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT"))
        self.assertRegex(self.bill["creationInfo"]["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        for creator in self.bill["creationInfo"]["creators"]:
            self.assertRegex(creator, r"^(Tool|Organization|Person): ")
        self.assertRegex(self.bill["documentNamespace"], r"^https://[^#]+$")
        known = {"SPDXRef-DOCUMENT"}
        for package in self.bill["packages"]:
            self.assertLessEqual(WANTED, set(package), package["name"])
            self.assertRegex(package["SPDXID"], IDENTIFIER)
            self.assertNotIn(package["SPDXID"], known)
            self.assertRegex(package["supplier"], "^Organization: .")
            self.assertIs(package["filesAnalyzed"], False)
            for reference in package["externalRefs"]:
                self.assertEqual(set(reference), {"referenceCategory", "referenceType",
                                                  "referenceLocator"})
            known.add(package["SPDXID"])
        for relationship in self.bill["relationships"]:
            self.assertEqual(set(relationship), RELATIONSHIP)
            self.assertLessEqual({relationship["spdxElementId"],
                                  relationship["relatedSpdxElement"]}, known)

    def test_bill_names_what_is_linked_and_nothing_else(self):
        said = run(self.shared / "tree" / "usr" / "bin" / "picketd", "--version").stdout
        for name in ("curl", "mbedtls", "c-ares", "modbus", "inih", "microhttpd", "pcre2", "musl"):
            self.assertIn(name, self.libraries)
        self.assertNotIn("cmocka", self.libraries)
        # The program tells the versions that are compiled into it.
        for name in ("curl", "c-ares", "modbus", "pcre2"):
            self.assertIn(self.libraries[name]["versionInfo"], said)
        linked = {row["relatedSpdxElement"] for row in self.bill["relationships"]
                  if row["relationshipType"] == "STATIC_LINK"}
        self.assertEqual(linked, {package["SPDXID"] for package in self.libraries.values()})

    def test_bill_agrees_with_the_pins(self):
        pins, licenses = table("pins", r"\s+"), table("licenses", r"\|")
        for name, package in self.libraries.items():
            if name == "libgcc":
                continue
            _, version, _, sha256, _, url = pins[name][:6]
            self.assertEqual((package["versionInfo"], package["downloadLocation"],
                              package["licenseDeclared"], package["checksums"]),
                             (version, url, licenses[name][1],
                              [{"algorithm": "SHA256", "checksumValue": sha256}]))
            locators = [reference["referenceLocator"] for reference in package["externalRefs"]]
            self.assertIn(f"pkg:generic/{name}@{version}", locators)
            self.assertTrue(any(locator.startswith("cpe:2.3:a:") for locator in locators), locators)

    def test_notices_hold_the_licence_text_of_each_library(self):
        notices = run("gzip", "-dc", self.docs / "THIRD-PARTY-NOTICES.txt.gz").stdout
        words, _ = build_of(PRESET)
        for name in self.libraries:
            if name == "libgcc":
                self.assertIn("GCC RUNTIME LIBRARY EXCEPTION", notices)
                continue
            # The C library has a prefix of its own.
            prefix = words["LIBC"] if name == "musl" else words["PREFIX"]
            texts = list((pathlib.Path(prefix) / name / "licenses").iterdir())
            self.assertTrue(texts, name)
            for text in texts:
                self.assertIn(text.read_text(), notices)
                self.assertGreater(text.stat().st_size, 500)

    def remade(self, change_prefix=None, map_line=""):
        """`sbom` once more, with a prefix or a map that is not as it was."""
        words, linked = build_of(PRESET)
        prefix, out = self.shared / "prefix", self.shared / "out"
        for library in pathlib.Path(words["PREFIX"]).iterdir():
            shutil.copytree(library / "licenses", prefix / library.name / "licenses")
        text = linked.read_text().replace(words["PREFIX"], str(prefix))
        head, members = text.split("\n\n", 1)
        (self.shared / "map").write_text(f"{head}\n\n{map_line}{members}")
        if change_prefix:
            change_prefix(prefix)
        return run(SBOM, self.shared / "map", out, check=False,
                   env=dict(os.environ, **{**words, "PREFIX": str(prefix)}))

    def test_bill_is_the_same_whenever_it_is_made(self):
        self.assertEqual(self.remade().returncode, 0)
        again = (self.shared / "out" / "picketd.spdx.json").read_bytes()
        first = (self.docs / "picketd.spdx.json").read_bytes()
        self.assertEqual(hashlib.sha256(again).digest(), hashlib.sha256(first).digest())

    def test_library_without_a_licence_text_fails_the_build(self):
        done = self.remade(lambda prefix: (prefix / "pcre2/licenses/LICENCE.md").unlink())
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("pcre2 has no licence text", done.stderr)

    def test_archive_of_unknown_origin_fails_the_build(self):
        done = self.remade(map_line="/usr/lib/libunknown.a(member.o)\n")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/usr/lib/libunknown.a", done.stderr)

    def test_library_that_is_not_pinned_fails_the_build(self):
        done = self.remade(map_line=f"{self.shared}/prefix/zlib/lib/libz.a(inflate.o)\n")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("zlib", done.stderr)


class EveryArchitecture(BoxTest):
    def test_program_that_needs_shared_libraries_is_not_packed(self):
        staged = self.shared / "staged" / "usr" / "bin"
        staged.mkdir(parents=True)

        def finished(program):
            shutil.copy(program, staged / "picketd")
            return run("cmake", f"-DCPACK_TEMPORARY_DIRECTORY={self.shared}/staged",
                       "-DCPACK_PICKET_READELF=readelf", "-DCPACK_PICKET_EPOCH=1",
                       "-P", ROOT / "boards" / "package" / "cpack_finish.cmake", check=False)
        refused = finished("/bin/cat")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("needs shared libraries", refused.stderr)
        self.assertEqual(finished(ROOT / "build" / PRESET / "bin" / "picketd").returncode, 0)
        self.assertEqual((staged / "picketd").stat().st_mtime, 1)

    def test_packages_differ_in_nothing_but_the_machine(self):
        def described(preset):
            listing = run("dpkg-deb", "-c", deb(preset)).stdout.splitlines()
            # Mode, owner and name: not size and time.
            files = [tuple(line.split(None, 5)[at] for at in (0, 1, 5)) for line in listing]
            fields = run("dpkg-deb", "-f", deb(preset)).stdout
            return files, re.sub(r"(?m)^(Architecture|Installed-Size): .*\n", "", fields)
        for preset, (architecture, runner) in ARCHITECTURES.items():
            with self.subTest(preset):
                self.assertEqual(described(preset), described(PRESET))
                self.assertEqual(run("dpkg-deb", "-f", deb(preset), "Architecture").stdout.strip(),
                                 architecture)
                tree = self.shared / preset
                run("dpkg-deb", "-x", deb(preset), tree)
                program = tree / "usr" / "bin" / "picketd"
                said = run(*([runner] if runner else []), program, "--version").stdout
                self.assertIn("picketd 0.", said)
                self.assertNotIn(".symtab", run("readelf", "-SW", program).stdout)


if __name__ == "__main__":
    unittest.main()
