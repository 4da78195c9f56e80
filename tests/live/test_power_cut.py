"""Power cuts: a real agent on a real ext4 on a disk that loses its write cache.

Guards against a total that was told and is lost, a loss greater than `commit`, a result that nobody
served, and a store or a file system that does not come up again.

The disk (cut_disk.py) sits under a loop device. A cut is taken while the agent runs on: whatever
was written since the last flush is kept, lost, torn by sectors, or cut off, and that image is
mounted, which replays the journal of ext4, read, and given to an agent of its own. Needs root, a
loop device and FUSE. PICKET_SEED repeats a run, PICKET_CUTS says how many."""

import os
import random
import shutil
import time
import unittest

import cut_disk
import support
from accounting import Account, CountingTargets, Kill, Receiver, dump, is_counter, stats
from cut_disk import CutDisk
from support import BUILD, Agent, LiveTest, parse_text, picketd, run_tool, wait_until

SEED = int(os.environ.get("PICKET_SEED", random.randrange(1 << 32)))
CUTS = int(os.environ.get("PICKET_CUTS", "60"))
DISK = 16 << 20
COMMIT = 1.0
# A commit's own writes and syncs, on a busy machine, and the loop that begins it.
COMMITTING = 0.5 * support.PATIENCE
HOWS = ("kept", "lost", "writes", "sectors", "sectors", "prefix")
# Cuts of one run of an agent. Every fifth cut is another disk's: while its store is made.
CUTS_A_DISK = 12
MAKER = BUILD / "tests" / "store_maker"
# What is in the log before the agent begins, so that it is full.
OLD_BOOT, OLD_RUNS = 7, 1500
WHATS = ("ok", "fail", "slow", "flaky", "ok", "ok", "slow", "ok", "flaky", "hang")


def missing():
    """What this machine cannot do, or None."""
    if not os.path.exists("/dev/loop-control"):
        return "needs /dev/loop-control"
    for program in ("mkfs.ext4", "e2fsck", "mount"):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"needs {program}"
    return cut_disk.missing()


def counters(series):
    """Of the probes: those that a store keeps."""
    return {key: value for key, value in series.items()
            if key[0].startswith("picket_probe_") and is_counter(key[0])}


def plain(series):
    """Without the labels that `store dump` cannot know."""
    return {(name, frozenset((label, value) for label, value in labels
                             if label in ("probe", "kind", "instance", "result", "reason", "le"))):
            value for (name, labels), value in series.items()}


