//! Answers are right while the index changes. `KENNING_MIXED_SECONDS` makes it longer; the program `mixed` measures.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use kenning_benches::mixed::{Options, run};

#[test]
fn no_answer_is_wrong_while_the_index_changes() {
    let seconds = std::env::var("KENNING_MIXED_SECONDS");
    let seconds = seconds.map_or(5, |seconds| seconds.parse().unwrap());
    let temp = tempfile::tempdir().unwrap();
    let options = Options {
        time: Duration::from_secs(seconds),
        threads: 4,
        documents: 600,
        every: Duration::from_secs(1),
    };
    let report = run(&options, &temp.path().join("index")).unwrap();
    println!(
        "{} answers over {} commits, recall {:.4} of {} by graph",
        report.searches, report.commits, report.recall, report.by_graph
    );
    assert_eq!(report.wrong, 0, "{:#?}", report.examples);
    assert!(report.commits > 5 && report.searches > 200 && report.by_graph > 10);
    assert!(report.recall > 0.9, "{}", report.recall);
    assert!(report.samples.iter().any(|sample| sample.graphs > 0) || seconds < 10);
}
