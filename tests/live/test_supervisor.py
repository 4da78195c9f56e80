"""The supervisor: the parent that starts the agent again and hands signals on.

Guards against an agent that stays away after a crash, one that outlives its parent, a crash loop
that spins, a signal that counts twice because the terminal or systemd sends it to both, and one
that is lost while there is no agent."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

import support
from support import LiveTest, Target, alive, picketd, wait_until

FAST = "[defaults]\ninterval = 200ms\ntimeout = 200ms\n"


def site(probes="", push=""):
    return f"[agent]\nsite = supervisor-test\n{push}\n{FAST}\n{probes}\n"


def http(name, url):
    return f"[http {name}]\nurl = {url}\n"


def smaps(pid, field):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(rf"(?m)^{field}:\s+(\d+) kB", text).group(1))


def processes_with(argument):
    """Every process that has it on its command line."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(argument).encode() in words:
                found.append(int(entry.name))
    return found


class SupervisorTest(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())
        self.config = site(http("p", self.target.url("/p")))

    def wait_new_worker(self, agent, *old, seconds=10.0):
        def look():
            children = [pid for pid in agent.children() if pid not in old]
            return children and agent.answers() and children[0]
        return wait_until(look, f"a new worker: {agent.log()[-2000:]}", seconds)

    def crash(self, agent, number=signal.SIGKILL):
        """The worker's pid, which is no more."""
        worker = agent.worker
        os.kill(worker, number)
        wait_until(lambda: worker not in agent.children(), "the crash is noticed")
        return worker


