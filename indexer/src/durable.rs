//! Files that are there whole after a power cut, as they were or as they became.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the names of files end with that are to take the place of another, with numbers behind it.
const NEW: &str = "new-";

/// Puts `bytes` in the place of the file at `path`, durably: another file is written and synced, and then renamed.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Of a name that no other writer has, here or in another process: one would take the file of the other away.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let fresh = path.with_added_extension(format!("{NEW}{}-{number}", std::process::id()));
    let written = write_durably(&fresh, bytes).and_then(|()| fs::rename(&fresh, path));
    written.inspect_err(|_| {
        let _ = fs::remove_file(&fresh);
    })?;
    sync_folder(path)
}

/// The files that were to take the place of the one at `path`: of writers that were interrupted, unless one is at work.
pub fn leftovers(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let start = format!("{}.{NEW}", name.to_string_lossy());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&start));
    let mut left: Vec<PathBuf> = names.map(|entry| entry.path()).collect();
    left.sort();
    left
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the name of a file durable.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Names are durable with what they name where the system is not Unix.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Two runs of `kenning index` that begin at once write the same settings.
    #[test]
    fn two_that_replace_a_file_at_once_do_not_take_it_from_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        replace(path, &[b'a' + writer; 1_000]).unwrap();
                    }
                });
            }
        });
        let kept = fs::read(&path).unwrap();
        assert!(kept.len() == 1_000 && kept.iter().all(|byte| *byte == kept[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
