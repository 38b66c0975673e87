//! Tiny models of each family against values that transformers and sentence-transformers computed.

#![allow(clippy::unwrap_used)]

#[path = "common/encoders.rs"]
mod encoders;

use std::path::Path;

use encoders::{assert_close, cases, each_family, expected, folder};
use kenning::encoder::{Encoder, EncoderOptions, Pooling, Role};

fn open(family: &str, pooling: Pooling, normalise: bool) -> Encoder {
    let options = EncoderOptions {
        pooling: Some(pooling),
        normalise: Some(normalise),
        threads: Some(2),
        ..EncoderOptions::default()
    };
    Encoder::open(&folder(family), &options).unwrap()
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

each_family!(hidden_states_agree, vectors_agree, batched_equals_single);

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
