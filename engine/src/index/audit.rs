//! Whether an index is sound.

use std::io;
use std::path::Path;

use serde::Serialize;
use tantivy::directory::error::OpenReadError;
use tantivy::index::{SegmentComponent, SegmentMeta};

use crate::Result;
use crate::vector::column::{CODES, ColumnError, RESIDUALS};

use super::snapshot::{Segment, Snapshot};
use super::store::{Disk, Store};
use super::{Index, IndexError};

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Audit {
    /// Rows whose vectors were checked.
    pub rows: u64,
    /// Files whose checksums were checked.
    pub files: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
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
    /// The chunks of the index do not hold all tokens of its documents.
    #[error("the documents have {documents} tokens, their chunks {chunks}")]
    Tokens {
        /// Tokens in the documents.
        documents: u64,
        /// Tokens in the chunks.
        chunks: u64,
    },
    /// The graph of a segment cannot be used, and the segment is scanned. It is built anew with
    /// [`IndexWriter::build_graphs`](super::IndexWriter::build_graphs).
    #[error("the graph of segment {segment} cannot be used: {reason}")]
    Graph {
        /// The segment.
        segment: String,
        /// What was found.
        reason: String,
    },
    /// A document cannot be read.
    #[error("a document of segment {segment} cannot be read: {reason}")]
    Document {
        /// The segment.
        segment: String,
        /// What was found.
        reason: String,
    },
}

impl Problem {
    /// Whether it is of something derived, which can be made again from the rest of the index.
    pub fn is_derived(&self) -> bool {
        matches!(self, Problem::Graph { .. })
    }
}

pub(super) fn graph_problem(segment: &Segment, error: &ColumnError) -> Problem {
    Problem::Graph {
        segment: segment.reader.segment_id().short_uuid_string(),
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
        if !Self::exists(folder) {
            let path = folder.to_owned();
            return Err(IndexError::NotFound { path }.into());
        }
        let store = Store::new(Disk::folder(folder)?);
        let index = tantivy::Index::open(store.clone()).map_err(IndexError::from)?;
        let mut audit = Audit::default();
        audit.check_files(&index, &store)?;
        Ok(audit)
    }

    /// Checks the last commit: checksums of all files, every vector, every stored text, and that the
    /// chunks hold all tokens of the documents. It reads the whole index. Where files are damaged it stops there: what
    /// else there is to find follows from that.
    pub fn audit(&self) -> Result<Audit> {
        let mut audit = Audit::default();
        audit.check_files(self.tantivy(), self.store())?;
        if !audit.problems.is_empty() {
            return Ok(audit);
        }
        let snapshot = self.snapshot()?;
        for (place, segment) in (0u32..).zip(snapshot.segments().iter()) {
            audit.check_segment(&snapshot, place, segment);
        }
        let summary = snapshot.summary()?;
        if summary.document_tokens != summary.embedded_tokens {
            audit.problems.push(Problem::Tokens {
                documents: summary.document_tokens,
                chunks: summary.embedded_tokens,
            });
        }
        Ok(audit)
    }
}

/// The files that a segment must have: all but its graph.
fn components(segment: &SegmentMeta) -> Vec<SegmentComponent> {
    let mut components = vec![
        SegmentComponent::Postings,
        SegmentComponent::Positions,
        SegmentComponent::Terms,
        SegmentComponent::Store,
        SegmentComponent::FastFields,
        SegmentComponent::FieldNorms,
        SegmentComponent::Custom(CODES.to_owned()),
        SegmentComponent::Custom(RESIDUALS.to_owned()),
    ];
    if segment.has_deletes() {
        components.push(SegmentComponent::Delete);
    }
    components
}

impl Audit {
    fn check_files(&mut self, index: &tantivy::Index, store: &Store) -> Result<()> {
        let read = || index.searchable_segment_metas().map_err(IndexError::from);
        let segments = read()?;
        for segment in &segments {
            let found: Vec<Problem> = components(segment)
                .into_iter()
                .filter_map(|component| check_file(store, &segment.relative_path(component)))
                .collect();
            self.files += components(segment).len() as u64;
            // A merge may have taken its files away meanwhile.
            let mut now = read()?.into_iter();
            if !found.is_empty() && now.any(|other| other.id() == segment.id()) {
                self.problems.extend(found);
            }
        }
        Ok(())
    }

    fn check_segment(&mut self, snapshot: &Snapshot, place: u32, segment: &Segment) {
        let name = segment.reader.segment_id().short_uuid_string();
        if let Err(error) = segment.graph.verify() {
            self.problems.push(graph_problem(segment, &error));
        }
        for row in segment.reader.doc_ids_alive() {
            self.rows += 1;
            let vector = segment.column.vector(row).unwrap_or_default();
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            if !length.is_finite() || (length - 1.0).abs() > 1e-3 {
                self.problems.push(Problem::Vector {
                    segment: name.clone(),
                    row,
                    length,
                });
            }
            if let Err(error) = snapshot.stored_chunk(place, row) {
                self.problems.push(Problem::Document {
                    segment: name.clone(),
                    reason: error.to_string(),
                });
            }
        }
    }
}

fn check_file(store: &Store, path: &Path) -> Option<Problem> {
    let file = path.to_string_lossy().into_owned();
    match store.check(path) {
        Ok(()) => None,
        Err(OpenReadError::FileDoesNotExist(_)) => Some(Problem::Missing { file }),
        Err(OpenReadError::IoError { io_error, .. })
            if io_error.kind() == io::ErrorKind::InvalidData =>
        {
            Some(Problem::Checksum { file })
        }
        Err(error) => {
            let reason = error.to_string();
            Some(Problem::Unreadable { file, reason })
        }
    }
}
