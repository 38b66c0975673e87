//! BM25 over whole documents and over single passages.
//!
//! Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), in the form
//! that Lucene computes: a term t adds w·idf(t)·f/(f + k₁(1 − b + b·l/l̄)), with
//! idf(t) = ln(1 + (N − n + ½)/(n + ½)), f the term's frequency, l the length in terms, stop words not
//! counted, and w how often the query has it. All numbers count living documents only, so that a
//! score depends neither on deleted documents nor on how rows lie in segments.

use crate::index::snapshot::{DocumentAddress, Segment, Snapshot};

use super::analyser::Analyser;
use super::language::Language;
use super::postings::{self, Occurrence};
use super::query::ParsedQuery;

/// Term frequency saturation, Lucene's value.
pub const K1: f32 = 1.2;
/// Length normalisation, Lucene's value.
pub const B: f32 = 0.75;

/// A word of the query with everything it is looked up as.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryTerm {
    /// The word, lower-cased; with `*` for the beginning of a word.
    pub word: String,
    /// How often the query has it.
    pub weight: f32,
    /// Its terms in the index: one for each stem that a language gives it.
    pub terms: Vec<String>,
    /// Whether `terms` is a beginning, to be expanded.
    pub prefix: bool,
}

/// The words of a query that are scored. Stop words of the query's language are left out, unless it
/// has no others.
pub fn query_terms(query: &ParsedQuery, languages: &[Language]) -> Vec<QueryTerm> {
    let own = match Language::detect(&query.text) {
        found if languages.contains(&found) => found,
        _ => Language::English,
    };
    let base = Analyser::new(own).terms(&query.text);
    let content = |stop: bool| !stop || base.iter().all(|term| term.stop);
    let others: Vec<_> = languages
        .iter()
        .map(|&language| Analyser::new(language).terms(&query.text))
        .collect();
    let mut found: Vec<QueryTerm> = Vec::new();
    for (place, term) in base.iter().enumerate() {
        if !content(term.stop) {
            continue;
        }
        // Words are cut the same way in every language; only their stems differ.
        let mut terms: Vec<String> = others
            .iter()
            .map(|terms| terms[place].text.clone())
            .collect();
        terms.sort_unstable();
        terms.dedup();
        let word = query.text[term.span.clone()].to_lowercase();
        add(&mut found, word, terms, false);
    }
    for prefix in &query.prefixes {
        add(&mut found, format!("{prefix}*"), vec![prefix.clone()], true);
    }
    found
}

fn add(found: &mut Vec<QueryTerm>, word: String, terms: Vec<String>, prefix: bool) {
    let same = |known: &&mut QueryTerm| known.terms == terms && known.prefix == prefix;
    match found.iter_mut().find(same) {
        Some(known) => known.weight += 1.0,
        None => found.push(QueryTerm {
            word,
            weight: 1.0,
            terms,
            prefix,
        }),
    }
}

/// One word of the query, looked up.
struct Looked {
    term: QueryTerm,
    /// weight · idf
    weight: f32,
    /// For each segment, the rows that hold it.
    occurrences: Vec<Vec<Occurrence>>,
}

/// BM25 scores of everything that holds a word of the query.
pub struct KeywordScores {
    looked: Vec<Looked>,
    /// For each segment, the score of each document; 0 where no word occurs.
    documents: Vec<Vec<f32>>,
    /// Mean length of a document and of a row.
    mean: (f32, f32),
}

/// What one word of the query adds to a document's score.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TermScore {
    /// The word.
    pub term: String,
    /// How often it occurs in the document.
    pub frequency: u32,
    /// Its inverse document frequency times how often the query has it.
    pub weight: f32,
    /// What it adds.
    pub score: f32,
}

fn saturate(frequency: f32, length: f32, mean: f32) -> f32 {
    frequency / (frequency + K1 * (1.0 - B + B * length / mean.max(1.0)))
}

