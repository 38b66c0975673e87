"""The report: tables, targets and figures out of what was measured. Nothing in it is written by hand."""

import textwrap
from statistics import median

import figures
from ann import EFFORTS, ENOUGH, KENNING, NEAREST
from embed import CONTENDERS

MIB = 1 << 20
DEFAULT = 100
"""The effort of a request that names none: `kenning::search::DEFAULT_EFFORT`."""
WORKLOADS = {"passages": "passages", "sentences": "single sentences"}


def spread(values, form="{:,.0f}"):
    """Median, with the least and the most."""
    shown = [form.format(value) for value in (median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]}–{shown[2]})"


def table(head, rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [head, *rows]]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def ratios(turns, of, to, key, inverse=False):
    """Round by round, so that what slows the machine slows both sides."""
    pairs = zip(turns[of], turns[to])
    return [b[key] / a[key] if inverse else a[key] / b[key] for a, b in pairs]


def setting(chosen):
    if not chosen:
        return "its own"
    if "threads" in chosen:
        return f"{chosen['threads']} thread{'s' * (chosen['threads'] > 1)}"
    return f"batches of {chosen['batch']}, " + ("a thread each" if chosen["apart"] else "all threads on one")


def machine_part(results):
    machine, versions = results["machine"], results["machine"]["versions"]
    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    changed = ", with changes that are not committed" if machine["changed"] else ""
    texts = ", ".join(results["collections"]) or "the shipped library"
    return table(["", ""], [
        ["date", machine["date"]],
        ["machine", f"{machine['processor']}, {machine['processors']} processors seen, "
                    f"{machine['memory'] / 2**30:.0f} GiB; {', '.join(machine['instructions'])}; {machine['system']}"],
        ["Kenning", f"commit {machine['commit']}{changed}; {machine['rustc']}"],
        ["others", f"{names}; Python {machine['python']}"],
        ["model, texts", f"{results['model']}; {texts}"],
        ["threads; rounds", f"{results['threads']}; {results['rounds']}"],
    ])


def speed_part(embed, name):
    part = embed[name]
    turns, rows = part["turns"], []
    for contender in CONTENDERS:
        rates = [turn["rate"] for turn in turns[contender]]
        against = [spread(ratios(turns, contender, to, "rate"), "{:.2f}") for to in ("ORT int8", "ORT f32")]
        used = median(turn["processors"] for turn in turns[contender])
        each = median(turn["rate"] / turn["processors"] for turn in turns[contender])
        rows.append([contender, setting(part["chosen"].get(contender)), spread(rates), *against,
                     f"{used:.2f}", f"{each:,.0f}"])
    tokens = turns[CONTENDERS[0]][0]["tokens"]
    head = [f"{part['texts']} {WORKLOADS[name]} of {tokens / part['texts']:.0f} tokens", "setting",
            "tokens/s", "× ORT int8", "× ORT f32", "processors had", "tokens/s of one processor"]
    return table(head, rows)


def latency_part(embed):
    part, rows = embed["queries"], []
    turns = part["turns"]
    for contender in CONTENDERS:
        own = turns[contender]
        against = spread(ratios(turns, contender, "ORT int8", "p50", inverse=True), "{:.2f}")
        rows.append([contender, setting(part["chosen"].get(contender)),
                     spread([turn["p50"] for turn in own], "{:.2f}"),
                     spread([turn["p99"] for turn in own], "{:.2f}"), against])
    head = [f"one query of {part['tokens'] / part['queries']:.0f} tokens at a time", "setting", "ms, p50",
            "ms, p99", "times as quick as ORT int8 (p50)"]
    return table(head, rows)


def quality_part(embed):
    rows = []
    for contender in CONTENDERS:
        own = embed["quality"][contender]
        rows.append([contender, f"{own['mean']:.5f}", f"{own['least']:.5f}", f"{own['neighbours']:.3f}",
                     f"{own['found']:.3f}", f"{own['loaded_bytes'] / MIB:.0f}", f"{own['peak_bytes'] / MIB:.0f}"])
    head = ["against Kenning f32", "cosine, mean", "cosine, least", "same 10 neighbours, passages",
            "same first 10, questions", "MiB at most, loaded", "MiB at most, passages embedded"]
    return table(head, rows)


def ann_part(ann, threads):
    rows = []
    for name, own in ann["libraries"].items():
        at = {point["effort"]: point for point in own["points"]}
        reached = at[own["effort"] or EFFORTS[-1]]
        mark = "" if own["effort"] else f" (never ≥ {ENOUGH})"
        rows.append([name, f"ef {reached['effort']}", f"{reached['recall']:.4f}{mark}", spread(own["rates"]),
                     f"{own['build_seconds']:.1f}", f"{own['bytes']:.0f}"])
    own = ann[KENNING]
    built = f"{own['build_seconds']:.1f} (+ {own['writing_seconds']:.1f} for the index)"
    size = (f"{own['bytes']:.0f}, of which {own['walked_bytes']:.0f} are walked; "
            f"{own['resident_bytes']:.0f} resident after {own['resident_queries']:,} queries")
    mark = "" if own["effort"] else f" (never ≥ {ENOUGH})"
    effort = f"effort {own['effort'] or EFFORTS[-1]}"
    for way, label, effort, rest in (("graph", KENNING, effort, [built, size]),
                                     ("default", KENNING, f"its default, {DEFAULT}", ["", ""]),
                                     ("exact", "Kenning exact", "", ["", ""])):
        part = own[way]
        shown = f"{part['recall']:.4f}" + (mark if way == "graph" else "")
        rows.append([label, effort, shown, spread(part["rates"]), *rest])
    head = [f"{ann['rows']:,} vectors of {ann['dimension']}", "effort", f"recall@{NEAREST}",
            "queries/s, one thread", f"build, {threads} threads, s", "bytes a vector"]
    return table(head, rows)


