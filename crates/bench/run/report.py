"""The result, for people and for programs."""

import dataclasses
import os
import platform
import subprocess
from pathlib import Path

from loads import median, worst_loss
from measure import Sample
from programs import ALL


def machine(lab):
    """The environment of the measurement: names and values."""
    cpu = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
           if line.startswith("model name")]
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout
    versions = {program.name: program.version(lab) for program in ALL}
    return {
        "machine": f"{cpu[0] if cpu else platform.machine()}, {os.cpu_count()} cores",
        "kernel": f"{platform.release()}, {system}",
        "compiler": rustc.split("(")[0].strip(),
        **versions,
    }


def markdown(about, rows):
    """Everything as text that is also Markdown."""
    lines = ["| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in about.items()]
    lines += ["", "| load | figure | measured | bar | |", "|---|---|---|---|---|"]
    for row in rows:
        for bar in row.bars:
            verdict = "reached" if bar.reached else "**not reached**"
            figure, limit = f"{bar.figure:.4g}{bar.unit}", f"≤ {bar.limit:.4g}{bar.unit}"
            lines.append(f"| {row.title} | {bar.what} | {figure} | {limit} | {verdict} |")
    for row in rows:
        lines += ["", f"### {row.title}", "", *details(row.figures)]
    return "\n".join(lines)


def details(figures):
    if not any(isinstance(value, (list, dict)) for value in figures.values()):
        return [f"- {name}: {value:.3g}" for name, value in figures.items()]
    head = ["program", "packets/s sent", "CPU µs/packet", "lost at worst", "delay µs, median",
            "99 %", "memory MB", "others' CPU"]
    lines = [table_line(head), table_line(["---"] + ["--:"] * (len(head) - 1))]
    for name, value in figures.items():
        of_rates = value.values() if isinstance(value, dict) else [value]
        lines += [table_line([name, *cells(samples)]) for samples in of_rates]
    return lines


def cells(samples):
    """The medians of some samples; the worst of losses, and of the share that others used."""
    return [
        f"{median(samples, 'rate'):,.0f}", f"{median(samples, 'cpu'):.2f}",
        f"{worst_loss(samples):.2f} %", f"{median(samples, 'median'):.0f}",
        f"{median(samples, 'p99'):.0f}", f"{median(samples, 'resident') / 1e6:.1f}",
        f"{max(sample.strangers for sample in samples):.0%}",
    ]


def table_line(cells_of_line):
    return "| " + " | ".join(cells_of_line) + " |"


def plain_data(about, rows):
    """Everything, down to single samples, in types for JSON."""
    return {"about": about, "rows": [
        {"title": row.title, "figures": unfold(row.figures),
         "bars": [dataclasses.asdict(bar) | {"reached": bar.reached} for bar in row.bars]}
        for row in rows
    ]}


def unfold(value):
    if isinstance(value, dict):
        return {str(name): unfold(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [unfold(inner) for inner in value]
    return dataclasses.asdict(value) if isinstance(value, Sample) else value
