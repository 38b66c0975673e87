//! What insertion may have lost, found and repaired.
//!
//! hnsw_rs prunes an edge without asking whether it was the last one to its target, so a few rows can
//! end up outside. After [`repair`] every member leads to every other on level 0: whichever row the
//! upper levels bring a search to, nothing is out of its reach.

use std::collections::HashMap;

use tantivy::directory::OwnedBytes;

use super::search::walk;
use super::{Adjacency, Graph, file};
use crate::vector::column::Column;
use crate::vector::quantise::Query;

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

/// The members that the entry does not lead to, or that do not lead to the entry, on level 0.
pub fn unconnected(adjacency: &Adjacency) -> Vec<u32> {
    let reached = reach(&adjacency.base, adjacency.entry);
    let leading = reach(&transposed(&adjacency.base), adjacency.entry);
    let members = adjacency.members.iter().copied();
    members
        .filter(|&row| !(reached[row as usize] && leading[row as usize]))
        .collect()
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

/// Searches for `sample` members by their own vectors; returns how many were asked for and how many found.
pub fn self_search(
    graph: &Graph,
    column: &Column,
    members: &[u32],
    sample: usize,
) -> (usize, usize) {
    let step = members.len().div_ceil(sample.max(1)).max(1);
    let (mut asked, mut found) = (0, 0);
    for &row in members.iter().step_by(step) {
        let Some(vector) = column.vector(row) else {
            continue;
        };
        let answer = walk(graph, column, &Query::new(&vector), BREADTH, &|_| true);
        asked += 1;
        found += usize::from(answer.rows.iter().any(|(_, other)| *other == row));
    }
    (asked, found)
}
