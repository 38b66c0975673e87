//! What must never happen to an index, through its public interface.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kenning::document::{Block, BlockKind};
use kenning::encoder::EncoderSpec;
use kenning::encoder::{Encoder, EncoderOptions};
use kenning::index::{EmbeddedDocument, FORMAT, IndexError};
use kenning::{Document, Error, Index, Mode, SearchRequest, Structure, Value};

fn spec() -> EncoderSpec {
    common::spec(4, 64)
}

fn document(id: &str, chunks: u32, text: &str) -> EmbeddedDocument {
    let texts = (0..chunks).map(|ordinal| format!("{text} {ordinal}"));
    EmbeddedDocument {
        title: text.to_owned(),
        ..common::document(id, texts.collect(), 3, &[0.5; 4])
    }
}

fn index_error(error: Error) -> IndexError {
    match error {
        Error::Index(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::create(folder.path(), &spec()).unwrap();
    let first = index.writer().unwrap();
    let other = Index::open(folder.path()).unwrap();
    for index in [&index, &other] {
        let error = index.writer().map(|_| ()).unwrap_err();
        assert!(matches!(index_error(error), IndexError::Locked { .. }));
    }
    drop(first);
    other.writer().unwrap();
}

#[test]
fn an_index_is_not_made_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Index::open(folder.path()).map(|_| ()).unwrap_err();
    assert!(matches!(index_error(missing), IndexError::NotFound { .. }));
    Index::create(folder.path(), &spec()).unwrap();
    let error = Index::create(folder.path(), &spec())
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(index_error(error), IndexError::Exists { .. }));
}

