//! What can go wrong, each kind naming the thing, what was expected, and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// The result of an engine call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any failure of the engine. [`Error::hint`] says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on a file.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb: "read", "create", …
        action: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// A model could not be found, fetched, loaded or run.
    #[error(transparent)]
    Model(#[from] crate::encoder::ModelError),
    /// A document cannot be cut into chunks as asked.
    #[error(transparent)]
    Chunk(#[from] crate::chunk::ChunkError),
    /// An index could not be created, opened, read or written.
    #[error(transparent)]
    Index(#[from] crate::index::IndexError),
    /// A request cannot be answered as it was put.
    #[error(transparent)]
    Query(#[from] crate::search::QueryError),
}

impl Error {
    /// An I/O failure on `path`; `action` is a verb, as in "cannot read …".
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        Error::Io {
            action,
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// One line that tells the user what to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    Some("check the permissions of the file and of the folders above it".into())
                }
                io::ErrorKind::StorageFull => Some("free some disk space and run it again".into()),
                _ => None,
            },
            Error::Model(error) => error.hint(),
            Error::Chunk(error) => error.hint(),
            Error::Index(error) => error.hint(),
            Error::Query(error) => error.hint(),
        }
    }
}
