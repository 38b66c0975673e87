//! The gated feed-forward (Shazeer 2020, arXiv:2002.05202): W₂ (f(g) ⊙ u) with g and u two maps of x.

use candle_core::{D, Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder};

use super::activation::Activation;
use super::blocks::{linear, stacked};

/// What a checkpoint calls the maps g, which the activation sees, and u, which it does not.
#[derive(Clone, Copy)]
pub(super) enum GateNames {
    /// Two tensors: g, u.
    Apart(&'static str, &'static str),
    /// One tensor, g above u.
    GateFirst(&'static str),
    /// One tensor, u above g.
    UpFirst(&'static str),
}

/// The widths of a feed-forward, its activation, and whether its maps up and down have biases.
#[derive(Clone, Copy)]
pub(super) struct GatedSizes {
    pub width: usize,
    pub intermediate: usize,
    pub activation: Activation,
    pub up_bias: bool,
    pub down_bias: bool,
}

pub(super) struct Gated {
    /// g above u.
    joined: Linear,
    activation: Activation,
    down: Linear,
}

impl Gated {
    pub fn load(
        tensors: &VarBuilder<'_>,
        names: GateNames,
        down: &str,
        sizes: &GatedSizes,
    ) -> Result<Gated> {
        let (d, inner) = (sizes.width, sizes.intermediate);
        let map = |names: &[&str]| stacked(tensors, names, d, 2 * inner, sizes.up_bias);
        Ok(Gated {
            joined: match names {
                GateNames::Apart(gate, up) => map(&[gate, up])?,
                GateNames::GateFirst(both) => map(&[both])?,
                GateNames::UpFirst(both) => swapped(&map(&[both])?)?,
            },
            activation: sizes.activation,
            down: linear(tensors, down, inner, d, sizes.down_bias)?,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let halves = self.joined.forward(x)?.chunk(2, D::Minus1)?;
        let gate = self.activation.forward(&halves[0].contiguous()?)?;
        self.down.forward(&(gate * &halves[1])?)
    }
}

/// The map with the upper half of its rows below the lower.
fn swapped(map: &Linear) -> Result<Linear> {
    let swap = |rows: &Tensor| {
        let half = rows.dim(0)? / 2;
        Tensor::cat(&[rows.narrow(0, half, half)?, rows.narrow(0, 0, half)?], 0)
    };
    let bias = map.bias().map(swap).transpose()?;
    Ok(Linear::new(swap(map.weight())?, bias))
}
