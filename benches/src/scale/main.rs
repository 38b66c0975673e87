//! Builds indexes of several sizes through the library's writer and tells how time, memory and disk grow:
//!
//! `cargo build --release --workspace && target/release/scale --corpus COLLECTION --chunks 10000 100000`
//!
//! COLLECTION is a corpus in BEIR layout, whose passages are what documents are mixed from (see `mixture`). The
//! program starts itself again for each step, so that memory is that of the step alone, and `kenning`, which it
//! looks for beside itself, for questions that are a process each.

mod mixture;
mod report;
mod steps;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use clap::{Parser, Subcommand};
use kenning::Mode;
use kenning_benches::latency::Latency;
use kenning_datasets::experiment::{MODES, mode_name};

use mixture::Mixture;
use report::{Leg, Report, Size};

// What the command line uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const DATA: &str = "Texts and vectors are mixtures: each chunk has the sentences of three passages of the corpus, \
                    shuffled, and the weighted sum of their embeddings with noise.";

/// Questions of a process each.
const ONE_SHOTS: usize = 21;

/// Build indexes of several sizes; tell how time, memory and disk grow.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    /// A corpus in BEIR layout
    #[arg(long, value_name = "FOLDER", required = true)]
    corpus: Option<PathBuf>,
    /// Sizes to build
    #[arg(long, value_name = "N", num_args = 1.., default_values_t = [10_000, 100_000])]
    chunks: Vec<u64>,
    /// Passages of the corpus that are embedded
    #[arg(long, value_name = "N", default_value_t = 4_000)]
    passages: usize,
    /// Questions to ask
    #[arg(long, value_name = "N", default_value_t = 300)]
    questions: usize,
    /// The encoder
    #[arg(long, default_value = kenning::models::DEFAULT_MODEL)]
    model: String,
    /// What all chance comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to build, and to leave what was built [default: a temporary folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Write all figures to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(subcommand)]
    step: Option<Step>,
}

/// What the program starts itself again for; each prints JSON.
#[derive(Debug, Subcommand)]
enum Step {
    #[command(hide = true)]
    Prepare {
        corpus: PathBuf,
        model: String,
        passages: usize,
        questions: usize,
        seed: u64,
        mixture: PathBuf,
    },
    #[command(hide = true)]
    Build {
        mixture: PathBuf,
        chunks: u64,
        folder: PathBuf,
    },
    #[command(hide = true)]
    Search { mixture: PathBuf, folder: PathBuf },
    /// Ask an index that was built, again and again, for a profiler to watch
    Ask {
        mixture: PathBuf,
        folder: PathBuf,
        #[arg(value_parser = steps::mode)]
        mode: Mode,
        seconds: f64,
        threads: usize,
    },
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(3)
        }
    }
}

fn run(args: Args) -> Result<()> {
    let answer = match args.step {
        None => return measure(&args),
        Some(Step::Prepare {
            corpus,
            model,
            passages,
            questions,
            seed,
            mixture,
        }) => {
            steps::prepare(&corpus, &model, passages, questions, seed, &mixture)?;
            "null".to_owned()
        }
        Some(Step::Build {
            mixture,
            chunks,
            folder,
        }) => serde_json::to_string(&steps::build(&mixture, chunks, &folder)?)?,
        Some(Step::Search { mixture, folder }) => {
            serde_json::to_string(&steps::search(&mixture, &folder)?)?
        }
        Some(Step::Ask {
            mixture,
            folder,
            mode,
            seconds,
            threads,
        }) => {
            format!(
                "{:.0}",
                steps::ask(&mixture, &folder, mode, seconds, threads)?
            )
        }
    };
    println!("{answer}");
    Ok(())
}

fn measure(args: &Args) -> Result<()> {
    let corpus = args.corpus.as_deref().ok_or("--corpus is missing")?;
    let temporary = tempfile::tempdir()?;
    let folder = args.folder.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder)?;
    let mixture = folder.join("mixture.json");
    if !mixture.is_file() {
        let numbers =
            [args.passages as u64, args.questions as u64, args.seed].map(|n| n.to_string());
        let mut step = Command::new(std::env::current_exe()?);
        step.arg("prepare")
            .arg(corpus)
            .arg(&args.model)
            .args(numbers)
            .arg(&mixture);
        let _: () = answer(&mut step)?;
    }
    let mut report = Report {
        data: DATA.to_owned(),
        corpus: corpus.display().to_string(),
        model: args.model.clone(),
        seed: args.seed,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        sizes: Vec::new(),
    };
    for &chunks in &args.chunks {
        eprintln!("{chunks} chunks");
        report
            .sizes
            .push(size(&mixture, chunks, &folder.join(chunks.to_string()))?);
        if let Some(file) = &args.json {
            std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
        }
    }
    print!("{}", report.table());
    Ok(())
}

fn size(mixture: &Path, chunks: u64, folder: &Path) -> Result<Size> {
    if folder.exists() {
        return Err(format!("{} is there already", folder.display()).into());
    }
    std::fs::create_dir_all(folder)?;
    let mut step = Command::new(std::env::current_exe()?);
    step.arg("build")
        .arg(mixture)
        .arg(chunks.to_string())
        .arg(folder);
    let built = answer(&mut step)?;
    let mut step = Command::new(std::env::current_exe()?);
    step.arg("search").arg(mixture).arg(folder);
    let found = answer(&mut step)?;
    let questions: Mixture = serde_json::from_slice(&std::fs::read(mixture)?)?;
    let questions = &questions.questions;
    let one_shot = MODES.map(|mode| one_shot(folder, mode_name(mode), questions));
    Ok(Size {
        built,
        found,
        one_shot: one_shot.into_iter().collect::<Result<_>>()?,
    })
}

/// The answer of a step that failed is what it said.
fn answer<T: serde::de::DeserializeOwned>(step: &mut Command) -> Result<T> {
    let output = step.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("a step ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn one_shot(folder: &Path, mode: &str, questions: &[String]) -> Result<Leg> {
    let program = std::env::current_exe()?.with_file_name("kenning");
    let mut times = Vec::new();
    for question in questions.iter().cycle().take(ONE_SHOTS) {
        let mut command = Command::new(&program);
        command
            .arg("search")
            .arg("--index")
            .arg(folder.join(kenning_indexer::FOLDER));
        command
            .args(["--mode", mode, "--"])
            .arg(question)
            .stdout(Stdio::null());
        let begun = Instant::now();
        let status = command
            .status()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        times.push(begun.elapsed());
        if !matches!(status.code(), Some(0 | 1)) {
            return Err(format!("kenning search ended with {status}").into());
        }
    }
    let milliseconds = Latency::of(&times).ok_or("there are too few questions")?;
    Ok(Leg {
        mode: mode.to_owned(),
        milliseconds,
    })
}
