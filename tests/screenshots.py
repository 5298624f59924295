"""Takes the pictures of the pages for the docs."""

import subprocess
import sys
from pathlib import Path

from lab.browser import Browser
from lab.host import Host
from lab.web import STATUS, Apache

_VIEWERS = "http://localhost/cgi-bin/relay.cgi"

# File: page, width, dark.
_PICTURES = {
    "status.png": (STATUS, 1180, False),
    "status-dark.png": (STATUS, 1180, True),
    "status-phone.png": (STATUS, 360, False),
    "relay.png": (f"{STATUS}/relay/news/dss2", 1180, False),
    "viewers.png": (_VIEWERS, 780, False),
    "viewers-phone.png": (_VIEWERS, 360, True),
}


def small(picture):
    """The same picture with a palette, much smaller."""
    palette = "split[all][some];[some]palettegen=max_colors=128[few];[all][few]paletteuse=dither=none"
    command = ["ffmpeg", "-v", "error", "-f", "png_pipe", "-i", "-", "-vf", palette]
    command += ["-f", "image2pipe", "-c:v", "png", "-compression_level", "9", "-"]
    return subprocess.run(command, input=picture, capture_output=True, check=True).stdout


def main(folder):
    """Takes all pictures."""
    host = Host("dss1")
    try:
        script = host.install(Path(__file__).parent / "lab" / "mock_daemon.py", "/run/mock_daemon.py")
        daemon = host.start("mock daemon", ["/usr/bin/python3", script, "/run/dynrelay/control.sock"])
        daemon.wait_for("^ready")
        Apache(host)
        browser = Browser(host)
        for file, (page, width, dark) in _PICTURES.items():
            browser.show(width, dark=dark)
            browser.open(page)
            picture = small(browser.picture(1000 if width < 600 else 2000))
            Path(folder, file).write_bytes(picture)
            print(f"{file}: {len(picture) // 1024} KiB")
    finally:
        host.power_off()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
