//! DOCX: the body, then notes, comments, headers and footers, diagrams and charts.

use std::collections::HashMap;

use kenning::document::BlockKind;

use super::archive::Archive;
use super::blocks::Blocks;
use super::docx_styles::{heading_by_name, outline_level, styles};
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::ooxml::{self, Relation};
use super::part::{Part, Reading, Warning};
use super::xml::{Element, Node, walk_bytes};
use super::{html, rtf};

const FORMAT: Format = Format::Docx;

/// Reads a document. Inserted text is shown, deleted text is not.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let mut archive = Archive::open(bytes, FORMAT, context)?;
    let main = ooxml::main_part(&mut archive, "word/document.xml", FORMAT, context)?;
    let relations = ooxml::relations(&mut archive, &main, FORMAT, context)?;
    let target = |kind: &str| first_target(&relations, kind);
    let styles = match target("styles") {
        Some(name) => styles(&mut archive, &name, context)?,
        None => HashMap::new(),
    };
    let mut blocks = Blocks::new(context);
    let mut warnings = Vec::new();
    let body = archive.require(&main)?;
    let result = story(&body, &styles, &mut blocks, context);
    damage_is_a_warning(result, &blocks, &mut warnings)?;
    for kind in ["footnotes", "endnotes", "comments"] {
        if let Some(name) = target(kind)
            && let Some(bytes) = archive.read(&name)?
        {
            let result = story(&bytes, &styles, &mut blocks, context);
            damage_is_a_warning(result, &blocks, &mut warnings)?;
        }
    }
    margins(&mut archive, &relations, &styles, &mut blocks, context)?;
    foreign(
        &mut archive,
        &relations,
        &mut blocks,
        &mut warnings,
        context,
    )?;
    let folder = main
        .rsplit_once('/')
        .map_or(String::new(), |(folder, _)| format!("{folder}/"));
    for kind in ["diagrams/data", "charts/chart"] {
        for name in archive.names_where(|name| {
            name.starts_with(&format!("{folder}{kind}")) && name.ends_with(".xml")
        }) {
            ooxml::drawing(&mut archive, &name, FORMAT, context, &mut blocks)?;
        }
    }
    let (title, metadata) = ooxml::properties(&mut archive, FORMAT, context)?;
    let (text, structure) = blocks.finish()?;
    let part = Part {
        title,
        metadata,
        ..Part::extracted(text, structure)
    };
    Ok(Reading::new(vec![part], warnings))
}

/// A document that breaks off keeps the text before that place; one with none is an error.
fn damage_is_a_warning(
    result: Result<(), ExtractError>,
    blocks: &Blocks,
    warnings: &mut Vec<Warning>,
) -> Result<(), ExtractError> {
    match result {
        Err(ExtractError::Damaged { reason, .. }) if !blocks.is_empty() => {
            warnings.push(Warning::Damaged(reason));
            Ok(())
        }
        result => result,
    }
}

fn first_target(relations: &HashMap<String, Relation>, kind: &str) -> Option<String> {
    let mut targets: Vec<&String> = relations
        .values()
        .filter(|relation| relation.kind == kind)
        .map(|relation| &relation.target)
        .collect();
    targets.sort();
    targets.first().map(|target| (*target).clone())
}

