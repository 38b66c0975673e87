//! What vector search costs on this machine: the figures that the planner's constants come from.
//!
//! `RAYON_NUM_THREADS=1 cargo run --release -p kenning-benches --bin costs -- [VECTORS] [--rows N]...`
//!
//! VECTORS is a file of little-endian f32, 384 a row, the last 200 of which are asked; made-up ones without it.
//! `engine/docs/design.md` tells what follows from the figures.

use std::error::Error;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use kenning::index::GraphOptions;
use kenning::search::Vectors;
use kenning::{Filter, Index, Mode, SearchRequest, Snapshot};
use kenning_benches::{DIMENSION, one_chunk_document, spec, vector};

// What the command line uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const QUERIES: usize = 200;
const EFFORTS: [usize; 5] = [25, 50, 100, 200, 400];
/// One in so many documents is allowed.
const SHARES: [usize; 5] = [1, 2, 4, 10, 20];

/// Tell what scans and walks cost on this machine.
#[derive(Debug, Parser)]
struct Args {
    /// Vectors to search, little-endian f32 [default: made-up ones]
    vectors: Option<PathBuf>,
    /// How many rows; may be repeated
    #[arg(long, value_name = "N", default_values_t = [15_000, 60_000])]
    rows: Vec<usize>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let most = args.rows.iter().copied().max().unwrap_or_default();
    let vectors = match &args.vectors {
        Some(file) => read(file)?,
        None => (0..(most + QUERIES) as u64).map(vector).collect(),
    };
    let (rows, queries) = vectors.split_at(vectors.len().saturating_sub(QUERIES));
    println!("reading memory: {:.1} GB/s", bandwidth());
    for &count in &args.rows {
        let rows = rows.get(..count).ok_or("there are not so many vectors")?;
        measure(rows, queries)?;
    }
    Ok(())
}

fn read(file: &PathBuf) -> Result<Vec<Vec<f32>>> {
    let bytes = std::fs::read(file)?;
    let numbers: Vec<f32> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|word| f32::from_le_bytes(*word))
        .collect();
    let rows = numbers.chunks_exact(DIMENSION);
    Ok(rows.map(<[f32]>::to_vec).collect())
}

/// Gigabytes a second that one thread reads.
fn bandwidth() -> f64 {
    let numbers = vec![1u64; 1 << 26];
    let mut best = 0f64;
    for _ in 0..5 {
        let begun = Instant::now();
        black_box(black_box(&numbers).iter().sum::<u64>());
        let bytes = size_of_val(&numbers[..]) as f64;
        best = best.max(bytes / begun.elapsed().as_secs_f64() / 1e9);
    }
    best
}

/// Scans and walks over one segment of these rows.
fn measure(rows: &[Vec<f32>], queries: &[Vec<f32>]) -> Result<()> {
    let index = Index::in_memory(&spec(DIMENSION))?;
    let mut writer = index.writer()?;
    for (row, vector) in rows.iter().enumerate() {
        let mut document = one_chunk_document(row.to_string(), "x", 1, vector.clone());
        for share in SHARES {
            let allowed = i64::from(row % share == 0);
            document
                .metadata
                .insert(format!("one_in_{share}"), allowed.into());
        }
        writer.add(document)?;
    }
    writer.optimize()?;
    let begun = Instant::now();
    writer.build_graphs(&GraphOptions { min_rows: 1 }, &mut |_| {
        ControlFlow::Continue(())
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    writer.close()?;
    let snapshot = index.snapshot()?;
    println!("\n{} rows; graph built in {seconds:.1} s", rows.len());

    let scan = ask(&snapshot, queries, Vectors::Exact, None, None)?;
    println!(
        "scan: {:.0} µs, {:.1} ns a row",
        scan.micros,
        scan.nanos_each()
    );
    for effort in EFFORTS {
        let walk = ask(&snapshot, queries, Vectors::Graph, Some(effort), None)?;
        println!(
            "walk, effort {effort}: {:.0} µs, {:.0} rows of {:.1} ns; as a scan of {:.0} rows, {:.0} for each of its effort",
            walk.micros,
            walk.compared,
            walk.nanos_each(),
            walk.micros * 1e3 / scan.nanos_each(),
            walk.micros * 1e3 / scan.nanos_each() / effort as f64,
        );
    }
    for share in SHARES {
        let filter = Filter::parse(&format!("one_in_{share} = 1"))?;
        let scan = ask(&snapshot, queries, Vectors::Exact, None, Some(&filter))?;
        let walk = ask(&snapshot, queries, Vectors::Graph, None, Some(&filter))?;
        println!(
            "one in {share}: scan {:.0} µs, walk {:.0} µs, {:.0} rows",
            scan.micros, walk.micros, walk.compared
        );
    }
    Ok(())
}

/// Means of some questions.
struct Cost {
    micros: f64,
    compared: f64,
}

impl Cost {
    fn nanos_each(&self) -> f64 {
        self.micros * 1e3 / self.compared
    }
}

fn ask(
    snapshot: &Snapshot,
    queries: &[Vec<f32>],
    vectors: Vectors,
    effort: Option<usize>,
    filter: Option<&Filter>,
) -> Result<Cost> {
    let mut request = SearchRequest::new("")
        .with_mode(Mode::Semantic)
        .with_limit(0);
    request.filter = filter.cloned();
    (request.vectors, request.effort) = (vectors, effort);
    let (mut best, mut compared) = (f64::MAX, 0);
    for _ in 0..3 {
        compared = 0;
        let begun = Instant::now();
        for query in queries {
            compared += snapshot.search(&request, Some(query))?.plan.rows_compared;
        }
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let count = queries.len() as f64;
    Ok(Cost {
        micros: best * 1e6 / count,
        compared: compared as f64 / count,
    })
}
