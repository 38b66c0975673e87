//! What an index lies on.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::Directory;
use tantivy::directory::{DirectoryLock, MmapDirectory, RamDirectory};

use super::super::IndexError;
use crate::Result;
use crate::encoder::Stamp;

/// The names of all files.
type Names = dyn Fn() -> io::Result<Vec<PathBuf>> + Send + Sync;

/// What an index lies on: tantivy's [`Directory`], and what that does not tell. A test puts a disk that fails here.
pub struct Disk {
    pub(super) directory: Box<dyn Directory>,
    /// Where the files are; `None` if not in a folder of the file system.
    folder: Option<PathBuf>,
    /// `None` for memory, whose files nobody else has.
    names: Option<Arc<Names>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.directory.fmt(f)
    }
}

impl Disk {
    /// A disk of one's own: `names` tells the names of all files.
    pub fn new(
        directory: Box<dyn Directory>,
        names: impl Fn() -> io::Result<Vec<PathBuf>> + Send + Sync + 'static,
    ) -> Disk {
        Disk {
            directory,
            folder: None,
            names: Some(Arc::new(names)),
        }
    }

    /// Memory, which is gone with the process.
    pub fn memory() -> Disk {
        Disk {
            directory: Box::new(RamDirectory::create()),
            folder: None,
            names: None,
        }
    }

    /// A folder that is there.
    pub fn folder(path: &Path) -> Result<Disk> {
        let directory = MmapDirectory::open(path)
            .map_err(|error| IndexError::from(tantivy::TantivyError::from(error)))?;
        let folder = fs::canonicalize(path)
            .map_err(|error| crate::Error::io("find the folder", path, error))?;
        Ok(Disk {
            folder: Some(folder.clone()),
            ..Disk::new(Box::new(directory), move || names(&folder))
        })
    }

    /// The names of all files, where the disk tells them.
    pub(super) fn names(&self) -> io::Result<Option<Vec<PathBuf>>> {
        self.names.as_ref().map(|names| names()).transpose()
    }

    /// Whether other processes may change it, and power cuts.
    pub(super) fn is_shared(&self) -> bool {
        self.names.is_some()
    }

    /// Where a file is; `None` if not in the file system.
    pub(super) fn path(&self, name: impl AsRef<Path>) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(name))
    }

    /// Takes a lock that others take by writing, where this process may only read. Where its file is not there, nobody
    /// who writes has taken it yet, and there is nothing to be locked.
    pub(super) fn lock_to_read(&self, name: &Path) -> io::Result<DirectoryLock> {
        let Some(path) = self.path(name) else {
            return Ok(DirectoryLock::from(Box::new(())));
        };
        match File::open(path) {
            Ok(file) => {
                file.lock()?;
                Ok(DirectoryLock::from(Box::new(file)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(DirectoryLock::from(Box::new(())))
            }
            Err(error) => Err(error),
        }
    }

    /// What a file is, as far as the system tells without reading it.
    pub(super) fn stamp(&self, path: &Path) -> Option<Stamp> {
        Stamp::of(&fs::metadata(self.path(path)?).ok()?)
    }
}

fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    entries
        .map(|entry| Ok(PathBuf::from(entry?.file_name())))
        .collect()
}

/// Makes a folder and all above it, durably.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
        .collect();
    fs::create_dir_all(folder)?;
    for made in missing {
        let above = made.parent().filter(|above| !above.as_os_str().is_empty());
        sync_folder(above.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// Makes the names in a folder durable.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Names are durable with what they name where the system is not Unix.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use tantivy::directory::META_LOCK;

    use super::*;

    #[test]
    fn a_lock_taken_by_reading_waits_for_one_taken_by_writing() {
        let temp = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::folder(temp.path()).unwrap());
        let name = META_LOCK.filepath.clone();
        drop(disk.lock_to_read(&name).unwrap());
        assert!(!temp.path().join(&name).exists(), "nothing was written");
        let held = disk.directory.acquire_lock(&META_LOCK).unwrap();
        let (taken, told) = channel();
        let other = Arc::clone(&disk);
        let waiting = std::thread::spawn(move || {
            let lock = other.lock_to_read(&name);
            taken.send(lock.is_ok()).unwrap();
        });
        assert!(told.recv_timeout(Duration::from_millis(200)).is_err());
        drop(held);
        assert!(told.recv().unwrap());
        waiting.join().unwrap();
    }
}
