//! The styles of a DOCX document: which of them are headings.

use std::collections::HashMap;

use super::archive::Archive;
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::xml::{Node, walk_bytes};

const FORMAT: Format = Format::Docx;

/// The heading level of every style that has one.
pub(super) fn styles(
    archive: &mut Archive,
    name: &str,
    context: &Context,
) -> Result<HashMap<String, u8>, ExtractError> {
    let mut levels = HashMap::new();
    let mut parents: HashMap<String, String> = HashMap::new();
    let Some(bytes) = archive.read(name)? else {
        return Ok(levels);
    };
    let mut style = String::new();
    let result = walk_bytes(&bytes, FORMAT, context, &mut |node| {
        let Node::Open(element) = node else {
            return Ok(());
        };
        let value = || element.attribute("val").unwrap_or_default();
        match element.name() {
            "style" => style = element.attribute("styleId").unwrap_or_default(),
            "name" => {
                if let Some(level) = heading_by_name(&value()) {
                    levels.insert(style.clone(), level);
                }
            }
            "basedOn" => {
                parents.insert(style.clone(), value());
            }
            "outlineLvl" => {
                if let Some(level) = outline_level(&value()) {
                    levels.entry(style.clone()).or_insert(level);
                }
            }
            _ => {}
        }
        Ok(())
    });
    match result {
        Ok(()) | Err(ExtractError::Damaged { .. }) => {}
        Err(error) => return Err(error),
    }
    for style in parents.keys() {
        let mut at = style;
        // A style can be its own ancestor in a broken file.
        for _ in 0..16 {
            match parents.get(at) {
                Some(_) if levels.contains_key(at) => break,
                Some(parent) => at = parent,
                None => break,
            }
        }
        if let Some(&level) = levels.get(at) {
            levels.entry(style.clone()).or_insert(level);
        }
    }
    Ok(levels)
}

/// The level of a heading style by its name, which every language of Word keeps in English.
pub(super) fn heading_by_name(name: &str) -> Option<u8> {
    let name = name.trim().to_ascii_lowercase();
    if name == "title" {
        return Some(1);
    }
    let level: u8 = name.strip_prefix("heading")?.trim().parse().ok()?;
    (1..=9).contains(&level).then_some(level.min(6))
}

/// Outline levels count from 0; 9 is body text.
pub(super) fn outline_level(value: &str) -> Option<u8> {
    let level: u8 = value.parse().ok()?;
    (level < 9).then(|| (level + 1).min(6))
}
