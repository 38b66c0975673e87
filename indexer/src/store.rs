//! The last stage: embed what is not known yet, write, commit.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use kenning::IndexWriter;
use kenning::encoder::Encoder;
use kenning::index::{EmbeddedDocument, GraphOptions, encode_chunks};

use crate::Result;
use crate::catalogue::{DocumentState, FileState, Outcome};
use crate::embeddings::to_hex;
use crate::pipeline::{Job, Shared, Walked};
use crate::prepare::{Chunked, Content, Prepared};
use crate::report::{Failure, Report};

/// Chunks are embedded once so many tokens are waiting: enough for full batches on many cores, little
/// enough that progress is seen and an interruption heeded, also on a slow machine.
const BATCH_TOKENS: std::ops::RangeInclusive<usize> = 2_000..=24_000;
/// Between these, as many as take about so long.
const BATCH_SECONDS: f64 = 2.0;
/// Documents wait no longer than this to be searchable.
const COMMIT_EVERY: Duration = Duration::from_secs(20);

/// An index run, as its last stage sees it.
pub struct Run<'a> {
    job: &'a Job<'a>,
    writer: IndexWriter,
    encoder: &'a Encoder,
    report: Report,
    /// File states that belong to the next commit.
    changes: BTreeMap<String, Option<FileState>>,
    /// Tokens that are embedded at once; see [`BATCH_SECONDS`].
    batch_tokens: usize,
    /// Whether there is anything to commit.
    dirty: bool,
    committed: Instant,
}

impl<'a> Run<'a> {
    /// A run that writes to `writer`.
    pub fn new(job: &'a Job<'a>, writer: IndexWriter, encoder: &'a Encoder) -> Self {
        Run {
            job,
            writer,
            encoder,
            report: Report::default(),
            changes: BTreeMap::new(),
            batch_tokens: *BATCH_TOKENS.start(),
            dirty: false,
            committed: Instant::now(),
        }
    }

    /// Waits for merges in the background and hands the report over.
    pub fn close(self) -> Result<Report> {
        self.writer.close()?;
        Ok(self.report)
    }

    /// Stores files as they become ready, until there are no more or the run is cancelled.
    pub fn store_all(&mut self, ready: &Receiver<Prepared>, shared: &Shared) -> Result<()> {
        let mut waiting: Vec<Prepared> = Vec::new();
        let mut tokens = 0;
        loop {
            // Without waiting while there is something to embed: cores must not idle.
            let next = match ready.try_recv() {
                Ok(file) => Some(file),
                Err(_) if waiting.is_empty() => match ready.recv() {
                    Ok(file) => Some(file),
                    Err(_) => break,
                },
                Err(_) => None,
            };
            let full = next.is_none();
            if let Some(file) = next {
                tokens += file.tokens();
                waiting.push(file);
            }
            if full || tokens >= self.batch_tokens {
                self.store(std::mem::take(&mut waiting), shared)?;
                tokens = 0;
                if self.committed.elapsed() >= COMMIT_EVERY {
                    self.commit()?;
                }
            }
            if self.job.cancel.load(Ordering::Relaxed) {
                // What waits is not begun; the next run meets it again.
                return Ok(());
            }
        }
        self.store(waiting, shared)
    }

    /// Embeds and writes the documents of some files.
    fn store(&mut self, mut files: Vec<Prepared>, shared: &Shared) -> Result<()> {
        let begun = Instant::now();
        let (embedded, tokens) = self.embed(&mut files)?;
        let embedding = begun.elapsed();
        self.report.embedding_seconds += embedding.as_secs_f64();
        self.report.tokens += tokens;
        if tokens > 0 {
            let speed = tokens as f64 / embedding.as_secs_f64().max(1e-6);
            let (least, most) = BATCH_TOKENS.into_inner();
            self.batch_tokens = ((speed * BATCH_SECONDS) as usize).clamp(least, most);
        }
        let mut embedded = embedded.into_iter();
        for file in files {
            let chunks = file.chunks();
            shared.update(self.job, |progress| {
                progress.files_done += 1;
                progress.bytes_done += file.found.size;
                progress.chunks += chunks;
            });
            self.store_file(file, &mut embedded)?;
        }
        shared.update(self.job, |progress| {
            progress.tokens += tokens;
            progress.embedding += embedding;
        });
        Ok(())
    }

