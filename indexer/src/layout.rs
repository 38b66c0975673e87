//! Where an index lives and what its documents are called.
//!
//! ```text
//! FOLDER/.kenning/settings.json   roots and the folder that ids are relative to
//! FOLDER/.kenning/index/          the index (tantivy, vectors, graphs)
//! FOLDER/.kenning/catalogue/      file states and embeddings (sled); a cache
//! FOLDER/.kenning/.gitignore      keeps all of it out of version control
//! ```

use std::path::{Component, Path, PathBuf};

use kenning::index::{seal, unseal};
use serde::{Deserialize, Serialize};

use crate::input::{self, Unread};
use crate::path_text::PathText;
use crate::{Catalogue, IndexerError, Result, durable};

/// The folder of an index, inside the folder that it indexes.
pub const FOLDER: &str = ".kenning";

const SETTINGS: &str = "settings.json";
/// More bytes than settings have.
const MOST_SETTINGS: u64 = 1 << 20;

/// What an index was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The folder that ids are relative to: relative to the index's own folder, or absolute.
    pub base: PathText,
    /// What is indexed, relative to the base, or absolute where it lies outside.
    pub roots: Vec<PathText>,
}

/// An index on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The index's folder.
    pub folder: PathBuf,
    /// The folder that ids are relative to; absolute.
    pub base: PathBuf,
    /// What is indexed; absolute.
    pub roots: Vec<PathBuf>,
}

impl Layout {
    /// The folder of the engine's index.
    pub fn index(&self) -> PathBuf {
        self.folder.join("index")
    }

    /// The folder of the catalogue.
    pub fn catalogue(&self) -> PathBuf {
        self.folder.join("catalogue")
    }

    /// Size of all files, in bytes: index, catalogue and cache of embeddings.
    pub fn disk_bytes(&self) -> u64 {
        folder_bytes(&self.folder)
    }

    /// Size of the index alone, in bytes.
    pub fn index_bytes(&self) -> u64 {
        folder_bytes(&self.index())
    }

    /// Whether something was indexed here.
    pub fn exists(&self) -> bool {
        self.folder.join(SETTINGS).is_file()
    }

