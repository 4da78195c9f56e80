"""A gateway at its site: the agent runs on an emulated i.MX6 board as it would on a real one,
probes real servers, pushes to a real Pushgateway, and goes through what its life may bring: a
server that is down, a hang of the agent, a hang of all that the watchdog must end, the power cut
in the middle of a write. Behind all of it every request that a server answered is a result in the
store and a count in the Pushgateway, but for what a cut may cost.

Guards against an agent that only works on the machine it was written on, and against totals that
are right only while nothing happens. PICKET_SEED repeats the moments of the cuts as far as two
runs are alike, PICKET_CUTS says how many."""

import json
import os
import random
import re
import time
import unittest

from emulated_board import HOST, QEMU, Board, stripped, tool
import support
from accounting import Account, Kill, Result, is_counter, stats
from site_servers import MailSite, ModbusSite, NginxSite, TlsSite, WatchedGateway
from support import Certificates, LiveTest, parse_text, picketd, run_tool

SEED = int(os.environ.get("PICKET_SEED", random.randrange(1 << 32)))
CUTS = int(os.environ.get("PICKET_CUTS", "3"))
COMMIT = 1
# A commit's own writes on an emulated card, and the loop that begins it.
COMMITTING = 0.5 * support.PATIENCE
# How well the clocks of board and host are known to agree, on a busy machine.
SKEW = 0.2
TIMEOUT = 10  # of the watchdog
# Seconds from run to run of the few and of the many: an emulated processor takes 0.15 s for one
# handshake of TLS, and more where it shares this machine's with others.
OFTEN, SELDOM = 5, 30
# It is looked at while as many runs as may be are in flight, some 60 KiB each.
MEMORY_KIB = 4096
RESULTS = "picket_probe_results_total"
STORE = "/mnt/picket/store.pk"

# By kind, how many of the fifty. The first of each kind runs often, and the story is told by it.
PROBES = {"web": 15, "secure": 7, "mail": 12, "cert": 6, "device": 10}
DEVICES = 3
CERTS = [f"cert-{number}" for number in range(PROBES["cert"])]
NAMES = [f"{kind}-{number}" for kind, count in PROBES.items() for number in range(count)]
FAST = [f"{kind}-0" for kind in PROBES]

# The emulation forgets why it was reset, so each cut counts as a reset by the watchdog: with the
# usual budget the agent would leave the watchdog alone by the end.
CONFIG = f"""
[agent]
site = board
store = {STORE}
commit = {COMMIT}s
concurrency = 8
flash = disk
user = picket
sandbox = strict
[status]
listen = 127.0.0.1:9116
[push]
url = http://{HOST}:{{gateway}}
interval = 2s
timeout = 2s
[watchdog]
device = /dev/watchdog
timeout = {TIMEOUT}s
reboot_budget = {CUTS + 3}
restarts = 20
restart_window = 1h
"""

KINDS = {
    "web": "[http {name}]\nurl = http://{host}:{web}/{name}\nexpect_body = /Sign in/\n",
    "secure": "[http {name}]\nurl = https://{host}:{secure}/{name}\n",
    "mail": '[tcp {name}]\naddress = {host}:{mail}\nstep = expect /^220 /\n'
            'step = send "EHLO {name}\\r\\n"\nstep = expect /^250 HELP/\n'
            'step = send "QUIT\\r\\n"\nstep = expect /^221 /\n',
    "cert": "[tls {name}]\naddress = {host}:{cert}\nserver_name = {name}.board.test\n"
            "min_days = 3\n",
    "device": "[modbus {name}]\naddress = tcp://{host}:{device}\nunit = {unit}\n"
              "read = flow_celsius holding 100 i16 scale=0.1\n",
}

# What an init system does: starts it again whenever it ends, and stops it in order.
INITTAB = """\
::respawn:picketd run -c /etc/picket.conf
::shutdown:sh /etc/shutdown
"""
SHUTDOWN = """\
killall picketd
while killall -0 picketd 2> /dev/null; do usleep 50000; done
umount /mnt
"""
PASSWD = "root:x:0:0:root:/:/bin/sh\npicket:x:100:100:picket:/:/bin/false\n"
GROUP = "root:x:0:\npicket:x:100:\n"


