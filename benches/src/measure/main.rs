//! Indexes and searches a whole collection, and tells times, memory and disk:
//!
//! `cargo run --release -p kenning-benches --bin measure -- [FOLDER] [--questions FILE] [--json]`
//!
//! FOLDER is a folder of documents, which is indexed as `kenning index` does, or a collection in BEIR
//! layout. Without it, the sample library and its questions.

mod collection;
mod report;

use std::process::ExitCode;

use clap::Parser;

// What the command line uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Index and search a collection; tell times, memory and disk.
#[derive(Debug, Parser)]
struct Args {
    /// A folder of documents, or a collection in BEIR layout [default: the sample library]
    folder: Option<std::path::PathBuf>,
    /// Questions, one a line [default: the collection's own, or the titles of its documents]
    #[arg(long, value_name = "FILE")]
    questions: Option<std::path::PathBuf>,
    /// Ask at most so many questions
    #[arg(long, value_name = "N", default_value_t = 200)]
    most: usize,
    /// The encoder
    #[arg(long, default_value = kenning::models::DEFAULT_MODEL)]
    model: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match collection::measure(&args) {
        Ok(report) if args.json => match serde_json::to_string(&report) {
            Ok(text) => println!("{text}"),
            Err(error) => return fail(&error),
        },
        Ok(report) => print!("{}", report.table()),
        Err(error) => return fail(error.as_ref()),
    }
    ExitCode::SUCCESS
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(3)
}
