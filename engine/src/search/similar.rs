//! What is similar to a document or to one of its passages.

use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED, Term};

use crate::Result;
use crate::index::IndexError;
use crate::index::snapshot::{DocumentAddress, Snapshot};

use super::QueryError;
use super::request::{Mode, SearchRequest, SearchResponse};

impl Snapshot {
    /// The documents whose best passage is closest to the passage of the document `id` that holds `line`,
    /// or, without a line, to the mean of its passages. The document itself is left out.
    ///
    /// # Errors
    /// [`QueryError::NoDocument`] if there is no such document, [`QueryError::NoLine`] if it has no
    /// passage at or after the line.
    pub fn similar(&self, id: &str, line: Option<u32>, limit: usize) -> Result<SearchResponse> {
        let address = self
            .find(id)?
            .ok_or_else(|| QueryError::NoDocument { id: id.to_owned() })?;
        let vector = match line {
            Some(line) => self
                .passage_vector(address, line)?
                .ok_or(QueryError::NoLine {
                    id: id.to_owned(),
                    line,
                })?,
            None => self.mean_vector(address),
        };
        let request = SearchRequest::new("")
            .with_mode(Mode::Semantic)
            .with_limit(limit.saturating_add(1));
        let mut response = self.search(&request, Some(&vector))?;
        response.hits.retain(|hit| hit.id != id);
        response.hits.truncate(limit);
        for (place, hit) in response.hits.iter_mut().enumerate() {
            hit.rank = place + 1;
        }
        response.query = match line {
            Some(line) => format!("similar to {id}:{line}"),
            None => format!("similar to {id}"),
        };
        Ok(response)
    }

    /// Whether there is a document of this id.
    pub fn contains(&self, id: &str) -> Result<bool> {
        Ok(self.find(id)?.is_some())
    }

    /// The document of this id.
    pub(crate) fn find(&self, id: &str) -> Result<Option<DocumentAddress>> {
        let term = Term::from_field_text(self.fields().id, id);
        for (place, segment) in (0u32..).zip(self.segments().iter()) {
            let index = segment.reader.inverted_index(self.fields().id);
            let index = index.map_err(IndexError::from)?;
            let postings = index.read_postings(&term, IndexRecordOption::Basic);
            let Some(mut postings) = postings.map_err(IndexError::from)? else {
                continue;
            };
            while postings.doc() != TERMINATED {
                if let Some(document) = segment.documents.of_row(postings.doc()) {
                    return Ok(Some(DocumentAddress {
                        segment: place,
                        document,
                    }));
                }
                postings.advance();
            }
        }
        Ok(None)
    }

    fn passage_vector(&self, address: DocumentAddress, line: u32) -> Result<Option<Vec<f32>>> {
        let segment = &self.segments()[address.segment as usize];
        for row in segment.documents.rows(address.document) {
            let chunk = self.stored_chunk(address.segment, row)?;
            if chunk.lines[1] >= line {
                return Ok(segment.column.vector(row));
            }
        }
        Ok(None)
    }

    fn mean_vector(&self, address: DocumentAddress) -> Vec<f32> {
        let segment = &self.segments()[address.segment as usize];
        let mut mean = vec![0f32; self.spec().encoder.dimension];
        for row in segment.documents.rows(address.document) {
            for (sum, x) in mean
                .iter_mut()
                .zip(segment.column.vector(row).unwrap_or_default())
            {
                *sum += x;
            }
        }
        let norm = mean.iter().map(|x| x * x).sum::<f32>().sqrt();
        if norm > 0.0 {
            mean.iter_mut().for_each(|x| *x /= norm);
        }
        mean
    }
}
