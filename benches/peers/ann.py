"""Vector search: Kenning's graph over its own index beside hnswlib, Faiss and usearch, over the same embeddings."""

import hashlib
import importlib.util
import json
import math
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from embed import PAUSE, same_share
from process import Process

M, CONSTRUCTION, NEAREST = 16, 200, 10
EFFORTS = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512]
SURE = 128
"""Efforts up to this are measured even where a smaller one is enough."""
ENOUGH = 0.99
"""The recall that a search must reach to be compared."""
TURN = 0.3
"""Seconds that a turn takes at least."""
KENNING = "Kenning graph"
FILES = ("vec", "res", "hnsw")
"""Kenning's files of vectors: codes that are walked, what makes them exact, the graph."""
ASKED = 10_000
"""After so many different queries it is told what is resident."""


class Hnswlib:
    def __init__(self, vectors, threads):
        import hnswlib
        self.index = hnswlib.Index(space="ip", dim=vectors.shape[1])
        self.index.init_index(len(vectors), ef_construction=CONSTRUCTION, M=M, random_seed=1)
        self.index.add_items(vectors, num_threads=threads)

    def search(self, queries, effort):
        self.index.set_ef(effort)
        return self.index.knn_query(queries, k=NEAREST, num_threads=1)[0]

    def bytes(self):
        return self.index.index_file_size()


class Faiss:
    """An HNSW index of Faiss that keeps vectors as f32, or as 8 bits a component."""

    def __init__(self, vectors, threads, bits8=False):
        import faiss
        self.faiss = faiss
        faiss.omp_set_num_threads(threads)
        size, product = vectors.shape[1], faiss.METRIC_INNER_PRODUCT
        if bits8:
            self.index = faiss.IndexHNSWSQ(size, faiss.ScalarQuantizer.QT_8bit, M, product)
        else:
            self.index = faiss.IndexHNSWFlat(size, M, product)
        self.index.hnsw.efConstruction = CONSTRUCTION
        self.index.train(vectors)
        self.index.add(vectors)

    def search(self, queries, effort):
        self.faiss.omp_set_num_threads(1)
        self.index.hnsw.efSearch = effort
        return self.index.search(queries, NEAREST)[1]

    def bytes(self):
        return len(self.faiss.serialize_index(self.index))


class Usearch:
    def __init__(self, vectors, threads, kind="f32"):
        from usearch.index import Index
        # Whole numbers of 8 bits are made of components from -1 to 1: only the cosine is the same for them.
        metric = "ip" if kind == "f32" else "cos"
        self.index = Index(ndim=vectors.shape[1], metric=metric, dtype=kind, connectivity=M,
                           expansion_add=CONSTRUCTION)
        self.index.add(np.arange(len(vectors)), vectors, threads=threads)

    def search(self, queries, effort):
        self.index.expansion_search = effort
        return self.index.search(queries, NEAREST, threads=1).keys

    def bytes(self):
        return self.index.serialized_length


LIBRARIES = {
    "hnswlib": ("hnswlib", Hnswlib),
    "Faiss HNSW": ("faiss", Faiss),
    "Faiss HNSW, 8 bits": ("faiss", lambda vectors, threads: Faiss(vectors, threads, bits8=True)),
    "usearch": ("usearch", Usearch),
    "usearch, 8 bits": ("usearch", lambda vectors, threads: Usearch(vectors, threads, kind="i8")),
}


class Kenning:
    """Kenning's index on disk, searched with one thread by another process than the one that built it."""

    def __init__(self, bench, vectors, queries):
        program = [bench.place.parent / "release" / "peer"]
        self.folder = tempfile.mkdtemp(dir=bench.place)
        self.queries = bench.place / "queries.f32"
        queries.tofile(self.queries)
        self.rows = bench.place / "indexed.f32"
        vectors.tofile(self.rows)
        with Process("Kenning", program, bench.threads) as builder:
            self.built = builder.ask("build", vectors=self.rows, dimension=vectors.shape[1], folder=self.folder)
        if not self.built["graph_kept"]:
            raise SystemExit("Kenning threw its graph away")
        self.process = Process("Kenning", program, 1)
        self.process.ask("open", folder=self.folder)

    def ask(self, plan, limit, effort=None, queries=None):
        answer = self.process.ask("search", queries=queries or self.queries, limit=limit, plan=plan, effort=effort)
        if answer["plan"] != plan:
            raise SystemExit(f"Kenning was asked for {plan} and did {answer['plan']}")
        return answer

    def resident(self):
        """Bytes of the mapped files that are in memory, by extension."""
        found, kind = {}, None
        for line in Path(f"/proc/{self.process.child.pid}/smaps").read_text().splitlines():
            words = line.split()
            if "-" in words[0]:
                kind = words[-1].rsplit(".", 1)[-1] if self.folder in words[-1] else None
            elif kind and words[0] == "Rss:":
                found[kind] = found.get(kind, 0) + int(words[1]) * 1024
        return found

    def close(self):
        self.process.close()
        shutil.rmtree(self.folder)


def embeddings(bench, name, texts):
    """Kenning's own vectors of the texts, from the run before where the texts and the program are the same."""
    program = bench.place.parent / "release" / "peer"
    known = hashlib.sha256(json.dumps(texts).encode() + program.read_bytes()).hexdigest()[:16]
    file = bench.place / f"{name}-{known}.f32"
    if not file.exists():
        print(f"vectors: embedding {len(texts)} texts", flush=True)
        with bench.start("Kenning int8") as process:
            vectors, _ = bench.vectors(process, bench.texts(name, texts))
        vectors.tofile(file)
    return np.fromfile(file, "<f4").reshape(-1, bench.exported["dimension"])


