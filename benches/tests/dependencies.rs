//! What the programs are built of: licences that allow it, from the one registry, in one version where that can be.
//! What cargo itself knows is asked, without the network.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Licences under which a dependency may be used: none asks for more than to be named.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    // The certificates of authorities, which are data.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "zlib-acknowledgement",
];

/// Dependencies of which there are several versions, because those that need them do not agree. One that is not here
/// is new: is it worth its time to build? One that is gone leaves the list.
const SEVERAL: [&str; 22] = [
    "base64",
    "constant_time_eq",
    "darling",
    "darling_core",
    "darling_macro",
    "fancy-regex",
    "fax",
    "foldhash",
    "getrandom",
    "hashbrown",
    "itertools",
    "miniz_oxide",
    "nix",
    "nom",
    "parking_lot",
    "parking_lot_core",
    "rand",
    "rand_core",
    "syn",
    "thiserror",
    "thiserror-impl",
    "weezl",
];

/// The packages that a build for this platform consists of.
fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--offline",
        "--locked",
        "--manifest-path",
        manifest,
    ];
    let platform = ["--filter-platform", "x86_64-unknown-linux-gnu"];
    let output = Command::new(cargo)
        .args(arguments)
        .args(platform)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let used: BTreeSet<&str> = nodes
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    let all = metadata["packages"].as_array().unwrap().iter();
    all.filter(|package| used.contains(package["id"].as_str().unwrap()))
        .cloned()
        .collect()
}

/// Whether an expression such as `(MIT OR Apache-2.0) AND Unicode-3.0` can be met with what is allowed; `/` is the old
/// way to write `OR`.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(" WITH ", "~");
    let mut words = spaced.split_whitespace().peekable();
    let met = either(&mut words);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words) -> bool {
    let mut met = both(words);
    while words.next_if_eq(&"OR").is_some() {
        met |= both(words);
    }
    met
}

fn both(words: &mut Words) -> bool {
    let mut met = one(words);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words);
    }
    met
}

fn one(words: &mut Words) -> bool {
    match words.next() {
        Some("(") => {
            let met = either(words);
            words.next_if_eq(&")").is_some() && met
        }
        Some(licence) => ALLOWED.contains(&licence.replace('~', " WITH ").as_str()),
        None => false,
    }
}

#[test]
fn licences_are_read_as_they_are_meant() {
    for expression in [
        "MIT",
        "GPL-3.0 OR MIT",
        "Apache-2.0/MIT",
        "(MIT OR X) AND Zlib",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(is_allowed(expression), "{expression}");
    }
    for expression in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR X) AND Y",
        "",
        "MIT)",
        "Apache-2.0 WITH X",
    ] {
        assert!(!is_allowed(expression), "{expression}");
    }
}

#[test]
fn every_dependency_may_be_used_and_comes_from_the_registry() {
    let packages = packages();
    assert!(packages.len() > 100);
    for package in &packages {
        let name = &package["name"];
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(licence), "{name} is under {licence:?}");
        match package["source"].as_str() {
            None => assert!(
                name.as_str().unwrap().starts_with("kenning"),
                "{name} comes from a folder"
            ),
            Some(source) => assert_eq!(
                source, "registry+https://github.com/rust-lang/crates.io-index",
                "{name}"
            ),
        }
    }
}

#[test]
fn no_dependency_is_built_twice_but_those_that_are_known() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let text = |field: &str| package[field].as_str().unwrap().to_owned();
        versions
            .entry(text("name"))
            .or_default()
            .insert(text("version"));
    }
    let several: Vec<&str> = versions
        .iter()
        .filter(|(_, all)| all.len() > 1)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(several, SEVERAL);
}
