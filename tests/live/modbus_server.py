"""A well-behaved Modbus device on loopback, played by pymodbus: an implementation not our own.

    with ModbusServer() as server:            # Modbus TCP
        url = server.url                      # tcp://127.0.0.1:PORT
    with ModbusServer(rtu=True) as server:    # RTU frames over TCP
    with SerialLine(server) as line:          # a pseudo terminal in front of such a server (socat)
        url = line.url                        # rtu:///…

Run as a program it prints its address and serves until its standard input ends.
"""
import asyncio
import logging
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from pymodbus.datastore import (ModbusServerContext, ModbusSlaveContext,
                                ModbusSparseDataBlock)
from pymodbus.server.async_io import ModbusConnectedRequestHandler, ModbusTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


def words(layout, value):
    """The registers of a value, most significant first."""
    data = struct.pack(">" + layout, value)
    return list(struct.unpack(f">{len(data) // 2}H", data))


def device():
    """Unit 17's registers. 106 is not there, and neither is anything else that is not listed."""
    holding = {100: words("h", 215), 101: words("i", -70000), 103: words("f", 12.5)[::-1],
               105: [0x8000], 107: [42], 200: words("q", -5_000_000_000), 204: words("d", 2.5e-3),
               300: [0x5069, 0x636b, 0x6574, 0x2020], 400: words("f", float("nan")),
               65535: [65535]}
    holding.update({1000 + i: [i] for i in range(300)})
    return ModbusSlaveContext(
        co=ModbusSparseDataBlock({0: [1, 0, 1]}), di=ModbusSparseDataBlock({10: [0, 1]}),
        hr=ModbusSparseDataBlock(holding), ir=ModbusSparseDataBlock({100: [999]}), zero_mode=True)


class ModbusServer:
    def __init__(self, rtu=False, units=(17,), answer=None):
        self.rtu, self.units, self.answer = rtu, units, answer
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.connections = 0

    def _serve(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._start())
        self.loop.run_forever()

    async def _start(self):
        outer = self

        class Handler(ModbusConnectedRequestHandler):
            def connection_made(self, transport):
                outer.connections += 1
                super().connection_made(transport)

        context = ModbusServerContext(slaves={unit: device() for unit in self.units}, single=False)
        self.server = ModbusTcpServer(
            context, framer=ModbusRtuFramer if self.rtu else ModbusSocketFramer,
            address=("127.0.0.1", 0), handler=Handler, loop=self.loop,
            response_manipulator=self.answer)
        self.task = self.loop.create_task(self.server.serve_forever())
        await self.server.serving
        self.port = self.server.server.sockets[0].getsockname()[1]
        self.ready.set()

    @property
    def url(self):
        return f"{'rtutcp' if self.rtu else 'tcp'}://127.0.0.1:{self.port}"

    def __enter__(self):
        self.thread.start()
        if not self.ready.wait(10):
            raise RuntimeError("the Modbus server did not start")
        return self

    def __exit__(self, *_):
        async def close():
            await self.server.shutdown()
            self.task.cancel()
            await asyncio.wait([self.task])
            self.loop.stop()
        asyncio.run_coroutine_threadsafe(close(), self.loop)
        self.thread.join(5)
        self.loop.close()


class SerialLine:
    """A pseudo terminal whose other end is an RTU server: what the agent takes for a serial line."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "line"
        self.socat = subprocess.Popen(
            ["socat", f"PTY,link={path},raw,echo=0", f"TCP:127.0.0.1:{self.server.port}"])
        until = time.monotonic() + 5
        while not path.exists():
            if time.monotonic() > until:
                raise RuntimeError("socat made no pseudo terminal")
            time.sleep(0.01)
        self.url = f"rtu://{path}?baud=115200&parity=none"
        return self

    def __exit__(self, *_):
        self.socat.terminate()
        self.socat.wait()
        self.folder.cleanup()


if __name__ == "__main__":
    with ModbusServer(rtu="--rtu" in sys.argv) as running:
        print(running.url, flush=True)
        sys.stdin.read()
