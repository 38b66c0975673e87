//! What was measured of encoders on this machine, kept in Kenning's cache as `measurements.json`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kenning::models::known::{Constraint, KnownModel};
use serde::{Deserialize, Serialize};

use crate::error::DatasetError;
use crate::speed::Speed;

/// The name of the file.
const FILE: &str = "measurements.json";
/// The form of the file that this version writes and reads.
const VERSION: u32 = 1;
/// Speeds and sizes that differ by less are taken as equal: so much is noise.
const NOISE: f64 = 1.05;

/// The latest that was measured of one encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// `organisation/name`, or the absolute path of a folder.
    pub model: String,
    /// What decides its vectors, pooling and prompts among it: there is one measurement for each.
    pub fingerprint: String,
    /// SHA-256 of its weights, in hex.
    pub weights_sha256: String,
    /// The family.
    pub architecture: String,
    /// How token vectors become one.
    pub pooling: String,
    /// Whether pooling, prompts and dimensions were those of its folder.
    pub plain: bool,
    /// Numbers among its weights.
    pub parameters: u64,
    /// Length of a vector.
    pub dimension: usize,
    /// Most tokens that it reads at once.
    pub max_tokens: usize,
    /// Size of its weights on disk.
    pub weight_bytes: u64,
    /// Seconds that loading took, with the files in the system's cache.
    pub load_seconds: f64,
    /// How fast it is.
    #[serde(flatten)]
    pub speed: Speed,
    /// Memory that the process grew by at most while loading and measuring, in bytes; `None` where the
    /// system does not tell.
    pub memory_bytes: Option<u64>,
    /// Threads that computed.
    pub threads: usize,
    /// When, as in `2026-01-31T12:00:00Z`.
    pub date: String,
    /// The version of Kenning.
    pub kenning: String,
    /// How well it ranks, by the name of the collection.
    #[serde(default)]
    pub quality: BTreeMap<String, Quality>,
}

/// How well an encoder ranks on a collection: nDCG@10.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// By meaning.
    pub semantic: f64,
    /// By meaning and by word.
    pub hybrid: f64,
    /// Documents of the collection.
    pub documents: usize,
    /// Its judged questions.
    pub queries: usize,
    /// When.
    pub date: String,
    /// The version of Kenning.
    pub kenning: String,
}

/// All of them, in order of name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measurements {
    /// At most one for each fingerprint.
    pub rows: Vec<Measurement>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    rows: Vec<Measurement>,
}

impl Measurements {
    /// Where they lie in Kenning's cache.
    pub fn path(cache: &Path) -> PathBuf {
        cache.join(FILE)
    }

    /// Reads them; none if the file is not there.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the file cannot be read, [`DatasetError::Measurements`] if it is damaged or
    /// of another version.
    pub fn read(cache: &Path) -> Result<Self, DatasetError> {
        let path = Self::path(cache);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(DatasetError::io("read", &path, source)),
        };
        let found = match serde_json::from_slice::<Kept>(&bytes) {
            Ok(kept) if kept.version == VERSION => return Ok(Measurements { rows: kept.rows }),
            Ok(kept) => format!("version {}, expected {VERSION}", kept.version),
            Err(error) => error.to_string(),
        };
        Err(DatasetError::Measurements { path, found })
    }

    /// Puts a measurement in the place of the one before it. What that one knew of other collections is
    /// kept: the vectors are the same.
    pub fn keep(&mut self, mut row: Measurement) {
        if let Some(place) = self.place(&row.fingerprint) {
            for (collection, quality) in self.rows.remove(place).quality {
                row.quality.entry(collection).or_insert(quality);
            }
        }
        self.rows.push(row);
        self.rows
            .sort_by(|a, b| (&a.model, &a.fingerprint).cmp(&(&b.model, &b.fingerprint)));
    }

    /// What was measured of the encoder with this fingerprint.
    pub fn of(&self, fingerprint: &str) -> Option<&Measurement> {
        self.place(fingerprint).map(|place| &self.rows[place])
    }

    fn place(&self, fingerprint: &str) -> Option<usize> {
        self.rows
            .iter()
            .position(|row| row.fingerprint == fingerprint)
    }

    /// Writes them: the file is whole at any time.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn write(&self, cache: &Path) -> Result<(), DatasetError> {
        let path = Self::path(cache);
        let part = cache.join(format!(".{FILE}.{}.part", std::process::id()));
        let kept = Kept {
            version: VERSION,
            rows: self.rows.clone(),
        };
        let written = serde_json::to_vec_pretty(&kept)
            .map_err(io::Error::other)
            .and_then(|bytes| {
                fs::create_dir_all(cache)?;
                let mut file = File::create(&part)?;
                file.write_all(&bytes)?;
                // On disk before the rename is: a power cut must not leave the name without the bytes.
                file.sync_all()?;
                fs::rename(&part, &path)
            });
        written.map_err(|source| {
            let _ = fs::remove_file(&part);
            DatasetError::io("write", &path, source)
        })
    }
}

/// Two encoders of which one was expected to do better than the other, and did worse on this machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Surprise {
    /// Was expected to do better.
    pub expected: String,
    /// Did better.
    pub found: String,
    /// By what.
    pub by: Criterion,
}

/// What encoders are measured by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Criterion {
    /// Tokens a second.
    Speed,
    /// Memory.
    Memory,
    /// nDCG@10 by meaning, on the collection of this name.
    Quality(String),
}

