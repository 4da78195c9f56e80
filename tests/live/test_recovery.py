"""Recovery of the real agent from real faults, measured against the table.

Guards against a hang, a leak or a crash that is seen late, told as something else, or costs a
result that was counted; against an agent in a crash loop that takes all its probes along; against a
watchdog that is fed for an agent that hangs, or started before its resets are on record; against an
agent that is killed though it was only starved; and against a command that mends what is not broken.

Faults come from outside: signals, and faults.c by LD_PRELOAD. Prints what it measured."""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest

import support
from accounting import dump
from recovery_site import (ABORT, CONNECT, DIE, FAULTS, FILES, LEAK, LOCK, NotifySocket, Sink, SLOW,
                           SPIN, StampedAgent, Table, WatchedSite, fault, preload)
from store_site import INTERVAL, StoreTest
from support import LiveTest, PATIENCE, Target, alive, free_port, wait_until

TABLE = Table()
ACTIONS = {}
MARGIN = 1.2 * PATIENCE
DELAY = 1.0  # the first one before a new life
START = 1.0  # a new life up and probing: what the table has beyond hang, abort and delay
NO_PRELOAD = (support.SANITIZED and "a sanitizer has to come first, before faults.c" or
              not FAULTS.exists() and "nothing can be loaded into a static agent")


def side_by_side(*steps):
    """Runs all, then raises the first error."""
    errors = []

    def guarded(step):
        try:
            step()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors[1:]:
        print("".join(traceback.format_exception(error)), flush=True)
    if errors:
        raise errors[0]


