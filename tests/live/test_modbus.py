#!/usr/bin/env python3
"""The modbus probe against pymodbus over every transport, and against devices that misbehave.

Guards against a register that is read in another way than its maker meant, a device that makes a run
hang, and a write: every function code that reaches a device is one that reads. PICKET_BUILD is the
build folder (default build/host).
"""
import unittest

import support
from hostile_modbus import HostileModbus

try:
    from modbus_server import ModbusServer, SerialLine
except ImportError as missing:  # pymodbus, or what its server needs
    ModbusServer, MISSING = None, str(missing)
else:
    MISSING = ""


def probe(url, *reads, unit=17, timeout=1.0, options=()):
    """A run of support.py with "" for what is not there, and its values by their names."""
    words = [word for read in reads for word in ("--read", read)]
    result = support.probe("modbus", url, "--unit", unit, *words, *options, timeout=timeout)
    for absent in ("reason", "phase", "note"):
        result[absent] = result[absent] or ""
    result["by_name"] = {value["name"]: value for value in result["values"]}
    return result


READS = ("flow holding 100 i16 scale=0.1 range=10..95", "deep holding 101 i32",
         "power holding 103 f32 order=cdab", "none holding 105 i16 sentinel=-32768",
         "far holding 200 i64", "small holding 204 f64", "model holding 300 string:8",
         "nan holding 400 f32", "last holding 65535 u16", "input input 100 u16", "pump coil 2 bool",
         "valve coil 1 bool", "door discrete 11 bool", "flag holding 107 bool bit=3")


@unittest.skipIf(ModbusServer is None, f"python3-pymodbus with its serial parts: {MISSING}")
class AgainstPymodbus(unittest.TestCase):
    def check_reads(self, url):
        result = probe(url, *READS)
        self.assertEqual((result["outcome"], result["reason"]), ("success", ""), result)
        got = {name: value["value"] for name, value in result["by_name"].items()
               if value["available"]}
        expected = {"flow": 21.5, "deep": -70000, "power": 12.5, "far": -5_000_000_000,
                    "small": 2.5e-3, "model": "Picket", "last": 65535, "input": 999, "pump": 1,
                    "valve": 0, "door": 1, "flag": 1}
        self.assertEqual(got, expected)
        self.assertEqual([value["name"] for value in result["values"]],
                         [read.split()[0] for read in READS])
        self.assertIn("request", result["phases"])
        self.assertIn("connect", result["phases"])
        return result

    def test_every_type_over_tcp(self):
        with ModbusServer() as server:
            self.check_reads(server.url)

    def test_every_type_over_rtu_over_tcp(self):
        with ModbusServer(rtu=True) as server:
            self.check_reads(server.url)

    def test_every_type_over_a_serial_line(self):
        with ModbusServer(rtu=True) as server, SerialLine(server) as line:
            result = self.check_reads(line.url)
            self.assertNotIn("probe_ip_protocol", result["facts"])
            self.check_reads(line.url)  # the line can be opened again

    def test_a_missing_register_loses_only_itself(self):
        for rtu in (False, True):
            with ModbusServer(rtu=rtu) as server:
                result = probe(server.url, "a holding 105 u16", "gone holding 106 u16",
                               "b holding 107 u16")
                self.assertEqual((result["reason"], result["phase"]), ("exception", "request"))
                self.assertEqual(result["note"], "illegal data address (2) for gone")
                self.assertEqual(result["by_name"]["a"]["value"], 0x8000)
                self.assertEqual(result["by_name"]["b"]["value"], 42)
                self.assertFalse(result["by_name"]["gone"]["available"])

    def test_long_runs_of_registers_are_cut_to_the_devices_limit(self):
        reads = [f"v{i} holding {1000 + 4 * i} u64" for i in range(48)]
        with ModbusServer() as server:
            for limit in ("125", "10", "4"):
                result = probe(server.url, *reads, options=("--max_registers", limit))
                self.assertEqual(result["outcome"], "success", result)
                for i in range(48):
                    value = sum((4 * i + k) << 16 * (3 - k) for k in range(4))
                    self.assertEqual(result["by_name"][f"v{i}"]["value"], float(value))

    def test_an_absent_unit_is_a_timeout_that_names_it(self):
        with ModbusServer() as server:
            result = probe(server.url, "a holding 100 u16", unit=5)
            self.assertEqual((result["reason"], result["phase"]), ("timeout", "request"), result)
            self.assertIn("unit 5", result["note"])

    def test_a_range_and_the_value_that_broke_it(self):
        with ModbusServer() as server:
            result = probe(server.url, "cold holding 100 i16 scale=0.1 range=30..",
                           "deep holding 101 i32 range=..0")
            self.assertEqual((result["reason"], result["phase"]), ("range", "request"))
            self.assertEqual(result["note"], "cold is 21.5, outside 30..")
            self.assertEqual(result["by_name"]["cold"]["value"], 21.5)


