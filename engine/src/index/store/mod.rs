//! The store: all files of an index are read and written through it.
//!
//! It stands between tantivy and the disk, as tantivy's own [`Directory`], and adds what tantivy leaves out:
//!
//! - no byte of a file is believed before its checksum was computed (`checksum`, `verified`);
//! - a commit is durable before anything that the one before it needs is removed;
//! - a writer that failed to commit, or that was let go, commits nothing afterwards, not even from a thread that it
//!   left behind;
//! - what an interrupted writer left is removed (`sweep`);
//! - a writer that is refused is told who holds the lock.
//!
//! The commit protocol is in `docs/design.md`.

mod checksum;
mod disk;
mod sealed;
mod sweep;
mod verified;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tantivy::Directory;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    DirectoryLock, FileHandle, FileSlice, INDEX_WRITER_LOCK, Lock, META_LOCK, WatchCallback,
    WatchHandle, WritePtr,
};

pub use checksum::{seal, unseal};
pub use disk::{Disk, make_folder};

use super::holder::{Holder, Note};
use verified::Verified;

/// The file that tantivy replaces with every commit and every merge: what it names is the index.
pub const COMMIT: &str = "meta.json";

/// Where tantivy keeps the names of the files that it may remove.
const MANAGED: &str = ".managed.json";

/// The note of who writes.
const HOLDER: &str = "writer.json";

/// The files of an index. Clones are the same.
#[derive(Debug, Clone)]
pub struct Store {
    disk: Arc<Disk>,
    verified: Arc<Verified>,
    session: Option<Arc<Session>>,
}

/// One writer, from when it is opened until it is rolled back or let go.
#[derive(Debug)]
struct Session {
    /// Held by the writer; a clone is given to tantivy, which asks for it.
    lock: Weak<WriterLock>,
    /// Why nothing may be written any more. Locked while a commit is being written.
    halted: Mutex<Option<String>>,
}

/// The lock of the writer, over all processes.
pub struct WriterLock {
    /// Let go before the lock, so that it never names a process that has let go already.
    _note: Option<Note>,
    _lock: DirectoryLock,
}

impl Store {
    /// The store on `disk`.
    pub fn new(disk: Disk) -> Store {
        Store {
            disk: Arc::new(disk),
            verified: Arc::default(),
            session: None,
        }
    }

    /// The same store for a new writer, which holds `lock`.
    pub fn for_writer(&self, lock: &Arc<WriterLock>) -> Store {
        let session = Session {
            lock: Arc::downgrade(lock),
            halted: Mutex::default(),
        };
        Store {
            session: Some(Arc::new(session)),
            ..self.clone()
        }
    }

    /// The lock of the writer, which the system gives to one process and takes back when that ends.
    pub fn lock(&self) -> Result<Arc<WriterLock>, LockError> {
        let lock = self.disk.directory.acquire_lock(&INDEX_WRITER_LOCK)?;
        Ok(Arc::new(WriterLock {
            _note: self.disk.path(HOLDER).map(Note::put),
            _lock: lock,
        }))
    }

    /// Who holds the lock, as far as it has told: for people alone.
    pub fn holder(&self) -> Option<Holder> {
        Holder::read(&self.disk.path(HOLDER)?)
    }

    /// Lets this writer write nothing any more. Returns when what it was committing is done or has failed.
    ///
    /// tantivy's threads outlive its writer: a merge that ends late would write a commit over that of the next.
    pub fn halt(&self, reason: &str) {
        if let Some(session) = &self.session {
            let mut halted = session
                .halted
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            halted.get_or_insert_with(|| reason.to_owned());
        }
    }

