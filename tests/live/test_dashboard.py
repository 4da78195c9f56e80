"""picket dashboard: what Grafana would find in the files, and each query asked of a Prometheus that
has the rules and the series of a real agent.

Guards against a panel that stays empty because a metric or label is called otherwise, a file that
Grafana does not import as it is, panels that lie upon each other, and variables nobody declared."""

import itertools
import json
import math
import pathlib
import re
import shutil
import tempfile
import time
import unittest

import support
from recovery_site import NotifySocket
from support import Agent, LiveTest, Pushgateway, wait_until
from workbench import Configured, Lab, picket, scraped_each_second

NAMES = ("fleet", "site", "probe", "agent")
SITE = """[agent]
site = s1
concurrency = 7
[push]
url = http://127.0.0.1:9091
interval = 2m
[http portal]
url = http://127.0.0.1:1/
interval = 60s
timeout = 5s
slo = availability 99.5% 30d
slo = latency 95% 800ms 30d
"""
METRIC = re.compile(r"\b(?:picket|probe|push|pushgateway|slo:picket|site:picket)_[A-Za-z0-9_:]+"
                    r"(?=\{)")
# Kinds that the lab has no target for.
NO_TARGET = {"probe_icmp_duration_seconds", "probe_dns_duration_seconds"}


def setUpModule():
    if support.EMULATED:
        raise unittest.SkipTest("the workbench is not built for boards")


def written(*arguments):
    """{name: dashboard}"""
    found = {}
    for name in NAMES:
        done = picket("dashboard", "--only", name, *arguments)
        if done.returncode or done.stderr:
            raise AssertionError(f"exit {done.returncode}: {done.stderr}")
        found[name] = json.loads(done.stdout)
    return found


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def titles(dashboard):
    return [panel["title"] for panel in dashboard["panels"]]


def cells(panel):
    at = panel["gridPos"]
    return {(x, y) for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])}


