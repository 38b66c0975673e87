//! What can be wrong with a request.

/// A request cannot be answered as it was put.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// There is nothing to look for.
    #[error("the query is empty")]
    Empty,
    /// A filter does not make sense.
    #[error("the filter {filter:?} stops making sense at byte {at}: {reason}")]
    Filter {
        /// The filter.
        filter: String,
        /// Where reading stopped.
        at: usize,
        /// What was expected there.
        reason: String,
    },
    /// A filter names a fact that no document has.
    #[error("no document has the fact {name:?} that the filter asks for")]
    UnknownFact {
        /// The name.
        name: String,
    },
    /// A filter compares a fact that is a number in every document with something else.
    #[error("the fact {name:?} is a number in every document, and {value:?} is none")]
    NoNumber {
        /// The fact.
        name: String,
        /// What it was to be compared with.
        value: String,
    },
    /// The vector of a query has the wrong dimension.
    #[error("the query's vector has {found} components, expected {expected}")]
    Dimension {
        /// What was given.
        found: usize,
        /// What the index holds.
        expected: usize,
    },
    /// The vector of a query has not unit length.
    #[error("the query's vector has length {found}, expected 1")]
    Length {
        /// What was found.
        found: f32,
    },
    /// A document has no passage at or after a line.
    #[error("{id} has no passage at line {line} or after it")]
    NoLine {
        /// The document.
        id: String,
        /// The line.
        line: u32,
    },
    /// There is no document of this id.
    #[error("no document {id:?} in the index")]
    NoDocument {
        /// The id.
        id: String,
    },
}

impl QueryError {
    /// One line that tells the user what to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            QueryError::Empty => "ask for something, as in `kenning search how do plants eat`",
            QueryError::Filter { .. } => {
                "a filter looks like `path:notes/** and modified>=2026-01-01`"
            }
            QueryError::UnknownFact { .. } => {
                "path and ext are always known; `kenning status` lists the other facts"
            }
            QueryError::NoNumber { .. } => "numbers are written plainly, as in `size>10000`",
            QueryError::NoLine { .. } => "lines are counted from 1",
            QueryError::NoDocument { .. } => "`kenning status` tells what is indexed",
            QueryError::Dimension { .. } | QueryError::Length { .. } => {
                "embed the query with the index's own encoder"
            }
        };
        Some(hint.to_owned())
    }
}
