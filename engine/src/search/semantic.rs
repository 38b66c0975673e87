//! The semantic leg: the documents whose best passage is closest to the query.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::index::graphs::SegmentGraph;
use crate::index::snapshot::{DocumentAddress, Segment, Snapshot};
use crate::vector::graph::search;
use crate::vector::quantise::Query;
use crate::vector::scan::{self, ABSENT};

use super::eligible::Eligible;
use super::request::Vectors;

/// A graph is asked for so many documents a segment, or for as many as will be shown where those are more:
/// up to this limit the same query finds the same. Fusion takes its scale from the first 100 of each leg.
const GRAPH_DEPTH: usize = 200;
/// Rows beyond the documents wanted, for the first walk.
const BREADTH: f32 = 1.2;
/// A walk that finds too few documents is repeated, so many times as broad.
const BROADER: usize = 4;
/// A walk costs about as much as a scan of so many times its breadth: beyond that, segments are scanned.
const WORTH: usize = 64;
/// The same where the graph was asked for: as far as a walk makes sense at all.
const WORTH_IF_ASKED: usize = 4;
/// Where fewer than one in so many rows are allowed, only those are scanned.
const NARROW: u64 = 10;

/// Cosines of a query with the rows of a snapshot.
pub struct SemanticScores {
    query: Query,
    /// For each segment, what was found in it.
    segments: Vec<Compared>,
    /// Rows compared so far.
    pub rows_compared: u64,
}

/// How a segment was searched, and what was found.
enum Compared {
    /// Rough scores of all rows.
    Scanned(Vec<f32>),
    /// Rough scores of the rows that the graph led to, best first.
    Walked(Vec<(f32, u32)>),
}

/// A document with the cosine of its best row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub address: DocumentAddress,
    pub score: f32,
}

impl SemanticScores {
    /// Compares `vector`, of unit length, with the rows of allowed documents: in each segment with all of
    /// them, or with those that the graph leads to. `count` documents will be shown.
    pub fn compute(
        snapshot: &Snapshot,
        vector: &[f32],
        eligible: &Eligible,
        vectors: Vectors,
        count: usize,
    ) -> Self {
        let query = Query::new(vector);
        let mut rows_compared = 0;
        let segments = snapshot.segments().iter().enumerate();
        let segments = segments.map(|(place, segment)| {
            let search = SegmentSearch {
                query: &query,
                place,
                segment,
                eligible,
            };
            let walked = search.walk(vectors, GRAPH_DEPTH.max(count), &mut rows_compared);
            walked.unwrap_or_else(|| search.scan(&mut rows_compared))
        });
        SemanticScores {
            segments: segments.collect(),
            query,
            rows_compared,
        }
    }

