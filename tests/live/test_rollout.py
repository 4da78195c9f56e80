"""Rollouts of bad configurations: the real process, its parent, a receiver and a folder for what is
known to be good.

Guards against a file that silences the site and stays, one that is left although it is the uplink
that is dead, a start that a bad file prevents although a good one was known, a kept configuration
that somebody else could have written and is run all the same, and totals that get lost on the way."""

import contextlib
import os
import re
import signal
import time
import unittest

import support
from accounting import Receiver
from recovery_site import StampedAgent
from support import LiveTest, Target, picketd, wait_until

ROLLBACK = 3  # seconds
# A life that leaves makes a last push, and the next one begins after a second.
SLACK = 4
REFUSED = "http://127.0.0.1:9"  # the port "discard": nobody listens there


class Uplink(Receiver):
    """A receiver that can be cut off: it answers 503 then."""

    def __init__(self):
        super().__init__()
        self.dead = False
        handler = self.server.RequestHandlerClass
        take = handler.do_PUT

        def do_put(request):
            if not self.dead:
                take(request)
                return
            request.rfile.read(int(request.headers["Content-Length"]))
            request.send_response(503)
            request.send_header("Content-Length", "0")
            request.end_headers()

        handler.do_PUT = handler.do_POST = do_put


class RolloutTest(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())
        self.uplink = self.closing(Uplink())
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)

    def text(self, *probes, url=None, more="", push="", rollback=ROLLBACK):
        return (f"[agent]\nsite = rollout\nstore = {self.folder}/store.pk\nstore_size = 64K\n"
                f"flash = disk\ncommit = 1s\n{more}"
                f"[push]\nurl = {url or self.uplink.url}\ninterval = 1s\ntimeout = 1s\n{push}"
                f"[watchdog]\nsafe_time = 1s\nrollback = {rollback}s\n"
                "[defaults]\ninterval = 250ms\ntimeout = 200ms\n" +
                "".join(f"[http {name}]\nurl = {self.target.url('/' + name)}\n"
                        for name in probes))

    def begin(self, text, state=True):
        agent = StampedAgent(self.folder, text, start=False)
        self.addCleanup(agent.close)
        if state:
            agent.command += ["--state", self.state]
        return agent.start()

    def again(self, agent, text):
        """The service is restarted with this file."""
        if agent.process.poll() is None:
            self.assertEqual(agent.terminate(), 0)
        agent.lines.clear()
        agent.write(text)
        return agent.start()

    def kept(self):
        return next(iter(self.state.glob("*.texts")), None)

    def wait_kept(self, agent, what):
        """It has proved itself, and is on disk."""
        wait_until(lambda: self.kept() and what in self.kept().read_text(),
                   f"it is kept: {agent.log()[-2000:]}", 15)

    def wait_status(self, agent, condition, what, seconds=15):
        """Its status once condition(status) is true. There may be none for a while, between lives."""
        def look():
            with contextlib.suppress(OSError, ValueError):
                status = agent.status()
                return status if status["recovery"] and condition(status) else None
        return wait_until(look, f"{what}: {agent.log()[-2000:]}", seconds)

    def wait_runs_file(self, agent, name, seconds=15):
        """The file's configuration runs, with this probe."""
        self.wait_status(agent, lambda s: not s["recovery"]["last_known_good"] and
                         name in [t["probe"] for t in s["targets"]], f"{name} runs", seconds)

    def wait_rolled_back(self, agent, reason, seconds=15):
        return self.wait_status(
            agent, lambda s: s["recovery"]["last_known_good"] and
            s["recovery"]["rolled_back_for"] == reason, f"{reason}: it is left", seconds)

    def reload(self, agent, text):
        agent.write(text)
        agent.signal(signal.SIGHUP)
        return time.monotonic()

    def assertExact(self, agent):
        """Ended in order, all that was served has been told, and each once; of a run that timed
        out on a busy machine nobody knows whether it was served."""
        self.assertEqual(agent.terminate(), 0)
        told = self.uplink.told()
        for path, served in self.target.served.items():
            good = told.total("picket_probe_results_total", probe=path[1:], result="success")
            self.assertLessEqual(good, served, path)
            self.assertLessEqual(
                served, told.total("picket_probe_results_total", probe=path[1:]), path)


