//! Reading in a worker process, for real: this program is its own worker.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use kenning_indexer::extract::{
    ExtractError, Extractor, Format, Limits, WorkerCommand, run_worker,
};

fn main() {
    if std::env::args().any(|argument| argument == "--worker") {
        run_worker(std::io::stdin(), std::io::stdout()).unwrap();
        return;
    }
    a_file_is_read_as_without_a_worker();
    #[cfg(target_os = "linux")]
    memory_is_bounded();
    #[cfg(target_os = "linux")]
    bombs_end_in_their_worker();
    #[cfg(unix)]
    a_name_that_is_no_text_is_read();
    there_is_always_memory_for_a_small_file();
    println!("worker: ok");
}

fn extractor(limits: Limits) -> Extractor {
    Extractor::new(limits).with_worker(WorkerCommand {
        program: std::env::current_exe().unwrap(),
        arguments: vec!["--worker".into()],
    })
}

fn a_file_is_read_as_without_a_worker() {
    let page =
        "<title>T</title><h1>Head</h1><ul><li>item</ul><table><tr><td>a<td>b</table>".as_bytes();
    let path = Path::new("a.html");
    let here = Extractor::new(Limits::default())
        .extract(path, page)
        .unwrap();
    let there = extractor(Limits::default()).extract(path, page).unwrap();
    assert_eq!(here, there);
    assert_eq!(there.format, Format::Html);
    let error = extractor(Limits::default()).extract(Path::new("a.docx"), b"PK\x05\x06broken");
    assert!(
        matches!(error, Err(ExtractError::Damaged { .. })),
        "{error:?}"
    );
}

fn there_is_always_memory_for_a_small_file() {
    let limits = Limits {
        memory_bytes: 1,
        ..Limits::default()
    };
    let page = extractor(limits).extract(Path::new("a.html"), b"<p>text</p>");
    assert_eq!(page.unwrap().parts[0].text, "text");
}

/// The worker is told of a file in JSON, which knows no such name.
#[cfg(unix)]
fn a_name_that_is_no_text_is_read() {
    use std::os::unix::ffi::OsStrExt;
    let name = Path::new(std::ffi::OsStr::from_bytes(b"/\xff/a\xfe.html"));
    let page = extractor(Limits::default()).extract(name, b"<p>text</p>");
    assert_eq!(page.unwrap().parts[0].text, "text");
}

/// Small files that would take all memory or all time there is: each ends within its limits, and only its worker does.
#[cfg(target_os = "linux")]
fn bombs_end_in_their_worker() {
    let limits = Limits {
        memory_bytes: 256 << 20,
        seconds: 6.0,
        ..Limits::default()
    };
    for (name, bytes) in bombs() {
        let begun = std::time::Instant::now();
        let result = extractor(limits.clone()).extract(Path::new(name), &bytes);
        let spent = begun.elapsed();
        println!(
            "{name}, {} bytes: {spent:?}, {:?}",
            bytes.len(),
            result.as_ref().map(|_| "text")
        );
        assert!(
            spent.as_secs_f64() < limits.seconds + 4.0,
            "{name}: {spent:?}"
        );
        let contained = matches!(
            result,
            Ok(_)
                | Err(ExtractError::OutOfMemory { .. }
                    | ExtractError::TimedOut { .. }
                    | ExtractError::Damaged { .. }
                    | ExtractError::NoText { .. }
                    | ExtractError::TextTooLarge { .. }
                    | ExtractError::UnpacksTooLarge { .. }
                    | ExtractError::TooManyEntries { .. })
        );
        assert!(contained, "{name}: {result:?}");
        if name == "far.xlsx" {
            // Its parts are found: the cells are what is tried.
            let text = &result.unwrap().parts[0].text;
            assert!(text.contains('1') && text.contains('2'), "{text:?}");
        }
    }
}