class Files(LiveTest):
    def test_panels_have_ids_of_their_own_and_lie_side_by_side(self):
        for name, dashboard in written().items():
            with self.subTest(name):
                ids = [panel["id"] for panel in dashboard["panels"]]
                self.assertEqual(len(ids), len(set(ids)))
                taken = set()
                for panel in dashboard["panels"]:
                    mine = cells(panel)
                    self.assertTrue(mine and all(0 <= x < 24 for x, _ in mine), panel["title"])
                    self.assertFalse(taken & mine, panel["title"])
                    taken |= mine
                named = [panel["title"] for panel in panels(dashboard)]
                self.assertEqual(len(named), len(set(named)), named)

    def test_panels_say_what_they_show_and_ask_the_chosen_data_source(self):
        chosen = {"type": "prometheus", "uid": "${datasource}"}
        for name, dashboard in written().items():
            for panel in panels(dashboard):
                with self.subTest(name, panel=panel["title"]):
                    self.assertTrue(panel["description"])
                    self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                    self.assertEqual(panel["datasource"], chosen)
                    letters = [target["refId"] for target in panel["targets"]]
                    self.assertTrue(letters)
                    self.assertEqual(len(letters), len(set(letters)))
                    for target in panel["targets"]:
                        self.assertTrue(target["expr"])
                        self.assertEqual(target["datasource"], chosen)
                        self.assertNotEqual(target["instant"], target["range"])

    def test_expressions_use_declared_variables_alone_and_each_as_grafana_escapes_it(self):
        for name, dashboard in written().items():
            variables = {v["name"]: v.get("multi", False)
                         for v in dashboard["templating"]["list"]}
            self.assertIn("datasource", variables)
            texts = [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]
            texts += [a["expr"] for a in dashboard["annotations"]["list"] if "expr" in a]
            texts += [v["definition"] for v in dashboard["templating"]["list"] if "definition" in v]
            for text in texts:
                with self.subTest(name, expr=text):
                    self.assertNotIn("@", text)
                    for operator, variable in re.findall(r'(=~?)"\$(\w+)"', text):
                        self.assertEqual(operator, "=~" if variables[variable] else "=")
                    used = set(re.findall(r"\$\{?(\w+)", text))
                    self.assertLessEqual(used, {*variables, "__rate_interval", "__range"})

    def test_dashboards_are_named_for_ever_and_lead_to_each_other(self):
        for name, dashboard in written().items():
            self.assertEqual(dashboard["uid"], f"picket-{name}")
            self.assertIsNone(dashboard["id"])
            self.assertGreaterEqual(dashboard["schemaVersion"], 39)
            self.assertEqual(dashboard["links"][0]["tags"], dashboard["tags"])
            links = re.findall(r"/d/([a-z-]+)\?", json.dumps(dashboard))
            self.assertLessEqual(set(links), {f"picket-{other}" for other in NAMES})

    def test_golden_signals_have_panels(self):
        for name in ("fleet", "site", "probe"):
            shown = {title.split(":")[0] for title in titles(written()[name])}
            self.assertLessEqual({"Latency", "Traffic", "Errors", "Saturation"}, shown)

    def test_thresholds_follow_the_configurations(self):
        found = written(self.file("s.conf", SITE))

        def steps(name, title):
            panel, = (p for p in panels(found[name]) if p["title"] == title)
            return [step["value"] for step in
                    panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        self.assertEqual(steps("site", "Success"), [None, 0.95, 0.995])
        self.assertEqual(steps("agent", "Slots"), [None, 7])
        self.assertEqual(steps("site", "Last push"), [None, 300, 600])
        latency, = (p for p in panels(found["probe"]) if p["title"] == "Latency")
        self.assertIn('slo="latency_800ms"}) + 0.8', latency["targets"][-1]["expr"])
        self.assertEqual({target["interval"] for d in found.values() for p in panels(d)
                          for target in p["targets"]}, {"2m"})

    def test_kinds_that_no_site_has_have_no_panels(self):
        alone = written(self.file("s.conf", SITE.replace("[http", "[tcp").replace(
            "url = http://127.0.0.1:1/", "address = 127.0.0.1:1", 1).replace(
                "url = http://127.0.0.1:1/", "address = 127.0.0.1:1")
            .replace("[push]\naddress = 127.0.0.1:1", "[push]\nurl = http://127.0.0.1:9091")))
        everything = written()
        self.assertIn("Modbus", titles(everything["site"]))
        self.assertNotIn("Modbus", titles(alone["site"]))
        self.assertNotIn("Status code", titles(alone["probe"]))

    def test_a_folder_gets_what_standard_output_would(self):
        folder, config = self.folder / "new", self.file("s.conf", SITE)
        done = picket("dashboard", config, "--output", folder)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual({path.name for path in folder.iterdir()},
                         {f"picket-{name}.json" for name in NAMES})
        self.assertEqual({name: json.loads((folder / f"picket-{name}.json").read_text())
                          for name in NAMES}, written(config))
        self.assertEqual(picket("dashboard", "-o", folder, "--only", "site").returncode, 0)

    def test_mistakes_end_with_2_and_what_cannot_be_written_with_1(self):
        wrong = self.file("bad.conf", SITE + "intervall = 1s\n")
        for arguments, message in (([], "--output DIR"), (["--only", "x"], "--only x"),
                                   (["--folder", "x"], "--folder"),
                                   (["--only", "fleet", wrong], f"{wrong}:13: ")):
            with self.subTest(arguments):
                done = picket("dashboard", *arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(message, done.stderr)
        self.assertEqual(picket("dashboard", "--output", "/nonexistent/x").returncode, 1)
        self.assertEqual(picket("dashboard", "--output", wrong).returncode, 1)


class World:
    """A site with a probe of each kind and one that fails, restarted once, watched by systemd, and
    a Prometheus with its rules."""

    def __init__(self, case):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="picket-test."))
        case.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)

        def closing(peer):
            case.addClassCleanup(peer.close)
            return peer
        lab = closing(Lab(folder))
        gateway = closing(Pushgateway(folder))
        notify = closing(NotifySocket(folder / "notify"))
        config = (f"[agent]\nsite = s1\nstore = {folder}/store\ncommit = 1s\nflash = disk\n"
                  f"[push]\nurl = {gateway.url}\ninterval = 1s\n"
                  "[watchdog]\ndevice = systemd\nreboot = on\naction = /bin/true\n"
                  "action_reference = broken\naction_dry_run = on\n"
                  "[defaults]\ninterval = 1s\ntimeout = 900ms\n"
                  f"{lab.probes()}"
                  "[http broken]\nurl = http://127.0.0.1:1/\nslo = availability 99.9% 30d\n"
                  "[slo shop]\nprobe = portal\nprobe = broken\nslo = latency 90% 850ms 30d\n")
        agent = closing(Agent(folder, config, env={"NOTIFY_SOCKET": notify.path,
                                                   "WATCHDOG_USEC": "60000000"}))
        self.prometheus = closing(Configured(folder, agent.config, hasten=scraped_each_second))
        agent.wait_runs("broken", 1)
        agent.terminate()
        agent.start()
        self.dashboards = written(agent.config)

    def chosen(self, dashboard):
        """Values of its variables, all combinations: of many all, of one each."""
        choices = {}
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                choices[variable["name"]] = [".*"] if variable["multi"] else {
                    "site": ["s1"], "probe": ["portal", "broken", "mail", "cert", "boiler"],
                }[variable["name"]]
        return [dict(zip(choices, values)) for values in itertools.product(*choices.values())]

    @staticmethod
    def filled(text, values):
        text = text.replace("$__rate_interval", "10s").replace("$__range", "60s")
        for name, value in values.items():
            text = text.replace(f"${name}", value)
        return text

    def asked(self, expression, now):
        """Labels of the series that have a number."""
        if now:
            rows = [(row["metric"], [row["value"]])
                    for row in self.prometheus.ask("query", query=expression)["result"]]
        else:
            end = time.time()
            rows = [(row["metric"], row["values"]) for row in self.prometheus.ask(
                "query_range", query=expression, start=end - 30, end=end, step=1)["result"]]
        return [labels for labels, values in rows
                if any(math.isfinite(float(value)) for _, value in values)]

    def answer(self, dashboard, target):
        """Of the query of a panel, with the first values of variables for which there is one."""
        for values in self.chosen(dashboard):
            found = self.asked(self.filled(target["expr"], values), target["instant"])
            if found:
                return found
        return []

    def empty(self, dashboards, seconds):
        """The queries without data, when `seconds` have passed: (dashboard, panel, letter)."""
        left = {(name, panel["title"], target["refId"]): (dashboard, target)
                for name, dashboard in dashboards.items()
                for panel in panels(dashboard) for target in panel["targets"]}

        def all_answer():
            for key, asked in list(left.items()):
                if self.answer(*asked):
                    del left[key]
            return not left
        try:
            wait_until(all_answer, "data", seconds)
        except AssertionError:
            pass
        return set(left)