def grid_part(ann):
    efforts = (32, 64, 128)
    rows = []
    for name, own in ann["libraries"].items():
        at = {point["effort"]: point for point in own["points"]}
        rows.append([name, *(f"{at[e]['recall']:.4f}, {at[e]['rate']:,.0f}" for e in efforts)])
    at = {point["effort"]: point for point in ann[KENNING]["points"]}
    rows.append([KENNING, *(f"{at[e]['recall']:.4f}, {at[e]['rate']:,.0f}" for e in efforts)])
    return table(["recall, queries/s (one turn)", *(f"ef {effort}" for effort in efforts)], rows)


def embed_targets(embed):
    """(what, wanted, found, met)"""
    def least(what, wanted, found, form="{:.2f}"):
        return what, f"≥ {wanted}", form.format(found), found >= wanted

    found = []
    for precision, wanted in (("int8", 1.7), ("f32", 1.3)):
        for name, label in WORKLOADS.items():
            ratio = median(ratios(embed[name]["turns"], f"Kenning {precision}", f"ORT {precision}", "rate"))
            found.append(least(f"{precision}, {label}: tokens/s × ORT {precision}", wanted, ratio))
    quick = median(ratios(embed["queries"]["turns"], "Kenning int8", "ORT int8", "p50", inverse=True))
    found.append(least("int8, one query: times as quick as ORT int8", 1.0, quick))
    own = embed["quality"]["Kenning int8"]
    found.append(least("int8: mean cosine to f32", 0.999, own["mean"], "{:.5f}"))
    found.append(least("int8: least cosine to f32", 0.995, own["least"], "{:.5f}"))
    found.append(least("int8: same 10 neighbours of passages", 0.97, own["neighbours"], "{:.3f}"))
    found.append(least("int8: same first 10 for questions", 0.97, own["found"], "{:.3f}"))
    peak = own["peak_bytes"] / MIB
    found.append(("int8: memory while embedding, MiB", "< 250", f"{peak:.0f}", peak < 250))
    return found


def ann_targets(ann):
    own = ann[KENNING]
    peers = {name: library for name, library in ann["libraries"].items()
             if name.startswith(("hnswlib", "Faiss")) and library["effort"]}
    found = [("graph: recall", f"≥ {ENOUGH}", f"{own['graph']['recall']:.4f}", own["graph"]["recall"] >= ENOUGH)]
    if peers:
        best = max(peers, key=lambda name: median(peers[name]["rates"]))
        ratio = median(a / b for a, b in zip(own["graph"]["rates"], peers[best]["rates"]))
        what = f"graph: queries/s × the better of hnswlib and Faiss ({best})"
        found.append((what, "≥ 2", f"{ratio:.2f}", ratio >= 2))
    if "hnswlib" in ann["libraries"]:
        ratio = own["build_seconds"] / ann["libraries"]["hnswlib"]["build_seconds"]
        found.append(("graph: time to build, × hnswlib", "≤ 1.5", f"{ratio:.2f}", ratio <= 1.5))
    return found


def targets_part(results):
    found = embed_targets(results["embed"]) if "embed" in results else []
    found += ann_targets(results["ann"]) if "ann" in results else []
    rows = [[what, wanted, value, "met" if met else "**short**"] for what, wanted, value, met in found]
    return table(["target", "wanted", "measured", ""], rows)


def provisional(results):
    """What a reader must know before the figures: other work on the machine, few texts."""
    parts = [results["embed"][name]["turns"] for name in WORKLOADS] if "embed" in results else []
    loads = [turn["load"] for part in parts for turns in part.values() for turn in turns]
    notes = []
    if loads and median(loads) > results["machine"]["processors"] + 0.5:
        load = f"{min(loads):.1f} to {max(loads):.1f} on {results['machine']['processors']} processors"
        notes.append(f"The machine had other work: the load average was {load}. **These figures are provisional**; "
                     "ratios suffer less than rates, for both sides had their turns in the same rounds.")
    if results["quick"]:
        notes.append("This was a `--quick` run, of few texts and rounds.")
    return "\n\n".join(notes)


