#![allow(clippy::unwrap_used)]

mod code;
mod examples;
mod invariants;

use std::hash::{DefaultHasher, Hash, Hasher};

use super::*;

/// Splits at blanks, and words every four characters, much as WordPiece does.
fn words(text: &str) -> Result<Tokens> {
    Ok(split(text, 4))
}

/// Splits at blanks only: a word is one token however long.
fn whole_words(text: &str) -> Result<Tokens> {
    Ok(split(text, usize::MAX))
}

fn split(text: &str, characters: usize) -> Tokens {
    let mut tokens = Tokens::default();
    let mut start = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let borders = word.trim_end().char_indices().step_by(characters);
        let borders: Vec<usize> = borders.map(|(at, _)| at).collect();
        let ends = borders
            .iter()
            .skip(1)
            .copied()
            .chain([word.trim_end().len()]);
        for (from, to) in borders.iter().copied().zip(ends) {
            tokens.ids.push(id(&word[from..to]));
            tokens.offsets.push((start + from, start + to));
        }
        start += word.len();
    }
    tokens
}

/// One token a byte, each standing for its whole character, blanks too: as a byte-level tokenizer that
/// knows no merges.
fn bytes(text: &str) -> Result<Tokens> {
    let mut tokens = Tokens::default();
    for (at, character) in text.char_indices() {
        for byte in 0..character.len_utf8() {
            tokens.ids.push(u32::from(text.as_bytes()[at + byte]));
            tokens.offsets.push((at, at + character.len_utf8()));
        }
    }
    Ok(tokens)
}

fn id(word: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish() as u32
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

type Tokenize = dyn Fn(&str) -> Result<Tokens>;

/// Everything that holds of any document in chunks.
fn check(document: &Document, options: &ChunkOptions, tokenize: &Tokenize) -> Chunked {
    let text = document.text.as_str();
    let chunked = chunk(document, options, tokenize).unwrap();
    let mut end = 0;
    for (ordinal, chunk) in chunked.chunks.iter().enumerate() {
        let span = chunk.bytes.clone();
        assert_eq!(chunk.ordinal as usize, ordinal);
        assert!(
            span.start >= end && span.end > span.start,
            "{span:?} after {end}"
        );
        assert_blank(&text[end..span.start]);
        assert_eq!(chunk.text, text[span.clone()]);
        assert!(!chunk.text.trim().is_empty());
        assert_eq!(chunk.text.trim_end(), chunk.text);
        let line = |place: usize| 1 + text[..place].matches('\n').count() as u32;
        assert_eq!(
            chunk.lines,
            (line(span.start), line(span.end)),
            "{:?}",
            chunk.text
        );
        assert!(chunk.input.len() <= options.max_tokens);
        let title = chunk.input.len() - chunk.tokens as usize;
        assert!(title <= options.title_tokens.min(options.max_tokens / 2));
        assert!(chunk.tokens as usize <= options.target_tokens);
        end = span.end;
    }
    assert_blank(&text[end..]);
    let sum: u64 = chunked
        .chunks
        .iter()
        .map(|chunk| u64::from(chunk.tokens))
        .sum();
    assert_eq!(chunked.tokens, sum);
    chunked
}

fn assert_blank(gap: &str) {
    assert!(gap.trim().is_empty(), "{gap:?} is in no chunk");
}

/// Every chunk holds the tokens of its text, none cut in two, and its title's before them.
fn check_tokens(document: &Document, options: &ChunkOptions, tokenize: &Tokenize) -> Chunked {
    let chunked = check(document, options, tokenize);
    for chunk in &chunked.chunks {
        let ids = tokenize(&chunk.text).unwrap().ids;
        assert_eq!(
            chunk.tokens as usize,
            ids.len(),
            "{:?} of {document:?}",
            chunk.text
        );
        assert!(chunk.input.ends_with(&ids), "{:?}", chunk.text);
    }
    let whole = tokenize(&document.text).unwrap().ids.len() as u64;
    assert_eq!(chunked.tokens, whole);
    chunked
}