    /// The vectors of all chunks of some files, in order, and how many tokens were read for them.
    fn embed(&mut self, files: &mut [Prepared]) -> Result<(Vec<Vec<f32>>, u64)> {
        let cache = self.job.catalogue.embeddings();
        let dimension = self.encoder.spec().dimension;
        for file in files.iter_mut() {
            file.keys = file
                .all_chunks()
                .map(|chunk| cache.key(&chunk.input))
                .collect();
        }
        let known_keys = files.iter().flat_map(|file| &file.keys);
        let chunks: Vec<_> = files.iter().flat_map(Prepared::all_chunks).collect();
        let mut vectors: Vec<Option<Vec<f32>>> = Vec::with_capacity(chunks.len());
        let mut missing = Vec::new();
        let mut keys = Vec::new();
        for (place, (chunk, key)) in chunks.iter().zip(known_keys).enumerate() {
            let known = cache.get(key, dimension)?;
            if known.is_none() {
                missing.push(*chunk);
                keys.push((place, *key));
            }
            vectors.push(known);
        }
        self.report.embedded += missing.len() as u64;
        self.report.reused += (chunks.len() - missing.len()) as u64;
        let tokens = missing.iter().map(|chunk| chunk.input.len() as u64).sum();
        let fresh = encode_chunks(self.encoder, &missing)?;
        for ((place, key), vector) in keys.into_iter().zip(fresh) {
            cache.put(&key, &vector)?;
            vectors[place] = Some(vector);
        }
        Ok((vectors.into_iter().flatten().collect(), tokens))
    }

    fn store_file(
        &mut self,
        file: Prepared,
        vectors: &mut impl Iterator<Item = Vec<f32>>,
    ) -> Result<()> {
        let before = self.job.catalogue.get(&file.id)?;
        let old = before
            .as_ref()
            .map_or(&[][..], |state| state.outcome.documents());
        let state = |outcome| {
            let (found, hash) = (&file.found, file.hash.clone());
            FileState::new(found.size, found.modified, file.read, hash, outcome)
        };
        let outcome = match file.content {
            Content::Unchanged(known) => {
                self.note_unchanged(&file.id, &known);
                self.changes
                    .insert(file.id.clone(), Some(state(known.outcome)));
                return Ok(());
            }
            Content::Documents {
                documents,
                warnings,
            } => {
                let noted = warnings.into_iter().map(|reason| Failure {
                    path: file.id.clone(),
                    reason,
                });
                self.report.warnings.extend(noted);
                Outcome::Indexed {
                    chunks: documents.iter().map(|d| d.chunks.len() as u64).sum(),
                    tokens: documents.iter().map(|d| d.tokens).sum(),
                    keys: to_hex(&file.keys),
                    documents: self.add_documents(&file.id, documents, vectors, &state)?,
                }
            }
            Content::Unreadable(reason) => {
                // Its documents stay, as those of a folder that cannot be read, and so does what is known
                // of it: it is tried again.
                self.report.failed.push(failure(&file.id, &reason));
                return Ok(());
            }
            Content::Skipped(reason) => Outcome::Skipped { reason },
            Content::Failed(reason) => Outcome::Failed { reason },
        };
        let had_documents = !old.is_empty();
        for id in old.iter().filter(|id| !outcome.documents().contains(id)) {
            self.writer.delete(id)?;
            self.dirty = true;
        }
        match &outcome {
            Outcome::Indexed { .. } if had_documents => self.report.changed += 1,
            Outcome::Indexed { .. } => self.report.added += 1,
            Outcome::Skipped { reason } => self.report.skipped.push(failure(&file.id, reason)),
            Outcome::Failed { reason } => self.report.failed.push(failure(&file.id, reason)),
        }
        self.changes.insert(file.id.clone(), Some(state(outcome)));
        Ok(())
    }

