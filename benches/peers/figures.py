"""Figures as SVG, legible on light and on dark ground."""

import math
from html import escape

COLOURS = {
    "Kenning int8": "#2a78d6", "Kenning f32": "#86b6ef", "ORT int8": "#d9722e", "ORT f32": "#eead82",
    "Kenning graph": "#2a78d6", "hnswlib": "#d9722e", "Faiss HNSW": "#1f9d6b",
    "Faiss HNSW, 8 bits": "#86c9a8", "usearch": "#9a6fd0", "usearch, 8 bits": "#c7afe6",
}
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #222 }
.small { font-size: 11px } .title { font-weight: 600; font-size: 15px }
.line { stroke: #8885; fill: none } .whisker { stroke: #222; stroke-width: 1.2 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .whisker { stroke: #ddd } }
</style>"""


def text(x, y, content, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


def line(points, colour=None):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    style = f'fill="none" stroke="{colour}" stroke-width="2"' if colour else 'class="line"'
    return f'<polyline points="{path}" {style}/>'


def picture(width, height, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">'
    return "\n".join([head, STYLE, *parts, "</svg>", ""])


def bars(title, unit, groups):
    """Groups of bars that lie: (label, [(series, value, least, most)]), with whiskers from least to most."""
    left, width, step = 120, 720, 22
    most = max(high for _, rows in groups for *_, high in rows)
    scale = (width - left - 90) / most
    parts, y = [text(8, 22, f"{title} ({unit})", "title")], 44
    for label, rows in groups:
        parts.append(text(8, y + 10, label))
        y += 20
        for series, value, low, high in rows:
            colour, end = COLOURS[series], left + value * scale
            parts.append(text(left - 8, y + 12, series, "small", "end"))
            parts.append(f'<rect x="{left}" y="{y}" width="{value * scale:.1f}" height="16" rx="2" fill="{colour}"/>')
            if high > low:
                ends = left + low * scale, left + high * scale
                parts.append(f'<line class="whisker" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{y + 8}" y2="{y + 8}"/>')
            shown = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
            parts.append(text(max(end, left + high * scale) + 6, y + 12, shown, "small"))
            y += step
        y += 10
    return picture(width, y, parts)


def curves(title, across, up, series, enough):
    """Points joined by lines: name to [(x, y)], y on a logarithmic scale; `enough` marks an x."""
    width, height, left, top, bottom = 720, 420, 70, 44, 370
    points = [point for line_points in series.values() for point in line_points]
    low_x = min(0.98, min(x for x, _ in points))
    low, high = (math.floor(10 * math.log10(min(y for _, y in points))) / 10,
                 math.ceil(10 * math.log10(max(y for _, y in points))) / 10)
    place = lambda x, y: (left + (x - low_x) / (1 - low_x) * 430,
                          bottom - (math.log10(y) - low) / (high - low) * (bottom - top))
    parts = [text(8, 22, title, "title")]
    for tick in range(5):
        x = low_x + (1 - low_x) * tick / 4
        at = place(x, 10**low)
        parts += [line([at, (at[0], top)]), text(at[0], bottom + 18, f"{x:.3f}", "small", "middle")]
    for power in range(math.floor(low), math.ceil(high) + 1):
        for digit in (1, 2, 5):
            y = digit * 10**power
            if low <= math.log10(y) <= high:
                at = place(low_x, y)
                parts += [line([at, (left + 430, at[1])]), text(left - 6, at[1] + 4, f"{y:,.0f}", "small", "end")]
    parts.append(text(left + 215, bottom + 38, across, "small", "middle"))
    parts.append(text(8, top - 6, up, "small"))
    mark = place(enough, 10**low)[0]
    ends = f'x1="{mark:.1f}" x2="{mark:.1f}" y1="{top}" y2="{bottom}"'
    parts.append(f'<line class="whisker" stroke-dasharray="3 4" {ends}/>')
    for number, (name, line_points) in enumerate(series.items()):
        placed = [place(x, y) for x, y in sorted(line_points)]
        parts.append(line(placed, COLOURS[name]))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{COLOURS[name]}"/>' for x, y in placed]
        y = top + 16 + 22 * number
        parts.append(f'<circle cx="522" cy="{y - 4}" r="5" fill="{COLOURS[name]}"/>')
        parts.append(text(534, y, name, "small"))
    return picture(width, height, parts)
