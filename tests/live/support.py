"""What the live tests share: a running agent, targets that count, receivers, real programs.

Everything listens on 127.0.0.1 at a port the system chose, is ended by its pid, and is waited for
by an event with a deadline. PICKET_BUILD names the build folder (default build/host)."""

import contextlib
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PICKET_BUILD", ROOT / "build" / "host"))
PICKETD = BUILD / "bin" / "picketd"
SANITIZED = "asan" in BUILD.name
EMULATED = "PICKET_EMULATED" in os.environ  # by qemu-user: the code of another processor
# By how much a line of a configuration moves that Agent.write() adds one to.
MOVED = 1 if EMULATED else 0
# How much longer all may take: sanitized and emulated builds are slower, and so is a machine under
# load, as it is when other tests run beside.
PATIENCE = float(os.environ.get("PICKET_PATIENCE", "4" if EMULATED else "3" if SANITIZED else "1"))
PATIENCE *= 2 if "PICKET_BESIDE" in os.environ else 1
GRACE = 0.25  # promise 1: no run goes past its timeout by more
START = 0.35  # starting the program itself, on a busy machine
EXIT = {"success": 0, "failure": 1, "unknown": 3}
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_until(condition, what, seconds=10.0):
    """The first true value of condition(); fails after the deadline."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds * PATIENCE:g} s in vain: {what}")
        time.sleep(0.02)


PORTS_GIVEN = set()


def free_ports(count):
    """Ports that nothing listens on, and that the system gives to nobody by itself: those it picks
    for connections, and for servers at port 0, begin at 32768. None is given twice: what it was given
    for may not listen yet."""
    ports = []
    while len(ports) < count:
        port = random.randrange(10000, 32768)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if port not in PORTS_GIVEN:
                PORTS_GIVEN.add(port)
                ports.append(port)
    return ports


def free_port():
    return free_ports(1)[0]


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


def fetch(url, timeout=5):
    with OPENER.open(url, timeout=timeout) as reply:
        return reply.read().decode()


def picketd(*arguments, timeout=20, **options):
    """Runs one verb to its end."""
    return subprocess.run([PICKETD, *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout * PATIENCE, **options)


def probe(kind, *arguments, timeout=2.0):
    """One ad-hoc run as JSON; its exit code and the time it took are checked."""
    begin = time.monotonic()
    done = picketd("probe", kind, *arguments, "--timeout", f"{int(timeout * 1000)}ms", "--format",
                   "json", timeout=30)
    elapsed = time.monotonic() - begin
    if done.returncode == 2:
        raise AssertionError(f"refused: {done.stderr}")
    result = json.loads(done.stdout)
    limit = timeout + GRACE
    if elapsed > limit + START * PATIENCE or result["duration_seconds"] > limit:
        raise AssertionError(f"{arguments[:1]} took {elapsed:.3f} s of {timeout} s: {result}")
    if done.returncode != EXIT[result["outcome"]]:
        raise AssertionError(f"exit {done.returncode} for {result}")
    return result


def refusal(kind, *arguments):
    """What the check of an ad-hoc probe's configuration says; "" when it accepts."""
    done = picketd("probe", kind, *arguments, timeout=30)
    return done.stderr if done.returncode == 2 else ""


