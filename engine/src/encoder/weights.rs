//! Weights from safetensors files: one, or shards with an index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::config::read_file;
use super::{ModelError, Precision, read_json};
use crate::Result;

/// The most bytes that a file of weights has: several times the largest known encoder.
const MOST_BYTES: u64 = 64 << 30;

/// The bytes of a model's weights.
pub(super) struct Weights {
    files: Vec<(PathBuf, Vec<u8>)>,
    /// Where tensors are built.
    device: Device,
    /// How the model will be computed.
    pub precision: Precision,
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
    /// Reads the weights in `folder`, for tensors on `device`.
    pub fn open(folder: &Path, device: Device, precision: Precision) -> Result<Weights> {
        let files = weight_files(folder)?
            .into_iter()
            .map(|path| {
                let bytes = read_file(&path, MOST_BYTES)?;
                Ok((path, bytes))
            })
            .collect::<Result<_>>()?;
        Ok(Weights {
            files,
            device,
            precision,
        })
    }

    /// Size of the files in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// SHA-256 of the one file in hex, or of the shards' hashes in hex, one a line, in order of name.
    pub fn sha256(&self) -> String {
        match self.files.as_slice() {
            [(_, bytes)] => sha256_hex(bytes),
            shards => {
                let lines: String = shards
                    .iter()
                    .map(|(_, bytes)| sha256_hex(bytes) + "\n")
                    .collect();
                sha256_hex(lines.as_bytes())
            }
        }
    }

    /// Builds a model from its tensors, all converted to f32. A checkpoint may keep the encoder under any
    /// prefix: it is the shortest under which the tensor `anchor` stands, and none if it stands nowhere.
    /// Afterwards the weights may go: nothing that was built refers to them.
    pub fn load<T>(
        &self,
        anchor: &str,
        build: impl FnOnce(VarBuilder<'_>) -> candle_core::Result<T>,
    ) -> Result<T> {
        let parsed = self.parse()?;
        self.build(&parsed, &prefix(&parsed, anchor), build)
    }

    /// The prefix under which the encoder stands whose tensor `anchor` is.
    pub fn prefix(&self, anchor: &str) -> Result<String> {
        Ok(prefix(&self.parse()?, anchor))
    }

    /// Builds what stands under `prefix`.
    pub fn load_below<T>(
        &self,
        prefix: &str,
        build: impl FnOnce(VarBuilder<'_>) -> candle_core::Result<T>,
    ) -> Result<T> {
        self.build(&self.parse()?, prefix, build)
    }

    fn build<T>(
        &self,
        parsed: &[(&Path, SafeTensors<'_>)],
        prefix: &str,
        build: impl FnOnce(VarBuilder<'_>) -> candle_core::Result<T>,
    ) -> Result<T> {
        let first = parsed
            .first()
            .map(|(path, _)| path.to_path_buf())
            .unwrap_or_default();
        let mut tensors = BTreeMap::new();
        for (path, file) in parsed {
            for name in file.names() {
                if let Some(name) = name.strip_prefix(prefix) {
                    tensors.insert(canonical(name), (*path, file, format!("{prefix}{name}")));
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
            (Err(_), Some(failure)) => Err(failure.into()),
            (Err(error), None) => Err(ModelError::Compute(error).into()),
        }
    }

    fn parse(&self) -> Result<Vec<(&Path, SafeTensors<'_>)>, ModelError> {
        self.files
            .iter()
            .map(|(path, bytes)| match SafeTensors::deserialize(bytes) {
                Ok(tensors) => Ok((path.as_path(), tensors)),
                Err(error) => Err(ModelError::Malformed {
                    path: path.clone(),
                    reason: error.to_string(),
                }),
            })
            .collect()
    }
}

/// The shortest prefix, empty or ending in a dot, under which the tensor `anchor` stands: `bert.` in many
/// checkpoints, `0.auto_model.` in those of sentence-transformers.
fn prefix(files: &[(&Path, SafeTensors<'_>)], anchor: &str) -> String {
    let names = files.iter().flat_map(|(_, file)| file.names());
    let prefixes = names.filter_map(|name| name.strip_suffix(anchor));
    let found = prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
    found
        .min_by_key(|prefix| (prefix.len(), *prefix))
        .unwrap_or_default()
        .to_owned()
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
    /// By canonical name without prefix: the file, its tensors, the full name.
    tensors: BTreeMap<String, (&'a Path, &'a SafeTensors<'a>, String)>,
    failure: &'a Mutex<Option<ModelError>>,
}

impl Backend<'_> {
    fn fail(&self, error: ModelError) -> candle_core::Error {
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
        let Some((path, file, full)) = self.tensors.get(name) else {
            let tensor = format!("{}{name}", self.prefix);
            return Err(self.fail(ModelError::MissingTensor {
                path: self.first.clone(),
                tensor,
                expected,
            }));
        };
        let (path, tensor) = (path.to_path_buf(), full.clone());
        let view = match file.tensor(full) {
            Ok(view) => view,
            Err(error) => {
                return Err(self.fail(ModelError::Malformed {
                    path,
                    reason: error.to_string(),
                }));
            }
        };
        if view.shape() != expected {
            let found = view.shape().to_vec();
            return Err(self.fail(ModelError::TensorShape {
                path,
                tensor,
                expected,
                found,
            }));
        }
        let stored = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                let found = format!("{other:?}");
                return Err(self.fail(ModelError::TensorType {
                    path,
                    tensor,
                    found,
                }));
            }
        };
        Tensor::from_raw_buffer(view.data(), stored, &expected, device)?.to_dtype(dtype)
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
