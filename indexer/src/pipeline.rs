//! The stages, joined by bounded queues: walk → read (extract and chunk, several threads) → embed (one thread,
//! whose encoder uses all cores) → write (the calling thread). Embedding takes nearly all of the time, so nothing
//! else is done between two of its batches.
//!
//! Commits happen as the run goes, so that the index can be searched while it is being built and an
//! interruption loses nothing: embeddings to the cache, documents to the index, commit, and only then
//! file states to the catalogue.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use kenning::{Index, Language};

use crate::budget::Budget;
use crate::catalogue::FileState;
use crate::embed::{Embedded, embed_all};
use crate::extract::Extractor;
use crate::prepare::{Prepared, Reader};
use crate::report::{Failure, Progress, Report};
use crate::store::Run;
use crate::walk::{Entry, Found, WalkOptions, walk};
use crate::{Catalogue, Layout, Result};

/// Files read and not yet embedded; bounds memory.
const QUEUE: usize = 32;
/// Batches embedded and not yet written.
const AHEAD: usize = 1;

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
    /// The most memory that this process may take, in bytes, if there is a limit. Files are then read one at a time,
    /// and as many wait in memory as there is room for.
    pub max_memory: Option<u64>,
}

/// An index run.
pub struct Job<'a> {
    /// The index, with its encoder, which is loaded for the first file that is new or has changed.
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
    job.layout.remove_leftovers(job.catalogue);
    let budget = Budget::new(job.options.max_memory);
    let writer = match budget.postings() {
        Some(bytes) => job.index.writer_within(bytes as usize)?,
        None => job.index.writer()?,
    };
    let mut run = Run::new(job, writer, Arc::clone(&budget));
    let shared = Shared::default();
    std::thread::scope(|scope| -> Result<()> {
        let (to_read, files) = bounded::<(String, Found, Option<FileState>)>(4 * QUEUE);
        let (prepared, ready) = bounded::<Prepared>(QUEUE);
        let walker = scope.spawn(|| walk_all(job, to_read, &shared));
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let threads = match job.options {
            Options {
                max_memory: Some(_),
                ..
            } => 1,
            Options { threads: 0, .. } => cores,
            options => options.threads,
        };
        let read = |_| {
            let (files, prepared, budget) = (files.clone(), prepared.clone(), &budget);
            scope.spawn(move || read_all(job, &files, &prepared, budget))
        };
        let readers: Vec<_> = (0..threads).map(read).collect();
        drop((files, prepared));
        let (to_store, embedded) = bounded::<Embedded>(AHEAD);
        // It owns its ends of the queues: when it ends early, the stages before and after it end too.
        let told = &shared;
        let embedder = scope.spawn(move || embed_all(job, told, &ready, &to_store));
        let stored = run.store_all(&embedded, &shared);
        // Unblocks the other stages if storing failed.
        drop(embedded);
        let embedded = join(embedder);
        let walked = join(walker);
        readers.into_iter().try_for_each(join)?;
        stored?;
        embedded?;
        run.finish(walked?, &shared)
    })?;
    let mut report = run.close()?;
    let snapshot = job.index.snapshot()?;
    report.documents = snapshot.documents();
    report.chunks = snapshot.chunks();
    report.generation = snapshot.generation();
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    let joined = thread.join();
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What the stages tell each other about how far they are.
#[derive(Default)]
pub(crate) struct Shared {
    progress: Mutex<Progress>,
}

impl Shared {
    pub fn update(&self, job: &Job<'_>, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        (job.progress)(&progress);
    }
}

/// What a walk found out besides the files that must be read.
#[derive(Default)]
pub(crate) struct Walked {
    pub unchanged: Vec<(String, FileState)>,
    pub gone: Vec<(String, FileState)>,
    pub skipped: Vec<Failure>,
    pub failed: Vec<Failure>,
}

fn walk_all(
    job: &Job<'_>,
    to_read: Sender<(String, Found, Option<FileState>)>,
    shared: &Shared,
) -> Result<Walked> {
    let roots = distinct(job.paths);
    let mut known: HashMap<String, FileState> = HashMap::new();
    for entry in job.catalogue.files() {
        let (id, state) = entry?;
        if roots.iter().any(|root| job.layout.is_below(&id, root)) {
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
    for root in roots {
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
                Entry::Special(path) => {
                    walked.skipped.push(Failure::special(job.layout.id(&path)));
                }
                Entry::Unreadable { path, reason } => {
                    let path = path.unwrap_or_else(|| root.clone());
                    walked
                        .failed
                        .push(Failure::unreadable(job.layout.id(&path), reason));
                    unknown.push(path);
                }
            }
        }
    }
    shared.update(job, |progress| progress.walking = false);
    let hidden = |id: &String| {
        let mut unknown = unknown.iter();
        unknown.any(|folder| job.layout.is_below(id, folder))
    };
    walked.gone = known.into_iter().filter(|(id, _)| !hidden(id)).collect();
    Ok(walked)
}

/// The paths that do not lie below another, each once: no file is to be met twice.
fn distinct(paths: &[PathBuf]) -> Vec<&PathBuf> {
    let mut roots: Vec<&PathBuf> = Vec::new();
    for path in paths {
        if !roots.iter().any(|root| path.starts_with(root)) {
            roots.retain(|root| !root.starts_with(path));
            roots.push(path);
        }
    }
    roots
}

/// Reads files until there are no more, nobody takes them any more, or the run is cancelled. The encoder is loaded for
/// the first text among them: a run that finds nothing changed needs none.
fn read_all(
    job: &Job<'_>,
    files: &Receiver<(String, Found, Option<FileState>)>,
    prepared: &Sender<Prepared>,
    budget: &Arc<Budget>,
) -> Result<()> {
    let encoder = || {
        let encoder = job.index.encoder()?;
        budget.settle()?;
        Ok(encoder.as_ref())
    };
    let reader = Reader {
        extractor: &job.options.extractor,
        encoder: &encoder,
    };
    for (id, found, known) in files {
        // It waits for files before it to be written: not for ever, since whoever writes them is not waiting.
        let share = budget.take(found.size.min(job.options.extractor.limits().file_bytes));
        if job.cancel.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut file = reader.read(id, found, known)?;
        file.hold(share);
        if prepared.send(file).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
