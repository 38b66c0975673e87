//! Files made to fill the memory, to take for ever, or to lead out of themselves: each ends in text or a reason,
//! within [`PATIENCE`](crate::PATIENCE).

use std::path::Path;
use std::time::Instant;

use kenning_indexer::extract::{ExtractError, Extracted, Limits, extract};

use crate::samples::{zip, zip_of};
use crate::{PATIENCE, limits};

/// Reads a file, in time.
#[track_caller]
pub fn read(name: &str, bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let begun = Instant::now();
    let found = extract(Path::new(name), bytes, limits);
    let spent = begun.elapsed();
    assert!(spent < PATIENCE, "{name} took {spent:?}");
    if let Err(error) = &found {
        let message = error.to_string();
        assert!(
            !message.contains('\n') && message.len() < 500,
            "{name}: {message:?}"
        );
        assert!(
            !matches!(error, ExtractError::Crashed { .. }),
            "{name}: {error}"
        );
    }
    found
}

fn text(found: &Extracted) -> String {
    let parts = found.parts.iter();
    parts
        .map(|part| format!("{}\n{}\n", part.title, part.text))
        .collect()
}

/// Containers of each kind with an entry that unpacks to twice what is allowed.
#[test]
fn zip_bombs_are_refused() {
    let zeros = vec![b'0'; 64 << 20];
    let rest = |names: &[&str]| -> Vec<(String, Vec<u8>)> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), b"<x/>".to_vec()))
            .collect()
    };
    for (name, bomb, beside) in [
        ("a.docx", "word/document.xml", &["[Content_Types].xml"][..]),
        ("a.odt", "content.xml", &["META-INF/manifest.xml"]),
        ("a.ods", "content.xml", &["META-INF/manifest.xml"]),
        (
            "a.xlsx",
            "xl/sharedStrings.xml",
            &["xl/workbook.xml", "[Content_Types].xml"],
        ),
        ("a.pptx", "ppt/presentation.xml", &["[Content_Types].xml"]),
        ("a.epub", "META-INF/container.xml", &[]),
        ("a.xps", "Documents/1/Pages/1.fpage", &["FixedDocSeq.fdseq"]),
    ] {
        let mut entries = rest(beside);
        entries.push((bomb.to_owned(), zeros.clone()));
        let bytes = zip(&entries);
        assert!(bytes.len() < 200_000);
        let found = read(name, &bytes, &limits());
        let limit = limits().unpacked_bytes;
        assert_eq!(
            found.err(),
            Some(ExtractError::UnpacksTooLarge { limit }),
            "{name}"
        );
    }
    // The kind of a container is told in the caller's process, which unpacks no more than a name for it.
    let bytes = zip(&[("mimetype".to_owned(), zeros)]);
    let found = read("a.odt", &bytes, &limits());
    assert!(
        matches!(found, Err(ExtractError::Unsupported { .. })),
        "{found:?}"
    );
}

#[test]
fn containers_in_containers_are_not_unpacked() {
    let mut inner = zip_of(&[("a.txt", "inside")]);
    for _ in 0..20 {
        inner = zip(&[("a.zip".to_owned(), inner)]);
    }
    let found = read("a.zip", &inner, &limits());
    assert!(
        matches!(found, Err(ExtractError::Unsupported { .. })),
        "{found:?}"
    );
}

#[test]
fn containers_of_too_many_entries_are_refused() {
    let entries: Vec<(String, Vec<u8>)> = (0..1_001)
        .map(|n| (format!("{n}.xml"), Vec::new()))
        .collect();
    let limits = Limits {
        entries: 1_000,
        ..limits()
    };
    let found = read("a.docx", &zip(&entries), &limits);
    assert_eq!(
        found.err(),
        Some(ExtractError::TooManyEntries { limit: 1_000 })
    );
}

/// Sizes in the directory are those of whoever wrote it.
#[test]
fn sizes_that_a_container_claims_are_not_believed() {
    let honest = zip_of(&[(
        "word/document.xml",
        "<w:document><w:body><w:p><w:r><w:t>text</w:t></w:r></w:p></w:body></w:document>",
    )]);
    let central = honest
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .unwrap();
    for offset in [20, 24] {
        let mut lying = honest.clone();
        lying[central + offset..central + offset + 4]
            .copy_from_slice(&0xFFFF_FFF0u32.to_le_bytes());
        let _ = read("a.docx", &lying, &limits());
        let mut lying = honest.clone();
        lying[central + offset..central + offset + 4].copy_from_slice(&[0; 4]);
        let _ = read("a.docx", &lying, &limits());
    }
}

/// A billion laughs, and a file of the machine.
const ENTITIES: &str = "<!DOCTYPE r [<!ENTITY a \"lollollollol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
    <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\">\
    <!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;\">\
    <!ENTITY g \"&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;\"><!ENTITY file SYSTEM \"file:///etc/passwd\">\
    <!ENTITY % more SYSTEM \"http://localhost:1/more.dtd\"> %more;]>";

