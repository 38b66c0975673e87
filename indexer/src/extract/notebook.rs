//! Jupyter notebooks: their cells and what the code printed.

use kenning::document::{BlockKind, Metadata};
use serde_json::Value;

use super::blocks::Blocks;
use super::decode::decode;
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::metadata::{add, put};
use super::part::{Part, Reading};

/// Reads a notebook of format 3 or 4.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let decoded = decode(bytes, None)?;
    let book: Value = serde_json::from_str(&decoded.text)
        .map_err(|error| ExtractError::damaged(Format::Notebook, error))?;
    let cells = book
        .get("cells")
        .or_else(|| book.pointer("/worksheets/0/cells"))
        .and_then(Value::as_array)
        .ok_or_else(|| ExtractError::damaged(Format::Notebook, "it has no cells"))?;
    let mut blocks = Blocks::new(context);
    let mut title = String::new();
    for cell in cells {
        let kind = cell
            .get("cell_type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let source = joined(cell.get("source").or_else(|| cell.get("input")));
        match kind {
            "code" => {
                blocks.push(BlockKind::Code, &source)?;
                outputs(cell, &mut blocks)?;
            }
            "heading" => blocks.push(BlockKind::Heading(1), &source)?,
            _ => markdown(&source, &mut blocks, &mut title)?,
        }
    }
    let mut metadata = Metadata::new();
    let language = [
        "/metadata/kernelspec/language",
        "/metadata/language_info/name",
    ];
    if let Some(language) = language.iter().find_map(|at| book.pointer(at)?.as_str()) {
        put(&mut metadata, "programming_language", language);
    }
    for author in book
        .pointer("/metadata/authors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        add(
            &mut metadata,
            "author",
            author
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        );
    }
    if let Some(named) = book.pointer("/metadata/title").and_then(Value::as_str) {
        title = named.to_owned();
    }
    let (text, structure) = blocks.finish()?;
    let part = Part {
        title,
        metadata,
        ..Part::extracted(text, structure)
    };
    Ok(Reading::from(part).with_encoding(decoded.charset.name()))
}

/// Headings, fenced code and paragraphs of a Markdown cell.
fn markdown(source: &str, blocks: &mut Blocks, title: &mut String) -> Result<(), ExtractError> {
    let mut paragraph = String::new();
    let mut fence = false;
    for line in source.lines() {
        let trimmed = line.trim();
        let hashes = trimmed.bytes().take_while(|&byte| byte == b'#').count();
        let is_heading = !fence && (1..=6).contains(&hashes) && trimmed[hashes..].starts_with(' ');
        let is_fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        if is_heading || is_fence || (!fence && trimmed.is_empty()) {
            let kind = if fence {
                BlockKind::Code
            } else {
                BlockKind::Paragraph
            };
            blocks.push(kind, &std::mem::take(&mut paragraph))?;
            fence ^= is_fence;
            if is_heading {
                let heading = trimmed[hashes..].trim();
                blocks.push(BlockKind::Heading(hashes as u8), heading)?;
                if title.is_empty() {
                    heading.clone_into(title);
                }
            }
            continue;
        }
        paragraph.push_str(line);
        paragraph.push('\n');
    }
    blocks.push(BlockKind::Paragraph, &paragraph)
}

/// The text that a code cell printed; pictures are left out, and so is HTML, which repeats the text.
fn outputs(cell: &Value, blocks: &mut Blocks) -> Result<(), ExtractError> {
    for output in cell
        .get("outputs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let plain = output.get("data").and_then(|data| data.get("text/plain"));
        let text = joined(output.get("text").or(plain));
        blocks.push(BlockKind::Code, &without_escapes(&text))?;
        if let Some(error) = output.get("evalue").and_then(Value::as_str) {
            blocks.push(BlockKind::Paragraph, &without_escapes(error))?;
        }
    }
    Ok(())
}

/// A text that may be cut in lines.
fn joined(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

/// The text without the colours of a terminal.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1B[") {
        out.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        rest = rest
            .strip_prefix(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(rest);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outline, part};

    #[test]
    fn cells_and_outputs() {
        let found = part(
            "a.ipynb",
            br##"{"cells": [{"cell_type": "markdown", "source": ["# Title\n", "text\n", "```\n", "x\n", "```"]},
            {"cell_type": "code", "source": "print(1)", "outputs": [{"text": ["\u001b[31m1\u001b[0m\n"]},
            {"data": {"text/plain": "2", "text/html": "<b>2</b>"}}]}], "metadata": {"kernelspec": {"language": "python"}}}"##,
        );
        assert_eq!(found.title, "Title");
        assert_eq!(
            outline(&found),
            ["h1 Title", "p text", "c x", "c print(1)", "c 1", "c 2"]
        );
    }
}
