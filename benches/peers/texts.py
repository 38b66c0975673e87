"""What is embedded: passages, sentences and queries, out of collections in BEIR layout or of the shipped library."""

import json
import re
from pathlib import Path

from tokenizers import Tokenizer

PASSAGE_TOKENS = 238
"""A passage is closed before it would hold more: with whole sentences that makes some 171 on average."""
ROW_TOKENS = 96
"""The same for the shorter, overlapping passages that vector search is measured on."""
SENTENCE = range(15, 26)
QUERY = range(8, 13)
QUERIES = 200


def documents(folders, library):
    """The texts of all documents, and the questions of the collections."""
    texts, questions = [], []
    for folder in folders:
        for line in (folder / "corpus.jsonl").read_text().splitlines():
            document = json.loads(line)
            texts.append(f"{document.get('title') or ''}. {document['text']}".removeprefix(". "))
        queries = folder / "queries.jsonl"
        if queries.is_file():
            questions += [json.loads(line)["text"] for line in queries.read_text().splitlines()]
    if not folders:
        files = sorted(path for path in library.rglob("*") if path.suffix in (".md", ".txt"))
        texts = [path.read_text(errors="replace") for path in files]
    return texts, questions


class Counter:
    """Tokens of texts, special ones included, as the model counts them before it truncates."""

    def __init__(self, model):
        self.tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()

    def __call__(self, texts):
        return [len(encoded.ids) for encoded in self.tokenizer.encode_batch_fast(texts)]


def sentences_of(texts, count):
    """The sentences of each text, with their tokens."""
    split = [[s for s in re.split(r"(?<=[.!?])\s+|\n{2,}", text) if s.strip()] for text in texts]
    counts = iter(count([sentence for text in split for sentence in text]))
    return [[(sentence, next(counts)) for sentence in text] for text in split]


def pieces(sentences, most, overlapping=False):
    """Runs of whole sentences of one text, of up to `most` tokens; each begins in the middle of the one before
    where they overlap."""
    found, first = [], 0
    while first < len(sentences):
        end, tokens = first, 0
        while end < len(sentences) and (end == first or tokens + sentences[end][1] <= most):
            tokens += sentences[end][1] - 2
            end += 1
        found.append(" ".join(sentence for sentence, _ in sentences[first:end]))
        if end == len(sentences):
            break
        first = first + max(1, (end - first) // 2) if overlapping else end
    return found


def spread(items, count):
    """So many of the items, from everywhere among them; all where there are fewer."""
    if len(items) <= count:
        return items
    return [items[place * len(items) // count] for place in range(count)]


def unique(items):
    return list(dict.fromkeys(items))


def gather(folders, library, model, passages, rows):
    """The workloads by name."""
    texts, questions = documents(folders, library)
    count = Counter(model)
    split = sentences_of(texts, count)
    whole = unique(piece for text in split for piece in pieces(text, PASSAGE_TOKENS))
    short = unique(piece for text in split for piece in pieces(text, ROW_TOKENS, overlapping=True))
    single = unique(sentence for text in split for sentence, tokens in text if tokens in SENTENCE)
    asked = [text for text, tokens in zip(questions, count(questions)) if tokens in QUERY]
    # Where there are too few short questions, the beginnings of long ones and of sentences are as good.
    shortened = unique(" ".join(text.split()[:7]) for text in questions + single)
    asked += [text for text, tokens in zip(shortened, count(shortened)) if tokens in QUERY]
    return {
        "passages": spread(whole, passages),
        "sentences": spread(single, passages),
        "queries": unique(asked)[:QUERIES],
        "rows": spread(short, rows),
        "questions": spread(unique(questions) or spread(single, 500), 1000),
        "real_questions": bool(questions),
    }
