//! What the families are built from. In shapes, b is the number of texts in a batch, l their common length,
//! d the width of a hidden state, h the number of heads. Texts of a batch have one length: nothing is padded
//! and nothing masked.

use std::ops::Range;

use candle_core::{D, Device, Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder};

use super::Precision;
use super::activation::Activation;

/// The linear map `name`, with a bias or without.
pub(super) fn linear(
    tensors: &VarBuilder<'_>,
    name: &str,
    from: usize,
    to: usize,
    bias: bool,
) -> Result<Linear> {
    let tensors = tensors.pp(name);
    let weight = tensors.get((to, from), "weight")?;
    let bias = bias.then(|| tensors.get(to, "bias")).transpose()?;
    Ok(Linear::new(weight, bias))
}

/// The linear maps `names`, each to an equal share of `to`, with their results side by side.
pub(super) fn stacked(
    tensors: &VarBuilder<'_>,
    names: &[&str],
    from: usize,
    to: usize,
    bias: bool,
) -> Result<Linear> {
    let load = |name: &&str| linear(tensors, name, from, to / names.len(), bias);
    let maps: Vec<Linear> = names.iter().map(load).collect::<Result<_>>()?;
    if let [map] = maps.as_slice() {
        return Ok(map.clone());
    }
    let weights: Vec<&Tensor> = maps.iter().map(Linear::weight).collect();
    let biases: Vec<&Tensor> = maps.iter().filter_map(Linear::bias).collect();
    let bias = bias.then(|| Tensor::cat(&biases, 0)).transpose()?;
    Ok(Linear::new(Tensor::cat(&weights, 0)?, bias))
}

/// Layer normalisation (Ba, Kiros and Hinton 2016, arXiv:1607.06450).
pub(super) struct LayerNorm {
    pub weight: Tensor,
    pub bias: Tensor,
    pub epsilon: f32,
}

impl LayerNorm {
    /// Loads `name`; without a bias it is zero.
    pub fn load(
        tensors: &VarBuilder<'_>,
        name: &str,
        width: usize,
        epsilon: f64,
        bias: bool,
    ) -> Result<LayerNorm> {
        let tensors = tensors.pp(name);
        let weight = tensors.get(width, "weight")?;
        let bias = if bias {
            tensors.get(width, "bias")?
        } else {
            weight.zeros_like()?
        };
        Ok(LayerNorm {
            weight,
            bias,
            epsilon: epsilon as f32,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::layer_norm(x, &self.weight, &self.bias, self.epsilon)
    }
}

/// What is done to the scores of attention before the softmax.
pub(super) enum Scores<'a> {
    /// Nothing.
    Plain,
    /// A token sees those at most so far away.
    Window(usize),
    /// The tensor for a range of queries is added, `[1 or b, h, queries, l]`.
    Biased(&'a dyn Fn(Range<usize>) -> Result<Tensor>),
}

/// Scores held at a time, 16 MiB of them. Texts of common length stay below; the scores of a long one, which
/// grow with the square of its length, are computed for some queries at a time.
const MOST_SCORES: usize = 1 << 22;

/// Softmax(q kᵀ + bias) v of `[b, h, l, d / h]`, the heads side by side again: `[b, l, d]`. The scale is the
/// caller's.
pub(super) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, scores: &Scores<'_>) -> Result<Tensor> {
    let (b, h, l, _) = q.dims4()?;
    let mut rows = (MOST_SCORES / (b * h * l)).clamp(1, l);
    if let Scores::Window(reach) = scores {
        rows = rows.min((2 * reach).max(64));
    }
    let mut parts = Vec::new();
    for start in (0..l).step_by(rows) {
        let end = (start + rows).min(l);
        let keys = match scores {
            Scores::Window(reach) => start.saturating_sub(*reach)..(end + reach).min(l),
            _ => 0..l,
        };
        let queries = q.narrow(2, start, end - start)?;
        let k = k.narrow(2, keys.start, keys.len())?;
        let v = v.narrow(2, keys.start, keys.len())?;
        let mut sums = queries.matmul(&k.t()?)?;
        match scores {
            Scores::Plain => {}
            Scores::Window(reach) if l <= reach + 1 => {}
            Scores::Window(reach) => {
                sums = sums.broadcast_add(&window(start..end, keys, *reach, q.device())?)?;
            }
            Scores::Biased(bias) => sums = sums.broadcast_add(&bias(start..end)?)?,
        }
        parts.push(candle_nn::ops::softmax_last_dim(&sums)?.matmul(&v)?);
    }
    let joined = match parts.as_slice() {
        [whole] => whole.clone(),
        _ => Tensor::cat(&parts, 2)?,
    };
    joined
        .transpose(1, 2)?
        .contiguous()?
        .flatten_from(D::Minus2)
}

/// Zero where a query sees a key, minus infinity where it does not.
fn window(queries: Range<usize>, keys: Range<usize>, reach: usize, on: &Device) -> Result<Tensor> {
    let shape = (queries.len(), keys.len());
    let sees = |query: usize, key: usize| {
        if query.abs_diff(key) <= reach {
            0.0
        } else {
            f32::NEG_INFINITY
        }
    };
    let mask: Vec<f32> = queries
        .flat_map(|query| keys.clone().map(move |key| sees(query, key)))
        .collect();
    Tensor::from_vec(mask, shape, on)
}

/// `[b, l, d]` to `[b, h, l, d / h]`.
pub(super) fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (b, l, d) = x.dims3()?;
    x.reshape((b, l, heads, d / heads))?
        .transpose(1, 2)?
        .contiguous()
}

