"""store verify, stats and dump on stores that the store's own code made, whole and damaged.

Guards against a result that is shown otherwise than it was measured, one that is invented, damage
that is not told, and an image that crashes its reader or plays tricks on a terminal."""

import collections
import csv
import datetime
import io
import json
import os
import random
import struct
import subprocess
import time
import unittest

from support import (BUILD, LiveTest, PATIENCE, Pushgateway, Target, parse_text, picketd, promtool)

MAKER = BUILD / "tests" / "store_maker"
BLOCK = 4096
YEAR_MS = 31536000000
SITE = ("[agent]\nsite = x\nstore = /unused\nstore_size = {size}\nflash = disk\ncommit = {commit}\n"
        "{probes}")
PORTAL = '[http portal]\nurl = http://h/a\nurl = http://h/b,"c"\n'
MAIL = '[tcp mail]\naddress = h:25\nstep = send "x"\n'
WORKS = ("[maintenance works]\nprobe = portal\n"
         "time = 1971-01-01T01:00:00Z 1971-01-01T03:00:00Z\n")
FIELDS = ("number", "boot", "monotonic_ms", "time", "time_corrected", "target", "probe", "kind",
          "instance", "outcome", "reason", "phase", "duration_seconds", "maintenance")


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = crc_table()


def date(unix_ms):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=unix_ms)
    return moment.isoformat(timespec="milliseconds") + "Z"