impl KeywordScores {
    /// Scores every document of the snapshot.
    pub fn compute(snapshot: &Snapshot, terms: Vec<QueryTerm>) -> tantivy::Result<Self> {
        let segments = snapshot.segments();
        let field = snapshot.fields().body;
        let documents: u64 = segments.iter().map(|s| s.documents.len() as u64).sum();
        let rows: u64 = segments.iter().map(|s| s.documents.living_rows()).sum();
        let length: u64 = segments.iter().map(|s| s.documents.terms()).sum();
        let mut looked = Vec::new();
        for term in terms {
            let mut occurrences = Vec::new();
            let mut holders = 0u64;
            for segment in segments.iter() {
                let expanded;
                let variants = if term.prefix {
                    expanded = postings::expand(segment, field, &term.terms[0])?;
                    &expanded
                } else {
                    &term.terms
                };
                let found = postings::occurrences(segment, field, variants)?;
                holders += by_document(segment, &found).count() as u64;
                occurrences.push(found);
            }
            let (all, with) = (documents as f64, holders as f64);
            let idf = (1.0 + (all - with + 0.5) / (with + 0.5)).ln() as f32;
            looked.push(Looked {
                weight: term.weight * idf,
                term,
                occurrences,
            });
        }
        let mean = |count: u64| length as f32 / count.max(1) as f32;
        let mut scores = KeywordScores {
            looked,
            documents: Vec::new(),
            mean: (mean(documents), mean(rows)),
        };
        for (place, segment) in segments.iter().enumerate() {
            let scored = scores.score_documents(place, segment);
            scores.documents.push(scored);
        }
        Ok(scores)
    }

    fn score_documents(&self, place: usize, segment: &Segment) -> Vec<f32> {
        let mut scores = vec![0.0; segment.documents.len()];
        for looked in &self.looked {
            for (document, count) in by_document(segment, &looked.occurrences[place]) {
                let length = segment.documents.length(document) as f32;
                scores[document as usize] +=
                    looked.weight * saturate(count as f32, length, self.mean.0);
            }
        }
        scores
    }

    /// The highest score a document could have: that of one that is nothing but the query's words.
    pub fn upper_bound(&self) -> f32 {
        self.looked.iter().map(|looked| looked.weight).sum()
    }

    /// Scores of the documents of a segment, by number.
    pub fn documents(&self, segment: usize) -> &[f32] {
        &self.documents[segment]
    }

    /// Scores of the rows of a document, as passages of their own.
    pub fn rows(&self, segment: &Segment, address: DocumentAddress) -> Vec<f32> {
        let rows = segment.documents.rows(address.document);
        let mut scores = vec![0.0; rows.len()];
        for looked in &self.looked {
            let found = within(&looked.occurrences[address.segment as usize], &rows);
            for occurrence in found {
                let length = segment.documents.row_length(occurrence.row) as f32;
                scores[(occurrence.row - rows.start) as usize] +=
                    looked.weight * saturate(occurrence.count as f32, length, self.mean.1);
            }
        }
        scores
    }

    /// What each word adds to the score of a document.
    pub fn explain(&self, segment: &Segment, address: DocumentAddress) -> Vec<TermScore> {
        let rows = segment.documents.rows(address.document);
        let length = segment.documents.length(address.document) as f32;
        let terms = self.looked.iter().map(|looked| {
            let found = within(&looked.occurrences[address.segment as usize], &rows);
            let frequency: u32 = found.iter().map(|occurrence| occurrence.count).sum();
            TermScore {
                term: looked.term.word.clone(),
                frequency,
                weight: looked.weight,
                score: looked.weight * saturate(frequency as f32, length, self.mean.0),
            }
        });
        terms.collect()
    }
}

/// The occurrences within `rows`.
fn within<'a>(found: &'a [Occurrence], rows: &std::ops::Range<u32>) -> &'a [Occurrence] {
    let first = found.partition_point(|occurrence| occurrence.row < rows.start);
    let end = found.partition_point(|occurrence| occurrence.row < rows.end);
    &found[first..end]
}

/// Occurrences summed over the rows of each document.
fn by_document<'a>(
    segment: &'a Segment,
    found: &'a [Occurrence],
) -> impl Iterator<Item = (u32, u32)> + 'a {
    let document = |row| segment.documents.of_row(row).unwrap_or_default();
    found
        .chunk_by(move |a, b| document(a.row) == document(b.row))
        .map(move |same| {
            let count = same.iter().map(|occurrence| occurrence.count).sum();
            (document(same[0].row), count)
        })
}
