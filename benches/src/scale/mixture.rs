//! Documents of any number, made from a corpus that is embedded once.
//!
//! Embedding a million passages takes hours, and vectors of random numbers have no neighbourhoods like those of
//! texts. So some thousand passages of a corpus are embedded, and every chunk is a mixture of three of them:
//! their sentences, shuffled, and the weighted sum of their vectors with a little noise. Chunks of one document
//! share one of the three.

use std::error::Error;
use std::path::Path;

use kenning::Language;
use kenning::chunk::Chunk;
use kenning::encoder::{Encoder, EncoderSpec, Role};
use kenning::index::EmbeddedDocument;
use kenning_benches::Random;
use serde::{Deserialize, Serialize};
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Bytes of a passage, at least: some three sentences.
const PASSAGE_BYTES: usize = 250;
/// A document has from 1 to so many chunks.
const MOST_CHUNKS: u64 = 15;
/// Length of the noise, to a mixture of length 1.
const NOISE: f32 = 0.25;
/// Bytes of English for a token, roughly.
const BYTES_PER_TOKEN: usize = 4;

/// What indexes are made from: passages of a corpus with their vectors.
#[derive(Debug, Serialize, Deserialize)]
pub struct Mixture {
    pub seed: u64,
    /// The encoder of the vectors.
    pub encoder: EncoderSpec,
    pub passages: Vec<String>,
    pub vectors: Vec<Vec<f32>>,
    /// Questions of the corpus, or sentences of passages that are in no mixture.
    pub questions: Vec<String>,
}

impl Mixture {
    /// Embeds `count` passages of the corpus in `folder`, which is in BEIR layout.
    pub fn prepare(
        folder: &Path,
        encoder: &Encoder,
        count: usize,
        questions: usize,
        seed: u64,
    ) -> Result<Self> {
        let mut passages: Vec<String> = texts(&folder.join("corpus.jsonl"))?
            .iter()
            .flat_map(|text| cut(text))
            .collect();
        let mut random = Random(seed);
        shuffle(&mut passages, &mut random);
        let asked = folder.join("queries.jsonl");
        let mut asked = match asked.is_file() {
            true => texts(&asked)?,
            false => passages.split_off(passages.len().saturating_sub(questions)),
        };
        shuffle(&mut asked, &mut random);
        asked.truncate(questions);
        passages.truncate(count);
        if passages.len() < 3 || asked.len() < 2 {
            return Err("the corpus is too small".into());
        }
        let inputs: Vec<&str> = passages.iter().map(String::as_str).collect();
        let encoded = encoder.encode(Role::Passage, &inputs)?;
        Ok(Mixture {
            seed,
            encoder: encoder.spec().clone(),
            vectors: encoded.into_iter().map(|text| text.embedding).collect(),
            passages,
            questions: asked,
        })
    }

    /// The document of this number; always the same.
    pub fn document(&self, number: u64) -> EmbeddedDocument {
        let mut random = Random(self.seed ^ number.wrapping_mul(0xA076_1D64_78BD_642F));
        let chunks = 1 + random.draw() % MOST_CHUNKS;
        let topic = self.passage(&mut random);
        let mut document = EmbeddedDocument {
            id: format!("made/{:03}/{number:08}.md", number / 1000),
            title: self.passages[topic].chars().take(40).collect(),
            language: Some(Language::English),
            ..EmbeddedDocument::default()
        };
        document
            .metadata
            .insert("number".into(), (number as i64).into());
        for ordinal in 0..chunks {
            let parts = [topic, self.passage(&mut random), self.passage(&mut random)];
            let text = self.text(parts, &mut random);
            let tokens = text.len().div_ceil(BYTES_PER_TOKEN);
            document.tokens += tokens as u64;
            document.embeddings.push(self.vector(parts, &mut random));
            document.chunks.push(Chunk {
                ordinal: ordinal as u32,
                title: document.title.clone(),
                bytes: 0..text.len(),
                lines: (1, 1),
                tokens: tokens as u32,
                page: None,
                input: Vec::new(),
                text,
            });
        }
        document
    }

    fn passage(&self, random: &mut Random) -> usize {
        (random.draw() % self.passages.len() as u64) as usize
    }

    fn text(&self, parts: [usize; 3], random: &mut Random) -> String {
        let mut sentences: Vec<&str> = parts
            .iter()
            .flat_map(|&part| sentences(&self.passages[part]))
            .collect();
        shuffle(&mut sentences, random);
        sentences.concat()
    }

    fn vector(&self, parts: [usize; 3], random: &mut Random) -> Vec<f32> {
        let weights = parts.map(|_| 0.2 + random.unit());
        let mut sum = vec![0f32; self.encoder.dimension];
        for (part, weight) in parts.into_iter().zip(weights) {
            for (sum, x) in sum.iter_mut().zip(&self.vectors[part]) {
                *sum += weight * x;
            }
        }
        unit(&mut sum);
        // Of variance 1/12 a component.
        let size = NOISE * (12.0 / sum.len() as f32).sqrt();
        for x in &mut sum {
            *x += size * (random.unit() - 0.5);
        }
        unit(&mut sum);
        sum
    }
}

fn unit(vector: &mut [f32]) {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector
        .iter_mut()
        .for_each(|x| *x /= norm.max(f32::MIN_POSITIVE));
}

fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, (random.draw() % (last as u64 + 1)) as usize);
    }
}

/// The field `text` of every line.
fn texts(file: &Path) -> Result<Vec<String>> {
    let whole = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let text = |line: &str| -> Result<String> {
        let value: Value = serde_json::from_str(line)?;
        Ok(value["text"].as_str().unwrap_or_default().to_owned())
    };
    whole.lines().map(text).collect()
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(". ")
}

/// Cuts a text into passages of whole sentences.
fn cut(text: &str) -> Vec<String> {
    let mut passages = Vec::new();
    let mut passage = String::new();
    for sentence in sentences(text) {
        passage.push_str(sentence);
        if passage.len() >= PASSAGE_BYTES {
            passage.truncate(passage.trim_end().len());
            passage.push(' ');
            passages.push(std::mem::take(&mut passage));
        }
    }
    passages
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mixture() -> Mixture {
        let vectors = (0..50).map(kenning_benches::vector).collect();
        let passages = (0..50).map(|n| format!("One of {n}. Two of {n}. "));
        Mixture {
            seed: 7,
            encoder: kenning_benches::spec(kenning_benches::DIMENSION),
            passages: passages.collect(),
            vectors,
            questions: Vec::new(),
        }
    }

    #[test]
    fn a_document_is_the_same_each_time_and_unlike_others() {
        let mixture = mixture();
        let document = mixture.document(3);
        assert_eq!(document, mixture.document(3));
        assert_ne!(document.embeddings, mixture.document(4).embeddings);
        assert_eq!(document.chunks.len(), document.embeddings.len());
        for vector in &document.embeddings {
            let norm = vector.iter().map(|x| x * x).sum::<f32>();
            assert!((norm - 1.0).abs() < 1e-4);
        }
        assert_eq!(document.chunks[0].text.matches(". ").count(), 6);
    }

    #[test]
    fn passages_are_whole_sentences() {
        let passages = cut(&"A sentence of some words that goes on a little. ".repeat(20));
        assert!(!passages.is_empty());
        assert!(passages.iter().all(|passage| passage.ends_with(". ")));
    }
}
