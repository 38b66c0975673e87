//! ALBERT (Lan et al. 2019, arXiv:1909.11942).
//!
//! BERT with few weights: the embeddings are narrow and widened by a linear map, and layers share their weights
//! in groups. Layer i of n runs group ⌊i g / n⌋ of g, a short stack of inner layers.

use std::path::Path;

use candle_core::Result as TensorResult;
use candle_nn::VarBuilder;
use serde_json::Value;

use super::super::activation::Activation;
use super::super::architecture::{Loader, Network, Shape};
use super::super::blocks::{LayerNames, linear};
use super::super::embeddings::EmbeddingSizes;
use super::super::kept::Packs;
use super::super::settings::{Settings, Sizes, limits};
use super::super::stack::Stack;
use super::bert::{ANCHOR, BASE, refuse_decoder};
use crate::Result;

const NAMES: LayerNames = LayerNames {
    attention: ["attention.query", "attention.key", "attention.value"],
    output: "attention.dense",
    output_norm: "attention.LayerNorm",
    up: "ffn",
    down: "ffn_output",
    norm: "full_layer_layer_norm",
};

#[derive(Clone, Copy)]
struct Counts {
    embedding: usize,
    groups: usize,
    inner: usize,
}

/// Reads `config`, the contents of `path`.
pub(super) fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let settings = Settings { path, config };
    refuse_decoder(&settings)?;
    let sizes = settings.sizes(&Sizes {
        vocabulary: 30_000,
        width: 4096,
        heads: 64,
        intermediate: 16_384,
        activation: Activation::GeluTanh,
        ..BASE
    })?;
    let counts = Counts {
        embedding: settings.size("embedding_size", 128, limits::DIMENSION)?,
        groups: settings.size("num_hidden_groups", 1, limits::LAYERS)?,
        inner: settings.size("inner_group_num", 1, limits::LAYERS)?,
    };
    let Counts { groups, inner, .. } = counts;
    let shape = Shape {
        name: "albert",
        // Layers that share weights leave no trace in the shapes.
        settings: format!(
            "{} layers={} groups={groups} inner={inner}",
            sizes.hidden(),
            sizes.layers
        ),
        dimension: sizes.width,
        vocabulary: sizes.vocabulary,
        positions: sizes.positions,
        anchor: ANCHOR,
        types: sizes.types,
        precisions: sizes.precisions(),
    };
    let loader: Loader = Box::new(move |weights| {
        let sizes = sizes.in_precision(weights.precision);
        weights.load(ANCHOR, |tensors| {
            load(&tensors, &weights.packs, &sizes, counts)
        })
    });
    Ok((shape, loader))
}

fn load(
    tensors: &VarBuilder<'_>,
    packs: &Packs,
    sizes: &Sizes,
    counts: Counts,
) -> TensorResult<Network> {
    let Counts {
        embedding,
        groups,
        inner,
    } = counts;
    let encoder = tensors.pp("encoder");
    let name = "embedding_hidden_mapping_in";
    let groups_at = encoder.pp("albert_layer_groups");
    let inner_layers = (0..groups).flat_map(|group| {
        let group = groups_at.pp(group).pp("albert_layers");
        (0..inner).map(move |index| group.pp(index))
    });
    let stack = Stack {
        packs,
        embeddings: tensors.pp("embeddings"),
        tables: EmbeddingSizes {
            width: embedding,
            ..sizes.embeddings()
        },
        project: Some(linear(&encoder, name, embedding, sizes.width, true)?),
        layers: inner_layers.collect(),
        order: order(sizes.layers, groups, inner),
        names: &NAMES,
        sizes: sizes.layer(),
        distances: None,
    };
    stack.load()
}

/// Which of the inner layers of all groups run one after the other.
fn order(layers: usize, groups: usize, inner: usize) -> Vec<usize> {
    let groups = (0..layers).map(|layer| place(layer, layers, groups));
    groups
        .flat_map(|group| group * inner..(group + 1) * inner)
        .collect()
}

/// The group that a layer runs.
fn place(layer: usize, layers: usize, groups: usize) -> usize {
    // In this order of divisions, for the reference rounds so.
    (layer as f64 / (layers as f64 / groups as f64)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_dealt_to_groups_in_order() {
        let places = |layers, groups| {
            (0..layers)
                .map(|layer| place(layer, layers, groups))
                .collect::<Vec<_>>()
        };
        assert_eq!(places(4, 1), [0, 0, 0, 0]);
        assert_eq!(places(4, 2), [0, 0, 1, 1]);
        assert_eq!(places(3, 2), [0, 0, 1]);
        assert_eq!(places(3, 3), [0, 1, 2]);
        assert_eq!(places(2, 4), [0, 2]);
        assert_eq!(order(3, 2, 2), [0, 1, 0, 1, 2, 3]);
    }
}
