//! EPUB: the chapters in the order of the spine, each read as HTML.

use std::collections::HashMap;

use kenning::document::{BlockKind, Metadata};

use super::archive::{Archive, resolve};
use super::blocks::{Blocks, squeeze};
use super::decode::{declared_in_html, decode};
use super::error::ExtractError;
use super::format::Format;
use super::html::{self, Page};
use super::limits::Context;
use super::metadata::{add, put, put_date};
use super::part::{Part, Reading, Warning};
use super::xml::{Node, walk_bytes};

const FORMAT: Format = Format::Epub;

/// Reads a book.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let mut archive = Archive::open(bytes, FORMAT, context)?;
    let package = package_name(&mut archive, context)?;
    let book = Package::read(&archive.require(&package)?, &package, context)?;
    let encrypted = archive
        .read("META-INF/encryption.xml")?
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let mut blocks = Blocks::new(context);
    let mut warnings = Vec::new();
    for name in &book.chapters {
        // Fonts are scrambled in many books; chapters only where the book is protected.
        if encrypted.contains(&format!("\"{name}\"")) {
            return Err(ExtractError::Encrypted { format: FORMAT });
        }
        let Some(bytes) = archive.read(name)? else {
            warnings.push(Warning::Damaged(format!("no entry {name}")));
            continue;
        };
        let declared = declared_in_html(&bytes);
        match decode(&bytes, declared.as_deref()) {
            Ok(decoded) => {
                html::read_into(&decoded.text, &mut blocks, &mut Page::default(), false)?
            }
            // A picture can be a chapter.
            Err(_) => blocks.push(BlockKind::Paragraph, "")?,
        }
    }
    let (text, structure) = blocks.finish()?;
    let part = Part {
        title: book.title,
        metadata: book.metadata,
        ..Part::extracted(text, structure)
    };
    Ok(Reading::new(vec![part], warnings))
}

fn package_name(archive: &mut Archive, context: &Context) -> Result<String, ExtractError> {
    let container = archive.require("META-INF/container.xml")?;
    let mut name = None;
    walk_bytes(&container, FORMAT, context, &mut |node| {
        if let Node::Open(element) = node
            && element.name() == "rootfile"
            && name.is_none()
        {
            name = element.attribute("full-path");
        }
        Ok(())
    })?;
    name.ok_or_else(|| ExtractError::damaged(FORMAT, "its container names no package"))
}

#[derive(Default)]
struct Package {
    title: String,
    metadata: Metadata,
    chapters: Vec<String>,
}

impl Package {
    fn read(bytes: &[u8], name: &str, context: &Context) -> Result<Self, ExtractError> {
        let mut package = Package::default();
        let mut items: HashMap<String, String> = HashMap::new();
        let mut text = String::new();
        walk_bytes(bytes, FORMAT, context, &mut |node| {
            match node {
                Node::Open(element) => {
                    text.clear();
                    let attribute = |name: &str| element.attribute(name).unwrap_or_default();
                    match element.name() {
                        "item" => {
                            let href = percent_decoded(&attribute("href"));
                            items.insert(attribute("id"), resolve(name, &href));
                        }
                        "itemref" => package
                            .chapters
                            .extend(items.get(&attribute("idref")).cloned()),
                        _ => {}
                    }
                }
                Node::Text(piece) => text.push_str(piece),
                Node::Close(name) => {
                    package.note(name, &text);
                    text.clear();
                }
            }
            Ok(())
        })?;
        Ok(package)
    }

    fn note(&mut self, name: &str, text: &str) {
        let metadata = &mut self.metadata;
        match name {
            "title" if self.title.is_empty() => self.title = squeeze(text),
            "creator" => add(metadata, "author", text),
            "subject" => add(metadata, "subject", text),
            "language" | "publisher" | "description" => put(metadata, name, text),
            "date" => put_date(metadata, "date", text),
            _ => {}
        }
    }
}

/// A link with its `%20` and the like resolved.
fn percent_decoded(link: &str) -> String {
    let bytes = link.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| {
                link.get(at + 1..at + 3)
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            })
            .flatten();
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outline, part, zip_of};

    #[test]
    fn chapters_in_the_order_of_the_spine() {
        let bytes = zip_of(&[
            ("mimetype", b"application/epub+zip"),
            ("META-INF/container.xml", b"<container><rootfiles><rootfile full-path='OPS/book.opf'/></rootfiles></container>"),
            ("OPS/book.opf", b"<package><metadata><dc:title>Book</dc:title><dc:creator>A</dc:creator><dc:creator>B</dc:creator></metadata>\
              <manifest><item id='one' href='c%201.xhtml'/><item id='two' href='c2.xhtml'/></manifest>\
              <spine><itemref idref='two'/><itemref idref='one'/></spine></package>"),
            ("OPS/c 1.xhtml", b"<html><body><h1>One</h1><p>first</p></body></html>"),
            ("OPS/c2.xhtml", b"<?xml version='1.0'?><html><head><title/></head><body><h1>Two</h1></body></html>"),
        ]);
        let found = part("a.epub", &bytes);
        assert_eq!(found.title, "Book");
        assert_eq!(outline(&found), ["h1 Two", "h1 One", "p first"]);
    }
}
