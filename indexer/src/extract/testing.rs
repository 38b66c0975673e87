//! Small files built in tests.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write};
use std::path::Path;

use kenning::document::{BlockKind, Structure};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::{ExtractError, Extracted, Limits, Part, extract};

/// A zip container with these entries.
pub(super) fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Extracts with the default limits.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Extracted, ExtractError> {
    extract(Path::new(name), bytes, &Limits::default())
}

/// The only part of a file.
pub(super) fn part(name: &str, bytes: &[u8]) -> Part {
    let mut extracted = read(name, bytes).unwrap();
    assert_eq!(extracted.parts.len(), 1);
    extracted.parts.remove(0)
}

/// The blocks of a part: a letter for the kind (`h1`, `p`, `l`, `r`, `c`), the page, the text.
pub(super) fn outline(part: &Part) -> Vec<String> {
    let Structure::Blocks(blocks) = &part.structure else {
        panic!("blocks expected")
    };
    blocks
        .iter()
        .map(|block| {
            let kind = match block.kind {
                BlockKind::Heading(level) => format!("h{level}"),
                BlockKind::Paragraph => "p".to_owned(),
                BlockKind::ListItem => "l".to_owned(),
                BlockKind::TableRow => "r".to_owned(),
                BlockKind::Code => "c".to_owned(),
            };
            let page = block
                .page
                .map(|page| format!("@{page}"))
                .unwrap_or_default();
            format!("{kind}{page} {}", &part.text[block.span.clone()])
        })
        .collect()
}
