//! One small valid file of every format that is read: those of the sample library, and what it has none
//! of, built here.

use std::io::{Cursor, Write};
use std::path::Path;

use zip::write::{SimpleFileOptions, ZipWriter};

/// A file: its name and its bytes.
pub type Sample = (String, Vec<u8>);

/// All of them.
pub fn samples() -> Vec<Sample> {
    let mut all = Vec::new();
    let library = concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/library");
    of_each_extension(Path::new(library), &mut all);
    assert!(all.len() > 15, "the sample library is not there");
    let built: [(&str, Vec<u8>); 13] = [
        ("a.ods", ods()),
        ("a.odp", odp()),
        ("a.fodt", ODT.as_bytes().to_vec()),
        ("a.xps", xps()),
        ("a.fb2", FB2.as_bytes().to_vec()),
        (
            "a.xml",
            b"<?xml version='1.0'?><r><a>one</a><b c='d'>two &amp; three</b></r>".to_vec(),
        ),
        ("a.tsv", b"name\tage\nAnna\t7\n\"B\tb\"\t8\n".to_vec()),
        ("utf16.txt", utf16("\u{FEFF}Pâtes à l’eau\r\n")),
        ("a.doc", doc()),
        ("a.xls", xls()),
        ("a.ppt", ppt()),
        ("a.msg", msg()),
        ("nested.eml", nested_mail(&all)),
    ];
    all.extend(built.map(|(name, bytes)| (name.to_owned(), bytes)));
    all
}

/// The samples, and where `KENNING_HOSTILE_FOLDER` names a folder the files in it up to 200 KB. These need
/// not be valid.
pub fn victims() -> Vec<Sample> {
    let mut all = samples();
    if let Some(folder) = std::env::var_os("KENNING_HOSTILE_FOLDER") {
        let files = std::fs::read_dir(folder).unwrap().flatten();
        for path in files
            .map(|entry| entry.path())
            .filter(|path| path.is_file())
        {
            let bytes = std::fs::read(&path).unwrap();
            if !bytes.is_empty() && bytes.len() <= 200_000 {
                all.push((
                    path.file_name().unwrap().to_string_lossy().into_owned(),
                    bytes,
                ));
            }
        }
    }
    all
}

/// The smallest file of each extension in a folder and below.
fn of_each_extension(folder: &Path, found: &mut Vec<Sample>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    for path in entries.iter().map(std::fs::DirEntry::path) {
        if path.is_dir() {
            of_each_extension(&path, found);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let extension = |name: &str| name.rsplit('.').next().map(str::to_owned);
        match found
            .iter_mut()
            .find(|(have, _)| extension(have) == extension(&name))
        {
            Some(kept) if kept.1.len() > bytes.len() => *kept = (name, bytes),
            Some(_) => {}
            None => found.push((name, bytes)),
        }
    }
}

/// A zip container with these entries.
pub fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(name.as_str(), SimpleFileOptions::default())
            .unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub fn zip_of(entries: &[(&str, &str)]) -> Vec<u8> {
    let owned: Vec<_> = entries
        .iter()
        .map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec()))
        .collect();
    zip(&owned)
}

const ODT: &str = "<?xml version='1.0'?><office:document><office:meta><dc:title>T</dc:title></office:meta>\
    <office:body><office:text><text:h text:outline-level='2'>Head</text:h><text:p>a<text:s text:c='3'/>b\
    <text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>note</text:p></text:note-body>\
    </text:note> c</text:p><text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>\
    </office:text></office:body></office:document>";

const FB2: &str = "<?xml version='1.0'?><FictionBook><description><title-info><book-title>T</book-title>\
    <author><first-name>A</first-name></author></title-info></description><body><section><title><p>One</p></title>\
    <p>text</p></section></body></FictionBook>";

fn ods() -> Vec<u8> {
    zip_of(&[
        ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", "<manifest:manifest/>"),
        (
            "content.xml",
            "<office:document-content><office:body><office:spreadsheet><table:table table:name='S'>\
            <table:table-row><table:table-cell office:value-type='string'><text:p>Name</text:p></table:table-cell>\
            <table:table-cell office:value-type='float' office:value='7' table:number-columns-repeated='3'><text:p>7</text:p></table:table-cell>\
            </table:table-row></table:table></office:spreadsheet></office:body></office:document-content>",
        ),
    ])
}

