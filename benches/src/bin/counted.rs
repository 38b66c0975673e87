//! Fixed pieces of work whose instructions `benches/tests/instructions.rs` counts.
//!
//! `counted WORKLOAD TIMES FOLDER` does a piece of work so many times; `counted build 1 FOLDER` makes the index in
//! FOLDER that the searches ask. What one time costs is the difference of two counts: starting and loading, which are
//! the same however often the work is done, are not in it.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use kenning::chunk::{ChunkOptions, chunk};
use kenning::encoder::{Encoder, EncoderOptions, Precision, Role, Tokens};
use kenning::index::GraphOptions;
use kenning::models::{DEFAULT_MODEL, ModelStore};
use kenning::search::Vectors;
use kenning::{Index, Mode, SearchRequest};
use kenning_benches::{DIMENSION, library_documents, make_up, spec, vector, words};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Documents of the index, each of so many words.
const DOCUMENTS: u64 = 3_000;
const WORDS_EACH: usize = 120;

/// Do a piece of work so many times.
#[derive(Debug, Parser)]
struct Args {
    workload: Workload,
    times: u64,
    /// Where the index is
    folder: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Workload {
    /// Make the index.
    Build,
    /// Embed the first words of a document in f32.
    F32,
    /// The same in int8.
    Int8,
    /// Cut documents of the sample library into chunks.
    Chunk,
    /// Compare a question with every row.
    Scan,
    /// Walk the graph.
    Walk,
    /// Ask for four words.
    Keyword,
    /// Ask for four words and a vector.
    Hybrid,
}

fn main() -> Result<()> {
    let args = Args::parse();
    match args.workload {
        Workload::Build => build(&args.folder),
        Workload::F32 => embed(Precision::F32, args.times),
        Workload::Int8 => embed(Precision::Int8, args.times),
        Workload::Chunk => cut(args.times),
        Workload::Scan => search(&args, Mode::Semantic, Vectors::Exact),
        Workload::Walk => search(&args, Mode::Semantic, Vectors::Graph),
        Workload::Keyword => search(&args, Mode::Keyword, Vectors::Auto),
        Workload::Hybrid => search(&args, Mode::Hybrid, Vectors::Auto),
    }
}

fn build(folder: &Path) -> Result<()> {
    let index = Index::create(folder, &spec(DIMENSION))?;
    make_up(&index, DOCUMENTS, WORDS_EACH)?;
    let mut writer = index.writer()?;
    let options = GraphOptions { min_rows: 1 };
    writer.build_graphs(&options, &mut |_| ControlFlow::Continue(()))?;
    writer.close()?;
    Ok(())
}

fn encoder(precision: Precision) -> Result<Encoder> {
    let options = EncoderOptions {
        precision: Some(precision),
        threads: Some(1),
        ..EncoderOptions::default()
    };
    let store = ModelStore::from_env()?;
    Ok(Encoder::load(DEFAULT_MODEL, &store, &options, &mut |_| {})?)
}

fn embed(precision: Precision, times: u64) -> Result<()> {
    let encoder = encoder(precision)?;
    let documents = library_documents()?;
    // Some 24 tokens: two tiles.
    let text = documents.first().map(|document| start(&document.text, 18));
    let texts = [text.as_deref().unwrap_or_default()];
    for _ in 0..times {
        encoder.encode(Role::Passage, &texts)?;
    }
    Ok(())
}

fn start(text: &str, words: usize) -> String {
    text.split_whitespace()
        .take(words)
        .collect::<Vec<_>>()
        .join(" ")
}

fn cut(times: u64) -> Result<()> {
    let documents = library_documents()?;
    let options = ChunkOptions::new(254);
    for _ in 0..times {
        for document in documents.iter().take(4) {
            chunk(document, &options, &|text| Ok(tokens(text)))?;
        }
    }
    Ok(())
}

/// Words in place of an encoder's tokens: its tokenizer is another's work.
fn tokens(text: &str) -> Tokens {
    let mut tokens = Tokens::default();
    for word in text.split_whitespace() {
        let first = word.as_ptr() as usize - text.as_ptr() as usize;
        tokens.ids.push(0);
        tokens.offsets.push((first, first + word.len()));
    }
    tokens
}

fn search(args: &Args, mode: Mode, vectors: Vectors) -> Result<()> {
    let snapshot = Index::open(&args.folder)?.snapshot()?;
    let mut request = SearchRequest::new(words(7, 4)).with_mode(mode);
    request.vectors = vectors;
    let query = (mode != Mode::Keyword).then(|| vector(u64::MAX / 2));
    for _ in 0..args.times {
        snapshot.search(&request, query.as_deref())?;
    }
    Ok(())
}
