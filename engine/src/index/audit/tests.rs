//! An audit finds what the writer would never write.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use tantivy::TantivyDocument;
use tantivy::schema::Field;

use super::super::rows::rows;
use super::super::schema::Fields;
use super::super::traps::common;
use super::super::{BuiltGraph, EmbeddedDocument, GraphOptions, IndexWriter};
use super::*;
use crate::encoder::EncoderSpec;
use crate::vector::plugin::to_bytes;

fn spec() -> EncoderSpec {
    common::spec(2, 64)
}

/// A document of two chunks of three words each.
fn document(id: &str) -> EmbeddedDocument {
    let texts = ["one", "two"].map(|chunk| format!("{id} {chunk} words"));
    EmbeddedDocument {
        language: Some(crate::Language::Other),
        ..common::document(id, texts.to_vec(), 3, &[0.6, 0.8])
    }
}

fn without(row: &TantivyDocument, field: Field) -> TantivyDocument {
    let mut copy = TantivyDocument::new();
    for (other, value) in row.field_values().filter(|(other, _)| *other != field) {
        copy.add_field_value(other, value);
    }
    copy
}

/// What an audit finds in an index of the document `sound` and of another whose rows were changed.
fn found(change: impl Fn(&Fields, &mut Vec<TantivyDocument>)) -> Vec<String> {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    writer.add(document("sound")).unwrap();
    let mut changed = rows(index.fields(), document("changed")).unwrap();
    change(index.fields(), &mut changed);
    add(&mut writer, changed);
    let audit = index.audit().unwrap();
    let problems = audit.problems.iter().map(ToString::to_string);
    let one_segment = |text: String| match text.split_once(" of segment ") {
        Some((what, rest)) => what.to_owned() + &rest["01234567".len()..],
        None => text,
    };
    problems.map(one_segment).collect()
}

fn add(writer: &mut IndexWriter, rows: Vec<TantivyDocument>) {
    let rows = rows.into_iter().map(tantivy::indexer::UserOperation::Add);
    writer.inner.run(rows.collect::<Vec<_>>()).unwrap();
    writer.commit().unwrap();
}

#[test]
fn a_row_that_is_not_in_both_legs_is_found() {
    assert_eq!(found(|_, _| {}), Vec::<String>::new());
    let no_vector = found(|fields, rows| rows[1] = without(&rows[1], fields.embedding));
    assert_eq!(no_vector, ["row 3 has a vector of length 0, expected 1"]);
    let too_long = found(|fields, rows| {
        rows[0] = without(&rows[0], fields.embedding);
        rows[0].add_custom(fields.embedding, &to_bytes(&[1.2, 1.6]));
    });
    assert_eq!(too_long, ["row 2 has a vector of length 2, expected 1"]);
    let no_words = found(|fields, rows| rows[1] = without(&rows[1], fields.body));
    assert_eq!(no_words, ["row 3 is found by none of its 3 words"]);
    let no_id = found(|fields, rows| rows[1] = without(&rows[1], fields.id));
    let of_other = "a document is not sound: row 3 among those of \"changed\" is not its own";
    assert_eq!(no_id, ["row 3 is not found by its id", of_other]);
}

#[test]
fn a_document_that_is_not_whole_or_there_twice_is_found() {
    let part = found(|_, rows| drop(rows.pop()));
    let whole = "a document is not sound: \"changed\" has 1 of its 2 chunks";
    let tokens = "the documents have 12 tokens, their chunks 9";
    assert_eq!(part, [whole, tokens]);
    let unread = found(|fields, rows| rows[1] = without(&rows[1], fields.row));
    assert!(unread[0].contains("\"changed\": "), "{unread:?}");
    let twice = found(|fields, rows| {
        rows.extend(super::super::rows::rows(fields, document("changed")).unwrap());
    });
    assert_eq!(
        twice,
        ["a document is not sound: \"changed\" is there twice"]
    );
}

/// Changes `meta.json`, which has no checksum then, as earlier versions wrote it.
fn edit(folder: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let path = folder.join("meta.json");
    let mut json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    json.as_object_mut().unwrap().remove("crc32");
    fs::write(&path, json.to_string()).unwrap();
}

#[test]
fn other_columns_than_this_version_makes_are_found() {
    let temp = tempfile::tempdir().unwrap();
    drop(Index::create(temp.path(), &spec()).unwrap());
    edit(temp.path(), |json| {
        let fields = json["schema"].as_array_mut().unwrap();
        let mut more = fields[1].clone();
        more["name"] = "more".into();
        fields.push(more);
    });
    let (audit, index) = Index::examine(temp.path()).unwrap();
    assert!(index.is_some());
    assert_eq!(audit.problems, [Problem::Schema]);
}

