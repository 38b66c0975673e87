//! Graphs that are damaged or not good enough are found, done without, and made again.

use kenning::Index;
use kenning::index::Problem;
use kenning::search::Vectors;

use super::{DIMENSION, ask, document, graph_files, ids, near, on, options, spec, with_graph};

#[test]
fn a_damaged_graph_is_reported_not_used_and_built_anew() {
    let (folder, index) = with_graph(300);
    let expected = ids(&ask(&index.snapshot().unwrap(), 2, Vectors::Exact, 10));
    drop(index);
    let path = graph_files(folder.path()).remove(0);
    let sound = std::fs::read(&path).unwrap();
    let mut flipped = sound.clone();
    flipped[13] ^= 1;
    let cuts = [0, 3, 4, 5, 7, 8, 30, 100, sound.len() / 2, sound.len() - 1];
    let mut broken: Vec<Vec<u8>> = cuts.iter().map(|&cut| sound[..cut].to_vec()).collect();
    broken.push(flipped);
    for bytes in broken {
        std::fs::write(&path, &bytes).unwrap();
        let index = Index::open(folder.path()).unwrap();
        let snapshot = index.snapshot().unwrap();
        let summary = snapshot.summary().unwrap();
        assert_eq!(summary.graphs, 0);
        assert!(matches!(summary.problems[..], [Problem::Graph { .. }]));
        let response = ask(&snapshot, 2, Vectors::Graph, 10);
        assert_eq!(response.plan.vectors, "exact");
        assert_eq!(ids(&response), expected);
        let problems = index.audit().unwrap().problems;
        assert!(problems.iter().any(|p| matches!(p, Problem::Graph { .. })));

        let mut writer = index.writer().unwrap();
        let report = writer.build_graphs(&options(200), &mut on).unwrap();
        assert_eq!(report.graphs.len(), 1);
        let snapshot = index.snapshot().unwrap();
        assert_eq!(snapshot.summary().unwrap().problems, []);
        assert_eq!(ask(&snapshot, 2, Vectors::Graph, 10).plan.vectors, "graph");
        assert!(index.audit().unwrap().problems.is_empty());
    }
}

#[test]
fn a_damaged_graph_of_a_segment_that_needs_none_is_taken_away() {
    let (folder, index) = with_graph(300);
    drop(index);
    let path = graph_files(folder.path()).remove(0);
    std::fs::write(&path, b"no graph at all").unwrap();
    let index = Index::open(folder.path()).unwrap();
    assert_eq!(index.audit().unwrap().problems.len(), 1);
    let mut writer = index.writer().unwrap();
    let report = writer.build_graphs(&options(301), &mut on).unwrap();
    assert!(report.graphs.is_empty());
    assert_eq!(graph_files(folder.path()), Vec::<std::path::PathBuf>::new());
    assert_eq!(index.audit().unwrap().problems, []);
}

#[test]
fn a_graph_with_a_damaged_body_is_found_by_the_audit_and_built_anew() {
    let (folder, index) = with_graph(300);
    drop(index);
    let path = graph_files(folder.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&path, &bytes).unwrap();
    let index = Index::open(folder.path()).unwrap();
    let problems = index.audit().unwrap().problems;
    assert!(problems.iter().any(|p| matches!(p, Problem::Graph { .. })));
    assert_eq!(
        ask(&index.snapshot().unwrap(), 2, Vectors::Graph, 10)
            .hits
            .len(),
        10
    );
    let mut writer = index.writer().unwrap();
    assert_eq!(
        writer
            .build_graphs(&options(200), &mut on)
            .unwrap()
            .graphs
            .len(),
        1
    );
    assert!(index.audit().unwrap().problems.is_empty());
}

/// A graph that belongs to other vectors: every checksum is right, and little is found.
#[test]
fn a_graph_that_is_not_good_enough_is_found_by_the_audit_and_mended() {
    let (folder, index) = with_graph(2_000);
    let audit = index.audit().unwrap();
    let [graph] = &audit.graphs[..] else {
        panic!("{audit:?}");
    };
    assert!(graph.check.recall >= 0.97, "{graph:?}");
    assert_eq!(
        (graph.check.lost, audit.recall()),
        (0, Some(graph.check.recall))
    );
    let kept = index.audits().graphs.unwrap();
    assert_eq!((kept.count, kept.rows), (0, 2_000));
    assert!(kept.recall >= Some(0.97), "{kept:?}");
    drop(index);
    let other = tempfile::tempdir().unwrap();
    let strange = Index::create(other.path(), &spec()).unwrap();
    let mut writer = strange.writer().unwrap();
    for id in 0..2_000 {
        let vector = near(id / 67, 9_000_000 - 13 * id, DIMENSION);
        writer.add(document(id, vec![vector])).unwrap();
    }
    writer.commit().unwrap();
    writer.build_graphs(&options(200), &mut on).unwrap();
    writer.close().unwrap();
    let path = graph_files(folder.path()).remove(0);
    std::fs::copy(graph_files(other.path()).remove(0), &path).unwrap();

    let index = Index::open(folder.path()).unwrap();
    let problems = index.audit().unwrap().problems;
    assert!(
        matches!(problems[..], [Problem::Graph { .. }]),
        "{problems:?}"
    );
    assert_eq!(index.audit_derived().unwrap().problems, problems);
    let mut writer = index.writer().unwrap();
    let built = writer.build_graphs(&options(200), &mut on).unwrap();
    assert!(
        built.graphs.is_empty(),
        "a run does not check what is there"
    );
    let built = writer.mend_graphs(&options(200), &mut on).unwrap();
    assert!(built.graphs.len() == 1 && built.graphs[0].kept);
    assert_eq!(index.audit_derived().unwrap().problems, []);
    let again = writer.mend_graphs(&options(200), &mut on).unwrap();
    assert!(again.graphs.is_empty());
}
