"""dynrelay's own programs, as they were built."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

BUILT = Path(os.environ.get("DYNRELAY_BIN", PROJECT / "target" / "release"))

DYNRELAYD = BUILT / "dynrelayd"
DYNRELAY = BUILT / "dynrelay"
RELAY_CGI = BUILT / "relay.cgi"
STATUS_CGI = BUILT / "status.cgi"
