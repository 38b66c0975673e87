//! Layers of the shape of BERT's on the CPU, in f32: attention and feed-forward, each followed by what goes
//! round it and a layer norm (Vaswani et al. 2017, arXiv:1706.03762; Devlin et al. 2018, arXiv:1810.04805).
//!
//! What makes it quick: weights are cut into panels once; sums stay in registers (`tile`); rows go
//! through a whole part of a layer while they are in the cache; nothing is allocated per operation.
//! Texts stand end to end whatever their lengths: there is no padding and no mask.
//!
//! candle computes the same, more slowly, for any device: it is the reference.
//!
//! The products of linear layers may also be computed in whole numbers: codes of one byte, with a scale for each
//! group of 128 (`codes`, `dot`). Attention is then computed in bfloat16 where the machine can (`half`). All else
//! stays in f32.
//!
//! Reading order: `ready`, `tile`, `matrix`, `codes`, `dot`, `numbers`, `weights`, `functions`, `elementwise`, `half`, `amx`, `attention`,
//! `crew`, `layer`, `embeddings`, `network`.

/// Calls `$tile` with the number of rows as a constant, without which the sums would not be in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! with_rows {
    ($tile:ident, $part:expr, $out:expr, $stride:expr, $($count:literal)*) => {
        match $part.rows {
            0 => {}
            $($count => $tile::<$count>($part, $out, $stride),)*
            _ => unreachable!("a tile has no more rows"),
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod amx;
mod attention;
mod codes;
mod crew;
mod dot;
mod elementwise;
mod embeddings;
mod functions;
mod half;
mod layer;
mod matrix;
mod network;
mod numbers;
mod ready;
mod tile;
mod weights;

pub use attention::Distances;
pub use elementwise::is_computed;
pub use embeddings::{Embeddings, Text};
pub use layer::{Layer, LayerNorm};
pub use network::Network;
pub use numbers::{Mapped, Numbers};
pub use weights::{Linear, Matrix};

use super::Precision;
use dot::DotTile;
use elementwise::{AddAndNormalise, Elementwise};
use half::HalfTile;
use tile::Tile;

/// How weights are kept and multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// In f32.
    Full,
    /// As bytes.
    Bytes,
}

impl From<Precision> for Format {
    fn from(precision: Precision) -> Format {
        match precision {
            Precision::F32 => Format::Full,
            Precision::Int8 => Format::Bytes,
        }
    }
}

/// How this machine computes.
#[derive(Clone, Copy)]
pub struct Machine {
    tile: Tile,
    dot: DotTile,
    half: Option<HalfTile>,
    elementwise: Elementwise,
}

impl Machine {
    /// With the quickest instructions that there are.
    pub fn new() -> Machine {
        Machine {
            tile: Tile::best(),
            dot: DotTile::best(),
            half: HalfTile::best_for_pairs(),
            elementwise: Elementwise::best(),
        }
    }

    /// A word for how weights lie in memory: it differs where those that were kept in a file cannot be used.
    pub fn layout(&self, format: Format) -> String {
        let order = if cfg!(target_endian = "big") {
            "be"
        } else {
            "le"
        };
        match format {
            Format::Full => format!("f32-{}-{order}", self.tile.width),
            Format::Bytes => format!("int8-{}-{}-{order}", self.dot.width, codes::GROUP),
        }
    }
}
