"""A copy of this machine that is thrown away: an overlay over its root, with processes, mounts,
/run and network of its own (nothing but loopback). What is installed, started or broken in it is
gone when it is closed."""

import pathlib
import shutil
import subprocess
import tempfile

# Mounts the copy and stays in it as process 1. Orphans are reaped as init would; the name is
# init's, since some ask process 1 what it is, and no systemd is there to be asked.
INIT = r"""
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
for folder in run tmp; do mount -t tmpfs -o mode=1777 tmpfs "$1/root/$folder"; done
rm -f "$1/root/sbin/init"
ip link set lo up
exec chroot "$1/root" /usr/bin/python3 -c '
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
open("/proc/self/comm", "w").write("init")
print("up", flush=True)
while True:
    signal.pause()
'
"""


class OverlayBox:
    """`run` does a command in the box, `root` is its / as seen from here, where an absolute link
    such as /var/run leads out of it again."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="picket-box-"))
        self.unshare = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child",
             "sh", "-c", INIT, "init", str(self.folder)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.unshare.stdout.readline() != "up\n":
            raise AssertionError(f"no box: {self.unshare.communicate()[1]}")
        children = pathlib.Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children")
        self.init = children.read_text().split()[0]
        self.root = pathlib.Path(f"/proc/{self.init}/root")

    def run(self, *command, timeout=300, env=None):
        inside = ["nsenter", "--target", self.init, "--mount", "--pid", "--net", "--root", "--wd",
                  *map(str, command)]
        return subprocess.run(inside, capture_output=True, text=True, timeout=timeout, env=env,
                              stdin=subprocess.DEVNULL)

    def close(self):
        self.unshare.kill()
        self.unshare.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)
