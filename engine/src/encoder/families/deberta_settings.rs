//! The settings of DeBERTa's versions, and the places of distances among their embeddings.

use std::path::Path;

use serde_json::Value;

use super::super::activation::Activation;
use super::super::settings::{Settings, Sizes, limits};
use super::bert::BASE;
use crate::Result;

/// The versions that differ in architecture; version 3 has that of 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

impl Version {
    /// Its `model_type`.
    pub fn name(self) -> &'static str {
        match self {
            Version::One => "deberta",
            Version::Two => "deberta-v2",
        }
    }
}

/// A convolution beside the first layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    /// Odd.
    pub kernel: usize,
    pub groups: usize,
    pub activation: Activation,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct DebertaSettings {
    pub version: Version,
    pub sizes: Sizes,
    /// Width of the embeddings.
    pub embedding: usize,
    /// Whether positions are added to the embeddings, as in BERT (`position_biased_input`).
    pub absolute: bool,
    /// Whether distances count at all (`relative_attention`).
    pub relative: bool,
    pub content_to_position: bool,
    pub position_to_content: bool,
    /// How many products a score is the sum of, by which it is scaled. They are counted even where distances
    /// are not.
    pub terms: usize,
    /// Whether distances are projected with the weights of the tokens.
    pub share_keys: bool,
    /// Whether the embeddings of distances are normalised.
    pub normalised: bool,
    /// Distances that are told apart, on each side.
    pub farthest: usize,
    /// Buckets that they are put in, on each side.
    pub buckets: Option<usize>,
    pub convolution: Option<Convolution>,
}

impl DebertaSettings {
    /// Reads `config`, the contents of `path`.
    pub fn read(version: Version, path: &Path, config: &Value) -> Result<DebertaSettings> {
        let settings = &Settings { path, config };
        settings.refuse("talking_head")?;
        let base = Sizes {
            types: 0,
            epsilon: 1e-7,
            ..BASE
        };
        let sizes = settings.sizes(&match version {
            Version::One => Sizes {
                vocabulary: 50_265,
                ..base
            },
            Version::Two => Sizes {
                vocabulary: 128_100,
                width: 1536,
                layers: 24,
                heads: 24,
                intermediate: 6144,
                ..base
            },
        })?;
        settings.pairs(&sizes)?;
        let head = sizes.width / sizes.heads;
        if settings.size("attention_head_size", head, limits::DIMENSION)? != head {
            return Err(
                settings.unsupported("attention_head_size", "hidden_size / num_attention_heads")
            );
        }
        let names = terms(settings)?;
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        let farthest = settings.size_if_any("max_relative_positions", limits::POSITIONS)?;
        let second = version == Version::Two;
        let buckets = settings
            .size_if_any("position_buckets", limits::POSITIONS)?
            .filter(|_| second);
        let farthest = farthest.unwrap_or(sizes.positions);
        if buckets == Some(1) {
            return Err(settings.wrong_size("position_buckets", 1, "2 or more, or none".into()));
        }
        Ok(DebertaSettings {
            version,
            sizes,
            embedding: settings.size("embedding_size", sizes.width, limits::DIMENSION)?,
            absolute: settings.flag("position_biased_input", true)?,
            relative: settings.flag("relative_attention", false)?,
            content_to_position: has("c2p"),
            position_to_content: has("p2c"),
            // Version 1 counts names, whatever they are.
            terms: 1 + if second {
                usize::from(has("c2p")) + usize::from(has("p2c"))
            } else {
                names.len()
            },
            share_keys: second && settings.flag("share_att_key", false)?,
            normalised: second && normalised(settings)?,
            farthest,
            buckets,
            convolution: if second {
                convolution(settings, sizes.width)?
            } else {
                None
            },
        })
    }

