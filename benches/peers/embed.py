"""Embedding: the same texts by Kenning and by ONNX Runtime, in turns, and how good the vectors are."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from process import Process

CONTENDERS = ("Kenning int8", "Kenning f32", "ORT int8", "ORT f32")
REFERENCE = "Kenning f32"
SAME = 0.9999
"""The least cosine of ORT's f32 vectors with Kenning's for the two to be the same model."""
TRIALS = [(batch, apart) for apart in (True, False) for batch in (1, 2, 4, 8, 16, 32)]
PART = 6
"""One in so many texts is enough to tell which settings are worth trying with all."""
FINALISTS = 4
LEAST = {"batch": 1, "apart": True}
"""The settings of ONNX Runtime that need the least memory."""
PAUSE = 0.1
"""Seconds between turns: threads that wait for work keep a processor busy for a while."""


class Bench:
    """The contenders, and files for what they exchange."""

    def __init__(self, place, model, exported, threads):
        self.place, self.model, self.exported, self.threads = place, model, exported, threads
        self.max_tokens = None

    def start(self, name):
        """A new process of that contender, with its model loaded."""
        program, precision = name.split()
        if program == "Kenning":
            process = Process(name, [self.place.parent / "release" / "peer"], self.threads)
            loaded = process.ask("load", model=self.model, precision=precision, threads=self.threads)
            self.max_tokens = loaded["max_tokens"]
        else:
            worker = Path(__file__).with_name("ort.py")
            process = Process(name, [sys.executable, worker], self.threads)
            process.ask("load", model=self.model, onnx=self.exported[precision],
                        threads=self.threads, max_tokens=self.max_tokens)
        return process

    def own_choice(self):
        """The precision that Kenning takes on this machine where none is asked for."""
        with Process("Kenning", [self.place.parent / "release" / "peer"], self.threads) as process:
            return process.ask("load", model=self.model, threads=self.threads)["precision"]

    def texts(self, name, texts):
        file = self.place / f"{name}.json"
        file.write_text(json.dumps(texts))
        return file

    def vectors(self, process, texts, **settings):
        file = self.place / "vectors.f32"
        answer = process.ask("embed", texts=texts, write=file, **settings)
        return np.fromfile(file, "<f4").reshape(-1, self.exported["dimension"]), answer


def settings_of(name, chosen):
    return chosen if name.startswith("ORT") else {}


def top(queries, passages, count=10, without_self=False):
    scores = queries @ passages.T
    if without_self:
        np.fill_diagonal(scores, -np.inf)
    return np.argpartition(-scores, count, axis=1)[:, :count]


def same_share(a, b):
    """The mean share of equal members of two tables of neighbours, row by row."""
    return float(np.mean([len(set(x) & set(y)) / len(x) for x, y in zip(a.tolist(), b.tolist())]))


def quality(bench, workloads):
    """Vectors of each contender against Kenning's f32, and the most memory of a process that made them.

    This comes first of all: it ends the program where ONNX Runtime does not compute the same model.
    """
    passages = bench.texts("passages", workloads["passages"])
    questions = bench.texts("questions", workloads["questions"])
    vectors, found = {}, {}
    for name in (REFERENCE, *(name for name in CONTENDERS if name != REFERENCE)):
        print(f"quality: {name}", flush=True)
        with bench.start(name) as process:
            loaded = process.ask("peak")["bytes"]
            settings = settings_of(name, LEAST)
            own, answer = bench.vectors(process, passages, **settings)
            peak = process.ask("peak")["bytes"]
            asked, _ = bench.vectors(process, questions, **settings)
        vectors[name] = own, asked
        reference, asked_reference = vectors[REFERENCE]
        cosines = np.sum(own * reference, axis=1)
        found[name] = {
            "tokens": answer["tokens"], "loaded_bytes": loaded, "peak_bytes": peak,
            "mean": float(cosines.mean()), "least": float(cosines.min()),
            "neighbours": same_share(top(own, own, without_self=True),
                                     top(reference, reference, without_self=True)),
            "found": same_share(top(asked, own), top(asked_reference, reference)),
        }
        if name == "ORT f32" and cosines.min() < SAME:
            raise SystemExit(f"ORT f32 is not the same model: least cosine {cosines.min():.6f}")
        if found[name]["tokens"] != found[REFERENCE]["tokens"]:
            raise SystemExit(f"{name} counts {found[name]['tokens']} tokens, {REFERENCE} "
                             f"{found[REFERENCE]['tokens']}: they do not embed the same")
    return found


def trial(process, part, whole):
    """The settings under which ONNX Runtime is quickest: all are tried with a part of the texts, the best few of
    them with the whole."""
    def rate(texts, setting):
        answer = process.ask("embed", texts=texts, **setting)
        return answer["tokens"] / answer["seconds"]

    settings = [{"batch": batch, "apart": apart} for batch, apart in TRIALS]
    settings.sort(key=lambda setting: -rate(part, setting))
    return max(settings[:FINALISTS], key=lambda setting: rate(whole, setting))


def turn(process, texts, settings):
    """One embedding of all texts: its time, and how many processors it had for it."""
    time.sleep(PAUSE)
    load, used = os.getloadavg()[0], process.processor_seconds()
    answer = process.ask("embed", texts=texts, **settings)
    used = process.processor_seconds() - used
    return {
        "rate": answer["tokens"] / answer["seconds"], "tokens": answer["tokens"],
        "seconds": answer["seconds"], "processors": used / answer["seconds"], "load": load,
    }


def throughput(bench, processes, name, texts, rounds):
    """Turns of every contender, `rounds` of each, A B C D A B C D."""
    file = bench.texts(name, texts)
    part = bench.texts(f"{name}-part", texts[::PART])
    chosen = {}
    for contender, process in processes.items():
        process.ask("embed", texts=part, **settings_of(contender, LEAST))
        if contender.startswith("ORT"):
            chosen[contender] = trial(process, part, file)
            print(f"{name}: {contender} is quickest with {chosen[contender]}", flush=True)
    turns = {contender: [] for contender in processes}
    for number in range(rounds):
        for contender, process in processes.items():
            turns[contender].append(turn(process, file, chosen.get(contender, {})))
        rates = ", ".join(f"{c} {turns[c][-1]['rate']:.0f}" for c in processes)
        print(f"{name}, round {number + 1}: tokens/s {rates}", flush=True)
    return {"texts": len(texts), "turns": turns, "chosen": chosen}


def latency(bench, processes, queries, rounds):
    """Milliseconds for one query at a time, in turns."""
    file = bench.texts("queries", queries)
    chosen = {}
    for contender, process in processes.items():
        if not contender.startswith("ORT"):
            process.ask("single", texts=file)
            continue
        medians = {threads: np.median(process.ask("single", texts=file, threads=threads)["milliseconds"])
                   for threads in sorted({1, bench.threads})}
        chosen[contender] = {"threads": min(medians, key=medians.get)}
    turns, tokens = {contender: [] for contender in processes}, 0
    for _ in range(rounds):
        for contender, process in processes.items():
            time.sleep(PAUSE)
            answer = process.ask("single", texts=file, **chosen.get(contender, {}))
            p50, p99 = np.percentile(answer["milliseconds"], [50, 99])
            turns[contender].append({"p50": float(p50), "p99": float(p99)})
            tokens = answer["tokens"]
    return {"queries": len(queries), "tokens": tokens, "turns": turns, "chosen": chosen}


def measure(bench, workloads, rounds):
    """Everything about embedding."""
    found = {"quality": quality(bench, workloads), "own_choice": bench.own_choice()}
    processes = {name: bench.start(name) for name in CONTENDERS}
    for name in ("passages", "sentences"):
        found[name] = throughput(bench, processes, name, workloads[name], rounds)
    found["queries"] = latency(bench, processes, workloads["queries"], rounds)
    for process in processes.values():
        process.close()
    return found
