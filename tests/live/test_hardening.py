"""The sandbox: what the agent gives up, and that it does all its work without.

Guards against a right that is kept, a thread that keeps it, a refusal that only looks like one, and
against a sandbox that breaks a probe, the store, the push, the status page, a reload, the start
after a crash or a device that is plugged out and in. Needs root."""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import support
from support import (Agent, Certificates, LiveTest, Pushgateway, Target, free_port, picketd,
                     wait_until)

try:
    from modbus_server import ModbusServer, SerialLine
except ImportError:  # pymodbus, or what its server needs
    ModbusServer = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "boards/package/systemd/picketd.service"
TRIES = support.BUILD / "tests" / "sandbox_tries"
USER = "nobody"

# By whom the tries of sandbox_tries.c are refused, and how.
LANDLOCK = dict.fromkeys(
    "store_mkdir beside_write beside_make beside_remove other_read other_list other_make "
    "process_1_read memory_device bind_port bind_any_port".split(), "EACCES")
SECCOMP = {**dict.fromkeys(
    "store_symlink store_chmod beside_run fork_plain ptrace_parent signal_parent "
    "signal_other_thread socket_audit socket_packet socket_alg socket_vsock map_code "
    "protect_code become_root be_dumpable raise_limit type_into_terminal new_namespace keyring bpf "
    "io_ring peek_parent reboot_machine execute execute_self".split(), "EPERM"),
    "clone_new": "ENOSYS", "future_call": "ENOSYS"}
# By Landlock's scopes; by a capability that is not there.
SCOPE = {"abstract_socket": "EPERM", "signal_thread": "EPERM"}
POWER = {"socket_raw": "EPERM"}
ALLOWED = ("store_make store_rename store_open store_sync_folder store_remove socket_make "
           "socket_remove beside_read hosts_read self_read thread signal_self socket_tcp "
           "socket_tcp6 socket_route map_data read_limit count_input".split())


def landlock_version(folder):
    log = subprocess.run([TRIES, "on", "-", folder, "none"], capture_output=True, text=True).stderr
    found = re.search(r"Landlock (\d+)", log)
    return int(found.group(1)) if found else 0


class HardeningTest(LiveTest):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("needs root, to give it up")
        if support.SANITIZED:
            self.skipTest("a sanitizer needs what a sandbox takes")
        if support.EMULATED:
            self.skipTest("qemu-user knows neither seccomp nor Landlock")
        self.user = pwd.getpwnam(USER)
        self.folder.chmod(0o711)
        self.version = landlock_version(tempfile.mkdtemp(dir=self.folder))
        if self.version < 6:
            self.skipTest(f"Landlock {self.version} is all this kernel has")

    def own(self, name):
        """A folder that belongs to the agent's user."""
        path = self.folder / name
        path.mkdir()
        os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return path


    def assertShut(self, pid):
        """Others of the same user see nothing of what is in it."""
        for name in ("mem", "environ", "maps", "fd"):
            look = subprocess.run(["ls" if name == "fd" else "cat", f"/proc/{pid}/{name}"],
                                  user=USER, group=self.user.pw_gid, capture_output=True, text=True)
            self.assertIn("Permission denied", look.stderr, name)


