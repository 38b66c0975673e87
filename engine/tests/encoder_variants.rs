//! Tiny models with settings other than the usual ones, against hidden states that transformers or the code of the
//! checkpoints computed: `cases.json` says which.
//!
//! Each folder of `fixtures/variants` holds a `config.json` with the settings that are meant, random weights, and
//! for some texts ids and hidden states. The tokenizer is that of the family's folder in `fixtures/encoders`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kenning::encoder::{Encoder, EncoderOptions, HiddenStates};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};

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
    agrees(name, folder.path(), &cases);
}

/// The model in `folder` gives what is expected of the variant `name`.
fn agrees(name: &str, folder: &Path, cases: &Value) {
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
    nomic: "nomic-native", "nomic-saved", "nomic-contrastors", "nomic-linear", "nomic-stretch", "nomic-glu";
    gte: "gte-native", "gte-saved", "gte-new", "gte-ntk", "gte-unpacked";
    jina: "jina-base", "jina-reglu", "jina-code", "jina-code-reglu";
}

/// Checkpoints keep old names, prefixes and buffers that no computation needs.
#[test]
fn tensors_are_found_under_the_names_that_checkpoints_use() {
    for (name, prefix, renamed) in [
        (
            "deberta-v2-plain",
            "deberta.",
            [
                ("pos_key_proj", "pos_proj"),
                ("pos_query_proj", "pos_q_proj"),
            ],
        ),
        (
            "deberta-c2p",
            "deberta.",
            [
                ("pos_proj", "pos_key_proj"),
                ("LayerNorm.weight", "LayerNorm.gamma"),
            ],
        ),
        (
            "camembert",
            "roberta.",
            [
                ("LayerNorm.weight", "LayerNorm.gamma"),
                ("LayerNorm.bias", "LayerNorm.beta"),
            ],
        ),
        ("modernbert-types", "model.", [("", ""); 2]),
        ("electra-wide", "electra.", [("", ""); 2]),
        ("albert-groups", "0.auto_model.", [("", ""); 2]),
        ("mpnet-buckets-40", "mpnet.", [("", ""); 2]),
        ("nomic-native", "nomic_bert.", [("", ""); 2]),
        ("nomic-contrastors", "bert.", [("", ""); 2]),
        ("gte-native", "gte.", [("", ""); 2]),
        ("jina-code", "bert.", [("", ""); 2]),
    ] {
        let (folder, cases) = variant(name);
        let path = folder.path().join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let mut views: BTreeMap<String, TensorView<'_>> = BTreeMap::new();
        for (tensor, view) in tensors.tensors() {
            let new = renamed
                .iter()
                .fold(tensor, |tensor, (old, new)| tensor.replace(old, new));
            views.insert(format!("{prefix}{new}"), view);
        }
        let buffer = [0_u8; 16];
        for extra in ["embeddings.position_ids", "pooler.dense.weight"] {
            let view = TensorView::new(Dtype::I64, vec![1, 2], &buffer).unwrap();
            views.insert(format!("{prefix}{extra}"), view);
        }
        views.insert(
            "classifier.bias".into(),
            TensorView::new(Dtype::I64, vec![2], &buffer).unwrap(),
        );
        fs::write(&path, serialize(views, None).unwrap()).unwrap();
        agrees(name, folder.path(), &cases);
    }
}

/// What no model has, or what is not computed, is refused with the name of the setting, before any memory is
/// asked for.
#[test]
fn absurd_and_unknown_settings_are_refused_by_name() {
    let huge = 4_000_000_000_000_u64;
    for (name, setting, value) in [
        ("roberta-types-2", "vocab_size", json!(huge)),
        ("roberta-types-2", "type_vocab_size", json!(huge)),
        ("roberta-types-2", "pad_token_id", json!(127)),
        ("roberta-types-2", "is_decoder", json!(true)),
        ("electra-wide", "embedding_size", json!(huge)),
        ("albert-groups", "num_hidden_groups", json!(huge)),
        ("albert-groups", "inner_group_num", json!(0)),
        ("albert-groups", "num_hidden_layers", json!(huge)),
        ("distilbert-sinusoidal", "n_heads", json!(5)),
        ("distilbert-sinusoidal", "activation", json!("softplus")),
        (
            "mpnet-buckets-40",
            "relative_attention_num_buckets",
            json!(31),
        ),
        ("mpnet-buckets-40", "max_position_embeddings", json!(2)),
        ("deberta-c2p", "talking_head", json!(true)),
        ("deberta-c2p", "max_relative_positions", json!(huge)),
        ("deberta-c2p", "pos_att_type", json!(["p2p"])),
        ("deberta-v2-conv", "position_buckets", json!(huge)),
        ("deberta-v2-conv", "conv_kernel_size", json!(4)),
        ("deberta-v2-conv", "conv_groups", json!(3)),
        ("deberta-v2-conv", "conv_act", json!("prelu")),
        ("deberta-v2-conv", "norm_rel_ebd", json!("batch_norm")),
        ("deberta-v2-conv", "attention_head_size", json!(4)),
        ("deberta-v2-conv", "share_att_key", json!("yes")),
        ("modernbert-types", "local_attention", json!(huge)),
        ("modernbert-types", "layer_types", json!(["full_attention"])),
        (
            "modernbert-types",
            "layer_types",
            json!(["full", "full", "full", "full"]),
        ),
        (
            "modernbert-types",
            "rope_parameters",
            json!({ "full_attention": { "rope_type": "yarn" } }),
        ),
        (
            "modernbert-types",
            "rope_parameters",
            json!({ "rope_theta": 10 }),
        ),
        (
            "modernbert-types",
            "rope_parameters",
            json!({ "full_attention": { "rope_theta": -1 } }),
        ),
        (
            "modernbert-types",
            "rope_scaling",
            json!({ "type": "linear", "factor": 2 }),
        ),
        ("modernbert-types", "num_attention_heads", json!(16)),
        ("modernbert-types", "norm_eps", json!(0)),
    ] {
        let (folder, _) = variant(name);
        let path = folder.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config[setting] = value;
        fs::write(&path, config.to_string()).unwrap();
        let error = Encoder::open(folder.path(), &EncoderOptions::default()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(setting) && message.contains("config.json"),
            "{name}: {message}"
        );
        assert!(
            !message.contains('\n') && error.hint().is_some(),
            "{message}"
        );
    }
}
