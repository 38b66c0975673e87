//! How fast an encoder is on this machine.

use std::time::Instant;

use kenning::encoder::{Encoder, Role};
use serde::{Deserialize, Serialize};

/// Speed of an encoder, with all of its threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Tokens of passages embedded in a second, tokenising included.
    pub tokens_per_second: f64,
    /// Milliseconds that a question of some ten tokens takes, in the median.
    pub question_ms: f64,
}

/// So many passages are embedded.
const PASSAGES: usize = 48;
/// So many questions are asked.
const QUESTIONS: usize = 15;

/// Words of all lengths, as texts have them.
const WORDS: [&str; 24] = [
    "the", "river", "carries", "its", "sand", "down", "to", "a", "wide", "delta", "where", "birds",
    "and", "fish", "live", "between", "reeds", "until", "winter", "floods", "move", "every",
    "bank", "again",
];

/// Measures an encoder for some seconds: passages of 60 to 180 words, all at once and in two runs of which
/// the better counts, then questions one by one.
///
/// # Errors
/// Whatever the encoder answers.
pub fn measure(encoder: &Encoder) -> kenning::Result<Speed> {
    let passages: Vec<String> = (0..PASSAGES).map(|n| text(n, 60 + n * 53 % 121)).collect();
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    let mut tokens_per_second = 0f64;
    for _ in 0..2 {
        let begun = Instant::now();
        let encoded = encoder.encode(Role::Passage, &passages)?;
        let tokens: usize = encoded.iter().map(|encoded| encoded.tokens).sum();
        tokens_per_second = tokens_per_second.max(tokens as f64 / begun.elapsed().as_secs_f64());
    }
    let mut times = Vec::new();
    for n in 0..QUESTIONS {
        let question = text(n, 8);
        let begun = Instant::now();
        encoder.encode(Role::Query, &[&question])?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(Speed {
        tokens_per_second,
        question_ms: times[QUESTIONS / 2],
    })
}

fn text(seed: usize, words: usize) -> String {
    let places = (0..words).map(|n| WORDS[(seed * 7 + n * 11 + n * n * 5) % WORDS.len()]);
    places.collect::<Vec<_>>().join(" ")
}