class Image:
    """A store file, cut into blocks to be damaged."""

    def __init__(self, path):
        self.path = path
        self.bytes = bytearray(path.read_bytes())

    def block(self, index):
        return self.bytes[index * BLOCK:(index + 1) * BLOCK]

    def put(self, index, data):
        self.bytes[index * BLOCK:index * BLOCK + len(data)] = data

    def seal(self, index):
        self.put(index, struct.pack("<I", crc32c(self.block(index)[4:])))

    def flip(self, index, bit):
        self.bytes[index * BLOCK + bit // 8] ^= 1 << bit % 8

    def count(self):
        return len(self.bytes) // BLOCK

    def parts(self):
        return [i for i in range(self.count()) if self.block(i)[4:8] == b"PKC1"]

    def log(self):
        """(seq, index) of the newest version of each block, oldest first."""
        found = {}
        for index in range(self.count()):
            block = self.block(index)
            if block[4:8] == b"PKD1":
                seq, version = struct.unpack_from("<QI", block, 16)
                found[seq] = max(found.get(seq, (0, 0)), (version, index))
        oldest = struct.unpack_from("<Q", self.block(found[max(found)][1]), 56)[0]
        return [(seq, index) for seq, (_, index) in sorted(found.items()) if seq >= oldest]

    def save(self):
        self.path.write_bytes(self.bytes)


class StoreTest(LiveTest):
    def make(self, boot, start_ms, trust_after, runs, end, *, interval_ms=30000, name="s.pk",
             size="256K", commit="60s", probes=PORTAL + MAIL):
        """Goes on with a store; every result in the order it was made, as the maker told it."""
        config = self.file("s.conf", SITE.format(size=size, commit=commit, probes=probes))
        done = subprocess.run([MAKER, config, self.folder / name, *map(str, (
            boot, start_ms, trust_after, runs, interval_ms, end))], capture_output=True, text=True,
            timeout=60 * PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.store = self.folder / name
        return [json.loads(line) for line in done.stdout.splitlines()]

    def usual(self):
        """Three boots, a restart within one, power cuts; what was committed of it."""
        told = [self.make(1, 5000, 3, 300, "close"), self.make(1, 10000000, -1, 10, "close"),
                self.make(2, 5000, -1, 20, "cut"), self.make(3, 5000, 50, 1500, "cut")]
        return self.surviving(told, len(self.dump()))

    def surviving(self, told, count):
        """A run that was cut loses its end, and the next goes on with the numbers."""
        results = []
        for run in told:
            if run:
                del results[run[0]["number"] - 1:]
            results += run
        self.assertEqual([r["number"] for r in results], list(range(1, len(results) + 1)))
        return results[:count]

    def verb(self, *arguments, code=0):
        done = picketd("store", *arguments, self.store)
        self.assertEqual(done.returncode, code, done.stdout[-500:] + done.stderr)
        self.assertNotIn("Sanitizer", done.stderr)
        return done

    def dump(self, *arguments, code=0):
        done = self.verb("dump", "--format", "json", *arguments, code=code)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def expect(self, results, first_trusted):
        """What dump says of these results; first_trusted: boots that ever knew the time."""
        ids = {}
        rows = []
        for result in results:
            name = result["probe"], result["instance"]
            ids.setdefault(name, len(ids) + 1)
            known = int(result["boot"], 16) in first_trusted
            rows.append({
                "number": result["number"], "boot": result["boot"],
                "monotonic_ms": result["monotonic_ms"],
                "time": date(result["monotonic_ms"] + int(result["boot"], 16) * YEAR_MS)
                if known else None,
                "time_corrected": known and not result["trusted"], "target": ids[name],
                "probe": result["probe"], "kind": result["kind"], "instance": result["instance"],
                "outcome": result["outcome"], "reason": result["reason"] or None,
                "phase": result["phase"] or None, "duration_seconds": result["duration_us"] / 1e6,
                "maintenance": result["maintenance"]})
        return rows


class Whole(StoreTest):
    def test_dump_tells_every_result_as_it_was_measured(self):
        results = self.usual()
        self.assertEqual(self.dump(), self.expect(results, {1, 3}))

    def test_csv_says_the_same(self):
        results = self.usual()
        text = self.verb("dump", "--format", "csv").stdout
        raw = subprocess.run([BUILD / "bin" / "picketd", "store", "dump", "--format=csv",
                              self.store], capture_output=True).stdout
        self.assertEqual(raw.count(b"\r\n"), len(results) + 1)
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual(tuple(rows[0]), FIELDS)
        for row, expected in zip(rows, self.expect(results, {1, 3}), strict=True):
            shown = {name: "" if value is None else str(value) for name, value in expected.items()}
            for name in ("time_corrected", "maintenance"):
                shown[name] = shown[name].lower()
            shown["duration_seconds"] = f'{expected["duration_seconds"]:.5f}'
            self.assertEqual(row, shown)

    def test_text_has_a_line_for_each(self):
        results = self.usual()
        lines = self.verb("dump").stdout.splitlines()
        self.assertEqual(len(lines), len(results) + 1)
        self.assertRegex(lines[0], r"^TIME +BOOT +UPTIME\(ms\) +PROBE +KIND +INSTANCE +OUTCOME")
        self.assertRegex(lines[1], r"^1971-01-01T00:00:05.\d{3}Z~ +00000001 +500\d +portal +http "
                                   r"+http://h/a +\w+")
        self.assertEqual(sum(line.startswith("-") for line in lines),
                         sum(r["boot"].endswith("2") for r in results))
        self.assertLess(len({len(line.rstrip()) // 1000 for line in lines}), 2)

    def test_runs_in_maintenance_say_so(self):
        """Two hours of five, of one probe's targets, however they ended."""
        results = self.make(1, 0, 0, 600, "close", probes=PORTAL + MAIL + WORKS)
        marked = [r["number"] for r in results if r["maintenance"]]
        self.assertEqual(len(marked), 2 * 2 * 120)
        self.assertEqual({r["outcome"] for r in results if r["maintenance"]},
                         {"success", "failure", "unknown"})
        rows = self.dump()
        self.assertEqual(rows, self.expect(results, {1}))
        table = csv.DictReader(io.StringIO(self.verb("dump", "--format=csv").stdout))
        self.assertEqual([int(row["number"]) for row in table if row["maintenance"] == "true"],
                         marked)
        title, *lines = self.verb("dump").stdout.splitlines()
        self.assertTrue(title.endswith("  MAINT"))
        self.assertEqual([i + 1 for i, line in enumerate(lines)
                          if line[title.index("MAINT"):].strip() == "yes"], marked)
        series = parse_text(self.verb("dump", "--format=prom").stdout)
        self.assertEqual(series.total("picket_probe_maintenance_total"), len(marked))

    def test_prom_tells_the_totals_as_a_push_would(self):
        results = self.usual()
        text = self.verb("dump", "--format", "prom").stdout
        self.assertEqual(promtool(text), "")
        series = parse_text(text)
        for (probe, kind, instance), rows in self.by_target(results).items():
            labels = {"probe": probe, "kind": kind, "instance": instance.replace('"', '\\"')}
            outcomes = collections.Counter(row["outcome"] for row in rows)
            for outcome in ("success", "failure", "unknown"):
                self.assertEqual(series.value("picket_probe_results_total", result=outcome,
                                              **labels), outcomes[outcome])
            self.assertEqual(series.value("picket_probe_failures_total", reason="timeout",
                                          **labels), outcomes["failure"])
            self.assertEqual(series.value("picket_probe_duration_seconds_count", **labels),
                             outcomes["success"])
            self.assertAlmostEqual(
                series.value("picket_probe_duration_seconds_sum", **labels),
                sum(row["duration_us"] for row in rows if row["outcome"] == "success") / 1e6)
            self.assertGreater(series.value("picket_probe_missed_total", **labels), 0)
        pushed = picketd("probe", "http", "http://127.0.0.1:9/", "--format", "prom").stdout
        for line in text.splitlines():
            if line.startswith("#"):
                self.assertIn(line, pushed)
        http = {dict(key[1])["reason"] for key in
                parse_text(pushed).select("picket_probe_failures_total")}
        self.assertEqual(http, {dict(key[1])["reason"] for key in
                                series.select("picket_probe_failures_total", kind="http")})

    def by_target(self, results):
        found = collections.defaultdict(list)
        for row in results:
            found[row["probe"], row["kind"], row["instance"]].append(row)
        return found

    def test_stats(self):
        results = self.usual()
        page = json.loads(self.verb("stats", "--format", "json").stdout)
        self.assertEqual((page["results_in_log"], page["results_ever"], page["clean_stop"]),
                         (len(results), len(results), False))
        self.assertEqual(page["dropped"], {"wrap": 0, "memory": 0, "damaged": 0})
        self.assertEqual(page["oldest"]["time"], date(results[0]["monotonic_ms"] + YEAR_MS))
        self.assertEqual(page["newest"]["number"], len(results))
        self.assertGreater(page["blocks_written"], 700)
        self.assertGreater(page["hours"], 14)
        for target in page["targets"]:
            rows = self.by_target(results)[target["probe"], target["kind"], target["instance"]]
            self.assertEqual((target["in_log"], target["configured"]), (len(rows), True))
            for outcome in ("success", "failure", "unknown"):
                self.assertEqual(target[outcome], sum(r["outcome"] == outcome for r in rows))
        self.assertEqual(len(page["targets"]), 3)
        text = self.verb("stats").stdout
        self.assertIn(f"{len(results)} results of {len(results)} ever measured", text)
        self.assertIn("not in order", text)
        self.make(4, 0, 0, 3, "close")
        self.assertTrue(json.loads(self.verb("stats", "--format", "json").stdout)["clean_stop"])
        self.assertIn("stopped   in order", self.verb("stats").stdout)
        self.make(5, 0, 0, 10, "cut")  # no checkpoint since
        page = json.loads(self.verb("verify", "--format=json").stdout)
        self.assertGreater(page["totals"]["records_behind_checkpoint"], 0)
        self.assertIn("not in order", self.verb("stats").stdout)

    def test_verify(self):
        results = self.usual()
        text = self.verb("verify").stdout
        self.assertIn(f"{self.store}: whole\n", text)
        self.assertIn(f"{len(results)} results, number 1 to {len(results)}", text)
        page = json.loads(self.verb("verify", "--format", "json").stdout)
        self.assertEqual((page["verdict"], page["findings"]), ("whole", []))
        self.assertEqual(page["log"]["results"], len(results))
        self.assertEqual(sum(v for k, v in page["slots"].items() if k != "total"),
                         page["slots"]["total"])

    def test_nothing_is_written(self):
        self.usual()
        before = self.store.read_bytes(), self.store.stat().st_mtime_ns
        for arguments in (["verify"], ["stats"], ["dump"], ["dump", "--format=prom"]):
            self.verb(*arguments)
        self.assertEqual((self.store.read_bytes(), self.store.stat().st_mtime_ns), before)
        self.assertEqual(sorted(os.listdir(self.folder)), ["s.conf", "s.pk"])

    def test_removed_and_added_probes_keep_their_names(self):
        first = self.make(1, 0, 0, 50, "close")
        second = self.make(1, 9000000, 0, 50, "close", probes=MAIL + "[tls cert]\naddress = h:1\n")
        told = self.surviving([first, second], len(first) + len(second))
        rows = self.dump()
        names = ("number", "probe", "kind", "instance", "outcome")
        self.assertEqual([[row[n] for n in names] for row in rows],
                         [[row[n] for n in names] for row in told])
        page = json.loads(self.verb("stats", "--format=json").stdout)
        self.assertEqual({t["probe"]: t["configured"] for t in page["targets"]},
                         {"portal": False, "mail": True, "cert": True})
        self.assertEqual(sum(t["in_log"] for t in page["targets"]), len(told))

    def test_a_small_store_keeps_the_newest(self):
        told = self.make(1, 0, 0, 6000, "close", size="64K", interval_ms=1000)
        rows = self.dump()
        page = json.loads(self.verb("stats", "--format=json").stdout)
        self.assertGreater(page["dropped"]["wrap"], 0)
        self.assertEqual(page["dropped"]["wrap"] + len(rows), len(told))
        self.assertEqual(rows[0]["number"], page["dropped"]["wrap"] + 1)
        self.assertEqual([r["monotonic_ms"] for r in rows],
                         [r["monotonic_ms"] for r in told[-len(rows):]])
        self.assertEqual(sum(t["success"] + t["failure"] + t["unknown"] for t in page["targets"]),
                         len(told))
        self.assertIn("whole", self.verb("verify").stdout)

    def test_results_that_never_reached_the_disk_are_no_damage(self):
        told = self.make(1, 0, 0, 30000, "outage", size="1M", interval_ms=1000)
        page = json.loads(self.verb("stats", "--format=json").stdout)
        dropped = page["dropped"]
        self.assertGreater(dropped["memory"], 1000)
        self.assertEqual((dropped["wrap"], dropped["damaged"]), (0, 0))
        rows = self.dump()
        self.assertEqual(len(rows) + dropped["memory"], len(told))
        by_number = {r["number"]: r for r in told}
        for row in rows:
            self.assertEqual(row["monotonic_ms"], by_number[row["number"]]["monotonic_ms"])
        self.assertIn("whole", self.verb("verify").stdout)

    def test_an_empty_store(self):
        self.make(1, 0, 0, 0, "close")
        self.assertEqual(self.dump(), [])
        self.assertEqual(self.dump("--since=2h"), [])
        self.assertEqual(len(self.verb("dump", "--format=csv").stdout.splitlines()), 1)
        self.assertIn("whole", self.verb("verify").stdout)
        self.assertIn("0 results of 0", self.verb("stats").stdout)


class Selection(StoreTest):
    def setUp(self):
        super().setUp()
        self.results = self.usual()
        self.rows = self.expect(self.results, {1, 3})

    def test_by_probe_and_outcome(self):
        for options, condition in (
                (["--probe", "mail"], lambda row: row["probe"] == "mail"),
                (["--outcome=failure"], lambda row: row["outcome"] == "failure"),
                (["--outcome", "unknown", "--probe=portal"],
                 lambda row: row["outcome"] == "unknown" and row["probe"] == "portal"),
                (["--probe", "nobody"], lambda row: False)):
            with self.subTest(options):
                self.assertEqual(self.dump(*options), list(filter(condition, self.rows)))

    def test_by_time(self):
        times = [row["time"] for row in self.rows if row["time"]]
        middle, newest = times[len(times) // 2], times[-1]
        hour_ago = date(int(datetime.datetime.fromisoformat(newest[:-1] + "+00:00").timestamp()
                            * 1000 + 0.5) - 3600000)
        rows = (
            (["--since", middle], lambda t: t >= middle),
            (["--until", middle], lambda t: t <= middle),
            (["--since", "1h"], lambda t: t >= hour_ago),
            (["--until=1h"], lambda t: t <= hour_ago),
            (["--since", middle, "--until", middle], lambda t: t == middle),
            (["--since", "1971-01-01 00:00:00+00:00", "--until", "1972-01-01T00:00:00Z"],
             lambda t: t < "1972"),
        )
        for options, condition in rows:
            with self.subTest(options):
                expected = [row for row in self.rows if row["time"] and condition(row["time"])]
                self.assertTrue(expected)
                self.assertEqual(self.dump(*options), expected)

    def test_wrong_words_are_named_and_end_with_2(self):
        store = self.store
        for arguments, words in (
                ([], "verify, stats or dump"), (["verify"], "one FILE"),
                (["verify", store, store], "one FILE"), (["verfy", store], "did you mean 'verify'"),
                (["dump", "--format", "xml", store], "unknown format 'xml'"),
                (["dump", "--format=jsn", store], "did you mean 'json'"),
                (["verify", "--format=csv", store], "'verify' has no format 'csv'"),
                (["stats", "--format=prom", store], "'stats' has no format 'prom'"),
                (["verify", "--probe=x", store], "go with dump"),
                (["dump", "--format=prom", "--since=2h", store], "not with prom"),
                (["dump", "--outcome=failed", store], "unknown outcome 'failed'"),
                (["dump", "--since=yesterday", store], "--since yesterday: write a date"),
                (["dump", "--until=2026-11-22", store], "--until 2026-11-22: write a date"),
                (["dump", "--sinse=2h", store], "'--sinse=2h'"),
                (["dump", "--since"], "--since"),
                (["verify", self.folder / "none"], "none: No such file"),
                (["stats", self.folder], "not a regular file"),
                (["dump", "/dev/zero"], "not a regular file")):
            with self.subTest(arguments):
                done = picketd("store", *arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(words, done.stderr)

    def test_a_fifo_does_not_hold_it_up(self):
        os.mkfifo(self.folder / "fifo")
        done = picketd("store", "verify", self.folder / "fifo")
        self.assertEqual(done.returncode, 2)
        self.assertIn("not a regular file", done.stderr)

    def test_help(self):
        done = picketd("store", "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for word in ("verify", "stats", "dump", "--since", "csv", "Exit code"):
            self.assertIn(word, done.stdout)

    def test_a_reader_that_goes_away_ends_it(self):
        read, write = os.pipe()
        process = subprocess.Popen([BUILD / "bin" / "picketd", "store", "dump", self.store],
                                   stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        os.read(read, 10)
        os.close(read)
        self.assertEqual(process.communicate(timeout=20 * PATIENCE)[1], b"")


class Damaged(StoreTest):
    def setUp(self):
        super().setUp()
        self.results = self.usual()
        self.rows = self.expect(self.results, {1, 3})
        # Wall times may go with the block that told them; the rest of a result never changes.
        self.known = {self.kernel(row) for row in self.rows}
        self.image = Image(self.store)
        self.whole = bytes(self.image.bytes)

    def kernel(self, row):
        return tuple(row[name] for name in ("number", "boot", "monotonic_ms", "target", "outcome",
                                            "reason", "phase", "duration_seconds"))

    def check(self, code, words, rows=None):
        """The verdict, what is said about it, and that no result was invented."""
        self.image.save()
        text = self.verb("verify", code=code).stdout
        if words:
            self.assertRegex(text, words)
        page = json.loads(self.verb("verify", "--format=json", code=code).stdout)
        self.assertEqual(page["verdict"] == "whole", code == 0)
        self.assertEqual(bool(page["findings"]), code != 0)
        self.verb("stats", code=code)
        self.verb("dump", "--format=prom", code=code)
        shown = self.dump(code=code)
        self.assertLessEqual({self.kernel(row) for row in shown}, self.known)
        self.assertEqual(len(shown), page.get("log", {}).get("results", 0))
        if rows is not None:
            self.assertEqual(len(shown), rows)
        return page

    def results_of(self, index):
        return struct.unpack_from("<H", self.image.block(index), 48)[0]

    def test_either_super_block_will_do(self):
        for index, words in ((0, "the super block is damaged"),
                             (self.image.count() - 1, "the copy of the super block is damaged")):
            for damage in (bytes(BLOCK), b"\xff" * 100):
                with self.subTest(words):
                    self.image.bytes[:] = self.whole
                    self.image.put(index, damage)
                    self.check(1, words, len(self.rows))

    def test_no_super_block_is_no_store(self):
        self.image.put(0, bytes(BLOCK))
        self.image.put(self.image.count() - 1, bytes(BLOCK))
        self.check(1, "foreign\n  ! no block says that this is a store", 0)

    def test_a_block_in_the_middle_of_the_log(self):
        log = self.image.log()
        _, index = log[len(log) // 2]
        gone = self.results_of(index)
        self.assertGreater(gone, 100)
        first = struct.unpack_from("<Q", self.image.block(index), 40)[0]
        for damage in ("flip", "zero", "garbage"):
            with self.subTest(damage):
                self.image.bytes[:] = self.whole
                if damage == "flip":
                    self.image.flip(index, 20000)
                else:
                    self.image.put(index, bytes(BLOCK) if damage == "zero"
                                   else random.Random(1).randbytes(BLOCK))
                self.drop_older_versions(index)
                page = self.check(1, f"1 hole in the log: \\d+ records, {gone} results among them",
                                  len(self.rows) - gone)
                self.assertEqual(page["log"]["missing_results"], gone)
                shown = self.dump(code=1)
                self.assertEqual([row["number"] for row in shown],
                                 [n for n in range(1, len(self.rows) + 1)
                                  if not first <= n < first + gone])
                page = json.loads(self.verb("stats", "--format=json", code=1).stdout)
                self.assertEqual(page["dropped"]["damaged"], gone)

    def drop_older_versions(self, index):
        seq = struct.unpack_from("<Q", self.whole, index * BLOCK + 16)[0]
        for other in range(self.image.count()):
            block = self.image.block(other)
            if block[4:8] == b"PKD1" and other != index and \
                    struct.unpack_from("<Q", block, 16)[0] == seq:
                self.image.put(other, bytes(BLOCK))

    def test_the_oldest_block(self):
        _, index = self.image.log()[0]
        gone = self.results_of(index)
        self.image.put(index, b"\xff" * BLOCK)
        self.drop_older_versions(index)
        self.check(1, f"blocks are missing: {gone} results of the log are gone",
                   len(self.rows) - gone)

    def test_an_unfinished_write_costs_nothing(self):
        """What a power cut leaves behind: a torn rewrite of the newest block in a free place."""
        log = self.image.log()
        live = {index for _, index in log}
        free = next(i for i in range(self.image.count() - 2, 0, -1)
                    if i not in live and i not in self.image.parts())
        torn = self.image.block(log[-1][1])
        self.image.put(free, torn[:2048] + b"\x5a" * 2048)
        page = self.check(0, "1 unfinished or damaged", len(self.rows))
        self.assertEqual(page["slots"]["unfinished"], 1)

    def test_one_checkpoint_is_enough_when_the_log_reaches_back(self):
        used = [c["in_use"] for c in json.loads(
            self.verb("verify", "--format=json").stdout)["checkpoints"]]
        parts = self.image.parts()
        self.image.flip(parts[0] if used[0] else parts[-1], 9999)
        self.check(0, "unfinished or damaged", len(self.rows))
        before = self.totals()
        self.image.bytes[:] = self.whole
        self.image.save()
        self.assertEqual(self.totals(), before)

    def totals(self):
        return parse_text(self.verb("dump", "--format=prom").stdout)

    def test_without_checkpoints_results_have_no_names(self):
        for index in self.image.parts():
            self.image.put(index, bytes(BLOCK))
        self.check(1, "no checkpoint is whole", len(self.rows))
        self.assertEqual({row["probe"] for row in self.dump(code=1)}, {None})
        self.assertIn(f"and {len(self.rows)} results in the log of targets whose names are gone",
                      self.verb("stats", code=1).stdout)

    def test_the_end_of_the_log(self):
        """The checkpoint of an orderly stop counts more than is left."""
        self.make(4, 0, 0, 400, "close")
        self.image = Image(self.store)
        newest, index = self.image.log()[-1]
        for other in range(self.image.count()):
            block = self.image.block(other)
            if block[4:8] == b"PKD1" and struct.unpack_from("<Q", block, 16)[0] == newest:
                self.image.put(other, bytes(BLOCK))
        self.image.save()
        self.assertIn("the end of the log is missing", self.verb("verify", code=1).stdout)

    def test_a_hole_behind_the_checkpoint_is_lacking_in_the_totals(self):
        page = json.loads(self.verb("verify", "--format=json").stdout)
        covers = max(c["records"] for c in page["checkpoints"] if c["in_use"])
        self.assertGreater(page["totals"]["records_behind_checkpoint"], 1500)
        index = next(i for _, i in self.image.log()
                     if struct.unpack_from("<Q", self.image.block(i), 32)[0] > covers + 1)
        records = struct.unpack_from("<H", self.image.block(index), 30)[0]
        self.image.put(index, bytes(BLOCK))
        self.drop_older_versions(index)
        page = self.check(1, f"{records} records behind the checkpoint are missing")
        self.assertEqual(page["totals"]["records_missing"], records)

    def test_a_header_that_counts_wrongly(self):
        log = self.image.log()
        _, index = log[len(log) // 2]
        at = index * BLOCK + 48
        self.image.bytes[at:at + 2] = struct.pack("<H", self.results_of(index) - 1)
        self.image.seal(index)
        self.check(1, "1 blocks hold more or fewer results than they say")

    def test_a_file_that_is_cut_or_longer(self):
        size = len(self.whole)
        for length in (size - BLOCK, size - 1, size // 2, 5000, BLOCK):
            with self.subTest(length):
                self.image.bytes = bytearray(self.whole[:length])
                page = self.check(1, f"the file is cut: {length} of {size} bytes are there")
                slots = page["slots"]
                self.assertEqual(sum(v for k, v in slots.items() if k != "total"), slots["total"])
                self.assertEqual(slots["missing"], (size - BLOCK - 1 - length) // BLOCK + 1
                                 if length > 4 * BLOCK else slots["total"])
        self.image.bytes = bytearray(self.whole[:BLOCK - 1])
        self.check(1, "no block says", 0)
        self.image.bytes = bytearray(self.whole + b"x")
        self.check(1, "1 bytes stand behind the end", len(self.rows))
        self.image.bytes = bytearray(bytes(BLOCK) + self.whole[BLOCK:] + b"x" * 5000)
        self.check(1, "the super block is damaged", len(self.rows))

    def test_blocks_of_another_store(self):
        self.make(9, 0, 0, 500, "close", name="other.pk")
        other = Image(self.store)
        live = {index for _, index in self.image.log()}
        free = next(i for i in range(self.image.count() - 2, 0, -1) if i not in live)
        self.image.put(free, other.block(other.log()[0][1]))
        self.store = self.image.path
        self.check(1, "1 blocks belong to another store", len(self.rows))

    def test_any_flipped_bit(self):
        """Never a crash, never an invented result; what is said fits what is shown."""
        dice = random.Random(7)
        for _ in range(40):
            index, bit = dice.randrange(self.image.count()), dice.randrange(BLOCK * 8)
            with self.subTest(index=index, bit=bit):
                self.image.bytes[:] = self.whole
                self.image.flip(index, bit)
                self.image.save()
                done = picketd("store", "verify", "--format=json", self.store)
                self.assertIn(done.returncode, (0, 1), done.stderr)
                self.check(done.returncode, None)

    def test_records_that_are_none_in_a_block_that_is_whole(self):
        """A CRC is no seal: whoever makes an image can make a valid one."""
        log = self.image.log()
        _, index = log[len(log) // 2]
        dice = random.Random(3)
        for _ in range(30):
            self.image.bytes[:] = self.whole
            at = index * BLOCK + dice.randrange(112, 3000)
            self.image.bytes[at:at + 8] = dice.randbytes(8)
            self.image.seal(index)
            self.image.save()
            for arguments in (["verify"], ["stats", "--format=json"], ["dump", "--format=csv"]):
                done = picketd("store", *arguments, self.store)
                self.assertIn(done.returncode, (0, 1), done.stderr)
        self.image.bytes[:] = self.whole
        self.image.put(index, self.image.block(index)[:112] + b"\xff" * (BLOCK - 112))
        self.image.seal(index)
        self.image.save()
        self.assertRegex(self.verb("verify", code=1).stdout,
                         "1 blocks hold bytes that are no records: [1-9]")

    def test_names_cannot_play_tricks(self):
        """U+009B begins a control sequence on some terminals; a bare control byte is refused."""
        for name, replacement in (("c1", b"http:\xc2\x9b31m"), ("c0", b"http:\x1b[31m")):
            with self.subTest(name):
                self.image.bytes[:] = self.whole
                for index in self.image.parts():
                    block = self.image.block(index)
                    self.assertEqual(len(replacement), len(b"http://h/a"))
                    self.image.put(index, block.replace(b"http://h/a", replacement))
                    self.image.seal(index)
                self.image.save()
                code = 0 if name == "c1" else 1
                for arguments in (["verify"], ["stats"], ["stats", "--format=json"], ["dump"],
                                  ["dump", "--format=json"], ["dump", "--format=csv"],
                                  ["dump", "--format=prom"]):
                    text = self.verb(*arguments, code=code).stdout
                    self.assertNotRegex(text, "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class NoStore(StoreTest):
    def check(self, content, code, words):
        self.store = self.folder / "file"
        self.store.write_bytes(content)
        self.assertIn(words, self.verb("verify", code=code).stdout)
        json.loads(self.verb("verify", "--format=json", code=code).stdout)
        self.assertEqual(self.verb("dump", "--format=json", code=code).stdout, "")
        self.assertIn(words.split("! ")[-1], self.verb("stats", code=code).stderr)

    def test_files_that_are_none(self):
        nothing, foreign = "there is nothing in this file", "no block says that this is a store"
        for content, words in ((b"", f"empty\n  ! {nothing}"),
                               (bytes(10 * BLOCK), f"empty\n  ! {nothing}"),
                               (bytes(10), f"foreign\n  ! {foreign}"),
                               (b"x", f"foreign\n  ! {foreign}"),
                               (random.Random(1).randbytes(20 * BLOCK), f"foreign\n  ! {foreign}")):
            with self.subTest(content[:10]):
                self.check(content, 1, words)

    def test_a_newer_format_is_left_alone(self):
        self.make(1, 0, 0, 10, "close")
        image = Image(self.store)
        for index in (0, image.count() - 1):
            image.bytes[index * BLOCK + 16:index * BLOCK + 18] = struct.pack("<H", 2)
            image.seal(index)
        self.check(bytes(image.bytes), 2, "format version 2 is newer than the 1 this program knows")

    def test_a_file_larger_than_any_store(self):
        self.store = self.folder / "file"
        with open(self.store, "wb") as file:
            file.truncate((64 << 20) + 1)
        self.assertIn("larger than any store", self.verb("verify", code=2).stderr)


class Live(StoreTest):
    """The store of an agent that runs."""

    def setUp(self):
        super().setUp()
        self.target = self.closing(Target())
        self.store = self.folder / "live.pk"

    def config(self, more=""):
        probes = "".join(f"[http p{i}]\nurl = {self.target.url(f'/{i}')}\ninterval = 100ms\n"
                         "timeout = 100ms\n" for i in range(20))
        return (f"[agent]\nsite = here\nstore = {self.store}\nstore_size = 64K\ncommit = 1s\n"
                f"flash = disk\n{more}{probes}")

    def test_a_store_that_is_written_is_whole_at_any_moment(self):
        agent = self.agent(self.config())
        agent.wait_runs("p0", 20)
        last, blocks = 0, set()
        for _ in range(60):
            page = json.loads(self.verb("verify", "--format=json").stdout)
            self.assertEqual((page["verdict"], page["findings"]), ("whole", []))
            rows = self.dump()
            numbers = [row["number"] for row in rows]
            self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(rows))))
            self.assertGreaterEqual(numbers[-1], last)
            last = numbers[-1]
            blocks.add(json.loads(self.verb("stats", "--format=json").stdout)["blocks_written"])
            time.sleep(0.05)
        self.assertGreater(len(blocks), 3, "nothing was written meanwhile")
        agent.kill()
        self.assertIn("whole", self.verb("verify").stdout)
        self.assertIn("not in order", self.verb("stats").stdout)

    def test_prom_is_what_was_pushed_last(self):
        gateway = self.closing(Pushgateway(self.folder))
        agent = self.agent(self.config(f"[push]\nurl = {gateway.url}\ninterval = 1s\n"))
        agent.wait_runs("p0", 30)
        self.assertEqual(agent.terminate(), 0)
        self.assertTrue(json.loads(self.verb("stats", "--format=json").stdout)["clean_stop"])
        text = self.verb("dump", "--format=prom").stdout
        self.assertEqual(promtool(text), "")
        ours = dict(parse_text(text))
        names = {name for name, _ in ours}
        pushed = {}
        for (name, labels), value in gateway.series().items():
            if name in names:
                kept = {(k, v) for k, v in labels if k not in ("job", "site")}
                pushed[name, frozenset(kept)] = value
        self.assertEqual(sorted(map(str, set(ours.items()) ^ set(pushed.items())))[:4], [])
        served = parse_text(text).total("picket_probe_results_total")
        self.assertEqual(served, sum(self.target.served.values()))


class Check(StoreTest):
    """What check says of a store that is configured."""

    def check(self, agent, code=0):
        path = self.file("site.conf", f"[agent]\nsite = x\n{agent}" + PORTAL + MAIL)
        done = picketd("check", path)
        self.assertEqual(done.returncode, code, done.stderr)
        page = json.loads(picketd("check", "--format=json", path).stdout)
        return done, page

    def test_without_a_store(self):
        done, page = self.check("")
        self.assertRegex(done.stdout, "store +none: totals are in memory")
        self.assertEqual(page["store"], "memory")
        self.assertNotIn("store_path", page)

    def test_with_one(self):
        done, page = self.check("store = /var/lib/s.pk\nstore_size = 256K\n")
        self.assertRegex(done.stdout, r"store +/var/lib/s.pk, 256K: the last \d+ hours of results, "
                                      r"\d\.\d bytes each")
        self.assertRegex(done.stdout, r"commit +every 1m, .*; \d\.\d MiB written a day")
        self.assertRegex(done.stdout, r"flash +lasts \d+ years \(emmc of 4 GB")
        self.assertEqual((page["store"], page["store_path"], page["store_size_bytes"],
                          page["commit_seconds"], page["flash"], page["flash_size_bytes"]),
                         ("file", "/var/lib/s.pk", 262144, 60, "emmc", 4000000000))
        for field in ("store_hours", "store_bytes_per_result", "store_bytes_per_day",
                      "flash_life_years"):
            self.assertGreater(page[field], 1)
        done, page = self.check("store = /s.pk\nflash = disk\n")
        self.assertRegex(done.stdout, "flash +disk, not worn")
        self.assertEqual((page["flash_life_years"], page["flash_size_bytes"]), (None, None))

    def test_the_hours_are_there(self):
        """In a store that has been full for long. One result in five is no success here, and costs
        two bytes more, so hours are compared at the same bytes a result."""
        self.make(1, 0, 0, 25000, "close")
        held = json.loads(self.verb("stats", "--format=json").stdout)
        self.assertGreater(held["dropped"]["wrap"], 1000)
        page = self.check("store = /s.pk\nstore_size = 256K\n")[1]
        self.assertLess(held["bytes_per_result"], 5)
        ratio = (held["hours"] * held["bytes_per_result"] /
                 (page["store_hours"] * page["store_bytes_per_result"]))
        self.assertGreater(ratio, 0.98)
        self.assertLess(ratio, 1.05)

    def test_a_flash_that_is_worn_out_soon(self):
        done, page = self.check("store = /s.pk\nflash = sd\ncommit = 30s\n", code=2)
        self.assertRegex(done.stderr, r"site.conf:5: 'commit' 30s wears out the flash in 0\.9 years")
        self.assertEqual(page["errors"][0]["line"], 5)
        self.check("store = /s.pk\nflash = sd\ncommit = 30s\nflash_wear = accept\n")


class Large(StoreTest):
    def test_64_mib(self):
        told = self.make(1, 0, 0, 20000, "cut", size="64M", interval_ms=1000, commit="10s")
        rows = self.dump()
        self.assertGreater(len(rows), len(told) - 40)
        self.assertEqual([r["monotonic_ms"] for r in rows],
                         [r["monotonic_ms"] for r in told[:len(rows)]])
        self.assertIn("whole", self.verb("verify").stdout)


if __name__ == "__main__":
    unittest.main()
