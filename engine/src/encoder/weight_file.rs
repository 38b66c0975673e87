//! One safetensors file. Its header is read when it is opened, numbers only as they are asked for: a tensor that
//! is not needed costs nothing, and none is in memory beside its own bytes.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use sha2::{Digest, Sha256};

use super::ModelError;
use super::config::checked_file;
use super::kept::Stamp;
use super::weights::hex;
use crate::{Error, Result};

/// The most bytes that a file of weights has: several times the largest known encoder.
const MOST_BYTES: u64 = 64 << 30;
/// The most bytes that a header has: the format's own limit.
const MOST_HEADER: u64 = 100_000_000;
/// Bytes that are hashed at a time.
const PIECE: usize = 1 << 18;

/// A file of weights, open. All is read from what was opened, also when another takes its name.
pub(super) struct WeightFile {
    pub path: PathBuf,
    file: File,
    tensors: Metadata,
    /// Where the numbers begin.
    start: u64,
    pub length: u64,
    /// What it was when it was opened.
    pub stamp: Option<Stamp>,
}

impl WeightFile {
    /// Opens the file and reads its header.
    pub fn open(path: PathBuf) -> Result<WeightFile> {
        checked_file(&path, MOST_BYTES)?;
        let failed = |source| Error::io("read", &path, source);
        let file = File::open(&path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let length = metadata.len();
        let malformed = |reason: String| ModelError::Malformed {
            path: path.clone(),
            reason,
        };
        let mut size = [0; 8];
        if length < 8 {
            return Err(malformed("header too small".into()).into());
        }
        read_at(&file, &mut size, 0).map_err(failed)?;
        let size = u64::from_le_bytes(size);
        if size > MOST_HEADER || size > length - 8 {
            return Err(malformed(format!("invalid header length: {size} bytes")).into());
        }
        let mut header = vec![0; size as usize];
        read_at(&file, &mut header, 8).map_err(failed)?;
        let tensors: Metadata = serde_json::from_slice(&header)
            .map_err(|error| malformed(format!("invalid header: {error}")))?;
        let start = 8 + size;
        if start + tensors.data_len() as u64 != length {
            let expected = start + tensors.data_len() as u64;
            let reason = format!("it has {length} bytes, {expected} were expected by its header");
            return Err(malformed(reason).into());
        }
        Ok(WeightFile {
            stamp: Stamp::of(&metadata),
            path,
            file,
            tensors,
            start,
            length,
        })
    }

    /// The names of its tensors.
    pub fn names(&self) -> Vec<String> {
        self.tensors.offset_keys()
    }

    /// What the header says about a tensor.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.info(name)
    }

    /// The numbers of a tensor in f32. `None` if they are kept in a type that is not known.
    pub fn read(&self, tensor: &TensorInfo, device: &Device) -> Result<Option<Tensor>> {
        let (from, to) = tensor.data_offsets;
        let at = self.start + from as u64;
        let failed = |source| Error::io("read", &self.path, source);
        let stored = match tensor.dtype {
            Dtype::F32 => {
                let mut numbers = vec![0_f32; (to - from) / 4];
                read_at(&self.file, bytemuck::cast_slice_mut(&mut numbers), at).map_err(failed)?;
                let read = Tensor::from_vec(numbers, tensor.shape.as_slice(), device);
                return Ok(Some(read.map_err(ModelError::Compute)?));
            }
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            _ => return Ok(None),
        };
        let mut bytes = vec![0; to - from];
        read_at(&self.file, &mut bytes, at).map_err(failed)?;
        let read = Tensor::from_raw_buffer(&bytes, stored, &tensor.shape, device)
            .and_then(|read| read.to_dtype(DType::F32));
        Ok(Some(read.map_err(ModelError::Compute)?))
    }

    /// The SHA-256 of its bytes in lower-case hex.
    pub fn sha256(&self) -> Result<String> {
        let mut hash = Sha256::new();
        let mut piece = vec![0; PIECE.min(self.length as usize)];
        let mut at = 0;
        while at < self.length {
            let rest = self.length - at;
            let piece = &mut piece[..rest.min(PIECE as u64) as usize];
            read_at(&self.file, piece, at).map_err(|source| self.failed(source))?;
            hash.update(&*piece);
            at += piece.len() as u64;
        }
        Ok(hex(&hash.finalize()))
    }

    /// An error if the file was written to since it was opened.
    pub fn check_unchanged(&self) -> Result<()> {
        let now = self.file.metadata().map_err(|source| self.failed(source))?;
        if Stamp::of(&now) == self.stamp && now.len() == self.length {
            return Ok(());
        }
        Err(ModelError::Malformed {
            path: self.path.clone(),
            reason: "it changed while it was read".into(),
        }
        .into())
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::io("read", &self.path, source)
    }
}

/// Fills `bytes` from the place `at` of a file.
#[cfg(unix)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Fills `bytes` from the place `at` of a file.
#[cfg(windows)]
pub(super) fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = &mut bytes[read..];
                at += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_file_that_changes_while_it_is_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let fixture = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/encoders/bert/model.safetensors"
        );
        let bytes = std::fs::read(fixture).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let file = WeightFile::open(path.clone()).unwrap();
        file.check_unchanged().unwrap();
        assert_eq!(file.sha256().unwrap(), super::super::sha256_hex(&bytes));
        // Another in its place is another file: what was opened is still what it was.
        std::fs::write(folder.path().join("new"), b"x").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(file.sha256().unwrap(), super::super::sha256_hex(&bytes));
        std::fs::write(&path, &bytes).unwrap();
        let file = WeightFile::open(path.clone()).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(file.sha256().is_err());
        let error = file.check_unchanged().unwrap_err();
        assert!(
            error.to_string().contains("changed while it was read"),
            "{error}"
        );
    }
}
