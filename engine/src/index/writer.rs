//! Writing: documents in, one commit point out.

use std::collections::BTreeMap;
use std::sync::Arc;

use tantivy::directory::Directory;
use tantivy::index::{SegmentId, SegmentMeta};
use tantivy::indexer::{NoMergePolicy, UserOperation};
use tantivy::schema::OwnedValue;
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{TantivyDocument, Term};

use crate::chunk::Chunk;
use crate::document::{Document, Metadata, Value};
use crate::keyword::analyser::{self, Analyser};
use crate::keyword::language::Language;
use crate::vector::plugin::to_bytes;
use crate::{Error, Result};

use super::merge_policy::Tiered;
use super::schema::{Fields, StoredChunk, StoredDocument};
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
pub struct IndexWriter {
    pub(super) index: Index,
    pub(super) inner: tantivy::IndexWriter,
    pending: Vec<Document>,
}

impl IndexWriter {
    pub(super) fn open(index: &Index) -> Result<Self> {
        Self::open_with_memory(index, POSTINGS_MEMORY)
    }

    pub(super) fn open_with_memory(index: &Index, memory: usize) -> Result<Self> {
        // One thread: embedding is the cost, and fewer, larger segments are better for graphs.
        let inner: tantivy::IndexWriter = index
            .tantivy()
            .writer_with_num_threads(1, memory)
            .map_err(IndexError::from)?;
        inner.set_merge_policy(Box::new(Tiered));
        let writer = IndexWriter {
            index: index.clone(),
            inner,
            pending: Vec::new(),
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
        self.check(&document)?;
        // What was said before must not come after.
        self.embed_pending()?;
        self.store(document)
    }

    fn store(&mut self, document: EmbeddedDocument) -> Result<()> {
        let id = self.id_term(&document.id);
        let mut operations = vec![UserOperation::Delete(id)];
        operations.extend(self.rows(document)?.into_iter().map(UserOperation::Add));
        self.inner.run(operations).map_err(IndexError::from)?;
        Ok(())
    }

    /// Removes the document of this id, if there is one.
    pub fn delete(&mut self, id: &str) -> Result<()> {
        self.embed_pending()?;
        if !id.is_empty() {
            self.inner.delete_term(self.id_term(id));
        }
        Ok(())
    }

    /// Makes everything since the last commit visible and durable, and returns the generation.
    pub fn commit(&mut self) -> Result<u64> {
        self.embed_pending()?;
        let generation = self.inner.commit().map_err(IndexError::from)?;
        // tantivy renames meta.json and does not sync the folder: without this a power cut could
        // bring the commit before back.
        let directory = self.index.tantivy().directory();
        directory.sync_directory().map_err(IndexError::from)?;
        Ok(generation)
    }

    /// Forgets everything since the last commit.
    pub fn rollback(&mut self) -> Result<()> {
        self.pending.clear();
        self.inner.rollback().map_err(IndexError::from)?;
        self.inner.set_merge_policy(Box::new(Tiered));
        self.burn_opstamp();
        Ok(())
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
        Ok(())
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

    fn rows(&self, document: EmbeddedDocument) -> Result<Vec<TantivyDocument>> {
        let fields = *self.index.fields();
        let language = document.language.unwrap_or_else(|| {
            let longest = document.chunks.iter().max_by_key(|chunk| chunk.text.len());
            longest.map_or(Language::English, |chunk| Language::detect(&chunk.text))
        });
        let analyser = Analyser::new(language);
        let stored = StoredDocument {
            title: document.title,
            chunks: document.chunks.len() as u32,
            tokens: document.tokens,
            metadata: document.metadata,
            state: document.state,
        };
        let embedded = document.chunks.into_iter().zip(document.embeddings);
        let mut rows = Vec::new();
        for (ordinal, (chunk, embedding)) in embedded.enumerate() {
            let mut row = TantivyDocument::new();
            row.add_text(fields.id, &document.id);
            row.add_u64(fields.chunk, ordinal as u64);
            row.add_text(fields.language, language.code());
            row.add_custom(fields.embedding, &to_bytes(&embedding));
            add_terms(&mut row, &fields, &analyser, &chunk);
            row.add_u64(fields.tokens, u64::from(chunk.tokens));
            if ordinal == 0 {
                row.add_u64(fields.whole, stored.tokens);
                row.add_text(fields.document, to_json(&stored)?);
                row.add_object(fields.facts, facts(&stored.metadata));
            }
            row.add_text(fields.row, to_json(&StoredChunk::from(chunk))?);
            rows.push(row);
        }
        Ok(rows)
    }
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

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        let error = std::io::Error::other(error);
        Error::from(IndexError::from(error))
    })
}

/// The terms of a chunk: those of its title, then those of its text, as in the embedding.
fn add_terms(row: &mut TantivyDocument, fields: &Fields, analyser: &Analyser, chunk: &Chunk) {
    let title = analyser.terms(&chunk.title);
    let mut terms = title.clone();
    // A gap, so that no phrase reaches from the title into the text.
    let gap = terms.last().map_or(0, |term| term.position + 2);
    terms.extend(analyser.terms(&chunk.text).into_iter().map(|mut term| {
        term.position += gap;
        term
    }));
    let length = terms.iter().filter(|term| !term.stop).count();
    row.add_u64(fields.length, length as u64);
    row.add_pre_tokenized_text(fields.body, pre_tokenized(terms));
    row.add_pre_tokenized_text(fields.title, pre_tokenized(title));
}

fn pre_tokenized(terms: Vec<analyser::Term>) -> PreTokenizedString {
    let tokens = terms.into_iter().map(|term| Token {
        offset_from: term.span.start,
        offset_to: term.span.end,
        position: term.position as usize,
        text: term.text,
        position_length: 1,
    });
    PreTokenizedString {
        text: String::new(),
        tokens: tokens.collect(),
    }
}

impl From<Chunk> for StoredChunk {
    fn from(chunk: Chunk) -> Self {
        StoredChunk {
            title: chunk.title,
            text: chunk.text,
            bytes: [chunk.bytes.start as u64, chunk.bytes.end as u64],
            lines: [chunk.lines.0, chunk.lines.1],
            page: chunk.page,
            tokens: chunk.tokens,
        }
    }
}

/// Metadata as tantivy stores it: one column a name.
fn facts(metadata: &Metadata) -> BTreeMap<String, OwnedValue> {
    fn owned(value: &Value) -> OwnedValue {
        match value {
            Value::Bool(flag) => OwnedValue::Bool(*flag),
            Value::Integer(number) => OwnedValue::I64(*number),
            Value::Float(number) => OwnedValue::F64(*number),
            Value::Text(text) => OwnedValue::Str(text.clone()),
            Value::List(values) => OwnedValue::Array(values.iter().map(owned).collect()),
        }
    }
    let facts = metadata.iter();
    facts
        .map(|(name, value)| (name.clone(), owned(value)))
        .collect()
}
