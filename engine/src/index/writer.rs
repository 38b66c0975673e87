//! Writing: documents in, one commit point out.

use std::sync::Arc;

use tantivy::index::{SegmentId, SegmentMeta};
use tantivy::indexer::{NoMergePolicy, UserOperation};
use tantivy::{TantivyError, Term};

use crate::chunk::Chunk;
use crate::document::{Document, Metadata, Value};
use crate::keyword::language::Language;
use crate::{Error, Result};

use super::merge_policy::Tiered;
use super::rows::rows;
use super::store::{Store, WriterLock};
use super::{Index, IndexError};

/// Memory that tantivy may use for postings before it closes a segment.
const POSTINGS_MEMORY: usize = 128 << 20;

/// tantivy drops longer terms without a word.
const LONGEST_ID: usize = tantivy::tokenizer::MAX_TOKEN_LEN;

/// No document has this id: ids are not empty.
const NOBODY: &str = "";

/// A document with its chunks and their vectors: what [`IndexWriter::add`] stores.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EmbeddedDocument {
    /// Unique in the index; replaces a document of the same id.
    pub id: String,
    /// A name for people; searched with the text.
    pub title: String,
    /// Facts to filter on.
    pub metadata: Metadata,
    /// The passages.
    pub chunks: Vec<Chunk>,
    /// One vector of unit length for each chunk.
    pub embeddings: Vec<Vec<f32>>,
    /// The document's tokens, as counted before it was cut; the chunks must hold as many.
    pub tokens: u64,
    /// The language to stem in; detected from the text where it is `None`.
    pub language: Option<Language>,
    /// Whatever the caller wants to find again with the document.
    pub state: Option<String>,
}

/// Adds, replaces and removes documents; [`IndexWriter::commit`] makes it all visible at once.
///
/// There is one writer at a time, over all processes.
///
/// A change that cannot be written stops the writer: from then on every call fails with [`IndexError::Stopped`], until
/// [`IndexWriter::rollback`]. What was committed before is whole. Of a commit that failed it is not known whether it
/// is there: all of it is, or none.
pub struct IndexWriter {
    pub(super) index: Index,
    /// Let go before `inner`.
    store: WritersStore,
    pub(super) inner: tantivy::IndexWriter,
    memory: usize,
    pending: Vec<Document>,
    /// Why the writer takes no changes.
    stopped: Option<String>,
    /// Let go last.
    lock: Arc<WriterLock>,
}

impl IndexWriter {
    pub(super) fn open(index: &Index) -> Result<Self> {
        Self::open_with_memory(index, POSTINGS_MEMORY)
    }

    pub(super) fn open_with_memory(index: &Index, memory: usize) -> Result<Self> {
        let lock = index.store().lock().map_err(|error| {
            match IndexError::from(TantivyError::LockFailure(error, None)) {
                IndexError::Locked { .. } => IndexError::Locked {
                    holder: index.store().holder(),
                },
                other => other,
            }
        })?;
        let (inner, store) = begin(index, &lock, memory).map_err(IndexError::from)?;
        let writer = IndexWriter {
            index: index.clone(),
            store: WritersStore(store),
            inner,
            memory,
            pending: Vec::new(),
            stopped: None,
            lock,
        };
        writer.burn_opstamp();
        Ok(writer)
    }

    /// The first operation after opening or rolling back gets the opstamp of the last commit. If it
    /// is a delete and a merge starts before the next commit, the delete is lost; if it is not yet
    /// committed, it can become visible. So the first operation is always a delete of nobody.
    fn burn_opstamp(&self) {
        self.inner.delete_term(self.id_term(NOBODY));
    }

    /// Refuses to go on after a change could not be written. tantivy's writer would: its thread is gone, and what it
    /// is told from then on is committed without a word and without the documents.
    pub(super) fn refuse_if_stopped(&self) -> Result<()> {
        match &self.stopped {
            Some(reason) => Err(IndexError::Stopped {
                reason: reason.clone(),
            }
            .into()),
            None => Ok(()),
        }
    }

    /// Stops the writer after `error`.
    fn stop(&mut self, what: &str, error: TantivyError) -> Error {
        let reason = self.store.0.halted().unwrap_or_else(|| error.to_string());
        let reason = format!("{what} failed: {reason}");
        self.store.0.halt(&reason);
        self.stopped = Some(reason);
        IndexError::from(error).into()
    }

    fn id_term(&self, id: &str) -> Term {
        Term::from_field_text(self.index.fields().id, id)
    }

