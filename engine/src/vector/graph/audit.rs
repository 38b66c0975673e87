//! What insertion may have lost, found and repaired.
//!
//! hnsw_rs prunes an edge without asking whether it was the last one to its target, so a few rows can
//! end up outside. After [`repair`] every member leads to every other on level 0: whichever row the
//! upper levels bring a search to, nothing is out of its reach. [`check`] tells of a graph that is
//! ready to be searched, just built or read from a file, what it is worth.

use std::collections::HashMap;

use serde::Serialize;
use tantivy::directory::OwnedBytes;

use super::search::walk;
use super::{Adjacency, Graph, file};
use crate::vector::column::Column;
use crate::vector::quantise::Query;
use crate::vector::{kernels, scan};

/// Breadth of the searches of the audit.
const BREADTH: usize = 200;

/// Adds the edges that are missing and returns how many.
///
/// A row that the entry does not lead to gets an edge from a near row that it does lead to; a row that
/// does not lead to the entry gets an edge to a near row that does.
pub fn repair(adjacency: &mut Adjacency, column: &Column) -> usize {
    let mut added = 0;
    let reached = reach(&adjacency.base, adjacency.entry);
    if is_missing(adjacency, &reached) {
        added += join(adjacency, column, reached, true);
    }
    let leading = reach(&transposed(&adjacency.base), adjacency.entry);
    if is_missing(adjacency, &leading) {
        added += join(adjacency, column, leading, false);
    }
    added
}

/// Which rows the entry leads to on level 0, and lead to it.
fn connected(lists: &[Vec<u32>], entry: u32) -> Vec<bool> {
    let reached = reach(lists, entry);
    let leading = reach(&transposed(lists), entry);
    let both = reached.into_iter().zip(leading);
    both.map(|(reached, leading)| reached && leading).collect()
}

/// The members that are not so.
#[cfg(test)]
pub fn unconnected(adjacency: &Adjacency) -> Vec<u32> {
    let connected = connected(&adjacency.base, adjacency.entry);
    let members = adjacency.members.iter().copied();
    members.filter(|&row| !connected[row as usize]).collect()
}

fn is_missing(adjacency: &Adjacency, marks: &[bool]) -> bool {
    let mut members = adjacency.members.iter();
    members.any(|&row| !marks[row as usize])
}

/// Joins the unmarked members to the marked: with edges that lead to them (`forward`), or from them.
fn join(adjacency: &mut Adjacency, column: &Column, mut marks: Vec<bool>, forward: bool) -> usize {
    // The searches run over the graph as it was: near rows are the same.
    let Ok(graph) = Graph::open(
        OwnedBytes::new(file::bytes(adjacency)),
        adjacency.base.len() as u32,
    ) else {
        debug_assert!(false, "a graph that was just written can be opened");
        return 0;
    };
    let mut lists = match forward {
        true => adjacency.base.clone(),
        false => transposed(&adjacency.base),
    };
    // The row that was last joined to each: the next is joined to that one, so that a row near many
    // lost ones does not get an edge for each.
    let mut ends: HashMap<u32, u32> = HashMap::new();
    let mut added = 0;
    for row in adjacency.members.clone() {
        if marks[row as usize] {
            continue;
        }
        let near = nearest(&graph, column, row, &marks).unwrap_or(adjacency.entry);
        let from = ends.insert(near, row).unwrap_or(near);
        lists[from as usize].push(row);
        match forward {
            true => adjacency.base[from as usize].push(row),
            false => adjacency.base[row as usize].push(from),
        }
        added += 1;
        spread(&lists, row, &mut marks);
    }
    added
}

/// The row closest to `row` that is marked, as far as a search finds one.
fn nearest(graph: &Graph, column: &Column, row: u32, marks: &[bool]) -> Option<u32> {
    let query = Query::new(&column.vector(row)?);
    let found = walk(graph, column, &query, BREADTH, &|other| {
        marks[other as usize]
    });
    let mut members = found.rows.iter().map(|(_, other)| *other);
    members.find(|&other| other != row && marks[other as usize])
}

/// Marks of the rows that `from` leads to.
fn reach(lists: &[Vec<u32>], from: u32) -> Vec<bool> {
    let mut marks = vec![false; lists.len()];
    spread(lists, from, &mut marks);
    marks
}

/// Marks `from` and everything that it leads to and that is not marked yet.
fn spread(lists: &[Vec<u32>], from: u32, marks: &mut [bool]) {
    let mut open = vec![from];
    marks[from as usize] = true;
    while let Some(row) = open.pop() {
        for &next in &lists[row as usize] {
            if !std::mem::replace(&mut marks[next as usize], true) {
                open.push(next);
            }
        }
    }
}

fn transposed(lists: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let mut result = vec![Vec::new(); lists.len()];
    for (row, list) in (0u32..).zip(lists) {
        for &next in list {
            result[next as usize].push(row);
        }
    }
    result
}

/// So many rows are searched for by their own vectors.
const SELF: usize = 1_000;
/// Of so many rows the nearest are searched for.
const NEAR: usize = 100;
/// So many of the nearest.
const TEN: usize = 10;

