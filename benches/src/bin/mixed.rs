//! Searches from many threads while the index changes, every answer compared with brute force: wrong answers, which must
//! be none, times, memory and disk.
//!
//! `cargo run --release -p kenning-benches --bin mixed -- --minutes 10 --json FILE`, then `python3 benches/peers/mixed.py
//! FILE FIGURE.svg`. Memory is told on Linux, and includes what brute force compares with.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use kenning_benches::mixed::{self, Options, Report};

// What the command line uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Search an index from many threads while it changes.
#[derive(Debug, Parser)]
struct Args {
    /// How long
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Threads that search
    #[arg(long, default_value_t = 8)]
    threads: usize,
    /// How many documents, about
    #[arg(long, default_value_t = 5_000)]
    documents: u64,
    /// Seconds of a sample
    #[arg(long, default_value_t = 2.0)]
    sample: f64,
    /// Where to put what was measured
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    let temp = tempfile::tempdir()?;
    let options = Options {
        time: Duration::try_from_secs_f64(60.0 * args.minutes)?,
        threads: args.threads,
        documents: args.documents,
        every: Duration::try_from_secs_f64(args.sample)?,
    };
    let report = mixed::run(&options, &temp.path().join("index"))?;
    show(&report);
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_string(&report)?)?;
    }
    Ok(match report.wrong {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn show(report: &Report) {
    println!(
        "{} answers on {} threads over {} commits: {} wrong; graphs answered {} and found {:.4} of the nearest ten",
        report.searches,
        report.threads,
        report.commits,
        report.wrong,
        report.by_graph,
        report.recall
    );
    for example in &report.examples {
        println!("wrong: {example}");
    }
    let places = [
        0,
        report.samples.len() / 2,
        report.samples.len().saturating_sub(1),
    ];
    for sample in places.iter().filter_map(|&place| report.samples.get(place)) {
        let (median, p99) = sample.latency.map_or((0.0, 0.0), |l| (l.median, l.p99));
        println!(
            "after {:.0} s: median {median:.2} ms, 99 of 100 under {p99:.2} ms, {} MiB of memory, {} MiB of disk, {} segments",
            sample.seconds,
            sample.own_bytes.unwrap_or_default() >> 20,
            sample.disk_bytes >> 20,
            sample.segments
        );
    }
}
