//! What a model consists of.

use std::path::Path;

use super::FetchError;
use crate::Error;
use crate::encoder::{ModelError, read_json, weight_files};

/// The files that Kenning takes, at the top of a model or in one of its modules' folders. Weights only as
/// safetensors: the other formats can run code when they are read.
const FILES: [&str; 10] = [
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    WEIGHTS,
    "model.safetensors.index.json",
];

/// A model's weights, if they are one file.
pub(super) const WEIGHTS: &str = "model.safetensors";

/// The most that is taken of a file of weights, in bytes: several times the largest known encoder.
#[cfg(feature = "hub")]
const MOST_WEIGHTS: u64 = 64 << 30;
/// The most that is taken of any other file: several times the largest known tokenizer.
#[cfg(feature = "hub")]
const MOST_OTHER: u64 = 256 << 20;

/// The most bytes that are taken of the file `path`.
#[cfg(feature = "hub")]
pub(super) fn limit(path: &str) -> u64 {
    if is_weights(path) {
        MOST_WEIGHTS
    } else {
        MOST_OTHER
    }
}

/// Whether `path` holds weights.
#[cfg(feature = "hub")]
pub(super) fn is_weights(path: &str) -> bool {
    path.ends_with(".safetensors")
}

/// Those of `paths`, relative to a model's folder, that Kenning takes. None of them leads out of the folder,
/// wherever the paths come from.
#[cfg(feature = "hub")]
pub(super) fn wanted<'a>(paths: &[&'a str]) -> Vec<&'a str> {
    let beside = |path: &str, name: &str| {
        let folder = path.rfind('/').map_or(0, |slash| slash + 1);
        paths.contains(&format!("{}{name}", &path[..folder]).as_str())
    };
    let taken = paths.iter().copied().filter(|path| {
        let name = match path.split_once('/') {
            Some((folder, name)) if is_module(folder) => name,
            Some(_) => return false,
            None => path,
        };
        match name {
            "vocab.txt" => !beside(path, "tokenizer.json"),
            "model.safetensors.index.json" => !beside(path, WEIGHTS),
            name if is_shard(name) => !beside(path, WEIGHTS),
            name => FILES.contains(&name),
        }
    });
    taken.collect()
}

/// Whether a folder is called as sentence-transformers calls those of modules: `1_Pooling`.
#[cfg(feature = "hub")]
fn is_module(folder: &str) -> bool {
    let Some((number, class)) = folder.split_once('_') else {
        return false;
    };
    let is_word = |text: &str, allowed: fn(&char) -> bool| {
        !text.is_empty() && text.chars().all(|c| allowed(&c))
    };
    is_word(number, char::is_ascii_digit) && is_word(class, char::is_ascii_alphanumeric)
}

/// Whether a file is called as shards are: `model-00001-of-00003.safetensors`.
#[cfg(feature = "hub")]
fn is_shard(name: &str) -> bool {
    let middle = name
        .strip_prefix("model-")
        .and_then(|rest| rest.strip_suffix(".safetensors"))
        .and_then(|rest| rest.split_once("-of-"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    middle.is_some_and(|(part, of)| is_number(part) && is_number(of))
}

/// Whether all of a model is in `folder`: what its `modules.json` names, the tokenizer and every shard.
/// The files themselves are checked when the model is opened.
pub(super) fn complete(folder: &Path) -> Result<(), FetchError> {
    if !folder.is_dir() {
        return Err(FetchError::NotThere);
    }
    let missing = |file: &str| FetchError::Incomplete {
        file: file.to_owned(),
    };
    let need = |file: &str| {
        if folder.join(file).is_file() {
            Ok(())
        } else {
            Err(missing(file))
        }
    };
    let mut transformer = String::new();
    if folder.join("modules.json").exists() {
        let modules = read_json(&folder.join("modules.json"));
        let modules = modules.map_err(|_| missing("a readable modules.json"))?;
        for module in modules.as_array().into_iter().flatten() {
            let class = module["type"].as_str().unwrap_or_default();
            let path = module["path"].as_str().unwrap_or_default();
            if class.ends_with(".Transformer") && !path.is_empty() {
                transformer = format!("{path}/");
            } else if class.ends_with(".Pooling") || class.ends_with(".Dense") {
                need(&format!("{path}/config.json"))?;
            }
        }
    }
    need(&format!("{transformer}config.json"))?;
    let tokenizer = format!("{transformer}tokenizer.json");
    need(&tokenizer)
        .or_else(|error| need(&format!("{transformer}vocab.txt")).map_err(|_| error))?;
    let files = weight_files(&folder.join(&transformer)).map_err(|error| match error {
        Error::Model(ModelError::UnsafeWeights { found, .. }) => {
            missing(&format!("{WEIGHTS} ({found} is not taken)"))
        }
        _ => missing(WEIGHTS),
    })?;
    match files.iter().find(|file| !file.is_file()) {
        Some(shard) => Err(missing(
            &shard.file_name().unwrap_or_default().to_string_lossy(),
        )),
        None => Ok(()),
    }
}

#[cfg(all(test, feature = "hub"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_the_encoder_reads_is_taken() {
        let there = [
            ".gitattributes",
            "1_Pooling/config.json",
            "2_Dense/model.safetensors",
            "2_Dense/pytorch_model.bin",
            "README.md",
            "config.json",
            "model.safetensors",
            "model-00001-of-00002.safetensors",
            "onnx/model.onnx",
            "onnx/config.json",
            "openvino/model.safetensors",
            "pytorch_model.bin",
            "tokenizer.json",
            "vocab.txt",
        ];
        let taken = [
            "1_Pooling/config.json",
            "2_Dense/model.safetensors",
            "config.json",
            "model.safetensors",
            "tokenizer.json",
        ];
        assert_eq!(wanted(&there), taken);
    }

    #[test]
    fn shards_and_a_vocabulary_are_taken_where_they_are_all_there_is() {
        let there = [
            "config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "vocab.txt",
        ];
        assert_eq!(wanted(&there), there);
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let there = [
            "../config.json",
            "/config.json",
            "1_/config.json",
            "1_../config.json",
            "1_Pooling/../config.json",
            "1_Pooling/x/config.json",
            "a\\config.json",
            "model-1-of-../x.safetensors",
        ];
        assert!(wanted(&there).is_empty(), "{:?}", wanted(&there));
    }

    #[test]
    fn a_model_without_one_of_its_files_is_incomplete() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert");
        complete(&fixture).unwrap();
        let files = [
            "1_Pooling/config.json",
            "config.json",
            "tokenizer.json",
            "model.safetensors",
        ];
        for left_out in files {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
            for file in files.iter().chain(&["modules.json"]) {
                if *file != left_out {
                    std::fs::copy(fixture.join(file), folder.path().join(file)).unwrap();
                }
            }
            let error = complete(folder.path()).unwrap_err();
            assert!(error.to_string().contains(left_out), "{error}");
        }
    }
}
