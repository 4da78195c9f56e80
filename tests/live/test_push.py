"""The push, before a real Pushgateway, nginx in front of it, and receivers that mean harm.

Guards against totals that differ from what was measured, credentials that go astray, and a
receiver that can stop, slow down or grow the agent."""

import base64
import signal
import time
import unittest

import support
from hostile_push import HostilePush
from support import (Certificates, LiveTest, Nginx, Pushgateway, Target, free_port, parse_text,
                     picketd, promtool, wait_until)

FAST = "[defaults]\ninterval = 200ms\ntimeout = 200ms\n"
PROTOBUF = ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
            "encoding=delimited")


def site(probes, push, name="push-test", agent="", defaults=FAST):
    return f"[agent]\nsite = {name}\n{agent}\n[push]\ninterval = 1s\n{push}\n{defaults}\n{probes}\n"


def http(name, url, more=""):
    return f"[http {name}]\nurl = {url}\n{more}\n"


def pushed(agent, times=1, result="accepted"):
    return agent.wait_status(lambda s: s["push"]["attempts"][result] >= times,
                             f"{times} pushes {result}", 20)


class RealPushgateway(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())
        self.gateway = self.closing(Pushgateway(self.folder))

    def test_everything_that_is_pushed(self):
        probes = (http("portal", self.target.url("/portal"),
                       "label = tier=gold\nslo = availability 99.9% 30d\n"
                       "slo = latency 95% 100ms 30d\n") +
                  http("broken", self.target.url("/status/503")) +
                  http("refused", f"http://127.0.0.1:{free_port()}/") +
                  http("two", self.target.url("/one") + "\nurl = " + self.target.url("/two")) +
                  http("off", self.target.url("/off"), "enabled = off"))
        agent = self.agent(site(probes, f"url = {self.gateway.url}", agent="label = region=emea"))
        agent.wait_runs("portal", 8)
        self.assertEqual(agent.terminate(), 0)

        groups = self.gateway.groups()
        self.assertEqual([group["labels"] for group in groups],
                         [{"job": "picket", "site": "push-test"}])
        text = self.gateway.ours()
        self.assertEqual(promtool(text), "")
        series = parse_text(text)

        results = "picket_probe_results_total"
        for probe, path, result in (("portal", "/portal", "success"),
                                    ("broken", "/status/503", "failure")):
            self.assertEqual(series.value(results, probe=probe, result=result),
                             self.target.count(path))
        for path in ("/one", "/two"):
            self.assertEqual(series.value(results, probe="two", result="success",
                                          instance=self.target.url(path)), self.target.count(path))
            self.assertEqual(series.value("probe_success", probe="two",
                                          instance=self.target.url(path)), 1)
        # Every value a label can take is there from the first push, at 0.
        for result in ("success", "failure", "unknown"):
            self.assertEqual(series.value(results, probe="off", result=result), 0)
        self.assertEqual(series.value("picket_probe_failures_total", probe="portal",
                                      reason="cert_expired"), 0)
        self.assertEqual(self.target.count("/off"), 0)
        self.assertGreater(series.value("picket_probe_failures_total", probe="refused",
                                        reason="refused"), 0)
        self.assertEqual(series.value("probe_http_status_code", probe="broken"), 503)
        self.assertEqual(series.total("picket_slo_events_total", probe="portal",
                                      slo="availability"), self.target.count("/portal"))
        self.assertEqual(series.value("picket_probe_duration_seconds_count", probe="portal"),
                         self.target.count("/portal"))
        # Configured labels: the agent's on all, the probe's on its own.
        for (name, labels), _ in series.items():
            labels = dict(labels)
            self.assertEqual(labels["job"], "picket")
            self.assertEqual(labels["region"], "emea", name)
            self.assertEqual(labels.get("tier"), "gold" if labels.get("probe") == "portal" else None)
        self.assertEqual(series.value("picket_build_info", instance="push-test"), 1)

    def test_each_push_counts_as_one_more(self):
        agent = self.agent(site("", f"url = {self.gateway.url}"))
        pushed(agent, 3)
        agent.terminate()
        # The push under way cannot count itself.
        self.assertGreaterEqual(self.gateway.series().value("picket_push_attempts_total",
                                                            result="accepted"), 3)

    def test_names_of_sites(self):
        for name in ("Zürich 1", "a b?c#d%41", "..x", "ends-in-dot.", "ü", "x" * 128):
            with self.subTest(name):
                agent = self.agent(site(http("p", self.target.url("/p")),
                                        f"url = {self.gateway.url}/", name=f'"{name}"'))
                pushed(agent)
                self.assertEqual(agent.terminate(), 0)
        groups = [group["labels"]["site"] for group in self.gateway.groups()]
        self.assertEqual(sorted(groups), sorted(("Zürich 1", "a b?c#d%41", "..x", "ends-in-dot.",
                                                 "ü", "x" * 128)))

    def test_identities_that_would_poison_the_gateway_are_refused(self):
        for name in ('""', ".", "..", "a/b", '"a\\n"', '"\\xff"', "x" * 129):
            with self.subTest(name):
                path = self.file("bad.conf", site("", "url = http://127.0.0.1:1", name=name))
                done = picketd("check", path)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertRegex(done.stderr, r"bad\.conf:2: ")
        path = self.file("bad.conf", "[push]\nurl = http://127.0.0.1:1\n")
        self.assertRegex(picketd("check", path).stderr, r"bad\.conf:2: .*'site'")

    def test_probe_as_prom_is_what_promtool_expects(self):
        for url in (self.target.url("/x"), self.target.url("/status/500"),
                    f"http://127.0.0.1:{free_port()}/", "http://nobody.invalid/"):
            done = picketd("probe", "http", url, "--timeout", "2s", "--format", "prom")
            self.assertIn("picket_probe_results_total", done.stdout)
            self.assertEqual(promtool(done.stdout), "", url)

    def test_a_probe_that_is_gone_is_gone_upstream(self):
        agent = self.agent(site(http("old", self.target.url("/old")) +
                                http("kept", self.target.url("/kept")), f"url = {self.gateway.url}"))
        pushed(agent)
        agent.write(site(http("kept", self.target.url("/kept")), f"url = {self.gateway.url}"))
        agent.signal(signal.SIGHUP)
        agent.wait_log("restarting")
        wait_until(lambda: not self.gateway.series().select("picket_probe_results_total",
                                                            probe="old"), "old is gone")
        self.assertTrue(self.gateway.series().select("picket_probe_results_total", probe="kept"))


