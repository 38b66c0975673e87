//! Kenning's folder indexer: walk, extract, chunk, embed, store, and do again only what changed.
//!
//! Reading order: `layout` (where an index lives), `walk` (which files there are), `extract` (a
//! file to text), `prepare` (text to chunks), `catalogue` (what was done already), `pipeline`
//! (the stages, joined), `embed` and `store` (the last of them), `report` (what was done and how it went), `check`
//! (whether all of it agrees).
//!
//! # Where a passage lies
//!
//! The `lines` and `bytes` of a passage are places in the file where its text is the file's own: text,
//! Markdown, reStructuredText and source code, in any encoding. Every other format (DOCX, PDF, HTML,
//! e-mail, JSON, CSV and so on) is converted, and there they are places in the extracted text, which no
//! other program sees. [`extract::SourceMap`] tells which it is. `page` always is a page, slide or sheet
//! of the file.

mod budget;
mod catalogue;
mod check;
mod database;
mod durable;
mod embed;
mod embeddings;
mod error;
pub mod extract;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod input;
mod layout;
mod path_text;
mod pipeline;
mod plan;
mod prepare;
mod report;
mod rules;
mod store;
mod tidy;
mod walk;

pub use budget::COST as MEMORY_PER_BYTE;
pub use catalogue::{Catalogue, FileState, Outcome};
pub use check::{Check, Compared, Problem, check, mend};
pub use error::{IndexerError, Result};
pub use layout::{FOLDER, Layout, Settings, folder_bytes};
pub use path_text::PathText;
pub use pipeline::{Job, Options, index};
pub use plan::{Plan, plan};
pub use report::{Failure, Progress, Report};
pub use tidy::{optimize, remove};
