//! Every `unsafe` in the programs and libraries has a comment that says why it is sound, and is in docs/unsafe.md.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Comments stand at most so many lines above what they are about.
const ABOVE: usize = 8;

/// A file and a function in it.
type Place = (String, String);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The Rust files of all crates, tests left out.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in
        ["engine", "indexer", "cli", "datasets", "benches"].map(|name| format!("{name}/src"))
    {
        let mut folders = vec![root().join(&folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let name = path
                        .strip_prefix(root())
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned();
                    found.push((name, text));
                }
            }
        }
    }
    assert!(found.len() > 100);
    found
}

/// A line without its comment and its texts.
fn code(line: &str) -> String {
    let line = line.split("//").next().unwrap();
    let outside = line.split('"').step_by(2);
    outside.collect::<Vec<_>>().join(" ")
}

fn has_word(line: &str, word: &str) -> bool {
    code(line)
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|found| found == word)
}

/// The name of the function or macro that a line is in.
fn function(lines: &[&str], at: usize) -> String {
    let name = |line: &&str| {
        let line = code(line);
        let after = line
            .split_once("fn ")
            .or_else(|| line.split_once("macro_rules! "))?
            .1;
        let name: String = after
            .chars()
            .take_while(|c| c.is_alphanumeric() || "_$".contains(*c))
            .collect();
        (!name.is_empty()).then_some(name)
    };
    lines[..=at].iter().rev().find_map(name).unwrap()
}

#[test]
fn every_unsafe_has_a_reason_and_is_listed() {
    let mut places: BTreeSet<Place> = BTreeSet::new();
    let mut bare = Vec::new();
    for (file, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, _) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| has_word(line, "unsafe"))
        {
            places.insert((file.clone(), function(&lines, at)));
            let above = &lines[at.saturating_sub(ABOVE)..=at];
            if !above
                .iter()
                .any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
            {
                bare.push(format!("{file}:{}", at + 1));
            }
        }
    }
    assert!(bare.is_empty(), "without a SAFETY comment: {bare:?}");
    let list = std::fs::read_to_string(root().join("engine/docs/unsafe.md")).unwrap();
    let mut listed: BTreeSet<Place> = BTreeSet::new();
    for row in list.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert!(
            cells.len() == 5 && !cells[3].is_empty(),
            "no reason in {row:?}"
        );
        listed.insert((
            cells[1].trim_matches('`').to_owned(),
            cells[2].trim_matches('`').to_owned(),
        ));
    }
    let missing: Vec<&Place> = places.difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "not in engine/docs/unsafe.md: {missing:?}"
    );
    let stale: Vec<&Place> = listed.difference(&places).collect();
    assert!(
        stale.is_empty(),
        "in engine/docs/unsafe.md and not in the source: {stale:?}"
    );
}

#[test]
fn what_looks_like_unsafe_is_told_from_what_is() {
    assert!(has_word("    let x = unsafe { 1 };", "unsafe"));
    assert!(!has_word("    // unsafe { 1 }", "unsafe"));
    assert!(!has_word("    \"pub unsafe fn raw\",", "unsafe"));
    assert!(!has_word("#[allow(unused_unsafe)]", "unsafe"));
    let lines = ["fn outer() {", "    // fn comment", "    unsafe { 1 }"];
    assert_eq!(function(&lines, 2), "outer");
}
