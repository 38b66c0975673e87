//! Approximate search for large segments: a hierarchical navigable small world graph.
//!
//! Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical
//! Navigable Small World graphs" (2018). The graph is derived from the column and may be missing.
//!
//! Reading order: [`build`] (rows to an adjacency, by hnsw_rs), [`audit`] (what hnsw_rs may have lost,
//! repaired), [`file`](mod@file) (the adjacency as bytes), [`pool`] (the best rows so far), [`search`] (a
//! walk over those bytes).

pub mod audit;
pub mod build;
pub mod file;
mod pool;
pub mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use file::Graph;
pub use pool::MOST_ROWS;

/// A graph as it is built: which rows lead to which.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Adjacency {
    /// Where every search begins: a row of the highest level.
    pub entry: u32,
    /// Rows that are in the graph, ascending: of equal rows the first.
    pub members: Vec<u32>,
    /// Level 0: the neighbours of each row of the segment; none for a row that is no member.
    pub base: Vec<Vec<u32>>,
    /// Levels 1 and up: the neighbours of the rows that reach so high.
    pub upper: Vec<BTreeMap<u32, Vec<u32>>>,
    /// Members with the rows that are equal to them.
    pub twins: BTreeMap<u32, Vec<u32>>,
}