def not_measured(results):
    known = results["machine"]["versions"]
    missing = [name for name in ("hnswlib", "faiss-cpu", "usearch") if name not in known]
    lines = [
        "- other machines, other models, GPUs, more than one search thread;",
        "- sentence-transformers on PyTorch, OpenVINO, llama.cpp, TEI: only ONNX Runtime embeds here;",
        "- updates and deletions during search, filters, and indexes larger than memory;",
        "- resident memory of the peers' searches: their bytes a vector are those of the index as it is written.",
    ]
    if missing:
        lines.insert(0, f"- {', '.join(missing)}: could not be installed;")
    return "\n".join(lines)


EMBED_TEXT = """
Where no precision is asked for, the commit that was measured took {choice} on this machine. Every row is tokenising, the model, mean
pooling and normalising; loading is not in it. Programs take turns, A B C D A B C D; given are medians with least and
most, and ratios are taken round by round. ONNX Runtime runs the model with its own fusions ({fused}) and for int8 its
dynamic quantisation ({integer}), one scale for each column of weights; which batches, and whether threads share one
or take one each, was tried first, and the quickest is what ran. It pools inside the graph. "Processors had" is
processor time over time: below the number of threads, something else was running, or threads waited; "tokens/s of one
processor" is what a second of processor time gave, which other work disturbs least."""
QUALITY_TEXT = """
ORT f32 has to agree with Kenning f32 (least cosine .9999), or nothing is measured. Memory is VmHWM of a process of its
own that loads the model and embeds the passages; ONNX Runtime's with batches of 1, its least."""
ANN_TEXT = """
Kenning's own embeddings of overlapping passages of the same texts, equal ones left out, and {queries:,} {kind}. All
graphs have M 16 and ef_construction 200. A peer runs at the least ef of {efforts} that reaches recall {enough}, and
answers all queries in one call into native code. Kenning is asked through the lowest public call, `Snapshot::search`:
its time is the walk, exact scores of what was found and their ranking by document, without reading the ten stored
documents, which the engine does for a caller (with it: {whole} queries/s). Its effort is chosen as the peers' ef is;
{compared:.0f} vectors were compared for each query then. Where a request names none it is {default}: the first hits must
be the same whatever the limit, and fusion takes its scale from so many."""


def sections(results):
    yield machine_part(results)
    yield provisional(results)
    yield "## Targets"
    yield targets_part(results)
    if "embed" in results:
        embed = results["embed"]
        count = lambda kinds: ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        yield "## Embedding"
        yield EMBED_TEXT.format(fused=count(results["fused"]), integer=count(results["integer"]),
                                choice=embed["own_choice"])
        yield "![Tokens a second](figures/embedding.svg)"
        yield from (speed_part(embed, name) for name in WORKLOADS)
        yield "![Milliseconds a query](figures/latency.svg)"
        yield latency_part(embed)
        yield "## Vectors and memory"
        yield QUALITY_TEXT
        yield quality_part(embed)
    if "ann" in results:
        ann = results["ann"]
        graph = ann[KENNING]["graph"]
        yield "## Vector search"
        yield ANN_TEXT.format(queries=ann["queries"], kind="questions" if ann["real"] else "sentences",
                              efforts=", ".join(map(str, EFFORTS)), enough=ENOUGH,
                              whole=spread(graph["whole_rates"]), compared=graph["compared"],
                              default=DEFAULT)
        yield "![Queries a second over recall](figures/vectors.svg)"
        yield ann_part(ann, results["threads"])
        yield grid_part(ann)
    yield "## Not measured"
    yield not_measured(results)


def draw(results, folder):
    folder.mkdir(exist_ok=True)
    if "embed" in results:
        embed = results["embed"]
        bar = lambda values, name: (name, median(values), min(values), max(values))
        rows = lambda turns, key: [bar([turn[key] for turn in turns[c]], c) for c in CONTENDERS]
        speed = [(label, rows(embed[name]["turns"], "rate")) for name, label in WORKLOADS.items()]
        (folder / "embedding.svg").write_text(figures.bars("Embedding", "tokens/s, more is better", speed))
        waits = [(f"one query, {key}", rows(embed["queries"]["turns"], key)) for key in ("p50", "p99")]
        (folder / "latency.svg").write_text(figures.bars("One query at a time", "ms, less is better", waits))
    if "ann" in results:
        ann = results["ann"]
        series = {}
        for name, own in {KENNING: ann[KENNING], **ann["libraries"]}.items():
            series[name] = [(point["recall"], point["rate"]) for point in own["points"]]
        title = f"{ann['rows']:,} vectors, one thread"
        drawn = figures.curves(title, f"recall@{NEAREST}", "queries/s", series, ENOUGH)
        (folder / "vectors.svg").write_text(drawn)


def wrapped(section):
    """A paragraph in lines of 120; tables, lists and headings as they are."""
    return section if section[0] in "|#!-" else textwrap.fill(section.strip(), 120, break_on_hyphens=False)


def write(results, folder):
    """Writes RESULTS.md and the figures into `folder`; returns the path of the former."""
    draw(results, folder / "figures")
    head = f"# Beside other programs\n\nWritten by `{results['command']}`; not by hand."
    path = folder / "RESULTS.md"
    parts = [head, *(wrapped(section) for section in sections(results) if section)]
    path.write_text("\n\n".join(parts) + "\n")
    return path
