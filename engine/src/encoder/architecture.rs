//! What the families of models have in common, and the choice among them by `model_type`.

use std::path::Path;

use candle_core::Tensor;
use serde_json::Value;

use super::config::{Layout, read_json};
use super::families::FAMILIES;
use super::weights::Weights;
use super::{ModelError, Precision, cpu};
use crate::Result;

/// A model, ready to compute.
pub(super) enum Network {
    /// Tensor by tensor, on any device.
    Tensors(Box<dyn Architecture>),
    /// On the CPU, by code that was written for speed.
    Cpu(Box<cpu::Network>),
}

/// What the families have in common.
pub(super) trait Architecture: Send + Sync {
    /// The last hidden states, `[batch, length, dimension]` in f32, of `ids`, `[batch, length]` in u32: texts
    /// of one length, so that there is no padding and nothing to mask. `types`, of the same shape, says to
    /// which of two texts a token belongs; without it all are of the first, type 0. Families without types
    /// ignore it.
    fn forward(&self, ids: &Tensor, types: Option<&Tensor>) -> candle_core::Result<Tensor>;

    /// The embeddings of the tokens, `[vocabulary, width of embeddings]`.
    fn tokens(&self) -> &Tensor;
}

/// What `config.json` says about the family, checked for plausibility.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// `model_type`.
    pub name: &'static str,
    /// What decides a vector besides weights and sizes.
    pub settings: String,
    /// Length of a hidden state.
    pub dimension: usize,
    /// How many token ids there are.
    pub vocabulary: usize,
    /// Longest input that has position embeddings.
    pub positions: usize,
    /// The tensor by which the encoder is found among a checkpoint's, whatever stands before its name.
    pub anchor: &'static str,
    /// How many types of tokens are told apart; 0 where types are ignored.
    pub types: usize,
    /// How the CPU can compute it.
    pub precisions: &'static [Precision],
}

/// Reads the settings of a family.
pub(super) type Reader = fn(&Path, &Value) -> Result<(Shape, Loader)>;
/// Makes the model from its weights.
pub(super) type Loader = Box<dyn FnOnce(&Weights) -> Result<Network>>;

/// Reads the settings of the family that `config`, the contents of `path`, names.
pub(super) fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let model_type = config["model_type"].as_str().unwrap_or_default();
    match FAMILIES.iter().find(|(name, _)| *name == model_type) {
        Some((_, read)) => read(path, config),
        None => Err(ModelError::Architecture {
            path: path.to_owned(),
            model_type: model_type.to_owned(),
            supported: FAMILIES.map(|(name, _)| name).join(", "),
        }
        .into()),
    }
}

/// Whether models of this `model_type` can be computed.
#[cfg(test)]
pub(crate) fn is_supported(model_type: &str) -> bool {
    FAMILIES.iter().any(|(name, _)| *name == model_type)
}

/// Whether the layout and the family of the model in `folder` are supported, without a look at its weights.
pub(crate) fn check(folder: &Path) -> Result<()> {
    let path = Layout::read(folder)?.transformer.join("config.json");
    read(&path, &read_json(&path)?).map(|_| ())
}