PROXY = """
  upstream gateway {{ server 127.0.0.1:{gateway}; }}
  server {{
    listen 127.0.0.1:{basic};
    location / {{ auth_basic x; auth_basic_user_file {{folder}}/users; proxy_pass http://gateway; }}
  }}
  server {{
    listen 127.0.0.1:{bearer};
    location / {{ if ($http_authorization != "Bearer open-sesame") {{ return 401; }}
                 proxy_pass http://gateway; }}
  }}
  server {{
    listen 127.0.0.1:{tls} ssl;
    ssl_certificate {{folder}}/certs/good.pem; ssl_certificate_key {{folder}}/certs/good.key;
    location / {{ proxy_pass http://gateway; }}
  }}
  server {{
    listen 127.0.0.1:{wrong} ssl;
    ssl_certificate {{folder}}/certs/wrong.pem; ssl_certificate_key {{folder}}/certs/wrong.key;
    location / {{ proxy_pass http://gateway; }}
  }}
  server {{
    listen 127.0.0.1:{mutual} ssl;
    ssl_certificate {{folder}}/certs/good.pem; ssl_certificate_key {{folder}}/certs/good.key;
    ssl_client_certificate {{folder}}/certs/ca.pem; ssl_verify_client on;
    location / {{ proxy_pass http://gateway; }}
  }}
"""


