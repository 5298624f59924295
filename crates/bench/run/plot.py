"""CPU per packet and loss against the load, as SVG."""

import math

from loads import median

WIDTH, HEIGHT, LEFT, TOP, GAP = 860, 300, 60, 40, 70
COLOURS = ["#d62728", "#2ca02c", "#7f7f7f", "#1f77b4", "#ff7f0e", "#9467bd"]
RATES = [5_000, 10_000, 20_000, 50_000, 100_000, 200_000]


def svg(samples):
    """`samples`: by program, by rate, the samples of all rounds."""
    cpu, loss = {}, {}
    for name, by_rate in samples.items():
        of = [(median(s, "rate"), median(s, "cpu"), median(s, "loss") * 100)
              for s in by_rate.values()]
        cpu[name] = sorted((rate, value) for rate, value, _ in of)
        loss[name] = sorted((rate, value) for rate, _, value in of)
    height = 2 * (HEIGHT + GAP) + TOP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *panel("CPU per packet delivered, µs", cpu, TOP),
        *panel("packets lost, %", loss, TOP + HEIGHT + GAP, most=100),
        *legend(samples),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def panel(title, lines, top, most=None):
    values = [value for line in lines.values() for _, value in line]
    most = most or math.ceil(max(values) / 5) * 5
    fastest = max(rate for line in lines.values() for rate, _ in line)
    right = WIDTH - 150
    low, high = math.log(RATES[0]), math.log(max(fastest, RATES[-1]))

    def place(rate, value):
        x = LEFT + (right - LEFT) * (math.log(rate) - low) / (high - low)
        return max(x, LEFT), top + HEIGHT * (1 - value / most)

    yield f'<text x="{LEFT}" y="{top - 12}" font-weight="bold">{title}</text>'
    for step in range(6):
        value = most * step / 5
        y = place(RATES[0], value)[1]
        yield f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    for rate in RATES:
        x = place(rate, 0)[0]
        yield f'<path d="M{x:.1f} {top}v{HEIGHT}" stroke="#ddd"/>'
        yield f'<text x="{x:.1f}" y="{top + HEIGHT + 18}" text-anchor="middle">{rate:,}</text>'
    yield f'<text x="{right}" y="{top + HEIGHT + 36}" text-anchor="end">packets/s sent</text>'
    for colour, line in zip(COLOURS, lines.values()):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def legend(names):
    for number, (colour, name) in enumerate(zip(COLOURS, names)):
        y = TOP + 20 + 22 * number
        yield f'<path d="M{WIDTH - 135} {y - 4}h24" stroke="{colour}" stroke-width="3"/>'
        yield f'<text x="{WIDTH - 104}" y="{y}">{name}</text>'
