//! What can go wrong with a collection or a run.

use std::io;
use std::path::{Path, PathBuf};

/// A collection or a run cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The operating system refused an operation on a file.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb: "read", "write".
        action: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// A line of a file is not what it should be.
    #[error("{}:{line}: expected {expected}, found {found}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
        /// What stands there, cut if long, or what a parser said about it.
        found: String,
    },
    /// The file of kept measurements is not what it should be.
    #[error("{} holds no measurements of encoders: {found}", path.display())]
    Measurements {
        /// The file.
        path: PathBuf,
        /// What a parser said about it.
        found: String,
    },
    /// An id cannot be written to a TREC file, whose columns are separated by blanks.
    #[error("cannot write the id {id:?} to a TREC file: expected an id without blanks")]
    Id {
        /// The id.
        id: String,
    },
    /// A score is not a number, so that it has no place in an order.
    #[error("the score of {document:?} for query {query:?} is {score}, expected a finite number")]
    Score {
        /// The query's id.
        query: String,
        /// The document's id.
        document: String,
        /// The score.
        score: f64,
    },
}

impl DatasetError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        DatasetError::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn line(path: &Path, line: usize, expected: &'static str, found: &str) -> Self {
        let mut short: String = found.chars().take(80).collect();
        if short.len() < found.len() {
            short.push('…');
        }
        DatasetError::Line {
            path: path.to_owned(),
            line,
            expected,
            found: format!("{short:?}"),
        }
    }

    /// One line that tells the user what to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            DatasetError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(
                "a collection is a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv"
                    .into(),
            ),
            DatasetError::Measurements { .. } => {
                Some("`kenning models compare` measures again and writes it anew".into())
            }
            DatasetError::Id { .. } => {
                Some("rename what bears it, in corpus and judgements".into())
            }
            _ => None,
        }
    }
}