class Silence(RolloutTest):
    def test_a_file_whose_push_leads_nowhere_is_left_in_time_and_totals_are_exact(self):
        agent = self.begin(self.text("a"))
        self.wait_kept(agent, "[http a]")
        began = self.reload(agent, self.text("a", "b", url=REFUSED))
        agent.moment("is new: when no push of it is accepted within 3 s", began)
        left = agent.moment("the file's configuration got no push through", began)
        self.assertGreater(left - began, ROLLBACK - 0.3)
        status = self.wait_rolled_back(agent, "silence")
        self.assertLess(time.monotonic() - began, (ROLLBACK + SLACK) * support.PATIENCE)
        self.assertEqual([t["probe"] for t in status["targets"]], ["a"])
        self.assertEqual(agent.exit_code(), "1")
        page = support.ask(agent.socket, b"text\n")[1]
        self.assertIn("last known good configuration: the file's got no push through\n", page)
        agent.moment("the file's stays out until somebody mends it", began)
        told = wait_until(lambda: self.uplink.bodies[-1][0] > left + 2 and self.uplink.told(),
                          "it pushes again")
        self.assertEqual(told.value("picket_config_file_in_use"), 0)
        self.assertEqual(told.value("picket_config_rollbacks_total", reason="silence"), 1)
        self.assertEqual(told.total("picket_config_rollbacks_total"), 1)

        self.reload(agent, self.text("a", "c"))
        self.wait_runs_file(agent, "c")
        self.assertEqual(agent.exit_code(), "0")
        self.wait_kept(agent, "[http c]")
        served = self.target.count("/c")
        wait_until(lambda: self.target.count("/c") > served + 2, "c runs on")
        self.assertGreater(self.target.count("/b"), 0)
        self.assertEqual(agent.status()["recovery"]["rollbacks"],
                         {"start": 0, "silence": 1, "crashes": 0})
        # What "b" counted is told with the others once it is configured again.
        self.reload(agent, self.text("a", "b", "c"))
        self.wait_runs_file(agent, "b")
        self.assertExact(agent)
        self.assertEqual(self.uplink.told().value("picket_config_file_in_use"), 1)

    def test_with_a_dead_uplink_the_new_one_is_tried_again_when_it_is_back(self):
        agent = self.begin(self.text("a"))
        self.wait_kept(agent, "[http a]")
        self.uplink.dead = True
        began = self.reload(agent, self.text("a", "b"))
        self.wait_rolled_back(agent, "silence")
        agent.wait_status(lambda s: s["push"]["failures_in_row"] > 0, "nor does the good one push")
        self.uplink.dead = False
        agent.moment("the file's is tried again", began)
        self.wait_runs_file(agent, "b")
        self.wait_kept(agent, "[http b]")
        self.assertEqual(agent.exit_code(), "0")
        self.assertEqual(agent.status()["recovery"]["rollbacks"]["silence"], 1)
        self.assertExact(agent)

    def test_a_restart_with_a_silent_file_comes_back_too(self):
        agent = self.begin(self.text("a"))
        self.wait_kept(agent, "[http a]")
        self.again(agent, self.text("a", "b", url=REFUSED))
        self.wait_runs_file(agent, "b")
        status = self.wait_rolled_back(agent, "silence")
        self.assertEqual([t["probe"] for t in status["targets"]], ["a"])
        self.assertNotIn("[http b]", self.kept().read_text())
        self.reload(agent, self.text("a", "b"))
        self.wait_runs_file(agent, "b")
        self.assertExact(agent)

    def test_a_file_that_is_the_good_one_is_never_left(self):
        agent = self.begin(self.text("a"))
        self.wait_kept(agent, "[http a]")
        self.uplink.dead = True
        begun = agent.status()["recovery"]["restarts"]["reload"]
        self.reload(agent, self.text("a"))
        self.wait_status(agent, lambda s: s["recovery"]["restarts"]["reload"] > begun, "reloaded")
        began = time.monotonic()
        agent.wait_status(lambda s: s["push"]["failures_in_row"] > 2 and
                          time.monotonic() - began > ROLLBACK + 1, "it fails for longer")
        self.assertFalse(agent.status()["recovery"]["last_known_good"])
        self.assertNotIn("is new", "".join(line for at, line in agent.lines if at > began))


