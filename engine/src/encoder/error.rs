//! What can go wrong with a model.

use std::path::PathBuf;

use super::{Device, Precision};
use crate::models::{Attempt, FetchError};

/// A model could not be found, fetched, loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Neither a folder that is there nor a name.
    #[error("{name:?} is neither a folder nor the name of a model")]
    Name {
        /// What was given.
        name: String,
    },
    /// The model is not on this machine, and no place gave it.
    #[error("the model {name} cannot be had: {}", listed(tried))]
    Unavailable {
        /// Its full name.
        name: String,
        /// Where it was looked for, in order.
        tried: Vec<Attempt>,
    },
    /// Nothing says where this machine keeps caches.
    #[error("there is no folder for models: none of KENNING_CACHE, XDG_CACHE_HOME and HOME is set")]
    NoCache,
    /// A file that the model needs is not in its folder.
    #[error("the model folder {} has no {file}", folder.display())]
    MissingFile {
        /// The model's folder.
        folder: PathBuf,
        /// The file that was expected.
        file: &'static str,
    },
    /// A folder holds weights only in a format that can run code when it is read.
    #[error("{at} has its weights as {found} only; model.safetensors was expected")]
    UnsafeWeights {
        /// The folder or the repository.
        at: String,
        /// The file that is there instead.
        found: String,
    },
    /// A file of the model cannot be understood.
    #[error("{} is damaged or not what it should be: {}", path.display(), brief(reason))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// A family of models that Kenning does not know.
    #[error("{} has model_type {}; supported are {supported}", path.display(), brief(&format!("{model_type:?}")))]
    Architecture {
        /// The `config.json` that says so.
        path: PathBuf,
        /// What it says.
        model_type: String,
        /// The families that are supported.
        supported: String,
    },
    /// A setting of the model that Kenning cannot compute.
    #[error("{} has {setting} = {}; supported: {supported}", path.display(), brief(value))]
    Unsupported {
        /// The file that holds the setting.
        path: PathBuf,
        /// Its name.
        setting: String,
        /// Its value.
        value: String,
        /// The values that are supported.
        supported: &'static str,
    },
    /// A size in `config.json` that no real model has.
    #[error("{} has {setting} = {value}; {expected} was expected", path.display())]
    Size {
        /// The file that holds the size.
        path: PathBuf,
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: usize,
        /// What it should be.
        expected: String,
    },
    /// A tensor that the family needs is not among the weights.
    #[error("{} has no tensor {tensor}, expected with shape {expected:?}", path.display())]
    MissingTensor {
        /// The weights.
        path: PathBuf,
        /// The tensor's full name.
        tensor: String,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than `config.json` implies.
    #[error("{}: tensor {tensor} has shape {}, expected {expected:?}", path.display(), brief(&format!("{found:?}")))]
    TensorShape {
        /// The weights.
        path: PathBuf,
        /// The tensor's full name.
        tensor: String,
        /// The shape it should have.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// A tensor is stored in a number format that is not supported.
    #[error("{}: tensor {tensor} is stored as {found}; F32, F16 or BF16 was expected", path.display())]
    TensorType {
        /// The weights.
        path: PathBuf,
        /// The tensor's full name.
        tensor: String,
        /// Its number format.
        found: String,
    },
    /// The tokenizer failed on a text.
    #[error("the tokenizer of {model} failed: {}", brief(reason))]
    Tokenize {
        /// The model.
        model: String,
        /// What the tokenizer said.
        reason: String,
    },
    /// An input of [`encode_ids`](super::Encoder::encode_ids) is longer than the model reads.
    #[error(
        "input {index} has {tokens} tokens with the special ones, but {model} reads at most {limit}"
    )]
    InputTooLong {
        /// The model.
        model: String,
        /// The input's place in the call.
        index: usize,
        /// Its length, special tokens included.
        tokens: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// An input of [`encode_ids`](super::Encoder::encode_ids) holds an id outside the vocabulary.
    #[error("input {index} has token id {id}, but the vocabulary of {model} ends at {}", vocabulary - 1)]
    TokenId {
        /// The model.
        model: String,
        /// The input's place in the call.
        index: usize,
        /// The id.
        id: u32,
        /// How many ids there are.
        vocabulary: usize,
    },
    /// A token limit was asked for that the model cannot have.
    #[error("max_tokens = {asked} was asked for, but {model} allows {least} to {most}")]
    TokenLimit {
        /// The model.
        model: String,
        /// What was asked for.
        asked: usize,
        /// The shortest useful limit.
        least: usize,
        /// What the position embeddings allow.
        most: usize,
    },
    /// More numbers were asked for than a vector has.
    #[error("dimensions = {asked} was asked for, but vectors of {model} have {most}")]
    Dimensions {
        /// The model.
        model: String,
        /// What was asked for.
        asked: usize,
        /// How many there are.
        most: usize,
    },
    /// A text has no tokens, and the model adds none of its own.
    #[error("input {index} has no tokens for {model}, which adds no special ones")]
    NoTokens {
        /// The model.
        model: String,
        /// The input's place in the call.
        index: usize,
    },
    /// The model computes something that is no number.
    #[error(
        "{model} computes infinite numbers, or none at all, for input {index}: its weights are damaged"
    )]
    NotFinite {
        /// The model.
        model: String,
        /// The input's place in the call.
        index: usize,
    },
    /// A precision was asked for that is not written for the model, or for the device.
    #[error("{model} cannot be computed in {} on {}", asked.name(), device.name())]
    Precision {
        /// The model.
        model: String,
        /// The precision.
        asked: Precision,
        /// What would compute.
        device: Device,
    },
    /// The device that was asked for cannot be used.
    #[error("cannot compute on {}: {reason}", device.name())]
    Device {
        /// The device.
        device: Device,
        /// What is wrong.
        reason: String,
    },
    /// Worker threads could not be started.
    #[error("cannot start {threads} encoder threads: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What went wrong.
        reason: String,
    },
    /// The tensor library failed.
    #[error("the encoder failed to compute: {}", brief(&.0.to_string()))]
    Compute(#[from] candle_core::Error),
}

