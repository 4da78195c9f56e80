"""The greatest stack that each thread of our own code takes, by gcc's account of every function
(-fcallgraph-info=su, which board builds have): frames and calls, and where each call stands.

A call through a pointer is followed by name: one of a member `m` may reach each function that an
initializer or an assignment gives to a member `m` anywhere in the product, which is more than it
does reach. PASSED has the names where functions stand in tables by position, or are handed over as
arguments. A call that nobody is known to answer is an error, and so is a circle. Functions of
libraries have no frame here: stack_program.py adds them."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLOORS = ("common", "probes", "boards/linux", "firmware")
# Thread: where it begins; the agent's own, with its parent's that it is forked from.
THREADS = {"agent": "cmd_run", "modbus": "modbus_thread_main",
           "store": "boards/linux/blockfile.c:thread_main"}
# A function of each circle that is allowed: how often it is gone round at most, and why.
CIRCLES = {
    "store_commit_begin": (1, "the end of one step begins the next; a record made there waits"),
    "config_error": (1, "one report() hands on to another: they share the name, not the function"),
    "common/metrics.c:open_family.part.0": (1, "an encoder's family() is one of that name"),
    "site_read": (1, "a check() that is called is one of a kind: they share the name"),
}
# (file, called as): whom it may reach, as a pattern; "" is a library's function.
PASSED = {
    ("config_check.c", "wrong"): r"wrong_\w+",
    ("http_keys.c", "check"): r"probes/http_keys\.c:check_(url|header|body_rule|header_rule)",
    ("modbus_read.c", "parse"): r"parse_(order|scale|offset|range|sentinel|stuck|bit)",
    ("modbus_read.c", "by_position"): r"parse_(name|table|address|type)",
    ("modbus_target.c", "parse"): r"parse_(baud|parity|data|stop)",
    ("status_recovery.c", "name_of"): r"\w+_(key|name)",
    ("status_slos.c", "visit"): r"common/(page\.c:append_slo|status_slos\.c:visit_text)",
    ("agent_end.c", "cancel_all"): "prober_cancel_all",
    ("agent.c", "start"): "prober_start",
    ("agent.c", "collect"): "prober_collect",
    ("loop.c", "step"): r"\w+_source_step",
    ("loop.c", "waits"): r"\w+_source_waits",
    **{("metrics_bound.c", member): r"common/expo_(text|proto)\.c:\w+"
       for member in ("family", "sample", "histogram", "end")},
    ("metrics.c", "emit"): r"metrics_(?!walk|bucket|epoch|label|seconds|slo_name|body)\w+"
                           r"|common/metrics_table\.c:\w+",
}
# What is called by a library (it is given to one), by main through the table of verbs, or nowhere
# on a board. stack_program.py knows who calls them.
GIVEN_AWAY = re.compile(
    r"main|cmd_\w+|__wrap_\w+|modbus_thread_main|firmware/cmd_probe\.c:session_\w+"
    r"|firmware/store_prom\.c:\w+|\S+\.part\.\d+|store_flash|store_tally_is_whole"
    r"|boards/linux/(blockfile|cares_resolver|config_file|push_transport)\.c:\w+"
    r"|common/config_lines\.c:\w+|firmware/(page_server|store_incident)\.c:\w+"
    r"|probes/curl_(slice|waits)\.c:\w+"
    r"|probes/http_(keys|transfer)\.c:\w+|probes/(pattern|tls_session)\.c:\w+")

NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?(?:\\n(\d+) bytes \((\w+)[^)]*\))?"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)" label: "([^"]+)" \}')
GIVEN = re.compile(r"[.>](\w+)\s*=\s*&?(\w+)\b(?!\s*[(.\[-])")


class Graph:
    circles_known = CIRCLES

    def __init__(self, build):
        self.frames, self.calls, self.dynamic, self.unknown = {}, {}, [], []
        self.sources = {path: path.read_text().splitlines()
                        for floor in FLOORS for path in (ROOT / floor).glob("*.[ch]")}
        indirect = []
        for file in sorted(file for floor in FLOORS
                           for file in (pathlib.Path(build) / floor).rglob("*.ci")):
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
        found = {key: {full for name, names in by_name.items() for full in names
                       if re.fullmatch(pattern, name) or re.fullmatch(pattern, full)}
                 for key, pattern in PASSED.items()}
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

    def uncalled(self):
        """Functions that nobody calls, as far as is known, and no library does."""
        called = set().union(*self.calls.values())
        return sorted(name for name in self.frames.keys() - called
                      if not GIVEN_AWAY.fullmatch(name))

    def circles(self, root):
        """What the root reaches, in groups: those that can reach each other together, callees first
        (Tarjan's algorithm)."""
        order, lowest, open_, groups = {}, {}, [], []

        def visit(name):
            order[name] = lowest[name] = len(order)
            open_.append(name)
            for callee in sorted(self.calls.get(name, set()) & self.frames.keys()):
                if callee not in order:
                    visit(callee)
                if callee in open_:
                    lowest[name] = min(lowest[name], lowest[callee])
            if lowest[name] == order[name]:
                at = open_.index(name)
                groups.append(open_[at:])
                del open_[at:]

        visit(root)
        return groups

    def worst(self, root):
        """(bytes, [functions]) of the deepest path. A circle counts whole, as often as it may be
        gone round; one that is not known is an error."""
        best, group_of = {}, {}
        for number, group in enumerate(self.circles(root)):
            group_of.update(dict.fromkeys(group, number))
            callees = set().union(*(self.calls.get(name, set()) for name in group))
            goes_round = len(group) > 1 or group[0] in callees
            rounds = [self.circles_known[name][0] for name in group if name in self.circles_known]
            if goes_round and not rounds:
                raise AssertionError(f"recursion: {' '.join(group)}")
            below = max((best[group_of[callee]] for callee in callees
                         if group_of.get(callee, number) != number), default=(0, []))
            size = sum(self.frames[name] for name in group) * (max(rounds) if goes_round else 1)
            best[number] = (size + below[0],
                            [*group, *below[1]])
        return best[group_of[root]]


if __name__ == "__main__":
    graph = Graph(sys.argv[1])
    print("\n".join(sorted(set(graph.unknown))))
    for thread, root in THREADS.items():
        size, path = graph.worst(root)
        print(thread, size)
        for name in path:
            print(f"  {graph.frames[name]:6} {name}")
