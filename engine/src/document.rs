//! The documents a program hands to the engine: plain data.

use std::collections::BTreeMap;
use std::ops::Range;

/// Facts about a document by name; every one can be filtered on.
pub type Metadata = BTreeMap<String, Value>;

/// One metadata value.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text, matched whole. Dates are written `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SSZ`, which sort as text.
    Text(String),
    /// Several values; a filter matches if one of them does.
    List(Vec<Value>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Float(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Bool(flag)
    }
}

/// A document: a file, a web page, a record. Its `id` is its identity: upserting another document of
/// the same id replaces it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// Unique in the index; for files the path, with `/` between its parts.
    pub id: String,
    /// A name for people. May be empty. Embedded with each chunk and searched by keyword.
    pub title: String,
    /// The whole text.
    pub text: String,
    /// How `text` is structured, so that chunks are cut where the author would cut.
    pub structure: Structure,
    /// Facts to filter on.
    pub metadata: Metadata,
}

impl Document {
    /// A document of plain text.
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Self {
        Document {
            id: id.into(),
            text: text.into(),
            ..Document::default()
        }
    }

    /// The same document with a title.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The same document with one more fact to filter on.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// The same document, its text read as `structure` says.
    pub fn with_structure(mut self, structure: Structure) -> Self {
        self.structure = structure;
        self
    }
}

/// How a text is structured.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Structure {
    /// Paragraphs separated by blank lines.
    #[default]
    Plain,
    /// CommonMark with tables and front matter.
    Markdown,
    /// reStructuredText.
    Rst,
    /// Source code of some language; the name is a file extension such as `rs` or `py`.
    Code(String),
    /// Blocks that the caller has found, in order, none overlapping another. Text between blocks
    /// belongs to the block before it.
    Blocks(Vec<Block>),
}

/// A piece of a text that should rather not be cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where it lies: byte offsets into the text, on character borders.
    pub span: Range<usize>,
    /// What it is.
    pub kind: BlockKind,
    /// The page it stands on, counted from 1, where the source has pages.
    pub page: Option<u32>,
}

/// What a [`Block`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// A heading of level 1 (highest) to 6. It names what follows, up to the next of its level or higher.
    Heading(u8),
    /// A paragraph.
    Paragraph,
    /// An item of a list.
    ListItem,
    /// A row of a table.
    TableRow,
    /// A code block, a function, a type.
    Code,
}
