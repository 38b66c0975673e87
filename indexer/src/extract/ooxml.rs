//! What DOCX, PPTX and XLSX have in common: relations between parts, properties, drawings.

use std::collections::HashMap;

use kenning::document::{BlockKind, Metadata};

use super::archive::{Archive, resolve};
use super::blocks::{Blocks, squeeze};
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::metadata::{put, put_date};
use super::xml::{Node, walk_bytes};

/// A link from one part of a package to another.
pub(super) struct Relation {
    /// The last word of its type, such as `slide`, `notesSlide`, `footnotes`.
    pub kind: String,
    /// The name of the other part.
    pub target: String,
}

/// The relations of a part, by their ids; empty if it has none. Links out of the package are left out.
pub(super) fn relations(
    archive: &mut Archive,
    part: &str,
    format: Format,
    context: &Context,
) -> Result<HashMap<String, Relation>, ExtractError> {
    let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
    let folder = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    let mut found = HashMap::new();
    let Some(bytes) = archive.read(&format!("{folder}_rels/{name}.rels"))? else {
        return Ok(found);
    };
    walk_bytes(&bytes, format, context, &mut |node| {
        if let Node::Open(element) = node
            && element.name() == "Relationship"
            && element.attribute("TargetMode").as_deref() != Some("External")
            && let (Some(id), Some(target)) = (element.attribute("Id"), element.attribute("Target"))
        {
            let kind = element.attribute("Type").unwrap_or_default();
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            let target = resolve(part, &target);
            found.insert(id, Relation { kind, target });
        }
        Ok(())
    })?;
    Ok(found)
}

/// The part that the package itself names as its document.
pub(super) fn main_part(
    archive: &mut Archive,
    usual: &str,
    format: Format,
    context: &Context,
) -> Result<String, ExtractError> {
    let relations = relations(archive, "", format, context)?;
    let named = relations
        .into_values()
        .find(|relation| relation.kind == "officeDocument");
    Ok(named.map_or_else(|| usual.to_owned(), |relation| relation.target))
}

/// The title and the facts from the core properties.
pub(super) fn properties(
    archive: &mut Archive,
    format: Format,
    context: &Context,
) -> Result<(String, Metadata), ExtractError> {
    let mut title = String::new();
    let mut metadata = Metadata::new();
    let Some(bytes) = archive.read("docProps/core.xml")? else {
        return Ok((title, metadata));
    };
    let mut text = String::new();
    let result = walk_bytes(&bytes, format, context, &mut |node| {
        match node {
            Node::Open(_) => text.clear(),
            Node::Text(piece) => text.push_str(piece),
            Node::Close(name) => {
                match name {
                    "title" => title = squeeze(&text),
                    "creator" => put(&mut metadata, "author", &text),
                    "subject" | "description" | "keywords" | "language" => {
                        put(&mut metadata, name, &text)
                    }
                    "created" | "modified" => {
                        put_date(&mut metadata, name, &text);
                        put_date(&mut metadata, "date", &text);
                    }
                    _ => {}
                }
                text.clear();
            }
        }
        Ok(())
    });
    match result {
        // Properties are a trifle: a document without them is still a document.
        Ok(()) | Err(ExtractError::Damaged { .. }) => Ok((title, metadata)),
        Err(error) => Err(error),
    }
}

/// Text that stands outside of the cells, slides and paragraphs: diagrams, charts, comments and drawings
/// below `folder`, in the order of their names.
pub(super) fn loose_text(
    archive: &mut Archive,
    folder: &str,
    format: Format,
    context: &Context,
    blocks: &mut Blocks,
) -> Result<(), ExtractError> {
    let kinds = [
        "diagrams/data",
        "charts/chart",
        "comments",
        "threadedComments/",
        "drawings/drawing",
    ];
    let names = archive.names_where(|name| {
        name.strip_prefix(folder).is_some_and(|rest| {
            rest.ends_with(".xml") && kinds.iter().any(|kind| rest.starts_with(kind))
        })
    });
    for name in names {
        drawing(archive, &name, format, context, blocks)?;
    }
    Ok(())
}

/// The paragraphs of a drawing, a diagram, a chart or a list of comments.
pub(super) fn drawing(
    archive: &mut Archive,
    name: &str,
    format: Format,
    context: &Context,
    blocks: &mut Blocks,
) -> Result<(), ExtractError> {
    let Some(bytes) = archive.read(name)? else {
        return Ok(());
    };
    let mut buffer = String::new();
    let mut shown = 0usize;
    let mut labels = 0usize;
    let mut fallback = 0usize;
    walk_bytes(&bytes, format, context, &mut |node| {
        match node {
            Node::Open(element) => match element.name() {
                "Fallback" => fallback += 1,
                "t" | "text" => shown += 1,
                // Labels of a chart; its numbers mean nothing without its axes.
                "strCache" | "strLit" => labels += 1,
                "v" if labels > 0 => shown += 1,
                "br" | "tab" => buffer.push(' '),
                _ => {}
            },
            Node::Text(text) if shown > 0 && fallback == 0 => buffer.push_str(text),
            Node::Text(_) => {}
            Node::Close(name) => match name {
                "Fallback" => fallback = fallback.saturating_sub(1),
                "t" => shown = shown.saturating_sub(1),
                "strCache" | "strLit" => labels = labels.saturating_sub(1),
                "v" if labels > 0 => {
                    shown = shown.saturating_sub(1);
                    buffer.push(' ');
                }
                "p" | "comment" | "threadedComment" | "pt" | "text" | "tx" | "cat" => {
                    if name == "text" {
                        shown = shown.saturating_sub(1);
                    }
                    if name != "pt" || labels == 0 {
                        blocks.push(BlockKind::Paragraph, &std::mem::take(&mut buffer))?;
                    }
                }
                _ => {}
            },
        }
        Ok(())
    })?;
    blocks.push(BlockKind::Paragraph, &buffer)
}