/// The three projections of self-attention (Vaswani et al. 2017, arXiv:1706.03762).
pub(super) struct Attention {
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub heads: usize,
    /// What queries are multiplied by.
    pub scale: f64,
}

impl Attention {
    /// Loads the projections of these names, with the usual scale, 1 / √(d / h).
    pub fn load(
        tensors: &VarBuilder<'_>,
        names: [&str; 3],
        sizes: &LayerSizes,
    ) -> Result<Attention> {
        let d = sizes.width;
        Ok(Attention {
            query: linear(tensors, names[0], d, d, true)?,
            key: linear(tensors, names[1], d, d, true)?,
            value: linear(tensors, names[2], d, d, true)?,
            heads: sizes.heads,
            scale: sizes.scale(),
        })
    }

    /// Queries, scaled, keys and values of `x`, each `[b, h, l, d / h]`.
    pub fn project(&self, x: &Tensor) -> Result<[Tensor; 3]> {
        let part = |map: &Linear| split_heads(&map.forward(x)?, self.heads);
        let q = (part(&self.query)? * self.scale)?;
        Ok([q, part(&self.key)?, part(&self.value)?])
    }

    pub fn forward(&self, x: &Tensor, scores: &Scores<'_>) -> Result<Tensor> {
        let [q, k, v] = self.project(x)?;
        attend(&q, &k, &v, scores)
    }
}

/// What the layers of a model have in common.
pub(super) struct LayerSizes {
    pub width: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub activation: Activation,
    pub epsilon: f64,
    /// How layers on the CPU multiply.
    pub precision: Precision,
}

impl LayerSizes {
    /// What queries are multiplied by: 1 / √(d / h).
    pub fn scale(&self) -> f64 {
        ((self.width / self.heads) as f64).powf(-0.5)
    }
}

/// The names of a layer's tensors.
pub(super) struct LayerNames {
    /// Query, key and value.
    pub attention: [&'static str; 3],
    pub output: &'static str,
    pub output_norm: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub norm: &'static str,
}

/// The names that BERT gave and most families kept.
pub(super) const BERT_NAMES: LayerNames = LayerNames {
    attention: [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ],
    output: "attention.output.dense",
    output_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "output.LayerNorm",
};

/// What follows attention in a layer that normalises after each sum:
///
/// y = norm(x + W context), z = norm(y + W₂ f(W₁ y)).
pub(super) struct PostNorm {
    pub output: Linear,
    pub output_norm: LayerNorm,
    pub up: Linear,
    pub activation: Activation,
    pub down: Linear,
    pub norm: LayerNorm,
}

impl PostNorm {
    pub fn load(
        tensors: &VarBuilder<'_>,
        names: &LayerNames,
        sizes: &LayerSizes,
    ) -> Result<PostNorm> {
        let (d, inner) = (sizes.width, sizes.intermediate);
        let norm = |name| LayerNorm::load(tensors, name, d, sizes.epsilon, true);
        Ok(PostNorm {
            output: linear(tensors, names.output, d, d, true)?,
            output_norm: norm(names.output_norm)?,
            up: linear(tensors, names.up, d, inner, true)?,
            activation: sizes.activation,
            down: linear(tensors, names.down, inner, d, true)?,
            norm: norm(names.norm)?,
        })
    }

    /// `x` went into the attention, `context` came out.
    pub fn forward(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        let y = self
            .output_norm
            .forward(&(self.output.forward(context)? + x)?)?;
        let inner = self.activation.forward(&self.up.forward(&y)?)?;
        self.norm.forward(&(self.down.forward(&inner)? + y)?)
    }
}

#[cfg(test)]
mod tests;
