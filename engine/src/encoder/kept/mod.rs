//! What is kept of a model so that it need not be computed at every start: the hash of its weights, and its
//! matrices as the processor wants them. All of it is a cache: what is missing, damaged, foreign or out of date is
//! computed again, and where nothing can be written all works without.
//!
//! For the model in a folder, `KEY` being the beginning of a hash of the folder's path, there are
//!
//! - `KEY.stamp`: the hash of its weights, with what the files were when they were hashed (`stamp`);
//! - `KEY-LAYOUT.packed`: its matrices, for one precision and kind of processor (`file` has the format, `packer`
//!   writes it, `packs` is what a model is loaded with).
//!
//! Files are never written to where they lie: each is written under another name and renamed. So what another
//! process has opened or mapped stays as it is, and of two that write at once the later one counts. Each new file
//! takes the place of the one before; what belongs to folders that are gone is removed when one is written.

mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod packer;
mod packs;
mod stamp;
mod tidy;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::weights::Weights;
use super::{Precision, cpu, sha256_hex};
use crate::Result;

pub use packs::Packs;
pub use stamp::Stamp;

use file::PackedFile;
use packer::Packer;
use stamp::Record;

/// Where things are kept of the model in one folder.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// The folder for what is kept of all models.
    kept: PathBuf,
    /// The absolute path of the model's folder.
    model: String,
    /// What the names of its files begin with.
    key: String,
}

/// What matrices that were packed were packed of, and for whom: they are used where all of it is equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The absolute path of the model's folder.
    pub model: String,
    /// The hash of its weights, as the encoder's spec has it.
    pub weights_sha256: String,
    /// The hash of its `config.json`, which says what is loaded of the weights.
    pub config_sha256: String,
    /// [`cpu::Machine::layout`].
    pub layout: String,
}

impl Shelf {
    /// For the model in `model`, among what is kept in `kept`; `None` for a path that is no text.
    pub fn new(kept: &Path, model: &Path) -> Option<Shelf> {
        let model = std::path::absolute(model).ok()?.to_str()?.to_owned();
        Some(Shelf {
            kept: kept.to_owned(),
            key: sha256_hex(model.as_bytes())[..24].to_owned(),
            model,
        })
    }

    /// [`Weights::sha256`]: that which was kept, if the files are what they were when it was computed.
    pub fn hash(&self, weights: &Weights) -> Result<String> {
        let record = weights
            .stamps()
            .map(|stamps| Record::new(&self.model, &stamps));
        let path = self.kept.join(format!("{}.stamp", self.key));
        if let Some(record) = &record
            && let Some(known) = record.hash_kept_in(&path)
        {
            return Ok(known);
        }
        let settled = record.filter(Record::is_settled);
        let hash = weights.sha256()?;
        if let Some(record) = settled {
            // Where it cannot be written, the weights are hashed again the next time.
            let _ = record.keep(&path, &hash);
        }
        Ok(hash)
    }

    /// The matrices of the model with these weights and this `config.json`: those that were kept, or what keeps
    /// them while the model is loaded.
    pub fn packs(&self, weights_sha256: &str, config: &[u8], precision: Precision) -> Packs {
        let layout = cpu::Machine::new().layout(precision.into());
        let path = self.kept.join(format!("{}-{layout}.packed", self.key));
        let identity = Identity {
            model: self.model.clone(),
            weights_sha256: weights_sha256.to_owned(),
            config_sha256: sha256_hex(config),
            layout,
        };
        match PackedFile::open(&path, &identity) {
            Some(file) => Packs::Read(file),
            None => Packs::Write(Packer::new(path, identity).into()),
        }
    }
}
