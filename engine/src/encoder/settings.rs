//! The settings in a model's `config.json`.

use std::path::Path;

use serde_json::Value;

use super::activation::{self, Activation};
use super::blocks::LayerSizes;
use super::embeddings::EmbeddingSizes;
use super::{ModelError, Precision, cpu};
use crate::Result;

/// The settings in a `config.json`, read with checks.
pub(super) struct Settings<'a> {
    pub path: &'a Path,
    pub config: &'a Value,
}

impl Settings<'_> {
    /// A size between 1 and `most`; `absent` if it is not there.
    pub fn size(&self, name: &'static str, absent: usize, most: usize) -> Result<usize> {
        match self.count(name, absent, most)? {
            0 => Err(self.wrong_size(name, 0, format!("1 to {most}"))),
            value => Ok(value),
        }
    }

    /// A size between 0 and `most`; `absent` if it is not there.
    pub fn count(&self, name: &'static str, absent: usize, most: usize) -> Result<usize> {
        let value = match &self.config[name] {
            Value::Null => absent,
            value => value
                .as_u64()
                .and_then(|value| usize::try_from(value).ok())
                .ok_or_else(|| self.malformed(name, "a whole number"))?,
        };
        if value <= most {
            Ok(value)
        } else {
            Err(self.wrong_size(name, value, format!("at most {most}")))
        }
    }

    /// A size, where any number below 1 says that there is none; `None` too if it is not there.
    pub fn size_if_any(&self, name: &'static str, most: usize) -> Result<Option<usize>> {
        match self.config[name].as_i64() {
            Some(..=0) => Ok(None),
            _ => Ok(Some(self.count(name, 0, most)?).filter(|size| *size > 0)),
        }
    }

    /// A switch; `absent` if it is not there.
    pub fn flag(&self, name: &str, absent: bool) -> Result<bool> {
        match &self.config[name] {
            Value::Null => Ok(absent),
            Value::Bool(value) => Ok(*value),
            _ => Err(self.malformed(name, "true or false").into()),
        }
    }

    /// An activation function; `absent` if it is not there.
    pub fn activation(&self, name: &str, absent: Activation) -> Result<Activation> {
        self.one_of(name, absent, &activation::NAMES, activation::SUPPORTED)
    }

    /// The sizes that BERT has and most families share; `absent` are the family's own.
    pub fn sizes(&self, absent: &Sizes) -> Result<Sizes> {
        let sizes = Sizes {
            vocabulary: self.size("vocab_size", absent.vocabulary, limits::VOCABULARY)?,
            width: self.size("hidden_size", absent.width, limits::DIMENSION)?,
            layers: self.size("num_hidden_layers", absent.layers, limits::LAYERS)?,
            heads: self.size("num_attention_heads", absent.heads, limits::HEADS)?,
            intermediate: self.size(
                "intermediate_size",
                absent.intermediate,
                limits::INTERMEDIATE,
            )?,
            activation: self.activation("hidden_act", absent.activation)?,
            positions: self.size(
                "max_position_embeddings",
                absent.positions,
                limits::POSITIONS,
            )?,
            types: self.count("type_vocab_size", absent.types, limits::TYPES)?,
            epsilon: self.epsilon("layer_norm_eps", absent.epsilon)?,
            precision: absent.precision,
        };
        self.divides(
            "num_attention_heads",
            sizes.heads,
            "hidden_size",
            sizes.width,
        )?;
        Ok(sizes)
    }

    /// Refuses more positions than there can be where each head has a number for each two of them.
    pub fn pairs(&self, sizes: &Sizes) -> Result<()> {
        let most = (limits::PAIRS / sizes.heads).isqrt();
        if sizes.positions <= most {
            return Ok(());
        }
        let (name, expected) = ("max_position_embeddings", format!("at most {most}"));
        Err(self.wrong_size(name, sizes.positions, expected))
    }

    /// Refuses heads that do not divide the width.
    pub fn divides(&self, name: &'static str, heads: usize, of: &str, width: usize) -> Result<()> {
        if width.is_multiple_of(heads) {
            return Ok(());
        }
        Err(self.wrong_size(name, heads, format!("a divisor of {of} = {width}")))
    }

    /// Refuses a number of heads, the setting `name`, that cannot be turned by angles, or whose width is not
    /// their share of the states' `width`.
    pub fn rotated_head(&self, name: &'static str, heads: usize, width: usize) -> Result<()> {
        if !width.is_multiple_of(2 * heads) {
            let expected = format!("a divisor of the width {width} that leaves an even width");
            return Err(self.wrong_size(name, heads, expected));
        }
        let head = width / heads;
        if self.size("head_dim", head, limits::DIMENSION)? != head {
            return Err(self.unsupported("head_dim", "the width divided by the number of heads"));
        }
        Ok(())
    }

    fn malformed(&self, name: &str, expected: &str) -> ModelError {
        let value = &self.config[name];
        ModelError::Malformed {
            path: self.path.to_owned(),
            reason: format!("{name} is {value}, {expected} was expected"),
        }
    }

    /// The error for an implausible size.
    pub fn wrong_size(
        &self,
        setting: &'static str,
        value: usize,
        expected: String,
    ) -> crate::Error {
        ModelError::Size {
            path: self.path.to_owned(),
            setting,
            value,
            expected,
        }
        .into()
    }

    /// A positive number below 1; `absent` if it is not there.
    pub fn epsilon(&self, name: &str, absent: f64) -> Result<f64> {
        let value = match &self.config[name] {
            Value::Null => absent,
            value => value.as_f64().unwrap_or(f64::NAN),
        };
        if value > 0.0 && value < 1.0 {
            Ok(value)
        } else {
            Err(self.unsupported(name, "a number between 0 and 1"))
        }
    }

    /// A finite number above 0; `absent` if it is not there.
    pub fn positive(&self, name: &str, absent: f64) -> Result<f64> {
        let value = match &self.config[name] {
            Value::Null => absent,
            value => value.as_f64().unwrap_or(f64::NAN),
        };
        if value > 0.0 && value.is_finite() {
            Ok(value)
        } else {
            Err(self.unsupported(name, "a number above 0"))
        }
    }

    /// The value of a setting that is one of the names in `known`; `absent` if it is not there.
    pub fn one_of<T: Copy>(
        &self,
        name: &str,
        absent: T,
        known: &[(&str, T)],
        supported: &'static str,
    ) -> Result<T> {
        match &self.config[name] {
            Value::Null => Ok(absent),
            value => known
                .iter()
                .find(|(known, _)| Some(*known) == value.as_str())
                .map(|(_, meaning)| *meaning)
                .ok_or_else(|| self.unsupported(name, supported)),
        }
    }

    /// Refuses a setting that is switched on.
    pub fn refuse(&self, name: &str) -> Result<()> {
        match self.config[name] {
            Value::Bool(true) => Err(self.unsupported(name, "false")),
            _ => Ok(()),
        }
    }

    /// The error for a setting that cannot be computed.
    pub fn unsupported(&self, name: &str, supported: &'static str) -> crate::Error {
        ModelError::Unsupported {
            path: self.path.to_owned(),
            setting: name.to_owned(),
            value: self.config[name].to_string(),
            supported,
        }
        .into()
    }
}

