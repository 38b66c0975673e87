#!/usr/bin/env python3
"""Draws how costs grow with the index, from what `scale --json FILE` wrote: growth.py FILE.json FIGURE.svg"""

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


def growth(report):
    """The figure of a report, as SVG."""
    sizes = report["sizes"]
    chunks = [size["built"]["chunks"] for size in sizes]
    built = lambda key: [size["built"][key] or 0 for size in sizes]
    found = lambda key: [size["found"][key] or 0 for size in sizes]

    def median(rows, mode):
        return [next(leg["milliseconds"]["median"] for leg in rows(size) if leg["mode"] == mode) for size in sizes]

    warm, process = lambda size: size["found"]["legs"], lambda size: size["one_shot"]
    mebi = lambda values: [value / 2**20 for value in values]
    panels = [
        ("Building", "seconds", {"writing": built("write_seconds"), "graphs": built("graph_seconds")}),
        ("Memory, at most", "MiB", {"building": mebi(built("peak_bytes")), "searching, maps included": mebi(found("peak_bytes")),
                                    "searching, its own": mebi(found("own_bytes"))}),
        ("A question, median", "ms", {"by word": median(warm, "keyword"), "by meaning": median(warm, "semantic"),
                                      "by both": median(warm, "hybrid"), "by word, a process": median(process, "keyword")}),
    ]
    parts = [part for number, (title, unit, series) in enumerate(panels)
             for part in panel(title, unit, chunks, series, number * HEIGHT)]
    return picture(WIDTH, HEIGHT * len(panels), parts)


if __name__ == "__main__":
    source, figure = sys.argv[1:]
    Path(figure).write_text(growth(json.loads(Path(source).read_text())))
