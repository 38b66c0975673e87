//! Mixed load: one thread adds, replaces, deletes, commits, merges and builds graphs, others search, and every answer is
//! compared with brute force over what its commit holds.
//!
//! Reading order: `history` (what each commit holds), `write` (the one that changes it), `question` (what is asked and how
//! answers are compared).

mod history;
mod question;
mod write;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kenning::Index;
use kenning_datasets::memory;
use kenning_indexer::folder_bytes;
use serde::Serialize;

use crate::latency::Latency;
use crate::{DIMENSION, Random, spec};

use history::History;
use question::Asked;

/// So many wrong answers are told in full.
const SHOWN: usize = 10;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long.
    pub time: Duration,
    /// How many threads search.
    pub threads: usize,
    /// About how many documents there are.
    pub documents: u64,
    /// One sample is taken in so much time.
    pub every: Duration,
}

/// What was found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Threads that searched.
    pub threads: usize,
    /// Questions asked.
    pub searches: u64,
    /// Commits made.
    pub commits: u64,
    /// Answers that were not what brute force says.
    pub wrong: u64,
    /// Some of them.
    pub examples: Vec<String>,
    /// Of the ten nearest, the share that graphs found.
    pub recall: f64,
    /// Questions that graphs answered.
    pub by_graph: u64,
    /// One after the other.
    pub samples: Vec<Sample>,
}

/// What happened since the last sample, and what there is now.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// Since the beginning.
    pub seconds: f64,
    /// Times of the questions since the last sample, with those of opening the last commit; `None` where there were
    /// hardly any.
    pub latency: Option<Latency>,
    /// Questions since then.
    pub searches: usize,
    /// Commits so far.
    pub commits: u64,
    /// Resident memory that is no map of a file.
    pub own_bytes: Option<u64>,
    /// Size of the index.
    pub disk_bytes: u64,
    /// Its segments, and those with a graph.
    pub segments: usize,
    /// The latter.
    pub graphs: usize,
    /// Its documents.
    pub documents: u64,
}

/// What the threads tell.
#[derive(Default)]
struct Shared {
    history: History,
    done: AtomicBool,
    commits: AtomicU64,
    tally: Mutex<Tally>,
}

/// What searching threads have found.
#[derive(Default)]
struct Tally {
    /// Since the last sample.
    times: Vec<Duration>,
    searches: u64,
    wrong: u64,
    examples: Vec<String>,
    /// Of the nearest that graphs were asked for: those found, and all.
    found: u64,
    wanted: u64,
    by_graph: u64,
}

impl Shared {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }
}

/// Runs the load over an index that is made in `folder`.
///
/// # Errors
/// Whatever the engine answers.
pub fn run(options: &Options, folder: &Path) -> kenning::Result<Report> {
    let index = Index::create(folder, &spec(DIMENSION))?;
    let shared = Shared::default();
    write::fill(&index, &shared, options.documents)?;
    let samples = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let written = write::write(&index, &shared, options.documents);
            shared.done.store(true, Ordering::Relaxed);
            written
        });
        let searchers: Vec<_> = (0..options.threads)
            .map(|thread| {
                let (index, shared) = (index.clone(), &shared);
                scope.spawn(move || {
                    let searched = search(&index, shared, thread as u64);
                    shared.done.store(true, Ordering::Relaxed);
                    searched
                })
            })
            .collect();
        let samples = watch(options, &index, folder, &shared);
        shared.done.store(true, Ordering::Relaxed);
        for thread in std::iter::once(writer).chain(searchers) {
            let ended = thread.join();
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        samples
    })?;
    let tally = shared.tally();
    Ok(Report {
        threads: options.threads,
        searches: tally.searches,
        commits: shared.commits.load(Ordering::Relaxed),
        wrong: tally.wrong,
        examples: tally.examples.clone(),
        recall: tally.found as f64 / tally.wanted.max(1) as f64,
        by_graph: tally.by_graph,
        samples,
    })
}

/// Takes samples until the time is over or a thread has ended.
fn watch(
    options: &Options,
    index: &Index,
    folder: &Path,
    shared: &Shared,
) -> kenning::Result<Vec<Sample>> {
    let begun = Instant::now();
    let mut samples = Vec::new();
    while begun.elapsed() < options.time && !shared.is_done() {
        std::thread::sleep(
            options
                .every
                .min(options.time - begun.elapsed().min(options.time)),
        );
        let times = std::mem::take(&mut shared.tally().times);
        let summary = index.snapshot()?.summary()?;
        samples.push(Sample {
            seconds: begun.elapsed().as_secs_f64(),
            latency: Latency::of(&times),
            searches: times.len(),
            commits: shared.commits.load(Ordering::Relaxed),
            own_bytes: memory::own(),
            disk_bytes: folder_bytes(folder),
            segments: summary.segments,
            graphs: summary.graphs,
            documents: summary.documents,
        });
    }
    Ok(samples)
}

/// Asks and compares until all is done. Now and then the view of before is asked again.
fn search(index: &Index, shared: &Shared, thread: u64) -> kenning::Result<()> {
    let mut random = Random(77 + thread);
    let mut snapshot = index.snapshot()?;
    while !shared.is_done() {
        let begun = Instant::now();
        if !random.draw().is_multiple_of(4) {
            snapshot = index.snapshot()?;
        }
        let opening = begun.elapsed();
        let generation = snapshot.generation();
        let known = shared.history.of(generation, &|| shared.is_done());
        let Some(state) = known else {
            snapshot = index.snapshot()?;
            continue;
        };
        let Asked {
            took,
            wrong,
            nearest,
        } = question::ask(&snapshot, &state, &mut random)?;
        let mut tally = shared.tally();
        tally.searches += 1;
        tally.times.push(opening + took);
        if let Some((found, wanted)) = nearest {
            tally.found += found;
            tally.wanted += wanted;
            tally.by_graph += 1;
        }
        if let Some(wrong) = wrong {
            tally.wrong += 1;
            if tally.examples.len() < SHOWN {
                tally.examples.push(format!("commit {generation}: {wrong}"));
            }
        }
    }
    Ok(())
}
