//! Detection of encodings, measured on files whose names say what they are encoded in.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use encoding_rs::Encoding;
use kenning_indexer::extract::{Limits, extract};

/// The encoding that the end of a file name stands for. The bytes show that Windows wrote the files:
/// "Latin2" is Windows-1250, "Cyrillic" is Windows-1251, and so on.
fn named(end: &str) -> Option<&'static Encoding> {
    let label = match end {
        "UTF8" | "UTF8~" => "utf-8",
        "Latin1" => "windows-1252",
        "Latin2" => "windows-1250",
        "Cyrillic" => "windows-1251",
        "Greek" => "windows-1253",
        "Hebrew" => "windows-1255",
        "Arabic" => "windows-1256",
        "Turkish" => "windows-1254",
        "Baltic" => "windows-1257",
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
    let data = std::env::var_os("KENNING_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let folder = data.join("folders/multilingual");
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
        let (expected_text, _) = expected.decode_with_bom_removal(&bytes);
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
const FLOOR: u32 = 95;
