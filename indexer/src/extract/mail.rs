//! E-mail messages (RFC 5322 with MIME).

use kenning::document::{BlockKind, Metadata};
use mail_parser::{Address, Message, MessageParser, MimeHeaders, PartType};

use super::blocks::{Blocks, squeeze};
use super::embedded::embed;
use super::error::ExtractError;
use super::format::Format;
use super::html::{self, Page};
use super::html_names;
use super::limits::Context;
use super::metadata::{add, put, put_date};
use super::part::{Part, Reading, Warning};

/// Reads one message.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let message = MessageParser::default()
        .parse(bytes)
        .ok_or_else(|| ExtractError::damaged(Format::Eml, "no header fields"))?;
    let mut warnings = Vec::new();
    let part = part(&message, context, &mut warnings)?;
    Ok(Reading::new(vec![part], warnings))
}

/// The document that a message is.
fn part(
    message: &Message,
    context: &Context,
    warnings: &mut Vec<Warning>,
) -> Result<Part, ExtractError> {
    let mut blocks = Blocks::new(context);
    let mut metadata = Metadata::new();
    let title = squeeze(message.subject().unwrap_or_default());
    people(message, &mut blocks, &mut metadata)?;
    content(message, &mut blocks, context, warnings)?;
    let (text, structure) = blocks.finish()?;
    Ok(Part {
        title,
        metadata,
        ..Part::extracted(text, structure)
    })
}

/// Who wrote to whom and when: as facts, and as text, so that it is found.
fn people(
    message: &Message,
    blocks: &mut Blocks,
    metadata: &mut Metadata,
) -> Result<(), ExtractError> {
    let mut lines = String::new();
    for (name, label, addresses) in [
        ("from", "From", message.from()),
        ("to", "To", message.to()),
        ("cc", "Cc", message.cc()),
    ] {
        let people = addresses.map(address_texts).unwrap_or_default();
        for person in &people {
            add(metadata, name, person);
            if name == "from" {
                add(metadata, "author", person);
            }
        }
        if !people.is_empty() {
            lines.push_str(&format!("{label}: {}\n", people.join(", ")));
        }
    }
    if let Some(date) = message.date() {
        let date = date.to_rfc3339();
        put_date(metadata, "date", &date);
        lines.push_str(&format!(
            "Date: {}\n",
            date.split('T').next().unwrap_or_default()
        ));
    }
    put(metadata, "subject", message.subject().unwrap_or_default());
    put(
        metadata,
        "message_id",
        message.message_id().unwrap_or_default(),
    );
    blocks.push(BlockKind::Paragraph, &lines)
}

fn address_texts(addresses: &Address) -> Vec<String> {
    addresses
        .iter()
        .filter_map(|address| match (address.name(), address.address()) {
            (Some(name), Some(address)) => Some(squeeze(&format!("{name} <{address}>"))),
            (Some(one), None) | (None, Some(one)) => Some(squeeze(one)),
            (None, None) => None,
        })
        .filter(|text| !text.is_empty())
        .collect()
}

/// The bodies of a message, plain text where there is some, and its attachments.
fn content(
    message: &Message,
    blocks: &mut Blocks,
    context: &Context,
    warnings: &mut Vec<Warning>,
) -> Result<(), ExtractError> {
    for index in 0..message.text_body_count() {
        let Some(part) = message.text_part(index as u32) else {
            continue;
        };
        match &part.body {
            PartType::Html(html) => html::read_into(html, blocks, &mut Page::default(), false)?,
            PartType::Text(text) if html_names::sniff(text) => {
                html::read_into(text, blocks, &mut Page::default(), false)?;
            }
            PartType::Text(text) => blocks.push_paragraphs(&unfold(text, part))?,
            _ => {}
        }
    }
    for part in message.attachments() {
        let name = part.attachment_name().map(squeeze).unwrap_or_default();
        match &part.body {
            PartType::Message(inner) => forwarded(inner, &name, blocks, context, warnings)?,
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                embed(named(&name, part), bytes, context, blocks, warnings)?;
            }
            PartType::Text(text) | PartType::Html(text) => {
                embed(
                    named(&name, part),
                    text.as_bytes(),
                    context,
                    blocks,
                    warnings,
                )?;
            }
            PartType::Multipart(_) => {}
        }
    }
    Ok(())
}

/// A name for an attachment that has none.
fn named<'n>(name: &'n str, part: &impl MimeHeaders<'n>) -> &'n str {
    if !name.is_empty() {
        name
    } else if part.is_content_type("text", "html") {
        "attachment.html"
    } else {
        "attachment"
    }
}

fn forwarded(
    inner: &Message,
    name: &str,
    blocks: &mut Blocks,
    context: &Context,
    warnings: &mut Vec<Warning>,
) -> Result<(), ExtractError> {
    let subject = squeeze(inner.subject().unwrap_or_default());
    let title = if subject.is_empty() { name } else { &subject };
    let Some(nested) = context.nested() else {
        warnings.push(Warning::Attachment {
            name: title.to_owned(),
            reason: "it is nested too deeply".to_owned(),
        });
        return Ok(());
    };
    blocks.push(BlockKind::Heading(2), title)?;
    people(inner, blocks, &mut Metadata::new())?;
    content(inner, blocks, &nested, warnings)
}

/// Text of `format=flowed` (RFC 3676): a line that ends in a blank goes on in the next.
fn unfold<'x>(text: &str, part: &impl MimeHeaders<'x>) -> String {
    let flowed = part
        .content_type()
        .and_then(|kind| kind.attribute("format"))
        .is_some_and(|format| format.eq_ignore_ascii_case("flowed"));
    if !flowed {
        return text.to_owned();
    }
    text.replace("\r\n", "\n")
        .replace("\n-- \n", "\n--\n")
        .replace(" \n", " ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::{outline, part, read};

    #[test]
    fn a_message_with_an_attachment() {
        let found = part(
            "a.eml",
            b"From: =?utf-8?q?J=C3=BCrgen?= <j@x.org>\r\nTo: a@x.org, B <b@x.org>\r\nSubject: Hello\r\n\
              Date: Tue, 05 Mar 2024 10:00:00 +0100\r\nMIME-Version: 1.0\r\n\
              Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n\
              <p>Gr\xFC\xDFe</p>\r\n--q\r\nContent-Type: application/rtf; name=n.rtf\r\nContent-Disposition: attachment; filename=n.rtf\r\n\r\n\
              {\\rtf1 inside}\r\n--q\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=p.png\r\n\r\n\
              \x89PNG\r\n\x1A\n0000\r\n--q--\r\n",
        );
        assert_eq!(found.title, "Hello");
        assert_eq!(found.metadata["date"], "2024-03-05T09:00:00Z".into());
        assert_eq!(found.metadata["from"], "Jürgen <j@x.org>".into());
        assert_eq!(
            outline(&found),
            [
                "p From: Jürgen <j@x.org>\nTo: a@x.org, B <b@x.org>\nDate: 2024-03-05",
                "p Grüße",
                "h2 n.rtf",
                "p inside",
                "h2 p.png"
            ]
        );
    }

    #[test]
    fn a_broken_attachment_is_a_warning() {
        let found = read(
            "a.eml",
            b"From: a@b.c\nSubject: x\nContent-Type: multipart/mixed; boundary=q\n\n--q\n\nbody\n--q\n\
              Content-Disposition: attachment; filename=a.docx\n\nPK\x03\x04broken\n--q--\n",
        )
        .unwrap();
        assert!(found.parts[0].text.contains("body"));
        assert_eq!(found.warnings.len(), 1);
    }
}