/// What a graph is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct GraphCheck {
    /// Living rows that a search cannot come to from every other.
    pub lost: u64,
    /// Rows that were searched for by their own vectors: some of the living, evenly spread.
    pub asked: usize,
    /// How many of these were found.
    pub found: usize,
    /// Rows whose ten nearest were searched for.
    pub queries: usize,
    /// The share of these nearest that was found, a scan being the measure; 1 where there was nothing to find.
    pub recall: f32,
}

impl GraphCheck {
    /// A graph that finds fewer rows by their own vectors than this share is not sound.
    const LEAST_FOUND: f32 = 0.99;
    /// The same for [`recall`](Self::recall). Sound graphs of embeddings come to .98 and more at the usual breadth; what is
    /// below .9 has lost edges, or is of vectors that no graph is good for.
    const LEAST_RECALL: f32 = 0.9;

    /// What is not as it should be, if anything.
    pub fn fault(&self) -> Option<String> {
        let GraphCheck {
            lost,
            asked,
            found,
            queries,
            recall,
        } = *self;
        if lost > 0 {
            return Some(format!("{lost} rows are out of reach"));
        }
        if (found as f32) < Self::LEAST_FOUND * asked as f32 {
            return Some(format!(
                "{found} of {asked} rows are found by their own vectors"
            ));
        }
        (recall < Self::LEAST_RECALL).then(|| {
            let least = Self::LEAST_RECALL;
            format!("recall@{TEN} is {recall:.3} over {queries} rows, expected {least} at least")
        })
    }
}

/// Looks whether each row for which `living` holds is within reach, searches for some of them by their own vectors, and
/// compares the nearest of some with those that a scan finds; `breadth` is that of an ordinary search.
pub fn check(
    graph: &Graph,
    column: &Column,
    breadth: usize,
    living: &(impl Fn(u32) -> bool + Sync),
) -> GraphCheck {
    let rows = 0..column.rows();
    let rows: Vec<u32> = rows
        .filter(|&row| column.scale(row) > 0.0 && living(row))
        .collect();
    let (asked, found) = self_search(graph, column, &rows, SELF);
    let mut check = GraphCheck {
        lost: lost(graph, &rows),
        asked,
        found,
        ..GraphCheck::default()
    };
    let (mut hits, mut all) = (0, 0);
    for vector in spread_over(&rows, NEAR).filter_map(|row| column.vector(row)) {
        let (of_these, nearest) = nearest_found(graph, column, &vector, breadth, living);
        check.queries += 1;
        (hits, all) = (hits + of_these, all + nearest);
    }
    check.recall = if all == 0 {
        1.0
    } else {
        hits as f32 / all as f32
    };
    check
}

/// How many of `rows` a search cannot come to, or not from every other.
fn lost(graph: &Graph, rows: &[u32]) -> u64 {
    let list = |row| graph.sound(graph.list(0, row)).collect();
    let lists: Vec<Vec<u32>> = (0..graph.rows()).map(list).collect();
    let mut within = connected(&lists, graph.entry());
    // Twins are found with the row that stands for them.
    for row in 0..graph.rows() {
        if within[row as usize] {
            graph
                .twins(row)
                .for_each(|twin| within[twin as usize] = true);
        }
    }
    rows.iter().filter(|&&row| !within[row as usize]).count() as u64
}

/// How many of the rows nearest to a vector a search finds, and how many those are. What is as near as the last of
/// them is as good.
fn nearest_found(
    graph: &Graph,
    column: &Column,
    vector: &[f32],
    breadth: usize,
    living: &(impl Fn(u32) -> bool + Sync),
) -> (usize, usize) {
    let (query, kernels) = (Query::new(vector), kernels::best());
    let exact = |row| column.exact(&query, &kernels, row);
    let rough = scan::approximate(column, &query, living);
    let tenth = scan::nth(rough.clone(), TEN);
    let floor = tenth - 2.0 * column.error_bound(&query);
    let close = (0u32..).zip(rough);
    let close = close.filter(|&(_, score)| score > scan::ABSENT && score >= floor);
    let mut nearest: Vec<f32> = close.map(|(row, _)| exact(row)).collect();
    nearest.sort_unstable_by(|a, b| b.total_cmp(a));
    nearest.truncate(TEN);
    let Some(&last) = nearest.last() else {
        return (0, 0);
    };
    let found = walk(graph, column, &query, breadth, living).rows;
    let near = found.iter().filter(|(_, row)| exact(*row) >= last).count();
    (near.min(nearest.len()), nearest.len())
}

/// Searches for `sample` rows by their own vectors; returns how many were asked for and how many found.
pub fn self_search(graph: &Graph, column: &Column, rows: &[u32], sample: usize) -> (usize, usize) {
    let (mut asked, mut found) = (0, 0);
    for row in spread_over(rows, sample) {
        let Some(vector) = column.vector(row) else {
            continue;
        };
        let answer = walk(graph, column, &Query::new(&vector), BREADTH, &|_| true);
        asked += 1;
        found += usize::from(answer.rows.iter().any(|(_, other)| *other == row));
    }
    (asked, found)
}

/// At most `sample` of the rows, evenly spread.
fn spread_over(rows: &[u32], sample: usize) -> impl Iterator<Item = u32> {
    let step = rows.len().div_ceil(sample.max(1)).max(1);
    rows.iter().step_by(step).copied()
}
