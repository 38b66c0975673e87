//! Which files of an index are known to match their checksums.
//!
//! A file is read whole and compared with its checksum when it is first opened; files of an index are written once.
//! What was found is kept: in memory, and for other processes in a file of the index with a checksum of its own,
//! beside what each file was then, as far as the system tells without reading it ([`Stamp`]). A file that is not what
//! it was is compared again, and so is every file where nothing can be kept. What a stamp cannot show, a medium that
//! changes bits by itself, an audit finds, which reads everything.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tantivy::directory::FileSlice;
use tantivy::directory::error::OpenReadError;

use super::checksum;
use super::disk::Disk;
use super::sealed;
use crate::encoder::Stamp;

/// The file of what is kept.
const FILE: &str = "verified.json";
/// Another for every change of its format.
const VERSION: u32 = 1;
/// Larger files are opened anew after they were read: what was looked at through a map counts as memory of the
/// process.
const LARGE: usize = 1 << 20;

/// What is known.
#[derive(Debug, Default)]
pub struct Verified {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the file was read.
    loaded: bool,
    /// Files that match their checksums, by name.
    sound: HashMap<PathBuf, Known>,
    /// Files that do not, and what is wrong with them: so that they are not read with every query.
    damaged: HashMap<PathBuf, (Stamp, String)>,
    /// Whether there is something to keep that is not kept.
    fresh: bool,
    /// How often a file was read to be compared.
    #[cfg(test)]
    compared: usize,
}

#[derive(Debug)]
struct Known {
    stamp: Stamp,
    /// Whether every later change must show in the stamp.
    settled: bool,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    files: BTreeMap<String, Stamp>,
}

/// What is known of a file.
enum Knowledge {
    Sound,
    Damaged(String),
    Nothing,
}

impl Verified {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a file, having compared it with its checksum, now or before.
    pub fn open(&self, disk: &Disk, path: &Path) -> Result<FileSlice, OpenReadError> {
        if !disk.is_shared() {
            return disk.directory.open_read(path);
        }
        match self.known(disk, path) {
            Knowledge::Sound => disk.directory.open_read(path),
            Knowledge::Damaged(reason) => Err(wrap(checksum::damaged(reason), path)),
            Knowledge::Nothing => self.verify(disk, path),
        }
    }

    /// Compares a file with its checksum, whatever is known of it.
    pub fn check(&self, disk: &Disk, path: &Path) -> Result<(), OpenReadError> {
        self.forget(path);
        self.verify(disk, path).map(|_| ())
    }

    /// Forgets a file that is going to change.
    pub fn forget(&self, path: &Path) {
        let mut state = self.state();
        state.damaged.remove(path);
        if state.sound.remove(path).is_some() {
            state.fresh = true;
        }
    }

    fn known(&self, disk: &Disk, path: &Path) -> Knowledge {
        let Some(stamp) = disk.stamp(path) else {
            return Knowledge::Nothing;
        };
        let mut state = self.state();
        state.load(disk);
        if state.sound.get(path).is_some_and(|k| k.stamp == stamp) {
            return Knowledge::Sound;
        }
        match state.damaged.get(path) {
            Some((found, reason)) if *found == stamp => Knowledge::Damaged(reason.clone()),
            _ => Knowledge::Nothing,
        }
    }

    #[cfg(test)]
    pub fn compared(&self) -> usize {
        self.state().compared
    }

    fn verify(&self, disk: &Disk, path: &Path) -> Result<FileSlice, OpenReadError> {
        let before = disk.stamp(path);
        let settled = before.as_ref().is_some_and(Stamp::is_settled);
        let mut file = disk.directory.open_read(path)?;
        let bytes = file.read_bytes().map_err(|error| wrap(error, path))?;
        let checked = checksum::check(&bytes);
        #[cfg(test)]
        {
            self.state().compared += 1;
        }
        if bytes.len() > LARGE {
            drop((bytes, file));
            file = disk.directory.open_read(path)?;
        }
        // What changed while it was read is nothing to be remembered.
        if let Some(stamp) = before
            && disk.stamp(path).as_ref() == Some(&stamp)
        {
            self.state().remember(path, stamp, settled, &checked);
        }
        checked.map_err(|error| wrap(error, path))?;
        Ok(file)
    }

    /// Writes down what is known, if there is anything new. Where nothing can be written it is found out anew the
    /// next time.
    pub fn keep(&self, disk: &Disk) {
        let mut state = self.state();
        if !std::mem::take(&mut state.fresh) {
            return;
        }
        state.sound.retain(|path, known| {
            let now = disk.stamp(path);
            now.as_ref() == Some(&known.stamp)
        });
        let settled = state.sound.iter().filter(|(_, known)| known.settled);
        let files = settled
            .filter_map(|(path, known)| Some((path.to_str()?.to_owned(), known.stamp.clone())));
        let kept = Kept {
            version: VERSION,
            files: files.collect(),
        };
        drop(state);
        sealed::write(disk, FILE, &kept);
    }
}

impl State {
    fn load(&mut self, disk: &Disk) {
        if std::mem::replace(&mut self.loaded, true) {
            return;
        }
        for (name, stamp) in read(disk).unwrap_or_default() {
            let settled = true;
            self.sound
                .entry(name.into())
                .or_insert(Known { stamp, settled });
        }
    }

    fn remember(&mut self, path: &Path, stamp: Stamp, settled: bool, checked: &io::Result<()>) {
        match checked {
            Ok(()) => {
                self.damaged.remove(path);
                self.fresh |= settled;
                let known = Known { stamp, settled };
                self.sound.insert(path.to_owned(), known);
            }
            Err(error) => {
                self.fresh |= self.sound.remove(path).is_some();
                let found = (stamp, error.to_string());
                self.damaged.insert(path.to_owned(), found);
            }
        }
    }
}

/// What was kept, if it is whole.
fn read(disk: &Disk) -> Option<BTreeMap<String, Stamp>> {
    let kept: Kept = sealed::read(disk, FILE)?;
    (kept.version == VERSION).then_some(kept.files)
}

fn wrap(error: io::Error, path: &Path) -> OpenReadError {
    OpenReadError::wrap_io_error(error, path.to_owned())
}
