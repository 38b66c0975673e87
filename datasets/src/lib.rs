//! Test collections and the measures of ranking: what a search engine is judged by.
//!
//! - [`beir`] reads collections in BEIR layout, and questions on a folder of files.
//! - [`trec`] writes and reads runs in the format that every evaluator knows.
//! - [`metrics`] scores a run as `trec_eval` does.
//! - [`experiment`] puts a collection to the engine.
//! - [`speed`] and [`memory`] measure an encoder, and [`measured`] keeps what was measured.
//! - [`significance`] says whether one run is better than another or merely lucky.

pub mod beir;
mod error;
pub mod experiment;
pub mod measured;
pub mod memory;
pub mod metrics;
mod qrels;
pub mod significance;
pub mod speed;
pub mod trec;

pub use beir::{Collection, Query, Questions, Warning};
pub use error::DatasetError;
pub use metrics::{Measure, Scores, evaluate};
pub use qrels::Judgements;
pub use significance::{Comparison, compare};
pub use trec::{Ranked, Run};
