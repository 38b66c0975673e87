//! The semantic leg: the documents whose best passage is closest to the query.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::index::snapshot::{DocumentAddress, Segment, Snapshot};
use crate::vector::kernels::{self, Kernels};
use crate::vector::quantise::Query;
use crate::vector::scan::{self, ABSENT};

use super::best::Best;
use super::eligible::Eligible;
use super::request::Vectors;
use super::segment::{Compared, SegmentSearch};

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

    /// The same as [`Self::best`] without a broader walk, with rough scores.
    pub fn nominated(&self, snapshot: &Snapshot, depth: usize) -> Vec<Scored> {
        self.roughly_nearest(snapshot, depth, |found, _| found)
    }

    /// The best of the scanned segments and of one of the two findings of the others, with exact scores.
    fn nearest<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        depth: usize,
        of_walk: impl Fn(&'a [(u32, f32)], &'a [(u32, f32)]) -> &'a [(u32, f32)],
    ) -> Vec<Scored> {
        let mut found = self.roughly_nearest(snapshot, depth, of_walk);
        for scored in &mut found {
            let segment = &snapshot.segments()[scored.address.segment as usize];
            scored.score = self.document(segment, scored.address).unwrap_or(ABSENT);
        }
        found
    }

    fn roughly_nearest<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        depth: usize,
        of_walk: impl Fn(&'a [(u32, f32)], &'a [(u32, f32)]) -> &'a [(u32, f32)],
    ) -> Vec<Scored> {
        let segments = snapshot.segments().iter();
        let bounds = segments.map(|segment| self.error_bound(segment));
        let mut best = Best::new(depth, 2.0 * bounds.fold(0.0, f32::max));
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
        best.into_found()
    }

    /// How far [`Self::rough`] may be from [`Self::document`].
    pub fn error_bound(&self, segment: &Segment) -> f32 {
        segment.column.error_bound(&self.query)
    }

    /// The cosine of a document's best row as the high plane tells it; `None` if it has no vector.
    pub fn rough(&self, segment: &Segment, address: DocumentAddress) -> Option<f32> {
        let rows = self.rough_rows(segment, address);
        let best = rows.iter().copied().fold(ABSENT, f32::max);
        (best != ABSENT).then_some(best)
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
