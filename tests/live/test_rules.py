"""picket rules: what promtool and amtool say of what it writes, and days of a site played to it.

Guards against rules that are silent when a budget burns, that wake somebody for one failure, twice
for one outage, or for a restart, and against a name in a rule that no agent pushes."""

import json
import re
import subprocess
import unittest

import support
from support import (LiveTest, Program, Pushgateway, Target, fetch, free_port, parse_text, run_tool,
                     wait_until)
from workbench import picket

SITE = """[agent]
site = s1
[push]
url = http://127.0.0.1:9091
[http portal]
url = http://127.0.0.1:1/
interval = 60s
timeout = 5s
slo = availability 99.9% 30d
"""
# A name that means something to each of YAML, PromQL, its regular expressions and templates.
AWKWARD = "O'Brien \"{{ x }}\" a.b|c\\^[é]: #1 $`"
QUOTED = json.dumps(AWKWARD, ensure_ascii=False)
LABELS = 'job="picket",site="s1",probe="portal",kind="http",instance="http://127.0.0.1:1/"'
SLO = LABELS + ',slo="availability"'
GROUP = """[slo shop]
probe = portal
slo = availability 99% 2h
"""
GROUP_SLO = 'job="picket",site="s1",instance="s1",slo="shop:availability"'
AGENT = 'job="picket",site="s1",instance="s1"'
HOUR = 60
RATIO = "slo:picket_slo_errors_per_event:ratio_rate"


def setUpModule():
    if support.EMULATED:
        raise unittest.SkipTest("the workbench is not built for boards")


def starts(alert, severity):
    """How often the alert began, over all that was played."""
    firing = f'ALERTS{{alertname="{alert}",severity=~"{severity}",alertstate="firing"}}'
    return f"sum(sum_over_time(count({firing} unless {firing} offset 1m)[7d:1m]))"


def firing(alert, severity=".+"):
    return f'count(ALERTS{{alertname="{alert}",severity=~"{severity}",alertstate="firing"}})'


class History:
    """The series of a site, a push each minute."""

    def __init__(self, site="s1", objective=0.999, slo=SLO):
        self.site, self.objective, self.slo = site, objective, slo
        self.minutes, self.good, self.bad = 0, 0, 0
        self.epoch = "a"
        self.lines = {}  # series: [value of each minute]
        self.pushed_at = 0

    def again(self, ago, minutes):
        """The gateway was killed and shows for so long what it had so many minutes before."""
        lines = self.lines.items()
        old = {series: values[-ago] for series, values in lines if len(values) == self.minutes}
        for _ in range(minutes):
            for series, value in old.items():
                self.put(series, value)
            self.minutes += 1

    def put(self, series, value):
        values = self.lines.setdefault(series, [])
        values.extend(["_"] * (self.minutes - len(values)))
        values.append(value)

    def push(self):
        self.pushed_at = self.minutes * 60
        self.seen = self.good, self.bad

    def scrape(self, absent=False):
        """One minute as Prometheus sees it; with `absent`, the gateway has forgotten all."""
        series = {
            f'picket_slo_events_total{{{self.slo},epoch="{self.epoch}",result="good"}}': self.seen[0],
            f'picket_slo_events_total{{{self.slo},epoch="{self.epoch}",result="bad"}}': self.seen[1],
            f"picket_slo_objective_ratio{{{self.slo}}}": self.objective,
            'push_time_seconds{job="picket",site="s1"}': self.pushed_at,
            f'picket_probe_results_total{{{LABELS},epoch="{self.epoch}",result="success"}}':
                self.seen[0],
            f"picket_last_cycle_timestamp_seconds{{{AGENT}}}": self.pushed_at,
            'up{job="picket-pushgateway",instance="g"}': 1,
        }
        for name, value in series.items():
            self.put(name, "stale" if absent and not name.startswith("up") else value)
        self.minutes += 1

    def run(self, minutes, good, bad, pushes=True, absent=False):
        """`good` and `bad` are counts of each minute, or functions of the minute."""
        for minute in range(minutes):
            self.good += good(minute) if callable(good) else good
            self.bad += bad(minute) if callable(bad) else bad
            if pushes:
                self.push()
            self.scrape(absent)

    def new_epoch(self):
        for series in list(self.lines):
            if f'epoch="{self.epoch}"' in series:
                self.put(series, "stale")
        self.epoch = "b"
        self.good = self.bad = 0

    def input(self):
        return [{"series": series, "values": " ".join(map(str, values))}
                for series, values in self.lines.items()]


