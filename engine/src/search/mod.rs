//! The query path.

/// A request cannot be answered as it was put.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {}

impl QueryError {
    /// One line that tells the user what to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        None
    }
}
