//! The naive model: a map of documents, and every answer by brute force over it.

use std::collections::BTreeMap;

use kenning::chunk::Chunk;
use kenning::index::EmbeddedDocument;
use kenning::{Language, Value};

pub use super::common::Random;

/// Components of a vector.
pub const DIMENSION: usize = 16;
/// Longest input of the made-up encoder; 768 / 256 = 3 chunks make a step, two steps a section.
pub const MAX_TOKENS: usize = 256;
const STEP_CHUNKS: usize = 3;

/// Words that the stop list of English holds.
const STOP_WORDS: [&str; 3] = ["the", "and", "of"];

impl Random {
    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn word(&mut self) -> String {
        if self.chance(20) {
            return STOP_WORDS[self.below(3)].to_owned();
        }
        // Small numbers are common, large ones rare, as words are.
        let most = 1 + self.below(40);
        format!("w{}", self.below(most))
    }

    pub fn text(&mut self, most: usize) -> String {
        let count = 1 + self.below(most);
        let words: Vec<String> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }

    /// A vector of unit length; one of a few, now and then, so that there are ties.
    pub fn vector(&mut self) -> Vec<f32> {
        let mut own = Random(match self.chance(30) {
            true => self.below(5) as u64,
            false => self.next(),
        });
        let mut vector: Vec<f32> = (0..DIMENSION)
            .map(|_| (own.next() >> 40) as f32 / (1u64 << 24) as f32 - 0.5)
            .collect();
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
        vector
    }

    /// A document of this id with random chunks and facts.
    pub fn document(&mut self, id: &str) -> EmbeddedDocument {
        let count = match self.below(10) {
            0 => 5 + self.below(12),
            _ => 1 + self.below(3),
        };
        let title = match self.chance(50) {
            true => self.text(3),
            false => String::new(),
        };
        let chunks: Vec<Chunk> = (0..count)
            .map(|ordinal| {
                let text = self.text(12);
                Chunk {
                    ordinal: ordinal as u32,
                    title: title.clone(),
                    tokens: text.split(' ').count() as u32,
                    bytes: 0..text.len(),
                    lines: (1, 1),
                    page: None,
                    input: Vec::new(),
                    text,
                }
            })
            .collect();
        let mut document = EmbeddedDocument {
            id: id.to_owned(),
            title,
            embeddings: (0..count).map(|_| self.vector()).collect(),
            tokens: chunks.iter().map(|c| u64::from(c.tokens)).sum(),
            chunks,
            language: Some(match self.chance(80) {
                true => Language::English,
                false => Language::Other,
            }),
            state: self.chance(50).then(|| self.text(3)),
            ..EmbeddedDocument::default()
        };
        self.add_facts(&mut document);
        document
    }

    fn add_facts(&mut self, document: &mut EmbeddedDocument) {
        let year = 2020 + self.below(5) as i64;
        let mut facts: Vec<(&str, Value)> = vec![("year", year.into())];
        if self.chance(70) {
            facts.push(("score", (self.below(100) as f64 / 8.0).into()));
        }
        if self.chance(50) {
            facts.push(("draft", self.chance(50).into()));
        }
        if self.chance(60) {
            let count = self.below(4);
            let tags = (0..count).map(|_| Value::Text(format!("tag{}", self.below(4))));
            facts.push(("tags", Value::List(tags.collect())));
        }
        // Of one kind here and of another there; and a name with a dot.
        facts.push(match self.below(3) {
            0 => ("mixed.kind", (self.below(3) as i64).into()),
            1 => ("mixed.kind", format!("{}", self.below(3)).into()),
            _ => ("mixed.kind", 0.5.into()),
        });
        let day = format!("2026-01-{:02}T00:00:00Z", 1 + self.below(28));
        facts.push(("modified", day.into()));
        document.metadata = facts.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    }
}

/// Documents by id.
#[derive(Clone, Default)]
pub struct Model {
    pub documents: BTreeMap<String, EmbeddedDocument>,
}

impl Model {
    pub fn add(&mut self, document: EmbeddedDocument) {
        if document.chunks.is_empty() {
            self.documents.remove(&document.id);
        } else {
            self.documents.insert(document.id.clone(), document);
        }
    }

    /// For each document the highest cosine of its chunks.
    pub fn cosines(&self, query: &[f32]) -> BTreeMap<String, f64> {
        let dot = |v: &Vec<f32>| -> f64 {
            let products = v
                .iter()
                .zip(query)
                .map(|(a, b)| f64::from(*a) * f64::from(*b));
            products.sum()
        };
        let best = |d: &EmbeddedDocument| d.embeddings.iter().map(dot).fold(-2.0, f64::max);
        let documents = self.documents.iter();
        documents.map(|(id, d)| (id.clone(), best(d))).collect()
    }