def exact(vectors, queries):
    scores = queries @ vectors.T
    return np.argpartition(-scores, NEAREST, axis=1)[:, :NEAREST]


def timed(work):
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def rate_of(engine, queries, effort):
    """What is found, and queries a second: over so many repetitions that the clock is of no account."""
    found, seconds = timed(lambda: engine.search(queries, effort))
    repeated = math.ceil(TURN / seconds)
    _, seconds = timed(lambda: [engine.search(queries, effort) for _ in range(repeated)])
    return found, repeated * len(queries) / seconds


def sweep(engine, queries, truth):
    """Recall and speed at growing efforts, up to the first that is enough."""
    points = []
    for effort in EFFORTS:
        found, rate = rate_of(engine, queries, effort)
        recall = same_share(truth, np.asarray(found))
        points.append({"effort": effort, "recall": recall, "rate": rate})
        if recall >= ENOUGH and effort >= SURE:
            break
    enough = [point["effort"] for point in points if point["recall"] >= ENOUGH]
    return points, (enough[0] if enough else None)


def build_all(bench, vectors):
    """The installed libraries with their indexes, and what these took."""
    engines, found = {}, {}
    for name, (module, make) in LIBRARIES.items():
        if importlib.util.find_spec(module) is None:
            continue
        engines[name], seconds = timed(lambda: make(vectors, bench.threads))
        found[name] = {"build_seconds": seconds, "bytes": engines[name].bytes() / len(vectors)}
        print(f"vectors: {name} built in {seconds:.1f} s", flush=True)
    return engines, found


def kenning_sweep(kenning, truth):
    """The same of Kenning's graph."""
    points = []
    for effort in EFFORTS:
        answer = kenning.ask("graph", NEAREST, effort)
        rate = len(truth) / kenning.ask("graph", 0, effort)["seconds"]
        recall = same_share(truth, np.array(answer["rows"]))
        points.append({"effort": effort, "recall": recall, "rate": rate, "compared": answer["compared"] / len(truth)})
        if recall >= ENOUGH and effort >= SURE:
            break
    enough = [point["effort"] for point in points if point["recall"] >= ENOUGH]
    return points, (enough[0] if enough else None)


def kenning_part(kenning, bench, vectors, truth):
    built = kenning.built
    sizes = built["bytes"]
    some = bench.place / "asked.f32"
    vectors[:ASKED].tofile(some)
    kenning.ask("graph", 0, queries=some)
    resident, count = kenning.resident(), len(vectors)
    own = {
        "build_seconds": built["graph_seconds"], "writing_seconds": built["writing_seconds"],
        "bytes": sum(sizes.get(kind, 0) for kind in FILES) / count,
        "resident_bytes": sum(resident.get(kind, 0) for kind in FILES) / count,
        "walked_bytes": (sizes.get("vec", 0) + sizes.get("hnsw", 0)) / count,
        "resident_queries": min(ASKED, count),
    }
    own["points"], own["effort"] = kenning_sweep(kenning, truth)
    for name, plan, effort in kenning_ways(own):
        answer = kenning.ask(plan, NEAREST, effort)
        own[name] = {
            "recall": same_share(truth, np.array(answer["rows"])),
            "compared": answer["compared"] / len(truth),
            "rates": [], "whole_rates": [],
        }
    return own


def kenning_ways(own):
    """How Kenning is asked: at the least effort that is enough, as it chooses itself, and for every row."""
    yield "graph", "graph", own["effort"] or EFFORTS[-1]
    yield "default", "graph", None
    yield "exact", "exact", None


def kenning_rate(kenning, plan, limit, effort, count):
    """Queries a second, over as long a time as the others have."""
    seconds, rounds = 0, 0
    while seconds < TURN:
        seconds += kenning.ask(plan, limit, effort)["seconds"]
        rounds += 1
    return rounds * count / seconds


def rounds_of(engines, found, kenning, own, queries, rounds):
    """Turns of every engine at the least effort that is enough."""
    for _ in range(rounds):
        for name, engine in engines.items():
            time.sleep(PAUSE)
            effort = found[name]["effort"] or EFFORTS[-1]
            _, rate = rate_of(engine, queries, effort)
            found[name].setdefault("rates", []).append(rate)
        for name, plan, effort in kenning_ways(own):
            time.sleep(PAUSE)
            for limit, rates in ((0, "rates"), (NEAREST, "whole_rates")):
                own[name][rates].append(kenning_rate(kenning, plan, limit, effort, len(queries)))


def measure(bench, workloads, rounds):
    """Everything about vector search."""
    vectors = embeddings(bench, "rows", workloads["rows"])
    # Equal vectors are equally near, and which of them is found says nothing.
    _, first = np.unique(vectors, axis=0, return_index=True)
    vectors = np.ascontiguousarray(vectors[np.sort(first)])
    queries = embeddings(bench, "questions", workloads["questions"])
    truth = exact(vectors, queries)
    load = os.getloadavg()[0]
    engines, found = build_all(bench, vectors)
    for name, engine in engines.items():
        found[name]["points"], found[name]["effort"] = sweep(engine, queries, truth)
    kenning = Kenning(bench, vectors, queries)
    own = kenning_part(kenning, bench, vectors, truth)
    rounds_of(engines, found, kenning, own, queries, rounds)
    kenning.close()
    return {
        "rows": len(vectors), "dimension": vectors.shape[1], "queries": len(queries),
        "real": workloads["real_questions"], "load": load, "libraries": found, KENNING: own,
    }
