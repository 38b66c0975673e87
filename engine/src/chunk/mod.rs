//! Cutting a document into chunks: the passages that are embedded and retrieved.
//!
//! In reading order:
//!
//! 1. `outline` reads the text as its [`Structure`](crate::Structure) says and splits it into *parts*:
//!    paragraphs, list items, functions. Parts cover all text; some open a section.
//! 2. `sections` hangs the parts into the tree of sections, whose names make the chunks' titles.
//! 3. `pieces` tokenises the parts, each once, and cuts those that are too long for one chunk, where
//!    `breaks` says that a reader would pause.
//! 4. `pack` decides which neighbouring pieces share a chunk.
//! 5. `assemble` writes the chunks.

mod assemble;
mod breaks;
mod outline;
mod pack;
mod pieces;
mod sections;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::encoder::Tokens;
use crate::{Document, Result};

/// A passage of a document: what is embedded and retrieved.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// Its place in the document, from 0.
    pub ordinal: u32,
    /// The document's title and the headings above the chunk, joined by ` › `. Embedded with it, as far
    /// as [`ChunkOptions::title_tokens`] allows. A heading that stands in the text is not repeated here.
    pub title: String,
    /// The passage, as it stands in the document.
    pub text: String,
    /// Its byte span in the document's text: in [`Document::text`], not in the file that this was taken
    /// from. A program that knows where the text lies in the file may put that place here instead, as
    /// the folder indexer does for text files.
    pub bytes: Range<usize>,
    /// Its first and last line in the document's text, counted from 1. Those are lines of the file where
    /// the text is the file's, and of the extracted text where it was converted (DOCX, PDF, HTML and so on).
    pub lines: (u32, u32),
    /// The page of the file that it begins on, counted from 1, where the file has pages and the document's
    /// [`Block`](crate::document::Block)s tell them.
    pub page: Option<u32>,
    /// How many of the document's tokens it holds (title and special tokens not counted).
    pub tokens: u32,
    /// What the encoder reads: token ids of title and text, without special tokens.
    pub input: Vec<u32>,
}

/// How large chunks are. All sizes count tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkOptions {
    /// The most that a chunk's `input` may hold: what the encoder reads at once, less its special tokens
    /// and prompt. Below some 32 a single character may not fit.
    pub max_tokens: usize,
    /// How many of the document's tokens a chunk should hold at most. Where `max_tokens` less the title
    /// is smaller, that counts.
    pub target_tokens: usize,
    /// A chunk smaller than this is joined with a neighbour across a heading, if both fit together.
    pub small_tokens: usize,
    /// The most that a title may take of `max_tokens`, of which it never takes more than half. A longer
    /// one loses its leading headings, then its end.
    pub title_tokens: usize,
}

impl ChunkOptions {
    /// Chunks as large as an encoder can read that takes `max_tokens`.
    pub fn new(max_tokens: usize) -> Self {
        ChunkOptions {
            max_tokens,
            target_tokens: max_tokens,
            small_tokens: max_tokens / 4,
            title_tokens: 48,
        }
    }

    /// The same, but chunks hold at most `target_tokens` of the document, and those below a quarter of
    /// that are joined with a neighbour.
    pub fn with_target(mut self, target_tokens: usize) -> Self {
        self.target_tokens = target_tokens;
        self.small_tokens = target_tokens.min(self.max_tokens) / 4;
        self
    }
}

/// A document in chunks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chunked {
    /// The chunks, in order. They do not overlap, and all text but blanks is in one of them.
    pub chunks: Vec<Chunk>,
    /// How many tokens the document's text has. Equal to the sum over its chunks: nothing is dropped.
    pub tokens: u64,
}

/// A document cannot be cut as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// A block that the caller gave does not lie in the text, or not after the block before it.
    #[error(
        "block {index} of {document:?} spans bytes {}..{}, expected {expected}", span.start, span.end
    )]
    Block {
        /// The document's id.
        document: String,
        /// Which of its blocks, from 0.
        index: usize,
        /// Its span.
        span: Range<usize>,
        /// What its span should have been.
        expected: &'static str,
    },
    /// A single character makes more tokens than fit in a chunk.
    #[error(
        "the character at byte {at} of {document:?} makes {tokens} tokens, expected at most {limit} in a chunk"
    )]
    Indivisible {
        /// The document's id.
        document: String,
        /// Where the character stands.
        at: usize,
        /// How many tokens it makes.
        tokens: usize,
        /// How many of a document's tokens fit in a chunk.
        limit: usize,
    },
}

impl ChunkError {
    /// One line that tells the user what to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            ChunkError::Block { .. } => {
                "give blocks in order, their bytes on character borders of the text".into()
            }
            ChunkError::Indivisible { .. } => "allow larger chunks: 32 tokens or more".into(),
        })
    }
}

/// Cuts a document into chunks. `tokenize` is the encoder's own tokenizer, without special tokens; it
/// sees each stretch of the text once, and each title.
///
/// # Errors
///
/// [`ChunkError`], and whatever `tokenize` returns.
pub fn chunk(
    document: &Document,
    options: &ChunkOptions,
    tokenize: &dyn Fn(&str) -> Result<Tokens>,
) -> Result<Chunked> {
    let parts = outline::outline(document)?;
    let sections = sections::Sections::new(&document.title, &document.text, &parts);
    let titles = sections::Titles::new(&sections, options, tokenize)?;
    let room = options.max_tokens.saturating_sub(titles.longest());
    let limit = options.target_tokens.min(room).max(1);
    let pieces = pieces::pieces(document, &parts, &sections, limit, tokenize)?;
    let small = options.small_tokens.min(limit);
    let groups = pack::pack(&document.text, &pieces, &sections, limit, small);
    Ok(assemble::assemble(
        &document.text,
        &parts,
        pieces,
        &groups,
        &titles,
    ))
}
