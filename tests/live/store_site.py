"""One agent with a store under load, and the judgement of it, for the tests that break things.

PICKET_SEED repeats a run."""

import contextlib
import os
import random
import re
import signal
import threading
import time

import support
from accounting import Account, CountingTargets, Kill, dump, scheduled, stats
from support import Agent, LiveTest, alive, wait_until

SEED = int(os.environ.get("PICKET_SEED", random.randrange(1 << 32)))
INTERVAL, TIMEOUT = 0.4, 0.3
COMMIT = 2.0
# Beside `commit` itself: the commit's own writes and syncs, and the loop that begins it.
COMMITTING = 0.5 * support.PATIENCE
WHATS = ("ok", "ok", "slow", "fail", "flaky", "ok", "slow", "hang")


def probes(targets, prefix, whats=WHATS):
    """{probe: url}"""
    return {f"{what}{number}": targets.url(f"{prefix}-{number}", what)
            for number, what in enumerate(whats)}


def site(name, store, urls, push, commit=COMMIT, every=1):
    text = (f"[agent]\nsite = {name}\nstore = {store}\nstore_size = 1M\ncommit = {commit:g}s\n"
            f"flash = disk\nconcurrency = 32\n"
            f"[push]\nurl = {push}\ninterval = {every}s\ntimeout = 5s\n"
            f"[defaults]\ninterval = {int(INTERVAL * 1000)}ms\ntimeout = {int(TIMEOUT * 1000)}ms\n")
    return text + "".join(f"[http {probe}]\nurl = {url}\n" for probe, url in urls.items())


def counters_of(gateway):
    """Names of the counters a gateway tells of us, as Prometheus stores them."""
    names = set()
    for line in gateway.ours().splitlines():
        if match := re.fullmatch(r"# TYPE (\S+) (counter|histogram)", line):
            name, kind = match.groups()
            names |= {name} if kind == "counter" else {f"{name}_{part}" for part in
                                                       ("bucket", "count", "sum")}
    return names


