//! The best rows that a walk has come to, in order.

/// Where few rows are accepted, the pool keeps so many times as many rows as it is asked for.
const KEEP: usize = 16;

/// One row in 64 bits, of which the less is the better: its score turned round, then its number, then
/// whether it is accepted and whether its neighbours were looked at. Equal scores are ordered by row, so
/// that the same walk has the same end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate(u64);

/// Graphs have no more rows than this: a candidate has so many bits for their numbers.
pub const MOST_ROWS: u32 = 1 << 30;
const ACCEPTED: u64 = 2;
const EXPANDED: u64 = 1;
const SIGN: u32 = 1 << 31;

impl Candidate {
    /// A row with its score, which is a number.
    #[inline(always)]
    pub fn new(score: f32, row: u32) -> Self {
        // The bits of positive numbers grow with them, those of negative ones against them.
        let bits = score.to_bits();
        let turned = if bits & SIGN == 0 { !bits ^ SIGN } else { bits };
        Candidate(u64::from(turned) << 32 | u64::from(row) << 2)
    }

    #[inline(always)]
    pub fn row(self) -> u32 {
        self.0 as u32 >> 2
    }

    pub fn score(self) -> f32 {
        let turned = (self.0 >> 32) as u32;
        f32::from_bits(if turned & SIGN == 0 {
            !(turned ^ SIGN)
        } else {
            turned
        })
    }

    /// Whether the row, or a twin of it, may be found.
    #[inline(always)]
    pub fn is_accepted(self) -> bool {
        self.0 & ACCEPTED != 0
    }
}

/// At least so many accepted rows as were asked for, and what is better than the last of them.
#[derive(Default)]
pub struct Pool {
    candidates: Vec<Candidate>,
    breadth: usize,
    /// So many rows at most, accepted or not.
    most: usize,
    /// How many are accepted.
    accepted: usize,
    /// All before this place were expanded.
    next: usize,
}

impl Pool {
    /// Empties the pool, for `breadth` accepted rows.
    pub fn begin(&mut self, breadth: usize) {
        self.candidates.clear();
        (self.breadth, self.most) = (breadth, KEEP.saturating_mul(breadth));
        (self.accepted, self.next) = (0, 0);
    }

    /// The rows that are in it, best first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The best row that has not been expanded; it counts as expanded from now on.
    pub fn expand_next(&mut self) -> Option<u32> {
        let candidate = self.candidates.get_mut(self.next)?;
        candidate.0 |= EXPANDED;
        let row = candidate.row();
        self.skip();
        Some(row)
    }

    /// What [`Self::expand_next`] would return now.
    pub fn peek(&self) -> Option<u32> {
        self.candidates.get(self.next).map(|c| c.row())
    }

    fn skip(&mut self) {
        let rest = &self.candidates[self.next..];
        let expanded = rest.iter().take_while(|c| c.0 & EXPANDED != 0);
        self.next += expanded.count();
    }

    /// Whether there is a place for a candidate.
    #[inline(always)]
    pub fn has_place_for(&self, candidate: Candidate) -> bool {
        let full = self.accepted >= self.breadth || self.candidates.len() >= self.most;
        !full || self.candidates.last().is_none_or(|last| candidate < *last)
    }

    /// Puts a candidate in its place and drops what is now too much.
    #[inline(always)]
    pub fn insert(&mut self, candidate: Candidate, accepted: bool) {
        let candidate = Candidate(candidate.0 | (ACCEPTED * u64::from(accepted)));
        let place = self.candidates.partition_point(|other| *other < candidate);
        self.next = self.next.min(place);
        let length = self.candidates.len();
        if accepted && self.accepted == length && length == self.breadth && place < length {
            // The usual case: everything is accepted, and one comes for one that goes.
            self.candidates.copy_within(place..length - 1, place + 1);
            self.candidates[place] = candidate;
            return;
        }
        self.candidates.insert(place, candidate);
        self.accepted += usize::from(accepted);
        self.trim();
    }

    fn trim(&mut self) {
        while self.accepted > self.breadth || self.candidates.len() > self.most {
            match self.candidates.pop() {
                Some(last) => self.accepted -= usize::from(last.is_accepted()),
                None => break,
            }
        }
        // What is worse than the last row wanted leads nowhere.
        let is_over = |last: &Candidate| !last.is_accepted();
        while self.accepted == self.breadth && self.candidates.last().is_some_and(is_over) {
            self.candidates.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_ordered_by_score_then_row() {
        let scores = [1.0, 0.75, 1e-30, 0.0, -0.0, -1e-30, -0.5, -1.0, -3.0];
        let rows = [0, 1, 70_000, MOST_ROWS - 1];
        let ordered: Vec<Candidate> = scores
            .iter()
            .flat_map(|&score| rows.map(|row| Candidate::new(score, row)))
            .collect();
        assert!(ordered.is_sorted_by(|a, b| a < b));
        for (place, candidate) in ordered.iter().enumerate() {
            assert_eq!(candidate.score().to_bits(), f32::to_bits(scores[place / 4]));
            assert_eq!(candidate.row(), rows[place % 4]);
        }
    }

    /// What the pool holds, against sorting everything that was inserted.
    #[test]
    fn the_pool_is_what_sorting_leaves() {
        let mut state = 7u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for share in [1, 2, 40] {
            for breadth in [1, 2, 10] {
                let (mut pool, mut all) = (Pool::default(), Vec::new());
                pool.begin(breadth);
                for row in 0..500 {
                    let candidate = Candidate::new(next() as f32 / 1e7 - 0.8, row);
                    let accepted = row % share == 0;
                    all.push((candidate, accepted));
                    if pool.has_place_for(candidate) {
                        pool.insert(candidate, accepted);
                    }
                    if row % 3 == 0 {
                        pool.expand_next();
                    }
                }
                all.sort();
                let rows = |accepted: bool| {
                    pool.candidates()
                        .iter()
                        .filter(move |c| c.is_accepted() == accepted)
                };
                let expected = all.iter().filter(|(_, accepted)| *accepted).take(breadth);
                let found: Vec<u32> = rows(true).map(|c| c.row()).collect();
                if share < KEEP as u32 {
                    assert_eq!(found, expected.map(|(c, _)| c.row()).collect::<Vec<_>>());
                }
                assert!(pool.candidates().is_sorted());
                assert!(pool.candidates().len() <= KEEP * breadth);
                // Whatever is expanded next was not before, and the best such row comes first.
                let mut expanded = Vec::new();
                while let Some(row) = pool.expand_next() {
                    expanded.push(row);
                }
                assert!(!expanded.is_empty() || pool.peek().is_none());
                assert_eq!(pool.peek(), None);
            }
        }
    }
}
