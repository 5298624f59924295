"""A program that runs on a host, and its output."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path


def entered(enter):
    """The process that nsenter, itself process `enter`, started."""
    children = Path(f"/proc/{enter}/task/{enter}/children").read_text().split()
    return int(children[0])


class Timeout(AssertionError):
    """An event did not come in time."""


def wait_until(true, failure, patience=60, alive=lambda: True):
    """Asks `true()` again and again until its answer is true; returns the answer.

    Raises `Timeout` with the text of `failure()` after `patience` seconds, or once `alive()` is false.
    """
    deadline = time.monotonic() + patience
    while not (result := true()):
        if not alive() or time.monotonic() > deadline:
            raise Timeout(failure())
        time.sleep(0.05)
    return result


class Program:
    """A process, and the lines that it prints.

    `argv` is the whole command, `nsenter` included. Standard output and error are one stream of
    lines. A carriage return ends a line too, because players draw their status with it.
    """

    def __init__(self, name, argv, env=None):
        self.name = name
        self.lines = []
        self._grown = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        rest = b""
        while chunk := self._process.stdout.read1(65536):
            *whole, rest = re.split(rb"[\r\n]+", rest + chunk)
            self._add(whole)
        self._add([rest] if rest else [])
        with self._grown:
            self._ended = True
            self._grown.notify_all()

    def _add(self, lines):
        with self._grown:
            self.lines += [line.decode("utf-8", "replace") for line in lines]
            self._grown.notify_all()

    def wait_for(self, pattern, patience=60, start=0, count=1):
        """Waits until `count` lines from number `start` on match; returns the last of them.

        Raises `Timeout` after `patience` seconds, or once the program has ended.
        """
        deadline = time.monotonic() + patience
        with self._grown:
            while len(found := self.said(pattern, start)) < count:
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "it ended" if self._ended else f"not in {patience} s"
                    raise Timeout(f"{self.name} should print {pattern!r}, but {why}:\n{self.tail()}")
                self._grown.wait(left)
        return found[count - 1]

    def said(self, pattern, start=0):
        """The lines from number `start` on that match."""
        return [line for line in self.lines[start:] if re.search(pattern, line)]

    def tail(self, count=30):
        """The last lines it printed."""
        return "\n".join(f"  {self.name}: {line}" for line in self.lines[-count:])

    @property
    def pid(self):
        """The program's own process, not the nsenter before it."""
        return entered(self._process.pid)

    @property
    def identity(self):
        """The process number and the start time in ticks since boot: no other process has both."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return self.pid, int(stat.rpartition(")")[2].split()[19])

    @property
    def running(self):
        """Whether it still runs."""
        return self._process.poll() is None

    def type(self, text):
        """Types into its standard input."""
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def send_signal(self, number):
        """Sends it a signal."""
        if self.running:
            os.kill(self.pid, number)

    def wait(self, patience=30):
        """Waits for its end; returns the exit status (negative: the signal that ended it)."""
        try:
            status = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Timeout(f"{self.name} should end:\n{self.tail()}") from None
        self._reader.join(patience)
        return status

    def stop(self, number=signal.SIGTERM, patience=10):
        """Asks it to end, and kills it after `patience` seconds."""
        try:
            self.send_signal(number)
            return self.wait(patience)
        except Timeout:
            self.send_signal(signal.SIGKILL)
            return self.wait(patience)
