"""The testbed for pulled streams: DSS1 is an RTSP server, and dynrelayd pulls `news` from it."""

from . import edge
from .daemon import Daemon
from .dss1 import URL, Dss1
from .edge import Edge
from .encoder import addressed_to
from .network import address
from .testbed import Testbed
from .web import Apache


class PullTestbed(Testbed):
    """A network on which dynrelayd pulls `news` from DSS1 and may relay it to dss2.

    `source` is the text of news.toml, `options` are for the server `dss1`, and `files` (name to text)
    go into the streams folder. `shutdown` and `serves` go into dynrelay.toml. The hosts `edges` run
    an RTSP server.
    """

    def build(
        self,
        source=f'source = "{URL}"',
        options=(),
        files=None,
        dss1=Dss1,
        shutdown=None,
        edges=("dss2",),
        serves=None,
    ):
        self._seen = 0
        self.dss1 = dss1(self["encoder"], options)
        self.edges = [Edge(self[name], {"news.sdp": self._sdp_for(name)}) for name in edges]
        self.daemon = Daemon(self["origin"], edges, shutdown, serves)
        for name, text in {"news.toml": f"{source}\n", **(files or {})}.items():
            self.daemon.add_file(name, text)
            # The files may hold a password: only root and the daemon may read them.
            self["origin"].path(f"/run/etc/streams/{name}").chmod(0o640)
            self["origin"].run(["chown", "root:daemon", f"/run/etc/streams/{name}"])
        self.daemon.add_file("news.sdp", self.dss1.sdp)
        for name in edges:
            self.daemon.add_file(f"news.{name}.sdp", self._sdp_for(name))
        self.daemon.start()
        self.web = Apache(self["origin"])

    def _sdp_for(self, name):
        return addressed_to(self.dss1.sdp, address(name), edge.VIDEO_PORT, edge.AUDIO_PORT)

    def origin_of_news(self):
        """The origin of news, as the daemon tells it."""
        return self.daemon.ask("show", "news")["origin"]

    def wait_for_pull(self, pattern):
        """Waits for the next line of the daemon's log that matches; returns it."""
        line = self.daemon.program.wait_for(pattern, start=self._seen)
        self._seen = self.daemon.program.lines.index(line, self._seen) + 1
        return line
