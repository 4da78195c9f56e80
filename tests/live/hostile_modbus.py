"""A Modbus TCP device on loopback that misbehaves. Python's standard library only.

    with HostileModbus("drip") as server:
        url = server.url

Behaviours are the methods below without their underscore. Run as a program with a behaviour's name
it prints its address and serves until its standard input ends.
"""
import os
import random
import socket
import struct
import sys
import threading


class Exchange:
    def __init__(self, request):
        self.transaction, self.protocol, _ = struct.unpack(">HHH", request[:6])
        self.unit, self.function, self.address, self.count = struct.unpack(">BBHH", request[6:12])

    def frame(self, pdu, transaction=None, protocol=0, length=None, unit=None):
        return struct.pack(
            ">HHHB", self.transaction if transaction is None else transaction, protocol,
            len(pdu) + 1 if length is None else length, self.unit if unit is None else unit) + pdu

    def good(self):
        size = (self.count + 7) // 8 if self.function < 3 else self.count * 2
        return bytes([self.function, size]) + bytes(size)


class HostileModbus:
    def __init__(self, behaviour, **options):
        self.behaviour, self.options = behaviour, options
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"tcp://127.0.0.1:{self.port}"
        self.closing = threading.Event()
        self.requests, self.connections = [], 0
        self.random = random.Random(1)

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while not self.closing.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        answer = getattr(self, "_" + self.behaviour)
        try:
            with connection:
                if self.behaviour == "flood":
                    while not self.closing.is_set():
                        connection.sendall(bytes(4096))
                while len(request := connection.recv(12, socket.MSG_WAITALL)) == 12:
                    exchange = Exchange(request)
                    self.requests.append(exchange)
                    if answer(connection, exchange) == "close":
                        return
        except OSError:
            pass

    def _flood(self, connection, exchange):
        """Sends without end from the first moment."""

    def _silent(self, connection, exchange):
        """Takes requests and says nothing."""

    def _drip(self, connection, exchange):
        """One byte every 100 ms."""
        for byte in exchange.frame(exchange.good()):
            connection.sendall(bytes([byte]))
            if self.closing.wait(0.1):
                return

    def _drip_forever(self, connection, exchange):
        """The longest frame there is, one byte every 100 ms."""
        for byte in exchange.frame(bytes([exchange.function, 250]) + bytes(250)):
            connection.sendall(bytes([byte]))
            if self.closing.wait(0.1):
                return

    def _wrong_transaction(self, connection, exchange):
        connection.sendall(exchange.frame(exchange.good(), transaction=exchange.transaction ^ 1))

    def _wrong_protocol(self, connection, exchange):
        connection.sendall(exchange.frame(exchange.good(), protocol=7))

    def _wrong_length(self, connection, exchange):
        connection.sendall(exchange.frame(exchange.good(), length=200))

    def _wrong_unit(self, connection, exchange):
        connection.sendall(exchange.frame(exchange.good(), unit=exchange.unit ^ 1))

    def _wrong_function(self, connection, exchange):
        connection.sendall(exchange.frame(b"\x10" + exchange.good()[1:]))

    def _long_count(self, connection, exchange):
        connection.sendall(exchange.frame(bytes([exchange.function, 255]) + bytes(255)))

    def _promised_count(self, connection, exchange):
        connection.sendall(exchange.frame(bytes([exchange.function, 240]) + bytes(2)))

    def _close(self, connection, exchange):
        return "close"

    def _close_midway(self, connection, exchange):
        frame = exchange.frame(exchange.good())
        connection.sendall(frame[:len(frame) - 1])
        return "close"

    def _reset(self, connection, exchange):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return "close"

    def _garbage(self, connection, exchange):
        connection.sendall(self.random.randbytes(self.random.randrange(1, 600)))
        return "close"

    def _exception(self, connection, exchange):
        connection.sendall(
            exchange.frame(bytes([exchange.function | 0x80, self.options.get("code", 2)])))

    def _busy(self, connection, exchange):
        """Exception 6 for the first `times` requests, then a good answer."""
        if len(self.requests) <= self.options.get("times", 2):
            connection.sendall(exchange.frame(bytes([exchange.function | 0x80, 6])))
        else:
            connection.sendall(exchange.frame(exchange.good()))

    def _noise_behind(self, connection, exchange):
        """A good answer and 32 KiB nobody asked for in one segment."""
        connection.sendall(exchange.frame(exchange.good()) + os.urandom(32768))


if __name__ == "__main__":
    with HostileModbus(sys.argv[1] if len(sys.argv) > 1 else "silent") as running:
        print(running.url, flush=True)
        sys.stdin.read()
