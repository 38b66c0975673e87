//! What the search begins with.

use std::path::{Path, PathBuf};

use super::NAMES;
use crate::extract::fuzzing::answered;

/// A function by the name of its target, and what it begins with.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All of them.
pub const TARGETS: [Target; 3] = [
    ("file", super::file, files),
    ("answer", super::answer, answers),
    ("catalogue", super::catalogue, states),
];

/// Small files of the sample library and those that people gave the tests, one of each extension.
fn samples() -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    let mut folders = vec![PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../datasets/library"
    ))];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let Ok(bytes) = std::fs::read(&path) else {
                continue;
            };
            let extension = |name: &str| name.rsplit('.').next().map(str::to_owned);
            match found
                .iter_mut()
                .find(|(known, _)| extension(known) == extension(&name))
            {
                Some(known) if known.1.len() > bytes.len() => *known = (name, bytes),
                Some(_) => {}
                None => found.push((name, bytes)),
            }
        }
    }
    let texts: [(&str, &str); 9] = [
        ("a.csv", "name;age\nAnna;7\n\"B\n\"\"x\"\"\";8\n"),
        (
            "a.jsonl",
            "{\"title\":\"t\",\"text\":\"words\"}\n[1,2]\n\"x\"\n",
        ),
        (
            "a.rtf",
            "{\\rtf1\\ansi{\\fonttbl{\\f0 A;}}\\f0 a\\'e9\\u233?\\par{\\*\\x y}\\pard b}",
        ),
        (
            "a.mbox",
            "From a@b Mon Jan 1\nSubject: =?utf-8?q?x?=\n\nhello\n\nFrom c@d Mon Jan 2\nTo: x\n\nbye\n",
        ),
        (
            "a.eml",
            "From: a\nTo: b\nSubject: c\nContent-Type: multipart/mixed; boundary=q\n\n--q\nContent-Type: text/html\n\n<p>x</p>\n--q--\n",
        ),
        (
            "a.fb2",
            "<?xml version='1.0'?><FictionBook><body><section><title><p>T</p></title><p>x</p></section></body></FictionBook>",
        ),
        (
            "a.html",
            "<title>T</title><h1>H</h1><ul><li>a<li>b</ul><table><tr><td>c<td>d</table><pre>e\n f</pre>&amp;&#233;",
        ),
        (
            "a.xml",
            "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;<d e='f'/><![CDATA[g]]></a>",
        ),
        ("a.pdf", PDF),
    ];
    found.retain(|(_, bytes)| bytes.len() < 20_000);
    found.extend(texts.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())));
    found
}

/// A PDF of one page, with a bookmark.
pub const PDF: &str = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages \
    /Count 1 /Kids [4 0 R] >>\nendobj\n3 0 obj\n<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n4 0 obj\n\
    << /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>\n\
    endobj\n5 0 obj\n<< /Length 42 >>\nstream\nBT /F1 12 Tf 72 700 Td (Hello there) Tj ET\nendstream\nendobj\n6 0 obj\n\
    << /First 7 0 R /Last 7 0 R >>\nendobj\n7 0 obj\n<< /Title (Hello there) /Parent 6 0 R >>\nendobj\n\
    trailer << /Size 8 /Root 1 0 R >>\n%%EOF\n";

fn files() -> Vec<Vec<u8>> {
    let extension = |name: &str| {
        Path::new(name)
            .extension()
            .map(|end| end.to_ascii_lowercase())
    };
    let seed = |(name, bytes): (String, Vec<u8>)| {
        let which = NAMES
            .iter()
            .position(|known| extension(known) == extension(&name));
        [&[which.unwrap_or(0) as u8], &bytes[..]].concat()
    };
    samples().into_iter().map(seed).collect()
}

fn answers() -> Vec<Vec<u8>> {
    let small = samples()
        .into_iter()
        .filter(|(_, bytes)| bytes.len() < 1_000);
    small.map(|(name, bytes)| answered(&name, &bytes)).collect()
}

fn states() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"modified":5,"size":7,"read":9000000000,"hash":"ab","reader":2,"outcome":{"Indexed":{"documents":["a.md"],"chunks":1,"tokens":9,"keys":"00112233445566778899aabbccddeeff"}}}"#,
        r#"{"modified":-5,"size":7,"read":9,"hash":"","reader":1,"outcome":{"Failed":{"reason":"x"}}}"#,
        r#"{"file":"a.md","modified":5,"size":7,"read":9,"hash":"ab","reader":2}"#,
        r#"{"base":"..","roots":[".","/x/two"]}"#,
        r#"{"base":[47,255],"roots":[[97,254],"../../.."]}"#,
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}
