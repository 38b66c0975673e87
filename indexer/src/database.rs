//! sled, opened whatever became of its files.

use std::path::Path;
use std::time::Duration;

use crate::error::is_locked;

/// The tree of the states of files, which is read when the store is opened.
pub const FILES: &str = "files";

/// How often and how long to wait for the store's lock: sled's own threads may hold it a little longer
/// than the catalogue that was just closed.
const LOCK_TRIES: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(50);

fn open_store(folder: &Path) -> sled::Result<sled::Db> {
    let config = sled::Config::new().path(folder).cache_capacity(64 << 20);
    let mut tries = 0;
    loop {
        tries += 1;
        match config.open() {
            Err(error) if is_locked(&error) && tries < LOCK_TRIES => {
                std::thread::sleep(LOCK_WAIT);
            }
            result => return result,
        }
    }
}

/// Opens the store in `folder`; `None` if it is damaged.
pub fn open_sound(folder: &Path) -> sled::Result<Option<sled::Db>> {
    let open = || -> sled::Result<sled::Db> {
        let store = open_store(folder)?;
        for entry in store.open_tree(FILES)?.iter() {
            entry?;
        }
        Ok(store)
    };
    // sled meets some damage with a panic.
    match std::panic::catch_unwind(open) {
        Ok(Ok(store)) => Ok(Some(store)),
        Ok(Err(error)) if !is_damage(&error) => Err(error),
        Ok(Err(_)) | Err(_) => Ok(None),
    }
}

/// The same. One that is damaged is thrown away and begun anew: it only saves work.
pub fn open_or_begin(folder: &Path) -> sled::Result<sled::Db> {
    if let Some(store) = open_sound(folder)? {
        return Ok(store);
    }
    std::fs::remove_dir_all(folder)?;
    open_store(folder)
}

/// Whether the store could be read, and is not what was written.
fn is_damage(error: &sled::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error {
        sled::Error::Io(error) => {
            matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
        }
        sled::Error::Corruption { .. }
        | sled::Error::ReportableBug(_)
        | sled::Error::Unsupported(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_lock_that_lingers_is_waited_for() {
        let temp = tempfile::tempdir().unwrap();
        let held = open_store(temp.path()).unwrap();
        std::thread::scope(|scope| {
            let opened = scope.spawn(|| open_store(temp.path()).is_ok());
            std::thread::sleep(3 * LOCK_WAIT);
            drop(held);
            assert!(opened.join().unwrap());
        });
    }
}