class RulesTest(LiveTest):
    def setUp(self):
        super().setUp()
        self.write(self.file("s1.conf", SITE))

    def write(self, *configs):
        self.rules = self.folder / "rules.yml"
        done = picket("rules", *configs, "--output", self.rules)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def play(self, history, *expected):
        """`expected`: (minute, expression, value, or None for no sample)."""
        series = history.input() if isinstance(history, History) else history
        rows = [{"expr": expression, "eval_time": f"{minute}m",
                 "exp_samples": [] if value is None else [{"labels": "{}", "value": value}]}
                for minute, expression, value in expected]
        test = self.file("test.yml", json.dumps({
            "rule_files": [str(self.rules)], "evaluation_interval": "1m",
            "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": rows}]}))
        done = subprocess.run(["promtool", "test", "rules", test], capture_output=True, text=True,
                              timeout=120 * support.PATIENCE)
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-4000:])


    def alerts(self, series, minute, alert):
        """What promtool says of an alert when none is expected: its labels and annotations."""
        test = self.file("test.yml", json.dumps({
            "rule_files": [str(self.rules)], "evaluation_interval": "1m",
            "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": [
                {"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": []}]}]}))
        done = subprocess.run(["promtool", "test", "rules", test], capture_output=True, text=True,
                              timeout=120 * support.PATIENCE)
        return done.stdout + done.stderr


