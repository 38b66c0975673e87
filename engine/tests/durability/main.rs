//! An index survives disks that fail, power cuts, damage, and writers that are killed.
//!
//! `KENNING_FAULT_STRIDE=1` lets every operation fail and not every 17th; `KENNING_CUTS` is how often the power goes at
//! each; `KENNING_DAMAGE_SAMPLES` how many bits are flipped in a file. `KENNING_FAULT_COMMITS`, `KENNING_CUT_COMMITS`,
//! `KENNING_CUT_SEEDS` and `KENNING_SPACE_ROUNDS` make histories longer; `KENNING_KILLS` is how often a writer is killed.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod content;
mod damage;
mod disk;
mod faults;
mod gate;
mod kill;
mod power;
mod space;
mod upgrade;
mod workload;
mod writer;

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

static PANICS: AtomicU64 = AtomicU64::new(0);

/// How many threads of the storage layer have panicked so far. Those of tests do not count.
fn panics() -> u64 {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            let theirs = [
                "thrd-tantivy",
                "segment_updater",
                "merge_thread",
                "docstore",
            ];
            if theirs.iter().any(|start| name.starts_with(start)) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(panic);
        }));
    });
    PANICS.load(Ordering::SeqCst)
}

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap())
}
