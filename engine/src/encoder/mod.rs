//! The encoder: texts to vectors of unit length.

/// A model could not be found, fetched, loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {}

impl ModelError {
    /// One line that tells the user what to do, where something can be done.
    pub fn hint(&self) -> Option<String> {
        None
    }
}
