//! Damaged and hostile models never bring the program down: whatever is in the folder, there is an error of one
//! line or a model that works, in bounded time and memory.
//!
//! The cases run in a process of their own, so that one that ends it is found too. A case is a number, which
//! makes all its edits. For a longer search than the usual run of the tests: `KENNING_FUZZ_CASES` is how many
//! cases there are, `KENNING_FUZZ_FIRST` the first; `KENNING_FUZZ_KEEP` a folder to which the models that made
//! trouble are written.

#![allow(clippy::unwrap_used)]

mod bases;
mod bugs;
mod bugs_in_tokenizers;
mod case;
mod charsmap;
mod edits;
mod memory;
mod noise;
mod tensors;
mod tokens;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn setting(name: &str, usual: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.and_then(|value| value.parse().ok()).unwrap_or(usual)
}

#[test]
fn hostile_folders_end_in_an_error_or_a_model_that_works() {
    let mut first = setting("KENNING_FUZZ_FIRST", 0);
    let end = first + setting("KENNING_FUZZ_CASES", 700);
    let notes = tempfile::tempdir().unwrap();
    let mut troubles = Vec::new();
    while first < end {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "cases",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("KENNING_FUZZ_RANGE", format!("{first} {end}"))
            .env("KENNING_FUZZ_NOTES", notes.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let note = |name: &str| fs::read_to_string(notes.path().join(name)).unwrap_or_default();
        troubles.extend(note("troubles").lines().map(str::to_owned));
        let _ = fs::remove_file(notes.path().join("troubles"));
        if child.status.success() {
            println!("{}", note("done"));
            break;
        }
        // It was ended by a case: the rest runs in another.
        let current = note("current");
        let number = current
            .split(' ')
            .next()
            .and_then(|number| number.parse::<u64>().ok());
        let errors = String::from_utf8_lossy(&child.stderr).replace('\n', " ");
        let errors: String = errors.chars().take(300).collect();
        troubles.push(format!("{current}: ended by {}: {errors}", child.status));
        println!("{}", troubles[troubles.len() - 1]);
        first = number.expect("the process ended before its first case") + 1;
    }
    assert!(
        troubles.is_empty(),
        "{} cases:\n{}",
        troubles.len(),
        troubles.join("\n")
    );
}

/// Runs the cases of a range and notes what goes wrong.
#[test]
#[ignore = "run by the other test, in a process of its own"]
fn cases() {
    let range = std::env::var("KENNING_FUZZ_RANGE").unwrap();
    let notes = std::env::var("KENNING_FUZZ_NOTES").unwrap();
    let (first, end) = range.split_once(' ').unwrap();
    case::run(
        first.parse().unwrap()..end.parse().unwrap(),
        Path::new(&notes),
    );
}
