#!/usr/bin/env python3
"""The tcp probe against servers that are not ours: nginx in clear, openssl s_server over TLS, and
aiosmtpd, an SMTP server with STARTTLS.

Guards against dialogs that only our own scripts would follow. PICKET_BUILD is the build folder.
"""
import logging
import pathlib
import re
import ssl
import subprocess
import tempfile
import unittest

import support
from support import free_port, listens

try:
    from aiosmtpd.controller import Controller
except ImportError:
    Controller = None


def probe(address, *options):
    return support.probe("tcp", address, *options, timeout=4.0)


def steps(*lines):
    return [word for line in lines for word in ("--step", line)]


class WithCertificates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        key, certificate = cls.folder / "key.pem", cls.folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-keyout", key,
                        "-out", certificate, "-subj", "/CN=mail.picket.test", "-addext",
                        "subjectAltName=DNS:mail.picket.test"], check=True, capture_output=True)
        cls.key, cls.certificate = str(key), str(certificate)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()


class AgainstNginx(unittest.TestCase):
    """A byte stream that is not made for us: an HTTP answer, read as lines."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.port = free_port()
        cls.nginx = support.Nginx(cls.temporary.name, f"server {{ listen 127.0.0.1:{cls.port}; "
                                  'location / { return 200 "one\\ntwo\\n"; } }', cls.port)

    @classmethod
    def tearDownClass(cls):
        cls.nginx.close()
        cls.temporary.cleanup()

    def test_connects(self):
        result = probe(f"127.0.0.1:{self.port}")
        self.assertEqual(result["outcome"], "success", result)
        self.assertEqual(set(result["phases"]), {"resolve", "connect"})

    def test_lines_are_passed_over_and_the_last_unfinished_one_is_seen(self):
        result = probe(f"127.0.0.1:{self.port}", *steps(
            'send "GET / HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n"', "expect /^HTTP.1\\.[01] (200) OK$/",
            "expect /^Server: nginx/", "expect /^two/"))
        self.assertEqual(result["outcome"], "success", result)
        self.assertIn("dialog", result["phases"])

    def test_a_group_of_the_answer_goes_into_the_next_request(self):
        # nginx answers the first request and keeps the connection: its code is the next path.
        result = probe(f"127.0.0.1:{self.port}", *steps(
            'send "GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"', "expect /^HTTP.1\\.1 (\\d+) OK$/",
            'send "GET /${1} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"',
            "expect /^HTTP.1\\.1 200 OK$/"))
        self.assertEqual(result["outcome"], "success", result)

    def test_a_reject_wins_over_the_expect_behind_it(self):
        result = probe(f"127.0.0.1:{self.port}", *steps(
            'send "GET / HTTP/1.0\\r\\n\\r\\n"', "reject /^Server:/", "expect /^never/"))
        self.assertEqual((result["outcome"], result["reason"], result["phase"]),
                         ("failure", "expect", "dialog"), result)
        self.assertIn("reject", result["note"])

    def test_nobody_listens(self):
        result = probe(f"127.0.0.1:{free_port()}")
        self.assertEqual((result["outcome"], result["reason"], result["phase"]),
                         ("failure", "refused", "connect"), result)


class Openssl(WithCertificates):
    """`openssl s_server -rev` sends each line back reversed."""

    def setUp(self):
        self.server = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-key", self.key, "-cert",
             self.certificate, "-rev"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = next(int(match.group(1)) for match in
                         (re.match(r"ACCEPT .*:(\d+)", line) for line in self.server.stdout)
                         if match)

    def tearDown(self):
        self.server.terminate()
        self.server.communicate(timeout=10)

    def test_a_dialog_over_tls_from_the_start(self):
        result = probe(f"127.0.0.1:{self.port}", "--tls", "on", "--ca_file", self.certificate,
                       "--server_name", "mail.picket.test",
                       *steps('send "hello\\n"', "expect /^olleh$/"))
        self.assertEqual(result["outcome"], "success", result)
        self.assertIn("tls", result["phases"])
        self.assertEqual(result["tls"]["version"], "TLS 1.3")

    def test_nothing_is_sent_to_a_server_that_is_not_trusted(self):
        result = probe(f"127.0.0.1:{self.port}", "--tls", "on", "--server_name",
                       "mail.picket.test", *steps('send "hello\\n"', "expect /olleh/"))
        self.assertEqual((result["reason"], result["phase"]), ("cert_untrusted", "tls"), result)
        self.assertNotIn("dialog", result["phases"])
        self.assertIn("mail.picket.test", result["tls"]["subject"])


@unittest.skipUnless(Controller, "needs python3-aiosmtpd")
class Smtp(WithCertificates):
    STARTTLS = ("expect /^220 .*SMTP/", 'send "EHLO picket\\r\\n"', "expect /^250[ -]STARTTLS/",
                'send "STARTTLS\\r\\n"', "expect /^220/", "starttls")

    def setUp(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        logging.getLogger("mail.log").disabled = True  # a refused handshake is what we want
        self.server = Controller(object(), hostname="127.0.0.1", port=free_port(),
                                 tls_context=context)
        self.server.start()
        self.address = f"127.0.0.1:{self.server.port}"

    def tearDown(self):
        self.server.stop()

    def test_starttls_in_the_dialog_and_on_inside_tls(self):
        result = probe(self.address, "--ca_file", self.certificate, "--server_name",
                       "mail.picket.test", *steps(*self.STARTTLS, 'send "EHLO picket\\r\\n"',
                                                  "expect /^250[ -]HELP/", 'send "QUIT\\r\\n"',
                                                  "expect /^221/"))
        self.assertEqual(result["outcome"], "success", result)
        self.assertEqual(set(result["phases"]), {"resolve", "connect", "dialog", "tls"})
        self.assertIn("mail.picket.test", result["tls"]["subject"])

    def test_the_wrong_name_is_told_with_the_certificate(self):
        result = probe(self.address, "--ca_file", self.certificate, "--server_name",
                       "other.picket.test", *steps(*self.STARTTLS))
        self.assertEqual((result["outcome"], result["reason"]), ("failure", "cert_name"), result)
        self.assertIn("mail.picket.test", result["tls"]["subject_alternative"])

    def test_an_answer_that_does_not_come_is_told_with_its_step(self):
        result = probe(self.address, *steps("expect /^220/", 'send "QUIT\\r\\n"', "expect /^250/"))
        self.assertEqual((result["reason"], result["phase"]), ("expect", "dialog"), result)
        self.assertIn("step 3", result["note"])


if __name__ == "__main__":
    unittest.main()
