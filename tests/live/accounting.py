"""Accounts: every request a target served against every result the store holds.

A target logs when each request came and when it was answered, by the same monotonic clock the agent
stamps its results with. Runs of one target never overlap, so a request belongs to at most one
result. What has none must have been in flight when the agent was killed, or stand in the window
that a kill of agent and supervisor may cost; anything left over is the test's failure."""

import asyncio
import collections
import contextlib
import http.server
import json
import random
import threading
import time

from support import PATIENCE, parse_protobuf, picketd

# A run's start is kept to the millisecond.
STAMP = 0.002
# How long after its answer left a target a result may take to be recorded, on a busy machine.
RECORDING = 0.4 * PATIENCE
# How long after it was sent a request may be noticed by a busy target.
ARRIVING = 0.2 * PATIENCE


class Request:
    __slots__ = ("came", "ended")

    def __init__(self, came):
        self.came = came
        self.ended = None  # answered, or given up by the agent; None: still open


class CountingTargets:
    """One http server. The path /NAME/WHAT says how a target answers: `ok` 200, `fail` 503, `flaky`
    either, `slow` 200 after 30 to 130 ms, `hang` never."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.requests = collections.defaultdict(list)
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,), daemon=True)
        self.thread.start()
        ready.wait(10)

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=512))
        self.port = self.server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()
        self.server.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def serve(self, reader, writer):
        request = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            request = Request(time.monotonic())
            path = head.split(b" ", 2)[1].decode()
            self.requests[path].append(request)
            what = path.rsplit("/", 1)[1]
            if what == "slow":
                await asyncio.sleep(self.chance.uniform(0.03, 0.13))
            elif what == "hang":
                await reader.read()  # until the agent has had enough
            if what != "hang":
                fails = what == "fail" or (what == "flaky" and self.chance.random() < 0.3)
                # Counted first: the agent must not know of an answer that we do not.
                request.ended = time.monotonic()
                writer.write(b"HTTP/1.1 " + (b"503 No" if fails else b"200 Yes") +
                             b"\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfine\n")
                await writer.drain()
        if request and request.ended is None:
            request.ended = time.monotonic()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()

    def url(self, name, what):
        return f"http://127.0.0.1:{self.port}/{name}/{what}"

    def served(self, url):
        """A copy of the log of one target, in order."""
        path = "/" + url.split("/", 3)[3]
        return list(self.requests[path])

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


class Receiver:
    """Takes every push and keeps what was told, and when."""

    def __init__(self):
        self.bodies = []  # (moment it was here in whole, bytes)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.bodies.append((time.monotonic(), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_PUT

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def told(self, until=float("inf")):
        """The last body that was here by then."""
        last = [body for moment, body in self.bodies if moment <= until][-1:]
        return parse_protobuf(last[0]) if last else {}

    def history(self):
        """Each series over all bodies: {(name, labels): [value, …]}."""
        history = collections.defaultdict(list)
        for _, body in list(self.bodies):
            for key, value in parse_protobuf(body).items():
                history[key].append(value)
        return history

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def is_counter(name):
    return name.startswith("picket_") and name.endswith(("_total", "_count", "_sum", "_bucket"))


# Of such a run nothing may have been seen, and none of one that could not be made.
NEED_NOT_ARRIVE = ("timeout", "connect", "refused", "reset")

Result = collections.namedtuple("Result", "start end outcome reason number probe")


def dump(path, but_boot=None):
    """{instance: its results in order} of a store; without those of one boot, if asked."""
    done = picketd("store", "dump", "--format", "json", path, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"store dump: exit {done.returncode}: {done.stderr}")
    results, numbers = collections.defaultdict(list), []
    for line in done.stdout.splitlines():
        one = json.loads(line)
        start = one["monotonic_ms"] / 1000
        numbers.append(one["number"])
        if int(one["boot"], 16) == but_boot:
            continue
        results[one["instance"]].append(Result(start, start + one["duration_seconds"],
                                               one["outcome"], one["reason"], one["number"],
                                               one["probe"]))
    if any(b != a + 1 for a, b in zip(numbers, numbers[1:])):
        raise AssertionError(f"numbers of results have holes or turns: {path}")
    return results


def stats(path):
    done = picketd("store", "stats", "--format", "json", path, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"store stats: exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


class Kill:
    """The agent died between `begun` and `over`; up to `window` seconds before that may be lost
    (0: only what was in flight)."""

    def __init__(self, begun, over, window=0.0):
        self.begun, self.over, self.window = begun, over, window

    def __repr__(self):
        return f"kill {self.begun:.3f}..{self.over:.3f} window {self.window:g}"


def pair(requests, results, turn_takes=STAMP):
    """Requests without a result, and results without a request. `turn_takes`: a turn of the agent's
    loop, whose beginning is the end of all results in it, and the start of all runs it starts: the
    request of a run that was answered may thus come after the next run's start."""
    alone, invented = [], []
    turn = 0
    for number, result in enumerate(results):
        following = results[number + 1].start if number + 1 < len(results) else float("inf")
        # A request that reaches a busy target after its run timed out still belongs to that run.
        late = 1.0 * PATIENCE if result.reason == "timeout" else turn_takes
        until = result.end + late
        if result.outcome != "success" and result.reason != "status":
            until = min(until, max(following - STAMP, result.end))
        while turn < len(requests) and requests[turn].came < result.start - STAMP:
            alone.append(requests[turn])
            turn += 1
        if turn < len(requests) and requests[turn].came <= until:
            turn += 1
        elif result.outcome != "unknown" and result.reason not in NEED_NOT_ARRIVE:
            invented.append(result)
    alone.extend(requests[turn:])
    return alone, invented


