"""Three network namespaces in a row, and the processes that run in them."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

SENDER, ORIGIN, EDGE = "sender", "origin", "edge"

# Groups arrive at the origin's first interface; its second leads to the edges.
GROUPS = "239.9.0.1"
ORIGIN_ADDRESS = "10.77.1.2"
EDGES = [f"10.77.2.{11 + number}" for number in range(10)]

# The forwarder has a core of its own; sender and sink share the other one.
FORWARD_CORE, OTHER_CORE = 1, 0

# If the kernel divides time by session first, a process's priority is not enough.
AUTOGROUP = Path("/proc/self/autogroup")
HIGHEST = "-20"

# The largest receive buffer that programs may set: dynrelayd's.
RMEM_MAX = Path("/proc/sys/net/core/rmem_max")
RECEIVE_BUFFER = 4 << 20


class Failed(Exception):
    """The benchmark cannot continue; the text says why."""


class Lab:
    """Makes the namespaces, and removes everything at the end, also after a failure."""

    def __init__(self, root):
        self.root = root
        self.bench = str(root / "target/release/bench")
        self.processes = []
        self.folder = None
        self.rmem_max = None
        self.priority = None

    def __enter__(self):
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="dynrelay-bench-"))
            self.raise_rmem_max()
            self.raise_priority()
            self.join()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop(self.processes)
        for place in (SENDER, ORIGIN, EDGE):
            subprocess.run(["ip", "netns", "del", self.name(place)], stderr=subprocess.DEVNULL)
        if self.priority is not None:
            AUTOGROUP.write_text(self.priority)
        if self.rmem_max is not None:
            RMEM_MAX.write_text(self.rmem_max)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def name(self, place):
        return f"bench-{os.getpid()}-{place}"

    def raise_rmem_max(self):
        before = RMEM_MAX.read_text()
        if int(before) < RECEIVE_BUFFER:
            RMEM_MAX.write_text(str(RECEIVE_BUFFER))
            self.rmem_max = before

    def raise_priority(self):
        if AUTOGROUP.exists():
            before = AUTOGROUP.read_text().split()[-1]
            AUTOGROUP.write_text(HIGHEST)
            self.priority = before

    def join(self):
        for place in (SENDER, ORIGIN, EDGE):
            sh(f"ip netns add {self.name(place)}")
            # Only the benchmark's packets.
            self.sh(place, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
            self.sh(place, "ip link set lo up")
        self.cable((SENDER, "s0", ["10.77.1.1"]), (ORIGIN, "o0", [ORIGIN_ADDRESS]))
        self.cable((ORIGIN, "o1", ["10.77.2.1"]), (EDGE, "e0", EDGES))
        self.sh(SENDER, "ip route add 224.0.0.0/4 dev s0")
        self.sh(ORIGIN, "ip route add 224.0.0.0/4 dev o0")

    def cable(self, one, other):
        ends = [f"{interface} netns {self.name(place)}" for place, interface, _ in (one, other)]
        sh(f"ip link add {ends[0]} type veth peer name {ends[1]}")
        for place, interface, addresses in (one, other):
            for address in addresses:
                self.sh(place, f"ip addr add {address}/24 dev {interface}")
            self.sh(place, f"ip link set {interface} up")

    def sh(self, place, command):
        sh(f"ip netns exec {self.name(place)} {command}")

    def command(self, place, core, arguments):
        """The command with its prefixes. Each prefix replaces itself with the next, so the process
        keeps its number. It has the highest ordinary priority, against disturbance by others."""
        inside = ["ip", "netns", "exec", self.name(place)]
        inside += ["nice", "-n", HIGHEST, "taskset", "-c", str(core)]
        return inside + [str(argument) for argument in arguments]

    def start(self, place, core, arguments, **options):
        """Starts a program that runs until it is stopped. Ctrl-C does not reach it."""
        command = self.command(place, core, arguments)
        process = subprocess.Popen(command, process_group=0, **options)
        self.processes.append(process)
        return process

    def output(self, place, core, arguments):
        """Runs a program to its end, and returns its output."""
        process = self.start(place, core, arguments, stdout=subprocess.PIPE, text=True)
        printed, _ = process.communicate()
        self.processes.remove(process)
        if process.returncode:
            raise Failed(f"{' '.join(map(str, arguments[:2]))} failed: exit {process.returncode}")
        return printed

    def stop(self, processes):
        for process in list(processes):
            process.kill()
        for process in list(processes):
            process.wait()
            if process in self.processes:
                self.processes.remove(process)

    def udp_drops(self, place):
        """The number of datagrams that the namespace's sockets have dropped."""
        printed = self.output(place, OTHER_CORE, ["cat", "/proc/net/snmp"])
        names, values = [line.split() for line in printed.splitlines() if line.startswith("Udp:")]
        return int(values[names.index("RcvbufErrors")])


def sh(command):
    done = subprocess.run(command.split(), capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{command}: {done.stderr.strip()}")


def wait_for(what, condition, seconds=10):
    """Waits until the condition holds, and returns its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise Failed(f"waited {seconds} s in vain: {what}")
