#!/usr/bin/env python3
"""Draws what replacing the same documents costs in space, from what `churn --json FILE` wrote: churn.py FILE.json FIGURE.svg"""

import json
import sys
from pathlib import Path

from figures import line, picture, text

COLOUR = "#2a78d6"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 260, 70, 690, 44, 210


def panel(title, unit, values, down):
    """A line over the rounds, from 0 to the most."""
    most = max(values) or 1
    across = lambda place: LEFT + place / max(len(values) - 1, 1) * (RIGHT - LEFT)
    up = lambda value: down + BOTTOM - value / most * (BOTTOM - TOP)
    parts = [text(8, down + 22, f"{title} ({unit})", "title")]
    for share in (0, 0.5, 1):
        parts.append(line([(LEFT, up(share * most)), (RIGHT, up(share * most))]))
        parts.append(text(LEFT - 6, up(share * most) + 4, f"{share * most:.3g}", "small", "end"))
    for place in range(0, len(values) + 1, max(len(values) // 4, 1)):
        parts.append(text(across(place), down + BOTTOM + 18, f"{place:,}", "small", "middle"))
    parts.append(line([(across(place), up(value)) for place, value in enumerate(values)], COLOUR))
    return parts


def churn(report):
    """The figure of a report, as SVG."""
    rounds = report["rounds"]
    of = lambda key, scale=1: [(row[key] or 0) / scale for row in rounds]
    panels = [("Disk", "MiB", of("bytes", 2**20)), ("Files", "number", of("files")), ("Memory of its own", "MiB", of("own_bytes", 2**20))]
    parts = [part for number, (title, unit, values) in enumerate(panels) for part in panel(title, unit, values, number * HEIGHT)]
    return picture(WIDTH, HEIGHT * len(panels), parts)


if __name__ == "__main__":
    source, figure = sys.argv[1:]
    Path(figure).write_text(churn(json.loads(Path(source).read_text())))
