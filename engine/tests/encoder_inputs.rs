//! What an encoder does with its inputs: batches, limits, long and empty texts.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kenning::encoder::{Encoder, EncoderOptions, Role, Tokens};

const FAMILIES: [&str; 5] = ["bert", "distilbert", "mpnet", "deberta-v2", "modernbert"];

fn fixture(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/encoders")
        .join(family)
}

fn open(family: &str, threads: usize) -> Encoder {
    let options = EncoderOptions {
        threads: Some(threads),
        ..EncoderOptions::default()
    };
    Encoder::open(&fixture(family), &options).unwrap()
}

/// Texts of many lengths, some of them equal, some empty.
fn mixture() -> Vec<String> {
    let words = [
        "the", "quick", "brown", "fox", "search", "über", "mean", "pooling", "3.14", "!",
    ];
    let text = |index: usize| -> Vec<&str> {
        words
            .iter()
            .cycle()
            .skip(index * 7)
            .take(index % 23)
            .copied()
            .collect()
    };
    (0..60).map(|index| text(index).join(" ")).collect()
}

/// These models are so narrow that the product library takes another route for the shortest texts when they
/// stand alone, which rounds differently; `real_model.rs` asks a real one for equal bits.
fn assert_same(a: &[f32], b: &[f32], what: &str) {
    let worst = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(
        a.len() == b.len() && worst < 1e-6,
        "{what} differs by {worst}"
    );
}

#[test]
fn a_vector_does_not_depend_on_batch_mates_order_or_threads() {
    let texts = mixture();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for family in FAMILIES {
        let encoder = open(family, 3);
        let batched = encoder.encode(Role::Passage, &texts).unwrap();
        let single = open(family, 1);
        for (text, found) in texts.iter().zip(&batched) {
            let alone = &single.encode(Role::Passage, &[text]).unwrap()[0];
            assert_same(&alone.embedding, &found.embedding, text);
            assert_eq!(alone.tokens, found.tokens);
        }
        texts.reverse();
        let reversed = encoder.encode(Role::Passage, &texts).unwrap();
        for (a, b) in reversed.iter().rev().zip(&batched) {
            assert_same(&a.embedding, &b.embedding, family);
        }
    }
}

#[test]
fn ids_and_texts_give_the_same_vectors() {
    let texts = mixture();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for family in FAMILIES {
        let encoder = open(family, 2);
        let ids: Vec<Vec<u32>> = texts
            .iter()
            .map(|text| encoder.tokenize(text).unwrap().ids)
            .collect();
        let ids: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let by_id = encoder.encode_ids(&ids).unwrap();
        let by_text = encoder.encode(Role::Passage, &texts).unwrap();
        assert_eq!(
            by_id,
            by_text
                .into_iter()
                .map(|found| found.embedding)
                .collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_long_text_is_cut_and_says_so_and_long_ids_are_refused() {
    let encoder = open("bert", 2);
    let text = "search ".repeat(500);
    let found = &encoder.encode(Role::Query, &[&text]).unwrap()[0];
    assert_eq!((found.tokens, found.tokens_untruncated), (190, 502));
    let ids = encoder.tokenize(&text).unwrap().ids;
    assert_eq!(
        encoder.encode_ids(&[&ids[..188]]).unwrap()[0],
        found.embedding
    );
    let error = encoder
        .encode_ids(&[&ids[..3], &ids[..189]])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("input 1 has 191 tokens with the special ones"),
        "{error}"
    );
    assert!(error.ends_with("reads at most 190"), "{error}");
    let error = encoder
        .encode_ids(&[&[399], &[400]])
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("input 1 has token id 400"), "{error}");
}

#[test]
fn a_token_limit_of_ones_own_is_kept_or_refused() {
    let open = |limit| {
        let options = EncoderOptions {
            max_tokens: Some(limit),
            ..EncoderOptions::default()
        };
        Encoder::open(&fixture("bert"), &options)
    };
    let encoder = open(3).unwrap();
    let found = &encoder.encode(Role::Query, &["search search"]).unwrap()[0];
    assert_eq!((found.tokens, found.tokens_untruncated), (3, 4));
    assert_eq!(open(192).unwrap().spec().max_tokens, 192);
    for limit in [0, 2, 193] {
        let error = open(limit).unwrap_err().to_string();
        assert!(
            error.contains(&format!("max_tokens = {limit}")) && error.contains("3 to 192"),
            "{error}"
        );
    }
}

#[test]
fn an_empty_text_and_no_text_are_legal() {
    let encoder = open("bert", 2);
    let found = encoder.encode(Role::Query, &[""]).unwrap();
    assert_eq!((found[0].tokens, found[0].embedding.len()), (2, 32));
    assert!(encoder.encode(Role::Query, &[]).unwrap().is_empty());
    assert!(encoder.encode_ids(&[]).unwrap().is_empty());
    assert_eq!(encoder.tokenize("").unwrap(), Tokens::default());
}

#[test]
fn offsets_lie_on_character_borders_in_order() {
    let encoder = open("bert", 1);
    let text = "Café naïve — ÜBER 日本語 🦀 e\u{301}t\u{0}é ﬁn";
    let tokens = encoder.tokenize(text).unwrap();
    assert_eq!(tokens.ids.len(), tokens.offsets.len());
    assert!(tokens.offsets.is_sorted_by_key(|(start, _)| start));
    for &(start, end) in &tokens.offsets {
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end) && start < end);
    }
}

/// Tokenising is linear: eight times the text takes some eight times as long (quadratic would be 64), and
/// none of it is lost.
#[test]
fn a_long_line_is_tokenised_in_linear_time() {
    let encoder = open("bert", 1);
    // The best of several: a pause of the machine counts for nothing.
    let time = |text: &str| -> (Tokens, Duration) {
        let run = |_| {
            let start = Instant::now();
            let tokens = encoder.tokenize(text).unwrap();
            (tokens, start.elapsed())
        };
        (0..5).map(run).min_by_key(|(_, time)| *time).unwrap()
    };
    for (word, tokens_each) in [("search ", 1), ("x", 0), ("日", 1)] {
        let (_, short) = time(&word.repeat(20_000));
        let (many, long) = time(&word.repeat(160_000));
        assert!(
            long < short * 24,
            "{word:?}: {short:?} for 20,000, {long:?} for 160,000"
        );
        // A "word" of 160,000 letters is one unknown token.
        assert_eq!(many.ids.len(), (160_000 * tokens_each).max(1));
        assert_eq!(
            many.offsets[many.offsets.len() - 1].1,
            (word.repeat(160_000)).trim_end().len()
        );
    }
}
