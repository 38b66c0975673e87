//! What was done already: the state of every file, in sled.
//!
//! The catalogue is a cache. It is stamped with the generation of the index it belongs to, and only
//! after that generation is durable: a catalogue that ran ahead of its index would lose documents.
//! Where the stamps differ it is rebuilt from what the index stores with each document.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kenning::index::{Holder, IndexError, Note, StoredDocument};
use kenning::{Index, Snapshot};
use serde::{Deserialize, Serialize};

use crate::database::{FILES, open_or_begin, open_sound};
use crate::embeddings::Embeddings;
use crate::error::is_locked;
use crate::{IndexerError, Result};

/// Raised when files should be read anew because they are now read better. Files that gave text are
/// embedded again only where their chunks differ.
const READER: u32 = 2;

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileState {
    /// When it was last modified, in nanoseconds since 1970.
    pub modified: i64,
    /// Its size in bytes.
    pub size: u64,
    /// When it was read, in nanoseconds since 1970.
    pub read: i64,
    /// BLAKE3 of its content, in hex; empty if it was too large to be read.
    pub hash: String,
    /// Version of the readers.
    pub reader: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is in the index, as these documents.
    Indexed {
        /// Their ids.
        documents: Vec<String>,
        /// Their chunks.
        chunks: u64,
        /// Their tokens; all are embedded.
        tokens: u64,
        /// Keys of their embeddings in hex, one after the other; unknown after a rebuild.
        keys: String,
    },
    /// It holds no text that could be searched.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It could not be read.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// The ids of the documents that a file gave.
    pub fn documents(&self) -> &[String] {
        match self {
            Outcome::Indexed { documents, .. } => documents,
            _ => &[],
        }
    }
}

impl FileState {
    /// Whether a file that looks like this can be believed to be the one that was read: same size and
    /// time, and not modified so shortly before it was read that a later change could hide. One that was
    /// too large is looked at again: the limit may be another now.
    pub fn is_current(&self, size: u64, modified: i64) -> bool {
        const TICK: i64 = 2_000_000_000;
        self.size == size
            && self.modified == modified
            && self.reader == READER
            && !self.hash.is_empty()
            && self.read - modified > TICK
    }

    /// The state of a file just read.
    pub fn new(size: u64, modified: i64, read: i64, hash: String, outcome: Outcome) -> Self {
        FileState {
            modified,
            size,
            read,
            hash,
            reader: READER,
            outcome,
        }
    }

    /// Whether it was read by this version's readers.
    pub fn is_of_this_reader(&self) -> bool {
        self.reader == READER
    }
}

/// What the index stores with each document, so that the catalogue can be rebuilt.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DocumentState {
    pub file: String,
    pub modified: i64,
    pub size: u64,
    pub read: i64,
    pub hash: String,
    pub reader: u32,
}

impl DocumentState {
    pub fn new(file: &str, state: &FileState) -> Self {
        DocumentState {
            file: file.to_owned(),
            modified: state.modified,
            size: state.size,
            read: state.read,
            hash: state.hash.clone(),
            reader: state.reader,
        }
    }
}

/// The catalogue of one index.
pub struct Catalogue {
    /// Let go before the store, which is locked.
    _note: Note,
    path: PathBuf,
    store: sled::Db,
    files: sled::Tree,
    embeddings: Embeddings,
}

const GENERATION: &str = "generation";

/// The note of who has the catalogue in `folder` open.
fn note_of(folder: &Path) -> PathBuf {
    folder.with_added_extension("holder")
}

/// Why it cannot be opened.
fn failed(folder: &Path, source: sled::Error) -> IndexerError {
    match is_locked(&source) {
        true => kenning::Error::from(IndexError::Locked {
            holder: Holder::read(&note_of(folder)),
        })
        .into(),
        false => IndexerError::Catalogue {
            path: folder.to_owned(),
            source,
        },
    }
}

impl Catalogue {
    /// Opens or makes the catalogue in `folder` and brings it up to the index. One that is damaged is begun anew.
    ///
    /// # Errors
    /// [`IndexError::Locked`] while another process has it open, [`IndexerError::Catalogue`].
    pub fn open(folder: &Path, index: &Index) -> Result<Self> {
        let opened = open_or_begin(folder).and_then(|store| Self::of(store, folder, index));
        let catalogue = opened.map_err(|source| failed(folder, source))?;
        let snapshot = index.snapshot()?;
        if catalogue.generation()? != Some(snapshot.generation()) {
            catalogue.rebuild(&snapshot)?;
        }
        Ok(catalogue)
    }

