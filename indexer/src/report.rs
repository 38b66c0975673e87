//! What an index run did: plain data.

use std::time::Duration;

use kenning::index::{BuiltGraph, GraphProgress};
use serde::Serialize;

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Whether files are still being looked for; until then the totals grow.
    pub walking: bool,
    /// Files found so far.
    pub files_found: u64,
    /// Files that must be read, so far.
    pub files_total: u64,
    /// Files done.
    pub files_done: u64,
    /// Bytes of the files that must be read, so far.
    pub bytes_total: u64,
    /// Bytes of the files done.
    pub bytes_done: u64,
    /// Chunks stored.
    pub chunks: u64,
    /// Tokens embedded by the encoder; what came from the cache is not counted.
    pub tokens: u64,
    /// Time spent embedding.
    pub embedding: Duration,
    /// How far the graph of a large segment is, once all files are done.
    pub graph: Option<GraphProgress>,
}

/// A file that is not in the index, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The file's id.
    pub path: String,
    /// Why, in one line.
    pub reason: String,
}

impl Failure {
    /// Something that is no file.
    pub(crate) fn special(path: String) -> Self {
        Failure {
            path,
            reason: "a link, pipe, socket or device".to_owned(),
        }
    }

    /// A file or folder that cannot be looked at.
    pub(crate) fn unreadable(id: String, reason: String) -> Self {
        // The folder that ids are relative to has an empty one.
        let path = if id.is_empty() { ".".to_owned() } else { id };
        Failure { path, reason }
    }
}

/// What a run did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Files that are new in the index.
    pub added: u64,
    /// Files that were read again because they had changed.
    pub changed: u64,
    /// Files that are as they were.
    pub unchanged: u64,
    /// Files that are gone.
    pub removed: u64,
    /// Files without searchable text, and links, pipes and devices.
    pub skipped: Vec<Failure>,
    /// Files that could not be read.
    pub failed: Vec<Failure>,
    /// Remarks on files that were read in part.
    pub warnings: Vec<Failure>,
    /// Documents in the index after the run.
    pub documents: u64,
    /// Chunks in the index after the run.
    pub chunks: u64,
    /// Chunks that the encoder embedded in this run.
    pub embedded: u64,
    /// Chunks whose vectors were known.
    pub reused: u64,
    /// Tokens that the encoder read in this run.
    pub tokens: u64,
    /// Graphs that were built for large segments. One that is not kept is a loss of speed, not of hits.
    pub graphs: Vec<BuiltGraph>,
    /// Whether graphs were left as they were, missing ones too, because building them takes more memory than allowed.
    pub graphs_left_out: bool,
    /// Whether the run was interrupted; what was done until then is kept.
    pub interrupted: bool,
    /// How long the run took, in seconds.
    pub seconds: f64,
    /// How much of that was embedding, in seconds.
    pub embedding_seconds: f64,
    /// The commit that the index is at.
    pub generation: u64,
}
