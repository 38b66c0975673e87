#!/usr/bin/env python3
"""Draws how costs grow with the index, from what `scale --json FILE` wrote: growth.py FILE.json FIGURE.svg

A table of the same in Markdown is printed."""

import json
import math
import sys
from pathlib import Path

from figures import line, picture, text

COLOURS = ["#2a78d6", "#d9722e", "#1f9d6b", "#9a6fd0"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 330, 70, 470, 44, 280


def panel(title, unit, chunks, series, down):
    """Lines over the number of chunks, both scales logarithmic: name to one value a size."""
    values = [value for line_values in series.values() for value in line_values if value > 0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    first, last = math.log10(chunks[0]), math.log10(chunks[-1])
    across = lambda count: LEFT + (math.log10(count) - first) / max(last - first, 1e-9) * (RIGHT - LEFT)
    up = lambda value: down + BOTTOM - (math.log10(value) - low) / (high - low) * (BOTTOM - TOP)
    parts = [text(8, down + 22, f"{title} ({unit})", "title")]
    for count in chunks:
        parts.append(line([(across(count), down + TOP), (across(count), down + BOTTOM)]))
        parts.append(text(across(count), down + BOTTOM + 18, f"{count:,}", "small", "middle"))
    for power in range(low, high + 1):
        parts.append(line([(LEFT, up(10**power)), (RIGHT, up(10**power))]))
        parts.append(text(LEFT - 6, up(10**power) + 4, f"{10.0**power:g}", "small", "end"))
    for place, (name, line_values) in enumerate(series.items()):
        points = [(across(count), up(value)) for count, value in zip(chunks, line_values) if value > 0]
        colour, at = COLOURS[place], down + TOP + 16 + 22 * place
        parts.append(line(points, colour))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points]
        parts.append(f'<circle cx="{RIGHT + 22}" cy="{at - 4}" r="5" fill="{colour}"/>')
        parts.append(text(RIGHT + 34, at, name, "small"))
    return parts


def milliseconds(legs, mode):
    return next(leg["milliseconds"] for leg in legs if leg["mode"] == mode)


def disk(size):
    return size["built"]["bytes_per_chunk"] * size["built"]["chunks"]


def table(report):
    """Everything that the figure has, and recall, a line a size."""
    heads = ["chunks", "written, s", "graphs, s", "building, MiB", "disk, MiB", "searching, own MiB", "recall@10"]
    modes = ["embedding alone", "keyword", "semantic", "hybrid"]
    heads += [f"{mode}, ms" for mode in modes] + [f"process, {mode}, ms" for mode in modes[1:]]
    rows = [heads, ["---"] * len(heads)]
    both = lambda times: f"{times['median']:.1f} / {times['p99']:.1f}"
    for size in report["sizes"]:
        built, found = size["built"], size["found"]
        row = [f"{built['chunks']:,}", f"{built['write_seconds']:.1f}", f"{built['graph_seconds']:.1f}"]
        row += [f"{built['peak_bytes'] / 2**20:.0f}", f"{disk(size) / 2**20:.0f}", f"{(found['own_bytes'] or 0) / 2**20:.0f}"]
        row += [f"{found['recall_at_10']:.3f}"] + [both(milliseconds(found["legs"], mode)) for mode in modes]
        rows.append(row + [both(milliseconds(size["one_shot"], mode)) for mode in modes[1:]])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def growth(report):
    """The figure of a report, as SVG."""
    sizes = report["sizes"]
    chunks = [size["built"]["chunks"] for size in sizes]
    built = lambda key: [size["built"][key] or 0 for size in sizes]
    found = lambda key: [size["found"][key] or 0 for size in sizes]

    def median(rows, mode, which="median"):
        return [milliseconds(rows(size), mode)[which] for size in sizes]

    warm, process = lambda size: size["found"]["legs"], lambda size: size["one_shot"]
    mebi = lambda values: [value / 2**20 for value in values]
    panels = [
        ("Building", "seconds", {"writing": built("write_seconds"), "graphs": built("graph_seconds")}),
        ("Memory, at most", "MiB", {"building": mebi(built("peak_bytes")), "searching, maps included": mebi(found("peak_bytes")),
                                    "searching, its own": mebi(found("own_bytes"))}),
        ("Disk", "MiB", {"index": mebi(disk(size) for size in sizes)}),
        ("A question, median", "ms", {"by word": median(warm, "keyword"), "by meaning": median(warm, "semantic"),
                                      "by both": median(warm, "hybrid"), "by both, p99": median(warm, "hybrid", "p99")}),
        ("A process of its own, median", "ms", {"by word": median(process, "keyword"), "by meaning": median(process, "semantic"),
                                                "by both": median(process, "hybrid")}),
    ]
    parts = [part for number, (title, unit, series) in enumerate(panels)
             for part in panel(title, unit, chunks, series, number * HEIGHT)]
    return picture(WIDTH, HEIGHT * len(panels), parts)


if __name__ == "__main__":
    source, figure = sys.argv[1:]
    measured = json.loads(Path(source).read_text())
    Path(figure).write_text(growth(measured))
    print(table(measured))
