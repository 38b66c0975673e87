//! What tantivy does behind the writer's back, and that the writer is safe from it. These tests reach the
//! merges that otherwise start when they like.

#![allow(clippy::unwrap_used)]

use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{STRING, Schema};
use tantivy::{TantivyDocument, Term};

use super::*;

/// What these tests have in common with those of the public interface.
#[path = "../../tests/common/mod.rs"]
pub(crate) mod common;

fn spec() -> EncoderSpec {
    common::spec(2, 64)
}

/// A document of `chunks` chunks, whose text is `words` words long.
fn document(id: &str, chunks: u32, words: u32) -> EmbeddedDocument {
    let text = |chunk| (0..words).map(|n| format!("{id}x{chunk}x{n} ")).collect();
    EmbeddedDocument {
        language: Some(crate::Language::Other),
        ..common::document(id, (0..chunks).map(text).collect(), 1, &[0.6, 0.8])
    }
}

/// An index of documents `d0`, `d1` and so on, each in a segment of its own.
fn in_segments(count: usize) -> Index {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    writer.inner.set_merge_policy(Box::new(NoMergePolicy));
    for number in 0..count {
        writer.add(document(&format!("d{number}"), 2, 3)).unwrap();
        writer.commit().unwrap();
    }
    writer.close().unwrap();
    assert_eq!(index.snapshot().unwrap().segment_count(), count);
    index
}

fn merge_now(writer: &mut IndexWriter) {
    let segments = writer.index.tantivy().searchable_segment_ids().unwrap();
    writer.inner.merge(&segments).wait().unwrap();
}

fn ids(index: &Index) -> Vec<String> {
    let mut ids = Vec::new();
    let snapshot = index.snapshot().unwrap();
    let visited = snapshot.for_each_document(|id, _| {
        ids.push(id);
        Ok(())
    });
    visited.unwrap();
    ids.sort();
    ids
}

