//! Which documents may be found: filters, phrases, exclusions, as one mark a document.

use tantivy::columnar::DynamicColumn;

use crate::Result;
use crate::index::IndexError;
use crate::index::snapshot::{DocumentAddress, Segment, Snapshot};
use crate::keyword::language::Language;
use crate::keyword::postings::mark_phrase;
use crate::keyword::query::{Constraint, Place};

use super::QueryError;
use super::filter::{Fact, Filter};

/// Marks of the documents that may be found; no marks at all where every one may.
#[derive(Debug, Default)]
pub struct Eligible {
    segments: Option<Vec<Vec<bool>>>,
}

impl Eligible {
    /// Evaluates filter and constraints over the snapshot.
    ///
    /// # Errors
    /// [`QueryError::UnknownFact`] for a name that no document has, [`QueryError::NoNumber`] where numbers are compared
    /// with what is none.
    pub fn evaluate(
        snapshot: &Snapshot,
        filters: &[&Filter],
        constraints: &[Constraint],
        languages: &[Language],
    ) -> Result<Self> {
        if filters.is_empty() && constraints.is_empty() {
            return Ok(Eligible::default());
        }
        for filter in filters {
            check_names(snapshot, filter)?;
        }
        let mut segments = Vec::new();
        for (place, segment) in (0u32..).zip(snapshot.segments().iter()) {
            let mut marks = vec![true; segment.documents.len()];
            // Read once for all facts that ask for them.
            let mut ids = None;
            for filter in filters {
                let mut holds = |fact: &Fact| {
                    if ids.is_none() && is_of_path(fact) {
                        ids = Some(ids_of(snapshot, place, segment)?);
                    }
                    fact_marks(segment, fact, ids.as_deref().unwrap_or_default())
                };
                let holds = filter.evaluate(marks.len(), &mut holds)?;
                intersect(&mut marks, &holds, false);
            }
            for constraint in constraints {
                let field = match constraint.place {
                    Place::Body => snapshot.fields().body,
                    Place::Title => snapshot.fields().title,
                };
                let mut holds = vec![false; marks.len()];
                let phrase = &constraint.phrase;
                mark_phrase(segment, field, phrase, languages, &mut holds)
                    .map_err(IndexError::from)?;
                intersect(&mut marks, &holds, constraint.excluded);
            }
            segments.push(marks);
        }
        Ok(Eligible {
            segments: Some(segments),
        })
    }

    /// Whether every document may be found.
    pub fn is_everything(&self) -> bool {
        self.segments.is_none()
    }

    /// Whether a document of a segment may be found.
    #[inline(always)]
    pub fn allows(&self, segment: usize, document: u32) -> bool {
        match &self.segments {
            Some(segments) => segments[segment][document as usize],
            None => true,
        }
    }

    /// How many documents and rows of a segment may be found.
    pub fn count_in(&self, place: usize, segment: &Segment) -> (usize, u64) {
        let Some(segments) = &self.segments else {
            let rows = u64::from(segment.reader.num_docs());
            return (segment.documents.len(), rows);
        };
        let marks = (0u32..).zip(&segments[place]);
        let allowed = marks.filter(|(_, mark)| **mark);
        allowed.fold((0, 0), |(documents, rows), (document, _)| {
            let more = segment.documents.rows(document).len() as u64;
            (documents + 1, rows + more)
        })
    }

    /// How many documents may be found.
    pub fn count(&self, snapshot: &Snapshot) -> u64 {
        match &self.segments {
            Some(segments) => {
                let marks = segments.iter().flatten();
                marks.filter(|mark| **mark).count() as u64
            }
            None => snapshot.documents(),
        }
    }
}

fn intersect(marks: &mut [bool], holds: &[bool], excluded: bool) {
    for (mark, holds) in marks.iter_mut().zip(holds) {
        *mark &= holds != &excluded;
    }
}

/// The names that are always known.
const PATH: &str = "path";
const EXTENSION: &str = "ext";

fn check_names(snapshot: &Snapshot, filter: &Filter) -> Result<()> {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => {
            for part in parts {
                check_names(snapshot, part)?;
            }
            Ok(())
        }
        Filter::Not(part) => check_names(snapshot, part),
        Filter::Fact(fact) if fact.name == PATH || fact.name == EXTENSION => Ok(()),
        Filter::Fact(fact) => {
            if snapshot.segments().is_empty() {
                return Ok(());
            }
            let mut numbers = false;
            for segment in snapshot.segments().iter() {
                let columns = columns(segment, &fact.name)?;
                for column in columns.iter().filter(|column| is_living(segment, column)) {
                    if fact.is_number() || !is_of_numbers(column) {
                        return Ok(());
                    }
                    numbers = true;
                }
            }
            let (name, value) = (fact.name.clone(), fact.value.clone());
            if numbers {
                return Err(QueryError::NoNumber { name, value }.into());
            }
            Err(QueryError::UnknownFact { name }.into())
        }
    }
}

