//! A model's folder: whatever its settings are, there is an error of one line or an encoder that works.

use std::fs;
use std::path::Path;

use super::Input;
use crate::encoder::{Encoder, EncoderOptions, Role};

/// The files that are put in place of the fixture's own.
pub(super) const FILES: [&str; 8] = [
    "config.json",
    "modules.json",
    "1_Pooling/config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "model.safetensors.index.json",
];

/// A small model with one of its files replaced: which one, then its bytes.
pub fn model(data: &[u8]) {
    let mut input = Input(data);
    let which = usize::from(input.byte()) % FILES.len();
    let folder = super::scratch().join("model");
    fill(&folder, FILES[which], input.rest());
    let options = EncoderOptions {
        threads: Some(1),
        ..EncoderOptions::default()
    };
    match Encoder::open(&folder, &options) {
        Ok(encoder) => works(&encoder),
        Err(error) => refused(&error, &folder),
    }
}

fn fill(folder: &Path, name: &str, bytes: &[u8]) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert");
    fs::create_dir_all(folder.join("1_Pooling")).expect("a folder for a model");
    for file in FILES.iter().chain(&["model.safetensors"]) {
        let target = folder.join(file);
        let is_weights = *file == "model.safetensors";
        if *file == name {
            fs::write(target, bytes).expect("a file of a model");
        } else if name == "model.safetensors.index.json" && is_weights {
            // The shards are looked for where there is no single file.
            let _ = fs::remove_file(target);
        } else if fixture.join(file).exists() {
            if !is_weights || !target.exists() {
                fs::copy(fixture.join(file), target).expect("a file of a model");
            }
        } else {
            let _ = fs::remove_file(target);
        }
    }
}

fn works(encoder: &Encoder) {
    let spec = encoder.spec();
    assert!(spec.dimension > 0 && spec.max_tokens > 0);
    for text in ["", "words of a text", "\u{0}é👩‍👩‍👧‍👦\n"] {
        match encoder.encode(Role::Passage, &[text]) {
            Ok(encoded) => {
                assert_eq!(encoded[0].embedding.len(), spec.dimension);
                assert!(encoded[0].embedding.iter().all(|x| x.is_finite()));
            }
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
    }
}

fn refused(error: &crate::Error, folder: &Path) {
    let message = error.to_string();
    let limit = 2_000 + 2 * folder.as_os_str().len();
    assert!(
        !message.contains('\n') && message.len() < limit,
        "{message:?}"
    );
}
