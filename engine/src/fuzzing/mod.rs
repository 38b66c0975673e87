//! What must hold of any bytes whatever. Each function takes bytes, makes what it needs of them, and panics where
//! a property does not hold. The fuzz targets in `benches/fuzz` hand over what libFuzzer finds, and the tests here
//! the same kind of bytes from seeded noise, so that every run of the tests looks a little.
//!
//! Compiled for tests and for fuzzing only (`--cfg fuzzing`, which cargo-fuzz sets): no part of the library.

mod chunks;
mod files;
mod models;
mod query;
pub mod seeds;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

#[cfg(test)]
pub(crate) use chunks::KINDS;
pub use chunks::chunks;
#[cfg(test)]
pub(crate) use files::unit;
pub use files::{column, graph, packed, settings, stamp, vectors};
pub use models::model;
pub use query::query;

/// Bytes, taken from the front as they are needed; zeros when there are no more.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::from(self.word()) % end.max(1)
    }

    /// As many bytes as the next two say, if there are so many.
    fn piece(&mut self) -> &'a [u8] {
        let length = usize::from(self.word()).min(self.0.len());
        let (piece, rest) = self.0.split_at(length);
        self.0 = rest;
        piece
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// A folder of this thread for files that are looked at where they lie.
fn scratch() -> PathBuf {
    let shared = Path::new("/dev/shm");
    let base = match shared.is_dir() {
        true => shared.to_owned(),
        false => std::env::temp_dir(),
    };
    let thread = std::thread::current().id();
    base.join(format!("kenning-fuzz-{}-{thread:?}", std::process::id()))
}

/// Removes what this thread has left in its folder.
pub fn clean() {
    let _ = std::fs::remove_dir_all(scratch());
}
