//! What an encoder accepts in a model's folder, and how it refuses the rest.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kenning::encoder::{Encoder, EncoderOptions, ModelError, Pooling, Role};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};

/// A tensor: number format, shape, bytes.
type Raw = (Dtype, Vec<usize>, Vec<u8>);

/// A copy of the tiny BERT, to be spoilt.
struct Model {
    folder: tempfile::TempDir,
}

impl Model {
    fn new() -> Model {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert");
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        for file in [
            "config.json",
            "tokenizer.json",
            "modules.json",
            "sentence_bert_config.json",
            "1_Pooling/config.json",
            "model.safetensors",
        ] {
            fs::copy(source.join(file), folder.path().join(file)).unwrap();
        }
        Model { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets values in a JSON file, which is made if it is not there.
    fn set(&self, file: &str, values: Value) -> &Model {
        let path = self.path().join(file);
        let mut json: Value =
            fs::read(&path).map_or(json!({}), |bytes| serde_json::from_slice(&bytes).unwrap());
        for (name, value) in values.as_object().unwrap() {
            json[name] = value.clone();
        }
        fs::write(path, json.to_string()).unwrap();
        self
    }

    /// Rewrites the weights.
    fn weights(
        &self,
        change: impl FnOnce(BTreeMap<String, Raw>) -> BTreeMap<String, Raw>,
    ) -> &Model {
        let path = self.path().join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
        let owned = tensors.into_iter().map(|(name, view)| {
            (
                name,
                (view.dtype(), view.shape().to_vec(), view.data().to_vec()),
            )
        });
        let changed = change(owned.collect());
        let views = changed.iter().map(|(name, (dtype, shape, data))| {
            (
                name.clone(),
                TensorView::new(*dtype, shape.clone(), data).unwrap(),
            )
        });
        fs::write(path, serialize(views, None).unwrap()).unwrap();
        self
    }

    fn open(&self) -> kenning::Result<Encoder> {
        Encoder::open(
            self.path(),
            &EncoderOptions {
                threads: Some(1),
                ..EncoderOptions::default()
            },
        )
    }

    fn vector(&self) -> Vec<f32> {
        self.open()
            .unwrap()
            .encode(Role::Query, &["the quick brown fox"])
            .unwrap()[0]
            .embedding
            .clone()
    }

    /// The error, which must contain each of `parts` and come with a hint.
    fn refused(&self, parts: &[&str]) -> ModelError {
        let kenning::Error::Model(error) = self.open().unwrap_err() else {
            panic!("another kind of error")
        };
        let message = error.to_string();
        for part in parts {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
        assert!(error.hint().is_some() && !message.contains('\n'));
        error
    }
}

#[test]
fn checkpoints_keep_their_tensors_under_several_names() {
    let expected = Model::new().vector();
    for prefix in ["bert.", "model.", "0.auto_model.", "encoder.deep."] {
        let model = Model::new();
        let rename = |(name, raw): (String, Raw)| {
            let old = name
                .replace("LayerNorm.weight", "LayerNorm.gamma")
                .replace("LayerNorm.bias", "LayerNorm.beta");
            (format!("{prefix}{old}"), raw)
        };
        model.weights(|tensors| tensors.into_iter().map(rename).collect());
        assert_eq!(model.vector(), expected, "{prefix}");
    }
}

#[test]
fn half_precision_weights_are_converted() {
    let expected = Model::new().vector();
    for dtype in [Dtype::F16, Dtype::BF16] {
        let model = Model::new();
        let halve = |(name, (_, shape, data)): (String, Raw)| {
            let halves = data.as_chunks::<4>().0.iter().flat_map(|bytes| {
                let bits = f32::from_le_bytes(*bytes).to_bits();
                let half = if dtype == Dtype::BF16 {
                    (bits >> 16) as u16
                } else {
                    f16_bits(bits)
                };
                half.to_le_bytes()
            });
            (name, (dtype, shape, halves.collect()))
        };
        model.weights(|tensors| tensors.into_iter().map(halve).collect());
        let cosine: f32 = model
            .vector()
            .iter()
            .zip(&expected)
            .map(|(a, b)| a * b)
            .sum();
        assert!(cosine > 0.999, "{dtype:?}: cosine {cosine}");
    }
}

/// The half-precision number below an f32 in size, tiny ones as zero.
fn f16_bits(bits: u32) -> u16 {
    let exponent = ((bits >> 23) & 0xff) as i32 - 127 + 15;
    let sign = ((bits >> 16) & 0x8000) as u16;
    if exponent <= 0 {
        sign
    } else {
        sign | (exponent as u16) << 10 | ((bits >> 13) & 0x3ff) as u16
    }
}

#[test]
fn shards_give_the_same_vectors_and_have_a_hash() {
    let whole = Model::new();
    let model = Model::new();
    let bytes = fs::read(model.path().join("model.safetensors")).unwrap();
    fs::remove_file(model.path().join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let (mut map, mut shards) = (json!({}), [Vec::new(), Vec::new()]);
    for (index, (name, view)) in tensors.tensors().into_iter().enumerate() {
        map[&name] = json!(format!("model-0000{}-of-00002.safetensors", index % 2 + 1));
        shards[index % 2].push((name, view));
    }
    for (index, shard) in shards.into_iter().enumerate() {
        let file = format!("model-0000{}-of-00002.safetensors", index + 1);
        fs::write(model.path().join(file), serialize(shard, None).unwrap()).unwrap();
    }
    model.set("model.safetensors.index.json", json!({ "weight_map": map }));
    assert_eq!(model.vector(), whole.vector());
    assert_ne!(
        model.open().unwrap().spec().weights_sha256,
        whole.open().unwrap().spec().weights_sha256
    );
    model.set(
        "model.safetensors.index.json",
        json!({ "weight_map": { "a": "../b.safetensors" } }),
    );
    model.refused(&["weight_map", "../b.safetensors"]);
}

#[test]
fn a_missing_or_misshapen_tensor_is_named_with_its_shapes() {
    let name = "encoder.layer.1.output.dense.weight";
    let model = Model::new();
    model.weights(|mut tensors| {
        tensors.remove(name);
        tensors
    });
    let error = model.refused(&[name, "[32, 64]", "model.safetensors"]);
    assert!(matches!(error, ModelError::MissingTensor { .. }));
    let model = Model::new();
    model.set("config.json", json!({ "intermediate_size": 48 }));
    let error = model.refused(&["intermediate.dense.weight", "[64, 32]", "[48, 32]"]);
    assert!(matches!(error, ModelError::TensorShape { .. }));
    let model = Model::new();
    model.weights(|mut tensors| {
        tensors.get_mut(name).unwrap().0 = Dtype::I32;
        tensors
    });
    model.refused(&[name, "I32", "F32, F16 or BF16"]);
}

#[test]
fn damaged_files_are_refused() {
    let bytes = fs::read(Model::new().path().join("model.safetensors")).unwrap();
    for length in [0, 4, 100, bytes.len() - 1] {
        let model = Model::new();
        fs::write(model.path().join("model.safetensors"), &bytes[..length]).unwrap();
        model.refused(&["model.safetensors"]);
    }
    for file in [
        "config.json",
        "tokenizer.json",
        "modules.json",
        "1_Pooling/config.json",
    ] {
        let model = Model::new();
        fs::write(model.path().join(file), "{\"a\": ").unwrap();
        model.refused(&[file]);
    }
}

#[test]
fn missing_files_are_named() {
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let model = Model::new();
        fs::remove_file(model.path().join(file)).unwrap();
        model.refused(&[file]);
    }
    let model = Model::new();
    fs::rename(
        model.path().join("model.safetensors"),
        model.path().join("pytorch_model.bin"),
    )
    .unwrap();
    assert!(matches!(
        model.refused(&["pytorch_model.bin"]),
        ModelError::UnsafeWeights { .. }
    ));
}

#[test]
fn what_cannot_be_computed_is_refused_by_name() {
    let cases = [
        (
            "config.json",
            json!({ "model_type": "gpt2" }),
            vec!["gpt2", "bert, roberta, xlm-roberta"],
        ),
        (
            "config.json",
            json!({ "is_decoder": true }),
            vec!["is_decoder"],
        ),
        (
            "config.json",
            json!({ "hidden_act": "prelu" }),
            vec!["hidden_act", "prelu"],
        ),
        (
            "config.json",
            json!({ "position_embedding_type": "relative_key" }),
            vec!["relative_key"],
        ),
        (
            "config.json",
            json!({ "vocab_size": 4_000_000_000_u64 }),
            vec!["vocab_size", "4000000000"],
        ),
        (
            "config.json",
            json!({ "hidden_size": 0 }),
            vec!["hidden_size"],
        ),
        (
            "config.json",
            json!({ "num_attention_heads": 5 }),
            vec!["num_attention_heads", "divisor"],
        ),
        (
            "config.json",
            json!({ "num_hidden_layers": -1 }),
            vec!["num_hidden_layers", "-1"],
        ),
        (
            "config.json",
            json!({ "layer_norm_eps": "small" }),
            vec!["layer_norm_eps"],
        ),
        (
            "1_Pooling/config.json",
            json!({ "pooling_mode_gru": true }),
            vec!["pooling_mode_gru", "mean, cls, max"],
        ),
        (
            "1_Pooling/config.json",
            json!({ "pooling_mode_mean_tokens": false }),
            vec!["pooling mode"],
        ),
    ];
    for (file, values, parts) in cases {
        let model = Model::new();
        model.set(file, values);
        model.refused(&parts);
    }
    let model = Model::new();
    let dense = json!([
        { "path": "", "type": "sentence_transformers.models.Transformer" },
        { "path": "2_Dense", "type": "sentence_transformers.models.Dense" },
    ]);
    fs::write(model.path().join("modules.json"), dense.to_string()).unwrap();
    model.refused(&["Dense"]);
    let outside =
        json!([{ "path": "../elsewhere", "type": "sentence_transformers.models.Transformer" }]);
    fs::write(model.path().join("modules.json"), outside.to_string()).unwrap();
    model.refused(&["../elsewhere"]);
}

#[test]
fn prompts_and_pooling_come_from_the_folder() {
    let model = Model::new();
    let prompts = json!({ "prompts": { "query": "search ", "document": "mean " }, "default_prompt_name": null });
    model.set("config_sentence_transformers.json", prompts);
    model.set(
        "1_Pooling/config.json",
        json!({ "pooling_mode_mean_tokens": false, "pooling_mode_cls_token": true }),
    );
    let encoder = model.open().unwrap();
    let spec = encoder.spec();
    assert_eq!(
        (spec.query_prompt.as_str(), spec.passage_prompt.as_str()),
        ("search ", "mean ")
    );
    assert_eq!(spec.pooling, Pooling::Cls.into());
    let query = &encoder.encode(Role::Query, &["fox"]).unwrap()[0];
    let passage = &encoder.encode(Role::Passage, &["fox"]).unwrap()[0];
    assert_ne!(query.embedding, passage.embedding);
    let fox = encoder.tokenize("fox").unwrap().ids;
    let prompted = [encoder.passage_prompt_ids(), &fox].concat();
    assert_eq!(passage.tokens, prompted.len() + encoder.special_tokens());
    assert_eq!(
        encoder.encode_ids(&[&prompted]).unwrap()[0],
        passage.embedding
    );
    model.set("1_Pooling/config.json", json!({ "include_prompt": false }));
    model.refused(&["include_prompt"]);
}

#[test]
fn the_tokenizers_own_truncation_and_padding_are_switched_off() {
    let expected = Model::new().vector();
    let model = Model::new();
    model.set(
        "tokenizer.json",
        json!({
            "truncation": { "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0 },
            "padding": { "strategy": { "Fixed": 64 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]" },
        }),
    );
    assert_eq!(model.vector(), expected);
}

#[test]
fn a_plain_folder_without_modules_is_pooled_by_the_mean() {
    let model = Model::new();
    for file in ["modules.json", "sentence_bert_config.json"] {
        fs::remove_file(model.path().join(file)).unwrap();
    }
    let spec = model.open().unwrap().spec().clone();
    assert_eq!((spec.pooling, spec.max_tokens), (Pooling::Mean.into(), 192));
    model.set("tokenizer_config.json", json!({ "model_max_length": 100 }));
    assert_eq!(model.open().unwrap().spec().max_tokens, 100);
    // "No limit", as Hugging Face writes it.
    model.set("tokenizer_config.json", json!({ "model_max_length": 1e30 }));
    assert_eq!(model.open().unwrap().spec().max_tokens, 192);
}
