//! What whole numbers of 8 bits cost: `cargo run --release -p kenning --example precisions -- FILE [MODEL]`.
//!
//! Embeds the first 1,024 texts of a `corpus.jsonl` in BEIR layout in both precisions, in turns, and tells how fast
//! each is, how close the vectors are, and how many of the ten nearest neighbours stay the same.

use std::time::Instant;

use kenning::encoder::{Encoder, EncoderOptions, Precision, Role};
use kenning::models::{DEFAULT_MODEL, ModelStore};

// What the command line uses: the encoder makes and drops many large temporaries.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TEXTS: usize = 1024;
const NEIGHBOURS: usize = 10;
const ROUNDS: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("which corpus.jsonl?")?;
    let model = arguments.next().unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let mut texts = Vec::new();
    for line in std::fs::read_to_string(file)?.lines().take(TEXTS) {
        let document: serde_json::Value = serde_json::from_str(line)?;
        let part = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
        texts.push(part("title") + " " + &part("text"));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let store = ModelStore::from_env()?;
    let open = |precision| {
        let options = EncoderOptions {
            precision: Some(precision),
            ..EncoderOptions::default()
        };
        Encoder::load(&model, &store, &options, &mut |_| {})
    };
    let encoders = [open(Precision::F32)?, open(Precision::Int8)?];
    let mut best = [0f64; 2];
    let mut vectors: [Vec<Vec<f32>>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (which, encoder) in encoders.iter().enumerate() {
            let begun = Instant::now();
            let encoded = encoder.encode(Role::Passage, &texts)?;
            let tokens: usize = encoded.iter().map(|encoded| encoded.tokens).sum();
            best[which] = best[which].max(tokens as f64 / begun.elapsed().as_secs_f64());
            vectors[which] = encoded.into_iter().map(|e| e.embedding).collect();
        }
    }
    let [full, bytes] = &vectors;
    let cosines: Vec<f32> = full.iter().zip(bytes).map(|(a, b)| dot(a, b)).collect();
    let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
    let least = cosines.iter().copied().fold(1.0, f32::min);
    let same: usize = (0..full.len())
        .map(|text| {
            let theirs = nearest(bytes, text);
            let ours = nearest(full, text);
            ours.iter().filter(|text| theirs.contains(text)).count()
        })
        .sum();
    let threads = encoders[0].threads();
    println!(
        "{} texts, {threads} threads: f32 {:.0} tokens/s, int8 {:.0} tokens/s",
        full.len(),
        best[0],
        best[1]
    );
    println!("cosine of int8 to f32: mean {mean:.5}, least {least:.5}");
    let share = same as f64 / (full.len() * NEIGHBOURS) as f64;
    println!("of {NEIGHBOURS} nearest neighbours the same: {share:.4}");
    Ok(())
}

/// The texts that are nearest to one of them, by cosine.
fn nearest(vectors: &[Vec<f32>], text: usize) -> Vec<usize> {
    let mut others: Vec<(f32, usize)> = (0..vectors.len())
        .filter(|other| *other != text)
        .map(|other| (dot(&vectors[text], &vectors[other]), other))
        .collect();
    others.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near = others.into_iter().take(NEIGHBOURS);
    near.map(|(_, other)| other).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
