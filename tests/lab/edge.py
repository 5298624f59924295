"""An edge: an RTSP server whose ports are open only while somebody watches."""

from pathlib import Path

from .network import address

VIDEO_PORT, AUDIO_PORT = 6970, 6972
PORTS = range(VIDEO_PORT, AUDIO_PORT + 2)


class Edge:
    """GStreamer's RTSP server on `host`, with `files` (name to SDP text) in its folder."""

    def __init__(self, host, files):
        self.host = host
        self.name = host.name
        self.address = address(host.name)
        self.url = f"rtsp://{host.name}.example.net"
        host.path("/run/edge/streams").mkdir(parents=True)
        for name, sdp in files.items():
            host.write(f"/run/edge/streams/{name}", sdp)
        self.start()

    def start(self):
        """Starts the server. It reads its folder once."""
        server = Path(__file__).with_name("rtsp_server.py")
        script = self.host.install(server, "/run/edge/rtsp_server.py")
        command = ["/usr/bin/python3", script, "/run/edge/streams", "554"]
        self.program = self.host.start("rtsp", command)
        self.program.wait_for("^ready")

    def take(self, name, sdp):
        """The edge's administrator saves an SDP file (bytes) and restarts the server."""
        self.program.stop()
        self.host.path(f"/run/edge/streams/{name}").write_bytes(sdp)
        self.start()

    def open_ports(self):
        """The ports of `PORTS` that are open now."""
        sockets = self.host.run(["ss", "-Hlnu"]).stdout
        return [port for port in PORTS if f":{port} " in sockets]
