//! Whether `kenning index --max-memory` keeps its word: makes a folder of large files, indexes it with and without a
//! limit, and tells the most memory that the process and those that it started had.
//!
//! `cargo build --release --workspace && target/release/memory [--megabytes N | --files N] [--limits MB...]`
//!
//! The files repeat each other's paragraphs in another order, so that most of their vectors are known: what takes
//! memory is the same, and what takes time is not.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;

/// Measure the memory of an index run under limits.
#[derive(Debug, Parser)]
struct Args {
    /// How large the folder is
    #[arg(long, value_name = "N", default_value_t = 40)]
    megabytes: usize,
    /// How large each file is
    #[arg(long, value_name = "N", default_value_t = 5)]
    file_megabytes: usize,
    /// Rather so many files of a line, in one folder
    #[arg(long, value_name = "N")]
    files: Option<usize>,
    /// Limits to try, in megabytes; 0 is none
    #[arg(long, value_name = "MB", num_args = 1.., default_values_t = [0, 512, 640, 768])]
    limits: Vec<u64>,
    /// The encoder
    #[arg(long, default_value = kenning::models::DEFAULT_MODEL)]
    model: String,
}

/// Different paragraphs in the folder.
const PARAGRAPHS: u64 = 300;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(3)
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (documents, program) = (folder.path().join("documents"), program()?);
    write_files(&documents, args)?;
    println!("| limit | most memory, MiB | with its workers | time, s | files |");
    println!("|---|---|---|---|---|");
    for limit in &args.limits {
        let index = folder.path().join(format!("index-{limit}"));
        let mut command = Command::new(&program);
        command
            .arg("index")
            .arg(&documents)
            .arg("--index")
            .arg(&index);
        command.args(["--json", "--model", &args.model]);
        if *limit > 0 {
            command.args(["--max-memory", &limit.to_string()]);
        }
        let begun = Instant::now();
        let (report, own, all) = watch(&mut command)?;
        let shown = if *limit == 0 {
            "none".to_owned()
        } else {
            limit.to_string()
        };
        let added = report["added"].as_u64().unwrap_or_default();
        println!(
            "| {shown} | {own} | {all} | {:.0} | {added} |",
            begun.elapsed().as_secs_f64()
        );
        fs::remove_dir_all(index)?;
    }
    Ok(())
}

/// The program, built beside this one.
fn program() -> Result<PathBuf, Box<dyn Error>> {
    let beside = std::env::current_exe()?.with_file_name("kenning");
    match beside.is_file() {
        true => Ok(beside),
        false => Err(format!(
            "{} is not there: build the workspace first",
            beside.display()
        )
        .into()),
    }
}

/// Files of paragraphs, each under a heading of its own, so that chunks are the same in all.
fn write_files(folder: &Path, args: &Args) -> std::io::Result<()> {
    fs::create_dir(folder)?;
    for file in 0..args.files.unwrap_or_default() {
        fs::write(
            folder.join(format!("{file}.txt")),
            format!("Note {} of many.\n", file % 100),
        )?;
    }
    if args.files.is_some() {
        return Ok(());
    }
    let paragraphs: Vec<String> = (0..PARAGRAPHS).map(paragraph).collect();
    let mut state = 7u64;
    for file in 0..args.megabytes.div_ceil(args.file_megabytes) {
        let mut text = String::new();
        while text.len() < args.file_megabytes << 20 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text += &paragraphs[(state >> 33) as usize % paragraphs.len()];
        }
        fs::write(folder.join(format!("{file}.md")), text)?;
    }
    Ok(())
}

fn paragraph(number: u64) -> String {
    const WORDS: [&str; 16] = [
        "water",
        "harbour",
        "letters",
        "of",
        "the",
        "winter",
        "engine",
        "and",
        "a",
        "quarrel",
        "about",
        "bread",
        "under",
        "bridges",
        "were",
        "forgotten",
    ];
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let words: Vec<&str> = (0..160)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            WORDS[(state >> 40) as usize % WORDS.len()]
        })
        .collect();
    format!("# Section {number}\n\n{}.\n\n", words.join(" "))
}

/// Runs a command; its report, the most memory that its process had and the most that it had together with those that
/// it started, in MiB.
fn watch(command: &mut Command) -> Result<(serde_json::Value, u64, u64), Box<dyn Error>> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (mut own, mut all) = (0, 0);
    while child.try_wait()?.is_none() {
        let mine = kibibytes(child.id(), "VmHWM:");
        let started: u64 = children(child.id())
            .into_iter()
            .map(|id| kibibytes(id, "VmRSS:"))
            .sum();
        own = own.max(mine);
        all = all.max(kibibytes(child.id(), "VmRSS:") + started);
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    let report = serde_json::from_slice(&output.stdout)?;
    Ok((report, own >> 10, own.max(all) >> 10))
}

fn kibibytes(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    number.unwrap_or_default()
}

fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let listed = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    listed
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}
