//! Weights from safetensors files: one, or shards with an index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use sha2::{Digest, Sha256};

use super::kept::{Packs, Stamp};
use super::weight_file::WeightFile;
use super::{ModelError, Precision, read_json};
use crate::{Error, Result};

/// A model's weights, on disk.
pub(super) struct Weights {
    files: Vec<WeightFile>,
    /// Where tensors are built.
    device: Device,
    /// How the model will be computed.
    pub precision: Precision,
    /// Those of its matrices that were kept as the processor wants them.
    pub packs: Packs,
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of `bytes` in lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The weight files of a model's folder, in order of name.
pub(crate) fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let single = folder.join("model.safetensors");
    if single.exists() {
        return Ok(vec![single]);
    }
    let index = folder.join("model.safetensors.index.json");
    if index.exists() {
        let json = read_json(&index)?;
        let map = json["weight_map"]
            .as_object()
            .ok_or_else(|| ModelError::Malformed {
                path: index.clone(),
                reason: "an object weight_map was expected".into(),
            })?;
        let names: BTreeSet<&str> = map.values().filter_map(|name| name.as_str()).collect();
        // A shard lies beside its index: a name with a folder in it is none of ours.
        let stray = names.iter().find(|name| {
            name.contains(|c: char| c.is_control() || ['/', '\\'].contains(&c))
                || !name.ends_with(".safetensors")
                || name.len() > 255
        });
        if let Some(name) = stray {
            let reason =
                format!("in weight_map a .safetensors file beside it was expected, not {name:?}");
            return Err(ModelError::Malformed {
                path: index,
                reason,
            }
            .into());
        }
        return Ok(names.into_iter().map(|name| folder.join(name)).collect());
    }
    for found in [
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "tf_model.h5",
    ] {
        if folder.join(found).exists() {
            let (at, found) = (folder.display().to_string(), found.to_owned());
            return Err(ModelError::UnsafeWeights { at, found }.into());
        }
    }
    Err(ModelError::MissingFile {
        folder: folder.to_owned(),
        file: "model.safetensors",
    }
    .into())
}

impl Weights {
    /// Opens the weights in `folder`, for tensors on `device`.
    pub fn open(folder: &Path, device: Device, precision: Precision) -> Result<Weights> {
        let files = weight_files(folder)?.into_iter().map(WeightFile::open);
        Ok(Weights {
            files: files.collect::<Result<_>>()?,
            device,
            precision,
            packs: Packs::None,
        })
    }

    /// Size of the files in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }

    /// The files, and what each was when it was opened; `None` where that cannot be told.
    pub fn stamps(&self) -> Option<Vec<(&Path, Stamp)>> {
        let stamp = |file: &'_ WeightFile| file.stamp.clone();
        let files = self.files.iter();
        files
            .map(|file| Some((file.path.as_path(), stamp(file)?)))
            .collect()
    }

    /// SHA-256 of the one file in hex, or of the shards' hashes in hex, one a line, in order of name.
    pub fn sha256(&self) -> Result<String> {
        match self.files.as_slice() {
            [file] => file.sha256(),
            shards => {
                let lines = shards.iter().map(|file| Ok(file.sha256()? + "\n"));
                Ok(sha256_hex(lines.collect::<Result<String>>()?.as_bytes()))
            }
        }
    }

    /// An error if one of the files was written to since it was opened: what was read would be of no model, and
    /// not of the one that the hash names.
    pub fn check_unchanged(&self) -> Result<()> {
        self.files.iter().try_for_each(WeightFile::check_unchanged)
    }

