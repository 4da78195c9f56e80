"""What the agent takes from the heap once it runs: nothing by itself. Fifty probes of all kinds run
with store, push and status page, and every allocation is counted for whose code it was made in.

Guards against a heap that grows or breaks up in years of running: our own code takes what it needs
before the first probe runs. Its libraries do take and give back; what they held at most is told."""

import mmap
import struct
import subprocess
import unittest

import link_map
from fifty_probes import NAMES, FiftyProbes
from support import BUILD, PICKETD, SANITIZED, LiveTest, ask

RUNS = 4  # of each probe: reused connections and resumed sessions come with the second
DOCUMENTS = "/", "/status.json", "/metrics"  # read after each run
WATCH = BUILD / "tests" / "heap_watch.so"
# What libraries may hold together at most, in KiB, on this 64-bit machine.
LIBRARIES_KIB = 2048

# The file of heap_watch.c.
OWNERS, PROCESSES, CALLERS, OWNER_BYTES = 16, 8, 64, 16
PROCESS = struct.Struct(f"3Q{4 * OWNERS}Q{2 * CALLERS}Q")
COUNTS = OWNERS * OWNER_BYTES + 8 + PROCESSES * PROCESS.size


class Counts:
    """One process: {owner: (calls, late calls, live bytes, peak bytes)}, and which of our own
    functions called late."""

    def __init__(self, names, values):
        self.pid, self.started, count = values[:3]
        self.owners = {name: values[3 + 4 * at:7 + 4 * at]
                       for at, name in enumerate(names) if name}
        callers = values[3 + 4 * OWNERS:]
        self.callers = list(zip(callers, callers[CALLERS:]))[:count]

    def late(self):
        return sum(self.owners[floor][1] for floor in link_map.FLOORS if floor in self.owners)

    def culprits(self):
        addresses = [hex(address) for address, _ in self.callers]
        lines = addresses and subprocess.run(
            ["addr2line", "-f", "-s", "-e", PICKETD, *addresses], capture_output=True, text=True,
            check=True).stdout.splitlines()
        return [f"{count} times in {function} ({line})" for (_, count), function, line
                in zip(self.callers, lines[::2], lines[1::2])]


def read_counts(path):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), COUNTS, prot=mmap.PROT_READ) as data:
        names = [data[at * OWNER_BYTES:(at + 1) * OWNER_BYTES].split(b"\0")[0].decode()
                 for at in range(OWNERS)]
        count, = struct.unpack_from("Q", data, OWNERS * OWNER_BYTES)
        first = OWNERS * OWNER_BYTES + 8
        return [Counts(names, PROCESS.unpack_from(data, first + at * PROCESS.size))
                for at in range(count)]


@unittest.skipIf(SANITIZED, "sanitizers have a heap of their own")
@unittest.skipUnless(WATCH.exists(), "the agent is linked statically")
class Heap(LiveTest):
    def watched(self, site):
        counts = self.file("counts", "")
        ranges = self.file("ranges", "".join(
            f"{first:x} {end:x} {owner}\n"
            for first, end, owner in link_map.code(f"{PICKETD}.map")))
        env = {"LD_PRELOAD": str(WATCH), "HEAP_WATCH_RANGES": str(ranges),
               "HEAP_WATCH_COUNTS": str(counts)}
        return self.agent(site.config("5s"), env=env), counts

    def test_nothing_is_allocated_after_start(self):
        site = FiftyProbes(self)
        agent, path = self.watched(site)
        for runs in range(1, RUNS + 1):
            for name in NAMES:
                agent.wait_runs(name, runs, 60)
            site.read_page(*DOCUMENTS)
        ask(agent.socket, b"text\n")
        for target in agent.status()["targets"]:
            self.assertEqual(target["results"]["failure"], 0, target)
        parent, worker = read_counts(path)
        self.assertEqual(worker.pid, agent.worker)
        for process in (parent, worker):
            self.assertEqual((process.started, process.late(), process.culprits()), (1, 0, []))
        self.assertGreater(worker.owners["probes"][0], len(NAMES), "the count counts nothing")
        self.assertGreater(worker.owners["microhttpd"][1], len(DOCUMENTS) * RUNS,
                           "nobody has read the page")
        print(f"\n{'':10}   at most KiB   now KiB   calls after start, {len(NAMES)} probes")
        for owner, (_, late, live, peak) in worker.owners.items():
            print(f"{owner:10} {peak / 1024:13.1f} {live / 1024:9.1f} {late:9}")
        held = sum(peak for owner, (_, _, _, peak) in worker.owners.items()
                   if owner not in link_map.FLOORS)
        self.assertLess(held, LIBRARIES_KIB * 1024)