/// The settings that BERT has and most families share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub vocabulary: usize,
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub activation: Activation,
    pub positions: usize,
    pub types: usize,
    pub epsilon: f64,
    /// How layers on the CPU multiply; not a setting of the model.
    pub precision: Precision,
}

impl Sizes {
    /// What a layer needs of them.
    pub fn layer(&self) -> LayerSizes {
        LayerSizes {
            width: self.width,
            heads: self.heads,
            intermediate: self.intermediate,
            activation: self.activation,
            epsilon: self.epsilon,
            precision: self.precision,
        }
    }

    /// The same for weights that are wanted in this precision.
    pub fn in_precision(self, precision: Precision) -> Sizes {
        Sizes { precision, ..self }
    }

    /// The precisions in which layers of BERT's shape can be computed.
    pub fn precisions(&self) -> &'static [Precision] {
        if cpu::is_computed(self.activation) {
            &[Precision::F32, Precision::Int8]
        } else {
            &[Precision::F32]
        }
    }

    /// The tables of embeddings, of all kinds and as wide as the layers.
    pub fn embeddings(&self) -> EmbeddingSizes {
        EmbeddingSizes {
            vocabulary: self.vocabulary,
            width: self.width,
            positions: self.positions,
            types: self.types,
            padding: None,
        }
    }

    /// Those that no tensor's shape shows, for the fingerprint.
    pub fn hidden(&self) -> String {
        let activation = self.activation.name();
        format!(
            "heads={} activation={activation} epsilon={:e}",
            self.heads, self.epsilon
        )
    }
}

/// Largest sizes that are believed: several times those of the largest known encoders.
pub(super) mod limits {
    pub const VOCABULARY: usize = 4_000_000;
    pub const DIMENSION: usize = 16_384;
    pub const INTERMEDIATE: usize = 131_072;
    pub const LAYERS: usize = 256;
    pub const HEADS: usize = 256;
    pub const POSITIONS: usize = 1_048_576;
    /// Positions that no table of weights bounds: four times those of the longest known model without one.
    pub const FREE_POSITIONS: usize = 32_768;
    /// Numbers for pairs of positions: 512 MiB. Known models have some 6 million.
    pub const PAIRS: usize = 1 << 27;
    pub const TYPES: usize = 1_024;
}
