//! Layers of the shape of BERT's on the CPU, in f32: attention and feed-forward, each followed by what goes
//! round it and a layer norm (Vaswani et al. 2017, arXiv:1706.03762; Devlin et al. 2018, arXiv:1810.04805).
//!
//! What makes it quick: weights are cut into panels once; sums stay in registers (`tile`); rows go
//! through a whole part of a layer while they are in the cache; nothing is allocated per operation.
//! Texts of a batch have one length, so that there is no padding and no mask.
//!
//! candle computes the same, more slowly, for any device: it is the reference.
//!
//! Reading order: `tile`, `matrix`, `elementwise`, `layer`.

mod elementwise;
mod layer;
mod matrix;
mod tile;

pub use elementwise::is_computed;
pub use layer::{Layer, LayerNorm, Linear};

use elementwise::{AddAndNormalise, Elementwise};
use tile::Tile;

/// How this machine computes.
#[derive(Clone, Copy)]
pub struct Machine {
    tile: Tile,
    elementwise: Elementwise,
}

impl Machine {
    /// With the quickest instructions that there are.
    pub fn new() -> Machine {
        Machine {
            tile: Tile::best(),
            elementwise: Elementwise::best(),
        }
    }
}