/// The same with tantivy alone. It fails one day if tantivy mends it: then the burnt opstamp can go.
#[test]
fn tantivy_lets_a_first_delete_through_a_merge() {
    let mut schema = Schema::builder();
    let id = schema.add_text_field("id", STRING);
    let index = tantivy::Index::create_in_ram(schema.build());
    let mut writer = index.writer_with_num_threads(1, 15_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for name in ["a", "b"] {
        let mut document = TantivyDocument::new();
        document.add_text(id, name);
        writer.add_document(document).unwrap();
        writer.commit().unwrap();
    }
    drop(writer);
    let count = || index.reader().unwrap().searcher().num_docs();
    let mut writer: tantivy::IndexWriter = index.writer_with_num_threads(1, 15_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    writer.delete_term(Term::from_field_text(id, "a"));
    let segments = index.searchable_segment_ids().unwrap();
    writer.merge(&segments).wait().unwrap();
    assert_eq!(count(), 1, "an uncommitted delete is visible");
    writer.rollback().unwrap();
    assert_eq!(count(), 1, "and is not rolled back");
}

#[test]
fn an_uncommitted_delete_does_not_become_visible_through_a_merge() {
    for rolled_back in [false, true] {
        let index = in_segments(2);
        let mut writer = index.writer().unwrap();
        if rolled_back {
            // A rollback sets the opstamp back as well.
            writer.add(document("d9", 1, 1)).unwrap();
            writer.rollback().unwrap();
        }
        writer.delete("d0").unwrap();
        merge_now(&mut writer);
        assert_eq!(ids(&index), ["d0", "d1"]);
        writer.rollback().unwrap();
        assert_eq!(ids(&index), ["d0", "d1"]);
    }
}

/// The last commit has deleted from one of two segments. A merge believes that one to be up to the opstamp
/// of the delete already, steps over the delete in the other, and takes that for both.
#[test]
fn a_delete_first_after_opening_is_not_lost_to_a_merge() {
    for replace in [false, true] {
        let index = in_segments(1);
        let mut writer = index.writer().unwrap();
        writer.inner.set_merge_policy(Box::new(NoMergePolicy));
        writer.add(document("d1", 2, 3)).unwrap();
        writer.add(document("d2", 2, 3)).unwrap();
        writer.commit().unwrap();
        writer.delete("d1").unwrap();
        writer.commit().unwrap();
        writer.close().unwrap();
        let mut writer = index.writer().unwrap();
        match replace {
            true => writer.add(document("d2", 3, 1)).unwrap(),
            false => writer.delete("d2").unwrap(),
        }
        let mut segments = index.tantivy().searchable_segment_metas().unwrap();
        segments.sort_by_key(|meta| meta.has_deletes());
        let segments: Vec<_> = segments.iter().map(|meta| meta.id()).collect();
        writer.inner.merge(&segments).wait().unwrap();
        writer.commit().unwrap();
        let expected: &[&str] = if replace { &["d0", "d2"] } else { &["d0"] };
        assert_eq!(ids(&index), expected);
        let chunks = if replace { 5 } else { 2 };
        assert_eq!(index.snapshot().unwrap().chunks(), chunks);
    }
}

/// Merges run in the background all the while, as the policy has it.
#[test]
fn a_delete_first_after_opening_is_not_lost_to_a_merge_in_the_background() {
    for _ in 0..20 {
        // One more than are merged: the first commit after opening starts a merge.
        let index = in_segments(9);
        let mut writer = index.writer().unwrap();
        writer.add(document("d0", 1, 1)).unwrap();
        writer.commit().unwrap();
        writer.delete("d1").unwrap();
        writer.commit().unwrap();
        writer.close().unwrap();
        let left = ["d0", "d2", "d3", "d4", "d5", "d6", "d7", "d8"];
        assert_eq!(ids(&index), left);
    }
}

#[test]
fn optimize_waits_for_merges_in_the_background() {
    for _ in 0..20 {
        let index = in_segments(16);
        let mut writer = index.writer().unwrap();
        writer.add(document("d0", 1, 1)).unwrap();
        writer.commit().unwrap();
        writer.optimize().unwrap();
        assert_eq!(index.snapshot().unwrap().segment_count(), 1);
        assert_eq!(index.snapshot().unwrap().documents(), 16);
        // It does not switch merging off.
        for number in 0..8 {
            writer.add(document(&format!("e{number}"), 1, 1)).unwrap();
            writer.commit().unwrap();
        }
        writer.close().unwrap();
        assert!(index.snapshot().unwrap().segment_count() < 9);
        assert_eq!(index.snapshot().unwrap().documents(), 24);
    }
}

#[test]
fn rows_of_a_document_stay_together_however_little_memory_there_is() {
    let index = Index::in_memory(&spec()).unwrap();
    // The least that tantivy accepts: a segment is closed after a few documents.
    let mut writer = IndexWriter::open_with_memory(&index, 15_000_000).unwrap();
    writer.inner.set_merge_policy(Box::new(NoMergePolicy));
    for number in 0..40 {
        writer
            .add(document(&format!("d{number}"), 60, 400))
            .unwrap();
    }
    writer.commit().unwrap();
    let snapshot = index.snapshot().unwrap();
    assert!(snapshot.segment_count() > 1, "the budget was never reached");
    assert_eq!(snapshot.documents(), 40);
    for segment in snapshot.segments().iter() {
        for document in 0..segment.documents.len() as u32 {
            assert_eq!(segment.documents.rows(document).len(), 60);
        }
    }
    assert_eq!(ids(&index).len(), 40);
}

/// Opening takes long, and every query asks for a view.
#[test]
fn a_view_is_the_same_until_something_is_committed_here_or_elsewhere() {
    let temp = tempfile::tempdir().unwrap();
    let index = Index::create(temp.path(), &spec()).unwrap();
    let elsewhere = Index::open(temp.path()).unwrap();
    let same = |a: &Snapshot, b: &Snapshot| Arc::ptr_eq(a.segments(), b.segments());
    for number in 0..4 {
        let before = [&index, &elsewhere].map(|index| index.snapshot().unwrap());
        for (index, before) in [&index, &elsewhere].into_iter().zip(&before) {
            assert!(same(before, &index.snapshot().unwrap()));
        }
        let mut writer = index.writer().unwrap();
        writer.inner.set_merge_policy(Box::new(NoMergePolicy));
        writer.add(document(&format!("d{number}"), 2, 3)).unwrap();
        for (index, before) in [&index, &elsewhere].into_iter().zip(&before) {
            assert!(
                same(before, &index.snapshot().unwrap()),
                "nothing is committed"
            );
        }
        let generation = writer.commit().unwrap();
        for (index, before) in [&index, &elsewhere].into_iter().zip(&before) {
            let after = index.snapshot().unwrap();
            assert_eq!(
                (after.documents(), after.generation()),
                (number + 1, generation)
            );
            assert_eq!(before.documents(), number);
        }
        if number == 3 {
            merge_now(&mut writer);
            let merged = [&index, &elsewhere].map(|index| index.snapshot().unwrap());
            assert!(
                merged
                    .iter()
                    .all(|view| view.segment_count() == 1 && view.documents() == 4)
            );
        }
        writer.close().unwrap();
    }
}