/// Headers and footers, each text once however many sections repeat it.
fn margins(
    archive: &mut Archive,
    relations: &HashMap<String, Relation>,
    styles: &HashMap<String, u8>,
    blocks: &mut Blocks,
    context: &Context,
) -> Result<(), ExtractError> {
    let mut names: Vec<&String> = relations
        .values()
        .filter(|relation| relation.kind == "header" || relation.kind == "footer")
        .map(|relation| &relation.target)
        .collect();
    names.sort();
    names.dedup();
    let mut seen = Vec::new();
    for name in names {
        let Some(bytes) = archive.read(name)? else {
            continue;
        };
        let mut margin = Blocks::new(context);
        match story(&bytes, styles, &mut margin, context) {
            Ok(()) | Err(ExtractError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        let (text, _) = margin.finish()?;
        if text.chars().any(char::is_alphabetic) && !seen.contains(&text) {
            blocks.push(BlockKind::Paragraph, &text)?;
            seen.push(text);
        }
    }
    Ok(())
}

/// Pieces of other formats that the document takes in whole.
fn foreign(
    archive: &mut Archive,
    relations: &HashMap<String, Relation>,
    blocks: &mut Blocks,
    warnings: &mut Vec<Warning>,
    context: &Context,
) -> Result<(), ExtractError> {
    let mut names: Vec<&String> = relations
        .values()
        .filter(|relation| relation.kind == "aFChunk")
        .map(|relation| &relation.target)
        .collect();
    names.sort();
    for name in names {
        let Some(bytes) = archive.read(name)? else {
            continue;
        };
        let part = if bytes.starts_with(b"{\\rtf") {
            rtf::read(&bytes, context)?.parts.remove(0)
        } else if bytes.starts_with(b"PK") {
            warnings.push(Warning::Attachment {
                name: name.clone(),
                reason: "a document inside of the document".to_owned(),
            });
            continue;
        } else if name.ends_with(".mht") || name.ends_with(".mhtml") {
            super::mail::read(&bytes, context)?.parts.remove(0)
        } else {
            html::read(&bytes, context)?.0
        };
        blocks.push(BlockKind::Paragraph, &part.text)?;
    }
    Ok(())
}

/// A paragraph under way; text boxes put paragraphs inside of paragraphs.
#[derive(Default)]
struct Paragraph {
    text: String,
    heading: Option<u8>,
    is_item: bool,
}

/// Elements whose content is not shown: deleted text, the older twin of a drawing, properties of moves.
const HIDDEN: &[&str] = &[
    "del",
    "moveFrom",
    "Fallback",
    "delText",
    "instrText",
    "delInstrText",
    "sdtPr",
    "binData",
];

/// Reads the body, the notes, a header: anything made of paragraphs and tables.
fn story(
    bytes: &[u8],
    styles: &HashMap<String, u8>,
    blocks: &mut Blocks,
    context: &Context,
) -> Result<(), ExtractError> {
    let mut open: Vec<Paragraph> = Vec::new();
    let mut hidden = 0usize;
    let mut in_text = 0usize;
    // In tables of properties a `tab` is a stop, not a character.
    let mut in_properties = 0usize;
    let rendered = bytes
        .windows(22)
        .any(|window| window == b"lastRenderedPageBreak/");
    let mut page = 1;
    if rendered {
        blocks.set_page(page);
    }
    walk_bytes(bytes, FORMAT, context, &mut |node| {
        match node {
            Node::Open(element) if HIDDEN.contains(&element.name()) => hidden += 1,
            Node::Close(name) if HIDDEN.contains(&name) => hidden = hidden.saturating_sub(1),
            _ if hidden > 0 => {}
            Node::Open(element) => match element.name() {
                "p" if open.len() < 64 => open.push(Paragraph::default()),
                "t" => in_text += 1,
                "pPr" | "tabs" => in_properties += 1,
                "tr" => blocks.open_row(),
                "tc" => blocks.open_cell(),
                "lastRenderedPageBreak" => {
                    page += 1;
                    if open
                        .last()
                        .is_none_or(|paragraph| paragraph.text.trim().is_empty())
                    {
                        blocks.set_page(page);
                    }
                }
                _ => {
                    if let Some(paragraph) = open.last_mut() {
                        inside(element, paragraph, styles, in_properties > 0);
                    }
                }
            },
            Node::Text(text) => {
                if in_text > 0
                    && let Some(paragraph) = open.last_mut()
                {
                    paragraph.text.push_str(text);
                }
            }
            Node::Close(name) => match name {
                "p" => {
                    if let Some(paragraph) = open.pop() {
                        push(blocks, &paragraph)?;
                        if rendered {
                            blocks.set_page(page);
                        }
                    }
                }
                "t" => in_text = in_text.saturating_sub(1),
                "pPr" | "tabs" => in_properties = in_properties.saturating_sub(1),
                "tr" => blocks.close_row()?,
                _ => {}
            },
        }
        Ok(())
    })?;
    while let Some(paragraph) = open.pop() {
        push(blocks, &paragraph)?;
    }
    Ok(())
}

fn push(blocks: &mut Blocks, paragraph: &Paragraph) -> Result<(), ExtractError> {
    let kind = match paragraph.heading {
        Some(level) => BlockKind::Heading(level),
        None if paragraph.is_item => BlockKind::ListItem,
        None => BlockKind::Paragraph,
    };
    blocks.push(kind, &paragraph.text)
}

fn inside(
    element: &Element,
    paragraph: &mut Paragraph,
    styles: &HashMap<String, u8>,
    in_properties: bool,
) {
    match element.name() {
        "pStyle" => {
            let style = element.attribute("val").unwrap_or_default();
            paragraph.heading = styles
                .get(&style)
                .copied()
                .or_else(|| heading_by_name(&style));
        }
        "outlineLvl" => {
            let level = element.attribute("val").unwrap_or_default();
            paragraph.heading = paragraph.heading.or(outline_level(&level));
        }
        "numId" => paragraph.is_item = element.attribute("val").as_deref() != Some("0"),
        "tab" | "ptab" if !in_properties => paragraph.text.push('\t'),
        "br" | "cr" => paragraph.text.push('\n'),
        "noBreakHyphen" => paragraph.text.push('-'),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kenning::document::Value;

    use super::super::testing::{outline, part, read, zip_of};
    use super::*;

    fn docx(body: &str) -> Vec<u8> {
        let document =
            format!("<w:document xmlns:w='w' xmlns:mc='mc'><w:body>{body}</w:body></w:document>");
        zip_of(&[
            ("_rels/.rels", b"<Relationships><Relationship Id='r' Type='x/officeDocument' Target='word/document.xml'/></Relationships>"),
            ("word/document.xml", document.as_bytes()),
            ("word/_rels/document.xml.rels", b"<R><Relationship Id='a' Type='x/styles' Target='styles.xml'/><Relationship Id='b' Type='x/footnotes' Target='footnotes.xml'/><Relationship Id='c' Type='x/header' Target='header1.xml'/></R>"),
            ("word/styles.xml", b"<w:styles><w:style w:styleId='U1'><w:name w:val='heading 2'/></w:style><w:style w:styleId='Mine'><w:basedOn w:val='U1'/></w:style></w:styles>"),
            ("word/footnotes.xml", b"<w:footnotes><w:p><w:r><w:t>a note</w:t></w:r></w:p></w:footnotes>"),
            ("word/header1.xml", b"<w:hdr><w:p><w:r><w:t>the header</w:t></w:r></w:p></w:hdr>"),
            ("docProps/core.xml", b"<p><dc:title>T</dc:title><dc:creator>Ann</dc:creator><dcterms:created>2020-01-02T03:04:05Z</dcterms:created></p>"),
        ])
    }

    #[test]
    fn everything_in_its_place() {
        let found = part(
            "a.docx",
            &docx(
                "<w:p><w:pPr><w:pStyle w:val='Mine'/></w:pPr><w:r><w:t>Head</w:t></w:r></w:p>\
             <w:p><w:r><w:t>old </w:t></w:r><w:ins><w:r><w:t>new</w:t></w:r></w:ins>\
                <w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:tab/><w:t>x</w:t><w:br/><w:t>y</w:t></w:r></w:p>\
             <w:p><w:pPr><w:numPr><w:numId w:val='1'/></w:numPr></w:pPr><w:r><w:t>item</w:t></w:r></w:p>\
             <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>\
             <w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p></w:txbxContent></mc:Choice>\
                <mc:Fallback><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent><w:t>around</w:t></w:r></w:p>",
            ),
        );
        assert_eq!(
            outline(&found),
            [
                "h2 Head",
                "p old new x\ny",
                "l item",
                "r a | b",
                "p box",
                "p around",
                "p a note",
                "p the header"
            ]
        );
        assert_eq!(found.title, "T");
        assert_eq!(found.metadata["author"], Value::from("Ann"));
        assert_eq!(found.metadata["date"], Value::from("2020-01-02T03:04:05Z"));
    }

    #[test]
    fn damage_keeps_what_stands_before_it() {
        let found = read(
            "a.docx",
            &docx("<w:p><w:r><w:t>kept</w:t></w:r></w:p><w:p><![CDATA["),
        )
        .unwrap();
        assert!(found.parts[0].text.starts_with("kept"));
        assert!(matches!(found.warnings[0], Warning::Damaged(_)));
        let broken = zip_of(&[
            ("word/document.xml", b"<w:document><![CDATA["),
            ("[Content_Types].xml", b"<T/>"),
        ]);
        assert!(matches!(
            read("a.docx", &broken),
            Err(ExtractError::Damaged { .. })
        ));
    }
}
