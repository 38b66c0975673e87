//! Text extraction: from the bytes of a file to the documents in it.
//!
//! Reading path: [`Extractor`] is what a front end uses. It asks `detect` which [`Format`] a file is
//! in, and hands it to the reader of that format, a module of that name. A reader gives [`Part`]s:
//! text, its structure, what the document says about itself, and a [`SourceMap`] that leads from the
//! text back to the file where that is possible.
//!
//! # Hostile files
//!
//! Files are not to be trusted. What protects the caller:
//!
//! - [`Limits`] bound the file, its unpacked size, the number of entries, the text, the time.
//! - Documents inside documents are followed three deep, archives never; XML entities are not expanded.
//! - Formats that are parsed from binary structures are read in a *worker process*, if the front end
//!   has named one ([`Extractor::with_worker`]): the system then bounds its memory, and it is killed
//!   when its time is over. Without a worker they are read in a thread of their own, where a panic is
//!   caught and a late reader is left behind: it goes on using its memory until it ends by itself.

mod archive;
mod biff;
mod blocks;
mod charset;
mod codepage;
mod csv;
mod decode;
mod detect;
mod doc;
mod docx;
mod docx_styles;
mod embedded;
mod epub;
mod error;
mod extractor;
mod fb2;
mod foreign;
mod format;
mod front_matter;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod html;
mod html_names;
mod json;
mod limits;
mod lzfu;
mod mail;
mod mbox;
mod metadata;
mod msg;
mod names;
mod notebook;
mod odf;
mod ole;
mod ooxml;
mod papx;
mod part;
mod pdf;
mod pdf_outline;
mod plain;
mod ppt;
mod pptx;
mod read;
mod rtf;
mod sheet;
mod source;
mod table;
mod wire;
mod worker;
mod xml;
mod xmltext;
mod xps;

#[cfg(test)]
mod testing;

pub use charset::Charset;
pub use error::ExtractError;
pub use extractor::{Extractor, extract};
pub(crate) use foreign::call as contained;
pub use format::Format;
pub use limits::Limits;
pub(crate) use metadata::from_unix;
pub use part::{Extracted, Part, Warning};
pub use source::SourceMap;
pub use worker::{WorkerCommand, run_worker};
