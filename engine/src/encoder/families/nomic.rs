//! NomicBERT (Nussbaum et al. 2024, arXiv:2402.01613), written for `nomic-ai/nomic-embed-text-v1` and `-v1.5`.
//!
//! BERT with two of its parts exchanged: positions turn queries and keys (Su et al. 2021, arXiv:2104.09864)
//! instead of being added, and the feed-forward has a gate (Shazeer 2020, arXiv:2002.05202). Norms stand where
//! BERT has them:
//!
//! x₀ = norm(token + type), y = norm(x + Wₒ attend(rotate(q), rotate(k), v)), z = norm(y + W₂ (f(g) ⊙ u)).
//!
//! A text longer than those of the training may be read with a larger θ, so that it is turned as far as they
//! were: θ (s l / t − s + 1)^(d / (d − 2)) for length l, t trained positions, heads of width d and a factor s.
//! GTE is this model with other names and biases.

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::VarBuilder;

use super::super::Precision;
use super::super::architecture::{Architecture, Loader, Network, Shape};
use super::super::blocks::{LayerNorm, Scores};
use super::super::embeddings::{EmbeddingSizes, Embeddings};
use super::super::gated::{GateNames, Gated, GatedSizes};
use super::super::rotary::{Angles, RotaryAttention, Rotation};
use super::super::settings::Sizes;
use super::bert::ANCHOR;

struct Nomic {
    embeddings: Embeddings,
    norm: LayerNorm,
    layers: Vec<NomicLayer>,
    variant: Variant,
}

struct NomicLayer {
    attention: RotaryAttention,
    attention_norm: LayerNorm,
    feed_forward: Gated,
    norm: LayerNorm,
}

/// All that tells NomicBERT and its relatives from each other.
#[derive(Clone)]
pub(super) struct Variant {
    pub sizes: Sizes,
    pub rotation: Rotation,
    pub stretch: Option<Stretch>,
    pub biases: Biases,
    /// What checkpoints call the tensors. The first whose attention is there is taken.
    pub names: &'static [Names],
}

/// How θ grows with the length of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    pub factor: f64,
    /// Up to this length it does not.
    pub trained: usize,
}

/// Which maps have one: those of the attention, those up and that down of the feed-forward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Biases {
    pub attention: bool,
    pub up: bool,
    pub down: bool,
}

/// The names of a checkpoint's tensors.
pub(super) struct Names {
    pub embedding_norm: &'static str,
    /// Where the layers are. The names that follow are within one.
    pub layers: &'static str,
    /// Query, key and value, or the one tensor that has them all.
    pub projections: &'static [&'static str],
    pub output: &'static str,
    pub attention_norm: &'static str,
    pub gate: GateNames,
    pub down: &'static str,
    pub norm: &'static str,
}

/// Those of transformers' own implementations. What it saves has the older names all the same.
pub(super) const NATIVE: Names = Names {
    embedding_norm: "embeddings.LayerNorm",
    layers: "layers",
    projections: &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    output: "self_attn.o_proj",
    attention_norm: "post_attention_layernorm",
    gate: GateNames::Apart("mlp.gate_proj", "mlp.up_proj"),
    down: "mlp.down_proj",
    norm: "post_mlp_layernorm",
};

impl Variant {
    /// The shape and the loader of the family `name`.
    pub fn build(self, name: &'static str) -> (Shape, Loader) {
        let shape = Shape {
            name,
            settings: format!(
                "{} rotation={:?} stretch={:?} biases={:?}",
                self.sizes.hidden(),
                self.rotation,
                self.stretch,
                self.biases,
            ),
            dimension: self.sizes.width,
            vocabulary: self.sizes.vocabulary,
            positions: self.sizes.positions,
            anchor: ANCHOR,
            types: self.sizes.types,
            precisions: &[Precision::F32],
        };
        let load: Loader = Box::new(move |weights| {
            let model = weights.load(ANCHOR, |tensors| Nomic::load(&tensors, self))?;
            Ok(Network::Tensors(Box::new(model)))
        });
        (shape, load)
    }

