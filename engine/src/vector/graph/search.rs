//! A search: down the levels to a good place to begin, then a walk along level 0 that always goes on
//! from the best row not yet seen from, until the best rows found have no better neighbours.

use std::cell::RefCell;

use super::Graph;
use crate::vector::column::Column;
use crate::vector::kernels;
use crate::vector::quantise::Query;

/// Where few rows are accepted, the walk keeps so many times as many rows as it is asked for.
const KEEP: usize = 16;

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Rough scores of the accepted rows, best first.
    pub rows: Vec<(f32, u32)>,
    /// Rows whose vector was compared with the query.
    pub compared: u64,
}

/// A row in the pool.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    score: f32,
    row: u32,
    /// Its neighbours were looked at.
    expanded: bool,
    /// It, or a twin of it, may be found.
    accepted: bool,
}

/// Memory of a thread's walks, kept from one to the next.
#[derive(Default)]
struct Scratch {
    /// The walk that last came to a row.
    visited: Vec<u32>,
    walk: u32,
    /// Best first.
    pool: Vec<Candidate>,
    /// How many of the pool are accepted.
    accepted: usize,
    fresh: Vec<u32>,
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
    debug_assert_eq!(graph.rows(), column.rows());
    SCRATCH.with_borrow_mut(|scratch| {
        let dot = kernels::dot();
        let score = |row: u32| column.approximate(query, dot, row);
        let wanted = |row: u32| accept(row) || graph.twins(row).any(accept);
        let (begin, mut compared) = descend(graph, &score);
        scratch.begin(graph.rows());
        scratch.visited[begin.1 as usize] = scratch.walk;
        scratch.insert(begin, wanted(begin.1), breadth);
        let mut next = 0;
        while let Some(candidate) = scratch.pool.get_mut(next) {
            if std::mem::replace(&mut candidate.expanded, true) {
                next += 1;
                continue;
            }
            let row = candidate.row;
            scratch.collect_fresh(graph, column, row);
            next += 1;
            for place in 0..scratch.fresh.len() {
                let row = scratch.fresh[place];
                let score = score(row);
                if scratch.is_worth(score, breadth) {
                    next = next.min(scratch.insert((score, row), wanted(row), breadth));
                }
            }
            compared += scratch.fresh.len() as u64;
        }
        let rows = scratch.answer(graph, accept);
        Found { rows, compared }
    })
}

/// The best row that greedy steps lead to from the entry, down to level 1, and how many rows that took.
fn descend(graph: &Graph, score: &impl Fn(u32) -> f32) -> ((f32, u32), u64) {
    let mut best = (score(graph.entry()), graph.entry());
    let mut compared = 1;
    for level in (1..graph.levels()).rev() {
        loop {
            let from = best.1;
            for row in graph.neighbours(level, from) {
                let score = score(row);
                compared += 1;
                if score > best.0 {
                    best = (score, row);
                }
            }
            if best.1 == from {
                break;
            }
        }
    }
    (best, compared)
}

impl Scratch {
    fn begin(&mut self, rows: u32) {
        if self.visited.len() < rows as usize {
            self.visited.resize(rows as usize, 0);
        }
        self.walk = self.walk.wrapping_add(1);
        if self.walk == 0 {
            // After 2³² walks the old stamps would be taken for new ones.
            self.visited.fill(0);
            self.walk = 1;
        }
        self.pool.clear();
        self.accepted = 0;
    }

    /// The neighbours of `row` that this walk has not come to yet; their vectors are fetched ahead.
    fn collect_fresh(&mut self, graph: &Graph, column: &Column, row: u32) {
        self.fresh.clear();
        for other in graph.neighbours(0, row) {
            let visited = &mut self.visited[other as usize];
            if *visited != self.walk {
                *visited = self.walk;
                kernels::prefetch(column.codes(other));
                self.fresh.push(other);
            }
        }
    }

    /// Whether a row of this score has a place in the pool.
    fn is_worth(&self, score: f32, breadth: usize) -> bool {
        let full = self.accepted >= breadth || self.pool.len() >= KEEP * breadth;
        !full || self.pool.last().is_none_or(|last| score > last.score)
    }

    /// Puts a row where its score belongs and drops what is now too much. Returns the place.
    fn insert(&mut self, (score, row): (f32, u32), accepted: bool, breadth: usize) -> usize {
        let place = self.pool.partition_point(|other| other.score >= score);
        let candidate = Candidate {
            score,
            row,
            expanded: false,
            accepted,
        };
        self.pool.insert(place, candidate);
        self.accepted += usize::from(accepted);
        while self.accepted > breadth || self.pool.len() > KEEP * breadth {
            match self.pool.pop() {
                Some(last) => self.accepted -= usize::from(last.accepted),
                None => break,
            }
        }
        // What is worse than the last row wanted leads nowhere.
        while self.accepted == breadth && self.pool.last().is_some_and(|last| !last.accepted) {
            self.pool.pop();
        }
        place
    }

    /// The rows of the pool and their twins, without those that must not be found.
    fn answer(&self, graph: &Graph, accept: &impl Fn(u32) -> bool) -> Vec<(f32, u32)> {
        let candidates = self.pool.iter().filter(|candidate| candidate.accepted);
        candidates
            .flat_map(|candidate| {
                let rows = std::iter::once(candidate.row).chain(graph.twins(candidate.row));
                let rows = rows.filter(|&row| accept(row));
                rows.map(|row| (candidate.score, row))
            })
            .collect()
    }
}
