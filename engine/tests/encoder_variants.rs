//! Tiny models with settings other than the usual ones, against hidden states that transformers or the code of the
//! checkpoints computed: `cases.json` says which.
//!
//! Each folder of `fixtures/variants` holds a `config.json` with the settings that are meant, random weights, and
//! for some texts ids and hidden states. The tokenizer is that of the family's folder in `fixtures/encoders`.

#![allow(clippy::unwrap_used)]

#[path = "common/variants.rs"]
mod variants;

use std::collections::BTreeMap;
use std::fs;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use variants::{agrees, fixtures, variant};

fn check(name: &str) {
    let (folder, cases) = variant(name);
    agrees(name, folder.path(), &cases);
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
