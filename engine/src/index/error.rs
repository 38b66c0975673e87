//! What can go wrong with an index.

use std::io;
use std::path::PathBuf;

use tantivy::TantivyError;
use tantivy::directory::error::{LockError, OpenReadError, OpenWriteError};

use super::Holder;

/// An index could not be created, opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// There is no index where one was expected.
    #[error("no index at {} or above", path.display())]
    NotFound {
        /// The folder that was to hold it.
        path: PathBuf,
    },
    /// There is an index where a new one was to be made.
    #[error("there is an index at {} already", path.display())]
    Exists {
        /// The folder that holds it.
        path: PathBuf,
    },
    /// The index was built with another encoder than the one at hand.
    #[error("the index was built with the encoder {index}, not with {given}: {differences}")]
    OtherEncoder {
        /// Name and fingerprint of the encoder in the index.
        index: String,
        /// Name and fingerprint of the encoder that was offered.
        given: String,
        /// What differs, as in `dimension 384, not 128`.
        differences: String,
    },
    /// The call needs an encoder and the index was opened without one.
    #[error("this needs the encoder {model}, and the index was opened without an encoder")]
    NoEncoder {
        /// The encoder that the index was built with.
        model: String,
    },
    /// The index has a layout that this version does not know.
    #[error("the index has format {found}; this version reads format {supported}")]
    Format {
        /// What the index says.
        found: String,
        /// What this version writes.
        supported: u32,
    },
    /// Another writer holds the index.
    #[error("the index is being written to by {}", holder.as_ref().map_or("another process".into(), Holder::to_string))]
    Locked {
        /// Who holds it, where that is known: as it tells itself.
        holder: Option<Holder>,
    },
    /// A document cannot be stored as it is.
    #[error("the document {id:?} cannot be stored: {reason}")]
    Document {
        /// Its id.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of the index is missing or damaged.
    #[error("the index is damaged: {reason}")]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// The writer could not write a change, and takes no others.
    #[error("the writer has stopped: {reason}")]
    Stopped {
        /// What went wrong when.
        reason: String,
    },
    /// The storage layer failed.
    #[error("the index could not be read or written: {0}")]
    Storage(TantivyError),
}

impl IndexError {
    /// One line that tells the user what to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            IndexError::NotFound { .. } => {
                "build one with `kenning index FOLDER`, or name one with --index DIR"
            }
            IndexError::Exists { .. } => "open it, or choose another folder",
            IndexError::OtherEncoder { .. } => {
                "leave out --model, --precision and other options of the encoder: the index knows its own; or build a new index"
            }
            IndexError::NoEncoder { .. } => "attach it with Index::with_encoder",
            IndexError::Format { .. } => "index the folder anew: remove its .kenning folder first",
            IndexError::Locked {
                holder: Some(holder),
            } => return Some(holder.hint()),
            IndexError::Locked { holder: None } => {
                "wait until it has finished, or stop it: what it committed stays"
            }
            IndexError::Stopped { .. } => {
                "roll the writer back, or open another: the last commit is whole"
            }
            IndexError::Damaged { .. } => "run `kenning doctor`; --repair mends what can be mended",
            IndexError::Storage(error) if is_full(error) => {
                "free some disk space and run it again: what was committed is whole"
            }
            IndexError::Document { .. } | IndexError::Storage(_) => return None,
        };
        Some(hint.to_owned())
    }
}

impl From<TantivyError> for IndexError {
    fn from(error: TantivyError) -> Self {
        match error {
            TantivyError::LockFailure(LockError::LockBusy, _) => {
                IndexError::Locked { holder: None }
            }
            TantivyError::DataCorruption(corruption) => IndexError::Damaged {
                reason: format!("{corruption:?}"),
            },
            TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(path)) => {
                let reason = format!("{} is missing", path.display());
                IndexError::Damaged { reason }
            }
            TantivyError::OpenReadError(OpenReadError::IoError { io_error, filepath })
                if is_damage(&io_error) =>
            {
                let reason = format!("{}: {io_error}", filepath.display());
                IndexError::Damaged { reason }
            }
            TantivyError::OpenReadError(OpenReadError::IncompatibleIndex(found)) => {
                let reason = format!("{found:?}");
                IndexError::Damaged { reason }
            }
            TantivyError::IoError(io_error) if is_damage(&io_error) => IndexError::Damaged {
                reason: io_error.to_string(),
            },
            other => IndexError::Storage(other),
        }
    }
}

/// Whether there was no space left.
fn is_full(error: &TantivyError) -> bool {
    let error = match error {
        TantivyError::IoError(error)
        | TantivyError::OpenWriteError(OpenWriteError::IoError {
            io_error: error, ..
        }) => error,
        _ => return false,
    };
    error.kind() == io::ErrorKind::StorageFull
}

/// Whether the system read what was asked for, and it is not what was written.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

impl From<TantivyError> for crate::Error {
    fn from(error: TantivyError) -> Self {
        IndexError::from(error).into()
    }
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        IndexError::Storage(TantivyError::from(error))
    }
}
