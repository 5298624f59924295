"""The loads and their bars: the rows of the table."""

import dataclasses
import json
import math
import statistics
import subprocess
import time

from lab import ORIGIN, OTHER_CORE, SENDER
from measure import Load, Run
from pulls import FFMPEG, PULLER
from programs import ALL, DYNRELAYD, FLOOR, MULTICAT, PLAIN, VARIANTS, Control

# If other processes use more of a core than this, a measurement is repeated.
CALM = 0.15


@dataclasses.dataclass
class Bar:
    """A figure and the bar that it must reach."""

    what: str
    figure: float
    limit: float
    unit: str = ""

    @property
    def reached(self):
        return self.figure <= self.limit

    def __str__(self):
        verdict = "reached" if self.reached else "NOT REACHED"
        return f"{self.what}: {show(self.figure)}{self.unit} (at most {show(self.limit)}{self.unit}): {verdict}"


def show(number):
    return "none" if math.isnan(number) else f"{number:.3g}" if number < 1000 else f"{number:.0f}"


@dataclasses.dataclass
class Row:
    """A load's result."""

    title: str
    figures: dict  # by program or quantity: samples, or a number
    bars: list


class Bench:
    """The rounds of one run."""

    def __init__(self, lab, rounds, seconds, tries, resting, say):
        self.lab = lab
        self.rounds = rounds
        self.seconds = seconds
        self.tries = tries
        self.resting = resting
        self.say = say

    def run(self, program, load):
        return Run(self.lab, program, dataclasses.replace(load, resting=self.resting))

    def calm(self, measure):
        """Measures, and repeats it if others disturbed it. Returns the calmest try."""
        tries = []
        while True:
            tries.append(measure())
            if tries[-1].strangers <= CALM or len(tries) == self.tries:
                return min(tries, key=lambda sample: sample.strangers)

    def calm_share(self, measure):
        """Measures a share of a core. Returns the smallest try, because disturbance only adds to it."""
        return min(measure() for _ in range(self.tries))

    def compare(self, contests):
        """Runs each program with its load, in turn, in every round. Returns the samples of each."""
        samples = {name: [] for name in contests}
        for number in range(self.rounds):
            for name, (program, load) in contests.items():
                with self.run(program, load) as run:
                    samples[name].append(self.calm(lambda: run.measure(self.seconds)))
                self.say(f"  round {number + 1}  {name:22} {samples[name][-1]}")
        return samples


def median(samples, what):
    return statistics.median(getattr(sample, what) for sample in samples)


def worst_loss(samples):
    """The largest loss of all rounds, in percent."""
    return max(sample.loss for sample in samples) * 100


def ratio(what, samples, one, other, limit):
    figure = median(samples[one], "cpu") / median(samples[other], "cpu")
    return Bar(f"{what} ÷ {other}", figure, limit)


def no_loss(samples):
    return Bar("loss", worst_loss(samples), 0, " %")


CPU = "CPU per packet"


BURSTS = Load(1, 40_000, frame=32)


def burst(bench):
    samples = bench.compare({p.name: (p, BURSTS) for p in ALL})
    one_by_one = dataclasses.replace(BURSTS, singly=True)
    samples |= bench.compare({f"{p.name}, singly": (p, one_by_one) for p in ALL[:4]})
    return Row("One flow, 40,000/s in bursts of 32", samples, [
        ratio(CPU, samples, "dynrelayd", "floor", 1.15),
        ratio(CPU, samples, "dynrelayd", "multicat", 0.5),
        no_loss(samples["dynrelayd"]),
    ])


# Packets a second; 0 means as fast as the sender can, packet by packet.
SWEEP = [5_000, 10_000, 20_000, 40_000, 80_000, 120_000, 160_000, 240_000, 320_000, 0]