    /// Opens the catalogue in `folder` as it is; `None` if it is damaged.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn open_as_it_is(folder: &Path, index: &Index) -> Result<Option<Self>> {
        let opened = open_sound(folder).and_then(|store| match store {
            Some(store) => Self::of(store, folder, index).map(Some),
            None => Ok(None),
        });
        opened.map_err(|source| failed(folder, source))
    }

    fn of(store: sled::Db, folder: &Path, index: &Index) -> sled::Result<Self> {
        let embeddings = store.open_tree("embeddings")?;
        Ok(Catalogue {
            _note: Note::put(note_of(folder)),
            path: folder.to_owned(),
            files: store.open_tree(FILES)?,
            embeddings: Embeddings::new(embeddings, &index.spec().encoder.fingerprint()),
            store,
        })
    }

    /// The cache of embeddings.
    pub(crate) fn embeddings(&self) -> &Embeddings {
        &self.embeddings
    }

    fn fail(&self, source: sled::Error) -> IndexerError {
        IndexerError::Catalogue {
            path: self.path.clone(),
            source,
        }
    }

    /// The commit that the states are of.
    pub(crate) fn generation(&self) -> Result<Option<u64>> {
        let bytes = self.store.get(GENERATION).map_err(|e| self.fail(e))?;
        Ok(bytes.and_then(|bytes| Some(u64::from_le_bytes(bytes.as_ref().try_into().ok()?))))
    }

    /// What is known of the file with this id. A state that cannot be read counts as none.
    pub fn get(&self, id: &str) -> Result<Option<FileState>> {
        let bytes = self.files.get(id).map_err(|e| self.fail(e))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Every file, by id.
    pub fn files(&self) -> impl Iterator<Item = Result<(String, FileState)>> + '_ {
        self.files.iter().filter_map(|entry| match entry {
            Ok((id, bytes)) => {
                let id = String::from_utf8_lossy(&id).into_owned();
                let state = serde_json::from_slice(&bytes).ok()?;
                Some(Ok((id, state)))
            }
            Err(error) => Some(Err(self.fail(error))),
        })
    }

    /// Makes embeddings durable; before the commit, so that a crash does not lose the work.
    pub fn flush_embeddings(&self) -> Result<()> {
        self.store.flush().map_err(|e| self.fail(e))?;
        Ok(())
    }

    /// Records what the commit `generation` holds; after the commit. `None` forgets a file.
    pub fn record(
        &self,
        changes: &BTreeMap<String, Option<FileState>>,
        generation: u64,
    ) -> Result<()> {
        let mut batch = sled::Batch::default();
        for (id, state) in changes {
            match state {
                Some(state) => {
                    let bytes = serde_json::to_vec(state).unwrap_or_default();
                    batch.insert(id.as_bytes(), bytes);
                }
                None => batch.remove(id.as_bytes()),
            }
        }
        self.files.apply_batch(batch).map_err(|e| self.fail(e))?;
        self.store.flush().map_err(|e| self.fail(e))?;
        let stamp = generation.to_le_bytes();
        self.store
            .insert(GENERATION, &stamp)
            .map_err(|e| self.fail(e))?;
        self.store.flush().map_err(|e| self.fail(e))?;
        Ok(())
    }

    /// Rebuilds the file states from the documents of the index. Files that gave no document are
    /// forgotten, and will be looked at again.
    pub(crate) fn rebuild(&self, snapshot: &Snapshot) -> Result<()> {
        let files = states_in(snapshot)?;
        self.files.clear().map_err(|e| self.fail(e))?;
        self.record(&files, snapshot.generation())
    }

    /// How many states cannot be read.
    pub(crate) fn unreadable(&self) -> u64 {
        let states = self.files.iter().flatten();
        let unreadable =
            states.filter(|(_, bytes)| serde_json::from_slice::<FileState>(bytes).is_err());
        unreadable.count() as u64
    }
}

/// The states of files, as the documents of the index tell them.
pub(crate) fn states_in(snapshot: &Snapshot) -> Result<BTreeMap<String, Option<FileState>>> {
    let mut files = BTreeMap::new();
    snapshot.for_each_document(|id, document| {
        note(&mut files, id, document);
        Ok(())
    })?;
    Ok(files)
}

/// Adds one document of the index to the state of its file.
pub(crate) fn note(
    files: &mut BTreeMap<String, Option<FileState>>,
    id: String,
    document: StoredDocument,
) {
    let state = document.state.as_deref().unwrap_or_default();
    let Ok(of) = serde_json::from_str::<DocumentState>(state) else {
        return;
    };
    let fresh = || {
        Some(FileState {
            modified: of.modified,
            size: of.size,
            read: of.read,
            hash: of.hash,
            reader: of.reader,
            outcome: Outcome::Indexed {
                documents: Vec::new(),
                chunks: 0,
                tokens: 0,
                keys: String::new(),
            },
        })
    };
    let entry = files.entry(of.file.clone()).or_insert_with(fresh);
    if let Some(FileState {
        outcome:
            Outcome::Indexed {
                documents,
                chunks,
                tokens,
                ..
            },
        ..
    }) = entry
    {
        documents.push(id);
        *chunks = chunks.saturating_add(document.chunks.into());
        *tokens = tokens.saturating_add(document.tokens);
    }
}
