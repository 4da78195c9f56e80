"""The accounts themselves: that a loss, an invention or a double count does not pass unseen."""

import unittest
from unittest import mock

import accounting
from accounting import Account, Kill, Request, Result


def request(came, ended):
    one = Request(came)
    one.ended = ended
    return one


def result(start, end, reason=None):
    return Result(start, end, "failure" if reason else "success", reason, 1, "p")


# What it is, requests, results, kills, problems.
ROWS = (
    ("all are results", [(1.1, 1.2), (2.1, 2.2)], [(1.1, 1.2), (2.0995, 2.2)], [], 0),
    ("one is lost", [(1.1, 1.2), (2.1, 2.2)], [(1.1, 1.2)], [], 1),
    ("the first is lost", [(1.1, 1.2), (2.1, 2.2)], [(2.1, 2.2)], [], 1),
    ("one is invented", [(1.1, 1.2)], [(1.1, 1.2), (2.0, 2.1)], [], 1),
    ("one is counted twice", [(1.1, 1.2)], [(1.1, 1.2), (1.1, 1.2)], [], 1),
    ("a timeout need not have arrived", [], [(1.1, 1.4, "timeout")], [], 0),
    ("in flight at a kill", [(1.1, 1.2)], [], [(1.15, 1.16)], 0),
    ("never answered, in flight at a kill", [(1.1, None)], [], [(1.15, 1.16)], 0),
    ("one of two was in flight", [(1.0, 1.05), (1.1, 1.2)], [], [(1.15, 1.16)], 1),
    ("long before a kill", [(1.1, 1.2)], [], [(9.0, 9.1)], 1),
    ("not committed", [(1.0, 1.05)], [], [(3.0, 3.1, 2.0)], 0),
    ("should have been committed", [(1.0, 1.05)], [], [(9.0, 9.1, 2.0)], 1),
    ("lost, but newer ones are there", [(1.0, 1.05), (2.0, 2.05)], [(2.0, 2.05)],
     [(3.0, 3.1, 2.5)], 1),
)


class Accounts(unittest.TestCase):
    def test_what_does_not_add_up_is_a_problem(self):
        for what, requests, results, kills, problems in ROWS:
            # The rows are made for a machine that is not busy.
            with self.subTest(what), mock.patch.multiple(accounting, RECORDING=0.4, ARRIVING=0.2):
                account = Account(["u"], [Kill(*kill) for kill in kills],
                                  {"u": [request(*one) for one in requests]},
                                  {"u": [result(*one) for one in results]})
                self.assertEqual(len(account.problems), problems, account.problems)

    def test_results_of_a_target_that_is_not_there_are_a_problem(self):
        self.assertEqual(len(Account([], [], {}, {"v": [result(1, 2)]}).problems), 1)


if __name__ == "__main__":
    unittest.main()
