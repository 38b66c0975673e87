//! Tiny models with settings other than the usual ones, against hidden states that transformers computed.
//!
//! Each folder of `fixtures/variants` holds a `config.json` with the settings that are meant, random weights, and
//! for some texts ids and hidden states. The tokenizer is that of the family's folder in `fixtures/encoders`.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use kenning::encoder::{Encoder, EncoderOptions, HiddenStates};
use safetensors::SafeTensors;
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The variant `name` with its tokenizer, and its cases.
fn variant(name: &str) -> (tempfile::TempDir, Value) {
    let source = fixtures().join("variants").join(name);
    let cases: Value =
        serde_json::from_slice(&fs::read(source.join("cases.json")).unwrap()).unwrap();
    let family = fixtures()
        .join("encoders")
        .join(cases["tokenizer"].as_str().unwrap());
    let folder = tempfile::tempdir().unwrap();
    for (from, file) in [
        (&source, "config.json"),
        (&source, "model.safetensors"),
        (&family, "tokenizer.json"),
    ] {
        fs::copy(from.join(file), folder.path().join(file)).unwrap();
    }
    (folder, cases)
}

fn open(folder: &Path) -> Encoder {
    let options = EncoderOptions {
        threads: Some(1),
        ..EncoderOptions::default()
    };
    Encoder::open(folder, &options).unwrap()
}

fn check(name: &str) {
    let (folder, cases) = variant(name);
    let texts: Vec<String> = serde_json::from_value(cases["texts"].clone()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let bytes = fs::read(
        fixtures()
            .join("variants")
            .join(name)
            .join("expected.safetensors"),
    )
    .unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let words = |tensor: String| {
        let data = expected.tensor(&tensor).unwrap().data().as_chunks::<4>().0;
        data.to_vec()
    };
    let found = open(folder.path()).hidden_states(&texts).unwrap();
    for (index, HiddenStates { ids, states }) in found.into_iter().enumerate() {
        let expected_ids: Vec<u32> = words(format!("ids_{index}"))
            .into_iter()
            .map(u32::from_le_bytes)
            .collect();
        assert_eq!(ids, expected_ids, "{name}, text {index}");
        let expected: Vec<f32> = words(format!("states_{index}"))
            .into_iter()
            .map(f32::from_le_bytes)
            .collect();
        assert_eq!(states.len(), expected.len(), "{name}, text {index}");
        let gaps = states.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        let worst = gaps.fold(0.0, f32::max);
        assert!(worst < 1e-4, "{name}, text {index}: differs by {worst}");
    }
}

macro_rules! variants {
    ($($family:ident: $($name:literal),*;)*) => {
        $(
            #[test]
            fn $family() {
                $( check($name); )*
            }
        )*

        #[test]
        fn every_variant_is_checked() {
            let mut checked = vec![$($($name),*),*];
            checked.sort_unstable();
            let there = fs::read_dir(fixtures().join("variants")).unwrap();
            let mut there: Vec<String> =
                there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            there.sort_unstable();
            assert_eq!(checked, there);
        }
    };
}

variants! {
    bert: "bert-silu", "bert-tanh";
    roberta: "roberta-types-2", "xlm-roberta-relu", "camembert";
    electra: "electra-equal", "electra-wide";
    albert: "albert-groups", "albert-wide";
    distilbert: "distilbert-sinusoidal";
    mpnet: "mpnet-buckets-40";
    deberta: "deberta-c2p", "deberta-p2c", "deberta-absolute", "deberta-content";
    deberta_v2: "deberta-v2-plain", "deberta-v2-conv", "deberta-v2-conv-tanh", "deberta-v2-p2c",
        "deberta-v2-p2c-own", "deberta-v2-absolute";
    modernbert: "modernbert-biases", "modernbert-types", "modernbert-narrow";
}
