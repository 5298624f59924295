"""DSS1 as an RTSP server that a stream is pulled from, and the scene around it."""

from pathlib import Path

from . import edge
from .daemon import Daemon
from .edge import Edge
from .encoder import Encoder, addressed_to
from .network import Network, address
from .web import Apache

# The studio's cable, beyond which DSS1 is.
HOST, PORT = "10.9.0.2", 8554
URL = f"rtsp://{HOST}:{PORT}/news.sdp"

PASSWORD = "open sesame"
LOGIN = "viewer:open%20sesame@"


class Dss1:
    """GStreamer's RTSP server on `host`, with ffmpeg as its encoder.

    `options` go to rtsp_server.py: `--tcp-only`, `--login` and so on.
    """

    def __init__(self, host, options=(), port=PORT):
        self.host = host
        self._port = port
        self.encoder = Encoder(host, "127.0.0.1")
        self.encoder.start()
        host.path("/run/dss1").mkdir()
        host.write("/run/dss1/news.sdp", self.encoder.sdp)
        self._script = host.install(
            Path(__file__).with_name("rtsp_server.py"), "/run/rtsp_server.py"
        )
        self._options = options
        self.start()

    def start(self):
        """Starts the server, again after its end."""
        command = ["/usr/bin/python3", self._script, "/run/dss1", self._port, *self._options]
        self.program = self.host.start("dss1", command)
        self.program.wait_for("^ready")

    def serve(self, sdp):
        """Has another SDP file from now on; what it sends stays the same."""
        self.program.stop()
        self.host.write("/run/dss1/news.sdp", sdp)
        self.start()

    @property
    def sdp(self):
        """What it has, as origin and edges know it."""
        return self.encoder.sdp


class MoodyDss1(Dss1):
    """The same, over TCP only, with the faults of rtsp_proxy.py."""

    def __init__(self, host, options=()):
        super().__init__(host, [*options, "--tcp-only"], port=PORT + 1)
        proxy = host.install(Path(__file__).with_name("rtsp_proxy.py"), "/run/rtsp_proxy.py")
        self._proxy = host.start("proxy", ["/usr/bin/python3", proxy, PORT, PORT + 1])
        self._proxy.wait_for("^ready")

    def be(self, *mood):
        """Is in one of that program's moods from now on."""
        said = len(self._proxy.lines)
        self._proxy.type(" ".join(mood) + "\n")
        self._proxy.wait_for(mood[0], start=said)


class Pulled:
    """A network on which `news` is to be pulled from DSS1, and may be relayed to dss2, or to all of
    `edges`, as they serve whom `serves` says.

    `source` is what news.toml says, `options` are for DSS1; with `files` there is more in the streams
    folder.
    """

    def __init__(
        self,
        source=f'source = "{URL}"',
        options=(),
        files=None,
        dss1=Dss1,
        shutdown=None,
        edges=("dss2",),
        serves=None,
    ):
        self.network = Network()
        self._seen = 0
        try:
            self.dss1 = dss1(self["encoder"], options)
            self.edges = [Edge(self[name], {"news.sdp": self._sdp_for(name)}) for name in edges]
            self.daemon = Daemon(self["origin"], edges, shutdown, serves)
            files = {"news.toml": f"{source}\n", **(files or {})}
            for name, text in files.items():
                self.daemon.consent(name, text)
                # Where a password is, nobody else may look.
                owned = self["origin"].path(f"/run/etc/streams/{name}")
                owned.chmod(0o640)
                self["origin"].run(["chown", "root:daemon", f"/run/etc/streams/{name}"])
            self.daemon.consent("news.sdp", self.dss1.sdp)
            for name in edges:
                self.daemon.consent(f"news.{name}.sdp", self._sdp_for(name))
            self.daemon.start()
            self.web = Apache(self["origin"])
        except BaseException:
            self.strike()
            raise

    def _sdp_for(self, name):
        return addressed_to(self.dss1.sdp, address(name), edge.VIDEO_PORT, edge.AUDIO_PORT)

    def __getitem__(self, name):
        """A host."""
        return self.network[name]

    def origin_of_news(self):
        """Where the daemon says that news comes from."""
        return self.daemon.ask("show", "news")["origin"]

    def wait_for_pull(self, pattern):
        """Waits until the daemon logs something more of the pull that matches; returns the line."""
        line = self.daemon.program.wait_for(pattern, start=self._seen)
        self._seen = self.daemon.program.lines.index(line, self._seen) + 1
        return line

    def programs(self):
        """Every program that was started."""
        return [program for host in self.network.hosts.values() for program in host.programs]

    def strike(self):
        """Ends everything."""
        self.network.power_off()
