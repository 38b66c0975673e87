//! The keyword leg: BM25 over 20,000 made-up documents whose words are as unevenly frequent as real ones.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kenning::{Mode, SearchRequest};
use kenning_benches::{made_up_index, words};

fn keyword(criterion: &mut Criterion) {
    let index = made_up_index(20_000, 120).unwrap();
    let snapshot = index.snapshot().unwrap();
    let mut group = criterion.benchmark_group("keyword");
    for count in [1, 4, 16] {
        let query = words(7, count);
        let mut request = SearchRequest::new(query).with_mode(Mode::Keyword);
        request.passages = 0;
        group.bench_function(BenchmarkId::new("words", count), |b| {
            b.iter(|| snapshot.search(&request, None).unwrap().hits.len());
        });
    }
    group.finish();
}

criterion_group!(benches, keyword);
criterion_main!(benches);