class Measured(StoreTest):
    """One site a fault, all at once."""

    def site(self, name, watchdog, **options):
        return WatchedSite(self, name, watchdog, env=preload(), **options)

    def mend(self, one, what, cause, seen, limit, longest, *, break_it, task=None, number=None,
             probe=None):
        """Breaks it, measures, and judges all that is told about it afterwards. `limit` is until
        the line `seen`, `longest` until the next request."""
        one.begin()
        one.wait_runs(3)
        wait_until(lambda: one.receiver.told(), "a push")
        worker, before = one.agent.worker, one.restarts()
        begun = time.monotonic()
        break_it(worker)
        detected = one.agent.moment(seen, begun, limit * MARGIN + 10 * PATIENCE)
        gone = one.agent.moment("the agent was killed by|the agent ended", begun)
        one.killed(begun, 0)
        probing = one.wait_request(gone, 20)
        one.wait_open()
        self.assertNotEqual(one.agent.worker, worker)
        self.check_told(one, before, cause, task, number, probe)
        one.wait_runs(2)
        one.stop()
        one.settle()
        one.check_history()
        self.check_pushed(one, cause, task, number, probe)
        told = f"{cause}{' of ' + task if task else ''}{', ' + number if number else ''}"
        TABLE.add(what, told, detected - begun, limit, probing - begun, longest)
        self.assertLessEqual(detected - begun, limit * MARGIN, what)
        self.assertLessEqual(probing - begun, longest * MARGIN, what)
        self.assertClean(one.agent)

    def check_told(self, one, before, cause, task, number, probe):
        status = one.agent.status()["recovery"]
        end = status["before"]
        self.assertEqual((end["cause"], end["task"], end["signal"], end["probe"]),
                         (cause, task, number, probe), one.name)
        self.assertEqual(status["last_ends"][-1]["cause"], cause)
        self.assertGreater(end["ran_seconds"], 0.5)
        self.assertEqual(status["phase"], "normal")
        self.assertEqual({key: value - before[key] for key, value in status["restarts"].items()
                          if value != before[key]}, {cause: 1})

    def check_pushed(self, one, cause, task, number, probe):
        series = one.receiver.series()
        self.assertEqual(series.value("picket_restarts_total", cause=cause), 1)
        self.assertEqual(series.total("picket_restarts_total"), 1)
        labels = {"cause": cause}
        for name, value in (("task", task), ("signal", number), ("probe", probe)):
            if value:
                labels[name] = value
        self.assertEqual(series.value("picket_last_restart_info", **labels), 1)

    def test_each_fault_is_seen_in_time_told_for_what_it_is_and_costs_no_result(self):
        if NO_PRELOAD:
            self.skipTest(NO_PRELOAD)
        hangs = "the agent hangs: task loop makes no progress"
        takes = "the agent takes up too much"

        def stopped():
            """With the defaults, against the table itself: 5 s, and 6 to 9 s in all. A process
            that is stopped does not hear SIGABRT."""
            self.mend(self.site("stopped", ""), "SIGSTOP", "hang", hangs, 5.0, 9.0, task="loop",
                      number="SIGKILL", break_it=lambda pid: os.kill(pid, signal.SIGSTOP))

        def loop(name, what, kind, probe=None):
            one = self.site(name, "hang = 2s\nabort = 1s", whats=("ok",) if probe else
                            ("ok", "slow", "flaky", "hang"))
            limit = 2.0 + (INTERVAL if probe else 0)  # until that probe is run again
            self.mend(one, what, "hang", hangs, limit, limit + DELAY + START, task="loop",
                      number="SIGABRT", probe=probe, break_it=lambda pid: fault(
                          pid, kind, self.targets.port if kind == CONNECT else 0))

        def crash(name, what, kind, number):
            self.mend(self.site(name, ""), what, "crash", f"killed by {number}", 0.5,
                      0.5 + DELAY + START, number=number, break_it=lambda pid: fault(pid, kind))

        def leak():
            """A step a turn of the loop: about 20 a second here."""
            self.mend(self.site("leak", "memory = 64M"), "leak of memory, to 64 MiB", "memory",
                      takes, 3.0, 3 + DELAY + START, number="SIGABRT",
                      break_it=lambda pid: fault(pid, LEAK, 8))

        def files():
            self.mend(self.site("files", "descriptors = 64"), "leak of descriptors, to 64",
                      "descriptors", takes, 2.0, 2 + DELAY + START, number="SIGABRT",
                      break_it=lambda pid: fault(pid, FILES, 10))

        side_by_side(stopped, leak, files,
                     lambda: loop("spin", "loop without an end", SPIN),
                     lambda: loop("lock", "deadlock", LOCK),
                     lambda: loop("probe", "deadlock in a probe", CONNECT, "ok0"),
                     lambda: crash("abort", "abort()", ABORT, "SIGABRT"),
                     lambda: crash("pointer", "SIGSEGV", DIE, "SIGSEGV"))

    def test_a_supervisor_that_dies_takes_the_agent_along_and_is_told_of(self):
        """Started again as an init system would. What was not committed may be lost, no more."""
        one = WatchedSite(self, "parent")
        one.begin()
        one.wait_runs(6)
        begun = time.monotonic()
        one.agent.kill()
        one.killed(begun, one.commit + 0.5 * PATIENCE)
        one.agent.start()
        one.wait_open()
        probing = one.wait_request(one.kills[0].over)
        TABLE.add("SIGKILL of the supervisor, started again at once", "supervisor", None, None,
                  probing - begun, START)
        end = one.agent.status()["recovery"]["before"]
        self.assertEqual((end["cause"], end["task"], end["signal"]), ("supervisor", None, None))
        self.assertEqual({k: v for k, v in one.restarts().items() if v}, {"supervisor": 1})
        self.assertIn("the run before ended by supervisor", one.agent.log())
        one.wait_runs(2)
        one.stop()
        one.settle()
        one.check_history()
        self.assertEqual(one.receiver.series().value("picket_restarts_total", cause="supervisor"), 1)
        one.agent.start()
        one.lives.append([time.monotonic() - 1, None])
        one.wait_open()
        self.assertEqual({k: v for k, v in one.restarts().items() if v},
                         {"supervisor": 1, "stop": 1})
        self.assertLessEqual(probing - begun, START * MARGIN)

    def test_an_agent_that_stands_still_while_it_is_to_stop_is_ended(self):
        one = WatchedSite(self, "stopping", "hang = 1s\nabort = 1s")
        one.begin()
        one.wait_runs(2)
        one.agent.stand_still()
        begun = time.monotonic()
        one.agent.signal(signal.SIGTERM)
        self.assertEqual(one.agent.wait(), 1)
        elapsed = time.monotonic() - begun
        TABLE.add("SIGSTOP of an agent that is to stop", "hang of loop, SIGKILL", None, None,
                  elapsed, 2)
        self.assertLessEqual(elapsed, 2 * MARGIN)
        one.agent.moment("the agent hangs: task loop")
        one.agent.moment("was killed by SIGKILL after .*, while it was to stop")