class Start(RolloutTest):
    def test_a_file_that_cannot_run_is_left_for_the_kept_one(self):
        agent = self.begin(self.text("a"))
        self.wait_kept(agent, "[http a]")
        rows = (("[agent\nsite =\n[http a]\nurl = :\n", ("site.conf:1: ", "site.conf:4: ",
                                                        "site.conf has errors (")),
                (self.text("a", push="password_file = /nowhere/pw\nusername = u\n"),
                 (f"site.conf:{11 + support.MOVED}: push: /nowhere/pw: ", )))
        for text, said in rows:
            with self.subTest(said[0]):
                self.again(agent, text)
                status = self.wait_rolled_back(agent, "start")
                self.assertEqual([t["probe"] for t in status["targets"]], ["a"])
                self.assertEqual(agent.exit_code(), "1")
                errors = [line for _, line in agent.lines if line.startswith("picket: error: ")]
                for word in said:
                    self.assertEqual(sum(word in line for line in errors), 1, agent.lines)
                self.assertTrue(any("the file's configuration cannot start: the last known good "
                                    "one runs instead" in line for line in errors))
                began = time.monotonic()
                agent.signal(signal.SIGHUP)
                agent.moment("refused, the old configuration keeps running", began)
        self.reload(agent, self.text("a", "b"))
        self.wait_runs_file(agent, "b")
        wait_until(lambda: self.uplink.told() and self.uplink.told().value(
            "picket_config_rollbacks_total", reason="start") == 2, "both were counted")
        self.assertExact(agent)

    def test_what_it_included_is_kept_with_it(self):
        include = self.file("more.conf", f"[http more]\nurl = {self.target.url('/more')}\n")
        text = self.text("a", more=f"include = {include}\n")
        agent = self.begin(text)
        self.wait_kept(agent, f"file {include.stat().st_size:08x} {include}\n")
        self.assertEqual(agent.terminate(), 0)
        include.unlink()
        self.again(agent, text)
        self.wait_rolled_back(agent, "start")
        served = self.target.count("/more")
        wait_until(lambda: self.target.count("/more") > served, "what was included runs")
        self.assertRegex(agent.log(), rf"error: \S*site\.conf:{7 + support.MOVED}: "
                                      r"include \S*more\.conf: No such file")

    def test_nothing_is_lost_when_both_are_killed(self):
        agent = self.begin(self.text("a"))
        self.wait_kept(agent, "[http a]")
        agent.signal(signal.SIGKILL)
        agent.wait()
        self.again(agent, "rubbish\n")
        self.wait_rolled_back(agent, "start")

    def test_one_that_is_not_to_be_believed_is_not_run(self):
        agent = self.begin(self.text("a"))
        self.wait_kept(agent, "[http a]")
        self.assertEqual(agent.terminate(), 0)
        whole = self.kept().read_bytes()
        agent.write("rubbish\n")

        def expect_refusal(said):
            done = picketd("run", "-c", agent.config, "--state", self.state)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(said, done.stderr)
            self.assertIn("site.conf:1: expected", done.stderr)

        for name, spoil, said in (
                ("group-writable", lambda kept: kept.chmod(0o660), "others may write to it"),
                ("world-writable", lambda kept: kept.chmod(0o606), "others may write to it"),
                ("truncated", lambda kept: os.truncate(kept, len(whole) - 9), "damaged"),
                ("empty", lambda kept: os.truncate(kept, 0), "damaged"),
                ("changed", lambda kept: kept.write_bytes(whole.replace(b"http a", b"http z")),
                 "damaged"),
                ("too large", lambda kept: os.truncate(kept, 1 << 20), "too large"),
                ("a link", self.replace_by_link, "ymbolic link"),  # ELOOP, as each C library says it
                ("the folder", lambda _: self.state.chmod(0o770), "will not outlive the parent")):
            with self.subTest(name):
                spoil(self.kept())
                expect_refusal(said)
                self.kept().unlink()
                fd = os.open(self.state / "fresh", os.O_WRONLY | os.O_CREAT, 0o600)
                os.write(fd, whole)
                os.close(fd)
                (self.state / "fresh").rename(self.state / self.name)
        self.state.chmod(0o700)
        agent.start()  # it was all that was wrong
        self.wait_rolled_back(agent, "start")

    @property
    def name(self):
        return self._name

    def wait_kept(self, agent, what):
        super().wait_kept(agent, what)
        self._name = self.kept().name

    def replace_by_link(self, kept):
        kept.rename(self.folder / "elsewhere")
        kept.symlink_to(self.folder / "elsewhere")

    def test_another_file_has_nothing_to_do_with_it(self):
        agent = self.begin(self.text("a"))
        self.wait_kept(agent, "[http a]")
        self.assertEqual(agent.terminate(), 0)
        other = self.file("other.conf", "rubbish\n")
        done = picketd("run", "-c", other, "--state", self.state)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"(?m)^\S*other\.conf:1: expected")

    def test_when_the_kept_one_cannot_run_either_the_file_is_told_of(self):
        secret = self.file("pw", "s3cret")
        agent = self.begin(self.text("a", push=f"username = u\npassword_file = {secret}\n"))
        self.wait_kept(agent, "[http a]")
        self.assertEqual(agent.terminate(), 0)
        secret.unlink()
        agent.write("rubbish\n")
        done = picketd("run", "-c", agent.config, "--state", self.state)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("site.conf:1: expected", done.stderr)
        self.assertIn("pw: No such file", done.stderr)
        self.assertNotIn("s3cret", done.stderr + self.kept().read_text())

    def test_the_default_place_is_the_last_state_directory(self):
        agent = StampedAgent(self.folder, self.text("a"), start=False,
                             env={"STATE_DIRECTORY": f"{self.folder}:{self.state}"})
        self.addCleanup(agent.close)
        agent.start()
        self.wait_kept(agent, "[http a]")
        self.assertEqual(self.kept().stat().st_mode & 0o777, 0o600)
        self.assertEqual([path for path in self.state.iterdir()], [self.kept()])

    def test_without_a_folder_memory_has_to_do_and_that_is_said_once(self):
        agent = StampedAgent(self.folder, self.text("a"), start=False)
        self.addCleanup(agent.close)
        agent.command += ["--state", self.folder / "nowhere"]
        agent.start()
        agent.moment("is kept as the last known good one")
        os.kill(agent.worker, signal.SIGKILL)
        agent.wait_log("the run before ended by crash")
        said = re.findall(r"picket: (\w*:? ?)the last known good configuration will not "
                          r"outlive the parent: \S*nowhere: No such file or directory\n", agent.log())
        self.assertEqual(said, [""], agent.log())
        began = self.reload(agent, self.text("a", url=REFUSED))
        self.wait_rolled_back(agent, "silence")
        self.assertGreater(time.monotonic() - began, ROLLBACK - 0.3)


if __name__ == "__main__":
    unittest.main()
