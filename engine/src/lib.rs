//! Semantic search with an embedded vector index.

pub mod chunk;
pub mod document;
pub mod encoder;
mod error;
pub mod index;
pub mod keyword;
pub mod models;
pub mod search;
mod vector;

pub use document::{Document, Metadata, Structure, Value};
pub use error::{Error, Result};
pub use index::{Index, IndexWriter, Snapshot};
pub use keyword::language::Language;
pub use search::{Filter, Fusion, Mode, SearchHit, SearchRequest, SearchResponse};
