//! GTE of 2024 (Zhang et al. 2024, arXiv:2407.19669), written for `Alibaba-NLP/gte-base-en-v1.5`,
//! `gte-large-en-v1.5`, `gte-multilingual-base` and `Snowflake/snowflake-arctic-embed-m-v2.0`.
//!
//! The model of NomicBERT with biases in its attention and in the second map of its feed-forward. Longer texts
//! than those of the training are read by a fixed change of its angles: for a factor s and heads of width d,
//! position / (s^(2 / d) (s θ)^(2 i / d)), so that the slowest turns s times as slowly.
//!
//! Checkpoints call themselves `new`, which was the name of the code they came with, or `gte`.

use std::path::Path;

use serde_json::Value;

use super::super::architecture::{Loader, Shape};
use super::super::gated::GateNames;
use super::super::rotary::Rotation;
use super::super::settings::{Settings, Sizes};
use super::bert::BASE;
use super::nomic::{Biases, NATIVE, Names, Variant};
use crate::Result;

/// The names of the code that checkpoints come with.
const PACKED: Names = Names {
    embedding_norm: "embeddings.LayerNorm",
    layers: "encoder.layer",
    projections: &["attention.qkv_proj"],
    output: "attention.o_proj",
    attention_norm: "attn_ln",
    gate: GateNames::UpFirst("mlp.up_gate_proj"),
    down: "mlp.down_proj",
    norm: "mlp_ln",
};

const NAMES: &[Names] = &[
    PACKED,
    // Without `pack_qkv`.
    Names {
        projections: &["attention.q_proj", "attention.k_proj", "attention.v_proj"],
        ..PACKED
    },
    NATIVE,
];

/// Where the two names of the family differ: in their defaults.
pub(super) struct Defaults {
    pub name: &'static str,
    pub vocabulary: usize,
    pub positions: usize,
    pub theta: f64,
}

/// Those of the code that checkpoints come with.
pub(super) const NEW: Defaults = Defaults {
    name: "new",
    vocabulary: 30_528,
    positions: 2048,
    theta: 10_000.0,
};

/// Those of transformers.
pub(super) const GTE: Defaults = Defaults {
    name: "gte",
    vocabulary: 250_048,
    positions: 8192,
    theta: 160_000.0,
};

/// Reads `config`, the contents of `path`.
pub(super) fn read(absent: &Defaults, path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let settings = Settings { path, config };
    settings.one_of("layer_norm_type", (), &[("layer_norm", ())], "layer_norm")?;
    settings.one_of("position_embedding_type", (), &[("rope", ())], "rope")?;
    settings.refuse("logn_attention_scale")?;
    let sizes = settings.sizes(&Sizes {
        vocabulary: absent.vocabulary,
        positions: absent.positions,
        types: 1,
        ..BASE
    })?;
    settings.rotated_head("num_attention_heads", sizes.heads, sizes.width)?;
    let variant = Variant {
        sizes,
        rotation: rotation(&settings, absent.theta, sizes.width / sizes.heads)?,
        stretch: None,
        biases: Biases {
            attention: true,
            up: false,
            down: true,
        },
        names: NAMES,
    };
    Ok(variant.build(absent.name))
}

/// The rotation of heads of width `head`: that of `rope_parameters`, or of `rope_theta` and `rope_scaling`.
fn rotation(settings: &Settings<'_>, absent: f64, head: usize) -> Result<Rotation> {
    let theta = settings.positive("rope_theta", absent)?;
    let (scaling, parameters) = (
        &settings.config["rope_scaling"],
        &settings.config["rope_parameters"],
    );
    if scaling.is_null() {
        return Rotation::read(settings, parameters, theta);
    }
    let kind = scaling["type"].as_str().or(scaling["rope_type"].as_str());
    let factor = scaling["factor"]
        .as_f64()
        .filter(|s| (1.0..1e6).contains(s));
    let plain = scaling["mixed_b"].is_null() && parameters.is_null();
    match (kind, factor) {
        (Some("ntk"), Some(s)) if plain => Ok(Rotation {
            theta: theta * s,
            factor: s.powf(2.0 / head as f64),
        }),
        _ => Err(settings.unsupported(
            "rope_scaling",
            "none, or type ntk with a factor from 1 and without mixed_b or rope_parameters",
        )),
    }
}
