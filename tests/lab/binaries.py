"""dynrelay's own programs, as cargo or scripts/build has built them."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

BUILT = Path(os.environ.get("DYNRELAY_BIN", PROJECT / "target" / "release"))

DYNRELAYD = BUILT / "dynrelayd"
DYNRELAY = BUILT / "dynrelay"


def cgi(name):
    """A CGI program. Only scripts/build gives it the name that a web server wants."""
    program = BUILT / f"{name}.cgi"
    return program if program.exists() else BUILT / f"{name}-cgi"