class Refusals(HardeningTest):
    """Each try in a process of the test's own that entered the sandbox as the agent does."""

    def setUp(self):
        super().setUp()
        self.own("store"), self.own("run")
        for name in ("beside/cert", "other/file"):
            path = self.folder / name
            path.parent.mkdir()
            path.parent.chmod(0o777)  # so that it is not the file's mode that refuses
            path.write_text("#!/bin/true\n")
            path.chmod(0o777)
        abstract = socket.socket(socket.AF_UNIX)
        self.addCleanup(abstract.close)
        abstract.bind(b"\0" + str(self.folder).encode())
        abstract.listen(8)

    def tries(self, choice, *only, user=USER):
        done = subprocess.run([TRIES, choice, user, self.folder, *only], capture_output=True,
                              text=True, timeout=30, stdin=subprocess.DEVNULL)
        return done, dict(line.split() for line in done.stdout.splitlines())

    def test_nothing_else_is_allowed(self):
        done, got = self.tries("on")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(got, {**LANDLOCK, **SECCOMP, **SCOPE, **POWER, **dict.fromkeys(ALLOWED, "ok")})
        self.assertRegex(done.stderr, rf"sandbox: user {USER}, no capabilities, Landlock \d+, "
                                      "seccomp\n")

    def test_without_a_sandbox_the_same_tries_are_not_refused_so(self):
        _, got = self.tries("off")
        for name in ALLOWED:
            self.assertEqual(got[name], "ok", name)
        for name in ["store_mkdir", "store_symlink", "store_chmod", "beside_write", "beside_make",
                     "beside_remove", "other_read", "other_list", "other_make", "process_1_read",
                     "memory_device", "fork_plain", "socket_audit", "socket_vsock", "bind_port",
                     "bind_any_port", "abstract_socket", "map_code", "protect_code", "be_dumpable",
                     "raise_limit"]:
            self.assertEqual(got[name], "ok", name)
        for name in ("bpf", "io_ring", "keyring", "type_into_terminal", "clone_new"):
            self.assertNotIn(got[name], ("EPERM", "ENOSYS"), name)
        # A program that is executed ends the tries.
        for name in ("execute", "execute_self"):
            done, got = self.tries("off", name)
            self.assertEqual((done.returncode, got), (0 if name == "execute" else 2, {}))

    def test_landlock_alone_keeps_root_from_files_programs_and_other_processes(self):
        _, got = self.tries("landlock", user="-")
        for name, how in {**LANDLOCK, **SCOPE, "store_symlink": "EACCES", "beside_run": "EACCES",
                          "execute": "EACCES", "execute_self": "EACCES", "signal_parent": "EPERM",
                          "signal_other_thread": "EPERM", "ptrace_parent": "EPERM"}.items():
            self.assertEqual(got[name], how, name)
        for name in ALLOWED:
            self.assertEqual(got[name], "ok", name)

    def test_root_that_stays_root_has_no_power(self):
        for name in ("store", "run"):
            os.chown(self.folder / name, 0, 0)
        (self.folder / "beside/cert").chmod(0o600)
        os.chown(self.folder / "beside/cert", self.user.pw_uid, -1)
        done, got = self.tries("on", user="-")
        self.assertEqual(got, {**LANDLOCK, **SECCOMP, **SCOPE, **POWER,
                               **dict.fromkeys(ALLOWED, "ok"), "beside_read": "EACCES"})
        self.assertIn("sandbox: user root, no capabilities", done.stderr)

    def test_strict_ends_whoever_leaves_the_list(self):
        for name in SECCOMP:
            done, got = self.tries("strict", name)
            if SECCOMP[name] == "ENOSYS":
                self.assertEqual(got, {name: "ENOSYS"})
            else:
                self.assertEqual((done.returncode, got), (-signal.SIGSYS, {}), name)
        for name in (*ALLOWED[:3], *ALLOWED[5:], *LANDLOCK):
            done, got = self.tries("strict", name)
            self.assertEqual((done.returncode, got.get(name)),
                             (0, LANDLOCK.get(name, "ok")), f"{name}: {done.stderr}")

    def test_an_assertion_can_still_end_the_process(self):
        for choice in ("on", "strict"):
            self.assertEqual(self.tries(choice, "abort_self")[0].returncode, -signal.SIGABRT)


