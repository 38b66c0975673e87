//! The keyword leg: words to terms, terms to postings, postings to BM25 scores.
//!
//! Reading order: `language` (stemmers and stop words), `analyser` (text to terms).

pub(crate) mod analyser;
pub(crate) mod bm25;
pub mod language;
pub(crate) mod postings;
pub mod query;
