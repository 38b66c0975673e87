//! A walk over XML that cannot be made to explode: entities that a document declares are never
//! expanded, nothing outside of the text is fetched, depth and time are bounded.

use quick_xml::events::{BytesStart, Event};

use super::decode::{declared_in_xml, decode};
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;

/// Elements inside elements, at most.
const DEPTH: usize = 2000;

/// What the walk meets.
pub(super) enum Node<'a> {
    /// An element begins.
    Open(&'a Element<'a>),
    /// The element of this local name ends.
    Close(&'a str),
    /// Text, its references resolved. One run of text can come in several pieces.
    Text(&'a str),
}

/// The start of an element.
pub(super) struct Element<'a> {
    start: &'a BytesStart<'a>,
    name: &'a str,
}

impl Element<'_> {
    /// The name without its namespace prefix.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The value of the attribute of this local name.
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.start
            .attributes()
            .with_checks(false)
            .flatten()
            .find(|attribute| attribute.key.local_name().as_ref() == name)
            .map(|attribute| unescape(attribute.value.as_ref()))
    }

    /// Every attribute value.
    pub fn attributes(&self) -> Vec<(String, String)> {
        self.start
            .attributes()
            .with_checks(false)
            .flatten()
            .map(|attribute| {
                let name = attribute.key.local_name().as_ref().to_owned();
                (name, unescape(attribute.value.as_ref()))
            })
            .collect()
    }
}

fn unescape(value: &str) -> String {
    match quick_xml::escape::unescape(value) {
        Ok(text) => text.into_owned(),
        Err(_) => value.to_owned(),
    }
}

/// Walks `xml` and shows every node to `visit`.
///
/// # Errors
///
/// Whatever `visit` returns, [`ExtractError::Damaged`] of `format` for what is no XML, and
/// [`ExtractError::TimedOut`]. Nodes before the place of the error have been visited by then.
pub(super) fn walk(
    xml: &str,
    format: Format,
    context: &Context,
    visit: &mut dyn FnMut(Node) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    let mut depth = 0usize;
    let mut events = 0u32;
    loop {
        events = events.wrapping_add(1);
        if events.is_multiple_of(1024) {
            context.check_time()?;
        }
        let event = reader
            .read_event()
            .map_err(|error| ExtractError::damaged(format, error))?;
        match event {
            Event::Start(start) => {
                depth += 1;
                if depth > DEPTH {
                    return Err(ExtractError::damaged(format, "elements nested too deeply"));
                }
                open(&start, visit)?;
            }
            Event::Empty(start) => {
                open(&start, visit)?;
                visit(Node::Close(start.local_name().as_ref()))?;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                visit(Node::Close(end.local_name().as_ref()))?;
            }
            Event::Text(text) => visit(Node::Text(&text.xml10_content()))?,
            Event::CData(text) => visit(Node::Text(&text.xml10_content()))?,
            Event::GeneralRef(reference) => {
                if let Ok(Some(c)) = reference.resolve_char_ref() {
                    visit(Node::Text(c.encode_utf8(&mut [0; 4])))?;
                } else if let Some(text) = quick_xml::escape::resolve_predefined_entity(&reference)
                {
                    visit(Node::Text(text))?;
                } else {
                    // An entity that the document declares: shown as it is written.
                    visit(Node::Text(&format!("&{};", &*reference)))?;
                }
            }
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// Like [`walk`], for XML in bytes: in the encoding that it declares.
pub(super) fn walk_bytes(
    bytes: &[u8],
    format: Format,
    context: &Context,
    visit: &mut dyn FnMut(Node) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    let declared = declared_in_xml(bytes);
    let decoded = decode(bytes, declared.as_deref())
        .map_err(|_| ExtractError::damaged(format, "its XML is no text"))?;
    walk(&decoded.text, format, context, visit)
}

fn open(
    start: &BytesStart,
    visit: &mut dyn FnMut(Node) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    let name = start.local_name();
    visit(Node::Open(&Element {
        start,
        name: name.as_ref(),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::limits::Limits;
    use super::*;

    fn text_of(xml: &str) -> Result<String, ExtractError> {
        let limits = Limits::default();
        let mut all = String::new();
        walk(xml, Format::Xml, &Context::new(&limits), &mut |node| {
            if let Node::Text(text) = node {
                all.push_str(text);
            }
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn references_are_resolved_and_entities_are_not() {
        assert_eq!(
            text_of("<a>x &amp; &#x41;<b><![CDATA[<c>]]></b></a>").unwrap(),
            "x & A<c>"
        );
        let bomb = "<!DOCTYPE a [<!ENTITY b \"lol\"><!ENTITY c \"&b;&b;&b;\">\
                    <!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&c;&x;</a>";
        assert_eq!(text_of(bomb).unwrap(), "&c;&x;");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "<a>".repeat(100_000);
        assert!(matches!(text_of(&deep), Err(ExtractError::Damaged { .. })));
    }
}
