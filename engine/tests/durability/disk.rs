//! A disk in memory that writes down every operation, and fails when it is told to.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use kenning::index::Disk;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, DirectoryLock, FileHandle, Lock, META_LOCK, OwnedBytes, TerminatingWrite,
    WatchCallback, WatchHandle, WritePtr,
};
use tantivy::{Directory, HasLen};

use super::gate::Gate;

/// The number of a file's content, whatever its name.
pub type Content = usize;

/// An operation that changed the disk, and what the test noted in between.
#[derive(Debug, Clone)]
pub enum Operation {
    Create(PathBuf, Content),
    Write(Content, Vec<u8>),
    SyncFile(Content),
    /// From, to, and what is there afterwards.
    Rename(PathBuf, PathBuf, Content),
    Remove(PathBuf),
    SyncFolder,
    /// The commit of this number begins.
    Begun(usize),
    /// The commit of this number was acknowledged.
    Acknowledged(usize),
}

/// What an operation that fails answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The device does not work.
    Io,
    /// It is full: nothing can be written, everything can be read.
    Full,
    /// A write takes half of the bytes, and fails when asked to take the rest.
    Short,
}

impl Fault {
    pub const ALL: [Fault; 3] = [Fault::Io, Fault::Full, Fault::Short];

    fn error(self) -> io::Error {
        // EIO, ENOSPC
        io::Error::from_raw_os_error(if self == Fault::Io { 5 } else { 28 })
    }
}

/// When operations fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub fault: Fault,
    /// The number of the first operation that fails, from 0.
    pub first: u64,
    /// How many fail from there on.
    pub count: u64,
}

#[derive(Debug, Default)]
struct State {
    contents: Vec<Arc<Vec<u8>>>,
    names: BTreeMap<PathBuf, Content>,
    log: Vec<Operation>,
    locks: HashSet<PathBuf>,
    plan: Option<Plan>,
    /// Operations so far, those that read included.
    done: u64,
    /// The first operation that failed.
    failed: Option<String>,
}

/// What happens before a read, after so many others.
type Hook = (u64, Box<dyn FnOnce() + Send>);

/// The disk; clones are the same.
#[derive(Clone, Default)]
pub struct Recorder {
    shared: Arc<(Mutex<State>, Condvar)>,
    hook: Arc<Mutex<Option<Hook>>>,
    pub gate: Gate,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

impl Recorder {
    /// A disk with these files, all of them durable.
    pub fn holding(files: BTreeMap<PathBuf, Vec<u8>>) -> Recorder {
        let disk = Recorder::default();
        let mut state = disk.state();
        for (name, bytes) in files {
            let content = state.contents.len();
            state.contents.push(Arc::new(bytes));
            state.names.insert(name, content);
        }
        drop(state);
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap()
    }

    /// For an index.
    pub fn disk(&self) -> Disk {
        let recorder = self.clone();
        Disk::new(Box::new(self.clone()), move || {
            let mut state = recorder.state();
            state.step(false, || "list".into())?;
            Ok(state.names.keys().cloned().collect())
        })
    }

    /// A copy of what is there, without the locks and threads of whoever had it: as after a process was ended.
    pub fn copy(&self) -> Recorder {
        Recorder::holding(self.files())
    }

    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        let names = state.names.iter();
        names
            .map(|(name, &content)| (name.clone(), state.contents[content].to_vec()))
            .collect()
    }

    pub fn fail(&self, plan: Option<Plan>) {
        let mut state = self.state();
        (state.plan, state.done) = (plan, 0);
    }

    /// Lets something happen once, before a commit is read that `others` reads of it precede. Those do not count that
    /// keep other processes from removing files.
    pub fn before_a_read(&self, others: u64, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap() = Some((others, Box::new(hook)));
    }

    fn run_hook(&self) {
        if self.state().locks.contains(&META_LOCK.filepath) {
            return;
        }
        let mut slot = self.hook.lock().unwrap();
        let due = match &mut *slot {
            Some((others, _)) if *others > 0 => {
                *others -= 1;
                None
            }
            slot => slot.take(),
        };
        drop(slot);
        if let Some((_, hook)) = due {
            hook();
        }
    }

    /// What failed first, if anything did.
    pub fn failed(&self) -> Option<String> {
        self.state().failed.clone()
    }

    /// Operations since the last plan.
    pub fn done(&self) -> u64 {
        self.state().done
    }

    pub fn note(&self, operation: Operation) {
        self.state().log.push(operation);
    }

    pub fn log(&self) -> Vec<Operation> {
        self.state().log.clone()
    }

