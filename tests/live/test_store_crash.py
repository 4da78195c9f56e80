"""The whole agent against kill -9, outages and restarts, before a real Pushgateway and Prometheus.

Guards against a total that goes backwards, one that differs from what the targets served, and a
loss greater than what a kill may cost. Every request served is accounted for (accounting.py).

PICKET_SEED repeats a run, PICKET_KILLS=N makes N times as many kills, PICKET_OUTAGE is how long the
outage lasts, in push intervals of 1 s."""

import contextlib
import os
import signal
import socket
import threading
import time
import unittest

import support
from accounting import Account, dump
from store_site import Site, StoreTest, counters_of
from support import Prometheus, Pushgateway, free_port, wait_until

KILLS = float(os.environ.get("PICKET_KILLS", "1"))
# Each of two sites: kills of the agent alone, and of agent and supervisor.
WORKER_KILLS, PAIR_KILLS = int(75 * KILLS), int(25 * KILLS)
OUTAGE = int(os.environ.get("PICKET_OUTAGE", "100"))


class Relay:
    """Between agent and receiver: `up`, `refuse` (nobody listens) or `silent` (takes all, answers
    nothing)."""

    def __init__(self, port):
        self.to = port
        self.port = free_port()
        self.mode = "refuse"
        self.listener = None
        self.open = set()
        self.attempts = 0

    def set(self, mode):
        self.mode = mode
        if mode == "refuse":
            self.stop_listening()
        elif self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
            threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()
        for one in list(self.open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def stop_listening(self):
        if self.listener:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None

    def serve(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.attempts += 1
                threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        self.open.add(client)
        with contextlib.suppress(OSError), client:
            if self.mode == "silent":
                while client.recv(65536):
                    pass
                return
            with socket.create_connection(("127.0.0.1", self.to)) as server:
                back = threading.Thread(target=self.copy, args=(server, client), daemon=True)
                back.start()
                self.copy(client, server)
                back.join()
        self.open.discard(client)

    @staticmethod
    def copy(source, to):
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                to.sendall(part)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_WR)

    def close(self):
        self.set("refuse")


class Storm(StoreTest):
    def assertNeverDecreases(self, prometheus, names, **labels):
        """By every sample Prometheus has stored; the number of samples."""
        matchers = ",".join(f'{name}="{value}"' for name, value in labels.items())
        count, worse = 0, []
        for name in sorted(names):
            for series, values in prometheus.samples(f"{name}{{{matchers}}}"):
                count += len(values)
                worse += [(series, at, before, after) for at, (before, after)
                          in enumerate(zip(values, values[1:])) if after < before]
        self.assertEqual(worse[:5], [], f"{len(worse)} decreases")
        return count

    def wait_scraped(self, prometheus, name, site, value):
        """Prometheus has seen these totals too."""
        query = f'{name}{{site="{site}"}}'

        def total():
            return sum(values[-1] for _, values in prometheus.samples(query, 60)) == value
        wait_until(total, f"{query} is {value}", 20)

    def test_kills_and_an_outage_lose_nothing_that_is_not_accounted_for(self):
        """Four sites under load are killed at random moments, two of them agent alone, two with
        their supervisor. Meanwhile a fifth has no receiver for OUTAGE push intervals."""
        for name in ("near", "far"):
            (self.folder / name).mkdir()
        gateway = self.closing(Pushgateway(self.folder / "near"))
        far = self.closing(Pushgateway(self.folder / "far"))
        prometheus = self.closing(Prometheus(self.folder, gateway, far))
        relay = self.closing(Relay(far.port))
        relay.set("up")

        sites = [Site(self, name, gateway) for name in ("w1", "w2", "p1", "p2")]
        away = Site(self, "away", far, push=f"http://127.0.0.1:{relay.port}")
        for one in (*sites, away):
            one.begin()
        threads = [sites[0].drive(sites[0].kill_worker, WORKER_KILLS),
                   sites[1].drive(sites[1].kill_worker, WORKER_KILLS),
                   sites[2].drive(sites[2].kill_pair, PAIR_KILLS),
                   sites[3].drive(sites[3].kill_pair, PAIR_KILLS),
                   away.drive(lambda: self.outage(away, relay), 1)]
        for thread in threads:
            thread.join(400 * support.PATIENCE * max(1, KILLS))
        for one in (*sites, away):
            self.assertIsNone(one.error, f"{one.name}: {one.error!r}")
            self.assertGreater(len(one.kills), 0)

        for one in (*sites, away):
            one.stop()
            self.wait_scraped(prometheus, "picket_probe_results_total", one.name,
                              one.series().total("picket_probe_results_total"))
        for one in (*sites, away):
            account = one.settle()
            self.assertEqual(len(one.epochs()), 1, one.name)
            epochs = {series["epoch"] for series, _ in
                      prometheus.samples(f'picket_probe_results_total{{site="{one.name}"}}')}
            self.assertEqual(epochs, one.epochs(), "one epoch, told from first to last")
            count = self.assertNeverDecreases(prometheus, counters_of(one.gateway), site=one.name)
            self.assertGreater(count, 1000)
            print(f"{one.name}: {len(one.kills)} kills; {account}; {count} samples", flush=True)
            self.assertClean(one.agent)

    def outage(self, one, relay):
        """OUTAGE push intervals; refused first, then unanswered, the agent killed in between."""
        def told():
            return one.series().total("picket_probe_results_total")

        wait_until(lambda: told() > 50, "totals were told")
        begun, epochs = time.monotonic(), one.epochs()
        relay.set("refuse")
        wait_until(lambda: one.agent.status()["push"]["failures_in_row"] > 0, "it is away")
        before = told()
        wait_until(lambda: time.monotonic() - begun > 0.6 * OUTAGE, "more than half of it", OUTAGE)
        relay.set("silent")
        one.kill_worker(within=5)
        wait_until(lambda: time.monotonic() - begun > OUTAGE, "all of it", 2 * OUTAGE)
        self.assertEqual(told(), before)
        relay.set("up")
        # The back-off has grown since the kill; the last push of an orderly end does not wait.
        wait_until(lambda: told() > before, "it is back", 180)
        self.assertEqual(one.epochs(), epochs)


class Receivers(StoreTest):
    def test_a_gateway_that_restarts_has_all_of_it_after_the_next_push(self):
        """Stopped in order it keeps its groups; killed it comes back with those of long ago."""
        kept = self.folder / "groups"
        gateway = self.closing(Pushgateway(self.folder, persistence=kept, interval="1h"))
        one = Site(self, "gateway", gateway)
        one.begin()

        def told():
            return one.series().total("picket_probe_results_total")

        def restart():
            again = self.closing(Pushgateway(self.folder, gateway.port, kept, "1h"))
            one.gateway = again
            first = told()
            wait_until(lambda: told() > before, "the next push", 40)
            return again, first

        wait_until(lambda: told() > 30, "totals were told", 30)
        before = told()
        gateway.process.terminate()
        gateway.process.wait(10)
        again, first = restart()
        self.assertGreaterEqual(first, before)
        wait_until(lambda: told() > before + 60, "more totals", 30)
        before = told()
        again.process.kill()
        again.process.wait(10)
        again, first = restart()
        self.assertLess(first, before, "it had forgotten some: else nothing was tested")
        one.stop()
        one.settle()
        self.assertEqual(len(one.epochs()), 1)


class Stops(StoreTest):
    def setUp(self):
        super().setUp()
        self.gateway = self.closing(Pushgateway(self.folder))

    def counts(self, one):
        """{probe: runs} as pushed; only what is pushed."""
        counts = {}
        for (name, labels), value in one.series().items():
            if name == "picket_probe_results_total":
                probe = dict(labels)["probe"]
                counts[probe] = counts.get(probe, 0) + value
        return counts

    def stage(self, one, urls):
        """Runs with these probes, then stops in order. What is pushed, and what is in the log."""
        one.urls = urls
        one.agent.write(one.config())
        one.begin()
        for url in urls.values():
            enough = len(self.targets.served(url)) + one.chance.randrange(2, 5)
            wait_until(lambda: len(self.targets.served(url)) >= enough, f"{enough} runs of {url}")
        one.stop()
        logged = {}
        for mine in dump(one.store).values():
            for result in mine:
                logged[result.probe] = logged.get(result.probe, 0) + 1
        return self.counts(one), logged

    def test_counters_follow_their_probe_through_changes_of_the_configuration(self):
        one = Site(self, "changes", self.gateway)
        urls = {name: self.targets.url(name, "ok" if number % 2 else "flaky")
                for number, name in enumerate("abcdef")}

        def chosen(*names, **more):
            return {**{name: urls[name] for name in names}, **more}

        first, logged = self.stage(one, chosen("a", "b", "c", "d"))
        self.assertEqual(first, logged)
        # b is gone, c is called e, f is new, d and a have changed places.
        second, logged = self.stage(one, chosen("d", "a", "f", e=urls["c"]))
        self.assertEqual(set(second), set("daef"))
        self.assertEqual(second, {name: logged[name] for name in "daef"})
        for name in "bc":
            self.assertEqual(logged[name], first[name], name)
        self.assertTrue(all(second[name] > first[name] for name in "ad"))
        # b is back, and so is c, under its old name.
        third, logged = self.stage(one, chosen("f", "c", "b", "a"))
        self.assertEqual(third, {name: logged[name] for name in "fcba"})
        self.assertTrue(all(third[name] > first[name] for name in "abc"))
        self.assertGreater(third["f"], second["f"])
        for name in "abdf":
            self.assertEqual(logged[name], len(self.targets.served(urls[name])), name)
        self.assertEqual(logged["c"] + logged["e"], len(self.targets.served(urls["c"])))
        self.assertEqual(len(one.epochs()), 1)
        everything = {name: urls[name] for name in "abcdf"}
        account = Account(everything.values(), [], {url: self.targets.served(url) for url in
                                                    everything.values()}, dump(one.store))
        self.assertEqual(account.problems, [])

    def test_a_stop_right_after_a_crash_loses_nothing(self):
        """The next life has hardly begun: what the last one left is in the supervisor's memory
        alone."""
        one = Site(self, "stops", self.gateway, commit=60)
        one.begin()
        for turn in range(12):
            one.wait_open()
            one.agent.wait_runs("ok0", turn + 1)
            worker = one.agent.worker
            begun = time.monotonic()
            os.kill(worker, signal.SIGKILL)
            one.new_worker(worker)
            one.killed(begun, 0)
            time.sleep(one.chance.uniform(0, 0.03))
            self.assertEqual(one.agent.terminate(), 0, one.agent.log()[-2000:])
            one.agent.spawn()
        one.stop()
        print(one.settle(), flush=True)


if __name__ == "__main__":
    unittest.main()
