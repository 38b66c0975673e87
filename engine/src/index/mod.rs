//! The index: one tantivy index whose segments carry a vector column.
//!
//! Reading order: `store` (where all files are read and written), `holder` (who writes), `schema` (what a row is), `attached` (its encoder),
//! `writer` (documents in), `rows` (what is stored of each), `documents` (rows grouped by document), `snapshot` (a consistent view), `graphs` (derived from
//! it), `summary` (what is in it), `audit` (whether it is sound).

mod attached;
mod audit;
pub(crate) mod documents;
mod embed;
mod error;
pub(crate) mod graphs;
mod holder;
mod merge_policy;
mod rows;
pub(crate) mod schema;
pub(crate) mod snapshot;
mod store;
mod summary;
#[cfg(test)]
pub(crate) mod traps;
mod writer;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tantivy::{Directory, IndexReader, ReloadPolicy};

use crate::Result;
use crate::encoder::{Encoder, EncoderSpec};
use crate::vector::plugin::VectorPlugin;

use attached::Attached;
use schema::Fields;
use snapshot::View;
use store::{COMMIT, Store};

pub use audit::{Audit, AuditRecord, Audits, CheckedGraph, Problem};
pub use embed::{chunk, chunk_options, embed, encode_chunks};
pub use error::IndexError;
pub use graphs::{BuiltGraph, GraphOptions, GraphProgress, GraphReport};
#[doc(hidden)]
pub use holder::civil_from_days;
pub use holder::{Holder, Note};
pub use schema::{FORMAT, IndexSpec, StoredChunk, StoredDocument};
pub use snapshot::Snapshot;
#[doc(hidden)]
pub use store::{Disk, seal, unseal};
pub use summary::Summary;
pub use writer::{EmbeddedDocument, IndexWriter};

pub use crate::vector::graph::audit::GraphCheck;

/// An index of documents, on disk or in memory. Cheap to clone; clones are the same index.
#[derive(Clone)]
pub struct Index {
    shared: Arc<Shared>,
    encoder: Option<Arc<Attached>>,
}

struct Shared {
    tantivy: tantivy::Index,
    reader: IndexReader,
    fields: Fields,
    spec: IndexSpec,
    store: Store,
    /// The commit that the reader was opened with, as [`Index::commit_on_disk`] tells it.
    opened: Vec<u8>,
    /// The last snapshot: the next is the same, or takes over the segments that have not changed. No lock, so
    /// that queries on many threads do not wait for each other.
    last: ArcSwapOption<View>,
}

impl Index {
    /// Creates an empty index in `folder`, which is made if need be and must not hold one already.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the folder cannot be made, [`IndexError::Exists`] if it holds an index.
    pub fn create(folder: &Path, encoder: &EncoderSpec) -> Result<Self> {
        if Self::exists(folder) {
            let path = folder.to_owned();
            return Err(IndexError::Exists { path }.into());
        }
        store::make_folder(folder)
            .map_err(|error| crate::Error::io("create the folder", folder, error))?;
        Self::create_on(Disk::folder(folder)?, encoder)
    }

    /// Creates an empty index that lives in memory.
    pub fn in_memory(encoder: &EncoderSpec) -> Result<Self> {
        Self::create_on(Disk::memory(), encoder)
    }

    /// Creates an empty index on a disk that holds none.
    #[doc(hidden)]
    pub fn create_on(disk: Disk, encoder: &EncoderSpec) -> Result<Self> {
        let spec = IndexSpec {
            format: FORMAT,
            encoder: encoder.clone(),
        };
        let (schema, fields) = schema::build(&spec)?;
        let store = Store::new(disk);
        let tantivy = tantivy::Index::builder()
            .schema(schema)
            .register_plugin(plugin(&spec))
            .open_or_create(store.clone())
            .map_err(IndexError::from)?;
        let opened = read_commit(&store).map_err(IndexError::from)?;
        Self::start(tantivy, spec, fields, store, opened)
    }

    /// Whether `folder` holds an index.
    pub fn exists(folder: &Path) -> bool {
        folder.join(COMMIT).is_file()
    }

    /// Opens the index in `folder`.
    ///
    /// # Errors
    /// [`IndexError::NotFound`], [`IndexError::Format`] for an index of another layout version,
    /// [`IndexError::Damaged`].
    pub fn open(folder: &Path) -> Result<Self> {
        if !Self::exists(folder) {
            let path = folder.to_owned();
            return Err(IndexError::NotFound { path }.into());
        }
        Self::open_on(Disk::folder(folder)?)
    }

    /// Opens the index on a disk that holds one.
    #[doc(hidden)]
    pub fn open_on(disk: Disk) -> Result<Self> {
        Self::open_store(Store::new(disk))
    }

