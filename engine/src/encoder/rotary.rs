//! Attention that knows positions by rotation (Su et al. 2021, arXiv:2104.09864): queries and keys are turned
//! by angles that grow with their positions, so that a product of two depends on how far they stand apart.

use candle_core::{D, Device, Result as TensorResult, Tensor};
use candle_nn::{Linear, Module, VarBuilder};
use serde_json::Value;

use super::blocks::{Scores, attend, linear, split_heads, stacked};
use super::settings::Settings;
use crate::Result;

/// How positions turn into angles: position / (factor theta^(2 i / head)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rotation {
    pub theta: f64,
    pub factor: f64,
}

/// Cosines and sines of a text's angles, each `[l, head / 2]`.
pub(super) struct Angles {
    cosines: Tensor,
    sines: Tensor,
}

impl Rotation {
    /// Reads `own`, `rope_parameters` of transformers 5 or a part of them; `theta` where they have none.
    pub fn read(settings: &Settings<'_>, own: &Value, theta: f64) -> Result<Rotation> {
        let unsupported = |supported| settings.unsupported("rope_parameters", supported);
        let number = |value: &Value, absent: f64| match value {
            Value::Null => Some(absent),
            value => value.as_f64(),
        };
        let positive = |value, absent| {
            number(value, absent).filter(|number| number.is_finite() && *number > 0.0)
        };
        let factor = match own["rope_type"].as_str().or(own["type"].as_str()) {
            None | Some("default") => Some(1.0),
            Some("linear") => positive(&own["factor"], 1.0),
            Some(_) => None,
        };
        let whole = number(&own["partial_rotary_factor"], 1.0) == Some(1.0);
        match (
            positive(&own["rope_theta"], theta),
            factor.filter(|_| whole),
        ) {
            (Some(theta), Some(factor)) => Ok(Rotation { theta, factor }),
            (Some(_), None) => Err(unsupported("rope_type default or linear, of whole heads")),
            (None, _) => Err(unsupported("a rope_theta above 0")),
        }
    }

    /// The angles of positions below `l` for heads of width `head`.
    pub fn angles(&self, l: usize, head: usize, on: &Device) -> TensorResult<Angles> {
        // Rounded to single precision where the reference is.
        let theta = f64::from(self.theta as f32);
        let frequency = |pair: usize| {
            let exponent = (2 * pair) as f32 / head as f32;
            (1.0 / theta.powf(f64::from(exponent)) as f32) / self.factor as f32
        };
        let frequencies: Vec<f32> = (0..head / 2).map(frequency).collect();
        let angles = (0..l).flat_map(|at| frequencies.iter().map(move |f| at as f32 * f));
        let (sines, cosines): (Vec<f32>, Vec<f32>) = angles.map(f32::sin_cos).unzip();
        let shape = (l, head / 2);
        Ok(Angles {
            cosines: Tensor::from_vec(cosines, shape, on)?,
            sines: Tensor::from_vec(sines, shape, on)?,
        })
    }
}

impl Angles {
    /// `x`, `[b, h, l, head]`, turned: component i of a head goes with component i + head / 2.
    fn turn(&self, x: &Tensor) -> TensorResult<Tensor> {
        candle_nn::rotary_emb::rope(x, &self.cosines, &self.sines)
    }
}

/// Wₒ attend(rotate(q), rotate(k), v).
pub(super) struct RotaryAttention {
    /// Queries, keys and values under each other.
    projections: Linear,
    output: Linear,
    heads: usize,
}

impl RotaryAttention {
    /// Loads it for states of width `d`: `projections` are three tensors, or one that has them all.
    pub fn load(
        tensors: &VarBuilder<'_>,
        projections: &[&str],
        output: &str,
        (d, heads): (usize, usize),
        bias: bool,
    ) -> TensorResult<RotaryAttention> {
        Ok(RotaryAttention {
            projections: stacked(tensors, projections, d, 3 * d, bias)?,
            output: linear(tensors, output, d, d, bias)?,
            heads,
        })
    }

    pub fn forward(
        &self,
        x: &Tensor,
        angles: &Angles,
        scores: &Scores<'_>,
    ) -> TensorResult<Tensor> {
        let d = x.dim(D::Minus1)?;
        let joined = self.projections.forward(x)?;
        let part = |index: usize| split_heads(&joined.narrow(D::Minus1, index * d, d)?, self.heads);
        let scale = ((d / self.heads) as f64).powf(-0.5);
        let (q, k) = ((angles.turn(&part(0)?)? * scale)?, angles.turn(&part(1)?)?);
        self.output.forward(&attend(&q, &k, &part(2)?, scores)?)
    }
}
