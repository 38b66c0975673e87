//! From parts to pieces: every part tokenised, once, and cut where it is too long for a chunk.

use std::cmp::Reverse;
use std::ops::Range;

use super::breaks::{self, Level};
use super::outline::{Part, trim};
use super::pack::goal;
use super::sections::{Place, Sections};
use super::{ChunkError, Tokens};
use crate::document::BlockKind;
use crate::{Document, Result};

/// What one call of the tokenizer sees at most, in bytes, so that memory and time stay bounded.
const WINDOW: usize = 8 * 1024;

/// A token that stands for more bytes counts as several: a stretch without a blank, such as encoded
/// data, may be one unknown token however long it is, and should not make chunks of megabytes.
const TOKEN_BYTES: usize = 64;

/// How many blanks after a part are tokenised with it.
const BLANKS: usize = 4;

/// A part of a document that fits in a chunk: a whole one, or a cut from one.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where it lies: byte offsets into the text, no blanks at the ends.
    pub span: Range<usize>,
    /// Its tokens.
    pub ids: Vec<u32>,
    /// Its size: as a rule the number of its tokens, never less, never more than a chunk may hold.
    pub weight: usize,
    /// The part that it is or is cut from.
    pub part: usize,
    /// What the part is.
    pub kind: BlockKind,
    /// Whether the part opens a section and this is its beginning.
    pub opens: bool,
    /// Whether this is not the beginning of the part.
    pub continues: bool,
    /// Where it stands.
    pub place: Place,
}

/// Tokenises the parts and cuts them to pieces of at most `limit` tokens.
pub(super) fn pieces(
    document: &Document,
    parts: &[Part],
    sections: &Sections,
    limit: usize,
    tokenize: &dyn Fn(&str) -> Result<Tokens>,
) -> Result<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(parts.len());
    let mut headings = 0; // the weight of those that stand directly before
    for (index, part) in parts.iter().enumerate() {
        let end = parts
            .get(index + 1)
            .map_or(part.span.end, |next| next.span.start);
        let mut cutter = Cutter {
            document,
            part,
            index,
            place: sections.place(index),
            limit,
            // Headings share a chunk with the beginning of what they name.
            room: limit - if headings * 2 <= limit { headings } else { 0 },
            end,
            atoms: Vec::new(),
            ids: Vec::new(),
            begun: false,
            pieces: &mut pieces,
        };
        cutter.run(tokenize)?;
        headings = match (part.kind, pieces.last()) {
            (BlockKind::Heading(_), Some(piece)) => headings + piece.weight,
            _ => 0,
        };
    }
    Ok(pieces)
}

/// Tokens between which no cut is possible, as a rule a single one.
#[derive(Debug, Clone, Copy)]
struct Atom {
    /// Where its first token begins. It extends to the next atom.
    start: usize,
    /// Where its last token ends.
    end: usize,
    tokens: usize,
    weight: usize,
    /// How good a cut ahead of it is.
    level: Level,
}

/// Cuts one part while its tokens come in.
struct Cutter<'a> {
    document: &'a Document,
    part: &'a Part,
    index: usize,
    place: Place,
    /// How many tokens fit in a chunk.
    limit: usize,
    /// How many tokens a piece should have at most.
    room: usize,
    /// Where the next part begins.
    end: usize,
    atoms: Vec<Atom>,
    ids: Vec<u32>,
    begun: bool,
    pieces: &'a mut Vec<Piece>,
}

