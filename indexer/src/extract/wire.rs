//! What crosses the pipe from a worker, in JSON.

use std::ops::Range;

use kenning::document::{Block, BlockKind, Metadata, Structure};
use serde::{Deserialize, Serialize};

use super::charset::Charset;
use super::error::ExtractError;
use super::format::Format;
use super::part::{Extracted, Part, Warning};
use super::source::SourceMap;

/// A worker's answer.
#[derive(Serialize, Deserialize)]
pub(super) enum Answer {
    Done {
        format: Format,
        encoding: Option<Charset>,
        parts: Vec<WirePart>,
        warnings: Vec<Warning>,
    },
    Failed(ExtractError),
}

#[derive(Serialize, Deserialize)]
pub(super) struct WirePart {
    fragment: Option<String>,
    title: String,
    text: String,
    structure: WireStructure,
    metadata: Metadata,
    source: SourceMap,
}

#[derive(Serialize, Deserialize)]
enum WireStructure {
    Plain,
    Markdown,
    Rst,
    Code(String),
    /// Start, end, kind, page.
    Blocks(Vec<(usize, usize, WireKind, Option<u32>)>),
}

#[derive(Serialize, Deserialize)]
enum WireKind {
    Heading(u8),
    Paragraph,
    ListItem,
    TableRow,
    Code,
}

impl From<Result<Extracted, ExtractError>> for Answer {
    fn from(result: Result<Extracted, ExtractError>) -> Self {
        match result {
            Ok(extracted) => Answer::Done {
                format: extracted.format,
                encoding: extracted.encoding.and_then(Charset::from_name),
                parts: extracted.parts.into_iter().map(WirePart::from).collect(),
                warnings: extracted.warnings,
            },
            Err(error) => Answer::Failed(error),
        }
    }
}

impl Answer {
    pub fn into_result(self) -> Result<Extracted, ExtractError> {
        match self {
            Answer::Done {
                format,
                encoding,
                parts,
                warnings,
            } => Ok(Extracted {
                format,
                encoding: encoding.map(Charset::name),
                parts: parts.into_iter().map(Part::from).collect(),
                warnings,
            }),
            Answer::Failed(error) => Err(error),
        }
    }
}

impl From<Part> for WirePart {
    fn from(part: Part) -> Self {
        WirePart {
            fragment: part.fragment,
            title: part.title,
            text: part.text,
            structure: match part.structure {
                Structure::Plain => WireStructure::Plain,
                Structure::Markdown => WireStructure::Markdown,
                Structure::Rst => WireStructure::Rst,
                Structure::Code(language) => WireStructure::Code(language),
                Structure::Blocks(blocks) => WireStructure::Blocks(
                    blocks
                        .into_iter()
                        .map(|block| {
                            let Range { start, end } = block.span;
                            (start, end, WireKind::from(block.kind), block.page)
                        })
                        .collect(),
                ),
            },
            metadata: part.metadata,
            source: part.source,
        }
    }
}

impl From<WirePart> for Part {
    fn from(part: WirePart) -> Self {
        Part {
            fragment: part.fragment,
            title: part.title,
            text: part.text,
            structure: match part.structure {
                WireStructure::Plain => Structure::Plain,
                WireStructure::Markdown => Structure::Markdown,
                WireStructure::Rst => Structure::Rst,
                WireStructure::Code(language) => Structure::Code(language),
                WireStructure::Blocks(blocks) => Structure::Blocks(
                    blocks
                        .into_iter()
                        .map(|(start, end, kind, page)| Block {
                            span: start..end,
                            kind: kind.into(),
                            page,
                        })
                        .collect(),
                ),
            },
            metadata: part.metadata,
            source: part.source,
        }
    }
}

impl From<BlockKind> for WireKind {
    fn from(kind: BlockKind) -> Self {
        match kind {
            BlockKind::Heading(level) => WireKind::Heading(level),
            BlockKind::Paragraph => WireKind::Paragraph,
            BlockKind::ListItem => WireKind::ListItem,
            BlockKind::TableRow => WireKind::TableRow,
            BlockKind::Code => WireKind::Code,
        }
    }
}

impl From<WireKind> for BlockKind {
    fn from(kind: WireKind) -> Self {
        match kind {
            WireKind::Heading(level) => BlockKind::Heading(level),
            WireKind::Paragraph => BlockKind::Paragraph,
            WireKind::ListItem => BlockKind::ListItem,
            WireKind::TableRow => BlockKind::TableRow,
            WireKind::Code => BlockKind::Code,
        }
    }
}