    fn create(&self, path: &Path) -> io::Result<Content> {
        let mut state = self.state();
        state.step(true, || format!("create {}", path.display()))?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = state.contents.len();
        state.contents.push(Arc::default());
        state.names.insert(path.to_owned(), content);
        state.log.push(Operation::Create(path.to_owned(), content));
        Ok(content)
    }

    fn write(&self, content: Content, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        let mut taken = bytes.len();
        if let Err(error) = state.step(true, || format!("write {} bytes", bytes.len())) {
            let short = state.plan.is_some_and(|plan| plan.fault == Fault::Short);
            if !short || bytes.len() < 2 {
                return Err(error);
            }
            taken = bytes.len() / 2;
        }
        Arc::make_mut(&mut state.contents[content]).extend_from_slice(&bytes[..taken]);
        let written = bytes[..taken].to_vec();
        state.log.push(Operation::Write(content, written));
        Ok(taken)
    }

    fn sync(&self, content: Content) -> io::Result<()> {
        let mut state = self.state();
        state.step(true, || "sync a file".into())?;
        state.log.push(Operation::SyncFile(content));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path, content: Content) -> io::Result<()> {
        if to == Path::new("meta.json") {
            self.gate.pass();
        }
        let mut state = self.state();
        state.step(true, || format!("rename to {}", to.display()))?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), content);
        let (from, to) = (from.to_owned(), to.to_owned());
        state.log.push(Operation::Rename(from, to, content));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step(false, || format!("remove {}", path.display()))?;
        if state.names.remove(path).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.log.push(Operation::Remove(path.to_owned()));
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Arc<Vec<u8>>, OpenReadError> {
        let mut state = self.state();
        state
            .step(false, || format!("read {}", path.display()))
            .map_err(|error| OpenReadError::wrap_io_error(error, path.to_owned()))?;
        let content = state.names.get(path);
        let content = content.ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))?;
        Ok(Arc::clone(&state.contents[*content]))
    }
}

impl State {
    /// Counts an operation; fails it if it is to fail. `writes`: whether it needs space.
    fn step(&mut self, writes: bool, what: impl FnOnce() -> String) -> io::Result<()> {
        let number = self.done;
        self.done += 1;
        let Some(plan) = self.plan else {
            return Ok(());
        };
        let due = number >= plan.first && number - plan.first < plan.count;
        if !due || (plan.fault != Fault::Io && !writes) {
            return Ok(());
        }
        self.failed
            .get_or_insert_with(|| format!("{number}: {}", what()));
        Err(plan.fault.error())
    }
}

/// A file that is being written.
struct Open {
    disk: Recorder,
    content: Content,
}

impl Write for Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.write(self.content, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Open {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.disk.sync(self.content)
    }
}

/// A lock that is held.
struct Held {
    disk: Recorder,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
        self.disk.shared.1.notify_all();
    }
}

impl Directory for Recorder {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let bytes = self.read(path)?.to_vec();
        let bytes = OwnedBytes::new(bytes);
        debug_assert_eq!(bytes.len(), HasLen::len(&bytes));
        Ok(Arc::new(bytes))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.remove(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DeleteError::FileDoesNotExist(path.to_owned()),
            _ => DeleteError::IoError {
                io_error: Arc::new(error),
                filepath: path.to_owned(),
            },
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.state().names.contains_key(path))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let content = self.create(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(path.to_owned()),
            _ => OpenWriteError::wrap_io_error(error, path.to_owned()),
        })?;
        let disk = self.clone();
        Ok(BufWriter::new(Box::new(Open { disk, content })))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        if path == Path::new("meta.json") {
            self.run_hook();
        }
        Ok(self.read(path)?.to_vec())
    }

    /// As tantivy's directory of files does it: another file, synced and renamed, and nothing more.
    fn atomic_write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = PathBuf::from(format!(".tmp{number}"));
        let content = self.create(&temporary)?;
        let mut file = Open {
            disk: self.clone(),
            content,
        };
        let written = file
            .write_all(bytes)
            .and_then(|()| self.sync(content))
            .and_then(|()| self.rename(&temporary, path, content));
        written.inspect_err(|_| {
            let _ = self.remove(&temporary);
        })
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        state.step(true, || "sync the folder".into())?;
        state.log.push(Operation::SyncFolder);
        Ok(())
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        let mut state = self.state();
        let step = state.step(false, || format!("lock {}", lock.filepath.display()));
        step.map_err(LockError::wrap_io_error)?;
        while !state.locks.insert(lock.filepath.clone()) {
            if !lock.is_blocking {
                return Err(LockError::LockBusy);
            }
            state = self.shared.1.wait(state).unwrap();
        }
        Ok(DirectoryLock::from(Box::new(Held {
            disk: self.clone(),
            path: lock.filepath.clone(),
        })))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
