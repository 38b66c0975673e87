//! What Kenning's benchmarks share: made-up indexes of any size, and the texts of the sample library.
//! Tests across its crates are in `tests/`, benchmarks of its parts in `benches/`. `src/measure/` is a program
//! that indexes and searches a whole collection, `src/scale/` one that builds indexes of any size and tells how
//! costs grow, `mixed` a load whose answers are all compared, `src/bin/peer.rs` one that other programs are compared with.

pub mod latency;
pub mod mixed;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use kenning::chunk::Chunk;
use kenning::encoder::{Encoder, EncoderOptions, EncoderSpec, Pooling, Precision};
use kenning::index::EmbeddedDocument;
use kenning::models::{DEFAULT_MODEL, ModelStore};
use kenning::{Document, Error, Index, Language, Structure};
use kenning_indexer::{Catalogue, Job, Layout, Options, Report};

/// Components of the made-up vectors, as many as the default encoder gives.
pub const DIMENSION: usize = 384;

/// The folder of the sample library and its questions.
pub fn datasets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets")
}

/// The default encoder.
///
/// # Errors
/// Whatever keeps it from being found or fetched.
pub fn default_encoder() -> kenning::Result<Encoder> {
    let store = ModelStore::from_env()?;
    Encoder::load(
        DEFAULT_MODEL,
        &store,
        &EncoderOptions::default(),
        &mut |_| {},
    )
}

/// The default encoder for a test; where it cannot be had, why the test is skipped.
///
/// # Panics
/// It cannot be had, and `KENNING_REQUIRE_MODEL` is set.
pub fn encoder_or_reason() -> Result<Encoder, String> {
    default_encoder().map_err(|error| {
        let required = std::env::var_os("KENNING_REQUIRE_MODEL").is_some();
        assert!(!required, "the default encoder cannot be had: {error}");
        format!("skipped: {error}")
    })
}

/// Indexes the files at `paths` as `kenning index` does, to the end.
///
/// # Errors
/// Whatever makes the run as a whole impossible.
pub fn index_files(
    index: &Index,
    catalogue: &Catalogue,
    layout: &Layout,
    paths: &[PathBuf],
) -> kenning_indexer::Result<Report> {
    kenning_indexer::index(&Job {
        index,
        catalogue,
        layout,
        paths,
        options: &Options::default(),
        cancel: &AtomicBool::new(false),
        progress: &|_| {},
    })
}

/// The Markdown files of the sample library.
///
/// # Errors
/// Where the library cannot be read.
pub fn library_documents() -> std::io::Result<Vec<Document>> {
    let mut documents = Vec::new();
    let mut folders = vec![datasets().join("library")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&path)?;
                let document = Document::new(path.to_string_lossy(), text);
                documents.push(document.with_structure(Structure::Markdown));
            }
        }
    }
    documents.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(documents)
}

/// A small generator of random numbers (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// The next number, any of 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next number from 0 up to 1.
    pub fn unit(&mut self) -> f32 {
        (self.draw() >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// A vector of unit length near one of 1,000 random ones: made-up vectors without neighbourhoods would be
/// harder for a graph than any real ones.
pub fn vector(seed: u64) -> Vec<f32> {
    let random = |seed: u64| {
        let mut random = Random(seed);
        (0..DIMENSION)
            .map(|_| random.unit() - 0.5)
            .collect::<Vec<_>>()
    };
    let (centre, noise) = (random(seed % 1_000), random(seed + 1_000_000));
    let sum = centre.iter().zip(noise).map(|(c, n)| c + 0.8 * n);
    let sum: Vec<f32> = sum.collect();
    let norm = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    sum.iter().map(|x| x / norm).collect()
}

/// So many words of a made-up language, the n-th most frequent drawn with probability ~ 1/n (Zipf).
pub fn words(seed: u64, count: usize) -> String {
    const VOCABULARY: f32 = 50_000.0;
    let mut random = Random(seed);
    let drawn = (0..count).map(|_| {
        let rank = VOCABULARY.powf(random.unit()) as u32;
        format!("w{rank}")
    });
    drawn.collect::<Vec<_>>().join(" ")
}

/// An index in memory, of one segment, without an encoder: `count` documents of one chunk of so many
/// words each, with made-up vectors.
///
/// # Errors
/// Whatever the engine answers.
pub fn made_up_index(count: u64, words_each: usize) -> kenning::Result<Index> {
    let index = Index::in_memory(&spec(DIMENSION))?;
    make_up(&index, count, words_each)?;
    Ok(index)
}

/// Fills an empty index with such documents.
///
/// # Errors
/// Whatever the engine answers.
pub fn make_up(index: &Index, count: u64, words_each: usize) -> kenning::Result<()> {
    let mut writer = index.writer()?;
    for id in 0..count {
        let text = words(id, words_each);
        let name = format!("d{id:07}");
        writer.add(one_chunk_document(name, &text, words_each, vector(id)))?;
    }
    writer.optimize()?;
    writer.close()?;
    Ok(())
}

/// A document of one chunk of so many tokens, with its vector.
pub fn one_chunk_document(
    id: String,
    text: &str,
    tokens: usize,
    embedding: Vec<f32>,
) -> EmbeddedDocument {
    let chunk = Chunk {
        ordinal: 0,
        title: String::new(),
        text: text.to_owned(),
        bytes: 0..text.len(),
        lines: (1, 1),
        tokens: tokens as u32,
        page: None,
        input: vec![1],
    };
    EmbeddedDocument {
        id,
        chunks: vec![chunk],
        embeddings: vec![embedding],
        tokens: tokens as u64,
        language: Some(Language::Other),
        ..EmbeddedDocument::default()
    }
}

/// What describes an encoder of vectors that no encoder made.
pub fn spec(dimension: usize) -> EncoderSpec {
    EncoderSpec {
        model: "made up".to_owned(),
        architecture: String::new(),
        settings: String::new(),
        dimension,
        max_tokens: 256,
        pooling: Pooling::Mean.into(),
        stages: Vec::new(),
        normalise: true,
        query_prompt: String::new(),
        passage_prompt: String::new(),
        weights_sha256: String::new(),
        tokenizer_sha256: String::new(),
        precision: Precision::F32,
    }
}

/// What a benchmark says where it cannot run.
pub fn skipped(name: &str, error: &Error) -> String {
    format!("{name}: skipped, the default encoder cannot be had: {error}")
}
