//! Files that are cut off, damaged or nonsense never bring the program down: whatever the bytes, there is
//! text or an error with a name, in bounded time.
//!
//! For a longer search than the usual run of the tests: `KENNING_HOSTILE_ROUNDS` is how many times each
//! file is damaged, `KENNING_HOSTILE_FOLDER` a folder with more files, `KENNING_HOSTILE_KEEP` a folder to
//! which those that made trouble are written.

#![allow(clippy::unwrap_used)]

mod bombs;
mod circles;
mod samples;

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use kenning_indexer::extract::{ExtractError, Limits, Warning, extract};
use rayon::prelude::*;
use samples::{Sample, samples, victims, zip};

/// Longer than this none of these small files may take, on a busy machine, unoptimised.
const PATIENCE: Duration = Duration::from_secs(10);

fn limits() -> Limits {
    Limits {
        seconds: 8.0,
        unpacked_bytes: 32 << 20,
        ..Limits::default()
    }
}

/// Deterministic noise: xorshift64.
struct Noise(u64);

impl Noise {
    fn new(seed: u64) -> Self {
        Noise(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % end.max(1)
    }
}

/// What is wrong with how a file was taken, if anything.
fn trouble(name: &str, bytes: &[u8]) -> Option<String> {
    let begun = Instant::now();
    let limits = limits();
    let result = catch_unwind(AssertUnwindSafe(|| {
        extract(Path::new(name), bytes, &limits)
    }));
    let spent = begun.elapsed();
    if spent > PATIENCE {
        return Some(format!("took {spent:?}"));
    }
    match result {
        Err(_) => Some("panicked in the caller's thread".to_owned()),
        Ok(Err(error @ (ExtractError::Crashed { .. } | ExtractError::TimedOut { .. }))) => {
            Some(error.to_string())
        }
        Ok(Err(error)) if error.to_string().contains('\n') => Some(format!("two lines: {error}")),
        Ok(Err(_)) => None,
        Ok(Ok(found)) if found.parts.is_empty() => Some("neither text nor an error".to_owned()),
        Ok(Ok(found)) => found.warnings.iter().find_map(|warning| match warning {
            // The reader of an attachment panicked.
            Warning::Attachment { reason, .. } if reason == "its reader failed" => {
                Some(warning.to_string())
            }
            _ => None,
        }),
    }
}

/// Tries all of them, and tells what went wrong with any.
fn try_all(cases: Vec<(String, Sample)>) {
    let count = cases.len();
    let found: Vec<String> = cases
        .into_par_iter()
        .filter_map(|(what, (name, bytes))| {
            let trouble = trouble(&name, &bytes)?;
            if let Some(folder) = std::env::var_os("KENNING_HOSTILE_KEEP") {
                let file = format!("{}-{name}", what.replace(' ', "_"));
                std::fs::write(Path::new(&folder).join(file), &bytes).unwrap();
            }
            Some(format!("{name}, {what}: {trouble}"))
        })
        .collect();
    println!("{count} files");
    assert!(
        found.is_empty(),
        "{} of {count}:\n{}",
        found.len(),
        found.join("\n")
    );
}

fn rounds(usual: u64) -> u64 {
    let set = std::env::var("KENNING_HOSTILE_ROUNDS").ok();
    set.and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

#[test]
fn the_samples_are_valid() {
    for (name, bytes) in samples() {
        let found = extract(Path::new(&name), &bytes, &limits());
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            found.parts.iter().any(|part| !part.text.is_empty()),
            "{name}"
        );
    }
}

#[test]
fn files_that_break_off() {
    let mut cases = Vec::new();
    for (name, bytes) in victims() {
        let length = bytes.len();
        for end in [0, 1, 4, length / 4, length / 2, length * 3 / 4, length - 1] {
            let end = end.min(length);
            cases.push((
                format!("cut to {end}"),
                (name.clone(), bytes[..end].to_vec()),
            ));
        }
    }
    try_all(cases);
}

#[test]
fn files_with_damaged_bytes() {
    let mut cases = Vec::new();
    for (name, bytes) in victims() {
        for seed in 0..rounds(150) {
            let mut noise = Noise::new(seed);
            let damaged = damage(&bytes, &mut noise);
            cases.push((format!("damage {seed}"), (name.clone(), damaged)));
        }
    }
    try_all(cases);
}

/// Damage inside of a zip container, which its checksums would hide.
#[test]
fn containers_with_damaged_entries() {
    let mut cases = Vec::new();
    for (name, bytes) in victims()
        .into_iter()
        .filter(|(_, bytes)| bytes.starts_with(b"PK"))
    {
        let entries = unzip(&bytes);
        if entries.is_empty() {
            continue;
        }
        for seed in 0..rounds(150) {
            let mut noise = Noise::new(seed);
            let mut damaged = entries.clone();
            let which = noise.below(damaged.len());
            for index in [which, noise.below(entries.len())] {
                if damaged[index].0 != "mimetype" {
                    damaged[index].1 = damage(&damaged[index].1, &mut noise);
                }
            }
            cases.push((
                format!("entry damage {seed}"),
                (name.clone(), zip(&damaged)),
            ));
        }
    }
    try_all(cases);
}

#[test]
fn nonsense_under_every_name() {
    let mut cases = Vec::new();
    let mut names: Vec<String> = victims().into_iter().map(|(name, _)| name).collect();
    names.extend(["a.bin", "a.xlsb", "a.pages", "a.zip", "noname"].map(str::to_owned));
    for name in names {
        for seed in 0..rounds(12) {
            let mut noise = Noise::new(seed);
            let length = noise.below(5000);
            // Whole bytes, bytes of ASCII, and few different ones.
            let range = [256, 128, 4][seed as usize % 3];
            let bytes = (0..length).map(|_| noise.below(range) as u8).collect();
            cases.push((format!("nonsense {seed}"), (name.clone(), bytes)));
        }
        // The mark of a format with nonsense behind it.
        let marks: [&[u8]; 5] = [
            b"PK\x03\x04",
            b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
            b"%PDF-1.7\n",
            b"{\\rtf1 ",
            b"<?xml ",
        ];
        for (mark, seed) in marks.into_iter().zip(0..) {
            let mut noise = Noise::new(seed);
            let tail = (0..2000).map(|_| noise.below(256) as u8);
            let bytes = mark.iter().copied().chain(tail).collect();
            cases.push((format!("mark {seed}"), (name.clone(), bytes)));
        }
    }
    try_all(cases);
}

/// Changes some bytes: to noise, to extremes, by one bit; or repeats, removes or moves a stretch.
fn damage(bytes: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    for _ in 0..1 + noise.below(12) {
        if damaged.is_empty() {
            break;
        }
        let at = noise.below(damaged.len());
        let end = (at + 1 + noise.below(64)).min(damaged.len());
        match noise.below(8) {
            0 => damaged[at] = noise.below(256) as u8,
            1 => damaged[at] ^= 1 << noise.below(8),
            2 => damaged[at] = 0xFF,
            3 => damaged[at..(at + 4).min(end)].fill(0xFF),
            4 => damaged[at..(at + 4).min(end)].fill(0),
            5 => damaged[at] = damaged[at].wrapping_add(1),
            6 => drop(damaged.drain(at..end)),
            _ => {
                let stretch = damaged[at..end].to_vec();
                let to = noise.below(damaged.len());
                damaged.splice(to..to, stretch);
            }
        }
    }
    damaged
}

fn unzip(bytes: &[u8]) -> Vec<Sample> {
    let Ok(mut archive) = ::zip::ZipArchive::new(std::io::Cursor::new(bytes)) else {
        return Vec::new();
    };
    let count = archive.len();
    let read = |index| {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        // What cannot be unpacked is as good as empty.
        let _ = entry.read_to_end(&mut content);
        (entry.name().unwrap().into_owned(), content)
    };
    (0..count).map(read).collect()
}
