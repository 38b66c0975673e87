//! ALBERT (Lan et al. 2019, arXiv:1909.11942).
//!
//! BERT with few weights: the embeddings are narrow and widened by a linear map, and layers share their weights
//! in groups. Layer i of n runs group ⌊i g / n⌋ of g, a short stack of inner layers.

use std::path::Path;

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{Linear, Module, VarBuilder};
use serde_json::Value;

use super::super::activation::Activation;
use super::super::architecture::{Architecture, Loader, Shape};
use super::super::blocks::{EmbeddingSizes, Embeddings, LayerNames, LayerNorm, Scores, linear};
use super::super::layer::Layer;
use super::super::settings::{Settings, Sizes, limits};
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

struct Albert {
    embeddings: Embeddings,
    norm: LayerNorm,
    widen: Linear,
    groups: Vec<Vec<Layer>>,
    layers: usize,
}

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
    let load: Loader = Box::new(move |weights| {
        let sizes = sizes.in_precision(weights.precision);
        Ok(Box::new(weights.load(ANCHOR, |tensors| {
            Albert::load(&tensors, &sizes, counts)
        })?))
    });
    Ok((shape, load))
}

impl Albert {
    fn load(tensors: &VarBuilder<'_>, sizes: &Sizes, counts: Counts) -> TensorResult<Albert> {
        let Counts {
            embedding,
            groups,
            inner,
        } = counts;
        let table = EmbeddingSizes {
            width: embedding,
            ..sizes.embeddings()
        };
        let (below, encoder) = (tensors.pp("embeddings"), tensors.pp("encoder"));
        let group = |group: usize| -> TensorResult<Vec<Layer>> {
            let group = encoder
                .pp("albert_layer_groups")
                .pp(group)
                .pp("albert_layers");
            let layer = |index| Layer::load(&group.pp(index), &NAMES, &sizes.layer());
            (0..inner).map(layer).collect()
        };
        Ok(Albert {
            embeddings: Embeddings::load(&below, &table)?,
            norm: LayerNorm::load(&below, "LayerNorm", embedding, sizes.epsilon, true)?,
            widen: linear(
                &encoder,
                "embedding_hidden_mapping_in",
                embedding,
                sizes.width,
                true,
            )?,
            groups: (0..groups).map(group).collect::<TensorResult<_>>()?,
            layers: sizes.layers,
        })
    }
}

/// The group that a layer runs.
fn place(layer: usize, layers: usize, groups: usize) -> usize {
    // In this order of divisions, for the reference rounds so.
    (layer as f64 / (layers as f64 / groups as f64)) as usize
}

impl Architecture for Albert {
    fn forward(&self, ids: &Tensor, types: Option<&Tensor>) -> TensorResult<Tensor> {
        let x = self.norm.forward(&self.embeddings.forward(ids, types)?)?;
        let mut x = self.widen.forward(&x)?;
        for layer in 0..self.layers {
            for inner in &self.groups[place(layer, self.layers, self.groups.len())] {
                x = inner.forward(&x, &Scores::Plain)?;
            }
        }
        Ok(x)
    }

    fn tokens(&self) -> &Tensor {
        self.embeddings.tokens()
    }
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
    }
}
