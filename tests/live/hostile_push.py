"""A push receiver that does what it is told: takes bodies, or misbehaves.

Every request is read whole and noted, also when the answer is hostile, unless the mode says that
nothing is read. Modes are changed while it runs."""

import contextlib
import socket
import struct
import threading
import time

from support import parse_protobuf

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def answer(status, headers="", body=b""):
    return (f"HTTP/1.1 {status} Some Reason\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
            ).encode() + body


MODES = {
    "good": answer(200),
    "rejected": answer(400, body=b"pushed metrics are invalid or inconsistent\n" + b"\x1b[2J" * 9),
    "busy": answer(429, "Retry-After: 2\r\n"),
    "busy for years": answer(429, "Retry-After: 999999999\r\n"),
    "busy until a date": answer(503, "Retry-After: Fri, 31 Dec 2199 23:59:59 GMT\r\n"),
    "busy, badly": answer(429, "Retry-After: -5\r\n"),
    "broken": answer(500, body=b"oops\n"),
    "garbage": b"\x00\xff\x16\x03\x01 this is no HTTP \r\n\r\n" * 40,
    "endless head": None,
    "moved": None,
    "huge": None,
    "silent": None,
    "drip": None,
    "reset": None,
    "closed": b"",
    "early": answer(200),  # sent before the body was read, and the connection closed
}


class HostilePush:
    def __init__(self, mode="good", location=None):
        self.mode = mode
        self.location = location  # of "moved", with its status: ("301", url)
        self.requests = []        # (method, path, headers, body)
        self.accepted = 0         # connections
        self.sent = 0             # bytes of huge answers that were taken
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.port = None
        self.open()

    def open(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=16)
        self.listener.settimeout(0.05)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.stopped.clear()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.stopped.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self.listener.accept()
                self.accepted += 1
                threading.Thread(target=self.handle, args=(connection,), daemon=True).start()

    def handle(self, connection):
        with connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(20)
            mode = self.mode
            if mode == "early":
                connection.recv(1)
            else:
                self.read_request(connection)
            self.reply(connection, mode)

    def read_request(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                raise ValueError("no request")
            data += part
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in
                   (line.split(": ", 1) for line in lines[1:])}
        while len(body) < int(headers.get("content-length", 0)):
            part = connection.recv(65536)
            if not part:
                raise ValueError("cut body")
            body += part
        method, path, _ = lines[0].split(" ")
        with self.lock:
            self.requests.append((method, path, headers, body))

    def reply(self, connection, mode):
        if mode == "moved":
            status, location = self.location
            connection.sendall(answer(status, f"Location: {location}\r\n"))
        elif mode == "huge":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
            for _ in range(1024):
                connection.sendall(b"x" * 1048576)
                self.sent += 1048576
        elif mode == "endless head":
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for i in range(1000000):
                connection.sendall(f"X-{i}: {'y' * 1000}\r\n".encode())
        elif mode == "silent":
            self.stopped.wait(20)
        elif mode == "drip":
            for byte in OK[:-2] * 100:
                connection.sendall(bytes([byte]))
                if self.stopped.wait(0.2):
                    return
        elif mode == "reset":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            time.sleep(0.05)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.sendall(MODES[mode])

    def count(self):
        with self.lock:
            return len(self.requests)

    def last(self):
        """The series of the newest body."""
        with self.lock:
            return parse_protobuf(self.requests[-1][3])

    def bodies(self):
        with self.lock:
            return [parse_protobuf(request[3]) for request in self.requests]

    def pause(self):
        """Nobody listens any more: connections are refused."""
        self.stopped.set()
        self.thread.join()
        self.listener.close()

    def resume(self):
        self.open(self.port)

    def close(self):
        if not self.stopped.is_set():
            self.pause()
