//! What an index run would do, without doing it.

use std::path::PathBuf;
use std::time::Instant;

use kenning::encoder::Encoder;
use kenning::index::encode_chunks;
use serde::Serialize;

use crate::Result;
use crate::pipeline::Options;
use crate::prepare::{Content, Reader};
use crate::report::Failure;
use crate::walk::{Entry, WalkOptions, walk};
use crate::{Catalogue, Layout};

/// The speed of embedding is measured on so many tokens.
const SAMPLE_TOKENS: usize = 4_000;
/// Bytes on disk for a token of text, its postings and its stored form, as measured on English prose.
const TEXT_BYTES_PER_TOKEN: u64 = 8;
/// Memory of a run besides the model, as measured on folders of some thousand files.
const RUN_MEMORY: u64 = 400 << 20;
/// Bytes for a vector in the cache, besides two for each component.
const CACHE_OVERHEAD: u64 = 64;

/// What a run would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// Files found.
    pub files: u64,
    /// Files that would be read because they are new or have changed.
    pub to_read: u64,
    /// Files that are as they were.
    pub unchanged: u64,
    /// Files that would be passed over.
    pub skipped: Vec<Failure>,
    /// Files that cannot be read.
    pub failed: Vec<Failure>,
    /// Chunks to embed.
    pub chunks: u64,
    /// Tokens to embed.
    pub tokens: u64,
    /// Tokens a second that the encoder was just measured to read.
    pub tokens_per_second: f64,
    /// How long embedding would take, in seconds.
    pub seconds: f64,
    /// What the index and its cache would need on disk for these chunks, in bytes.
    pub disk_bytes: u64,
    /// What a run needs in memory, in bytes: the model's weights and what was measured besides.
    pub memory_bytes: u64,
}

/// Reads and cuts everything that a run would, and embeds a small sample to measure the speed.
///
/// `paths` are roots of the layout or paths below them; `catalogue` is `None` where nothing has been
/// indexed yet.
pub fn plan(
    encoder: &Encoder,
    catalogue: Option<&Catalogue>,
    layout: &Layout,
    paths: &[PathBuf],
    options: &Options,
) -> Result<Plan> {
    let mut plan = Plan::default();
    let reader = Reader {
        extractor: &options.extractor,
        encoder: &|| Ok(encoder),
    };
    let dimension = encoder.spec().dimension;
    let mut sample = Vec::new();
    let mut sampled = 0;
    let heed = WalkOptions {
        hidden: options.hidden,
        no_ignore: options.no_ignore,
    };
    for entry in paths.iter().flat_map(|root| walk(root, heed)) {
        let found = match entry {
            Entry::File(found) => found,
            Entry::Special(path) => {
                plan.skipped.push(Failure::special(layout.id(&path)));
                continue;
            }
            Entry::Unreadable { path, reason } => {
                let path = path.map_or_else(String::new, |path| layout.id(&path));
                plan.failed.push(Failure::unreadable(path, reason));
                continue;
            }
        };
        plan.files += 1;
        let id = layout.id(&found.path);
        let known = catalogue.map(|c| c.get(&id)).transpose()?.flatten();
        if let Some(state) = &known
            && state.is_current(found.size, found.modified)
        {
            plan.unchanged += 1;
            continue;
        }
        let content = reader.read(id.clone(), found, known)?.content;
        if !matches!(content, Content::Unchanged(_)) {
            plan.to_read += 1;
        }
        match content {
            Content::Unchanged(_) => plan.unchanged += 1,
            Content::Skipped(reason) => plan.skipped.push(Failure { path: id, reason }),
            Content::Failed(reason) | Content::Unreadable(reason) => {
                plan.failed.push(Failure { path: id, reason })
            }
            Content::Documents { documents, .. } => {
                for chunk in documents.into_iter().flat_map(|d| d.chunks) {
                    if let Some(cache) = catalogue.map(Catalogue::embeddings)
                        && cache.get(&cache.key(&chunk.input), dimension)?.is_some()
                    {
                        continue;
                    }
                    plan.chunks += 1;
                    plan.tokens += chunk.input.len() as u64;
                    if sampled < SAMPLE_TOKENS {
                        sampled += chunk.input.len();
                        sample.push(chunk);
                    }
                }
            }
        }
    }
    if sampled > 0 {
        let begun = Instant::now();
        encode_chunks(encoder, &sample.iter().collect::<Vec<_>>())?;
        plan.tokens_per_second = sampled as f64 / begun.elapsed().as_secs_f64();
        plan.seconds = plan.tokens as f64 / plan.tokens_per_second;
    }
    plan.memory_bytes = encoder.weight_bytes() + RUN_MEMORY;
    let dimension = encoder.spec().dimension as u64;
    // A row holds two bytes a component, and so does the cache.
    plan.disk_bytes =
        plan.chunks * (4 * dimension + CACHE_OVERHEAD) + plan.tokens * TEXT_BYTES_PER_TOKEN;
    Ok(plan)
}
