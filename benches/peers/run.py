"""Measures Kenning beside ONNX Runtime, hnswlib, Faiss and usearch, on this machine.

    python3 benches/peers/run.py [--quick] [--texts DIR]...

It makes its own virtual environment in target/, builds Kenning, and writes benches/RESULTS.md and the figures in
benches/figures/. Modules, in reading order: `prepare` (what must be there first), `texts` (what is embedded),
`export` (the model for ONNX Runtime), `process` and `ort` (the other side's process), `embed` and `ann` (the
measurements), `report` and `figures` (what is written).
"""

import argparse
import json
import sys
from pathlib import Path

import prepare


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer texts and rounds: a first look")
    parser.add_argument("--texts", action="append", type=Path, default=[], metavar="DIR",
                        help="a collection in BEIR layout; may be repeated [default: the shipped library]")
    parser.add_argument("--threads", type=int, default=2, help="threads of every program [default: 2]")
    parser.add_argument("--passages", type=int, help="how many passages and sentences [default: 1024; quick: 192]")
    parser.add_argument("--rows", type=int, help="vectors that are searched, at most [default: 30000; quick: 5000]")
    parser.add_argument("--rounds", type=int, help="turns of each program [default: 5; quick: 3]")
    parser.add_argument("--only", choices=["embed", "ann"], help="measure this alone; the rest stays as it was")
    parser.add_argument("--report", action="store_true", help="write the report of the last run again")
    return parser.parse_args()


def command(asked):
    """The command line, with collections by name: where they lie is of no use to a reader."""
    folders = {str(folder): folder.name for folder in asked.texts}
    return " ".join(["python3 benches/peers/run.py", *(folders.get(word, word) for word in sys.argv[1:])])


def measure(asked, place):
    """What is in the last results, renewed by what was asked for."""
    import ann
    import embed
    import export
    import texts

    kept = place / "results.json"
    results = json.loads(kept.read_text()) if asked.only and kept.exists() else {}
    prepare.programs()
    model = prepare.model_folder()
    exported = export.export(model, place)
    passages = asked.passages or (192 if asked.quick else 1024)
    rows = asked.rows or (5000 if asked.quick else 30000)
    rounds = asked.rounds or (3 if asked.quick else 5)
    library = prepare.ROOT / "datasets" / "library"
    workloads = texts.gather(asked.texts, library, model, passages, rows)
    bench = embed.Bench(place, model, exported, asked.threads)
    results |= {
        "machine": prepare.machine(), "threads": asked.threads, "quick": asked.quick, "rounds": rounds,
        "collections": [folder.name for folder in asked.texts], "model": prepare.MODEL, "command": command(asked),
        "fused": exported["fused"], "integer": exported["integer"],
    }
    if asked.only != "ann":
        results["embed"] = embed.measure(bench, workloads, rounds)
    if asked.only != "embed":
        results["ann"] = ann.measure(bench, workloads, rounds)
    kept.write_text(json.dumps(results, indent=1))
    return results


def main():
    asked = arguments()
    prepare.environment()
    place = prepare.TARGET / "peers"
    place.mkdir(parents=True, exist_ok=True)
    if asked.report:
        results = json.loads((place / "results.json").read_text())
    else:
        results = measure(asked, place)
    import report

    print(f"written: {report.write(results, prepare.ROOT / 'benches')}")


if __name__ == "__main__":
    main()
