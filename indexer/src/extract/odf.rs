//! OpenDocument: text documents and presentations, packed or as one flat XML file.

use kenning::document::{BlockKind, Metadata};

use super::archive::Archive;
use super::blocks::{Blocks, squeeze};
use super::decode::{declared_in_xml, decode};
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::metadata::{add, put, put_date};
use super::part::{Part, Reading};
use super::xml::{Element, Node, walk, walk_bytes};

/// Reads a document. Deleted text of tracked changes is not shown; comments and notes follow the
/// paragraph that they stand in.
pub(super) fn read(
    format: Format,
    bytes: &[u8],
    context: &Context,
) -> Result<Reading, ExtractError> {
    let mut blocks = Blocks::new(context);
    let mut facts = Facts::default();
    if bytes.starts_with(b"PK") {
        let mut archive = Archive::open(bytes, format, context)?;
        if let Some(manifest) = archive.read("META-INF/manifest.xml")?
            && manifest
                .windows(15)
                .any(|window| window == b"encryption-data")
        {
            return Err(ExtractError::Encrypted { format });
        }
        let content = archive.require("content.xml")?;
        body(&decode_xml(&content, format)?, format, &mut blocks, context)?;
        if let Some(styles) = archive.read("styles.xml")? {
            margins(&styles, format, &mut blocks, context)?;
        }
        if let Some(meta) = archive.read("meta.xml")? {
            facts.read(&decode_xml(&meta, format)?, format, context)?;
        }
    } else {
        let xml = decode_xml(bytes, format)?;
        body(&xml, format, &mut blocks, context)?;
        facts.read(&xml, format, context)?;
    }
    let (text, structure) = blocks.finish()?;
    Ok(Reading::from(Part {
        title: facts.title,
        metadata: facts.metadata,
        ..Part::extracted(text, structure)
    }))
}

fn decode_xml(bytes: &[u8], format: Format) -> Result<String, ExtractError> {
    let declared = declared_in_xml(bytes);
    decode(bytes, declared.as_deref())
        .map(|decoded| decoded.text)
        .map_err(|_| ExtractError::damaged(format, "its XML is no text"))
}

#[derive(Default)]
struct Facts {
    title: String,
    metadata: Metadata,
}

impl Facts {
    fn read(&mut self, xml: &str, format: Format, context: &Context) -> Result<(), ExtractError> {
        let mut inside = 0usize;
        let mut text = String::new();
        walk(xml, format, context, &mut |node| {
            match node {
                Node::Open(element) => {
                    text.clear();
                    inside += usize::from(element.name() == "meta");
                }
                Node::Text(piece) if inside > 0 => text.push_str(piece),
                Node::Text(_) => {}
                Node::Close(name) => {
                    if inside > 0 {
                        self.note(name, &text);
                    }
                    inside = inside.saturating_sub(usize::from(name == "meta"));
                    text.clear();
                }
            }
            Ok(())
        })
    }

    fn note(&mut self, name: &str, text: &str) {
        let metadata = &mut self.metadata;
        match name {
            "title" => self.title = squeeze(text),
            "creator" | "initial-creator" => put(metadata, "author", text),
            "keyword" => add(metadata, "keywords", text),
            "subject" | "description" | "language" => put(metadata, name, text),
            "creation-date" => {
                put_date(metadata, "created", text);
                put_date(metadata, "date", text);
            }
            // `dc:date` is when the document was changed last.
            "date" => put_date(metadata, "modified", text),
            _ => {}
        }
    }
}

/// A paragraph or heading under way; notes, comments and frames put paragraphs inside of paragraphs.
struct Paragraph {
    kind: BlockKind,
    text: String,
}

/// Elements whose content is not shown.
const HIDDEN: &[&str] = &[
    "tracked-changes",
    "forms",
    "script",
    "scripts",
    "event-listeners",
    "binary-data",
    "creator",
    "date-string",
    "note-citation",
    "meta",
    "settings",
    "styles",
    "automatic-styles",
    "master-styles",
    "ruby-text",
    "sender-initials",
];

/// Reads the content into blocks.
fn body(
    xml: &str,
    format: Format,
    blocks: &mut Blocks,
    context: &Context,
) -> Result<(), ExtractError> {
    let mut open: Vec<Paragraph> = Vec::new();
    let mut hidden = 0usize;
    let mut lists = 0usize;
    let mut page = 0u32;
    let mut title = false;
    let mut comments = 0usize;
    walk(xml, format, context, &mut |node| {
        match node {
            Node::Open(element) if HIDDEN.contains(&element.name()) => hidden += 1,
            Node::Close(name) if HIDDEN.contains(&name) => hidden = hidden.saturating_sub(1),
            // The date of a comment; dates elsewhere are text.
            Node::Open(element) if comments > 0 && element.name() == "date" => hidden += 1,
            Node::Close("date") if comments > 0 => hidden = hidden.saturating_sub(1),
            _ if hidden > 0 => {}
            Node::Open(element) => match element.name() {
                "annotation" => comments += 1,
                "page" => {
                    page += 1;
                    blocks.set_page(page);
                }
                "frame" => title = element.attribute("class").as_deref() == Some("title"),
                "list-item" => lists += 1,
                "table-row" => blocks.open_row(),
                "table-cell" => blocks.open_cell(),
                "p" | "h" if open.len() < 64 => {
                    let kind = match element.name() {
                        "h" => BlockKind::Heading(level(element)),
                        _ if title => BlockKind::Heading(1),
                        _ if lists > 0 && open.is_empty() => BlockKind::ListItem,
                        _ => BlockKind::Paragraph,
                    };
                    open.push(Paragraph {
                        kind,
                        text: String::new(),
                    });
                }
                name => {
                    if let Some(paragraph) = open.last_mut() {
                        paragraph.text.push_str(match name {
                            "s" | "tab" => " ",
                            "line-break" => "\n",
                            // What a picture is called and shows.
                            "title" | "desc" => " ",
                            _ => "",
                        });
                    }
                }
            },
            Node::Text(text) => {
                if let Some(paragraph) = open.last_mut() {
                    paragraph.text.push_str(&text.replace(['\n', '\r'], " "));
                }
            }
            Node::Close(name) => match name {
                "p" | "h" => {
                    if let Some(paragraph) = open.pop() {
                        blocks.push(paragraph.kind, &paragraph.text)?;
                    }
                }
                "frame" => title = false,
                "title" | "desc" => {
                    if let Some(paragraph) = open.last_mut() {
                        paragraph.text.push(' ');
                    }
                }
                "annotation" => comments = comments.saturating_sub(1),
                "list-item" => lists = lists.saturating_sub(1),
                "table-row" => blocks.close_row()?,
                _ => {}
            },
        }
        Ok(())
    })
}