    /// What no tensor's shape shows, for the fingerprint.
    pub fn hidden(&self) -> String {
        format!(
            "{} absolute={} relative={} c2p={} p2c={} terms={} shared={} normalised={} farthest={} buckets={:?} conv={}",
            self.sizes.hidden(),
            self.absolute,
            self.relative,
            self.content_to_position,
            self.position_to_content,
            self.terms,
            self.share_keys,
            self.normalised,
            self.farthest,
            self.buckets,
            self.convolution
                .map_or("none", |conv| conv.activation.name()),
        )
    }

    /// Embedded distances on each side; the whole table has twice as many.
    pub fn span(&self) -> usize {
        self.buckets.unwrap_or(self.farthest)
    }

    /// For each query and key of a text of length `l` the place of their distance, counted from the first
    /// that occurs; that first one; and how many there are up to the last.
    pub fn places(&self, l: usize) -> (Vec<u32>, usize, usize) {
        let place = |distance: i64| -> usize {
            let last = 2 * self.span() as i64 - 1;
            self.bucket(distance)
                .saturating_add(self.span() as i64)
                .clamp(0, last) as usize
        };
        let reach = l as i64 - 1;
        // By distance, from the farthest key after a query to the farthest before.
        let by_distance: Vec<usize> = (-reach..=reach).map(place).collect();
        // With buckets for farther distances than are told apart they turn back.
        let (first, last) = by_distance
            .iter()
            .fold((usize::MAX, 0), |(first, last), place| {
                (first.min(*place), last.max(*place))
            });
        let count = last - first + 1;
        let places = (0..l).flat_map(|query| (0..l).map(move |key| query + l - 1 - key));
        let places = places.map(|distance| (by_distance[distance] - first) as u32);
        (places.collect(), first, count)
    }

    /// The bucket of a distance: each of the near ones has its own, the far ones share them logarithmically.
    fn bucket(&self, distance: i64) -> i64 {
        let Some(buckets) = self.buckets else {
            return distance;
        };
        let middle = (buckets / 2) as i64;
        let away = distance.abs();
        if away <= middle {
            return distance;
        }
        // In single precision, as the reference rounds.
        let share = (away as f32 / middle as f32).ln();
        let whole = ((self.farthest as f64 - 1.0) / middle as f64) as f32;
        let place = (share / whole.ln() * (middle - 1) as f32).ceil() + middle as f32;
        (place as i64) * distance.signum()
    }
}

/// Which products with distances are in a score: a list, or older, names with | between.
fn terms(settings: &Settings<'_>) -> Result<Vec<String>> {
    let unsupported = || settings.unsupported("pos_att_type", "a list of c2p and p2c");
    let names: Vec<String> = match &settings.config["pos_att_type"] {
        Value::Null => Vec::new(),
        Value::String(text) => text
            .split('|')
            .map(|name| name.trim().to_lowercase())
            .collect(),
        Value::Array(list) => list
            .iter()
            .map(|name| name.as_str().map(str::to_owned).ok_or_else(unsupported))
            .collect::<Result<_>>()?,
        _ => return Err(unsupported()),
    };
    let known = |name: &String| ["c2p", "p2c", "", "none"].contains(&name.as_str());
    if names.iter().all(known) {
        Ok(names)
    } else {
        Err(unsupported())
    }
}

/// Whether the embeddings of distances are normalised: `layer_norm` among names with | between.
fn normalised(settings: &Settings<'_>) -> Result<bool> {
    let unsupported = || settings.unsupported("norm_rel_ebd", "none, layer_norm");
    let text = match &settings.config["norm_rel_ebd"] {
        Value::Null => return Ok(false),
        value => value.as_str().ok_or_else(unsupported)?.to_lowercase(),
    };
    let names: Vec<&str> = text.split('|').map(str::trim).collect();
    if !names
        .iter()
        .all(|name| ["none", "layer_norm"].contains(name))
    {
        return Err(unsupported());
    }
    Ok(names.contains(&"layer_norm"))
}

