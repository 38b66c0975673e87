//! The semantic leg: the documents whose best passage is closest to the query.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::index::graphs::SegmentGraph;
use crate::index::snapshot::{DocumentAddress, Segment, Snapshot};
use crate::vector::graph::search;
use crate::vector::kernels::{self, Kernels};
use crate::vector::quantise::Query;
use crate::vector::scan::{self, ABSENT};

use super::eligible::Eligible;
use super::request::Vectors;

/// A walk that finds too few documents is repeated, so many times as broad.
const BROADER: usize = 4;
/// A walk costs about as much as a scan of so many times its breadth, with a filter and without: where no more
/// rows are allowed, they are scanned. `engine/docs/design.md` tells how this was measured.
const WORTH: usize = 64;
/// The same where the graph was asked for: as far as a walk makes sense at all.
const WORTH_IF_ASKED: usize = 4;
/// Where fewer than one in so many rows are allowed, they are scanned: a walk keeps 16 times its breadth at
/// most, and would have to be repeated.
const NARROW: u64 = 10;

/// How much of the vectors is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Breadth {
    pub vectors: Vectors,
    /// Each graph is asked for so many documents, whatever will be shown.
    pub effort: usize,
    /// So many will be shown.
    pub count: usize,
    /// The first so many must not depend on `count`.
    pub firm: usize,
}

/// Cosines of a query with the rows of a snapshot.
pub struct SemanticScores {
    query: Query,
    kernels: Kernels,
    /// The score of the last document that must stay where it is, if there was a broader walk.
    border: Option<f32>,
    /// For each segment, what was found in it.
    segments: Vec<Compared>,
    /// Rows compared so far.
    pub rows_compared: u64,
}

/// How a segment was searched, and what was found.
enum Compared {
    /// Rough scores of all rows.
    Scanned(Vec<f32>),
    /// Rough scores of the documents that the graph led to.
    Walked {
        found: Vec<(u32, f32)>,
        /// Where more are wanted than the graph is asked for by itself: what it leads to then.
        further: Vec<(u32, f32)>,
    },
}

/// A document with the cosine of its best row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub address: DocumentAddress,
    pub score: f32,
}

impl SemanticScores {
    /// Compares `vector`, of unit length, with the rows of allowed documents: in each segment with all of
    /// them, or with those that the graph leads to.
    pub fn compute(
        snapshot: &Snapshot,
        vector: &[f32],
        eligible: &Eligible,
        breadth: Breadth,
    ) -> Self {
        let query = Query::new(vector);
        let search = |place: usize| SegmentSearch {
            query: &query,
            place,
            segment: &snapshot.segments()[place],
            eligible,
            vectors: breadth.vectors,
        };
        let mut compared = 0;
        let places = 0..snapshot.segments().len();
        let walks =
            places.map(|place| search(place).compare_by_walk(breadth.effort, &mut compared));
        let mut segments: Vec<Option<Compared>> = walks.collect();
        // Walks take microseconds, scans are worth a thread.
        let left = segments.iter_mut().enumerate();
        let left = left.filter(|(_, segment)| segment.is_none());
        let scan = |(place, segment): (usize, &mut Option<Compared>)| {
            let (scores, compared) = search(place).scan();
            *segment = Some(Compared::Scanned(scores));
            compared
        };
        let left: Vec<_> = left.collect();
        let rows = left
            .iter()
            .map(|(place, _)| snapshot.segments()[*place].column.rows());
        compared += match rows.sum::<u32>() as usize > scan::TASK_ROWS {
            true => left.into_par_iter().map(scan).sum::<u64>(),
            false => left.into_iter().map(scan).sum(),
        };
        let mut scores = SemanticScores {
            segments: segments.into_iter().flatten().collect(),
            query: query.clone(),
            kernels: kernels::best(),
            border: None,
            rows_compared: 0,
        };
        if breadth.count > breadth.effort {
            scores.border = scores.border(snapshot, breadth.firm);
        }
        if let Some(border) = scores.border {
            for (place, segment) in scores.segments.iter_mut().enumerate() {
                if let Compared::Walked { further, .. } = segment {
                    *further = search(place).further(breadth.count, border, &mut compared);
                }
            }
        }
        scores.rows_compared = compared;
        scores
    }

