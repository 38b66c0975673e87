//! Finding and fetching models by name.

use std::path::PathBuf;

use crate::Result;

/// The model that is used where none is named.
pub const DEFAULT_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// How a fetch proceeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The file that is being fetched.
    pub file: String,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes that there will be, where known.
    pub total: Option<u64>,
}

/// Where models lie on this machine, and where they come from.
#[derive(Debug, Clone)]
pub struct ModelStore {
    /// Kenning's own cache.
    pub cache: PathBuf,
    /// Never touch the network.
    pub offline: bool,
}

impl ModelStore {
    /// The folder of the model `name`, if it is on this machine.
    pub fn find(&self, name: &str) -> Result<Option<PathBuf>> {
        let folder = PathBuf::from(name);
        Ok(folder.is_dir().then_some(folder))
    }

    /// Fetches the model `name`.
    pub fn fetch(&self, name: &str, _progress: &mut dyn FnMut(Progress)) -> Result<PathBuf> {
        Err(crate::encoder::ModelError::MissingFile {
            folder: name.into(),
            file: "config.json",
        }
        .into())
    }
}

/// A name for people.
pub(crate) fn display_name(name: &str) -> String {
    name.to_owned()
}
