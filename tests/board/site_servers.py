"""The servers of a site, all of them real ones on the host's loopback, and what they served.

nginx (http and https), aiosmtpd, `openssl s_server`, pymodbus, a Pushgateway. Each says by itself
which probe asked it and when: nginx in its access log by the path, aiosmtpd by the name in EHLO,
s_server, of which each probe has its own, by the server name of TLS, pymodbus by the unit id. So
every request can be held against the results of that probe, on the monotonic clock of this
machine."""

import collections
import subprocess
import threading
import time

from aiosmtpd.controller import Controller

from accounting import Request, is_counter
from modbus_server import ModbusServer
from support import Nginx, Pushgateway, Series, free_ports, listens, parse_text, wait_until

NGINX = """
log_format probes '$msec $request_time $uri';
access_log {{folder}}/probes.log probes;
server {{
    listen 127.0.0.1:{http};
    listen 127.0.0.1:{https} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{ return 200 "Sign in"; }}
}}
"""


class NginxSite:
    def __init__(self, folder, certificate, key):
        folder.mkdir()
        self.http, self.https = free_ports(2)
        self.log_path = folder / "probes.log"
        self.nginx = Nginx(folder, NGINX.format(http=self.http, https=self.https, key=key,
                                                certificate=certificate), self.http)
        self.close = self.nginx.close

    def requests(self):
        """It writes a line when it has answered, by the wall clock; lines of no path are
        connections on which nobody asked."""
        early, served = time.time() - time.monotonic(), collections.defaultdict(list)
        for line in self.log_path.read_text().splitlines():
            ended, took, path = line.split(" ", 2)
            if path.startswith("/"):
                request = Request(float(ended) - early - float(took))
                request.ended = float(ended) - early
                served[path[1:]].append(request)
        return served


class Noted:
    """What a server of ours saw: requests that were answered as soon as they came."""

    def __init__(self):
        self.noted = collections.defaultdict(list)

    def note(self, name):
        request = Request(time.monotonic())
        request.ended = request.came
        self.noted[name].append(request)

    def requests(self):
        return self.noted


class MailSite(Noted):
    def __init__(self):
        super().__init__()
        self.port = free_ports(1)[0]
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        self.note(hostname)
        return responses

    def close(self):
        self.controller.stop()


class TlsSite(Noted):
    """`openssl s_server`, one for each probe: it has one client at a time, lets others wait until
    they have given up, and would wait for ever for a client that is gone without a word."""

    def __init__(self, names, certificate, key):
        super().__init__()
        self.ports = dict(zip(names, free_ports(len(names))))
        # Asked for another name than its own, it says which.
        self.options = ["-cert", certificate, "-key", key, "-cert2", certificate, "-key2", key,
                        "-servername", "nobody"]
        self.running = {}
        for name in names:
            self.start(name)

    def start(self, name):
        process = subprocess.Popen(
            # What it has said of a client is not lost when it is killed right after.
            ["stdbuf", "-oL", "openssl", "s_server", "-accept", f"127.0.0.1:{self.ports[name]}",
             *self.options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            errors="replace")
        reader = threading.Thread(target=self.read, args=(name, process.stdout), daemon=True)
        self.running[name] = process, reader
        reader.start()
        wait_until(lambda: listens(self.ports[name]), f"s_server listens for {name}")

    def read(self, name, lines):
        for line in lines:
            if f'Hostname in TLS extension: "{name}.' in line:
                self.note(name)

    def stop(self, name):
        process, reader = self.running.pop(name)
        process.kill()
        process.wait()
        reader.join()
        process.stdin.close()
        process.stdout.close()

    def restart_all(self):
        for name in list(self.running):
            self.stop(name)
            self.start(name)

    def close(self):
        for name in list(self.running):
            self.stop(name)


class ModbusSite(Noted):
    """Several devices, each a server with some of the units."""

    def __init__(self, units, devices):
        super().__init__()
        self.devices = [ModbusServer(units=units[at::devices], answer=self.answer)
                        for at in range(devices)]
        for device in self.devices:
            device.__enter__()

    def answer(self, response):
        self.note(response.unit_id)
        return response, False

    def port(self, unit):
        return next(device.port for device in self.devices if unit in device.units)

    def close(self):
        for device in self.devices:
            device.__exit__()


class WatchedGateway(Pushgateway):
    """What is in the Pushgateway, looked at twice a second, and each counter that ever fell there
    or went away."""

    def __init__(self, folder):
        super().__init__(folder)
        self.last, self.falls, self.epochs = Series(), [], set()
        self.text, self.looking, self.over = "", threading.Lock(), threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def watch(self):
        while not self.over.wait(0.5):
            self.look()

    def look(self):
        with self.looking:
            before, self.text = self.text, self.ours()
            if self.text != before:
                self.compare(parse_text(self.text))

    def compare(self, series):
        for key, value in self.last.items():
            if is_counter(key[0]) and series.get(key, -1.0) < value:
                self.falls.append(f"{key[0]} {sorted(key[1])}: {value} -> {series.get(key)}")
        self.epochs |= {dict(labels)["epoch"] for _, labels in series if "epoch" in dict(labels)}
        self.last = series

    def close(self):
        self.over.set()
        self.watcher.join()
        super().close()
