//! What the files of a model's folder say: modules, pooling, token limit and prompts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{ModelError, Pooling, Poolings};
use crate::{Error, Result};

/// The parts of a model's folder, in the layout of sentence-transformers or, without `modules.json`, of
/// plain Hugging Face.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    /// Where config.json, tokenizer and weights lie: the folder itself or one in it.
    pub transformer: PathBuf,
    /// What the folder says about pooling; the mean where it says nothing.
    pub pooling: Poolings,
    /// What follows pooling.
    pub stages: Vec<StagePlace>,
    /// The token limit it sets, if it does.
    pub max_tokens: Option<usize>,
    /// Whether texts are made lower case before the tokenizer sees them.
    pub lowercase: bool,
    /// Goes before every query.
    pub query_prompt: String,
    /// Goes before every passage.
    pub passage_prompt: String,
}

/// A module after pooling.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StagePlace {
    Normalise,
    /// A dense layer in this folder.
    Dense(PathBuf),
}

/// What `modules.json` lists.
#[derive(Default)]
struct Modules {
    transformer: Option<PathBuf>,
    pooling: Option<PathBuf>,
    stages: Vec<StagePlace>,
}

/// The most bytes that a file of settings has: a hundred times as many as any known one.
pub(super) const MOST_SETTINGS: u64 = 16 << 20;

/// Refuses what is no file, as a pipe, which might never end, and a file of more than `most` bytes.
pub(super) fn checked_file(path: &Path, most: u64) -> Result<()> {
    let metadata = fs::metadata(path).map_err(|source| Error::io("read", path, source))?;
    if metadata.is_file() && metadata.len() <= most {
        return Ok(());
    }
    let reason = format!("a file of at most {} MiB was expected", most >> 20);
    Err(malformed(path, reason).into())
}

/// Reads a file that has not more than `most` bytes.
pub(super) fn read_file(path: &Path, most: u64) -> Result<Vec<u8>> {
    checked_file(path, most)?;
    fs::read(path).map_err(|source| Error::io("read", path, source))
}

/// Reads a JSON file.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    parse_json(path, &read_file(path, MOST_SETTINGS)?)
}

/// Reads `bytes`, the contents of `path`, as JSON.
pub(super) fn parse_json(path: &Path, bytes: &[u8]) -> Result<Value> {
    let value = serde_json::from_slice(bytes);
    Ok(value.map_err(|error| malformed(path, format!("no valid JSON: {error}")))?)
}

/// Reads a JSON file that may be absent.
pub(super) fn read_json_if_there(path: &Path) -> Result<Option<Value>> {
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
        let modules = modules(folder)?;
        let transformer = modules.transformer.unwrap_or_else(|| folder.to_owned());
        if !transformer.join("config.json").exists() {
            return Err(ModelError::MissingFile {
                folder: transformer,
                file: "config.json",
            }
            .into());
        }
        let (query_prompt, passage_prompt) = prompts(folder)?;
        let prompted = !(query_prompt.is_empty() && passage_prompt.is_empty());
        let pooling = match modules.pooling {
            Some(pooling) => read_pooling(&pooling.join("config.json"), prompted)?,
            None => Pooling::Mean.into(),
        };
        let mut stages = modules.stages;
        // Whether vectors get unit length at the end is decided by the encoder's options.
        while stages.last() == Some(&StagePlace::Normalise) {
            stages.pop();
        }
        Ok(Layout {
            max_tokens: max_tokens(&transformer)?,
            lowercase: lowercase(&transformer)?,
            transformer,
            pooling,
            stages,
            query_prompt,
            passage_prompt,
        })
    }
}

/// Where config.json, tokenizer and weights of the model in `folder` lie.
pub(crate) fn transformer_folder(folder: &Path) -> Result<PathBuf> {
    Ok(modules(folder)?
        .transformer
        .unwrap_or_else(|| folder.to_owned()))
}

