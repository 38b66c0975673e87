//! The semantic leg: the documents whose best passage is closest to the query.

use std::borrow::Cow;

use crate::index::snapshot::{DocumentAddress, Segment, Snapshot};
use crate::vector::quantise::Query;
use crate::vector::scan::{self, ABSENT};

use super::eligible::Eligible;

/// Cosines of a query with the rows of a snapshot.
pub struct SemanticScores {
    query: Query,
    /// For each segment, rough scores of its rows where it was scanned.
    rough: Vec<Option<Vec<f32>>>,
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
    /// Compares `vector`, of unit length, with every row of every allowed document.
    pub fn scan(snapshot: &Snapshot, vector: &[f32], eligible: &Eligible) -> Self {
        let query = Query::new(vector);
        let mut rows_compared = 0;
        let segments = snapshot.segments().iter().enumerate();
        let rough = segments.map(|(place, segment)| {
            let allowed = |row| {
                let document = segment.documents.of_row(row);
                document.is_some_and(|document| eligible.allows(place, document))
            };
            let scores = scan::approximate(&segment.column, &query, &allowed);
            rows_compared += scores.iter().filter(|score| **score != ABSENT).count() as u64;
            Some(scores)
        });
        SemanticScores {
            rough: rough.collect(),
            query,
            rows_compared,
        }
    }

    /// The documents whose best row is closest to the query: the best `depth` and what is so close that
    /// rough scores cannot tell, in no order, with exact scores.
    pub fn best(&self, snapshot: &Snapshot, depth: usize) -> Vec<Scored> {
        let mut found: Vec<Scored> = Vec::new();
        let mut slack = 0f32;
        for (place, segment) in (0u32..).zip(snapshot.segments().iter()) {
            let Some(rough) = &self.rough[place as usize] else {
                continue;
            };
            slack = slack.max(2.0 * segment.column.error_bound(&self.query));
            for document in 0..segment.documents.len() as u32 {
                let rows = segment.documents.rows(document);
                let rows = &rough[rows.start as usize..rows.end as usize];
                let score = rows.iter().copied().fold(ABSENT, f32::max);
                if score != ABSENT {
                    let address = DocumentAddress {
                        segment: place,
                        document,
                    };
                    found.push(Scored { address, score });
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
        match &self.rough[address.segment as usize] {
            Some(rough) => Cow::Borrowed(&rough[rows.start as usize..rows.end as usize]),
            None => {
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