    fn add_documents(
        &mut self,
        file: &str,
        documents: Vec<Chunked>,
        vectors: &mut impl Iterator<Item = Vec<f32>>,
        state: &impl Fn(Outcome) -> FileState,
    ) -> Result<Vec<String>> {
        let nothing = Outcome::Skipped {
            reason: String::new(),
        };
        let stored = DocumentState::new(file, &state(nothing));
        let stored = serde_json::to_string(&stored).ok();
        let mut ids = Vec::new();
        for document in documents {
            ids.push(document.id.clone());
            let embeddings = vectors.by_ref().take(document.chunks.len()).collect();
            self.writer.add(EmbeddedDocument {
                id: document.id,
                title: document.title,
                metadata: document.metadata,
                chunks: document.chunks,
                tokens: document.tokens,
                embeddings,
                language: self.job.options.language,
                state: stored.clone(),
            })?;
            self.dirty = true;
        }
        Ok(ids)
    }

    /// A file that is as it was counts with what it was.
    fn note_unchanged(&mut self, id: &str, state: &FileState) {
        match &state.outcome {
            Outcome::Indexed { .. } => self.report.unchanged += 1,
            Outcome::Skipped { reason } => self.report.skipped.push(failure(id, reason)),
            Outcome::Failed { reason } => self.report.failed.push(failure(id, reason)),
        }
    }

    /// Takes over what the walk found out, and commits.
    pub fn finish(&mut self, walked: Walked, shared: &Shared) -> Result<()> {
        self.report.interrupted = self.job.cancel.load(Ordering::Relaxed);
        for (id, state) in &walked.unchanged {
            self.note_unchanged(id, state);
        }
        self.report.skipped.extend(walked.skipped);
        self.report.failed.extend(walked.failed);
        for (id, state) in walked.gone {
            for document in state.outcome.documents() {
                self.writer.delete(document)?;
                self.dirty = true;
            }
            self.report.removed += u64::from(!state.outcome.documents().is_empty());
            self.changes.insert(id, None);
        }
        self.report.skipped.sort_by(|a, b| a.path.cmp(&b.path));
        self.report.failed.sort_by(|a, b| a.path.cmp(&b.path));
        self.commit()?;
        if self.report.interrupted {
            return Ok(());
        }
        self.build_graphs(shared)
    }

    fn build_graphs(&mut self, shared: &Shared) -> Result<()> {
        let job = self.job;
        let mut watch = |graph| {
            shared.update(job, |progress| progress.graph = Some(graph));
            match job.cancel.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let built = self
            .writer
            .build_graphs(&GraphOptions::default(), &mut watch)?;
        self.report.graphs = built.graphs;
        self.report.interrupted |= built.stopped;
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.committed = Instant::now();
        if self.changes.is_empty() {
            return Ok(());
        }
        let generation = if self.dirty {
            self.job.catalogue.flush_embeddings()?;
            self.writer.commit()?
        } else {
            self.job.index.snapshot()?.generation()
        };
        self.job.catalogue.record(&self.changes, generation)?;
        self.changes.clear();
        self.dirty = false;
        Ok(())
    }
}

fn failure(path: &str, reason: &str) -> Failure {
    Failure {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

impl Prepared {
    fn all_chunks(&self) -> impl Iterator<Item = &kenning::chunk::Chunk> {
        let documents = match &self.content {
            Content::Documents { documents, .. } => documents.as_slice(),
            _ => &[],
        };
        documents.iter().flat_map(|document| &document.chunks)
    }

    fn chunks(&self) -> u64 {
        self.all_chunks().count() as u64
    }

    fn tokens(&self) -> usize {
        self.all_chunks().map(|chunk| chunk.input.len()).sum()
    }
}
