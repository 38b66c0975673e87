//! ModernBERT (Warner et al. 2024, arXiv:2412.13663).
//!
//! What ten years' practice changed in BERT: normalisation before each part instead of after the sum, no biases
//! as a rule, positions by rotation (Su et al. 2021, arXiv:2104.09864), a gated feed-forward (Shazeer 2020,
//! arXiv:2002.05202), and attention that sees all tokens only in every third layer:
//!
//! y = x + Wₒ attend(rotate(q), rotate(k), v) of norm(x), z = y + W₂ (f(u) ⊙ g) with u, g = W₁ norm(y).

use std::path::Path;

use candle_core::{D, Device, Result as TensorResult, Tensor};
use candle_nn::{Linear, Module, VarBuilder};
use serde_json::Value;

use super::super::activation::Activation;
use super::super::architecture::{Architecture, Loader, Shape};
use super::super::blocks::{LayerNorm, Scores, attend, linear, split_heads};
use super::super::settings::{Settings, limits};
use crate::Result;

struct ModernBert {
    tokens: Tensor,
    norm: LayerNorm,
    layers: Vec<ModernLayer>,
    last_norm: LayerNorm,
    head: usize,
    global: Rotation,
    local: Rotation,
}

struct ModernLayer {
    /// None in the first layer: the embeddings are normalised already.
    attention_norm: Option<LayerNorm>,
    projections: Linear,
    output: Linear,
    norm: LayerNorm,
    up: Linear,
    activation: Activation,
    down: Linear,
    heads: usize,
    /// How far a token sees, where it does not see all.
    reach: Option<usize>,
}

/// How positions turn into angles: position / (factor theta^(2 i / head)).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rotation {
    theta: f64,
    factor: f64,
}

#[derive(Debug, Clone)]
struct ModernSizes {
    vocabulary: usize,
    width: usize,
    heads: usize,
    intermediate: usize,
    activation: Activation,
    positions: usize,
    epsilon: f64,
    attention_bias: bool,
    norm_bias: bool,
    mlp_bias: bool,
    /// For each layer how far a token sees.
    reaches: Vec<Option<usize>>,
    global: Rotation,
    local: Rotation,
}

/// Reads `config`, the contents of `path`.
pub(super) fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let settings = Settings { path, config };
    let sizes = read_sizes(&settings)?;
    let kinds: String = sizes
        .reaches
        .iter()
        .map(|reach| if reach.is_some() { 'l' } else { 'g' })
        .collect();
    let shape = Shape {
        name: "modernbert",
        settings: format!(
            "heads={} activation={} epsilon={:e} layers={kinds} reach={:?} global={:?} local={:?} \
             biases={:?}",
            sizes.heads,
            sizes.activation.name(),
            sizes.epsilon,
            sizes.reaches.iter().flatten().next(),
            sizes.global,
            sizes.local,
            [sizes.attention_bias, sizes.norm_bias, sizes.mlp_bias],
        ),
        dimension: sizes.width,
        vocabulary: sizes.vocabulary,
        positions: sizes.positions,
    };
    let load: Loader = Box::new(move |weights| {
        let anchor = "embeddings.tok_embeddings.weight";
        Ok(Box::new(weights.load(anchor, |tensors| {
            ModernBert::load(&tensors, &sizes)
        })?))
    });
    Ok((shape, load))
}

fn read_sizes(settings: &Settings<'_>) -> Result<ModernSizes> {
    let width = settings.size("hidden_size", 768, limits::DIMENSION)?;
    let heads = settings.size("num_attention_heads", 12, limits::HEADS)?;
    settings.divides("num_attention_heads", heads, "hidden_size", width)?;
    let head = width / heads;
    if !head.is_multiple_of(2) {
        let expected = format!("a divisor of hidden_size = {width} that leaves an even width");
        return Err(settings.wrong_size("num_attention_heads", heads, expected));
    }
    if settings.size("head_dim", head, limits::DIMENSION)? != head {
        return Err(settings.unsupported("head_dim", "hidden_size / num_attention_heads"));
    }
    if !matches!(&settings.config["rope_scaling"], Value::Null) {
        return Err(settings.unsupported("rope_scaling", "none; rope_parameters instead"));
    }
    Ok(ModernSizes {
        vocabulary: settings.size("vocab_size", 50_368, limits::VOCABULARY)?,
        width,
        heads,
        intermediate: settings.size("intermediate_size", 1152, limits::INTERMEDIATE)?,
        activation: settings.activation("hidden_activation", Activation::Gelu)?,
        positions: settings.size("max_position_embeddings", 8192, limits::FREE_POSITIONS)?,
        epsilon: settings.epsilon("norm_eps", 1e-5)?,
        attention_bias: settings.flag("attention_bias", false)?,
        norm_bias: settings.flag("norm_bias", false)?,
        mlp_bias: settings.flag("mlp_bias", false)?,
        reaches: reaches(settings)?,
        global: rotation(settings, "full_attention", "global_rope_theta", 160_000.0)?,
        local: rotation(settings, "sliding_attention", "local_rope_theta", 10_000.0)?,
    })
}