    /// How the segments were searched: "exact", "graph", or "exact+graph" where they differ.
    pub fn plan(&self) -> &'static str {
        let walked = |segment: &Compared| matches!(segment, Compared::Walked { .. });
        match self.segments.iter().filter(|s| walked(s)).count() {
            0 => "exact",
            count if count == self.segments.len() => "graph",
            _ => "exact+graph",
        }
    }

    /// The documents whose best row is closest to the query: the best `depth` and what is so close that
    /// rough scores cannot tell, in no order, with exact scores. Where a segment was scanned none of the
    /// best is missing.
    pub fn best(&self, snapshot: &Snapshot, depth: usize) -> Vec<Scored> {
        let mut found = self.nearest(snapshot, depth, |found, _| found);
        if let Some(border) = self.border {
            // What a broader walk finds above the border is left out: it would change the first hits.
            found.retain(|scored| scored.score >= border);
            let mut further = self.nearest(snapshot, usize::MAX, |_, further| further);
            further.retain(|scored| scored.score < border);
            found.append(&mut further);
        }
        found
    }

    /// The score of the last of the `firm` best; `None` if there are not so many documents.
    fn border(&self, snapshot: &Snapshot, firm: usize) -> Option<f32> {
        let mut found = self.nearest(snapshot, firm, |found, _| found);
        if firm == 0 || found.len() < firm {
            return None;
        }
        let by_score = |a: &Scored, b: &Scored| b.score.total_cmp(&a.score);
        Some(found.select_nth_unstable_by(firm - 1, by_score).1.score)
    }

    /// The best of the scanned segments and of one of the two findings of the others.
    fn nearest<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        depth: usize,
        of_walk: impl Fn(&'a [(u32, f32)], &'a [(u32, f32)]) -> &'a [(u32, f32)],
    ) -> Vec<Scored> {
        let segments = snapshot.segments().iter();
        let bounds = segments.map(|segment| segment.column.error_bound(&self.query));
        let mut best = Best {
            depth,
            slack: 2.0 * bounds.fold(0.0, f32::max),
            floor: ABSENT,
            found: Vec::new(),
        };
        for (place, segment) in (0u32..).zip(snapshot.segments().iter()) {
            match &self.segments[place as usize] {
                Compared::Scanned(rough) => best.add_scanned(place, segment, rough),
                Compared::Walked { found, further } => {
                    for &(document, score) in of_walk(found, further) {
                        best.add(place, document, score);
                    }
                }
            }
        }
        best.cut();
        let mut found = best.found;
        for scored in &mut found {
            let segment = &snapshot.segments()[scored.address.segment as usize];
            scored.score = self.document(segment, scored.address).unwrap_or(ABSENT);
        }
        found
    }

    /// The exact cosine of a document's best row; `None` if it has no vector.
    pub fn document(&self, segment: &Segment, address: DocumentAddress) -> Option<f32> {
        let rows = segment.documents.rows(address.document);
        let exact = |row| segment.column.exact(&self.query, &self.kernels, row);
        if rows.len() == 1 {
            return (segment.column.scale(rows.start) > 0.0).then(|| exact(rows.start));
        }
        let rough = self.rough_rows(segment, address);
        let best = rough.iter().copied().fold(ABSENT, f32::max);
        let floor = best - 2.0 * segment.column.error_bound(&self.query);
        rows.zip(rough.iter())
            .filter(|(_, rough)| **rough != ABSENT && **rough >= floor)
            .map(|(row, _)| exact(row))
            .max_by(f32::total_cmp)
    }

    /// The exact cosines of a document's rows, in order; 0 for a row without a vector.
    pub fn rows(&self, segment: &Segment, address: DocumentAddress) -> Vec<f32> {
        let rows = segment.documents.rows(address.document);
        rows.map(|row| segment.column.exact(&self.query, &self.kernels, row))
            .collect()
    }

    fn rough_rows(&self, segment: &Segment, address: DocumentAddress) -> Cow<'_, [f32]> {
        let rows = segment.documents.rows(address.document);
        match &self.segments[address.segment as usize] {
            Compared::Scanned(rough) => {
                Cow::Borrowed(&rough[rows.start as usize..rows.end as usize])
            }
            Compared::Walked { .. } => {
                let score = |row| match segment.column.scale(row) {
                    0.0 => ABSENT,
                    _ => segment.column.approximate(&self.query, &self.kernels, row),
                };
                Cow::Owned(rows.map(score).collect())
            }
        }
    }
}

