//! FictionBook: sections with titles, paragraphs and verse.

use kenning::document::{BlockKind, Metadata};

use super::blocks::{Blocks, squeeze};
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::metadata::{add, put, put_date};
use super::part::{Part, Reading};
use super::xml::{Node, walk_bytes};

/// Reads a book.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let mut blocks = Blocks::new(context);
    let mut facts = Facts::default();
    let mut text = String::new();
    let mut path: Vec<String> = Vec::new();
    walk_bytes(bytes, Format::Fb2, context, &mut |node| {
        match node {
            Node::Open(element) => {
                match element.name() {
                    "p" | "v" | "subtitle" | "text-author" | "td" | "th" => text.clear(),
                    "tr" => blocks.open_row(),
                    _ if !in_body(&path) => text.clear(),
                    _ => {}
                }
                if matches!(element.name(), "td" | "th") {
                    blocks.open_cell();
                }
                if element.name() == "date"
                    && let Some(value) = element.attribute("value")
                {
                    put_date(&mut facts.metadata, "date", &value);
                }
                path.push(element.name().to_owned());
            }
            Node::Text(piece) => {
                if path.last().is_none_or(|name| name != "binary") {
                    text.push_str(piece);
                }
            }
            Node::Close(name) => {
                path.pop();
                if in_body(&path) {
                    if let Some(kind) = kind(name, &path) {
                        blocks.push(kind, &std::mem::take(&mut text))?;
                    } else if name == "tr" {
                        blocks.close_row()?;
                    }
                } else {
                    facts.note(name, &path, &text);
                    if !matches!(name, "first-name" | "middle-name") {
                        text.clear();
                    }
                }
            }
        }
        Ok(())
    })?;
    let (text, structure) = blocks.finish()?;
    Ok(Reading::from(Part {
        title: facts.title,
        metadata: facts.metadata,
        ..Part::extracted(text, structure)
    }))
}

fn in_body(path: &[String]) -> bool {
    path.get(1).is_some_and(|name| name == "body")
}

fn kind(name: &str, path: &[String]) -> Option<BlockKind> {
    let depth = path.iter().filter(|name| *name == "section").count().min(4) as u8;
    Some(match name {
        "p" if path.iter().any(|name| name == "title") => BlockKind::Heading(depth + 1),
        "subtitle" => BlockKind::Heading(depth + 2),
        "p" | "v" | "text-author" | "td" | "th" => BlockKind::Paragraph,
        _ => return None,
    })
}

#[derive(Default)]
struct Facts {
    title: String,
    metadata: Metadata,
    name: String,
}

impl Facts {
    fn note(&mut self, name: &str, path: &[String], text: &str) {
        if !path.iter().any(|name| name == "title-info") {
            return;
        }
        let in_author = path.last().is_some_and(|name| name == "author");
        match name {
            "book-title" => self.title = squeeze(text),
            "first-name" | "middle-name" | "last-name" | "nickname" if in_author => {
                self.name = squeeze(&format!("{} {text}", self.name));
            }
            "author" => add(
                &mut self.metadata,
                "author",
                &std::mem::take(&mut self.name),
            ),
            "genre" => add(&mut self.metadata, "genre", text),
            "lang" => put(&mut self.metadata, "language", text),
            "keywords" => put(&mut self.metadata, "keywords", text),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outline, part};

    #[test]
    fn sections_and_facts() {
        let found = part(
            "a.fb2",
            "<?xml version='1.0'?><FictionBook><description><title-info><author><first-name>A</first-name>\
             <last-name>B</last-name></author><book-title>Книга</book-title><lang>ru</lang></title-info></description>\
             <body><section><title><p>Глава</p></title><p>one <emphasis>two</emphasis></p></section></body>\
             <binary>AAAA</binary></FictionBook>"
                .as_bytes(),
        );
        assert_eq!(
            (found.title.as_str(), &found.metadata["author"]),
            ("Книга", &"A B".into())
        );
        assert_eq!(outline(&found), ["h2 Глава", "p one two"]);
    }
}
