//! DistilBERT (Sanh et al. 2019, arXiv:1910.01108): BERT with half the layers, taught by a whole one, without
//! types of tokens, and under other names.

use std::path::Path;

use serde_json::Value;

use super::super::Precision;
use super::super::activation::Activation;
use super::super::architecture::{Loader, Shape};
use super::super::blocks::LayerNames;
use super::super::settings::{Settings, Sizes, limits};
use super::bert::Variant;
use crate::Result;

const NAMES: LayerNames = LayerNames {
    attention: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    output: "attention.out_lin",
    output_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    norm: "output_layer_norm",
};

/// Reads `config`, the contents of `path`. `sinusoidal_pos_embds` needs no care: a checkpoint holds the table
/// of positions whether it was learnt or computed.
pub(super) fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let settings = Settings { path, config };
    let sizes = Sizes {
        vocabulary: settings.size("vocab_size", 30_522, limits::VOCABULARY)?,
        width: settings.size("dim", 768, limits::DIMENSION)?,
        layers: settings.size("n_layers", 6, limits::LAYERS)?,
        heads: settings.size("n_heads", 12, limits::HEADS)?,
        intermediate: settings.size("hidden_dim", 3072, limits::INTERMEDIATE)?,
        activation: settings.activation("activation", Activation::Gelu)?,
        positions: settings.size("max_position_embeddings", 512, limits::POSITIONS)?,
        types: 0,
        // Not a setting: the reference implementation has this number in its code.
        epsilon: 1e-12,
        precision: Precision::F32,
    };
    settings.divides("n_heads", sizes.heads, "dim", sizes.width)?;
    let variant = Variant {
        layers: "transformer.layer",
        names: &NAMES,
        ..Variant::of(sizes)
    };
    let shown = format!(
        "heads={} activation={}",
        sizes.heads,
        sizes.activation.name()
    );
    Ok(variant.build("distilbert", shown))
}
