//! Many at once: one that writes, others that are refused, and any number that read; and that the same question has the
//! same answer.
//!
//! `KENNING_READ_SECONDS` is how long readers read while a writer commits.

#![allow(clippy::unwrap_used, dead_code)]

mod answers;
#[path = "../common/mod.rs"]
mod common;
#[path = "../durability/content.rs"]
mod content;
mod deleted;
#[cfg(unix)]
mod holder;
mod readers;

/// A setting of the environment.
fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap())
}