#[test]
fn an_index_of_another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    Index::create(folder.path(), &spec()).unwrap();
    let path = folder.path().join("meta.json");
    let meta = std::fs::read_to_string(&path).unwrap();
    let ours = format!("\"format\":{FORMAT}");
    let mut meta: serde_json::Value = serde_json::from_str(&meta).unwrap();
    let text = meta.to_string();
    assert!(text.contains(&ours), "{text}");
    for (theirs, found) in [("\"format\":77", "77"), ("\"other\":1", "unknown")] {
        meta = serde_json::from_str(&text.replace(&ours, theirs)).unwrap();
        std::fs::write(&path, meta.to_string()).unwrap();
        let error = Index::open(folder.path()).map(|_| ()).unwrap_err();
        match index_error(error) {
            IndexError::Format {
                found: f,
                supported,
            } => {
                assert_eq!((f.as_str(), supported), (found, FORMAT));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn what_cannot_be_stored_is_refused_and_the_writer_goes_on() {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    writer.add(document("good", 2, "one two")).unwrap();
    let good = || document("bad", 2, "one two");
    let vector = |vector: Vec<f32>| {
        let mut bad = good();
        bad.embeddings[1] = vector;
        bad
    };
    let fact = |value: Value| {
        let mut bad = good();
        bad.metadata.insert("n".into(), value);
        bad
    };
    let tokens = EmbeddedDocument {
        tokens: 7,
        ..good()
    };
    let embeddings = EmbeddedDocument {
        embeddings: vec![vec![0.5; 4]],
        ..good()
    };
    let cases = [
        (document("", 1, "x"), "id is empty"),
        (document(&"x".repeat(70_000), 1, "x"), "70000 bytes"),
        (vector(vec![0.5; 3]), "3 components, expected 4"),
        (vector(vec![f32::NAN; 4]), "length NaN"),
        (vector(vec![f32::INFINITY; 4]), "length inf"),
        (vector(vec![0.0; 4]), "length 0"),
        (vector(vec![0.7; 4]), "length 1.4"),
        (tokens, "hold 6 of its 7 tokens"),
        (embeddings, "2 chunks and 1 vectors"),
        (fact(Value::Float(f64::NAN)), "\"n\" is NaN"),
        (
            fact(Value::List(vec![Value::Float(f64::INFINITY)])),
            "\"n\" is inf",
        ),
    ];
    for (bad, reason) in cases {
        let error = writer.add(bad).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(matches!(index_error(error), IndexError::Document { .. }));
    }
    writer.add(document("also good", 1, "one two")).unwrap();
    writer.commit().unwrap();
    assert_eq!(index.snapshot().unwrap().documents(), 2);
    assert_eq!(index.audit().unwrap().problems, []);
}

/// Reads until told to stop. Every commit holds documents of equal numbers of chunks, all of one round.
fn read(index: &Index, stop: impl Fn() -> bool) -> u64 {
    let mut snapshots = 0;
    let request = SearchRequest::new("round").with_limit(1_000);
    while !stop() || snapshots == 0 {
        let snapshot = index.snapshot().unwrap();
        let mut titles = Vec::new();
        let visited = snapshot.for_each_document(|id, stored| {
            assert_eq!(stored.chunks, 5, "{id}");
            titles.push(stored.title);
            Ok(())
        });
        visited.unwrap();
        titles.dedup();
        assert!(titles.len() <= 1, "two rounds at once: {titles:?}");
        assert_eq!(snapshot.chunks(), 5 * snapshot.documents());
        let found = snapshot.search(&request, Some(&[0.5; 4])).unwrap();
        assert_eq!(found.hits.len() as u64, snapshot.documents());
        snapshots += 1;
    }
    snapshots
}

/// Writes whole rounds: every document anew, with merges in the background and now and then by force.
fn write_rounds(index: &Index, rounds: u32) {
    let mut writer = index.writer().unwrap();
    for round in 0..rounds {
        for number in 0..12 {
            writer
                .add(document(
                    &format!("d{number}"),
                    5,
                    &format!("round {round}"),
                ))
                .unwrap();
        }
        writer.commit().unwrap();
        if round % 7 == 6 {
            writer.optimize().unwrap();
        }
    }
    writer.close().unwrap();
}

#[test]
fn readers_see_whole_commits_while_a_writer_commits_and_merges() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::create(folder.path(), &spec()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // One reader shares the writer's index, one has opened its own.
        let other = Index::open(folder.path()).unwrap();
        for index in [index.clone(), other] {
            let done = &done;
            scope.spawn(move || read(&index, || done.load(Ordering::Relaxed)));
        }
        let mut other_process = reader_process(folder.path());
        write_rounds(&index, 40);
        done.store(true, Ordering::Relaxed);
        std::fs::write(folder.path().join(STOP), "").unwrap();
        assert!(other_process.wait().unwrap().success());
    });
}

const READER: &str = "KENNING_TEST_READER";
const STOP: &str = "stop-reading";

/// This test's binary, started anew to be a reader.
fn reader_process(folder: &Path) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "reader_of_another_process"])
        .env(READER, folder)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Does nothing unless started by [`reader_process`].
#[test]
fn reader_of_another_process() {
    let Some(folder) = std::env::var_os(READER) else {
        return;
    };
    let folder = Path::new(&folder);
    while !folder.join(STOP).exists() {
        // Opened anew each time, as every run of a program does.
        read(&Index::open(folder).unwrap(), || true);
    }
}

#[test]
fn ties_are_ordered_by_id_however_many_there_are() {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    let name = |number: u32| format!("{:04}", number * 7_919 % 3_000);
    for number in 0..3_000 {
        writer
            .add(document(&name(number), 1, "same words"))
            .unwrap();
        if number % 1_100 == 1_000 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    let expected: Vec<String> = (0..10).map(|number| format!("{number:04}")).collect();
    for merged in [false, true] {
        if merged {
            writer.optimize().unwrap();
        }
        let snapshot = index.snapshot().unwrap();
        for mode in [Mode::Keyword, Mode::Semantic, Mode::Hybrid] {
            let request = SearchRequest::new("words").with_mode(mode);
            let found = snapshot.search(&request, Some(&[0.5; 4])).unwrap();
            let ids: Vec<String> = found.hits.into_iter().map(|hit| hit.id).collect();
            assert_eq!(ids, expected, "{mode:?}, merged: {merged}");
        }
    }
}

#[test]
fn no_limit_is_too_large() {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    for number in 0..30 {
        writer
            .add(document(&format!("{number:02}"), 1, "words"))
            .unwrap();
    }
    writer.commit().unwrap();
    let mut request = SearchRequest::new("words").with_limit(usize::MAX);
    request.offset = 20;
    let found = index.snapshot().unwrap();
    let found = found.search(&request, Some(&[0.5; 4])).unwrap();
    assert_eq!(found.hits.len(), 10);
}

#[test]
fn a_query_vector_that_is_no_direction_is_refused() {
    let index = Index::in_memory(&spec()).unwrap();
    let snapshot = index.snapshot().unwrap();
    let request = SearchRequest::new("words");
    for vector in [[f32::NAN; 4], [f32::INFINITY; 4], [3.0; 4]] {
        let error = snapshot.search(&request, Some(&vector)).unwrap_err();
        assert!(error.to_string().contains("length"), "{error}");
    }
    assert!(snapshot.search(&request, Some(&[0.5; 4])).is_ok());
}

fn encoder(options: &EncoderOptions) -> Arc<Encoder> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/encoders/bert");
    Arc::new(Encoder::open(Path::new(folder), options).unwrap())
}

