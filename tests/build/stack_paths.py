"""The greatest stack that each thread of our own code takes, by gcc's account of every function
(-fcallgraph-info=su, which board builds have): frames and calls, and where each call stands.

A call through a pointer is followed by name: one of a member `m` may reach each function that an
initializer or an assignment gives to a member `m` anywhere in the product, which is more than it
does reach. PASSED has the names where functions stand in tables by position, or are handed over as
arguments. A call that nobody is known to answer is an error, and so is a circle. Functions of
libraries have no frame here: what they take is measured (tests/live/test_footprint.py)."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLOORS = ("common", "probes", "boards/linux", "firmware")
# Thread: where it begins. The agent's own and its parent's are not here: their calls through ports,
# followed by name, go round in circles that are none. They are measured.
THREADS = {"modbus": "modbus_thread_main", "store": "boards/linux/blockfile.c:thread_main"}
# (file, called as): whom it may reach, as a pattern; "" is a library's function.
PASSED = {
    ("curl_slice.c", "receive"): "",
    ("config_check.c", "wrong"): r"wrong_\w+",
    ("modbus_read.c", "parse"): r"parse_(order|scale|offset|range|sentinel|stuck|bit)",
    ("modbus_read.c", "by_position"): r"parse_(name|table|address|type)",
    ("modbus_target.c", "parse"): r"parse_(baud|parity|data|stop)",
    ("status_recovery.c", "name_of"): r"\w+_(key|name)",
    ("agent_end.c", "cancel_all"): "prober_cancel_all",
}

NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?(?:\\n(\d+) bytes \((\w+)[^)]*\))?"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)" label: "([^"]+)" \}')
GIVEN = re.compile(r"[.>](\w+)\s*=\s*&?(\w+)\b(?!\s*[(.\[-])")


class Graph:
    def __init__(self, build):
        self.frames, self.calls, self.dynamic, self.unknown = {}, {}, [], []
        self.sources = {path: path.read_text().splitlines()
                        for floor in FLOORS for path in (ROOT / floor).glob("*.[ch]")}
        indirect = []
        for file in sorted(pathlib.Path(build).rglob("*.ci")):
            for line in file.read_text().splitlines():
                self.read(line, indirect)
        self.by_member = self.members()
        for caller, place in indirect:
            self.follow(caller, place)

    @staticmethod
    def plain(title):
        """`floor/file.c:function` of one that is local to a file, else `function`."""
        if ":" not in title:
            return title
        path, _, function = title.rpartition(":")
        parts = pathlib.PurePath(path).parts
        return f"{'/'.join(parts[-3:] if 'linux' in parts[-3:] else parts[-2:])}:{function}"

    def read(self, line, indirect):
        node, edge = NODE.match(line), EDGE.match(line)
        if node and node.group(2):
            name = self.plain(node.group(1))
            self.frames[name] = max(self.frames.get(name, 0), int(node.group(2)))
            if node.group(3) == "dynamic":
                self.dynamic.append(name)
        elif edge and edge.group(2) == "__indirect_call":
            indirect.append((self.plain(edge.group(1)), edge.group(3)))
        elif edge:
            self.calls.setdefault(self.plain(edge.group(1)), set()).add(self.plain(edge.group(2)))

    def members(self):
        """{member: functions that are given to one of that name}"""
        by_name = {}
        for name in self.frames:
            by_name.setdefault(name.rpartition(":")[2].split(".")[0], set()).add(name)
        found = {key: {full for name, names in by_name.items() if re.fullmatch(pattern, name)
                       for full in names} for key, pattern in PASSED.items()}
        for lines in self.sources.values():
            for member, function in GIVEN.findall("\n".join(lines)):
                if function in by_name:
                    found.setdefault(member, set()).update(by_name[function])
        return found

    def follow(self, caller, place):
        path, line, column = place.rsplit(":", 2)
        source = next(lines for known, lines in self.sources.items()
                      if str(path).endswith(str(known.relative_to(ROOT))))
        statement = " ".join(source[int(line) - 1:int(line) + 8])[int(column) - 1:]
        statement = statement[:statement.find(";")]
        file, targets, known = path.rsplit("/", 1)[1], set(), False
        for name in re.findall(r"(\w+)(?:\[[^]]*\])?\)?\(", statement):
            answer = self.by_member.get((file, name), self.by_member.get(name))
            known = known or answer is not None
            targets |= answer or set()
        self.calls.setdefault(caller, set()).update(targets)
        if not known:
            self.unknown.append(f"{file}:{line}: {statement[:70]}")

    def worst(self, root):
        """(bytes, [functions]) of the deepest path; a circle is an error."""
        best, open_ = {}, []

        def visit(name):
            if name in best:
                return best[name]
            if name in open_:
                raise AssertionError(f"recursion: {' > '.join(open_[open_.index(name):] + [name])}")
            open_.append(name)
            below = max((visit(callee) for callee in self.calls.get(name, ())
                         if callee in self.frames), default=(0, []))
            open_.pop()
            best[name] = self.frames[name] + below[0], [name, *below[1]]
            return best[name]

        return visit(root)


if __name__ == "__main__":
    graph = Graph(sys.argv[1])
    print("\n".join(sorted(set(graph.unknown))))
    for thread, root in THREADS.items():
        size, path = graph.worst(root)
        print(thread, size)
        for name in path:
            print(f"  {graph.frames[name]:6} {name}")