class Budget(RulesTest):
    def test_a_good_day_is_no_alert_and_costs_no_budget(self):
        day = History()
        day.run(24 * HOUR, 1, 0)
        self.play(day, (1439, 'count(ALERTS{alertstate="firing"})', None),
                  (1439, "sum(slo:picket_slo_error_budget_remaining:ratio)", 1))

    def test_fast_burn_pages_once_within_minutes_and_ends(self):
        day = History()
        day.run(2 * HOUR, 1, 0)
        day.run(30, 0, 1)
        day.run(6 * HOUR, 1, 0)
        self.play(day, (119, firing("PicketErrorBudgetBurn"), None),
                  (123, firing("PicketErrorBudgetBurn", "page"), 1),
                  (509, firing("PicketErrorBudgetBurn", "page"), None),
                  (509, starts("PicketErrorBudgetBurn", "page"), 1))

    def test_slow_burn_is_a_ticket_and_no_page(self):
        day = History()
        day.run(12 * HOUR, lambda m: 9 if m % 25 == 24 else 10, lambda m: 1 if m % 25 == 24 else 0)
        self.play(day, (719, starts("PicketErrorBudgetBurn", "page"), None),
                  (719, firing("PicketErrorBudgetBurn", "ticket"), 1))

    def test_failures_one_at_a_time_do_not_page_at_a_run_a_minute(self):
        for gap in (45, 180):
            with self.subTest(gap):
                day = History()
                day.run(24 * HOUR, lambda m: 0 if m % gap == 30 else 1,
                        lambda m: 1 if m % gap == 30 else 0)
                self.play(day, (1439, starts("PicketErrorBudgetBurn", "page"), None))

    def test_one_failure_is_no_alert_at_all(self):
        day = History()
        day.run(2 * HOUR, 1, 0)
        day.run(1, 0, 1)
        day.run(10 * HOUR, 1, 0)
        self.play(day, (720, starts("PicketErrorBudgetBurn", "page"), None),
                  (720, starts("PicketErrorBudgetBurn", "ticket"), None))

    def test_cut_off_site_pages_once_when_it_is_back_and_nothing_is_nan(self):
        day = History()
        day.run(2 * HOUR, 1, 0)
        day.run(3 * HOUR, lambda m: m % 2, lambda m: 1 - m % 2, pushes=False)
        day.run(6 * HOUR, 1, 0)
        nans = [(minute, f"count({RATIO}{window} != {RATIO}{window})", None)
                for minute in (130, 200, 290, 310) for window in ("5m", "1h", "30d")]
        self.play(day, *nans, (299, starts("PicketErrorBudgetBurn", "page"), None),
                  (303, firing("PicketErrorBudgetBurn", "page"), 1),
                  (659, firing("PicketErrorBudgetBurn", "page"), None),
                  (659, starts("PicketErrorBudgetBurn", "page"), 1),
                  (659, f"abs(sum({RATIO}30d) / (90 / 660) - 1) < bool 0.01", 1))

    def test_new_epoch_is_neither_a_failure_nor_an_end_of_one(self):
        good = History()
        good.run(2 * HOUR, 1, 0)
        good.new_epoch()
        good.run(2 * HOUR, 1, 0)
        self.play(good, (239, starts("PicketErrorBudgetBurn", "page"), None),
                  (239, starts("PicketErrorBudgetBurn", "ticket"), None))
        bad = History()
        bad.run(2 * HOUR, 1, 0)
        bad.run(20, 0, 1)
        bad.new_epoch()
        bad.run(20, 0, 1)
        self.play(bad, (159, firing("PicketErrorBudgetBurn", "page"), 1),
                  (159, starts("PicketErrorBudgetBurn", "page"), 1),
                  # The first of the new epoch comes with its series: nothing to differ from.
                  (159, "abs(sum(slo:picket_slo_bad_events:increase1h) - 39.5) < bool 1", 1))

    def test_group_burns_and_pages_apart_from_its_probes(self):
        self.write(self.file("s1.conf", SITE + GROUP))
        run_tool("promtool", "check", "rules", "--lint=all", "--lint-fatal", self.rules)
        day, group = History(), History(slo=GROUP_SLO, objective=0.99)
        day.run(5 * HOUR, 1, 0)
        group.run(2 * HOUR, 2, 0)
        group.run(30, 1, 1)
        group.run(150, 2, 0)
        budget = "slo:picket_slo_error_budget_remaining:ratio"
        series = day.input() + [line for line in group.input() if "picket_slo" in line["series"]]
        page = firing("PicketErrorBudgetBurn", "page")
        self.play(series, (119, page, None), (140, page, 1),
                  (140, page.replace("{", '{probe="",slo="shop:availability",'), 1),
                  (299, starts("PicketErrorBudgetBurn", "page"), 1),
                  (299, f'sum({budget}{{probe="portal",slo="availability",window="30d"}})', 1),
                  (299, f'count({budget}{{slo="shop:availability",window!="2h"}})', None),
                  (149, f'abs(sum({budget}{{probe="",slo="shop:availability"}}) + 11.5)'
                        " < bool 0.6", 1),
                  (299, f'sum({budget}{{probe="",slo="shop:availability"}})', 1))
        told = self.alerts(series, 140, "PicketErrorBudgetBurn")
        self.assertIn("shop:availability at site s1 spends its error budget fast", told)
        self.assertIn("of the events of shop:availability (s1) were bad", told)

    def test_each_site_has_the_budget_of_its_own_window(self):
        self.write(self.file("s1.conf", SITE.replace("30d", "2h")),
                   self.file("s2.conf", SITE.replace("= s1", f"= {QUOTED}").replace("30d", "4h")))
        day = History()
        day.run(HOUR, 0, 1)
        day.run(3 * HOUR, 1, 0)
        other = [{**line, "series": line["series"].replace('"s1"', QUOTED)} for line in day.input()]
        budget = "slo:picket_slo_error_budget_remaining:ratio{site=%s}"
        self.play(day.input() + other, (239, f"sum({budget % json.dumps('s1')})", 1),
                  (239, f"sum({budget % QUOTED}) < bool -200", 1))

    def test_gateway_that_restarts_empty_makes_no_second_page(self):
        day = History()
        day.run(2 * HOUR, 1, 0)
        day.run(10, 0, 1)
        day.run(8, 0, 1, absent=True)  # its pushes are rare
        day.run(10, 0, 1)
        self.play(day, (147, firing("PicketErrorBudgetBurn", "page"), 1),
                  (147, starts("PicketErrorBudgetBurn", "page"), 1),
                  (147, starts("PicketSiteSilent", "page"), None))


    def test_gateway_that_comes_back_with_an_old_state_counts_nothing_again(self):
        """Debian's Pushgateway writes one every five minutes. What was bad long ago is not new."""
        day = History()
        day.good, day.bad = 100000, 5000
        day.run(2 * HOUR, 1, 0)
        day.run(1, 0, 1)
        day.run(2, 1, 0)
        day.again(5, 3)
        day.run(2 * HOUR, 1, 0)
        events = "slo:picket_slo_%sevents:increase%s"
        self.play(day, *((minute, starts("PicketErrorBudgetBurn", ".+"), None)
                         for minute in (121, 127, 133, 245)),
                  (133, f"sum({events % ('bad_', '1h')})", 1),
                  (245, f"sum({events % ('bad_', '1d')})", 1),
                  (245, f"sum({events % ('', '6h')}) < bool 250", 1))
        restarts = f'picket_restarts_total{{{AGENT},epoch="a",cause="crash"}}'
        self.play([{"series": restarts, "values": "40x60 39x3 40x57"}],
                  (70, firing("PicketRestartLoop"), None))


