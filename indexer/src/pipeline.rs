//! The stages, joined by bounded queues: walk → read (extract and chunk, several threads) → embed and
//! write (the calling thread, whose encoder uses all cores).
//!
//! Commits happen as the run goes, so that the index can be searched while it is being built and an
//! interruption loses nothing: embeddings to the cache, documents to the index, commit, and only then
//! file states to the catalogue.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use kenning::encoder::Encoder;
use kenning::index::{EmbeddedDocument, encode_chunks};
use kenning::{Index, IndexWriter, Language};

use crate::catalogue::{DocumentState, FileState, Outcome};
use crate::extract::Extractor;
use crate::prepare::{Chunked, Content, Prepared, Reader};
use crate::report::{Failure, Progress, Report};
use crate::walk::{Entry, Found, WalkOptions, walk};
use crate::{Catalogue, IndexerError, Layout, Result};

/// Chunks are embedded once so many tokens are waiting: enough for full batches, little enough that
/// progress is seen.
const BATCH_TOKENS: usize = 24_000;
/// Documents wait no longer than this to be searchable.
const COMMIT_EVERY: Duration = Duration::from_secs(20);
/// Files read and not yet embedded; bounds memory.
const QUEUE: usize = 32;

/// How to index.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which files are taken.
    pub hidden: bool,
    /// Whether ignore files are not heeded.
    pub no_ignore: bool,
    /// The language of all documents; detected for each where it is `None`.
    pub language: Option<Language>,
    /// How text is taken out of files.
    pub extractor: Extractor,
    /// Threads that read files; as many as cores where it is 0.
    pub threads: usize,
}

/// An index run.
pub struct Job<'a> {
    /// The index, with its encoder.
    pub index: &'a Index,
    /// Its catalogue.
    pub catalogue: &'a Catalogue,
    /// Where it lives.
    pub layout: &'a Layout,
    /// What to index: roots of the layout or paths below them, absolute.
    pub paths: &'a [PathBuf],
    /// How.
    pub options: &'a Options,
    /// Set by whoever wants the run to end early; what is done by then is kept.
    pub cancel: &'a AtomicBool,
    /// Told now and then how far the run is; it must be quick.
    pub progress: &'a (dyn Fn(&Progress) + Sync),
}

