"""The status page: what it serves, what a browser makes of it, and clients that mean harm.

Guards against a page that misleads, cannot be read on a phone or without colour, or that is a way
to keep the agent from its probes. Screenshots go to $PICKET_LOGS when that is set."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import threading
import time
import unittest

import cut_disk
import support
from browser import Browser
from cut_disk import CutDisk
from support import LiveTest, Target, free_port, parse_text, picketd, promtool, wait_until

# Every text against what is behind it, by WCAG 2.2's relative luminance; the least ratio and where.
CONTRAST = """
const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parts = text => text.match(/[\\d.]+/g).map(Number);
const luminance = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const ground = element => {
  for (; element; element = element.parentElement) {
    const c = parts(getComputedStyle(element).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
let least = [99, ""];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.closest("title,script,style")) continue;
  const [a, b] = [luminance(parts(getComputedStyle(element).color)), luminance(ground(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < least[0]) least = [ratio, walker.currentNode.data];
}
return least;
"""


class PageTest(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def site(self, probes, more=""):
        return (f"[agent]\nsite = north <3>\nstore = {self.folder}/store.pk\nflash = disk\n{more}\n"
                f"[status]\nlisten = 127.0.0.1:{self.port}\n"
                f"[defaults]\ninterval = 500ms\ntimeout = 400ms\n{probes}\n")

    def http(self, name, path, more=""):
        return f"[http {name}]\nurl = {self.target.url(path)}\n{more}\n"

    def start(self, probes=None, **options):
        agent = self.agent(self.site(probes or self.http("good", "/x")), **options)
        wait_until(lambda: self.get("/-/ready")[0] == 200, "it is ready")
        return agent

    def get(self, path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection), contextlib.suppress(ConnectionRefusedError):
            connection.request(method, path)
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read().decode()
        return 0, {}, ""


class Documents(PageTest):
    def test_each_path_has_its_answer(self):
        agent = self.start(self.http("good", "/x", "slo = availability 99% 1d") +
                           self.http("bad", "/status/503"))
        agent.wait_runs("bad", 2)
        agent.wait_runs("good", 2)
        time.sleep(1.1)  # what is sent again is not older than a second
        status, headers, page = self.get("/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertIn("<h1>north &#60;3&#62; <b class=\"FAIL\">something fails</b></h1>", page)
        self.assertRegex(page, r'<tr class="FAIL"><td data-label="PROBE">bad</td>.*status')
        self.assertRegex(page, r'<tr class="ok"><td data-label="PROBE">good</td>')
        self.assertRegex(page, r'<dt>store</dt><dd>durable')
        self.assertRegex(page, r'<h2>Objectives</h2>(.|\n)*<td data-label="SLO">availability</td>')
        own = json.loads(self.get("/status.json")[2])
        told = json.loads(picketd("status", "--socket", agent.socket, "--format", "json").stdout)
        self.assertEqual(own.keys(), told.keys())
        self.assertEqual([t["probe"] for t in own["targets"]], ["good", "bad"])
        for path in ("/page.css", "/page.js"):
            self.assertEqual(self.get(path)[0], 200)
        self.assertEqual(self.get("/-/healthy")[2], "healthy\n")

    def test_metrics_are_those_that_are_pushed(self):
        agent = self.start()
        agent.wait_runs("good", 3)
        status, headers, text = self.get("/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        promtool(text)
        series = parse_text(text)
        self.assertEqual(series.value("probe_success", probe="good"), 1)
        self.assertTrue(series.select("picket_build_info"))
        prometheus = self.closing(support.Prometheus(self.folder, config=(
            "scrape_configs:\n- job_name: picket\n  honor_labels: true\n  scrape_interval: 1s\n"
            f"  static_configs: [{{targets: ['127.0.0.1:{self.port}']}}]\n")))
        wait_until(lambda: prometheus.value('probe_success{probe="good"}') == 1, "a scrape", 30)

    def test_other_methods_and_paths_are_refused(self):
        self.start()
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
            status, headers, _ = self.get("/", method)
            self.assertEqual((status, headers.get("Allow")), (405, "GET, HEAD"))
        for path in ("/x", "/page.html", "/../etc/passwd", "/%2e%2e/etc/passwd", "//", "/metrics/"):
            self.assertEqual(self.get(path)[0], 404, path)
        status, headers, body = self.get("/", "HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)

    def test_it_is_not_ready_and_tells_no_totals_while_the_store_opens(self):
        why = cut_disk.missing()
        if why:
            self.skipTest(why)
        agent = self.start()
        agent.wait_runs("good", 2)
        self.assertEqual(agent.terminate(), 0)
        store = self.folder / "store.pk"
        disk = CutDisk(self.folder / "medium", store.stat().st_size)
        self.addCleanup(disk.close)
        disk.load(store)
        disk.fail(read=0)
        agent.write(agent.config.read_text().replace(str(store), str(disk.path)))
        agent.start()
        wait_until(lambda: self.get("/-/ready")[::2] == (503, "starting\n"), "it is starting")
        status, headers, text = self.get("/metrics")
        self.assertEqual((status, text), (503, "totals are not known yet\n"))
        self.assertEqual(headers.get("Retry-After"), "1")
        self.assertEqual(self.get("/-/healthy")[0], 200)
        self.assertRegex(self.get("/")[2], r"<dt>store</dt><dd>opening")
        self.assertEqual(agent.status()["store"]["state"], "opening")
        disk.heal()
        wait_until(lambda: self.get("/-/ready")[::2] == (200, "ready\n"), "it is ready")
        told = parse_text(self.get("/metrics")[2])
        self.assertGreaterEqual(told.total("picket_probe_results_total", probe="good"), 2)
        self.assertEqual(agent.terminate(), 0)

    def test_it_is_not_ready_any_more_while_it_stops(self):
        with socket.create_server(("127.0.0.1", 0)) as target:
            target.settimeout(10 * support.PATIENCE)
            agent = self.start(f"[http held]\nurl = http://127.0.0.1:{target.getsockname()[1]}/\n"
                               "interval = 5s\ntimeout = 5s\n")
            run, _ = target.accept()  # which does not end before it is closed
            with run:
                self.assertEqual(self.get("/-/ready")[::2], (200, "ready\n"))
                agent.signal(signal.SIGTERM)
                wait_until(lambda: self.get("/-/ready")[::2] == (503, "stopping\n"), "it stops")
                self.assertEqual([self.get(path)[0] for path in ("/", "/metrics", "/-/healthy")],
                                 [200] * 3)
        self.assertEqual(agent.wait(), 0)
        self.assertEqual(self.get("/-/ready")[0], 0)

    def test_an_address_in_use_costs_the_page_and_nothing_else(self):
        with socket.create_server(("127.0.0.1", self.port)):
            agent = self.agent(self.site(self.http("good", "/x")))
            agent.wait_runs("good", 2)
            self.assertRegex(agent.log(), rf"warning: status page 127.0.0.1:{self.port}: Address "
                                          "(already )?in use: there is no page")
        self.assertEqual(agent.terminate(), 0)

    def test_an_address_that_is_not_there_yet_is_no_mistake(self):
        agent = self.agent(self.site(self.http("good", "/x")).replace(
            f"127.0.0.1:{self.port}", f"192.0.2.77:{self.port}"))
        agent.wait_runs("good", 2)
        self.assertNotIn("no page", agent.log())

    def test_ipv6(self):
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                self.skipTest("there is no IPv6 here")
        self.agent(self.site(self.http("good", "/x")).replace("127.0.0.1:%d\n[def" % self.port,
                                                             "[::1]:%d\n[def" % self.port))
        wait_until(lambda: support.fetch(f"http://[::1]:{self.port}/-/healthy"), "it answers")

    def test_wrong_addresses_are_named_with_their_line(self):
        for wrong in ("9116", "localhost:9116", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000",
                      "300.0.0.1:80", "1.2.3:80", "1.2.3.4.5:80", "::1:80", "[::1]", "[::1::2]:80",
                      "[::1]x:80", "127.0.0.1:80 "):
            text = self.site(self.http("p", "/x")).replace(f"127.0.0.1:{self.port}\n", wrong + "\n")
            done = picketd("check", self.file("wrong.conf", text))
            if wrong.endswith(" "):
                self.assertEqual(done.returncode, 0, done.stderr)
            else:
                self.assertEqual(done.returncode, 2, wrong)
                self.assertRegex(done.stderr, r"wrong\.conf:7: 'listen': ")


class Hostile(PageTest):
    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), 5)
        self.addCleanup(client.close)
        return client

    def test_clients_that_dawdle_are_cut_off_and_cost_no_run(self):
        agent = self.start(self.http("good", "/x", "label = a=b"))
        begin = time.monotonic()
        clients = [self.connect() for _ in range(12)]
        ended = {}
        while len(ended) < 8 and time.monotonic() - begin < 60:
            for i, client in enumerate(clients):
                with contextlib.suppress(OSError):
                    client.sendall(b"G")
                client.settimeout(0.01)
                try:
                    if i not in ended and client.recv(4096) == b"":
                        ended[i] = time.monotonic() - begin
                except TimeoutError:
                    pass
                except OSError:
                    ended[i] = time.monotonic() - begin
            time.sleep(0.1)
        self.assertEqual(sorted(ended)[:8], list(range(8)))  # the others waited for their turn
        self.assertLess(max(ended.values()), 40)
        for client in clients:
            client.close()
        wait_until(lambda: self.get("/-/healthy")[0] == 200, "others are served again", 30)
        target, = agent.status()["targets"]
        self.assertEqual((target["missed"], target["results"]["unknown"]), (0, 0))
        self.assertClean(agent)

    @unittest.skipIf(support.EMULATED, "four answers take longer than a client may")
    def test_a_client_that_does_not_read_its_answer_is_cut_off(self):
        probes = "".join(self.http(f"p{i}", f"/{i}") for i in range(200))
        agent = self.start(probes)
        clients = []

        def one_more():
            client = socket.socket()
            clients.append(client)
            self.addCleanup(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", self.port))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(1.05)  # the next is not sent the same answer
            status, headers, _ = self.get("/metrics")
            return status == 503 and headers.get("Retry-After") == "1"

        wait_until(one_more, "every buffer is taken", 30)
        self.assertEqual(self.get("/-/healthy")[0], 200)
        wait_until(lambda: self.get("/metrics")[0] == 200, "a buffer is free again", 30)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while part := clients[0].recv(65536):
                received += len(part)
        self.assertLess(received, len(self.get("/metrics")[2]) / 2)  # the first one was cut off
        self.assertEqual(max(target["missed"] for target in agent.status()["targets"]), 0)
        self.assertClean(agent)

    def test_requests_that_are_none(self):
        agent = self.start()
        junk = [b"\0" * 9000, b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", b"\r\n" * 5000,
                b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
                b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 9000,
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFF\r\n",
                b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"]
        for bytes_sent in junk:
            client = self.connect()
            with contextlib.suppress(OSError):
                client.sendall(bytes_sent)
                client.shutdown(socket.SHUT_WR)
                reply = client.recv(65536)
                self.assertFalse(reply.startswith(b"HTTP/1.1 200"), bytes_sent[:60])
            client.close()
        self.assertEqual(self.get("/-/healthy")[0], 200)
        self.assertClean(agent)

    def test_a_flood_of_requests_costs_no_run(self):
        agent = self.start("".join(self.http(f"p{i}", f"/{i}") for i in range(20)))
        until = time.monotonic() + 5
        served = [0] * 4

        def flood(index):
            while time.monotonic() < until:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    served[index] += self.get("/")[0] == 200

        threads = [threading.Thread(target=flood, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertGreater(min(served), 10)
        targets = agent.status()["targets"]
        self.assertEqual(sum(target["results"]["failure"] for target in targets), 0)
        self.assertEqual(sum(target["missed"] for target in targets), 0)


class InABrowser(PageTest):
    def picture(self, browser, name):
        folder = pathlib.Path(os.environ.get("PICKET_LOGS") or self.folder)
        browser.screenshot(folder / f"page-{name}.png")

    def assert_legible(self, browser):
        self.assertTrue(browser.run("const page = document.documentElement;"
                                    "return page.scrollWidth <= page.clientWidth"),
                        "it scrolls sideways")
        ratio, text = browser.run(CONTRAST)
        self.assertGreaterEqual(ratio, 4.5, text)

    def assert_in_words(self, browser, heading, states):
        """What it says, it does not say by colour alone."""
        self.assertEqual(browser.run("return document.querySelector('h1 b').innerText"), heading)
        told = browser.run("return [...document.querySelectorAll('.targets tbody tr')].map("
                           "row => row.querySelector('[data-label=STATE]').innerText)")
        self.assertEqual(told, states)
        labels = browser.run("return [...document.querySelectorAll('svg')].map("
                             "svg => svg.getAttribute('aria-label'))")
        self.assertEqual(len(labels), len(states))
        for label in labels:
            self.assertRegex(label, r"^last \d+ runs: \d+ success, \d+ failure, \d+ unknown; ")
        self.assertEqual(browser.run("return document.documentElement.lang"), "en")

    def test_a_failing_and_a_healthy_site_wide_and_narrow_light_and_dark(self):
        healthy = (self.http("good", "/x", "slo = availability 99.9% 30d") +
                   self.http("long", "/" + "long/" * 30))
        failing = (healthy +
                   self.http("a-probe-with-a-rather-long-name-for-a-phone", "/status/503",
                             "slo = latency 95% 100ms 1d\nslo = availability 99% 7d") +
                   f"[tcp closed]\naddress = 127.0.0.1:{free_port()}\n")
        browser = self.closing(Browser(self.folder))
        for site, probes, heading, states in (
                ("healthy", healthy, "all well", ["ok"] * 2),
                ("failing", failing, "something fails", ["ok"] * 2 + ["FAIL"] * 2)):
            agent = self.start(probes)
            for target in agent.status()["targets"]:
                agent.wait_runs(target["probe"], 5)
            for scheme in ("light", "dark"):
                browser.scheme(scheme)
                for name, width in (("wide", 1400), ("narrow", 360)):
                    with self.subTest(site=site, scheme=scheme, name=name):
                        browser.resize(width, 900)
                        browser.open(self.url)
                        self.assert_in_words(browser, heading, states)
                        self.assert_legible(browser)
                        self.picture(browser, f"{site}-{scheme}-{name}")
            browser.open("about:blank")  # it would ask an agent that has gone
            self.assertEqual(browser.complaints(), [])
            self.assertEqual(agent.terminate(), 0)

    def test_it_is_live_with_scripts_and_says_when_the_agent_is_gone(self):
        agent = self.start()
        agent.wait_runs("good", 2)
        browser = self.closing(Browser(self.folder))
        browser.open(self.url)
        self.assertEqual(browser.run("return document.title"), "ok: north <3>")
        self.target.close()
        browser.wait("return document.title === 'FAIL: north <3>'", "it tells of the failure")
        self.assertTrue(browser.run(
            "return document.querySelector('.reason').innerText.includes('refused in connect')"))
        agent.kill()
        browser.wait("return document.getElementById('made').innerText.startsWith('no answer')",
                     "it tells that nobody answers")
        ratio, text = browser.run(CONTRAST)
        self.assertGreaterEqual(ratio, 4.5, text)

    def test_it_reads_without_scripts(self):
        agent = self.start()
        agent.wait_runs("good", 2)
        browser = self.closing(Browser(self.folder))
        browser.scripts(False)
        browser.open(self.url)
        source = browser.ask("GET", "/source")
        self.assertIn("all well", source)
        self.assertIn('http-equiv="refresh"', source)


if __name__ == "__main__":
    unittest.main(verbosity=2)
