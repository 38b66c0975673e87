//! JinaBERT (Günther et al. 2023, arXiv:2310.19923), written for `jinaai/jina-embeddings-v2-base-en`,
//! `-small-en`, `-base-de`, `-base-zh`, `-base-es` and `-base-code`.
//!
//! BERT whose heads see less of what is far away instead of knowing positions (ALiBi, Press et al. 2021,
//! arXiv:2108.12409, to both sides here), with a gated feed-forward (Shazeer 2020, arXiv:2002.05202):
//!
//! x₀ = norm(token + type), context = softmax(q kᵀ / √(d / h) − mₕ |i − j|) v,
//! y = norm(x + context Wₒ), z = norm(y + W₂ (f(g) ⊙ u)), with a slope mₕ for each head.
//!
//! The model for code differs: queries and keys are normalised over their whole width before they are cut into
//! heads, and there is one more sum and norm, y = norm(x + norm(x + context Wₒ)). It has other tensors, by which
//! it is known; `config.json` only names the code it came with.

use std::ops::Range;

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{Linear, Module, VarBuilder};

use super::super::Precision;
use super::super::activation::Activation;
use super::super::architecture::{Architecture, Loader, Network, Shape};
use super::super::blocks::{Attention, BERT_NAMES, LayerNorm, Scores, attend, linear, split_heads};
use super::super::embeddings::{EmbeddingSizes, Embeddings};
use super::super::gated::{GateNames, Gated, GatedSizes};
use super::super::settings::{Settings, Sizes};
use super::bert::{ANCHOR, BASE, refuse_decoder_parts};
use crate::Result;

struct Jina {
    embeddings: Embeddings,
    norm: LayerNorm,
    layers: Vec<JinaLayer>,
    /// −mₕ, `[h, 1, 1]`.
    slopes: Tensor,
}

struct JinaLayer {
    attention: Attention,
    output: Linear,
    output_norm: LayerNorm,
    code: Option<CodeNorms>,
    feed_forward: Gated,
    norm: LayerNorm,
}

/// What only the model for code has.
struct CodeNorms {
    query: LayerNorm,
    key: LayerNorm,
    /// After the second sum with the input.
    sum: LayerNorm,
}

/// Reads the settings of a model whose `position_embedding_type` is `alibi`. `hidden_act` is not used.
pub(super) fn read(settings: &Settings<'_>) -> Result<(Shape, Loader)> {
    refuse_decoder_parts(settings)?;
    let sizes = settings.sizes(&BASE)?;
    if settings.config["feed_forward_type"].is_null() {
        return Err(settings.unsupported("feed_forward_type", GATES));
    }
    let gates = [("geglu", Activation::Gelu), ("reglu", Activation::Relu)];
    let activation = settings.one_of("feed_forward_type", Activation::Gelu, &gates, GATES)?;
    let sizes = Sizes {
        activation,
        ..sizes
    };
    let shape = Shape {
        name: "jina_bert",
        settings: sizes.hidden(),
        dimension: sizes.width,
        vocabulary: sizes.vocabulary,
        positions: sizes.positions,
        anchor: ANCHOR,
        types: sizes.types,
        precisions: &[Precision::F32],
    };
    let load: Loader = Box::new(move |weights| {
        let model = weights.load(ANCHOR, |tensors| Jina::load(&tensors, &sizes))?;
        Ok(Network::Tensors(Box::new(model)))
    });
    Ok((shape, load))
}

const GATES: &str = "geglu, reglu";

/// The slopes of `heads` heads: 2^(−8 i / n) for i from 1, if their number n is a power of two. Of others the
/// greatest power below gives as many, and the rest are every second one of the next power's.
fn slopes(heads: usize) -> Vec<f32> {
    let power = |n: usize| (1..=n).map(move |i| (-8.0 * i as f64 / n as f64).exp2() as f32);
    let below = 1 << heads.ilog2();
    let rest = power(2 * below).step_by(2).take(heads - below);
    power(below).chain(rest).collect()
}

impl Jina {
    fn load(tensors: &VarBuilder<'_>, sizes: &Sizes) -> TensorResult<Jina> {
        let table = EmbeddingSizes {
            positions: 0,
            ..sizes.embeddings()
        };
        let below = tensors.pp("embeddings");
        let layers = tensors.pp("encoder.layer");
        let code = layers.contains_tensor("0.mlp.up_gated_layer.weight");
        let layer = |index| JinaLayer::load(&layers.pp(index), sizes, code);
        let slopes: Vec<f32> = slopes(sizes.heads).iter().map(|slope| -slope).collect();
        Ok(Jina {
            embeddings: Embeddings::load(&below, &table)?,
            norm: LayerNorm::load(&below, "LayerNorm", sizes.width, sizes.epsilon, true)?,
            layers: (0..sizes.layers).map(layer).collect::<TensorResult<_>>()?,
            slopes: Tensor::from_vec(slopes, (sizes.heads, 1, 1), tensors.device())?,
        })
    }