/// Which layers see all and which their neighbourhood: as `layer_types` says, or one in
/// `global_attn_every_n_layers` from the first on. The window of `local_attention` tokens lies half on each side.
fn reaches(settings: &Settings<'_>) -> Result<Vec<Option<usize>>> {
    let count = settings.size("num_hidden_layers", 22, limits::LAYERS)?;
    let reach = settings.count("local_attention", 128, limits::POSITIONS)? / 2;
    let every = settings.size("global_attn_every_n_layers", 3, limits::LAYERS)?;
    let types = match &settings.config["layer_types"] {
        Value::Null => {
            let local = |layer: usize| !layer.is_multiple_of(every);
            return Ok((0..count)
                .map(|layer| local(layer).then_some(reach))
                .collect());
        }
        Value::Array(types) if types.len() == count => types,
        _ => return Err(settings.unsupported("layer_types", "a list of num_hidden_layers types")),
    };
    let kind = |kind: &Value| match kind.as_str() {
        Some("full_attention") => Ok(None),
        Some("sliding_attention") => Ok(Some(reach)),
        _ => Err(settings.unsupported("layer_types", "full_attention, sliding_attention")),
    };
    types.iter().map(kind).collect()
}

/// The rotation in the layers of a kind: `rope_parameters` has one for each, older models only a theta.
fn rotation(settings: &Settings<'_>, kind: &str, old: &str, absent: f64) -> Result<Rotation> {
    let unsupported = |supported| settings.unsupported("rope_parameters", supported);
    let all = &settings.config["rope_parameters"];
    let known = |name: &String| ["full_attention", "sliding_attention"].contains(&name.as_str());
    if !all.is_null() && !all.as_object().is_some_and(|all| all.keys().all(known)) {
        return Err(unsupported(
            "full_attention and sliding_attention, each with its own",
        ));
    }
    let own = &all[kind];
    let number = |value: &Value, absent: f64| match value {
        Value::Null => Some(absent),
        value => value
            .as_f64()
            .filter(|number| number.is_finite() && *number > 0.0),
    };
    // The default of the local one is a number of its own; written out as null it means the global one.
    let absent = match settings.config.get(old) {
        Some(Value::Null) if old == "local_rope_theta" => &settings.config["global_rope_theta"],
        _ => &settings.config[old],
    }
    .as_f64()
    .unwrap_or(absent);
    let factor = match own["rope_type"].as_str().or(own["type"].as_str()) {
        None | Some("default") => Some(1.0),
        Some("linear") => number(&own["factor"], 1.0),
        Some(_) => None,
    };
    let whole = number(&own["partial_rotary_factor"], 1.0) == Some(1.0);
    match (number(&own["rope_theta"], absent), factor.filter(|_| whole)) {
        (Some(theta), Some(factor)) if theta > 0.0 => Ok(Rotation { theta, factor }),
        (Some(_), None) => Err(unsupported("rope_type default or linear, of whole heads")),
        _ => Err(unsupported("a rope_theta above 0")),
    }
}

