"""The players of viewers, without window or loudspeaker."""

import re


class Mplayer:
    """mplayer follows the document at `url`."""

    def __init__(self, host, url):
        self.program = host.start(
            "mplayer",
            ["mplayer", "-nolirc", "-slave", "-vo", "null", "-ao", "null", "-playlist", url],
        )

    def wait_for_play(self):
        """Waits until picture and sound have played for a while."""
        self.program.wait_for(r"^VIDEO: +\S*H264")
        self.program.wait_for(r"^AUDIO: 44100 Hz")
        self.program.wait_for(r"^A: *\d+\.\d V: *\d+\.\d", count=50)

    def leave(self):
        """The viewer closes the player."""
        self.program.type("quit\n")
        return self.program.wait()


class Mpv:
    """mpv follows the playlist at `url`."""

    def __init__(self, host, url):
        self.program = host.start(
            "mpv",
            ["mpv", "--no-config", "--vo=null", "--ao=null", "--input-terminal=no"]
            + ["--term-status-msg=frame ${estimated-frame-number} sound ${audio-pts}", url],
        )

    def wait_for_play(self):
        """Waits until picture and sound have played for a while."""
        self.program.wait_for(r"Video .*h264")
        self.program.wait_for(r"Audio .*mp[23]")
        self.program.wait_for(r"frame \d+ sound \d", count=50)

    def leave(self):
        """The viewer closes the player."""
        return self.program.stop()


class Vlc:
    """VLC follows the document at `url`. Debian's VLC cannot play the RTSP URL in it."""

    def __init__(self, host, url):
        command = ["cvlc", "-vv", "--intf", "dummy", "--vout", "dummy", "--aout", "dummy", url]
        # VLC refuses to be root.
        self.program = host.start("vlc", command, user="daemon", env={"HOME": "/run"})

    def wait_for_item(self, url):
        """Waits until it opens that URL from the document."""
        self.program.wait_for(rf"Creating an input for '{url}'")

    def leave(self):
        """The viewer closes the player."""
        return self.program.stop()


class Ffmpeg:
    """ffmpeg plays `seconds` of the RTSP `url` and counts frames."""

    def __init__(self, host, url, seconds=10):
        self.program = host.start(
            "ffmpeg",
            ["ffmpeg", "-hide_banner", "-nostdin", "-v", "verbose", "-i", url]
            + ["-map", "0:v", "-map", "0:a", "-t", str(seconds), "-f", "null", "-"],
        )

    def wait_for_play(self):
        """Waits until the first frame arrives."""
        self.program.wait_for(r"frame= *[1-9]")

    def leave(self):
        """The viewer closes the player."""
        self.program.type("q")
        return self.program.wait()

    def received(self):
        """After its end: the decoded video frames and audio frames, and the lines about lost packets."""
        decoded = {}
        for line in self.program.lines:
            if found := re.search(r"Input stream .*\((video|audio)\).* (\d+) frames decoded", line):
                decoded[found[1]] = int(found[2])
        lost = self.program.said(r"RTP: missed|max delay reached|jitter buffer full|dropping")
        return decoded.get("video", 0), decoded.get("audio", 0), lost
