//! Settings in `config.json`: those that are computed show in the states and in what an index remembers of its
//! encoder, and the others are refused by name.

#![allow(clippy::unwrap_used)]

#[path = "common/variants.rs"]
mod variants;

use kenning::encoder::{Encoder, EncoderOptions};
use serde_json::{Value, json};
use variants::{agrees, change, open, variant};

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
        ("nomic-native", "hidden_size", json!(huge)),
        ("nomic-native", "num_attention_heads", json!(16)),
        ("nomic-native", "head_dim", json!(4)),
        ("nomic-native", "rope_theta", json!(0)),
        (
            "nomic-native",
            "rope_parameters",
            json!({ "rope_type": "dynamic", "factor": 2 }),
        ),
        (
            "nomic-native",
            "rope_parameters",
            json!({ "partial_rotary_factor": 0.5 }),
        ),
        ("nomic-native", "rope_scaling", json!({ "type": "ntk" })),
        // A setting of contrastors makes the file one of its own.
        ("nomic-native", "rotary_emb_fraction", json!(0.5)),
        ("nomic-contrastors", "prenorm", json!(true)),
        ("nomic-contrastors", "parallel_block", json!(true)),
        ("nomic-contrastors", "use_rms_norm", json!(true)),
        ("nomic-contrastors", "causal", json!(true)),
        ("nomic-contrastors", "rotary_emb_interleaved", json!(true)),
        ("nomic-contrastors", "rotary_head_dim", json!(true)),
        ("nomic-contrastors", "rotary_emb_scale_base", json!(512)),
        ("nomic-contrastors", "rotary_emb_fraction", json!(0.5)),
        ("nomic-contrastors", "rotary_emb_fraction", json!(null)),
        ("nomic-contrastors", "rotary_emb_base", json!(-1)),
        ("nomic-contrastors", "rotary_scaling_factor", json!("2")),
        ("nomic-contrastors", "activation_function", json!("gelu")),
        ("nomic-contrastors", "activation_function", json!(null)),
        ("nomic-contrastors", "moe_every_n_layers", json!(2)),
        ("nomic-contrastors", "num_heads_kv", json!(1)),
        ("nomic-contrastors", "n_embd", json!(huge)),
        ("nomic-contrastors", "n_head", json!(16)),
        ("nomic-contrastors", "n_layer", json!(huge)),
        ("nomic-contrastors", "n_inner", json!(huge)),
        ("nomic-contrastors", "n_positions", json!(huge)),
        ("nomic-contrastors", "pad_vocab_size_multiple", json!(huge)),
        ("nomic-stretch", "max_trained_positions", json!(0)),
        ("gte-new", "layer_norm_type", json!("rms_norm")),
        ("gte-new", "position_embedding_type", json!("absolute")),
        ("gte-new", "logn_attention_scale", json!(true)),
        (
            "gte-new",
            "rope_scaling",
            json!({ "type": "linear", "factor": 2 }),
        ),
        (
            "gte-new",
            "rope_scaling",
            json!({ "type": "ntk", "factor": 0.5 }),
        ),
        (
            "gte-new",
            "rope_scaling",
            json!({ "type": "ntk", "factor": 2, "mixed_b": 0.5 }),
        ),
        ("gte-new", "rope_theta", json!(-1)),
        (
            "gte-native",
            "rope_parameters",
            json!({ "rope_type": "yarn" }),
        ),
        ("gte-native", "intermediate_size", json!(huge)),
        ("jina-base", "feed_forward_type", json!("original")),
        ("jina-base", "feed_forward_type", json!(null)),
        ("jina-base", "is_decoder", json!(true)),
        ("jina-base", "vocab_size", json!(huge)),
        (
            "jina-base",
            "position_embedding_type",
            json!("relative_key"),
        ),
        ("bert-tanh", "position_embedding_type", json!("rope")),
        ("modernbert-types", "norm_eps", json!(0)),
    ] {
        let (folder, _) = variant(name);
        change(folder.path(), &json!({ setting: value }));
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

/// What the newer settings decide shows in the states and in what an index remembers of its encoder.
#[test]
fn settings_are_honoured_and_remembered() {
    let ntk = |factor: f64| json!({ "type": "ntk", "factor": factor });
    for (name, setting, value) in [
        ("nomic-native", "rope_theta", json!(900)),
        (
            "nomic-linear",
            "rope_parameters",
            json!({ "rope_theta": 300 }),
        ),
        ("nomic-contrastors", "rotary_emb_base", json!(900)),
        ("nomic-contrastors", "activation_function", json!("geglu")),
        ("nomic-contrastors", "layer_norm_epsilon", json!(1e-2)),
        ("nomic-contrastors", "n_head", json!(4)),
        ("nomic-stretch", "rotary_scaling_factor", json!(null)),
        ("nomic-stretch", "rotary_scaling_factor", json!(3)),
        ("nomic-stretch", "max_trained_positions", json!(11)),
        ("gte-new", "rope_theta", json!(19_000)),
        ("gte-new", "hidden_act", json!("silu")),
        ("gte-ntk", "rope_scaling", json!(null)),
        ("gte-ntk", "rope_scaling", ntk(2.6)),
        ("jina-base", "feed_forward_type", json!("reglu")),
        ("jina-base", "num_attention_heads", json!(4)),
        ("jina-code", "num_attention_heads", json!(4)),
    ] {
        let (folder, cases) = variant(name);
        let mut found = Vec::new();
        for change_it in [false, true] {
            if change_it {
                change(folder.path(), &json!({ setting: value }));
                if setting == "rope_theta" && name == "nomic-native" {
                    change(folder.path(), &json!({ "rope_parameters": null }));
                }
            }
            let texts: Vec<&str> = cases["texts"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(Value::as_str)
                .collect();
            let encoder = open(folder.path());
            let states: Vec<f32> = encoder
                .hidden_states(&texts)
                .unwrap()
                .into_iter()
                .flat_map(|text| text.states)
                .collect();
            found.push((encoder.spec().settings.clone(), states));
        }
        let gaps = found[0]
            .1
            .iter()
            .zip(&found[1].1)
            .map(|(a, b)| (a - b).abs());
        let worst = gaps.fold(0.0, f32::max);
        assert!(worst > 1e-3, "{name}, {setting}: states differ by {worst}");
        assert_ne!(found[0].0, found[1].0, "{name}, {setting}");
    }
}

/// Files of NomicBERT on the hub have both spellings since transformers knows the model.
#[test]
fn two_spellings_of_a_setting_agree_or_are_refused() {
    let newer = json!({
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 8,
        "intermediate_size": 256, "hidden_act": "silu", "layer_norm_eps": 1e-12,
        "max_position_embeddings": 128, "max_trained_positions": 128,
        "rope_parameters": { "rope_theta": 1000.0, "rope_type": "default" },
    });
    let name = "nomic-contrastors";
    let (folder, cases) = variant(name);
    change(folder.path(), &newer);
    agrees(name, folder.path(), &cases);
    assert_eq!(open(folder.path()).spec().max_tokens, 512);
    for (setting, value) in [
        ("hidden_size", json!(24)),
        ("num_hidden_layers", json!(1)),
        ("num_attention_heads", json!(4)),
        ("intermediate_size", json!(512)),
        ("hidden_act", json!("gelu")),
        ("layer_norm_eps", json!(1e-5)),
        ("rope_theta", json!(10_000)),
        ("rope_parameters", json!({ "rope_theta": 10_000 })),
    ] {
        let (folder, _) = variant(name);
        change(folder.path(), &newer);
        change(folder.path(), &json!({ setting: value }));
        let error = Encoder::open(folder.path(), &EncoderOptions::default()).unwrap_err();
        assert!(error.to_string().contains(setting), "{error}");
    }
}
