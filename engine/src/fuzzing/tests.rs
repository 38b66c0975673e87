//! The same properties in every run of the tests, over seeded noise. `KENNING_FUZZ_ROUNDS` is how many inputs each
//! function gets.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use super::seeds::TARGETS;

/// Marsaglia's xorshift.
struct Noise(u64);

impl Noise {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % end.max(1)
    }
}

/// Some edits of a seed: bytes changed, taken out, doubled, moved; a piece of another seed put in.
fn spoilt(seeds: &[Vec<u8>], noise: &mut Noise) -> Vec<u8> {
    let mut bytes = seeds[noise.below(seeds.len())].clone();
    for _ in 0..1 + noise.below(6) {
        let at = noise.below(bytes.len());
        let end = (at + 1 + noise.below(24)).min(bytes.len());
        match noise.below(8) {
            _ if bytes.is_empty() => {}
            0 => bytes[at] = noise.below(256) as u8,
            1 => bytes[at] ^= 1 << noise.below(8),
            2 => bytes[at..end.min(at + 4)].fill([0, 0xFF][noise.below(2)]),
            3 => bytes[at] = bytes[at].wrapping_add(1),
            4 => drop(bytes.drain(at..end)),
            5 => bytes.truncate(at),
            6 => {
                let other = &seeds[noise.below(seeds.len())];
                let from = noise.below(other.len());
                let piece = other[from..(from + 24).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let piece = bytes[at..end].repeat(1 + noise.below(40));
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

fn rounds(usual: usize) -> usize {
    let set = std::env::var("KENNING_FUZZ_ROUNDS").ok();
    set.and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

/// Hands seeds, spoilt seeds and noise to the function of this name.
fn look(name: &str, usual: usize) {
    let (_, hold, seeds) = TARGETS.iter().find(|(known, ..)| *known == name).unwrap();
    let seeds = seeds();
    assert!(!seeds.is_empty());
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds(usual) {
        let bytes = match seeds.get(round) {
            Some(seed) => seed.clone(),
            None if round % 10 == 0 => (0..noise.below(400))
                .map(|_| noise.below(256) as u8)
                .collect(),
            None => spoilt(&seeds, &mut noise),
        };
        let begun = Instant::now();
        hold(&bytes);
        slowest = slowest.max(begun.elapsed());
    }
    super::clean();
    assert!(
        slowest < Duration::from_secs(10),
        "{slowest:?} for one input"
    );
}

#[test]
fn any_text_is_a_query() {
    look("query", 4_000);
}

#[test]
fn any_text_is_cut_into_sound_chunks() {
    look("chunks", 3_000);
}

#[test]
fn any_column_is_refused_or_read_in_bounds() {
    look("column", 6_000);
}

#[test]
fn any_graph_is_refused_or_walked_in_bounds() {
    look("graph", 6_000);
}

#[test]
fn any_bytes_are_a_vector_or_none() {
    look("vectors", 10_000);
}

#[test]
fn any_settings_are_refused_or_an_index() {
    look("settings", 2_000);
}

#[test]
fn any_packed_weights_are_refused_or_used_in_bounds() {
    look("packed", 2_000);
}

#[test]
fn any_stamp_is_refused() {
    look("stamp", 2_000);
}

#[test]
fn any_settings_of_a_model_are_refused_or_work() {
    look("model", 250);
}

/// Writes what the fuzz targets begin with to the folder that `KENNING_FUZZ_SEEDS` names.
#[test]
#[ignore = "writes files, on request"]
fn seeds_for_the_fuzz_targets() {
    let folder = std::env::var_os("KENNING_FUZZ_SEEDS").unwrap();
    for (name, _, seeds) in TARGETS {
        let folder = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds().into_iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
        }
    }
}
