//! Every row is in both legs: its vector is there and of unit length, its words and its text are there, and it stands
//! among the rows of one document.

use std::collections::HashSet;

use tantivy::columnar::StrColumn;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, TERMINATED};

use crate::Result;

use super::super::IndexError;
use super::super::snapshot::{DocumentAddress, Segment, Snapshot};
use super::{Audit, Problem};

impl Audit {
    /// Checks every living row and every document.
    pub(super) fn check_rows(&mut self, snapshot: &Snapshot) -> Result<()> {
        let mut ids = HashSet::new();
        for (place, segment) in (0u32..).zip(snapshot.segments().iter()) {
            self.check_vectors(segment);
            self.check_words(snapshot, segment)?;
            self.check_documents(snapshot, place, &mut ids);
        }
        Ok(())
    }

    fn check_vectors(&mut self, segment: &Segment) {
        for row in segment.reader.doc_ids_alive() {
            self.rows += 1;
            let vector = segment.column.vector(row);
            let length = vector.map_or(0.0, |vector| {
                vector.iter().map(|x| x * x).sum::<f32>().sqrt()
            });
            if !length.is_finite() || (length - 1.0).abs() > 1e-3 {
                self.problems.push(Problem::Vector {
                    segment: segment.name(),
                    row,
                    length,
                });
            }
        }
    }

    /// The keyword leg finds a row by its id, and, if it has words, by words.
    fn check_words(&mut self, snapshot: &Snapshot, segment: &Segment) -> Result<()> {
        let fields = snapshot.fields();
        let by_id = marks(segment, fields.id, segment.ids.as_ref())?;
        let by_word = marks(segment, fields.body, None)?;
        for row in segment.reader.doc_ids_alive() {
            let length = segment.documents.row_length(row);
            let reason = match (by_id[row as usize], by_word[row as usize]) {
                (false, _) => "is not found by its id".to_owned(),
                (true, false) if length > 0 => format!("is found by none of its {length} words"),
                (true, _) => continue,
            };
            let segment = segment.name();
            self.problems.push(Problem::Words {
                segment,
                row,
                reason,
            });
        }
        Ok(())
    }

    /// The rows of a document follow each other, whole, can be read, and no other has its id.
    fn check_documents(&mut self, snapshot: &Snapshot, place: u32, ids: &mut HashSet<String>) {
        let segment = &snapshot.segments()[place as usize];
        for document in 0..segment.documents.len() as u32 {
            if let Err(reason) = check_document(snapshot, place, document, ids) {
                let segment = segment.name();
                self.problems.push(Problem::Document { segment, reason });
            }
        }
    }
}

fn check_document(
    snapshot: &Snapshot,
    place: u32,
    document: u32,
    ids: &mut HashSet<String>,
) -> std::result::Result<(), String> {
    let address = DocumentAddress {
        segment: place,
        document,
    };
    let segment = &snapshot.segments()[place as usize];
    let rows = segment.documents.rows(document);
    let id = snapshot.id(address).map_err(|error| error.to_string())?;
    let stored = snapshot.stored_document(address);
    let stored = stored.map_err(|error| format!("{id:?}: {error}"))?;
    if stored.chunks as usize != rows.len() {
        let found = rows.len();
        return Err(format!(
            "{id:?} has {found} of its {} chunks",
            stored.chunks
        ));
    }
    let own = |row: u32| {
        segment
            .ids
            .as_ref()
            .and_then(|ids| ids.term_ords(row).next())
    };
    let first = own(rows.start);
    for row in rows {
        if segment.documents.of_row(row) != Some(document) || own(row) != first {
            return Err(format!("row {row} among those of {id:?} is not its own"));
        }
        let chunk = snapshot.stored_chunk(place, row);
        chunk.map_err(|error| format!("{id:?}: {error}"))?;
    }
    match ids.insert(id.clone()) {
        true => Ok(()),
        false => Err(format!("{id:?} is there twice")),
    }
}

/// The rows that the postings of a field hold; of an id's, where `ids` says the same.
fn marks(segment: &Segment, field: Field, ids: Option<&StrColumn>) -> Result<Vec<bool>> {
    let mut marks = vec![false; segment.reader.max_doc() as usize];
    let mut mark = || -> tantivy::Result<()> {
        let index = segment.reader.inverted_index(field)?;
        let mut terms = index.terms().stream()?;
        while let Some((term, info)) = terms.next() {
            let expected = match ids {
                Some(ids) => ids.dictionary().term_ord(term)?,
                None => None,
            };
            let mut rows = index.read_postings_from_terminfo(info, IndexRecordOption::Basic)?;
            while rows.doc() != TERMINATED {
                let row = rows.doc();
                let same = ids.is_none_or(|ids| ids.term_ords(row).next() == expected);
                if let Some(mark) = marks.get_mut(row as usize) {
                    *mark |= same;
                }
                rows.advance();
            }
        }
        Ok(())
    };
    mark().map_err(IndexError::from)?;
    Ok(marks)
}
