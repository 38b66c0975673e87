//! Fusing the scores of 2,000 candidates.
#![allow(missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use kenning::Fusion;
use kenning::search::{Legs, Words};
use kenning_benches::Random;

fn fusion(criterion: &mut Criterion) {
    let mut random = Random(1);
    let legs: Vec<Legs> = (0..2_000)
        .map(|_| Legs {
            semantic: Some(random.unit()),
            keyword: (20.0 * random.unit() - 10.0).max(0.0),
        })
        .collect();
    let words = Words {
        count: 6,
        bound: 30.0,
    };
    let mut group = criterion.benchmark_group("fusion");
    for (name, method) in [
        ("standard", Fusion::default()),
        ("convex", Fusion::Convex { semantic: 0.8 }),
        ("reciprocal rank", Fusion::ReciprocalRank { k: 60.0 }),
    ] {
        group.bench_function(name, |b| b.iter(|| method.shares(&legs, words)));
    }
    group.finish();
}

criterion_group!(benches, fusion);
criterion_main!(benches);
