//! What must hold of kept files, whatever is in them; see [`crate::fuzzing`].

use std::path::Path;

use super::super::cpu::{Format, Machine};
use super::file::{Directory, PackedFile};
use super::packs::Packs;
use super::stamp::{self, Record};
use super::{Identity, Stamp};

/// Of whom the files are that are accepted.
fn identity() -> Identity {
    Identity {
        model: "/model".to_owned(),
        weights_sha256: "w".to_owned(),
        config_sha256: "c".to_owned(),
        layout: "l".to_owned(),
    }
}

/// A file of packed weights at `path` of this directory, in JSON, behind these parts. `mend` says, bit by bit, whether
/// the trailer, the identity and the checksums of the parts are put right.
pub fn packed(path: &Path, mend: u8, directory: &[u8], parts: &[u8]) {
    let at = parts.len() as u64;
    let read: Option<Directory> = serde_json::from_slice(directory).ok();
    let bytes = match read {
        Some(mut directory) if mend & 1 == 1 => {
            if mend & 2 == 2 {
                directory.identity = identity();
            }
            for part in directory
                .entries
                .iter_mut()
                .flat_map(|entry| &mut entry.parts)
            {
                let end = part.at.saturating_add(part.bytes) as usize;
                if let Some(bytes) = parts.get(part.at as usize..end)
                    && mend & 4 == 4
                {
                    part.crc32 = crc32fast::hash(bytes);
                }
            }
            directory.to_bytes(at).expect("a directory is JSON")
        }
        // The trailer too is whatever it is.
        _ => directory.to_vec(),
    };
    std::fs::write(path, [parts, &bytes].concat()).expect("a file to look at");
    let Some(file) = PackedFile::open(path, &identity()) else {
        return;
    };
    let packs = Packs::Read(file);
    let machine = Machine::new();
    let (depth, columns) = (8, 4);
    for name in ["a", "b"] {
        for format in [Format::Full, Format::Bytes] {
            let zeros = || Ok::<_, ()>(vec![0.0; depth * columns]);
            let matrix = packs.matrix(name, (machine, format), (depth, columns), zeros);
            assert!(matrix.is_ok());
        }
        let table = packs.table(name, depth, || Ok::<_, ()>(vec![0.0; depth]));
        assert_eq!(table.map(|numbers| numbers.len()), Ok(depth));
    }
}

/// The stamp at `path`.
pub fn stamp(path: &Path, mend: bool, bytes: &[u8]) {
    let mut text = bytes.to_vec();
    if mend && let Some(end) = text.iter().position(|byte| *byte == b'\n') {
        text.truncate(end);
        let sum = crc32fast::hash(&text);
        text.extend_from_slice(format!("\n{sum:08x}\n").as_bytes());
    }
    std::fs::write(path, &text).expect("a file to look at");
    let _ = stamp::model_of(path);
    let this = std::fs::metadata(path)
        .ok()
        .and_then(|file| Stamp::of(&file));
    let files: Vec<(&Path, Stamp)> = this.map(|stamp| (path, stamp)).into_iter().collect();
    // It names other times than those of a file that was just written: it is never believed.
    assert_eq!(Record::new("/model", &files).hash_kept_in(path), None);
}
