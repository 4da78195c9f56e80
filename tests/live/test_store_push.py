"""The store between the results and the push, before a real Pushgateway.

Guards against totals that a crash, a restart or a full disk takes back, counts twice or loses, and
against trouble that nobody is told of."""

import os
import signal
import subprocess
import unittest

from support import LiveTest, Pushgateway, Target, alive, parse_text, picketd, promtool, wait_until

RESULTS = "picket_probe_results_total"
TROUBLE = "picket_store_trouble"


class StoreTest(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())
        self.gateway = self.closing(Pushgateway(self.folder))
        self.store = self.folder / "store.pk"

    def site(self, store=True, path=None, commit="1s", interval="1s", names=("p",)):
        keys = (f"store = {path or self.store}\nstore_size = 256K\nflash = disk\n"
                f"commit = {commit}\n" if store else "")
        probes = "".join(f"[http {name}]\nurl = {self.target.url('/' + name)}\n" for name in names)
        return (f"[agent]\nsite = store-test\n{keys}"
                f"[push]\nurl = {self.gateway.url}\ninterval = {interval}\n"
                f"[defaults]\ninterval = 200ms\ntimeout = 200ms\n{probes}")

    def told(self, name="p"):
        """Upstream, over all epochs."""
        return self.gateway.series().total(RESULTS, probe=name)

    def epochs(self):
        return {dict(labels)["epoch"] for (name, labels), _ in self.gateway.series().items()
                if name == RESULTS}

    def wait_told(self, more_than, seconds=10):
        return wait_until(lambda: self.told() > more_than and self.told(),
                          f"more than {more_than} are told", seconds)

    def wait_durable(self, agent, seconds=10):
        return agent.wait_status(lambda s: s["store"]["state"] == "durable", "durable", seconds)

    def kill_worker(self, agent):
        worker = agent.worker
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: worker not in agent.children(), "the crash is noticed")
        wait_until(lambda: agent.children() and agent.answers(), "a new worker", 5)


class Restarts(StoreTest):
    def test_a_killed_agent_goes_on_exactly(self):
        for store in (True, False):
            with self.subTest(store=store):
                agent = self.agent(self.site(store, commit="60s"))
                kills = 3
                for _ in range(kills):
                    agent.wait_runs("p", self.target.count("/p") + 4)
                    self.kill_worker(agent)
                agent.wait_runs("p", self.target.count("/p") + 2)
                self.assertEqual(agent.terminate(), 0)
                served = self.target.count("/p")
                # A run that was in flight at a kill was served and is nobody's result.
                self.assertLessEqual(self.told(), served)
                self.assertGreaterEqual(self.told(), served - kills)
                self.assertEqual(len(self.epochs()), 1)
                self.target.served.clear()

    def test_totals_go_on_from_the_last_commit_when_the_parent_is_killed_too(self):
        agent = self.agent(self.site())
        epochs, last, rounds = set(), 0, 4
        for _ in range(rounds):
            told = self.wait_told(last + 5)
            self.assertGreaterEqual(told, last)
            epochs |= self.epochs()
            agent.kill()
            last = self.told()
            agent.start()
            self.wait_durable(agent)
            recovered = sum(agent.target("p")["results"].values())
            self.assertGreaterEqual(recovered, last, "what was told is kept")
            # A commit of a second holds up to five results; two more may be on their way.
            self.assertGreaterEqual(recovered + 10 * rounds, self.target.count("/p"))
        self.wait_told(last)
        self.assertEqual(agent.terminate(), 0)
        self.assertEqual(epochs | self.epochs(), epochs)
        self.assertEqual(len(epochs), 1)

    def test_an_orderly_end_loses_nothing_and_a_start_goes_on(self):
        agent = self.agent(self.site(commit="60s"))
        for life in range(1, 4):
            agent.wait_runs("p", self.target.count("/p") + 4)
            self.assertEqual(agent.terminate(), 0)
            self.assertEqual(self.told(), self.target.count("/p"))
            done = picketd("store", "verify", self.store)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            agent.start()
            agent.wait_log("stopped in order before", times=life)
        agent.terminate()
        self.assertEqual(len(self.epochs()), 1)
        # Each push that was accepted, the last ones of all lives but the newest included.
        log = agent.log()
        self.assertNotIn("push: failed", log)
        self.assertGreaterEqual(self.gateway.series().value("picket_push_attempts_total",
                                                            result="accepted"), 3)

    def test_a_store_that_appears_late_is_taken_up(self):
        agent = self.agent(self.site())
        before = self.wait_told(5)
        self.assertEqual(agent.terminate(), 0)
        before, first = self.told(), self.epochs()
        away = self.store.rename(self.store.with_suffix(".away"))
        late = self.folder / "not" / "mounted" / "store.pk"
        agent.write(self.site(path=late))
        agent.start()
        self.assertEqual(agent.wait_status(
            lambda s: s["store"]["state"] == "memory", "in memory")["store"]["trouble"], "denied")
        wait_until(lambda: len(self.epochs()) == 2 or self.epochs() != first, "an epoch of its own")
        late.parent.mkdir(parents=True)
        away.rename(late)
        agent.wait_log("another store has appeared|store.pk is out of the sandbox's reach now",
                       seconds=30)
        wait_until(lambda: self.epochs() == first, "the epoch of the store", 20)
        self.wait_durable(agent)
        self.assertGreaterEqual(self.told(), before)

    def test_a_reload_goes_on_and_names_stay_apart(self):
        for store in (True, False):
            with self.subTest(store=store):
                self.target.served.clear()
                agent = self.agent(self.site(store, names=("p", "q")))
                agent.wait_runs("p", 5)
                agent.wait_runs("q", 5)
                before = self.target.count("/q")
                agent.write(self.site(store, names=("new", "q", "p")))
                agent.signal(signal.SIGHUP)
                agent.wait_log("restarting")
                agent.wait_status(lambda status: len(status["targets"]) == 3, "anew")
                agent.wait_runs("new", 3)
                agent.wait_runs("q", before + 3)
                self.assertEqual(agent.terminate(), 0)
                for name in ("new", "q", "p"):
                    self.assertEqual(self.told(name), self.target.count("/" + name))
                self.assertEqual(len(self.epochs()), 1)


