//! Kenning: semantic search with an embedded vector index.
//!
//! A kenning names a thing by other words, "whale-road" for the sea. This crate finds the passages that
//! *mean* what was asked, in documents that a program hands it, on one machine, without a server. Every
//! passage is found by meaning (the cosine of its embedding) and by word (BM25), and both rankings are
//! fused.
//!
//! ```no_run
//! use std::sync::Arc;
//! use kenning::encoder::Encoder;
//! use kenning::models::{DEFAULT_MODEL, ModelStore};
//! use kenning::{Document, Filter, Index, SearchRequest};
//!
//! # fn main() -> kenning::Result<()> {
//! let store = ModelStore::from_env()?;
//! let encoder = Encoder::load(DEFAULT_MODEL, &store, &Default::default(), &mut |_| {})?;
//! let index = Index::in_memory(encoder.spec())?.with_encoder(Arc::new(encoder))?;
//! let mut writer = index.writer()?;
//! writer.upsert(Document::new("leaf", "Chlorophyll catches sunlight and makes sugar.").with("year", 2021))?;
//! writer.upsert(Document::new("loaf", "Yeast turns the sugar in dough into gas.").with("year", 2024))?;
//! writer.commit()?;
//!
//! let request = SearchRequest::new("how do plants eat?").with_filter(Filter::parse("year>2000")?);
//! for hit in index.search(&request)?.hits {
//!     println!("{:.3}  {}  {}", hit.score, hit.id, hit.passages[0].snippet);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `Index::create` and `Index::open` keep an index in a folder instead. One writer and any number of
//! readers, also in other processes, use it at the same time; a [`Snapshot`] is one commit, whole.
//!
//! Reading path: [`document`] (what goes in), [`encoder`] (texts to vectors), [`models`] (where encoders
//! come from), [`chunk`] (documents to passages), [`index`] (what is stored and how it is committed),
//! [`keyword`] and [`vector`] (the two legs), [`search`] (a request to ranked hits). The design
//! and the reasons are in `docs/design.md`.

/// So that unit tests can share what integration tests are made of.
#[cfg(test)]
extern crate self as kenning;

pub mod chunk;
pub mod document;
pub mod encoder;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod index;
pub mod keyword;
pub mod models;
pub mod search;
pub mod vector;

pub use document::{Document, Metadata, Structure, Value};
pub use error::{Error, Result};
pub use index::{Index, IndexWriter, Snapshot};
pub use keyword::language::Language;
pub use search::{Filter, Fusion, Mode, SearchHit, SearchRequest, SearchResponse};