    /// Why this writer must not write any more.
    pub fn halted(&self) -> Option<String> {
        let halted = &self.session.as_ref()?.halted;
        halted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn refuse_if_halted(&self) -> io::Result<()> {
        self.halted()
            .map_or(Ok(()), |reason| Err(io::Error::other(reason)))
    }

    /// Writes a commit, durably: the new file, then its name.
    ///
    /// tantivy removes files of the commit before as soon as this returns. Were the name not durable by then, a
    /// power cut could bring the commit before back without its files.
    fn commit(&self, bytes: &[u8]) -> io::Result<()> {
        let commit = || {
            let directory = &self.disk.directory;
            directory.atomic_write(Path::new(COMMIT), &seal(bytes))?;
            directory.sync_directory()
        };
        let Some(session) = &self.session else {
            return commit();
        };
        let mut halted = session
            .halted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &*halted {
            return Err(io::Error::other(reason.clone()));
        }
        // tantivy's memory is ahead of the disk now: whatever it writes later would hold what failed.
        commit().inspect_err(|error| *halted = Some(format!("a commit failed: {error}")))
    }

    /// Keeps for other processes which files are whole, if there is anything new to keep.
    pub fn keep_verified(&self) {
        self.verified.keep(&self.disk);
    }

    /// How often a file was read to be compared with its checksum.
    #[cfg(test)]
    pub fn compared(&self) -> usize {
        self.verified.compared()
    }

    /// What a file of Kenning's own holds, if it is there and whole.
    pub fn read_sealed<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        sealed::read(&self.disk, name)
    }

    /// Puts such a file in the place of the one before. Where nothing can be written that one stays.
    pub fn write_sealed(&self, name: &str, value: &impl Serialize) {
        sealed::write(&self.disk, name, value);
    }

    /// Compares a file with its checksum, whatever is known of it.
    ///
    /// # Errors
    /// [`OpenReadError`] that names the file and says what is wrong with it.
    pub fn check(&self, path: &Path) -> Result<(), OpenReadError> {
        self.verified.check(&self.disk, path)
    }
}

impl Directory for Store {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(self.open_read(path)?))
    }

    fn open_read(&self, path: &Path) -> Result<FileSlice, OpenReadError> {
        self.verified.open(&self.disk, path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        // tantivy's memory tells what may be removed: if a commit has failed it is ahead of what is on disk.
        self.refuse_if_halted()
            .map_err(|error| DeleteError::IoError {
                io_error: Arc::new(error),
                filepath: path.to_owned(),
            })?;
        self.verified.forget(path);
        self.disk.directory.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.disk.directory.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let refused = |error| OpenWriteError::wrap_io_error(error, path.to_owned());
        self.refuse_if_halted().map_err(refused)?;
        self.verified.forget(path);
        self.disk.directory.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let failed = |error| OpenReadError::wrap_io_error(error, path.to_owned());
        if path == Path::new(MANAGED)
            && let Some(names) = self.disk.names().map_err(failed)?
        {
            return Ok(sweep::managed(names));
        }
        let bytes = self.disk.directory.atomic_read(path)?;
        match path == Path::new(COMMIT) {
            true => unseal(bytes).map_err(failed),
            false => Ok(bytes),
        }
    }

    fn atomic_write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if path == Path::new(COMMIT) {
            return self.commit(bytes);
        }
        // The folder itself is the list: it cannot be out of date, and need not be written, and synced, with every
        // file that is begun.
        if path == Path::new(MANAGED) && self.disk.is_shared() {
            return Ok(());
        }
        self.refuse_if_halted()?;
        self.disk.directory.atomic_write(path, bytes)
    }

    fn sync_directory(&self) -> io::Result<()> {
        let synced = self.disk.directory.sync_directory();
        // tantivy syncs on the way to a commit.
        synced.inspect_err(|error| self.halt(&format!("the folder could not be synced: {error}")))
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        if lock.filepath == INDEX_WRITER_LOCK.filepath
            && let Some(held) = self.session.as_ref().and_then(|s| s.lock.upgrade())
        {
            return Ok(DirectoryLock::from(Box::new(held)));
        }
        let acquired = self.disk.directory.acquire_lock(lock);
        match acquired {
            Err(LockError::IoError(error))
                if lock.filepath == META_LOCK.filepath && is_read_only(&error) =>
            {
                self.disk
                    .lock_to_read(&lock.filepath)
                    .map_err(LockError::wrap_io_error)
            }
            acquired => acquired,
        }
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.disk.directory.watch(callback)
    }
}

/// Whether a file could not be written because nothing may be written there, by this user or by any.
fn is_read_only(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}
