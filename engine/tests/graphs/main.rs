//! Graphs of large segments, as a user of the library meets them.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod unsound;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use kenning::encoder::EncoderSpec;
use kenning::index::{EmbeddedDocument, GraphOptions, GraphProgress};
use kenning::search::{SearchResponse, Vectors};
use kenning::{Filter, Index, IndexWriter, Mode, SearchRequest, Snapshot};

const DIMENSION: usize = 64;

fn spec() -> EncoderSpec {
    common::spec(DIMENSION, 256)
}

/// Lets a graph be built to its end.
fn on(_: GraphProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn random(seed: u64, dimension: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..dimension).map(|_| next()).collect()
}

/// A unit vector near one of `centres` random ones.
fn near(centre: u64, seed: u64, dimension: usize) -> Vec<f32> {
    let noise = random(seed + 1_000_000, dimension);
    let sum = random(centre, dimension).into_iter().zip(noise);
    let sum: Vec<f32> = sum.map(|(c, n)| c + 0.8 * n).collect();
    let norm = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    sum.iter().map(|x| x / norm).collect()
}

fn document(id: u64, vectors: Vec<Vec<f32>>) -> EmbeddedDocument {
    let texts = vec!["word".to_owned(); vectors.len()];
    EmbeddedDocument {
        metadata: [("tenth".to_owned(), ((id % 10) as i64).into())].into(),
        embeddings: vectors,
        language: Some(kenning::Language::English),
        ..common::document(&format!("d{id:05}"), texts, 1, &[])
    }
}

fn fill(writer: &mut IndexWriter, ids: std::ops::Range<u64>) {
    for id in ids {
        let vector = near(id % 30, id, DIMENSION);
        writer.add(document(id, vec![vector])).unwrap();
    }
    writer.commit().unwrap();
}

fn options(min_rows: u32) -> GraphOptions {
    GraphOptions { min_rows }
}

fn ask(snapshot: &Snapshot, seed: u64, vectors: Vectors, limit: usize) -> SearchResponse {
    let mut request = SearchRequest::new("").with_mode(Mode::Semantic);
    request.vectors = vectors;
    // Little, for these segments are small: otherwise a scan of them would be quicker.
    request.effort = (vectors == Vectors::Auto).then_some(10);
    request.limit = limit;
    request.passages = 0;
    let vector = near(seed % 30, 500_000 + seed, DIMENSION);
    snapshot.search(&request, Some(&vector)).unwrap()
}

fn ids(response: &SearchResponse) -> Vec<String> {
    response.hits.iter().map(|hit| hit.id.clone()).collect()
}

fn graph_files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == "hnsw"))
        .collect()
}

/// An index on disk of one segment of `count` documents with a graph.
fn with_graph(count: u64) -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::create(folder.path(), &spec()).unwrap();
    let mut writer = index.writer().unwrap();
    fill(&mut writer, 0..count);
    let report = writer.build_graphs(&options(200), &mut on).unwrap();
    assert_eq!(report.graphs.len(), 1);
    let built = &report.graphs[0];
    assert!(built.kept && built.rows == count && built.check.found == built.check.asked);
    writer.close().unwrap();
    (folder, index)
}

#[test]
fn the_graph_finds_what_the_scan_finds() {
    let (_folder, index) = with_graph(5_000);
    let snapshot = index.snapshot().unwrap();
    assert_eq!(snapshot.summary().unwrap().graphs, 1);
    let mut hits = 0;
    for seed in 0..50 {
        let exact = ask(&snapshot, seed, Vectors::Exact, 10);
        let graph = ask(&snapshot, seed, Vectors::Graph, 10);
        assert_eq!((exact.plan.vectors, graph.plan.vectors), ("exact", "graph"));
        assert_eq!(exact.plan.rows_compared, 5_000);
        assert!(graph.plan.rows_compared < 4_500);
        let (exact, graph) = (ids(&exact), ids(&graph));
        hits += graph.iter().filter(|id| exact.contains(id)).count();
    }
    assert!(hits >= 495, "{hits} of 500");
    assert_eq!(ask(&snapshot, 0, Vectors::Auto, 10).plan.vectors, "graph");
}

