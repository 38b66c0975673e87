//! Embedding with the default encoder: a question, and the passages of the sample library.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kenning::encoder::Role;
use kenning::index::{chunk, encode_chunks};
use kenning_benches::{default_encoder, library_documents, skipped};

// What the command line uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn embed(criterion: &mut Criterion) {
    let encoder = match default_encoder() {
        Ok(encoder) => encoder,
        Err(error) => return eprintln!("{}", skipped("embed", &error)),
    };
    let mut group = criterion.benchmark_group("embed");
    let question = ["how do plants turn light into food?"];
    group.bench_function("question", |b| {
        b.iter(|| encoder.encode(Role::Query, &question).unwrap());
    });

    let documents = library_documents().unwrap();
    let chunks = documents.iter().map(|d| chunk(&encoder, d).unwrap().chunks);
    let chunks: Vec<_> = chunks.flatten().take(64).collect();
    let chunks: Vec<_> = chunks.iter().collect();
    let tokens: usize = chunks.iter().map(|chunk| chunk.input.len()).sum();
    group.throughput(Throughput::Elements(tokens as u64));
    group.sample_size(10);
    group.bench_function("64 passages, tokens", |b| {
        b.iter(|| encode_chunks(&encoder, &chunks).unwrap());
    });
    group.finish();
}

criterion_group!(benches, embed);
criterion_main!(benches);
