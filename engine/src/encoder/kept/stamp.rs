//! The hash of a model's weights, which is computed again only when a file may have changed.
//!
//! A file is taken for unchanged while its length, its inode, and the times of its last modification and of its last
//! change of any kind are what they were when it was hashed. The second time is set by the system alone: a program
//! that gives a file its old modification time back does not get past it. Where there is no such time, on systems
//! that are not Unix, nothing is kept.
//!
//! Times have a grain. A file that is written to, hashed, and written to again within one grain keeps its times. As
//! git does with entries of its index that are "racily clean", a hash is kept only of files whose times were
//! [`SETTLED`] in the past when they were looked at: every later change then gives another time.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::tidy::{replace, tidy};

/// Older than the coarsest grain of times that file systems have, which is FAT's.
const SETTLED: Duration = Duration::from_secs(2);
/// Another for every change of the format.
const VERSION: u32 = 1;
/// More bytes than a record has.
const MOST_BYTES: u64 = 1 << 20;

/// What a file is, as far as the system tells without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    length: u64,
    /// Nanoseconds since 1970.
    modified: i64,
    /// When anything about it was last changed, in nanoseconds since 1970.
    changed: i64,
    device: u64,
    inode: u64,
}

impl Stamp {
    /// `None` where the system does not tell enough.
    #[cfg(unix)]
    pub fn of(file: &Metadata) -> Option<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let time = |seconds: i64, rest: i64| seconds.checked_mul(1_000_000_000)?.checked_add(rest);
        Some(Stamp {
            length: file.len(),
            modified: time(file.mtime(), file.mtime_nsec())?,
            changed: time(file.ctime(), file.ctime_nsec())?,
            device: file.dev(),
            inode: file.ino(),
        })
    }

    /// `None` where the system does not tell enough.
    #[cfg(not(unix))]
    pub fn of(_: &Metadata) -> Option<Stamp> {
        None
    }

    /// Whether a change that comes from now on must show.
    pub fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let Some(before) = now.ok().and_then(|now| now.checked_sub(SETTLED)) else {
            return false;
        };
        let before = i64::try_from(before.as_nanos()).unwrap_or(i64::MAX);
        self.modified.max(self.changed) < before
    }
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// The absolute path of the model's folder.
    model: String,
    /// The files by name, with their stamps.
    files: Vec<(String, Stamp)>,
    /// Empty until it is known.
    weights_sha256: String,
}

impl Record {
    /// Of these files, whose hash is not known yet.
    pub fn new(model: &str, files: &[(&Path, Stamp)]) -> Record {
        let name = |path: &Path| {
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let files = files
            .iter()
            .map(|(path, stamp)| (name(path), stamp.clone()));
        Record {
            version: VERSION,
            model: model.to_owned(),
            files: files.collect(),
            weights_sha256: String::new(),
        }
    }

    /// The hash in the record at `path`, if it is of the same files, unchanged.
    pub fn hash_kept_in(&self, path: &Path) -> Option<String> {
        let kept = read(path)?;
        let hash = kept.weights_sha256.clone();
        let same = Record {
            weights_sha256: hash.clone(),
            ..self.clone()
        };
        (kept == same).then_some(hash)
    }

    /// Whether a change that comes from now on must show.
    pub fn is_settled(&self) -> bool {
        !self.files.is_empty() && self.files.iter().all(|(_, stamp)| stamp.is_settled())
    }

    /// Keeps it, with this hash, at `path`.
    pub fn keep(self, path: &Path, hash: &str) -> io::Result<()> {
        let record = Record {
            weights_sha256: hash.to_owned(),
            ..self
        };
        let json = serde_json::to_string(&record)?;
        // A hash with a flipped bit would make an encoder that no index knows.
        let text = format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes()));
        replace(path, |file| io::Write::write_all(file, text.as_bytes()))?;
        tidy(path);
        Ok(())
    }
}

/// The record at `path`, if it is one and whole.
fn read(path: &Path) -> Option<Record> {
    if fs::metadata(path).ok()?.len() > MOST_BYTES {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let (json, sum) = text.strip_suffix('\n')?.split_once('\n')?;
    let whole = u32::from_str_radix(sum, 16) == Ok(crc32fast::hash(json.as_bytes()));
    serde_json::from_str(json).ok().filter(|_| whole)
}

/// The folder of the model that the record at `path` is of; `None` if it is no record.
pub fn model_of(path: &Path) -> Option<String> {
    Some(read(path)?.model)
}