def unit_of(name):
    return 1 + NAMES.index(name)


def plain(series):
    """Without the labels that `store dump` cannot know."""
    return {(name, frozenset((label, value) for label, value in labels
                             if label in ("probe", "kind", "instance", "result", "reason", "le"))):
            value for (name, labels), value in series.items()}


def wait_write(path):
    """Returns as soon as a file is written to; looks too often for it to have been for long."""
    written = path.stat().st_mtime_ns
    deadline = time.monotonic() + 10 * support.PATIENCE
    while path.stat().st_mtime_ns == written:
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing is written to {path}")
        time.sleep(0.0002)


class Gateway(LiveTest):
    def setUp(self):
        super().setUp()
        tool(QEMU / "fetch", "sabrelite")
        print(f"PICKET_SEED={SEED}", flush=True)
        self.chance = random.Random(SEED)
        # RSA, since an emulated processor takes its time with curves.
        certificates = Certificates(self.folder / "certificates", "rsa:2048")
        certificates.leaf("site", f"IP:{HOST},DNS:*.board.test")
        self.authority = certificates.path("ca.pem")
        pair = certificates.path("site.pem"), certificates.path("site.key")
        self.web = self.closing(NginxSite(self.folder / "nginx", *pair))
        self.mail = self.closing(MailSite())
        self.cert = self.closing(TlsSite(CERTS, *pair))
        self.device = self.closing(ModbusSite([unit_of(name) for name in NAMES], DEVICES))
        self.gateway = self.closing(WatchedGateway(self.folder))
        self.kills, self.began = [], []
        self.board = self.closing(Board(self.folder, "sabrelite", self.files(), "gateway"))

    def config(self):
        text = CONFIG.format(gateway=self.gateway.port)
        for name in NAMES:
            kind = name.split("-")[0]
            unit = unit_of(name)
            often = f"interval = {OFTEN if name in FAST else SELDOM}s\n"
            trust = "" if kind in ("mail", "device") else "ca_file = /etc/picket-ca.pem\n"
            text += KINDS[kind].format(
                name=name, host=HOST, web=self.web.http, secure=self.web.https,
                mail=self.mail.port, cert=self.cert.ports.get(name), unit=unit,
                device=self.device.port(unit)) + trust + often
        return text

    def files(self):
        texts = {"etc/picket.conf": self.config(), "etc/inittab": INITTAB, "etc/shutdown": SHUTDOWN,
                 "etc/passwd": PASSWD, "etc/group": GROUP}
        return {"bin/picketd": stripped(self.folder), "etc/picket-ca.pem": self.authority,
                **{path: self.file(path.split("/")[1], text, 0o644)
                   for path, text in texts.items()}}

    # ---- what is known where ----

    def told(self, **labels):
        """Results the Pushgateway knows of."""
        return self.gateway.last.total(RESULTS, **labels)

    def wait_told(self, condition, what, seconds=60):
        return self.board.wait(lambda: self.gateway.last and condition(), what, seconds)

    def restarts(self, cause):
        return self.gateway.last.total("picket_restarts_total", cause=cause)

    def requests(self):
        """{probe: requests its server answered}"""
        units = {unit_of(name): name for name in NAMES}
        served = {**self.web.requests(), **self.mail.requests(), **self.cert.requests(),
                  **{units[unit]: log for unit, log in self.device.requests().items()}}
        return {name: served.get(name, []) for name in NAMES}

    def results(self, store):
        """{probe: results}, their moments by this machine's clock. The boots are told apart by the
        order in which they stand in the store."""
        done = picketd("store", "dump", "--format", "json", store, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        results, boots = {name: [] for name in NAMES}, []
        for line in done.stdout.splitlines():
            one = json.loads(line)
            if one["boot"] not in boots:
                boots.append(one["boot"])
            start = self.began[len(boots) - 1] + one["monotonic_ms"] / 1000
            results[one["probe"]].append(
                Result(start - SKEW, start + one["duration_seconds"] + SKEW, one["outcome"],
                       one["reason"], one["number"], one["probe"]))
        self.assertEqual(len(boots), len(self.began), "a boot left no result")
        return results

    def image(self, name):
        """The store in a copy of the card, once its file system has been put in order as a boot
        would; the store must be whole, and hold what was told."""
        card, store = self.folder / f"{name}.card", self.folder / f"{name}.pk"
        told = {key: value for key, value in self.gateway.last.items()
                if key[0].startswith("picket_probe_") and is_counter(key[0])}
        run_tool("cp", "--sparse=always", self.board.disk, card)
        run_tool("e2fsck", "-fp", card, codes=(0, 1))
        run_tool("debugfs", "-R", f"dump {STORE.removeprefix('/mnt')} {store}", card)
        card.unlink()
        done = picketd("store", "verify", store)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        totals = plain(parse_text(picketd("store", "dump", "--format", "prom", store).stdout))
        for key, value in plain(told).items():
            self.assertGreaterEqual(totals.get(key, 0) + 1e-9, value, f"{name}: {key}")
        return store

    # ---- the story ----

    def test_totals_are_exact_after_all_that_happens_to_a_gateway(self):
        self.boots(self.board.power_on)
        self.all_kinds_succeed_and_are_seen()
        self.fits_into_a_small_board()
        self.a_server_that_is_down_is_told()
        self.a_hung_agent_is_replaced()
        self.a_hung_board_is_reset()
        for number in range(CUTS):
            self.power_is_cut(number)
        self.halts_in_order()
        self.totals_are_exact()

    def boots(self, power, since=None):
        since = since or time.monotonic()
        power()
        self.board.wait_boot(len(self.began) + 1)
        print(f"boot {len(self.began) + 1}: {time.monotonic() - since:.1f} s to the start of the "
              f"agent", end="", flush=True)
        self.began.append(self.board.began())
        asked = self.wait_told(lambda: [one.came for log in self.requests().values() for one in log
                                        if one.came > since], "a probe arrives")
        print(f", {min(asked) - since:.1f} s to its first request", flush=True)
        # It boots in 1970, and hears later what time it is.
        self.board.set_clock()

    def goes_on(self):
        """Everybody is well, whatever was before."""
        known = {name: self.told(probe=name, result="success") for name in FAST}
        self.wait_told(lambda: all(self.told(probe=name, result="success") > known[name]
                                   for name in FAST), "each kind succeeds once more")

    def all_kinds_succeed_and_are_seen(self):
        self.wait_told(lambda: all(self.told(probe=name, result="success") for name in NAMES),
                       "all fifty succeed", 4 * SELDOM)
        self.assertEqual(self.gateway.last.total("probe_success"), len(NAMES))
        value = self.gateway.last.value("picket_modbus_value", probe="device-0")
        self.assertAlmostEqual(value, 21.5)
        self.assertIn("seccomp that kills", self.board.console())
        state = self.board.run("cat /sys/class/watchdog/watchdog0/state")
        self.assertEqual(state.strip(), "active")

    def fits_into_a_small_board(self):
        """Also once somebody has read the page, and a Prometheus at the site its series."""
        for path, content in (("/", "<svg"), ("/status.json", '"targets"'), ("/metrics", RESULTS)):
            read = self.board.run(f"wget -q -O - http://127.0.0.1:9116{path} | grep -c '{content}'")
            self.assertGreaterEqual(int(read), 1, path)
        parent, agent = self.processes()
        both = 0
        for what, pid in (("parent", parent), ("agent", agent)):
            # VmRSS is behind by up to 64 pages a processor.
            rollup = self.board.run(f"cat /proc/{pid}/smaps_rollup")
            resident, share = (int(re.search(rf"{field}:\s+(\d+)", rollup).group(1))
                               for field in ("Rss", "Pss"))
            print(f"{what} with {len(NAMES)} probes: {resident} KiB resident, {share} KiB of it "
                  "its own share", flush=True)
            both += resident
        self.assertLessEqual(both, MEMORY_KIB)

    def processes(self):
        """The parent, which init started, and the agent."""
        pids = self.board.run("pidof picketd").split()
        stats_of = {pid: self.board.run(f"cat /proc/{pid}/stat").split() for pid in pids}
        parent = next(pid for pid in pids if stats_of[pid][3] == "1")
        return parent, next(pid for pid in pids if stats_of[pid][3] == parent)

    def a_server_that_is_down_is_told(self):
        self.cert.stop("cert-0")
        self.wait_told(lambda: self.gateway.last.total("picket_probe_failures_total",
                                                       probe="cert-0", reason="refused"),
                       "the failure is told, and why")
        self.assertEqual(self.gateway.last.value("probe_success", probe="cert-0"), 0)
        self.cert.start("cert-0")
        self.wait_told(lambda: self.gateway.last.total("probe_success", probe="cert-0") == 1,
                       "it is well again")

    def a_hung_agent_is_replaced(self):
        _, agent = self.processes()
        hung = time.monotonic()
        self.board.run(f"kill -STOP {agent}")
        self.wait_told(lambda: self.restarts("hang") == 1, "a new agent tells of the hang")
        self.kills.append(Kill(hung, time.monotonic()))
        print(f"hung agent: told by the next one {time.monotonic() - hung:.1f} s later", flush=True)
        self.assertEqual(self.board.boots(), 1)
        self.assertNotEqual(self.processes()[1], agent)
        self.goes_on()

    def a_hung_board_is_reset(self):
        hung = time.monotonic()
        self.board.run("kill -STOP $(pidof picketd)")
        reset = self.board.wait(lambda: self.board.moments("WATCHDOG"), "the watchdog bites",
                                3 * TIMEOUT)[0]
        print(f"hung board: reset {reset - hung:.1f} s later", flush=True)
        self.kills.append(Kill(hung, reset, COMMIT + COMMITTING))
        self.boots(self.cert.restart_all, reset)
        self.wait_told(lambda: self.restarts("unknown") == 1, "the reset is told")
        self.goes_on()

    def power_is_cut(self, number):
        """At any moment, or a moment after the card is written to."""
        moment = self.chance.uniform(0, 2 * COMMIT)
        aimed = number == 1 or self.chance.random() < 0.7
        late = self.chance.uniform(0, 0.02)
        time.sleep(moment)
        if aimed:
            wait_write(self.board.disk)
            time.sleep(late)
        begun = time.monotonic()
        self.board.cut()
        self.kills.append(Kill(begun, time.monotonic(), COMMIT + COMMITTING))
        print(f"cut {number}: " + (f"{1000 * late:.1f} ms into a write" if aimed else "anywhere"),
              flush=True)
        self.image(f"cut-{number}")
        self.boots(self.board.power_on)
        self.board.run(f"picketd store verify {STORE}", 60)
        self.wait_told(lambda: self.restarts("unknown") == 2 + number, "the cut is told")
        self.goes_on()

    def halts_in_order(self):
        """Its last push comes behind its last result."""
        self.board.run(f"picketd store verify {STORE}", 60)
        self.board.run("halt")
        self.board.wait(lambda: "System halted" in self.board.console(), "it halts", 60)
        self.board.cut()
        self.gateway.look()

    def totals_are_exact(self):
        store = self.image("end")
        totals = plain(parse_text(picketd("store", "dump", "--format", "prom", store).stdout))
        told = plain({key: value for key, value in self.gateway.last.items()
                      if key[0].startswith("picket_probe_") and is_counter(key[0])})
        differ = {key: value for key, value in told.items() if totals.get(key) != value}
        self.assertEqual(differ, {})
        results = self.results(store)
        for name in NAMES:
            for outcome in ("success", "failure", "unknown"):
                self.assertEqual(self.told(probe=name, result=outcome),
                                 sum(one.outcome == outcome for one in results[name]), name)
        self.assertEqual(set(stats(store)["dropped"].values()), {0})
        account = Account(NAMES, self.kills, self.requests(), results)
        print(account, flush=True)
        self.assertEqual(account.problems, [])
        self.assertEqual(self.gateway.falls, [])
        self.assertEqual(len(self.gateway.epochs), 1)
        console = self.board.console()
        for word in ("store: in memory", "Assertion", "Oops", "EXT4-fs error"):
            self.assertNotIn(word, console)


if __name__ == "__main__":
    unittest.main()
