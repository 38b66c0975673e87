//! What is in an index, and whether it is sound.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use tantivy::directory::error::OpenReadError;

use crate::Result;
use crate::vector::column::ColumnError;
use crate::vector::plugin::GRAPH;

use super::graphs::{SHORTEST, SegmentGraph};
use super::snapshot::{Segment, Snapshot};
use super::{Index, IndexError};

/// What is in a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The commit.
    pub generation: u64,
    /// Number of documents.
    pub documents: u64,
    /// Number of chunks; each has a vector.
    pub chunks: u64,
    /// Tokens in the documents, as counted before they were cut.
    pub document_tokens: u64,
    /// Tokens in the chunks that were embedded. Equal to the above: nothing is truncated.
    pub embedded_tokens: u64,
    /// Rows of deleted documents that the next merge will drop.
    pub deleted_rows: u64,
    /// Number of segments.
    pub segments: usize,
    /// Number of segments with a graph; the others are scanned.
    pub graphs: usize,
    /// What is wrong, as far as opening the index shows it.
    pub problems: Vec<Problem>,
    /// Documents by the fact `format`, where they have one.
    pub formats: BTreeMap<String, u64>,
    /// Names of the facts that documents have and filters can ask for.
    pub facts: Vec<String>,
}

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

impl Snapshot {
    /// Counts what is in the snapshot.
    pub fn summary(&self) -> Result<Summary> {
        let mut summary = Summary {
            generation: self.generation(),
            documents: self.documents(),
            chunks: self.chunks(),
            segments: self.segment_count(),
            ..Summary::default()
        };
        for segment in self.segments().iter() {
            match &segment.graph {
                SegmentGraph::Missing => {}
                SegmentGraph::Sound(_) => summary.graphs += 1,
                SegmentGraph::Damaged(error) => {
                    summary.problems.push(graph_problem(segment, error));
                }
            }
            summary.deleted_rows += u64::from(segment.reader.num_deleted_docs());
            summary.embedded_tokens += self.sum(segment, "tokens")?;
            summary.document_tokens += self.sum(segment, "whole")?;
            count_formats(segment, &mut summary.formats)?;
            let fields = segment.reader.fields_metadata();
            for field in fields.map_err(IndexError::from)? {
                if let Some(name) = field.field_name.strip_prefix("facts.") {
                    summary.facts.push(name.replace("\\.", "."));
                }
            }
        }
        summary.facts.sort_unstable();
        summary.facts.dedup();
        Ok(summary)
    }

    fn sum(&self, segment: &Segment, column: &str) -> Result<u64> {
        let column = segment.reader.fast_fields().u64(column);
        let column = column.map_err(IndexError::from)?.first_or_default_col(0);
        let rows = segment.reader.doc_ids_alive();
        Ok(rows.map(|row| column.get_val(row)).sum())
    }
}

fn graph_problem(segment: &Segment, error: &ColumnError) -> Problem {
    Problem::Graph {
        segment: segment.reader.segment_id().short_uuid_string(),
        reason: error.to_string(),
    }
}

fn count_formats(segment: &Segment, formats: &mut BTreeMap<String, u64>) -> Result<()> {
    let column = segment.reader.fast_fields().str("facts.format");
    let Some(column) = column.map_err(IndexError::from)? else {
        return Ok(());
    };
    let mut name = String::new();
    for document in 0..segment.documents.len() as u32 {
        let row = segment.documents.rows(document).start;
        if let Some(ordinal) = column.term_ords(row).next() {
            name.clear();
            column
                .ord_to_str(ordinal, &mut name)
                .map_err(IndexError::from)?;
            *formats.entry(name.clone()).or_default() += 1;
        }
    }
    Ok(())
}

impl Index {
    /// Checks the last commit: checksums of all files, every vector, every stored text, and that the
    /// chunks hold all tokens of the documents. It reads the whole index.
    pub fn audit(&self) -> Result<Audit> {
        let mut audit = Audit::default();
        audit.check_files(self)?;
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

impl Audit {
    /// Compares the files of the last commit with their checksums. A graph is left to
    /// [`Self::check_segment`]: it is derived, and damage to it is no damage to the index.
    fn check_files(&mut self, index: &Index) -> Result<()> {
        let segments = index.tantivy().searchable_segment_ids();
        let segments = segments.map_err(IndexError::from)?;
        let segments: HashSet<String> = segments.iter().map(|id| id.uuid_string()).collect();
        let directory = index.tantivy().directory();
        for path in directory.list_managed_files() {
            let name = path.to_string_lossy().into_owned();
            let of_segment = name
                .split('.')
                .next()
                .is_some_and(|id| segments.contains(id));
            if !of_segment || name.ends_with(&format!(".{GRAPH}")) {
                continue;
            }
            self.files += 1;
            let sound = match index.file_size(&path) {
                Some(size) if size < SHORTEST => false,
                _ => match directory.validate_checksum(&path) {
                    Ok(sound) => sound,
                    // Collected meanwhile; if it is needed, the segment cannot be opened.
                    Err(OpenReadError::FileDoesNotExist(_)) => true,
                    Err(_) => false,
                },
            };
            if !sound {
                self.problems.push(Problem::Checksum { file: name });
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