@unittest.skipIf(ModbusServer is None, "needs python3-pymodbus")
class WholeAgent(HardeningTest):
    """All kinds of probes, store, push and status in an agent that would die of a wrong call."""

    def setUp(self):
        super().setUp()
        self.store, self.run_ = self.own("store"), self.own("run")
        self.certs = Certificates(self.folder / "certs")
        self.certs.leaf("server")
        self.live = self.folder / "live"
        self.live.mkdir()
        (self.live / "cert.pem").symlink_to("../certs/server.pem")
        self.password = self.file("push.pw", "secret\n")  # root's alone
        self.target = self.closing(Target())
        self.gateway = self.closing(Pushgateway(self.folder))
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.modbus = stack.enter_context(ModbusServer())
        self.rtu = stack.enter_context(ModbusServer(rtu=True))
        self.line = stack.enter_context(SerialLine(self.rtu))
        self.give(self.line)
        self.tls_port = free_port()
        self.closing(support.Program(
            self.folder, "openssl", "s_server", "-accept", f"127.0.0.1:{self.tls_port}", "-www",
            "-cert", self.certs.path("server.pem"), "-key", self.certs.path("server.key"),
            port=self.tls_port))

    def give(self, line):
        """The pseudo terminal, as udev gives a serial line to a group."""
        path = line.url.removeprefix("rtu://").partition("?")[0]
        pathlib.Path(path).parent.chmod(0o711)
        os.chown(os.path.realpath(path), self.user.pw_uid, -1)
        return pathlib.Path(path)

    def config(self, more="", sandbox="strict"):
        certs = self.certs.folder
        return f"""
[agent]
site = hardening
user = {USER}
sandbox = {sandbox}
store = {self.store}/store.pk
store_size = 64K
commit = 1s
flash = disk
[push]
url = {self.gateway.url}
username = u
password_file = {self.password}
interval = 1s
[defaults]
interval = 300ms
timeout = 300ms
[http http]
url = http://localhost:{self.target.port}/http
[http https]
url = https://localhost:{self.tls_port}/
ca_file = {certs}/ca.pem
cert_file = {certs}/server.pem
key_file = {certs}/server.key
interval = 1s
timeout = 1s
[http from]
url = {self.target.url("/from")}
source = 127.0.0.1
[http interface]
url = {self.target.url("/interface")}
source = lo
[tcp tcp]
address = 127.0.0.1:{self.target.port}
step = send "GET /tcp HTTP/1.0\\r\\n\\r\\n"
step = expect /200/
[tls tls]
address = localhost:{self.tls_port}
ca_file = {certs}/ca.pem
interval = 1s
timeout = 1s
[tls file]
file = {self.live}/cert.pem
[modbus tcp-bus]
address = {self.modbus.url}
unit = 17
read = flow holding 100 i16
[modbus line]
address = {self.line.url}
unit = 17
read = flow holding 100 i16
interval = 1s
timeout = 1s
{more}
"""

    def started(self, config):
        agent = self.agent(config, start=False)
        agent.socket = self.run_ / "status.sock"
        agent.command[-1] = agent.socket
        return agent.start()

    def wait_all_well(self, agent, runs=2):
        return agent.wait_status(
            lambda status: all(t["outcome"] == "success" and sum(t["results"].values()) >= runs
                               for t in status["targets"]), "all probes succeed", 20)

    def wait_new_worker(self, agent, *old):
        return wait_until(lambda: agent.answers() and
                          [pid for pid in agent.children() if pid not in old],
                          f"a new worker: {agent.log()[-2000:]}", 15)[0]

    def assertConfined(self, pid, choice="strict"):
        tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
        self.assertGreater(len(tasks), 2, "the store's thread and those of two buses")
        for task in tasks:
            status = dict(line.split(":\t", 1) for line in
                          (task / "status").read_text().splitlines())
            uid, gid = str(self.user.pw_uid), str(self.user.pw_gid)
            self.assertEqual(status["Uid"].split(), [uid] * 4)
            self.assertEqual(status["Gid"].split(), [gid] * 4)
            self.assertEqual(status["Groups"].split(), [gid])
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(int(status[name], 16), 0, name)
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")

    def test_all_works_with_nothing_left(self):
        agent = self.started(self.config())
        self.wait_all_well(agent)
        self.assertConfined(agent.worker)
        self.assertRegex(agent.log(), rf"sandbox: user {USER}, no capabilities, Landlock \d+, "
                                      "seccomp that kills\n")
        self.assertEqual(agent.status()["store"]["state"], "durable")
        self.assertEqual((self.store / "store.pk").stat().st_uid, self.user.pw_uid)
        wait_until(lambda: self.gateway.series().select("picket_probe_results_total", probe="line"),
                   "a push")

        # A reload reads what root alone may read, and refuses what everybody may.
        old = agent.worker
        self.password.chmod(0o604)
        agent.signal(signal.SIGHUP)
        agent.wait_log(r"push\.pw: holds a secret, but others may access it(.|\n)*refused, the old")
        self.assertEqual(agent.worker, old)
        self.password.chmod(0o600)
        agent.write(self.config(f"[http new]\nurl = {self.target.url('/new')}\n"))
        agent.signal(signal.SIGHUP)
        agent.wait_log("is good: restarting with it")
        new = self.wait_new_worker(agent, old)
        self.wait_all_well(agent)
        self.assertConfined(new)
        self.assertGreater(self.target.count("/new"), 1)

        # After a crash it starts as root again and ends up as nobody again.
        before = sum(agent.target("http")["results"].values())
        os.kill(new, signal.SIGKILL)
        last = self.wait_new_worker(agent, old, new)
        self.wait_all_well(agent, 1)
        self.assertGreaterEqual(sum(agent.target("http")["results"].values()), before)
        self.assertConfined(last)
        self.assertNotIn("SIGSYS", agent.log())
        self.assertEqual(agent.terminate(), 0)
        self.assertFalse(agent.socket.exists())
        verified = picketd("store", "verify", self.store / "store.pk")
        self.assertEqual(verified.returncode, 0, verified.stdout)
        self.assertEqual(self.gateway.series().value("picket_probe_results_total", probe="http",
                                                     result="failure"), 0)

    def test_it_dies_with_its_parent_although_it_changed_its_user(self):
        agent = self.started(self.config())
        worker = agent.worker
        agent.signal(signal.SIGKILL)
        agent.wait()
        wait_until(lambda: not support.alive(worker), "the worker is gone", 2)

    def test_others_of_the_same_user_cannot_look_into_it(self):
        self.assertShut(self.started(self.config()).worker)

    def test_a_certificate_that_is_renewed_is_read(self):
        agent = self.started(self.config())
        self.wait_all_well(agent)
        self.certs.leaf("renewed", dates=("20200101000000Z", "20200201000000Z"))
        link = self.live / "next.pem"
        link.symlink_to("../certs/renewed.pem")
        link.rename(self.live / "cert.pem")
        agent.wait_status(lambda _: agent.target("file")["reason"] == "cert_expired", "it is read")
        plain = self.live / "plain.pem"  # a file where a link was
        shutil.copyfile(self.certs.path("server.pem"), plain)
        plain.rename(self.live / "cert.pem")
        agent.wait_status(lambda _: agent.target("file")["outcome"] == "success", "it is read")

    def test_a_device_that_is_plugged_out_and_in_is_used_again(self):
        agent = self.started(self.config())
        self.wait_all_well(agent)
        old = agent.worker
        path = pathlib.Path(self.line.url.removeprefix("rtu://").partition("?")[0])
        self.line.socat.terminate()
        self.line.socat.wait()
        agent.wait_status(lambda _: agent.target("line")["outcome"] == "failure", "it is gone")
        taken = os.openpty()  # so that the new one has another number
        self.addCleanup(lambda: [os.close(fd) for fd in taken])
        self.line.socat = subprocess.Popen(
            ["socat", f"PTY,link={path},raw,echo=0", f"TCP:127.0.0.1:{self.rtu.port}"])
        wait_until(path.exists, "it is back")
        self.give(self.line)
        agent.wait_log("is out of the sandbox's reach now: starting again", seconds=15)
        self.wait_new_worker(agent, old)
        self.wait_all_well(agent)

    def test_a_folder_of_the_store_that_appears_late_is_used(self):
        elsewhere = self.folder / "mount" / "picket"
        agent = self.started(self.config().replace(f"{self.store}/", f"{elsewhere}/"))
        agent.wait_status(lambda status: status["store"]["trouble"] == "denied", "it is not there")
        old = agent.worker
        elsewhere.parent.mkdir()
        elsewhere.mkdir()
        os.chown(elsewhere, self.user.pw_uid, -1)
        agent.wait_log("is out of the sandbox's reach now: starting again", seconds=15)
        self.wait_new_worker(agent, old)
        agent.wait_status(lambda status: status["store"]["state"] == "durable", "it is used", 20)

    def test_folders_that_are_missing_are_made_for_the_user(self):
        self.store.rmdir()
        self.run_.rmdir()
        agent = self.started(self.config())
        agent.wait_status(lambda status: status["store"]["state"] == "durable", "the store")
        for folder in (self.store, self.run_):
            self.assertEqual((folder.stat().st_uid, folder.stat().st_mode & 0o777),
                             (self.user.pw_uid, 0o755))

    def test_off_changes_the_user_and_nothing_else(self):
        agent = self.started(self.config(sandbox="off"))
        self.wait_all_well(agent)
        status = pathlib.Path(f"/proc/{agent.worker}/status").read_text()
        self.assertRegex(status, rf"(?m)^Uid:\t{self.user.pw_uid}\t")
        self.assertRegex(status, r"(?m)^Seccomp:\t0")
        self.assertIn(f"sandbox: user {USER}, nothing else", agent.log())


