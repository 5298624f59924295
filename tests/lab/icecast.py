"""Icecast: with a source at the origin, as a relay at the edge."""

_CONFIG = """<icecast>
<limits><clients>10</clients><sources>4</sources></limits>
<authentication>
<source-password>hackme</source-password><relay-password>hackme</relay-password>
<admin-user>admin</admin-user><admin-password>hackme</admin-password>
</authentication>
<hostname>{name}</hostname>
<listen-socket><port>8000</port></listen-socket>
{more}
<paths>
<basedir>/usr/share/icecast2</basedir><logdir>/run</logdir>
<webroot>/usr/share/icecast2/web</webroot><adminroot>/usr/share/icecast2/admin</adminroot>
</paths>
<logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>4</loglevel></logging>
</icecast>
"""

# Icecast refuses to be root.
_USER = "daemon"


class Icecast:
    """icecast2 on `host`, with the settings `more`."""

    def __init__(self, host, more=""):
        self.host = host
        file = host.write("/run/icecast.xml", _CONFIG.format(name=host.name, more=more))
        self.program = host.start("icecast", ["icecast2", "-c", file], user=_USER)
        host.wait_for_port(8000)

    def feed(self, mount):
        """ffmpeg sends a tone to this mount."""
        tone = ["ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "sine=frequency=440"]
        tone += ["-c:a", "libmp3lame", "-b:a", "64k", "-content_type", "audio/mpeg", "-f", "mp3"]
        self.host.start("tone", [*tone, f"icecast://source:hackme@127.0.0.1:8000{mount}"])
        ask = f"until curl -sf -m 1 -o /dev/null -r 0-99 http://127.0.0.1:8000{mount}; "
        self.host.run(["sh", "-c", ask + "do [ $? = 28 ] && break; sleep 0.2; done"])

    def listeners(self, address):
        """The number of connections from an address."""
        seen = self.host.run(["ss", "-Htn", "state", "established", "sport = :8000"]).stdout
        return sum(address in line for line in seen.splitlines())
