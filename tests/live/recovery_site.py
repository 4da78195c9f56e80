"""What the tests of recovery share: an agent whose log is stamped line by line, faults put into it
from outside (faults.c), and a receiver of its own.

PICKET_TABLE names a file that gets the measured table too."""

import contextlib
import ctypes
import os
import re
import signal
import socket
import threading
import time

import support
from accounting import Receiver, is_counter
from store_site import Site
from support import Agent, ask, wait_until

FAULTS = support.BUILD / "tests" / "faults.so"
FAULT_SIGNAL = signal.SIGRTMIN + 7
SPIN, LOCK, ABORT, LEAK, FILES, SLOW, DIE, CONNECT = range(1, 9)  # as in faults.c

WHATS = ("ok", "slow", "flaky", "hang")


def preload():
    """For an agent's environment."""
    return {"LD_PRELOAD": str(FAULTS)}


def fault(pid, kind, amount=0):
    """sigqueue(3): the fault happens when the loop waits next."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
    if libc.sigqueue(pid, FAULT_SIGNAL, ctypes.c_void_p(kind | amount << 8)) != 0:
        raise OSError(ctypes.get_errno(), f"sigqueue to {pid}")


class StampedAgent(Agent):
    """Its log goes through a pipe, and each line has the moment it came."""

    def __init__(self, folder, config, **options):
        self.lines = []
        super().__init__(folder, config, **options)

    def spawn(self):
        reader, writer = os.pipe()
        self.stderr = writer
        super().spawn()
        os.close(writer)
        threading.Thread(target=self.read, args=(reader,), daemon=True).start()

    def read(self, reader):
        with open(reader, "rb") as stream, open(self.log_path, "ab", buffering=0) as log:
            for line in stream:
                self.lines.append((time.monotonic(), line.decode(errors="replace").rstrip("\n")))
                log.write(line)

    def moment(self, pattern, since=0.0, seconds=15.0):
        """When the first line that has it came."""
        found = re.compile(pattern)

        def look():
            return [at for at, line in list(self.lines) if at >= since and found.search(line)]
        return wait_until(look, f"a line with {pattern!r}: {self.log()[-2000:]}", seconds)[0]

    def exit_code(self):
        """What `status` would end with."""
        with contextlib.suppress(OSError):
            return ask(self.socket, b"text\n")[0]
        return None


class Told(Receiver):
    """A receiver as a gateway: what was told last."""

    def series(self):
        return support.Series(self.told())


class WatchedSite(Site):
    """Under load, with [watchdog] keys and a receiver of its own."""

    def __init__(self, test, name, watchdog="", whats=WHATS, env=None, **options):
        self.watchdog = watchdog
        self.receiver = test.closing(Told())
        super().__init__(test, name, self.receiver)
        self.urls = {f"{what}{number}": test.targets.url(f"{name}-{number}", what)
                     for number, what in enumerate(whats)}
        self.agent = test.closing(StampedAgent(self.folder, self.config(), start=False,
                                               env=env, **options))

    def series(self):
        return self.receiver.series()

    def requests(self, since):
        return sorted(one.came for url in self.urls.values()
                      for one in self.test.targets.served(url) if one.came > since)

    def wait_request(self, since, seconds=15.0):
        """When the first one after `since` came."""
        return wait_until(lambda: self.requests(since),
                          f"{self.name}: a request: {self.agent.log()[-2000:]}", seconds)[0]

    def wait_runs(self, runs):
        """Each target was asked that often from now on."""
        begin = {url: len(self.test.targets.served(url)) for url in self.urls.values()}
        wait_until(lambda: all(len(self.test.targets.served(url)) >= begin[url] + runs
                               for url in self.urls.values()),
                   f"{self.name}: {runs} runs: {self.agent.log()[-2000:]}", 30)

    def restarts(self):
        return self.agent.status()["recovery"]["restarts"]

    def check_history(self):
        """No counter fell from one push to the next, and there is one epoch."""
        test = self.test
        epochs = set()
        for (name, labels), values in self.receiver.history().items():
            if is_counter(name):
                test.assertEqual(values, sorted(values), f"{self.name}: {name} {dict(labels)}")
            epochs.add(dict(labels).get("epoch"))
        test.assertEqual(len(epochs - {None}), 1, epochs)


class NotifySocket:
    """What a service manager is told, and when."""

    def __init__(self, path):
        self.path = str(path)
        self.told = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        with contextlib.suppress(OSError):
            while True:
                message = self.socket.recv(4096).decode()
                self.told.append((time.monotonic(), message))

    def moments(self, word, since=0.0, until=float("inf")):
        return [at for at, message in list(self.told)
                if word in message.split("\n") and since <= at <= until]

    def states(self):
        return [message[7:] for _, message in list(self.told) if message.startswith("STATUS=")]

    def close(self):
        self.socket.close()


class Sink:
    """A file in the place of a watchdog's device: each byte and when it was seen."""

    def __init__(self, path):
        self.path = path
        self.bytes = []
        self.over = False
        path.touch(0o600)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        with open(self.path, "rb") as file:
            while not self.over:
                for byte in file.read():
                    self.bytes.append((time.monotonic(), byte))
                time.sleep(0.01)

    def moments(self, since=0.0, until=float("inf")):
        return [at for at, _ in list(self.bytes) if since <= at <= until]

    def close(self):
        self.over = True
        self.thread.join()
        self.path.unlink(missing_ok=True)


class Table:
    """What was measured against what may be, for people."""

    def __init__(self):
        self.rows = []
        self.lock = threading.Lock()

    def add(self, what, verdict, detected, detect_limit, recovered, recover_limit):
        with self.lock:
            self.rows.append((what, verdict, detected, detect_limit, recovered, recover_limit))

    def __str__(self):
        def cell(value):
            return "-" if value is None else f"{value:.2f} s"
        lines = ["| fault | told as | detected | at most | probing again | at most |",
                 "|---|---|---|---|---|---|"]
        for what, verdict, *times in self.rows:
            lines.append(f"| {what} | {verdict} | " + " | ".join(map(cell, times)) + " |")
        return "\n".join(lines) + "\n"

    def tell(self):
        if not self.rows:
            return
        print(f"\n{self}", flush=True)
        if path := os.environ.get("PICKET_TABLE"):
            with open(path, "w") as file:
                file.write(str(self))