    /// Builds a model from its tensors, all converted to f32. A checkpoint may keep the encoder under any
    /// prefix: it is the shortest under which the tensor `anchor` stands, and none if it stands nowhere.
    /// Afterwards the weights may go: nothing that was built refers to them.
    pub fn load<T>(
        &self,
        anchor: &str,
        build: impl FnOnce(VarBuilder<'_>) -> candle_core::Result<T>,
    ) -> Result<T> {
        self.load_below(&self.prefix(anchor), build)
    }

    /// The prefix under which the encoder stands whose tensor `anchor` is.
    ///
    /// It is the shortest one, empty or ending in a dot: `bert.` in many checkpoints, `0.auto_model.` in those of
    /// sentence-transformers.
    pub fn prefix(&self, anchor: &str) -> String {
        let names = self.files.iter().flat_map(WeightFile::names);
        let prefixes = names.filter_map(|name| name.strip_suffix(anchor).map(str::to_owned));
        let found = prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
        let shortest = found.min_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        shortest.unwrap_or_default()
    }

    /// Builds what stands under `prefix`.
    pub fn load_below<T>(
        &self,
        prefix: &str,
        build: impl FnOnce(VarBuilder<'_>) -> candle_core::Result<T>,
    ) -> Result<T> {
        let first = self.files.first();
        let first = first.map(|file| file.path.clone()).unwrap_or_default();
        let mut tensors = BTreeMap::new();
        for file in &self.files {
            for full in file.names() {
                if let Some(name) = full.strip_prefix(prefix) {
                    tensors.insert(canonical(name), (file, full));
                }
            }
        }
        let failure = Mutex::new(None);
        let backend = Backend {
            prefix,
            first,
            tensors,
            failure: &failure,
        };
        let built = build(VarBuilder::from_backend(
            Box::new(backend),
            DType::F32,
            self.device.clone(),
        ));
        let failure = failure
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match (built, failure) {
            (Ok(model), _) => Ok(model),
            (Err(_), Some(failure)) => Err(failure),
            (Err(error), None) => Err(ModelError::Compute(error).into()),
        }
    }
}

/// Today's name of a tensor: checkpoints from the TensorFlow days call a LayerNorm's weight gamma and its
/// bias beta.
fn canonical(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((layer, "gamma")) => format!("{layer}.weight"),
        Some((layer, "beta")) => format!("{layer}.bias"),
        _ => name.to_owned(),
    }
}

/// Hands tensors to candle, and remembers the first that was missing or wrong: candle's own errors do not
/// name the file, and it tries other names after a failure.
struct Backend<'a> {
    prefix: &'a str,
    first: PathBuf,
    /// By canonical name without prefix: the file, the full name.
    tensors: BTreeMap<String, (&'a WeightFile, String)>,
    failure: &'a Mutex<Option<Error>>,
}

impl Backend<'_> {
    fn fail(&self, error: Error) -> candle_core::Error {
        let message = error.to_string();
        let mut failure = self
            .failure
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        failure.get_or_insert(error);
        candle_core::Error::Msg(message)
    }
}

impl SimpleBackend for Backend<'_> {
    fn get(
        &self,
        shape: candle_core::Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let expected = shape.dims().to_vec();
        let known = self.tensors.get(name);
        let Some((file, info)) = known.and_then(|(file, full)| Some((file, file.tensor(full)?)))
        else {
            let missing = ModelError::MissingTensor {
                path: self.first.clone(),
                tensor: format!("{}{name}", self.prefix),
                expected,
            };
            return Err(self.fail(missing.into()));
        };
        let tensor = known.map(|(_, full)| full.clone()).unwrap_or_default();
        let path = file.path.clone();
        if info.shape != expected {
            let found = info.shape.clone();
            let wrong = ModelError::TensorShape {
                path,
                tensor,
                expected,
                found,
            };
            return Err(self.fail(wrong.into()));
        }
        match file.read(info, device) {
            Ok(Some(read)) => read.to_dtype(dtype),
            Ok(None) => {
                let found = format!("{:?}", info.dtype);
                let wrong = ModelError::TensorType {
                    path,
                    tensor,
                    found,
                };
                Err(self.fail(wrong.into()))
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        Err(candle_core::Error::Msg(format!(
            "{name} was asked for without a shape"
        )))
    }

    fn contains_tensor(&self, name: &str) -> bool {
        let inner = format!("{name}.");
        self.tensors.contains_key(name)
            || self
                .tensors
                .range(inner.clone()..)
                .next()
                .is_some_and(|(key, _)| key.starts_with(&inner))
    }
}
