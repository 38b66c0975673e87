//! A search: down the levels to a good place to begin, then a walk along level 0 that always goes on
//! from the best row not yet seen from, until the best rows found have no better neighbours.

use std::cell::RefCell;

use super::Graph;
use super::pool::{Candidate, Pool};
use crate::vector::column::Column;
use crate::vector::kernels::{self, Kernels};
use crate::vector::quantise::Query;

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Rough scores of the accepted rows, best first.
    pub rows: Vec<(f32, u32)>,
    /// Rows whose vector was compared with the query.
    pub compared: u64,
}

/// Memory of a thread's walks, kept from one to the next.
#[derive(Default)]
struct Scratch {
    /// One bit a row: whether this walk has come to it.
    visited: Vec<u64>,
    pool: Pool,
    /// Neighbours that the walk has not come to before, and their sums of products.
    fresh: Vec<u32>,
    sums: Vec<i32>,
    /// All rows that were compared, for a walk that goes on more broadly.
    seen: Vec<Candidate>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Looks for the rows closest to `query` among those for which `accept` holds; others are walked
/// through. At least `breadth` members of the graph are found if there are so many within reach, each
/// with its twins.
///
/// The column must have as many rows as the graph.
pub fn walk(
    graph: &Graph,
    column: &Column,
    query: &Query,
    breadth: usize,
    accept: &impl Fn(u32) -> bool,
) -> Found {
    walk_on(graph, column, query, breadth, accept, |_| None)
}

/// The same, but when a walk has ended, `broader` is shown what it found and may ask for more: the walk then goes on from
/// where it is. What was compared before is not compared again.
pub fn walk_on(
    graph: &Graph,
    column: &Column,
    query: &Query,
    breadth: usize,
    accept: &impl Fn(u32) -> bool,
    mut broader: impl FnMut(&[(f32, u32)]) -> Option<usize>,
) -> Found {
    debug_assert_eq!(graph.rows(), column.rows());
    SCRATCH.with_borrow_mut(|scratch| {
        let mut walk = Walk {
            graph,
            column,
            query,
            accept,
            kernels: kernels::best(),
            scratch,
            compared: 0,
        };
        walk.begin(breadth);
        for level in (1..graph.levels()).rev() {
            walk.climb(level);
        }
        loop {
            while let Some(row) = walk.scratch.pool.expand_next() {
                walk.look_around(0, row);
            }
            let rows = walk.answer();
            let Some(breadth) = broader(&rows) else {
                let compared = walk.compared;
                return Found { rows, compared };
            };
            walk.broaden(breadth);
        }
    })
}

/// A walk under way.
struct Walk<'a, A> {
    graph: &'a Graph,
    column: &'a Column,
    query: &'a Query,
    accept: &'a A,
    kernels: Kernels,
    scratch: &'a mut Scratch,
    compared: u64,
}

impl<A: Fn(u32) -> bool> Walk<'_, A> {
    /// Forgets the walk before and comes to the entry.
    fn begin(&mut self, breadth: usize) {
        let scratch = &mut *self.scratch;
        scratch.visited.clear();
        let words = (self.graph.rows() as usize).div_ceil(64);
        scratch.visited.resize(words, 0);
        scratch.pool.begin(breadth);
        scratch.seen.clear();
        scratch.fresh.clear();
        let entry = self.graph.entry();
        scratch.visited[entry as usize / 64] |= 1 << (entry % 64);
        scratch.fresh.push(entry);
        self.compare();
    }

    /// Makes the pool larger, and puts what had no place in it in again. Rows whose neighbours were looked at are looked at
    /// again, which compares nothing.
    fn broaden(&mut self, breadth: usize) {
        self.scratch.pool.begin(breadth);
        for place in 0..self.scratch.seen.len() {
            let candidate = self.scratch.seen[place];
            self.offer(candidate);
        }
    }

    /// Puts a row in the pool if it has a place there.
    #[inline(always)]
    fn offer(&mut self, candidate: Candidate) {
        let (pool, row) = (&mut self.scratch.pool, candidate.row());
        if pool.has_place_for(candidate) {
            let twins = || self.graph.twins(row).any(self.accept);
            pool.insert(candidate, (self.accept)(row) || twins());
        }
    }

    /// Goes to better and better rows of a level, as long as there are any.
    fn climb(&mut self, level: usize) {
        let mut best = None;
        while self.scratch.pool.peek() != best {
            best = self.scratch.pool.peek();
            if let Some(row) = best {
                self.look_around(level, row);
            }
        }
    }

    /// Compares the neighbours of `row` that this walk has not come to yet. What it came to on a higher
    /// level is in the pool, and was no better than what led here.
    #[inline(always)]
    fn look_around(&mut self, level: usize, row: u32) {
        let Scratch {
            fresh,
            visited,
            pool,
            ..
        } = &mut *self.scratch;
        let list = self.graph.list(level, row);
        fresh.clear();
        fresh.resize(list.len(), 0);
        let mut count = 0;
        for other in self.graph.sound(list) {
            // Whether it was visited cannot be foreseen, so there is no branch for it.
            let (word, bit) = (&mut visited[other as usize / 64], other % 64);
            fresh[count] = other;
            count += usize::from(*word >> bit & 1 == 0);
            *word |= 1 << bit;
        }
        fresh.truncate(count);
        for &other in &*fresh {
            self.column.prefetch(other);
        }
        if let Some(next) = pool.peek() {
            kernels::prefetch(self.graph.list(0, next));
        }
        self.compare();
    }

    /// Scores the fresh rows and puts those in the pool that have a place in it.
    #[inline(always)]
    fn compare(&mut self) {
        let (column, query) = (self.column, self.query);
        let Scratch {
            fresh, sums, seen, ..
        } = &mut *self.scratch;
        sums.resize(fresh.len(), 0);
        column.products(query, &self.kernels, fresh, sums);
        let first = seen.len();
        let scores = fresh.iter().zip(&*sums);
        seen.extend(scores.map(|(&row, &sum)| Candidate::new(column.rough(query, sum, row), row)));
        self.compared += fresh.len() as u64;
        for place in first..self.scratch.seen.len() {
            let candidate = self.scratch.seen[place];
            self.offer(candidate);
        }
    }

    /// The rows of the pool and their twins, without those that must not be found.
    fn answer(&self) -> Vec<(f32, u32)> {
        let mut rows = Vec::with_capacity(self.scratch.pool.candidates().len());
        let candidates = self.scratch.pool.candidates().iter();
        for candidate in candidates.filter(|candidate| candidate.is_accepted()) {
            let twins = self.graph.twins(candidate.row());
            let found = std::iter::once(candidate.row()).chain(twins);
            let found = found.filter(|&row| (self.accept)(row));
            rows.extend(found.map(|row| (candidate.score(), row)));
        }
        rows
    }
}