class Site:
    """One agent with a store, its targets, and when it was killed."""

    # Many kills are no crash loop here; RELOAD_EACH of them are followed by a new beginning.
    watchdog = "restarts = 32\nrestart_window = 1h\n"
    RELOAD_EACH = 16

    def __init__(self, test, name, gateway, push=None, commit=COMMIT, every=1):
        self.test, self.name, self.gateway = test, name, gateway
        self.urls = probes(test.targets, name)
        self.folder = test.folder / name
        self.folder.mkdir()
        self.store = self.folder / "store.pk"
        self.push = push or gateway.url
        self.commit, self.every = commit, every
        self.agent = test.closing(Agent(self.folder, self.config(), start=False))
        self.kills = []
        self.lives = []
        self.chance = random.Random(f"{SEED} {name}")
        self.error = None

    def config(self):
        return (site(self.name, self.store, self.urls, self.push, self.commit, self.every) +
                f"[watchdog]\n{self.watchdog}\n")

    def begin(self):
        self.agent.start()
        self.lives.append([time.monotonic() - 1, None])

    def new_worker(self, *old):
        return wait_until(lambda: [pid for pid in self.agent.children() if pid not in old],
                          f"{self.name}: a worker: {self.agent.log()[-2000:]}", 90)[0]

    def killed(self, begun, window):
        over = time.monotonic()
        self.kills.append(Kill(begun, over, window))
        self.lives[-1][1] = begun
        self.lives.append([over, None])

    def reload(self):
        """An orderly end of one life and the beginning of the next; the ends before are forgotten."""
        self.wait_open()
        worker = self.new_worker()
        begun = time.monotonic()
        self.agent.signal(signal.SIGHUP)
        # Meanwhile the supervisor has another child, which checks the file.
        wait_until(lambda: worker not in self.agent.children(), "the life before is over", 60)
        self.new_worker()
        self.wait_open()
        self.lives[-1][1] = begun
        self.lives.append([time.monotonic(), None])

    def kill_worker(self, within=1.6):
        """At a random moment, the first milliseconds of a life included. The supervisor brings the
        next one; after the first kill it is spared the delay, as a reload spares it."""
        worker = self.new_worker()
        time.sleep(self.chance.uniform(0, within))
        begun = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: worker not in self.agent.children(), "the crash is noticed", 60)
        self.killed(begun, 0)
        if len(self.kills) > 1:
            self.agent.signal(signal.SIGHUP)
        self.new_worker(worker)
        if len(self.kills) % self.RELOAD_EACH == 0:
            self.reload()

    def kill_pair(self, within=2 * COMMIT):
        worker = self.new_worker()
        time.sleep(self.chance.uniform(0, within))
        victims = self.chance.choice(([self.agent.pid], [worker, self.agent.pid],
                                      [self.agent.pid, worker]))
        begun = time.monotonic()
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.agent.wait(60)
        wait_until(lambda: not alive(worker), "the worker is gone", 60)
        self.killed(begun, self.commit + COMMITTING)
        self.agent.spawn()

    def drive(self, step, times):
        """In a thread of its own; `error` is what went wrong."""
        def run():
            try:
                for _ in range(times):
                    step()
            except BaseException as error:
                self.error = error

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def wait_open(self):
        wait_until(self.agent.answers, f"{self.name} answers: {self.agent.log()[-2000:]}", 60)
        self.agent.wait_status(lambda status: status["store"]["state"] != "opening", "it is open")

    def stop(self):
        self.wait_open()
        self.test.assertEqual(self.agent.terminate(40), 0, self.agent.log()[-2000:])
        self.lives[-1][1] = time.monotonic()

    # ---- judging ----

    def series(self):
        pushed = self.gateway.series()
        return support.Series({key: value for key, value in pushed.items()
                               if dict(key[1]).get("site") == self.name})

    def epochs(self):
        return {dict(labels)["epoch"] for name, labels in self.series()
                if name == "picket_probe_results_total"}

    def settle(self, **account):
        """After an orderly stop: what was pushed last, what the store holds and what the targets
        served are the same. Returns the account, which is kept with these options."""
        results = dump(self.store)
        served = {url: self.test.targets.served(url) for url in self.urls.values()}
        account = Account(self.urls.values(), self.kills, served, results, **account)
        self.test.assertEqual(account.problems, [], f"{self.name}, {self.store}")
        self.check_totals(results)
        return account

    def check_totals(self, results):
        """What was pushed last is what the store holds, and nothing was dropped."""
        test, series = self.test, self.series()
        for probe, url in self.urls.items():
            mine = results[url]
            for outcome in ("success", "failure", "unknown"):
                test.assertEqual(
                    series.value("picket_probe_results_total", probe=probe, result=outcome),
                    sum(one.outcome == outcome for one in mine), f"{self.name} {probe} {outcome}")
            for reason in {one.reason for one in mine if one.outcome == "failure"}:
                test.assertEqual(
                    series.value("picket_probe_failures_total", probe=probe, reason=reason),
                    sum(one.reason == reason for one in mine), f"{self.name} {probe} {reason}")
            test.assertEqual(series.value("picket_probe_duration_seconds_count", probe=probe),
                             sum(one.outcome == "success" for one in mine))
            duration = sum(one.end - one.start for one in mine if one.outcome == "success")
            test.assertAlmostEqual(series.value("picket_probe_duration_seconds_sum", probe=probe),
                                   duration, places=4)
            self.check_schedule(probe, mine, series)
        kept = stats(self.store)
        test.assertEqual(kept["dropped"], {"wrap": 0, "memory": 0, "damaged": 0})
        test.assertTrue(kept["clean_stop"])

    def check_schedule(self, probe, results, series):
        missed = series.value("picket_probe_missed_total", probe=probe)
        starts, counted, _ = scheduled(results, missed, self.lives, INTERVAL)
        # Between first and last run of a life each start is a result, missed, or, at a kill of
        # both, a missed run that was not committed.
        self.test.assertLessEqual(counted, starts, f"{self.name} {probe}")
        self.test.assertLessEqual(starts, counted + missed + len(self.kills),
                                  f"{self.name} {probe}")
        self.test.assertLessEqual(counted + missed, starts + 2 * len(self.lives),
                                  f"{self.name} {probe}")


class StoreTest(LiveTest):
    def setUp(self):
        super().setUp()
        print(f"PICKET_SEED={SEED}", flush=True)
        self.targets = self.closing(CountingTargets(SEED))
