//! Files that nest or repeat without end, or lead in circles: each ends in text or a reason, in time.

use std::io::Read;
use std::time::Instant;

use crate::bombs::read;
use crate::limits;
use crate::samples::{zip, zip_of};

/// Elements, brackets and parts in one another without end.
#[test]
fn nesting_without_end_is_no_trouble() {
    let deep = |open: &str, middle: &str, close: &str, count: usize| {
        format!("{}{middle}{}", open.repeat(count), close.repeat(count)).into_bytes()
    };
    let mut mail = String::from("From: a@b\nSubject: deep\nMIME-Version: 1.0\n");
    for level in 0..5_000 {
        mail += &format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
    }
    mail += "\ntext\n";
    let forwarded = format!(
        "From: a@b\nTo: c\n{}\ntext\n",
        "Content-Type: message/rfc822\n\nFrom: a\n".repeat(5_000)
    );
    let table = deep("<table><tr><td>", "x", "</td></tr></table>", 50_000);
    let office = |body: Vec<u8>| {
        let body = String::from_utf8(body).unwrap();
        let xml = format!(
            "<office:document-content><office:body><office:text>{body}</office:text></office:body></office:document-content>"
        );
        zip_of(&[
            ("mimetype", "application/vnd.oasis.opendocument.text"),
            ("content.xml", &xml),
        ])
    };
    let word = |body: Vec<u8>| {
        let body = String::from_utf8(body).unwrap();
        zip_of(&[(
            "word/document.xml",
            &format!("<w:document><w:body>{body}</w:body></w:document>"),
        )])
    };
    let files: Vec<(&str, Vec<u8>)> =
        vec![
        ("a.xml", deep("<a>", "x", "</a>", 300_000)),
        ("a.html", deep("<div>", "x", "</div>", 300_000)),
        ("b.html", deep("<b><i>", "x", "", 300_000)),
        ("c.html", table),
        ("d.html", deep("<ul><li>", "x", "", 200_000)),
        ("e.html", b"<".repeat(1_000_000)),
        ("f.html", b"&".repeat(1_000_000)),
        (
            "g.html",
            [&b"<a "[..], &b"x=1 ".repeat(250_000)[..], b">text"].concat(),
        ),
        ("a.json", deep("[", "1", "]", 500_000)),
        ("b.json", deep("{\"a\":", "1", "}", 200_000)),
        ("a.jsonl", deep("[", "1", "]", 500_000)),
        ("a.ipynb", deep("{\"cells\":[", "1", "]}", 200_000)),
        ("a.rtf", deep("{\\rtf1 {", "x", "}}", 300_000)),
        (
            "b.rtf",
            [&b"{\\rtf1 "[..], &b"\\bin999999999 ".repeat(1_000)[..], b"x}"].concat(),
        ),
        (
            "c.rtf",
            [&b"{\\rtf1 "[..],
                &b"\\u-1?\\uc99999999 ".repeat(100_000)[..],
                b"x}",
            ]
            .concat(),
        ),
        ("a.eml", mail.into_bytes()),
        ("b.eml", forwarded.into_bytes()),
        (
            "c.eml",
            [&b"From: "[..], &b"a <".repeat(300_000)[..], b"\n\ntext\n"].concat(),
        ),
        (
            "d.eml",
            [&b"From: a\nSubject: "[..],
                &b"=?utf-8?q?".repeat(100_000)[..],
                b"\n\ntext\n",
            ]
            .concat(),
        ),
        (
            "e.eml",
            [
                "From: a\n",
                &"References: <x>\n".repeat(100_000),
                "\ntext\n",
            ]
            .concat()
            .into_bytes(),
        ),
        ("a.mbox", b"From a@b Mon Jan 1\n\n".repeat(50_000)),
        (
            "a.odt",
            office(deep(
                "<text:list><text:list-item>",
                "<text:p>x</text:p>",
                "</text:list-item></text:list>",
                50_000,
            )),
        ),
        (
            "b.odt",
            office(deep(
                "<table:table><table:table-row><table:table-cell>",
                "<text:p>x</text:p>",
                "</table:table-cell></table:table-row></table:table>",
                50_000,
            )),
        ),
        (
            "c.odt",
            office(
                b"<text:p>a<text:s text:c='4000000000'/>b<text:s text:c='4000000000'/></text:p>"
                    .repeat(100),
            ),
        ),
        (
            "a.docx",
            word(deep(
                "<w:tbl><w:tr><w:tc>",
                "<w:p><w:r><w:t>x</w:t></w:r></w:p>",
                "</w:tc></w:tr></w:tbl>",
                50_000,
            )),
        ),
        ("a.csv", b"\"".repeat(1_000_000)),
        ("b.csv", b",".repeat(1_000_000)),
        (
            "c.csv",
            [
                &b"head,".repeat(50_000)[..],
                b"\n",
                &b"x,\n".repeat(100_000),
            ]
            .concat(),
        ),
    ];
    for (name, bytes) in files {
        let _ = read(name, &bytes, &limits());
    }
}

/// A PDF of these objects, each with its number.
fn pdf(objects: &[(u32, &str)]) -> Vec<u8> {
    let mut out = "%PDF-1.7\n".to_owned();
    let mut places = Vec::new();
    for (number, body) in objects {
        places.push((*number, out.len()));
        out += &format!("{number} 0 obj\n{body}\nendobj\n");
    }
    let start = out.len();
    out += "xref\n0 1\n0000000000 65535 f \n";
    for (number, place) in places {
        out += &format!("{number} 1\n{place:010} 00000 n \n");
    }
    out +=
        &format!("trailer << /Size 100 /Root 1 0 R /Prev {start} >>\nstartxref\n{start}\n%%EOF\n");
    out.into_bytes()
}

