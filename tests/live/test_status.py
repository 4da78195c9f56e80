"""status and its socket: what it shows, its exit codes, and clients that mean harm.

Guards against a page that cannot be parsed, an exit code that lies, and a client that can hold up
the probes or lock the others out."""

import contextlib
import json
import os
import pty
import select
import signal
import socket
import subprocess
import time
import unittest

import support
from hostile_push import HostilePush
from support import LiveTest, Target, ask, picketd, wait_until

FAST = "[defaults]\ninterval = 500ms\ntimeout = 400ms\n"


def site(probes, agent="", push=""):
    return f"[agent]\nsite = status-test\n{agent}\n{push}\n{FAST}\n{probes}\n"


def http(name, url, more=""):
    return f"[http {name}]\nurl = {url}\n{more}\n"


class Page(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())

    def status(self, agent, *arguments):
        return picketd("status", "--socket", agent.socket, *arguments)

    def test_json_has_every_field(self):
        receiver = self.closing(HostilePush())
        agent = self.agent(site(
            http("good", self.target.url("/x"), "slo = availability 99% 1d") +
            http("bad", self.target.url("/status/503")) +
            http("off", self.target.url("/off"), "enabled = off") +
            "[slo both]\nprobe = good\nprobe = bad\nslo = availability 50% 1d\n",
            push=f"[push]\nurl = {receiver.url}\ninterval = 1s\n"))
        agent.wait_runs("bad", 2)
        agent.wait_status(lambda s: s["push"]["attempts"]["accepted"], "a push")
        done = self.status(agent, "--format", "json")
        self.assertEqual(done.returncode, 1, done.stderr)
        page = json.loads(done.stdout)
        self.assertEqual(page["site"], "status-test")
        self.assertGreater(page["uptime_seconds"], 0)
        self.assertFalse(page["stopping"])
        self.assertEqual(page["push"]["last_result"], "accepted")
        self.assertEqual(page["push"]["http_status"], 200)
        self.assertEqual(page["push"]["failures_in_row"], 0)
        targets = {target["probe"]: target for target in page["targets"]}
        self.assertEqual(targets["good"]["outcome"], "success")
        self.assertIsNone(targets["good"]["reason"])
        self.assertIsNone(targets["good"]["last_failure"])
        self.assertIn("connect", targets["good"]["phases"])
        self.assertEqual(targets["good"]["facts"]["probe_http_status_code"], 200)
        self.assertEqual((targets["bad"]["outcome"], targets["bad"]["reason"]), ("failure", "status"))
        self.assertEqual(targets["bad"]["last_failure"]["reason"], "status")
        self.assertEqual(targets["bad"]["kind"], "http")
        self.assertEqual(targets["bad"]["instance"], self.target.url("/status/503"))
        self.assertFalse(targets["off"]["enabled"])
        self.assertIsNone(targets["off"]["outcome"])
        self.assertEqual(sum(targets["good"]["results"].values()),
                         targets["good"]["results"]["success"])
        self.assertEqual(page["slos"][0]["slo"], "availability")
        self.assertEqual(page["slos"][0]["bad"], 0)
        self.assertEqual([slo["slo"] for slo in page["slos"]], ["availability", "both:availability"])
        both = page["slos"][1]
        self.assertEqual((both["probe"], both["instance"]), (None, "status-test"))
        for slo in page["slos"]:
            self.assertEqual((slo["window_good"], slo["window_bad"]), (slo["good"], slo["bad"]))
        self.assertEqual(both["good"], page["slos"][0]["good"])
        self.assertEqual(both["bad"], targets["bad"]["results"]["failure"])

    def test_text_names_what_fails_and_why(self):
        agent = self.agent(site(http("good", self.target.url("/x")) +
                                http("bad", self.target.url("/status/503"))))
        agent.wait_runs("bad", 1)
        agent.wait_runs("good", 1)
        done = self.status(agent)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"(?m)^bad .* FAIL .*status")
        self.assertRegex(done.stdout, r"status")
        self.assertNotIn("\x1b", done.stdout)

    def test_exit_codes(self):
        agent = self.agent(site(http("p", self.target.url("/x"))))
        self.assertEqual(self.status(agent).returncode, 0)  # nothing was measured yet
        agent.wait_runs("p", 1)
        self.assertEqual(self.status(agent).returncode, 0)
        agent.terminate()
        done = self.status(agent)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("no agent answers", done.stderr)
        self.assertIn("No such file", done.stderr)

    def test_a_stale_socket_and_a_stopped_agent_are_no_agent(self):
        agent = self.agent(site(http("p", self.target.url("/x"))))
        agent.stand_still()
        begin = time.monotonic()
        done = self.status(agent)
        agent.go_on()
        self.assertEqual(done.returncode, 2)
        self.assertIn("timed out", done.stderr)
        self.assertLess(time.monotonic() - begin, 4 * support.PATIENCE)
        agent.kill()
        done = self.status(agent)
        self.assertEqual(done.returncode, 2)
        self.assertIn("refused", done.stderr)

    def test_the_socket_of_the_configuration(self):
        path = self.folder / "run" / "own.sock"
        agent = self.agent(site(http("p", self.target.url("/x")), f"socket = {path}"), start=False)
        agent.command = agent.command[:-2]
        agent.socket = path
        agent.start()
        self.assertEqual(picketd("status", "-c", agent.config).returncode, 0)
        # The socket that is named wins.
        done = picketd("status", "-c", agent.config, "--socket", self.folder / "other")
        self.assertEqual(done.returncode, 2)
        self.assertIn("other", done.stderr)

    def test_no_socket_at_all(self):
        agent = self.agent(site(http("p", self.target.url("/x")), "socket = none"), start=False)
        agent.command = agent.command[:-2]
        agent.spawn()
        wait_until(lambda: self.target.count("/x") > 1, "it runs")
        done = picketd("status", "-c", agent.config)
        self.assertEqual(done.returncode, 2)
        self.assertIn("socket = none", done.stderr)
        self.assertEqual(agent.terminate(), 0)

    def test_watch_repeats(self):
        agent = self.agent(site(http("p", self.target.url("/x"))))
        watch = subprocess.Popen([support.PICKETD, "status", "--socket", agent.socket, "--watch",
                                  "--format", "json"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(watch.wait)
        self.addCleanup(watch.kill)
        self.addCleanup(watch.stdout.close)
        text = ""
        for line in watch.stdout:
            text += line
            if text.count('"site"') == 3:
                break
        watch.send_signal(signal.SIGINT)
        self.assertEqual(watch.wait(5), -signal.SIGINT)

    def test_watch_redraws_in_colour_on_a_terminal_unless_told_not_to(self):
        agent = self.agent(site(http("p", self.target.url("/x"))))
        agent.wait_runs("p", 1)
        for environment, colour in (({}, True), ({"NO_COLOR": "1"}, False)):
            primary, secondary = pty.openpty()
            env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
            watch = subprocess.Popen([support.PICKETD, "status", "--socket", agent.socket, "--watch"],
                                     stdout=secondary, stderr=secondary, env={**env, **environment})
            os.close(secondary)
            text = b""
            deadline = time.monotonic() + 10
            while text.count(b"\x1b[H\x1b[J") < 2 and time.monotonic() < deadline:
                if select.select([primary], [], [], 0.5)[0]:
                    text += os.read(primary, 65536)
            watch.kill()
            watch.wait()
            os.close(primary)
            self.assertEqual(text.count(b"\x1b[H\x1b[J") >= 2, True)
            self.assertEqual(b"\x1b[0m" in text, colour)

    def test_many_targets_with_long_names_are_still_json(self):
        probes = "".join(http(f"{'n' * 50}-{i}", self.target.url(f"/status/503?{'é' * 150}{i}"),
                              "slo = availability 99% 1d") for i in range(100))
        agent = self.agent(site(probes))
        agent.wait_status(lambda s: all(t["outcome"] for t in s["targets"]), "all have run", 20)
        page = json.loads(self.status(agent, "--format", "json").stdout)
        self.assertEqual(len(page["targets"]), 100)


class HostileClients(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())
        self.agent_ = self.agent(site("".join(http(f"p{i}", self.target.url(f"/{i}"))
                                              for i in range(10))))

    def client(self):
        client = self.closing(socket.socket(socket.AF_UNIX))
        client.settimeout(5)
        wait_until(lambda: client.connect_ex(str(self.agent_.socket)) == 0, "room in the backlog")
        return client

    def unharmed(self, runs=4):
        """Probes run on time, and the next honest client is served."""
        self.assertTrue(wait_until(self.agent_.answers, "an honest client is served"))
        done = sum(self.agent_.target("p0")["results"].values())
        status = self.agent_.wait_runs("p0", done + runs)
        self.assertEqual(sum(t["missed"] for t in status["targets"]), 0)
        self.assertEqual(sum(t["results"]["failure"] for t in status["targets"]), 0)
        self.assertClean(self.agent_)

    def test_one_that_says_nothing_is_sent_away(self):
        client = self.client()
        begin = time.monotonic()
        self.assertEqual(client.recv(10), b"")
        self.assertLess(time.monotonic() - begin, 2 * support.PATIENCE)
        self.unharmed()

    def test_questions_that_are_none(self):
        for question in (b"\n", b"text", b"TEXT\n", b"xml\n", b"text\njson\n", b"\0\0\0\0\n",
                         b"x" * 15, b"x" * 16, b"x" * 100000, b"text\0\n", b"\xff" * 30):
            with self.subTest(question[:20]):
                client = self.client()
                with contextlib.suppress(OSError):
                    client.sendall(question)
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(client.recv(10), b"")
                client.close()
        self.unharmed()

    def test_a_question_byte_by_byte(self):
        client = self.client()
        for byte in b"json\n":
            client.sendall(bytes([byte]))
            time.sleep(0.01)
        self.assertEqual(client.recv(2), b"0\n")
        self.unharmed()

    def test_one_that_never_reads(self):
        client = self.client()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.sendall(b"json\n")
        time.sleep(0.5)
        self.unharmed()

    def test_one_that_hangs_up_amid_everything(self):
        for sent in (b"", b"js", b"json\n"):
            for _ in range(30):
                client = self.client()
                with contextlib.suppress(OSError):
                    client.sendall(sent)
                client.close()
        self.unharmed()

    def test_a_crowd_that_says_nothing(self):
        self.crowd = [self.client() for _ in range(8)]
        done = self.target.count("/0")
        wait_until(lambda: self.target.count("/0") >= done + 4, "probes go on")
        self.unharmed()

    def test_a_flood(self):
        before = self.agent_.descriptors()
        memory = self.agent_.memory_kib()
        for _ in range(500):
            ask(self.agent_.socket, b"json\n")
        # Each run slot keeps a few once it was used; a leak would be one a client.
        self.assertLess(self.agent_.descriptors(), before + 50)
        # qemu-user keeps what it has translated.
        more = 8192 if support.SANITIZED or support.EMULATED else 512
        self.assertLess(self.agent_.memory_kib() - memory, more)
        self.unharmed()


if __name__ == "__main__":
    unittest.main()
