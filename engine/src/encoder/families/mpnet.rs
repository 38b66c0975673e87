//! MPNet (Song et al. 2020, arXiv:2004.09297).
//!
//! BERT with a second sense of position: each head adds to its scores a learnt number that depends on how far
//! the key stands from the query, in the buckets of T5 (Raffel et al. 2019, arXiv:1910.10683):
//!
//! softmax(q kᵀ / √(d / h) + B[bucket(j − i)]), the same B in all layers.

use std::path::Path;

use candle_core::Result as TensorResult;
use candle_nn::VarBuilder;
use serde_json::Value;

use super::super::architecture::{Loader, Network, Shape};
use super::super::blocks::{BERT_NAMES, LayerNames};
use super::super::embeddings::EmbeddingSizes;
use super::super::kept::Packs;
use super::super::settings::{Settings, Sizes};
use super::super::stack::{Distances, Stack};
use super::bert::{ANCHOR, BASE, refuse_decoder};
use crate::Result;

const NAMES: LayerNames = LayerNames {
    attention: ["attention.attn.q", "attention.attn.k", "attention.attn.v"],
    output: "attention.attn.o",
    output_norm: "attention.LayerNorm",
    ..BERT_NAMES
};

/// Not a setting: the reference implementation has this number in its code, whatever `pad_token_id` says.
const PADDING: u32 = 1;
/// How many buckets it uses and where the last begins: in its code as well. A table of more rows keeps
/// those after the first 32 idle.
const BUCKETS: usize = 32;
const FARTHEST: f32 = 128.0;

/// Reads `config`, the contents of `path`.
pub(super) fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let settings = Settings { path, config };
    refuse_decoder(&settings)?;
    let sizes = settings.sizes(&Sizes {
        vocabulary: 30_527,
        ..BASE
    })?;
    let sizes = Sizes { types: 0, ..sizes };
    settings.pairs(&sizes)?;
    let rows = settings.size("relative_attention_num_buckets", BUCKETS, 1 << 16)?;
    if rows < BUCKETS {
        return Err(settings.unsupported("relative_attention_num_buckets", "32 or more"));
    }
    let unused = PADDING as usize + 1;
    if sizes.positions <= unused {
        let expected = format!("more than {unused}");
        return Err(settings.wrong_size("max_position_embeddings", sizes.positions, expected));
    }
    let shape = Shape {
        name: "mpnet",
        settings: sizes.hidden(),
        dimension: sizes.width,
        vocabulary: sizes.vocabulary,
        positions: sizes.positions - unused,
        anchor: ANCHOR,
        types: 0,
        precisions: sizes.precisions(),
    };
    let loader: Loader = Box::new(move |weights| {
        let sizes = sizes.in_precision(weights.precision);
        weights.load(ANCHOR, |tensors| {
            load(&tensors, &weights.packs, &sizes, rows)
        })
    });
    Ok((shape, loader))
}

fn load(
    tensors: &VarBuilder<'_>,
    packs: &Packs,
    sizes: &Sizes,
    rows: usize,
) -> TensorResult<Network> {
    let encoder = tensors.pp("encoder");
    let layers = encoder.pp("layer");
    let biases = encoder.pp("relative_attention_bias");
    let stack = Stack {
        packs,
        embeddings: tensors.pp("embeddings"),
        tables: EmbeddingSizes {
            padding: Some(PADDING),
            ..sizes.embeddings()
        },
        project: None,
        layers: (0..sizes.layers).map(|layer| layers.pp(layer)).collect(),
        order: (0..sizes.layers).collect(),
        names: &NAMES,
        sizes: sizes.layer(),
        distances: Some(Distances {
            biases: biases.get((rows, sizes.heads), "weight")?,
            bucket,
            most: sizes.positions,
        }),
    };
    stack.load()
}

/// The bucket of a distance. Half of them are for keys after the query; of each half, one half holds one
/// distance each and the other ever wider ranges, up to [`FARTHEST`] and beyond.
fn bucket(distance: i64) -> u32 {
    let half = BUCKETS as i64 / 2;
    let exact = half / 2;
    let first = if distance > 0 { half } else { 0 };
    let away = distance.abs();
    let place = if away < exact {
        away
    } else {
        // In single precision, as the reference rounds.
        let share = (away as f32 / exact as f32).ln() / (FARTHEST / exact as f32).ln();
        (exact + (share * (half - exact) as f32) as i64).min(half - 1)
    };
    (first + place) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_exact_when_near_and_logarithmic_when_far() {
        let found = [0, -1, -7, -8, -11, -16, -32, -64, -127, -4000].map(bucket);
        assert_eq!(found, [0, 1, 7, 8, 8, 10, 12, 14, 15, 15]);
        assert_eq!([1, 7, 8, 64, 4000].map(bucket), [17, 23, 24, 30, 31]);
    }

    /// For distances d from 0 to 2999, to either side, the sums of bucket(d) and d bucket(d), as
    /// `MPNetEncoder.relative_position_bucket` of transformers 5.23 gives them.
    #[test]
    fn buckets_are_those_of_the_reference() {
        for (side, sum, moment) in [(1, 92_664, 139_445_335_u64), (-1, 44_680, 67_469_335)] {
            let found: Vec<u64> = (0..3000).map(|d| u64::from(bucket(side * d))).collect();
            assert_eq!(found.iter().sum::<u64>(), sum);
            assert_eq!(
                found.iter().zip(0..).map(|(b, d)| b * d).sum::<u64>(),
                moment
            );
        }
    }
}
