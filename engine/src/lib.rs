//! Semantic search with an embedded vector index.

pub mod chunk;
pub mod document;
pub mod encoder;
mod error;
pub mod index;
pub mod models;
pub mod search;

pub use document::{Document, Metadata, Structure, Value};
pub use error::{Error, Result};