fn is_of_numbers(column: &DynamicColumn) -> bool {
    use DynamicColumn::{F64, I64, U64};
    matches!(column, I64(_) | U64(_) | F64(_))
}

fn columns(segment: &Segment, name: &str) -> Result<Vec<DynamicColumn>> {
    // A dot in a name would be read as a path into an object.
    let name = format!("facts.{}", name.replace('.', "\\."));
    let handles = segment.reader.fast_fields().dynamic_column_handles(&name);
    let handles = handles.map_err(IndexError::from)?;
    let columns = handles.into_iter().map(|handle| handle.open());
    let columns: std::io::Result<Vec<_>> = columns.collect();
    Ok(columns.map_err(IndexError::from)?)
}

/// Whether a living document has a value.
fn is_living(segment: &Segment, column: &DynamicColumn) -> bool {
    let mut documents = 0..segment.documents.len() as u32;
    let index = column.column_index();
    !segment.reader.has_deletes()
        || documents.any(|document| index.has_value(segment.documents.rows(document).start))
}

fn is_of_path(fact: &Fact) -> bool {
    fact.name == PATH || fact.name == EXTENSION
}

/// The ids of a segment's documents.
fn ids_of(snapshot: &Snapshot, segment: u32, of: &Segment) -> Result<Vec<String>> {
    let documents = 0..of.documents.len() as u32;
    let id = |document| snapshot.id(DocumentAddress { segment, document });
    documents.map(id).collect()
}

/// Which documents of a segment a fact holds for; `ids` are theirs, where the fact is of a path.
fn fact_marks(segment: &Segment, fact: &Fact, ids: &[String]) -> Result<Vec<bool>> {
    if is_of_path(fact) {
        let holds = |id: &String| match fact.name.as_str() {
            PATH => fact.holds_for_text(id),
            _ => extension(id).is_some_and(|extension| fact.holds_for_text(extension)),
        };
        return Ok(ids.iter().map(holds).collect());
    }
    let mut marks = vec![false; segment.documents.len()];
    for column in columns(segment, &fact.name)? {
        mark_column(segment, fact, &column, &mut marks)?;
    }
    Ok(marks)
}

/// What follows the last dot of the last part of a path; a fragment after `#` is no part of it.
fn extension(id: &str) -> Option<&str> {
    let name = id.rsplit('/').next().unwrap_or(id);
    let (stem, extension) = name.rsplit_once('.')?;
    let extension = extension.split('#').next().unwrap_or(extension);
    (!stem.is_empty()).then_some(extension)
}

fn mark_column(
    segment: &Segment,
    fact: &Fact,
    column: &DynamicColumn,
    marks: &mut [bool],
) -> Result<()> {
    let first = |document: usize| segment.documents.rows(document as u32).start;
    match column {
        DynamicColumn::Str(column) => {
            let mut holds = Vec::new();
            let mut text = String::new();
            for ordinal in 0..column.num_terms() as u64 {
                text.clear();
                let read = column.ord_to_str(ordinal, &mut text);
                read.map_err(IndexError::from)?;
                holds.push(fact.holds_for_text(&text));
            }
            for (document, mark) in marks.iter_mut().enumerate() {
                let mut ordinals = column.term_ords(first(document));
                *mark |= ordinals.any(|ordinal| holds[ordinal as usize]);
            }
        }
        DynamicColumn::Bool(column) => {
            for (document, mark) in marks.iter_mut().enumerate() {
                let mut values = column.values_for_doc(first(document));
                *mark |= values.any(|value| fact.holds_for_flag(value));
            }
        }
        DynamicColumn::I64(column) => {
            for (document, mark) in marks.iter_mut().enumerate() {
                let mut values = column.values_for_doc(first(document));
                *mark |= values.any(|value| fact.holds_for_number(value as f64));
            }
        }
        DynamicColumn::U64(column) => {
            for (document, mark) in marks.iter_mut().enumerate() {
                let mut values = column.values_for_doc(first(document));
                *mark |= values.any(|value| fact.holds_for_number(value as f64));
            }
        }
        DynamicColumn::F64(column) => {
            for (document, mark) in marks.iter_mut().enumerate() {
                let mut values = column.values_for_doc(first(document));
                *mark |= values.any(|value| fact.holds_for_number(value));
            }
        }
        // Metadata has no values of other kinds.
        _ => {}
    }
    Ok(())
}
