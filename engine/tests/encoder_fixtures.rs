//! Tiny models of each family against values that transformers and sentence-transformers computed.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use kenning::encoder::{Encoder, EncoderOptions, Pooling, Role};
use safetensors::SafeTensors;

/// What every number must agree within.
const TOLERANCE: f32 = 1e-4;

fn folder(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/encoders")
        .join(family)
}

fn open(family: &str, pooling: Pooling, normalise: bool) -> Encoder {
    let options = EncoderOptions {
        pooling: Some(pooling),
        normalise: Some(normalise),
        threads: Some(2),
        ..EncoderOptions::default()
    };
    Encoder::open(&folder(family), &options).unwrap()
}

/// The texts of a family, their token ids, and the id of padding.
fn cases(family: &str) -> (Vec<String>, Vec<Vec<u32>>, u32) {
    let json = std::fs::read(folder(family).join("cases.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let read = |name: &str| json[name].clone();
    (
        serde_json::from_value(read("texts")).unwrap(),
        serde_json::from_value(read("input_ids")).unwrap(),
        serde_json::from_value(read("pad_token_id")).unwrap(),
    )
}

/// A tensor of the expected values, with its shape.
fn expected(family: &str, name: &str) -> (Vec<f32>, Vec<usize>) {
    let bytes = std::fs::read(folder(family).join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(name).unwrap();
    let numbers = tensor
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    (numbers.collect(), tensor.shape().to_vec())
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst < TOLERANCE, "{what}: differs by {worst}");
}

fn hidden_states_agree(family: &str) {
    let (texts, ids, pad) = cases(family);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let states = open(family, Pooling::Mean, true)
        .hidden_states(&texts)
        .unwrap();
    let (expected, shape) = expected(family, "last_hidden_state");
    let [rows, length, dimension] = shape[..] else {
        panic!("{shape:?}")
    };
    assert_eq!((rows, states.len()), (texts.len(), texts.len()));
    for (index, state) in states.iter().enumerate() {
        let what = format!("{family}, text {index}");
        // Some cases list ids up to the padding.
        assert_eq!(state.ids, ids[index][..state.ids.len()], "{what}");
        let padding = &ids[index][state.ids.len()..];
        assert!(padding.iter().all(|&id| id == pad), "{what}");
        // The expected rows of padding stand for nothing.
        let start = index * length * dimension;
        let rows = &expected[start..start + state.ids.len() * dimension];
        assert_close(&what, &state.states, rows);
    }
}

fn vectors_agree(family: &str) {
    let (texts, _, _) = cases(family);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for pooling in [Pooling::Mean, Pooling::Cls, Pooling::Max] {
        for (kind, normalise) in [("pooled", false), ("embedding", true)] {
            let name = format!("{kind}_{}", pooling.name());
            let (expected, shape) = expected(family, &name);
            let encoded = open(family, pooling, normalise)
                .encode(Role::Passage, &texts)
                .unwrap();
            assert_eq!(shape[0], encoded.len());
            for (row, encoded) in expected.chunks_exact(shape[1]).zip(&encoded) {
                assert_close(&format!("{family} {name}"), &encoded.embedding, row);
            }
        }
    }
}

/// Alone, a text is computed as it is among others.
fn batched_equals_single(family: &str) {
    let (texts, _, _) = cases(family);
    // Copies make batches of more than one text.
    let texts: Vec<&str> = [&texts, &texts]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let encoder = open(family, Pooling::Mean, false);
    let together = encoder.hidden_states(&texts).unwrap();
    for (text, found) in texts.iter().zip(&together) {
        let alone = &encoder.hidden_states(&[text]).unwrap()[0];
        assert_eq!(alone.ids, found.ids);
        let worst = alone
            .states
            .iter()
            .zip(&found.states)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 1e-5, "{family}, {text:?}: differs by {worst}");
    }
}

macro_rules! families {
    ($($test:ident $family:literal),* $(,)?) => { $(
        #[test]
        fn $test() {
            hidden_states_agree($family);
            vectors_agree($family);
            batched_equals_single($family);
        }
    )* };
}

families! {
    bert "bert",
    roberta "roberta",
    xlm_roberta "xlm-roberta",
    electra "electra",
    distilbert "distilbert",
    albert "albert",
    mpnet "mpnet",
    deberta "deberta",
    deberta_v2 "deberta-v2",
    modernbert "modernbert",
}

#[test]
fn without_a_choice_the_folder_decides() {
    let encoder = Encoder::open(&folder("bert"), &EncoderOptions::default()).unwrap();
    assert!(encoder.spec().normalise);
    assert!(Path::new(&encoder.spec().model).is_absolute());
    let (expected, shape) = expected(
        "bert",
        &format!("embedding_{}", encoder.spec().pooling.name()),
    );
    let (texts, _, _) = cases("bert");
    let encoded = encoder.encode(Role::Query, &[&texts[0]]).unwrap();
    assert_close("bert", &encoded[0].embedding, &expected[..shape[1]]);
}
