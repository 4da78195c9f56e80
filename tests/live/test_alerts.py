"""From a target that breaks to the person who is called: a real agent, Pushgateway, Prometheus and
Alertmanager, configured by what picket rules writes, and a webhook in the person's place.

Guards against alerts that fire in promtool alone: a label that no push has, a scrape that renames
it, a route that leads nowhere, an alert that never ends.

All times are 60 times shorter: a minute is a second, in the windows and `for` of the rules, the
scrapes, the pauses of Alertmanager, the agent's runs and pushes. What is compared with time in
seconds (`> 600`) is shortened too; days until a certificate expires are not, and neither are names
(increase5m)."""

import http.server
import json
import re
import threading
import unittest

import support
from support import LiveTest, Program, Pushgateway, free_port, wait_until
from workbench import Configured, Lab, picket

FACTOR = 60
MILLISECONDS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION = re.compile(r"(?:(?<=\[)|(?<=for: )|(?<=interval: ))(\d+)([smhd])\b")
SECONDS = re.compile(r"(?m)(?<=[<>] )(\d{3,})$")


def setUpModule():
    if support.EMULATED:
        raise unittest.SkipTest("the workbench is not built for boards")


def hastened(text):
    text = DURATION.sub(lambda found: "%dms" % (int(found[1]) * MILLISECONDS[found[2]] // FACTOR),
                        text)
    return SECONDS.sub(lambda found: "%g" % (int(found[1]) / FACTOR), text)


class Webhook:
    """What came in, in order: (path, "firing" or "resolved", labels)."""

    def __init__(self):
        self.told = []
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                webhook.told += [(self.path, alert["status"], alert["labels"])
                                 for alert in body["alerts"]]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def statuses(self, path, **labels):
        """Each change once, though an alert is told again while others of its group change."""
        found = []
        for where, status, told in list(self.told):
            if where == path and labels.items() <= told.items() and found[-1:] != [status]:
                found.append(status)
        return found

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class AlertTest(LiveTest):
    def setUp(self):
        super().setUp()
        self.lab = self.closing(Lab(self.folder))
        self.gateway = self.closing(Pushgateway(self.folder))
        self.webhook = self.closing(Webhook())
        config = self.file("s1.conf", (
            f"[agent]\nsite = s1\nlabel = region=north\nstore = {self.folder}/store\n"
            f"commit = 1s\nflash = disk\n[push]\nurl = {self.gateway.url}\ninterval = 1s\n"
            "[defaults]\ninterval = 500ms\ntimeout = 400ms\n"
            f"[tcp mail]\naddress = 127.0.0.1:{self.lab.ports['tcp']}\nstep = expect /^220 /\n"
            "slo = availability 99% 30d\n"
            f"[http portal]\nurl = http://127.0.0.1:{self.lab.ports['http']}/login\n"
            "slo = availability 99% 30d\n"))
        port = free_port()
        # It finds its target after 5 s. The agent begins then, so that its first push, of zeros, is
        # seen and nothing that it counts is missed.
        self.prometheus = self.closing(Configured(
            self.folder, config, hasten=hastened, options=["--rules.alert.resend-delay=1s"],
            more="alerting: {alertmanagers: [{static_configs: [{targets: "
            f"['127.0.0.1:{port}']}}]}}]}}\n"))
        wait_until(lambda: self.prometheus.value("up"), "the gateway is scraped", 30)
        self.site = self.agent(config.read_text())
        wait_until(lambda: self.prometheus.value(
            'sum(slo:picket_slo_events:increase5m{site="s1"})'), "events", 30)
        # Those 5 s were a silence of five minutes.
        wait_until(lambda: self.prometheus.value("count(ALERTS)") is None, "all is well", 30)
        self.alertmanager(config, port)

    def alertmanager(self, config, port):
        """It waits 30s before it tells of a group and 5m between two changes of one, unless told
        otherwise: these are its defaults, shortened too."""
        routes = picket("rules", config, "--alertmanager").stdout
        self.assertEqual(routes.count("127.0.0.1:5001/"), 2)
        routes = hastened(routes).replace("  group_by:", "  group_wait: 500ms\n"
                                          "  group_interval: 5s\n  group_by:", 1)
        path = self.file("alertmanager.yml", routes.replace("127.0.0.1:5001",
                                                            f"127.0.0.1:{self.webhook.port}"))
        self.closing(Program(self.folder, "prometheus-alertmanager", f"--config.file={path}",
                             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
                             f"--storage.path={self.folder}/alerts", port=port))

    def wait_told(self, wanted, path, seconds, **labels):
        try:
            wait_until(lambda: self.webhook.statuses(path, **labels) == wanted, str(wanted),
                       seconds)
        except AssertionError as error:
            raise AssertionError(f"{error} of {labels} at {path}: {self.webhook.told}") from None


class Alerts(AlertTest):
    def device_budget(self, probe):
        """As the device calculates it from its own history."""
        return self.gateway.series().value("picket_slo_error_budget_remaining_ratio", probe=probe)

    def test_target_that_breaks_pages_once_and_is_resolved_when_it_is_mended(self):
        burn = {"alertname": "PicketErrorBudgetBurn", "severity": "page"}
        self.site.wait_runs("mail", 20, 30)
        self.assertEqual(self.webhook.told, [])
        self.lab.set("tcp", "error")
        self.wait_told(["firing"], "/page", 40, **burn)
        firing = [labels for path, _, labels in self.webhook.told if path == "/page"]
        self.assertEqual({(labels["job"], labels["site"], labels["probe"], labels["region"],
                           labels["slo"]) for labels in firing},
                         {("picket", "s1", "mail", "north", "availability")})
        self.lab.set("tcp", "ok")
        self.wait_told(["firing", "resolved"], "/page", 60, **burn)
        self.assertEqual(self.webhook.statuses("/page", probe="portal"), [])
        self.assertEqual(self.site.terminate(), 0)  # what it pushed last stays
        self.assertLess(self.device_budget("mail"), -1)
        self.assertEqual(self.device_budget("portal"), 1)
        for probe in ("mail", "portal"):
            self.wait_same_budget(probe)

    def wait_same_budget(self, probe):
        """Within 1 %."""
        device = self.device_budget(probe)
        recorded = f'slo:picket_slo_error_budget_remaining:ratio{{site="s1",probe="{probe}"}}'
        seen = []
        try:
            wait_until(lambda: seen.append(self.prometheus.value(recorded)) or
                       abs(seen[-1] / device - 1) < 0.01, f"{probe}: {device}")
        except AssertionError as error:
            raise AssertionError(f"{error}, but {seen[-1]} in Prometheus") from None

    def test_site_that_is_cut_off_pages_and_is_resolved_when_it_is_back(self):
        silent = {"alertname": "PicketSiteSilent", "site": "s1"}
        self.site.kill()
        self.wait_told(["firing"], "/page", 60, **silent)
        self.site.start()
        self.wait_told(["firing", "resolved"], "/page", 60, **silent)


if __name__ == "__main__":
    unittest.main(verbosity=2)
