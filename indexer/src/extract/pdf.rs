//! PDF, by `pdf_oxide`: of the libraries compared it read the most files, columns in their order, and
//! words that lines had torn apart.

use kenning::document::{BlockKind, Metadata};
use pdf_oxide::object::Object;
use pdf_oxide::{Error, PdfDocument};

use super::blocks::{Blocks, squeeze};
use super::error::ExtractError;
use super::foreign;
use super::format::Format;
use super::limits::Context;
use super::metadata::{put, put_date};
use super::part::{Part, Reading, Warning};
use super::pdf_outline::bookmarks;

const FORMAT: Format = Format::Pdf;

/// Reads the pages. A file that opens with the empty password is read; paragraphs that are the title
/// of a bookmark are headings.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let broken = |reason: String| ExtractError::damaged(FORMAT, reason);
    if nests_too_deeply(bytes) {
        return Err(broken("objects nested too deeply".to_owned()));
    }
    let (document, pages) = foreign::call(|| open(bytes)).map_err(broken)??;
    if pages > context.limits.entries {
        return Err(ExtractError::TooManyEntries {
            limit: context.limits.entries,
        });
    }
    let bookmarks = foreign::call(|| bookmarks(&document)).unwrap_or_default();
    let bookmarks = bookmarks.into_iter();
    let bookmarks: Vec<(String, u8)> = bookmarks
        .map(|(title, level)| (squeeze(&title).to_lowercase(), level))
        .collect();
    let mut blocks = Blocks::new(context);
    let mut warnings = Vec::new();
    for (index, page) in (0..pages).zip(1u32..) {
        context.check_time()?;
        blocks.set_page(page);
        match foreign::call(|| document.extract_text(index)) {
            Ok(Ok(text)) => {
                for paragraph in paragraphs(&text) {
                    let kind = heading(&paragraph, &bookmarks).unwrap_or(BlockKind::Paragraph);
                    blocks.push(kind, &paragraph)?;
                }
            }
            Ok(Err(Error::EncryptedPdf)) => {
                return Err(ExtractError::Encrypted { format: FORMAT });
            }
            Ok(Err(error)) => warnings.push(Warning::Page {
                page,
                reason: error.to_string(),
            }),
            Err(reason) => warnings.push(Warning::Page { page, reason }),
        }
    }
    if blocks.is_empty() && !warnings.is_empty() {
        return Err(ExtractError::damaged(FORMAT, &warnings[0]));
    }
    let (title, metadata) = foreign::call(|| information(&document)).unwrap_or_default();
    let (text, structure) = blocks.finish()?;
    let part = Part {
        title,
        metadata,
        ..Part::extracted(text, structure)
    };
    Ok(Reading::new(vec![part], warnings))
}

/// Arrays and dictionaries in one another, at most. The parser calls itself for each, until its stack is full.
const DEEPEST: usize = 500;

/// Whether objects nest deeper than any document's. What is in streams, packed or not, is not looked at.
fn nests_too_deeply(bytes: &[u8]) -> bool {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let (step, deeper) = match rest {
            [b'[', ..] => (1, 1),
            [b'<', b'<', ..] => (2, 1),
            [b']', ..] => (1, -1),
            [b'>', b'>', ..] => (2, -1),
            [b'e', ..] if rest.starts_with(b"endobj") => {
                depth = 0;
                (6, 0)
            }
            [b's', ..] if rest.starts_with(b"stream") => {
                let end = rest.windows(9).position(|nine| nine == b"endstream");
                (end.map_or(rest.len(), |end| end + 9), 0)
            }
            _ => (1, 0),
        };
        at += step;
        depth = depth.saturating_add_signed(deeper);
        if depth > DEEPEST {
            return true;
        }
    }
    false
}

/// The document, and how many pages it has.
fn open(bytes: &[u8]) -> Result<(PdfDocument, usize), ExtractError> {
    let document = PdfDocument::from_bytes(bytes.to_vec()).map_err(failure)?;
    if document.is_encrypted() && !document.authenticate(b"").map_err(failure)? {
        return Err(ExtractError::Encrypted { format: FORMAT });
    }
    let pages = document.page_count().map_err(failure)?;
    Ok((document, pages))
}

fn failure(error: Error) -> ExtractError {
    match error {
        Error::EncryptedPdf => ExtractError::Encrypted { format: FORMAT },
        error => ExtractError::damaged(FORMAT, error),
    }
}

fn heading(paragraph: &str, bookmarks: &[(String, u8)]) -> Option<BlockKind> {
    if paragraph.len() > 300 {
        return None;
    }
    let text = squeeze(paragraph).to_lowercase();
    bookmarks
        .iter()
        .find(|(title, _)| *title == text)
        .map(|(_, level)| BlockKind::Heading(*level))
}

/// The paragraphs of a page: lines between blank ones. A line that is nearly as long as the longest
/// goes on in the next; a short one that ends a sentence ends the paragraph.
fn paragraphs(page: &str) -> Vec<String> {
    let mut paragraphs = Vec::new();
    for block in page.replace("\r\n", "\n").split("\n\n") {
        let lines: Vec<&str> = block
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let longest = lines
            .iter()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0);
        let mut paragraph = String::new();
        for line in lines {
            if !paragraph.is_empty() && !paragraph.ends_with('\n') {
                join(&mut paragraph, line);
            } else {
                paragraph.push_str(line);
            }
            let short = line.chars().count() * 10 < longest * 7;
            if short && line.ends_with(['.', '!', '?', '。']) {
                paragraphs.push(std::mem::take(&mut paragraph));
            } else if short {
                paragraph.push('\n');
            }
        }
        if !paragraph.is_empty() {
            paragraphs.push(paragraph);
        }
    }
    paragraphs
}

