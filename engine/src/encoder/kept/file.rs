//! Packed matrices in a file.
//!
//! ```text
//! the bytes of every part, each at a multiple of 64
//! the directory, JSON: whose they are; for each matrix its name and its parts; for each part its place and checksum
//! the trailer, 32 bytes, little-endian:
//!     0  8  "KENNPACK"
//!     8  4  version of the format
//!    12  4  bytes of the directory
//!    16  8  where it begins
//!    24  4  CRC-32 of the directory
//!    28  4  0
//! ```
//!
//! Numbers are kept in the byte order of the machine, which the layout names. A file that was cut off has no trailer;
//! every byte that is used is under a checksum, and all are checked before the first is used.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use super::super::cpu::Mapped;
use super::super::weight_file::read_at;
use super::Identity;

/// What the trailer begins with.
const MAGIC: [u8; 8] = *b"KENNPACK";
/// Another for every change of this format, and of how matrices are packed.
const VERSION: u32 = 1;
/// Bytes of the trailer.
const TRAILER: u64 = 32;
/// Parts begin at multiples of this: a line of the processor's cache.
pub const ALIGNMENT: u64 = 64;
/// More bytes than a directory has.
const MOST_DIRECTORY: u64 = 64 << 20;
/// Bytes that are checked at a time where the map is not used for it.
const PIECE: usize = 1 << 18;

/// What a file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Directory {
    pub identity: Identity,
    pub entries: Vec<Entry>,
}

/// A matrix.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub used: Use,
    pub parts: Vec<Part>,
}

/// How much of a matrix is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Use {
    /// All of it, for every text.
    Whole,
    /// Some of its rows.
    Rows,
}

/// Some bytes of the file.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Part {
    pub at: u64,
    pub bytes: u64,
    pub crc32: u32,
}

impl Part {
    fn range(&self) -> Option<Range<usize>> {
        let end = self.at.checked_add(self.bytes)?;
        Some(usize::try_from(self.at).ok()?..usize::try_from(end).ok()?)
    }
}

impl Directory {
    /// The directory as a file ends with it, if it begins at `at`: with the trailer.
    pub fn to_bytes(&self, at: u64) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        let length = bytes.len() as u32;
        let crc32 = crc32fast::hash(&bytes);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(at.to_le_bytes());
        bytes.extend(crc32.to_le_bytes());
        bytes.extend([0; 4]);
        Ok(bytes)
    }

    /// The directory of `file`; `None` if it is none of this version, whole.
    pub fn read(file: &File) -> Option<Directory> {
        let length = file.metadata().ok()?.len();
        let mut trailer = [0; TRAILER as usize];
        let end = length.checked_sub(TRAILER)?;
        read_at(file, &mut trailer, end).ok()?;
        let word = |at: usize| Some(u32::from_le_bytes(trailer[at..at + 4].try_into().ok()?));
        let at = u64::from_le_bytes(trailer[16..24].try_into().ok()?);
        let size = u64::from(word(12)?);
        let fits = size <= MOST_DIRECTORY && at.checked_add(size) == Some(end);
        if trailer[..8] != MAGIC || word(8)? != VERSION || !fits {
            return None;
        }
        let mut json = vec![0; size as usize];
        read_at(file, &mut json, at).ok()?;
        let whole = crc32fast::hash(&json) == word(24)?;
        serde_json::from_slice(&json).ok().filter(|_| whole)
    }
}

/// A file of packed matrices, checked and mapped.
pub struct PackedFile {
    map: Arc<Mmap>,
    entries: Vec<Entry>,
}

impl PackedFile {
    /// The file at `path`, if it is there, whole, and what `identity` says.
    pub fn open(path: &Path, identity: &Identity) -> Option<PackedFile> {
        let file = File::open(path).ok()?;
        let directory = Directory::read(&file)?;
        if directory.identity != *identity {
            return None;
        }
        // SAFETY: the bytes must not change while they are mapped. Kenning never writes to a file that has this
        // name: it makes another and renames it. That nobody else writes into Kenning's cache is assumed of it as of
        // an index's files (docs/design.md).
        let map = Arc::new(unsafe { Mmap::map(&file) }.ok()?);
        let packed = PackedFile {
            map,
            entries: directory.entries,
        };
        let sound = packed.entries.iter().all(|entry| {
            let mut parts = entry.parts.iter();
            parts.all(|part| packed.is_sound(&file, entry.used, part))
        });
        sound.then_some(packed)
    }

    /// The parts of a matrix.
    pub fn parts(&self, name: &str) -> Option<Vec<Mapped>> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        let parts = entry.parts.iter();
        parts
            .map(|part| Mapped::new(&self.map, part.range()?))
            .collect()
    }

    /// Whether a part has its checksum. What is going to be used is read through the map; what is used in places is
    /// read past it, for what was once looked at through a map counts as the process's memory.
    fn is_sound(&self, file: &File, used: Use, part: &Part) -> bool {
        let Some(bytes) = part.range().and_then(|range| self.map.get(range)) else {
            return false;
        };
        if used == Use::Whole {
            return crc32fast::hash(bytes) == part.crc32;
        }
        let mut hash = crc32fast::Hasher::new();
        let mut piece = vec![0; PIECE.min(bytes.len())];
        let mut at = 0;
        while at < bytes.len() {
            let piece = &mut piece[..(bytes.len() - at).min(PIECE)];
            if read_at(file, piece, part.at + at as u64).is_err() {
                return false;
            }
            hash.update(piece);
            at += piece.len();
        }
        hash.finalize() == part.crc32
    }
}
