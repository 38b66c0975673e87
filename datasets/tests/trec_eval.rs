//! The measures against `trec_eval`'s, on a run with graded judgements, ties, unjudged documents and
//! missing queries. See `fixtures/README.md`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kenning_datasets::trec::{read_run, write_judgements, write_run};
use kenning_datasets::{Judgements, Measure, Questions, evaluate};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// The fixture's judgements, read as a collection's.
fn judgements() -> Judgements {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("qrels")).unwrap();
    fs::copy(fixture("trec.qrels"), folder.path().join("qrels/test.tsv")).unwrap();
    let queries = (0..12).map(|at| format!("{{\"_id\": \"q{at}\", \"text\": \"?\"}}\n"));
    fs::write(
        folder.path().join("queries.jsonl"),
        queries.collect::<String>(),
    )
    .unwrap();
    Questions::read(folder.path(), "test").unwrap().judgements
}

fn measures() -> Vec<(Measure, &'static str)> {
    use Measure::*;
    vec![
        (Ndcg(1), "ndcg_cut_1"),
        (Ndcg(3), "ndcg_cut_3"),
        (Ndcg(5), "ndcg_cut_5"),
        (Ndcg(10), "ndcg_cut_10"),
        (Ndcg(20), "ndcg_cut_20"),
        (Ndcg(1000), "ndcg"),
        (Recall(5), "recall_5"),
        (Recall(10), "recall_10"),
        (Recall(20), "recall_20"),
        (Recall(100), "recall_100"),
        (Mrr(10), "recip_rank_10"),
        (Mrr(1000), "recip_rank"),
        (Map(5), "map_cut_5"),
        (Map(10), "map_cut_10"),
        (Map(100), "map_cut_100"),
        (Map(1000), "map"),
        (Precision(1), "P_1"),
        (Precision(5), "P_5"),
        (Precision(10), "P_10"),
    ]
}

#[test]
fn every_measure_is_that_of_trec_eval() {
    let figures = fs::read_to_string(fixture("trec.json")).unwrap();
    let figures: BTreeMap<String, BTreeMap<String, f64>> = serde_json::from_str(&figures).unwrap();
    let run = read_run(&fixture("trec.run")).unwrap();
    let judgements = judgements();
    let measures = measures();
    let (kinds, names): (Vec<Measure>, Vec<&str>) = measures.into_iter().unzip();
    let scores = evaluate(&run, &judgements, &kinds);

    assert_eq!(scores.queries.len(), 12);
    assert_eq!(scores.queries["q7"], vec![0.0; kinds.len()], "not answered");
    assert_eq!(
        figures.len(),
        11,
        "trec_eval leaves out what was not answered"
    );
    let mut compared = 0;
    for (query, expected) in &figures {
        for (name, value) in names.iter().zip(&scores.queries[query]) {
            assert!(
                (value - expected[*name]).abs() < 1e-9,
                "{query} {name}: {value}"
            );
            compared += usize::from(*value > 0.0);
        }
    }
    assert!(compared > 100, "only {compared} values above 0");
    for (measure, name) in kinds.iter().zip(&names) {
        let sum: f64 = figures.values().map(|figures| figures[*name]).sum();
        assert!(
            (scores.mean(*measure).unwrap() - sum / 12.0).abs() < 1e-9,
            "{name}"
        );
    }
}

#[test]
fn a_run_written_and_read_scores_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.trec");
    let run = read_run(&fixture("trec.run")).unwrap();
    write_run(&run, &path).unwrap();
    let again = read_run(&path).unwrap();
    let judgements = judgements();
    let score = |run| evaluate(run, &judgements, &Measure::STANDARD);
    assert_eq!(score(&run), score(&again));
    assert!(score(&run).mean(Measure::Ndcg(10)).unwrap() > 0.0);

    let path = folder.path().join("again.qrels");
    write_judgements(&judgements, &path).unwrap();
    let lines = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&path), lines(&fixture("trec.qrels")));
}

#[test]
fn a_document_listed_twice_counts_once() {
    let run = "q1 Q0 d1 1 3 t\nq1 Q0 d2 2 2 t\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.trec");
    fs::write(&path, run).unwrap();
    let once = read_run(&path).unwrap();
    let mut twice = once.clone();
    let ranking = twice.rankings.get_mut("q1").unwrap();
    ranking.insert(1, ranking[0].clone());
    let judgements = Judgements::from([("q1".into(), [("d1".into(), 1), ("d2".into(), 2)].into())]);
    let measures = [
        Measure::Ndcg(10),
        Measure::Recall(2),
        Measure::Map(5),
        Measure::Precision(2),
    ];
    assert_eq!(
        evaluate(&once, &judgements, &measures),
        evaluate(&twice, &judgements, &measures)
    );
}
