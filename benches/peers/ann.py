"""Vector search: Kenning's graph over its own index beside hnswlib, Faiss and usearch, over the same embeddings."""

import hashlib
import importlib.util
import json
import math
import os
import shutil
import tempfile
import time

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
    """Kenning's index on disk, searched by the process that built it."""

    def __init__(self, bench, vectors, queries):
        self.process = Process("Kenning", [bench.place.parent / "release" / "peer"], bench.threads)
        self.folder = tempfile.mkdtemp(dir=bench.place)
        self.queries = bench.place / "queries.f32"
        queries.tofile(self.queries)
        rows = bench.place / "indexed.f32"
        vectors.tofile(rows)
        self.built = self.process.ask("build", vectors=rows, dimension=vectors.shape[1], folder=self.folder)
        if not self.built["graph_kept"]:
            raise SystemExit("Kenning threw its graph away")

    def ask(self, plan, limit):
        answer = self.process.ask("search", queries=self.queries, limit=limit, plan=plan)
        if answer["plan"] != plan:
            raise SystemExit(f"Kenning was asked for {plan} and did {answer['plan']}")
        return answer

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


def kenning_part(kenning, truth, count):
    built = kenning.built
    sizes = built["bytes"]
    own = {
        "build_seconds": built["graph_seconds"], "writing_seconds": built["writing_seconds"],
        "bytes": sum(sizes.get(kind, 0) for kind in ("vec", "res", "hnsw")) / count,
        "walked_bytes": (sizes.get("vec", 0) + sizes.get("hnsw", 0)) / count,
    }
    for plan in ("graph", "exact"):
        answer = kenning.ask(plan, NEAREST)
        own[plan] = {
            "recall": same_share(truth, np.array(answer["rows"])),
            "compared": answer["compared"] / len(truth),
            "rates": [], "whole_rates": [],
        }
    return own


def rounds_of(engines, found, kenning, own, queries, rounds):
    """Turns of every engine at the least effort that is enough."""
    for _ in range(rounds):
        for name, engine in engines.items():
            time.sleep(PAUSE)
            effort = found[name]["effort"] or EFFORTS[-1]
            _, rate = rate_of(engine, queries, effort)
            found[name].setdefault("rates", []).append(rate)
        for plan in ("graph", "exact"):
            time.sleep(PAUSE)
            for limit, rates in ((0, "rates"), (NEAREST, "whole_rates")):
                answer = kenning.ask(plan, limit)
                own[plan][rates].append(len(queries) / answer["seconds"])


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
    own = kenning_part(kenning, truth, len(vectors))
    rounds_of(engines, found, kenning, own, queries, rounds)
    kenning.close()
    return {
        "rows": len(vectors), "dimension": vectors.shape[1], "queries": len(queries),
        "real": workloads["real_questions"], "load": load, "libraries": found, KENNING: own,
    }