class Data(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World(cls)

    def test_every_query_has_data(self):
        self.assertEqual(self.world.empty(self.world.dashboards, 60), set())

    def test_every_metric_of_an_expression_exists(self):
        used = {name for dashboard in self.world.dashboards.values()
                for name in METRIC.findall(json.dumps(dashboard["panels"]))}
        self.assertGreater(len(used), 50)

        def missing():
            return used - NO_TARGET - set(self.world.prometheus.ask("label/__name__/values"))
        wait_until(lambda: not missing(), "all metrics", 60)
        self.assertLessEqual(NO_TARGET, used)

    def test_wrong_names_are_found(self):
        text = json.dumps(self.world.dashboards["agent"])
        self.assertIn("picket_loop_lag_seconds", text)
        wrong = {"agent": json.loads(text.replace("picket_loop_lag_seconds", "picket_lag_seconds"))}
        self.assertEqual(self.world.empty(wrong, 10), {("agent", "Lag of the loop", "A")})

    def test_legends_name_labels_that_are_there(self):
        for name, dashboard in self.world.dashboards.items():
            for panel in panels(dashboard):
                for target in panel["targets"]:
                    wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                    with self.subTest(name, panel=panel["title"], expr=target["expr"]):
                        labels = wait_until(lambda t=target: self.world.answer(dashboard, t),
                                            "data", 60)
                        self.assertLessEqual(wanted, set().union(*labels))

    def test_columns_of_a_table_are_of_the_same_rows(self):
        for name, dashboard in self.world.dashboards.items():
            for panel in panels(dashboard):
                if panel["type"] == "table":
                    with self.subTest(name, panel=panel["title"]):
                        found = {frozenset().union(*wait_until(
                            lambda t=target: self.world.answer(dashboard, t), "data", 60))
                            for target in panel["targets"]}
                        self.assertEqual(len(found), 1, found)

    def test_groups_stand_among_slos_and_not_among_targets(self):
        def rows(title, letter):
            dashboard = self.world.dashboards["site"]
            panel, = (panel for panel in panels(dashboard) if panel["title"] == title)
            target, = (target for target in panel["targets"] if target["refId"] == letter)
            return wait_until(lambda: self.world.answer(dashboard, target), "data", 60)
        letters = "BCDEF"
        for letter in letters[:2]:
            slos = {(row.get("probe"), row["slo"]) for row in rows("SLOs", letter)}
            self.assertIn((None, "shop:latency_850ms"), slos)
            self.assertIn(("broken", "availability"), slos)
            self.assertNotIn(("broken", "latency_850ms"), slos)
        for letter in letters:
            self.assertTrue(all(row.get("probe") for row in rows("Targets", letter)))
        self.assertNotIn("850ms", json.dumps(self.world.dashboards["probe"]))

    def test_variables_have_values(self):
        wanted = {"site": {"s1"}, "probe": {"portal", "broken", "mail", "cert", "boiler"}}
        for name, dashboard in self.world.dashboards.items():
            values = self.world.chosen(dashboard)[0]
            for variable in dashboard["templating"]["list"]:
                if variable["type"] != "query":
                    continue
                selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)",
                                               variable["definition"]).groups()
                parameters = {"match[]": self.world.filled(selector, values)}
                found = wait_until(lambda: set(self.world.prometheus.ask(
                    f"label/{label}/values", **parameters)), "values", 30)
                self.assertTrue(wanted.get(variable["name"], found) <= found, (name, found))

    def test_annotations_mark_starts_and_alerts(self):
        for name, dashboard in self.world.dashboards.items():
            marks = [mark for mark in dashboard["annotations"]["list"] if "expr" in mark]
            self.assertEqual([mark["name"] for mark in marks],
                             ["Alerts", "Restarts"][:1 if name == "fleet" else 2])
            for mark in marks:
                with self.subTest(name, mark=mark["name"]):
                    self.assertEqual(mark["expr"], mark["target"]["expr"])
                    values = {**self.world.chosen(dashboard)[0], "probe": "broken"}
                    expression = self.world.filled(mark["expr"], values)
                    wait_until(lambda e=expression: self.world.asked(e, False), "marks", 60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
