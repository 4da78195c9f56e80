"""The last rungs of the ladder on a real driver: a watchdog that somebody else has, one that is let
go, one that cannot be, and a reset that the ladder itself asks for, within its budget.

Guards against what no driver made up by a test can show: that the kernel agrees."""

import json
import unittest

from watchdog_story import TIMEOUT, WatchdogStory

WATCHDOG = f"""timeout = {TIMEOUT}s
hang = 2s
abort = 1s
restarts = 2
safe_time = 1h
rejoin_tries = 1
reboot = on
reboot_budget = 1
"""
HOLD = "/tmp/hold"
# The agent is started again each time it ends, but not while it is held.
INITTAB = f"::sysinit:/bin/touch {HOLD}\n::respawn:/etc/start\n"
START = f"""#!/bin/sh
while [ -e {HOLD} ]; do usleep 100000; done
exec picketd run -c /etc/picket.conf
"""
# Another program that has the watchdog, and feeds it.
HOLDER = "while echo; do usleep 500000; done > /dev/watchdog"


class Ladder(WatchdogStory):
    machine = "virt"

    def files(self):
        files = super().files()
        config = files["etc/picket.conf"]
        config.write_text(config.read_text().replace(f"timeout = {TIMEOUT}s\n", WATCHDOG))
        return {**files, "etc/inittab": self.file("inittab", INITTAB, 0o644),
                "etc/start": self.file("start", START, 0o755)}

    def recovery(self):
        """{} while nobody answers. Its exit code tells of barred targets, which is no mistake."""
        text = self.board.run("picketd status -c /etc/picket.conf --format json || true")
        return json.loads(text)["recovery"] if text.startswith("{") else {}

    def wait_armed(self, seconds=30):
        self.board.wait(lambda: self.recovery().get("watchdog", {}).get("armed"), "it is fed",
                        seconds)

    def wait_said(self, text, seconds=30):
        self.board.wait(lambda: text in self.board.console(), text, seconds)

    def hold(self):
        """An orderly end, and nobody starts it again."""
        self.board.run(f"touch {HOLD}; killall picketd")
        self.board.wait(lambda: not self.board.run("pidof picketd || true").strip(), "it ends", 30)

    def let_go(self):
        self.board.run(f"until [ -e {HOLD} ]; do usleep 50000; done; rm {HOLD}")

    def agent(self):
        """Pid of the process that probes, 0: there is none."""
        parents = self.board.run("pidof picketd || true").split()
        for pid in parents:
            stat = self.board.run(f"cat /proc/{pid}/stat || true").split()
            if len(stat) > 3 and stat[3] in parents:
                return int(pid)
        return 0

    def crash(self, *before):
        """The agent, once it runs; its pid."""
        pid = self.board.wait(lambda: self.agent() not in (0, *before) and self.agent(),
                              "an agent", 60)
        self.wait_told(self.told() + 4, 60)  # this start is on record, and more than that
        self.board.run(f"kill -SEGV {pid}")
        return pid

    def test_what_a_driver_is_asked_for_it_does(self):
        self.board.wait_boot(1)
        self.somebody_else_has_it()
        self.an_orderly_end_stops_it()
        self.one_that_cannot_be_stopped_is_taken_over_and_fed_on()
        self.the_ladder_resets_the_board()
        self.the_budget_is_used_up()

    def somebody_else_has_it(self):
        """They are told of, and when they die the watchdog runs on and is taken over."""
        self.board.run(f"sh -c '{HOLDER}' < /dev/null > /dev/null 2>&1 & echo $! > /tmp/holder")
        self.board.wait(lambda: self.watchdog("state") == "active", "somebody has it", 20)
        self.let_go()
        self.wait_said("watchdog: /dev/watchdog is held by another process")
        self.wait_told(3, 60)
        self.assertFalse(self.recovery()["watchdog"]["armed"])
        self.board.run("kill -9 $(cat /tmp/holder)")
        self.wait_armed(10)
        self.wait_said(f"watchdog: fed from now on (i6300ESB timer, {TIMEOUT} s granted of "
                       f"{TIMEOUT} s asked)")
        self.assertEqual(self.watchdog("timeout"), str(TIMEOUT))

    def an_orderly_end_stops_it(self):
        self.hold()
        self.assertEqual(self.watchdog("state"), "inactive")

    def one_that_cannot_be_stopped_is_taken_over_and_fed_on(self):
        self.board.run("rmmod i6300esb && insmod /modules/i6300esb.ko nowayout=1")
        self.let_go()
        self.wait_said("granted of 10 s asked, cannot be stopped (nowayout)")
        self.wait_armed()
        self.hold()
        self.wait_said("it cannot be stopped, and resets the board unless somebody else feeds it")
        self.assertEqual(self.watchdog("state"), "active")
        self.let_go()
        self.wait_armed(TIMEOUT)
        self.wait_told(self.told() + TIMEOUT + 5, 8 * TIMEOUT)
        self.assertEqual((self.board.boots(), self.board.moments("WATCHDOG")), (1, []))

    def the_ladder_resets_the_board(self):
        pid = self.crash()
        pid = self.crash(pid)
        self.wait_said("safe mode: the canary alone")
        self.crash(pid)
        self.wait_said("safe mode could not be left 1 times: the board is reset")
        self.board.wait(lambda: self.board.moments("WATCHDOG"), "the watchdog bites", 4 * TIMEOUT)
        self.board.wait_boot(2)
        results = self.told()
        self.let_go()
        self.wait_told(results + 4, 60)
        told = self.receiver.told()
        for cause, count in (("watchdog", 1), ("crash", 3), ("stop", 2), ("hang", 0),
                             ("supervisor", 0), ("power", 0), ("unknown", 0)):
            self.assertEqual(told.value("picket_restarts_total", cause=cause), count, cause)
        self.assertEqual(told.value("picket_watchdog_resets_left"), 0)

    def the_budget_is_used_up(self):
        """No reset any more: neither by the ladder nor by a hang."""
        self.assertEqual(self.watchdog("state"), "inactive")
        self.assertFalse(self.recovery()["watchdog"]["armed"])
        pid = self.crash()
        pid = self.crash(pid)
        self.crash(pid)
        self.wait_said("the agent goes on with what runs well, and somebody has to look")
        self.wait_told(self.told() + TIMEOUT + 5, 8 * TIMEOUT)
        self.assertEqual(self.recovery()["phase"], "staying")
        self.assertEqual((self.board.boots(), len(self.board.moments("WATCHDOG"))), (2, 1))


if __name__ == "__main__":
    unittest.main()