/// Adds the next line of a paragraph: a word cut by a hyphen is put together again.
fn join(paragraph: &mut String, line: &str) {
    let torn = paragraph.strip_suffix(['-', '\u{AD}']).is_some_and(|head| {
        head.ends_with(char::is_lowercase) && line.starts_with(char::is_lowercase)
    });
    if torn {
        paragraph.pop();
    } else {
        paragraph.push(' ');
    }
    paragraph.push_str(line);
}

/// The title and the facts from the information dictionary.
fn information(document: &PdfDocument) -> (String, Metadata) {
    let mut metadata = Metadata::new();
    let dictionary = document
        .trailer()
        .as_dict()
        .and_then(|trailer| trailer.get("Info"))
        .and_then(|info| document.resolve_references(info, 2).ok());
    let Some(Object::Dictionary(dictionary)) = dictionary else {
        return (String::new(), metadata);
    };
    let text = |name: &str| {
        let bytes = dictionary.get(name).and_then(Object::as_string)?;
        Some(squeeze(&text_string(bytes)))
    };
    for (name, key) in [
        ("author", "Author"),
        ("subject", "Subject"),
        ("keywords", "Keywords"),
    ] {
        put(&mut metadata, name, &text(key).unwrap_or_default());
    }
    for (name, key) in [("created", "CreationDate"), ("modified", "ModDate")] {
        let value = text(key).unwrap_or_default();
        put_date(&mut metadata, name, &value);
        put_date(&mut metadata, "date", &value);
    }
    let title = text("Title").unwrap_or_default();
    // What word processors write when nobody gave a title is the name of a file.
    let is_file = [
        ".doc", ".docx", ".dvi", ".tex", ".indd", ".qxd", ".xls", ".ppt", ".pptx",
    ];
    let lower = title.to_ascii_lowercase();
    if is_file.iter().any(|end| lower.ends_with(end)) || lower == "untitled" {
        return (String::new(), metadata);
    }
    (title, metadata)
}

/// A text string of PDF: UTF-16 or UTF-8 by its mark, else PDFDocEncoding, which is Latin 1 for letters.
pub(super) fn text_string(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xFE, 0xFF, rest @ ..] => encoding_rs::UTF_16BE
            .decode_without_bom_handling(rest)
            .0
            .into_owned(),
        [0xFF, 0xFE, rest @ ..] => encoding_rs::UTF_16LE
            .decode_without_bom_handling(rest)
            .0
            .into_owned(),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => bytes.iter().map(|&byte| char::from(byte)).collect(),
    };
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outline, part, read};
    use super::super::{ExtractError, Format};
    use super::*;

    /// A PDF with one line of text a page.
    fn pdf(pages: &[&str]) -> Vec<u8> {
        let kids: Vec<String> = (0..pages.len())
            .map(|index| format!("{} 0 R", 10 + index * 2))
            .collect();
        let mut objects = vec![
            (1, "<< /Type /Catalog /Pages 2 0 R >>".to_owned()),
            (
                2,
                format!(
                    "<< /Type /Pages /Count {} /Kids [{}] >>",
                    pages.len(),
                    kids.join(" ")
                ),
            ),
            (
                3,
                "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
            ),
            (
                4,
                "<< /Title (The title) /Author (Ann) /CreationDate (D:20200102030405Z) >>"
                    .to_owned(),
            ),
        ];
        for (index, text) in pages.iter().enumerate() {
            let content = format!("BT /F1 12 Tf 72 700 Td ({text}) Tj ET");
            objects.push((10 + index * 2, format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> >> >>", 11 + index * 2)));
            objects.push((
                11 + index * 2,
                format!(
                    "<< /Length {} >>\nstream\n{content}\nendstream",
                    content.len()
                ),
            ));
        }
        let mut out = "%PDF-1.4\n".to_owned();
        let mut places = Vec::new();
        for (number, body) in &objects {
            places.push((*number, out.len()));
            out.push_str(&format!("{number} 0 obj\n{body}\nendobj\n"));
        }
        let start = out.len();
        out.push_str("xref\n0 1\n0000000000 65535 f \n");
        for (number, place) in places {
            out.push_str(&format!("{number} 1\n{place:010} 00000 n \n"));
        }
        out.push_str(&format!(
            "trailer << /Size 100 /Root 1 0 R /Info 4 0 R >>\nstartxref\n{start}\n%%EOF\n"
        ));
        out.into_bytes()
    }

    #[test]
    fn pages_and_facts() {
        let found = part("a.pdf", &pdf(&["Hello there", "Second page"]));
        assert_eq!(outline(&found), ["p@1 Hello there", "p@2 Second page"]);
        assert_eq!(found.title, "The title");
        assert_eq!(found.metadata["date"], "2020-01-02T03:04:05Z".into());
        assert_eq!(
            read("a.pdf", &pdf(&[""])),
            Err(ExtractError::NoText {
                format: Format::Pdf
            })
        );
    }

    /// Whatever is cut off or changed, there is an answer and no panic.
    #[test]
    fn mutilated_files_are_errors() {
        let whole = pdf(&["Hello there"]);
        for cut in (10..whole.len()).step_by(37) {
            assert!(
                !matches!(
                    read("a.pdf", &whole[..cut]),
                    Err(ExtractError::Crashed { .. })
                ),
                "{cut}"
            );
        }
    }

    #[test]
    fn lines_become_paragraphs() {
        assert_eq!(
            paragraphs(
                "A long line that goes on in an-\nother line, as long as it is, and\nends.\nNext one is here, it is long too\nand\n\nlast"
            ),
            [
                "A long line that goes on in another line, as long as it is, and ends.",
                "Next one is here, it is long too and\n",
                "last"
            ]
        );
    }
}
