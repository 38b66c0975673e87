//! How a model's folder appears: whole, by one rename, or not at all.
//!
//! For the model `org/name` the cache holds `org/name`, its folder; `org/.name.lock`, which a fetch holds
//! locked and which the system unlocks when its holder dies; and during a fetch `org/.name.part`, where the
//! files are gathered. Whoever holds the lock may remove whatever part lies there.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::error::Stop;
use super::files::limit;
use super::name::ModelName;
use super::{FetchError, Progress};
use crate::encoder::hex;
use crate::{Error, Result};

/// The right to put one model into the cache, until it is dropped.
pub(super) struct Staging {
    target: PathBuf,
    part: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

impl Staging {
    /// Waits until no one else fetches `name` into the folder `models`.
    pub fn begin(
        models: &Path,
        name: &ModelName,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Staging> {
        let target = name.under(models);
        let folder = models.join(&name.organisation);
        fs::create_dir_all(&folder).map_err(|source| Error::io("create", &folder, source))?;
        let lock = folder.join(format!(".{}.lock", name.name));
        let file = open_lock(&lock)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress(Progress {
                    file: format!("{name}, which another process is fetching: waiting for it"),
                    done: 0,
                    total: None,
                });
                file.lock()
                    .map_err(|source| Error::io("lock", &lock, source))?;
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", &lock, source)),
        }
        sweep(models);
        let part = folder.join(format!(".{}.part", name.name));
        Ok(Staging {
            target,
            part,
            _lock: file,
        })
    }

    /// Where the model will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// An empty folder to gather the model in, and one for what goes again.
    pub fn fresh(&self) -> Result<(PathBuf, PathBuf)> {
        remove(&self.part)?;
        let folders = (self.part.join("model"), self.part.join("scratch"));
        for folder in [&folders.0, &folders.1] {
            fs::create_dir_all(folder).map_err(|source| Error::io("create", folder, source))?;
        }
        Ok(folders)
    }

    /// Makes what was gathered visible.
    pub fn publish(&self) -> Result<PathBuf> {
        // Something incomplete may lie there, put together by hand: it makes way, after the new is whole.
        let old = self.part.join("old");
        if self.target.exists() {
            fs::rename(&self.target, &old)
                .map_err(|source| Error::io("move away", &self.target, source))?;
        }
        fs::rename(self.part.join("model"), &self.target)
            .map_err(|source| Error::io("create", &self.target, source))?;
        Ok(self.target.clone())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The next fetch would remove it as well.
        let _ = fs::remove_dir_all(&self.part);
    }
}

fn open_lock(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.create(true).write(true).truncate(false);
    options
        .open(path)
        .map_err(|source| Error::io("open", path, source))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", folder, error))
        }
        _ => Ok(()),
    }
}

/// Removes what fetches left that were killed. What cannot be removed now is left for the next time.
fn sweep(models: &Path) {
    let organisations = fs::read_dir(models).into_iter().flatten().flatten();
    let inside = organisations.flat_map(|entry| fs::read_dir(entry.path()).into_iter().flatten());
    for part in inside.flatten().map(|entry| entry.path()) {
        if part
            .extension()
            .is_some_and(|extension| extension == "part")
        {
            let lock = open_lock(&part.with_extension("lock"));
            if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
                let _ = fs::remove_dir_all(part);
            }
        }
    }
}

/// The hash that a file must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Checksum {
    /// SHA-256 in hex.
    Sha256(String),
    /// The id of the file as a blob of git, in hex: the hub gives it for small files.
    GitBlob(String),
}

/// Copies `from` to the file `relative` in `folder`, of at most [`limit`] bytes, tells `copied` how many
/// bytes there are, and checks the hash. `size` is the length that `from` claims.
pub(super) fn save(
    from: &mut dyn Read,
    folder: &Path,
    relative: &str,
    (size, checksum): (Option<u64>, Option<&Checksum>),
    broken: &dyn Fn(io::Error) -> FetchError,
    copied: &mut dyn FnMut(u64),
) -> Result<(), Stop> {
    let path = folder.join(relative);
    let failed = |source| Error::io("write", &path, source);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let limit = limit(relative);
    let too_large = || FetchError::TooLarge {
        file: relative.to_owned(),
        limit,
    };
    if size.is_some_and(|size| size > limit) {
        return Err(too_large().into());
    }
    let mut file = File::create(&path).map_err(failed)?;
    let mut hash = Hash::new(checksum, size);
    let (mut buffer, mut done) = (vec![0; 1 << 17], 0);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error).into()),
        };
        done += read as u64;
        if done > limit {
            return Err(too_large().into());
        }
        file.write_all(&buffer[..read]).map_err(failed)?;
        hash.update(&buffer[..read]);
        copied(done);
    }
    if size.is_some_and(|size| size != done) {
        return Err(broken(io::ErrorKind::UnexpectedEof.into()).into());
    }
    // On disk before the rename is: a power cut must not leave the name without the bytes.
    file.sync_all().map_err(failed)?;
    hash.check(relative, checksum).map_err(Stop::from)
}

/// A hash under way.
enum Hash {
    Sha256(Sha256),
    GitBlob(Sha1),
    None,
}

impl Hash {
    fn new(checksum: Option<&Checksum>, size: Option<u64>) -> Hash {
        match (checksum, size) {
            (Some(Checksum::Sha256(_)), _) => Hash::Sha256(Sha256::new()),
            (Some(Checksum::GitBlob(_)), Some(size)) => {
                Hash::GitBlob(Sha1::new_with_prefix(format!("blob {size}\0")))
            }
            (Some(Checksum::GitBlob(_)), None) | (None, _) => Hash::None,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hash::Sha256(hash) => hash.update(bytes),
            Hash::GitBlob(hash) => hash.update(bytes),
            Hash::None => {}
        }
    }

    fn check(self, file: &str, checksum: Option<&Checksum>) -> Result<(), FetchError> {
        let found = match self {
            Hash::Sha256(hash) => hex(&hash.finalize()),
            Hash::GitBlob(hash) => hex(&hash.finalize()),
            Hash::None => return Ok(()),
        };
        match checksum {
            Some(Checksum::Sha256(expected) | Checksum::GitBlob(expected))
                if !expected.eq_ignore_ascii_case(&found) =>
            {
                Err(FetchError::Hash {
                    file: file.to_owned(),
                    expected: expected.clone(),
                    found,
                })
            }
            _ => Ok(()),
        }
    }
}
