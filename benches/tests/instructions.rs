//! A change that makes Kenning slower is seen without a clock: the instructions of fixed pieces of work
//! (`src/bin/counted.rs`) are counted under valgrind and compared with `instructions.json`.
//!
//! `KENNING_COUNT=write cargo test --workspace --test instructions` writes that file, after a change that is meant.
//! Another compiler makes other instructions and another processor other choices: then nothing is compared.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

const WORKLOADS: [&str; 7] = ["f32", "int8", "chunk", "scan", "walk", "keyword", "hybrid"];
/// How far a count may be from what is written: tables of the standard library have other seeds each time.
const TOLERANCE: f64 = 0.03;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Counts {
    /// What was counted with.
    compiler: String,
    machine: String,
    instructions: BTreeMap<String, u64>,
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json")
}

/// What decides which instructions there are: the compiler, the kind of build, and what valgrind lets a program see of
/// the processor.
fn here() -> (String, String) {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap();
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let version = String::from_utf8(version.stdout).unwrap();
    #[cfg(target_arch = "x86_64")]
    let widest = match is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        true => "AVX2",
        false => "SSE2",
    };
    #[cfg(not(target_arch = "x86_64"))]
    let widest = "all";
    let machine = format!(
        "{} {}, {widest}",
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    (format!("{}, {build}", version.trim()), machine)
}

fn valgrind() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn counted(workload: &str, times: u64, folder: &Path) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_counted").to_owned();
    let folder = folder.to_str().unwrap().to_owned();
    vec![program, workload.to_owned(), times.to_string(), folder]
}

/// Has the weights cut as the instructions want them that valgrind has, and kept, as the first process of a model does:
/// it would be counted else.
fn prepare(workload: &str, folder: &Path) {
    let done = Command::new("valgrind")
        .args(["--tool=none", "--quiet"])
        .args(counted(workload, 0, folder))
        .status();
    assert!(done.unwrap().success(), "{workload}");
}

/// Instructions of a process that does the work so many times.
fn count(workload: &str, times: u64, folder: &Path) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        // Else a thread that yields while it looks for work goes on looking, for as long as chance has it.
        .arg("--fair-sched=yes")
        .args(counted(workload, times, folder))
        // Threads that wait for each other do so in as many instructions as it takes.
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{workload}: {told}");
    let collected = told
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    collected.unwrap().trim().parse().unwrap()
}

/// Instructions of each piece of work, done once.
fn measure(folder: &Path) -> BTreeMap<String, u64> {
    std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            scope.spawn(move || {
                let own = WORKLOADS.iter().skip(half).step_by(2);
                let each = |work: &&str| count(work, 2, folder) - count(work, 1, folder);
                own.map(|work| (String::from(*work), each(work)))
                    .collect::<Vec<_>>()
            })
        });
        halves
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    })
}

#[test]
fn no_piece_of_work_takes_more_instructions_than_written_down() {
    let Some(version) = valgrind() else {
        println!("skipped: there is no valgrind");
        return;
    };
    if let Err(reason) = kenning_benches::encoder_or_reason() {
        println!("{reason}");
        return;
    }
    let written: Option<Counts> = std::fs::read(file())
        .ok()
        .map(|bytes| serde_json::from_slice(&bytes).unwrap());
    let write = std::env::var("KENNING_COUNT").is_ok_and(|wish| wish == "write");
    let (compiler, machine) = here();
    if let Some(written) = &written
        && !write
        && (&written.compiler, &written.machine) != (&compiler, &machine)
    {
        println!(
            "skipped: counts are of {} on {}, this is {compiler} on {machine}",
            written.compiler, written.machine
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("index");
    let build = counted("build", 1, &place);
    assert!(
        Command::new(&build[0])
            .args(&build[1..])
            .status()
            .unwrap()
            .success()
    );
    for precision in ["f32", "int8"] {
        prepare(precision, &place);
    }
    let instructions = measure(&place);
    for (work, count) in &instructions {
        println!("{work}: {count} instructions ({version})");
    }
    if write {
        let counts = Counts {
            compiler,
            machine,
            instructions,
        };
        std::fs::write(file(), serde_json::to_vec_pretty(&counts).unwrap()).unwrap();
        return;
    }
    let written = written.expect("benches/instructions.json, which KENNING_COUNT=write writes");
    let changed: Vec<String> = instructions
        .iter()
        .filter_map(|(work, count)| {
            let before = *written.instructions.get(work)?;
            let ratio = *count as f64 / before as f64;
            let far = (ratio - 1.0).abs() > TOLERANCE;
            far.then(|| format!("{work}: {before} instructions were written down, now {count} ({ratio:.3} times)"))
        })
        .collect();
    assert_eq!(written.instructions.len(), WORKLOADS.len());
    assert!(
        changed.is_empty(),
        "{}\nIf that is meant: KENNING_COUNT=write cargo test --workspace --test instructions",
        changed.join("\n")
    );
}
