//! What comes out of a file.

use kenning::document::{Metadata, Structure};

use super::format::Format;
use super::source::SourceMap;

/// The documents that a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracted {
    /// What the file is.
    pub format: Format,
    /// What its text is encoded in, when it is a text file and not UTF-8.
    pub encoding: Option<&'static str>,
    /// The documents, in order. At least one, and at least one of them has text.
    pub parts: Vec<Part>,
    /// What is in the file and not in the parts. Empty for nearly all files.
    pub warnings: Vec<Warning>,
}

/// One document in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Which one of several, such as `message-3` or `record-17`; none when the file is one document.
    pub fragment: Option<String>,
    /// The title that the document gives itself, or empty.
    pub title: String,
    /// Its text: the decoded file for text, Markdown, reStructuredText and source code, and else what
    /// was taken out of the file, with line breaks that are not the file's.
    pub text: String,
    /// How the text is structured. Spans of blocks are places in `text`, their pages those of the file.
    pub structure: Structure,
    /// What the document says about itself: `author`, `date`, `language`, `subject`, `keywords` and so on.
    pub metadata: Metadata,
    /// Where the text lies in the file.
    pub source: SourceMap,
}

impl Part {
    /// A part whose text was taken out of a structure.
    pub(super) fn extracted(text: String, structure: Structure) -> Self {
        Part {
            fragment: None,
            title: String::new(),
            text,
            structure,
            metadata: Metadata::new(),
            source: SourceMap::Extracted,
        }
    }
}

/// Something in a file that is not in its parts.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub enum Warning {
    /// The file breaks off or breaks the rules of its format; what stands before that place was read.
    #[error("damaged, read in part: {0}")]
    Damaged(String),
    /// A page could not be read.
    #[error("page {page} was not read: {reason}")]
    Page {
        /// Counted from 1.
        page: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// An attachment or embedded document is named in the text, and its own text is not there.
    #[error("attachment {name} was not read: {reason}")]
    Attachment {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A sheet of a workbook could not be read.
    #[error("sheet {name} was not read: {reason}")]
    Sheet {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a reader of one format gives back.
pub(super) struct Reading {
    pub parts: Vec<Part>,
    pub warnings: Vec<Warning>,
    pub encoding: Option<&'static str>,
}

impl From<Part> for Reading {
    fn from(part: Part) -> Self {
        Reading {
            parts: vec![part],
            warnings: Vec::new(),
            encoding: None,
        }
    }
}

impl Reading {
    pub fn new(parts: Vec<Part>, warnings: Vec<Warning>) -> Self {
        Reading {
            parts,
            warnings,
            encoding: None,
        }
    }

    pub fn with_encoding(mut self, encoding: &'static str) -> Self {
        self.encoding = Some(encoding);
        self
    }
}
