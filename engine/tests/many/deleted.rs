//! Deleted documents count for nothing, also while their rows are still there: an answer is the same before and after they
//! are merged away.

use kenning::index::EmbeddedDocument;
use kenning::{Filter, Index, IndexWriter, Language, Mode, SearchRequest};

use super::common;
use super::content::spec;

fn hits(index: &Index, query: &str) -> Vec<(String, u32)> {
    let request = SearchRequest::new(query).with_mode(Mode::Keyword);
    let found = index.snapshot().unwrap().search(&request, None).unwrap();
    let hits = found.hits.into_iter();
    hits.map(|hit| (hit.id, hit.score.to_bits())).collect()
}

fn text(id: &str, text: &str, language: Language) -> EmbeddedDocument {
    let mut vector = [0.0; super::content::DIMENSION];
    vector[0] = 1.0;
    EmbeddedDocument {
        language: Some(language),
        ..common::document(id, vec![text.to_owned()], 3, &vector)
    }
}

/// Puts `id` into a segment beside others, and deletes it: its rows stay, since few are deleted.
fn add_and_delete(index: &Index, writer: &mut IndexWriter, document: EmbeddedDocument) {
    let id = document.id.clone();
    writer.add(document).unwrap();
    fill(writer);
    assert_eq!(index.snapshot().unwrap().summary().unwrap().deleted_rows, 0);
    writer.delete(&id).unwrap();
    writer.commit().unwrap();
    assert_eq!(index.snapshot().unwrap().summary().unwrap().deleted_rows, 1);
}

/// Documents that hold nothing of interest, in one commit and one segment.
fn fill(writer: &mut IndexWriter) {
    for number in 0..20 {
        let id = format!("other{number}");
        writer
            .add(text(&id, "nothing of note", Language::English))
            .unwrap();
    }
    writer.commit().unwrap();
    writer.optimize().unwrap();
}

/// While a document in German is there, words have German stems too: that of "kinder" is the English "kind". They had until
/// the rows of the last one were merged away.
#[test]
fn the_language_of_deleted_documents_does_not_count() {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    for (id, words) in [("a", "of another kind"), ("b", "kinder words of cities")] {
        writer.add(text(id, words, Language::English)).unwrap();
    }
    fill(&mut writer);
    let expected = hits(&index, "kinder");
    assert_eq!(expected.len(), 1);
    let german = text("de", "Häuser sind auch schön", Language::German);
    writer.add(german.clone()).unwrap();
    writer.commit().unwrap();
    assert_eq!(hits(&index, "kinder").len(), 2, "it makes a difference");
    add_and_delete(&index, &mut writer, german);
    assert_eq!(hits(&index, "kinder"), expected, "deleted");
    writer.optimize().unwrap();
    assert_eq!(hits(&index, "kinder"), expected, "merged");
}

/// It was known until the rows of the last one were merged away.
#[test]
fn a_fact_that_only_deleted_documents_have_is_not_known() {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    let mut document = text("with", "nothing of note", Language::English);
    document.metadata.insert("colour".into(), "red".into());
    let known = || {
        let request = SearchRequest::new("note").with_mode(Mode::Keyword);
        let request = request.with_filter(Filter::parse("colour=red").unwrap());
        index.snapshot().unwrap().search(&request, None).is_ok()
    };
    writer.add(document.clone()).unwrap();
    writer.commit().unwrap();
    assert!(known());
    add_and_delete(&index, &mut writer, document);
    assert!(!known(), "deleted");
    writer.optimize().unwrap();
    assert!(!known(), "merged");
}

/// A beginning stands for the first words in the alphabet: of all segments together, and of living documents.
#[test]
fn a_beginning_stands_for_the_same_words_however_rows_lie() {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    let early: Vec<String> = (0..1_500).map(|n| format!("word0{n:04}")).collect();
    let early = text("early", &early.join(" "), Language::Other);
    add_and_delete(&index, &mut writer, early);
    for part in 0..3 {
        let words = (0..3_000u64).filter(|n| n % 3 == part);
        let words: Vec<String> = words.map(|n| format!("word{n:04}")).collect();
        let id = format!("part{part}");
        writer
            .add(text(&id, &words.join(" "), Language::Other))
            .unwrap();
        writer.commit().unwrap();
    }
    let before = index.snapshot().unwrap();
    assert_eq!(before.segment_count(), 4);
    assert_eq!(before.summary().unwrap().deleted_rows, 1);
    let before = hits(&index, "word*");
    assert_eq!(before.len(), 3);
    writer.optimize().unwrap();
    assert_eq!(hits(&index, "word*"), before);
}
