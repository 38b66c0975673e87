//! What is in an index.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Result;

use super::IndexError;
use super::audit::{Problem, graph_problem};
use super::graphs::SegmentGraph;
use super::snapshot::{Segment, Snapshot};

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
