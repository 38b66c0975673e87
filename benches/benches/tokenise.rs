//! Cutting the Markdown of the sample library into chunks, tokenised by the default encoder's tokenizer.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kenning::index::chunk;
use kenning_benches::{default_encoder, library_documents, skipped};

fn tokenise(criterion: &mut Criterion) {
    let encoder = match default_encoder() {
        Ok(encoder) => encoder,
        Err(error) => return eprintln!("{}", skipped("tokenise", &error)),
    };
    let documents = library_documents().unwrap();
    let cut = || documents.iter().map(|d| chunk(&encoder, d).unwrap().tokens);
    let mut group = criterion.benchmark_group("tokenise");
    group.throughput(Throughput::Elements(cut().sum()));
    group.bench_function("library, tokens", |b| b.iter(|| cut().sum::<u64>()));
    group.finish();
}

criterion_group!(benches, tokenise);
criterion_main!(benches);
