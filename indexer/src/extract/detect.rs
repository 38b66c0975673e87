//! Which format a file is in: its content decides, its name settles what content leaves open.

use std::path::Path;

use super::decode::decode;
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::{archive::Archive, html_names, names, ole};

/// More bytes than the name of a media type has. Formats are told in the caller's process: nothing large is unpacked.
const MEDIA_TYPE: u64 = 256;

/// So much of a text tells its format; units of UTF-32 are not cut. Nothing is cut off a shorter one: a character cut
/// at its end makes a short text look like one in another encoding.
const SAMPLE: usize = 1 << 16;

/// The format of a file.
///
/// # Errors
///
/// [`ExtractError::Empty`] and [`ExtractError::Binary`], and what opening a container can bring.
pub(super) fn detect(path: &Path, bytes: &[u8], context: &Context) -> Result<Format, ExtractError> {
    if bytes.is_empty() {
        return Err(ExtractError::Empty);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return zip_format(bytes, path, context);
    }
    if bytes.starts_with(ole::MAGIC) {
        return ole::format(bytes);
    }
    if let Some(format) = by_magic(bytes) {
        return Ok(format);
    }
    if bytes.len() > 8 && is_binary_magic(bytes) {
        return Err(ExtractError::Binary);
    }
    text_format(path, bytes)
}

fn by_magic(bytes: &[u8]) -> Option<Format> {
    let head = &bytes[..bytes.len().min(1024)];
    let trimmed = head.trim_ascii_start();
    if trimmed.starts_with(b"{\\rtf") {
        return Some(Format::Rtf);
    }
    // A PDF may have other bytes before it, but an XML or text that quotes "%PDF" is none.
    if let Some(at) = head.windows(5).position(|window| window == b"%PDF-")
        && (at == 0
            || !head[..at]
                .iter()
                .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
            || bytes
                .windows(5)
                .rev()
                .take(4096)
                .any(|window| window == b"%%EOF"))
    {
        return Some(Format::Pdf);
    }
    // The first record of a workbook of Excel 2, 3, 4: BOF, its length, its version.
    if bytes.len() > 8
        && bytes[0] == 0x09
        && [0x00, 0x02, 0x04].contains(&bytes[1])
        && bytes[3] == 0
        && [4, 6].contains(&bytes[2])
    {
        return Some(Format::Biff);
    }
    let archives: [&[u8]; 7] = [
        b"\x1F\x8B",
        b"BZh",
        b"\xFD7zXZ\0",
        b"7z\xBC\xAF\x27\x1C",
        b"Rar!\x1A\x07",
        b"\x28\xB5\x2F\xFD",
        b"\x04\"M\x18",
    ];
    archives
        .iter()
        .any(|magic| bytes.starts_with(magic))
        .then_some(Format::Archive)
}

/// The beginnings of pictures, sounds, films, programs and databases. Most are told by zero bytes too.
fn is_binary_magic(bytes: &[u8]) -> bool {
    let magics: [&[u8]; 16] = [
        b"\x89PNG",
        b"\xFF\xD8\xFF",
        b"GIF8",
        b"RIFF",
        b"OggS",
        b"fLaC",
        b"ID3",
        b"\x7FELF",
        b"MZ\x90",
        b"II*\0",
        b"MM\0*",
        b"\xCA\xFE\xBA\xBE",
        b"SQLite format 3",
        b"%!PS-Adobe",
        b"wOFF",
        b"wOF2",
    ];
    // PostScript is a program that paints: its strings are no readable text.
    magics.iter().any(|magic| bytes.starts_with(magic))
}