class Start(HardeningTest):
    def site(self, agent):
        url = self.closing(Target()).url()
        return self.file("site.conf", f"[agent]\nsocket = none\n{agent}\n[http p]\nurl = {url}\n")

    def test_a_user_that_does_not_exist_is_a_mistake(self):
        path = self.site("user = no-such-user")
        done = picketd("check", path)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"site\.conf:3: .*'user': no no-such-user in /etc/passwd")
        self.assertEqual(picketd("check", "--no-files", path).returncode, 0)
        done = picketd("run", "-c", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("sandbox: no-such-user: no such user", done.stderr)

    @unittest.skipUnless(shutil.which("strace"), "needs strace, to have a kernel without it")
    def test_a_kernel_without_landlock_is_warned_of_and_refused_where_all_is_asked_for(self):
        agent = self.agent("", start=False, prefix=[
            "strace", "-f", "-D", "-qq", "-o", "/dev/null", "-e", "trace=landlock_create_ruleset",
            "-e", "inject=landlock_create_ruleset:error=ENOSYS"])
        agent.write(self.site("").read_text())
        agent.start()
        self.assertRegex(agent.log(), "warning: sandbox: this kernel has no Landlock: it is done "
                                      r"without\n.*sandbox: user root, no capabilities, seccomp\n")
        self.assertEqual(agent.terminate(), 0)
        agent.write(self.site("sandbox = strict").read_text())
        agent.spawn()
        self.assertEqual(agent.wait(), 1)
        self.assertIn("error: sandbox: this kernel has no Landlock, and sandbox = strict", agent.log())

    def test_without_a_supervisor_there_is_no_change_of_user(self):
        done = picketd("run", "--no-supervisor", "-c", self.site(f"user = {USER}"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("without a supervisor the user cannot be changed", done.stderr)

    def test_whoever_is_not_root_is_told_that_the_user_stays(self):
        agent = self.agent("", start=False, user=self.user.pw_uid, group=self.user.pw_gid)
        agent.socket = self.own("run") / "status.sock"
        agent.command[-1] = agent.socket
        agent.write(self.site("user = daemon").read_text())
        agent.config.chmod(0o644)
        agent.start()
        self.assertIn(f"the agent is not daemon, but stays uid {self.user.pw_uid}", agent.log())
        self.assertIn(f"sandbox: user uid {self.user.pw_uid}, no capabilities", agent.log())
        self.assertShut(agent.worker)
        self.assertEqual(agent.terminate(), 0)


def system_calls(folder, config):
    """What parent, agent and checker call, in a life with a reload."""
    trace = folder / "trace"
    agent = Agent(folder, config, prefix=["strace", "-f", "-qq", "-o", trace], start=False)
    try:
        agent.start()
        agent.wait_runs("p", 2)
        picket = int(pathlib.Path(f"/proc/{agent.pid}/task/{agent.pid}/children")
                     .read_text().split()[0])
        os.kill(picket, signal.SIGHUP)
        agent.wait_log("sandbox: ", times=2)
        wait_until(agent.answers, "it is back")
        os.kill(picket, signal.SIGTERM)
        agent.wait()
    finally:
        agent.close()
    return set(re.findall(r"(?m)^\d+ +([a-z_0-9]+)\(", trace.read_text()))


@unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd")
class SystemdUnit(LiveTest):
    def test_the_unit_scores_well(self):
        done = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true",
                               "--threshold=20", UNIT], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"Overall exposure level for picketd.service: [01]\.\d OK")

    def test_the_unit_has_no_mistake(self):
        unit = self.folder / "picketd.service"
        unit.write_text(UNIT.read_text().replace("/usr/bin/picketd run", f"{support.PICKETD} run"))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                              text=True)
        mine = [line for line in done.stderr.splitlines() if "picketd.service" in line]
        self.assertEqual((done.returncode, mine), (0, []), done.stderr)

    def allowed_calls(self):
        """Of the unit's SystemCallFilter lines, groups resolved; @default is always allowed."""
        listed = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter"],
                                capture_output=True, text=True, check=True).stdout
        groups, name = {}, None
        for line in listed.splitlines():
            word = line.strip()
            if word.startswith("@") and not line.startswith(" "):
                name = word
                groups[name] = set()
            elif word and not word.startswith("#") and name:
                groups[name].add(word)

        def resolve(word):
            if word.startswith("@"):
                return set().union(*map(resolve, groups[word]))
            return {word}

        allowed = resolve("@default") | {"execve"}
        for line in re.findall(r"(?m)^SystemCallFilter=(.*)$", UNIT.read_text()):
            calls = set().union(*map(resolve, line.lstrip("~").split()))
            allowed = allowed - calls if line.startswith("~") else allowed | calls
        return allowed

    @unittest.skipUnless(shutil.which("strace") and os.geteuid() == 0, "needs root and strace")
    @unittest.skipIf(support.SANITIZED, "a sanitizer calls more")
    @unittest.skipIf(support.EMULATED, "strace sees what qemu-user calls")
    def test_the_unit_lets_through_what_the_agent_calls(self):
        target, gateway = self.closing(Target()), self.closing(Pushgateway(self.folder))
        called = system_calls(self.folder, (
            f"[agent]\nsite = unit\nstore = {self.folder}/store/store.pk\nstore_size = 64K\n"
            f"commit = 1s\nflash = disk\n[push]\nurl = {gateway.url}\ninterval = 1s\n"
            f"[defaults]\ninterval = 300ms\ntimeout = 300ms\n[http p]\n"
            f"url = http://localhost:{target.port}/\nsource = lo\n[modbus m]\n"
            f"address = tcp://127.0.0.1:{free_port()}\nread = x holding 1 u16\n"))
        self.assertIn("landlock_restrict_self", called)
        # Of root alone, whose capabilities have to be dropped: a unit's user has none.
        self.assertEqual(called - self.allowed_calls() - {"capset"}, set())


if __name__ == "__main__":
    unittest.main()
