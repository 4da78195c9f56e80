"""The command line: check, probe and run as a person or a script calls them.

Guards against a mistake that is not told where it is made, an exit code that a script would take
for another, and output that its reader cannot parse."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

import support
from support import LiveTest, Target, free_port, parse_text, picketd, promtool


class Words(LiveTest):
    """Arguments before anything is done."""

    def test_every_verb_explains_itself(self):
        for arguments in ([], ["run"], ["check"], ["probe"], ["status"], ["probe", "http"],
                          ["probe", "tcp"], ["probe", "tls"]):
            with self.subTest(arguments):
                done = picketd(*arguments, "--help")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn("Usage: picketd", done.stdout)
                if arguments:
                    self.assertIn(arguments[-1], done.stdout)

    def test_help_of_a_kind_has_its_keys_and_the_common_ones(self):
        text = picketd("probe", "http", "--help").stdout
        for key in ("--url", "--expect_status", "--interval", "--timeout", "--ca_file"):
            self.assertIn(key, text)

    def test_version_names_the_libraries(self):
        text = picketd("--version").stdout
        self.assertRegex(text, r"picketd \d+\.\d+\.\d+ \(commit \w+\)")
        for library in ("libcurl 8", "mbedTLS 3", "c-ares 1", "libmodbus 3", "PCRE2 10"):
            self.assertIn(library, text)

    def test_wrong_arguments_are_named_and_end_with_2(self):
        rows = (
            ([], "Usage: picketd VERB"),
            (["chek"], "did you mean 'check'"),
            (["xyzzy"], "unknown verb 'xyzzy'"),
            (["run"], "-c FILE"),
            (["run", "-x"], "'-x'"),
            (["run", "-c"], "'-c'"),
            (["run", "-c", "/nonexistent"], "/nonexistent: No such file"),
            (["run", "-c", "/nonexistent", "more"], "-c FILE"),
            (["check"], "FILE"),
            (["check", "a", "b"], "FILE"),
            (["check", "--nofile", "a"], "'--nofile'"),
            (["check", "--format", "xml", "a"], "xml"),
            (["status", "--format", "prom"], "prom"),
            (["status", "more"], "'more'"),
            (["status", "--sokket", "x"], "'--sokket'"),
            (["probe"], "KIND TARGET"),
            (["probe", "htp", "x"], "did you mean 'http'"),
            (["probe", "-c", "/nonexistent"], "NAME"),
            (["probe", "-c", "/nonexistent", "p"], "/nonexistent: No such file"),
            (["probe", "http", "x", "--format", "xml"], "xml"),
            (["probe", "http", "x", "--format"], "format"),
            (["probe", "http"], "url"),
            (["probe", "http", "http://x/", "--timeout"], "--timeout needs a value"),
            (["probe", "http", "http://x/", "--=1"], "--=1 needs a value"),
            (["probe", "http", "http://x/", "--intervall", "5s"],
             "--intervall: unknown key 'intervall'.*did you mean 'interval'"),
            (["probe", "http", "http://x/", "--timeout=abc"], "--timeout=abc: .*'abc'"),
            (["probe", "http", "http://x/", "--timeout", "5s", "--timeout", "6s"], "--timeout: "),
            (["probe", "http", "http://x/", "--interval", "1s", "--timeout", "5s"], "--timeout: "),
            (["probe", "http", "ftp://x/"], "ftp://x/: "),
            (["probe", "http", "http://x/", "--body", "a\nurl = http://evil/"], "line break"),
            (["probe", "http", "http://x/", "--a\nb", "c"], "line break"),
            (["probe", "http", "http://x/"] + ["--header", "a: b"] * 64, "more than 128"),
            (["probe", "http", "http://x/"] + ["--header", "a: b"] * 63, None),
            (["probe", "http", "http://x/" + "y" * 5000], "http://x/y"),
            (["probe", "http", "http://x/", "--" + "k" * 70, "v"], "needs a value"),
        )
        for arguments, words in rows:
            with self.subTest(arguments[:8]):
                done = picketd(*arguments)
                if words is None:
                    self.assertNotEqual(done.returncode, 2, done.stderr)
                    continue
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertRegex(done.stderr, words)
                self.assertNotIn("command line", done.stderr)


class Check(LiveTest):
    BAD = ("[agent]\n"
           "site = x\n"
           "siet = y\n"
           "[push]\n"
           "url = http://user:pw@host/\n"
           "[http p]\n"
           "url = http://host/\n"
           "timeout = 1x\n"
           "expect_body = /(/\n"
           "[http p]\n"
           "url = http://host/\n"
           "[tcp q]\n"
           "address = host\n"
           "depends_on = nobody\n")
    LINES = (3, 5, 8, 9, 10, 13, 14)

    def test_every_error_in_one_pass(self):
        path = self.file("bad.conf", self.BAD)
        done = picketd("check", path)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        for line in self.LINES:
            self.assertRegex(done.stderr, rf"(?m)^{path}:{line}: ")
        self.assertIn(f"{path}: {len(self.LINES)} errors", done.stderr)

    def test_every_error_as_json(self):
        path = self.file("bad.conf", self.BAD)
        done = picketd("check", "--format", "json", path)
        self.assertEqual((done.returncode, done.stderr), (2, ""))
        page = json.loads(done.stdout)
        self.assertFalse(page["clean"])
        self.assertEqual(sorted(error["line"] for error in page["errors"]), list(self.LINES))
        self.assertEqual({error["file"] for error in page["errors"]}, {str(path)})

    def test_a_clean_file(self):
        path = self.file("good.conf", "[agent]\nsite = x\n[push]\nurl = http://127.0.0.1:1\n"
                         "[http p]\nurl = http://host/a\nurl = http://host/b\ninterval = 10s\n"
                         "[http q]\nurl = http://host/\nenabled = off\n"
                         "[slo both]\nprobe = p\nprobe = q\nslo = availability 99% 1d\n")
        done = picketd("check", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("clean", done.stdout)
        page = json.loads(picketd("check", path, "--format", "json").stdout)
        self.assertEqual((page["clean"], page["site"], page["probes"], page["targets"]),
                         (True, "x", 2, 3))
        self.assertEqual(page["runs_per_day"], 2 * 8640)
        self.assertEqual((page["slos"], page["group_slos"]), (0, 1))
        self.assertIn("slos        0 of targets, 1 of groups", done.stdout)
        self.assertGreater(page["push_bytes"], 1000)

    def test_files_are_looked_at_unless_told_not_to(self):
        path = self.file("site.conf", "[agent]\nsite = x\n[push]\nurl = https://127.0.0.1:1\n"
                         "ca_file = /nonexistent/a\nbearer_file = /nonexistent/b\n"
                         "[http p]\nurl = https://host/\nca_file = /nonexistent/c\n"
                         "[tls q]\naddress = host\nca_file = /nonexistent/d\n")
        done = picketd("check", path)
        self.assertEqual(done.returncode, 2)
        for line, name in ((5, "a"), (6, "b"), (r"\d+", "c"), (r"\d+", "d")):
            self.assertRegex(done.stderr, rf"{path}:{line}: .*/nonexistent/{name}")
        self.assertIn("4 errors", done.stderr)
        self.assertEqual(picketd("check", path, "--no-files").returncode, 0)

    def test_includes_have_their_own_names(self):
        self.file("part.inc", "[http p]\nurll = x\n")
        path = self.file("site.conf", "[agent]\nsite = x\ninclude = *.inc\n")
        done = picketd("check", path)
        self.assertRegex(done.stderr, r"part\.inc:2: unknown key 'urll'")

    def test_standard_input(self):
        done = picketd("check", "-", input="[agent]\nsite = x\n[http p]\n")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"stdin:3: ")

    def test_what_is_no_file(self):
        for path in (self.folder, "/dev/zero", "/dev/null"):
            with self.subTest(path):
                done = picketd("check", path)
                self.assertEqual(done.returncode, 2)
                self.assertIn("not a regular file", done.stderr)


class Probe(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())

    def test_text(self):
        done = picketd("probe", "http", self.target.url("/x"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^success after \d+\.\d ms$")
        self.assertRegex(done.stdout, r"(?m)^  connect +\d+\.\d ms  \| *[#.]+$")
        self.assertRegex(done.stdout, r"probe_http_status_code +200")
        self.assertNotIn("\x1b", done.stdout)
        done = picketd("probe", "http", self.target.url("/status/404"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("failure: status", done.stdout)

    def test_json(self):
        done = picketd("probe", "http", self.target.url("/status/503"), "--format", "json")
        self.assertEqual(done.returncode, 1)
        result = json.loads(done.stdout)
        for field in ("probe", "kind", "instance", "outcome", "reason", "phase", "note",
                      "duration_seconds", "phases", "facts", "values", "tls"):
            self.assertIn(field, result)
        self.assertEqual((result["outcome"], result["reason"], result["kind"]),
                         ("failure", "status", "http"))

    def test_prom(self):
        done = picketd("probe", "http", self.target.url("/x"), "--format=prom")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(promtool(done.stdout), "")
        series = parse_text(done.stdout)
        self.assertEqual(series.value("picket_probe_results_total", result="success"), 1)
        self.assertEqual(series.value("probe_success"), 1)
        self.assertFalse([name for name, _ in series if name.startswith("picket_push")])

    def test_unknown_ends_with_3(self):
        # An agent without a trusted clock cannot judge a certificate: checked where it is cheap.
        path = self.file("site.conf", "[agent]\nsite = x\nclock_trust = synced\n[tls p]\n"
                         f"file = {self.folder}/leaf.pem\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", "leaf.key", "-out",
                        "leaf.pem", "-days", "9", "-subj", "/CN=x"], cwd=self.folder, check=True,
                       capture_output=True)
        done = picketd("probe", "-c", path, "p", "--format", "json")
        outcome = json.loads(done.stdout)["outcome"]
        if outcome == "success":
            self.skipTest("this machine's clock is synchronised")
        self.assertEqual((done.returncode, outcome), (3, "unknown"))

    def test_several_targets_and_the_worst_decides(self):
        good, bad = self.target.url("/x"), self.target.url("/status/500")
        done = picketd("probe", "http", good, bad, good + "2", "--format", "json")
        self.assertEqual(done.returncode, 1)
        results = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([(r["instance"], r["outcome"]) for r in results],
                         [(good, "success"), (bad, "failure"), (good + "2", "success")])
        self.assertEqual(picketd("probe", "http", good, good + "2").returncode, 0)

    def test_more_targets_than_run_at_once(self):
        urls = [self.target.url(f"/{i}") for i in range(60)]
        done = picketd("probe", "http", *urls, "--format", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 60)
        self.assertEqual(self.target.count(), 60)

    def test_of_a_file(self):
        path = self.file("site.conf", "[agent]\nsite = x\n"
                         f"[http good]\nurl = {self.target.url('/good')}\n"
                         f"[http off]\nurl = {self.target.url('/off')}\nenabled = off\n"
                         "[http broken]\nurl = https://h/\nca_file = /nonexistent\n")
        self.assertEqual(picketd("probe", "-c", path, "good").returncode, 0)
        # Nothing but the one that is asked for is opened, and it is run even if it is switched off.
        self.assertEqual(picketd("probe", "-c", path, "off").returncode, 0)
        self.assertEqual((self.target.count("/good"), self.target.count("/off")), (1, 1))
        done = picketd("probe", "-c", path, "broken")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nonexistent", done.stderr)
        done = picketd("probe", "-c", path, "nobody")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no probe 'nobody'", done.stderr)

    def test_keys_of_all_sorts(self):
        url = self.target.url("/x")
        for keys, code in ((("--expect_body", "/fine/"), 0), (("--expect_body=/nothing/",), 1),
                           (("--reject_body", "/FINE/i"), 1), (("--expect_status", "500-599"), 1),
                           (("--interval", "10s", "--timeout", "9s"), 0), (("--timeout=1h",), 0),
                           (("--header", "X-A: b; c # d"), 0), (("--label", "a=b"), 0)):
            with self.subTest(keys):
                done = picketd("probe", "http", url, *keys)
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                done = picketd("probe", "http", *keys, url)
                self.assertEqual(done.returncode, code, "options before the target")

    def test_a_scheme_is_not_needed(self):
        done = picketd("probe", "http", f"127.0.0.1:{self.target.port}/x")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_proxy_variables_are_ignored(self):
        dead = f"http://127.0.0.1:{free_port()}"
        done = picketd("probe", "http", self.target.url("/x"),
                       env={**os.environ, "http_proxy": dead, "all_proxy": dead})
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_timeout_holds(self):
        begin = time.monotonic()
        done = picketd("probe", "http", self.target.url("/slow/5"), "--timeout", "500ms",
                       "--format", "json")
        self.assertLess(time.monotonic() - begin, 0.5 + 0.25 + 0.5 * support.PATIENCE)
        self.assertEqual(json.loads(done.stdout)["reason"], "timeout")

    def test_a_name_that_nobody_knows(self):
        done = picketd("probe", "http", "http://nobody.invalid/", "--timeout", "600ms",
                       "--format", "json")
        result = json.loads(done.stdout)
        self.assertEqual((result["reason"], result["phase"]), ("resolve", "resolve"))
        self.assertLess(result["duration_seconds"], 0.6 + 0.25)

    def test_a_reader_that_goes_away(self):
        """`picketd probe … | head -1`: ended, not hung and not crashed."""
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.Popen([support.PICKETD, "probe", "http", self.target.url("/x")],
                                stdout=writer, stderr=subprocess.DEVNULL)
        os.close(writer)
        self.assertIn(done.wait(10), (0, -signal.SIGPIPE))

    def test_a_disk_that_is_full(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([support.PICKETD, "probe", "http", self.target.url("/x")],
                                  stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
        self.assertEqual(done.returncode, 2)
        self.assertIn("standard output: No space left", done.stderr)

    def test_a_peer_that_resets_at_once(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

            def reset_all():
                for _ in range(4):
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          b"\1\0\0\0\0\0\0\0")
                    connection.close()

            threading.Thread(target=reset_all, daemon=True).start()
            for kind, address in (("http", f"http://127.0.0.1:{port}/"),
                                  ("http", f"https://127.0.0.1:{port}/"),
                                  ("tls", f"127.0.0.1:{port}"), ("tcp", f"127.0.0.1:{port}")):
                extra = ("--step", "expect /x/") if kind == "tcp" else ()
                done = picketd("probe", kind, address, *extra, "--timeout", "2s")
                self.assertEqual(done.returncode, 1, f"{address}: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    unittest.main()