class Account:
    """Of one agent: what its targets served, and what its store says."""

    def __init__(self, urls, kills, requests, results, begun=0.0, turn_takes=STAMP):
        self.lost_in_flight = self.lost_uncommitted = self.matched = 0
        self.oldest_loss = 0.0  # seconds before its kill at which a lost result was recorded
        self.problems = []
        in_flight, uncommitted = set(), collections.defaultdict(list)
        for url in urls:
            served = [one for one in requests[url] if one.came >= begun]
            alone, invented = pair(served, results[url], turn_takes)
            self.matched += len(served) - len(alone)
            self.problems += [f"{url}: a result nobody served: {one}" for one in invented]
            for request in alone:
                self.explain(url, request, kills, in_flight, uncommitted)
        unknown = [url for url in results if url not in urls and results[url]]
        self.problems += [f"{url}: results of a target that is not there" for url in unknown]
        self.check_prefixes(results, uncommitted)

    def explain(self, url, request, kills, in_flight, uncommitted):
        ended = request.ended if request.ended is not None else float("inf")
        for kill in kills:
            before = request.came <= kill.over + ARRIVING
            if before and kill.begun <= ended + RECORDING:
                if (url, kill) not in in_flight and kill.window == 0:
                    in_flight.add((url, kill))
                    self.lost_in_flight += 1
                    return
            if kill.window and before and ended >= kill.begun - kill.window:
                uncommitted[kill].append((url, request))
                self.lost_uncommitted += 1
                self.oldest_loss = max(self.oldest_loss, kill.begun - ended)
                return
        near = min(kills, key=lambda kill: abs(kill.begun - request.came), default=None)
        self.problems.append(f"{url}: a request of {request.came:.3f} to {ended:.3f} is in no "
                             f"result; nearest: {near}")

    def check_prefixes(self, results, uncommitted):
        """What a kill took is the end of the log: nothing newer than a lost result is left."""
        ends = sorted((one.end, url) for url in results for one in results[url])
        for kill, lost in uncommitted.items():
            first = min(request.ended if request.ended is not None else kill.begun
                        for _, request in lost)
            newer = [end for end, _ in ends if first + RECORDING < end < kill.begun]
            if newer:
                self.problems.append(f"{kill}: lost from {first:.3f} on, but {len(newer)} results "
                                     f"from {newer[0]:.3f} on are there")

    def __str__(self):
        return (f"{self.matched} requests are results, {self.lost_in_flight} were in flight at a "
                f"kill, {self.lost_uncommitted} not committed (the oldest {self.oldest_loss:.2f} s "
                "before its kill)")


def scheduled(results, missed, lives, interval):
    """Of one target: starts that were scheduled between the first and the last run of each life of
    the agent, results, and missed runs. A life is (begun, ended). What was missed before the first
    run or after the last one of a life is in `missed` but not between; so between the two sides
    stand at most two missed runs a life."""
    starts = counted = 0
    for begun, ended in lives:
        own = [one.start for one in results if begun <= one.start <= ended]
        if own:
            starts += round((own[-1] - own[0]) / interval) + 1
            counted += len(own)
    return starts, counted, missed