#[test]
fn building_tells_how_far_it_is_and_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::create(folder.path(), &spec()).unwrap();
    let mut writer = index.writer().unwrap();
    fill(&mut writer, 0..10_000);
    let mut told = Vec::new();
    let mut stop_at = |limit: u64| {
        let mut watch = |progress: GraphProgress| {
            told.push((progress.rows, progress.of));
            match progress.rows >= limit {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        writer.build_graphs(&options(200), &mut watch).unwrap()
    };
    let stopped = stop_at(5_000);
    assert!(stopped.stopped && stopped.graphs.is_empty());
    assert_eq!(graph_files(folder.path()), Vec::<PathBuf>::new());
    let whole = stop_at(u64::MAX);
    assert!(!whole.stopped && whole.graphs.len() == 1);
    let rows = [1, 4_097, 8_193].map(|rows| (rows, 10_000));
    assert_eq!(told, [&rows[..], &rows[..]].concat());
}

#[test]
fn the_first_hits_do_not_depend_on_the_limit() {
    let (_folder, index) = with_graph(2_000);
    let snapshot = index.snapshot().unwrap();
    for seed in 0..20 {
        let few = ids(&ask(&snapshot, seed, Vectors::Graph, 10));
        for limit in [1, 50, 200] {
            let response = ask(&snapshot, seed, Vectors::Graph, limit);
            assert_eq!(response.plan.vectors, "graph");
            assert_eq!(response.hits.len(), limit);
            let many = ids(&response);
            assert_eq!(many[..limit.min(10)], few[..limit.min(10)]);
        }
    }
    // More than the graph is asked for by itself.
    let many = ask(&snapshot, 1, Vectors::Graph, 500);
    assert_eq!(many.hits.len(), 500);
}

#[test]
fn a_broader_walk_for_a_larger_limit_does_not_change_the_first_hits() {
    let (_folder, index) = with_graph(5_000);
    let snapshot = index.snapshot().unwrap();
    let ask = |seed: u64, limit: usize, effort: Option<usize>| {
        let mut request = SearchRequest::new("").with_mode(Mode::Semantic);
        (request.vectors, request.limit) = (Vectors::Graph, limit);
        (request.effort, request.passages) = (effort, 0);
        // Far from everything, so that a narrow walk misses much.
        let vector = near(31 + seed, 900_000 + seed, DIMENSION);
        snapshot.search(&request, Some(&vector)).unwrap()
    };
    let (mut least, mut most, mut missed) = (0, 0, 0);
    for seed in 0..40 {
        let few = ask(seed, 10, Some(10));
        let broad = ids(&ask(seed, 10, Some(400)));
        missed += broad.iter().filter(|id| !ids(&few).contains(id)).count();
        for limit in [11, 40, 300] {
            let many = ask(seed, limit, Some(10));
            assert_eq!(many.hits.len(), limit);
            assert_eq!(ids(&many)[..10], ids(&few));
            assert!(many.hits.is_sorted_by(|a, b| a.score >= b.score));
        }
        least += few.plan.rows_compared;
        most += ask(seed, 10, None).plan.rows_compared;
    }
    // Otherwise there would have been nothing to leave out.
    assert!(missed > 0);
    assert!(2 * least < most, "{least} {most}");
}

#[test]
fn the_planner_chooses_by_filter_and_by_segment() {
    let (_folder, index) = with_graph(2_000);
    let snapshot = index.snapshot().unwrap();
    let plan = |filter: &str, vectors| {
        let mut request = SearchRequest::new("").with_mode(Mode::Semantic);
        (request.vectors, request.effort) = (vectors, Some(10));
        let request = request.with_filter(Filter::parse(filter).unwrap());
        let vector = near(3, 77, DIMENSION);
        let response = snapshot.search(&request, Some(&vector)).unwrap();
        assert_eq!(response.hits.len(), 10);
        response.plan
    };
    assert_eq!(plan("tenth < 5", Vectors::Auto).vectors, "graph");
    // 600 rows of 2,000, fewer than a walk is worth; and then too few by far.
    assert_eq!(plan("tenth < 3", Vectors::Auto).vectors, "exact");
    assert_eq!(plan("tenth < 3", Vectors::Graph).vectors, "graph");
    let narrow = plan("tenth = 3 AND path < \"d00700\"", Vectors::Auto);
    assert_eq!((narrow.vectors, narrow.rows_compared), ("exact", 70));
    let asked = plan("tenth = 3 AND path < \"d00700\"", Vectors::Graph);
    assert_eq!(asked.vectors, "graph");

    let mut writer = index.writer().unwrap();
    fill(&mut writer, 2_000..2_100);
    assert!(
        writer
            .build_graphs(&options(200), &mut on)
            .unwrap()
            .graphs
            .is_empty()
    );
    let snapshot = index.snapshot().unwrap();
    let plan = ask(&snapshot, 1, Vectors::Auto, 10).plan;
    assert_eq!(plan.vectors, "exact+graph");
}

#[test]
fn documents_of_many_rows_are_still_enough() {
    let index = Index::in_memory(&spec()).unwrap();
    let mut writer = index.writer().unwrap();
    for id in 0..60 {
        let vectors = (0..50).map(|row| near(id, id * 100 + row, DIMENSION));
        writer.add(document(id, vectors.collect())).unwrap();
    }
    writer.commit().unwrap();
    writer.build_graphs(&options(1), &mut on).unwrap();
    let snapshot = index.snapshot().unwrap();
    for vectors in [Vectors::Auto, Vectors::Graph] {
        let response = ask(&snapshot, 3, vectors, 60);
        assert_eq!(response.hits.len(), 60, "{}", response.plan.vectors);
    }
}

#[test]
fn deleted_documents_are_not_found() {
    let (_folder, index) = with_graph(2_000);
    let before = ids(&ask(&index.snapshot().unwrap(), 4, Vectors::Graph, 10));
    let mut writer = index.writer().unwrap();
    for id in &before[..5] {
        writer.delete(id).unwrap();
    }
    writer.commit().unwrap();
    let snapshot = index.snapshot().unwrap();
    let after = ask(&snapshot, 4, Vectors::Graph, 10);
    assert_eq!(after.plan.vectors, "graph");
    let exact = ask(&snapshot, 4, Vectors::Exact, 10);
    assert_eq!(ids(&after), ids(&exact));
    assert_eq!(ids(&after)[..5], before[5..]);
}

#[test]
fn the_same_is_found_after_reopening() {
    let (folder, index) = with_graph(2_000);
    let snapshot = index.snapshot().unwrap();
    let before: Vec<_> = (0..20)
        .map(|seed| ids(&ask(&snapshot, seed, Vectors::Graph, 10)))
        .collect();
    drop((snapshot, index));
    let index = Index::open(folder.path()).unwrap();
    let snapshot = index.snapshot().unwrap();
    let after: Vec<_> = (0..20)
        .map(|seed| ids(&ask(&snapshot, seed, Vectors::Graph, 10)))
        .collect();
    assert_eq!(before, after);
    let mut writer = index.writer().unwrap();
    assert!(
        writer
            .build_graphs(&options(200), &mut on)
            .unwrap()
            .graphs
            .is_empty()
    );
    assert!(index.audit().unwrap().problems.is_empty());
}

#[test]
fn a_graph_is_collected_with_its_segment() {
    let (folder, index) = with_graph(2_000);
    let before = graph_files(folder.path());
    let mut writer = index.writer().unwrap();
    fill(&mut writer, 2_000..2_100);
    writer.optimize().unwrap();
    assert_eq!(graph_files(folder.path()), Vec::<PathBuf>::new());
    assert_eq!(index.snapshot().unwrap().summary().unwrap().graphs, 0);
    writer.build_graphs(&options(200), &mut on).unwrap();
    let after = graph_files(folder.path());
    assert!(after.len() == 1 && after != before);
    assert_eq!(
        ask(&index.snapshot().unwrap(), 1, Vectors::Graph, 10)
            .plan
            .vectors,
        "graph"
    );
}
