"""A terminal with a program on it, as a person sees it."""

import fcntl
import os
import pty
import re
import struct
import termios
import threading
import time

from .program import Timeout

# The sequences that switch to the full screen and back.
FULL_SCREEN, NORMAL_SCREEN = "\x1b[?1049h", "\x1b[?1049l"

_HOME = "\x1b[H"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """Runs the command `argv` on a terminal of its own."""

    def __init__(self, argv, columns=80, rows=24):
        self._text = ""
        self._grown = threading.Condition(threading.RLock())
        self._ended = False
        self.pid, self._end = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.environ.pop("NO_COLOR", None)
            # The terminal has its size before the program starts.
            self._set_size(0, columns, rows)
            os.execvp(argv[0], argv)
        threading.Thread(target=self._read, daemon=True).start()

    @staticmethod
    def _set_size(end, columns, rows):
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self):
        while True:
            try:
                chunk = os.read(self._end, 65536)
            except OSError:  # Nobody has the other end open any more.
                chunk = b""
            with self._grown:
                self._ended = not chunk
                self._text += chunk.decode("utf-8", "replace")
                self._grown.notify_all()
            if not chunk:
                return

    def resize(self, columns, rows):
        """Changes the size. The kernel tells the program."""
        self._set_size(self._end, columns, rows)

    def type(self, text):
        """Types on the keyboard."""
        os.write(self._end, text.encode())

    @property
    def echoes(self):
        """Whether the terminal echoes typed text."""
        return bool(termios.tcgetattr(self._end)[3] & termios.ECHO)

    @property
    def text(self):
        """Everything that the program wrote, with control sequences."""
        with self._grown:
            return self._text

    @property
    def pictures(self):
        """The pictures that the program drew, each as its lines without colors. The last may be incomplete."""
        *_, drawn = self.text.partition(_HOME)
        return [_CONTROL.sub("", picture).split("\n") for picture in drawn.split(_HOME)]

    def wait_for(self, true, what, patience=60):
        """Waits for a picture, drawn after this call, for which `true(lines)` is true; returns it."""
        begin = len(self.pictures)

        def found():
            # The last picture may be incomplete.
            whole = self.pictures[begin:-1]
            return next((picture for picture in whole if true(picture)), None)

        return self._await(found, what, patience)

    def wait_for_text(self, text, start=0):
        """Waits until the program writes `text` after the first `start` characters."""
        self._await(lambda: text in self._text[start:], f"{text!r} should be written", 60)

    def wait_until(self, true, what, patience=60):
        """Waits until `true()` is true."""
        self._await(true, what, patience)

    def wait_for_end(self, patience=30):
        """Waits until the program has ended; returns everything that it wrote."""
        self._await(lambda: self._ended, "the program should end", patience)
        os.waitpid(self.pid, 0)
        return self.text

    def _await(self, true, what, patience):
        deadline = time.monotonic() + patience
        with self._grown:
            while not (result := true()):
                left = deadline - time.monotonic()
                if left <= 0 or (self._ended and not true()):
                    raise Timeout(f"{what}:\n{self._text[-2000:]!r}")
                self._grown.wait(left)
        return result