#[test]
fn pdfs_that_lead_in_circles_or_nest_without_end_are_no_trouble() {
    const CATALOG: &str = "<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>";
    const PAGES: &str = "<< /Type /Pages /Count 1 /Kids [4 0 R] >>";
    const PAGE: &str = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> /XObject << /X 7 0 R >> >> >>";
    const FONT: &str = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>";
    let content = |text: &str| format!("<< /Length {} >>\nstream\n{text}\nendstream", text.len());
    let shown = content("BT /F1 12 Tf 72 700 Td (Hello there) Tj ET /X Do");
    let form = |text: &str| {
        format!(
            "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 7 0 R >> >> /Length {} >>\nstream\n{text}\nendstream",
            text.len()
        )
    };
    let itself = form("/X Do /X Do");
    let outline = "<< /First 8 0 R /Last 8 0 R >>";
    let circle = "<< /Title (Hello there) /Parent 6 0 R >>";
    let whole = |change: &[(u32, &str)]| {
        let mut objects = vec![
            (1, CATALOG),
            (2, PAGES),
            (3, FONT),
            (4, PAGE),
            (5, &shown),
            (6, outline),
            (7, &itself),
            (8, circle),
        ];
        for (number, body) in change {
            objects.retain(|(known, _)| known != number);
            objects.push((*number, body));
        }
        pdf(&objects)
    };
    let arrays = format!(
        "<< /Type /Page /Parent 2 0 R /Contents {}5 0 R{} >>",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let dictionaries = format!("{}1{}", "<< /A ".repeat(100_000), " >>".repeat(100_000));
    let operands = content(&"[ ( ".repeat(200_000));
    let states = content(&"q BT ".repeat(300_000));
    let many = format!(
        "<< /Type /Pages /Count 2000000000 /Kids [{}] >>",
        "4 0 R ".repeat(100_000)
    );
    let files = [
        ("forms in circles", whole(&[])),
        (
            "bookmarks in circles",
            whole(&[(8, "<< /Title (a) /Parent 6 0 R /Next 8 0 R >>")]),
        ),
        (
            "pages that are their own",
            whole(&[(
                2,
                "<< /Type /Pages /Count 9 /Kids [2 0 R 2 0 R 4 0 R] /Parent 2 0 R >>",
            )]),
        ),
        (
            "a length that is its own",
            whole(&[(5, "<< /Length 5 0 R >>\nstream\nBT (x) Tj ET\nendstream")]),
        ),
        (
            "content that is its own",
            whole(&[(5, "[5 0 R 5 0 R [5 0 R]]")]),
        ),
        (
            "a reference to itself",
            whole(&[(5, "5 0 R"), (3, "3 0 R")]),
        ),
        (
            "a catalogue that is its pages",
            whole(&[(
                1,
                "<< /Type /Catalog /Pages 1 0 R /Kids [1 0 R] /Count 1 >>",
            )]),
        ),
        ("arrays in arrays", whole(&[(4, &arrays)])),
        ("dictionaries in dictionaries", whole(&[(8, &dictionaries)])),
        ("operands without end", whole(&[(5, &operands)])),
        ("states without end", whole(&[(5, &states)])),
        ("a page many times", whole(&[(2, &many)])),
        (
            "a font that is its own",
            whole(&[(
                3,
                "<< /Type /Font /Subtype /Type0 /BaseFont /A /DescendantFonts [3 0 R] /ToUnicode 3 0 R /Encoding 3 0 R >>",
            )]),
        ),
        (
            "an object stream in itself",
            whole(&[(
                9,
                "<< /Type /ObjStm /N 1000000 /First 5 /Extends 9 0 R /Length 9 >>\nstream\n9 0 9 0 1\nendstream",
            )]),
        ),
    ];
    for (what, bytes) in files {
        let begun = Instant::now();
        let _ = read("a.pdf", &bytes, &limits());
        println!("{what}: {:?}", begun.elapsed());
    }
}

/// Bytes as a stream of zlib: what a container has of an entry, with the head and the sum that PDF wants.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let container = zip(&[("a".to_owned(), bytes.to_vec())]);
    let mut container = ::zip::ZipArchive::new(std::io::Cursor::new(container)).unwrap();
    let mut packed = Vec::new();
    container
        .by_index_raw(0)
        .unwrap()
        .read_to_end(&mut packed)
        .unwrap();
    let (mut a, mut b) = (1u32, 0u32);
    for part in bytes.chunks(5_000) {
        for byte in part {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % 65_521, b % 65_521);
    }
    [&b"\x78\x9c"[..], &packed, &(b << 16 | a).to_be_bytes()].concat()
}

/// Streams that unpack to a thousand times their size, one in another.
#[test]
fn pdfs_that_unpack_without_end_are_no_trouble() {
    let once = zlib(&vec![b' '; 300 << 20]);
    let twice = zlib(&once);
    for (filter, data) in [
        ("/FlateDecode", once),
        ("[/FlateDecode /FlateDecode]", twice),
    ] {
        let head = "%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Count 1 /Kids [4 0 R] >>\nendobj\n\
            4 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R >>\nendobj\n";
        let stream = format!(
            "5 0 obj\n<< /Filter {filter} /Length {} >>\nstream\n",
            data.len()
        );
        let tail = b"\nendstream\nendobj\ntrailer << /Size 9 /Root 1 0 R >>\n%%EOF\n";
        let bytes = [head.as_bytes(), stream.as_bytes(), &data, tail].concat();
        let found = read("a.pdf", &bytes, &limits());
        assert!(found.is_err(), "{found:?}");
    }
}
