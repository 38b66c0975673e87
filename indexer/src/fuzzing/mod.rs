//! What must hold of any bytes whatever: files that are read, what is kept of them, and what a worker answers. As
//! `kenning::fuzzing` is for the engine: the fuzz targets in `benches/fuzz` and the tests here call the same functions.
//! Compiled for tests and for fuzzing only.

pub mod seeds;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use kenning::Document;
use kenning::chunk::{ChunkOptions, chunk};
use kenning::encoder::Tokens;
use kenning::index::StoredDocument;

use crate::catalogue::{FileState, note};
use crate::embeddings::{from_hex, to_hex};
use crate::extract::{Extracted, Part, fuzzing as inner};
use crate::layout::{Layout, Settings};

/// Names under which bytes are read: one for each way in which a name matters.
pub const NAMES: [&str; 46] = [
    "a", "a.txt", "a.md", "a.rst", "a.rs", "a.html", "a.xml", "a.json", "a.jsonl", "a.csv",
    "a.tsv", "a.ipynb", "a.pdf", "a.rtf", "a.docx", "a.pptx", "a.xlsx", "a.xlsb", "a.xls", "a.ods",
    "a.doc", "a.ppt", "a.odt", "a.odp", "a.epub", "a.fb2", "a.xps", "a.eml", "a.mbox", "a.msg",
    "a.emlx", "a.mht", "a.htm", "a.fodt", "a.pages", "a.zip", "a.bin", "Makefile", "a.svg",
    "a.opml", "a.log", "a.php", "a.py", "a.yaml", "a.tex", "a.docm",
];

/// A file: one byte chooses its name, the rest are its bytes. There is text or a reason, of one line.
pub fn file(data: &[u8]) {
    let Some((name, bytes)) = data.split_first() else {
        return;
    };
    let name = NAMES[usize::from(*name) % NAMES.len()];
    match inner::read_here(name, bytes) {
        Ok(extracted) => sound(name, bytes, &extracted),
        Err(error) => {
            let message = error.to_string();
            assert!(
                !message.contains('\n') && message.len() < 1_000,
                "{message:?}"
            );
            assert!(!error.hint().is_empty());
        }
    }
}

/// What a worker answers, in JSON. A parser that was taken over could write anything there.
pub fn answer(data: &[u8]) {
    if let Some(extracted) = inner::answer(data) {
        extracted.parts.into_iter().for_each(|part| drop(cut(part)));
    }
}

/// States of files as the catalogue and the index keep them, in JSON, and the settings of a folder.
pub fn catalogue(data: &[u8]) {
    if let Ok(state) = serde_json::from_slice::<FileState>(data) {
        let _ = (
            state.is_current(state.size, state.modified),
            state.is_of_this_reader(),
        );
        if let crate::Outcome::Indexed { keys, .. } = &state.outcome {
            let known: Vec<_> = from_hex(keys).collect();
            assert_eq!(from_hex(&to_hex(&known)).collect::<Vec<_>>(), known);
        }
    }
    let mut files = BTreeMap::new();
    let stored = StoredDocument {
        state: Some(String::from_utf8_lossy(data).into_owned()),
        chunks: u32::MAX,
        tokens: u64::MAX,
        ..StoredDocument::default()
    };
    note(&mut files, "one".into(), stored.clone());
    note(&mut files, "two".into(), stored);
    if let Ok(settings) = serde_json::from_slice::<Settings>(data) {
        let layout = Layout::of(settings, "/x/.kenning".into());
        for path in layout.roots.iter().chain([&layout.base]) {
            assert!(
                !path.components().any(|part| part.as_os_str() == ".."),
                "{path:?}"
            );
            let _ = layout.is_below(&layout.id(path), path);
        }
    }
}

/// Whether what came out of a file is what every later stage relies on.
fn sound(name: &str, bytes: &[u8], extracted: &Extracted) {
    assert!(
        extracted
            .parts
            .iter()
            .any(|part| !part.text.trim().is_empty()),
        "{name}: no text"
    );
    for part in &extracted.parts {
        let source = part.source;
        let borders: Vec<usize> = match cut(part.clone()) {
            Some(spans) => spans
                .iter()
                .flat_map(|span| [span.start, span.end])
                .collect(),
            None => panic!("{name}: blocks that do not lie in the text"),
        };
        if let Some(places) = source.file_offsets(bytes, &borders) {
            assert!(places.is_sorted(), "{name}: {places:?}");
            assert!(
                places.iter().all(|place| *place <= bytes.len()),
                "{name}: {places:?}"
            );
        }
    }
}

/// The spans of the chunks of a part; none where its blocks are refused.
fn cut(part: Part) -> Option<Vec<std::ops::Range<usize>>> {
    let document = Document::new("d", part.text)
        .with_title(part.title)
        .with_structure(part.structure);
    let tokenize = |text: &str| {
        let mut tokens = Tokens::default();
        for (at, length) in words(text) {
            tokens.ids.push(at as u32);
            tokens.offsets.push((at, at + length));
        }
        Ok(tokens)
    };
    let chunked = chunk(&document, &ChunkOptions::new(128), &tokenize).ok()?;
    let text = &document.text;
    let spans = chunked.chunks.into_iter().map(|chunk| {
        assert_eq!(text.get(chunk.bytes.clone()), Some(chunk.text.as_str()));
        chunk.bytes
    });
    Some(spans.collect())
}

/// Where the words of a text begin, and how many bytes they have.
fn words(text: &str) -> Vec<(usize, usize)> {
    let mut at = 0;
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        at += word.len();
        (at - word.len(), word.trim_end().len())
    });
    words.filter(|(_, length)| *length > 0).collect()
}
