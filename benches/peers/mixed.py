#!/usr/bin/env python3
"""Draws times, memory and disk while an index changes, from what `mixed --json FILE` wrote: mixed.py FILE.json FIGURE.svg"""

import json
import sys
from pathlib import Path

from churn import HEIGHT, WIDTH, panel
from figures import picture


def mixed(report):
    """The figure of a report, as SVG: one panel a measure, over the samples."""
    samples = [sample for sample in report["samples"] if sample["latency"]]
    of = lambda key, scale=1: [(sample[key] or 0) / scale for sample in samples]
    time = lambda key: [sample["latency"][key] for sample in samples]
    panels = [
        ("A question, median", "ms", time("median")),
        ("A question, 99 of 100 take no longer", "ms", time("p99")),
        ("Memory of its own", "MiB", of("own_bytes", 2**20)),
        ("Disk", "MiB", of("disk_bytes", 2**20)),
        ("Segments", "number", of("segments")),
    ]
    parts = [part for number, (title, unit, values) in enumerate(panels) for part in panel(title, unit, values, number * HEIGHT)]
    return picture(WIDTH, HEIGHT * len(panels), parts)


if __name__ == "__main__":
    source, figure = sys.argv[1:]
    Path(figure).write_text(mixed(json.loads(Path(source).read_text())))
