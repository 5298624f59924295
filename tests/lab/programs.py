"""dynrelay's own programs, as they were built."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

_BUILT = Path(os.environ.get("DYNRELAY_BIN", PROJECT / "target" / "release"))

DYNRELAYD = _BUILT / "dynrelayd"
DYNRELAY = _BUILT / "dynrelay"
RELAY_CGI = _BUILT / "relay.cgi"