    /// Adds a document or replaces the one of the same id: cuts it into chunks and embeds them with
    /// the index's encoder. The work is done in batches, at the latest when committing.
    ///
    /// # Errors
    /// [`IndexError::NoEncoder`] where the index was opened without one, [`IndexError::Document`] as for
    /// [`Self::add`]. Where a document cannot be cut or embedded, the call that tried fails, and so does
    /// every one after it until [`Self::rollback`]: none that waited with it is left out unnoticed.
    pub fn upsert(&mut self, document: Document) -> Result<()> {
        self.refuse_if_stopped()?;
        self.index.encoder()?;
        check_names(&document.id, &document.metadata)?;
        self.pending.push(document);
        if self.pending.len() >= 256 {
            self.embed_pending()?;
        }
        Ok(())
    }

    fn embed_pending(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let encoder = Arc::clone(self.index.encoder()?);
        let embedded = super::embed::embed(&encoder, self.pending.clone())?;
        for document in &embedded {
            self.check(document)?;
        }
        self.pending.clear();
        for document in embedded {
            self.store(document)?;
        }
        Ok(())
    }

    /// Adds a document whose chunks are embedded already, or replaces the one of the same id.
    ///
    /// All its rows go into one segment, next to each other. A document without chunks only removes
    /// the one of the same id.
    ///
    /// # Errors
    /// [`IndexError::Document`] for an empty or overlong id, for metadata with a number that is not finite,
    /// for chunks that do not hold all tokens, and for vectors that are missing, of the wrong dimension,
    /// not finite or not of unit length.
    pub fn add(&mut self, document: EmbeddedDocument) -> Result<()> {
        self.refuse_if_stopped()?;
        self.check(&document)?;
        // What was said before must not come after.
        self.embed_pending()?;
        self.store(document)
    }

    fn store(&mut self, document: EmbeddedDocument) -> Result<()> {
        let id = self.id_term(&document.id);
        let mut operations = vec![UserOperation::Delete(id)];
        let rows = rows(self.index.fields(), document)?;
        operations.extend(rows.into_iter().map(UserOperation::Add));
        match self.inner.run(operations) {
            Ok(_) => Ok(()),
            Err(error) => {
                // It says that the thread is gone. What the thread met is told to whoever waits for it.
                let cause = self.inner.prepare_commit().err().unwrap_or(error);
                Err(self.stop("adding a document", cause))
            }
        }
    }

    /// Removes the document of this id, if there is one.
    pub fn delete(&mut self, id: &str) -> Result<()> {
        self.refuse_if_stopped()?;
        self.embed_pending()?;
        if !id.is_empty() {
            self.inner.delete_term(self.id_term(id));
        }
        Ok(())
    }

    /// Makes everything since the last commit visible and durable, and returns the generation.
    ///
    /// # Errors
    /// Those of [`Self::upsert`] for documents that wait, and of writing. After the latter the writer has stopped.
    pub fn commit(&mut self) -> Result<u64> {
        self.refuse_if_stopped()?;
        self.embed_pending()?;
        let committed = self.inner.commit();
        committed.map_err(|error| self.stop("a commit", error))
    }

    /// Forgets everything since the last commit, also after a change could not be written.
    ///
    /// # Errors
    /// Those of reading the last commit. The writer has stopped then; this may be tried again.
    pub fn rollback(&mut self) -> Result<()> {
        self.pending.clear();
        // Before anything is read: no merge that is still under way may change it any more.
        self.store.0.halt("the writer was rolled back");
        match begin(&self.index, &self.lock, self.memory) {
            Ok((inner, store)) => {
                (self.store, self.inner) = (WritersStore(store), inner);
                self.stopped = None;
                self.burn_opstamp();
                Ok(())
            }
            Err(error) => Err(self.stop("a rollback", error)),
        }
    }

    /// Merges all segments into one and drops what was deleted; then removes files out of use.
    /// Uncommitted changes are committed first.
    pub fn optimize(&mut self) -> Result<()> {
        // No merge starts any more, so that those under way are all there is to wait for.
        self.inner.set_merge_policy(Box::new(NoMergePolicy));
        let merged = self.commit().and_then(|_| self.merge_all());
        self.inner.set_merge_policy(Box::new(Tiered));
        merged
    }