class Series(StoreTest):
    def test_all_that_is_pushed_with_a_store(self):
        agent = self.agent(self.site())
        self.wait_told(5)
        text = self.gateway.ours()
        self.assertEqual(promtool(text), "")
        series = parse_text(text)
        counters = set()
        for line in text.splitlines():
            if line.startswith("# TYPE ") and line.split()[3] in ("counter", "histogram"):
                counters.add(line.split()[2])
        epoch = agent.status()["store"]["epoch"]
        self.assertRegex(epoch, "^[0-9a-f]{8}$")
        for (name, labels), _ in series.items():
            for suffix in ("_bucket", "_sum", "_count"):
                name = name.removesuffix(suffix) if name.removesuffix(suffix) in counters else name
            self.assertEqual(dict(labels).get("epoch"), epoch if name in counters else None, name)
        self.assertEqual(series.value("picket_store_durable"), 1)
        self.assertEqual(series.total(TROUBLE), 0)
        self.assertEqual(series.value("picket_store_size_bytes"), 256 * 1024)
        self.assertGreater(series.value("picket_store_results"), 0)
        self.assertGreater(series.value("picket_store_written_bytes_total"), 4096)
        self.assertLess(series.value("picket_store_uncommitted_seconds"), 30)
        self.assertEqual(series.total("picket_store_errors_total"), 0)
        self.assertEqual(series.total("picket_store_dropped_results_total"), 0)

    def test_without_a_store_its_series_say_so(self):
        self.agent(self.site(store=False))
        self.wait_told(2)
        series = self.gateway.series()
        self.assertEqual(series.value("picket_store_durable"), 0)
        self.assertEqual(series.value(TROUBLE, cause="off"), 1)
        self.assertEqual(series.total(TROUBLE), 1)
        self.assertFalse(series.select("picket_store_size_bytes"))

    def test_totals_wait_for_their_commit_and_gauges_do_not(self):
        agent = self.agent(self.site(commit="1h"))
        wait_until(lambda: self.gateway.series().select("probe_success"), "a gauge")
        self.assertEqual(self.told(), 0)
        agent.wait_runs("p", 10)
        self.assertEqual(self.told(), 0)
        page = agent.status()["store"]
        self.assertGreaterEqual(page["uncommitted_results"], 10)
        self.assertEqual(agent.terminate(), 0)
        self.assertEqual(self.told(), self.target.count("/p"))


class Trouble(StoreTest):
    def status(self, agent, *arguments):
        return picketd("status", "--socket", agent.socket, *arguments)

    def test_a_path_that_cannot_be_is_told(self):
        agent = self.agent(self.site(path=self.folder / "none" / "none" / "store.pk"))
        self.wait_told(3)
        done = self.status(agent)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"(?m)^store    MEMORY: denied, tried again in ")
        self.assertEqual(self.gateway.series().value(TROUBLE, cause="denied"), 1)
        self.assertRegex(agent.log(), "store: in memory")
        self.assertEqual(agent.terminate(), 0)
        self.assertEqual(self.told(), self.target.count("/p"))

    def test_a_full_disk_is_told_and_the_store_comes_back_by_itself(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128K", "none", disk],
                                 capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("needs root and a tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", disk])
        agent = self.agent(self.site(path=disk / "store.pk"))
        self.wait_told(3)
        self.assertRegex(self.status(agent).stdout, r"(?m)^store    MEMORY: no_space, tried again")
        self.assertEqual(self.gateway.series().value(TROUBLE, cause="no_space"), 1)
        subprocess.run(["mount", "-o", "remount,size=4M", disk], check=True)
        self.wait_durable(agent, 30)
        done = self.status(agent)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^store    VOLATILE ")
        self.assertEqual(agent.terminate(), 0)
        self.assertEqual(len(self.epochs()), 1)
        self.assertEqual(self.told(), self.target.count("/p"))
        self.assertEqual(self.gateway.series().value("picket_store_volatile"), 1)

    def test_a_second_agent_on_the_same_store_is_told_and_harms_nobody(self):
        first = self.agent(self.site())
        self.wait_told(3)
        folder = self.folder / "second"
        folder.mkdir()
        second = self.closing(type(first)(folder, self.site()))
        second.wait_status(lambda s: s["store"]["trouble"] == "in_use", "it is in use")
        self.assertEqual(second.terminate(), 0)
        self.assertEqual(first.status()["store"]["state"], "durable")
        self.assertEqual(first.terminate(), 0)
        self.assertEqual(picketd("store", "verify", self.store).returncode, 0)


if __name__ == "__main__":
    unittest.main()
