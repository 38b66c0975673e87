//! `--max-memory` is kept, also where the files are many times as large. `cargo run --release -p kenning-benches --bin
//! memory` measures more of it.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::bench::{Bench, Done, model};

/// Runs a command to its end; the most memory that its process had, in MiB.
fn peak(command: &mut Command) -> (Done, u64) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes =
            line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        most = most.max(kibibytes.unwrap_or_default() >> 10);
        std::thread::sleep(Duration::from_millis(2));
    }
    (Done::of(child.wait_with_output().unwrap()), most)
}

/// So many megabytes in files of six: words too long to be any, of which little is to be embedded.
fn large(bench: &Bench, files: usize) {
    let word = "x".repeat(120);
    for file in 0..files {
        let mut text = String::new();
        while text.len() < 6 << 20 {
            text += &format!("{word} {file} {}\n", text.len());
        }
        bench.write(&format!("{file}.txt"), text);
    }
}

#[test]
fn a_limit_on_memory_is_kept() {
    const LIMIT: u64 = 512;
    let bench = Bench::empty();
    large(&bench, 5);
    let model = model();
    let index = [
        "index",
        "--json",
        "--threads",
        "2",
        "--model",
        model.to_str().unwrap(),
    ];
    let limit = LIMIT.to_string();
    let (done, most) = peak(&mut bench.command(&[&index[..], &["--max-memory", &limit]].concat()));
    assert_eq!(done.code, 0, "{}", done.talk);
    assert_eq!(done.json()["added"], 5);
    println!("{most} MiB of {LIMIT}");
    assert!(most > 50 && most <= LIMIT, "{most} MiB of {LIMIT}");
}

#[test]
fn a_limit_that_cannot_be_kept_is_an_error_and_a_file_too_large_for_it_is_named() {
    let bench = Bench::empty();
    large(&bench, 2);
    bench.write("small.md", "Ants carry leaves.\n");
    let model = model();
    let index = ["index", "--json", "--model", model.to_str().unwrap()];
    bench
        .run(&[&index[..], &["--max-memory", "20"]].concat())
        .assert_error(3, "too few");
    let mut command = bench.command(&index);
    command.env("KENNING_MAX_MEMORY", "20");
    Done::of(command.output().unwrap()).assert_error(3, "too few");
    bench.write("large.txt", "word ".repeat(4 << 20));
    let done = bench.run(&[&index[..], &["--max-memory", "512"]].concat());
    let report = done.json();
    assert_eq!(report["added"], 3, "{report}");
    assert_eq!(report["skipped"][0]["path"], "large.txt", "{report}");
    assert!(
        report["skipped"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("the limit is"),
        "{report}"
    );
}

/// It was ignored by commands that have no option of that name.
#[test]
fn a_limit_in_the_environment_that_makes_no_sense_is_told() {
    let bench = Bench::with(&[("a.md", "Ants carry leaves.\n")]);
    let model = model();
    let model = ["--model", model.to_str().unwrap()];
    let search = |limit| {
        let search = ["search", "--in", ".", "ants"];
        let mut command = bench.command(&[&search[..], &model].concat());
        command.env("KENNING_MAX_MEMORY", limit);
        Done::of(command.output().unwrap())
    };
    for limit in ["lots", "0", "-1"] {
        search(limit).assert_error(2, "--max-memory");
    }
    search("20").assert_error(3, "too few");
}