/// Brings the index up to the files: adds what is new, replaces what has changed, removes what is gone.
///
/// # Errors
/// Only what makes the run as a whole impossible. Files that cannot be read are in the report.
pub fn index(job: &Job<'_>) -> Result<Report> {
    let begun = Instant::now();
    let encoder = Arc::clone(job.index.encoder()?);
    let mut run = Run {
        job,
        writer: job.index.writer()?,
        encoder: &encoder,
        report: Report::default(),
        changes: BTreeMap::new(),
        dirty: false,
        committed: Instant::now(),
    };
    let shared = Shared::default();
    std::thread::scope(|scope| -> Result<()> {
        let (to_read, files) = bounded::<(String, Found, Option<FileState>)>(4 * QUEUE);
        let (prepared, ready) = bounded::<Prepared>(QUEUE);
        let walker = scope.spawn(|| walk_all(job, to_read, &shared));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let threads = if job.options.threads == 0 { cores } else { job.options.threads };
        for _ in 0..threads {
            let (files, prepared, encoder) = (files.clone(), prepared.clone(), &encoder);
            scope.spawn(move || read_all(job, encoder, &files, &prepared));
        }
        drop((files, prepared));
        let stored = run.store_all(&ready, &shared);
        // Unblocks the other stages if storing failed.
        drop(ready);
        let walked = walker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        stored?;
        run.finish(walked?)
    })?;
    let mut report = run.report;
    run.writer.close()?;
    let snapshot = job.index.snapshot()?;
    report.documents = snapshot.documents();
    report.chunks = snapshot.chunks();
    report.generation = snapshot.generation();
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// What the stages tell each other about how far they are.
#[derive(Default)]
struct Shared {
    progress: Mutex<Progress>,
}

impl Shared {
    fn update(&self, job: &Job<'_>, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        (job.progress)(&progress);
    }
}

/// What a walk found out besides the files that must be read.
#[derive(Default)]
struct Walked {
    unchanged: Vec<(String, FileState)>,
    gone: Vec<(String, FileState)>,
    skipped: Vec<Failure>,
    failed: Vec<Failure>,
}

fn walk_all(
    job: &Job<'_>,
    to_read: Sender<(String, Found, Option<FileState>)>,
    shared: &Shared,
) -> Result<Walked> {
    let mut known: HashMap<String, FileState> = HashMap::new();
    for entry in job.catalogue.files() {
        let (id, state) = entry?;
        if job.paths.iter().any(|path| job.layout.path(&id).starts_with(path)) {
            known.insert(id, state);
        }
    }
    let mut walked = Walked::default();
    // Of what lies below these nothing is known, so nothing of it is removed.
    let mut unknown: Vec<PathBuf> = Vec::new();
    let options = WalkOptions {
        hidden: job.options.hidden,
        no_ignore: job.options.no_ignore,
    };
    shared.update(job, |progress| progress.walking = true);
    for root in job.paths {
        for entry in walk(root, options) {
            if job.cancel.load(Ordering::Relaxed) {
                // What was not met is not gone.
                return Ok(Walked {
                    gone: Vec::new(),
                    ..walked
                });
            }
            match entry {
                Entry::File(found) => {
                    let id = job.layout.id(&found.path);
                    let state = known.remove(&id);
                    if let Some(state) = &state
                        && state.is_current(found.size, found.modified)
                    {
                        shared.update(job, |progress| progress.files_found += 1);
                        walked.unchanged.push((id, state.clone()));
                        continue;
                    }
                    shared.update(job, |progress| {
                        progress.files_found += 1;
                        progress.files_total += 1;
                        progress.bytes_total += found.size;
                    });
                    if to_read.send((id, found, state)).is_err() {
                        return Ok(walked);
                    }
                }
                Entry::Special(path) => walked.skipped.push(Failure {
                    path: job.layout.id(&path),
                    reason: "a link, pipe, socket or device".to_owned(),
                }),
                Entry::Unreadable { path, reason } => {
                    let path = path.unwrap_or_else(|| root.clone());
                    walked.failed.push(Failure {
                        path: job.layout.id(&path),
                        reason,
                    });
                    unknown.push(path);
                }
            }
        }
    }
    shared.update(job, |progress| progress.walking = false);
    let hidden = |id: &String| {
        let path = job.layout.path(id);
        unknown.iter().any(|folder| path.starts_with(folder))
    };
    walked.gone = known.into_iter().filter(|(id, _)| !hidden(id)).collect();
    Ok(walked)
}

fn read_all(
    job: &Job<'_>,
    encoder: &Encoder,
    files: &Receiver<(String, Found, Option<FileState>)>,
    prepared: &Sender<Prepared>,
) {
    let reader = Reader {
        extractor: &job.options.extractor,
        encoder,
    };
    for (id, found, known) in files {
        if job.cancel.load(Ordering::Relaxed) {
            return;
        }
        if prepared.send(reader.read(id, found, known)).is_err() {
            return;
        }
    }
}

/// The last stage.
struct Run<'a> {
    job: &'a Job<'a>,
    writer: IndexWriter,
    encoder: &'a Encoder,
    report: Report,
    /// File states that belong to the next commit.
    changes: BTreeMap<String, Option<FileState>>,
    /// Whether there is anything to commit.
    dirty: bool,
    committed: Instant,
}

