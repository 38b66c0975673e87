#![allow(clippy::unwrap_used)]

use std::fs;

use tempfile::TempDir;

use super::*;

/// A folder in BEIR layout.
fn folder(corpus: &str, queries: &str, qrels: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("qrels")).unwrap();
    fs::write(folder.path().join("corpus.jsonl"), corpus).unwrap();
    fs::write(folder.path().join("queries.jsonl"), queries).unwrap();
    fs::write(folder.path().join("qrels/test.tsv"), qrels).unwrap();
    folder
}

const CORPUS: &str = r#"{"_id": "d1", "title": "Whales", "text": "The whale-road.", "metadata": {"year": 975, "tags": ["a", "b"], "url": null}}
{"_id": "d2", "text": "No title."}

{"_id": 3, "title": "", "text": "A number for an id.", "metadata": {"deep": {"x": 1}}}
"#;
const QUERIES: &str = r#"{"_id": "q2", "text": "second"}
{"_id": "q1", "text": "first", "metadata": {}}
{"_id": "q3", "text": "not judged"}
"#;

#[test]
fn a_collection_is_read_with_its_judged_queries_only() {
    let folder = folder(
        CORPUS,
        QUERIES,
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\t3\t0\nq1\td2\t1.0\n",
    );
    let collection = Collection::read(folder.path(), "test").unwrap();
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(collection.name, name);
    let ids: Vec<&str> = collection.documents.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(ids, ["d1", "d2", "3"]);
    assert_eq!(collection.documents[0].title, "Whales");
    assert_eq!(collection.documents[1].title, "");
    assert_eq!(
        collection.documents[0].metadata["year"],
        Value::Integer(975)
    );
    let tags = Value::List(vec!["a".into(), "b".into()]);
    assert_eq!(collection.documents[0].metadata["tags"], tags);
    let queries: Vec<&str> = collection.queries.iter().map(|q| q.text.as_str()).collect();
    assert_eq!(queries, ["second", "first"]);
    assert_eq!(collection.judgements["q1"]["d1"], 2);
    assert_eq!(collection.judgements["q1"]["d2"], 1);
    let deep = Warning::Metadata {
        document: "3".into(),
        name: "deep".into(),
    };
    assert_eq!(collection.warnings, [deep]);
}

#[test]
fn judgements_are_read_in_each_of_their_formats() {
    let expected = Judgements::from([
        ("q1".into(), [("d1".into(), 2), ("d2".into(), 0)].into()),
        ("q2".into(), [("d1".into(), -1)].into()),
    ]);
    for qrels in [
        "q1\td1\t2\nq1\td2\t0\nq2\td1\t-1\n",
        "query-id\tcorpus-id\tscore\r\nq1\td1\t2\r\nq1\td2\t0\r\nq2\td1\t-1\r\n",
        "q1 0 d1 2\nq1 0 d2 0\n\nq2 0 d1 -1",
        "q1\t0\td1\t2\nq1\t0\td2\t0\nq2\t0\td1\t-1\n",
    ] {
        let folder = folder(CORPUS, QUERIES, qrels);
        let questions = Questions::read(folder.path(), "test").unwrap();
        assert_eq!(questions.judgements, expected, "{qrels}");
        assert_eq!(questions.warnings, []);
    }
}

#[test]
fn what_is_odd_is_told_and_what_is_known_kept() {
    let corpus = format!("{CORPUS}{{\"_id\": \"d1\", \"text\": \"again\"}}\n");
    let queries = format!("{QUERIES}{{\"_id\": \"q1\", \"text\": \"again\"}}\n");
    let folder = folder(
        &corpus,
        &queries,
        "q1\td1\t1\nq1\td1\t2\nq9\td1\t1\nq1\tgone\t1\n",
    );
    let collection = Collection::read(folder.path(), "test").unwrap();
    assert_eq!(collection.documents[0].text, "The whale-road.");
    assert_eq!(collection.queries[0].text, "first");
    assert_eq!(collection.judgements["q1"]["d1"], 2);
    assert_eq!(collection.judgements["q1"]["gone"], 1);
    assert!(!collection.judgements.contains_key("q9"));
    let (query, document) = (String::from("q1"), String::from("d1"));
    for expected in [
        Warning::DocumentTwice {
            document: document.clone(),
            line: 5,
        },
        Warning::QueryTwice {
            query: query.clone(),
            line: 4,
        },
        Warning::JudgedTwice {
            query: query.clone(),
            document,
            line: 2,
        },
        Warning::UnknownQuery { query: "q9".into() },
        Warning::UnknownDocument {
            query,
            document: "gone".into(),
        },
    ] {
        assert!(collection.warnings.contains(&expected), "{expected:?}");
    }
    assert_eq!(collection.warnings.len(), 6); // and the metadata
}

#[test]
fn errors_name_file_and_line() {
    let good = "q1\td1\t1\n";
    let cases = [
        (
            "{\"_id\": \"d1\"}\n",
            QUERIES,
            good,
            "corpus.jsonl:1: expected an object with _id and text",
        ),
        (
            CORPUS,
            "{\"_id\": \"q1\", \"text\": \"x\"}\nnonsense\n",
            good,
            "queries.jsonl:2: expected",
        ),
        (
            CORPUS,
            QUERIES,
            "q1\td1\t1\nq1\td2\n",
            "test.tsv:2: expected query, document and grade",
        ),
        (
            CORPUS,
            QUERIES,
            "q1\td1\t1\nq1\td2\thigh\n",
            "test.tsv:2: expected a whole number as grade, found \"high\"",
        ),
        (
            CORPUS,
            QUERIES,
            "q1\td1\t1\nq1\td2\t0.5\n",
            "test.tsv:2: expected a whole number as grade",
        ),
    ];
    for (corpus, queries, qrels, expected) in cases {
        let folder = folder(corpus, queries, qrels);
        let error = Collection::read(folder.path(), "test")
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    let folder = folder(CORPUS, QUERIES, good);
    let error = Collection::read(folder.path(), "dev").unwrap_err();
    assert!(error.to_string().contains("dev.tsv"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn questions_on_files_tell_which_are_missing() {
    let folder = folder(
        "",
        QUERIES,
        "q1\tguides/with a blank.md\t1\nq2\tguides/gone.md\t1\n",
    );
    fs::create_dir(folder.path().join("guides")).unwrap();
    fs::write(folder.path().join("guides/with a blank.md"), "text").unwrap();
    let questions = Questions::on_files(folder.path(), "test", folder.path()).unwrap();
    let missing = Warning::UnknownDocument {
        query: "q2".into(),
        document: "guides/gone.md".into(),
    };
    assert_eq!(questions.warnings, [missing]);
    assert_eq!(questions.queries.len(), 2);
}
