//! From words to the rows that hold them.

use std::collections::BTreeSet;

use tantivy::postings::TermInfo;
use tantivy::query::{EnableScoring, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{InvertedIndexReader, Term};

use crate::index::snapshot::{Segment, Snapshot};

use super::analyser::Analyser;
use super::language::Language;

/// A beginning of a word stands for at most this many words: the first in the alphabet.
pub const MOST_EXPANSIONS: usize = 1_000;

/// How often a word occurs in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    pub row: u32,
    pub count: u32,
}

/// The rows that hold any of `terms`, with how often; living rows only, ascending.
pub fn occurrences(
    segment: &Segment,
    field: Field,
    terms: &[String],
) -> tantivy::Result<Vec<Occurrence>> {
    let index = segment.reader.inverted_index(field)?;
    let all_live = !segment.reader.has_deletes();
    let mut found = Vec::new();
    let mut lists = 0;
    for term in terms {
        let term = Term::from_field_text(field, term);
        // Block by block: asking row by row takes three times as long.
        let Some(mut block) = index.read_block_postings(&term, IndexRecordOption::WithFreqs)?
        else {
            continue;
        };
        lists += 1;
        found.reserve(block.doc_freq() as usize);
        while block.block_len() > 0 {
            let rows = block.docs().iter().zip(block.freqs());
            let rows = rows.map(|(&row, &count)| Occurrence { row, count });
            match all_live {
                true => found.extend(rows),
                false => found.extend(rows.filter(|o| segment.documents.of_row(o.row).is_some())),
            }
            block.advance();
        }
    }
    if lists > 1 {
        found.sort_unstable_by_key(|occurrence| occurrence.row);
        found.dedup_by(|next, kept| {
            let same = next.row == kept.row;
            if same {
                kept.count += next.count;
            }
            same
        });
    }
    Ok(found)
}

/// The terms of living rows that begin with `prefix`: of those of all segments the first [`MOST_EXPANSIONS`], so that it
/// does not show how rows lie.
pub fn expand(snapshot: &Snapshot, field: Field, prefix: &str) -> tantivy::Result<Vec<String>> {
    let mut terms = BTreeSet::new();
    for segment in snapshot.segments().iter() {
        let index = segment.reader.inverted_index(field)?;
        let mut stream = index.terms().range().ge(prefix.as_bytes()).into_stream()?;
        let mut found = 0;
        while found < MOST_EXPANSIONS && stream.advance() {
            match std::str::from_utf8(stream.key()) {
                Ok(term) if term.starts_with(prefix) => {
                    if is_living(segment, &index, stream.value())? {
                        terms.insert(term.to_owned());
                        found += 1;
                    }
                }
                _ => break,
            }
        }
    }
    Ok(terms.into_iter().take(MOST_EXPANSIONS).collect())
}

/// Whether a living row has a term.
fn is_living(
    segment: &Segment,
    index: &InvertedIndexReader,
    term: &TermInfo,
) -> tantivy::Result<bool> {
    if !segment.reader.has_deletes() {
        return Ok(true);
    }
    let mut block = index.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?;
    while block.block_len() > 0 {
        let mut rows = block.docs().iter();
        if rows.any(|&row| segment.documents.of_row(row).is_some()) {
            return Ok(true);
        }
        block.advance();
    }
    Ok(false)
}

/// The languages that living documents of the snapshot were stemmed in.
pub fn languages(snapshot: &Snapshot) -> tantivy::Result<Vec<Language>> {
    let mut found = BTreeSet::new();
    for segment in snapshot.segments().iter() {
        let index = segment.reader.inverted_index(snapshot.fields().language)?;
        let mut stream = index.terms().stream()?;
        while stream.advance() {
            let code = std::str::from_utf8(stream.key()).unwrap_or_default();
            if let Some(language) = Language::from_code(code)
                && !found.contains(&language)
                && is_living(segment, &index, stream.value())?
            {
                found.insert(language);
            }
        }
    }
    if found.is_empty() {
        found.insert(Language::English);
    }
    Ok(found.into_iter().collect())
}

/// Marks the documents of a segment that hold `phrase`, word after word, in any of `languages`.
pub fn mark_phrase(
    segment: &Segment,
    field: Field,
    phrase: &str,
    languages: &[Language],
    marks: &mut [bool],
) -> tantivy::Result<()> {
    let mut tried = BTreeSet::new();
    for &language in languages {
        let terms = Analyser::new(language).terms(phrase);
        let first = terms.first().map_or(0, |term| term.position);
        let words: Vec<(usize, Term)> = terms
            .iter()
            .map(|term| {
                let place = (term.position - first) as usize;
                (place, Term::from_field_text(field, &term.text))
            })
            .collect();
        if words.is_empty() || !tried.insert(words.clone()) {
            continue;
        }
        let query: Box<dyn Query> = if words.len() == 1 {
            let word = words[0].1.clone();
            Box::new(TermQuery::new(word, IndexRecordOption::Basic))
        } else {
            Box::new(PhraseQuery::new_with_offset(words))
        };
        let schema = segment.reader.schema();
        let weight = query.weight(EnableScoring::disabled_from_schema(schema))?;
        weight.for_each_no_score(&segment.reader, &mut |rows| {
            for &row in rows {
                if let Some(document) = segment.documents.of_row(row) {
                    marks[document as usize] = true;
                }
            }
        })?;
    }
    Ok(())
}
