//! Flags resolved to open things: the model, the index, the catalogue.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kenning::encoder::{Encoder, EncoderOptions, Pooling, Precision};
use kenning::models::{DEFAULT_MODEL, ModelStore};
use kenning::{Index, Language};
use kenning_indexer::Layout;
use kenning_indexer::extract::{Extractor, Limits, WorkerCommand};

use crate::args::{FileArgs, Global, WhereArgs};
use crate::failure::{Failure, Result};
use crate::progress::Download;

/// Megabytes are what `--max-file-size` counts.
const MEGABYTE: u64 = 1 << 20;

/// Loads an encoder by name or folder, fetching it if need be.
pub fn load_encoder(global: &Global, name: &str) -> Result<Arc<Encoder>> {
    load_like(global, name, EncoderOptions::default())
}

/// The same, with another pooling than its folder asks for.
pub fn load_pooled(global: &Global, name: &str, pooling: Option<Pooling>) -> Result<Arc<Encoder>> {
    let options = EncoderOptions {
        pooling,
        ..EncoderOptions::default()
    };
    load_like(global, name, options)
}

/// Loads an encoder with these options, as far as the command line does not say otherwise.
fn load_like(global: &Global, name: &str, options: EncoderOptions) -> Result<Arc<Encoder>> {
    Ok(load(name, &asked(global, options), global.quiet)?)
}

/// These options, as far as the command line does not say otherwise.
fn asked(global: &Global, options: EncoderOptions) -> EncoderOptions {
    let precision: Option<Precision> = global.precision.into();
    EncoderOptions {
        threads: global.threads.map(usize::from),
        device: global.device.into(),
        precision: precision.or(options.precision),
        query_prompt: global.query_prompt.clone().or(options.query_prompt),
        passage_prompt: global.passage_prompt.clone().or(options.passage_prompt),
        dimensions: global.dimensions.or(options.dimensions),
        ..options
    }
}

/// Loads an encoder by name or folder, fetching it with progress if need be.
fn load(name: &str, options: &EncoderOptions, quiet: bool) -> kenning::Result<Arc<Encoder>> {
    let store = ModelStore::from_env()?;
    let mut download = Download::new(quiet);
    let encoder = Encoder::load(name, &store, options, &mut |progress| {
        download.show(&progress);
    });
    download.finish();
    encoder.map(Arc::new)
}

/// The folder of a model, fetched with progress if it is not on this machine.
pub fn fetch(global: &Global, store: &ModelStore, name: &str) -> Result<PathBuf> {
    let mut download = Download::new(global.quiet);
    let folder = store.fetch(name, &mut |progress| download.show(&progress));
    download.finish();
    Ok(folder?)
}

/// The encoder for a new index.
pub fn chosen_encoder(global: &Global) -> Result<Arc<Encoder>> {
    load_encoder(global, global.model().unwrap_or(DEFAULT_MODEL))
}

/// The encoder that an index was built with: the model named on the command line, else the index's
/// own, with the same prompts, pooling and dimensions. Attaching it checks that it is the same.
pub fn with_encoder(global: &Global, index: Index) -> Result<Index> {
    let own = index.spec().encoder.clone();
    let options = EncoderOptions::like(&own);
    let encoder = load_like(global, global.model().unwrap_or(&own.model), options)?;
    Ok(index.with_encoder(encoder)?)
}

/// The same, loaded when it is first needed, where the command line asks for nothing that the index may refuse.
fn with_encoder_later(global: &Global, index: Index) -> Result<Index> {
    let own = index.spec().encoder.clone();
    let mut like = EncoderOptions::like(&own);
    let options = asked(global, like.clone());
    (like.threads, like.device) = (options.threads, options.device);
    let same = global.model().is_none_or(|name| name == own.model);
    if !same || options != like {
        return with_encoder(global, index);
    }
    let quiet = global.quiet;
    Ok(index.with_encoder_later(move || load(&own.model, &options, quiet)))
}

/// The layout of an existing index.
pub fn find_layout(place: &WhereArgs) -> Result<Layout> {
    if let Some(folder) = &place.index {
        return Ok(Layout::open(folder)?);
    }
    let here = Path::new(".");
    match Layout::find(here)? {
        Some(layout) => Ok(layout),
        None => {
            let path = std::path::absolute(here).unwrap_or_else(|_| here.to_owned());
            let error = kenning::index::IndexError::NotFound { path };
            Err(kenning::Error::from(error).into())
        }
    }
}

/// An existing index, without its encoder.
pub fn open_index(place: &WhereArgs) -> Result<(Layout, Index)> {
    let layout = find_layout(place)?;
    let index = Index::open(&layout.index())?;
    Ok((layout, index))
}

/// The index of a layout, made if it is not there yet, with the encoder. That of one that is there may not be needed,
/// and is loaded only if it is.
pub fn open_or_create(global: &Global, layout: &Layout) -> Result<Index> {
    let folder = layout.index();
    if Index::exists(&folder) {
        return with_encoder_later(global, Index::open(&folder)?);
    }
    let encoder = chosen_encoder(global)?;
    let index = Index::create(&folder, encoder.spec())?;
    Ok(index.with_encoder(encoder)?)
}

/// A limit on memory, shared out.
pub struct Memory {
    /// For this process, in bytes.
    pub own: u64,
    /// For the process that reads a file.
    pub worker: u64,
    /// For one file, and for its text.
    pub file: u64,
}

/// The limit on memory, if the command line sets one: a quarter is for reading, and no file may take more than half of
/// the rest.
pub fn memory(files: &FileArgs) -> Option<Memory> {
    let all = files.max_memory?.saturating_mul(MEGABYTE);
    let own = all - all / 4;
    Some(Memory {
        own,
        worker: all / 4,
        file: own / 2 / kenning_indexer::MEMORY_PER_BYTE,
    })
}

/// How files are read, as the command line says.
pub fn extractor(files: &FileArgs) -> Extractor {
    let mut limits = Limits {
        file_bytes: files.max_file_size.saturating_mul(MEGABYTE),
        ..Limits::default()
    };
    if let Some(memory) = memory(files) {
        limits.memory_bytes = limits.memory_bytes.min(memory.worker);
        limits.file_bytes = limits.file_bytes.min(memory.file);
        limits.text_bytes = limits.text_bytes.min(memory.file);
    }
    let extractor = Extractor::new(limits);
    match std::env::current_exe() {
        Ok(program) => extractor.with_worker(WorkerCommand {
            program,
            arguments: vec!["extract-worker".into()],
        }),
        // Without a worker the readers run in this process, bounded in time alone.
        Err(_) => extractor,
    }
}

/// The language that a code names.
pub fn language(code: Option<&str>) -> Result<Option<Language>> {
    let Some(code) = code else {
        return Ok(None);
    };
    Language::from_code(code).map(Some).ok_or_else(|| {
        let known: Vec<&str> = Language::all().map(Language::code).collect();
        Failure::usage(
            format!("unknown language {code:?}"),
            format!("known are {}", known.join(", ")),
        )
    })
}

/// Paths to index: those given, else the current folder; absolute.
pub fn absolute_paths(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here } else { paths };
    let absolute = paths.iter().map(|path| {
        std::fs::canonicalize(path).map_err(|_| {
            Failure::from(kenning_indexer::IndexerError::NoSuchPath { path: path.clone() })
        })
    });
    absolute.collect()
}
