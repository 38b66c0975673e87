//! DeBERTa (He et al. 2020, arXiv:2006.03654), and its versions 2 and 3 (He et al. 2021, arXiv:2111.09543).
//!
//! Attention is disentangled: what a token is and where it stands are compared apart. With Pᵏ and Pᑫ the
//! projections of the embedded distances and δ(i, j) the place of the distance i − j among them,
//!
//! score(i, j) = (qᵢ·kⱼ + qᵢ·Pᵏ[δ(i, j)] + kⱼ·Pᑫ[δ(i, j)]) / √(d / h · terms).
//!
//! Version 2 puts far distances in buckets, may project distances with the weights of the tokens
//! (`share_att_key`) and normalise their embeddings, and may add a convolution beside the first layer.

use std::path::Path;

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::{Linear, Module, VarBuilder};
use serde_json::Value;

use super::super::Precision;
use super::super::architecture::{Architecture, Loader, Network, Shape};
use super::super::blocks::{
    Attention, BERT_NAMES, LayerNames, LayerNorm, PostNorm, Scores, attend, linear,
};
use super::super::embeddings::{EmbeddingSizes, Embeddings};
use super::super::settings::Sizes;
use super::bert::ANCHOR;
pub(super) use super::deberta_settings::Version;
use super::deberta_settings::{Convolution, DebertaSettings};
use crate::Result;

const NAMES: LayerNames = LayerNames {
    attention: [
        "attention.self.query_proj",
        "attention.self.key_proj",
        "attention.self.value_proj",
    ],
    ..BERT_NAMES
};

struct Deberta {
    embeddings: Embeddings,
    project: Option<Linear>,
    norm: LayerNorm,
    layers: Vec<(Disentangled, PostNorm)>,
    convolution: Option<(Conv, LayerNorm)>,
    settings: DebertaSettings,
}

/// The attention of a layer. The distances do not depend on a text: their projections are computed once.
struct Disentangled {
    content: Attention,
    /// Pᵏ and Pᑫ, the second scaled, each `[h, distances, d / h]`, where the model has them.
    keys: Option<Tensor>,
    queries: Option<Tensor>,
}

struct Conv {
    weight: Tensor,
    bias: Tensor,
    settings: Convolution,
}

/// Reads `config`, the contents of `path`.
pub(super) fn read(version: Version, path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let settings = DebertaSettings::read(version, path, config)?;
    let shape = Shape {
        name: version.name(),
        settings: settings.hidden(),
        dimension: settings.sizes.width,
        vocabulary: settings.sizes.vocabulary,
        positions: settings.sizes.positions,
        anchor: ANCHOR,
        types: settings.sizes.types,
        precisions: &[Precision::F32],
    };
    let load: Loader = Box::new(move |weights| {
        let model = weights.load(ANCHOR, |tensors| Deberta::load(&tensors, settings))?;
        Ok(Network::Tensors(Box::new(model)))
    });
    Ok((shape, load))
}

impl Deberta {
    fn load(tensors: &VarBuilder<'_>, settings: DebertaSettings) -> TensorResult<Deberta> {
        let sizes = settings.sizes;
        let (d, embedding) = (sizes.width, settings.embedding);
        let table = EmbeddingSizes {
            width: embedding,
            positions: if settings.absolute {
                sizes.positions
            } else {
                0
            },
            ..sizes.embeddings()
        };
        let (below, encoder) = (tensors.pp("embeddings"), tensors.pp("encoder"));
        let project = (embedding != d).then(|| linear(&below, "embed_proj", embedding, d, false));
        let distances = settings.distances(&encoder)?;
        let layer = |index: usize| {
            let tensors = encoder.pp("layer").pp(index);
            let attention = Disentangled::load(&tensors, &settings, distances.as_ref())?;
            Ok((attention, PostNorm::load(&tensors, &NAMES, &sizes.layer())?))
        };
        let layers = (0..sizes.layers).map(layer).collect::<TensorResult<_>>()?;
        let conv = settings
            .convolution
            .map(|conv| Conv::load(&encoder.pp("conv"), conv, &sizes));
        Ok(Deberta {
            embeddings: Embeddings::load(&below, &table)?,
            project: project.transpose()?,
            norm: LayerNorm::load(&below, "LayerNorm", d, sizes.epsilon, true)?,
            layers,
            convolution: conv.transpose()?,
            settings,
        })
    }
}

