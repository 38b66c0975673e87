//! The stage before the last: the vectors of what was read, cached ones first.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use kenning::index::encode_chunks;

use crate::Result;
use crate::pipeline::{Job, Shared};
use crate::prepare::Prepared;

/// Chunks are embedded once so many tokens are waiting: enough for full batches on many cores, little
/// enough that progress is seen and an interruption heeded, also on a slow machine.
const BATCH_TOKENS: std::ops::RangeInclusive<usize> = 2_000..=24_000;
/// Between these, as many as take about so long.
const BATCH_SECONDS: f64 = 2.0;

/// Files with the vectors of all their chunks.
#[derive(Debug, Default)]
pub struct Embedded {
    /// The files.
    pub files: Vec<Prepared>,
    /// A vector for each chunk of each file, in order.
    pub vectors: Vec<Vec<f32>>,
    /// How many of them were not in the cache.
    pub fresh: u64,
    /// Tokens that were read for these.
    pub tokens: u64,
    /// How long the encoder took.
    pub took: Duration,
}

/// Embeds files as they become ready and hands them on, until there are no more, nobody takes them any more, or
/// the run is cancelled.
pub fn embed_all(
    job: &Job<'_>,
    shared: &Shared,
    ready: &Receiver<Prepared>,
    embedded: &Sender<Embedded>,
) -> Result<()> {
    let mut batch_tokens = *BATCH_TOKENS.start();
    let mut waiting: Vec<Prepared> = Vec::new();
    let mut tokens = 0;
    loop {
        // Without waiting while there is something to embed: cores must not idle.
        let next = match ready.try_recv() {
            Ok(file) => Some(file),
            Err(_) if waiting.is_empty() => match ready.recv() {
                Ok(file) => Some(file),
                Err(_) => return Ok(()),
            },
            Err(_) => None,
        };
        let full = next.is_none();
        if let Some(file) = next {
            tokens += file.tokens();
            waiting.push(file);
        }
        if full || tokens >= batch_tokens {
            let files = std::mem::take(&mut waiting);
            let Some(batch) = embed(job, shared, files, batch_tokens)? else {
                return Ok(());
            };
            tokens = 0;
            if batch.tokens > 0 {
                let speed = batch.tokens as f64 / batch.took.as_secs_f64().max(1e-6);
                let (least, most) = BATCH_TOKENS.into_inner();
                batch_tokens = ((speed * BATCH_SECONDS) as usize).clamp(least, most);
            }
            if embedded.send(batch).is_err() {
                return Ok(());
            }
        }
        if job.cancel.load(Ordering::Relaxed) {
            // What waits is not begun; the next run meets it again.
            return Ok(());
        }
    }
}

/// Embeds what is not in the cache, and puts it there, some `most` tokens at a time; `None` where the run is cancelled
/// before all is. What was embedded by then is known to the next run.
fn embed(
    job: &Job<'_>,
    shared: &Shared,
    mut files: Vec<Prepared>,
    most: usize,
) -> Result<Option<Embedded>> {
    let cache = job.catalogue.embeddings();
    let dimension = job.index.spec().encoder.dimension;
    for file in files.iter_mut() {
        file.keys = file
            .all_chunks()
            .map(|chunk| cache.key(&chunk.input))
            .collect();
    }
    let known_keys = files.iter().flat_map(|file| &file.keys);
    let chunks = files.iter().flat_map(Prepared::all_chunks);
    let mut vectors: Vec<Vec<f32>> = Vec::new();
    let mut missing = Vec::new();
    let mut keys = Vec::new();
    for (place, (chunk, key)) in chunks.zip(known_keys).enumerate() {
        let known = cache.get(key, dimension)?;
        if known.is_none() {
            missing.push(chunk);
            keys.push((place, *key));
        }
        vectors.push(known.unwrap_or_default());
    }
    let mut batch = Embedded {
        fresh: missing.len() as u64,
        ..Embedded::default()
    };
    let (mut missing, mut keys) = (missing.as_slice(), keys.as_slice());
    while !missing.is_empty() {
        if job.cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut tokens = 0;
        let fits = missing.iter().take_while(|chunk| {
            let fits = tokens < most;
            tokens += if fits { chunk.input.len() } else { 0 };
            fits
        });
        let (now, later) = missing.split_at(fits.count());
        let (now_keys, later_keys) = keys.split_at(now.len());
        let begun = Instant::now();
        let fresh = encode_chunks(job.index.encoder()?, now)?;
        let took = begun.elapsed();
        for ((place, key), vector) in now_keys.iter().zip(fresh) {
            cache.put(key, &vector)?;
            vectors[*place] = vector;
        }
        batch.tokens += tokens as u64;
        batch.took += took;
        shared.update(job, |progress| {
            progress.tokens += tokens as u64;
            progress.embedding += took;
        });
        (missing, keys) = (later, later_keys);
    }
    Ok(Some(Embedded {
        files,
        vectors,
        ..batch
    }))
}
