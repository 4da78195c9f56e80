#!/usr/bin/env python3
"""A disk with a volatile write cache, as a file: for tests that cut the power or break the medium.

The file is a FUSE mount of one plain file. Under a loop device it is a disk: each write reaches it
in order, each flush as fsync; until a flush has ended what was written before is only in the
"cache" of this disk, and a cut of the power keeps any part of it. As it stands it is a plain file
on a medium that fails on demand.

The kernel's FUSE protocol is spoken directly (include/uapi/linux/fuse.h), so nothing has to be
installed. One process, started by class CutDisk; it ends with whoever started it."""

import contextlib
import ctypes
import errno
import json
import os
import random
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 0x4000, 0x40000
CLONE_NEWNS = 0x20000
SECTOR = 512
# Two sectors of an ext4 with blocks of 4 KiB, and no second copy on a disk this small: ext4 counts on
# the disk to write it whole or not at all.
SUPERBLOCK = range(1024, 2048)
MAX_WRITE = 128 * 1024

(FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, INIT, INTERRUPT,
 BATCH_FORGET) = 2, 3, 4, 14, 15, 16, 17, 18, 20, 25, 26, 36, 42
FUSE_BIG_WRITES = 1 << 5

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source, target, kind, flags=0, data=""):
    check(libc.mount(os.fsencode(source), os.fsencode(target), os.fsencode(kind),
                     ctypes.c_ulong(flags), os.fsencode(data)), f"mount {target}")


def unmount(target):
    """At once, whoever still uses it."""
    libc.umount2(os.fsencode(target), 2)


def own_mounts():
    """From here on this thread, and whatever it starts, have mounts of their own, which end with
    them."""
    check(libc.unshare(CLONE_NEWNS), "unshare")
    mount("none", "/", "none", MS_REC | MS_PRIVATE)


def missing():
    """What this machine lacks for a CutDisk, or None; then the mounts from here on are our own."""
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        return "needs root and /dev/fuse"
    try:
        own_mounts()
    except OSError as error:
        return str(error)
    return None


def may_tear(offset):
    """Whether of two sectors that meet there the first may be written without the second."""
    return offset not in SUPERBLOCK[1:]


