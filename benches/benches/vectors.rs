//! The vector leg: exact scan and graph, over made-up vectors.
#![allow(missing_docs, clippy::unwrap_used)]

use std::ops::ControlFlow;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kenning::index::GraphOptions;
use kenning::search::Vectors;
use kenning::{Mode, SearchRequest, Snapshot};
use kenning_benches::{made_up_index, vector};

fn ask(snapshot: &Snapshot, vectors: Vectors, query: &[f32]) -> u64 {
    let mut request = SearchRequest::new("").with_mode(Mode::Semantic);
    request.vectors = vectors;
    request.passages = 0;
    let response = snapshot.search(&request, Some(query)).unwrap();
    response.plan.rows_compared
}

fn vectors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("vectors");
    group.sample_size(10);
    for rows in [10_000, 60_000] {
        let index = made_up_index(rows, 1).unwrap();
        let snapshot = index.snapshot().unwrap();
        let query = vector(u64::MAX / 2);
        group.bench_function(BenchmarkId::new("scan", rows), |b| {
            b.iter(|| ask(&snapshot, Vectors::Exact, &query));
        });
        let mut writer = index.writer().unwrap();
        let options = GraphOptions { min_rows: 1 };
        let mut on = |_| ControlFlow::Continue(());
        let report = writer.build_graphs(&options, &mut on).unwrap();
        for graph in &report.graphs {
            let (rows, seconds) = (graph.rows, graph.took.as_secs_f64());
            println!("vectors/graph build/{rows}: {seconds:.2} s");
        }
        let snapshot = index.snapshot().unwrap();
        group.bench_function(BenchmarkId::new("graph", rows), |b| {
            b.iter(|| ask(&snapshot, Vectors::Graph, &query));
        });
    }
    group.finish();
}

criterion_group!(benches, vectors);
criterion_main!(benches);
