"""A site as large as a branch has one: fifty probes of all kinds, each against a real server on
loopback (nginx with an ECDSA and an RSA key, aiosmtpd, pymodbus), a store, a Pushgateway, and the
status page."""

import collections

from aiosmtpd.controller import Controller

from modbus_server import ModbusServer
from support import Certificates, Nginx, Pushgateway, fetch, free_ports

# By kind, how many of the fifty.
PROBES = {"web": 12, "secure": 10, "mail": 8, "cert": 8, "device": 12}
DEVICES = 10  # endpoints of Modbus, each with a thread of its own
NAMES = [f"{kind}-{number}" for kind, count in PROBES.items() for number in range(count)]

NGINX = """
server {{
    listen 127.0.0.1:{web};
    listen 127.0.0.1:{ecdsa} ssl;
    ssl_certificate {folder}/ecdsa.pem;
    ssl_certificate_key {folder}/ecdsa.key;
    location / {{ return 200 "Sign in"; }}
}}
server {{
    listen 127.0.0.1:{rsa} ssl;
    ssl_protocols TLSv1.2;
    ssl_certificate {folder}/rsa.pem;
    ssl_certificate_key {folder}/rsa.key;
    location / {{ return 200 "Sign in"; }}
}}
"""

CONFIG = """
[agent]
site = fifty
store = {folder}/store.pk
commit = 2s
flash = disk
[push]
url = http://127.0.0.1:{gateway}
interval = 2s
timeout = 2s
[status]
listen = 127.0.0.1:{page}
[defaults]
interval = {interval}
timeout = {interval}
"""

KINDS = {
    "web": "[http {name}]\nurl = http://localhost:{web}/{name}\nexpect_body = /Sign (in|up)/i\n"
           "expect_header = Server: /nginx/\nslo = latency 95% 800ms 30d\n",
    "secure": "[http {name}]\nurl = https://127.0.0.1:{tls}/\n{trust}expect_body = /Sign in/\n"
              "slo = availability 99.9% 30d\n",
    "mail": '[tcp {name}]\naddress = 127.0.0.1:{mail}\nstep = expect /^220 (.*)/\n'
            'step = send "EHLO {name}\\r\\n"\nstep = expect /^250 HELP/\n'
            'step = send "QUIT\\r\\n"\nstep = expect /^221 /\n',
    "cert": "[tls {name}]\naddress = 127.0.0.1:{tls}\n{trust}min_days = 3\n",
    "device": "[modbus {name}]\naddress = tcp://127.0.0.1:{device}\nunit = 17\n"
              "read = flow_celsius holding 100 i16 scale=0.1 range=10..95\n"
              "read = power_watts holding 103 f32 order=cdab\n"
              "read = model holding 300 string:8\n",
}


class FiftyProbes:
    def __init__(self, test):
        folder = test.folder / "peers"
        folder.mkdir()
        self.certificates = Certificates(folder)
        self.certificates.leaf("ecdsa")
        self.certificates.leaf("rsa", key=["rsa:2048"])
        self.web, self.ecdsa, self.rsa, self.mail, self.page = free_ports(5)
        test.closing(Nginx(folder, NGINX.format(web=self.web, ecdsa=self.ecdsa, rsa=self.rsa,
                                                folder=folder), self.web))
        controller = Controller(Mail(), hostname="127.0.0.1", port=self.mail)
        controller.start()
        test.addCleanup(controller.stop)
        self.devices = [ModbusServer() for _ in range(DEVICES)]
        for device in self.devices:
            device.__enter__()
            test.addCleanup(device.__exit__)
        self.gateway = test.closing(Pushgateway(folder))
        self.folder = test.folder

    def config(self, interval="2s", trust=None):
        """`trust` are the TLS keys of those probes that have some."""
        if trust is None:
            trust = f"ca_file = {self.certificates.path('ca.pem')}\n"
        text = CONFIG.format(folder=self.folder, gateway=self.gateway.port, page=self.page,
                             interval=interval)
        number = collections.Counter()
        for name in NAMES:
            kind = name.split("-")[0]
            text += KINDS[kind].format(
                name=name, web=self.web, mail=self.mail, trust=trust,
                tls=(self.ecdsa, self.rsa)[number[kind] % 2],
                device=self.devices[number[kind] % DEVICES].port)
            number[kind] += 1
        return text

    def read_page(self, *paths):
        """Documents of the status page, each of which names all probes."""
        for path in paths:
            text = fetch(f"http://127.0.0.1:{self.page}{path}")
            missing = [name for name in NAMES if name not in text]
            if missing:
                raise AssertionError(f"{path} lacks {missing}: {text[:500]}")


class Mail:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses
