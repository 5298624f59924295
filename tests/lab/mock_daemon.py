#!/usr/bin/python3
"""A mock of dynrelayd with made-up relays, for screenshots. Its answers are the same each time, except
for the clock.

Usage: mock_daemon.py SOCKET
"""

import grp
import json
import math
import os
import random
import socket
import sys
import threading
import time

STEP, STEPS = 15, 40

# The defaults of [shutdown] in dynrelay.toml.
_RULES = {
    "errors": 10,
    "quiet_ms": 3000,
    "grace_ms": 20_000,
    "source_silence_ms": 30_000,
    "no_viewers_ms": 30_000,
}

# Stream, edge, state, seconds since it began and in its state, kbit/s, viewers, refusals.
_RUNNING = [
    ("city-hall", "dss2", "live", 5460, 5441, 1240, 17, 3),
    ("city-hall", "oslo", "live", 3125, 3110, 1240, 8, 2),
    ("lecture", "dss2", "live", 1980, 1962, 2350, 41, 6),
    ("news", "dss2", "live", 8040, 8021, 820, 126, 9),
    ("news", "oslo", "suspect", 2710, 4, 0, 0, 14),
    ("radio", "quito", "starting", 6, 6, 128, None, 5),
]

# Stream, edge, reason, seconds ago, seconds it ran, kbit/s, refusals.
_CLOSED = [
    ("lecture", "oslo", "no-viewers", 184, 1320, 2350, 13),
    ("radio", "oslo", "no-viewers", 910, 4210, 128, 12),
    ("matinee", "dss2", "source-ended", 2240, 6630, 1600, 4),
    ("lecture", "quito", "never-accepted", 2395, 31, 2350, 10),
]

# Name, title, media, edges, on air.
_STREAMS = [
    ("city-hall", "City hall, live", ["video H264", "audio MPEG4-GENERIC"], ["dss2", "oslo"], True),
    ("lecture", "Lecture hall 2", ["video H264", "audio opus"], ["dss2", "oslo", "quito"], True),
    ("matinee", "The matinée", ["video H264", "audio MPA"], ["dss2"], False),
    ("news", "Evening news", ["video H264", "audio MPA"], ["dss2", "oslo"], True),
    ("radio", "Campus radio", ["audio MPA"], ["oslo", "quito"], True),
    ("studio", "Studio B", ["video H264"], ["dss2"], None),
]

_ADDRESSES = {"dss2": "198.51.100.7", "oslo": "203.0.113.40", "quito": "192.0.2.77"}


def _rates(name, kbits, ran, step=STEP, steps=STEPS, fading=False):
    """A rate that varies as video does."""
    dice = random.Random(name)
    count = min(steps, max(1, ran // step))
    rates = []
    for number in range(count):
        sway = 1 + 0.12 * math.sin(number / 3 + len(name)) + dice.uniform(-0.06, 0.06)
        rates.append(int(kbits * 125 * sway))
    if fading:
        rates[-3:] = [0] * len(rates[-3:])
    return {"step": step, "until": int(time.time()), "bytes": rates}


def _relay(now, stream, edge, state, began, since, kbits, viewers, refusals):
    name = f"{stream}/{edge}"
    faded = state == "suspect"
    rates = _rates(name, kbits or 820, began, fading=faded)
    sent = began * (kbits or 820) * 125
    return {
        "stream": stream,
        "edge": edge,
        "state": state,
        "since": now - since,
        "started": now - began,
        "packets": sent // 1170,
        "bytes": sent,
        "rate": 0 if faded else rates["bytes"][-1],
        "refusals": refusals,
        "viewers": viewers,
        "rates": rates,
    }


def _running(now):
    return [_relay(now, *relay) for relay in _RUNNING]


def _closed(now):
    for stream, edge, reason, ago, ran, kbits, refusals in _CLOSED:
        relay = _relay(now, stream, edge, "closed", ago + ran, ago, kbits, None, refusals)
        sent = ran * kbits * 125
        yield {**relay, "reason": reason, "rates": None, "bytes": sent, "packets": sent // 1170}


def ping(now, _):
    return {"version": "0.1.0", "pid": 614, "uptime": 273_600, "closed": {"no-viewers": 61, "stopped": 2}}


def list_(now, _):
    running = _running(now)
    series = [relay["rates"]["bytes"] for relay in running]
    total = [sum(one[-at] for one in series if len(one) >= at) for at in range(STEPS, 0, -1)]
    rates = {"step": STEP, "until": now, "bytes": total}
    return {"relays": running + list(_closed(now)), "rates": rates}


def streams(now, _):
    return {
        "streams": [
            {
                "name": name,
                "title": title,
                "media": media,
                "edges": edges,
                "relayed_to": [relay[1] for relay in _RUNNING if relay[0] == name],
                "on_air": on_air,
                "origin": _origin(name),
            }
            for name, title, media, edges, on_air in _STREAMS
        ]
    }


def show(now, asked):
    relays = [relay for relay in _running(now) + list(_closed(now)) if relay["stream"] == asked["stream"]]
    found = [_detail(relay) for relay in relays if relay["edge"] == asked["edge"]]
    return {"origin": _origin(asked["stream"]), "relays": found}


def _origin(stream):
    if stream == "studio":
        return {"kind": "rtsp", "state": "idle", "detail": "rtsp://studio.example.org/b"}
    return {"kind": "multicast", "state": "idle" if stream == "matinee" else "running"}


def _detail(relay):
    address = _ADDRESSES[relay["edge"]]
    name = f"{relay['stream']}/{relay['edge']}"
    began = int(time.time()) - relay["started"]
    if relay["state"] != "closed":
        relay["rates"] = _rates(name, relay["rate"] // 125, began, step=5, steps=120)
    flows = []
    for number, (media, kind) in enumerate(
        (media, kind) for media in ("video H264", "audio MPA") for kind in ("rtp", "rtcp")
    ):
        share = [91, 1, 8, 1][number]
        flows.append(
            {
                "media": media,
                "kind": kind,
                "from": f"239.1.7.{4 + number // 2}:{5004 + number % 2}",
                "to": f"{address}:{6970 + number}",
                "via": f"192.0.2.1:{40122 + number}",
                "gate": "open",
                "packets": relay["packets"] * share // 100 if kind == "rtp" else began // 5,
                "bytes": relay["bytes"] * share // 100,
                "refusals": relay["refusals"] if number == 0 else 0,
                "reports": began // 6,
                "drops": 0,
                "gaps": 12 if number == 0 else 0,
                "ssrc_changes": 0,
                "idle_ms": 20 if kind == "rtp" else 2300,
            }
        )
    more = {
        "address": address,
        "answers": True,
        "asked": int(time.time()) - 180,
        "closes": [{"reason": "lease-expired", "seconds": 5220}],
        "rules": _RULES,
        "flows": flows,
    }
    return {**relay, **more}


_ANSWERS = {"ping": ping, "list": list_, "streams": streams, "show": show}


def _serve(caller):
    with caller, caller.makefile("rwb") as lines:
        for line in lines:
            asked = json.loads(line)
            answer = {"ok": _ANSWERS[asked["op"]](int(time.time()), asked)}
            lines.write(json.dumps(answer).encode() + b"\n")
            lines.flush()


def main(path):
    """Serves for ever."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chown(path, 0, grp.getgrnam("www-data").gr_gid)
    os.chmod(path, 0o660)
    listener.listen()
    print("ready", flush=True)
    while True:
        threading.Thread(target=_serve, args=(listener.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1])
