//! Real models against vectors that sentence-transformers computed.
//!
//! The default model is fetched where it is not on this machine, a larger one only if
//! `KENNING_REQUIRE_MODEL=1`. Where a model cannot be had the tests say so and pass, unless it is required.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::OnceLock;

use kenning::encoder::{Encoded, Encoder, EncoderOptions, Precision, Role};
use kenning::models::{DEFAULT_MODEL, ModelStore};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    max_seq_length: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    tokens: usize,
    tokens_untruncated: usize,
    embedding: Vec<f32>,
}

fn golden() -> Golden {
    golden_of("all-MiniLM-L6-v2")
}

fn golden_of(model: &str) -> Golden {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real");
    let bytes = std::fs::read(folder.join(format!("{model}.json"))).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn is_required() -> bool {
    std::env::var_os("KENNING_REQUIRE_MODEL").is_some_and(|v| v == "1")
}

/// The model, opened once for all tests; `None` where it cannot be had and need not be.
fn encoder() -> Option<&'static Encoder> {
    static ENCODER: OnceLock<Option<Encoder>> = OnceLock::new();
    let open = || {
        let store = ModelStore::from_env().unwrap();
        let folder = match store.fetch(DEFAULT_MODEL, &mut |_| {}) {
            Ok(folder) => folder,
            Err(error) => {
                assert!(!is_required(), "{error}");
                println!("skipped: {error}");
                return None;
            }
        };
        // A model that is there must open.
        Some(Encoder::open(&folder, &reference()).unwrap())
    };
    ENCODER.get_or_init(open).as_ref()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter()
            .zip(y)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn encode(encoder: &Encoder, texts: &[&str]) -> Vec<Encoded> {
    encoder.encode(Role::Passage, texts).unwrap()
}

#[test]
fn vectors_and_counts_are_those_of_sentence_transformers() {
    let Some(encoder) = encoder() else { return };
    meets(encoder, &golden());
}

/// 418 MiB, so it is fetched only where it is required.
#[test]
fn mpnet_gives_the_vectors_of_sentence_transformers() {
    const NAME: &str = "sentence-transformers/all-mpnet-base-v2";
    let store = ModelStore::from_env().unwrap();
    let folder = match store.find(NAME).unwrap() {
        Some(folder) => folder,
        None if is_required() => store.fetch(NAME, &mut |_| {}).unwrap(),
        None => return println!("skipped: {NAME} is not on this machine"),
    };
    let encoder = Encoder::open(&folder, &reference()).unwrap();
    meets(&encoder, &golden_of("all-mpnet-base-v2"));
}

/// The precision that is compared with sentence-transformers.
fn reference() -> EncoderOptions {
    EncoderOptions {
        precision: Some(Precision::F32),
        ..EncoderOptions::default()
    }
}

fn meets(encoder: &Encoder, golden: &Golden) {
    assert_eq!(encoder.spec().max_tokens, golden.max_seq_length);
    assert!(golden.cases.len() >= 20);
    let texts: Vec<&str> = golden.cases.iter().map(|case| case.text.as_str()).collect();
    for (case, encoded) in golden.cases.iter().zip(encode(encoder, &texts)) {
        let text: String = case.text.chars().take(40).collect();
        assert_eq!(encoded.tokens, case.tokens, "{text:?}");
        assert_eq!(
            encoded.tokens_untruncated, case.tokens_untruncated,
            "{text:?}"
        );
        assert_eq!(encoded.embedding.len(), case.embedding.len());
        let cosine = cosine(&encoded.embedding, &case.embedding);
        assert!(cosine >= 0.99999, "{text:?}: cosine {cosine}");
    }
}

/// Whole numbers of 8 bits, where this machine is quick with them or not.
#[test]
fn int8_stays_close_to_f32() {
    let Some(encoder) = encoder() else { return };
    let options = EncoderOptions {
        precision: Some(Precision::Int8),
        ..EncoderOptions::default()
    };
    let store = ModelStore::from_env().unwrap();
    let bytes = Encoder::load(DEFAULT_MODEL, &store, &options, &mut |_| {}).unwrap();
    assert_ne!(bytes.spec().fingerprint(), encoder.spec().fingerprint());
    let golden = golden();
    let texts: Vec<&str> = golden.cases.iter().map(|case| case.text.as_str()).collect();
    let both = encode(encoder, &texts)
        .into_iter()
        .zip(encode(&bytes, &texts));
    let cosines: Vec<f64> = both
        .map(|(a, b)| cosine(&a.embedding, &b.embedding))
        .collect();
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    let least = cosines.iter().copied().fold(1.0, f64::min);
    assert!(mean > 0.999 && least > 0.995, "mean {mean}, least {least}");
    assert!(mean < 0.999_999, "this is not int8: {mean}");
}

#[test]
fn a_vector_does_not_depend_on_the_batch() {
    let Some(encoder) = encoder() else { return };
    let golden = golden();
    let texts: Vec<&str> = golden.cases.iter().map(|case| case.text.as_str()).collect();
    let together = encode(encoder, &texts);
    for (text, batched) in texts.iter().zip(&together) {
        let alone = encode(encoder, &[text]);
        assert_close(&alone[0].embedding, &batched.embedding);
    }
    let reversed: Vec<&str> = texts.iter().rev().copied().collect();
    let mut shuffled = encode(encoder, &reversed);
    shuffled.reverse();
    for (a, b) in together.iter().zip(&shuffled) {
        assert_close(&a.embedding, &b.embedding);
    }
    // Many copies of one length fill whole batches.
    let copies = vec![texts[0]; 200];
    for encoded in encode(encoder, &copies) {
        assert_close(&encoded.embedding, &together[0].embedding);
    }
}

/// The same up to rounding: sums of another order differ in the last bits.
fn assert_close(a: &[f32], b: &[f32]) {
    let worst = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst < 1e-6, "differs by {worst}");
}

#[test]
fn the_model_is_found_again_by_the_name_in_its_spec() {
    if encoder().is_none() {
        return;
    }
    let store = ModelStore::from_env().unwrap();
    let options = EncoderOptions {
        threads: Some(1),
        ..EncoderOptions::default()
    };
    let short = Encoder::load("all-MiniLM-L6-v2", &store, &options, &mut |_| {}).unwrap();
    assert_eq!(short.spec().model, DEFAULT_MODEL);
    assert_eq!(
        store.find(&short.spec().model).unwrap(),
        store.find(DEFAULT_MODEL).unwrap()
    );
}