    /// How the segments were searched: "exact", "graph", or "exact+graph" where they differ.
    pub fn plan(&self) -> &'static str {
        let walked = |segment: &Compared| matches!(segment, Compared::Walked(_));
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
        let mut found: Vec<Scored> = Vec::new();
        let mut slack = 0f32;
        for (place, segment) in (0u32..).zip(snapshot.segments().iter()) {
            slack = slack.max(2.0 * segment.column.error_bound(&self.query));
            let scored = |(document, score)| {
                let address = DocumentAddress {
                    segment: place,
                    document,
                };
                Scored { address, score }
            };
            match &self.segments[place as usize] {
                Compared::Scanned(rough) => {
                    found.extend(best_of_scan(segment, rough).map(scored));
                }
                Compared::Walked(rows) => {
                    found.extend(best_of_walk(segment, rows).map(scored));
                }
            }
        }
        if found.len() > depth && depth > 0 {
            let (_, last, _) =
                found.select_nth_unstable_by(depth - 1, |a, b| b.score.total_cmp(&a.score));
            let floor = last.score - slack;
            found.retain(|scored| scored.score >= floor);
        }
        for scored in &mut found {
            let segment = &snapshot.segments()[scored.address.segment as usize];
            scored.score = self.document(segment, scored.address).unwrap_or(ABSENT);
        }
        found
    }

    /// The exact cosine of a document's best row; `None` if it has no vector.
    pub fn document(&self, segment: &Segment, address: DocumentAddress) -> Option<f32> {
        let rough = self.rough_rows(segment, address);
        let best = rough.iter().copied().fold(ABSENT, f32::max);
        let floor = best - 2.0 * segment.column.error_bound(&self.query);
        let rows = segment.documents.rows(address.document).zip(rough.iter());
        rows.filter(|(_, rough)| **rough != ABSENT && **rough >= floor)
            .map(|(row, _)| segment.column.exact(&self.query, row))
            .max_by(f32::total_cmp)
    }

    /// The exact cosines of a document's rows, in order; 0 for a row without a vector.
    pub fn rows(&self, segment: &Segment, address: DocumentAddress) -> Vec<f32> {
        let rows = segment.documents.rows(address.document);
        rows.map(|row| segment.column.exact(&self.query, row))
            .collect()
    }

    fn rough_rows(&self, segment: &Segment, address: DocumentAddress) -> Cow<'_, [f32]> {
        let rows = segment.documents.rows(address.document);
        match &self.segments[address.segment as usize] {
            Compared::Scanned(rough) => {
                Cow::Borrowed(&rough[rows.start as usize..rows.end as usize])
            }
            Compared::Walked(_) => {
                let dot = crate::vector::kernels::dot();
                let score = |row| match segment.column.scale(row) {
                    0.0 => ABSENT,
                    _ => segment.column.approximate(&self.query, dot, row),
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
}

impl SegmentSearch<'_> {
    fn allows(&self, row: u32) -> bool {
        let document = self.segment.documents.of_row(row);
        document.is_some_and(|document| self.eligible.allows(self.place, document))
    }

    fn scan(&self, rows_compared: &mut u64) -> Compared {
        let scores = scan::approximate(&self.segment.column, self.query, &|row| self.allows(row));
        *rows_compared += scores.iter().filter(|score| **score != ABSENT).count() as u64;
        Compared::Scanned(scores)
    }

    /// Asks the graph for `depth` documents. `None` where a scan must do: there is no graph, the filter
    /// leaves little to scan, or so many rows are of the same documents that a scan is quicker.
    fn walk(&self, vectors: Vectors, depth: usize, rows_compared: &mut u64) -> Option<Compared> {
        let SegmentGraph::Sound(graph) = &self.segment.graph else {
            return None;
        };
        let rows = self.segment.column.rows() as usize;
        let (documents, allowed) = self.eligible.count_in(self.place, self.segment);
        let worth = match vectors {
            Vectors::Exact => return None,
            Vectors::Auto if allowed * NARROW < rows as u64 => return None,
            Vectors::Auto => WORTH,
            Vectors::Graph => WORTH_IF_ASKED,
        };
        let wanted = depth.min(documents);
        let mut breadth = (depth as f32 * BREADTH) as usize;
        loop {
            let accept = |row| self.allows(row);
            let column = &self.segment.column;
            let found = search::walk(graph, column, self.query, breadth, &accept);
            *rows_compared += found.compared;
            if best_of_walk(self.segment, &found.rows).count() >= wanted {
                return Some(Compared::Walked(found.rows));
            }
            breadth *= BROADER;
            if breadth * worth > rows {
                return None;
            }
        }
    }
}

/// The documents of a scanned segment with the score of their best row.
fn best_of_scan<'a>(
    segment: &'a Segment,
    rough: &'a [f32],
) -> impl Iterator<Item = (u32, f32)> + 'a {
    let documents = 0..segment.documents.len() as u32;
    documents.filter_map(|document| {
        let rows = segment.documents.rows(document);
        let rows = &rough[rows.start as usize..rows.end as usize];
        let score = rows.iter().copied().fold(ABSENT, f32::max);
        (score != ABSENT).then_some((document, score))
    })
}

/// The same for a segment that was walked through, best first.
fn best_of_walk<'a>(
    segment: &'a Segment,
    rows: &'a [(f32, u32)],
) -> impl Iterator<Item = (u32, f32)> + 'a {
    let mut seen = HashSet::new();
    rows.iter().filter_map(move |&(score, row)| {
        let document = segment.documents.of_row(row)?;
        seen.insert(document).then_some((document, score))
    })
}
