//! XPS: pages of positioned glyph runs, put together to lines and paragraphs.

use kenning::document::BlockKind;

use super::archive::{Archive, resolve};
use super::blocks::Blocks;
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::ooxml;
use super::part::{Part, Reading};
use super::xml::{Node, walk_bytes};

const FORMAT: Format = Format::Xps;

/// Reads the pages of a document.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let mut archive = Archive::open(bytes, FORMAT, context)?;
    let mut blocks = Blocks::new(context);
    for (page, number) in pages(&mut archive, context)?.iter().zip(1..) {
        blocks.set_page(number);
        let Some(bytes) = archive.read(page)? else {
            continue;
        };
        for paragraph in paragraphs(&runs(&bytes, context)?) {
            blocks.push(BlockKind::Paragraph, &paragraph)?;
        }
    }
    let (title, metadata) = ooxml::properties(&mut archive, FORMAT, context)?;
    let (text, structure) = blocks.finish()?;
    Ok(Reading::from(Part {
        title,
        metadata,
        ..Part::extracted(text, structure)
    }))
}

/// The pages in the order that the fixed documents give them, else in the order of their names.
fn pages(archive: &mut Archive, context: &Context) -> Result<Vec<String>, ExtractError> {
    let mut pages = Vec::new();
    for document in archive.names_where(|name| name.to_ascii_lowercase().ends_with(".fdoc")) {
        let Some(bytes) = archive.read(&document)? else {
            continue;
        };
        walk_bytes(&bytes, FORMAT, context, &mut |node| {
            if let Node::Open(element) = node
                && element.name() == "PageContent"
                && let Some(source) = element.attribute("Source")
            {
                pages.push(resolve(&document, &source));
            }
            Ok(())
        })?;
    }
    if pages.is_empty() {
        pages = archive.names_where(|name| name.to_ascii_lowercase().ends_with(".fpage"));
    }
    Ok(pages)
}

/// Glyphs that stand together.
struct Run {
    x: f64,
    y: f64,
    size: f64,
    text: String,
}

fn runs(bytes: &[u8], context: &Context) -> Result<Vec<Run>, ExtractError> {
    let mut runs = Vec::new();
    walk_bytes(bytes, FORMAT, context, &mut |node| {
        if let Node::Open(element) = node
            && element.name() == "Glyphs"
            && let Some(text) = element.attribute("UnicodeString")
        {
            let number = |name: &str| {
                element
                    .attribute(name)
                    .and_then(|value| value.parse().ok())
                    .unwrap_or(0.0)
            };
            runs.push(Run {
                x: number("OriginX"),
                y: number("OriginY"),
                size: number("FontRenderingEmSize").max(1.0),
                // A text that begins with a brace is escaped by an empty pair.
                text: text.strip_prefix("{}").unwrap_or(&text).to_owned(),
            });
        }
        Ok(())
    })?;
    Ok(runs)
}

/// Runs on one height make a line, lines close to each other a paragraph.
fn paragraphs(runs: &[Run]) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut last: Option<(f64, f64)> = None;
    for run in runs {
        let same_line = last.is_some_and(|(_, y)| (run.y - y).abs() < run.size * 0.3);
        let next_line = last.is_some_and(|(_, y)| run.y > y && run.y - y < run.size * 1.9);
        match paragraphs.last_mut() {
            Some(paragraph) if same_line => {
                // Runs carry their own spaces; a jump to the right is a gap between columns.
                let end = last.map_or(0.0, |(x, _)| x);
                if run.x > end + run.size * 0.25 && !paragraph.ends_with(' ') {
                    paragraph.push(' ');
                }
                paragraph.push_str(&run.text);
            }
            Some(paragraph) if next_line => {
                paragraph.push(' ');
                paragraph.push_str(&run.text);
            }
            _ => paragraphs.push(run.text.clone()),
        }
        // Half an em is the usual width of a letter.
        let width = run.text.chars().count() as f64 * run.size * 0.5;
        last = Some((run.x + width, run.y));
    }
    paragraphs
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outline, part, zip_of};

    #[test]
    fn glyphs_become_paragraphs() {
        let page = "<FixedPage><Glyphs OriginX='0' OriginY='10' FontRenderingEmSize='10' UnicodeString='one '/>\
            <Glyphs OriginX='20' OriginY='10' FontRenderingEmSize='10' UnicodeString='two'/>\
            <Glyphs OriginX='0' OriginY='22' FontRenderingEmSize='10' UnicodeString='three'/>\
            <Glyphs OriginX='0' OriginY='80' FontRenderingEmSize='10' UnicodeString='{}{four}'/></FixedPage>";
        let bytes = zip_of(&[
            ("FixedDocSeq.fdseq", b"<x/>"),
            ("Documents/1/Pages/1.fpage", page.as_bytes()),
        ]);
        assert_eq!(
            outline(&part("a.xps", &bytes)),
            ["p@1 one two three", "p@1 {four}"]
        );
    }
}
