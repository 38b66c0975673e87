//! How fast the encoder is: `cargo run --release -p kenning --example embed_speed [MODEL] [PASSAGES]`.
//!
//! Encodes passages of 120 to 220 tokens, all in one call, three times, and tells the best.

use std::time::Instant;

use kenning::encoder::{Encoder, EncoderOptions, Role};
use kenning::models::{DEFAULT_MODEL, ModelStore};

// What the command line uses: the encoder makes and drops many large temporaries.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WORDS: [&str; 24] = [
    "the", "river", "carries", "its", "sand", "down", "to", "a", "wide", "delta", "where", "birds",
    "and", "fish", "live", "between", "reeds", "until", "winter", "floods", "move", "every",
    "bank", "again",
];

fn main() -> kenning::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let count = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(512);
    let store = ModelStore::from_env()?;
    let encoder = Encoder::load(&model, &store, &EncoderOptions::default(), &mut |_| {})?;
    let passages: Vec<String> = (0..count).map(passage).collect();
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    let (mut best, mut tokens) = (f64::INFINITY, 0);
    for _ in 0..3 {
        let start = Instant::now();
        let encoded = encoder.encode(Role::Passage, &passages)?;
        best = best.min(start.elapsed().as_secs_f64());
        tokens = encoded.iter().map(|encoded| encoded.tokens).sum();
    }
    println!(
        "{count} passages, {tokens} tokens, {} threads: {best:.2} s, {:.0} tokens/s",
        encoder.threads(),
        tokens as f64 / best
    );
    Ok(())
}

/// A passage of words in a fixed disorder.
fn passage(index: usize) -> String {
    let mut state = index as u64 + 1;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let length = 118 + next(101);
    let words: Vec<&str> = (0..length).map(|_| WORDS[next(WORDS.len())]).collect();
    words.join(" ")
}
