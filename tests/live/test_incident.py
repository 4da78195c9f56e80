"""store dump --incident: a real agent through a bad quarter of a minute, and what its store tells
of it afterwards, against what was really done.

Guards against a timeline that leaves out, invents or miscounts, and Markdown that a name breaks."""

import datetime
import json
import os
import re
import signal
import time
import unittest

from support import LiveTest, Pushgateway, Target, free_port, picketd, wait_until


def stamp(moment):
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).isoformat()


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Incident(LiveTest):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store.pk"

    def site(self, port, gateway_port):
        return (f"[agent]\nsite = s\nstore = {self.store}\nflash = disk\ncommit = 1s\n"
                f"[push]\nurl = http://127.0.0.1:{gateway_port}\ninterval = 1s\ntimeout = 500ms\n"
                "[defaults]\ninterval = 500ms\ntimeout = 400ms\n"
                f"[http portal]\nurl = http://127.0.0.1:{port}/a|b`<i>\n"
                "slo = availability 90% 1d\nslo = latency 95% 300ms 1d\n"
                f"[http slow]\nurl = http://127.0.0.1:{port}/slow/0.05\n"
                "slo = latency 95% 20ms 1d\n"
                f"[tcp steady]\naddress = 127.0.0.1:{port}\n"
                "[slo both]\nprobe = portal\nprobe = steady\nslo = availability 80% 1d\n")

    def dump(self, *arguments):
        return picketd("store", "dump", *arguments, self.store)

    def incident(self, begin, end, *arguments):
        done = self.dump("--incident", stamp(begin), stamp(end), *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def live_through_it(self):
        target = self.closing(Target())
        gateway = Pushgateway(self.folder)
        agent = self.agent(self.site(target.port, gateway.port))
        agent.wait_status(lambda status: status["push"]["attempts"]["accepted"] > 1, "pushes")
        agent.wait_runs("portal", 3)
        begin = time.time()
        target.close()
        gateway.close()
        agent.wait_status(lambda status: status["push"]["failures_in_row"] > 2, "lost pushes", 30)
        agent.wait_runs("portal", agent.target("portal")["results"]["failure"] + 8)
        time.sleep(1.2)  # a commit
        agent.kill()
        agent.close()
        time.sleep(2)
        target = self.closing(Target(target.port))
        self.closing(Pushgateway(self.folder, gateway.port))
        agent.start()
        agent.wait_status(lambda status: status["push"]["failures_in_row"] == 0 and
                          status["push"]["last_result"] == "accepted", "pushes again", 30)
        runs = sum(agent.target("portal")["results"].values())
        agent.wait_runs("portal", runs + 4)
        self.assertEqual(agent.terminate(), 0)
        return begin, time.time() + 1

    def test_the_timeline_is_what_happened(self):
        begin, end = self.live_through_it()
        config = self.folder / "site.conf"
        told = json.loads(self.incident(begin, end, "--config", config, "--format", "json"))
        events = told["timeline"]
        kinds = [event["event"] for event in events]
        self.assertEqual([event["time"] for event in events],
                         sorted(event["time"] for event in events))

        failures = [event for event in events if event["event"] == "failure"]
        self.assertEqual({event["probe"] for event in failures}, {"portal", "slow", "steady"})
        # A connection that the target had not taken when it ended is reset.
        self.assertLessEqual({event["reason"] for event in failures},
                             {"refused", "reset", "timeout"})
        self.assertEqual({event["phase"] for event in failures if event["reason"] == "refused"},
                         {"connect"})
        self.assertLess(moment(failures[0]["time"]) - begin, 5)
        recoveries = [event for event in events if event["event"] == "recovery"]
        self.assertEqual(sorted(event["probe"] for event in recoveries),
                         ["portal", "slow", "steady"])
        start, = [event for event in events if event["event"] == "start"]
        self.assertRegex(start["words"], r"the run before ended by \w+, nothing was measured for")
        self.assertEqual((kinds.count("push_lost") > 0, kinds.count("push_resumed")), (True, 1))
        self.assertGreaterEqual(told["pushes_lost"], 3)
        self.assertEqual(told["starts"], 1)
        self.assertNotIn("gap", kinds)

        # The sums are those of the dump of the same time.
        lines = [json.loads(line) for line in self.dump(
            "--since", stamp(begin), "--until", stamp(end), "--format", "json").stdout.splitlines()]
        earlier = [json.loads(line) for line in self.dump(
            "--until", stamp(begin), "--format", "json").stdout.splitlines()]
        self.assertEqual(told["results"], len(lines))
        for target in told["targets"]:
            own = [line for line in lines if line["probe"] == target["probe"]]
            for outcome in ("success", "failure", "unknown"):
                self.assertEqual(target[outcome],
                                 sum(line["outcome"] == outcome for line in own), target)
            failed = [line["time"] for line in own if line["outcome"] == "failure"]
            self.assertEqual((target["first_failure"], target["last_failure"]),
                             (min(failed), max(failed)))
            streaks = [event for event in failures if event["probe"] == target["probe"]]
            self.assertEqual(sum(event["count"] for event in streaks), target["failure"])
            reasons = {reason: sum(line["reason"] == reason for line in own)
                       for reason in {line["reason"] for line in own} - {None, ""}}
            self.assertEqual(target["reasons"], reasons)
            self.same_mean(target["success_mean_seconds"], own)
            self.same_mean(target["success_mean_before_seconds"],
                           [line for line in earlier if line["probe"] == target["probe"]])
            recovery, = [one for one in recoveries if one["probe"] == target["probe"]]
            self.assertEqual(recovery["count"], target["failure"])

        portal = [line for line in lines if line["probe"] == "portal"]
        budgets = {budget["slo"]: budget for budget in told["budgets"]}
        good = sum(line["outcome"] == "success" for line in portal)
        bad = sum(line["outcome"] == "failure" for line in portal)
        self.assertEqual((budgets["availability"]["good"], budgets["availability"]["bad"]),
                         (good, bad))

        def all_lines_of(*probes):
            every = [json.loads(line)
                     for line in self.dump("--format", "json").stdout.splitlines()]
            return [line for line in every if line["probe"] in probes]

        events_of_window = sum(line["outcome"] != "unknown" for line in all_lines_of("portal"))
        self.assertAlmostEqual(budgets["availability"]["budget_spent_ratio"],
                               bad / (events_of_window * 0.1), 6)
        self.assertEqual(budgets["latency_300ms"]["bad"],
                         sum(line["outcome"] == "failure" or line["duration_seconds"] > 0.3
                             for line in portal if line["outcome"] != "unknown"))

        slow = [line for line in lines if line["probe"] == "slow"]
        self.assertEqual((budgets["latency_20ms"]["good"], budgets["latency_20ms"]["bad"]),
                         (0, sum(line["outcome"] != "unknown" for line in slow)))

        both = [line for line in all_lines_of("portal", "steady") if line["outcome"] != "unknown"]
        bad = sum(line["outcome"] == "failure" and line in lines for line in both)
        group = budgets["both:availability"]
        self.assertEqual((group["probe"], group["bad"]), (None, bad))
        self.assertAlmostEqual(group["budget_spent_ratio"], bad / (len(both) * 0.2), 6)

        self.up_to(begin, moment(failures[0]["time"]) + 2)
        self.markdown(begin, end, config, told)

    def same_mean(self, mean, lines):
        durations = [line["duration_seconds"] for line in lines if line["outcome"] == "success"]
        self.assertGreater(len(durations), 0)
        self.assertAlmostEqual(mean, sum(durations) / len(durations), 6)

    def up_to(self, begin, end):
        told = json.loads(self.incident(begin, end, "--format", "json"))
        lines = self.dump("--since", stamp(begin), "--until", stamp(end), "--format",
                          "json").stdout.splitlines()
        self.assertEqual(told["results"], len(lines))
        for event in told["timeline"]:
            self.assertLessEqual(moment(event["until"] or event["time"]), end)
        self.assertEqual([event for event in told["timeline"] if event["event"] == "recovery"], [])
        self.assertEqual(sum(event["count"] for event in told["timeline"]
                             if event["event"] == "failure"),
                         sum(json.loads(line)["outcome"] == "failure" for line in lines))

    def markdown(self, begin, end, config, told):
        text = self.incident(begin, end, "--config", config)
        for heading in ("# Incident from", "## Timeline", "## Targets", "## Error budgets"):
            self.assertIn(f"{heading}", text)
        timeline = text.split("## Timeline")[1].split("## ")[0]
        self.assertEqual(len(re.findall(r"(?m)^- \d{4}-", timeline)), len(told["timeline"]))
        self.assertIn(r"/a\|b\`\<i\>", text)
        rows = text.split("## Targets")[1].split("## ")[0].strip().splitlines()
        self.assertEqual({len(re.findall(r"(?<!\\)\|", row)) for row in rows}, {12})
        self.assertEqual(len(rows), 2 + 3)
        self.assertIn(f"- Starts of the agent: 1\n- Pushes: {told['pushes_accepted']} accepted, "
                      f"{told['pushes_lost']} not\n", text)

    def test_runs_in_maintenance_are_marked_and_judged_by_nobody(self):
        target = self.closing(Target())
        now = time.time()
        agent = self.agent(self.site(target.port, free_port()) +
                           f"[maintenance work]\nprobe = portal\ntime = {stamp(now - 60)[:19]}Z "
                           f"{stamp(now + 600)[:19]}Z\n")
        agent.wait_status(lambda status: min(t["maintenance"] + sum(t["results"].values())
                                             for t in status["targets"]) > 2, "runs")
        target.close()
        wait_until(lambda: agent.target("steady")["results"]["failure"] > 2, "failures")
        self.assertEqual(agent.terminate(), 0)
        lines = [json.loads(line) for line in self.dump("--format", "json").stdout.splitlines()]
        self.assertEqual({(line["probe"], line["maintenance"]) for line in lines},
                         {("portal", True), ("slow", False), ("steady", False)})
        rows = [row.split(",") for row in self.dump("--format", "csv").stdout.splitlines()[1:]]
        self.assertEqual({(row[6], row[-1]) for row in rows},
                         {("portal", "true"), ("slow", "false"), ("steady", "false")})
        for line in self.dump().stdout.splitlines()[1:]:
            self.assertEqual(line.rstrip().endswith("yes"), "portal" in line)
        told = json.loads(self.incident(now - 5, time.time() + 5, "--format", "json"))
        counts = {one["probe"]: one for one in told["targets"]}
        self.assertEqual(counts["portal"]["maintenance"],
                         sum(line["probe"] == "portal" for line in lines))
        self.assertEqual((counts["portal"]["failure"], counts["steady"]["maintenance"]), (0, 0))
        self.assertEqual({event["probe"] for event in told["timeline"]
                          if event["event"] == "failure"}, {"slow", "steady"})
        row, = [event for event in told["timeline"] if event["event"] == "maintenance"]
        self.assertEqual((row["probe"], row["count"]), ("portal", counts["portal"]["maintenance"]))

    def test_each_start_is_told_by_its_own_end(self):
        """Asked to stop, killed with its parent, killed alone; each seen by itself too."""
        target = self.closing(Target())
        agent = self.agent(self.site(target.port, free_port()))
        moments = []
        for end in (agent.terminate, agent.kill, lambda: os.kill(agent.worker, signal.SIGKILL)):
            runs = sum(agent.target("portal")["results"].values())
            agent.wait_runs("portal", runs + 2)
            moments.append(time.time())
            worker = agent.worker
            end()
            if agent.process.poll() is not None:
                agent.start()
            wait_until(lambda: agent.worker != worker, "another life")
            wait_until(agent.answers, "it answers")
        agent.wait_runs("portal", sum(agent.target("portal")["results"].values()) + 2)
        self.assertEqual(agent.terminate(), 0)
        moments.append(time.time() + 1)

        def explained(end):
            return end and (end["cause"], end["signal"])

        causes = [["stop"], ["supervisor"], ["crash"]]
        explanations = [None, ("supervisor", None), ("crash", "SIGKILL")]
        for first in range(3):
            told = json.loads(self.incident(moments[first], moments[3], "--format", "json"))
            starts = [event for event in told["timeline"] if event["event"] == "start"]
            self.assertEqual([event["ends_before"] for event in starts], causes[first:])
            self.assertEqual([explained(event["end"]) for event in starts], explanations[first:])
            self.assertEqual(told["starts"], 3 - first)
        text = self.incident(moments[1], moments[3])
        self.assertEqual(re.findall(r"the run before ended by (\w+)", text),
                         ["supervisor", "crash"])

    def test_a_time_the_log_does_not_know_is_said_to_be_that(self):
        target = self.closing(Target())
        agent = self.agent(self.site(target.port, free_port()))
        agent.wait_runs("portal", 4)
        self.assertEqual(agent.terminate(), 0)
        text = self.incident(0, 100)
        self.assertIn("First failure: none", text)
        self.assertRegex(text, r"Nothing is known before .*, where the log begins")
        text = self.incident(time.time() - 3600, time.time() + 3600)
        self.assertRegex(text, r"Nothing is known before ")
        self.assertRegex(text, r"Nothing is known after .*, where the log ends")
        self.assertRegex(text, r"agent started\n")

    def test_wrong_times_are_refused(self):
        target = self.closing(Target())
        agent = self.agent(self.site(target.port, free_port()))
        agent.wait_runs("portal", 2)
        self.assertEqual(agent.terminate(), 0)
        for arguments, message in ((("--incident", "1m", "1h"), "ends before it begins"),
                                   (("--incident", "soon", "1h"), "--incident soon: write a date"),
                                   (("--incident", "1h", "later"), "--incident later: write"),
                                   (("--incident", "1h", "1m", "--format", "csv"), "text or json"),
                                   (("--incident", "1h", "1m", "--probe", "x"), "dump alone"),
                                   (("--config", "x"), "--incident")):
            with self.subTest(arguments):
                done = self.dump(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(message, done.stderr)
        done = picketd("store", "verify", "--incident", "1h", "1m", self.store)
        self.assertEqual(done.returncode, 2)
        done = self.dump("--incident", "1h", "0s", "--config", self.file("bad.conf", "[x]\n"))
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