fn zip_format(bytes: &[u8], path: &Path, context: &Context) -> Result<Format, ExtractError> {
    let mut archive =
        Archive::open(bytes, Format::Archive, context).map_err(|error| match error {
            // Name the format that the user sees.
            ExtractError::Damaged { reason, .. } => ExtractError::Damaged {
                format: zip_format_by_name(path),
                reason,
            },
            error => error,
        })?;
    if let Some(kind) = archive.read_start("mimetype", MEDIA_TYPE)?
        && let Some(format) = format_of_media_type(String::from_utf8_lossy(&kind).trim())
    {
        return Ok(format);
    }
    let names = archive.names();
    let has = |wanted: &str| {
        names.iter().any(|name| {
            name.replace('\\', "/")
                .trim_start_matches('/')
                .eq_ignore_ascii_case(wanted)
        })
    };
    let starts = |wanted: &str| names.iter().any(|name| name.starts_with(wanted));
    Ok(if has("word/document.xml") || has("word/document2.xml") {
        Format::Docx
    } else if has("ppt/presentation.xml") {
        Format::Pptx
    } else if has("xl/workbook.bin") {
        Format::Xlsb
    } else if has("xl/workbook.xml") {
        Format::Xlsx
    } else if has("META-INF/container.xml") {
        Format::Epub
    } else if names
        .iter()
        .any(|name| name.ends_with(".fdseq") || name.ends_with(".fpage"))
    {
        Format::Xps
    } else if starts("Index/")
        || has("Index.zip")
        || has("index.xml")
        || has("index.apxl")
        || has("index.xml.gz")
    {
        Format::Iwork
    } else if has("[Content_Types].xml") && zip_format_by_name(path) != Format::Archive {
        zip_format_by_name(path)
    } else if has("content.xml") && has("META-INF/manifest.xml") {
        match zip_format_by_name(path) {
            Format::Archive => Format::Odt,
            format => format,
        }
    } else {
        Format::Archive
    })
}

fn zip_format_by_name(path: &Path) -> Format {
    match names::extension(path).as_str() {
        "docx" | "docm" | "dotx" | "dotm" => Format::Docx,
        "pptx" | "pptm" | "potx" | "ppsx" => Format::Pptx,
        "xlsx" | "xlsm" | "xltx" => Format::Xlsx,
        "xlsb" => Format::Xlsb,
        "odt" | "ott" => Format::Odt,
        "odp" | "otp" => Format::Odp,
        "ods" | "ots" => Format::Ods,
        "epub" => Format::Epub,
        "xps" | "oxps" => Format::Xps,
        "pages" | "numbers" | "key" => Format::Iwork,
        _ => Format::Archive,
    }
}

fn format_of_media_type(kind: &str) -> Option<Format> {
    let kind = kind
        .trim_start_matches("application/vnd.oasis.opendocument.")
        .trim_start_matches("application/vnd.sun.xml.");
    Some(match kind {
        "application/epub+zip" => Format::Epub,
        "text" | "text-template" | "text-master" | "text-web" | "writer" | "writer.template" => {
            Format::Odt
        }
        "presentation" | "presentation-template" | "graphics" | "impress" | "draw" => Format::Odp,
        "spreadsheet" | "spreadsheet-template" | "calc" => Format::Ods,
        _ => return None,
    })
}

/// Extensions that say nothing definite, so that the content is looked at more closely.
fn is_vague(extension: &str) -> bool {
    matches!(
        extension,
        "" | "txt"
            | "text"
            | "log"
            | "dat"
            | "data"
            | "tmp"
            | "bak"
            | "out"
            | "htm"
            | "html"
            | "xml"
            | "eml"
            | "doc"
            | "xls"
            | "ppt"
            | "rtf"
            | "pdf"
            | "docx"
            | "xlsx"
            | "pptx"
            | "odt"
            | "mht"
            | "mhtml"
            | "msg"
            | "fb2"
            | "mbox"
            | "emlx"
    )
}

fn text_format(path: &Path, bytes: &[u8]) -> Result<Format, ExtractError> {
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let declared = super::decode::declared_in_html(bytes);
    let text = decode(sample, declared.as_deref())?.text;
    let extension = names::extension(path);
    if is_vague(&extension) {
        if let Some(format) = by_text(&text, &extension) {
            return Ok(format);
        }
    } else if let Some(format) = names::text_format(&extension)
        && matches!(format, Format::Xml)
        && html_names::sniff(&text)
    {
        return Ok(Format::Html);
    }
    if let Some(format) = names::text_format(&extension) {
        return Ok(match format {
            // A name alone does not make these: without their marks they are plain text.
            Format::Eml if !looks_like_mail(&text, 1) => Format::Text,
            Format::Mbox if !text.trim_start().starts_with("From ") => Format::Text,
            Format::Fb2 => Format::Xml,
            format => format,
        });
    }
    if names::language(path, &text).is_some() {
        return Ok(Format::Code);
    }
    Ok(Format::Text)
}