#[test]
fn an_index_of_another_encoder_is_refused_and_both_are_named() {
    let index = Index::in_memory(&spec()).unwrap();
    let other = encoder(&EncoderOptions::default());
    let (given, own) = (other.spec().clone(), spec());
    let error = index.with_encoder(other).map(|_| ()).unwrap_err();
    let text = error.to_string();
    for name in [
        &own.model,
        &own.fingerprint()[..12],
        &given.model,
        &given.fingerprint()[..12],
    ] {
        assert!(text.contains(name), "{text}");
    }
    // The same weights, pooled otherwise, are another encoder.
    let max = EncoderOptions {
        pooling: Some(kenning::encoder::Pooling::Max),
        ..EncoderOptions::default()
    };
    let index = Index::in_memory(&given).unwrap();
    assert!(index.clone().with_encoder(encoder(&max)).is_err());
    assert!(
        index
            .with_encoder(encoder(&EncoderOptions::default()))
            .is_ok()
    );
}

#[test]
fn an_upsert_does_not_come_after_what_was_added_later() {
    let encoder = encoder(&EncoderOptions::default());
    let index = Index::in_memory(encoder.spec()).unwrap();
    let index = index.with_encoder(encoder).unwrap();
    let mut writer = index.writer().unwrap();
    writer
        .upsert(Document::new("a", "first").with_title("first"))
        .unwrap();
    let mut vector = vec![0.0; index.spec().encoder.dimension];
    vector[0] = 1.0;
    let second = EmbeddedDocument {
        embeddings: vec![vector],
        ..document("a", 1, "second")
    };
    writer.add(second).unwrap();
    writer.commit().unwrap();
    let mut titles = Vec::new();
    let snapshot = index.snapshot().unwrap();
    let visited = snapshot.for_each_document(|_, stored| {
        titles.push(stored.title);
        Ok(())
    });
    visited.unwrap();
    assert_eq!(titles, ["second"]);
}

#[test]
fn documents_that_wait_with_a_bad_one_are_not_left_out_unnoticed() {
    let encoder = encoder(&EncoderOptions::default());
    let index = Index::in_memory(encoder.spec()).unwrap();
    let index = index.with_encoder(encoder).unwrap();
    let mut writer = index.writer().unwrap();
    // What can be known at once is said at once.
    assert!(writer.upsert(Document::new("", "text")).is_err());
    let nan = Document::new("nan", "text").with("n", f64::NAN);
    assert!(writer.upsert(nan).is_err());
    let outside = Block {
        span: 0..100,
        kind: BlockKind::Paragraph,
        page: None,
    };
    let bad = Document::new("bad", "short").with_structure(Structure::Blocks(vec![outside]));
    writer.upsert(Document::new("good", "text")).unwrap();
    writer.upsert(bad).unwrap();
    for _ in 0..2 {
        assert!(writer.commit().is_err());
    }
    writer.rollback().unwrap();
    writer.upsert(Document::new("good", "text")).unwrap();
    writer.commit().unwrap();
    assert_eq!(index.snapshot().unwrap().documents(), 1);
}
