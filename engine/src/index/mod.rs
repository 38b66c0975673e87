//! The index.

/// An index could not be created, opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {}

impl IndexError {
    /// One line that tells the user what to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        None
    }
}
