"""The whole agent, its store on a medium that fails: full, broken, read-only, hanging, volatile.

Guards against a disk that stops the probes, a series that goes backwards, a result told twice or by
nobody when the store moves to memory and back, and an agent that needs a restart to come back.
PICKET_SEED repeats a run. Needs root and FUSE (cut_disk.py)."""

import errno
import unittest

import cut_disk
import support
from accounting import Account, Receiver, dump, is_counter, stats
from cut_disk import CutDisk
from store_site import Site, StoreTest
from support import picketd, wait_until


class Media(StoreTest):
    """The store's file is on a medium that fails on demand, and is whole again later."""

    def setUp(self):
        super().setUp()
        why = cut_disk.missing()
        if why:
            self.skipTest(why)

    def begin(self, name):
        """An agent that goes on, on this medium, with a store made elsewhere."""
        receiver = self.closing(Receiver())
        # More commits than pushes: when the trouble begins, some of what is durable was not told.
        one = Site(self, name, None, push=receiver.url, commit=1.0, every=4)
        one.receiver = receiver
        one.begin()
        one.agent.wait_runs("ok0", 3)
        one.stop()
        disk = CutDisk(one.folder / "medium", one.store.stat().st_size)
        self.addCleanup(disk.close)
        disk.load(one.store)
        one.store = one.folder / "medium"
        one.agent.write(one.config())
        one.begin()
        self.wait_store(one, "durable")
        return one, disk

    def wait_store(self, one, state, trouble="", seconds=20):
        return one.agent.wait_status(
            lambda status: (status["store"]["state"], status["store"]["trouble"]) ==
            (state, trouble or None), f"{one.name}: {state} {trouble}", seconds)

    def wait_told(self, one, durable, cause=None):
        def look():
            told = support.Series(one.receiver.told())
            return (told.select("picket_store_durable") and
                    told.value("picket_store_durable") == durable and
                    (not cause or told.value("picket_store_trouble", cause=cause) == 1) and told)
        return wait_until(look, f"{one.name}: told that durable is {durable}, {cause}", 25)

    def trouble(self, one, disk, trouble, begin, seconds=15):
        """Trouble comes and goes; the agent stays."""
        worker = one.agent.worker
        epoch = self.wait_store(one, "durable")["store"]["epoch"]
        begin()
        self.wait_store(one, "memory", trouble, seconds)
        self.wait_told(one, 0, trouble)
        served = len(self.targets.served(one.urls["ok0"]))
        one.agent.wait_status(lambda status: status["store"]["epoch"] != epoch, "a new epoch", 20)
        wait_until(lambda: len(self.targets.served(one.urls["ok0"])) > served + 2, "probes go on")
        disk.heal()
        self.wait_store(one, "durable", seconds=60)
        self.wait_told(one, 1)
        self.assertEqual(one.agent.worker, worker, "no restart")

    def judge(self, one, epochs):
        """All that was served was told, each under one epoch, and no series ever went down."""
        one.stop()
        self.assertClean(one.agent)
        history = one.receiver.history()
        worse = [key for key, values in history.items() if is_counter(key[0]) and
                 any(after < before for before, after in zip(values, values[1:]))]
        self.assertEqual(worse, [])
        told, seen = {}, set()
        for (name, labels), values in history.items():
            labels = dict(labels)
            if name == "picket_probe_results_total":
                told[labels["probe"]] = told.get(labels["probe"], 0) + values[-1]
                seen.add(labels["epoch"])
        self.assertEqual(len(seen), epochs)
        served = {url: self.targets.served(url) for url in one.urls.values()}
        self.assertEqual(told, {probe: len(served[url]) for probe, url in one.urls.items()})
        self.assertEqual(picketd("store", "verify", one.store).returncode, 0)
        account = Account(one.urls.values(), [], served, dump(one.store))
        self.assertEqual(account.problems, [])
        self.assertEqual(stats(one.store)["dropped"], {"wrap": 0, "memory": 0, "damaged": 0})

    def test_a_failing_medium_costs_an_epoch_and_nothing_else(self):
        one, disk = self.begin("fails")
        hung, slow = self.begin("hangs")
        hanging = hung.drive(lambda: self.trouble(hung, slow, "hung", lambda: slow.fail(sync=0),
                                                  seconds=50), 1)
        for operation, number, trouble in (("write", errno.ENOSPC, "no_space"),
                                           ("sync", errno.EIO, "io"),
                                           ("write", errno.EROFS, "read_only")):
            self.trouble(one, disk, trouble, lambda: disk.fail(**{operation: number}))
        self.judge(one, 4)
        hanging.join(120 * support.PATIENCE)
        self.assertIsNone(hung.error, repr(hung.error))
        self.judge(hung, 2)

    def test_a_passing_fault_costs_nothing(self):
        """One write or sync that fails is repeated elsewhere."""
        one, disk = self.begin("passes")
        for operation, times in (("sync", 1), ("write", 1), ("sync", 2), ("write", 2)):
            before = disk.counts()
            disk.fail(times, **{operation: errno.EIO})
            wait_until(lambda: disk.counts()[2] == before[2] + times, f"{operation} fails", 10)
            done = disk.counts()
            wait_until(lambda: disk.counts()[1] > done[1], "the commit goes through", 10)
            self.wait_store(one, "durable")
        self.judge(one, 1)

    def test_a_file_system_in_memory_is_told_as_such(self):
        receiver = self.closing(Receiver())
        memory = self.folder / "memory"
        memory.mkdir()
        cut_disk.mount("none", memory, "tmpfs", data="size=4m")
        self.addCleanup(cut_disk.unmount, memory)
        one = Site(self, "volatile", None, push=receiver.url)
        one.receiver = receiver
        one.store = memory / "store.pk"
        one.agent.write(one.config())
        one.begin()
        self.assertTrue(one.agent.wait_status(lambda status: status["store"]["state"] == "durable",
                                              "it is open")["store"]["volatile"])
        told = support.Series(wait_until(receiver.told, "a push"))
        self.assertEqual(told.value("picket_store_volatile"), 1)
        self.assertRegex(support.ask(one.agent.socket, b"text\n")[1], "(?m)^store +VOLATILE")
        one.stop()


if __name__ == "__main__":
    unittest.main()
