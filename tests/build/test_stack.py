"""No thread of our own code takes more stack than it may, by the compiler's own account.

Guards against a buffer on the stack that only a rare path has, which no measurement would see."""

import os
import pathlib
import re
import unittest

from stack_paths import THREADS, Graph, ROOT

BUILD = pathlib.Path(os.environ.get("PICKET_BOARD_BUILD", ROOT / "build" / "armv7hf"))
MOST = 32 * 1024
# What a stack has, beside our own code, for libmodbus or the C library.
SIZES = {"modbus": ("probes/modbus_thread.h", "MODBUS_STACK_BYTES"),
         "store": ("boards/linux/blockfile.h", "BLOCKFILE_STACK_BYTES")}


class Stack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.graph = Graph(BUILD)

    def test_every_frame_and_every_call_is_known(self):
        self.assertGreater(len(self.graph.frames), 1000)
        self.assertEqual((self.graph.dynamic, sorted(set(self.graph.unknown))), ([], []))
        self.assertEqual(self.graph.uncalled(), [])

    def test_no_thread_goes_deeper_than_it_may(self):
        for thread, root in THREADS.items():
            size, path = self.graph.worst(root)
            print(f"\n{thread}: {size} bytes, {len(path)} calls deep; most of it",
                  ", ".join(f"{name.rpartition(':')[2]} {self.graph.frames[name]}" for name in
                            sorted(path, key=self.graph.frames.get, reverse=True)[:4]))
            self.assertLess(size, MOST, path)
            if thread in SIZES:
                file, name = SIZES[thread]
                text = re.search(rf"{name} = (\d+) \* 1024", (ROOT / file).read_text())
                self.assertLess(size, int(text.group(1)) * 1024 / 4, path)


if __name__ == "__main__":
    unittest.main()