class Authentication(LiveTest):
    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())
        self.gateway = self.closing(Pushgateway(self.folder))
        self.certs = Certificates(self.folder / "certs")
        self.certs.authority("other")
        self.certs.leaf("good")
        self.certs.leaf("wrong", "DNS:other.example")
        self.certs.leaf("client", "DNS:client")
        self.certs.leaf("stranger", "DNS:client", authority="other")
        self.file("users", "branch:{PLAIN}pass w?rd/é\n", 0o644)
        self.ports = {name: free_port() for name in ("basic", "bearer", "tls", "wrong", "mutual")}
        self.proxy = self.closing(Nginx(
            self.folder, PROXY.format(gateway=self.gateway.port, **self.ports),
            self.ports["mutual"]))

    def run_with(self, push):
        return self.agent(site(http("p", self.target.url("/p")), push,
                               defaults="[defaults]\ninterval = 500ms\ntimeout = 400ms\n"))

    def accepted(self, push):
        agent = self.run_with(push)
        pushed(agent)
        self.assertEqual(agent.terminate(), 0, agent.log())
        self.assertEqual(self.gateway.series().value("picket_probe_results_total", result="success"),
                         self.target.count("/p"), agent.log())
        return agent

    def refused(self, push, result, words):
        """The push fails in its class, and the probes do not care."""
        agent = self.run_with(push)
        pushed(agent, 2, result)
        runs = sum(agent.target("p")["results"].values())
        agent.wait_runs("p", runs + 3)
        self.assertEqual(agent.target("p")["missed"], 0)
        self.assertEqual(agent.status()["push"]["attempts"]["accepted"], 0)
        self.assertRegex(agent.log(), words)
        self.assertEqual(agent.terminate(), 0)
        self.assertEqual(self.gateway.groups(), [])

    def test_basic(self):
        password = self.file("pw", "pass w?rd/é\n")
        self.accepted(f"url = http://127.0.0.1:{self.ports['basic']}\nusername = branch\n"
                      f"password_file = {password}")

    def test_basic_wrong(self):
        password = self.file("pw", "wrong")
        self.refused(f"url = http://127.0.0.1:{self.ports['basic']}\nusername = branch\n"
                     f"password_file = {password}", "rejected", r"HTTP 401\): no reason was given")

    def test_bearer(self):
        token = self.file("token", "open-sesame\n")
        self.accepted(f"url = http://127.0.0.1:{self.ports['bearer']}\nbearer_file = {token}")

    def test_bearer_wrong(self):
        token = self.file("token", "close-sesame")
        self.refused(f"url = http://127.0.0.1:{self.ports['bearer']}\nbearer_file = {token}",
                     "rejected", "HTTP 401")

    def test_own_ca_by_name_and_by_address(self):
        for host in ("localhost", "127.0.0.1"):
            with self.subTest(host):
                self.accepted(f"url = https://{host}:{self.ports['tls']}\n"
                              f"ca_file = {self.certs.path('ca.pem')}")
                self.target.served.clear()

    def test_another_ca(self):
        self.refused(f"url = https://localhost:{self.ports['tls']}\n"
                     f"ca_file = {self.certs.path('other.pem')}", "unreachable", "issuer neither")

    def test_the_systems_cas_do_not_know_ours(self):
        self.refused(f"url = https://localhost:{self.ports['tls']}", "unreachable", "push: failed")

    def test_another_name(self):
        self.refused(f"url = https://localhost:{self.ports['wrong']}\n"
                     f"ca_file = {self.certs.path('ca.pem')}", "unreachable",
                     r"another name: other\.example")

    def test_not_verified_when_told_so(self):
        self.accepted(f"url = https://localhost:{self.ports['wrong']}\nverify = off")

    def test_dates_do_not_count_without_a_trusted_clock(self):
        """A board that does not know the time must be able to say so upstream."""
        agent = self.agent(site(http("p", self.target.url("/p")),
                                f"url = https://localhost:{self.ports['tls']}\n"
                                f"ca_file = {self.certs.path('ca.pem')}",
                                agent="clock_trust = synced"))
        if agent.status()["clock_trusted"]:
            self.skipTest("this machine's clock is synchronised")
        pushed(agent)
        agent.terminate()
        self.assertEqual(self.gateway.series().value("picket_clock_trusted"), 0)

    def test_names_count_without_a_trusted_clock(self):
        agent = self.agent(site("", f"url = https://localhost:{self.ports['wrong']}\n"
                                f"ca_file = {self.certs.path('ca.pem')}",
                                agent="clock_trust = synced"))
        pushed(agent, 1, "unreachable")
        self.assertEqual(self.gateway.groups(), [])

    def test_client_certificate(self):
        self.accepted(f"url = https://localhost:{self.ports['mutual']}\n"
                      f"ca_file = {self.certs.path('ca.pem')}\n"
                      f"cert_file = {self.certs.path('client.pem')}\n"
                      f"key_file = {self.certs.path('client.key')}")

    def test_client_certificate_of_a_stranger_and_none(self):
        url = f"url = https://localhost:{self.ports['mutual']}\nca_file = {self.certs.path('ca.pem')}\n"
        self.refused(url, "rejected", "HTTP 400")
        self.refused(url + f"cert_file = {self.certs.path('stranger.pem')}\n"
                     f"key_file = {self.certs.path('stranger.key')}", "rejected", "HTTP 400")

    def test_plain_http_to_a_tls_port_and_the_other_way_round(self):
        self.refused(f"url = http://localhost:{self.ports['tls']}", "rejected", "HTTP 400")
        self.refused(f"url = https://localhost:{self.ports['basic']}\n"
                     f"ca_file = {self.certs.path('ca.pem')}", "unreachable", "push: failed")

    def test_files_that_cannot_be_used_are_refused_at_their_lines(self):
        open_key = self.file("open.key", self.certs.path("client.key").read_text(), 0o644)
        readable = self.file("readable", "secret", 0o644)
        rows = (
            ("username = u\npassword_file = {readable}", 6, "readable"),
            ("bearer_file = {readable}", 5, "readable"),
            ("bearer_file = /nonexistent/token", 5, "No such file"),
            ("ca_file = /nonexistent/ca", 5, "No such file"),
            ("ca_file = {readable}", 5, "no certificate"),
            ("cert_file = {certs}/client.pem\nkey_file = {open_key}", 6, "open.key"),
            ("cert_file = {certs}/client.pem\nkey_file = {certs}/stranger.key", 6, "not the key"),
            ("username = u\npassword_file = {folder}", 6, "not a regular file"),
        )
        for keys, line, words in rows:
            with self.subTest(keys):
                keys = keys.format(readable=readable, open_key=open_key, folder=self.folder,
                                   certs=self.certs.folder)
                path = self.file("bad.conf", site("", f"url = https://localhost:1\n{keys}"))
                expected = rf"bad\.conf:{line + 2}: .*{words}"
                done = picketd("check", path)
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr, expected)
                done = picketd("run", "-c", path, "--socket", self.folder / "s")
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, expected)
                self.assertNotIn("secret\n", done.stderr)
                self.assertEqual(picketd("check", "--no-files", path).returncode, 0)