class Agents(RulesTest):
    def test_site_that_goes_silent_pages_once(self):
        day = History()
        day.run(HOUR, 1, 0)
        day.run(HOUR, 1, 0, pushes=False)
        day.run(HOUR, 1, 0)
        self.play(day, (65, firing("PicketSiteSilent"), None), (76, firing("PicketSiteSilent"), 1),
                  (119, starts("PicketProberStuck", "page"), None),
                  (179, firing("PicketSiteSilent"), None),
                  (179, starts("PicketSiteSilent", "page"), 1))

    def test_site_of_the_inventory_that_never_pushed_pages(self):
        self.write(self.file("s1.conf", SITE),
                   self.file("s2.conf", SITE.replace("= s1", f"= {QUOTED}")))
        day = History()
        day.run(HOUR, 1, 0)
        missing = 'ALERTS{alertname="PicketSiteSilent",alertstate="firing",site=%s}'
        self.play(day, (59, f"count({missing % QUOTED})", 1),
                  (59, firing("PicketSiteSilent"), 1))

    def test_agent_that_pushes_without_probing_pages(self):
        day = History()
        day.run(HOUR, 1, 0)
        day.run(HOUR, 0, 0)
        self.play(day, (65, firing("PicketProberStuck"), None),
                  (100, firing("PicketProberStuck"), 1))

    def test_loop_that_stands_still_pages(self):
        self.play([{"series": 'push_time_seconds{job="picket",site="s1"}', "values": "0+60x60"},
                   {"series": f"picket_last_cycle_timestamp_seconds{{{AGENT}}}",
                    "values": "0+60x20 1200x40"}],
                  (25, firing("PicketProberStuck"), None), (40, firing("PicketProberStuck"), 1))

    def test_certificate_is_one_alert_at_a_time_and_pages_at_last(self):
        day = 86400
        rows = ((31, None, None), (29, "ticket", "30d"), (13, "ticket", "14d"), (2, "page", "3d"),
                (-1, "page", "3d"))
        for left, severity, within in rows:
            count = severity and 1
            labels = f'severity="{severity}",within="{within}",alertstate="firing"'
            with self.subTest(left):
                series = [{"series": f"probe_ssl_earliest_cert_expiry{{{LABELS}}}",
                           "values": f"{left * day}x30"}]
                self.play(series, (20, firing("PicketCertificateExpires"), count),
                          (20, f'count(ALERTS{{alertname="PicketCertificateExpires",{labels}}})',
                           count))

    def test_store_restarts_clock_and_refused_pushes_are_tickets(self):
        restarts = f'picket_restarts_total{{{AGENT},epoch="a",cause="%s"}}'
        rows = (
            ("PicketStoreDegraded", {f"picket_store_durable{{{AGENT}}}": "0x120",
                                     f"picket_store_size_bytes{{{AGENT}}}": "4096x120"}, 1),
            ("PicketStoreDegraded", {f"picket_store_durable{{{AGENT}}}": "0x120"}, None),
            ("PicketRestartLoop", {restarts % "crash": "0x60 1+1x2 3x57"}, 1),
            ("PicketRestartLoop", {restarts % "reload": "0x60 1+1x2 3x57"}, None),
            ("PicketRestartLoop", {restarts % "crash": "0x60 1+1x1 2x58"}, None),
            ("PicketClockUntrusted", {f"picket_clock_trusted{{{AGENT}}}": "0x120"}, 1),
            ("PicketClockUntrusted", {f"picket_clock_trusted{{{AGENT}}}": "1x120"}, None),
            ("PicketPushRefused", {'push_failure_time_seconds{job="picket",site="s1"}': "9x120",
                                   'push_time_seconds{job="picket",site="s1"}': "1x120"}, 1),
        )
        for alert, series, count in rows:
            with self.subTest(alert, series=series):
                self.play([{"series": name, "values": values} for name, values in series.items()],
                          (100, firing(alert, "ticket"), count))

    def test_gateway_that_is_poisoned_down_or_not_scraped_pages(self):
        up = 'up{job="picket-pushgateway",instance="g"}'
        asked = 'pushgateway_http_requests_total{job="picket-pushgateway",instance="g",' \
            'handler="push",method="put",code="%s"}'
        for series, alert, count in (([], "PicketGatewayDown", 1),
                                     ([(up, "0x30")], "PicketGatewayDown", 1),
                                     ([(up, "1x30")], "PicketGatewayDown", None),
                                     ([(asked % 400, "0+1x30")], "PicketGatewayRefuses", 1),
                                     ([(asked % 200, "0+1x30")], "PicketGatewayRefuses", None)):
            with self.subTest(series):
                series = series or [("other", "1x30")]
                self.play([{"series": name, "values": values} for name, values in series],
                          (29, firing(alert), count))