class NoFault(StoreTest):
    """Nothing that is only slow is killed."""
    maxDiff = None

    def check_unharmed(self, one, worker, strict=True):
        """Not strict: runs may have been over before they asked their target, and a target that is
        starved itself may notice a request late, so that numbers are all there is to compare."""
        self.assertEqual(one.agent.worker, worker)
        for word in ("hangs", "takes up too much", "killed"):
            self.assertNotIn(word, one.agent.log())
        one.stop()
        one.check_history()
        if strict:
            one.settle(turn_takes=1.5)
            return
        results = dump(one.store)
        one.check_totals(results)
        for url in one.urls.values():
            answered = sum(result.outcome == "success" or result.reason == "status"
                           for result in results[url])
            served = len(self.targets.served(url))
            self.assertTrue(answered <= served <= len(results[url]),
                            f"{url}: {answered} <= {served} <= {len(results[url])}")

    def starve(self, one, pids, times, still, between):
        for _ in range(times):
            self.assertTrue(all(map(alive, pids)), f"{one.name}: {one.agent.log()[-2000:]}")
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(still)
            for pid in reversed(pids):  # the supervisor first: it is the one that could misjudge
                os.kill(pid, signal.SIGCONT)
            time.sleep(between)

    def test_an_agent_that_is_starved_is_left_alone_and_loses_nothing(self):
        def pulses():
            one = WatchedSite(self, "pulses")
            one.begin()
            one.wait_runs(2)
            worker = one.agent.worker
            self.starve(one, [worker], 8, 1.0, 0.2)
            self.check_unharmed(one, worker)
            missed = one.receiver.series().total("picket_probe_missed_total")
            self.assertGreater(missed, 8)

        def frozen():
            """Both, as a machine that is suspended or a container that is frozen."""
            one = WatchedSite(self, "frozen", "hang = 1s\nabort = 1s")
            one.begin()
            one.wait_runs(2)
            worker = one.agent.worker
            self.starve(one, [worker, one.agent.pid], 3, 2.5, 0.7)
            self.check_unharmed(one, worker)

        def slow():
            """Each turn of the loop takes 0.4 s."""
            if NO_PRELOAD:
                return
            one = WatchedSite(self, "slow", "hang = 1s", env=preload())
            one.begin()
            one.wait_runs(2)
            worker = one.agent.worker
            fault(worker, SLOW, 400)
            time.sleep(8)
            fault(worker, 0)
            self.check_unharmed(one, worker, strict=False)

        def busy():
            """Against more than the machine has, at the lowest priority."""
            one = WatchedSite(self, "busy", "hang = 3s")
            one.begin()
            one.wait_runs(2)
            worker = one.agent.worker
            os.setpriority(os.PRIO_PROCESS, worker, 19)
            burn = "import time\nover = time.monotonic() + 8\nwhile time.monotonic() < over: pass"
            burners = [subprocess.Popen([sys.executable, "-c", burn])
                       for _ in range(2 * os.cpu_count())]
            for burner in burners:
                burner.wait()
            self.check_unharmed(one, worker, strict=False)

        side_by_side(pulses, frozen, slow)
        busy()

    def test_an_agent_without_descriptors_gets_them_back(self):
        """The limit of the system is lower than the configured one: all are used up, nothing
        crashes, and the agent is started again."""
        if NO_PRELOAD:
            self.skipTest(NO_PRELOAD)
        one = WatchedSite(self, "exhausted", env=preload(), preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (96, 96)))
        one.begin()
        one.wait_runs(2)
        worker = one.agent.worker
        begun = time.monotonic()
        fault(worker, FILES, 1000)
        one.agent.moment("the agent takes up too much", begun)
        gone = one.agent.moment("the agent was killed by SIGABRT", begun)
        one.killed(begun, 0)
        one.wait_request(gone)
        one.wait_open()
        self.assertEqual(one.agent.status()["recovery"]["before"]["cause"], "descriptors")
        one.wait_runs(1)
        one.stop()
        one.check_history()
        self.assertClean(one.agent)


