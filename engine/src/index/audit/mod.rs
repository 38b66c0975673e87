//! Whether an index is sound.
//!
//! Reading order: `files` (checksums, and what no commit names), `rows` (both legs hold the same), `kept` (what
//! was found last).

mod files;
mod kept;
mod rows;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;

use crate::Result;
use crate::vector::column::ColumnError;
use crate::vector::graph::audit::GraphCheck;

use super::snapshot::Segment;
use super::store::{Disk, Store};
use super::{Index, IndexError, schema};

pub use kept::{AuditRecord, Audits};

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Audit {
    /// The commit that was checked.
    pub generation: u64,
    /// Rows whose vectors, words and texts were checked.
    pub rows: u64,
    /// Files whose checksums were checked.
    pub files: u64,
    /// The graphs that were checked.
    pub graphs: Vec<CheckedGraph>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// A graph that was checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedGraph {
    /// The segment.
    pub segment: String,
    /// What it is worth.
    #[serde(flatten)]
    pub check: GraphCheck,
}

/// Something that is wrong with an index.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "problem")]
pub enum Problem {
    /// A file does not match its checksum.
    #[error("{file} does not match its checksum")]
    Checksum {
        /// The file's name.
        file: String,
    },
    /// A file is not there.
    #[error("{file} is missing")]
    Missing {
        /// The file's name.
        file: String,
    },
    /// A file cannot be read.
    #[error("{file} cannot be read: {reason}")]
    Unreadable {
        /// The file's name.
        file: String,
        /// What the system answered.
        reason: String,
    },
    /// No commit names a file: an interrupted writer left it, and the next one removes it.
    #[error("{file} is left over from a writer that was interrupted")]
    Leftover {
        /// The file's name.
        file: String,
    },
    /// The index has other columns than this version makes for its encoder.
    #[error("the columns of the index are not those of format {}", schema::FORMAT)]
    Schema,
    /// A row has no vector, or one that is not of unit length.
    #[error("row {row} of segment {segment} has a vector of length {length}, expected 1")]
    Vector {
        /// The segment.
        segment: String,
        /// The row.
        row: u32,
        /// What was found; 0 stands for no vector.
        length: f32,
    },
    /// The keyword leg does not hold a row as the vector leg does.
    #[error("row {row} of segment {segment} {reason}")]
    Words {
        /// The segment.
        segment: String,
        /// The row.
        row: u32,
        /// What was found, as in `is not found by its id`.
        reason: String,
    },
    /// The chunks of the index do not hold all tokens of its documents.
    #[error("the documents have {documents} tokens, their chunks {chunks}")]
    Tokens {
        /// Tokens in the documents.
        documents: u64,
        /// Tokens in the chunks.
        chunks: u64,
    },
    /// The graph of a segment cannot be used, and the segment is scanned; or it is not good enough, and hits may be
    /// missing. It is built anew with [`IndexWriter::mend_graphs`](super::IndexWriter::mend_graphs).
    #[error("the graph of segment {segment} cannot be relied on: {reason}")]
    Graph {
        /// The segment.
        segment: String,
        /// What was found.
        reason: String,
    },
    /// A document cannot be read, or is not whole.
    #[error("a document of segment {segment} is not sound: {reason}")]
    Document {
        /// The segment.
        segment: String,
        /// What was found.
        reason: String,
    },
}

impl Problem {
    /// Whether it is of something derived, which can be made again from the rest of the index, or needs only be removed.
    pub fn is_derived(&self) -> bool {
        matches!(self, Problem::Graph { .. } | Problem::Leftover { .. })
    }
}

pub(super) fn graph_problem(segment: &Segment, error: &ColumnError) -> Problem {
    Problem::Graph {
        segment: segment.name(),
        reason: error.to_string(),
    }
}

impl Index {
    /// Compares all files of the index in `folder` with their checksums, whatever is known of them. It works where
    /// they are too damaged for the index to be opened. Graphs are left to [`Self::audit`]: they are derived, and
    /// damage to one is no damage to the index.
    ///
    /// # Errors
    /// [`IndexError::NotFound`]; [`IndexError`] if the commit itself cannot be read.
    pub fn check_files(folder: &Path) -> Result<Audit> {
        let mut audit = Audit::default();
        audit.check_folder(folder)?;
        Ok(audit)
    }

    /// Audits the index in `folder` as [`Self::audit`] does, and hands it over if it could be opened: every file is read
    /// once for both.
    ///
    /// # Errors
    /// Those of [`Self::check_files`] and [`Self::open`].
    pub fn examine(folder: &Path) -> Result<(Audit, Option<Index>)> {
        let mut audit = Audit::default();
        let store = audit.check_folder(folder)?;
        if !audit.problems.is_empty() {
            return Ok((audit, None));
        }
        let index = Self::open_store(store)?;
        audit.check_content(&index)?;
        Ok((audit, Some(index)))
    }

    /// Checks the last commit: checksums of all files, every row in both legs, every stored text, that the
    /// chunks hold all tokens of the documents, what graphs are worth, and what no commit names. It reads the whole index.
    /// Where files are damaged it stops there: what else there is to find follows from that.
    pub fn audit(&self) -> Result<Audit> {
        let mut audit = Audit::default();
        audit.check_files(self.tantivy(), self.store())?;
        if audit.problems.is_empty() {
            audit.check_content(self)?;
        }
        Ok(audit)
    }

    /// Checks what is derived alone: graphs, and that nothing is left over.
    pub fn audit_derived(&self) -> Result<Audit> {
        let mut audit = Audit::default();
        audit.check_derived(self)?;
        Ok(audit)
    }
}

impl Audit {
    fn check_folder(&mut self, folder: &Path) -> Result<Store> {
        if !Index::exists(folder) {
            let path = folder.to_owned();
            return Err(IndexError::NotFound { path }.into());
        }
        let store = Store::new(Disk::folder(folder)?);
        schema::check_names(&super::read_commit(&store).map_err(IndexError::from)?)?;
        let index = tantivy::Index::open(store.clone()).map_err(IndexError::from)?;
        self.check_files(&index, &store)?;
        Ok(store)
    }

    fn check_content(&mut self, index: &Index) -> Result<()> {
        let (schema, _) = schema::build(index.spec())?;
        if schema != index.tantivy().schema() {
            self.problems.push(Problem::Schema);
        }
        let snapshot = index.snapshot()?;
        self.check_rows(&snapshot)?;
        let summary = snapshot.summary()?;
        if summary.document_tokens != summary.embedded_tokens {
            self.problems.push(Problem::Tokens {
                documents: summary.document_tokens,
                chunks: summary.embedded_tokens,
            });
        }
        self.check_derived(index)
    }

    fn check_derived(&mut self, index: &Index) -> Result<()> {
        let snapshot = index.snapshot()?;
        self.generation = snapshot.generation();
        for segment in snapshot.segments().iter() {
            self.check_graph(segment);
        }
        self.check_leftovers(index.tantivy(), index.store())
    }

    fn check_graph(&mut self, segment: &Segment) {
        if let Err(error) = segment.graph.verify() {
            self.problems.push(graph_problem(segment, &error));
        } else if let Some(check) = segment.check_graph() {
            let segment = segment.name();
            if let Some(reason) = check.fault() {
                let segment = segment.clone();
                self.problems.push(Problem::Graph { segment, reason });
            }
            self.graphs.push(CheckedGraph { segment, check });
        }
    }

    /// The least recall of the graphs that were checked, if there are any.
    pub fn recall(&self) -> Option<f32> {
        let recalls = self.graphs.iter().map(|graph| graph.check.recall);
        recalls.reduce(f32::min)
    }
}
