"""What fifty probes of all kinds take of a machine: memory that is resident, and stack.

Guards against tables that are touched as a whole, buffers that stay, and paths that go deeper than
a thread's stack. The stack's lowest byte that was ever written tells how deep a thread has been;
TLS with RSA and with ECDSA, regular expressions, Modbus, store, push and status page all run."""

import os
import pathlib
import re
import subprocess
import unittest

from fifty_probes import DEVICES, NAMES, FiftyProbes
from support import EMULATED, PICKETD, SANITIZED, LiveTest, wait_until

RUNS = 4  # of each probe
STACK = 32 * 1024
# A program that is linked dynamically holds parts of libc as well, some 2 MiB.
STATIC = "INTERP" not in subprocess.run(["readelf", "-l", PICKETD], capture_output=True,
                                        text=True).stdout
# With the pointers of 64 bits and the system's CAs, 0.3 MiB of them; a 32-bit board has less.
RESIDENT_KIB = 4352 if STATIC else 7168
PARENT_KIB = 2560


def stack_pointer(pid, thread):
    """Of a thread that waits."""
    path = pathlib.Path(f"/proc/{pid}/task/{thread}/syscall")
    return int(wait_until(lambda: path.read_text().split()[-2:-1], f"thread {thread} waits")[0], 16)


def stacks(pid):
    """{thread: (bytes it was deep, bytes its stack has)}"""
    maps = [(int(first, 16), int(end, 16)) for first, end in re.findall(
        r"^([0-9a-f]+)-([0-9a-f]+) ", pathlib.Path(f"/proc/{pid}/maps").read_text(), re.M)]
    found = {}
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for thread in map(int, os.listdir(f"/proc/{pid}/task")):
            pointer = stack_pointer(pid, thread)
            first, end = next(area for area in maps if area[0] <= pointer < area[1])
            memory.seek(first)
            stack = memory.read(end - first)
            untouched = len(stack) - len(stack.lstrip(b"\0"))
            top = end
            if thread == pid:  # above are arguments and environment
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]
                top = int(stat.split()[25])
            found[thread] = top - first - untouched, end - first
    return found


def memory(pid):
    """{field: KiB} of /proc/PID/smaps_rollup and status."""
    text = "".join(pathlib.Path(f"/proc/{pid}/{name}").read_text()
                   for name in ("smaps_rollup", "status"))
    return {name: int(size) for name, size in re.findall(r"(\w+):\s+(\d+) kB", text)}


@unittest.skipIf(SANITIZED or EMULATED, "sanitizers and emulators have memory of their own")
class Footprint(LiveTest):
    def test_fifty_probes_of_all_kinds(self):
        site = FiftyProbes(self)
        agent = self.agent(site.config("3s"))
        for name in NAMES:
            agent.wait_runs(name, RUNS, 60)
        agent.status()
        site.read_page("/")
        used, parent = memory(agent.worker), memory(agent.pid)  # reading stacks makes them resident
        # Told, and not limited: who is scraped has that text in memory beside the push's.
        site.read_page("/status.json", "/metrics")
        scraped = memory(agent.worker)["VmHWM"]
        deepest = self.deepest(agent)
        print(f"\n{len(NAMES)} probes: resident {used['VmRSS']} KiB, greatest {used['VmHWM']}; "
              f"{used['RssAnon']} its own, {used['RssFile']} of files; parent {parent['VmRSS']}; "
              f"greatest once scraped {scraped}")
        for kind, (depth, size) in deepest.items():
            print(f"stack of {kind:7} {depth:6} bytes of {size}")
        for kind, (depth, size) in deepest.items():
            self.assertLess(depth, STACK, kind)
            self.assertLess(depth, size / 2, kind)
        self.assertLessEqual(used["VmHWM"], RESIDENT_KIB)
        self.assertLessEqual(parent["VmRSS"], PARENT_KIB)

    def deepest(self, agent):
        """{kind of thread: (bytes it was deep, bytes its stack has)}"""
        deep = stacks(agent.worker)
        found = {"parent": max(stacks(agent.pid).values()), "agent": deep.pop(agent.worker)}
        self.assertEqual(len(deep), 1 + DEVICES)
        if not STATIC:  # musl puts other memory beside them, and the system makes one area of all
            found["store"] = min(deep.values(), key=lambda size: size[1])
            found["modbus"] = max(size for size in deep.values() if size[1] >= 64 * 1024)
        return found
