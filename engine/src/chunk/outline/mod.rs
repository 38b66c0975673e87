//! From text and structure to parts: the paragraphs, list items and functions that should stay whole.
//!
//! Each reader only says where parts *begin*. A part ends where the next begins, so that parts cover the
//! text whatever a reader overlooks, and a gap belongs to the part before it.

mod code;
mod markdown;
mod plain;
mod rst;

use std::ops::Range;

use super::ChunkError;
use crate::document::{Block, BlockKind};
use crate::{Document, Structure};

/// Longer section names are cut: they stand in the title of every chunk below.
const NAME_CHARS: usize = 120;

/// A stretch of text that should rather not be cut, neither empty nor with blanks at its ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// Where it lies: byte offsets into the text.
    pub span: Range<usize>,
    /// What it is.
    pub kind: BlockKind,
    /// The page it stands on.
    pub page: Option<u32>,
    /// The section that begins with it.
    pub opens: Option<Opening>,
}

/// The beginning of a section. It ends where the next of its level or a higher one begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Opening {
    /// 1 is the highest.
    pub level: u8,
    /// May be empty: then it only ends the section before it.
    pub name: String,
}

/// Where a part begins.
#[derive(Debug)]
struct Mark {
    start: usize,
    kind: BlockKind,
    page: Option<u32>,
    opens: Option<Opening>,
}

impl Mark {
    fn new(start: usize, kind: BlockKind) -> Self {
        Mark {
            start,
            kind,
            page: None,
            opens: None,
        }
    }

    fn heading(start: usize, level: u8, name: &str) -> Self {
        Mark {
            opens: Some(Opening {
                level,
                name: fold(name),
            }),
            ..Mark::new(start, BlockKind::Heading(level))
        }
    }
}

/// The parts of a document, in order, covering all its text but blanks.
pub(super) fn outline(document: &Document) -> Result<Vec<Part>, ChunkError> {
    let text = document.text.as_str();
    let marks = match &document.structure {
        Structure::Plain => plain::marks(text),
        Structure::Markdown => markdown::marks(text),
        Structure::Rst => rst::marks(text),
        Structure::Code(extension) => code::marks(text, extension),
        Structure::Blocks(blocks) => given(document, blocks)?,
    };
    Ok(parts(text, marks))
}

/// The marks of blocks that the caller has found.
fn given(document: &Document, blocks: &[Block]) -> Result<Vec<Mark>, ChunkError> {
    let text = document.text.as_str();
    let mut end = 0;
    let mut marks = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.iter().enumerate() {
        let span = block.span.clone();
        let wrong = |expected| ChunkError::Block {
            document: document.id.clone(),
            index,
            span: block.span.clone(),
            expected,
        };
        if span.start > span.end || span.end > text.len() {
            return Err(wrong("a span in the text"));
        }
        if !text.is_char_boundary(span.start) || !text.is_char_boundary(span.end) {
            return Err(wrong("a span on character borders"));
        }
        if span.start < end {
            return Err(wrong("a span after the block before it"));
        }
        end = span.end;
        let mark = match block.kind {
            BlockKind::Heading(level) => {
                Mark::heading(span.start, level.clamp(1, 6), text[span].trim())
            }
            kind => Mark::new(span.start, kind),
        };
        marks.push(Mark {
            page: block.page,
            ..mark
        });
    }
    Ok(marks)
}

/// Parts from the places where they begin. Marks that stand at the same place or before the one ahead
/// of them are dropped.
fn parts(text: &str, marks: Vec<Mark>) -> Vec<Part> {
    let mut kept: Vec<Mark> = Vec::with_capacity(marks.len());
    for mark in marks {
        if kept.last().is_none_or(|last| last.start < mark.start) {
            kept.push(mark);
        }
    }
    match kept.first_mut() {
        Some(first) => first.start = 0,
        None => kept.push(Mark::new(0, BlockKind::Paragraph)),
    }
    let ends: Vec<usize> = kept.iter().skip(1).map(|mark| mark.start).collect();
    let ends = ends.into_iter().chain([text.len()]);
    kept.into_iter()
        .zip(ends)
        .filter_map(|(mark, end)| {
            let span = trim(text, mark.start..end);
            (!span.is_empty()).then_some(Part {
                span,
                kind: mark.kind,
                page: mark.page,
                opens: mark.opens,
            })
        })
        .collect()
}

/// A span without the blanks at its ends.
pub(super) fn trim(text: &str, span: Range<usize>) -> Range<usize> {
    let inner = text[span.clone()].trim_end();
    let end = span.start + inner.len();
    end - inner.trim_start().len()..end
}

/// A text on one line and not too long, as a section's name.
pub(super) fn fold(text: &str) -> String {
    let mut name = String::new();
    let mut room = NAME_CHARS;
    for word in text.split_whitespace() {
        if !name.is_empty() {
            name.push(' ');
            room = room.saturating_sub(1);
        }
        for character in word.chars() {
            if room == 0 {
                name.push('…');
                return name;
            }
            name.push(character);
            room -= 1;
        }
    }
    name
}

/// A line of a text: where it begins, and what it says without the blanks at its end.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    start: usize,
    text: &'a str,
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.text.is_empty()
    }

    /// How far it is indented, a tab counting as four blanks.
    fn indent(&self) -> usize {
        self.text
            .bytes()
            .map_while(|byte| match byte {
                b' ' => Some(1),
                b'\t' => Some(4),
                _ => None,
            })
            .sum()
    }
}

/// The lines of a text.
fn lines(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let here = Line {
                start,
                text: line.trim_end(),
            };
            start += line.len();
            here
        })
        .collect()
}

/// Whether a line begins an item of a list: `- `, `* `, `+ `, `• `, `12. `, `3) `, `#. `.
fn is_list_item(line: &str) -> bool {
    let line = line.trim_start();
    let after = match line.chars().next() {
        Some('-' | '*' | '+' | '•' | '‣' | '–') => line.chars().next().map(char::len_utf8),
        Some('#') => line.starts_with("#.").then_some(2),
        Some('0'..='9') => {
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let closed = matches!(line.as_bytes().get(digits), Some(b'.' | b')'));
            (digits <= 3 && closed).then_some(digits + 1)
        }
        _ => None,
    };
    after.is_some_and(|bytes| line[bytes..].starts_with([' ', '\t']))
}

/// The character of a line that holds nothing but at least three of one mark of punctuation.
fn rule(line: &str) -> Option<u8> {
    let first = *line.as_bytes().first()?;
    let same = line.bytes().all(|byte| byte == first);
    (line.len() >= 3 && first.is_ascii_punctuation() && same).then_some(first)
}
