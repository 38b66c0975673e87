//! ModernBERT (Warner et al. 2024, arXiv:2412.13663).
//!
//! What ten years' practice changed in BERT: normalisation before each part instead of after the sum, no biases
//! as a rule, positions by rotation (Su et al. 2021, arXiv:2104.09864), a gated feed-forward (Shazeer 2020,
//! arXiv:2002.05202), and attention that sees all tokens only in every third layer:
//!
//! y = x + Wₒ attend(rotate(q), rotate(k), v) of norm(x), z = y + W₂ (f(u) ⊙ g) with u, g = W₁ norm(y).

use std::path::Path;

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::VarBuilder;
use serde_json::Value;

use super::super::Precision;
use super::super::activation::Activation;
use super::super::architecture::{Architecture, Loader, Network, Shape};
use super::super::blocks::{LayerNorm, Scores};
use super::super::gated::{GateNames, Gated, GatedSizes};
use super::super::rotary::{Angles, RotaryAttention, Rotation};
use super::super::settings::{Settings, limits};
use crate::Result;

/// The tensor by which a checkpoint's prefix is found.
const ANCHOR: &str = "embeddings.tok_embeddings.weight";

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
    attention: RotaryAttention,
    norm: LayerNorm,
    feed_forward: Gated,
    /// How far a token sees, where it does not see all.
    reach: Option<usize>,
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
        anchor: ANCHOR,
        types: 0,
        precisions: &[Precision::F32],
    };
    let load: Loader = Box::new(move |weights| {
        let model = weights.load(ANCHOR, |tensors| ModernBert::load(&tensors, &sizes))?;
        Ok(Network::Tensors(Box::new(model)))
    });
    Ok((shape, load))
}

fn read_sizes(settings: &Settings<'_>) -> Result<ModernSizes> {
    let width = settings.size("hidden_size", 768, limits::DIMENSION)?;
    let heads = settings.size("num_attention_heads", 12, limits::HEADS)?;
    settings.rotated_head("num_attention_heads", heads, width)?;
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
    let all = &settings.config["rope_parameters"];
    let known = |name: &String| ["full_attention", "sliding_attention"].contains(&name.as_str());
    if !all.is_null() && !all.as_object().is_some_and(|all| all.keys().all(known)) {
        let supported = "full_attention and sliding_attention, each with its own";
        return Err(settings.unsupported("rope_parameters", supported));
    }
    // The default of the local one is a number of its own; written out as null it means the global one.
    let absent = match settings.config.get(old) {
        Some(Value::Null) if old == "local_rope_theta" => &settings.config["global_rope_theta"],
        _ => &settings.config[old],
    }
    .as_f64()
    .unwrap_or(absent);
    Rotation::read(settings, &all[kind], absent)
}

impl ModernBert {
    fn load(tensors: &VarBuilder<'_>, sizes: &ModernSizes) -> TensorResult<ModernBert> {
        let below = tensors.pp("embeddings");
        let words = below.pp("tok_embeddings");
        let norm = |at: &VarBuilder<'_>, name| {
            LayerNorm::load(at, name, sizes.width, sizes.epsilon, sizes.norm_bias)
        };
        let gated = GatedSizes {
            width: sizes.width,
            intermediate: sizes.intermediate,
            activation: sizes.activation,
            up_bias: sizes.mlp_bias,
            down_bias: sizes.mlp_bias,
        };
        let layer = |(index, reach): (usize, &Option<usize>)| {
            let tensors = tensors.pp("layers").pp(index);
            let widths = (sizes.width, sizes.heads);
            let bias = sizes.attention_bias;
            Ok(ModernLayer {
                attention_norm: (index > 0)
                    .then(|| norm(&tensors, "attn_norm"))
                    .transpose()?,
                attention: RotaryAttention::load(
                    &tensors,
                    &["attn.Wqkv"],
                    "attn.Wo",
                    widths,
                    bias,
                )?,
                norm: norm(&tensors, "mlp_norm")?,
                feed_forward: Gated::load(
                    &tensors,
                    GateNames::GateFirst("mlp.Wi"),
                    "mlp.Wo",
                    &gated,
                )?,
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
    fn forward(&self, x: &Tensor, angles: &Angles) -> TensorResult<Tensor> {
        let input = match &self.attention_norm {
            Some(norm) => norm.forward(x)?,
            None => x.clone(),
        };
        let scores = self.reach.map_or(Scores::Plain, Scores::Window);
        let y = (self.attention.forward(&input, angles, &scores)? + x)?;
        self.feed_forward.forward(&self.norm.forward(&y)?)? + y
    }
}

impl Architecture for ModernBert {
    fn forward(&self, ids: &Tensor, _: Option<&Tensor>) -> TensorResult<Tensor> {
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

    fn tokens(&self) -> &Tensor {
        &self.tokens
    }
}
