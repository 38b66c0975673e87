//! What replacing the same documents for ever costs in space: after each round the disk and the memory that are taken.
//!
//! `cargo run --release -p kenning-benches --bin churn -- --rounds 1000 --json FILE`, then `python3 benches/peers/churn.py
//! FILE FIGURE.svg`. Memory is told on Linux.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use kenning::Index;
use kenning::index::GraphOptions;
use kenning_benches::{DIMENSION, one_chunk_document, spec, vector, words};
use kenning_datasets::memory;
use kenning_indexer::folder_bytes;
use serde::Serialize;

// What the command line uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Words, and tokens, of a document.
const WORDS: usize = 100;

/// Replace the same documents again and again.
#[derive(Debug, Parser)]
struct Args {
    /// How often all are replaced
    #[arg(long, default_value_t = 1_000)]
    rounds: u64,
    /// How many documents
    #[arg(long, default_value_t = 500)]
    documents: u64,
    /// Segments of so many rows get a graph after each tenth round
    #[arg(long, default_value_t = 400)]
    graph_rows: u32,
    /// Where to put what was measured
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    documents: u64,
    /// Size of the index when each document was added once.
    first_bytes: u64,
    rounds: Vec<Round>,
}

/// After a round.
#[derive(Debug, Serialize)]
struct Round {
    bytes: u64,
    files: usize,
    segments: usize,
    /// Resident memory that is no map of a file.
    own_bytes: Option<u64>,
    seconds: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let temp = tempfile::tempdir()?;
    let report = churn(&args, temp.path())?;
    let most = |bytes: &dyn Fn(&Round) -> u64| report.rounds.iter().map(bytes).max();
    println!(
        "{} rounds of {} documents: {} bytes at first, at most {} of disk and {} of memory",
        args.rounds,
        args.documents,
        report.first_bytes,
        most(&|round| round.bytes).unwrap_or_default(),
        most(&|round| round.own_bytes.unwrap_or_default()).unwrap_or_default(),
    );
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_string(&report)?)?;
    }
    Ok(())
}

fn churn(args: &Args, folder: &Path) -> Result<Report> {
    let index = Index::create(folder, &spec(DIMENSION))?;
    let mut writer = index.writer()?;
    let options = GraphOptions {
        min_rows: args.graph_rows,
    };
    let mut report = Report {
        documents: args.documents,
        first_bytes: 0,
        rounds: Vec::new(),
    };
    for round in 0..args.rounds {
        let begun = Instant::now();
        for number in 0..args.documents {
            let seed = round * args.documents + number;
            let (id, text) = (format!("d{number}"), words(seed, WORDS));
            writer.add(one_chunk_document(id, &text, WORDS, vector(seed)))?;
        }
        writer.commit()?;
        if round % 10 == 9 {
            writer.build_graphs(&options, &mut |_| ControlFlow::Continue(()))?;
        }
        let snapshot = index.snapshot()?;
        let bytes = folder_bytes(folder);
        if round == 0 {
            report.first_bytes = bytes;
        }
        report.rounds.push(Round {
            bytes,
            files: std::fs::read_dir(folder)?.count(),
            segments: snapshot.segment_count(),
            own_bytes: memory::own(),
            seconds: begun.elapsed().as_secs_f64(),
        });
    }
    writer.close()?;
    Ok(report)
}
