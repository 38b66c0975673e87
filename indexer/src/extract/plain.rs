//! Text files that are their own text: plain text, Markdown, reStructuredText, source code.

use std::path::Path;

use kenning::document::{Metadata, Structure};

use super::blocks::squeeze;
use super::charset::Charset;
use super::decode::{Decoded, decode};
use super::error::ExtractError;
use super::format::Format;
use super::front_matter;
use super::limits::Context;
use super::names;
use super::part::{Part, Reading};
use super::source::SourceMap;

/// Reads a text file whole, byte for byte.
pub(super) fn read(
    format: Format,
    path: &Path,
    bytes: &[u8],
    context: &Context,
) -> Result<Reading, ExtractError> {
    let decoded = decode(bytes, None)?;
    context.check_text(decoded.text.len())?;
    let source = source_map(&decoded);
    let encoding = decoded.charset;
    let text = decoded.text;
    let mut title = String::new();
    let mut metadata = Metadata::new();
    let structure = match format {
        Format::Markdown => {
            title = front_matter::read(&text, &mut metadata).unwrap_or_default();
            if title.is_empty() {
                title = markdown_title(front_matter::skip(&text));
            }
            Structure::Markdown
        }
        Format::Rst => {
            title = rst_title(&text);
            Structure::Rst
        }
        Format::Code => match names::language(path, &text) {
            Some(language) => Structure::Code(language),
            None => Structure::Plain,
        },
        _ => Structure::Plain,
    };
    let reading = Reading::from(Part {
        fragment: None,
        title,
        text,
        structure,
        metadata,
        source,
    });
    Ok(match encoding {
        Charset::Utf8 => reading,
        other => reading.with_encoding(other.name()),
    })
}

fn source_map(decoded: &Decoded) -> SourceMap {
    match (decoded.charset, decoded.mark) {
        (Charset::Utf8, _) if decoded.text.contains(char::REPLACEMENT_CHARACTER) => {
            SourceMap::Encoded {
                charset: Charset::Utf8,
                mark: decoded.mark,
            }
        }
        (Charset::Utf8, 0) => SourceMap::Identity,
        (Charset::Utf8, mark) => SourceMap::Bom(mark),
        (charset, mark) => SourceMap::Encoded { charset, mark },
    }
}

/// The first heading, if nothing but blank lines, comments and pictures stand before it.
fn markdown_title(text: &str) -> String {
    let mut fence: Option<&str> = None;
    let mut before = "";
    for line in text.lines().take(200) {
        let trimmed = line.trim();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        if fence.is_some() || line.starts_with("    ") {
            before = "";
            continue;
        }
        let hashes = trimmed.bytes().take_while(|&byte| byte == b'#').count();
        if (1..=6).contains(&hashes) && trimmed[hashes..].starts_with([' ', '\t']) {
            return inline_text(trimmed[hashes..].trim().trim_end_matches('#'));
        }
        let underline = !trimmed.is_empty()
            && (trimmed.bytes().all(|byte| byte == b'=')
                || trimmed.bytes().all(|byte| byte == b'-'));
        if underline && !before.is_empty() && !before.starts_with(['-', '*', '>', '|', '#']) {
            return inline_text(before);
        }
        before = trimmed;
    }
    String::new()
}

/// A heading without the marks for emphasis, code and links.
fn inline_text(heading: &str) -> String {
    let mut out = String::new();
    let mut rest = heading;
    while let Some(at) = rest.find('[') {
        let link = rest[at..].find("](").and_then(|middle| {
            rest[at + middle..]
                .find(')')
                .map(|end| (at + middle, at + middle + end))
        });
        let Some((middle, end)) = link else { break };
        out.push_str(rest[..at].trim_end_matches('!'));
        out.push_str(&rest[at + 1..middle]);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    squeeze(&out.replace(['`', '*'], ""))
}

/// The first title: a line underlined, and perhaps overlined, with one punctuation character.
fn rst_title(text: &str) -> String {
    let lines: Vec<&str> = text.lines().take(200).collect();
    for pair in lines.windows(2) {
        let (title, under) = (pair[0].trim(), pair[1].trim_end());
        let mark = under.chars().next().filter(char::is_ascii_punctuation);
        let is_rule = mark.is_some_and(|mark| under.chars().all(|c| c == mark));
        let is_title = title.chars().any(char::is_alphanumeric) && !title.starts_with("..");
        if is_rule && is_title && under.chars().count() >= title.chars().count().min(4) {
            return squeeze(&title.replace(['`', '*'], ""));
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::limits::Limits;
    use super::*;

    fn part(format: Format, name: &str, bytes: &[u8]) -> Part {
        let limits = Limits::default();
        let reading = read(format, Path::new(name), bytes, &Context::new(&limits)).unwrap();
        reading.parts.into_iter().next().unwrap()
    }

    #[test]
    fn titles() {
        let md = |text: &str| part(Format::Markdown, "a.md", text.as_bytes()).title;
        assert_eq!(md("\n# The `x` of [y](http://z) #\ntext"), "The x of y");
        assert_eq!(md("Title\n=====\n"), "Title");
        assert_eq!(
            md("---\ntitle: \"From matter\"\n---\n# Heading"),
            "From matter"
        );
        assert_eq!(md("```sh\n# comment\n```\n## Real"), "Real");
        let rst = |text: &str| part(Format::Rst, "a.rst", text.as_bytes()).title;
        assert_eq!(rst("=====\nTitle\n=====\n\ntext"), "Title");
        assert_eq!(rst(".. _label:\n\nTitle\n-----\n"), "Title");
        assert_eq!(rst("no title"), "");
    }

    #[test]
    fn text_is_kept_byte_for_byte() {
        let found = part(Format::Text, "a.txt", b"a\r\nb\r\n\r\n\r\nc ");
        assert_eq!(found.text, "a\r\nb\r\n\r\n\r\nc ");
        assert_eq!(found.source, SourceMap::Identity);
        let bytes = "\u{FEFF}é".as_bytes();
        let found = part(Format::Text, "a.txt", bytes);
        assert_eq!(
            (found.text.as_str(), found.source),
            ("é", SourceMap::Bom(3))
        );
        assert_eq!(found.source.file_offsets(bytes, &[0, 2]), Some(vec![3, 5]));
    }

    #[test]
    fn legacy_text_leads_back_to_its_file() {
        let text = "Это простой русский текст, записанный в старой кодировке.";
        let (bytes, _, _) = encoding_rs::KOI8_R.encode(text);
        let found = part(Format::Text, "a.txt", &bytes);
        assert_eq!(found.text, text);
        let at = text.find("русский").unwrap();
        let offsets = found.source.file_offsets(&bytes, &[at]).unwrap();
        assert_eq!(offsets, [text[..at].chars().count()]);
    }
}
