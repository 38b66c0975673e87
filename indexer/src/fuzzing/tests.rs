//! The same properties in every run of the tests, over seeded noise. `KENNING_FUZZ_ROUNDS` is how many inputs each
//! function gets. Damaged files of every format are in `tests/hostile`.

#![allow(clippy::unwrap_used)]

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

fn spoilt(seeds: &[Vec<u8>], noise: &mut Noise) -> Vec<u8> {
    let mut bytes = seeds[noise.below(seeds.len())].clone();
    for _ in 0..1 + noise.below(4) {
        let at = noise.below(bytes.len());
        let end = (at + 1 + noise.below(16)).min(bytes.len());
        match noise.below(5) {
            _ if bytes.is_empty() => {}
            0 => bytes[at] = noise.below(256) as u8,
            1 => bytes[at] = b"{}[]\",:0123456789-.eE"[noise.below(21)],
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            _ => {
                let piece = bytes[at..end].repeat(1 + noise.below(20));
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

fn look(name: &str, usual: usize) {
    let (_, hold, seeds) = TARGETS.iter().find(|(known, ..)| *known == name).unwrap();
    let seeds = seeds();
    assert!(seeds.len() > 2);
    let set = std::env::var("KENNING_FUZZ_ROUNDS").ok();
    let rounds = set.and_then(|rounds| rounds.parse().ok()).unwrap_or(usual);
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    for round in 0..rounds.max(seeds.len()) {
        match seeds.get(round) {
            Some(seed) => hold(seed),
            None => hold(&spoilt(&seeds, &mut noise)),
        }
    }
}

#[test]
fn any_state_of_a_file_is_refused_or_read() {
    look("catalogue", 5_000);
}

#[test]
fn any_answer_of_a_worker_is_refused_or_cut_in_bounds() {
    look("answer", 2_000);
}

#[test]
fn any_file_gives_text_or_a_reason() {
    look("file", 600);
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
