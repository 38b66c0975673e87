//! Bytes that were flipped, cut off or lost: an error names the file, or what is derived is done without. Never is a
//! wrong answer given, and nothing panics.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kenning::Index;
use kenning::index::{GraphOptions, Problem};

use super::content::{Model, Random, document, observe, spec};
use super::{panics, setting};

/// Every byte of files up to this size is flipped, of others some.
const SMALL: usize = 256;

/// An index of some segments, one with a graph, some with deletes; and what it holds.
fn build(folder: &Path) -> Model {
    let mut model = Model::new();
    let index = Index::create(folder, &spec()).unwrap();
    let mut writer = index.writer().unwrap();
    let mut add = |writer: &mut kenning::IndexWriter, numbers: std::ops::Range<u64>| {
        for number in numbers {
            let (id, chunks) = (format!("d{number}"), 1 + number as usize % 3);
            writer.add(document(&id, number, chunks)).unwrap();
            model.insert(id, (number, chunks));
        }
        writer.commit().unwrap();
    };
    add(&mut writer, 0..20);
    let mut on = |_| ControlFlow::Continue(());
    let options = GraphOptions { min_rows: 20 };
    writer.build_graphs(&options, &mut on).unwrap();
    add(&mut writer, 20..26);
    writer.delete("d3").unwrap();
    writer.commit().unwrap();
    writer.close().unwrap();
    model.remove("d3");
    model
}

/// The files that hold anything.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap();
    let files = entries.map(|entry| {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    });
    files.filter(|(_, bytes)| !bytes.is_empty()).collect()
}

/// Damaged forms of a file, each with a name; `None` for one that is gone.
fn damaged(bytes: &[u8], random: &mut Random) -> Vec<(String, Option<Vec<u8>>)> {
    let samples = setting("KENNING_DAMAGE_SAMPLES", 12) as usize;
    let mut forms = vec![("lost".to_owned(), None)];
    let mut cuts = vec![0, 1, 4, 7, 8, bytes.len() - 1];
    cuts.extend((0..samples / 2).map(|_| random.below(bytes.len())));
    for cut in cuts {
        let cut = cut.min(bytes.len() - 1);
        forms.push((format!("cut at {cut}"), Some(bytes[..cut].to_vec())));
    }
    let flips: Vec<usize> = match bytes.len() <= SMALL {
        true => (0..bytes.len()).collect(),
        // Most of what is read first is at the ends.
        false => (0..samples)
            .map(|n| match n % 3 {
                0 => random.below(bytes.len()),
                1 => random.below(SMALL),
                _ => bytes.len() - 1 - random.below(SMALL),
            })
            .collect(),
    };
    for at in flips {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << random.below(8);
        forms.push((format!("a bit of byte {at}"), Some(flipped)));
    }
    let longer = [bytes, b"and more"].concat();
    forms.push(("longer".to_owned(), Some(longer)));
    forms.push(("zeros".to_owned(), Some(vec![0; bytes.len()])));
    forms
}

fn put(path: &Path, bytes: Option<&Vec<u8>>) {
    match bytes {
        Some(bytes) => fs::write(path, bytes).unwrap(),
        None => fs::remove_file(path).unwrap(),
    }
}

/// Opens and reads everything. An error names the file.
fn read(folder: &Path, file: &str) -> Result<Model, ()> {
    let opened = Index::open(folder).map_err(|error| error.to_string());
    let read = opened.and_then(|index| observe(&index));
    read.map_err(|error| {
        let lost_commit = file == "meta.json" && error.contains("no index at");
        assert!(error.contains(file) || lost_commit, "{error}");
    })
}

/// Where the footer begins that tantivy puts at the end of a file: JSON, its length, and a magic number. Not every bit
/// of it is of use.
fn footer(bytes: &[u8]) -> usize {
    let tail = bytes.len() - 8;
    let length = u32::from_le_bytes(bytes[tail..tail + 4].try_into().unwrap());
    tail - length as usize
}

fn check(folder: &Path, (path, whole): (&Path, &[u8]), expected: &Model) {
    let file = path.file_name().unwrap().to_str().unwrap();
    let graph = file.ends_with(".hnsw");
    let derived = graph || file == "verified.json";
    let found = Index::check_files(folder);
    match read(folder, file) {
        Ok(model) => {
            assert_eq!(model, *expected, "a wrong answer");
            assert_eq!(found.unwrap().problems, [], "it is read, and reported");
        }
        Err(()) => {
            assert!(!derived, "it could be made again");
            match found {
                Ok(audit) => {
                    let told = audit.problems.iter().any(|p| p.to_string().contains(file));
                    assert!(told, "{:?}", audit.problems);
                }
                Err(error) => assert_eq!(file, "meta.json", "{error}"),
            }
        }
    }
    if graph && path.exists() {
        let problems = Index::open(folder).unwrap().audit().unwrap().problems;
        let told = matches!(problems[..], [Problem::Graph { .. }]);
        let found = fs::read(path).unwrap();
        let own = footer(whole);
        let is_own = found.len() != whole.len() || found[..own] != whole[..own];
        assert!(told || !is_own && problems.is_empty(), "{problems:?}");
    }
}

