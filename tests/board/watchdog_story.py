"""A board whose agent is stopped dead: what its watchdog must do, and what the agent knows behind.

One boot tells all of it, since a boot and a watchdog's periods are what takes time; so it is one
test for each machine."""

import json
import time

from emulated_board import HOST, QEMU, Board, stripped, tool
from accounting import Receiver, is_counter
from support import LiveTest, Target

TIMEOUT = 10  # of the watchdog
FEED = 2      # feedings are at most this far apart
SLACK = 1.5   # the watchdogs count half seconds, and this machine has other work
PERIODS = 3
COMMIT = 2
RESULTS = "picket_probe_results_total"

CONFIG = """
[agent]
site = board
store = /mnt/store.pk
store_size = 256K
commit = {commit}s
flash = disk
[push]
url = http://{host}:{push}
interval = 2s
timeout = 2s
[watchdog]
device = /dev/watchdog
timeout = {timeout}s
[http portal]
url = http://{host}:{target}/portal
verify = off
interval = 1s
timeout = 900ms
"""

INITTAB = "::respawn:picketd run -c /etc/picket.conf\n"


class WatchdogStory(LiveTest):
    machine = None   # a file in boards/qemu/machines
    restart = None   # the cause the agent tells after the reset
    bootstatus = "0"

    def setUp(self):
        super().setUp()
        tool(QEMU / "fetch", self.machine)
        self.looked_at = self.results = 0
        self.target = self.closing(Target())
        self.receiver = self.closing(Receiver())
        self.board = self.closing(Board(self.folder, self.machine, self.files(),
                                       type(self).__name__.lower())).power_on()

    def files(self):
        config = CONFIG.format(commit=COMMIT, host=HOST, timeout=TIMEOUT, target=self.target.port,
                               push=self.receiver.server.server_port)
        return {"bin/picketd": stripped(self.folder),
                "etc/picket.conf": self.file("picket.conf", config, 0o644),
                "etc/inittab": self.file("inittab", INITTAB, 0o644)}

    def told(self):
        """Results the receiver has been told of."""
        pushes = len(self.receiver.bodies)
        if pushes != self.looked_at:  # a body is not taken apart at every look
            self.looked_at = pushes
            self.results = int(sum(value for (name, _), value in self.receiver.told().items()
                                   if name == RESULTS))
        return self.results

    def wait_told(self, results, seconds):
        return self.board.wait(lambda: self.told() >= results,
                               f"the receiver knows of {results} results", seconds)

    def watchdog(self, attribute):
        return self.board.run(f"cat /sys/class/watchdog/watchdog0/{attribute}").strip()

    def tell_story(self):
        self.feeding_keeps_the_board_up()
        stopped = self.stop_everything()
        self.board_is_reset_on_time(stopped)
        self.next_boot_goes_on_where_it_was()
        self.next_boot_knows_why()

    def feeding_keeps_the_board_up(self):
        """Guards against a watchdog that bites a healthy board, or that never ran."""
        self.board.wait_boot(1)
        self.assertEqual(self.watchdog("bootstatus"), "0")
        self.board.wait(lambda: self.watchdog("state") == "active", "the watchdog is started", 30)
        self.wait_told(1, 30)
        self.wait_told(self.told() + PERIODS * TIMEOUT + 1, 4 * PERIODS * TIMEOUT)
        self.assertEqual(self.watchdog("state"), "active")
        self.assertEqual(self.watchdog("timeout"), str(TIMEOUT))
        self.assertEqual(self.board.moments("WATCHDOG"), [])
        self.assertEqual(self.board.boots(), 1)

    def stop_everything(self):
        """The moment when supervisor and agent stand still."""
        self.board.run("kill -STOP $(pidof picketd)")
        return time.monotonic()

    def board_is_reset_on_time(self, stopped):
        """Guards against a feeder that outlives what it is to vouch for."""
        moment = self.board.wait(lambda: self.board.moments("WATCHDOG"), "the watchdog bites",
                                 3 * TIMEOUT)[0]
        self.assertGreater(moment - stopped, TIMEOUT - FEED - SLACK)
        self.assertLess(moment - stopped, TIMEOUT + SLACK)
        print(f"{self.machine}: reset {moment - stopped:.1f} s after the stop", flush=True)
        self.known, self.served = self.told(), self.target.count("/portal")
        self.board.wait_boot(2)
        print(f"{self.machine}: up again {time.monotonic() - moment:.1f} s later", flush=True)

    def next_boot_goes_on_where_it_was(self):
        """Guards against totals that are lost or counted twice, and against a store that does not
        come up again."""
        self.wait_told(self.known + 5, 30)
        told, served = self.told(), self.target.count("/portal")
        self.assertLessEqual(told, served)
        # What was not committed when all stood still, a run in flight, and what was not told yet.
        self.assertGreaterEqual(told, served - 2 * COMMIT - 4)
        for (name, labels), values in self.receiver.history().items():
            if is_counter(name):
                self.assertEqual(values, sorted(values), f"{name} {sorted(labels)} falls")

    def next_boot_knows_why(self):
        self.assertEqual(self.watchdog("bootstatus"), self.bootstatus)
        told = self.receiver.told()
        self.assertEqual(told.value("picket_restarts_total", cause=self.restart), 1)
        self.assertEqual(told.value("picket_watchdog_armed"), 1)
        self.assertEqual(told.value("picket_watchdog_resets_left"), 2)
        status = json.loads(
            self.board.run("picketd status -c /etc/picket.conf --format json"))["recovery"]
        self.assertEqual(status["before"]["cause"], self.restart)
        self.assertEqual(status["watchdog"],
                         {"armed": True, "timeout_seconds": TIMEOUT, "resets_left": 2})
