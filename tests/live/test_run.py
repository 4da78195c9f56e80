"""The running agent: start, schedule, signals, restart, scarcity, secrets, logs, names.

Guards against an agent that stops by itself, misses runs, forgets totals over a restart, takes a
bad file, or dies or grows when the machine runs short."""

import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import threading
import time
import unittest

import support
from support import LiveTest, Pushgateway, Target, ask, free_port, picketd, wait_until

FAST = "[defaults]\ninterval = 200ms\ntimeout = 200ms\n"


def site(probes, agent="", push="", defaults=FAST):
    return f"[agent]\nsite = run-test\n{agent}\n{push}\n{defaults}\n{probes}\n"


def http(name, url, more=""):
    return f"[http {name}]\nurl = {url}\n{more}\n"


def push_to(url, more=""):
    return f"[push]\nurl = {url}\ninterval = 1s\n{more}\n"


class Signals(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())

    def test_final_push_carries_exactly_the_totals(self):
        gateway = self.closing(Pushgateway(self.folder))
        agent = self.agent(site("".join(http(f"p{i}", self.target.url(f"/p{i}")) for i in range(5)) +
                                http("bad", self.target.url("/status/503")),
                                push=push_to(gateway.url)))
        agent.wait_runs("p0", 12)
        self.assertEqual(agent.terminate(), 0)
        series = gateway.series()
        for i in range(5):
            self.assertEqual(series.value("picket_probe_results_total", probe=f"p{i}",
                                          result="success"), self.target.count(f"/p{i}"))
        self.assertEqual(series.value("picket_probe_results_total", probe="bad", result="failure"),
                         self.target.count("/status/503"))
        self.assertEqual(series.value("picket_probe_failures_total", probe="bad", reason="status"),
                         self.target.count("/status/503"))
        self.assertEqual(series.total("picket_probe_results_total"), self.target.count())

    def test_runs_in_flight_end_before_the_final_push(self):
        gateway = self.closing(Pushgateway(self.folder))
        agent = self.agent(site(http("slow", self.target.url("/slow/0.8"), "timeout = 2s\n"
                                     "interval = 2s"), push=push_to(gateway.url)))
        agent.wait_status(lambda s: s["runs_in_flight"] == 1, "a run in flight")
        self.assertEqual(agent.terminate(), 0)
        self.assertEqual(gateway.series().value("picket_probe_results_total", result="success"),
                         self.target.count())

    def test_ends_in_time_with_a_dead_receiver(self):
        agent = self.agent(site(http("p", self.target.url()),
                                push=push_to(f"http://127.0.0.1:{free_port()}")))
        agent.wait_runs("p", 2)
        begin = time.monotonic()
        self.assertEqual(agent.terminate(), 0)
        self.assertLess(time.monotonic() - begin, 3 * support.PATIENCE)

    def test_ends_in_time_with_a_silent_receiver_and_at_once_when_asked_twice(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            agent = self.agent(site(http("p", self.target.url()),
                                    push=push_to(url, "timeout = 2s")))
            agent.wait_runs("p", 2)
            begin = time.monotonic()
            self.assertEqual(agent.terminate(30), 0)
            self.assertLess(time.monotonic() - begin, 6 * support.PATIENCE)

            agent.start()
            agent.wait_status(lambda s: s["push"]["state"] == "in_flight", "a push hangs")
            agent.signal(signal.SIGTERM)
            agent.wait_log("stopping: a last push", times=2)
            begin = time.monotonic()
            self.assertEqual(agent.terminate(), 0)
            self.assertLess(time.monotonic() - begin, 1 * support.PATIENCE)
            self.assertIn("stopping at once", agent.log())

    def test_sigint_ends_like_sigterm(self):
        agent = self.agent(site(http("p", self.target.url())))
        agent.signal(signal.SIGINT)
        self.assertEqual(agent.wait(), 0)

    def test_nothing_is_left_behind(self):
        agent = self.agent(site(http("p", self.target.url())))
        self.assertEqual(agent.socket.stat().st_mode & 0o777, 0o660)
        agent.terminate()
        self.assertFalse(agent.socket.exists())


class Reload(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())
        self.agent_ = self.agent(site(http("old", self.target.url("/old"))))
        self.agent_.wait_runs("old", 2)

    def reload(self, config):
        self.agent_.write(config)
        self.agent_.signal(signal.SIGHUP)

    def names(self):
        return [target["probe"] for target in self.agent_.status()["targets"]]

    def wait_names(self, names):
        def look():
            try:
                return self.names() == names
            except OSError:
                return False  # between two lives
        wait_until(look, f"probes are {names}: {self.agent_.log()}")

    def test_restarts_with_a_good_file_as_the_same_process(self):
        pid = self.agent_.pid
        before = None
        for turn in range(5):
            self.reload(site(http(f"new-{turn}", self.target.url("/new"))))
            self.wait_names([f"new-{turn}"])
            self.agent_.wait_runs(f"new-{turn}", 2)
            now = self.agent_.descriptors()
            self.assertIn(before, (None, now), "descriptors leak over restarts")
            before = now
        self.assertEqual(self.agent_.pid, pid)
        self.assertIsNone(self.agent_.process.poll())
        self.assertEqual(self.agent_.terminate(), 0)

    def refused(self, config, *complaints):
        runs = self.target.count("/old")
        refusals = len(re.findall("refused, the old", self.agent_.log()))
        self.reload(config)
        log = self.agent_.wait_log("refused, the old configuration keeps running",
                                   times=refusals + 1)
        for complaint in complaints:
            self.assertRegex(log, complaint)
        self.assertEqual(self.names(), ["old"])
        wait_until(lambda: self.target.count("/old") > runs + 2, "the old probes go on")

    def test_refuses_a_bad_file_with_its_errors(self):
        self.refused("[agent]\nsite = x\nsiet = y\n[http new]\n",
                     rf"site\.conf:{3 + support.MOVED}: .*siet",
                     rf"site\.conf:{4 + support.MOVED}: .*url")

    def test_refuses_a_file_whose_files_are_missing(self):
        self.refused(site(http("new", "https://localhost/", "ca_file = /nonexistent/ca.pem")),
                     r"site\.conf:\d+: .*/nonexistent/ca.pem")
        self.refused(site("", push="[push]\nurl = http://127.0.0.1:1\nusername = u\n"
                                   "password_file = /nonexistent/pw"),
                     r"site\.conf:\d+: .*/nonexistent/pw")

    def test_refuses_a_file_that_is_gone(self):
        self.agent_.config.unlink()
        self.agent_.signal(signal.SIGHUP)
        self.agent_.wait_log("refused")
        self.assertNotIn(":0:", self.agent_.log())
        self.assertEqual(self.names(), ["old"])

    def test_takes_the_newest_file_when_asked_in_a_hurry(self):
        for turn in range(20):
            self.reload(site(http(f"new-{turn}", self.target.url("/new"))))
            time.sleep(0.01)
        self.wait_names(["new-19"])
        self.assertIsNone(self.agent_.process.poll())

    def test_no_signal_hits_between_two_lives(self):
        for turn in range(10):
            self.reload(site(http(f"new-{turn}", self.target.url("/new"))))
            wait_until(lambda: self.agent_.log().count("restarting\n") > 0, "it restarts")
            end = time.monotonic() + 0.03
            while time.monotonic() < end:
                self.agent_.signal(signal.SIGHUP)
            self.assertIsNone(self.agent_.process.poll(), self.agent_.log())
            self.wait_names([f"new-{turn}"])
            self.agent_.wait_log("restarting")
            time.sleep(0.2)
            self.agent_.log_path.write_text("")

    def test_a_file_that_changes_while_it_is_checked_is_checked_again(self):
        bundles = ""
        source = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
        if not source.exists():
            self.skipTest("needs a bundle that takes time to read")
        for i in range(8):
            bundle = self.file(f"bundle-{i}", source.read_text())
            bundles += f"[tls t{i}]\naddress = 127.0.0.1:1\nca_file = {bundle}\n"
        bad = site(bundles + "[tls last]\naddress = 127.0.0.1:1\nca_file = /nonexistent\n")
        begin = time.monotonic()
        self.refused(bad, "/nonexistent")
        lasts = time.monotonic() - begin
        self.reload(bad)
        time.sleep(min(lasts / 4, 0.1))
        self.reload(site(http("new", self.target.url("/new"))))
        self.wait_names(["new"])

    def test_sigterm_while_restarting_is_not_lost(self):
        for _ in range(3):
            self.reload(site(http("new", self.target.url("/new"))))
            time.sleep(0.05)
            self.agent_.signal(signal.SIGTERM)
            self.assertEqual(self.agent_.wait(), 0, self.agent_.log())
            self.agent_.start()

    def test_final_totals_are_pushed_before_the_restart(self):
        gateway = self.closing(Pushgateway(self.folder))
        self.reload(site(http("p", self.target.url("/p")), push=push_to(gateway.url)))
        self.wait_names(["p"])
        self.agent_.wait_runs("p", 4)
        served = lambda: self.target.count("/p")
        self.reload(site(http("q", self.target.url("/q")), push=push_to(gateway.url)))
        self.agent_.wait_log("restarting", times=2)
        # The new life replaces the group with its first push, up to one interval later.
        wait_until(lambda: gateway.series().select("picket_probe_results_total", probe="p",
                                                   result="success"), "the last push")
        self.wait_names(["q"])
        self.assertGreaterEqual(served(), 4)


class Socket(LiveTest):
    def test_a_socket_left_by_a_killed_agent_is_replaced(self):
        agent = self.agent(site(""))
        agent.kill()
        self.assertTrue(agent.socket.exists())
        agent.start()
        self.assertTrue(agent.answers())

    def test_a_second_agent_on_the_same_socket_is_refused(self):
        agent = self.agent(site(""))
        second = picketd("run", "-c", agent.config, "--socket", agent.socket)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another agent is running", second.stderr)
        self.assertTrue(agent.answers())

    def test_a_second_agent_is_refused_even_when_the_first_is_too_busy_to_answer(self):
        agent = self.agent(site(""))
        agent.stand_still()
        clients = []
        try:
            for _ in range(20):  # until the backlog is full
                client = socket.socket(socket.AF_UNIX)
                client.setblocking(False)
                clients.append(client)
                try:
                    client.connect(str(agent.socket))
                except BlockingIOError:
                    break
            second = picketd("run", "-c", agent.config, "--socket", agent.socket)
            self.assertEqual(second.returncode, 1)
        finally:
            agent.go_on()
            for client in clients:
                client.close()
        wait_until(agent.answers, "the first still owns its socket")

    def test_a_file_in_the_sockets_place_is_not_deleted(self):
        agent = self.agent(site(""), start=False)
        agent.socket.write_text("precious")
        agent.spawn()
        agent.wait_log("status. will not work")
        self.assertEqual(agent.terminate(), 0)
        self.assertEqual(agent.socket.read_text(), "precious")


class Schedule(LiveTest):
    def test_starts_of_many_targets_are_spread_and_none_is_missed(self):
        target = self.closing(Target())
        probes = "".join(http(f"p{i}", target.url(f"/{i}")) for i in range(50))
        agent = self.agent(site(probes, defaults="[defaults]\ninterval = 2s\ntimeout = 1s\n"))
        agent.wait_status(lambda s: all(sum(t["results"].values()) >= 2 for t in s["targets"]),
                          "two runs of each")
        firsts = [min(target.moments[f"/{i}"]) for i in range(50)]
        for start in firsts:
            within = sum(1 for other in firsts if start <= other < start + 0.1)
            self.assertLess(within, 15, "starts come together")
        self.assertGreater(max(firsts) - min(firsts), 1)
        self.assertEqual(sum(t["missed"] for t in agent.status()["targets"]), 0)

    def test_phases_are_the_same_after_a_restart(self):
        target = self.closing(Target())
        agent = self.agent(site(http("a", target.url("/a")) + http("b", target.url("/b")),
                                defaults="[defaults]\ninterval = 1s\ntimeout = 900ms\n"))
        agent.wait_runs("a", 2)
        agent.terminate()
        before = {path: target.moments[path][-1] for path in ("/a", "/b")}
        agent.start()
        agent.wait_runs("a", 2)
        for path, moment in before.items():
            drift = (target.moments[path][-1] - moment) % 1.0
            self.assertLess(min(drift, 1 - drift), 0.1 * support.PATIENCE, path)

    def test_a_slow_target_delays_no_other(self):
        target = self.closing(Target())
        probes = http("quick", target.url("/quick"))
        probes += "".join(http(f"slow{i}", target.url("/slow/3")) for i in range(8))
        agent = self.agent(site(probes))
        status = agent.wait_runs("quick", 20)
        quick = agent.target("quick")
        self.assertEqual(quick["results"]["failure"], 0)
        self.assertEqual(quick["missed"], 0)
        self.assertEqual(agent.target("slow0")["reason"], "timeout")
        self.assertLess(agent.target("slow0")["duration_seconds"], 0.2 + 0.25)
        self.assertIsNotNone(status)

    def test_first_push_comes_within_an_interval(self):
        gateway = self.closing(Pushgateway(self.folder))
        begin = time.monotonic()
        self.agent(site("", push=f"[push]\nurl = {gateway.url}\ninterval = 3s\n"))
        wait_until(lambda: 'job="picket"' in gateway.exposition(), "a first push", 6)
        self.assertLess(time.monotonic() - begin, 4 * support.PATIENCE)


class Scarcity(LiveTest):
    def test_without_descriptors_results_are_unknown_and_counted_until_there_are_some(self):
        target = self.closing(Target())
        probes = "".join(http(f"p{i}", target.url(f"/{i}")) for i in range(4))
        gateway = self.closing(Pushgateway(self.folder))
        agent = self.agent(site(probes, push=push_to(gateway.url)))
        agent.wait_runs("p0", 2)

        def limit(soft):
            hard = resource.prlimit(agent.worker, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(agent.worker, resource.RLIMIT_NOFILE, (soft, hard))

        def lowest_free():
            taken = {int(number) for number in os.listdir(f"/proc/{agent.worker}/fd")}
            return min(set(range(len(taken) + 1)) - taken)

        # The limit is on numbers, and a run that is over leaves the lowest ones free.
        samples = []
        for _ in range(40):
            samples.append(lowest_free())
            time.sleep(0.01)
        limit(min(samples))
        time.sleep(2)          # nobody can be asked: the status socket needs a descriptor too
        cpu = agent.cpu_seconds()
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(str(agent.socket))
            time.sleep(1)
        self.assertLess(agent.cpu_seconds() - cpu, 0.5, "the loop spins")
        limit(1024)
        status = agent.wait_status(lambda s: all(t["outcome"] == "success" for t in s["targets"]),
                                   "recovered")
        for one in status["targets"]:
            self.assertGreater(one["results"]["unknown"], 2)
            self.assertEqual(one["results"]["failure"], 0)
            self.assertEqual(one["last_failure"]["outcome"], "unknown")
        self.assertGreater(status["push"]["attempts"]["unreachable"], 0)
        agent.wait_status(lambda s: s["push"]["last_result"] == "accepted", "pushes again", 30)
        self.assertEqual(agent.terminate(), 0)
        self.assertEqual(gateway.series().total("picket_probe_results_total", result="success"),
                         target.count())

    def test_a_limit_below_what_is_watched_is_survived(self):
        """poll(2) itself fails then."""
        target = self.closing(Target())
        agent = self.agent(site("".join(http(f"p{i}", target.url("/slow/1"), "interval = 2s\n"
                                             "timeout = 2s") for i in range(30)),
                                agent="concurrency = 32"))
        agent.wait_status(lambda s: s["runs_in_flight"] > 5, "runs in flight")
        hard = resource.prlimit(agent.worker, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(agent.worker, resource.RLIMIT_NOFILE, (3, hard))
        cpu = agent.cpu_seconds()
        time.sleep(1.5)
        self.assertLess(agent.cpu_seconds() - cpu, 0.75)
        resource.prlimit(agent.worker, resource.RLIMIT_NOFILE, (1024, hard))
        agent.wait_status(lambda s: any(t["results"]["success"] for t in s["targets"]), "goes on")
        self.assertEqual(agent.terminate(), 0)

    def test_the_limit_of_descriptors_is_lowered_to_what_select_can_hold(self):
        raised = ["prlimit", "--nofile=4096:4096"]
        agent = self.agent(site(""), prefix=raised)
        self.assertEqual(resource.prlimit(agent.worker, resource.RLIMIT_NOFILE)[0], 1024)

    def test_a_crash_leaves_no_core_with_secrets_in_it(self):
        agent = self.agent(site(""), prefix=["prlimit", "--core=4096:4096"])
        self.assertEqual(resource.prlimit(agent.worker, resource.RLIMIT_CORE)[0], 0)

    def test_memory_after_the_start_is_small(self):
        if support.SANITIZED or support.EMULATED:
            self.skipTest("sanitizers and qemu-user have memory of their own")
        target = self.closing(Target())
        probes = "".join(http(f"p{i}", target.url(f"/{i}"), "slo = availability 99.9% 30d")
                         for i in range(50))
        agent = self.agent(site(probes))
        self.assertLessEqual(agent.memory_kib(), 6 * 1024)
        agent.wait_runs("p0", 5)
        settled = agent.memory_kib()
        agent.wait_runs("p0", 30)
        # A run slot makes its handles when it is first used; a leak would go with the 1250 runs.
        self.assertLess(agent.memory_kib() - settled, 1024)
        self.assertLessEqual(agent.memory_kib(), 6 * 1024)

    def test_closed_standard_descriptors_are_filled(self):
        """Else a socket would become number 2, and the log would be sent to a target."""
        if support.EMULATED:
            self.skipTest("qemu-user fills them itself, with the program")
        target = self.closing(Target())
        agent = self.agent(site(http("p", target.url())), prefix=[
            "sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
        agent.wait_runs("p", 3)
        for pid in (agent.pid, agent.worker):
            for number in (0, 1, 2):
                self.assertEqual(os.readlink(f"/proc/{pid}/fd/{number}"), "/dev/null")

    def test_loop_lag_is_told(self):
        gateway = self.closing(Pushgateway(self.folder))
        target = self.closing(Target())
        agent = self.agent(site(http("p", target.url()), push=push_to(gateway.url)))
        agent.wait_runs("p", 2)

        def stand_still_and_look():
            """The lag stands in one push: the late one, which the next regular one may follow
            sooner than the gateway can be asked. Then the agent is stopped once more."""
            agent.stand_still()
            time.sleep(1.2)
            agent.go_on()
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                if gateway.series().total("picket_loop_lag_seconds") > 0.5:
                    return True
            return False

        self.assertTrue(any(stand_still_and_look() for _ in range(6)), "no lag was told")
        self.assertGreater(agent.target("p")["missed"], 2)


class Secrets(LiveTest):
    PASSWORD = "s3cr3t-Passw0rd"
    TOKEN = "t0ken-that-nobody-sees"

    def test_secrets_are_in_nothing_that_the_agent_writes(self):
        target = self.closing(Target())
        password = self.file("pw", self.PASSWORD + "\n")
        token = self.file("token", self.TOKEN)
        gateway = self.closing(Pushgateway(self.folder))
        config = site(
            http("basic", target.url("/status/401"), f"username = u\npassword_file = {password}") +
            http("token", target.url("/token"), f"bearer_file = {token}\nexpect_body = /nothing/"),
            agent="log_level = debug",
            push=push_to(gateway.url, f"username = pusher\npassword_file = {password}"))
        agent = self.agent(config)
        agent.wait_runs("basic", 3)
        agent.wait_status(lambda s: s["push"]["attempts"]["accepted"] > 0, "a push")
        told = [ask(agent.socket, question)[1] for question in (b"text\n", b"json\n", b"colour\n")]
        for pid in (agent.pid, agent.worker):
            told.append(pathlib.Path(f"/proc/{pid}/cmdline").read_text())
            told.append(pathlib.Path(f"/proc/{pid}/environ").read_text())
        told.append(gateway.exposition())
        for verb in (["check", agent.config], ["check", "--format", "json", agent.config],
                     ["probe", "-c", agent.config, "basic"],
                     ["probe", "-c", agent.config, "basic", "--format", "json"],
                     ["probe", "-c", agent.config, "token", "--format", "prom"]):
            done = picketd(*verb)
            told += [done.stdout, done.stderr]
        password.chmod(0o644)
        agent.signal(signal.SIGHUP)
        agent.wait_log("refused")
        agent.terminate()
        told.append(agent.log())
        for text in told:
            self.assertNotIn(self.PASSWORD, text)
            self.assertNotIn(self.TOKEN, text)
            self.assertNotIn("cHVzaGVyOnMzY3IzdC1QYXNzdzByZA", text)  # base64 of both


class Logs(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())
        self.config = site(http("p", self.target.url("/status/500")))

    def test_lines_have_levels_when_stderr_is_the_journal(self):
        reader, writer = socket.socketpair()
        self.addCleanup(reader.close)
        status = os.fstat(writer.fileno())
        agent = self.agent(self.config, stderr=writer.fileno(),
                           env={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        writer.close()
        agent.wait_runs("p", 2)
        agent.terminate()
        reader.settimeout(5)
        text = b""
        while part := reader.recv(65536):
            text += part
        lines = text.decode().splitlines()
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, r"^<[3467]>[^<]")
        self.assertTrue(any(line.startswith("<4>probe p") for line in lines))

    def test_the_variable_counts_only_for_the_socket_it_names(self):
        agent = self.agent(self.config, env={"JOURNAL_STREAM": "1:2"})
        agent.wait_log("picket: warning: probe p")

    def test_a_pipe_that_nobody_reads_holds_nothing_up(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(writer, True)
        agent = self.agent(self.config, stderr=writer)
        os.close(writer)
        agent.wait_runs("p", 5)
        self.assertEqual(len(os.read(reader, 65536)), 65536)
        self.assertEqual(agent.terminate(), 0)
        text = b""
        while part := os.read(reader, 65536):
            text += part
        os.close(reader)
        self.assertIn(b"lines of this log were lost", text)
        self.assertIn(b"stopped", text)

    def test_a_reader_that_goes_away_ends_nothing(self):
        reader, writer = os.pipe()
        agent = self.agent(self.config, stderr=writer)
        os.close(writer)
        os.close(reader)
        agent.wait_runs("p", 5)
        self.assertEqual(agent.terminate(), 0)

    def test_a_change_is_logged_once(self):
        agent = self.agent(self.config)
        agent.wait_runs("p", 5)
        agent.terminate()
        self.assertEqual(len(re.findall(r"probe p \(", agent.log())), 1)
        self.assertIn("reason status", agent.log())


class Names(LiveTest):
    def test_a_name_of_the_hosts_file_is_found(self):
        target = self.closing(Target())
        agent = self.agent(site(http("p", f"http://localhost:{target.port}/")))
        agent.wait_runs("p", 2)
        self.assertEqual(agent.target("p")["outcome"], "success")
        self.assertIn("resolve", agent.target("p")["phases"])

    def test_a_name_that_nobody_knows_fails_as_resolve_in_time(self):
        agent = self.agent(site(http("p", "http://nobody.invalid/", "interval = 1s\n"
                                     "timeout = 500ms")))
        agent.wait_runs("p", 3)
        target = agent.target("p")
        self.assertEqual((target["reason"], target["phase"]), ("resolve", "resolve"))
        self.assertLess(target["duration_seconds"], 0.5 + 0.25)

    def test_proxy_variables_are_ignored(self):
        target = self.closing(Target())
        gateway = self.closing(Pushgateway(self.folder))
        dead = f"http://127.0.0.1:{free_port()}"
        proxies = {name: dead for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                           "all_proxy", "ALL_PROXY")}
        agent = self.agent(site(http("p", target.url()), push=push_to(gateway.url)), env=proxies)
        agent.wait_status(lambda s: s["push"]["attempts"]["accepted"] > 0, "a push")
        agent.wait_runs("p", 2)
        self.assertEqual(agent.target("p")["results"]["failure"], 0)
        self.assertEqual(sum(agent.status()["push"]["attempts"].values()),
                         agent.status()["push"]["attempts"]["accepted"])


class NameServer:
    """Answers A questions on UDP with 127.0.0.1, `times` over; `cut` sets the truncation flag.
    Notes TCP."""

    def __init__(self, address, cut=False, times=1):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        self.tcp = socket.create_server((address, 53))
        self.udp.settimeout(0.1)
        self.tcp.setblocking(False)
        self.cut, self.times = cut, times
        self.asked = 0
        self.tcp_seen = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.stopped.is_set():
            try:
                connection, _ = self.tcp.accept()
                self.tcp_seen += 1
                connection.close()
            except OSError:
                pass
            try:
                question, peer = self.udp.recvfrom(2048)
            except OSError:
                continue
            self.asked += 1
            end = question.index(b"\0", 12) + 5
            is_a = question[end - 4:end - 2] == b"\0\1"
            flags = b"\x83\x80" if self.cut else b"\x81\x80"
            times = self.times if is_a else 0
            answer = question[:2] + flags + b"\0\1" + times.to_bytes(2, "big") + b"\0\0\0\0"
            answer += question[12:end]
            answer += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" * times
            self.udp.sendto(answer, peer)

    def close(self):
        self.stopped.set()
        self.thread.join()
        self.udp.close()
        self.tcp.close()


class OwnResolvConf(LiveTest):
    """With a resolv.conf of its own, in a mount namespace; needs root."""

    def setUp(self):
        super().setUp()
        trial = subprocess.run(["unshare", "-m", "true"], capture_output=True)
        if os.geteuid() != 0 or trial.returncode != 0:
            self.skipTest("needs root and mount namespaces")
        self.conf = self.folder / "etc"
        self.conf.mkdir()

    def server(self, address, **options):
        try:
            return self.closing(NameServer(address, **options))
        except OSError as error:
            self.skipTest(f"port 53 of {address}: {error}")

    def run_with(self, resolv_conf, config):
        (self.conf / "resolv.conf").write_text(resolv_conf)
        mount = ('mount --bind "$0" /etc/resolv.conf && exec "$@"')
        return self.agent(config, prefix=["unshare", "-m", "sh", "-c", mount,
                                          self.conf / "resolv.conf"])

    def test_a_cut_answer_is_taken_and_tcp_is_never_used(self):
        server = self.server("127.0.0.53", cut=True)
        target = self.closing(Target())
        agent = self.run_with("nameserver 127.0.0.53\n",
                              site(http("p", f"http://portal.test:{target.port}/"),
                                   push=push_to("http://gateway.test:1")))
        agent.wait_runs("p", 5)
        agent.wait_status(lambda s: s["push"]["attempts"]["unreachable"] > 0, "a push was tried")
        self.assertEqual(agent.target("p")["outcome"], "success", agent.log())
        self.assertGreater(server.asked, 3)
        self.assertEqual(server.tcp_seen, 0)

    def test_an_answer_that_was_not_asked_for_in_this_size_did_not_come(self):
        target = self.closing(Target())
        for address, times, outcome in (("127.0.0.56", 250, "success"),
                                        ("127.0.0.57", 260, "failure")):
            with self.subTest(times):
                server = self.server(address, times=times)
                agent = self.run_with(f"nameserver {address}\n",
                                      site(http("p", f"http://portal.test:{target.port}/")))
                agent.wait_runs("p", 3)
                self.assertEqual(agent.target("p")["outcome"], outcome, agent.log())
                self.assertGreater(server.asked, 0)
                agent.close()

    def test_a_changed_name_server_is_followed(self):
        first, second = self.server("127.0.0.54"), self.server("127.0.0.55")
        target = self.closing(Target())
        agent = self.run_with("nameserver 127.0.0.54\n",
                              site(http("p", f"http://portal.test:{target.port}/")))
        agent.wait_runs("p", 3)
        self.assertGreater(first.asked, 0)
        (self.conf / "resolv.conf").write_text("nameserver 127.0.0.55\n")
        wait_until(lambda: second.asked > 2, "the new server is asked")
        before = first.asked
        agent.wait_runs("p", sum(agent.target("p")["results"].values()) + 5)
        self.assertEqual(first.asked, before)
        self.assertEqual(agent.target("p")["results"]["failure"], 0)


if __name__ == "__main__":
    unittest.main()