    /// What is added to the scores of some queries of a text of length `l`, `[1, h, queries, l]`.
    fn bias(&self, queries: Range<usize>, l: usize) -> TensorResult<Tensor> {
        let shape = (1, queries.len(), l);
        let distances: Vec<f32> = queries
            .flat_map(|query| (0..l).map(move |key| query.abs_diff(key) as f32))
            .collect();
        let distances = Tensor::from_vec(distances, shape, self.slopes.device())?;
        self.slopes.broadcast_mul(&distances)?.unsqueeze(0)
    }
}

impl JinaLayer {
    fn load(tensors: &VarBuilder<'_>, sizes: &Sizes, code: bool) -> TensorResult<JinaLayer> {
        let d = sizes.width;
        let norm = |name: &str| LayerNorm::load(tensors, name, d, sizes.epsilon, true);
        let gated = GatedSizes {
            width: d,
            intermediate: sizes.intermediate,
            activation: sizes.activation,
            up_bias: false,
            down_bias: true,
        };
        let (gate, down, last) = if code {
            let gate = GateNames::UpFirst("mlp.up_gated_layer");
            (gate, "mlp.down_layer", "layer_norm_2")
        } else {
            let gate = GateNames::GateFirst("mlp.gated_layers");
            (gate, "mlp.wo", "mlp.layernorm")
        };
        let code_norms = || -> TensorResult<CodeNorms> {
            Ok(CodeNorms {
                query: norm("attention.self.layer_norm_q")?,
                key: norm("attention.self.layer_norm_k")?,
                sum: norm("layer_norm_1")?,
            })
        };
        Ok(JinaLayer {
            attention: Attention::load(tensors, BERT_NAMES.attention, &sizes.layer())?,
            output: linear(tensors, BERT_NAMES.output, d, d, true)?,
            output_norm: norm(BERT_NAMES.output_norm)?,
            code: code.then(code_norms).transpose()?,
            feed_forward: Gated::load(tensors, gate, down, &gated)?,
            norm: norm(last)?,
        })
    }

    fn forward(&self, x: &Tensor, scores: &Scores<'_>) -> TensorResult<Tensor> {
        let summed = |norm: &LayerNorm, y: Tensor, x: &Tensor| norm.forward(&(y + x)?);
        let context = self.attend(x, scores)?;
        let mut y = summed(&self.output_norm, self.output.forward(&context)?, x)?;
        if let Some(code) = &self.code {
            y = summed(&code.sum, y, x)?;
        }
        summed(&self.norm, self.feed_forward.forward(&y)?, &y)
    }

    fn attend(&self, x: &Tensor, scores: &Scores<'_>) -> TensorResult<Tensor> {
        let Some(code) = &self.code else {
            return self.attention.forward(x, scores);
        };
        let Attention {
            query,
            key,
            value,
            heads,
            scale,
        } = &self.attention;
        let normed =
            |map: &Linear, norm: &LayerNorm| split_heads(&norm.forward(&map.forward(x)?)?, *heads);
        let q = (normed(query, &code.query)? * *scale)?;
        let v = split_heads(&value.forward(x)?, *heads)?;
        attend(&q, &normed(key, &code.key)?, &v, scores)
    }
}

impl Architecture for Jina {
    fn forward(&self, ids: &Tensor, types: Option<&Tensor>) -> TensorResult<Tensor> {
        let l = ids.dim(1)?;
        let rows = |queries: Range<usize>| self.bias(queries, l);
        let mut x = self.norm.forward(&self.embeddings.forward(ids, types)?)?;
        for layer in &self.layers {
            x = layer.forward(&x, &Scores::Biased(&rows))?;
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

    /// As `_get_alibi_head_slopes` of the reference implementation gives them.
    #[test]
    fn slopes_are_those_of_the_reference() {
        let exponents = |heads| -> Vec<f32> { slopes(heads).iter().map(|m| m.log2()).collect() };
        assert_eq!(exponents(1), [-8.0]);
        assert_eq!(exponents(2), [-4.0, -8.0]);
        assert_eq!(exponents(3), [-4.0, -8.0, -2.0]);
        assert_eq!(
            exponents(8),
            [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0]
        );
        let twelve = exponents(12);
        assert_eq!(twelve[..8], exponents(8));
        for (found, expected) in twelve[8..].iter().zip([-0.5, -1.5, -2.5, -3.5]) {
            assert!((found - expected).abs() < 1e-6);
        }
    }
}