impl ModelError {
    /// One line that tells the user what to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        use ModelError::*;
        let hint = match self {
            Name { .. } => {
                "a name is like sentence-transformers/all-MiniLM-L6-v2, and a folder must be there"
            }
            Unavailable { tried, .. } => unavailable_hint(tried),
            NoCache => "set KENNING_CACHE to a folder that can be written",
            MissingFile { .. } => {
                "give a folder in the layout of Hugging Face: config.json, tokenizer.json, model.safetensors"
            }
            UnsafeWeights { .. } => {
                "convert the weights to safetensors, or choose a model that offers them"
            }
            Malformed { .. } | MissingTensor { .. } | TensorShape { .. } => {
                "fetch the model again; if it is your own, compare the file with config.json"
            }
            Architecture { .. } | Unsupported { .. } | TensorType { .. } => {
                "choose another model with --model"
            }
            Size { .. } => "compare config.json with the model's original",
            InputTooLong { .. } => "cut the text into shorter pieces",
            TokenLimit { .. } => "ask for a limit in that range, or leave it to the model",
            Dimensions { .. } => "ask for 1 to as many, or leave it to the model",
            Precision { .. } => "use --precision f32, or leave it to Kenning",
            Device { .. } => {
                "use --device cpu, or build Kenning with that feature on a machine that has it"
            }
            NotFinite { .. } => "fetch the model again, or choose another with --model",
            Threads { .. } => "ask for fewer threads",
            Tokenize { .. } | TokenId { .. } | NoTokens { .. } | Compute(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// As much of a text from a model's files as an error shows: its first line, and not too much of that.
fn brief(text: &str) -> String {
    const MOST: usize = 300;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The attempts, one after the other.
fn listed(tried: &[Attempt]) -> String {
    let tried: Vec<String> = tried.iter().map(Attempt::to_string).collect();
    tried.join("; ")
}

fn unavailable_hint(tried: &[Attempt]) -> &'static str {
    let any = |wanted: fn(&FetchError) -> bool| tried.iter().any(|tried| wanted(&tried.reason));
    if any(|reason| matches!(reason, FetchError::Offline)) {
        "fetch it once without KENNING_OFFLINE and HF_HUB_OFFLINE, or give the folder of a model"
    } else if any(|reason| {
        matches!(
            reason,
            FetchError::Status {
                status: 401 | 403 | 404,
                ..
            }
        )
    }) {
        "check the name; a private model needs HF_TOKEN"
    } else {
        "fetch it where there is a network, with `kenning models pull`, or give the folder of a model"
    }
}