    /// Opens the layout of the index in `folder`.
    ///
    /// # Errors
    /// [`IndexerError::Settings`] if its settings cannot be read, [`kenning::index::IndexError::NotFound`] if
    /// there are none.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(SETTINGS);
        let text = match input::read(&path, MOST_SETTINGS) {
            Ok(text) => text,
            Err(Unread::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                let path = folder.to_owned();
                return Err(
                    kenning::Error::from(kenning::index::IndexError::NotFound { path }).into(),
                );
            }
            Err(Unread::Io(error)) => return Err(IndexerError::io("read", path, error)),
            Err(other) => {
                let reason = other.to_string();
                return Err(IndexerError::Settings { path, reason });
            }
        };
        let unsound = |reason: String| IndexerError::Settings {
            path: path.clone(),
            reason,
        };
        let text = unseal(text).map_err(|error| unsound(error.to_string()))?;
        let settings: Settings =
            serde_json::from_slice(&text).map_err(|error| unsound(error.to_string()))?;
        Ok(Self::of(settings, absolute(folder)?))
    }

    /// What these settings of the index in `folder`, which is absolute, say.
    pub(crate) fn of(settings: Settings, folder: PathBuf) -> Self {
        let base = tidy(&folder.join(&settings.base.0));
        let roots = settings.roots.iter().map(|root| tidy(&base.join(&root.0)));
        Layout {
            roots: roots.collect(),
            folder,
            base,
        }
    }

    /// The index that covers `from`: in it, or in the nearest folder above, as git looks for its own.
    pub fn find(from: &Path) -> Result<Option<Self>> {
        let from = absolute(from)?;
        for folder in from.ancestors() {
            let candidate = folder.join(FOLDER);
            if candidate.join(SETTINGS).is_file() {
                return Self::open(&candidate).map(Some);
            }
        }
        Ok(None)
    }

    /// The index for `paths`: the one in `index` if given; else an existing one that covers the first
    /// path; else a new one in the first path, or next to it if it is a file. Its roots are extended by
    /// the paths that it does not cover yet.
    ///
    /// # Errors
    /// [`IndexerError::NoSuchPath`] for a path that is not there.
    pub fn for_paths(paths: &[PathBuf], index: Option<&Path>) -> Result<Self> {
        let mut given = Vec::new();
        for path in paths {
            if !path.exists() {
                return Err(IndexerError::NoSuchPath { path: path.clone() });
            }
            given.push(absolute(path)?);
        }
        let first = given.first().map_or(Path::new("."), PathBuf::as_path);
        let home = match (first.is_dir(), first.parent()) {
            (false, Some(parent)) => parent,
            _ => first,
        };
        let mut layout = match index {
            Some(folder) if folder.join(SETTINGS).is_file() => Self::open(folder)?,
            Some(folder) => Layout {
                folder: std::path::absolute(folder)
                    .map(|folder| tidy(&folder))
                    .map_err(|error| IndexerError::io("find", folder, error))?,
                base: home.to_owned(),
                roots: Vec::new(),
            },
            None => match Self::find(home)? {
                Some(found) if found.covers(first) => found,
                _ => Layout {
                    folder: home.join(FOLDER),
                    base: home.to_owned(),
                    roots: Vec::new(),
                },
            },
        };
        for path in given {
            layout.cover(path);
        }
        Ok(layout)
    }

    /// Makes `path` a root where it is not below one; roots below it are no longer needed.
    fn cover(&mut self, path: PathBuf) {
        if !self.covers(&path) {
            self.roots.retain(|root| !root.starts_with(&path));
            self.roots.push(path);
        }
    }

    /// Whether `path` is a root or lies below one.
    pub fn covers(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(root))
    }

    /// Makes the folder and writes the settings, with a checksum. A run does so while it holds the
    /// [`Catalogue`], so that two do not write over each other.
    ///
    /// Returned is what the settings say now: another run may have saved its own since this layout was made, whose base
    /// and roots stay.
    ///
    /// # Errors
    /// [`IndexerError::Settings`] if settings that are there cannot be read, [`IndexerError::Io`] if they cannot be
    /// written.
    pub fn save(&self) -> Result<Layout> {
        let mut layout = self.clone();
        if self.exists() {
            layout = Self::open(&self.folder)?;
            for root in &self.roots {
                layout.cover(root.clone());
            }
        }
        layout.write()?;
        Ok(layout)
    }

    fn write(&self) -> Result<()> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |error| IndexerError::io(action, path, error)
        };
        std::fs::create_dir_all(&self.folder).map_err(io("create the folder", &self.folder))?;
        let ignore = self.folder.join(".gitignore");
        std::fs::write(&ignore, "*\n").map_err(io("write", &ignore))?;
        let relative = |path: &Path, to: &Path| match path.strip_prefix(to) {
            Ok(rest) if rest.as_os_str().is_empty() => PathBuf::from("."),
            Ok(rest) => rest.to_owned(),
            Err(_) => path.to_owned(),
        };
        let inside = self.folder.parent() == Some(&self.base);
        let settings = Settings {
            // So that a folder can be moved with its index.
            base: PathText(if inside {
                "..".into()
            } else {
                self.base.clone()
            }),
            roots: self
                .roots
                .iter()
                .map(|root| PathText(relative(root, &self.base)))
                .collect(),
        };
        let path = self.folder.join(SETTINGS);
        let text = serde_json::to_string_pretty(&settings).map_err(|error| {
            let reason = error.to_string();
            IndexerError::Settings {
                path: path.clone(),
                reason,
            }
        })?;
        let text = seal(format!("{text}\n").as_bytes());
        durable::replace(&path, &text).map_err(io("write", &path))
    }

    /// What runs that were interrupted left of the settings.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        durable::leftovers(&self.folder.join(SETTINGS))
    }

    /// Removes that. Whoever holds the catalogue knows that no other run is writing settings. What cannot be removed
    /// stays.
    pub fn remove_leftovers(&self, _held: &Catalogue) {
        for left in self.leftovers() {
            let _ = std::fs::remove_file(left);
        }
    }

    /// The id of the file at `path`, which is absolute: relative to the base if it lies below, `/`
    /// between its parts, bytes that are not UTF-8 as `%XX`.
    pub fn id(&self, path: &Path) -> String {
        let relative = path.strip_prefix(&self.base).unwrap_or(path);
        let mut id = String::new();
        for part in relative.components() {
            match part {
                Component::Normal(name) => {
                    if !id.is_empty() && !id.ends_with('/') {
                        id.push('/');
                    }
                    for chunk in name.as_encoded_bytes().utf8_chunks() {
                        id.push_str(chunk.valid());
                        for byte in chunk.invalid() {
                            id.push_str(&format!("%{byte:02X}"));
                        }
                    }
                }
                Component::RootDir => id.push('/'),
                Component::Prefix(prefix) => id.push_str(&prefix.as_os_str().to_string_lossy()),
                Component::CurDir | Component::ParentDir => {}
            }
        }
        id
    }

    /// Whether the file with this id is `path` or lies below it. By their ids: a name that is not UTF-8
    /// cannot be told from its id.
    pub fn is_below(&self, id: &str, path: &Path) -> bool {
        if self.base.starts_with(path) && Path::new(id).is_relative() {
            return true;
        }
        let folder = self.id(path);
        if folder.is_empty() {
            // The base itself, and an id from elsewhere.
            return false;
        }
        match id.strip_prefix(folder.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/') || folder.ends_with('/'),
            None => false,
        }
    }

    /// The file of a document's id, without its fragment.
    pub fn path(&self, id: &str) -> PathBuf {
        let whole = self.base.join(id);
        match id.rsplit_once('#') {
            Some((file, _)) if !whole.exists() => self.base.join(file),
            _ => whole,
        }
    }
}

/// An absolute path without links, `.` and `..`.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => IndexerError::NoSuchPath {
            path: path.to_owned(),
        },
        _ => IndexerError::io("find", path, error),
    })
}

/// `a/b/..` to `a`, by name alone.
fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                tidied.pop();
            }
            Component::CurDir => {}
            part => tidied.push(part),
        }
    }
    tidied
}

/// Bytes in the files of a folder; what vanishes meanwhile counts nothing.
pub fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests;
