//! What was found, each by name: weights, settings and files.

use std::fs;

use kenning::encoder::{Encoder, ModelError, Role};
use serde_json::{Value, json};

use super::bases::{Files, bases, json_of};
use super::case::{open, write};

/// A model to be spoilt.
pub struct Model(Files);

impl Model {
    pub fn new(base: &str) -> Model {
        let found = bases().into_iter().find(|(name, _)| name == base);
        Model(found.unwrap().1)
    }

    /// Changes a file of JSON.
    pub fn change(mut self, file: &str, change: impl FnOnce(&mut Value)) -> Model {
        let mut json = json_of(&self.0, file);
        change(&mut json);
        self.0.insert(file.into(), json.to_string().into_bytes());
        self
    }

    pub fn tokenizer(self, part: &str, value: Value) -> Model {
        self.change("tokenizer.json", |json| json[part] = value)
    }

    pub fn open(&self) -> kenning::Result<Encoder> {
        let folder = tempfile::tempdir().unwrap();
        write(&self.0, folder.path());
        open(folder.path())
    }

    /// The error of opening it, which must say `part`.
    pub fn refused(&self, part: &str) -> ModelError {
        says(self.open().unwrap_err(), part)
    }

    /// The error of encoding `text`, which must say `part`.
    pub fn fails(&self, text: &str, part: &str) -> ModelError {
        let encoder = self.open().unwrap();
        says(encoder.encode(Role::Query, &["", text]).unwrap_err(), part)
    }

    pub fn tokens(&self, text: &str) -> Vec<String> {
        let encoder = self.open().unwrap();
        let ids = encoder.tokenize(text).unwrap().ids;
        ids.into_iter().map(|id| encoder.token(id)).collect()
    }
}

fn says(error: kenning::Error, part: &str) -> ModelError {
    let kenning::Error::Model(error) = error else {
        panic!("another kind of error: {error}");
    };
    let message = error.to_string();
    assert!(message.contains(part), "{message:?} lacks {part:?}");
    assert!(
        !message.contains("the tokenizers library fails"),
        "{message}"
    );
    assert!(!message.contains('\n') && message.len() < 2000, "{message}");
    error
}

/// With the numbers of a tensor of the tiny BERT replaced.
fn filled(tensor: &str, value: f32) -> Model {
    let mut model = Model::new("bert");
    let file = model.0.get_mut("model.safetensors").unwrap();
    let length = 8 + u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&file[8..length]).unwrap();
    let end =
        |index: usize| length + header[tensor]["data_offsets"][index].as_u64().unwrap() as usize;
    for number in file[end(0)..end(1)].as_chunks_mut::<4>().0 {
        *number = value.to_le_bytes();
    }
    model
}

#[test]
fn vectors_of_what_is_no_number_are_an_error() {
    let name = "encoder.layer.1.output.dense.bias";
    for value in [f32::NAN, f32::INFINITY, f32::MAX] {
        let error = filled(name, value).fails("the fox", "infinite numbers, or none at all");
        assert!(matches!(error, ModelError::NotFinite { .. }) && error.hint().is_some());
    }
}

/// The largest of some numbers, where one is none, is one of the others.
#[test]
fn pooling_by_the_largest_does_not_hide_what_is_no_number() {
    let model = filled("embeddings.position_embeddings.weight", f32::NAN);
    let pooling = json!({ "word_embedding_dimension": 32, "pooling_mode": "max" });
    let model = model.change("1_Pooling/config.json", |json| *json = pooling);
    model.fails("fox", "infinite numbers, or none at all");
}

/// Tables of these lengths are made for each text, and no tensor bounds them.
#[test]
fn positions_that_no_weights_bound_are_limited() {
    for (base, most) in [
        ("mpnet", 5_792),
        ("deberta-v2", 5_792),
        ("deberta", 5_792),
        ("modernbert", 32_768),
    ] {
        let model = Model::new(base).change("config.json", |json| {
            json["max_position_embeddings"] = json!(1_000_000)
        });
        let error = model.refused(&most.to_string());
        assert!(
            matches!(
                error,
                ModelError::Size {
                    value: 1_000_000,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn errors_are_short_and_of_one_line() {
    let long = "x\n".repeat(100_000);
    let config =
        |name: &str| Model::new("bert").change("config.json", |json| json[name] = json!(long));
    for name in ["model_type", "hidden_act", "hidden_size", "layer_norm_eps"] {
        config(name).refused(name);
    }
    let module = |path: &str| {
        Model::new("bert").change("modules.json", |json| json[1]["path"] = json!(path))
    };
    module(&long).refused("no name of a folder");
    module("1_\nPooling").refused("no name of a folder");
    let shard = |name: &str| {
        Model::new("sharded").change("model.safetensors.index.json", |json| {
            json["weight_map"]["x"] = json!(name)
        })
    };
    shard("a\nb.safetensors").refused("weight_map");
    shard(&format!("{}.safetensors", "a".repeat(1000))).refused("weight_map");
}

#[test]
fn a_file_larger_than_any_is_not_read() {
    for file in ["config.json", "tokenizer.json", "1_Pooling/config.json"] {
        let folder = tempfile::tempdir().unwrap();
        write(&Model::new("bert").0, folder.path());
        fs::OpenOptions::new()
            .write(true)
            .open(folder.path().join(file))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        says(open(folder.path()).unwrap_err(), "MiB was expected");
    }
}

#[test]
fn the_models_that_are_spoilt_work() {
    for (name, files) in bases() {
        let folder = tempfile::tempdir().unwrap();
        write(&files, folder.path());
        let encoder = open(folder.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        encoder
            .encode(Role::Query, &["the quick brown fox", ""])
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
