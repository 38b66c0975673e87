//! BM25 over the sections of documents: a document scores what its best section scores.
//!
//! Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), in the form
//! that Lucene computes: a term t adds w·idf(t)·f/(f + k₁(1 − b + b·l/l̄)), with
//! idf(t) = ln(1 + (N − n + ½)/(n + ½)), f the term's frequency, l the length in terms, stop words not
//! counted, and w how often the query has it. All numbers count living documents only, so that a
//! score depends neither on deleted documents nor on how rows lie in segments.

use rayon::prelude::*;

use crate::index::documents::Documents;
use crate::index::snapshot::{DocumentAddress, Segment, Snapshot};

use super::analyser::Analyser;
use super::language::Language;
use super::postings::{self, Occurrence};
use super::query::ParsedQuery;

/// Of a query that is a whole text so many different words count, the first: as many as Lucene allows.
pub const MOST_WORDS: usize = 1_024;
/// Term frequency saturation, Lucene's value.
pub const K1: f32 = 1.2;
/// Length normalisation, Lucene's value.
pub const B: f32 = 0.75;

/// In an index of more rows, words are looked up side by side.
const WORTH_SHARING: u64 = 20_000;

/// A word of the query with everything it is looked up as.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryTerm {
    /// The word, lower-cased; with `*` for the beginning of a word.
    pub word: String,
    /// How often the query has it.
    pub weight: f32,
    /// Its terms in the index: one for each stem that a language gives it.
    pub terms: Vec<String>,
    /// Terms that begin so are its terms too.
    pub beginning: Option<String>,
}

/// The words of a query that are scored. Stop words of the query's language are left out, unless it
/// has no others.
pub fn query_terms(query: &ParsedQuery, languages: &[Language]) -> Vec<QueryTerm> {
    let own = match languages {
        // Whatever is detected comes down to it, and detecting takes long.
        [Language::English] => Language::English,
        _ => Some(Language::detect(&query.text))
            .filter(|found| languages.contains(found))
            .unwrap_or(Language::English),
    };
    let base = Analyser::new(own).terms(&query.text);
    let only_stops = base.iter().all(|term| term.stop);
    let others: Vec<_> = languages
        .iter()
        .map(|&language| Analyser::new(language).terms(&query.text))
        .collect();
    let mut found: Vec<QueryTerm> = Vec::new();
    for (place, term) in base.iter().enumerate() {
        if term.stop && !only_stops {
            continue;
        }
        if found.len() == MOST_WORDS {
            break;
        }
        // Words are cut the same way in every language; only their stems differ.
        let mut terms: Vec<String> = others
            .iter()
            .map(|terms| terms[place].text.clone())
            .collect();
        terms.sort_unstable();
        terms.dedup();
        let word = query.text[term.span.clone()].to_lowercase();
        add(&mut found, word, terms, None);
    }
    for prefix in &query.prefixes {
        // Terms are stems: "photosynthesis*" begins none, but is itself a word.
        let whole = |language: &Language| Analyser::new(*language).terms(prefix);
        let mut terms: Vec<String> = languages.iter().flat_map(whole).map(|t| t.text).collect();
        terms.sort_unstable();
        terms.dedup();
        let folded = Analyser::new(Language::Other).terms(prefix);
        let beginning = folded.into_iter().next().map(|term| term.text);
        add(&mut found, format!("{prefix}*"), terms, beginning);
    }
    found
}

