"""A fresh Debian, of the release that this machine runs: made once a test run, copied by layers."""

import fcntl
import os
import subprocess
from pathlib import Path

_PACKAGES = "systemd,apache2,lighttpd,nginx-light,fcgiwrap,init-system-helpers"


def release():
    """The code name of this machine's Debian."""
    lines = Path("/etc/os-release").read_text().splitlines()
    names = [line.split("=")[1] for line in lines if line.startswith("VERSION_CODENAME=")]
    return names[0] if names else "unstable"


def fresh(folder):
    """A Debian with systemd and web servers, but nothing of ours, in `folder`. DYNRELAY_DEBIAN names
    one to use that was made before."""
    if made := os.environ.get("DYNRELAY_DEBIAN"):
        return Path(made)

    def make(tree):
        subprocess.run(
            ["mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", "--quiet"]
            # Its servers are for the tests to start.
            + ['--customize-hook=chroot "$1" systemctl --quiet disable apache2 lighttpd nginx']
            + [release(), tree],
            check=True,
            timeout=900,
        )

    return once(folder / "debian", make)


def once(folder, make):
    """A folder that `make(folder)` fills. Whoever comes first does that, others wait."""
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = folder.with_suffix(".new")
            make(making)
            making.rename(folder)
    return folder
