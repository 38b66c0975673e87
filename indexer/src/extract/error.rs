//! Why a file gave no text.

use serde::{Deserialize, Serialize};

use super::format::Format;

/// Why no text could be taken from a file. The message names no path: the caller knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum ExtractError {
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file was read whole, and there is no text in it.
    #[error("no text in this {} file", .format.name())]
    NoText {
        /// What the file is.
        format: Format,
    },
    /// The bytes are no text in any encoding known here, and no known document format either.
    #[error("binary data, expected text or a known document format")]
    Binary,
    /// The file is larger than the limit on files.
    #[error("the file has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Size of the file in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The text in the file is longer than the limit on texts.
    #[error("the file holds more than {limit} bytes of text")]
    TextTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// A compressed file unpacks to more than is safe to unpack.
    #[error("the file unpacks to more than {limit} bytes")]
    UnpacksTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The file holds more entries or records than the limit allows.
    #[error("the file holds more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: usize,
    },
    /// The file is encrypted and opens only with a password.
    #[error("the {} file is encrypted", .format.name())]
    Encrypted {
        /// What the file is.
        format: Format,
    },
    /// The file breaks the rules of its format.
    #[error("damaged {} file: {reason}", .format.name())]
    Damaged {
        /// What the file is.
        format: Format,
        /// What is wrong, in the words of whoever noticed.
        reason: String,
    },
    /// Reading took longer than the limit.
    #[error("reading took longer than {seconds} seconds")]
    TimedOut {
        /// The limit in seconds.
        seconds: f64,
    },
    /// Reading needed more memory than the limit.
    #[error("reading needs more than {limit} bytes of memory")]
    OutOfMemory {
        /// The limit in bytes.
        limit: u64,
    },
    /// The parser for the format failed in a way that it should not have.
    #[error("the {} reader failed: {reason}", .format.name())]
    Crashed {
        /// What the file is.
        format: Format,
        /// The panic message, or how the worker process ended.
        reason: String,
    },
    /// The format is known, and its text cannot be read.
    #[error("{} files are not supported", .format.name())]
    Unsupported {
        /// What the file is.
        format: Format,
    },
    /// The worker process could not be started or spoken to.
    #[error("the extraction worker {program} does not run: {reason}")]
    Worker {
        /// The program that was to be started.
        program: String,
        /// The system's words.
        reason: String,
    },
}

impl ExtractError {
    /// A [`ExtractError::Damaged`] of `format`, for a reason that somebody else gave.
    pub(super) fn damaged(format: Format, reason: impl std::fmt::Display) -> Self {
        // A parser's message can quote the file: keep it to one line of sensible length.
        let reason = reason.to_string();
        let line = reason.lines().next().unwrap_or_default();
        ExtractError::Damaged {
            format,
            reason: line.chars().take(160).collect(),
        }
    }

    /// What a user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            ExtractError::Empty => "nothing to do: an empty file has nothing to find",
            ExtractError::NoText { format } => match format {
                Format::Pdf => "if its pages are scans, run text recognition (OCR) over it first",
                _ => "nothing to do, unless its text is in pictures",
            },
            ExtractError::Binary => "leave it out, or convert it to text",
            ExtractError::TooLarge { .. } | ExtractError::TextTooLarge { .. } => {
                "split the file, or raise the limit"
            }
            ExtractError::UnpacksTooLarge { .. } | ExtractError::TooManyEntries { .. } => {
                "do not trust this file; if it is yours, raise the limit"
            }
            ExtractError::Encrypted { .. } => "save a copy without a password",
            ExtractError::Damaged { .. } => "open it in its own program and save it again",
            ExtractError::TimedOut { .. } => "raise the time limit, or save the file anew",
            ExtractError::OutOfMemory { .. } => "raise the memory limit, or split the file",
            ExtractError::Crashed { .. } => "save the file anew, or convert it to another format",
            ExtractError::Unsupported { .. } => {
                "save it in another format, such as DOCX, PDF or HTML"
            }
            ExtractError::Worker { .. } => "check that the program exists and may be executed",
        }
    }
}
