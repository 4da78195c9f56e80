"""The i.MX6 gateway with its own watchdog. Its emulation forgets the cause of a reset, as many real
boards do: the agent must not make one up."""

import unittest

from watchdog_story import WatchdogStory


class SabreLite(WatchdogStory):
    machine = "sabrelite"
    restart = "unknown"

    def test_stopped_agent_resets_the_board_and_its_totals_go_on(self):
        self.tell_story()


if __name__ == "__main__":
    unittest.main()
