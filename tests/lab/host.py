"""A host: a machine with its own network, processes and /run."""

import os
import subprocess
from pathlib import Path

from .program import Program

# The first process of a host prints its process number outside of the namespace, and waits.
_BOOT = """
mount -t tmpfs -o mode=755 tmpfs /run
ip link set lo up
read -r pid rest </proc/self/stat
echo "$pid"
exec sleep infinity
"""


class Host:
    """Network, process and mount namespaces. Their first process dies with this one.

    So nothing is left behind, however the run ends: with the first process the kernel removes the
    host's processes, links and files. All files are on a tmpfs at /run.
    """

    def __init__(self, name):
        self.name = name
        self.programs = []
        self._keeper = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--pid", "--mount", "--fork"]
            + ["--kill-child", "sh", "-ec", _BOOT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        first = self._keeper.stdout.readline().strip()
        if not first:
            raise RuntimeError(f"no namespaces for host {name}: this needs root, and in a container --privileged")
        self.pid = int(first)

    def enter(self, argv, user=None, group=None):
        """The command that runs `argv` on this host."""
        enter = ["nsenter", f"--target={self.pid}", "--net", "--pid", "--mount", "--"]
        if user:
            groups = ["--groups", group] if group else ["--clear-groups"]
            enter += ["setpriv", "--reuid", user, "--regid", user, *groups, "--"]
        return enter + [str(word) for word in argv]

    def path(self, inside):
        """The path outside of the host for a file in its /run."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def install(self, source, inside):
        """Copies a file into this host. Everybody may read and run it."""
        target = self.path(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(source).read_bytes())
        target.chmod(0o755)
        return inside

    def write(self, inside, text):
        """Writes a text file on this host."""
        target = self.path(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return inside

    def replace(self, file, text):
        """Replaces a file that all hosts share, on this host only."""
        own = self.write(f"/run/replaced{file}", text)
        self.run(["mount", "--bind", own, file])

    def start(self, name, argv, user=None, group=None, env=None):
        """Starts a program as root, or as `user` with the supplementary group `group`."""
        environment = dict(os.environ, LC_ALL="C.UTF-8", **(env or {}))
        program = Program(f"{self.name}/{name}", self.enter(argv, user, group), environment)
        self.programs.append(program)
        return program

    def run(self, argv, check=True, user=None, text=True, patience=60):
        """Runs a command to its end; returns the result of `subprocess.run`."""
        done = subprocess.run(
            self.enter(argv, user), capture_output=True, text=text, timeout=patience
        )
        if check and done.returncode != 0:
            words = " ".join(str(word) for word in argv)
            raise AssertionError(f"{self.name}: {words}: exit {done.returncode}: {done.stderr}")
        return done

    def wait_for_port(self, port):
        """Waits until a program listens on this TCP port."""
        self.run(["sh", "-c", f"until ss -Hltn | grep -q ':{port} '; do sleep 0.1; done"])

    def power_off(self):
        """Ends the host and everything on it."""
        self._keeper.kill()
        self._keeper.wait()
        self._keeper.stdout.close()


def link(one, its_interface, other, other_interface):
    """Joins two hosts by a cable.

    Neither end offers segmentation offload, so a capture shows packets as on a real cable.
    """
    subprocess.run(
        ["ip", "link", "add", "name", its_interface, "netns", str(one.pid), "gso_max_segs", "1"]
        + ["type", "veth", "peer", "name", other_interface, "netns", str(other.pid)]
        + ["gso_max_segs", "1"],
        check=True,
    )