    fn merge_all(&mut self) -> Result<()> {
        loop {
            let segments = self.index.tantivy().searchable_segment_metas();
            let segments = segments.map_err(IndexError::from)?;
            if segments.len() <= 1 && segments.iter().all(|meta| !meta.has_deletes()) {
                break;
            }
            let ids: Vec<SegmentId> = segments.iter().map(SegmentMeta::id).collect();
            if let Err(error) = self.inner.merge(&ids).wait() {
                // A merge in the background that ends first takes segments away: then the others are
                // merged with what it made.
                // Collecting waits for it to be written down.
                let collected = self.inner.garbage_collect_files();
                collected.wait().map_err(IndexError::from)?;
                let now = self.index.tantivy().searchable_segment_ids();
                let now = now.map_err(IndexError::from)?;
                if ids.iter().all(|id| now.contains(id)) {
                    return Err(IndexError::from(error).into());
                }
            }
        }
        // Files of merged segments stay as long as a view of them is held: let our own go.
        self.index.snapshot()?;
        let collected = self.inner.garbage_collect_files();
        collected.wait().map_err(IndexError::from)?;
        Ok(())
    }

    /// Waits for merges in the background and lets the index go. Uncommitted changes are lost.
    pub fn close(self) -> Result<()> {
        self.inner
            .wait_merging_threads()
            .map_err(IndexError::from)?;
        // A merge that another one was quicker than leaves what it wrote.
        let swept = self.store.0.sweep(self.index.tantivy());
        Ok(swept.map_err(IndexError::from)?)
    }

    fn check(&self, document: &EmbeddedDocument) -> Result<()> {
        let refuse = |reason: String| {
            Err(Error::from(IndexError::Document {
                id: document.id.clone(),
                reason,
            }))
        };
        check_names(&document.id, &document.metadata)?;
        let (chunks, vectors) = (document.chunks.len(), document.embeddings.len());
        if chunks != vectors {
            return refuse(format!("{chunks} chunks and {vectors} vectors"));
        }
        let held: u64 = document.chunks.iter().map(|c| u64::from(c.tokens)).sum();
        if held != document.tokens {
            let tokens = document.tokens;
            return refuse(format!("its chunks hold {held} of its {tokens} tokens"));
        }
        let dimension = self.index.spec().encoder.dimension;
        for vector in &document.embeddings {
            if vector.len() != dimension {
                let found = vector.len();
                return refuse(format!(
                    "a vector has {found} components, expected {dimension}"
                ));
            }
            let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            if !norm.is_finite() || (norm - 1.0).abs() > 1e-3 {
                return refuse(format!("a vector has length {norm}, expected 1"));
            }
        }
        Ok(())
    }
}

/// The store of tantivy's writer. When it is let go, nothing is written through it any more: merges go on, and the
/// next writer must not find the index changed by them.
struct WritersStore(Store);

impl Drop for WritersStore {
    fn drop(&mut self) {
        self.0.halt("the writer was closed");
    }
}

/// A writer of tantivy's with a store of its own, and what the one before left removed.
fn begin(
    index: &Index,
    lock: &Arc<WriterLock>,
    memory: usize,
) -> tantivy::Result<(tantivy::IndexWriter, Store)> {
    let store = index.store().for_writer(lock);
    let mut tantivy = tantivy::Index::open(store.clone())?;
    tantivy.register_plugin(super::plugin(index.spec()));
    store.sweep(&tantivy)?;
    // One thread: embedding is the cost, and fewer, larger segments are better for graphs.
    let inner: tantivy::IndexWriter = tantivy.writer_with_num_threads(1, memory)?;
    inner.set_merge_policy(Box::new(Tiered));
    Ok((inner, store))
}

/// Checks what can be known of a document before it is embedded.
fn check_names(id: &str, metadata: &Metadata) -> Result<()> {
    let refuse = |reason: String| {
        let id = id.to_owned();
        Err(IndexError::Document { id, reason }.into())
    };
    if id.is_empty() {
        return refuse("its id is empty".into());
    }
    if id.len() > LONGEST_ID {
        return refuse(format!("its id has {} bytes", id.len()));
    }
    for (name, value) in metadata {
        // JSON, in which it is stored, has no such numbers: it could not be read back.
        if let Some(number) = not_finite(value) {
            return refuse(format!(
                "its fact {name:?} is {number}, expected a finite number"
            ));
        }
    }
    Ok(())
}

fn not_finite(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number).filter(|number| !number.is_finite()),
        Value::List(values) => values.iter().find_map(not_finite),
        Value::Bool(_) | Value::Integer(_) | Value::Text(_) => None,
    }
}