impl DebertaSettings {
    /// The embedded distances, `[distances, d]`, normalised if the model does that.
    fn distances(&self, encoder: &VarBuilder<'_>) -> TensorResult<Option<Tensor>> {
        if !self.relative {
            return Ok(None);
        }
        let d = self.sizes.width;
        let rows = encoder
            .pp("rel_embeddings")
            .get((2 * self.span(), d), "weight")?;
        if !self.normalised {
            return Ok(Some(rows));
        }
        let norm = LayerNorm::load(encoder, "LayerNorm", d, self.sizes.epsilon, true)?;
        norm.forward(&rows).map(Some)
    }
}

impl Disentangled {
    fn load(
        tensors: &VarBuilder<'_>,
        settings: &DebertaSettings,
        distances: Option<&Tensor>,
    ) -> TensorResult<Disentangled> {
        let (d, heads) = (settings.sizes.width, settings.sizes.heads);
        let own = tensors.pp("attention.self");
        let mut content = match settings.version {
            Version::One => joined(&own, d, heads)?,
            Version::Two => Attention::load(tensors, NAMES.attention, &settings.sizes.layer())?,
        };
        content.scale /= (settings.terms as f64).sqrt();
        let mut attention = Disentangled {
            content,
            keys: None,
            queries: None,
        };
        let Some(distances) = distances else {
            return Ok(attention);
        };
        // Both versions have used both names.
        let named = |names: [&'static str; 2]| {
            let there = |name: &&str| own.contains_tensor(&format!("{name}.weight"));
            names.into_iter().find(there).unwrap_or(names[0])
        };
        let map = |names, shared: &Linear, bias| match settings.share_keys {
            true => Ok(shared.clone()),
            false => linear(&own, named(names), d, d, bias),
        };
        let split = |map: Linear| -> TensorResult<Tensor> {
            let rows = map.forward(distances)?;
            let rows = rows.reshape((rows.dim(0)?, heads, d / heads))?;
            rows.transpose(0, 1)?.contiguous()
        };
        let (keys, queries) = match settings.version {
            Version::One => (
                ["pos_proj", "pos_key_proj"],
                ["pos_q_proj", "pos_query_proj"],
            ),
            Version::Two => (
                ["pos_key_proj", "pos_proj"],
                ["pos_query_proj", "pos_q_proj"],
            ),
        };
        if settings.content_to_position {
            let bias = settings.version == Version::Two;
            attention.keys = Some(split(map(keys, &attention.content.key, bias)?)?);
        }
        if settings.position_to_content {
            let rows = split(map(queries, &attention.content.query, true)?)?;
            attention.queries = Some((rows * attention.content.scale)?);
        }
        Ok(attention)
    }

