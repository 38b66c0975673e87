//! Made-up documents with made-up vectors, for tests of the index that need no encoder.

#![allow(dead_code, clippy::unwrap_used)]

use kenning::chunk::Chunk;
use kenning::encoder::EncoderSpec;
use kenning::index::EmbeddedDocument;

/// A small generator of random numbers (SplitMix64).
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A direction: a vector of unit length.
    pub fn direction(&mut self, dimension: usize) -> Vec<f32> {
        let mut vector: Vec<f32> = (0..dimension)
            .map(|_| (self.next() >> 40) as f32 / (1u64 << 24) as f32 - 0.5)
            .collect();
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
        vector
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// An encoder of vectors of `dimension` components that reads up to `max_tokens` tokens.
pub fn spec(dimension: usize, max_tokens: usize) -> EncoderSpec {
    serde_json::from_value(serde_json::json!({
        "model": "made-up", "architecture": "bert", "settings": "", "dimension": dimension,
        "max_tokens": max_tokens, "pooling": "mean", "normalise": true, "query_prompt": "",
        "passage_prompt": "", "weights_sha256": "00", "tokenizer_sha256": "00", "precision": "f32",
    }))
    .unwrap()
}

/// A document of one chunk a text, each of `tokens` tokens and with the vector `embedding`.
pub fn document(id: &str, texts: Vec<String>, tokens: u32, embedding: &[f32]) -> EmbeddedDocument {
    let count = texts.len();
    let chunk = |(ordinal, text): (usize, String)| Chunk {
        ordinal: ordinal as u32,
        title: String::new(),
        bytes: 0..text.len(),
        text,
        lines: (1, 1),
        page: None,
        tokens,
        input: Vec::new(),
    };
    EmbeddedDocument {
        id: id.to_owned(),
        chunks: texts.into_iter().enumerate().map(chunk).collect(),
        embeddings: vec![embedding.to_vec(); count],
        tokens: u64::from(tokens) * count as u64,
        ..EmbeddedDocument::default()
    }
}
