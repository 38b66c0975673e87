//! Cutting a document into chunks: the passages that are embedded and retrieved.

use std::ops::Range;

/// A passage of a document: what is embedded and retrieved.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// Its place in the document, from 0.
    pub ordinal: u32,
    /// The document's title and the headings above the chunk, joined by ` › `. Embedded with it.
    pub title: String,
    /// The passage, as it stands in the document.
    pub text: String,
    /// Its byte span in the document's text.
    pub bytes: Range<usize>,
    /// Its first and last line in the document's text, counted from 1.
    pub lines: (u32, u32),
    /// The page it begins on, counted from 1, where the source has pages.
    pub page: Option<u32>,
    /// How many of the document's tokens it holds (title and special tokens not counted).
    pub tokens: u32,
    /// What the encoder reads: token ids of title and text, without special tokens.
    pub input: Vec<u32>,
}