fn convolution(settings: &Settings<'_>, width: usize) -> Result<Option<Convolution>> {
    let Some(kernel) = settings.size_if_any("conv_kernel_size", 1024)? else {
        return Ok(None);
    };
    if kernel.is_multiple_of(2) {
        return Err(settings.unsupported("conv_kernel_size", "0 and odd numbers"));
    }
    let groups = settings.size("conv_groups", 1, limits::DIMENSION)?;
    settings.divides("conv_groups", groups, "hidden_size", width)?;
    let activation = settings.activation("conv_act", Activation::Tanh)?;
    Ok(Some(Convolution {
        kernel,
        groups,
        activation,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn settings(config: Value) -> DebertaSettings {
        DebertaSettings::read(Version::Two, Path::new("config.json"), &config).unwrap()
    }

    /// For distances d from 0 to 2999 the sums of bucket(d) and d bucket(d), as `make_log_bucket_position` of
    /// transformers 5.23 gives them.
    #[test]
    fn buckets_are_those_of_the_reference() {
        for (buckets, farthest, sum, moment) in [
            (256, 512, 981_703_i64, 1_673_444_040_i64),
            (256, 1024, 779_814, 1_307_506_999),
            (128, 512, 452_320, 746_778_698),
            (64, 2048, 176_354, 281_671_475),
            (32, 128, 141_403, 228_364_248),
            (16, 192, 58_017, 91_921_006),
            (8, 40, 35_725, 56_551_806),
            (6, 128, 20_015, 31_139_621),
            (5, 77, 12_028, 18_317_854),
            (3, 50, 2_999, 4_498_500),
            (2, 50, 2_999, 4_498_500),
            (256, 64, -803_334, -1_562_066_905),
        ] {
            let config = json!({ "position_buckets": buckets, "max_relative_positions": farthest });
            let settings = settings(config);
            let found: Vec<i64> = (0..3000)
                .map(|distance| settings.bucket(distance))
                .collect();
            assert_eq!(found.iter().sum::<i64>(), sum, "{buckets} of {farthest}");
            assert_eq!(
                found.iter().zip(0..).map(|(b, d)| b * d).sum::<i64>(),
                moment
            );
            assert!(
                (0..3000).all(|distance| settings.bucket(-distance) == -settings.bucket(distance))
            );
        }
    }

    #[test]
    fn places_count_from_the_first_that_occurs() {
        // Distances -2 to 2 with a span of 4: places 2 to 6 of 0 to 7.
        let (places, first, count) = settings(json!({ "max_relative_positions": 4 })).places(3);
        assert_eq!((first, count), (2, 5));
        assert_eq!(places, [2, 1, 0, 3, 2, 1, 4, 3, 2]);
        // A span of 1 has places 0 and 1 alone.
        let (places, first, count) = settings(json!({ "max_relative_positions": 1 })).places(3);
        assert_eq!((first, count), (0, 2));
        assert_eq!(places, [1, 0, 0, 1, 1, 0, 1, 1, 1]);
    }

    /// Buckets of the far distances are negative then, and places of later distances before those of earlier.
    #[test]
    fn places_that_turn_back_stay_among_those_that_occur() {
        let config = json!({ "position_buckets": 16, "max_relative_positions": 3 });
        let (places, first, count) = settings(config).places(40);
        assert!(places.iter().all(|place| (*place as usize) < count) && first + count <= 32);
        assert!(places.contains(&0) && places.contains(&(count as u32 - 1)));
    }

    #[test]
    fn products_are_listed_or_joined() {
        let ways = |value: Value| {
            let settings = settings(json!({ "pos_att_type": value }));
            (
                settings.content_to_position,
                settings.position_to_content,
                settings.terms,
            )
        };
        assert_eq!(ways(json!(null)), (false, false, 1));
        assert_eq!(ways(json!("C2P | p2c")), (true, true, 3));
        assert_eq!(ways(json!(["p2c"])), (false, true, 2));
    }
}
