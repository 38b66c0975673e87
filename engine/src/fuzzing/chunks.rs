//! Chunks: in bounds, on character borders, in order, never blank, and all text in one of them.

use super::Input;
use crate::chunk::{ChunkError, ChunkOptions, chunk};
use crate::document::{Block, BlockKind};
use crate::encoder::Tokens;
use crate::{Document, Error, Result, Structure};

/// Cuts a document whose structure, title and sizes are made of the first bytes and whose text is the rest.
pub fn chunks(data: &[u8]) {
    let mut input = Input(data);
    let (kind, tokens) = (input.byte(), input.byte());
    let max = 32 + input.below(300);
    let options = ChunkOptions {
        target_tokens: 16 + input.below(400),
        small_tokens: input.below(80),
        title_tokens: input.below(80),
        ..ChunkOptions::new(max)
    };
    let title = String::from_utf8_lossy(input.piece()).into_owned();
    let places: Vec<usize> = match kind % 6 {
        5 => (0..input.below(40)).map(|_| input.below(1 << 16)).collect(),
        _ => Vec::new(),
    };
    let text = String::from_utf8_lossy(input.rest()).into_owned();
    let structure = match kind % 6 {
        0 => Structure::Plain,
        1 => Structure::Markdown,
        2 => Structure::Rst,
        3 => Structure::Code(["rs", "py", "js", "c", "?"][usize::from(kind) / 6 % 5].into()),
        4 => Structure::Blocks(Vec::new()),
        _ => Structure::Blocks(blocks(&text, &places, kind >= 128)),
    };
    let document = Document::new("any", text)
        .with_title(title)
        .with_structure(structure);
    let tokenize: &dyn Fn(&str) -> Result<Tokens> = match tokens % 3 {
        0 => &by_byte,
        1 => &by_word,
        _ => &by_fours,
    };
    match chunk(&document, &options, tokenize) {
        Ok(chunked) => check(&document.text, &options, &chunked.chunks),
        // Blocks that do not lie in the text are refused.
        Err(Error::Chunk(ChunkError::Block { .. })) => assert!(kind % 6 == 5),
        Err(error) => panic!("{error}"),
    }
}

/// Blocks of all kinds, and headings of levels that no format has.
pub(crate) const KINDS: [BlockKind; 7] = [
    BlockKind::Heading(0),
    BlockKind::Heading(3),
    BlockKind::Heading(200),
    BlockKind::Paragraph,
    BlockKind::ListItem,
    BlockKind::TableRow,
    BlockKind::Code,
];

/// Blocks between these places: as they come, or sound ones.
fn blocks(text: &str, places: &[usize], sound: bool) -> Vec<Block> {
    let mut places = places.to_vec();
    if sound {
        let border =
            |place: &mut usize| *place = text.floor_char_boundary(*place % (text.len() + 1));
        places.iter_mut().for_each(border);
        places.sort_unstable();
    }
    let block = |pair: &[usize]| Block {
        span: pair[0]..pair[1],
        kind: KINDS[(pair[0] ^ pair[1]) % KINDS.len()],
        page: Some(pair[0] as u32 % 9),
    };
    places.chunks_exact(2).map(block).collect()
}

fn check(text: &str, options: &ChunkOptions, chunks: &[crate::chunk::Chunk]) {
    let mut end = 0;
    for chunk in chunks {
        let span = chunk.bytes.clone();
        assert!(
            span.start >= end && span.end > span.start,
            "{span:?} after {end}"
        );
        assert_eq!(text.get(span.clone()), Some(chunk.text.as_str()));
        assert!(!chunk.text.trim().is_empty());
        assert!(
            text[end..span.start].trim().is_empty(),
            "text is in no chunk"
        );
        assert!(chunk.input.len() <= options.max_tokens);
        assert!(1 <= chunk.lines.0 && chunk.lines.0 <= chunk.lines.1);
        end = span.end;
    }
    assert!(text[end..].trim().is_empty(), "text is in no chunk");
}

/// A token a byte, each standing for its whole character.
fn by_byte(text: &str) -> Result<Tokens> {
    let mut tokens = Tokens::default();
    for (at, c) in text.char_indices() {
        for byte in text[at..at + c.len_utf8()].bytes() {
            tokens.ids.push(u32::from(byte));
            tokens.offsets.push((at, at + c.len_utf8()));
        }
    }
    Ok(tokens)
}

/// A token a word.
fn by_word(text: &str) -> Result<Tokens> {
    Ok(words(text, usize::MAX))
}

/// A token for every four characters of a word.
fn by_fours(text: &str) -> Result<Tokens> {
    Ok(words(text, 4))
}

fn words(text: &str, characters: usize) -> Tokens {
    let mut tokens = Tokens::default();
    let mut start = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let shown = word.trim_end();
        let mut borders: Vec<usize> = shown
            .char_indices()
            .step_by(characters)
            .map(|(at, _)| at)
            .collect();
        borders.push(shown.len());
        for pair in borders.windows(2).filter(|pair| pair[0] < pair[1]) {
            tokens.ids.push(pair[0] as u32);
            tokens.offsets.push((start + pair[0], start + pair[1]));
        }
        start += word.len();
    }
    tokens
}