class Files(LiveTest):
    def test_awkward_names_pass_the_programs_that_read_them(self):
        first = self.file("a.conf", SITE + "slo = latency 95% 800ms 30d\n"
                          "[tcp mail]\naddress = 127.0.0.1:1\nslo = availability 99% 1d\n")
        second = self.file("b.conf", SITE.replace("= s1", f"= {QUOTED}").replace("30d", "36h"))
        rules, scrape, routes = (self.folder / name for name in ("r.yml", "p.yml", "a.yml"))
        for output, option in ((rules, []), (scrape, ["--prometheus"]),
                               (routes, ["--alertmanager"])):
            done = picket("rules", first, second, *option, "--output", output)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        run_tool("promtool", "check", "rules", "--lint=all", "--lint-fatal", rules)
        run_tool("promtool", "check", "config", scrape)
        run_tool("amtool", "check-config", routes)
        self.assertIn("honor_labels: true", scrape.read_text())

    def test_pages_and_tickets_go_apart(self):
        routes = self.file("a.yml", picket("rules", self.file("s.conf", SITE),
                                           "--alertmanager").stdout)
        for severity, receiver in (("page", "picket-on-call"), ("ticket", "picket-tickets")):
            self.assertEqual(run_tool("amtool", "config", "routes", "test",
                                      f"--config.file={routes}", f"severity={severity}").strip(),
                             receiver)

    def test_dead_site_and_dead_gateway_silence_what_follows_from_them(self):
        routes = self.file("a.yml", picket("rules", self.file("s.conf", SITE),
                                           "--alertmanager").stdout)
        port = free_port()
        url = f"--alertmanager.url=http://127.0.0.1:{port}"
        self.closing(Program(self.folder, "prometheus-alertmanager", f"--config.file={routes}",
                             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
                             f"--storage.path={self.folder}/alerts", port=port))

        def alert(name, **labels):
            pairs = {"alertname": name, "job": "picket", "severity": "page", **labels}
            run_tool("amtool", url, "alert", "add", *(f"{key}={value}"
                                                      for key, value in pairs.items()))

        def active():
            alerts = json.loads(fetch(f"http://127.0.0.1:{port}/api/v2/alerts"))
            return {(alert["labels"]["alertname"], alert["labels"].get("site")) for alert in alerts
                    if alert["status"]["state"] == "active"}

        burn, silent = "PicketErrorBudgetBurn", "PicketSiteSilent"
        alert(silent, site="s1")
        alert(burn, site="s1", probe="portal")
        alert(burn, site="s2", probe="portal")
        wait_until(lambda: active() == {(silent, "s1"), (burn, "s2")}, "children are silenced")
        alert("PicketGatewayDown", job="picket-pushgateway")
        wait_until(lambda: active() == {("PicketGatewayDown", None)}, "sites are silenced")

    def test_mistakes_end_with_2_and_leave_the_output_alone(self):
        good, wrong = self.file("good.conf", SITE), self.file("bad.conf", SITE + "intervall = 1s\n")
        kept = self.file("kept.yml", "kept")
        for arguments, message in (([], "FILE"), (["--yaml", good], "--yaml"),
                                   (["--prometheus", "--alertmanager", good], "one of"),
                                   ([wrong], f"{wrong}:10: "),
                                   ([good, good], f"{good}:2: the site"),
                                   (["/nonexistent"], "/nonexistent: ")):
            with self.subTest(arguments):
                done = picket("rules", *arguments, "--output", kept)
                self.assertEqual(done.returncode, 2)
                self.assertIn(message, done.stderr)
                self.assertEqual(kept.read_text(), "kept")
        self.assertEqual(picket("rules", good, "--output", "/nonexistent/x").returncode, 1)

    def test_slos_that_cannot_page_are_named(self):
        group = ("[slo shop]\nprobe = portal\nprobe = rare\nslo = availability 80% 1d\n"
                 "[http rare]\nurl = http://127.0.0.1:1/\ninterval = 4h\n"
                 "[slo off]\nprobe = off\nslo = availability 80% 1d\n"
                 "[http off]\nurl = http://127.0.0.1:1/\nenabled = off\n")
        notes = picket("rules", self.file("g.conf", SITE + group)).stderr
        self.assertEqual(len(notes.splitlines()), 1)
        self.assertIn("s1: shop:availability: an objective below 83.4%", notes)
        group = ("[slo shop]\nprobe = portal\nprobe = rare\nslo = availability 99% 1d\n"
                 "[http rare]\nurl = http://127.0.0.1:1/\nurl = http://127.0.0.1:1/a\n"
                 "interval = 2h\n")
        notes = picket("rules", self.file("g.conf", SITE.replace("60s", "1h") + group)).stderr
        self.assertIn("s1: shop:availability: a run every 30m is too rare for a page", notes)
        rare = self.file("a.conf", SITE.replace("60s", "20m").replace("99.9%", "80%"))
        notes = picket("rules", rare).stderr
        self.assertIn("s1: portal: availability: a run every 20m", notes)
        self.assertIn("below 83.4%", notes)


