//! Tests across Kenning's crates; its benchmarks will stand beside them.
