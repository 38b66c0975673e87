//! Which neighbouring pieces share a chunk.
//!
//! A section is a chunk of its own where it fits, and several of about the same size where it does not.
//! Small ones are joined: with the neighbour that has more headings in common, else with the next.

use std::ops::Range;

use super::pieces::Piece;
use super::sections::{Section, Sections};
use crate::document::BlockKind;

/// The pieces of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Which pieces.
    pub pieces: Range<usize>,
    /// The section whose title the chunk bears.
    pub context: Section,
    weight: usize,
}

/// Groups the pieces into chunks of at most `limit` tokens, and none below `small` that can be joined.
pub(super) fn pack(
    text: &str,
    pieces: &[Piece],
    sections: &Sections,
    limit: usize,
    small: usize,
) -> Vec<Group> {
    let packer = Packer {
        text,
        pieces,
        sections,
        limit,
        small,
    };
    let mut groups = Vec::new();
    for run in packer.runs() {
        packer.split(run, &mut groups);
    }
    packer.join(groups)
}

struct Packer<'a> {
    text: &'a str,
    pieces: &'a [Piece],
    sections: &'a Sections,
    limit: usize,
    small: usize,
}

impl Packer<'_> {
    fn weight(&self, pieces: Range<usize>) -> usize {
        self.pieces[pieces].iter().map(|piece| piece.weight).sum()
    }

    /// Neighbours in the same section; headings with nothing below them go with the next.
    fn runs(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        let mut only_headings = false; // in the last run
        while at < self.pieces.len() {
            let end = self.whole_definition(at).unwrap_or(at + 1);
            let heading = matches!(self.pieces[at].kind, BlockKind::Heading(_));
            match runs.last_mut() {
                Some(run) if only_headings || self.same_section(run.end - 1, at) => {
                    run.end = end;
                    only_headings &= heading;
                }
                _ => {
                    runs.push(at..end);
                    only_headings = heading;
                }
            }
            at = end;
        }
        runs
    }

    fn same_section(&self, one: usize, other: usize) -> bool {
        self.pieces[one].place.section == self.pieces[other].place.section
    }

    /// The end of the definition in a source file that begins with a piece, with all that it holds, if
    /// it fits in a chunk.
    fn whole_definition(&self, at: usize) -> Option<usize> {
        let piece = &self.pieces[at];
        if !piece.opens || piece.kind != BlockKind::Code {
            return None;
        }
        let mut weight = 0;
        for (end, inner) in self.pieces.iter().enumerate().skip(at) {
            if end > at
                && !self
                    .sections
                    .is_in(inner.place.section, piece.place.section)
            {
                return Some(end);
            }
            weight += inner.weight;
            if weight > self.limit {
                return None;
            }
        }
        Some(self.pieces.len())
    }

    /// Splits a run into groups that fit, of about the same size.
    fn split(&self, run: Range<usize>, groups: &mut Vec<Group>) {
        let mut left = self.weight(run.clone());
        let mut start = run.start;
        while left > self.limit {
            let end = self.best_end(start..run.end, left);
            let group = self.group(start..end);
            left -= group.weight;
            groups.push(group);
            start = end;
        }
        if start < run.end {
            groups.push(self.group(start..run.end));
        }
    }

    /// Where to end the first group of a run whose pieces weigh `left`.
    fn best_end(&self, run: Range<usize>, left: usize) -> usize {
        let goal = goal(left, self.limit) as f32;
        let mut best = (f32::INFINITY, run.start + 1);
        let mut size = 0;
        for at in run.start..run.end - 1 {
            size += self.pieces[at].weight;
            if size > self.limit {
                break;
            }
            let cost = (size as f32 - goal).abs() / goal + self.reluctance(at);
            if cost < best.0 {
                best = (cost, at + 1);
            }
        }
        best.1
    }

    /// How bad it is to end a chunk after a piece, in parts of a chunk's size that one would rather miss
    /// or exceed. Judged by eye on books and manuals.
    fn reluctance(&self, at: usize) -> f32 {
        let (piece, next) = (&self.pieces[at], &self.pieces[at + 1]);
        let announces = self.text[piece.span.clone()].ends_with([':', '：']);
        match (piece.kind, next.kind) {
            (BlockKind::Heading(_), _) => 3.0,
            _ if next.continues => 0.4,
            _ if announces => 0.5,
            (_, BlockKind::Heading(_)) => -0.3,
            (BlockKind::ListItem, BlockKind::ListItem) => 0.1,
            (BlockKind::TableRow, BlockKind::TableRow) => 0.1,
            (_, BlockKind::ListItem) => 0.3,
            (BlockKind::Paragraph, BlockKind::Code) => 0.2,
            _ => 0.0,
        }
    }

    fn group(&self, pieces: Range<usize>) -> Group {
        let places = self.pieces[pieces.clone()]
            .iter()
            .map(|piece| piece.place.context);
        let context = places.reduce(|one, other| self.sections.common(one, other));
        Group {
            context: context.unwrap_or(0),
            weight: self.weight(pieces.clone()),
            pieces,
        }
    }

    /// Joins small groups with a neighbour.
    fn join(&self, groups: Vec<Group>) -> Vec<Group> {
        let mut joined: Vec<Group> = Vec::with_capacity(groups.len());
        let mut groups = groups.into_iter().peekable();
        while let Some(group) = groups.next() {
            match joined.last_mut() {
                Some(last) if self.belong(last, &group, groups.peek()) => {
                    last.pieces.end = group.pieces.end;
                    last.context = self.sections.common(last.context, group.context);
                    last.weight += group.weight;
                }
                _ => joined.push(group),
            }
        }
        joined
    }

    fn belong(&self, last: &Group, group: &Group, next: Option<&Group>) -> bool {
        let fits = |one: &Group, other: &Group| one.weight + other.weight <= self.limit;
        let rather = || {
            next.is_none_or(|next| {
                !fits(group, next) || self.kinship(last, group) > self.kinship(group, next)
            })
        };
        fits(last, group) && (last.weight < self.small || (group.weight < self.small && rather()))
    }

    /// How many headings two neighbours have in common.
    fn kinship(&self, one: &Group, other: &Group) -> usize {
        let last = &self.pieces[one.pieces.end - 1];
        let common = self.sections.common(last.place.section, other.context);
        self.sections.depth(common)
    }
}

/// The size of chunks that something of size `left` is best cut to: equal ones, with some room for
/// ending each where it suits.
pub(super) fn goal(left: usize, limit: usize) -> usize {
    let roomy = (limit - limit / 8).max(1);
    left.div_ceil(left.div_ceil(roomy).max(1))
}