#[test]
fn entities_are_not_expanded_and_nothing_is_fetched() {
    let xml = |body: &str| format!("<?xml version='1.0'?>{ENTITIES}{body}");
    let word = xml(
        "<w:document><w:body><w:p><w:r><w:t>word &g;&file;</w:t></w:r></w:p></w:body></w:document>",
    );
    let office = xml(
        "<office:document-content><office:body><office:text><text:p>word &g;&file;</text:p></office:text></office:body></office:document-content>",
    );
    let page = xml("<html><body><p>word &g;&file;</p></body></html>");
    let slide = xml(
        "<p:sld><p:cSld><p:spTree><p:sp><p:txBody><a:p><a:r><a:t>word &g;&file;</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>",
    );
    let strings = xml("<sst><si><t>word &g;&file;</t></si></sst>");
    let sheet = "<worksheet><sheetData><row r='1'><c r='A1' t='s'><v>0</v></c><c r='B1'><v>7</v></c></row></sheetData></worksheet>";
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("a.xml", xml("<r>word &g;&file;</r>").into_bytes()),
        ("a.svg", xml("<svg><text>word &g;&file;</text></svg>").into_bytes()),
        ("a.fb2", xml("<FictionBook><body><section><p>word &g;&file;</p></section></body></FictionBook>").into_bytes()),
        ("a.fodt", xml("<office:document><office:body><office:text><text:p>word &g;&file;</text:p></office:text></office:body></office:document>").into_bytes()),
        ("a.html", page.clone().into_bytes()),
        ("a.docx", zip_of(&[("word/document.xml", &word)])),
        ("a.odt", zip_of(&[("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", &office)])),
        ("a.pptx", zip_of(&[
            ("ppt/presentation.xml", "<p:presentation><p:sldIdLst><p:sldId r:id='r1'/></p:sldIdLst></p:presentation>"),
            ("ppt/_rels/presentation.xml.rels", "<Relationships><Relationship Id='r1' Type='x/slide' Target='slides/slide1.xml'/></Relationships>"),
            ("ppt/slides/slide1.xml", &slide),
        ])),
        ("a.epub", zip_of(&[
            ("mimetype", "application/epub+zip"),
            ("META-INF/container.xml", "<container><rootfiles><rootfile full-path='c.opf'/></rootfiles></container>"),
            ("c.opf", "<package><manifest><item id='a' href='a.xhtml' media-type='application/xhtml+xml'/></manifest><spine><itemref idref='a'/></spine></package>"),
            ("a.xhtml", &page),
        ])),
        ("a.xlsx", zip_of(&[
            ("[Content_Types].xml", "<Types/>"),
            ("xl/workbook.xml", "<workbook><sheets><sheet name='S' sheetId='1' r:id='r1'/></sheets></workbook>"),
            ("xl/_rels/workbook.xml.rels", "<Relationships><Relationship Id='r1' Type='x/worksheet' Target='worksheets/sheet1.xml'/></Relationships>"),
            ("xl/sharedStrings.xml", &strings),
            ("xl/worksheets/sheet1.xml", sheet),
        ])),
    ];
    for (name, bytes) in files {
        let found = read(name, &bytes, &limits());
        let Ok(found) = found else {
            // Workbooks are refused, which is as good.
            assert_eq!(name, "a.xlsx", "{found:?}");
            continue;
        };
        let text = text(&found);
        assert!(text.contains("word"), "{name}: {text}");
        assert!(text.len() < 3_000, "{name}: {} bytes", text.len());
        assert!(
            !text.contains("root:") && !text.contains("lollol lol"),
            "{name}: {text}"
        );
    }
}

/// Lines of 100 MB: the usual limits refuse them at once, and raised ones read them.
#[test]
fn lines_without_end_are_refused_or_read_in_time() {
    let length = 100 << 20;
    let raised = Limits {
        file_bytes: 200 << 20,
        text_bytes: 200 << 20,
        ..limits()
    };
    let quoted = [&b"\""[..], &vec![b'x'; length], b"\""].concat();
    for (name, bytes) in [("a.txt", vec![b'x'; length]), ("a.json", quoted)] {
        let found = read(name, &bytes, &Limits::default());
        assert!(
            matches!(found, Err(ExtractError::TooLarge { .. })),
            "{found:?}"
        );
        let found = read(name, &bytes, &raised).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found.parts[0].text.len() >= length, "{name}");
    }
}

#[test]
fn files_of_nothing_and_of_zeros_have_a_reason() {
    for (bytes, expected) in [
        (&b""[..], ExtractError::Empty),
        (&[0; 4_000], ExtractError::Binary),
        (
            b"text with one zero\0in it, which is long enough not to be wide characters",
            ExtractError::Binary,
        ),
    ] {
        for name in [
            "a.txt", "a.md", "a.html", "a.json", "a.csv", "a.pdf", "a", "a.eml",
        ] {
            assert_eq!(
                read(name, bytes, &limits()).err(),
                Some(expected.clone()),
                "{name}"
            );
        }
    }
    for mark in [&b"\xEF\xBB\xBF"[..], b"\xFF\xFE", b"\xFE\xFF", b" \n\t"] {
        for name in ["a.txt", "a.md", "a.csv", "a.rst", "a.py"] {
            let found = read(name, mark, &limits());
            assert!(
                matches!(
                    found,
                    Err(ExtractError::NoText { .. } | ExtractError::Binary)
                ),
                "{name}: {found:?}"
            );
        }
    }
}
