//! The settings of NomicBERT, in two spellings: that of contrastors, with which it was trained and published,
//! and that of transformers. A file may have both, and then they must agree.

use std::path::Path;

use serde_json::Value;

use super::super::Precision;
use super::super::activation::Activation;
use super::super::architecture::{Loader, Shape};
use super::super::gated::GateNames;
use super::super::rotary::Rotation;
use super::super::settings::{Settings, Sizes, limits};
use super::bert::BASE;
use super::nomic::{Biases, NATIVE, Names, Stretch, Variant};
use crate::Result;

/// The names of contrastors, and those of transformers.
const NAMES: &[Names] = &[
    Names {
        embedding_norm: "emb_ln",
        layers: "encoder.layers",
        projections: &["attn.Wqkv"],
        output: "attn.out_proj",
        attention_norm: "norm1",
        gate: GateNames::Apart("mlp.fc12", "mlp.fc11"),
        down: "mlp.fc2",
        norm: "norm2",
    },
    NATIVE,
];

/// The width of the feed-forward is a multiple of this in contrastors, whatever `n_inner` says.
const WIDTH_STEP: usize = 256;

/// Reads `config`, the contents of `path`.
pub(super) fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let settings = Settings { path, config };
    refuse_others(&settings)?;
    let older = OLDER.iter().any(|name| !config[*name].is_null());
    let variant = if older {
        contrastors(&settings)?
    } else {
        modern(&settings)?
    };
    Ok(variant.build("nomic_bert"))
}

/// Names that only contrastors has. A file with one of them is read as its own.
const OLDER: [&str; 8] = [
    "n_embd",
    "n_head",
    "n_layer",
    "n_inner",
    "activation_function",
    "rotary_emb_base",
    "rotary_emb_fraction",
    "rotary_scaling_factor",
];

/// Refuses what contrastors has besides this model.
fn refuse_others(settings: &Settings<'_>) -> Result<()> {
    for setting in [
        "prenorm",
        "parallel_block",
        "use_rms_norm",
        "causal",
        "rotary_emb_interleaved",
        "rotary_head_dim",
    ] {
        settings.refuse(setting)?;
    }
    for setting in ["rotary_emb_scale_base", "num_heads_kv", "rope_scaling"] {
        if !settings.config[setting].is_null() {
            return Err(settings.unsupported(setting, "null"));
        }
    }
    match settings.size_if_any("moe_every_n_layers", limits::LAYERS)? {
        Some(_) => Err(settings.unsupported("moe_every_n_layers", "0, which is no experts")),
        None => Ok(()),
    }
}

/// The settings as transformers names them.
fn modern(settings: &Settings<'_>) -> Result<Variant> {
    let sizes = settings.sizes(&Sizes {
        vocabulary: 30_528,
        activation: Activation::Silu,
        positions: 2048,
        ..BASE
    })?;
    settings.rotated_head("num_attention_heads", sizes.heads, sizes.width)?;
    let theta = settings.positive("rope_theta", 1000.0)?;
    Ok(Variant {
        sizes,
        rotation: Rotation::read(settings, &settings.config["rope_parameters"], theta)?,
        stretch: None,
        biases: Biases {
            attention: false,
            up: false,
            down: false,
        },
        names: NAMES,
    })
}

/// The settings as contrastors names them, with its defaults.
fn contrastors(settings: &Settings<'_>) -> Result<Variant> {
    if settings.config["rotary_emb_fraction"].as_f64() != Some(1.0) {
        return Err(settings.unsupported("rotary_emb_fraction", "1.0"));
    }
    if settings.config["activation_function"].is_null() {
        return Err(settings.unsupported("activation_function", GATES));
    }
    let theta = settings.positive("rotary_emb_base", 10_000.0)?;
    let variant = Variant {
        sizes: contrastors_sizes(settings)?,
        rotation: Rotation { theta, factor: 1.0 },
        stretch: stretch(settings)?,
        biases: Biases {
            attention: settings.flag("qkv_proj_bias", true)?,
            up: settings.flag("mlp_fc1_bias", true)?,
            down: settings.flag("mlp_fc2_bias", true)?,
        },
        names: NAMES,
    };
    let Sizes { heads, width, .. } = variant.sizes;
    settings.rotated_head("n_head", heads, width)?;
    if variant.stretch.is_some() && width / heads == 2 {
        return Err(settings.unsupported("rotary_scaling_factor", "null for heads of width 2"));
    }
    agrees(settings, &variant)?;
    Ok(variant)
}

