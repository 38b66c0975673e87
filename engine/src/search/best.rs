//! The best documents by rough scores, collected while segments are looked through.

use crate::index::snapshot::{DocumentAddress, Segment};
use crate::vector::scan::ABSENT;

/// A document with the cosine of its best row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub address: DocumentAddress,
    pub score: f32,
}

/// So few are not worth cutting.
const FEW: usize = 32;

/// The best documents so far, by rough scores: `depth` of them and those that may be as good.
pub struct Best {
    depth: usize,
    /// As soon as there are so many, they are cut to the best.
    full: usize,
    /// How far rough scores of two documents may differ and their order be the other one.
    slack: f32,
    /// Below this nothing is among the best.
    floor: f32,
    found: Vec<Scored>,
}

impl Best {
    /// None yet. A rough score is within `bound` of the exact one.
    pub fn new(depth: usize, bound: f32) -> Best {
        Best {
            depth,
            full: depth.max(FEW).saturating_mul(2),
            slack: 2.0 * bound,
            floor: ABSENT,
            found: Vec::new(),
        }
    }

    /// Adds a document with the score of its best row.
    pub fn add(&mut self, segment: u32, document: u32, score: f32) {
        if score < self.floor || score == ABSENT {
            return;
        }
        let address = DocumentAddress { segment, document };
        self.found.push(Scored { address, score });
        if self.found.len() >= self.full {
            self.cut();
            // Many may be as good as the last: only when there are twice as many is there something to gain.
            self.full = self.full.max(2 * self.found.len());
        }
    }

    /// Adds the documents of a scanned segment with the score of their best row.
    pub fn add_scanned(&mut self, place: u32, segment: &Segment, rough: &[f32]) {
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

    /// The best, with rough scores, in no order.
    pub fn found(mut self) -> Vec<Scored> {
        self.cut();
        self.found
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