    /// The names that the checkpoint has.
    fn names(&self, tensors: &VarBuilder<'_>) -> &'static Names {
        let there = |names: &&Names| {
            let attention = tensors.pp(names.layers).pp(0).pp(names.projections[0]);
            attention.contains_tensor("weight")
        };
        // Where there are none, an error shall name a tensor: one of the first names.
        self.names.iter().find(there).unwrap_or(&self.names[0])
    }

    /// The rotation of a text of length `l`.
    fn rotation(&self, l: usize) -> Rotation {
        match self.stretch {
            Some(Stretch { factor, trained }) if l > trained => {
                let head = (self.sizes.width / self.sizes.heads) as f64;
                let growth = factor * l as f64 / trained as f64 - (factor - 1.0);
                let theta = self.rotation.theta * growth.powf(head / (head - 2.0));
                Rotation {
                    theta,
                    ..self.rotation
                }
            }
            _ => self.rotation,
        }
    }
}

impl Nomic {
    fn load(tensors: &VarBuilder<'_>, variant: Variant) -> TensorResult<Nomic> {
        let (sizes, names) = (&variant.sizes, variant.names(tensors));
        let table = EmbeddingSizes {
            positions: 0,
            ..sizes.embeddings()
        };
        let layer = |index| NomicLayer::load(&tensors.pp(names.layers).pp(index), names, &variant);
        Ok(Nomic {
            embeddings: Embeddings::load(&tensors.pp("embeddings"), &table)?,
            norm: LayerNorm::load(
                tensors,
                names.embedding_norm,
                sizes.width,
                sizes.epsilon,
                true,
            )?,
            layers: (0..sizes.layers).map(layer).collect::<TensorResult<_>>()?,
            variant,
        })
    }
}

impl NomicLayer {
    fn load(
        tensors: &VarBuilder<'_>,
        names: &Names,
        variant: &Variant,
    ) -> TensorResult<NomicLayer> {
        let Variant { sizes, biases, .. } = variant;
        let norm = |name| LayerNorm::load(tensors, name, sizes.width, sizes.epsilon, true);
        let gated = GatedSizes {
            width: sizes.width,
            intermediate: sizes.intermediate,
            activation: sizes.activation,
            up_bias: biases.up,
            down_bias: biases.down,
        };
        let widths = (sizes.width, sizes.heads);
        let (projections, output) = (names.projections, names.output);
        Ok(NomicLayer {
            attention: RotaryAttention::load(
                tensors,
                projections,
                output,
                widths,
                biases.attention,
            )?,
            attention_norm: norm(names.attention_norm)?,
            feed_forward: Gated::load(tensors, names.gate, names.down, &gated)?,
            norm: norm(names.norm)?,
        })
    }

    fn forward(&self, x: &Tensor, angles: &Angles) -> TensorResult<Tensor> {
        let y = (self.attention.forward(x, angles, &Scores::Plain)? + x)?;
        let y = self.attention_norm.forward(&y)?;
        self.norm.forward(&(self.feed_forward.forward(&y)? + &y)?)
    }
}

impl Architecture for Nomic {
    fn forward(&self, ids: &Tensor, types: Option<&Tensor>) -> TensorResult<Tensor> {
        let l = ids.dim(1)?;
        let head = self.variant.sizes.width / self.variant.sizes.heads;
        let angles = self.variant.rotation(l).angles(l, head, ids.device())?;
        let mut x = self.norm.forward(&self.embeddings.forward(ids, types)?)?;
        for layer in &self.layers {
            x = layer.forward(&x, &angles)?;
        }
        Ok(x)
    }

    fn tokens(&self) -> &Tensor {
        self.embeddings.tokens()
    }
}
