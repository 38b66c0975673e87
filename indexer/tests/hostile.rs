//! Files that are cut, flipped, or not at all what their names say: each gives text or an error that
//! names what is wrong, in bounded time, and never a panic.
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kenning_indexer::extract::{ExtractError, Extracted, Limits, extract};

const SECONDS: f64 = 5.0;

/// A small generator of random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Every file of a folder that is not too large for many readings, the smallest of each extension first.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => {
                    found.push((entry.metadata().unwrap().len(), entry.path()))
                }
                _ => {}
            }
        }
    }
    found.sort();
    let small = found.into_iter().filter(|(size, _)| *size < 64 << 10);
    small.map(|(_, path)| path).collect()
}

fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_ascii_lowercase()
}

/// The smallest file of each extension that gives text.
fn samples(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut samples: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for path in files(folder) {
        if samples
            .iter()
            .all(|(known, _)| extension(known) != extension(&path))
        {
            let bytes = std::fs::read(&path).unwrap();
            if read(&path, &bytes, "whole").is_ok() {
                samples.push((path, bytes));
            }
        }
    }
    samples
}

fn read(path: &Path, bytes: &[u8], what: &str) -> Result<Extracted, ExtractError> {
    let limits = Limits {
        seconds: SECONDS,
        ..Limits::default()
    };
    let begun = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| extract(path, bytes, &limits)));
    let took = begun.elapsed();
    let name = path.display();
    let Ok(result) = result else {
        panic!("{name}, {what}: a panic reached the caller");
    };
    assert!(
        took < Duration::from_secs_f64(SECONDS + 2.0),
        "{name}, {what}: took {took:?}"
    );
    match &result {
        Ok(extracted) => {
            assert!(
                !extracted.parts.is_empty(),
                "{name}, {what}: nothing, silently"
            );
        }
        Err(error) => {
            let text = error.to_string();
            assert!(
                !text.is_empty() && !text.contains('\n'),
                "{name}, {what}: {text:?}"
            );
        }
    }
    result
}

fn mistreat(samples: &[(PathBuf, Vec<u8>)], flips: usize) {
    let mut random = Random(1);
    for (path, bytes) in samples {
        let size = bytes.len();
        for cut in [0, 1, 5, size / 4, size / 2, size * 3 / 4, size - 1] {
            let _ = read(path, &bytes[..cut], &format!("cut at {cut}"));
        }
        for round in 0..flips {
            let mut flipped = bytes.clone();
            for _ in 0..=random.below(8) {
                let place = random.below(size);
                flipped[place] = random.next() as u8;
            }
            let _ = read(path, &flipped, &format!("flipped, round {round}"));
        }
        // Half of the file is there twice.
        let doubled = [&bytes[..size / 2], bytes].concat();
        let _ = read(path, &doubled, "doubled");
    }
}

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/library")
}

#[test]
fn broken_files_of_the_library_are_no_danger() {
    let samples = samples(&library());
    assert!(samples.len() >= 20, "{} formats", samples.len());
    mistreat(&samples, 100);
}

#[test]
fn broken_office_files_are_no_danger() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/folders/office");
    if !folder.is_dir() {
        return println!("skipped: {} is not there", folder.display());
    }
    mistreat(&samples(&folder), 60);
}

#[test]
fn a_name_promises_nothing() {
    let mut random = Random(2);
    let mut extensions: Vec<String> = files(&library()).iter().map(|p| extension(p)).collect();
    let others = [
        "doc", "xls", "ppt", "msg", "xlsb", "odp", "ods", "fb2", "xps", "xml", "tsv", "pages",
        "zip", "gz", "7z", "exe", "png", "",
    ];
    extensions.extend(others.map(str::to_owned));
    extensions.sort();
    extensions.dedup();
    // What the formats begin with, so that their readers get to see what follows.
    let magics: [&[u8]; 10] = [
        b"",
        b"PK\x03\x04",
        b"%PDF-1.7\n",
        b"{\\rtf1",
        b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
        b"<?xml version=\"1.0\"?>",
        b"From a@b Mon Jan 1 00:00:00 2024\n",
        b"{\"cells\":[",
        b"\x1F\x8B",
        b"\xFF\xFE",
    ];
    for extension in &extensions {
        let path = PathBuf::from(format!("file.{extension}"));
        for magic in magics {
            let mut bytes = magic.to_vec();
            for _ in 0..random.below(3_000) {
                bytes.push(random.next() as u8);
            }
            let _ = read(&path, &bytes, "random bytes");
        }
    }
}

#[test]
fn deep_nesting_and_long_lines_end() {
    let deep = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat();
    let long = "word ".repeat(400_000);
    for (name, text) in [
        ("deep.html", deep("<div>", "</div>") + "text"),
        ("deep.xml", deep("<a>", "</a>")),
        ("deep.json", deep("[", "]")),
        ("deep.md", deep("> ", "")),
        ("list.md", deep("- ", "")),
        ("deep.rtf", format!("{{\\rtf1 {}}}", deep("{", "}"))),
        (
            "deep.fb2",
            format!("<FictionBook>{}", deep("<section>", "</section>")),
        ),
        ("long.txt", long.clone()),
        ("long.md", long.clone()),
        ("long.csv", long.replace(' ', ",")),
        ("long.rst", long.clone()),
        ("long.py", long),
        ("quotes.csv", "\"".repeat(100_000)),
        ("markers.md", "*_[`".repeat(20_000)),
    ] {
        let _ = read(Path::new(name), text.as_bytes(), "generated");
    }
}