# ---- safe mode ----

class KillerTarget(Target):
    """A path below /kill kills who asks: the agent's worker."""

    def __init__(self):
        self.agent = None
        self.armed = True
        super().__init__()
        plain = self.server.RequestHandlerClass.do_GET
        target = self

        def do_GET(handler):
            if handler.path.startswith("/kill") and target.armed:
                with contextlib.suppress(OSError, AssertionError):
                    os.kill(target.agent.children()[0], signal.SIGSEGV)
            plain(handler)
        self.server.RequestHandlerClass.do_GET = do_GET

    def asked(self, since, until=float("inf")):
        """{path: when it was first asked for}"""
        with self.lock:
            return {path: min(at for at in moments if since <= at <= until)
                    for path, moments in self.moments.items()
                    if any(since <= at <= until for at in moments)}


QUICK = ("restarts = 3\nrestart_window = 1m\nsafe_time = 2s\nrejoin_step = 1s\nhang = 1s\n"
         "abort = 500ms\n")


class SafeMode(LiveTest):
    def begin(self, name, paths, watchdog=QUICK, store=True):
        """An agent with a probe for each path."""
        target = self.closing(KillerTarget())
        folder = self.folder / name
        folder.mkdir()
        kept = f"store = {folder}/store.pk\nstore_size = 1M\nflash = disk\n" if store else ""
        agent = self.closing(StampedAgent(folder, self.text(target, name, paths, kept, watchdog),
                                          start=False))
        target.agent = agent
        agent.kept = kept
        agent.start()
        return target, agent

    def text(self, target, name, paths, kept="", watchdog=QUICK):
        return (f"[agent]\nsite = {name}\n{kept}[defaults]\ninterval = 250ms\ntimeout = 200ms\n"
                f"[watchdog]\n{watchdog}" +
                "".join(f"[http {path}]\nurl = {target.url('/' + path)}\n" for path in paths))

    def wait_asked(self, target, path, times=2, seconds=15):
        enough = target.count("/" + path) + times
        wait_until(lambda: target.count("/" + path) >= enough, f"{path} is asked again: "
                   f"{target.agent.log()[-3000:]}", seconds)

    def crash_loop(self, agent, times=3):
        """When the last one was."""
        for turn in range(times):
            worker = wait_until(lambda: agent.children() and agent.answers() and
                                agent.children()[0], "a worker", 30)
            os.kill(worker, signal.SIGKILL)
            agent_gone = time.monotonic()
            wait_until(lambda: worker not in agent.children(), "the crash is noticed")
        return agent_gone

    def wait_phase(self, agent, phase, seconds=40):
        return self.wait_recovery(agent, lambda recovery, _: recovery["phase"] == phase, seconds)

    def wait_recovery(self, agent, condition=lambda recovery, targets: True, seconds=10):
        """The first of its status for which condition(recovery, names of targets) is true. There
        may be none for a while."""
        def look():
            with contextlib.suppress(OSError, ValueError):
                status = agent.status()
                names = [target["probe"] for target in status["targets"]]
                found = status["recovery"]
                return found if found and condition(found, names) else None
        return wait_until(look, f"its status: {agent.log()[-3000:]}", seconds)

    def test_the_ladder_in_all_its_parts(self):
        side_by_side(self.a_crash_loop_ends_in_safe_mode_and_probes_return_group_by_group,
                     self.a_group_that_kills_is_suspended_and_everything_else_runs,
                     self.a_new_configuration_that_kills_is_left_for_the_good_one,
                     self.a_file_that_turned_bad_does_not_keep_the_agent_away,
                     self.a_file_that_was_changed_in_silence_and_kills_is_left_too)

    def a_crash_loop_ends_in_safe_mode_and_probes_return_group_by_group(self):
        paths = ["canary", "b", "c", "d", "e", "f", "g", "h"]
        target, agent = self.begin("loop", paths)
        for path in paths:
            self.wait_asked(target, path)
        last = self.crash_loop(agent)
        agent.moment("safe mode: the canary alone", last)
        status = self.wait_phase(agent, "safe")
        self.assertEqual((status["barred_targets"], status["last_known_good"]), (7, False))
        self.assertEqual(agent.exit_code(), "1")
        self.assertEqual(status["restarts"]["crash"], 3)
        first_in = agent.moment("group 1 of the probes is let back in", last, 30)
        self.wait_phase(agent, "normal")
        for path in paths:
            self.wait_asked(target, path)
        gone = agent.moment("killed by SIGKILL", last)
        asked = target.asked(gone + 0.05)
        self.assertEqual([path for path, at in asked.items() if at < first_in], ["/canary"])
        self.assertGreater(first_in - asked["/canary"], 2.0 - 0.3 * PATIENCE)
        order = sorted(asked, key=asked.get)
        self.assertEqual(order, ["/" + path for path in paths])
        times = [asked["/" + path] for path in paths[1:]]
        for before, after in zip(times, times[1:]):
            self.assertGreater(after - before, 0.5)
        TABLE.add("3 ends: safe mode, to the first probe let back in", "canary alone", None, None,
                  times[0] - gone, 4 + 2 + 1 + START)

    def a_group_that_kills_is_suspended_and_everything_else_runs(self):
        target, agent = self.begin("killer", ["canary", "b", "kill", "d"], QUICK.replace("2s", "1s", 1))
        agent.moment("group 3 of the probes is suspended", seconds=60)
        status = self.wait_phase(agent, "normal", 60)
        self.assertEqual(status["barred_targets"], 1)
        self.assertEqual(agent.exit_code(), "1")
        asked = target.count("/kill")
        for path in ("canary", "b", "d"):
            self.wait_asked(target, path, 4)
        self.assertEqual(target.count("/kill"), asked)
        agent.write(self.text(target, "killer", ["canary", "b", "d"], agent.kept))
        agent.signal(signal.SIGHUP)
        self.wait_recovery(agent, lambda recovery, targets: recovery["barred_targets"] == 0 and
                           targets == ["canary", "b", "d"])
        self.assertEqual(agent.terminate(), 0)

    def wait_kept(self, agent, target, path="canary"):
        """The configuration ran for longer than safe_time, from its first probe on."""
        began = time.monotonic()
        self.wait_asked(target, path)
        wait_until(lambda: time.monotonic() - began > 3.0 * max(1, PATIENCE / 2), "safe_time", 20)
        self.wait_asked(target, path)

    def a_new_configuration_that_kills_is_left_for_the_good_one(self):
        target, agent = self.begin("good", ["canary", "b"])
        self.wait_kept(agent, target)
        agent.write(self.text(target, "good", ["canary", "kill", "c"], agent.kept))
        agent.signal(signal.SIGHUP)
        agent.moment("with the last known good configuration", seconds=40)
        status = self.wait_phase(agent, "safe")
        self.assertTrue(status["last_known_good"])
        self.assertEqual([t["probe"] for t in agent.status()["targets"]], ["canary", "b"])
        asked = target.count("/kill")
        status = self.wait_phase(agent, "normal")
        self.assertTrue(status["last_known_good"])
        self.assertEqual(agent.exit_code(), "1")
        self.wait_asked(target, "b")
        self.assertEqual(target.count("/kill"), asked)
        agent.write(self.text(target, "good", ["canary", "c"], agent.kept))
        agent.signal(signal.SIGHUP)
        self.wait_asked(target, "c")
        status = self.wait_recovery(agent)
        self.assertFalse(status["last_known_good"])
        self.assertEqual(status["phase"], "normal")
        self.assertEqual(agent.terminate(), 0)

    def a_file_that_turned_bad_does_not_keep_the_agent_away(self):
        target, agent = self.begin("bad", ["canary", "b"])
        self.wait_kept(agent, target)
        agent.write("[agent\nsite = x\n")
        worker = agent.worker
        os.kill(worker, signal.SIGKILL)
        begun = time.monotonic()
        agent.moment("the agent could not start: starting it again in 2 s", begun)
        gone = time.monotonic()
        wait_until(lambda: "/b" in target.asked(gone), "it is back", 5)
        status = self.wait_recovery(agent)
        self.assertTrue(status["last_known_good"])
        self.assertEqual(status["phase"], "normal")
        self.assertEqual(agent.exit_code(), "1")
        agent.signal(signal.SIGHUP)  # still bad: refused, and it runs on
        agent.moment("refused, the old configuration keeps running", gone)
        self.wait_asked(target, "b")
        agent.write(self.text(target, "bad", ["canary", "c"], agent.kept))
        agent.signal(signal.SIGHUP)
        self.wait_asked(target, "c")
        status = self.wait_recovery(agent)
        self.assertFalse(status["last_known_good"])
        self.assertEqual(agent.terminate(), 0)

    def a_file_that_was_changed_in_silence_and_kills_is_left_too(self):
        """Nobody sent SIGHUP: the new file is read at the next start, whatever the reason."""
        target, agent = self.begin("silent", ["canary", "b"])
        self.wait_kept(agent, target)
        agent.write(self.text(target, "silent", ["canary", "kill"], agent.kept))
        os.kill(agent.worker, signal.SIGKILL)
        agent.moment("safe mode: the canary alone", seconds=40)
        status = self.wait_phase(agent, "safe")
        self.assertTrue(status["last_known_good"])
        self.assertEqual([t["probe"] for t in agent.status()["targets"]], ["canary", "b"])
        self.assertEqual(agent.terminate(), 0)


