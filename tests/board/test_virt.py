"""A board whose watchdog driver tells the cause of the last reset."""

import unittest

from watchdog_story import WatchdogStory


class Virt(WatchdogStory):
    machine = "virt"
    restart = "watchdog"
    bootstatus = "32"  # WDIOF_CARDRESET

    def test_stopped_agent_resets_the_board_and_the_next_one_knows_it(self):
        self.tell_story()


if __name__ == "__main__":
    unittest.main()