def promtool(text):
    """What `promtool check metrics` has to say; "" when it is content."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                          text=True, timeout=30)
    return done.stdout + done.stderr + (f"exit {done.returncode}" if done.returncode else "")


# ---- expositions ----

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Series(dict):
    """{(name, frozenset of labels): value}"""

    def select(self, name, **labels):
        return {key: value for key, value in self.items()
                if key[0] == name and labels.items() <= dict(key[1]).items()}

    def value(self, name, **labels):
        found = self.select(name, **labels)
        if len(found) != 1:
            raise AssertionError(f"{name} {labels}: {len(found)} series")
        return next(iter(found.values()))

    def total(self, name, **labels):
        return sum(self.select(name, **labels).values())


def parse_text(text):
    series = Series()
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            key = match.group(1), frozenset(LABEL.findall(match.group(2) or ""))
            series[key] = float(match.group(3))
    return series


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of one protobuf message."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 1:
            value, at = struct.unpack_from("<d", data, at)[0], at + 8
        elif tag & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            raise ValueError(f"wire type of {tag}")
        yield tag >> 3, value


def histogram_series(name, labels, histogram):
    """As the text format has them."""
    plain = dict(histogram)
    yield (name + "_count", frozenset(labels)), float(plain.get(1, 0))
    yield (name + "_sum", frozenset(labels)), plain.get(2, 0.0)
    for bucket in (dict(fields(part)) for number, part in histogram if number == 3):
        bound = bucket.get(2, 0.0)
        text = "+Inf" if bound == float("inf") else f"{bound:g}"
        yield (name + "_bucket", frozenset([*labels, ("le", text)])), float(bucket.get(1, 0))


def parse_protobuf(body):
    """Counters, gauges and histograms of a delimited MetricFamily stream (io.prometheus.client)."""
    series, at = Series(), 0
    while at < len(body):
        size, at = varint(body, at)
        family = list(fields(body[at:at + size]))
        at += size
        name = next(value for number, value in family if number == 1).decode()
        for metric in (value for number, value in family if number == 4):
            labels, value, histogram = [], None, None
            for number, part in fields(metric):
                if number == 1:
                    pair = dict(fields(part))
                    labels.append((pair[1].decode(), pair.get(2, b"").decode()))
                elif number in (2, 3):
                    value = dict(fields(part)).get(1, 0.0)
                elif number == 7:
                    histogram = list(fields(part))
            if value is not None:
                series[name, frozenset(labels)] = value
            if histogram is not None:
                series.update(histogram_series(name, labels, histogram))
    return series


# ---- peers ----

class Target:
    """An http target: answers 200 "fine", counts by path what it has answered. A path /status/N
    answers N; /slow/S answers after S seconds."""

    def __init__(self, port=0):
        self.served = {}
        self.moments = {}
        self.lock = threading.Lock()
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status = 200
                if self.path.startswith("/slow/"):
                    time.sleep(float(self.path.rsplit("/", 1)[1]))
                elif self.path.startswith("/status/"):
                    status = int(self.path.rsplit("/", 1)[1])
                # Counted first: the agent must not know of an answer that we do not.
                with target.lock:
                    target.served[self.path] = target.served.get(self.path, 0) + 1
                    target.moments.setdefault(self.path, []).append(time.monotonic())
                self.send_response(status)
                self.send_header("Content-Length", "5")
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(b"fine\n")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that went away

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def count(self, path=None):
        with self.lock:
            return sum(self.served.values()) if path is None else self.served.get(path, 0)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Program:
    """A real program in the background, its output in a file."""

    def __init__(self, folder, *command, port=None, **options):
        self.output_path = pathlib.Path(folder) / f"{pathlib.Path(command[0]).name}.out"
        with open(self.output_path, "ab") as output:
            self.process = subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, **options)
        try:
            if port:
                wait_until(lambda: self.process.poll() is not None or listens(port), f"{command}")
            if self.process.poll() is not None:
                raise AssertionError(f"{command} ended: {self.output()}")
        except BaseException:
            self.close()
            raise

    def output(self):
        return self.output_path.read_text(errors="replace")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Pushgateway(Program):
    def __init__(self, folder, port=None, persistence="", interval="5m"):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(folder, "prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{self.port}",
                         f"--persistence.file={persistence}", f"--persistence.interval={interval}",
                         "--log.level=debug", port=self.port)

    def exposition(self):
        return fetch(self.url + "/metrics")

    def ours(self):
        """The text of our series alone, and what belongs to them."""
        families, keep, out = [], [], []
        for line in self.exposition().splitlines():
            if line.startswith("# HELP "):
                families.append([])
            families[-1].append(line)
        for lines in families:
            samples = [line for line in lines if not line.startswith("#")]
            keep = [line for line in samples if 'job="picket"' in line]
            name = lines[0].split(" ")[2]
            if keep and name not in ("push_time_seconds", "push_failure_time_seconds"):
                out += [line for line in lines if line.startswith("#")] + keep
        return "\n".join(out) + "\n"

    def series(self):
        return parse_text(self.ours())

    def groups(self):
        return json.loads(fetch(self.url + "/api/v1/metrics"))["data"]


class Prometheus(Program):
    """Scrapes Pushgateways every second, and keeps every sample. `config` is one to use instead."""

    def __init__(self, folder, *gateways, config=None, options=()):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        conf = pathlib.Path(folder) / "prometheus.yml"
        targets = ", ".join(f"'127.0.0.1:{gateway.port}'" for gateway in gateways)
        conf.write_text(config or "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                        "scrape_configs:\n- job_name: gateway\n  honor_labels: true\n"
                        f"  static_configs:\n  - targets: [{targets}]\n")
        super().__init__(folder, "prometheus", f"--config.file={conf}", "--log.level=warn",
                         f"--storage.tsdb.path={folder}/tsdb", *options,
                         f"--web.listen-address=127.0.0.1:{self.port}", port=self.port)
        try:
            wait_until(self.is_ready, "Prometheus is ready", 30)
        except BaseException:
            self.close()
            raise

    def is_ready(self):
        with contextlib.suppress(OSError):
            return fetch(self.url + "/-/ready")
        return False

    def ask(self, path, **parameters):
        """The `data` of its HTTP API's answer."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        return json.loads(fetch(f"{self.url}/api/v1/{path}?{query}", timeout=60))["data"]

    def samples(self, selector, seconds=3600):
        """[(labels, [value, …])] of each series as it was stored, in order of time."""
        return [(series["metric"], [float(value) for _, value in series["values"]])
                for series in self.ask("query", query=f"{selector}[{seconds}s]")["result"]]

    def value(self, expression):
        """Of the one series there is now, None when there is none."""
        found = self.ask("query", query=expression)["result"]
        if len(found) > 1:
            raise AssertionError(f"{expression}: {len(found)} series")
        return float(found[0]["value"][1]) if found else None


