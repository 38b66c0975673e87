//! Reading without what protects the caller, so that what would be contained shows; see [`crate::fuzzing`].

use std::path::Path;

use super::detect::detect;
use super::error::ExtractError;
use super::limits::{Context, Limits};
use super::part::Extracted;
use super::read::read;
use super::wire::Answer;

/// Tells the format and reads, in this thread.
pub fn read_here(name: &str, bytes: &[u8]) -> Result<Extracted, ExtractError> {
    let limits = Limits {
        seconds: 8.0,
        unpacked_bytes: 16 << 20,
        text_bytes: 8 << 20,
        ..Limits::default()
    };
    let (path, context) = (Path::new(name), Context::new(&limits));
    let format = detect(path, bytes, &context)?;
    read(format, path, bytes, &context)
}

/// The answer of a worker.
pub fn answer(bytes: &[u8]) -> Option<Extracted> {
    let answer: Answer = serde_json::from_slice(bytes).ok()?;
    answer.into_result().ok()
}

/// The answer that a worker gives for a file, in JSON.
pub fn answered(name: &str, bytes: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&Answer::from(read_here(name, bytes))).expect("an answer is JSON")
}
