//! BERT (Devlin et al. 2018, arXiv:1810.04805).
//!
//! x₀ = norm(token + position + type), xᵢ₊₁ = layerᵢ(xᵢ): the Transformer's encoder as Vaswani et al. drew it,
//! with learnt positions. RoBERTa, ELECTRA and DistilBERT are this model with other settings or names.

use std::path::Path;

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{Linear, Module, VarBuilder};
use serde_json::Value;

use super::super::Precision;
use super::super::activation::Activation;
use super::super::architecture::{Architecture, Loader, Shape};
use super::super::blocks::{
    BERT_NAMES, EmbeddingSizes, Embeddings, LayerNames, LayerNorm, Scores, linear,
};
use super::super::layer::Layer;
use super::super::settings::{Settings, Sizes};
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

/// A loaded model.
pub(super) struct Bert {
    embeddings: Embeddings,
    norm: LayerNorm,
    project: Option<Linear>,
    layers: Vec<Layer>,
}

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
            let model = weights.load(ANCHOR, |tensors| Bert::load(&tensors, &variant))?;
            Ok(Box::new(model))
        });
        (shape, load)
    }
}

impl Bert {
    fn load(tensors: &VarBuilder<'_>, variant: &Variant) -> TensorResult<Bert> {
        let Variant {
            sizes,
            embedding,
            padding,
            ..
        } = *variant;
        let table = EmbeddingSizes {
            width: embedding,
            padding,
            ..sizes.embeddings()
        };
        let below = tensors.pp("embeddings");
        let project = (embedding != sizes.width)
            .then(|| linear(tensors, "embeddings_project", embedding, sizes.width, true));
        let layer = |index: usize| {
            let tensors = tensors.pp(variant.layers).pp(index);
            Layer::load(&tensors, variant.names, &sizes.layer())
        };
        Ok(Bert {
            embeddings: Embeddings::load(&below, &table)?,
            norm: LayerNorm::load(&below, "LayerNorm", embedding, sizes.epsilon, true)?,
            project: project.transpose()?,
            layers: (0..sizes.layers).map(layer).collect::<TensorResult<_>>()?,
        })
    }
}

impl Architecture for Bert {
    fn forward(&self, ids: &Tensor, types: Option<&Tensor>) -> TensorResult<Tensor> {
        let mut x = self.norm.forward(&self.embeddings.forward(ids, types)?)?;
        if let Some(project) = &self.project {
            x = project.forward(&x)?;
        }
        for layer in &self.layers {
            x = layer.forward(&x, &Scores::Plain)?;
        }
        Ok(x)
    }

    fn tokens(&self) -> &Tensor {
        self.embeddings.tokens()
    }
}