impl Rotation {
    /// Cosines and sines for positions below `l`, each `[l, head / 2]`.
    fn angles(&self, l: usize, head: usize, on: &Device) -> TensorResult<(Tensor, Tensor)> {
        let frequency = |pair: usize| {
            let exponent = (2 * pair) as f32 / head as f32;
            // Rounded to single precision where the reference is.
            (1.0 / self.theta.powf(f64::from(exponent)) as f32) / self.factor as f32
        };
        let frequencies: Vec<f32> = (0..head / 2).map(frequency).collect();
        let angles = (0..l).flat_map(|at| frequencies.iter().map(move |f| at as f32 * f));
        let (sines, cosines): (Vec<f32>, Vec<f32>) = angles.map(f32::sin_cos).unzip();
        let shape = (l, head / 2);
        Ok((
            Tensor::from_vec(cosines, shape, on)?,
            Tensor::from_vec(sines, shape, on)?,
        ))
    }
}

impl ModernBert {
    fn load(tensors: &VarBuilder<'_>, sizes: &ModernSizes) -> TensorResult<ModernBert> {
        let below = tensors.pp("embeddings");
        let words = below.pp("tok_embeddings");
        let norm = |at: &VarBuilder<'_>, name| {
            LayerNorm::load(at, name, sizes.width, sizes.epsilon, sizes.norm_bias)
        };
        let layer = |(index, reach): (usize, &Option<usize>)| {
            let tensors = tensors.pp("layers").pp(index);
            let (d, inner) = (sizes.width, sizes.intermediate);
            Ok(ModernLayer {
                attention_norm: (index > 0)
                    .then(|| norm(&tensors, "attn_norm"))
                    .transpose()?,
                projections: linear(&tensors, "attn.Wqkv", d, 3 * d, sizes.attention_bias)?,
                output: linear(&tensors, "attn.Wo", d, d, sizes.attention_bias)?,
                norm: norm(&tensors, "mlp_norm")?,
                up: linear(&tensors, "mlp.Wi", d, 2 * inner, sizes.mlp_bias)?,
                activation: sizes.activation,
                down: linear(&tensors, "mlp.Wo", inner, d, sizes.mlp_bias)?,
                heads: sizes.heads,
                reach: *reach,
            })
        };
        Ok(ModernBert {
            tokens: words.get((sizes.vocabulary, sizes.width), "weight")?,
            norm: norm(&below, "norm")?,
            layers: sizes
                .reaches
                .iter()
                .enumerate()
                .map(layer)
                .collect::<TensorResult<_>>()?,
            last_norm: norm(tensors, "final_norm")?,
            head: sizes.width / sizes.heads,
            global: sizes.global,
            local: sizes.local,
        })
    }
}

impl ModernLayer {
    fn forward(&self, x: &Tensor, (cosines, sines): &(Tensor, Tensor)) -> TensorResult<Tensor> {
        let input = match &self.attention_norm {
            Some(norm) => norm.forward(x)?,
            None => x.clone(),
        };
        let d = x.dim(D::Minus1)?;
        let joined = self.projections.forward(&input)?;
        let part = |index: usize| split_heads(&joined.narrow(D::Minus1, index * d, d)?, self.heads);
        let rotate = |x: Tensor| candle_nn::rotary_emb::rope(&x, cosines, sines);
        let scale = ((d / self.heads) as f64).powf(-0.5);
        let (q, k) = ((rotate(part(0)?)? * scale)?, rotate(part(1)?)?);
        let scores = self.reach.map_or(Scores::Plain, Scores::Window);
        let y = (self.output.forward(&attend(&q, &k, &part(2)?, &scores)?)? + x)?;
        let halves = self
            .up
            .forward(&self.norm.forward(&y)?)?
            .chunk(2, D::Minus1)?;
        let gated = (self.activation.forward(&halves[0].contiguous()?)? * &halves[1])?;
        self.down.forward(&gated)? + y
    }
}

impl Architecture for ModernBert {
    fn forward(&self, ids: &Tensor) -> TensorResult<Tensor> {
        let (b, l) = ids.dims2()?;
        let embedded = self
            .tokens
            .index_select(&ids.flatten_all()?, 0)?
            .reshape((b, l, ()))?;
        let mut x = self.norm.forward(&embedded)?;
        let global = self.global.angles(l, self.head, ids.device())?;
        let local = self.local.angles(l, self.head, ids.device())?;
        for layer in &self.layers {
            let angles = if layer.reach.is_some() {
                &local
            } else {
                &global
            };
            x = layer.forward(&x, angles)?;
        }
        self.last_norm.forward(&x)
    }
}
