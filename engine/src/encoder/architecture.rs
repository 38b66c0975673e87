//! The families of models. Each has a file of its own that reads the family's settings, loads its weights
//! and runs it; here they are chosen by `model_type`.

use std::path::Path;

use candle_core::Tensor;
use serde_json::Value;

use super::ModelError;
use super::bert::Bert;
use super::config::{Layout, read_json};
use super::distilbert::DistilBert;
use super::weights::Weights;
use crate::Result;

/// What the families have in common.
pub(super) trait Architecture: Send + Sync {
    /// The last hidden states, `[batch, length, dimension]` in f32, of `ids`, `[batch, length]` in u32: texts
    /// of one length, so that there is no padding and nothing to mask.
    fn forward(&self, ids: &Tensor) -> candle_core::Result<Tensor>;
}

/// What `config.json` says about the family, checked for plausibility.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// `model_type`.
    pub name: &'static str,
    /// What decides a vector besides weights and sizes.
    pub settings: String,
    /// Length of a hidden state.
    pub dimension: usize,
    /// How many token ids there are.
    pub vocabulary: usize,
    /// Longest input that has position embeddings.
    pub positions: usize,
}

/// Names and readers of the families.
type Reader = fn(&Path, &Value) -> Result<(Shape, Loader)>;
/// Makes the model from its weights.
pub(super) type Loader = Box<dyn FnOnce(&Weights) -> Result<Box<dyn Architecture>>>;

const FAMILIES: [(&str, Reader); 2] = [
    ("bert", |path, config| Bert::read(path, config)),
    ("distilbert", |path, config| DistilBert::read(path, config)),
];

/// Reads the settings of the family that `config`, the contents of `path`, names.
pub(super) fn read(path: &Path, config: &Value) -> Result<(Shape, Loader)> {
    let model_type = config["model_type"].as_str().unwrap_or_default();
    match FAMILIES.iter().find(|(name, _)| *name == model_type) {
        Some((_, read)) => read(path, config),
        None => Err(ModelError::Architecture {
            path: path.to_owned(),
            model_type: model_type.to_owned(),
            supported: FAMILIES.map(|(name, _)| name).join(", "),
        }
        .into()),
    }
}

/// Whether the layout and the family of the model in `folder` are supported, without a look at its weights.
pub(crate) fn check(folder: &Path) -> Result<()> {
    let path = Layout::read(folder)?.transformer.join("config.json");
    read(&path, &read_json(&path)?).map(|_| ())
}

/// The settings in a `config.json`, read with checks.
pub(super) struct Settings<'a> {
    pub path: &'a Path,
    pub config: &'a Value,
}

impl Settings<'_> {
    /// A size between 1 and `most`; `absent` if it is not there.
    pub fn size(&self, name: &'static str, absent: usize, most: usize) -> Result<usize> {
        let value = match &self.config[name] {
            Value::Null => absent,
            value => value
                .as_u64()
                .and_then(|value| usize::try_from(value).ok())
                .ok_or_else(|| ModelError::Malformed {
                    path: self.path.to_owned(),
                    reason: format!("{name} is {value}, a whole number was expected"),
                })?,
        };
        if (1..=most).contains(&value) {
            Ok(value)
        } else {
            Err(self.wrong_size(name, value, format!("1 to {most}")))
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

/// Largest sizes that are believed: several times those of the largest known encoders.
pub(super) mod limits {
    pub const VOCABULARY: usize = 4_000_000;
    pub const DIMENSION: usize = 16_384;
    pub const INTERMEDIATE: usize = 131_072;
    pub const LAYERS: usize = 256;
    pub const HEADS: usize = 256;
    pub const POSITIONS: usize = 1_048_576;
    pub const TYPES: usize = 1_024;
}
