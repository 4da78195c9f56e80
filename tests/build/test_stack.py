"""No thread takes more stack than it may: our own code by the compiler's account, and with all
libraries below it by that of the program's own instructions.

Guards against a buffer on the stack that only a rare path has, which no measurement would see."""

import os
import pathlib
import re
import shutil
import tempfile
import unittest

from stack_paths import FLOORS, ROOT, THREADS, Graph
from stack_program import NEVER, Program

BUILD = pathlib.Path(os.environ.get("PICKET_BOARD_BUILD", ROOT / "build" / "armv7hf"))
WIDE = BUILD.parent / "aarch64"  # where a pointer is twice as long
MOST = 32 * 1024
# The stacks that we make ourselves: room for four times of what is known.
SIZES = {"modbus": ("probes/modbus_thread.h", "MODBUS_STACK_BYTES"),
         "store": ("boards/linux/blockfile.h", "BLOCKFILE_STACK_BYTES")}


class Stack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.graphs = {build.name: Graph(build) for build in (BUILD, WIDE)}

    def test_every_frame_and_every_call_is_known(self):
        for build, graph in self.graphs.items():
            with self.subTest(build):
                self.assertGreater(len(graph.frames), 1000)
                self.assertEqual((graph.dynamic, sorted(set(graph.unknown))), ([], []))
                self.assertEqual(graph.uncalled(), [])

    def test_no_thread_goes_deeper_than_it_may(self):
        for build, graph in self.graphs.items():
            for thread, root in THREADS.items():
                size, path = graph.worst(root)
                print(f"\n{build} {thread}: {size} bytes, {len(path)} calls deep; most of it",
                      ", ".join(f"{name.rpartition(':')[2]} {graph.frames[name]}" for name in
                                sorted(path, key=graph.frames.get, reverse=True)[:4]))
                self.assertLess(size, MOST, path)
                if thread in SIZES:
                    self.assertLess(size, stack_of(thread) / 4, path)


class WithLibraries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="picket-test.")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.program = Program(BUILD, folder)

    def test_what_is_read_is_the_program_that_ships(self):
        self.assertTrue(self.program.same_code)
        for library in ("curl", "mbedtls", "c-ares", "pcre2", "libc", "modbus", "inih", "microhttpd"):
            self.assertIn(library, {name.partition(":")[0] for name in self.program.frames})

    def test_a_frame_that_is_read_is_at_least_the_compilers_own(self):
        linked = self.program.own.keys() & set(self.program.names.values())
        self.assertGreater(len(linked), 1000)
        for name in linked:
            self.assertGreaterEqual(self.program.sizes[name], self.program.own[name], name)

    def test_every_frame_is_known_and_every_pointer_is_answered(self):
        self.assertEqual((self.program.dynamic, self.program.no_row), ([], []))
        self.assertEqual(self.program.nobody_calls(), [])

    def test_what_is_never_entered_is_not_asked_for(self):
        for option in NEVER.values():
            for floor in FLOORS:
                for path in (ROOT / floor).glob("*.[ch]"):
                    self.assertNotIn(option, path.read_text(), path)

    def test_no_thread_goes_deeper_than_it_may(self):
        for thread, root in THREADS.items():
            size, path = self.program.worst(root)
            print(f"\n{thread} with libraries: {size} bytes, {len(path)} functions; most of it",
                  ", ".join(f"{name} {self.program.frames[name]}" for name in
                            sorted(path, key=self.program.frames.get, reverse=True)[:4]))
            self.assertLess(size, MOST, path)
            if thread in SIZES:
                self.assertLess(size, stack_of(thread) / 4, path)


def stack_of(thread):
    file, name = SIZES[thread]
    return int(re.search(rf"{name} = (\d+) \* 1024", (ROOT / file).read_text()).group(1)) * 1024


if __name__ == "__main__":
    unittest.main()
