//! Indexes that earlier versions wrote.
//!
//! `fixtures/index-v1` was written by `KENNING_WRITE_FIXTURE=1 cargo test -p kenning --test durability fixture`. A version
//! that raises [`FORMAT`] adds a folder and keeps those before: each is opened, or refused with what to do.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use kenning::index::{FORMAT, GraphOptions, IndexError};
use kenning::{Error, Index};

use super::content::{Model, document, observe, spec};

/// Segments of so many rows got a graph.
const GRAPH: GraphOptions = GraphOptions { min_rows: 20 };

fn fixture(version: u32) -> PathBuf {
    let name = format!("tests/fixtures/index-v{version}");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What the fixtures hold: twenty documents of one to three chunks, one of them replaced, one deleted.
fn content() -> Model {
    let mut model: Model = (0..20)
        .map(|number| (format!("d{number}"), (number, 1 + number as usize % 3)))
        .collect();
    model.insert("d4".into(), (100, 2));
    model.remove("d7");
    model
}

fn write(folder: &Path) {
    let index = Index::create(folder, &spec()).unwrap();
    let mut writer = index.writer().unwrap();
    for number in 0..20 {
        let (id, chunks) = (format!("d{number}"), 1 + number as usize % 3);
        writer.add(document(&id, number, chunks)).unwrap();
    }
    writer.commit().unwrap();
    let mut on = |_| ControlFlow::Continue(());
    let built = writer.build_graphs(&GraphOptions { min_rows: 10 }, &mut on);
    assert_eq!(built.unwrap().graphs.len(), 1);
    writer.add(document("d4", 100, 2)).unwrap();
    writer.delete("d7").unwrap();
    writer.commit().unwrap();
    writer.close().unwrap();
}

/// A copy of a folder, which may be written to.
fn copy(from: &Path) -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), temp.path().join(entry.file_name())).unwrap();
    }
    temp
}

fn opens_and_goes_on(folder: &Path) {
    let index = Index::open(folder).unwrap();
    let mut expected = content();
    assert_eq!(observe(&index).unwrap(), expected);
    assert_eq!(index.audit().unwrap().problems, []);
    let mut writer = index.writer().unwrap();
    writer.add(document("new", 7, 3)).unwrap();
    writer.commit().unwrap();
    expected.insert("new".into(), (7, 3));
    assert_eq!(observe(&index).unwrap(), expected);
    writer.optimize().unwrap();
    let mut on = |_| ControlFlow::Continue(());
    writer.build_graphs(&GRAPH, &mut on).unwrap();
    writer.close().unwrap();
    let index = Index::open(folder).unwrap();
    assert_eq!(observe(&index).unwrap(), expected);
    assert_eq!(index.audit().unwrap().problems, []);
}

#[test]
fn the_fixture_of_this_format_opens_and_goes_on() {
    let folder = fixture(FORMAT);
    if std::env::var_os("KENNING_WRITE_FIXTURE").is_some() {
        let _ = fs::remove_dir_all(&folder);
        write(&folder);
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if fs::metadata(&path).unwrap().len() == 0 {
                // The files of locks.
                fs::remove_file(path).unwrap();
            }
        }
    }
    let copied = copy(&folder);
    let index = Index::open(copied.path()).unwrap();
    assert_eq!(index.snapshot().unwrap().summary().unwrap().graphs, 1);
    drop(index);
    opens_and_goes_on(copied.path());
}

#[test]
fn a_commit_without_a_checksum_as_earlier_versions_wrote_it_opens_and_gets_one() {
    let copied = copy(&fixture(1));
    let path = copied.path().join("meta.json");
    let text = fs::read_to_string(&path).unwrap();
    let (body, _) = text.rsplit_once(",\n  \"crc32\"").unwrap();
    fs::write(&path, format!("{body}\n}}\n")).unwrap();
    // They wrote the names of their files down.
    fs::write(copied.path().join(".managed.json"), "[\"meta.json\"]\n").unwrap();
    opens_and_goes_on(copied.path());
    assert!(fs::read_to_string(&path).unwrap().contains("\"crc32\""));
}

#[test]
fn an_index_of_a_later_format_says_what_to_do() {
    let copied = copy(&fixture(1));
    let path = copied.path().join("meta.json");
    let text = fs::read_to_string(&path).unwrap();
    let (body, _) = text.rsplit_once(",\n  \"crc32\"").unwrap();
    let later = body.replace("\"format\": 1", "\"format\": 2");
    assert_ne!(later, body);
    fs::write(&path, format!("{later}\n}}\n")).unwrap();
    let error = Index::open(copied.path()).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the index has format 2; this version reads format 1"
    );
    assert!(matches!(error, Error::Index(IndexError::Format { .. })));
    assert!(error.hint().unwrap().contains("index the folder anew"));
}