/// The best documents so far, by rough scores: `depth` of them and those that may be as good.
struct Best {
    depth: usize,
    /// How far rough scores of two documents may differ and their order be the other one.
    slack: f32,
    /// Below this nothing is among the best.
    floor: f32,
    found: Vec<Scored>,
}

impl Best {
    fn add(&mut self, segment: u32, document: u32, score: f32) {
        if score < self.floor || score == ABSENT {
            return;
        }
        let address = DocumentAddress { segment, document };
        self.found.push(Scored { address, score });
        // Rarely, and the oftener the fewer are wanted.
        if self.found.len() / 2 > self.depth.max(32) {
            self.cut();
        }
    }

    /// Adds the documents of a scanned segment with the score of their best row.
    fn add_scanned(&mut self, place: u32, segment: &Segment, rough: &[f32]) {
        const BLOCK: usize = 64;
        let (mut document, mut score) = (0, ABSENT);
        for (first, scores) in (0u32..).step_by(BLOCK).zip(rough.chunks(BLOCK)) {
            // Most blocks hold nothing of interest.
            let floor = self.floor.max(f32::MIN);
            if !scores
                .iter()
                .fold(false, |any, score| any | (*score >= floor))
            {
                continue;
            }
            for (row, &row_score) in (first..).zip(scores).filter(|(_, score)| **score >= floor) {
                let Some(next) = segment.documents.of_row(row) else {
                    continue;
                };
                if next != document {
                    self.add(place, document, score);
                    (document, score) = (next, ABSENT);
                }
                score = score.max(row_score);
            }
        }
        self.add(place, document, score);
    }

    fn cut(&mut self) {
        if self.found.len() <= self.depth || self.depth == 0 {
            return;
        }
        let by_score = |a: &Scored, b: &Scored| b.score.total_cmp(&a.score);
        let (_, last, _) = self.found.select_nth_unstable_by(self.depth - 1, by_score);
        self.floor = last.score - self.slack;
        self.found.retain(|scored| scored.score >= self.floor);
    }
}

/// One segment, to be searched.
struct SegmentSearch<'a> {
    query: &'a Query,
    place: usize,
    segment: &'a Segment,
    eligible: &'a Eligible,
    vectors: Vectors,
}

impl SegmentSearch<'_> {
    fn allows(&self, row: u32) -> bool {
        let document = self.segment.documents.of_row(row);
        document.is_some_and(|document| self.eligible.allows(self.place, document))
    }

    /// What the graph leads to; `None` where a scan must do.
    fn compare_by_walk(&self, effort: usize, rows_compared: &mut u64) -> Option<Compared> {
        let found = self.walk(effort, f32::INFINITY, rows_compared)?;
        let further = Vec::new();
        Some(Compared::Walked { found, further })
    }

    /// `count` documents that score less than `border`, or all there are, and what is found besides.
    fn further(&self, count: usize, border: f32, rows_compared: &mut u64) -> Vec<(u32, f32)> {
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
    fn scan(&self) -> (Vec<f32>, u64) {
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
        let mut breadth = depth.min(rows);
        let is_worth = |breadth: usize| match self.vectors {
            Vectors::Exact => false,
            Vectors::Auto => {
                let enough = breadth.saturating_mul(WORTH) as u64 <= allowed;
                enough && allowed * NARROW >= rows as u64
            }
            Vectors::Graph => {
                breadth == depth.min(rows) || breadth.saturating_mul(WORTH_IF_ASKED) <= rows
            }
        };
        while is_worth(breadth) {
            let (column, query) = (&self.segment.column, self.query);
            let found = match self.allows_all() {
                true => search::walk(graph, column, query, breadth, &|_| true),
                false => search::walk(graph, column, query, breadth, &|row| self.allows(row)),
            };
            *rows_compared += found.compared;
            let found = self.documents(found.rows.into_iter());
            if found.iter().filter(|(_, score)| *score < below).count() >= wanted {
                return Some(found);
            }
            breadth *= BROADER;
        }
        None
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