class Names(LiveTest):
    def test_agent_and_gateway_have_the_series_the_rules_are_about(self):
        target = self.closing(Target())
        gateway = self.closing(Pushgateway(self.folder))
        config = (f"[agent]\nsite = s1\nstore = {self.folder}/store\n"
                  f"[push]\nurl = {gateway.url}\ninterval = 1s\n"
                  f"[http portal]\nurl = {target.url()}\ninterval = 1s\ntimeout = 900ms\n"
                  "label = region=north\nslo = availability 99.9% 30d\n"
                  "[slo shop]\nprobe = portal\nslo = availability 99% 30d\n")
        self.agent(config)
        series = wait_until(lambda: (found := parse_text(gateway.exposition())).select(
            "picket_slo_objective_ratio") and found.select(
                "pushgateway_http_requests_total", handler="push") and found,
                            "a push that the gateway has answered and counted")
        rules = picket("rules", self.file("s1.conf", config)).stdout
        used = set(re.findall(r"\b(?:picket|push|pushgateway|probe)_[a-z_]+(?=\{)", rules))
        self.assertGreater(len(used), 10)
        missing = used - {name for name, _ in series} - {"probe_ssl_earliest_cert_expiry"}
        self.assertEqual(missing, set())
        self.assertIn("probe_ssl_earliest_cert_expiry", used)
        objectives = {frozenset(labels) for _, labels in series.select("picket_slo_objective_ratio")}
        self.assertEqual(len(objectives), 2)
        self.assertEqual({frozenset(pair for pair in labels if pair[0] not in ("epoch", "result"))
                          for _, labels in series.select("picket_slo_events_total")}, objectives)
        group, = series.select("picket_slo_objective_ratio", slo="shop:availability")
        self.assertEqual({name: value for name, value in group[1] if value},
                         {"job": "picket", "site": "s1", "instance": "s1",
                          "slo": "shop:availability"})
        self.assertTrue(series.select("push_time_seconds", job="picket", site="s1"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
