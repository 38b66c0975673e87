//! What a model may be called.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::encoder::ModelError;

/// Whose models are meant where a name has no organisation.
const DEFAULT_ORGANISATION: &str = "sentence-transformers";

/// `organisation/name`, safe to use as a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelName {
    /// Whose it is.
    pub organisation: String,
    /// Which it is.
    pub name: String,
}

impl ModelName {
    /// Reads `organisation/name`, or `name` of the default organisation.
    pub fn parse(text: &str) -> Result<ModelName> {
        let (organisation, name) = text.split_once('/').unwrap_or((DEFAULT_ORGANISATION, text));
        if is_part(organisation) && is_part(name) {
            let (organisation, name) = (organisation.to_owned(), name.to_owned());
            Ok(ModelName { organisation, name })
        } else {
            let name = text.to_owned();
            Err(ModelError::Name { name }.into())
        }
    }

    /// Where it lies under a folder of models.
    pub fn under(&self, models: &Path) -> PathBuf {
        models.join(&self.organisation).join(&self.name)
    }

    /// What Hugging Face's cache calls its folder.
    pub fn in_hub_cache(&self) -> String {
        format!("models--{}--{}", self.organisation, self.name)
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.organisation, self.name)
    }
}

/// The hub's rules: letters, digits, `-`, `_` and `.`, at most 96, neither begun nor ended by `-` or `.`,
/// no `..` and no `--`.
fn is_part(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=96).contains(&part.len())
        && part.chars().all(allowed)
        && !part.starts_with(['-', '.'])
        && !part.ends_with(['-', '.'])
        && !part.contains("..")
        && !part.contains("--")
}

/// The folder that `text` names, if it names one. What could be a name is taken as a folder only if a model
/// lies there: a folder that happens to be called like a model does not hide it.
pub(super) fn as_folder(text: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(text);
    let holds_model =
        || folder.join("config.json").is_file() || folder.join("modules.json").is_file();
    let is_meant = folder.is_dir() && (ModelName::parse(text).is_err() || holds_model());
    is_meant.then_some(folder)
}

/// A name by which the model is found again from anywhere: the absolute path of a folder, or
/// `organisation/name`.
pub(crate) fn display_name(text: &str) -> String {
    match (as_folder(text), ModelName::parse(text)) {
        (Some(folder), _) => absolute(&folder).display().to_string(),
        (None, Ok(name)) => name.to_string(),
        (None, Err(_)) => text.to_owned(),
    }
}

fn absolute(folder: &Path) -> PathBuf {
    let real = folder.canonicalize();
    real.unwrap_or_else(|_| folder.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn short_names_get_the_organisation() {
        let short = ModelName::parse("all-MiniLM-L6-v2").unwrap();
        assert_eq!(short.to_string(), "sentence-transformers/all-MiniLM-L6-v2");
        assert_eq!(display_name("all-MiniLM-L6-v2"), short.to_string());
        let full = ModelName::parse("BAAI/bge-small-en-v1.5").unwrap();
        assert_eq!(full.to_string(), "BAAI/bge-small-en-v1.5");
        assert_eq!(full.in_hub_cache(), "models--BAAI--bge-small-en-v1.5");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let bad = [
            "", "/", "a/", "/a", "a/b/c", "..", "a/..", "../a", "./a", "~/a", "a\\b", "a b",
            "a/b?x", "a/.b", "-a/b", "a/b--c", "a/b\n", "a/ä", "C:/a",
        ];
        for name in bad {
            let error = ModelName::parse(name).unwrap_err();
            assert!(error.hint().is_some(), "{name:?}: {error}");
        }
    }

    #[test]
    fn a_folder_is_named_by_its_absolute_path() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join(".").display().to_string();
        let named = display_name(&text);
        assert_eq!(PathBuf::from(named), folder.path().canonicalize().unwrap());
    }
}
