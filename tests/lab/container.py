"""A container: a Debian booted by systemd in the network of a host."""

import os
import subprocess
from pathlib import Path

from .host import Host
from .program import entered, wait_until

# systemd wants to be the root of a control group, so the container gets one.
_GROUP = """
mount -t tmpfs tmpfs /mnt
mkdir /mnt/groups /mnt/upper /mnt/work /mnt/root
mount -t cgroup2 cgroup2 /mnt/groups
mkdir "/mnt/groups/$NAME"
echo $$ >"/mnt/groups/$NAME/cgroup.procs"
exec unshare --cgroup --mount --pid --uts --ipc --fork --kill-child -- sh -ec "$BOOT"
"""

# A container manager prepares this before it starts systemd. An overlay keeps the tree unchanged.
_BOOT = """
mount -t overlay -o "lowerdir=$TREE,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
cd /mnt/root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in run tmp dev; do
    mount -t tmpfs -o mode=755 tmpfs "$folder"
done
chmod 1777 tmp
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
hostname origin
pivot_root . mnt
umount -l mnt
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --log-target=journal --show-status=no
"""

# Removes the group once its processes are gone.
_CLEAR = """
mount -t cgroup2 cgroup2 /mnt
for try in $(seq 100); do
    find "/mnt/$NAME" -depth -type d -exec rmdir {} + 2>/dev/null && break
    sleep 0.1
done
"""


class Container(Host):
    """A Debian tree, booted in the network of `host`. The container does not change the tree."""

    def __init__(self, host, tree):
        self.name = f"{host.name}'s container"
        self.programs = host.programs
        self._group = f"lab-{os.getpid()}-{host.pid}"
        environment = dict(os.environ, NAME=self._group, TREE=str(tree), BOOT=_BOOT)
        self._keeper = subprocess.Popen(
            ["nsenter", f"--target={host.pid}", "--net", "--", "setpriv", "--pdeathsig", "KILL"]
            + ["unshare", "--mount", "sh", "-ec", _GROUP],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.pid = self.wait_until(self._first, "there should be a first process")
        self.wait_for(["systemctl", "is-system-running"], "running", "degraded")

    def _first(self):
        """The first process of the container; none until that is systemd."""
        if self._keeper.poll() is not None:
            raise RuntimeError(f"{self.name} did not boot: {self._keeper.stdout.read().decode()}")
        try:
            pid = entered(self._keeper.pid)
            return pid if Path(f"/proc/{pid}/comm").read_text() == "systemd\n" else None
        except (IndexError, FileNotFoundError):
            return None

    def wait_until(self, true, what):
        """Waits until `true()` is true; returns it."""
        return wait_until(true, lambda: f"{self.name}: {what}:\n{self.journal()}", patience=120)

    def wait_for(self, command, *answers):
        """Waits until a command prints one of these."""

        def answer():
            said = self.run(command, check=False).stdout.strip()
            return said in answers and said

        return self.wait_until(answer, f"{' '.join(command)} should say {answers}")

    def property(self, name, unit="dynrelayd.service"):
        """A property of a unit, as systemd shows it."""
        return self.run(["systemctl", "show", "--value", "-p", name, unit]).stdout.strip()

    def journal(self, unit="dynrelayd.service"):
        """The log of a unit."""
        return self.run(["journalctl", "--no-pager", "-o", "cat", "-u", unit], check=False).stdout

    def power_off(self):
        """Ends the container at once."""
        super().power_off()
        command = ["unshare", "--mount", "sh", "-ec", _CLEAR]
        subprocess.run(command, env=dict(os.environ, NAME=self._group), check=False)