class PowerCut(LiveTest):
    def setUp(self):
        super().setUp()
        why = missing()
        if why:
            self.skipTest(why)
        print(f"PICKET_SEED={SEED}", flush=True)
        self.chance = random.Random(SEED)
        self.targets = self.closing(CountingTargets(SEED))
        self.lost = self.matched = self.pending = self.busy = self.recovered = self.unborn = 0
        self.wrapped = 0
        self.oldest = 0.0

    def config(self, name, store, urls, push, size, enabled="on"):
        text = (f"[agent]\nsite = {name}\nstore = {store}\nstore_size = {size}\nflash = disk\n"
                f"commit = {COMMIT:g}s\nconcurrency = 32\n"
                f"[push]\nurl = {push}\ninterval = 1s\ntimeout = 5s\n"
                f"[defaults]\ninterval = 200ms\ntimeout = 150ms\nenabled = {enabled}\n")
        return text + "".join(f"[http {probe}]\nurl = {url}\n" for probe, url in urls.items())

    def folder_of(self, name):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def mounted(self, image, at):
        run_tool("mount", "-t", "ext4", "-o", "loop", image, at)
        self.addCleanup(cut_disk.unmount, at)

    # ---- one disk ----

    def make_full(self, agent, store):
        """A store of these targets whose log is full, and gives up the oldest from now on: results
        of an earlier boot, made by the store's own code. Their number."""
        done = run_tool(MAKER, agent.config, store, OLD_BOOT, 1000, 0, OLD_RUNS, 30000, "close")
        run_tool("sync", store)
        return len(done.splitlines())

    def run_disk(self, number, cuts, size, full=False):
        """A new disk, a new agent on it, and cuts while it runs."""
        disk = CutDisk(self.folder / f"disk-{number}", DISK)
        mount = self.folder_of(f"mount-{number}")
        self.addCleanup(disk.close)
        run_tool("mkfs.ext4", "-q", "-F", "-b", "4096", disk.path)
        self.mounted(disk.path, mount)
        receiver = self.closing(Receiver())
        urls = {f"{what}{at}": self.targets.url(f"{number}-{at}", what)
                for at, what in enumerate(WHATS)}
        agent = self.closing(Agent(self.folder_of(f"agent-{number}"),
                                   self.config("cut", mount / "store.pk", urls, receiver.url, size),
                                   start=False))
        made = self.make_full(agent, mount / "store.pk") if full else 0
        agent.spawn()
        if cuts == 1:
            self.cut(disk, receiver, urls, f"{number}-birth", size, 0,
                     self.chance.randrange(24))
            agent.close()
            wait_until(lambda: not agent.children(), "it is gone")
        else:
            wait_until(lambda: len(receiver.bodies) >= 2, "totals are told", 30)
            for turn in range(cuts):
                time.sleep(self.chance.uniform(0, 0.8))
                # At any moment the disk is idle, as a rule; so most cuts are made in the middle of
                # what it is given to do.
                before = self.chance.choice((None, 0, 1, 1, 2, 3))
                self.cut(disk, receiver, urls, f"{number}-{turn}", size, made, before)
            self.assertEqual(agent.terminate(), 0, agent.log()[-2000:])
            self.assertIn("durable", agent.log())
            self.assertNotIn("in memory", agent.log())
        self.assertClean(agent)
        cut_disk.unmount(mount)
        disk.close()

    def cut(self, disk, receiver, urls, name, size, made, before):
        how, seed = self.chance.choice(HOWS), self.chance.randrange(1 << 32)
        image = self.folder / f"image-{name}"
        begun, over, pending = disk.cut(image, how, seed, before)
        self.pending += pending
        self.busy += pending > 0
        mount = self.folder_of("after")
        what = f"cut {name}, {how} {seed}, {pending} writes not flushed, PICKET_SEED={SEED}"
        run_tool("mount", "-t", "ext4", "-o", "loop", image, mount)
        try:
            # Told before the cut is what the receiver had in whole by then.
            told = counters(receiver.told(begun))
            self.judge(mount, told, urls, (begun, over), made, what)
            if (mount / "store.pk").exists():
                self.resume(mount, urls, told, size, what)
        finally:
            cut_disk.unmount(mount)
        wait_until(lambda: str(image) not in run_tool("losetup", "-a"), "the image is let go")
        run_tool("e2fsck", "-fn", image)
        image.unlink()

    def judge(self, mount, told, urls, cut, made, what):
        """What a reader finds after the cut."""
        store = mount / "store.pk"
        if not store.exists():
            self.assertEqual(told, {}, f"no store, but totals were told: {what}")
            self.unborn += 1
            return
        verify = picketd("store", "verify", "--format", "json", store)
        self.assertEqual(verify.returncode, 0, f"{what}\n{verify.stdout}{verify.stderr}")
        results = dump(store, but_boot=OLD_BOOT)
        served = {url: [one for one in self.targets.served(url) if one.came <= cut[1]]
                  for url in urls.values()}
        account = Account(urls.values(), [Kill(*cut, COMMIT + COMMITTING)], served, results)
        dropped = stats(store)["dropped"]
        self.assertEqual(account.problems, [], what)
        self.assertEqual(dropped["memory"] + dropped["damaged"], 0, what)
        old = sum(map(len, dump(store).values())) - sum(map(len, results.values()))
        self.assertEqual(dropped["wrap"] + old, made, what)
        self.wrapped += dropped["wrap"] > 0
        totals = plain(parse_text(picketd("store", "dump", "--format", "prom", store).stdout))
        for key, value in plain(told).items():
            self.assertGreaterEqual(totals.get(key, 0) + 1e-9, value, f"{key}: {what}")
        self.matched += account.matched
        self.lost += account.lost_uncommitted
        self.oldest = max(self.oldest, account.oldest_loss)
        self.recovered += 1

    def resume(self, mount, urls, told, size, what):
        """An agent goes on from there: in the same epoch, not below what was told, and with just
        what is in the store. It probes nothing: the requests are those of the agent under test."""
        receiver = Receiver()
        folder = self.folder_of("resumed")
        store = mount / "store.pk"
        kept = plain(parse_text(picketd("store", "dump", "--format", "prom", store).stdout))
        agent = Agent(folder, self.config("cut", store, urls, receiver.url, size, "off"),
                      start=False)
        try:
            agent.start()
            agent.wait_status(lambda status: status["store"]["state"] == "durable", what)
            self.assertEqual(agent.terminate(), 0, agent.log()[-2000:])
            self.assertClean(agent)
        finally:
            agent.close()
            receiver.close()
        now = counters(receiver.told())
        for key, value in told.items():
            self.assertIn(key, now, f"the epoch changed: {what}\n{agent.log()[-1000:]}")
            self.assertGreaterEqual(now[key] + 1e-9, value, f"{key}: {what}")
        for key, value in plain(now).items():
            self.assertAlmostEqual(kept.get(key, 0), value, msg=f"{key}: {what}")
        shutil.rmtree(folder)

    def test_a_cut_costs_at_most_what_was_not_committed(self):
        begun, number = time.monotonic(), 0
        births = CUTS // 5
        for number in range(births):
            self.run_disk(number, 1, "64K")
        cuts = births
        while cuts < CUTS:
            number += 1
            count = min(CUTS_A_DISK, CUTS - cuts)
            full = number % 2 == 1
            self.run_disk(number, count, "64K" if full else "256K", full)
            cuts += count
        print(f"{cuts} cuts of {number + 1} disks in {time.monotonic() - begun:.0f} s, {self.busy} "
              f"of them with {self.pending} writes not flushed; {self.unborn} before there was a "
              f"store, {self.recovered} stores verified, {self.wrapped} of them full; "
              f"{self.matched} requests found as results, {self.lost} not committed (the oldest "
              f"{self.oldest:.2f} s before its cut)", flush=True)
        self.assertGreater(self.lost, 0, "no cut had anything to lose: nothing was tested")


if __name__ == "__main__":
    unittest.main()