/// The modules of the model in `folder`; none where it has no `modules.json`.
fn modules(folder: &Path) -> Result<Modules> {
    let path = folder.join("modules.json");
    let Some(json) = read_json_if_there(&path)? else {
        return Ok(Modules::default());
    };
    let list = json
        .as_array()
        .ok_or_else(|| malformed(&path, "a list of modules was expected".into()))?;
    let mut found = Modules::default();
    for module in list {
        let class = module["type"].as_str().unwrap_or_default();
        let place = module["path"].as_str().unwrap_or_default();
        if place.split(['/', '\\']).any(|part| part == "..") || Path::new(place).is_absolute() {
            let reason = format!("module path {place:?} leaves the folder");
            return Err(malformed(&path, reason).into());
        }
        if place.len() > 255 || place.contains(char::is_control) {
            let reason = format!("a module path is no name of a folder: {place:?}");
            return Err(malformed(&path, reason).into());
        }
        let place = if place.is_empty() {
            folder.to_owned()
        } else {
            folder.join(place)
        };
        match class.rsplit('.').next().unwrap_or_default() {
            "Transformer" if found.transformer.is_none() => found.transformer = Some(place),
            "Pooling" if found.pooling.is_none() && found.stages.is_empty() => {
                found.pooling = Some(place);
            }
            "Dense" if found.pooling.is_some() => found.stages.push(StagePlace::Dense(place)),
            "Normalize" => found.stages.push(StagePlace::Normalise),
            // It does something in training only.
            "Dropout" => {}
            _ => {
                return Err(ModelError::Unsupported {
                    path,
                    setting: "module".into(),
                    value: class.to_owned(),
                    supported: "one Transformer, one Pooling, then Dense, Normalize, Dropout",
                }
                .into());
            }
        }
    }
    if found.transformer.is_none() {
        return Err(malformed(&path, "a module of type Transformer was expected".into()).into());
    }
    Ok(found)
}

/// The pooling modes that are listed or, in older files, switched on.
fn read_pooling(path: &Path, prompted: bool) -> Result<Poolings> {
    let json = read_json(path)?;
    let unsupported = |setting: &str, value: String| ModelError::Unsupported {
        path: path.to_owned(),
        setting: setting.to_owned(),
        value,
        supported: "mean, cls, max, mean_sqrt_len_tokens, weightedmean, lasttoken, with the prompt",
    };
    if prompted && json["include_prompt"] == Value::Bool(false) {
        return Err(unsupported("include_prompt", "false".into()).into());
    }
    let mode = |value: &Value| {
        let named = value
            .as_str()
            .and_then(|name| Pooling::named(&name.to_lowercase()));
        named.ok_or_else(|| unsupported("pooling_mode", value.to_string()))
    };
    let modes = match &json["pooling_mode"] {
        Value::Null => switches(&json).map_err(|name| unsupported(&name, "true".into()))?,
        Value::Array(modes) => modes.iter().map(mode).collect::<Result<_, _>>()?,
        one => vec![mode(one)?],
    };
    Ok(Poolings::new(modes).ok_or_else(|| unsupported("pooling mode", "none".into()))?)
}

/// The modes whose switch is on, in the order in which their vectors are concatenated; the mean where there
/// are no switches. The name of one that is not known is the error.
fn switches(json: &Value) -> Result<Vec<Pooling>, String> {
    let all = json.as_object().into_iter().flatten();
    let switches: Vec<(&str, &Value)> = all
        .filter_map(|(name, on)| Some((name.strip_prefix("pooling_mode_")?, on)))
        .collect();
    if switches.is_empty() {
        return Ok(vec![Pooling::Mean]);
    }
    let known = |switch: &str| {
        let name = switch
            .trim_end_matches("_tokens")
            .trim_end_matches("_token");
        Pooling::ALL
            .into_iter()
            .find(|way| way.name().trim_end_matches("_tokens") == name)
    };
    let on: Vec<&str> = switches
        .iter()
        .filter(|(_, on)| **on == Value::Bool(true))
        .map(|(switch, _)| *switch)
        .collect();
    if let Some(strange) = on.iter().find(|switch| known(switch).is_none()) {
        return Err(format!("pooling_mode_{strange}"));
    }
    let is_on = |way: &Pooling| on.iter().any(|switch| known(switch) == Some(*way));
    Ok(Pooling::ALL.into_iter().filter(is_on).collect())
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

/// `do_lower_case` of sentence-transformers. The tokenizer has a setting of that name for itself.
fn lowercase(transformer: &Path) -> Result<bool> {
    let json = read_json_if_there(&transformer.join("sentence_bert_config.json"))?;
    Ok(json.is_some_and(|json| json["do_lower_case"] == Value::Bool(true)))
}

/// The prompts for queries and passages, looked up under the names that sentence-transformers looks for.
fn prompts(folder: &Path) -> Result<(String, String)> {
    let path = folder.join("config_sentence_transformers.json");
    let Some(json) = read_json_if_there(&path)? else {
        return Ok(Default::default());
    };
    let prompts = &json["prompts"];
    if let Some(name) = json["default_prompt_name"].as_str()
        && prompts[name].as_str().is_none()
    {
        let reason = format!("default_prompt_name is {name:?}, which is none of the prompts");
        return Err(malformed(&path, reason).into());
    }
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
