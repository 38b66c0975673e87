//! What the files of a model's folder say: modules, pooling, token limit and prompts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{ModelError, Pooling};
use crate::{Error, Result};

/// The parts of a model's folder, in the layout of sentence-transformers or, without `modules.json`, of
/// plain Hugging Face.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    /// Where config.json, tokenizer and weights lie: the folder itself or one in it.
    pub transformer: PathBuf,
    /// What the folder says about pooling; the mean where it says nothing.
    pub pooling: Pooling,
    /// The token limit it sets, if it does.
    pub max_tokens: Option<usize>,
    /// Goes before every query.
    pub query_prompt: String,
    /// Goes before every passage.
    pub passage_prompt: String,
}

/// Reads a JSON file.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).map_err(|source| Error::io("read", path, source))?;
    let value = serde_json::from_slice(&bytes);
    Ok(value.map_err(|error| malformed(path, format!("no valid JSON: {error}")))?)
}

/// Reads a JSON file that may be absent.
fn read_json_if_there(path: &Path) -> Result<Option<Value>> {
    if path.exists() {
        read_json(path).map(Some)
    } else {
        Ok(None)
    }
}

fn malformed(path: &Path, reason: String) -> ModelError {
    ModelError::Malformed {
        path: path.to_owned(),
        reason,
    }
}

impl Layout {
    /// Reads the layout of `folder`.
    pub fn read(folder: &Path) -> Result<Layout> {
        let (transformer, pooling_folder) = modules(folder)?;
        if !transformer.join("config.json").exists() {
            return Err(ModelError::MissingFile {
                folder: transformer,
                file: "config.json",
            }
            .into());
        }
        let (query_prompt, passage_prompt) = prompts(folder)?;
        let prompted = !(query_prompt.is_empty() && passage_prompt.is_empty());
        let pooling = match pooling_folder {
            Some(pooling) => read_pooling(&pooling.join("config.json"), prompted)?,
            None => Pooling::Mean,
        };
        Ok(Layout {
            max_tokens: max_tokens(&transformer)?,
            transformer,
            pooling,
            query_prompt,
            passage_prompt,
        })
    }
}

/// Where config.json, tokenizer and weights of the model in `folder` lie.
pub(crate) fn transformer_folder(folder: &Path) -> Result<PathBuf> {
    Ok(modules(folder)?.0)
}

/// The folders of the transformer and, if there is one, of the pooling module.
fn modules(folder: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
    let path = folder.join("modules.json");
    let Some(json) = read_json_if_there(&path)? else {
        return Ok((folder.to_owned(), None));
    };
    let list = json
        .as_array()
        .ok_or_else(|| malformed(&path, "a list of modules was expected".into()))?;
    let (mut transformer, mut pooling) = (None, None);
    for module in list {
        let class = module["type"].as_str().unwrap_or_default();
        let place = module["path"].as_str().unwrap_or_default();
        if place.split(['/', '\\']).any(|part| part == "..") || Path::new(place).is_absolute() {
            let reason = format!("module path {place:?} leaves the folder");
            return Err(malformed(&path, reason).into());
        }
        let place = if place.is_empty() {
            folder.to_owned()
        } else {
            folder.join(place)
        };
        match class.rsplit('.').next().unwrap_or_default() {
            "Transformer" if transformer.is_none() => transformer = Some(place),
            "Pooling" if pooling.is_none() => pooling = Some(place),
            // Whether vectors get unit length is decided by the encoder's options.
            "Normalize" => {}
            _ => {
                return Err(ModelError::Unsupported {
                    path,
                    setting: "module".into(),
                    value: class.to_owned(),
                    supported: "one Transformer, then one Pooling, then Normalize",
                }
                .into());
            }
        }
    }
    let transformer = transformer
        .ok_or_else(|| malformed(&path, "a module of type Transformer was expected".into()))?;
    Ok((transformer, pooling))
}

/// The one pooling mode that is switched on.
fn read_pooling(path: &Path, prompted: bool) -> Result<Pooling> {
    let json = read_json(path)?;
    let unsupported = |setting: &str, value: String| ModelError::Unsupported {
        path: path.to_owned(),
        setting: setting.to_owned(),
        value,
        supported: "one of mean, cls, max",
    };
    let mut on: Vec<&str> = match &json["pooling_mode"] {
        Value::String(mode) => vec![mode],
        _ => Vec::new(),
    };
    if on.is_empty() {
        let flags = json.as_object().into_iter().flatten();
        on.extend(
            flags
                .filter(|(_, flag)| **flag == Value::Bool(true))
                .filter_map(|(name, _)| {
                    name.strip_prefix("pooling_mode_")
                        .map(|mode| mode.trim_end_matches("_tokens"))
                }),
        );
    }
    if prompted && json["include_prompt"] == Value::Bool(false) {
        return Err(unsupported("include_prompt", "false".into()).into());
    }
    match on.as_slice() {
        ["mean"] => Ok(Pooling::Mean),
        ["cls" | "cls_token"] => Ok(Pooling::Cls),
        ["max"] => Ok(Pooling::Max),
        others => Err(unsupported("pooling mode", others.join(" + ")).into()),
    }
}

/// `max_seq_length` of sentence-transformers, else `model_max_length` of the tokenizer.
fn max_tokens(transformer: &Path) -> Result<Option<usize>> {
    let limit = |file: &str, name: &str| -> Result<Option<usize>> {
        let json = read_json_if_there(&transformer.join(file))?;
        // Hugging Face writes 1e30 for "no limit", which is no u64.
        Ok(json
            .and_then(|json| json[name].as_u64())
            .and_then(|limit| usize::try_from(limit).ok()))
    };
    Ok(
        match limit("sentence_bert_config.json", "max_seq_length")? {
            Some(limit) => Some(limit),
            None => limit("tokenizer_config.json", "model_max_length")?,
        },
    )
}

/// The prompts for queries and passages, looked up under the names that sentence-transformers looks for.
fn prompts(folder: &Path) -> Result<(String, String)> {
    let path = folder.join("config_sentence_transformers.json");
    let Some(json) = read_json_if_there(&path)? else {
        return Ok(Default::default());
    };
    let prompts = &json["prompts"];
    let prompt = |names: &[&str]| {
        let default = json["default_prompt_name"].as_str();
        let found = names
            .iter()
            .copied()
            .chain(default)
            .find_map(|name| prompts[name].as_str());
        found.unwrap_or_default().to_owned()
    };
    Ok((
        prompt(&["query"]),
        prompt(&["document", "passage", "corpus"]),
    ))
}