#[test]
fn damage_to_any_file_is_an_error_that_names_it_or_is_healed() {
    let temp = tempfile::tempdir().unwrap();
    let expected = build(temp.path());
    settle(temp.path());
    let files = files(temp.path());
    assert!(files.keys().any(|path| path.ends_with("verified.json")));
    let panicked = panics();
    let mut random = Random(1);
    for (path, bytes) in &files {
        for (form, damaged) in damaged(bytes, &mut random) {
            println!("{}: {form}", path.display());
            put(path, damaged.as_ref());
            check(temp.path(), (path, bytes), &expected);
            put(path, Some(bytes));
        }
    }
    assert_eq!(panics(), panicked, "a thread panicked");
    assert_eq!(read(temp.path(), ""), Ok(expected));
}

/// Waits until changes must show in times of files, and lets the index note which of its files are whole.
fn settle(folder: &Path) {
    std::thread::sleep(Duration::from_millis(2_100));
    Index::open(folder).unwrap().snapshot().unwrap();
}

fn one_of(folder: &Path, extension: &str) -> PathBuf {
    let mut paths = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let has = |path: &PathBuf| path.extension().is_some_and(|e| e == extension);
    paths.find(has).unwrap()
}

#[test]
fn a_damaged_graph_is_done_without_and_built_anew() {
    let temp = tempfile::tempdir().unwrap();
    let mut expected = build(temp.path());
    let graph = one_of(temp.path(), "hnsw");
    let mut bytes = fs::read(&graph).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&graph, bytes).unwrap();
    let index = Index::open(temp.path()).unwrap();
    let mut writer = index.writer().unwrap();
    writer.add(document("new", 99, 1)).unwrap();
    writer.commit().unwrap();
    expected.insert("new".into(), (99, 1));
    assert_eq!(observe(&index).unwrap(), expected);
    assert_eq!(index.snapshot().unwrap().summary().unwrap().graphs, 0);
    let mut on = |_| ControlFlow::Continue(());
    let options = GraphOptions { min_rows: 20 };
    writer.build_graphs(&options, &mut on).unwrap();
    assert_eq!(index.snapshot().unwrap().summary().unwrap().graphs, 1);
    assert_eq!(index.audit().unwrap().problems, []);
    assert_eq!(observe(&index).unwrap(), expected);
}

#[test]
fn a_file_with_its_old_time_back_is_compared_again() {
    let temp = tempfile::tempdir().unwrap();
    build(temp.path());
    settle(temp.path());
    let store = one_of(temp.path(), "store");
    let modified = fs::metadata(&store).unwrap().modified().unwrap();
    let mut bytes = fs::read(&store).unwrap();
    bytes[20] ^= 1;
    fs::write(&store, bytes).unwrap();
    let file = fs::File::options().write(true).open(&store).unwrap();
    file.set_modified(modified).unwrap();
    let name = store.file_name().unwrap().to_str().unwrap();
    assert_eq!(read(temp.path(), name), Err(()));
}

/// Only a medium that changes bits by itself can do this: it is made up by a note that says the file is whole.
#[test]
fn what_a_stamp_cannot_show_is_found_by_reading_everything() {
    use std::os::unix::fs::MetadataExt;
    let temp = tempfile::tempdir().unwrap();
    build(temp.path());
    settle(temp.path());
    let store = one_of(temp.path(), "store");
    let name = store.file_name().unwrap().to_str().unwrap().to_owned();
    let mut bytes = fs::read(&store).unwrap();
    bytes[20] ^= 1;
    fs::write(&store, bytes).unwrap();
    let notes = temp.path().join("verified.json");
    let text = fs::read_to_string(&notes).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json.as_object_mut().unwrap().remove("crc32").unwrap();
    let file = fs::metadata(&store).unwrap();
    let nanoseconds = |seconds: i64, rest: i64| seconds * 1_000_000_000 + rest;
    let stamp = &mut json["files"][&name];
    stamp["modified"] = nanoseconds(file.mtime(), file.mtime_nsec()).into();
    stamp["changed"] = nanoseconds(file.ctime(), file.ctime_nsec()).into();
    let text = serde_json::to_string_pretty(&json).unwrap();
    let body = text.strip_suffix("\n}").unwrap();
    let sum = crc32fast::hash(body.as_bytes());
    fs::write(&notes, format!("{body},\n  \"crc32\": \"{sum:08x}\"\n}}\n")).unwrap();
    let index = Index::open(temp.path()).unwrap();
    assert!(index.snapshot().is_ok(), "the note is believed");
    let damaged = [Problem::Checksum { file: name }];
    let found = Index::check_files(temp.path()).unwrap();
    assert_eq!(found.problems, damaged);
    assert_eq!(index.audit().unwrap().problems, damaged);
}

#[test]
fn an_index_whose_notes_cannot_be_written_is_compared_each_time() {
    let temp = tempfile::tempdir().unwrap();
    let expected = build(temp.path());
    // Nothing can be renamed over a folder that is not empty.
    fs::create_dir_all(temp.path().join("verified.json/in the way")).unwrap();
    settle(temp.path());
    assert_eq!(read(temp.path(), ""), Ok(expected));
    let term = one_of(temp.path(), "term");
    let mut bytes = fs::read(&term).unwrap();
    bytes[3] ^= 1;
    fs::write(&term, bytes).unwrap();
    let name = term.file_name().unwrap().to_str().unwrap();
    assert_eq!(read(temp.path(), name), Err(()));
}
