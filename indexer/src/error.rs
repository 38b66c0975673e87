//! What stops an index run. A file that cannot be read does not: it is reported and the run goes on.

use std::io;
use std::path::{Path, PathBuf};

/// The result of an indexer call.
pub type Result<T, E = IndexerError> = std::result::Result<T, E>;

/// An index run could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexerError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] kenning::Error),
    /// A file or folder of the index, or one that was to be indexed, could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// What is to be indexed is not there.
    #[error("there is no file or folder {}", path.display())]
    NoSuchPath {
        /// As given.
        path: PathBuf,
    },
    /// A path is not part of the index.
    #[error("{} is not in the index", path.display())]
    NotIndexed {
        /// As given.
        path: PathBuf,
    },
    /// The catalogue could not be used.
    #[error("cannot use the catalogue {}: {source}", path.display())]
    Catalogue {
        /// Its folder.
        path: PathBuf,
        /// What the store answered.
        source: sled::Error,
    },
    /// The limit on memory is below what a run needs.
    #[error(
        "{} MiB of memory are too few, expected at least {} MiB for this model and index",
        limit >> 20, needed.div_ceil(1 << 20)
    )]
    Memory {
        /// The limit in bytes.
        limit: u64,
        /// What is needed at least, in bytes.
        needed: u64,
    },
    /// The settings of an index cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl IndexerError {
    /// An I/O failure on `path`; `action` is a verb, as in "cannot read …".
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        IndexerError::Io {
            action,
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// One line that tells the user what to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            IndexerError::Engine(error) => return error.hint(),
            IndexerError::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "check the permissions, or put the index elsewhere with --index DIR"
                }
                io::ErrorKind::StorageFull => "free some disk space and run it again",
                io::ErrorKind::ReadOnlyFilesystem => "put the index elsewhere with --index DIR",
                _ => return None,
            },
            IndexerError::NoSuchPath { .. } => "check the spelling; quote names with spaces",
            IndexerError::NotIndexed { .. } => "`kenning status` tells what is indexed",
            IndexerError::Catalogue {
                source: sled::Error::Io(source),
                ..
            } if source.kind() == io::ErrorKind::PermissionDenied => {
                "check the permissions: this reads and writes there, which `kenning search` does not"
            }
            IndexerError::Catalogue { .. } => {
                "delete that folder: it only saves work, and the next run builds it anew"
            }
            IndexerError::Memory { .. } => "raise --max-memory, or choose a smaller model",
            IndexerError::Settings { .. } => {
                "if you edited it, remove its line `crc32`; else delete the .kenning folder and index again"
            }
        };
        Some(hint.to_owned())
    }
}

/// Whether another process has the catalogue open.
pub(crate) fn is_locked(error: &sled::Error) -> bool {
    // sled wraps the lock's error in text.
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}
