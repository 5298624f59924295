"""A fresh Debian tree of the release that this machine runs. It stays in target/ for the next run."""

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

from .binaries import PROJECT

_PACKAGES = "systemd,apache2,lighttpd,nginx-light,fcgiwrap,init-system-helpers"


def release():
    """The code name of this machine's Debian."""
    lines = Path("/etc/os-release").read_text().splitlines()
    names = [line.split("=")[1] for line in lines if line.startswith("VERSION_CODENAME=")]
    return names[0] if names else "unstable"


def fresh():
    """A Debian with systemd and web servers, without dynrelay. DYNRELAY_DEBIAN names another tree."""
    if made := os.environ.get("DYNRELAY_DEBIAN"):
        return Path(made)

    def make(tree):
        subprocess.run(
            ["mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", "--quiet"]
            # The tests start the servers themselves.
            + ['--customize-hook=chroot "$1" systemctl --quiet disable apache2 lighttpd nginx']
            + [release(), tree],
            check=True,
            timeout=900,
        )

    recipe = hashlib.sha256(_PACKAGES.encode()).hexdigest()[:8]
    return once(PROJECT / "target" / f"debian-{release()}-{recipe}", make)


def once(folder, make):
    """A folder that `make(folder)` fills. The first caller does that, and the others wait."""
    folder.parent.mkdir(exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            # An interrupted run may have left its own.
            making = folder.with_suffix(f".new-{os.getpid()}")
            make(making)
            making.rename(folder)
    return folder
