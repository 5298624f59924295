"""The compared programs, and their configurations."""

import json
import re
import socket
import subprocess

from lab import EDGES, FORWARD_CORE, ORIGIN, ORIGIN_ADDRESS, RECEIVE_BUFFER, Failed, wait_for

PORT_IN, PORT_OUT = 10_000, 20_000


def group(flow):
    """The group and port where a flow arrives."""
    number = flow + 1
    return f"239.9.{number // 256}.{number % 256}", PORT_IN + 2 * flow


def target(flow):
    """The address and port of a flow's target."""
    return EDGES[0], PORT_OUT + 2 * flow


def groups(flows):
    """A row of groups, in the notation of `bench`."""
    return f"239.9.0.1+1:{PORT_IN}+2*{flows}"


def targets(flows):
    return f"{EDGES[0]}:{PORT_OUT}+2*{flows}"


class Program:
    """A forwarder. `name` is its name in the tables."""

    def __init__(self, name, package=None):
        self.name = name
        self.package = package

    def start(self, lab, load):
        """Starts it for a load. Returns the processes that forward."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        commands = self.commands(lab, load)
        return [lab.start(ORIGIN, FORWARD_CORE, command, **quiet) for command in commands]

    def version(self, lab):
        query = ["dpkg-query", "-W", "-f", "${Version}", self.package]
        return subprocess.run(query, capture_output=True, text=True).stdout


class Reference(Program):
    """One of our own loops."""

    def __init__(self, loop, *options):
        super().__init__(" ".join([loop, *options]).replace("--", ""))
        self.loop = loop
        self.options = options

    def commands(self, lab, load):
        rows = ["--from", groups(load.flows), "--to", targets(load.flows)]
        return [[lab.bench, self.loop, *rows, *self.options]]

    def version(self, lab):
        return "crates/bench"


class OneEach(Program):
    """A program that forwards one flow in each process."""

    def commands(self, lab, load):
        return [self.command(*group(flow), *target(flow)) for flow in range(load.flows)]


class Multicat(OneEach):
    def command(self, address, port, to, to_port):
        source = f"@{address}:{port}/ifaddr={ORIGIN_ADDRESS}"
        return ["multicat", "-u", "-U", source, f"{to}:{to_port}"]


class Socat(OneEach):
    def command(self, address, port, to, to_port):
        join = f"ip-add-membership={address}:{ORIGIN_ADDRESS}"
        source = f"UDP4-RECV:{port},{join},rcvbuf={RECEIVE_BUFFER}"
        return ["socat", "-u", "-b", "65536", source, f"UDP4:{to}:{to_port}"]


class GStreamer(OneEach):
    def command(self, address, port, to, to_port):
        source = f"udpsrc address={address} port={port} multicast-iface=o0"
        buffer = f"buffer-size={RECEIVE_BUFFER}"
        sink = f"udpsink host={to} port={to_port} sync=false async=false"
        return ["gst-launch-1.0", "-q", *f"{source} {buffer} ! {sink}".split()]


CONFIG = """\
[daemon]
socket = "{folder}/control.sock"
state = "{folder}/state.json"
log_level = "warn"
[origin]
interface = "o0"
[shutdown]
source_silence = "10m"
[limits]
relays = 2000
starts_per_second = 100000
"""

# On the network of the edges. Nobody has joined the group there, so its packets are dropped.
REPLICA = """\
[replica]
group = "239.10.0.{number}"
interface = "o1"
"""

SDP = """\
v=0
o=- 1 1 IN IP4 {address}
s={name}
t=0 0
"""

MEDIA = """\
m=video {port} RTP/AVP 96
c=IN IP4 {address}
a=rtpmap:96 H264/90000
"""


class Dynrelayd(Program):
    def start(self, lab, load):
        folder = lab.folder / "dynrelay"
        socket_path = folder / "control.sock"
        (folder / "streams").mkdir(parents=True, exist_ok=True)
        socket_path.unlink(missing_ok=True)
        (folder / "state.json").unlink(missing_ok=True)
        self.write_catalogue(folder, load)
        program = lab.root / "target/release/dynrelayd"
        command = [program, "--config", folder / "dynrelay.toml"]
        process = lab.start(ORIGIN, FORWARD_CORE, command)
        wait_for("dynrelayd opens its socket", lambda: answers(socket_path))
        with Control(socket_path) as control:
            for stream in range(load.streams):
                for edge in range(load.edges):
                    control.ask(op="start", stream=f"s{stream}", edge=f"e{edge}")
        return [process]

    def write_catalogue(self, folder, load):
        for old in (folder / "streams").iterdir():
            old.unlink()
        config = CONFIG.format(folder=folder)
        for edge in range(load.edges):
            address = EDGES[edge]
            url = f"rtsp://{EDGES[0]}:8554"
            config += f'[[edge]]\nname = "e{edge}"\naddress = "{address}"\nurl = "{url}"\n'
        (folder / "dynrelay.toml").write_text(config)
        for stream in range(load.streams):
            flows = range(stream * load.media, (stream + 1) * load.media)
            name = f"s{stream}"
            arriving = [group(flow) for flow in flows]
            (folder / f"streams/{name}.sdp").write_text(sdp(name, arriving))
            if load.replica:
                (folder / f"streams/{name}.toml").write_text(REPLICA.format(number=stream + 1))
            for edge in range(load.edges):
                leaving = [(EDGES[edge], target(flow)[1]) for flow in flows]
                (folder / f"streams/{name}.e{edge}.sdp").write_text(sdp(name, leaving))

    def version(self, lab):
        program = lab.root / "target/release/dynrelayd"
        printed = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        return re.sub(r"^\w+ ", "", printed.strip())


def sdp(name, places):
    media = [MEDIA.format(address=address, port=port) for address, port in places]
    return SDP.format(name=name, address=ORIGIN_ADDRESS) + "".join(media)


def answers(socket_path):
    try:
        with Control(socket_path) as control:
            return control.ask(op="ping")
    except OSError:
        return None


class Control:
    """A connection to dynrelayd's control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self.lines = self.socket.makefile("r")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def ask(self, **request):
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(self.lines.readline() or '{"error": {"message": "it hung up"}}')
        if "ok" not in answer:
            raise Failed(f"dynrelayd refused {request}: {answer['error']['message']}")
        return answer["ok"]


DYNRELAYD = Dynrelayd("dynrelayd")
PLAIN = Reference("plain")
FLOOR = Reference("floor")
MULTICAT = Multicat("multicat", "multicat")
SOCAT = Socat("socat", "socat")
GSTREAMER = GStreamer("GStreamer", "gstreamer1.0-tools")
VARIANTS = [FLOOR, Reference("floor", "--linger", "200"), Reference("floor", "--linger", "500"),
            Reference("uring")]
ALL = [DYNRELAYD, FLOOR, PLAIN, MULTICAT, SOCAT, GSTREAMER]
