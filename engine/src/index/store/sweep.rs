//! What interrupted writers left, found by name and removed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use tantivy::Directory;
use tantivy::directory::META_LOCK;
use tantivy::directory::error::LockError;

use super::{COMMIT, Store};

/// What the names of files begin with that are being written to replace another.
const TEMPORARY: &str = ".tmp";
/// Digits of a segment's name.
const DIGITS: usize = 32;

/// Whether a file belongs to a segment: `<32 hexadecimal digits>.<extension>`.
fn is_of_segment(name: &Path) -> bool {
    let name = name.to_str().and_then(|name| name.split_once('.'));
    name.is_some_and(|(id, _)| {
        id.len() == DIGITS && id.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// The list of files that tantivy may remove, as it writes it.
pub fn managed(names: Vec<PathBuf>) -> Vec<u8> {
    let managed = |name: &PathBuf| is_of_segment(name) || name == Path::new(COMMIT);
    let names: Vec<PathBuf> = names.into_iter().filter(managed).collect();
    // Names of segments are plain text.
    serde_json::to_vec(&names).unwrap_or_else(|_| b"[]".to_vec())
}

impl Store {
    /// Removes the files that the last commit does not name. The caller holds the writer's lock and writes
    /// nothing meanwhile: then they are of writers that were interrupted or rolled back.
    ///
    /// They would take space for ever, and those of deletes can be in the way: their names have the number of
    /// an operation, and the numbers begin again where the last commit ended.
    ///
    /// # Errors
    /// Those of reading the commit and the folder. What cannot be removed stays.
    pub fn sweep(&self, index: &tantivy::Index) -> tantivy::Result<()> {
        if !self.disk.is_shared() {
            return Ok(());
        }
        // A reader that is opening the last commit must not find half of it.
        let _lock = self.acquire_lock(&META_LOCK)?;
        for name in self.unnamed(index)? {
            // Where it is in use and cannot be removed for that, a later writer removes it.
            let _ = self.delete(&name);
        }
        Ok(())
    }

    /// The files that the next writer will remove; none while there is a writer, since they may be its own.
    ///
    /// # Errors
    /// Those of reading the commit and the folder.
    pub fn leftovers(&self, index: &tantivy::Index) -> tantivy::Result<Vec<PathBuf>> {
        match self.lock() {
            Err(LockError::LockBusy) => Ok(Vec::new()),
            // Where no lock can be made, nobody writes.
            _held => self.unnamed(index),
        }
    }

    /// The files that the last commit does not name.
    fn unnamed(&self, index: &tantivy::Index) -> tantivy::Result<Vec<PathBuf>> {
        let names = self.disk.names()?.unwrap_or_default();
        let living: HashSet<PathBuf> = index.load_metas()?.list_segment_files();
        let is_unnamed = |name: &PathBuf| {
            let temporary = name.to_str().is_some_and(|n| n.starts_with(TEMPORARY));
            temporary || (is_of_segment(name) && !living.contains(name))
        };
        Ok(names.into_iter().filter(is_unnamed).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_segments_are_known_by_their_names() {
        let id = "0123456789abcdef0123456789abcdef";
        for rest in [".store", ".12.del", ".hnsw"] {
            assert!(is_of_segment(Path::new(&format!("{id}{rest}"))), "{rest}");
        }
        let others = ["meta.json", "notes.txt", ".tmpAbC", id, "0123.store"];
        assert!(!others.iter().any(|name| is_of_segment(Path::new(name))));
    }
}