# ---- watchdogs ----

class Watchdogs(StoreTest):
    def gaps(self, moments):
        return [after - before for before, after in zip(moments, moments[1:])]

    def check_pace(self, moments, seconds):
        """Never later than a look past the pace, and not much more often."""
        gaps = self.gaps(moments)
        self.assertGreater(len(gaps), 3)
        self.assertLessEqual(max(gaps), (seconds + 0.25) * MARGIN, gaps)
        self.assertGreater(min(gaps), seconds * 0.7, gaps)

    def test_systemd_is_told_when_the_agent_is_ready_and_only_while_it_is_well(self):
        notify = self.closing(NotifySocket(self.folder / "notify"))
        one = WatchedSite(self, "systemd", "device = systemd\nhang = 1s\nabort = 4s", env={
            "NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "3000000"})
        one.begin()
        wait_until(lambda: len(notify.moments("WATCHDOG=1")) >= 6, "it is fed", 20)
        ready = notify.moments("READY=1")
        self.assertEqual(len(ready), 1)
        self.assertLessEqual(ready[0], notify.moments("WATCHDOG=1")[0])
        self.check_pace(notify.moments("WATCHDOG=1"), 1.0)
        status = one.agent.status()["recovery"]["watchdog"]
        self.assertEqual((status["armed"], status["timeout_seconds"]), (True, 3))
        begun = time.monotonic()
        one.agent.stand_still()
        detected = one.agent.moment("the agent hangs", begun)
        gone = one.agent.moment("was killed by SIGKILL", begun)
        one.killed(begun, 0)
        self.assertGreater(gone - detected, 3.5)
        self.assertEqual(notify.moments("WATCHDOG=1", detected + 0.02, gone - 0.02), [])
        one.wait_request(gone)
        wait_until(lambda: len(notify.moments("WATCHDOG=1", gone)) >= 5, "it is fed again", 20)
        self.check_pace(notify.moments("WATCHDOG=1", gone), 1.0)
        one.stop()
        self.assertEqual(len(notify.moments("READY=1")), 1)
        self.assertEqual(len(notify.moments("STOPPING=1")), 1)
        self.assertEqual(notify.states(), ["starting", "running",
                                           "the agent ended and is started again", "starting",
                                           "running"])
        one.settle()

    def test_systemd_is_asked_for_a_reset_when_safe_mode_cannot_be_left(self):
        """Once, behind an orderly end that has it on record; then it is told nothing more."""
        notify = self.closing(NotifySocket(self.folder / "notify"))
        one = WatchedSite(self, "reset", "device = systemd\nreboot = on\nhang = 1s\nabort = 500ms\n"
                          "restarts = 2\nsafe_time = 1h\nrejoin_tries = 1", env={
                              "NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "3000000"})
        canary = next(iter(one.urls.values()))
        one.begin()
        for _ in range(3):
            worker, told = one.new_worker(), len(self.targets.served(canary))
            # Its start is on record with the results that came behind it.
            wait_until(lambda: one.series().total("picket_probe_results_total", instance=canary) >=
                       told + 10, f"results are told: {one.agent.log()[-2000:]}", 30)
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: worker not in one.agent.children(), "the crash is noticed")
        one.agent.moment("safe mode could not be left 1 times: the board is reset")
        asked = wait_until(lambda: notify.moments("WATCHDOG=trigger"), "a reset is asked for", 20)
        self.assertEqual(one.agent.children(), [])
        time.sleep(4)  # longer than what was granted
        self.assertEqual(notify.moments("WATCHDOG=trigger"), asked)
        self.assertEqual(notify.moments("WATCHDOG=1", asked[0] + 0.02), [])
        self.assertEqual(one.agent.children(), [])
        self.assertEqual(one.agent.terminate(), 0)

    def test_a_device_is_fed_while_the_agent_is_well_and_let_go_at_an_orderly_end(self):
        sink = self.closing(Sink(pathlib.Path(f"/dev/shm/picket-test-{os.getpid()}")))
        one = WatchedSite(self, "device", f"device = {sink.path}\nfeed = 1s\nhang = 1s\nabort = 4s")
        one.begin()
        wait_until(lambda: len(sink.bytes) >= 5, f"it is fed: {one.agent.log()}", 20)
        self.check_pace(sink.moments(), 1.0)
        begun = time.monotonic()
        one.agent.stand_still()
        detected = one.agent.moment("the agent hangs", begun)
        gone = one.agent.moment("was killed by SIGKILL", begun)
        one.killed(begun, 0)
        self.assertEqual(sink.moments(detected + 0.05, gone - 0.05), [])
        one.wait_request(gone)
        wait_until(lambda: len(sink.moments(gone)) >= 5, "it is fed again", 20)
        self.check_pace(sink.moments(gone), 1.0)
        self.assertNotIn(ord("V"), [byte for _, byte in sink.bytes])
        one.stop()
        time.sleep(0.1)
        self.assertEqual([byte for _, byte in sink.bytes][-1:], [ord("V")])
        one.settle()

    def test_a_device_is_not_started_before_the_start_is_on_record(self):
        """The store cannot be written: a reset would not be counted, so there is none."""
        sink = self.closing(Sink(pathlib.Path(f"/dev/shm/picket-test-{os.getpid()}-2")))
        one = WatchedSite(self, "record", f"device = {sink.path}\nfeed = 1s")
        home = self.file("no-folder", "")
        one.store = home / "store.pk"
        one.agent.write(one.config())
        one.begin()
        one.wait_runs(8)
        self.assertEqual(sink.bytes, [])
        self.assertFalse(one.agent.status()["recovery"]["watchdog"]["armed"])
        one.agent.terminate()
        home.unlink()
        one.agent.start()
        one.agent.moment("watchdog: fed from now on")
        wait_until(lambda: sink.bytes, "it is fed")
        self.assertEqual(one.agent.status()["store"]["state"], "durable")
        one.agent.terminate()

    def test_a_device_that_is_left_by_a_killed_supervisor_was_not_let_go(self):
        sink = self.closing(Sink(pathlib.Path(f"/dev/shm/picket-test-{os.getpid()}-3")))
        one = WatchedSite(self, "left", f"device = {sink.path}\nfeed = 1s")
        one.begin()
        wait_until(lambda: len(sink.bytes) >= 2, "it is fed", 20)
        one.agent.kill()
        self.assertNotIn(ord("V"), [byte for _, byte in sink.bytes])


# ---- the site action ----

class Action:
    """One agent, cut off, and a script that is to mend that."""

    def __init__(self, folder, name, script, reference_up=False, keys=""):
        self.folder = folder / name
        self.folder.mkdir()
        self.calls = self.folder / "calls"
        self.script = self.folder / "mend"
        self.script.write_text(f"#!/bin/sh\necho $$ \"$@\" >> {self.calls}\n{script}\n")
        self.script.chmod(0o755)
        self.target = Target()
        unittest.addModuleCleanup(self.target.close)
        reference = self.target.port if reference_up else free_port()
        push = f"http://127.0.0.1:{free_port()}"
        config = (f"[agent]\nsite = {name}\nstore = {self.folder}/store.pk\nstore_size = 1M\n"
                  f"flash = disk\n[push]\nurl = {push}\ninterval = 1s\n"
                  "[defaults]\ninterval = 1s\ntimeout = 500ms\n"
                  f"[watchdog]\naction = {self.script} now\naction_reference = away\n"
                  f"action_after = 1m\naction_cooldown = 1m\n{keys}\n"
                  f"[http near]\nurl = {self.target.url('/near')}\n"
                  f"[tcp away]\naddress = 127.0.0.1:{reference}\n")
        self.agent = StampedAgent(self.folder, config, start=False)
        unittest.addModuleCleanup(self.agent.close)
        self.agent.start()
        self.begun = time.monotonic()

    def called(self):
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def counts(self):
        return self.agent.status()["recovery"]["site_actions"]


def begin_actions():
    """Two minutes have to pass, so they begin with the module and are looked at in the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="picket-test."))
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    hanging = f"sleep 1000 & echo $! >> {folder}/child; sleep 1000"
    ACTIONS.update(
        mends=Action(folder, "mends", "exit 0"),
        receiver=Action(folder, "receiver", "exit 0", reference_up=True),
        dry=Action(folder, "dry", "exit 0", keys="action_dry_run = on"),
        fails=Action(folder, "fails", "exit 3"),
        hangs=Action(folder, "hangs", hanging, keys="action_timeout = 2s"),
        gone=Action(folder, "gone", ""),
        child=folder / "child")
    ACTIONS["gone"].script.unlink()


class SiteAction(LiveTest):
    def test_the_command_runs_when_nothing_gets_through_and_only_then(self):
        mends, receiver, dry, fails, hangs, gone, child = ACTIONS.values()
        first = mends.agent.moment("site action: /", seconds=80)
        self.assertGreaterEqual(first - mends.begun, 59.0)
        self.assertLessEqual(first - mends.begun, 63 * MARGIN)
        mends.agent.moment("site action: ended with exit code 0", first)
        self.assertRegex(mends.called()[0], r"^\d+ now$")
        dry.agent.moment(r"site action \(dry run, nothing is done\): nothing got through for 60 s")
        fails.agent.moment("site action: ended with exit code 3")
        gone.agent.moment("site action: ended with exit code 127")
        begun = hangs.agent.moment("site action: /")
        killed = hangs.agent.moment("site action: killed by signal 9", begun)
        self.assertTrue(1.9 <= killed - begun <= 2.5 * MARGIN, killed - begun)
        pids = [int(hangs.called()[0].split()[0]),
                int(child.read_text().split()[0])]
        wait_until(lambda: not any(map(alive, pids)), "all of it is gone", 2)

        for one, expected in ((mends, (1, 0, 0)), (dry, (0, 0, 1)), (fails, (1, 1, 0)),
                              (hangs, (1, 1, 0)), (gone, (1, 1, 0))):
            started, failed, dried = expected
            wait_until(lambda: one.counts() == {"started": started, "failed": failed,
                                                "dry_run": dried}, f"{expected}", 5)
        self.assertEqual(dry.called(), [])
        for one in (dry, fails, hangs, gone):
            self.assertEqual(one.agent.terminate(), 0)

        second = mends.agent.moment("site action: /", first + 1, 80)
        self.assertGreaterEqual(second - first, 59.0)
        wait_until(lambda: len(mends.called()) == 2, "and no more often", 5)
        # Its reference succeeds: only the receiver is away, which no modem mends.
        self.assertEqual(receiver.called(), [])
        self.assertEqual(receiver.counts(), {"started": 0, "failed": 0, "dry_run": 0})
        self.assertNotIn("site action", receiver.agent.log())
        for one in (mends, receiver):
            self.assertGreater(one.target.count(), 60)  # nobody was restarted, all went on
            self.assertEqual(one.agent.terminate(), 0)


def setUpModule():
    begin_actions()


def tearDownModule():
    TABLE.tell()


if __name__ == "__main__":
    unittest.main()
