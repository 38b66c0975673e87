//! Detection of encodings, measured on files whose names say what they are encoded in.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use encoding_rs::Encoding;
use kenning_indexer::extract::{Limits, extract};

/// The encodings that the end of a file name stands for; the first decides what the text should be.
/// Latin 1 is read as Windows-1252 by the standard that encoding_rs follows.
fn named(end: &str) -> Option<&'static Encoding> {
    let label = match end {
        "UTF8" | "UTF8~" => "utf-8",
        "Latin1" => "windows-1252",
        "Latin2" => "iso-8859-2",
        "Cyrillic" => "iso-8859-5",
        "Greek" => "iso-8859-7",
        "Hebrew" => "iso-8859-8",
        "Arabic" => "iso-8859-6",
        "Turkish" => "iso-8859-9",
        "Baltic" => "iso-8859-4",
        "GB2312" => "gb18030",
        "SJIS" => "shift_jis",
        "EUC" => "euc-jp",
        "JIS" => "iso-2022-jp",
        _ => return None,
    };
    Encoding::for_label(label.as_bytes())
}

#[test]
fn files_decode_as_their_names_say() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/folders/multilingual");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let (mut files, mut right, mut close) = (0u32, 0u32, 0u32);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(expected) = name.rsplit('-').next().and_then(named) else {
            continue;
        };
        let bytes = std::fs::read(&path).unwrap();
        // Texts are cut at a number of bytes, so the last character can be half.
        let (expected_text, _) = expected.decode_without_bom_handling(&bytes);
        files += 1;
        match extract(&path, &bytes, &Limits::default()) {
            Ok(found) => {
                let text = &found.parts[0].text;
                let same = expected_text
                    .chars()
                    .zip(text.chars())
                    .filter(|(a, b)| a == b)
                    .count();
                let all = expected_text.chars().count().max(1);
                right += u32::from(same + 1 >= all);
                close += u32::from(same * 100 >= all * 99);
                if same + 1 < all {
                    let got = found.encoding.unwrap_or("UTF-8");
                    println!(
                        "{name}: {} as {got}: {same} of {all} characters",
                        expected.name()
                    );
                }
            }
            Err(error) => println!("{name}: {error}"),
        }
    }
    println!("{right} of {files} files exactly, {close} to 99 in 100 characters");
    assert!(right * 100 >= files * FLOOR, "{right} of {files}");
}

/// Files in a hundred that must decode exactly.
const FLOOR: u32 = 80;