/// Where measurements contradict what the published facts let one expect for `constraint`. Only encoders
/// as their folders are count, and speeds only with as many threads.
pub fn surprises(constraint: Constraint, rows: &[Measurement]) -> Vec<Surprise> {
    let known: Vec<(&Measurement, &KnownModel)> = rows
        .iter()
        .filter(|row| row.plain)
        .filter_map(|row| Some((row, KnownModel::named(&row.model)?)))
        .collect();
    let mut found = Vec::new();
    for (a, better) in &known {
        for (b, worse) in &known {
            if constraint.prefers(better, worse) != Some(true) {
                continue;
            }
            found.extend(
                contradictions(constraint, a, b)
                    .into_iter()
                    .map(|by| Surprise {
                        expected: a.model.clone(),
                        found: b.model.clone(),
                        by,
                    }),
            );
        }
    }
    found
}

/// By what `b` did better than `a`.
fn contradictions(constraint: Constraint, a: &Measurement, b: &Measurement) -> Vec<Criterion> {
    match constraint {
        Constraint::LimitedCompute => {
            let faster = b.speed.tokens_per_second > NOISE * a.speed.tokens_per_second;
            let beaten = a.threads == b.threads && faster;
            Vec::from_iter(beaten.then_some(Criterion::Speed))
        }
        Constraint::LimitedMemory => {
            let beaten = match (a.memory_bytes, b.memory_bytes) {
                (Some(a), Some(b)) => a as f64 > NOISE * b as f64,
                _ => false,
            };
            Vec::from_iter(beaten.then_some(Criterion::Memory))
        }
        Constraint::BestQuality => {
            let better = a.quality.iter().filter(|(collection, quality)| {
                let other = b.quality.get(*collection);
                other.is_some_and(|other| other.semantic > quality.semantic)
            });
            better
                .map(|(collection, _)| Criterion::Quality(collection.clone()))
                .collect()
        }
        Constraint::Multilingual | Constraint::LongDocuments => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(model: &str, fingerprint: &str, tokens_per_second: f64) -> Measurement {
        Measurement {
            model: model.into(),
            fingerprint: fingerprint.into(),
            weights_sha256: "00".into(),
            architecture: "bert".into(),
            pooling: "mean".into(),
            plain: true,
            parameters: 10,
            dimension: 4,
            max_tokens: 8,
            weight_bytes: 40,
            load_seconds: 0.5,
            speed: Speed {
                tokens_per_second,
                question_ms: 1.5,
            },
            memory_bytes: Some(100),
            threads: 2,
            date: "2026-01-31T12:00:00Z".into(),
            kenning: "0.1.0".into(),
            quality: BTreeMap::new(),
        }
    }

    fn quality(semantic: f64) -> Quality {
        Quality {
            semantic,
            hybrid: 0.5,
            documents: 3,
            queries: 2,
            date: "2026-01-31T12:00:00Z".into(),
            kenning: "0.1.0".into(),
        }
    }

    #[test]
    fn the_latest_is_kept_with_what_was_known_of_other_collections() {
        let cache = tempfile::tempdir().unwrap();
        let mut kept = Measurements::read(cache.path()).unwrap();
        let mut first = row("a/b", "f", 1.0);
        first.quality = [("x", 0.1), ("y", 0.2)]
            .map(|(name, value)| (name.to_owned(), quality(value)))
            .into();
        kept.keep(first);
        kept.keep(row("a/a", "g", 1.0));
        let mut again = row("a/b", "f", 2.0);
        again.quality.insert("x".into(), quality(0.3));
        kept.keep(again);
        kept.write(cache.path()).unwrap();
        let read = Measurements::read(cache.path()).unwrap();
        assert_eq!(read, kept);
        let models: Vec<&str> = read.rows.iter().map(|row| row.model.as_str()).collect();
        assert_eq!(models, ["a/a", "a/b"]);
        let of = read.of("f").unwrap();
        assert_eq!(of.speed.tokens_per_second, 2.0);
        assert_eq!(
            (of.quality["x"].semantic, of.quality["y"].semantic),
            (0.3, 0.2)
        );
        assert_eq!(
            fs::read_dir(cache.path()).unwrap().count(),
            1,
            "no part is left"
        );
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let cache = tempfile::tempdir().unwrap();
        for text in ["", "{", "[]", r#"{"version":9,"rows":[]}"#] {
            fs::write(Measurements::path(cache.path()), text).unwrap();
            let error = Measurements::read(cache.path()).unwrap_err();
            assert!(
                error.to_string().contains(FILE) && error.hint().is_some(),
                "{error}"
            );
        }
    }

    #[test]
    fn a_contradiction_is_found_and_noise_is_not() {
        let small = "sentence-transformers/all-MiniLM-L6-v2";
        let large = "sentence-transformers/all-mpnet-base-v2";
        let with = |slow: f64, fast: f64| [row(small, "s", slow), row(large, "l", fast)];
        let found = surprises(Constraint::LimitedCompute, &with(100.0, 110.0));
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].expected, &*found[0].found), (small, large));
        for rows in [with(100.0, 104.0), with(110.0, 100.0)] {
            assert!(surprises(Constraint::LimitedCompute, &rows).is_empty());
        }
        let mut rows = with(100.0, 110.0);
        rows[1].threads = 1;
        assert!(surprises(Constraint::LimitedCompute, &rows).is_empty());
        rows[0].quality.insert("x".into(), quality(0.6));
        rows[1].quality.insert("x".into(), quality(0.5));
        let found = surprises(Constraint::BestQuality, &rows);
        assert_eq!(found[0].by, Criterion::Quality("x".into()));
        assert_eq!(found[0].found, small);
    }
}
