#!/usr/bin/env python3
"""The tls probe against real servers on loopback: openssl s_server, and scripted hostile ones.

Guards against certificate facts that are gone just when the certificate is bad, a wrong reason, and
a peer that makes a run hang. PICKET_BUILD is the build folder (default build/host).
"""
import base64
import hashlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

import support

WEAK = ["-cipher", "DEFAULT@SECLEVEL=0"]  # lets openssl serve what nobody should


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, check=True,
                          capture_output=True).stdout


def probe(target, *options, timeout=4.0):
    where = [] if target is None else [target]
    return support.probe("tls", *where, *options, timeout=timeout)


class OpensslServer:
    """openssl s_server with a certificate of the set; ends with the `with` block."""

    def __init__(self, folder, name, *options, listen="127.0.0.1"):
        leaf, rest = folder / f"{name}.pem", folder / f"{name}.rest"
        blocks = re.findall(r"-----BEGIN.*?-----END CERTIFICATE-----\n", leaf.read_text(), re.S)
        rest.write_text("".join(blocks[1:]))
        chain = ["-cert_chain", rest] if len(blocks) > 1 else []
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"{listen}:0", "-cert", leaf, "-key",
             folder / f"{name}.key", *chain, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if line.startswith("ACCEPT"):
                self.port = int(line.rsplit(":", 1)[1])
                return
        raise AssertionError(f"openssl s_server did not start for {name}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class ScriptedServer:
    """Accepts one connection and hands it to a function, in a thread."""

    def __init__(self, script):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.over = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.serve, args=(script,), daemon=True)
        self.thread.start()

    def serve(self, script):
        try:
            connection, _ = self.listener.accept()
            with connection:
                connection.settimeout(10)
                script(connection, self.over)
        except (OSError, ssl.SSLError):
            pass  # the probe left: what it thought of it is what is tested
        except AssertionError as failure:
            self.failure = failure

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(5)
        self.listener.close()
        if self.failure:
            raise self.failure


def read_hello(connection):
    """The whole first record: closing with bytes unread would be a reset of its own."""
    head = b""
    while len(head) < 5:
        head += connection.recv(5 - len(head))
    left = struct.unpack("!H", head[3:])[0]
    while left > 0:
        left -= len(connection.recv(left))


def garbage(connection, over):
    read_hello(connection)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    over.wait(5)


def random_bytes(connection, over):
    read_hello(connection)
    connection.sendall(b"\x16\x03\x03\x00\x40\x63\x00\x00\x3c" + bytes(60))
    over.wait(5)


def silent(connection, over):
    over.wait(10)


def closes(connection, _):
    read_hello(connection)