class Hostile(LiveTest):
    """Whatever the receiver does: probes run on, nothing grows, totals arrive in the end."""

    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())

    def start(self, mode, push="", receiver=None):
        self.receiver = self.closing(receiver or HostilePush(mode))
        return self.agent(site(http("p", self.target.url("/p")),
                               f"url = {self.receiver.url}\ntimeout = 1s\n{push}",
                               defaults="[defaults]\ninterval = 500ms\ntimeout = 400ms\n"))

    def endure(self, mode, result, runs=6, words="push"):
        agent = self.start(mode)
        pushed(agent, 1, result)
        before = agent.memory_kib()
        done = sum(agent.target("p")["results"].values())
        agent.wait_runs("p", done + runs)
        if not support.SANITIZED:
            self.assertLess(agent.memory_kib() - before, 512, "memory grows")
        target = agent.target("p")
        self.assertEqual(target["missed"], 0)
        self.assertEqual(target["results"]["failure"], 0)
        self.assertRegex(agent.log(), words)
        self.heal(agent)
        return agent

    def heal(self, agent):
        """A good receiver is there again: it gets everything."""
        self.receiver.mode = "good"
        # Back-off may have grown by now; the end pushes in any case.
        self.assertEqual(agent.terminate(), 0)
        series = self.receiver.last()
        self.assertEqual(series.value("picket_probe_results_total", result="success"),
                         self.target.count("/p"))
        self.assertNotIn("\x1b", agent.log())
        self.assertClean(agent)

    def test_the_request_itself(self):
        agent = self.start("good")
        pushed(agent)
        method, path, headers, body = self.receiver.requests[0]
        self.assertEqual((method, path), ("PUT", "/metrics/job/picket/site/push-test"))
        self.assertEqual(headers["content-type"], PROTOBUF)
        self.assertNotIn("expect", headers)
        self.assertNotIn("authorization", headers)
        self.assertTrue(body)
        self.heal(agent)

    def test_site_in_base64(self):
        self.receiver = self.closing(HostilePush())
        agent = self.agent(site("", f"url = {self.receiver.url}//", name="Zürich 1"))
        pushed(agent)
        path = self.receiver.requests[0][1]
        prefix = "/metrics/job/picket/site@base64/"
        self.assertTrue(path.startswith(prefix))
        encoded = path[len(prefix):]
        self.assertEqual(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode(),
                         "Zürich 1")

    def test_400_for_ever(self):
        agent = self.endure("rejected", "rejected", words=r"rejected, HTTP 400\).*inconsistent")
        self.assertEqual(agent.log().count("push: failed"), 1, "told once")

    def test_500(self):
        self.endure("broken", "busy", words=r"busy, HTTP 500\): oops\n")

    def test_garbage(self):
        self.endure("garbage", "unreachable")

    def test_closed_without_an_answer(self):
        self.endure("closed", "unreachable")

    def test_reset_amid_the_answer(self):
        self.endure("reset", "unreachable")

    def test_an_endless_head(self):
        self.endure("endless head", "unreachable")

    def test_silence(self):
        self.endure("silent", "timeout")

    def test_an_answer_that_drips(self):
        self.endure("drip", "timeout")

    def test_an_answer_of_a_gigabyte(self):
        agent = self.endure("huge", "accepted", words="first body accepted")
        self.assertNotIn("push: failed", agent.log())
        self.assertLess(self.receiver.sent, 100 << 20, "it was read")

    def test_an_answer_before_the_body_was_read(self):
        agent = self.start("early")
        agent.wait_status(lambda s: sum(s["push"]["attempts"].values()) >= 2, "pushes")
        agent.wait_runs("p", 10)
        self.heal(agent)

    def test_retry_after_is_honoured(self):
        agent = self.start("busy")
        pushed(agent, 1, "busy")
        first = time.monotonic()
        pushed(agent, 2, "busy")
        self.assertGreater(time.monotonic() - first, 1.5)
        self.heal(agent)

    def test_retry_after_is_capped(self):
        for mode in ("busy for years", "busy until a date"):
            with self.subTest(mode):
                agent = self.start(mode)
                status = pushed(agent, 1, "busy")
                self.assertLessEqual(status["push"]["next_in_seconds"], 300)
                self.assertGreater(status["push"]["next_in_seconds"], 250)
                agent.wait_runs("p", 3)
                self.heal(agent)
                self.target.served.clear()

    def test_retry_after_of_nonsense(self):
        agent = self.start("busy, badly")
        status = pushed(agent, 1, "busy")
        self.assertLessEqual(status["push"]["next_in_seconds"], 2)
        self.heal(agent)

    def test_redirects_are_never_followed(self):
        elsewhere = self.closing(HostilePush())
        token = self.file("token", "for-the-receiver-only")
        for status in ("301", "302", "303", "307", "308"):
            with self.subTest(status):
                receiver = HostilePush("moved", location=(status, elsewhere.url + "/steal"))
                agent = self.start("moved", f"bearer_file = {token}", receiver=receiver)
                pushed(agent, 1, "redirected")
                agent.wait_runs("p", 3)
                self.heal(agent)
                self.target.served.clear()
        self.assertEqual(elsewhere.accepted, 0)

    def test_refused_and_back(self):
        agent = self.start("good")
        pushed(agent)
        self.receiver.pause()
        pushed(agent, 2, "unreachable")
        self.receiver.resume()
        agent.wait_status(lambda s: s["push"]["last_result"] == "accepted", "accepted again", 20)
        agent.wait_log("push: accepted again after")
        self.assertEqual(agent.target("p")["missed"], 0)
        self.heal(agent)

    def test_totals_never_go_backwards_and_end_exact_whatever_happened(self):
        agent = self.start("good")
        for mode in ("good", "rejected", "reset", "silent", "moved", "garbage", "good", "closed"):
            self.receiver.location = ("302", "http://127.0.0.1:1/")
            self.receiver.mode = mode
            attempts = sum(agent.status()["push"]["attempts"].values())
            agent.wait_status(lambda s: sum(s["push"]["attempts"].values()) > attempts,
                              f"a push to {mode}", 30)
        self.heal(agent)
        last = -1
        for series in self.receiver.bodies():
            now = series.value("picket_probe_results_total", result="success")
            self.assertGreaterEqual(now, last)
            last = now

    def test_the_last_push_of_a_restart_has_all_of_the_old_life(self):
        agent = self.start("good", "")
        agent.wait_runs("p", 4)
        agent.write(site(http("q", self.target.url("/q")), f"url = {self.receiver.url}"))
        agent.signal(signal.SIGHUP)
        agent.wait_log("restarting")
        wait_until(lambda: self.receiver.last().select("picket_probe_results_total", probe="q"),
                   "the new life pushes")
        old = [series for series in self.receiver.bodies()
               if series.select("picket_probe_results_total", probe="p")]
        self.assertEqual(old[-1].value("picket_probe_results_total", result="success"),
                         self.target.count("/p"))

    def test_secrets_are_not_in_a_refusal(self):
        receiver = HostilePush("rejected")
        token = self.file("token", "never-told-token")
        agent = self.start("rejected", f"bearer_file = {token}", receiver=receiver)
        pushed(agent, 1, "rejected")
        self.assertEqual(receiver.requests[0][2]["authorization"], "Bearer never-told-token")
        agent.terminate()
        self.assertNotIn("never-told", agent.log())


if __name__ == "__main__":
    unittest.main()
