//! The semantic leg: the documents whose best passage is closest to the query.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::index::graphs::SegmentGraph;
use crate::index::snapshot::{DocumentAddress, Segment, Snapshot};
use crate::vector::graph::search;
use crate::vector::kernels::{self, Kernels};
use crate::vector::quantise::Query;
use crate::vector::scan::{self, ABSENT};

use super::best::{Best, Scored};
use super::eligible::Eligible;
use super::request::Vectors;

/// A walk that finds too few documents is repeated, so many times as broad; and so is one of which more are wanted.
pub const BROADER: usize = 4;
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
    /// Each graph is asked for so many documents, whatever will be shown. Where more will be shown it is asked again
    /// for [`BROADER`] times as many, and so on: never for a number that depends on what will be shown.
    pub effort: usize,
    /// So many will be shown.
    pub count: usize,
}

/// Cosines of a query with the rows of a snapshot.
pub struct SemanticScores {
    query: Query,
    kernels: Kernels,
    /// What the first walks were asked for.
    effort: usize,
    /// The score down to which the first walks count, then that of the next broader ones, and so on: what they find above
    /// is left out, so that what comes first is the same however much is wanted.
    borders: Vec<f32>,
    /// For each segment, what was found in it.
    segments: Vec<Compared>,
    /// Rows compared so far.
    pub rows_compared: u64,
}

/// How a segment was searched, and what was found.
enum Compared {
    /// Rough scores of all rows.
    Scanned(Vec<f32>),
    /// Rough scores of the documents that the graph led to: by the first walk, and by each broader one.
    Walked(Vec<Vec<(u32, f32)>>),
}

impl Compared {
    fn is_walked(&self) -> bool {
        matches!(self, Compared::Walked(_))
    }
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
            effort: breadth.effort,
            borders: Vec::new(),
            rows_compared: 0,
        };
        let mut reach = breadth.effort;
        while breadth.count > reach
            && scores.is_walked()
            && let Some(border) = scores.border(snapshot, reach)
        {
            reach = reach.saturating_mul(BROADER);
            for (place, segment) in scores.segments.iter_mut().enumerate() {
                if let Compared::Walked(walks) = segment {
                    walks.push(search(place).further(reach, border, &mut compared));
                }
            }
            scores.borders.push(border);
        }
        scores.rows_compared = compared;
        scores
    }

    /// How the segments were searched: "exact", "graph", or "exact+graph" where they differ.
    pub fn plan(&self) -> &'static str {
        match self.segments.iter().filter(|s| s.is_walked()).count() {
            0 => "exact",
            count if count == self.segments.len() => "graph",
            _ => "exact+graph",
        }
    }

    /// How many documents the first walks were asked for; `None` where every segment was scanned.
    pub fn reach(&self) -> Option<usize> {
        self.is_walked().then_some(self.effort)
    }

    fn is_walked(&self) -> bool {
        self.segments.iter().any(Compared::is_walked)
    }

    /// The documents whose best row is closest to the query: the best `depth` and what is so close that
    /// rough scores cannot tell, in no order, with exact scores. Where a segment was scanned none of the
    /// best is missing; where it was walked, only the first walk and `broader` others count.
    pub fn best(&self, snapshot: &Snapshot, depth: usize, broader: usize) -> Vec<Scored> {
        let mut found = self.nearest(snapshot, depth, 0);
        for (walk, border) in (1..).zip(self.borders.iter().take(broader)) {
            found.retain(|scored| scored.score >= *border);
            let mut further = self.nearest(snapshot, usize::MAX, walk);
            further.retain(|scored| scored.score < *border);
            found.append(&mut further);
        }
        found
    }

    /// The score of the last of the `reach` best; `None` if there are not so many documents.
    fn border(&self, snapshot: &Snapshot, reach: usize) -> Option<f32> {
        let mut found = self.best(snapshot, reach, self.borders.len());
        if found.len() < reach {
            return None;
        }
        let by_score = |a: &Scored, b: &Scored| b.score.total_cmp(&a.score);
        Some(found.select_nth_unstable_by(reach - 1, by_score).1.score)
    }

    /// The best of the scanned segments and of one of the walks through the others.
    fn nearest(&self, snapshot: &Snapshot, depth: usize, walk: usize) -> Vec<Scored> {
        let segments = snapshot.segments().iter();
        let bounds = segments.map(|segment| segment.column.error_bound(&self.query));
        let mut best = Best::new(depth, bounds.fold(0.0, f32::max));
        for (place, segment) in (0u32..).zip(snapshot.segments().iter()) {
            match &self.segments[place as usize] {
                Compared::Scanned(rough) => best.add_scanned(place, segment, rough),
                Compared::Walked(walks) => {
                    for &(document, score) in &walks[walk] {
                        best.add(place, document, score);
                    }
                }
            }
        }
        let mut found = best.found();
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
            Compared::Walked(_) => {
                let score = |row| match segment.column.scale(row) {
                    0.0 => ABSENT,
                    _ => segment.column.approximate(&self.query, &self.kernels, row),
                };
                Cow::Owned(rows.map(score).collect())
            }
        }
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
        Some(Compared::Walked(vec![found]))
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