def resets(connection, _):
    read_hello(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def alerts(number):
    def script(connection, over):
        read_hello(connection)
        connection.sendall(bytes([21, 3, 3, 0, 2, 2, number]))
        over.wait(5)
    return script


def drips(connection, over):
    read_hello(connection)
    connection.sendall(b"\x16\x03\x03\x40\x00\x02")
    while not over.wait(0.02):
        connection.sendall(b"\x00")


def floods(connection, over):
    read_hello(connection)
    while not over.is_set():
        connection.sendall(b"\x15\x03\x03\x00\x02\x01\x63" * 9000)


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="picket-tls-"))
        subprocess.run([support.ROOT / "tests/live/certs", cls.folder], check=True)
        cls.ca = ("--ca_file", cls.folder / "root.pem")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def pin(self, name):
        key = openssl("x509", "-in", self.folder / f"{name}.pem", "-noout", "-pubkey")
        der = openssl("pkey", "-pubin", "-outform", "DER", data=key)
        return base64.b64encode(hashlib.sha256(der).digest()).decode()

    def check_facts(self, name, tls):
        """What openssl says of the leaf is what the probe reports."""
        text = openssl("x509", "-in", self.folder / f"{name}.pem", "-noout", "-serial",
                       "-fingerprint", "-sha256", "-enddate", "-startdate").decode()
        said = dict(line.split("=", 1) for line in text.splitlines())
        self.assertTrue(tls["certificate"])
        self.assertEqual(tls["fingerprint_sha256"],
                         said["sha256 Fingerprint"].replace(":", "").lower())
        self.assertEqual(tls["serial"], said["serial"].lower())
        self.assertEqual(tls["leaf_not_after"], ssl.cert_time_to_seconds(said["notAfter"]))
        self.assertEqual(tls["leaf_not_before"], ssl.cert_time_to_seconds(said["notBefore"]))

    def check(self, result, reason, name=None):
        outcome = "failure" if reason else "success"
        self.assertEqual((result["outcome"], result["reason"]), (outcome, reason), result["note"])
        if name:
            self.check_facts(name, result["tls"])
            self.assertIn("tls", result["phases"])
            self.assertGreater(result["phases"]["tls"], 0)

    def test_each_certificate_gets_its_verdict_and_its_facts(self):
        rows = [
            # certificate, server options, probe options, host, reason
            ("good", [], [], "localhost", None),
            ("good", ["-tls1_2"], [], "localhost", None),
            ("good", ["-tls1_3"], [], "localhost", None),
            ("rsa", [], [], "localhost", None),
            ("rsa", ["-tls1_2"], [], "localhost", None),
            ("rsa", ["-tls1_2", "-cipher", "AES128-SHA"], [], "localhost", None),
            ("rsa", ["-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"], [], "localhost", None),
            ("good", [], [], "127.0.0.1", None),
            ("wildcard", [], ["--server_name", "a.lab.example"], "localhost", None),
            ("onlycn", [], ["--server_name", "lab.example"], "localhost", None),
            ("hostile", [], [], "localhost", None),
            ("chained", [], [], "localhost", None),
            ("useless", [], [], "localhost", None),
            ("somenames", [], [], "localhost", None),
            ("expired", [], [], "localhost", "cert_expired"),
            ("expired", ["-tls1_2"], [], "localhost", "cert_expired"),
            ("expired_untrusted", [], [], "localhost", "cert_expired"),
            ("oldchain", [], [], "localhost", "cert_expired"),
            ("future", [], [], "localhost", "cert_not_yet_valid"),
            ("selfsigned", [], [], "localhost", "cert_untrusted"),
            ("untrusted", [], [], "localhost", "cert_untrusted"),
            ("missing", [], [], "localhost", "cert_untrusted"),
            ("clientonly", [], [], "localhost", "cert_untrusted"),
            ("agreeonly", ["-tls1_3"], [], "localhost", "cert_untrusted"),
            ("sha1", WEAK, [], "localhost", "cert_untrusted"),
            ("short", WEAK, [], "localhost", "cert_untrusted"),
            ("wrongname", [], [], "localhost", "cert_name"),
            ("wildcard", [], ["--server_name", "a.b.lab.example"], "localhost", "cert_name"),
            ("noaddress", [], [], "127.0.0.1", "cert_name"),
            ("good", ["-tls1_2"], ["--min_tls", "1.3"], "localhost", "tls_policy"),
            ("good", [], ["--pin_sha256", self.pin("good")], "localhost", None),
            ("good", [], ["--pin_sha256", "sha256//" + self.pin("good")], "localhost", None),
            ("good", [], ["--pin_sha256", self.pin("rsa")], "localhost", "cert_pin"),
            ("good", [], ["--min_days", "14"], "localhost", None),
            ("soon", [], ["--min_days", "14"], "localhost", "cert_soon"),
            ("soon", [], ["--min_days", "2"], "localhost", None),
            # the intermediate ends before the leaf; one nobody needs does not count
            ("chained", [], ["--min_days", "70"], "localhost", "cert_soon"),
            ("useless", [], ["--min_days", "70"], "localhost", None),
            ("expired", [], ["--verify", "off"], "localhost", None),
            ("selfsigned", [], ["--verify", "off"], "localhost", None),
            ("expired", [], ["--verify", "off", "--min_days", "1"], "localhost", "cert_soon"),
        ]
        for name, server_options, options, host, reason in rows:
            with self.subTest(name=name, server=server_options, options=options, host=host), \
                    OpensslServer(self.folder, name, *server_options) as server:
                result = probe(f"{host}:{server.port}", *self.ca, *options)
                self.check(result, reason, name)
                version = "TLS 1.2" if "-tls1_2" in server_options else "TLS 1.3"
                self.assertEqual(result["tls"]["version"], version)
                self.assertRegex(result["tls"]["cipher"], r"^TLS_[A-Z0-9_]+$")

    def test_chain_dates_are_told_apart(self):
        with OpensslServer(self.folder, "useless") as server:
            tls = probe(f"localhost:{server.port}", *self.ca)["tls"]
        self.assertLess(tls["sent_not_after"], tls["verified_not_after"])
        self.assertEqual(tls["verified_not_after"], tls["leaf_not_after"])
        with OpensslServer(self.folder, "chained") as server:
            tls = probe(f"localhost:{server.port}", *self.ca)["tls"]
        self.assertLess(tls["sent_not_after"], tls["leaf_not_after"])
        self.assertEqual(tls["verified_not_after"], tls["sent_not_after"])
        with OpensslServer(self.folder, "untrusted") as server:
            tls = probe(f"localhost:{server.port}", *self.ca)["tls"]
        self.assertIsNone(tls["verified_not_after"])

    def test_hostile_names_are_escaped_and_cut(self):
        with OpensslServer(self.folder, "hostile") as server:
            subject = probe(f"localhost:{server.port}", *self.ca)["tls"]["subject"]
        self.assertEqual(subject, 'CN=lab.example,O=Evil\\x1b[2J\\x0aCorp \\"x\\"\\, \u00e4')
        with OpensslServer(self.folder, "somenames") as server:
            names = probe(f"localhost:{server.port}", *self.ca)["tls"]["subject_alternative"]
        self.assertTrue(names.startswith("localhost,host-1.lab.example,host-2"))
        self.assertLessEqual(len(names), 256)

    def test_chains_beyond_all_bounds_fail_and_end(self):
        rows = [("deep", "cert_untrusted", "more intermediate CAs"),
                ("maze", "cert_untrusted", "costlier"),
                ("hundred", "tls_handshake", ""), ("manynames", "tls_handshake", "")]
        for name, reason, note in rows:
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest(name=name, version=version), \
                        OpensslServer(self.folder, name, version) as server:
                    result = probe(f"localhost:{server.port}", *self.ca)
                    self.check(result, reason, name if reason == "cert_untrusted" else None)
                    self.assertEqual(result["phase"], "tls")
                    self.assertIn(note, result["note"])
                    self.assertLess(result["phases"]["tls"], 0.5 * support.PATIENCE)

    def test_ipv6_literals_are_checked_against_addresses(self):
        try:
            server = OpensslServer(self.folder, "good", listen="[::1]")
        except AssertionError:
            self.skipTest("no IPv6 loopback")
        with server:
            self.check(probe(f"[::1]:{server.port}", *self.ca), None, "good")

    def test_a_required_client_certificate(self):
        required = ["-Verify", "1", "-verify_return_error", "-CAfile", self.folder / "root.pem"]
        shown = ["--cert_file", self.folder / "client.pem", "--key_file",
                 self.folder / "client.key"]
        for version, reason in (("-tls1_2", "tls_handshake"), ("-tls1_3", None)):
            with self.subTest(version=version), \
                    OpensslServer(self.folder, "good", version, *required) as server:
                self.check(probe(f"localhost:{server.port}", *self.ca, *shown), None, "good")
                # TLS 1.3 servers answer a round trip after the handshake: it counts as good.
                result = probe(f"localhost:{server.port}", *self.ca)
                self.check(result, reason, "good")
                if reason:
                    self.assertIn("client certificate", result["note"])

    def test_peers_that_do_not_speak_tls(self):
        rows = [
            ("garbage", garbage, 4, "tls_handshake", "not TLS"),
            ("bytes in a record", random_bytes, 4, "tls_handshake", "unexpected message"),
            ("silent", silent, 0.5, "timeout", ""),
            ("closes", closes, 4, "reset", "closed"),
            ("resets", resets, 4, "reset", "reset"),
            ("drips", drips, 0.7, "timeout", ""),
            ("floods", floods, 0.7, None, ""),
            ("alert 40", alerts(40), 4, "tls_handshake", "alert 40 handshake_failure"),
            ("alert 70", alerts(70), 4, "tls_handshake", "alert 70 protocol_version"),
            ("alert 112", alerts(112), 4, "tls_handshake", "alert 112 unrecognized_name"),
        ]
        for what, script, timeout, reason, note in rows:
            with self.subTest(what=what), ScriptedServer(script) as server:
                result = probe(f"localhost:{server.port}", *self.ca, timeout=timeout)
                self.assertEqual(result["outcome"], "failure")
                self.assertEqual(result["phase"], "tls")
                self.assertIn(note, result["note"])
                self.assertIsNone(result["tls"])
                if reason:
                    self.assertEqual(result["reason"], reason, result["note"])
                else:
                    self.assertIn(result["reason"], ("timeout", "tls_handshake"))

    def test_an_old_server_is_said_to_be_old(self):
        with OpensslServer(self.folder, "rsa", "-tls1_1", "-cipher", "ALL@SECLEVEL=0") as server:
            result = probe(f"localhost:{server.port}", *self.ca)
        self.check(result, "tls_handshake")
        self.assertIn("version", result["note"])

    def test_a_large_group_of_the_server_is_refused_before_it_costs_anything(self):
        for bits in (2048, 4096, 8192):
            parameters = self.folder / f"ffdhe{bits}.pem"
            subprocess.run(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt",
                            f"group:ffdhe{bits}", "-out", parameters], check=True,
                           capture_output=True)
            for options in (["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256", "-dhparam",
                             parameters],
                            ["-tls1_3", "-groups", f"ffdhe{bits}"]):
                with self.subTest(bits=bits, version=options[0]), \
                        OpensslServer(self.folder, "rsa", *options) as server:
                    result = probe(f"localhost:{server.port}", *self.ca)
                    self.check(result, None if bits == 2048 else "tls_handshake")

    def starttls_script(self, lines):
        """Says and hears line by line, then serves TLS. None: the server speaks first."""
        def script(connection, over):
            for heard, said in lines:
                if heard is not None:
                    got = b""
                    while len(got) < len(heard):
                        got += connection.recv(1)
                    assert got == heard, (got, heard)
                for byte in said:  # segments as small as they get
                    connection.sendall(bytes([byte]))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.folder / "good.pem", self.folder / "good.key")
            with context.wrap_socket(connection, server_side=True):
                over.wait(5)
        return script

    def test_starttls_in_lock_step(self):
        ldap_ask = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
        ldap_good = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
        rows = {
            "smtp": [(None, b"220-mx\r\n220 ESMTP\r\n"),
                     (b"EHLO picket\r\n", b"250-mx\r\n250-STARTTLS\r\n250 HELP\r\n"),
                     (b"STARTTLS\r\n", b"220 go\r\n")],
            "imap": [(None, b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
                     (b"a STARTTLS\r\n", b"a OK go\r\n")],
            "pop3": [(None, b"+OK ready\r\n"), (b"STLS\r\n", b"+OK go\r\n")],
            "ftp": [(None, b"220-hello\r\n you\r\n220 ready\r\n"),
                    (b"AUTH TLS\r\n", b"234 go\r\n")],
            "postgres": [(b"\0\0\0\x08\x04\xd2\x16\x2f", b"S")],
            "ldap": [(ldap_ask, ldap_good)],
        }
        for protocol, lines in rows.items():
            with self.subTest(protocol=protocol), \
                    ScriptedServer(self.starttls_script(lines)) as server:
                result = probe(f"localhost:{server.port}", *self.ca, "--starttls", protocol)
                self.check(result, None, "good")
                self.assertGreater(result["phases"]["starttls"], 0)

    def test_starttls_refused_or_injected(self):
        def says(words):
            def script(connection, over):
                connection.sendall(words)
                over.wait(5)
            return script
        rows = [
            (says(b"220 mx\r\n250 mx\r\n454 not now\r\n"), "protocol", "454 not now"),
            (says(b"220 mx\r\n250 mx\r\n220 go\r\n250 injected\r\n"), "protocol", "in clear"),
            (says(b"SSH-2.0-OpenSSH\r\n"), "protocol", "SSH-2.0"),
            (says(b"220 mx\r\n"), "timeout", ""),
            (lambda connection, over: None, "reset", ""),
        ]
        for script, reason, note in rows:
            with self.subTest(reason=reason, note=note), ScriptedServer(script) as server:
                result = probe(f"localhost:{server.port}", *self.ca, "--starttls", "smtp",
                               timeout=0.5)
                self.check(result, reason)
                self.assertEqual(result["phase"], "starttls")
                self.assertIn(note, result["note"])

    def test_local_files(self):
        rows = [("good.pem", [], None), ("good.der", [], None), ("chained.pem", [], None),
                ("expired.pem", [], "cert_expired"), ("future.pem", [], "cert_not_yet_valid"),
                ("soon.pem", ["--min_days", "14"], "cert_soon"),
                ("untrusted.pem", [], None), ("untrusted.pem", self.ca, "cert_untrusted"),
                ("chained.pem", self.ca, None), ("missing.pem", self.ca, "cert_untrusted"),
                ("deep.pem", self.ca, "cert_untrusted"),
                ("manynames.pem", [], "protocol"),  # larger than a certificate file may be
                ("good.pem", [*self.ca, "--server_name", "x.example"], "cert_name"),
                ("none.pem", [], "connect"), ("junk.pem", [], "protocol"),
                ("half.pem", [], "protocol"), ("good.key", [], "protocol")]
        for name, options, reason in rows:
            with self.subTest(name=name, options=options):
                result = probe(None, "--file", self.folder / name, *options)
                self.check(result, reason)
                self.assertEqual(result["phases"], {})
                if reason not in ("connect", "protocol"):
                    stem = name.split(".")[0]
                    self.check_facts(stem, result["tls"])


if __name__ == "__main__":
    unittest.main()