    fn open_store(store: Store) -> Result<Self> {
        let opened = read_commit(&store).map_err(IndexError::from)?;
        schema::check_names(&opened)?;
        let mut tantivy = tantivy::Index::open(store.clone()).map_err(IndexError::from)?;
        let (spec, fields) = schema::read(&tantivy.schema())?;
        tantivy.register_plugin(plugin(&spec));
        Self::start(tantivy, spec, fields, store, opened)
    }

    /// `opened` was read before the reader is made, which may be of a later commit than it says, never of an earlier one.
    fn start(
        tantivy: tantivy::Index,
        spec: IndexSpec,
        fields: Fields,
        store: Store,
        opened: Vec<u8>,
    ) -> Result<Self> {
        let reader = tantivy
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()
            .map_err(IndexError::from)?;
        let shared = Shared {
            tantivy,
            reader,
            fields,
            spec,
            store,
            opened,
            last: ArcSwapOption::empty(),
        };
        Ok(Index {
            shared: Arc::new(shared),
            encoder: None,
        })
    }

    /// The same index with an encoder, for embedding documents and queries.
    ///
    /// # Errors
    /// [`IndexError::OtherEncoder`] unless it is the one that the index was built with.
    pub fn with_encoder(mut self, encoder: Arc<Encoder>) -> Result<Self> {
        attached::check(&self.spec().encoder, encoder.spec())?;
        self.encoder = Some(Attached::now(encoder).into());
        Ok(self)
    }

    /// The same index with an encoder that `load` loads when it is first needed, once for all clones. Whether it is
    /// the one that the index was built with shows only then.
    pub fn with_encoder_later(
        mut self,
        load: impl Fn() -> Result<Arc<Encoder>> + Send + Sync + 'static,
    ) -> Self {
        self.encoder = Some(Attached::later(Box::new(load)).into());
        self
    }

    /// The encoder, loaded if it is not yet.
    ///
    /// # Errors
    /// [`IndexError::NoEncoder`] if none was attached, [`IndexError::OtherEncoder`] if it is not the one that the
    /// index was built with, or what went wrong when it was loaded.
    pub fn encoder(&self) -> Result<&Arc<Encoder>> {
        let own = &self.spec().encoder;
        match &self.encoder {
            Some(attached) => attached.get(own),
            None => {
                let model = own.model.clone();
                Err(IndexError::NoEncoder { model }.into())
            }
        }
    }

    /// What the index was built with.
    pub fn spec(&self) -> &IndexSpec {
        &self.shared.spec
    }

    /// Opens the writer.
    ///
    /// # Errors
    /// [`IndexError::Locked`] while there is another.
    pub fn writer(&self) -> Result<IndexWriter> {
        IndexWriter::open(self)
    }

    /// The same, with so many bytes of memory for postings that are not yet written: 15 MB or more.
    ///
    /// # Errors
    /// As [`Self::writer`].
    pub fn writer_within(&self, bytes: usize) -> Result<IndexWriter> {
        IndexWriter::open_with_memory(self, bytes)
    }

    /// A view of the last commit. If nothing was committed since the last view, it is the same one, which takes
    /// some microseconds.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let known = self.shared.last.load_full();
        if let Some(view) = &known
            && view.is_current(self)?
        {
            return Ok(Snapshot::new(self, Arc::clone(view)));
        }
        let view = Arc::new(View::open(self, known.as_deref())?);
        self.shared.last.store(Some(Arc::clone(&view)));
        Ok(Snapshot::new(self, view))
    }

    /// Makes the next snapshot open every segment anew.
    fn forget_segments(&self) {
        self.shared.last.store(None);
    }

    /// What tells the last commit from every other: the content of tantivy's `meta.json`, which names every
    /// segment and its deletes.
    fn commit_on_disk(&self) -> tantivy::Result<Vec<u8>> {
        read_commit(&self.shared.store)
    }

    /// The same, when the reader was opened.
    fn opened(&self) -> &[u8] {
        &self.shared.opened
    }

    fn store(&self) -> &Store {
        &self.shared.store
    }

    pub(crate) fn tantivy(&self) -> &tantivy::Index {
        &self.shared.tantivy
    }

    pub(crate) fn reader(&self) -> &IndexReader {
        &self.shared.reader
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.shared.fields
    }
}

/// What writes and merges the vectors of segments.
fn plugin(spec: &IndexSpec) -> Arc<VectorPlugin> {
    let dimension = spec.encoder.dimension;
    Arc::new(VectorPlugin { dimension })
}

fn read_commit(store: &Store) -> tantivy::Result<Vec<u8>> {
    Ok(store.atomic_read(Path::new(COMMIT))?)
}
