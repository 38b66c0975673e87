//! BERT (Devlin et al. 2018, arXiv:1810.04805).
//!
//! x₀ = norm(token + position + type), xᵢ₊₁ = layerᵢ(xᵢ): the Transformer's encoder as Vaswani et al. drew it,
//! with learnt positions. RoBERTa, ELECTRA and DistilBERT are this model with other settings or names.

use std::path::Path;

use candle_core::Result as TensorResult;
use candle_nn::VarBuilder;
use serde_json::Value;

use super::super::Precision;
use super::super::activation::Activation;
use super::super::architecture::{Loader, Network, Shape};
use super::super::blocks::{BERT_NAMES, LayerNames, linear};
use super::super::embeddings::EmbeddingSizes;
use super::super::kept::Packs;
use super::super::settings::{Settings, Sizes};
use super::super::stack::Stack;
use super::jina;
use crate::Result;

/// The tensor by which a checkpoint's prefix is found.
pub(super) const ANCHOR: &str = "embeddings.word_embeddings.weight";

/// The settings of `google-bert/bert-base-uncased`, which are the reference implementation's defaults.
pub(super) const BASE: Sizes = Sizes {
    vocabulary: 30_522,
    width: 768,
    layers: 12,
    heads: 12,
    intermediate: 3072,
    activation: Activation::Gelu,
    positions: 512,
    types: 2,
    epsilon: 1e-12,
    precision: Precision::F32,
};

/// All that tells one of BERT's relatives from another.
#[derive(Clone, Copy)]
pub(super) struct Variant {
    pub sizes: Sizes,
    /// Width of the embeddings. Where it is not that of the layers, a linear map lies between.
    pub embedding: usize,
    /// Where positions are counted from the row after this token's id.
    pub padding: Option<u32>,
    /// Where the layers are among the tensors, and what they call theirs.
    pub layers: &'static str,
    pub names: &'static LayerNames,
}

/// Reads `config`, the contents of `path`. JinaBERT goes by the same `model_type`.
pub(super) fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let settings = Settings { path, config };
    if config["position_embedding_type"] == "alibi" {
        return jina::read(&settings);
    }
    refuse_decoder(&settings)?;
    let sizes = settings.sizes(&BASE)?;
    Ok(Variant::of(sizes).build("bert", sizes.hidden()))
}

/// Refuses what turns BERT into something else than an encoder with absolute positions.
pub(super) fn refuse_decoder(settings: &Settings<'_>) -> Result<()> {
    refuse_decoder_parts(settings)?;
    settings.one_of(
        "position_embedding_type",
        (),
        &[("absolute", ())],
        "absolute",
    )
}

/// Refuses what turns it into something else than an encoder.
pub(super) fn refuse_decoder_parts(settings: &Settings<'_>) -> Result<()> {
    settings.refuse("is_decoder")?;
    settings.refuse("add_cross_attention")
}

impl Variant {
    /// BERT itself.
    pub fn of(sizes: Sizes) -> Variant {
        Variant {
            sizes,
            embedding: sizes.width,
            padding: None,
            layers: "encoder.layer",
            names: &BERT_NAMES,
        }
    }

    /// The shape and the loader of the family `name`, whose `settings` no tensor's shape shows.
    pub fn build(self, name: &'static str, settings: String) -> (Shape, Loader) {
        let unused = self.padding.map_or(0, |padding| padding as usize + 1);
        let shape = Shape {
            name,
            settings,
            dimension: self.sizes.width,
            vocabulary: self.sizes.vocabulary,
            positions: self.sizes.positions - unused,
            anchor: ANCHOR,
            types: self.sizes.types,
            precisions: self.sizes.precisions(),
        };
        let load: Loader = Box::new(move |weights| {
            let variant = Variant {
                sizes: self.sizes.in_precision(weights.precision),
                ..self
            };
            weights.load(ANCHOR, |tensors| variant.load(&tensors, &weights.packs))
        });
        (shape, load)
    }

    fn load(&self, tensors: &VarBuilder<'_>, packs: &Packs) -> TensorResult<Network> {
        let Variant {
            sizes, embedding, ..
        } = *self;
        let project = (embedding != sizes.width)
            .then(|| linear(tensors, "embeddings_project", embedding, sizes.width, true));
        let layers = tensors.pp(self.layers);
        let stack = Stack {
            packs,
            embeddings: tensors.pp("embeddings"),
            tables: EmbeddingSizes {
                width: embedding,
                padding: self.padding,
                ..sizes.embeddings()
            },
            project: project.transpose()?,
            layers: (0..sizes.layers).map(|layer| layers.pp(layer)).collect(),
            order: (0..sizes.layers).collect(),
            names: self.names,
            sizes: sizes.layer(),
            distances: None,
        };
        stack.load()
    }
}
