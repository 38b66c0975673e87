//! The steps of the measurement, each in a process of its own, so that memory is told of each alone.

use std::collections::HashSet;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kenning::encoder::{Encoder, EncoderOptions, Role};
use kenning::index::GraphOptions;
use kenning::models::ModelStore;
use kenning::search::Vectors;
use kenning::{Index, Mode, SearchRequest, Snapshot};
use kenning_benches::latency::Latency;
use kenning_datasets::experiment::{MODES, mode_name};
use kenning_datasets::memory;
use kenning_indexer::{Layout, folder_bytes};

use super::mixture::Mixture;
use super::report::{Built, Found, Leg, Throughput};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Chunks of a commit: as many as some 20 seconds of embedding give, after which `kenning index` commits.
const COMMIT_CHUNKS: u64 = 2_000;
/// How long each number of threads asks.
const ASKING: Duration = Duration::from_secs(2);
/// What recall and exact search are measured on.
const EXACT_QUESTIONS: usize = 100;

/// Embeds passages of the corpus and keeps them in `file`.
pub fn prepare(
    corpus: &Path,
    model: &str,
    count: usize,
    questions: usize,
    seed: u64,
    file: &Path,
) -> Result<()> {
    let encoder = Encoder::load(
        model,
        &ModelStore::from_env()?,
        &EncoderOptions::default(),
        &mut |_| {},
    )?;
    let mixture = Mixture::prepare(corpus, &encoder, count, questions, seed)?;
    std::fs::write(file, serde_json::to_vec(&mixture)?)?;
    Ok(())
}

fn read(file: &Path) -> Result<Mixture> {
    Ok(serde_json::from_slice(&std::fs::read(file)?)?)
}

/// Builds an index of `chunks` chunks, or a few more, in `folder`.
pub fn build(mixture: &Path, chunks: u64, folder: &Path) -> Result<Built> {
    let mixture = read(mixture)?;
    let base = folder.canonicalize()?;
    let layout = Layout {
        folder: base.join(kenning_indexer::FOLDER),
        roots: vec![base.clone()],
        base,
    };
    layout.save()?;
    let index = Index::create(&layout.index(), &mixture.encoder)?;
    let mut writer = index.writer()?;
    let begun = Instant::now();
    let (mut written, mut uncommitted, mut documents) = (0, 0, 0);
    while written < chunks {
        let document = mixture.document(documents);
        documents += 1;
        written += document.chunks.len() as u64;
        uncommitted += document.chunks.len() as u64;
        writer.add(document)?;
        if uncommitted >= COMMIT_CHUNKS {
            writer.commit()?;
            uncommitted = 0;
        }
    }
    writer.commit()?;
    // Merges in the background are part of the price.
    writer.close()?;
    let write_seconds = begun.elapsed().as_secs_f64();
    let write_peak = memory::peak();
    let begun = Instant::now();
    let mut writer = index.writer()?;
    let graphs =
        writer.build_graphs(&GraphOptions::default(), &mut |_| ControlFlow::Continue(()))?;
    writer.close()?;
    let graph_seconds = begun.elapsed().as_secs_f64();
    let snapshot = index.snapshot()?;
    Ok(Built {
        chunks: snapshot.chunks(),
        documents: snapshot.documents(),
        segments: snapshot.segment_count(),
        graphs: graphs.graphs.iter().filter(|graph| graph.kept).count(),
        write_seconds,
        graph_seconds,
        write_peak_bytes: write_peak,
        peak_bytes: memory::peak(),
        bytes_per_chunk: folder_bytes(&layout.index()) as f64 / written as f64,
    })
}

/// Searches the index in `folder`.
pub fn search(mixture: &Path, folder: &Path) -> Result<Found> {
    let questions = read(mixture)?.questions;
    let built = built(folder)?;
    let begun = Instant::now();
    let index = Index::open(&built)?;
    let snapshot = index.snapshot()?;
    let open_ms = begun.elapsed().as_secs_f64() * 1e3;
    let open_bytes = memory::own();
    drop(snapshot);
    let index = with_encoder(index)?;
    let embedding = latency(&questions, |question| {
        index.encoder()?.encode(Role::Query, &[question])?;
        Ok(())
    })?;
    let mut legs = vec![Leg {
        mode: "embedding alone".into(),
        milliseconds: embedding,
    }];
    for mode in MODES {
        let milliseconds = latency(&questions, |question| {
            index.search(&SearchRequest::new(question).with_mode(mode))?;
            Ok(())
        })?;
        legs.push(Leg {
            mode: mode_name(mode).into(),
            milliseconds,
        });
    }
    let (memory_peak, memory_own) = (memory::peak(), memory::own());
    let throughput = threads().map(|threads| throughput(&index, &questions, threads));
    Ok(Found {
        open_ms,
        open_bytes,
        legs,
        throughput: throughput.collect::<Result<_>>()?,
        recall_at_10: recall(&index, &questions)?,
        peak_bytes: memory_peak,
        own_bytes: memory_own,
    })
}