def flood(bench):
    """Rising rates. The bar applies to a rate at which dynrelayd loses nothing in any round."""
    samples = {program.name: {rate: [] for rate in SWEEP} for program in ALL}
    for number in range(bench.rounds):
        for program in ALL:
            with bench.run(program, Load(1, 0, frame=32)) as run:
                for rate, of_rate in samples[program.name].items():
                    of_rate.append(bench.calm(lambda: run.measure(1, rate=rate, singly=rate == 0)))
                    bench.say(f"  round {number + 1}  {program.name:22} {of_rate[-1]}")
    multicat = {rate: median(of, "loss") * 100 for rate, of in samples["multicat"].items()}
    lossless = [rate for rate, of in samples["dynrelayd"].items() if worst_loss(of) == 0]
    most = max((multicat[rate] for rate in lossless), default=math.nan)
    bar = Bar("30 % ÷ multicat's loss where dynrelayd loses nothing", 30 / most if most else math.nan, 1)
    return Row("One flow, at rising rates in bursts of 32", samples, [bar])


MANY = Load(200, 48_000, frame=8)


def many(bench):
    samples = bench.compare({p.name: (p, MANY) for p in (DYNRELAYD, FLOOR, PLAIN, MULTICAT)})
    return Row("200 flows, 48,000/s in frames of 8", samples, [
        ratio(CPU, samples, "dynrelayd", "floor", 1.15),
        ratio(CPU, samples, "dynrelayd", "plain", 0.6),
        no_loss(samples["dynrelayd"]),
    ])


def relays(bench):
    thousand = Load(2000, 80_000, together=8, media=2)
    samples = bench.compare({
        "dynrelayd": (DYNRELAYD, thousand),
        "floor": (FLOOR, thousand),
        "plain": (PLAIN, thousand),
        "plain, 200 flows": (PLAIN, MANY),
    })
    memory = max(sample.resident for sample in samples["dynrelayd"]) / 1e6
    return Row("1,000 relays of two media, 40/s a media", samples, [
        no_loss(samples["dynrelayd"]),
        Bar("resident memory", memory, 48, " MB"),
        ratio(CPU, samples, "dynrelayd", "plain, 200 flows", 1.2),
    ])


def variants(bench):
    """Compares other loops. It has figures, but no bars; linger is in microseconds."""
    contests = {"8 in a frame": MANY, "1 in a frame": dataclasses.replace(MANY, frame=1)}
    return Row("Variants of the least loop, 200 flows, 48,000/s", bench.compare({
        f"{program.name}, {name}": (program, load)
        for name, load in contests.items() for program in VARIANTS
    }), [])


def edges(bench):
    samples = bench.compare({
        "to 10 edges": (DYNRELAYD, Load(1, 4_000, edges=10)),
        "ten single relays": (DYNRELAYD, Load(10, 40_000)),
        "ten single relays in step": (DYNRELAYD, Load(10, 40_000, together=10)),
    })
    return Row("One stream to 10 edges, 4,000/s", samples, [
        ratio(CPU, samples, "to 10 edges", "ten single relays", 0.7),
        no_loss(samples["to 10 edges"]),
    ])


def replica(bench):
    """The cost of a replica beside a relay: at most that of one more edge."""
    copied = dataclasses.replace(BURSTS, replica=True)
    samples = bench.compare({
        "one edge": (DYNRELAYD, BURSTS),
        "one edge and a replica": (DYNRELAYD, copied),
        "two edges": (DYNRELAYD, dataclasses.replace(BURSTS, edges=2)),
    })
    # With two edges, each packet counts twice. A replica's packets do not count.
    cpu = {name: median(of, "cpu") for name, of in samples.items()}
    times = cpu["one edge and a replica"] / (2 * cpu["two edges"])
    return Row("One flow with a replica, 40,000/s in bursts of 32", samples, [
        Bar(f"{CPU}, one edge and a replica ÷ two edges", times, 1.15),
        no_loss(samples["one edge and a replica"]),
    ])


def delay(bench):
    samples = bench.compare({p.name: (p, Load(1, 20_000)) for p in ALL})
    added = {what: median(samples["dynrelayd"], what) - median(samples["plain"], what)
             for what in ("median", "p99")}
    return Row("Delay, one flow at 20,000/s, evenly paced", samples, [
        Bar("median above plain's", added["median"], 60, " µs"),
        Bar("99th percentile above plain's", added["p99"], 1000, " µs"),
    ])


STARTS = 20


