//! Extracts every file of a folder and prints what came of it: `extract_report FOLDER [--show NAME]`.
//!
//! With `--show NAME` it prints the text of the files whose path contains NAME instead.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use kenning::document::Structure;
use kenning_indexer::extract::{
    ExtractError, Extracted, Extractor, Limits, WorkerCommand, run_worker,
};

#[derive(Default)]
struct Row {
    files: usize,
    text: usize,
    bytes: usize,
    reasons: BTreeMap<&'static str, usize>,
    slowest: f64,
    slowest_name: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--worker") {
        return Ok(run_worker(std::io::stdin(), std::io::stdout())?);
    }
    let folder = arguments
        .first()
        .ok_or("usage: extract_report FOLDER [--show NAME]")?;
    let show = arguments
        .get(2)
        .map(|name| name.to_string_lossy().into_owned());
    let extractor = Extractor::new(Limits::default()).with_worker(WorkerCommand {
        program: std::env::current_exe()?,
        arguments: vec!["--worker".into()],
    });
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut warnings = Vec::new();
    for path in files(Path::new(folder))? {
        let name = path.strip_prefix(folder)?.display().to_string();
        if show.as_ref().is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let begun = Instant::now();
        let result = extractor.extract(&path, &bytes);
        let seconds = begun.elapsed().as_secs_f64();
        if show.is_some() {
            print(&name, &result);
            continue;
        }
        let extension = path
            .extension()
            .map(|end| end.to_string_lossy().to_lowercase());
        let row = rows.entry(extension.unwrap_or_default()).or_default();
        row.files += 1;
        if seconds > row.slowest {
            row.slowest = seconds;
            row.slowest_name.clone_from(&name);
        }
        match result {
            Ok(found) => {
                row.text += 1;
                row.bytes += found
                    .parts
                    .iter()
                    .map(|part| part.text.len())
                    .sum::<usize>();
                warnings.extend(
                    found
                        .warnings
                        .iter()
                        .map(|warning| format!("{name}: {warning}")),
                );
            }
            Err(error) => {
                *row.reasons.entry(reason(&error)).or_default() += 1;
                failures.push(format!("{name}: {error}"));
            }
        }
    }
    if show.is_none() {
        table(&rows);
        println!("\nfailures: {}", failures.len());
        failures.iter().for_each(|line| println!("  {line}"));
        println!("\nwarnings: {}", warnings.len());
        warnings.iter().for_each(|line| println!("  {line}"));
    }
    Ok(())
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn reason(error: &ExtractError) -> &'static str {
    match error {
        ExtractError::Empty => "empty",
        ExtractError::NoText { .. } => "no text",
        ExtractError::Binary => "binary",
        ExtractError::Encrypted { .. } => "encrypted",
        ExtractError::Damaged { .. } => "damaged",
        ExtractError::Unsupported { .. } => "unsupported",
        ExtractError::TimedOut { .. } => "timed out",
        ExtractError::OutOfMemory { .. } => "out of memory",
        ExtractError::Crashed { .. } => "crashed",
        ExtractError::Worker { .. } => "worker",
        ExtractError::TooLarge { .. }
        | ExtractError::TextTooLarge { .. }
        | ExtractError::UnpacksTooLarge { .. }
        | ExtractError::TooManyEntries { .. } => "too large",
    }
}

fn table(rows: &BTreeMap<String, Row>) {
    println!(
        "{:8} {:>5} {:>5} {:>9} {:>8}  slowest file / without text",
        "ending", "files", "text", "bytes", "slowest"
    );
    for (extension, row) in rows {
        let reasons: Vec<String> = row
            .reasons
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        println!(
            "{extension:8} {:5} {:5} {:9} {:7.3}s  {} / {}",
            row.files,
            row.text,
            row.bytes,
            row.slowest,
            row.slowest_name,
            reasons.join(", ")
        );
    }
    let files: usize = rows.values().map(|row| row.files).sum();
    let text: usize = rows.values().map(|row| row.text).sum();
    println!("{:8} {files:5} {text:5}", "all");
}

fn print(name: &str, result: &Result<Extracted, ExtractError>) {
    match result {
        Err(error) => println!("=== {name}: {error}"),
        Ok(found) => {
            println!(
                "=== {name}: {} {}",
                found.format.name(),
                found.encoding.unwrap_or_default()
            );
            for part in &found.parts {
                println!(
                    "--- {:?} {:?} {:?}",
                    part.fragment, part.title, part.metadata
                );
                match &part.structure {
                    Structure::Blocks(blocks) => {
                        for block in blocks {
                            let page = block
                                .page
                                .map(|page| format!("@{page}"))
                                .unwrap_or_default();
                            println!("{:?}{page}: {}", block.kind, &part.text[block.span.clone()]);
                        }
                    }
                    other => println!("{other:?}\n{}", part.text),
                }
            }
            found
                .warnings
                .iter()
                .for_each(|warning| println!("warning: {warning}"));
        }
    }
}
