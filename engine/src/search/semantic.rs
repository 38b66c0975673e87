//! The semantic leg: the documents whose best passage is closest to the query.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::index::snapshot::{DocumentAddress, Segment, Snapshot};
use crate::vector::kernels::{self, Kernels};
use crate::vector::quantise::Query;
use crate::vector::scan::{self, ABSENT};

use super::best::{Best, Scored};
use super::eligible::Eligible;
use super::request::Vectors;
use super::segment::{Compared, SegmentSearch};

/// Where more documents are wanted than a walk is asked for, another is asked for so many times as many.
pub const BROADER: usize = 4;

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
        let found = self.best(snapshot, reach, self.borders.len());
        let enough = found.len() >= reach;
        enough.then(|| scan::nth(found.iter().map(|scored| scored.score).collect(), reach))
    }

    /// The same as [`Self::best`] by the first walks, with rough scores.
    pub fn nominated(&self, snapshot: &Snapshot, depth: usize) -> Vec<Scored> {
        self.roughly_nearest(snapshot, depth, 0)
    }

    /// The best of the scanned segments and of one of the walks through the others, with exact scores.
    fn nearest(&self, snapshot: &Snapshot, depth: usize, walk: usize) -> Vec<Scored> {
        let mut found = self.roughly_nearest(snapshot, depth, walk);
        for scored in &mut found {
            let segment = &snapshot.segments()[scored.address.segment as usize];
            scored.score = self.document(segment, scored.address).unwrap_or(ABSENT);
        }
        found
    }

    fn roughly_nearest(&self, snapshot: &Snapshot, depth: usize, walk: usize) -> Vec<Scored> {
        let mut best = Best::new(depth, self.greatest_error(snapshot));
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
        best.found()
    }

    /// The greatest [`Self::error_bound`] of all segments.
    pub fn greatest_error(&self, snapshot: &Snapshot) -> f32 {
        let segments = snapshot.segments().iter();
        let bounds = segments.map(|segment| self.error_bound(segment));
        bounds.fold(0.0, f32::max)
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
        let floor = best - 2.0 * self.error_bound(segment);
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