def start(bench):
    """The time from the first packet that arrives after a `start` to the first one that leaves."""
    rate, took = 1000, []
    period = 1_000_000_000 // rate
    with Run(bench.lab, DYNRELAYD, Load(1, rate)) as run:
        command = [bench.lab.bench, "blast", *run.load.blast(STARTS * 0.6 + 5)]
        sender = bench.lab.start(SENDER, OTHER_CORE, command, stdout=subprocess.PIPE, text=True)
        asked = []
        with Control(bench.lab.folder / "dynrelay/control.sock") as control:
            for _ in range(STARTS):
                control.ask(op="stop", stream="s0", edge="e0")
                time.sleep(0.2)
                run.report()
                asked.append([time.monotonic_ns()])
                control.ask(op="start", stream="s0", edge="e0")
                time.sleep(0.2)
                asked[-1].append(run.report()["first"])
        begin = json.loads(sender.communicate()[0])["begin"]
        for at, (_sent, arrived) in asked:
            next_in = begin + -(-(at - begin) // period) * period
            took.append((arrived - next_in) / 1e6)
    figures = {"median ms": statistics.median(took), "worst ms": max(took)}
    return Row("From `start` to the first packet out", figures, [
        Bar(f"worst of {STARTS}", max(took), 5, " ms"),
    ])


# 20 Mbit/s in packets of 1200 bytes: as frames of video, fifty a second, and one by one.
PULLED = 2083
PULLS = {"in frames of 42": 42, "one by one": 1}


def pull(bench):
    """An RTSP source over TCP: dynrelayd beside ffmpeg, which copies the content of the packets."""
    figures, lost = {}, 0
    for number in range(bench.rounds):
        for name, frame in PULLS.items():
            for program in (PULLER, FFMPEG):
                with program.pull(bench.lab, PULLED, frame) as run:
                    share = bench.calm_share(lambda: run.share(bench.seconds))
                    lost += run.lost()
                figures.setdefault(f"{program.name}, {name}", []).append(share)
                bench.say(f"  round {number + 1}  {program.name:12} {name:16} {share:.2f} % of a core")
    figures = {f"{name}: % of a core": statistics.median(of) for name, of in figures.items()}
    bars = [
        Bar(f"{name}: share of a core", figures[f"dynrelayd, {name}: % of a core"],
            max(5, figures[f"ffmpeg, {name}: % of a core"]), " %")
        for name in PULLS
    ]
    return Row("A pull over TCP at 20 Mbit/s", figures, [*bars, Bar("lost", lost, 0)])


ANSWER = r"""
#include <stdio.h>
int main(void) {
    fputs("Content-Type: application/smil\r\nCache-Control: no-store\r\n\r\n"
          "<smil><body><video src=\"rtsp://10.77.2.11:8554/s0.sdp\"/></body></smil>\n", stdout);
    return 0;
}
"""
REQUEST = {
    "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "dss1",
    "SERVER_PORT": "80", "SERVER_SOFTWARE": "bench", "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "/cgi-bin/relay.cgi", "PATH_INFO": "/s0.smil", "QUERY_STRING": "",
    "REMOTE_ADDR": "203.0.113.9",
}


def cgi(bench):
    """Starts programs as a web server does; the daemon is on the other core."""
    lab = bench.lab
    source, static = lab.folder / "answer.c", lab.folder / "answer"
    source.write_text(ANSWER)
    subprocess.run(["gcc", "-O2", "-static", "-o", static, source], check=True)
    figures = {"relay.cgi": [], "static C": []}
    with Run(lab, DYNRELAYD, Load(1, 1000)):
        env = REQUEST | {"DYNRELAY_SOCKET": str(lab.folder / "dynrelay/control.sock")}
        options = [f"--env={name}={value}" for name, value in env.items()]
        programs = {"relay.cgi": lab.root / "target/release/relay.cgi", "static C": static}
        for _ in range(bench.rounds):
            for name, program in programs.items():
                command = [lab.bench, "launch", "--prints", "rtsp://", *options, program]
                took = json.loads(lab.output(ORIGIN, OTHER_CORE, command))["took"]
                figures[name].append(took["median"] / 1e6)
    figures = {f"{name} ms": statistics.median(of) for name, of in figures.items()}
    times = figures["relay.cgi ms"] / figures["static C ms"]
    return Row("relay.cgi, process start to exit", figures, [Bar("÷ a static C program", times, 1.5)])


LOADS = {load.__name__: load for load in (burst, flood, many, relays, edges, replica, delay, start,
                                       pull, cgi, variants)}