impl Cutter<'_> {
    fn run(&mut self, tokenize: &dyn Fn(&str) -> Result<Tokens>) -> Result<()> {
        let text = self.document.text.as_str();
        let span = self.part.span.clone();
        let span = span.start..span.end + blanks(&text[span.end..self.end]);
        let windows = windows(text, span);
        let last = windows.len().saturating_sub(1);
        for (number, window) in windows.into_iter().enumerate() {
            let words = &text[window.clone()];
            if words.trim_start().is_empty() {
                continue;
            }
            let known = self.atoms.len();
            self.read(window.clone(), tokenize(words)?)?;
            if last > 0 || self.weight() > self.room {
                self.grade(known, window);
            }
            if number < last {
                self.cut(4 * self.room);
            }
        }
        self.cut(self.room);
        self.emit(self.atoms.len());
        Ok(())
    }

    fn weight(&self) -> usize {
        self.atoms.iter().map(|atom| atom.weight).sum()
    }

    /// Takes in the tokens of a window.
    fn read(&mut self, window: Range<usize>, tokens: Tokens) -> Result<(), ChunkError> {
        let text = self.document.text.as_str();
        let known = self.atoms.len();
        let mut reached = window.start;
        for &(start, end) in &tokens.offsets {
            let start = window.start.saturating_add(start);
            let end = window.start.saturating_add(end);
            let first = self.atoms.len() == known;
            let apart = start >= reached && start < window.end && text.is_char_boundary(start);
            match self.atoms.last_mut() {
                Some(atom) if !(first || apart && start > atom.start) => {
                    atom.tokens += 1;
                    atom.end = atom.end.max(end).min(window.end);
                }
                _ => self.atoms.push(Atom {
                    start: if first { window.start } else { start },
                    end: end.clamp(window.start, window.end),
                    tokens: 1,
                    weight: 0,
                    level: 0,
                }),
            }
            reached = reached.max(end);
        }
        if self.atoms.len() == known {
            // Nothing that the tokenizer knows, and still a part of the text.
            self.atoms.push(Atom {
                start: window.start,
                end: window.end,
                tokens: 0,
                weight: 0,
                level: 0,
            });
        }
        self.ids.extend(tokens.ids);
        self.weigh(known, window.end)
    }

    fn weigh(&mut self, from: usize, end: usize) -> Result<(), ChunkError> {
        let mut next = end;
        for atom in self.atoms[from..].iter_mut().rev() {
            if atom.tokens > self.limit {
                return Err(ChunkError::Indivisible {
                    document: self.document.id.clone(),
                    at: atom.start,
                    tokens: atom.tokens,
                    limit: self.limit,
                });
            }
            let bytes = (next - atom.start).div_ceil(TOKEN_BYTES);
            atom.weight = atom.tokens.max(bytes.min(self.room));
            next = atom.start;
        }
        Ok(())
    }

    /// Finds how good the cuts ahead of the atoms of a window are.
    fn grade(&mut self, from: usize, window: Range<usize>) {
        let base = window.start;
        let starts = self.atoms[from..].iter().map(|atom| atom.start - base);
        let ends = self.atoms[from..].iter().map(|atom| atom.end - base);
        let gaps: Vec<_> = [0].into_iter().chain(ends).zip(starts).collect();
        let text = &self.document.text[window];
        let levels = breaks::levels(text, self.part.kind, &gaps);
        for (atom, level) in self.atoms[from..].iter_mut().zip(levels) {
            atom.level = level;
        }
    }

    /// Cuts until no more than `most` is left.
    fn cut(&mut self, most: usize) {
        let mut left = self.weight();
        let mut from = 0;
        let mut cuts = Vec::new();
        while left > most {
            let to = from + best_cut(&self.atoms[from..], left, self.room);
            left -= self.atoms[from..to]
                .iter()
                .map(|atom| atom.weight)
                .sum::<usize>();
            cuts.push(to - from);
            from = to;
        }
        for count in cuts {
            self.emit(count);
        }
    }

    /// Makes a piece of the first atoms.
    fn emit(&mut self, count: usize) {
        let Some(first) = self.atoms.first() else {
            return;
        };
        let start = first.start;
        let end = self
            .atoms
            .get(count)
            .map_or(self.part.span.end, |next| next.start);
        let tokens: usize = self.atoms[..count].iter().map(|atom| atom.tokens).sum();
        let weight = self.atoms[..count]
            .iter()
            .map(|atom| atom.weight)
            .sum::<usize>();
        let span = trim(&self.document.text, start..end.max(start));
        let ids: Vec<u32> = self.ids.drain(..tokens).collect();
        self.atoms.drain(..count);
        if span.is_empty() {
            return; // Blanks, which some tokenizers make tokens of.
        }
        let opens = self.part.opens.is_some() && !self.begun;
        self.pieces.push(Piece {
            span,
            ids,
            weight: weight.min(self.limit),
            part: self.index,
            kind: self.part.kind,
            opens,
            continues: self.begun,
            place: if self.begun {
                self.place.inside()
            } else {
                self.place
            },
        });
        self.begun = true;
    }
}

/// How many atoms to cut off: at the best place that leaves at least half a piece, and among equals at
/// the one that makes the cuts most even.
fn best_cut(atoms: &[Atom], left: usize, limit: usize) -> usize {
    let goal = goal(left, limit);
    let mut best = (1, (false, 0, Reverse(usize::MAX)));
    let mut size = 0;
    for (count, atom) in atoms.iter().enumerate() {
        if size > limit {
            break;
        }
        let enough = size * 2 >= goal;
        let level = if enough { atom.level } else { 0 };
        let key = (enough, level, Reverse(size.abs_diff(goal)));
        if count > 0 && key > best.1 {
            best = (count, key);
        }
        size += atom.weight;
    }
    best.0
}

/// How many bytes of blanks follow a part directly, few of them at most.
fn blanks(gap: &str) -> usize {
    let few = gap
        .char_indices()
        .take(BLANKS)
        .take_while(|(_, c)| c.is_whitespace());
    few.last().map_or(0, |(at, c)| at + c.len_utf8())
}

/// Splits a span into stretches of at most [`WINDOW`] bytes: ahead of a blank if there is one, else
/// after a mark of punctuation, else between any two characters.
fn windows(text: &str, span: Range<usize>) -> Vec<Range<usize>> {
    let mut windows = Vec::new();
    let mut start = span.start;
    while span.end - start > WINDOW {
        let full = text.floor_char_boundary(start + WINDOW);
        let half = text.floor_char_boundary(start + WINDOW / 2);
        let later = &text[half..full];
        let blank = later.rfind(char::is_whitespace);
        let mark = || {
            let marks = |c: char| c.is_ascii_punctuation() || "。、，；：！？」）".contains(c);
            let at = later.rfind(marks)?;
            Some(at + later[at..].chars().next().map_or(0, char::len_utf8))
        };
        let end = blank.or_else(mark).map_or(full, |at| half + at);
        windows.push(start..end);
        start = end;
    }
    windows.push(start..span.end);
    windows
}
