//! Writing the chunks: text, title, lines and page of each group of pieces.

use super::outline::Part;
use super::pack::Group;
use super::pieces::Piece;
use super::sections::Titles;
use super::{Chunk, Chunked};

/// The chunks of groups of pieces, which follow each other without a gap.
pub(super) fn assemble(
    text: &str,
    parts: &[Part],
    pieces: Vec<Piece>,
    groups: &[Group],
    titles: &Titles,
) -> Chunked {
    let mut lines = Lines::new(text);
    let mut pieces = pieces.into_iter();
    let mut done = Chunked::default();
    let mut end = 0;
    for group in groups {
        let title = titles.of(group.context);
        let mut input = title.ids.clone();
        let mut page = None;
        let mut start = None;
        for piece in pieces.by_ref().take(group.pieces.len()) {
            start.get_or_insert_with(|| {
                page = parts[piece.part].page;
                line_start(text, end, piece.span.start)
            });
            end = piece.span.end;
            input.extend(piece.ids);
        }
        let Some(start) = start else { continue };
        let tokens = input.len() - title.ids.len();
        done.tokens += tokens as u64;
        done.chunks.push(Chunk {
            ordinal: done.chunks.len() as u32,
            title: title.text.clone(),
            text: text[start..end].to_owned(),
            bytes: start..end,
            lines: (lines.at(start), lines.at(end.saturating_sub(1))),
            page,
            tokens: tokens as u32,
            input,
        });
    }
    done
}

/// Where the line of a place begins if only blanks stand between, else the place: so that code keeps
/// its shape. Never before `floor`.
fn line_start(text: &str, floor: usize, place: usize) -> usize {
    let before = text[floor..place].trim_end_matches([' ', '\t']);
    let start = floor + before.len();
    if start == 0 || text[..start].ends_with('\n') {
        start
    } else {
        place
    }
}

/// Counts lines on the way through a text.
struct Lines<'a> {
    text: &'a [u8],
    place: usize,
    line: u32,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Lines {
            text: text.as_bytes(),
            place: 0,
            line: 1,
        }
    }

    /// The line of a place that does not lie before the last one asked for.
    fn at(&mut self, place: usize) -> u32 {
        let passed = self.text.get(self.place..place).unwrap_or_default();
        let breaks = passed.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(breaks as u32);
        self.place = self.place.max(place);
        self.line
    }
}
