//! XML of no known kind: its text, an element a paragraph.

use kenning::document::BlockKind;

use super::blocks::{Blocks, squeeze};
use super::decode::{declared_in_xml, decode};
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::part::{Part, Reading};
use super::xml::{Node, walk};

/// Elements that stand inside of a line in the vocabularies that people write documents in.
const INLINE: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "b",
    "bold",
    "cite",
    "citetitle",
    "code",
    "command",
    "del",
    "em",
    "emphasis",
    "ext-link",
    "filename",
    "firstterm",
    "foreignphrase",
    "hi",
    "i",
    "ins",
    "italic",
    "link",
    "literal",
    "option",
    "ph",
    "phrase",
    "q",
    "quote",
    "ref",
    "replaceable",
    "sc",
    "span",
    "strong",
    "sub",
    "sup",
    "subscript",
    "superscript",
    "tspan",
    "tt",
    "u",
    "uicontrol",
    "ulink",
    "userinput",
    "varname",
    "xref",
];

/// Reads the text of an XML file.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let declared = declared_in_xml(bytes);
    let decoded = decode(bytes, declared.as_deref())?;
    let mut blocks = Blocks::new(context);
    let mut buffer = String::new();
    let mut title = String::new();
    let mut hidden = 0usize;
    walk(&decoded.text, Format::Xml, context, &mut |node| {
        match node {
            Node::Open(element) if matches!(element.name(), "script" | "style") => hidden += 1,
            Node::Close("script" | "style") => hidden = hidden.saturating_sub(1),
            Node::Text(text) if hidden == 0 => buffer.push_str(&text.replace(['\n', '\r'], " ")),
            Node::Open(element) if !INLINE.contains(&element.name()) => {
                blocks.push(BlockKind::Paragraph, &std::mem::take(&mut buffer))?;
            }
            Node::Close(name @ ("title" | "head")) => {
                let text = squeeze(&std::mem::take(&mut buffer));
                if title.is_empty() && name == "title" {
                    title.clone_from(&text);
                }
                blocks.push(BlockKind::Heading(2), &text)?;
            }
            Node::Close(name) if !INLINE.contains(&name) => {
                blocks.push(BlockKind::Paragraph, &std::mem::take(&mut buffer))?;
            }
            _ => {}
        }
        Ok(())
    })?;
    blocks.push(BlockKind::Paragraph, &buffer)?;
    let (text, structure) = blocks.finish()?;
    let part = Part {
        title,
        ..Part::extracted(text, structure)
    };
    Ok(Reading::from(part).with_encoding(decoded.charset.name()))
}

#[cfg(test)]
mod tests {
    use super::super::ExtractError;
    use super::super::testing::{outline, part, read};

    #[test]
    fn elements_are_paragraphs() {
        let found = part(
            "a.xml",
            b"<?xml version='1.0'?><book><title>T</title><para>one <emphasis>two</emphasis>\n three</para><para>&lt;4</para></book>",
        );
        assert_eq!(found.title, "T");
        assert_eq!(outline(&found), ["h2 T", "p one two three", "p <4"]);
        assert!(matches!(
            read("a.xml", b"<?xml version='1.0'?><a"),
            Err(ExtractError::Damaged { .. })
        ));
    }
}