fn add(found: &mut Vec<QueryTerm>, word: String, terms: Vec<String>, beginning: Option<String>) {
    let same = |known: &&mut QueryTerm| known.terms == terms && known.beginning == beginning;
    match found.iter_mut().find(same) {
        Some(known) => known.weight += 1.0,
        None => found.push(QueryTerm {
            word,
            weight: 1.0,
            terms,
            beginning,
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
    /// For each segment, the sections that hold it, ascending.
    sections: Vec<Vec<SectionCount>>,
}

/// How often a word occurs in a section.
#[derive(Debug, Clone, Copy, PartialEq)]
struct SectionCount {
    section: u32,
    count: u32,
}

/// BM25 scores of everything that holds a word of the query.
pub struct KeywordScores {
    looked: Vec<Looked>,
    /// For each segment, the score of each document; 0 where no word occurs.
    documents: Vec<Vec<f32>>,
    /// Mean length of a section and of a row.
    mean: (f32, f32),
}

/// The words of a query, taken together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Words {
    /// How many are looked for.
    pub count: usize,
    /// The highest score there could be.
    pub bound: f32,
}

/// What one word of the query adds to a document's score.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TermScore {
    /// The word.
    pub term: String,
    /// How often it occurs in the document's best section.
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
        let total = |count: fn(&Segment) -> u64| segments.iter().map(|s| count(s)).sum::<u64>();
        let sections = total(|s| s.documents.section_count() as u64);
        let rows = total(|s| s.documents.living_rows());
        let mean = |terms: u64, count: u64| terms as f32 / count.max(1) as f32;
        let mut scores = KeywordScores {
            looked: Vec::new(),
            documents: Vec::new(),
            mean: (
                mean(total(|s| s.documents.section_terms()), sections),
                mean(total(|s| s.documents.row_terms()), rows),
            ),
        };
        // Threads that must first be woken gain nothing where there is little to read.
        let look_up = |term| look_up(snapshot, term);
        let looked: tantivy::Result<Vec<Looked>> = match rows > WORTH_SHARING {
            true => terms.into_par_iter().map(look_up).collect(),
            false => terms.into_iter().map(look_up).collect(),
        };
        for mut looked in looked? {
            let holders: usize = looked.sections.iter().map(Vec::len).sum();
            let (all, with) = (sections as f64, holders as f64);
            let idf = (1.0 + (all - with + 0.5) / (with + 0.5)).ln() as f32;
            looked.weight *= idf;
            scores.looked.push(looked);
        }
        for (place, segment) in segments.iter().enumerate() {
            let sections = scores.score_sections(place, segment);
            let documents = (0..segment.documents.len() as u32).map(|document| {
                let own = segment.documents.sections(document);
                let own = &sections[own.start as usize..own.end as usize];
                own.iter().copied().fold(0.0, f32::max)
            });
            scores.documents.push(documents.collect());
        }
        Ok(scores)
    }

    fn score_sections(&self, place: usize, segment: &Segment) -> Vec<f32> {
        let mut scores = vec![0.0; segment.documents.section_count()];
        for looked in &self.looked {
            for held in &looked.sections[place] {
                let length = segment.documents.section_length(held.section) as f32;
                scores[held.section as usize] +=
                    looked.weight * saturate(held.count as f32, length, self.mean.0);
            }
        }
        scores
    }

    /// How many words are looked for, and the highest score there could be: of a section that is nothing
    /// but these words, those that no document has among them.
    pub fn words(&self) -> Words {
        Words {
            count: self.looked.len(),
            bound: self.looked.iter().map(|looked| looked.weight).sum(),
        }
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

    /// What each word adds to the score of a document, by its best section.
    pub fn explain(&self, segment: &Segment, address: DocumentAddress) -> Vec<TermScore> {
        let sections = segment.documents.sections(address.document);
        let explained = sections.map(|section| self.explain_section(segment, address, section));
        let total = |terms: &[TermScore]| terms.iter().map(|term| term.score).sum::<f32>();
        explained
            .reduce(|best, next| {
                if total(&next) > total(&best) {
                    next
                } else {
                    best
                }
            })
            .unwrap_or_default()
    }

    fn explain_section(
        &self,
        segment: &Segment,
        address: DocumentAddress,
        section: u32,
    ) -> Vec<TermScore> {
        let rows = segment.documents.rows(address.document);
        let length = segment.documents.section_length(section) as f32;
        let terms = self.looked.iter().map(|looked| {
            let found = within(&looked.occurrences[address.segment as usize], &rows);
            let here = found
                .iter()
                .filter(|o| segment.documents.sections_of_row(o.row).contains(&section));
            let frequency: u32 = here.map(|occurrence| occurrence.count).sum();
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

/// The rows and sections of each segment that hold a word, whose weight does not count yet how rare it is.
fn look_up(snapshot: &Snapshot, term: QueryTerm) -> tantivy::Result<Looked> {
    let field = snapshot.fields().body;
    let mut terms = term.terms.clone();
    if let Some(beginning) = &term.beginning {
        terms.extend(postings::expand(snapshot, field, beginning)?);
        terms.sort_unstable();
        terms.dedup();
    }
    let (mut occurrences, mut sections) = (Vec::new(), Vec::new());
    for segment in snapshot.segments().iter() {
        let found = postings::occurrences(segment, field, &terms)?;
        sections.push(by_section(&segment.documents, &found));
        occurrences.push(found);
    }
    Ok(Looked {
        weight: term.weight,
        term,
        occurrences,
        sections,
    })
}

/// The occurrences within `rows`.
fn within<'a>(found: &'a [Occurrence], rows: &std::ops::Range<u32>) -> &'a [Occurrence] {
    let first = found.partition_point(|occurrence| occurrence.row < rows.start);
    let end = found.partition_point(|occurrence| occurrence.row < rows.end);
    &found[first..end]
}

/// Occurrences summed over the rows of each section, by ascending section.
fn by_section(documents: &Documents, found: &[Occurrence]) -> Vec<SectionCount> {
    let mut sums: Vec<SectionCount> = Vec::with_capacity(2 * found.len());
    for &Occurrence { row, count } in found {
        let sections = documents.sections_of_row(row);
        // The last sum is of the first of these sections, of the second, or of neither.
        let known = match &mut sums[..] {
            [.., before, last] if last.section > sections.start => {
                if before.section == sections.start {
                    before.count += count;
                }
                last.count += count;
                sections.end
            }
            [.., last] if last.section == sections.start => {
                last.count += count;
                sections.start + 1
            }
            _ => sections.start,
        };
        sums.extend((known..sections.end).map(|section| SectionCount { section, count }));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::documents::SectionShape;
    use crate::keyword::query::parse;

    #[test]
    fn a_beginning_is_folded_and_also_stands_for_itself() {
        let terms = query_terms(&parse("photosynthesis* Cafés*"), &[Language::English]);
        let term = |word: &str, stem: &str, beginning: &str| QueryTerm {
            word: word.to_owned(),
            weight: 1.0,
            terms: vec![stem.to_owned()],
            beginning: Some(beginning.to_owned()),
        };
        let photosynthesis = term("photosynthesis*", "photosynthesi", "photosynthesis");
        assert_eq!(terms, [photosynthesis, term("cafés*", "cafe", "cafes")]);
    }

    /// Also where a document has several sections, and where words are in every row or in few.
    #[test]
    fn a_section_holds_what_its_rows_hold() {
        let shape = SectionShape {
            step_rows: 3,
            steps: 2,
        };
        let documents = Documents::made_up(&[1, 4, 13, 2, 40, 6], shape);
        for every in 1..9 {
            let rows = (0..66).filter(|row| row % every == 0 || row % 7 == 1);
            let found: Vec<Occurrence> = rows
                .map(|row| Occurrence {
                    row,
                    count: 1 + row % 3,
                })
                .collect();
            let mut expected = std::collections::BTreeMap::new();
            for occurrence in &found {
                for section in documents.sections_of_row(occurrence.row) {
                    *expected.entry(section).or_insert(0) += occurrence.count;
                }
            }
            let summed = by_section(&documents, &found);
            let summed: Vec<(u32, u32)> = summed.iter().map(|s| (s.section, s.count)).collect();
            assert_eq!(summed, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
