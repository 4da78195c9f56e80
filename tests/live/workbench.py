"""The workbench in tests: picket, its lab, and a Prometheus that it has configured."""

import json
import re
import subprocess

import support
from support import Program, Prometheus, fetch, wait_until

PICKET = support.BUILD / "bin" / "picket"


def picket(*arguments):
    """Runs one verb to its end."""
    return subprocess.run([PICKET, *map(str, arguments)], capture_output=True, text=True,
                          timeout=20 * support.PATIENCE)


class Lab(Program):
    """The simulators of targets. `ports` by name of the server."""

    def __init__(self, folder):
        super().__init__(folder, PICKET, "lab", "--port", "0", "--folder", folder, "--format",
                         "json")
        try:
            state = json.loads(wait_until(lambda: self.output().endswith("}\n") and self.output(),
                                          "the lab starts"))
        except BaseException:
            self.close()
            raise
        self.ports = {name: server["port"] for name, server in state["servers"].items()}
        self.ca_file = state["ca_file"]

    def set(self, server, mode):
        fetch(f"http://127.0.0.1:{self.ports['http']}/lab/{server}/{mode}")

    def probes(self):
        """Sections of one probe for each kind, all of them well, and what they are named."""
        at = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        return (f"[http portal]\nurl = http://{at['http']}/login\n"
                "slo = availability 99.9% 30d\nslo = latency 95% 800ms 30d\n"
                f"[tcp mail]\naddress = {at['tcp']}\nstep = expect /^220 /\n"
                "slo = availability 99% 1d\n"
                f"[tls cert]\naddress = {at['tls']}\nserver_name = lab.picket.test\n"
                f"ca_file = {self.ca_file}\n"
                f"[modbus boiler]\naddress = tcp://{at['modbus']}\nunit = 1\n"
                "read = flow_celsius holding 100 i16 scale=0.1 range=10..95\n"
                "read = power_watts input 200 f32 order=cdab\n")


class Configured(Prometheus):
    """Scrapes and decides as `picket rules` says of these sites. `hasten` rewrites what was written
    (both files), so that a test need not wait for days; `more` is added to the configuration."""

    def __init__(self, folder, *sites, hasten=lambda text: text, more="", options=()):
        rules, scrape = (picket("rules", *sites, *option)
                         for option in ([], ["--prometheus"]))
        if rules.returncode or scrape.returncode:
            raise AssertionError(rules.stderr + scrape.stderr)
        path = folder / "rules.yml"
        path.write_text(hasten(rules.stdout))
        config = (f"global: {{evaluation_interval: 1s}}\nrule_files: ['{path}']\n{more}"
                  + hasten(scrape.stdout))
        super().__init__(folder, config=config, options=options)


def scraped_each_second(text):
    """What Grafana shows of windows is there when they have begun: only the pace is another."""
    return re.sub(r"(?m)^(\s+(?:scrape_)?interval:) \S+", r"\1 1s", text)
