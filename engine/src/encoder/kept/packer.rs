//! Writes packed matrices to a file while a model is loaded.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::Identity;
use super::file::{ALIGNMENT, Directory, Entry, Part, Use};
use super::tidy::{Draft, tidy};

/// A file of packed matrices in the making.
pub struct Packer {
    path: PathBuf,
    directory: Directory,
    /// Where the next part begins.
    at: u64,
    state: State,
}

enum State {
    /// Nothing was put: models of some families have no such matrices, and need no file.
    Empty,
    Open(Draft),
    /// It could not be written. The model is whole without, and there is nothing to say.
    Failed,
}

impl Packer {
    /// Of a file that will be at `path`.
    pub fn new(path: PathBuf, identity: Identity) -> Packer {
        Packer {
            path,
            directory: Directory {
                identity,
                entries: Vec::new(),
            },
            at: 0,
            state: State::Empty,
        }
    }

    /// Puts a matrix in.
    pub fn put(&mut self, name: &str, used: Use, parts: &[&[u8]]) {
        if let State::Empty = self.state {
            self.state = Draft::begin(&self.path).map_or(State::Failed, State::Open);
        }
        if let State::Open(draft) = &mut self.state {
            match write(&mut draft.file, &mut self.at, parts) {
                Ok(parts) => self.directory.entries.push(Entry {
                    name: name.to_owned(),
                    used,
                    parts,
                }),
                Err(_) => self.state = State::Failed,
            }
        }
    }

    /// Gives the file its name, if all could be written.
    pub fn finish(self) -> io::Result<()> {
        let State::Open(mut draft) = self.state else {
            return Ok(());
        };
        draft.file.write_all(&self.directory.to_bytes(self.at)?)?;
        draft.publish(&self.path)?;
        tidy(&self.path);
        Ok(())
    }
}

/// Writes parts from the place `at` on, and moves it.
fn write(file: &mut File, at: &mut u64, parts: &[&[u8]]) -> io::Result<Vec<Part>> {
    let write = |bytes: &&[u8]| {
        let part = Part {
            at: *at,
            bytes: bytes.len() as u64,
            crc32: crc32fast::hash(bytes),
        };
        file.write_all(bytes)?;
        let end = part.at + part.bytes;
        let gap = [0; ALIGNMENT as usize];
        *at = end.next_multiple_of(ALIGNMENT);
        file.write_all(&gap[..(*at - end) as usize])?;
        Ok(part)
    };
    parts.iter().map(write).collect()
}
