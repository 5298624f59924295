"""The programs that pull from an RTSP server and forward: dynrelayd and ffmpeg."""

import contextlib
import subprocess
import time

import usage
from lab import EDGE, EDGES, FORWARD_CORE, ORIGIN, OTHER_CORE, SENDER, Failed, wait_for
from programs import CONFIG, PORT_OUT, Control, answers

SOURCE = "10.77.1.1:8554"
URL = f"rtsp://{SOURCE}/s0"
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

SDP = f"""\
v=0
o=- 1 1 IN IP4 {EDGES[0]}
s=s0
c=IN IP4 {EDGES[0]}
t=0 0
m=audio {PORT_OUT} RTP/AVP 96
a=rtpmap:96 L16/44100/2
"""


class Puller:
    """A program that pulls. `name` is its name in the tables."""

    def __init__(self, name):
        self.name = name
        self.lab = self.process = None

    @contextlib.contextmanager
    def pull(self, lab, rate, frame):
        """Pulls from a server that plays at this rate. Yields itself while the pull runs."""
        self.lab = lab
        serve = [lab.bench, "serve", "--at", SOURCE, "--rate", rate, "--frame", frame]
        sink = [lab.bench, "sink", "--at", f"{EDGES[0]}:{PORT_OUT}+2*1", "--every", "1000"]
        others = [lab.start(SENDER, OTHER_CORE, serve, **QUIET)]
        listen = ["--listen", f"{EDGES[0]}:8554"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        others += [lab.start(EDGE, OTHER_CORE, [*sink, *listen], **pipes)]
        try:
            # The sink answers when its sockets are open.
            print(file=others[-1].stdin, flush=True)
            others[-1].stdout.readline()
            self.process = self.start()
            wait_for(f"{self.name} passes packets on", lambda: self.sent() > rate)
            yield self
        finally:
            lab.stop([process for process in [self.process, *others] if process])

    def sent(self):
        """The number of datagrams that have arrived at the edge."""
        printed = self.lab.output(EDGE, OTHER_CORE, ["cat", "/proc/net/snmp"])
        names, values = [line.split() for line in printed.splitlines() if line.startswith("Udp:")]
        return int(values[names.index("InDatagrams")])

    def share(self, seconds):
        """The share of a core that it uses, in percent."""
        began, before = usage.cpu([self.process]), time.monotonic_ns()
        time.sleep(seconds)
        if self.process.poll() is not None:
            raise Failed(f"{self.name} has ended by itself")
        return (usage.cpu([self.process]) - began) * 100 / (time.monotonic_ns() - before)


class Dynrelayd(Puller):
    def start(self):
        folder = self.lab.folder / "pull"
        (folder / "streams").mkdir(parents=True, exist_ok=True)
        self.socket = folder / "control.sock"
        self.socket.unlink(missing_ok=True)
        (folder / "state.json").unlink(missing_ok=True)
        edge = f'[[edge]]\nname = "e0"\naddress = "{EDGES[0]}"\nurl = "rtsp://{EDGES[0]}:8554"\n'
        (folder / "dynrelay.toml").write_text(CONFIG.format(folder=folder) + edge)
        (folder / "streams/s0.toml").write_text(f'source = "{URL}"\n')
        for name in ("s0.sdp", "s0.e0.sdp"):
            (folder / "streams" / name).write_text(SDP)
        program = self.lab.root / "target/release/dynrelayd"
        command = [program, "--config", folder / "dynrelay.toml"]
        process = self.lab.start(ORIGIN, FORWARD_CORE, command)
        wait_for("dynrelayd opens its socket", lambda: answers(self.socket))
        with Control(self.socket) as control:
            control.ask(op="start", stream="s0")
        return process

    def lost(self):
        """Packets that were lost on the way to the edge, or arrived too late to be read."""
        with Control(self.socket) as control:
            flows = control.ask(op="show", stream="s0")["relays"][0]["flows"]
        return sum(flow["gaps"] + flow["drops"] + flow["lost"] for flow in flows)


class Ffmpeg(Puller):
    def start(self):
        copy = ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", URL]
        copy += ["-c", "copy", "-f", "rtp", f"rtp://{EDGES[0]}:{PORT_OUT}"]
        return self.lab.start(ORIGIN, FORWARD_CORE, copy, **QUIET)

    def lost(self):
        return 0


PULLER = Dynrelayd("dynrelayd")
FFMPEG = Ffmpeg("ffmpeg")