class Medium:
    """What the disk holds: durably, and as it is told to readers. Between the two stand the
    writes since the last flush."""

    def __init__(self, size):
        self.current = bytearray(size)
        self.durable = bytearray(size)
        self.pending = []
        self.writes = self.flushes = 0

    def write(self, offset, data):
        self.current[offset:offset + len(data)] = data
        self.pending.append((offset, bytes(data)))
        self.writes += 1

    def flush(self):
        for offset, data in self.pending:
            self.durable[offset:offset + len(data)] = data
        self.pending = []
        self.flushes += 1

    def cut(self, how, seed):
        """The bytes that are left when the power fails now."""
        if how == "kept":
            return self.current
        image, chance = bytearray(self.durable), random.Random(seed)
        if how == "writes":  # any of them, whole
            for offset, data in self.pending:
                if chance.random() < 0.5:
                    image[offset:offset + len(data)] = data
        elif how == "sectors":  # any part of any
            share = chance.choice((0.1, 0.5, 0.9))
            kept = True
            for offset, data in self.pending:
                for at in range(0, len(data), SECTOR):
                    if may_tear(offset + at):
                        kept = chance.random() < share
                    if kept:
                        image[offset + at:offset + at + SECTOR] = data[at:at + SECTOR]
        elif how == "prefix":  # in order, the last one torn
            count = chance.randrange(len(self.pending) + 1)
            for number, (offset, data) in enumerate(self.pending[:count]):
                if number == count - 1:
                    torn = chance.randrange(len(data) // SECTOR + 1) * SECTOR
                    data = data[:torn if may_tear(offset + torn) else torn + SECTOR]
                image[offset:offset + len(data)] = data
        elif how != "lost":
            raise ValueError(how)
        return image


class Server:
    def __init__(self, path, size, control):
        self.medium = Medium(size)
        self.control = control
        self.fails = {}  # "write", "sync" or "read": the errno it ends with, 0: not at all
        self.fail_times = None  # so often, None: until it is healed
        self.failed = 0
        self.held = []   # replies to operations that hang
        self.armed = None  # a cut to be made before an operation to come
        self.fuse = os.open("/dev/fuse", os.O_RDWR)
        mount("picket-cut", path, "fuse", MS_NOSUID | MS_NODEV,
              f"fd={self.fuse},rootmode={stat.S_IFREG:o},user_id={os.geteuid()},"
              f"group_id={os.getegid()}")
        # Not where the file systems on this disk will be mounted: were this the last process there,
        # its end would unmount them, and wait for ever for the disk that it was.
        own_mounts()
        unmount(path)

    def reply(self, unique, error=0, data=b""):
        with contextlib.suppress(FileNotFoundError):  # whoever asked was killed meanwhile
            os.write(self.fuse, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)

    def attributes(self):
        size = len(self.medium.current)
        return struct.pack("<QII6Q10I", 0, 0, 0, 1, size, size // SECTOR, 0, 0, 0, 0, 0, 0,
                           stat.S_IFREG | 0o600, 1, os.geteuid(), os.getegid(), 0, 4096, 0)

    def answer(self, unique, what, done, data=b""):
        if what != "read":
            self.count_down()
        if what not in self.fails:
            done()
            self.reply(unique, 0, data)
        elif self.fails[what] == 0:
            self.held.append((unique, done, data))
        else:
            self.reply(unique, self.fails[what])
            self.failed += 1
            if self.fail_times is not None:
                self.fail_times -= 1
                if self.fail_times == 0:
                    self.fails = {}

    def serve(self, request):
        opcode, unique = struct.unpack_from("<IQ", request, 4)
        body = memoryview(request)[40:]
        if opcode == INIT:
            self.reply(unique, 0, struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, FUSE_BIG_WRITES, 12, 9,
                                              MAX_WRITE, 1, 0, 0, 0))
        elif opcode in (GETATTR, SETATTR):
            self.reply(unique, 0, self.attributes())
        elif opcode == OPEN:
            self.reply(unique, 0, struct.pack("<QII", 0, 0, 0))
        elif opcode == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            self.answer(unique, "read", lambda: None,
                        bytes(self.medium.current[offset:offset + size]))
        elif opcode == WRITE:
            _, offset, size = struct.unpack_from("<QQI", body)
            data = bytes(body[40:40 + size])
            self.answer(unique, "write", lambda: self.medium.write(offset, data),
                        struct.pack("<II", size, 0))
        elif opcode == FSYNC:
            self.answer(unique, "sync", self.medium.flush)
        elif opcode == STATFS:
            self.reply(unique, 0, struct.pack("<5Q4I24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0))
        elif opcode in (FLUSH, RELEASE):
            self.reply(unique)
        elif opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
            self.reply(unique, errno.ENOSYS)

    def say(self, answer):
        self.lines.write(json.dumps(answer) + "\n")
        self.lines.flush()

    def cut(self, path, how, seed):
        begun, pending = time.monotonic(), len(self.medium.pending)
        image = self.medium.cut(how, seed)
        with open(path, "wb") as file:
            file.write(image)
        self.say([begun, time.monotonic(), pending])

    def count_down(self):
        """One more write or flush is here, and not yet done."""
        if self.armed:
            count, deadline, *cut = self.armed
            if count > 0:
                self.armed = (count - 1, deadline, *cut)
            else:
                self.armed = None
                self.cut(*cut)

    def look_at_clock(self):
        if self.armed and time.monotonic() > self.armed[1]:
            cut, self.armed = self.armed[2:], None
            self.cut(*cut)

    def command(self, words):
        verb, *rest = words
        medium = self.medium
        if verb == "load":
            with open(rest[0], "rb") as file:
                data = file.read()
            medium.current[:len(data)] = data
            medium.durable[:] = medium.current
            return len(data)
        if verb == "fail":
            self.fails, self.fail_times = rest
            return None
        if verb == "heal":
            self.fails, held, self.held = {}, self.held, []
            for unique, done, data in held:
                done()
                self.reply(unique, 0, data)
            return len(held)
        if verb == "counts":
            return [medium.writes, medium.flushes, self.failed]
        raise ValueError(verb)

    def run(self):
        self.lines = self.control.makefile("rw")
        while True:
            ready, _, _ = select.select([self.fuse, self.control], [], [],
                                        0.05 if self.armed else None)
            self.look_at_clock()
            if self.fuse in ready:
                try:
                    self.serve(os.read(self.fuse, MAX_WRITE + 4096))
                except OSError as error:
                    if error.errno == errno.ENODEV:
                        return  # unmounted
                    if error.errno not in (errno.ENOENT, errno.EINTR):
                        raise
            if self.control in ready:
                line = self.lines.readline()
                if not line:
                    return
                verb, *rest = json.loads(line)
                if verb == "cut":
                    path, how, seed, count, deadline = rest
                    if count is None:
                        self.cut(path, how, seed)
                    else:
                        self.armed = (count, deadline, path, how, seed)
                else:
                    self.say(self.command([verb, *rest]))


class CutDisk:
    """The file at `path`, `size` bytes of zeros at first. The caller needs own_mounts()."""

    def __init__(self, path, size):
        self.path = path
        open(path, "ab").close()
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(path), str(size), str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self.control = ours
        self.lines = ours.makefile("rw")
        self.lock = threading.Lock()
        self.ask("counts")

    def ask(self, *words):
        with self.lock:
            self.lines.write(json.dumps(words) + "\n")
            self.lines.flush()
            answer = self.lines.readline()
        if not answer:
            raise AssertionError(f"the disk is gone: {words}")
        return json.loads(answer)

    def cut(self, path, how, seed, before=None, patience=3.0):
        """Writes what a cut of the power leaves: now, or right before the write or flush number
        `before` from now (0: the next), at the latest after `patience`. Returns when it began, when
        it was over, both monotonic, and how many writes were not flushed."""
        return self.ask("cut", str(path), how, seed, before, time.monotonic() + patience)

    def load(self, path):
        """Holds, durably, what that file holds; before anybody has read it."""
        return self.ask("load", str(path))

    def fail(self, times=None, **errors):
        """write=, sync=, read=: these end in that errno, `times` times or from now on; 0: they do
        not end."""
        self.ask("fail", errors, times)

    def counts(self):
        """Writes and flushes that were done, and operations that failed."""
        return self.ask("counts")

    def heal(self):
        return self.ask("heal")

    def close(self):
        unmount(self.path)
        self.lines.close()
        self.control.close()
        self.process.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Server(sys.argv[1], int(sys.argv[2]), socket.socket(fileno=int(sys.argv[3]))).run()
