//! What a model's folder holds.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ModelStore;
use super::files::complete;
use super::store::in_hub_cache;
use crate::encoder::{self, Encoder, EncoderOptions, EncoderSpec, ModelError, weight_files};
use crate::{Error, Result};

/// Everything about a model that can be loaded.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ModelInfo {
    /// Where it lies.
    #[serde(serialize_with = "as_text")]
    pub folder: PathBuf,
    /// Numbers among its weights.
    pub parameters: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Most memory that it takes, in bytes, while it loads and works: an estimate, which
    /// `kenning models compare` replaces by a measurement.
    pub memory_estimate_bytes: u64,
    /// What decides its vectors: architecture, dimension, token limit, pooling, prompts, hashes.
    #[serde(flatten)]
    pub spec: EncoderSpec,
    /// What an index knows it by.
    pub fingerprint: String,
}

/// A model on this machine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Installed {
    /// `organisation/name`.
    pub name: String,
    /// Where it lies.
    #[serde(serialize_with = "as_text")]
    pub folder: PathBuf,
    /// Bytes of its files.
    pub bytes: u64,
    /// Whether Kenning can load models of its kind; why not, where it cannot.
    pub problem: Option<String>,
}

/// A path that is no text as near as text can: JSON knows nothing else.
fn as_text<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// Describes the model in `folder`. It is opened for that: what it says is what encoding would do.
pub fn inspect(folder: &Path) -> Result<ModelInfo> {
    let options = EncoderOptions {
        threads: Some(1),
        ..EncoderOptions::default()
    };
    let encoder = Encoder::open(folder, &options)?;
    let spec = encoder.spec().clone();
    let parameters = parameters(folder)?;
    Ok(ModelInfo {
        folder: folder.to_owned(),
        parameters,
        bytes: bytes_in(folder),
        memory_estimate_bytes: memory_estimate(parameters, encoder.token_numbers()),
        fingerprint: spec.fingerprint(),
        spec,
    })
}

/// How many numbers the weights of the model in `folder` hold, from the headers of their files alone.
pub fn parameters(folder: &Path) -> Result<u64> {
    let files = weight_files(&encoder::transformer_folder(folder)?)?;
    files.iter().map(|file| parameters_in(file)).sum()
}

/// An estimate of the most memory that a model takes, in bytes: its weights in f32, four bytes each, or while it loads
/// for the first time its table of tokens twice, and a working set for the tokenizer and the batches. From the second
/// time on it takes less.
fn memory_estimate(parameters: u64, token_numbers: u64) -> u64 {
    const WORKING_SET: u64 = 64 << 20;
    4 * parameters.max(2 * token_numbers) + WORKING_SET
}

impl ModelStore {
    /// The models that lie whole in Kenning's cache and in that of Hugging Face, each once, in order of name.
    pub fn list(&self) -> Result<Vec<Installed>> {
        let mut found = Vec::new();
        let models = self.models();
        for organisation in folders(&models)? {
            for name in folders(&models.join(&organisation))? {
                let folder = models.join(&organisation).join(&name);
                if complete(&folder).is_ok() {
                    found.push(installed(format!("{organisation}/{name}"), folder));
                }
            }
        }
        if let Some(cache) = &self.hub_cache {
            for repository in folders(cache)? {
                let Some((organisation, name)) = repository
                    .strip_prefix("models--")
                    .and_then(|rest| rest.split_once("--"))
                else {
                    continue;
                };
                if let Ok(folder) = in_hub_cache(&cache.join(&repository)) {
                    found.push(installed(format!("{organisation}/{name}"), folder));
                }
            }
        }
        // Stable: Kenning's own stands first, and is the one that is used.
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|later, first| later.name == first.name);
        Ok(found)
    }
}

fn installed(name: String, folder: PathBuf) -> Installed {
    let problem = encoder::check(&folder).err().map(|error| error.to_string());
    Installed {
        name,
        bytes: bytes_in(&folder),
        folder,
        problem,
    }
}

/// Names of the folders in `folder` that are not hidden; none if it is not there.
fn folders(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::io("read", folder, source)),
    };
    let names = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        (!name.starts_with('.') && entry.path().is_dir()).then_some(name)
    });
    Ok(names.collect())
}

/// Bytes of the files in `folder` and below. Hugging Face's cache holds links to files: they are followed.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(metadata)
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) && metadata.is_dir() =>
            {
                bytes_in(&entry.path())
            }
            _ => 0,
        })
        .sum()
}

/// How many numbers a safetensors file holds, from its header alone.
fn parameters_in(path: &Path) -> Result<u64> {
    let failed = |source| Error::io("read", path, source);
    let malformed = |reason: &str| ModelError::Malformed {
        path: path.to_owned(),
        reason: reason.into(),
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(failed)?;
    let length = u64::from_le_bytes(length);
    // The format's own limit.
    if length > 100_000_000 {
        return Err(malformed("its header is longer than 100 MB").into());
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(failed)?;
    let header: Value =
        serde_json::from_slice(&header).map_err(|_| malformed("its header is no JSON"))?;
    let tensors = header.as_object().into_iter().flatten();
    let sizes = tensors.filter_map(|(_, tensor)| {
        let shape = tensor["shape"].as_array()?;
        Some(shape.iter().filter_map(Value::as_u64).product::<u64>())
    });
    Ok(sizes.sum())
}