    /// `places` holds δ for all pairs, `[l, l]`, counted from the first of the `used` distances.
    fn forward(&self, x: &Tensor, places: &Tensor, used: (usize, usize)) -> TensorResult<Tensor> {
        let [q, k, v] = self.content.project(x)?;
        let (b, h, l, _) = q.dims4()?;
        let against = |content: &Tensor, positions: &Tensor| {
            let positions = positions.narrow(1, used.0, used.1)?.t()?.unsqueeze(0)?;
            content.broadcast_matmul(&positions)
        };
        let p2c = self
            .queries
            .as_ref()
            .map(|queries| against(&k, queries))
            .transpose()?;
        let bias = |rows: std::ops::Range<usize>| -> TensorResult<Tensor> {
            let n = rows.len();
            let places = places.narrow(0, rows.start, n)?;
            let pick = |from: &Tensor, places: &Tensor, shape: (usize, usize)| {
                let places = places
                    .broadcast_as((b, h, shape.0, shape.1))?
                    .contiguous()?;
                from.gather(&places, 3)
            };
            let mut sum = None;
            if let Some(keys) = &self.keys {
                let c2p = against(&q.narrow(2, rows.start, n)?.contiguous()?, keys)?;
                sum = Some(pick(&c2p, &places, (n, l))?);
            }
            if let Some(p2c) = &p2c {
                // Here keys look up queries: the same places, seen from the other side.
                let term = pick(p2c, &places.t()?, (l, n))?.transpose(2, 3)?;
                sum = Some(match sum {
                    Some(sum) => (sum + term)?,
                    None => term.contiguous()?,
                });
            }
            sum.map_or_else(|| Tensor::zeros((1, 1, n, l), q.dtype(), q.device()), Ok)
        };
        let plain = self.keys.is_none() && self.queries.is_none();
        let scores = if plain {
            Scores::Plain
        } else {
            Scores::Biased(&bias)
        };
        attend(&q, &k, &v, &scores)
    }
}

/// Version 1 keeps the three projections in one matrix, head by head, and has no bias for keys.
fn joined(tensors: &VarBuilder<'_>, d: usize, heads: usize) -> TensorResult<Attention> {
    let head = d / heads;
    let weight = tensors.pp("in_proj").get((3 * d, d), "weight")?;
    let weight = weight.reshape((heads, 3, head, d))?;
    let part = |index: usize, bias: Option<&str>| -> TensorResult<Linear> {
        let weight = weight.narrow(1, index, 1)?.contiguous()?.reshape((d, d))?;
        Ok(Linear::new(
            weight,
            bias.map(|name| tensors.get(d, name)).transpose()?,
        ))
    };
    Ok(Attention {
        query: part(0, Some("q_bias"))?,
        key: part(1, None)?,
        value: part(2, Some("v_bias"))?,
        heads,
        scale: (head as f64).powf(-0.5),
    })
}

impl Conv {
    fn load(
        tensors: &VarBuilder<'_>,
        settings: Convolution,
        sizes: &Sizes,
    ) -> TensorResult<(Conv, LayerNorm)> {
        let (d, own) = (sizes.width, tensors.pp("conv"));
        let shape = (d, d / settings.groups, settings.kernel);
        let conv = Conv {
            weight: own.get(shape, "weight")?,
            bias: own.get(d, "bias")?.reshape((1, d, 1))?,
            settings,
        };
        Ok((
            conv,
            LayerNorm::load(tensors, "LayerNorm", d, sizes.epsilon, true)?,
        ))
    }

    /// f(conv(x)) along the text.
    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let Convolution {
            kernel,
            groups,
            activation,
        } = self.settings;
        let x = x.transpose(1, 2)?.contiguous()?;
        let y = x
            .conv1d(&self.weight, kernel / 2, 1, 1, groups)?
            .broadcast_add(&self.bias)?;
        activation.forward(&y.transpose(1, 2)?.contiguous()?)
    }
}

impl Architecture for Deberta {
    fn forward(&self, ids: &Tensor, types: Option<&Tensor>) -> TensorResult<Tensor> {
        let mut x = self.embeddings.forward(ids, types)?;
        if let Some(project) = &self.project {
            x = project.forward(&x)?;
        }
        x = self.norm.forward(&x)?;
        let (places, first, count) = self.settings.places(ids.dim(1)?);
        let l = ids.dim(1)?;
        let places = Tensor::from_vec(places, (l, l), ids.device())?;
        for (index, (attention, rest)) in self.layers.iter().enumerate() {
            let y = rest.forward(&x, &attention.forward(&x, &places, (first, count))?)?;
            x = match &self.convolution {
                Some((conv, norm)) if index == 0 => norm.forward(&(conv.forward(&x)? + y)?)?,
                _ => y,
            };
        }
        Ok(x)
    }

    fn tokens(&self) -> &Tensor {
        self.embeddings.tokens()
    }
}
