//! Small files of Kenning's own: JSON with a checksum, which saves work or tells something, and which nothing depends on.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checksum::{seal, unseal};
use super::disk::Disk;

/// What such a file holds, if it is there and whole. Unlike a commit it must have a checksum.
pub fn read<T: DeserializeOwned>(disk: &Disk, name: &str) -> Option<T> {
    let sealed = disk.directory.atomic_read(Path::new(name)).ok()?;
    let json = unseal(sealed.clone()).ok()?;
    if json == sealed {
        return None;
    }
    serde_json::from_slice(&json).ok()
}

/// Puts such a file in the place of the one before. Where nothing can be written that one stays.
pub fn write(disk: &Disk, name: &str, value: &impl Serialize) {
    if let Ok(mut json) = serde_json::to_vec_pretty(value) {
        json.push(b'\n');
        let _ = disk.directory.atomic_write(Path::new(name), &seal(&json));
    }
}
