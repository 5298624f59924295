"""One program under one load: its cost, its loss, its delay."""

import json
import subprocess
import time
from dataclasses import dataclass, field, replace

import usage
from lab import EDGE, EDGES, OTHER_CORE, SENDER, Failed
from programs import PORT_OUT, groups, targets


@dataclass(frozen=True)
class Load:
    """The sender's packets, and their targets."""

    flows: int
    rate: int  # packets a second, of all flows; 0 means as fast as possible
    frame: int = 1  # packets of a flow that leave together
    together: int = 1  # flows whose frames leave together
    resting: bool = False  # the sink looks for packets each millisecond, and is never woken
    singly: bool = False  # the packets of a frame arrive one by one, not back to back
    media: int = 1  # flows of one stream
    edges: int = 1  # the number of edges of each stream
    replica: bool = False  # each stream is replicated to a group, too

    @property
    def streams(self):
        return self.flows // self.media

    def blast(self, seconds):
        return ["--to", groups(self.flows), "--rate", self.rate, "--frame", self.frame,
                "--together", self.together, "--seconds", seconds] + ["--singly"] * self.singly

    def sink(self):
        if self.edges == 1:
            return targets(self.flows)
        return f"{EDGES[0]}+1:{PORT_OUT}*{self.edges}"


@dataclass
class Sample:
    """One measurement. Times are in microseconds, the CPU time per packet delivered."""

    sent: int
    delivered: int
    rate: float  # packets a second that the sender sent
    cpu: float
    median: float
    p99: float
    resident: int
    duplicates: int
    late: int
    sink_drops: int
    strangers: float  # the share of a core that other processes used

    @property
    def loss(self):
        return 1 - self.delivered / self.sent

    def __str__(self):
        return (f"{self.rate:8.0f}/s  {self.cpu:5.2f} µs CPU  {self.loss:7.3%} lost  delay "
                f"{self.median:.0f} µs, 99 %: {self.p99:.0f} µs  others {self.strangers:.0%}")


@dataclass
class Run:
    """A program that forwards a load to a sink."""

    lab: object
    program: object
    load: Load
    sink: object = None
    forwarders: list = field(default_factory=list)

    def __enter__(self):
        command = [self.lab.bench, "sink", "--at", self.load.sink(), "--listen", f"{EDGES[0]}:8554"]
        command += ["--every", 1000 if self.load.resting else 0]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.sink = self.lab.start(EDGE, OTHER_CORE, command, **pipes)
        try:
            self.report()  # the sink answers when its sockets are open
            self.forwarders = self.program.start(self.lab, self.load)
            self.warm_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.lab.stop([*self.forwarders, self.sink])

    def report(self):
        """The arrivals since the last report."""
        try:
            self.sink.stdin.write("\n")
            self.sink.stdin.flush()
            return json.loads(self.sink.stdout.readline())
        except (BrokenPipeError, ValueError):
            raise Failed("the sink has died") from None

    def blast(self, load, seconds):
        printed = self.lab.output(SENDER, OTHER_CORE, [self.lab.bench, "blast", *load.blast(seconds)])
        return json.loads(printed)

    def warm_up(self):
        """Sends until a packet of every flow has arrived."""
        calm = Load(self.load.flows, max(2000, 5 * self.load.flows), media=self.load.media)
        wanted = self.load.flows * self.load.edges
        for _ in range(50):
            self.blast(calm, 0.2)
            time.sleep(0.1)
            if (seen := self.report()["flows"]) == wanted:
                return
            if any(process.poll() is not None for process in self.forwarders):
                raise Failed(f"{self.program.name} has ended by itself")
        raise Failed(f"{self.program.name} forwards {seen} of {wanted} flows")

    def measure(self, seconds, **changes):
        """Sends the load for this long, with these changes."""
        load = replace(self.load, **changes)
        time.sleep(0.2)
        self.report()
        ours = [*self.forwarders, self.sink]
        drops = self.lab.udp_drops(EDGE)
        began, busy = time.monotonic_ns(), usage.machine_busy()
        own, cpu = usage.cpu(ours), usage.cpu(self.forwarders)
        sent = self.blast(load, seconds)
        time.sleep(0.4)
        cpu = usage.cpu(self.forwarders) - cpu
        own = usage.cpu(ours) - own + sent["cpu"]
        strangers = (usage.machine_busy() - busy - own) / (time.monotonic_ns() - began)
        arrived = self.report()
        delivered = max(arrived["packets"], 1)
        return Sample(
            sent=sent["packets"] * load.edges,
            delivered=delivered,
            rate=sent["packets"] * 1e9 / sent["took"],
            cpu=cpu / delivered / 1000,
            median=arrived["delay"]["median"] / 1000,
            p99=arrived["delay"]["p99"] / 1000,
            resident=sum(map(usage.resident, self.forwarders)),
            duplicates=arrived["duplicates"],
            late=arrived["late"],
            sink_drops=self.lab.udp_drops(EDGE) - drops,
            strangers=strangers,
        )