const GATES: &str = "swiglu, geglu, glu";

fn contrastors_sizes(settings: &Settings<'_>) -> Result<Sizes> {
    let width = settings.size("n_embd", 768, limits::DIMENSION)?;
    let padded = settings.size("pad_vocab_size_multiple", 1, limits::VOCABULARY)?;
    let vocabulary = settings.size("vocab_size", 50_257, limits::VOCABULARY)?;
    let intermediate = settings.size("n_inner", 8 * width / 3, limits::INTERMEDIATE)?;
    let gates = [
        ("swiglu", Activation::Silu),
        ("geglu", Activation::Gelu),
        ("glu", Activation::Sigmoid),
    ];
    // Rotation has no last position. Files in both spellings have that of the training under the other name.
    let positions = match settings.size_if_any("n_positions", limits::POSITIONS)? {
        Some(positions) => positions,
        None => settings.size("max_position_embeddings", 2048, limits::POSITIONS)?,
    };
    Ok(Sizes {
        vocabulary: vocabulary.next_multiple_of(padded),
        width,
        layers: settings.size("n_layer", 12, limits::LAYERS)?,
        heads: settings.size("n_head", 12, limits::HEADS)?,
        intermediate: intermediate.next_multiple_of(WIDTH_STEP),
        activation: settings.one_of("activation_function", Activation::Silu, &gates, GATES)?,
        positions,
        types: settings.count("type_vocab_size", 2, limits::TYPES)?,
        epsilon: settings.epsilon("layer_norm_epsilon", 1e-5)?,
        precision: Precision::F32,
    })
}

fn stretch(settings: &Settings<'_>) -> Result<Option<Stretch>> {
    let none = match &settings.config["rotary_scaling_factor"] {
        Value::Null => true,
        value => value.as_f64() == Some(0.0),
    };
    if none {
        return Ok(None);
    }
    Ok(Some(Stretch {
        factor: settings.positive("rotary_scaling_factor", 1.0)?,
        trained: settings.size("max_trained_positions", 2048, limits::POSITIONS)?,
    }))
}

/// Refuses a file whose newer names say something else than its older ones.
fn agrees(settings: &Settings<'_>, variant: &Variant) -> Result<()> {
    const AS_BEFORE: &str = "what the older name of this setting says";
    let Sizes {
        width,
        layers,
        heads,
        intermediate,
        activation,
        epsilon,
        ..
    } = variant.sizes;
    for (name, value) in [
        ("hidden_size", width as f64),
        ("num_hidden_layers", layers as f64),
        ("num_attention_heads", heads as f64),
        ("intermediate_size", intermediate as f64),
        ("layer_norm_eps", epsilon),
        ("rope_theta", variant.rotation.theta),
    ] {
        let newer = &settings.config[name];
        if !newer.is_null() && newer.as_f64() != Some(value) {
            return Err(settings.unsupported(name, AS_BEFORE));
        }
    }
    if settings.activation("hidden_act", activation)? != activation {
        return Err(settings.unsupported("hidden_act", AS_BEFORE));
    }
    let newer = &settings.config["rope_parameters"];
    if Rotation::read(settings, newer, variant.rotation.theta)? != variant.rotation {
        return Err(settings.unsupported("rope_parameters", AS_BEFORE));
    }
    Ok(())
}
