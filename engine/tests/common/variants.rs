//! The tiny models in `fixtures/variants`, each with the states that a reference computed.

#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use kenning::encoder::{Encoder, EncoderOptions, HiddenStates};
use safetensors::SafeTensors;
use serde_json::Value;

/// The folder of fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The variant `name` with its tokenizer, and its cases.
pub fn variant(name: &str) -> (tempfile::TempDir, Value) {
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

/// Sets settings of the model in `folder`.
pub fn change(folder: &Path, settings: &Value) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (name, value) in settings.as_object().unwrap() {
        config[name] = value.clone();
    }
    fs::write(&path, config.to_string()).unwrap();
}

/// The model in `folder`, on one thread.
pub fn open(folder: &Path) -> Encoder {
    let options = EncoderOptions {
        threads: Some(1),
        ..EncoderOptions::default()
    };
    Encoder::open(folder, &options).unwrap()
}

/// The model in `folder` gives what is expected of the variant `name`.
pub fn agrees(name: &str, folder: &Path, cases: &Value) {
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
    let found = open(folder).hidden_states(&texts).unwrap();
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