    /// For each document that holds a word of the query the BM25 of its best section.
    pub fn bm25(&self, query: &str) -> BTreeMap<String, f64> {
        self.words(query).0
    }

    /// BM25 of documents, the number of different words, and the most that BM25 could be.
    fn words(&self, query: &str) -> (BTreeMap<String, f64>, usize, f64) {
        let mut words: Vec<&str> = query.split(' ').collect();
        if words.iter().any(|word| !STOP_WORDS.contains(word)) {
            words.retain(|word| !STOP_WORDS.contains(word));
        }
        let sections: Vec<(&str, Vec<String>, usize)> = self
            .documents
            .values()
            .flat_map(|d| sections(d).into_iter().map(|(w, l)| (d.id.as_str(), w, l)))
            .collect();
        let all = sections.len() as f64;
        let length: usize = sections.iter().map(|(_, _, length)| length).sum();
        let mean = (length as f64 / all.max(1.0)).max(1.0);
        let idf: Vec<f64> = words
            .iter()
            .map(|word| {
                let with = sections
                    .iter()
                    .filter(|(_, h, _)| h.iter().any(|w| w == word));
                let with = with.count() as f64;
                (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
            })
            .collect();
        let mut scores: BTreeMap<String, f64> = BTreeMap::new();
        for (id, held, length) in &sections {
            let mut score = 0.0;
            for (word, idf) in words.iter().zip(&idf) {
                let frequency = held.iter().filter(|w| w == word).count() as f64;
                let norm = 1.2 * (0.25 + 0.75 * *length as f64 / mean);
                score += idf * frequency / (frequency + norm);
            }
            if score > 0.0 {
                let best = scores.entry((*id).to_owned()).or_default();
                *best = best.max(score);
            }
        }
        let bound = idf.iter().sum();
        words.sort_unstable();
        words.dedup();
        (scores, words.len(), bound)
    }

    /// Standard scores of both legs, 0.6 of the one and up to 0.4 of the other; right while either leg ranks at most 100.
    pub fn fused(&self, query: &str, vector: &[f32]) -> BTreeMap<String, f64> {
        let cosines = self.cosines(vector);
        let (keyword, count, bound) = self.words(query);
        let best = keyword.values().copied().fold(0.0, f64::max);
        let belief = (best / bound * (count as f64).sqrt().max(3.0)).min(1.0);
        let weight = 0.4 * belief * belief;
        assert!(cosines.len() <= 100, "the model's pool is everything");
        let words = |id: &String| keyword.get(id).copied().unwrap_or_default();
        let (cosine_mean, cosine_deviation) = moments(cosines.values().copied());
        let (word_mean, word_deviation) = moments(cosines.keys().map(words));
        let fused = cosines.iter().map(|(id, cosine)| {
            let semantic = (cosine - cosine_mean) / cosine_deviation.max(0.08);
            let word = match word_deviation > 1e-7 {
                true => (words(id) - word_mean) / word_deviation,
                false => 0.0,
            };
            (id.clone(), 0.6 * semantic + weight * word)
        });
        fused.collect()
    }

    /// Whether a chunk of the document holds `phrase`; in its title alone or in title or text.
    pub fn holds(&self, id: &str, phrase: &str, title_only: bool) -> bool {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        let within = |text: &str| {
            let words: Vec<&str> = text.split(' ').collect();
            words.windows(phrase.len()).any(|w| w == phrase)
        };
        let mut chunks = self.documents[id].chunks.iter();
        chunks.any(|c| within(&c.title) || (!title_only && within(&c.text)))
    }
}

fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

/// The words of each section of a document, and how many of them count.
fn sections(document: &EmbeddedDocument) -> Vec<(Vec<String>, usize)> {
    let chunks = document.chunks.len();
    let steps = chunks.div_ceil(STEP_CHUNKS);
    let mut held = vec![(Vec::new(), 0); steps];
    for (place, chunk) in document.chunks.iter().enumerate() {
        let (held, length) = &mut held[place * steps / chunks];
        let words = chunk.title.split(' ').chain(chunk.text.split(' '));
        for word in words.filter(|word| !word.is_empty()) {
            let stop = STOP_WORDS.contains(&word) && document.language == Some(Language::English);
            *length += usize::from(!stop);
            held.push(word.to_owned());
        }
    }
    if steps < 2 {
        return held;
    }
    let joined = held.windows(2).map(|pair| {
        let words = [pair[0].0.as_slice(), pair[1].0.as_slice()].concat();
        (words, pair[0].1 + pair[1].1)
    });
    joined.collect()
}