class Crash(SupervisorTest):
    def test_a_killed_agent_is_back_in_time_and_works(self):
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT):
            with self.subTest(number.name):
                agent = self.agent(self.config)
                agent.wait_runs("p", 2)
                old = self.crash(agent, number)
                new = self.wait_new_worker(agent, old, seconds=3)
                self.assertNotEqual(new, old)
                self.assertIsNone(agent.process.poll())
                served = self.target.count()
                kept = sum(agent.target("p")["results"].values())
                self.assertGreaterEqual(kept, 2)
                agent.wait_runs("p", kept + 2)
                self.assertGreater(self.target.count(), served)
                self.assertEqual(agent.target("p")["outcome"], "success")
                if not support.SANITIZED or number == signal.SIGKILL:  # else it exits instead
                    self.assertEqual(len(re.findall(
                        rf"picket: error: the agent was killed by {number.name} after \d+ s: "
                        r"starting it again in 1 s\n", agent.log())), 1, agent.log())
                    self.assertEqual(re.findall(r"warning: the run before ended by (.*)",
                                                agent.log()), [f"crash, {number.name}"])
                self.assertEqual(agent.terminate(), 0)
                agent.log_path.unlink()

    def test_a_crash_loop_backs_off(self):
        agent = self.agent(self.config)
        gone = []
        begin = time.monotonic()
        for delay in (1, 2, 4):
            gone.append(self.crash(agent))
            agent.wait_log(f"starting it again in {delay} s")
            if delay < 4:
                self.wait_new_worker(agent, *gone, seconds=delay + 5)
        self.assertGreater(time.monotonic() - begin, 3)
        self.assertEqual(agent.children(), [])
        self.assertEqual(re.findall(r"starting it again in (\d+) s", agent.log()), ["1", "2", "4"])

    def test_a_reload_forgets_the_crashes(self):
        agent = self.agent(self.config)
        gone = [self.crash(agent)]
        gone.append(self.wait_new_worker(agent, *gone))
        agent.signal(signal.SIGHUP)
        agent.wait_log("restarting\n")
        self.wait_new_worker(agent, *gone)
        self.crash(agent)
        agent.wait_log("starting it again", times=2)
        self.assertEqual(re.findall(r"starting it again in (\d+) s", agent.log()), ["1", "1"])

    def test_sighup_ends_the_delay(self):
        agent = self.agent(self.config)
        gone = [self.crash(agent)]
        gone.append(self.wait_new_worker(agent, *gone))
        self.crash(agent)
        agent.wait_log("starting it again in 2 s")
        begin = time.monotonic()
        agent.signal(signal.SIGHUP)
        self.wait_new_worker(agent, *gone)
        self.assertLess(time.monotonic() - begin, 1 * support.PATIENCE)

    def test_sigterm_ends_the_delay_and_all(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            agent = self.agent(self.config)
            gone = [self.crash(agent)]
            gone.append(self.wait_new_worker(agent, *gone))
            self.crash(agent)
            agent.wait_log("starting it again in 2 s")
            begin = time.monotonic()
            agent.signal(number)
            self.assertEqual(agent.wait(), 0)
            self.assertLess(time.monotonic() - begin, 1 * support.PATIENCE)
            self.assertEqual(processes_with(agent.config), [])
            agent.log_path.unlink()

    def test_an_agent_that_crashes_when_it_is_to_stop_is_not_started_again(self):
        agent = self.agent(self.config)
        worker = agent.worker
        agent.stand_still()
        agent.signal(signal.SIGTERM)
        time.sleep(0.1)  # so that the parent has most likely seen it; the end is the same if not
        os.kill(worker, signal.SIGKILL)
        self.assertEqual(agent.wait(), 1)
        self.assertIn("the agent was killed by SIGKILL", agent.log())
        self.assertIn("while it was to stop", agent.log())
        self.assertNotIn("hangs", agent.log())
        self.assertEqual(processes_with(agent.config), [])

    def test_the_log_of_the_parent_has_levels_too(self):
        reader, writer = socket.socketpair()
        self.addCleanup(reader.close)
        status = os.fstat(writer.fileno())
        agent = self.agent(self.config, stderr=writer.fileno(),
                           env={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        writer.close()
        old = self.crash(agent)
        self.wait_new_worker(agent, old)
        agent.terminate()
        reader.settimeout(5)
        text = b""
        while part := reader.recv(65536):
            text += part
        self.assertRegex(text.decode(), r"(?m)^<3>the agent was killed by SIGKILL")
        self.assertRegex(text.decode(), r"(?m)^<4>the run before ended by crash, SIGKILL$")

    def test_a_configuration_of_standard_input_outlives_a_crash(self):
        for kind in ("pipe", "file"):
            with self.subTest(kind):
                agent = self.agent(self.config, start=False)
                agent.command[agent.command.index(agent.config)] = "-"
                with open(agent.log_path, "ab") as log, open(agent.config, "rb") as file:
                    agent.process = subprocess.Popen(
                        agent.command, stdin=file if kind == "file" else subprocess.PIPE,
                        stdout=log, stderr=log)
                if kind == "pipe":
                    agent.process.stdin.write(agent.config.read_bytes())
                    agent.process.stdin.close()
                old = agent.worker
                wait_until(agent.answers, "it starts")
                self.crash(agent)
                self.wait_new_worker(agent, old)
                self.assertEqual([t["probe"] for t in agent.status()["targets"]], ["p"])
                self.assertEqual(agent.terminate(), 0)

class Parent(SupervisorTest):
    def test_the_agent_dies_with_its_parent(self):
        agent = self.agent(self.config)
        for still in (False, True):
            worker = agent.worker
            if still:
                agent.stand_still()
            agent.signal(signal.SIGKILL)
            agent.wait()
            wait_until(lambda: not alive(worker), "the worker is gone", 2)
            self.assertEqual(processes_with(agent.config), [])
            agent.start()
        self.assertEqual(agent.terminate(), 0)

    def test_a_parent_that_dies_as_soon_as_it_has_started_leaves_nothing(self):
        agent = self.agent(self.config, start=False)
        for turn in range(40):
            agent.spawn()
            time.sleep(turn * 0.0002)
            agent.process.kill()
            agent.process.wait()
        wait_until(lambda: not processes_with(agent.config), "all are gone", 2)

    def test_a_parent_that_dies_before_the_child_can_ask_to_be_told_leaves_nothing(self):
        if not shutil.which("strace"):
            self.skipTest("needs strace to hold the child back")
        agent = self.agent(self.config, start=False, prefix=[
            "strace", "-f", "-D", "-o", self.folder / "trace", "-e", "trace=prctl",
            "-e", "inject=prctl:delay_enter=500000"])
        agent.spawn()

        def held_back():
            found = []
            for pid in agent.children():
                with contextlib.suppress(OSError):  # strace has a child of its own for a moment
                    if pathlib.Path(f"/proc/{pid}/comm").read_text() == "picketd\n":
                        found.append(pid)
            return found

        child = wait_until(held_back, "a child")[0]
        agent.process.kill()
        agent.process.wait()
        self.assertTrue(alive(child), "it is held back")
        wait_until(lambda: not alive(child), "it sees that it is an orphan", 3)
        self.assertFalse(agent.socket.exists())
        self.assertEqual(agent.log(), "")

    def test_it_has_one_thread_hardly_a_descriptor_and_hardly_any_memory(self):
        agent = self.agent(self.config)
        agent.wait_runs("p", 2)
        own = 1 if support.EMULATED else 0  # qemu-user has a thread, and memory
        self.assertEqual(len(os.listdir(f"/proc/{agent.pid}/task")), 1 + own)
        files = sorted(os.readlink(f"/proc/{agent.pid}/fd/{fd}")
                       for fd in os.listdir(f"/proc/{agent.pid}/fd") if int(fd) > 2)
        self.assertEqual(files, [f"/proc/{agent.worker}/fd", f"/proc/{agent.worker}/statm"])
        if not support.SANITIZED and not support.EMULATED:
            self.assertLess(smaps(agent.pid, "Pss"), 1024)
            self.assertLess(smaps(agent.pid, "Private_Dirty"), 256)

    def test_it_sleeps_between_its_looks(self):
        """At a hang of 5 s it looks each 250 ms, and at nothing else: four wakes a second and one
        for each signal, of less than a millisecond each."""
        agent = self.agent(self.config)

        def spent():
            text = pathlib.Path(f"/proc/{agent.pid}/status").read_text()
            wakes = int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", text).group(1))
            words = pathlib.Path(f"/proc/{agent.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return wakes, (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

        agent.wait_runs("p", 2)
        begin, (wakes, cpu) = time.monotonic(), spent()
        agent.wait_runs("p", 12)
        elapsed, (wakes_now, cpu_now) = time.monotonic() - begin, spent()
        self.assertLessEqual(wakes_now - wakes, 4 * elapsed + 2)
        self.assertLessEqual(cpu_now - cpu, 0.004 * support.PATIENCE * elapsed + 0.02)

    def test_it_looks_as_often_as_the_loop_may_be_silent(self):
        """A tenth of `hang` is what a hang may be seen late."""
        agent = self.agent(self.config + "[watchdog]\nhang = 20s\n")

        def wakes():
            text = pathlib.Path(f"/proc/{agent.pid}/status").read_text()
            return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", text).group(1))

        agent.wait_runs("p", 2)
        begin, before = time.monotonic(), wakes()
        agent.wait_runs("p", 17)
        self.assertLessEqual(wakes() - before, (time.monotonic() - begin) + 2)

    def test_a_start_that_is_refused_is_the_end(self):
        agent = self.agent(self.config)
        before = processes_with(agent.config)
        second = picketd("run", "-c", agent.config, "--socket", agent.socket)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another agent is running", second.stderr)
        self.assertNotIn("again", second.stderr)
        self.assertEqual(processes_with(agent.config), before)
        bad = self.file("bad.conf", "[agent]\nsiet = x\n")
        done = picketd("run", "-c", bad)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"bad\.conf:2: .*siet")
        self.assertNotIn("again", done.stderr)
        self.assertEqual(done.stderr.count("bad.conf:2"), 1)
        self.assertEqual(processes_with(bad), [])

    def test_what_ignores_children_may_start_it(self):
        agent = self.agent(self.config, start=False,
                           preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        agent.start()
        old = self.crash(agent)
        self.wait_new_worker(agent, old)
        agent.signal(signal.SIGHUP)
        agent.wait_log("restarting")
        self.wait_new_worker(agent, old)
        self.assertEqual(agent.terminate(), 0)


class Signals(SupervisorTest):
    """The receiver takes the push and never answers, so that stopping takes its 2 s."""

    def setUp(self):
        super().setUp()
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        self.slow = site(http("p", self.target.url("/p")),
                         f"[push]\nurl = {url}\ninterval = 1s\ntimeout = 2s")

    def stopping(self, **options):
        agent = self.agent(self.slow, **options)
        agent.wait_status(lambda s: s["push"]["state"] == "in_flight", "a push hangs")
        return agent

    def test_sigterm_ends_both_in_order(self):
        agent = self.agent(self.config)
        worker = agent.worker
        self.assertEqual(agent.terminate(), 0)
        self.assertFalse(alive(worker))
        self.assertFalse(agent.socket.exists())
        self.assertRegex(agent.log(), r"stopping: a last push, then the end\n.*stopped\n$")

    def test_a_signal_to_both_counts_once(self):
        """As systemd, pkill and the terminal send it."""
        for send in ("both", "child first", "group"):
            with self.subTest(send):
                agent = self.stopping(start_new_session=True)
                worker = agent.worker
                if send == "group":
                    os.killpg(agent.pid, signal.SIGINT)
                else:
                    order = [agent.pid, worker] if send == "both" else [worker, agent.pid]
                    for pid in order:
                        os.kill(pid, signal.SIGTERM)
                agent.wait_log("stopping: a last push")
                for _ in range(5):
                    os.kill(worker, signal.SIGTERM)
                    os.kill(worker, signal.SIGHUP)
                time.sleep(0.3)
                self.assertIsNone(agent.process.poll())
                self.assertEqual(agent.wait(), 0)
                self.assertNotIn("at once", agent.log())
                agent.log_path.unlink()

    def test_a_second_one_ends_at_once(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)):
            agent = self.stopping()
            agent.signal(first)
            agent.wait_log("stopping: a last push")
            begin = time.monotonic()
            agent.signal(second)
            self.assertEqual(agent.wait(), 0)
            self.assertLess(time.monotonic() - begin, 1 * support.PATIENCE)
            self.assertIn("stopping at once", agent.log())
            agent.log_path.unlink()

    def test_a_signal_right_after_the_start_is_not_lost(self):
        agent = self.agent(self.config, start=False)
        for turn in range(20):
            agent.spawn()
            # Before the parent holds them back, signals end it as they end any program.
            wait_until(lambda: agent.children() or agent.process.poll() is not None, "a child")
            time.sleep(turn * 0.001)
            agent.signal(signal.SIGTERM)
            self.assertEqual(agent.wait(), 0)
        self.assertEqual(processes_with(agent.config), [])

    def test_a_reload_is_a_new_child_of_the_same_parent(self):
        agent = self.agent(self.config)
        old = agent.worker
        agent.write(site(http("q", self.target.url("/q"))))
        agent.signal(signal.SIGHUP)
        agent.wait_log("restarting")
        self.wait_new_worker(agent, old, seconds=3)
        self.assertEqual([t["probe"] for t in agent.status()["targets"]], ["q"])
        self.assertNotIn("starting it again", agent.log())
        self.assertFalse(alive(old))

    def test_a_bad_file_leaves_the_child_alone(self):
        agent = self.agent(self.config)
        old = agent.worker
        agent.write("[agent]\nsiet = x\n")
        agent.signal(signal.SIGHUP)
        agent.wait_log("refused, the old configuration keeps running")
        self.assertEqual(agent.worker, old)
        agent.wait_runs("p", 2)

    def test_a_file_that_turned_bad_after_its_check_ends_nothing(self):
        agent = self.stopping()
        old = agent.worker
        agent.signal(signal.SIGHUP)
        agent.wait_log("is good: restarting with it")
        agent.write("[agent]\nsiet = x\n")
        agent.wait_log(rf"site\.conf:{2 + support.MOVED}: .*siet(.|\n)*"
                       "the agent could not start: starting it again in 1 s")
        self.assertIsNone(agent.process.poll())
        agent.wait_log("starting it again in 2 s")
        agent.write(self.config)
        agent.signal(signal.SIGHUP)
        self.wait_new_worker(agent, old, seconds=1.5)
        agent.wait_runs("p", 2)
        self.assertEqual(agent.terminate(), 0)


class Alone(SupervisorTest):
    def test_without_a_supervisor_there_is_one_process_and_signals_reach_it(self):
        agent = self.agent(self.config, start=False)
        agent.command.append("--no-supervisor")
        agent.start()
        self.assertEqual(processes_with(agent.config), [agent.pid])
        agent.write(site(http("q", self.target.url("/q"))))
        agent.signal(signal.SIGHUP)
        agent.wait_log("restarting")
        wait_until(lambda: agent.answers() and
                   [t["probe"] for t in agent.status()["targets"]] == ["q"], "the new file")
        self.assertEqual(processes_with(agent.config), [agent.pid])
        self.assertEqual(agent.terminate(), 0)
        self.assertIn("stopped", agent.log())

    def test_a_crash_is_the_end(self):
        agent = self.agent(self.config, start=False)
        agent.command.append("--no-supervisor")
        agent.start()
        agent.signal(signal.SIGKILL)
        self.assertEqual(agent.wait(), -signal.SIGKILL)
        self.assertEqual(processes_with(agent.config), [])


if __name__ == "__main__":
    unittest.main()
