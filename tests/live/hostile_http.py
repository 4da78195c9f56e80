"""A hostile HTTP server on loopback, scripted by path. Python's standard library only.

    with HostileHttp() as server:
        url = server.url("/drip-body")

Each connection is one thread; every behaviour ends when the peer goes away or the server is closed.
Run as a program it prints its address and serves until its standard input ends.
"""
import gzip
import socket
import ssl
import struct
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


class Gone(Exception):
    """The peer or the server has gone away."""


class Exchange:
    """One connection: the request that came, and ways to misbehave in answering."""

    def __init__(self, server, connection):
        self.server = server
        self.connection = connection
        self.method, self.path, self.query, self.headers, self.body = "", "", {}, {}, b""
        self.waited = 0.0

    def read_request(self):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.connection.recv(4096)
            if not piece:
                raise Gone
            data += piece
        head, self.body = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = lines[0].split(" ", 2)
        if self.method == "CONNECT":  # ok.test:443 asks for /ok, of a proxy
            target = "/" + target.split(".")[0]
        parts = urlsplit(target)
        self.path, self.query = parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            self.headers[name.strip().lower()] = value.strip()
        while len(self.body) < int(self.headers.get("content-length", 0)):
            self.body += self.connection.recv(4096)
        self.server.requests.append(self)

    def send(self, data):
        self.connection.sendall(data)

    def pause(self, seconds):
        if self.server.closing.wait(seconds):
            raise Gone

    def wait_asked(self):
        """Waits `ms`, and keeps how long that really was."""
        begin = time.monotonic()
        self.pause(self.number("ms", 100) / 1000)
        self.waited = time.monotonic() - begin

    def number(self, name, fallback):
        return float(self.query.get(name, fallback))

    def reset(self):
        """Closes with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def text(self, body, status="200 OK", more=""):
        if isinstance(body, str):
            body = body.encode()
        self.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body)

    def drip(self, data, every):
        for i in range(len(data)):
            self.send(data[i:i + 1])
            self.pause(every)


def ok(x):
    x.text("hello\n")


def delay(x):
    x.wait_asked()
    x.text("late\n")


def delay_body(x):
    x.send(HEAD + b"Content-Length: 5\r\n\r\n")
    x.wait_asked()
    x.send(b"late\n")


def drip_body(x):
    x.send(HEAD + b"Content-Length: 100000\r\n\r\n")
    x.drip(b"x" * 100000, 0.05)


def drip_header(x):
    x.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 100000, 0.05)


def endless_header(x):
    x.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        x.send(b"a" * 4096)


def endless_headers(x):
    x.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        x.send(b"X-Filler: a\r\n" * 16)


def endless_body(x):
    x.send(HEAD + b"\r\n")
    while True:
        x.send(b"b" * 65536)


def endless_refusal(x):
    x.send(b"HTTP/1.1 407 No\r\nContent-Length: 100000000000\r\n\r\n")
    while True:
        x.send(b"r" * 65536)


def endless_fold(x):
    x.send(b"HTTP/1.1 200 OK\r\nX-Fold: a\r\n")
    while True:
        x.send(b" " * 65536)


def chunked_forever(x):
    x.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        x.send(b"10\r\n0123456789abcdef\r\n" * 64)


def bad_chunk(x):
    x.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\nhello\r\n0\r\n\r\n")


def chunk_cut(x):
    x.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\nabc")


def short_body(x):
    x.send(HEAD + b"Content-Length: 1000\r\n\r\nonly this")


def redirect(x):
    status = x.query.get("status", "302")
    cookie = f"Set-Cookie: {x.query['cookie']}\r\n" if "cookie" in x.query else ""
    x.text("", f"{status} Moved", f"Location: {x.query['to']}\r\n{cookie}")


def loop(x):
    n = int(x.number("n", 0))
    x.text("", "302 Found", f"Location: /loop?n={n + 1}\r\n")


def hops(x):
    n = int(x.number("n", 0))
    if n:
        x.text("", "302 Found", f"Location: /hops?n={n - 1}\r\n")
    else:
        x.text("there\n")


def redirect_drip(x):
    x.send(b"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 100000\r\n\r\n")
    x.drip(b"x" * 100000, 0.05)


def gzipped(x):
    body = gzip.compress(b"hello\n" * 100)
    x.text(body, more="Content-Encoding: gzip\r\n")


def rst_body(x):
    x.send(HEAD + b"Content-Length: 1000\r\n\r\nonly this")
    x.pause(0.05)
    x.reset()


def rst_now(x):
    x.reset()


def close_now(_):
    pass


def silent(x):
    x.pause(3600)


def continues(x):
    while True:
        x.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 64)


def continue_ok(x):
    x.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    x.text("hello\n")


def huge_status(x):
    x.send(b"HTTP/1.1 200 " + b"O" * 300000 + b"\r\n\r\n")


def nul_header(x):
    x.send(HEAD + b"X-Nul: a\0b\r\nContent-Length: 0\r\n\r\n")


def many_same(x):
    lines = b"".join(b"X-Same: %d\r\n" % i for i in range(int(x.number("n", 80))))
    x.send(HEAD + lines + b"Content-Length: 0\r\n\r\n")


def garbage(x):
    x.send(b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n")


def http09(x):
    x.send(b"<html>an answer without a head</html>")


def http10(x):
    x.send(b"HTTP/1.0 200 OK\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\nold\n")


def status(x):
    x.text("body\n", x.query.get("code", "500") + " Chosen")


def sized(x):
    x.text(b"s" * int(x.number("n", 1000)))


def cookie(x):
    if "seen=1" in x.headers.get("cookie", ""):
        x.text("welcome back\n")
    else:
        x.text("", "302 Found", "Set-Cookie: seen=1; Path=/; HttpOnly\r\nLocation: /cookie\r\n")


def echo(x):
    lines = [f"{x.method} {x.path}"] + [f"{k}: {v}" for k, v in x.headers.items()]
    x.text("\n".join(lines) + "\n\n" + x.body.decode("latin-1"))


BEHAVIOURS = {
    "/" + f.__name__.replace("_", "-"): f
    for f in (ok, delay, delay_body, drip_body, drip_header, endless_header, endless_headers,
              endless_body, endless_refusal, endless_fold, chunked_forever, bad_chunk, chunk_cut,
              short_body, redirect, loop, hops, redirect_drip, gzipped, rst_body, rst_now,
              close_now, silent, continues, continue_ok, huge_status, nul_header, many_same,
              garbage, http09, http10, status, sized, cookie, echo)
}


class HostileHttp:
    """The server. `tls` is an ssl.SSLContext of the server's side, or None."""

    def __init__(self, tls=None, host="127.0.0.1"):
        self.tls, self.host = tls, host
        self.requests = []
        self.closing = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family, backlog=128)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def url(self, path="/ok"):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.tls else ''}://{host}:{self.port}{path}"

    def _accept(self):
        while not self.closing.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            exchange = Exchange(self, connection)
            exchange.read_request()
            BEHAVIOURS.get(exchange.path, echo)(exchange)
        except (OSError, Gone, ssl.SSLError, ValueError):
            pass
        finally:
            connection.close()


if __name__ == "__main__":
    with HostileHttp() as hostile:
        print(hostile.url(""), flush=True)
        sys.stdin.read()