/// Cells as far apart as a sheet is large, rows and columns that repeat without end, a page of spaces in a stream.
#[cfg(target_os = "linux")]
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let zip = |entries: &[(&str, &str)]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, text) in entries {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(*name, options).unwrap();
            std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let workbook = |sheet: &str| {
        zip(&[
            ("[Content_Types].xml", "<Types/>"),
            (
                "_rels/.rels",
                "<Relationships><Relationship Id='r1' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument' Target='xl/workbook.xml'/></Relationships>",
            ),
            (
                "xl/workbook.xml",
                "<workbook><sheets><sheet name='S' sheetId='1' r:id='r1'/></sheets></workbook>",
            ),
            (
                "xl/_rels/workbook.xml.rels",
                "<Relationships><Relationship Id='r1' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet' Target='worksheets/sheet1.xml'/></Relationships>",
            ),
            ("xl/worksheets/sheet1.xml", sheet),
        ])
    };
    let table = |rows: &str| {
        let content = format!(
            "<office:document-content><office:body><office:spreadsheet><table:table table:name='S'>{rows}</table:table></office:spreadsheet></office:body></office:document-content>"
        );
        zip(&[
            ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
            ("META-INF/manifest.xml", "<manifest:manifest/>"),
            ("content.xml", &content),
        ])
    };
    let cell = "<table:table-cell office:value-type='string' table:number-columns-repeated='16384'><text:p>x</text:p></table:table-cell>";
    let spaces = " ".repeat(200 << 20);
    vec![
        (
            "far.xlsx",
            workbook(
                "<worksheet><dimension ref='A1:XFD1048576'/><sheetData><row r='1'><c r='A1'><v>1</v></c></row><row r='1048576'><c r='XFD1048576'><v>2</v></c></row></sheetData></worksheet>",
            ),
        ),
        (
            "rows.ods",
            table(&format!(
                "<table:table-row table:number-rows-repeated='1048576'>{cell}</table:table-row>"
            )),
        ),
        (
            "cells.ods",
            table(&format!(
                "<table:table-row>{}</table:table-row>",
                cell.repeat(2_000)
            )),
        ),
        (
            "spaces.docx",
            zip(&[(
                "word/document.xml",
                &format!(
                    "<w:document><w:body><w:p><w:r><w:t>x{spaces}y</w:t></w:r></w:p></w:body></w:document>"
                ),
            )]),
        ),
        (
            "spaces.odt",
            zip(&[
                ("mimetype", "application/vnd.oasis.opendocument.text"),
                (
                    "content.xml",
                    &format!(
                        "<office:document-content><office:body><office:text><text:p>x{spaces}y</text:p></office:text></office:body></office:document-content>"
                    ),
                ),
            ]),
        ),
        ("tags.html", "<p><b><i>".repeat(3 << 20).into_bytes()),
        (
            "attributes.html",
            format!("<a {}>x</a>", "b=c ".repeat(8 << 20)).into_bytes(),
        ),
        (
            "elements.xml",
            format!("<?xml version='1.0'?><a>{}</a>", "<b/>".repeat(8 << 20)).into_bytes(),
        ),
        (
            "groups.rtf",
            format!("{{\\rtf1 {}}}", "{x}".repeat(8 << 20)).into_bytes(),
        ),
        (
            "parts.eml",
            format!(
                "From: a\nSubject: b\nContent-Type: multipart/mixed; boundary=q\n\n{}",
                "--q\n\nx\n".repeat(1 << 20)
            )
            .into_bytes(),
        ),
        (
            "headers.eml",
            format!("From: a\n{}\n\nx", "To: b@c\n".repeat(4 << 20)).into_bytes(),
        ),
    ]
}

/// A notebook of some MiB becomes a tree many times its size.
#[cfg(target_os = "linux")]
fn memory_is_bounded() {
    let cells = "[],".repeat(2 << 20);
    let book = format!("{{\"cells\": [{cells}[]]}}");
    let limits = Limits {
        memory_bytes: 40 << 20,
        ..Limits::default()
    };
    let result = extractor(limits).extract(Path::new("a.ipynb"), book.as_bytes());
    assert_eq!(result, Err(ExtractError::OutOfMemory { limit: 40 << 20 }));
}