impl Run<'_> {
    fn store_all(&mut self, ready: &Receiver<Prepared>, shared: &Shared) -> Result<()> {
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
            if full || tokens >= BATCH_TOKENS {
                self.store(std::mem::take(&mut waiting), shared)?;
                tokens = 0;
                if self.committed.elapsed() >= COMMIT_EVERY {
                    self.commit()?;
                }
            }
            if self.job.cancel.load(Ordering::Relaxed) {
                break;
            }
        }
        self.store(waiting, shared)
    }

    /// Embeds and writes the documents of some files.
    fn store(&mut self, files: Vec<Prepared>, shared: &Shared) -> Result<()> {
        let begun = Instant::now();
        let (embedded, tokens) = self.embed(&files)?;
        let embedding = begun.elapsed();
        self.report.embedding_seconds += embedding.as_secs_f64();
        self.report.tokens += tokens;
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
    fn embed(&mut self, files: &[Prepared]) -> Result<(Vec<Vec<f32>>, u64)> {
        let cache = self.job.catalogue.embeddings();
        let dimension = self.encoder.spec().dimension;
        let chunks: Vec<_> = files.iter().flat_map(Prepared::all_chunks).collect();
        let mut vectors: Vec<Option<Vec<f32>>> = Vec::with_capacity(chunks.len());
        let mut missing = Vec::new();
        let mut keys = Vec::new();
        for (place, chunk) in chunks.iter().enumerate() {
            let key = cache.key(&chunk.input);
            let known = cache.get(&key, dimension)?;
            if known.is_none() {
                missing.push(*chunk);
                keys.push((place, key));
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
        let old = before.as_ref().map_or(&[][..], |state| state.outcome.documents());
        let state = |outcome| {
            let (found, hash) = (&file.found, file.hash.clone());
            FileState::new(found.size, found.modified, file.read, hash, outcome)
        };
        let outcome = match file.content {
            Content::Unchanged(known) => {
                self.note_unchanged(&file.id, &known);
                self.changes.insert(file.id.clone(), Some(state(known.outcome)));
                return Ok(());
            }
            Content::Documents { documents, warnings } => {
                let noted = warnings.into_iter().map(|reason| Failure {
                    path: file.id.clone(),
                    reason,
                });
                self.report.warnings.extend(noted);
                Outcome::Indexed {
                    chunks: documents.iter().map(|d| d.chunks.len() as u64).sum(),
                    tokens: documents.iter().map(Chunked::tokens).sum(),
                    documents: self.add_documents(&file.id, documents, vectors, &state)?,
                }
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
    fn finish(&mut self, walked: Walked) -> Result<()> {
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
        self.commit()
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

impl Chunked {
    fn tokens(&self) -> u64 {
        self.chunks.iter().map(|chunk| u64::from(chunk.tokens)).sum()
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

/// Removes files and everything below folders from the index, whether or not they are still there. Returns
/// how many files were removed.
///
/// # Errors
/// [`IndexerError::NotIndexed`] for a path that nothing in the index lies at or below; then nothing is
/// removed at all.
pub fn remove(
    index: &Index,
    catalogue: &Catalogue,
    layout: &Layout,
    paths: &[PathBuf],
) -> Result<u64> {
    let mut changes = BTreeMap::new();
    let mut documents = Vec::new();
    for path in paths {
        let path = std::path::absolute(path).map_err(|e| IndexerError::io("find", path, e))?;
        let before = changes.len();
        for entry in catalogue.files() {
            let (id, state) = entry?;
            if is_below(layout, &id, &path) {
                documents.extend(state.outcome.documents().iter().cloned());
                changes.insert(id, None);
            }
        }
        if changes.len() == before {
            return Err(IndexerError::NotIndexed { path });
        }
    }
    let mut writer = index.writer()?;
    for document in documents {
        writer.delete(&document)?;
    }
    let generation = writer.commit()?;
    catalogue.record(&changes, generation)?;
    writer.close()?;
    Ok(changes.len() as u64)
}

fn is_below(layout: &Layout, id: &str, path: &Path) -> bool {
    layout.path(id).starts_with(path)
}
