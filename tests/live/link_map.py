"""Whose the code of a program is: what the linker's map says, by floor and by library.
boards/size/report reads the same map for sizes."""

import re

# ` .text.name  0xADDRESS  0xSIZE  FILE`; a long name has a line of its own.
INPUT = re.compile(r"(?: \.[^ ]+)? +0x([0-9a-f]+) +0x([0-9a-f]+) (\S+)")
FLOORS = ("common", "probes", "linux", "firmware")


def owner(file):
    """A floor (common, probes, linux, firmware), a library's name, or libc."""
    found = re.search(r"libpicket_(\w+)\.a", file)
    if found or "CMakeFiles/picketd.dir/" in file:
        return found.group(1) if found else "firmware"
    found = re.search(r"/(mbedtls|curl|c-ares|pcre2|modbus|inih|microhttpd)/lib/\w+", file)
    return found.group(1) if found else "libc"


def code(path):
    """[(first, end, owner)] of all code, ascending."""
    ranges, section = [], ""
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line[0] == ".":
                section = line.split()[0]
            found = section == ".text" and INPUT.match(line)
            if found:
                first, size = int(found.group(1), 16), int(found.group(2), 16)
                if size:
                    ranges.append((first, first + size, owner(found.group(3))))
    return sorted(ranges)
