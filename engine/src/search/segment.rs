//! One segment, compared with a query: by a walk along its graph or by a scan.

use crate::index::graphs::SegmentGraph;
use crate::index::snapshot::Segment;
use crate::vector::graph::search;
use crate::vector::quantise::Query;
use crate::vector::scan::{self, ABSENT};

use super::eligible::Eligible;
use super::request::Vectors;

/// A walk that found too few documents goes on, so many times as broad.
const GROWTH: usize = 2;
/// A walk costs about as much as a scan of so many times its breadth, with a filter and without: where no more
/// rows are allowed, they are scanned. `engine/docs/design.md` tells how this was measured.
const WORTH: usize = 64;
/// The same where the graph was asked for: as far as a walk makes sense at all.
const WORTH_IF_ASKED: usize = 4;
/// Where fewer than one in so many rows are allowed, they are scanned: a walk keeps 16 times its breadth at
/// most, and would have to go on for long.
const NARROW: u64 = 10;

/// How a segment was searched, and what was found.
pub enum Compared {
    /// Rough scores of all rows.
    Scanned(Vec<f32>),
    /// Rough scores of the documents that the graph led to: by the first walk, and by each broader one.
    Walked(Vec<Vec<(u32, f32)>>),
}

impl Compared {
    pub fn is_walked(&self) -> bool {
        matches!(self, Compared::Walked(_))
    }
}

/// One segment, to be searched.
pub struct SegmentSearch<'a> {
    pub query: &'a Query,
    pub place: usize,
    pub segment: &'a Segment,
    pub eligible: &'a Eligible,
    pub vectors: Vectors,
}

impl SegmentSearch<'_> {
    fn allows(&self, row: u32) -> bool {
        let document = self.segment.documents.of_row(row);
        document.is_some_and(|document| self.eligible.allows(self.place, document))
    }

    /// What the graph leads to; `None` where a scan must do.
    pub fn compare_by_walk(&self, effort: usize, rows_compared: &mut u64) -> Option<Compared> {
        let found = self.walk(effort, f32::INFINITY, rows_compared)?;
        Some(Compared::Walked(vec![found]))
    }

    /// `count` documents that score less than `border`, or all there are, and what is found besides.
    pub fn further(&self, count: usize, border: f32, rows_compared: &mut u64) -> Vec<(u32, f32)> {
        let below = border - self.segment.column.error_bound(self.query);
        let walked = self.walk(count, below, rows_compared);
        walked.unwrap_or_else(|| {
            let (scores, compared) = self.scan();
            *rows_compared += compared;
            let rough = (0u32..).zip(scores);
            self.documents(rough.map(|(row, score)| (score, row)))
        })
    }

    /// Rough scores of all rows, and how many rows were compared.
    pub fn scan(&self) -> (Vec<f32>, u64) {
        let column = &self.segment.column;
        let scores = match self.allows_all() {
            true => scan::approximate(column, self.query, &|_| true),
            false => scan::approximate(column, self.query, &|row| self.allows(row)),
        };
        let compared = scores.iter().filter(|score| **score != ABSENT);
        let compared = compared.count() as u64;
        (scores, compared)
    }

    /// Whether every row may be found.
    fn allows_all(&self) -> bool {
        self.eligible.is_everything() && !self.segment.reader.has_deletes()
    }

    /// Asks the graph for `depth` documents that score less than `below`. `None` where a scan must do: there
    /// is no graph, the filter leaves little to scan, or so many rows are of the same documents that a scan
    /// is quicker.
    fn walk(&self, depth: usize, below: f32, rows_compared: &mut u64) -> Option<Vec<(u32, f32)>> {
        let SegmentGraph::Sound(graph) = &self.segment.graph else {
            return None;
        };
        let rows = self.segment.column.rows() as usize;
        let (documents, allowed) = self.eligible.count_in(self.place, self.segment);
        let wanted = depth.min(documents);
        let first = depth.min(rows);
        let mut breadth = first;
        let is_worth = |breadth: usize| match self.vectors {
            Vectors::Exact => false,
            Vectors::Auto => {
                let enough = breadth.saturating_mul(WORTH) as u64 <= allowed;
                enough && allowed * NARROW >= rows as u64
            }
            Vectors::Graph => breadth == first || breadth.saturating_mul(WORTH_IF_ASKED) <= rows,
        };
        if !is_worth(breadth) {
            return None;
        }
        let mut enough = None;
        let broader = |rows: &[(f32, u32)]| {
            let found = self.documents(rows.iter().copied());
            if found.iter().filter(|(_, score)| *score < below).count() >= wanted {
                enough = Some(found);
                return None;
            }
            breadth *= GROWTH;
            is_worth(breadth).then_some(breadth)
        };
        let (column, query) = (&self.segment.column, self.query);
        let found = match self.allows_all() {
            true => search::walk_on(graph, column, query, first, &|_| true, broader),
            false => {
                let allows = |row| self.allows(row);
                search::walk_on(graph, column, query, first, &allows, broader)
            }
        };
        *rows_compared += found.compared;
        enough
    }

    /// The documents of some rows with the score of their best.
    fn documents(&self, rows: impl Iterator<Item = (f32, u32)>) -> Vec<(u32, f32)> {
        let rows = rows.filter(|(score, _)| *score != ABSENT);
        let of_row = |(score, row)| Some((self.segment.documents.of_row(row)?, score));
        let mut found: Vec<(u32, f32)> = rows.filter_map(of_row).collect();
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        found.dedup_by_key(|(document, _)| *document);
        found
    }
}