/// Where the index is that was built in `folder`.
fn built(folder: &Path) -> Result<PathBuf> {
    Ok(Layout::open(&folder.join(kenning_indexer::FOLDER))?.index())
}

fn with_encoder(index: Index) -> Result<Index> {
    let own = &index.spec().encoder;
    let (store, options) = (ModelStore::from_env()?, EncoderOptions::like(own));
    let encoder = Encoder::load(&own.model, &store, &options, &mut |_| {})?;
    Ok(index.with_encoder(Arc::new(encoder))?)
}

/// 1, 2, 4 … up to the number of cores.
fn threads() -> impl Iterator<Item = usize> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::iter::successors(Some(1), |n| Some(2 * n)).take_while(move |n| *n <= cores)
}

/// Asks every question once to warm up, then once for the clock.
fn latency(questions: &[String], ask: impl Fn(&str) -> Result<()>) -> Result<Latency> {
    for question in questions {
        ask(question)?;
    }
    let mut times = Vec::with_capacity(questions.len());
    for question in questions {
        let begun = Instant::now();
        ask(question)?;
        times.push(begun.elapsed());
    }
    Latency::of(&times).ok_or_else(|| "there are too few questions".into())
}

/// Questions a second that so many threads get answered.
fn throughput(index: &Index, questions: &[String], threads: usize) -> Result<Throughput> {
    let vectors = embed(index, questions)?;
    let rate = |mode| rate(index, questions, &vectors, mode, ASKING, threads);
    Ok(Throughput {
        threads,
        keyword: rate(Mode::Keyword)?,
        hybrid: rate(Mode::Hybrid)?,
    })
}

fn embed(index: &Index, questions: &[String]) -> Result<Vec<Vec<f32>>> {
    let texts: Vec<&str> = questions.iter().map(String::as_str).collect();
    let encoded = index.encoder()?.encode(Role::Query, &texts)?;
    Ok(encoded.into_iter().map(|text| text.embedding).collect())
}

/// Asks for so many seconds and tells how many questions were answered in one.
pub fn ask(mixture: &Path, folder: &Path, mode: Mode, seconds: f64, threads: usize) -> Result<f64> {
    let questions = read(mixture)?.questions;
    let index = with_encoder(Index::open(&built(folder)?)?)?;
    let vectors = embed(&index, &questions)?;
    rate(
        &index,
        &questions,
        &vectors,
        mode,
        Duration::from_secs_f64(seconds),
        threads,
    )
}

/// The name of a mode.
pub fn mode(name: &str) -> std::result::Result<Mode, String> {
    let named = |mode: &Mode| mode_name(*mode) == name;
    MODES
        .into_iter()
        .find(named)
        .ok_or_else(|| "keyword, semantic or hybrid".into())
}

/// Questions a second, with vectors at hand: the encoder's own threads would hide how the rest grows.
fn rate(
    index: &Index,
    questions: &[String],
    vectors: &[Vec<f32>],
    mode: Mode,
    time: Duration,
    threads: usize,
) -> Result<f64> {
    let (next, begun) = (AtomicUsize::new(0), Instant::now());
    let work = || -> kenning::Result<()> {
        while begun.elapsed() < time {
            let place = next.fetch_add(1, Ordering::Relaxed) % questions.len();
            let request = SearchRequest::new(&questions[place]).with_mode(mode);
            index.snapshot()?.search(&request, Some(&vectors[place]))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            let done = worker.join();
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    Ok(next.into_inner() as f64 / begun.elapsed().as_secs_f64())
}

/// The share of the ten documents nearest to a question that are found as the planner chooses.
fn recall(index: &Index, questions: &[String]) -> Result<f64> {
    let snapshot = index.snapshot()?;
    let (mut found, mut all) = (0, 0);
    for question in questions.iter().take(EXACT_QUESTIONS) {
        let encoded = index.encoder()?.encode(Role::Query, &[question])?;
        let vector = &encoded[0].embedding;
        let exact = nearest(&snapshot, question, vector, Vectors::Exact)?;
        let planned = nearest(&snapshot, question, vector, Vectors::Auto)?;
        found += exact.intersection(&planned).count();
        all += exact.len();
    }
    Ok(found as f64 / all.max(1) as f64)
}

fn nearest(
    snapshot: &Snapshot,
    question: &str,
    vector: &[f32],
    vectors: Vectors,
) -> Result<HashSet<String>> {
    let mut request = SearchRequest::new(question).with_mode(Mode::Semantic);
    request.vectors = vectors;
    request.passages = 0;
    let response = snapshot.search(&request, Some(vector))?;
    Ok(response.hits.into_iter().map(|hit| hit.id).collect())
}