fn odp() -> Vec<u8> {
    zip_of(&[
        (
            "mimetype",
            "application/vnd.oasis.opendocument.presentation",
        ),
        (
            "content.xml",
            "<office:document-content><office:body><office:presentation><draw:page draw:name='p'>\
            <draw:frame presentation:class='title'><draw:text-box><text:p>Head</text:p></draw:text-box></draw:frame>\
            <draw:frame><draw:text-box><text:p>text</text:p></draw:text-box></draw:frame></draw:page>\
            </office:presentation></office:body></office:document-content>",
        ),
    ])
}

fn xps() -> Vec<u8> {
    zip_of(&[
        ("FixedDocSeq.fdseq", "<x/>"),
        (
            "Documents/1/FixedDoc.fdoc",
            "<FixedDocument><PageContent Source='Pages/1.fpage'/></FixedDocument>",
        ),
        (
            "Documents/1/Pages/1.fpage",
            "<FixedPage><Glyphs OriginX='0' OriginY='10' FontRenderingEmSize='10' \
            UnicodeString='one'/><Glyphs OriginX='20' OriginY='10' UnicodeString='two'/></FixedPage>",
        ),
    ])
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A mail with every other container in it as an attachment.
fn nested_mail(others: &[Sample]) -> Vec<u8> {
    let mut mail = b"From: a@example.org\nSubject: all\nMIME-Version: 1.0\n\
        Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n"
        .to_vec();
    for (name, bytes) in others
        .iter()
        .filter(|(name, bytes)| name.contains('.') && bytes.len() < 5000)
    {
        let head = format!(
            "--b\nContent-Type: application/octet-stream; name=\"{name}\"\nContent-Transfer-Encoding: base64\n\
            Content-Disposition: attachment; filename=\"{name}\"\n\n"
        );
        mail.extend_from_slice(head.as_bytes());
        mail.extend_from_slice(base64(bytes).as_bytes());
        mail.push(b'\n');
    }
    mail.extend_from_slice(b"--b--\n");
    mail
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks(3).flat_map(|group| {
        let number = (0..3).fold(0, |number, at| {
            (number << 8) | usize::from(*group.get(at).unwrap_or(&0))
        });
        (0..4).map(move |digit| match digit <= group.len() {
            true => DIGITS[number >> (18 - 6 * digit) & 63] as char,
            false => '=',
        })
    });
    groups.collect()
}

/// A compound file with these streams; a storage is made for what stands before a slash.
fn ole(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for (name, content) in streams {
        if let Some((storage, _)) = name.rsplit_once('/') {
            file.create_storage_all(storage).unwrap();
        }
        file.create_stream(name)
            .unwrap()
            .write_all(content)
            .unwrap();
    }
    file.flush().unwrap();
    file.into_inner().into_inner()
}

/// Writes numbers of two or four bytes, lowest first, into a buffer.
fn put16(bytes: &mut [u8], at: usize, number: u16) {
    bytes[at..at + 2].copy_from_slice(&number.to_le_bytes());
}

fn put32(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

/// A summary with a title.
fn summary() -> Vec<u8> {
    let mut bytes = vec![0; 80];
    put32(&mut bytes, 44, 48);
    put32(&mut bytes, 52, 1);
    put32(&mut bytes, 56, 2);
    put32(&mut bytes, 60, 16);
    put32(&mut bytes, 64, 30);
    put32(&mut bytes, 68, 6);
    bytes[72..78].copy_from_slice(b"Title\0");
    bytes
}

/// Word: a heading and a paragraph in one piece, with one page of paragraph properties.
fn doc() -> Vec<u8> {
    let text = b"Head\rText of a field \x13PAGE\x147\x15 and more.\r";
    let mut main = vec![0; 0xC00];
    put16(&mut main, 0, 0xA5EC);
    put16(&mut main, 2, 0x00C1);
    put16(&mut main, 0x0A, 0x0200);
    main[0x600..0x600 + text.len()].copy_from_slice(text);
    // The table stream: the piece table, and where the page of properties stands.
    let mut table = vec![2];
    table.extend(16u32.to_le_bytes());
    table.extend([0, text.len() as u32].map(u32::to_le_bytes).concat());
    table.extend([0, 0]);
    table.extend((0x4000_0000u32 | (0x600 * 2)).to_le_bytes());
    table.extend([0, 0]);
    put32(&mut main, 0x01A6, table.len() as u32);
    put32(&mut main, 0x0102, table.len() as u32);
    put32(&mut main, 0x0106, 12);
    table.extend([0x600, 0x700, 5].map(u32::to_le_bytes).concat());
    let page = &mut main[0xA00..0xC00];
    put32(page, 0, 0x600);
    put32(page, 4, 0x605);
    page[8] = 100;
    page[200] = 3;
    put16(page, 201, 1);
    put16(page, 203, 0x2416);
    page[511] = 1;
    ole(&[
        ("/WordDocument", &main),
        ("/1Table", &table),
        ("/\u{5}SummaryInformation", &summary()),
    ])
}

/// Excel: one sheet with two cells.
fn xls() -> Vec<u8> {
    fn record(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
        out.extend(kind.to_le_bytes());
        out.extend((body.len() as u16).to_le_bytes());
        out.extend(body);
    }
    let begin = |kind: u16| {
        [0x0600, kind, 0, 0, 0, 0, 0, 0]
            .map(u16::to_le_bytes)
            .concat()
    };
    let mut book = Vec::new();
    record(&mut book, 0x0809, &begin(5));
    let place = book.len() + 4;
    record(
        &mut book,
        0x0085,
        &[0, 0, 0, 0, 0, 0, 5, 0, b'S', b'h', b'e', b'e', b't'],
    );
    let words = [1u32, 1].map(u32::to_le_bytes).concat();
    record(
        &mut book,
        0x00FC,
        &[&words[..], &[4, 0, 0], b"Name"].concat(),
    );
    record(&mut book, 0x000A, &[]);
    let start = book.len() as u32;
    put32(&mut book, place, start);
    record(&mut book, 0x0809, &begin(0x10));
    record(&mut book, 0x00FD, &[0; 10]);
    record(
        &mut book,
        0x0203,
        &[&[1, 0, 0, 0, 0, 0][..], &7.5f64.to_le_bytes()].concat(),
    );
    record(&mut book, 0x000A, &[]);
    ole(&[("/Workbook", &book)])
}

/// PowerPoint: a slide in the directory of the last save.
fn ppt() -> Vec<u8> {
    fn record(head: u16, kind: u16, body: &[u8]) -> Vec<u8> {
        let head = [head, kind].map(u16::to_le_bytes).concat();
        [&head[..], &(body.len() as u32).to_le_bytes(), body].concat()
    }
    let persist = record(
        0,
        1011,
        &[2u32, 0, 0, 256, 0].map(u32::to_le_bytes).concat(),
    );
    let outline = [record(0, 3999, &[0; 4]), record(0, 4008, b"Head\rline")].concat();
    let list = record(0x0F, 4080, &[persist, outline].concat());
    let document = record(0x0F, 1000, &list);
    let text = [
        record(0, 3999, &[4, 0, 0, 0]),
        record(0, 4000, &utf16("text")),
    ]
    .concat();
    let slide = record(0x0F, 1006, &record(0x0F, 61444, &text));
    let entries = [(2 << 20) | 1, 0, document.len() as u32]
        .map(u32::to_le_bytes)
        .concat();
    let directory = record(0, 6002, &entries);
    let place = (document.len() + slide.len()) as u32;
    let edit = [0u32, 0, 0, place, 1, 0, 0].map(u32::to_le_bytes).concat();
    let edit = record(0, 4085, &edit);
    let mut user = vec![0; 20];
    put32(&mut user, 16, place + directory.len() as u32);
    ole(&[
        (
            "/PowerPoint Document",
            &[document, slide, directory, edit].concat(),
        ),
        ("/Current User", &user),
        ("/\u{5}SummaryInformation", &summary()),
    ])
}

/// Outlook: a message with an attachment.
fn msg() -> Vec<u8> {
    let mut fixed = vec![0; 48];
    put32(&mut fixed, 32, 0x3FFD_0003);
    put32(&mut fixed, 40, 1251);
    ole(&[
        ("/__properties_version1.0", &fixed),
        ("/__substg1.0_0037001F", &utf16("Subject")),
        ("/__substg1.0_1000001E", b"\xCF\xF0\xE8\xE2\xE5\xF2"),
        ("/__substg1.0_0E04001F", &utf16("a@b; c@d")),
        (
            "/__attach_version1.0_#00000000/__properties_version1.0",
            &[0; 8],
        ),
        (
            "/__attach_version1.0_#00000000/__substg1.0_3707001F",
            &utf16("a.html"),
        ),
        (
            "/__attach_version1.0_#00000000/__substg1.0_37010102",
            b"<h1>Inside</h1><p>text",
        ),
    ])
}