fn level(element: &Element) -> u8 {
    element
        .attribute("outline-level")
        .and_then(|level| level.parse().ok())
        .map_or(1, |level: u8| level.clamp(1, 6))
}

/// Headers and footers, which stand with the page styles: each text once.
fn margins(
    bytes: &[u8],
    format: Format,
    blocks: &mut Blocks,
    context: &Context,
) -> Result<(), ExtractError> {
    let mut inside = 0usize;
    let mut text = String::new();
    let mut seen: Vec<String> = Vec::new();
    let result = walk_bytes(bytes, format, context, &mut |node| {
        let is_margin = |name: &str| {
            ["header", "footer"].iter().any(|kind| {
                name.strip_prefix(kind)
                    .is_some_and(|rest| ["", "-left", "-first"].contains(&rest))
            })
        };
        match node {
            Node::Open(element) => {
                inside += usize::from(is_margin(element.name()));
                if matches!(element.name(), "s" | "tab" | "line-break") {
                    text.push(' ');
                }
            }
            Node::Text(piece) if inside > 0 => text.push_str(piece),
            Node::Text(_) => {}
            Node::Close("p") => text.push('\n'),
            Node::Close(name) if is_margin(name) => {
                inside = inside.saturating_sub(1);
                let margin = std::mem::take(&mut text);
                if margin.chars().any(char::is_alphabetic) && !seen.contains(&margin) {
                    blocks.push(BlockKind::Paragraph, &margin)?;
                    seen.push(margin);
                }
            }
            Node::Close(_) => {
                if inside == 0 {
                    text.clear();
                }
            }
        }
        Ok(())
    });
    match result {
        // Page styles are a trifle: the text was read before.
        Ok(()) | Err(ExtractError::Damaged { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outline, part, read, zip_of};
    use super::super::{ExtractError, Format};

    const CONTENT: &[u8] = b"<office:document-content><office:body><office:text>\
        <text:tracked-changes><text:p>gone</text:p></text:tracked-changes>\
        <text:h text:outline-level='2'>Head</text:h><text:p>a<text:s text:c='3'/>b<text:note><text:note-citation>1</text:note-citation>\
        <text:note-body><text:p>note</text:p></text:note-body></text:note> c</text:p>\
        <text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>\
        <table:table><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell>\
        <table:table-cell><text:p>y</text:p></table:table-cell></table:table-row></table:table>\
        </office:text></office:body></office:document-content>";

    #[test]
    fn what_a_picture_is_called_does_not_run_into_the_text() {
        let content =
            b"<o><office:body><office:text><text:p>before<draw:frame><svg:title>name</svg:title>\
            <svg:desc>a cat</svg:desc></draw:frame>after</text:p></office:text></office:body></o>";
        let bytes = zip_of(&[
            ("mimetype", b"application/vnd.oasis.opendocument.text"),
            ("content.xml", content),
        ]);
        assert_eq!(part("a.odt", &bytes).text, "before name a cat after");
    }

    #[test]
    fn a_text_document() {
        let bytes = zip_of(&[
            ("mimetype", b"application/vnd.oasis.opendocument.text"),
            ("content.xml", CONTENT),
            ("styles.xml", b"<s><style:master-page><style:footer><text:p>foot</text:p></style:footer></style:master-page></s>"),
            ("meta.xml", b"<office:meta><dc:title>T</dc:title><meta:creation-date>2001-02-03T04:05:06</meta:creation-date></office:meta>"),
        ]);
        let found = part("a.odt", &bytes);
        assert_eq!(found.title, "T");
        assert_eq!(
            outline(&found),
            [
                "h2 Head", "p note", "p a b c", "l item", "r x | y", "p foot"
            ]
        );
        assert_eq!(found.metadata["date"], "2001-02-03T04:05:06Z".into());
    }

    #[test]
    fn an_encrypted_document_is_said_to_be_so() {
        let bytes = zip_of(&[
            ("mimetype", b"application/vnd.oasis.opendocument.text"),
            ("META-INF/manifest.xml", b"<manifest:encryption-data/>"),
            ("content.xml", b"\x01\x02"),
        ]);
        assert_eq!(
            read("a.odt", &bytes),
            Err(ExtractError::Encrypted {
                format: Format::Odt
            })
        );
    }
}