#[test]
fn what_no_commit_names_is_found_unless_there_is_a_writer_whose_it_may_be() {
    let temp = tempfile::tempdir().unwrap();
    let index = Index::create(temp.path(), &spec()).unwrap();
    let mut writer = index.writer().unwrap();
    writer.add(document("d")).unwrap();
    writer.commit().unwrap();
    let left = ["0123456789abcdef0123456789abcdef.store", ".tmpAbC"];
    for name in left {
        fs::write(temp.path().join(name), "left").unwrap();
    }
    fs::write(temp.path().join("notes.txt"), "somebody's").unwrap();
    assert_eq!(index.audit().unwrap().problems, [], "a writer is at work");
    std::mem::forget(writer);
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(temp.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let (audit, index) = Index::examine(copy.path()).unwrap();
    let mut names: Vec<String> = audit.problems.iter().map(ToString::to_string).collect();
    names.sort();
    let left_over = " is left over from a writer that was interrupted";
    assert_eq!(
        names,
        [left[1], left[0]].map(|name| format!("{name}{left_over}"))
    );
    assert!(audit.problems.iter().all(Problem::is_derived));
    let index = index.unwrap();
    index.writer().unwrap().close().unwrap();
    assert_eq!(index.audit_derived().unwrap().problems, []);
    assert!(copy.path().join("notes.txt").exists());
}

/// It was read three times: to be compared, to be opened, and to be compared again.
#[test]
fn every_file_is_read_once() {
    let temp = tempfile::tempdir().unwrap();
    let index = Index::create(temp.path(), &spec()).unwrap();
    let mut writer = index.writer().unwrap();
    writer.add(document("d")).unwrap();
    writer.commit().unwrap();
    writer.close().unwrap();
    let (audit, index) = Index::examine(temp.path()).unwrap();
    assert_eq!(audit.files, 8);
    assert_eq!(index.unwrap().store().compared(), 8);
}

#[test]
fn what_the_last_audit_found_is_kept_and_nothing_damaged_is_believed() {
    let temp = tempfile::tempdir().unwrap();
    let index = Index::create(temp.path(), &spec()).unwrap();
    assert_eq!(index.audits(), Audits::default());
    let audit = index.audit().unwrap();
    let record = AuditRecord::of(&audit, ["a", "b", "c", "d"].map(str::to_owned));
    assert_eq!((record.count, record.problems.len()), (4, 3));
    assert!(record.at > 1_700_000_000);
    Index::keep_audit(temp.path(), record.clone()).unwrap();
    assert_eq!(index.audits().whole, Some(record));
    let path = temp.path().join("audits.json");
    let sound = fs::read(&path).unwrap();
    for at in 0..sound.len() {
        let mut flipped = sound.clone();
        flipped[at] ^= 1;
        fs::write(&path, flipped).unwrap();
        assert_eq!(index.audits(), Audits::default(), "byte {at}");
    }
}

/// A graph was built for it again at the end of every run.
#[test]
fn a_segment_for_which_no_graph_was_good_enough_is_not_tried_again_unasked() {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    for number in 0..40 {
        let mut document = document(&format!("d{number}"));
        let angle = f64::from(number) / 40.0;
        let vector = [angle.cos() as f32, angle.sin() as f32];
        document.embeddings = vec![vector.to_vec(); 2];
        writer.add(document).unwrap();
    }
    writer.commit().unwrap();
    let snapshot = index.snapshot().unwrap();
    let segment = snapshot.segments()[0].name();
    let bad = BuiltGraph {
        segment: segment.clone(),
        rows: 40,
        twins: 40,
        repaired: 0,
        check: GraphCheck {
            recall: 0.5,
            ..GraphCheck::default()
        },
        kept: false,
        bytes: 0,
        took: std::time::Duration::ZERO,
    };
    index.keep_built(&snapshot, &[bad]);
    let audits = index.audits();
    assert_eq!(audits.unfit, [segment]);
    let kept = audits.graphs.unwrap();
    assert_eq!((kept.count, kept.rows, kept.recall), (1, 80, None));
    assert!(kept.problems[0].contains("was not kept"), "{kept:?}");
    let options = GraphOptions { min_rows: 10 };
    let mut on = |_| std::ops::ControlFlow::Continue(());
    let unasked = writer.build_graphs(&options, &mut on).unwrap();
    assert_eq!(unasked.graphs, []);
    let asked = writer.mend_graphs(&options, &mut on).unwrap();
    assert!(asked.graphs.len() == 1 && asked.graphs[0].kept, "{asked:?}");
    assert_eq!(index.audits().unfit, Vec::<String>::new());
}
