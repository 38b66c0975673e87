"""ONNX Runtime's side of the comparison: a process that speaks the protocol of `benches/src/bin/peer.rs`.

    python ort.py      commands as lines of JSON on standard input, answers on standard output

Texts are tokenised by Hugging Face's `tokenizers` (native code, in parallel), sorted by length and cut into
batches. A batch is computed by all threads together, or ("apart") each thread computes batches of its own.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


class Peer:
    def __init__(self):
        self.sessions = {}

    def load(self, model, onnx, threads, max_tokens):
        began = time.perf_counter()
        self.onnx, self.threads = onnx, threads
        self.tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_tokens)
        return {"seconds": time.perf_counter() - began}

    def session(self, threads):
        """A session of so many threads: opened when first asked for, so that memory holds only what is used."""
        if threads not in self.sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
            self.sessions[threads] = onnxruntime.InferenceSession(
                self.onnx, options, providers=["CPUExecutionProvider"])
        return self.sessions[threads]

    def run(self, session, lists):
        """The vectors of lists of ids, padded to the longest."""
        lengths = np.array([len(ids) for ids in lists])
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        padded = np.zeros(mask.shape, np.int64)
        padded[mask.astype(bool)] = np.concatenate(lists)
        return session.run(None, {"input_ids": padded, "attention_mask": mask})[0]

    def embed(self, texts, batch, apart=False, write=None):
        texts = json.loads(Path(texts).read_text())
        session = self.session(1 if apart else self.threads)
        began = time.perf_counter()
        # The quicker of the two, which does not say where a token was.
        encoded = self.tokenizer.encode_batch_fast(texts)
        lists = [np.array(one.ids, np.int64) for one in encoded]
        order = sorted(range(len(lists)), key=lambda place: -len(lists[place]))
        batches = [order[first : first + batch] for first in range(0, len(order), batch)]
        compute = lambda members: self.run(session, [lists[place] for place in members])
        if apart:
            with ThreadPoolExecutor(self.threads) as pool:
                results = list(pool.map(compute, batches))
        else:
            results = [compute(members) for members in batches]
        vectors = np.empty((len(lists), results[0].shape[1]), np.float32)
        for members, result in zip(batches, results):
            vectors[members] = result
        seconds = time.perf_counter() - began
        if write:
            Path(write).write_bytes(vectors.astype("<f4").tobytes())
        return {"seconds": seconds, "tokens": sum(map(len, lists))}

    def single(self, texts, threads):
        session, milliseconds, tokens = self.session(threads), [], 0
        for text in json.loads(Path(texts).read_text()):
            began = time.perf_counter()
            ids = self.tokenizer.encode(text).ids
            row = np.array([ids], np.int64)
            session.run(None, {"input_ids": row, "attention_mask": np.ones_like(row)})[0][0]
            milliseconds.append((time.perf_counter() - began) * 1e3)
            tokens += len(ids)
        return {"milliseconds": milliseconds, "tokens": tokens}

    def peak(self):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return {"bytes": int(line.split()[1]) << 10}
        return {"bytes": None}


def main():
    peer = Peer()
    actions = {"load": peer.load, "embed": peer.embed, "single": peer.single, "peak": peer.peak}
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = actions[command.pop("do")](**command)
        except Exception as error:  # The other side must hear of whatever went wrong.
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
