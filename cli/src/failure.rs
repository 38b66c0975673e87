//! What can go wrong on the command line, how it is said, and with which exit code.

use std::io;

use kenning_indexer::IndexerError;
use serde::{Deserialize, Serialize};

/// The result of a command.
pub type Result<T = Outcome> = std::result::Result<T, Failure>;

/// How a command ended that did what it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Found, or done.
    Done,
    /// Nothing was found.
    Nothing,
    /// Done, but some files failed.
    SomeFailed,
    /// Ctrl-C ended it early; what was done is kept.
    Interrupted,
    /// The index is damaged.
    Damaged,
    /// Something failed with this exit code, and it was said why.
    Reported(u8),
}

impl Outcome {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Outcome::Done => 0,
            Outcome::Nothing => 1,
            Outcome::SomeFailed => 4,
            Outcome::Interrupted => 130,
            Outcome::Damaged => 3,
            Outcome::Reported(code) => code,
        }
    }
}

/// A failure as another process tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The exit code.
    pub code: u8,
    /// One line of what is wrong.
    pub message: String,
    /// One line of what to do.
    pub hint: Option<String>,
}

impl From<&Failure> for Told {
    fn from(failure: &Failure) -> Self {
        Told {
            code: failure.code(),
            message: failure.message(),
            hint: failure.hint(),
        }
    }
}

/// A command could not be done.
#[derive(Debug)]
pub enum Failure {
    /// The engine or the indexer failed.
    Indexer(IndexerError),
    /// A collection could not be read.
    Dataset(kenning_datasets::DatasetError),
    /// A model is not on this machine.
    NoModel { name: String },
    /// The command was not used as it is meant to be.
    Usage { message: String, hint: String },
    /// A process that measured an encoder failed, and said so.
    Measuring(Told),
    /// A process that measured an encoder ended without a word.
    MeasuringDied { model: String, status: String },
    /// A process to measure an encoder in cannot be started.
    MeasuringStart(io::Error),
    /// Standard output was closed: whoever reads has enough.
    OutputClosed,
    /// Standard input or output failed.
    Stream(io::Error),
}

impl Failure {
    /// A wrong use of a command.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Failure::Usage {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage { .. } => 2,
            Failure::Indexer(IndexerError::Engine(kenning::Error::Query(_))) => 2,
            Failure::Indexer(IndexerError::NoSuchPath { .. } | IndexerError::NotIndexed { .. }) => {
                2
            }
            Failure::Measuring(told) => told.code,
            Failure::OutputClosed => 0,
            _ => 3,
        }
    }

    /// One line of what is wrong.
    pub fn message(&self) -> String {
        match self {
            Failure::Indexer(error) => error.to_string(),
            Failure::Dataset(error) => error.to_string(),
            Failure::NoModel { name } => format!("the model {name} is not on this machine"),
            Failure::Usage { message, .. } => message.clone(),
            Failure::Measuring(told) => told.message.clone(),
            Failure::MeasuringDied { model, status } => {
                format!("the process that measured {model} ended with {status}")
            }
            Failure::MeasuringStart(error) => {
                format!(
                    "cannot start this program again to measure in a process of its own: {error}"
                )
            }
            Failure::OutputClosed => String::new(),
            Failure::Stream(error) => format!("standard input or output failed: {error}"),
        }
    }

    /// One line of what to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Failure::Indexer(error) => error.hint(),
            Failure::Dataset(error) => error.hint(),
            Failure::NoModel { name } => Some(format!("`kenning models pull {name}` fetches it")),
            Failure::Usage { hint, .. } => Some(hint.clone()),
            Failure::Measuring(told) => told.hint.clone(),
            Failure::MeasuringDied { .. } => Some(
                "memory may not suffice: `kenning models show` estimates how much it takes".into(),
            ),
            Failure::MeasuringStart(_) | Failure::OutputClosed | Failure::Stream(_) => None,
        }
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        Failure::usage(
            line.trim_start_matches("error: "),
            "KENNING_MAX_MEMORY is a number of megabytes, 1 or more",
        )
    }
}

impl From<IndexerError> for Failure {
    fn from(error: IndexerError) -> Self {
        Failure::Indexer(error)
    }
}

impl From<kenning::Error> for Failure {
    fn from(error: kenning::Error) -> Self {
        Failure::Indexer(error.into())
    }
}

impl From<kenning::search::QueryError> for Failure {
    fn from(error: kenning::search::QueryError) -> Self {
        kenning::Error::from(error).into()
    }
}

impl From<kenning_datasets::DatasetError> for Failure {
    fn from(error: kenning_datasets::DatasetError) -> Self {
        Failure::Dataset(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Stream(error),
        }
    }
}