fn by_text(text: &str, extension: &str) -> Option<Format> {
    let start = text.trim_start();
    if html_names::sniff(text) {
        return Some(Format::Html);
    }
    if start.starts_with("<?xml") || (start.starts_with('<') && extension == "fb2") {
        let head: String = start.chars().take(2000).collect();
        return Some(if head.contains("<FictionBook") {
            Format::Fb2
        } else if head.contains("<office:document") {
            Format::Odt
        } else {
            Format::Xml
        });
    }
    if start.starts_with("From ") {
        let mut lines = start.lines();
        let dated = lines
            .next()
            .is_some_and(|line| line.split_whitespace().count() >= 3);
        let rest = lines.collect::<Vec<_>>().join("\n");
        if (dated && looks_like_mail(&rest, 1)) || extension == "mbox" {
            return Some(Format::Mbox);
        }
    }
    let known = if extension == "eml" { 1 } else { 3 };
    looks_like_mail(text, known).then_some(Format::Eml)
}

/// Whether a text begins with header fields, at least `known` of them fields that mails have.
fn looks_like_mail(text: &str, known: usize) -> bool {
    const FIELDS: &[&str] = &[
        "from",
        "to",
        "cc",
        "subject",
        "date",
        "message-id",
        "received",
        "return-path",
        "mime-version",
        "delivered-to",
        "content-type",
        "reply-to",
        "newsgroups",
        "path",
        "x-mailer",
        "sender",
        "in-reply-to",
    ];
    let mut seen = Vec::new();
    for line in text.trim_start().lines() {
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else {
            break;
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            break;
        }
        let name = name.to_ascii_lowercase();
        if FIELDS.contains(&name.as_str()) && !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen.len() >= known
}

#[cfg(test)]
mod tests {
    use super::super::limits::Limits;
    use super::super::testing::zip_of;
    use super::*;

    fn format(name: &str, bytes: &[u8]) -> Result<Format, ExtractError> {
        let limits = Limits::default();
        detect(Path::new(name), bytes, &Context::new(&limits))
    }

    #[test]
    fn a_short_text_is_not_cut_in_a_character() {
        for text in [
            "猫が好きです\n",
            "犬が好きです",
            "買い物リスト: 牛乳、卵、パン",
            "電話番号を忘れました\n",
        ] {
            assert_eq!(format("a.txt", text.as_bytes()), Ok(Format::Text), "{text}");
            assert_eq!(
                format("a.md", text.as_bytes()),
                Ok(Format::Markdown),
                "{text}"
            );
        }
    }

    #[test]
    fn a_wrong_extension_fools_nobody() {
        assert_eq!(format("a.txt", b"%PDF-1.4\n..."), Ok(Format::Pdf));
        assert_eq!(format("a.doc", b"{\\rtf1 x}"), Ok(Format::Rtf));
        assert_eq!(format("a.doc", b"\n<!DOCTYPE HTML><p>x"), Ok(Format::Html));
        assert_eq!(format("a.xls", b"<html ><table>"), Ok(Format::Html));
        assert_eq!(
            format("a.txt", b"From a@b Mon Jan 1\nSubject: x\n\nhello"),
            Ok(Format::Mbox)
        );
        assert_eq!(
            format("a.txt", b"From: a\nTo: b\nSubject: c\n\nhello"),
            Ok(Format::Eml)
        );
        assert_eq!(format("a.pdf", b"only text"), Ok(Format::Text));
        assert_eq!(
            format("a.zip", &zip_of(&[("word/document.xml", b"<x/>")])),
            Ok(Format::Docx)
        );
        assert_eq!(
            format("a.docx", &zip_of(&[("a.txt", b"x")])),
            Ok(Format::Archive)
        );
        assert_eq!(
            format("a.txt", b"\x89PNG\r\n\x1A\n\0\0\0"),
            Err(ExtractError::Binary)
        );
        assert_eq!(format("a.txt", b""), Err(ExtractError::Empty));
    }

    #[test]
    fn names_settle_what_content_leaves_open() {
        assert_eq!(format("a.md", b"<html> is a tag"), Ok(Format::Markdown));
        assert_eq!(format("a.php", b"<html><?php ?>"), Ok(Format::Code));
        assert_eq!(format("a.svg", b"<svg/>"), Ok(Format::Xml));
        assert_eq!(format("tool", b"#!/bin/sh\necho"), Ok(Format::Code));
        assert_eq!(format("notes.txt", b"From me to you"), Ok(Format::Text));
        assert_eq!(format("a.txt", b"Note: this\nTo: do"), Ok(Format::Text));
        assert_eq!(format("a.jsonl", b"{}"), Ok(Format::JsonLines));
    }
}