class AgainstHostileDevices(unittest.TestCase):
    def check(self, behaviour, reason, note="", timeout=0.5, **options):
        with self.subTest(behaviour=behaviour), HostileModbus(behaviour, **options) as server:
            # What is only known when the time is over is told in the last 10 ms of it, if the
            # machine has them to give: the best of some.
            for _ in range(5):
                result = probe(server.url, "a holding 100 u32", timeout=timeout)
                if result["reason"] == reason and note in result["note"]:
                    break
            self.assertEqual(result["reason"], reason, result)
            self.assertEqual(result["phase"], "request" if reason else "")
            self.assertIn(note, result["note"])
            for exchange in server.requests:
                self.assertIn(exchange.function, (1, 2, 3, 4))
            return result

    def test_each_gets_its_reason_in_time(self):
        self.check("silent", "timeout", "no answer from unit 17 to holding 100")
        self.check("drip", "timeout")
        self.check("drip_forever", "protocol", "250 bytes", timeout=1.5)
        self.check("wrong_transaction", "protocol", "transaction")
        self.check("wrong_protocol", "protocol", "protocol id 7")
        self.check("wrong_length", "protocol", "length 200 in the MBAP header instead of 7")
        self.check("wrong_unit", "protocol", "answer from unit 16, asked was 17")
        self.check("wrong_function", "protocol", "function 16")
        self.check("long_count", "protocol", "255 bytes of data")
        self.check("promised_count", "protocol", "240 bytes of data")
        self.check("close", "reset")
        self.check("close_midway", "reset")
        self.check("reset", "reset")
        self.check("garbage", "protocol")
        self.check("flood", "protocol", "transaction 0")
        self.check("noise_behind", "")
        self.check("exception", "exception", "illegal data address (2) for a", code=2)
        self.check("exception", "exception", "device failure (4) for a", code=4)

    def test_busy_passes_when_it_ends_in_time(self):
        self.check("busy", "", timeout=2.0, times=2)
        self.check("busy", "exception", "device busy (6)", timeout=2.0, times=9)

    def test_nobody_there_is_refused(self):
        with HostileModbus("silent") as server:
            url = server.url
        result = probe(url, "a holding 100 u16")
        self.assertEqual((result["reason"], result["phase"]), ("refused", "connect"))

    def test_no_serial_line_is_a_failed_connect(self):
        result = probe("rtu:///dev/picket-no-such-line", "a holding 100 u16")
        self.assertEqual((result["reason"], result["phase"]), ("connect", "connect"))
        self.assertIn("no serial device", result["note"])


class Words(unittest.TestCase):
    def test_mistakes_are_refused_with_their_reason(self):
        for url, read, message in (
                ("tcp://127.0.0.1", "a holdin 1 u16", "did you mean 'holding'"),
                ("tcp://127.0.0.1", "a holding 65536 u16", "outside 0..65535"),
                ("tcp://127.0.0.1", "a holding 1 u32 order=ba", "takes abcd"),
                ("udp://127.0.0.1", "a holding 1 u16", "is not tcp://"),
                ("rtu:///dev/ttyS0?baud=9601", "a holding 1 u16", "no rate")):
            self.assertIn(message, support.refusal("modbus", url, "--read", read))


if __name__ == "__main__":
    unittest.main()
