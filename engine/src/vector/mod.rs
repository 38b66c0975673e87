//! The vector leg: a quantised column of one vector a row, scanned exactly or searched by a graph.
//!
//! Reading order: `quantise` (one vector as bytes), `kernels` (dot products over those bytes),
//! `column` (the file and how a segment of the index writes, merges and opens it), `scan` (exact
//! search), `graph` (approximate search for large segments).

pub(crate) mod column;
pub(crate) mod graph;
pub(crate) mod kernels;
pub(crate) mod plugin;
pub(crate) mod quantise;
pub(crate) mod scan;

pub use quantise::{pack, unpack};
