//! How files appear in the folder of what is kept, and go.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::file::Directory;
use super::stamp;

/// Drafts older than this were left behind by a process that was ended.
const ABANDONED: Duration = Duration::from_secs(3600);
/// What the names of drafts end with.
const DRAFT: &str = "part";

/// A file that has not got its name yet. It is gone with this, unless it is published.
pub struct Draft {
    path: PathBuf,
    pub file: File,
}

impl Draft {
    /// Begins a file that will be at `target`, in a folder that is made if need be.
    pub fn begin(target: &Path) -> io::Result<Draft> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = target.with_extension(format!("{}-{number}.{DRAFT}", process::id()));
            match File::create_new(&path) {
                Ok(file) => return Ok(Draft { path, file }),
                // Of a process that was ended and had the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives it its name, once all of it is on disk.
    pub fn publish(self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a publication it is not there any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// Puts what `write` writes in the place of `target`.
pub fn replace(target: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut draft = Draft::begin(target)?;
    write(&mut draft.file)?;
    draft.publish(target)
}

/// Removes from the folder of `written` what belongs to models that are gone, what no version of Kenning that would
/// write there today can read, and drafts that were left behind. What cannot be removed stays.
pub fn tidy(written: &Path) {
    let entries = written
        .parent()
        .and_then(|folder| fs::read_dir(folder).ok());
    for path in entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
    {
        let gone = match path.extension().and_then(|extension| extension.to_str()) {
            Some("stamp") => stamp::model_of(&path).is_none_or(is_gone),
            Some("packed") => {
                let directory = File::open(&path).map(|file| Directory::read(&file));
                directory.is_ok_and(|read| read.is_none_or(|read| is_gone(read.identity.model)))
            }
            Some(DRAFT) => {
                let modified = fs::metadata(&path).and_then(|draft| draft.modified());
                let age = modified.ok().and_then(|time| time.elapsed().ok());
                age.is_some_and(|age| age > ABANDONED)
            }
            _ => false,
        };
        if gone {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether the folder of a model is not there any more. One that cannot be looked at may be.
fn is_gone(model: String) -> bool {
    matches!(Path::new(&model).try_exists(), Ok(false))
}