class Nginx(Program):
    """`servers` is the inside of the http block; {folder} in it is the folder."""

    def __init__(self, folder, servers, port):
        self.folder = pathlib.Path(folder)
        conf = self.folder / "nginx.conf"
        paths = "".join(f"{kind}_temp_path {folder}/t-{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        # The worker reads the password file, in a folder that is ours alone.
        user = "user root;" if os.geteuid() == 0 else ""
        conf.write_text(f"daemon off; worker_processes 1; pid {folder}/nginx.pid; {user}\n"
                        f"error_log {folder}/nginx-error.log info;\n"
                        "events { worker_connections 128; }\n"
                        f"http {{ access_log {folder}/nginx-access.log; {paths}\n"
                        f"{servers.replace('{folder}', str(folder))}\n}}\n")
        super().__init__(folder, shutil.which("nginx") or "/usr/sbin/nginx", "-e",
                         f"{folder}/nginx-error.log", "-p", folder, "-c", conf, port=port)


def run_tool(*command, codes=(0,)):
    """What it prints. Tools for file systems may be where only root looks for programs. `codes`: of
    ends that are well."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PATH": path})
    if done.returncode not in codes:
        raise AssertionError(f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


class Certificates:
    """An authority, and leaves it signs. NAME.pem and NAME.key in the folder. `keys` are of a kind
    that openssl's -newkey knows."""

    def __init__(self, folder, *keys):
        self.keys = keys or ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.authority("ca")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def authority(self, name):
        self.openssl("req", "-x509", "-newkey", *self.keys,
                     "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30",
                     "-subj", f"/CN=Picket test {name}")

    def leaf(self, name, alternative="DNS:localhost,IP:127.0.0.1", authority="ca", dates=None,
             key=None):
        """`dates` are the first and last moment as YYYYMMDDHHMMSSZ; else it is good for now."""
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
        self.openssl("req", "-newkey", *(key or self.keys), "-nodes", "-keyout", f"{name}.key",
                     "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (self.folder / f"{name}.key").chmod(0o600)
        if dates is None:
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey",
                         f"{authority}.key", "-CAcreateserial", "-days", "20", "-extfile",
                         f"{name}.ext", "-out", f"{name}.pem")
            return
        (self.folder / "index.txt").touch()
        (self.folder / "serial").write_text("1000\n")
        (self.folder / "ca.conf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        self.openssl("ca", "-batch", "-config", "ca.conf", "-in", f"{name}.csr", "-cert",
                     f"{authority}.pem", "-keyfile", f"{authority}.key", "-startdate", dates[0],
                     "-enddate", dates[1], "-extfile", f"{name}.ext", "-out", f"{name}.pem", "-notext")

    def path(self, name):
        return self.folder / name


# ---- the agent ----

def alive(pid):
    """False too for a zombie, which nobody but its parent can tell from nothing."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ask(path, question=b"json\n", timeout=5):
    """The exit code and the rendering a status socket answers with."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout * PATIENCE)
        client.connect(str(path))
        client.sendall(question)
        answer = b""
        while part := client.recv(65536):
            answer += part
    code, _, rendering = answer.partition(b"\n")
    return code.decode(), rendering.decode()


class Agent:
    """picketd run, with its configuration, socket and log in a folder."""

    def __init__(self, folder, config, *, prefix=(), env=None, stderr=None, start=True, **options):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "site.conf"
        self.socket = self.folder / "status.sock"
        self.log_path = self.folder / "agent.log"
        self.write(config)
        self.command = [*map(str, prefix), PICKETD, "run", "-c", self.config, "--socket", self.socket]
        self.env = {**os.environ, **(env or {})}
        self.stderr = stderr
        self.options = options
        self.process = None
        if start:
            self.start()

    def write(self, config):
        if EMULATED and "sandbox = " not in config:
            # qemu-user has a thread of its own, which would keep what the agent gives up.
            config = config.replace("[agent]\n", "[agent]\nsandbox = off\n", 1)
        self.config.write_text(config)

    def spawn(self):
        if self.stderr is not None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=self.stderr,
                                            env=self.env, **self.options)
            return
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.env, **self.options)

    def start(self):
        self.spawn()
        try:
            wait_until(lambda: self.process.poll() is not None or self.answers(), "agent starts")
        except BaseException:
            self.close()
            raise
        if self.process.poll() is not None:
            raise AssertionError(f"agent ended at once, {self.process.returncode}: {self.log()}")
        return self

    def answers(self):
        with contextlib.suppress(OSError):
            return ask(self.socket, b"text\n")[0] in ("0", "1")
        return False

    @property
    def pid(self):
        """The supervisor's, which is what an init system knows."""
        return self.process.pid

    def children(self):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return [int(pid) for pid in
                    pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        return []

    @property
    def worker(self):
        """The process that probes and pushes: the supervisor's one child. Waits for it."""
        return wait_until(self.children, f"a child of {self.pid}: {self.log()[-2000:]}")[0]

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern, seconds=10.0, times=1):
        found = re.compile(pattern)
        return wait_until(lambda: len(found.findall(self.log())) >= times and self.log(),
                          f"log has {pattern!r}: {self.log()[-2000:]}", seconds)

    def status(self):
        code, rendering = ask(self.socket)
        if not code:
            raise ConnectionResetError("a life that ends answers nobody")
        return json.loads(rendering)

    def target(self, probe, instance=None):
        for target in self.status()["targets"]:
            if target["probe"] == probe and instance in (None, target["instance"]):
                return target
        raise AssertionError(f"no target {probe} {instance}")

    def wait_status(self, condition, what, seconds=10.0):
        """The first status for which condition(status) is true."""
        last = {}

        def look():
            # A client that takes its time, on a busy machine, is cut off, and between two lives
            # nobody answers: it asks again.
            with contextlib.suppress(ConnectionError, FileNotFoundError):
                last["status"] = self.status()
            return last.get("status") if last and condition(last["status"]) else None

        try:
            return wait_until(look, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(last.get('status'))[:3000]}\n"
                                 f"{self.log()[-2000:]}") from None

    def wait_runs(self, probe, runs, seconds=10.0):
        def enough(status):
            return all(sum(t["results"].values()) >= runs for t in status["targets"]
                       if t["probe"] == probe)
        return self.wait_status(enough, f"{runs} runs of {probe}", seconds)

    def memory_kib(self, field="VmRSS"):
        text = pathlib.Path(f"/proc/{self.worker}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", text).group(1))

    def cpu_seconds(self):
        text = pathlib.Path(f"/proc/{self.worker}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(text[11]) + int(text[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.worker}/fd"))

    def signal(self, number):
        os.kill(self.pid, number)

    def stand_still(self):
        """The worker stands still until it may go_on()."""
        os.kill(self.worker, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.worker, signal.SIGCONT)

    def wait(self, seconds=20.0):
        """The exit code."""
        try:
            return self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds:g} s: {self.log()[-2000:]}") from None

    def terminate(self, seconds=20.0):
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        """No word of goodbye; the kernel ends the worker too."""
        worker = self.worker
        self.signal(signal.SIGKILL)
        self.wait()
        wait_until(lambda: not alive(worker), "the worker is gone")

    def close(self):
        if self.process and self.process.poll() is None:
            children = self.children()
            self.process.kill()
            self.process.wait()
            # The kernel ends them, but not at once: till then they may write to the folder. One
            # that hangs in a medium does not end.
            with contextlib.suppress(AssertionError):
                wait_until(lambda: not any(map(alive, children)), "the children are gone", 2)


class LiveTest(unittest.TestCase):
    """A temporary folder, and peers that are closed in reverse order whatever happens."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="picket-test."))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def closing(self, peer):
        self.addCleanup(peer.close)
        return peer

    def agent(self, config, **options):
        return self.closing(Agent(self.folder, config, **options))

    def file(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def assertClean(self, agent):
        """Nothing a sanitizer or an assertion has to say."""
        for word in ("Sanitizer", "runtime error", "Assertion", "assert"):
            self.assertNotIn(word, agent.log())
