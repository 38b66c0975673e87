//! Kenning's folder indexer.

pub mod extract;
