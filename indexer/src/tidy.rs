//! Making an index small again, and taking files out of it.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

use kenning::Index;
use kenning::index::{GraphOptions, GraphProgress, GraphReport};

use crate::catalogue::Outcome;
use crate::embeddings::from_hex;
use crate::{Catalogue, IndexerError, Layout, Result};

/// Merges the index into one segment, drops what was deleted, builds its graph if it is large, and forgets the embeddings of chunks
/// that are no longer in it. `watch` is told how far a graph is, and may stop it; what was merged stays merged.
///
/// # Errors
/// [`kenning::index::IndexError::Locked`] while the index is written to.
pub fn optimize(
    index: &Index,
    catalogue: &Catalogue,
    watch: &mut dyn FnMut(GraphProgress) -> ControlFlow<()>,
) -> Result<GraphReport> {
    let mut writer = index.writer()?;
    writer.optimize()?;
    let report = writer.build_graphs(&GraphOptions::default(), watch)?;
    writer.close()?;
    let snapshot = index.snapshot()?;
    catalogue.record(&BTreeMap::new(), snapshot.generation())?;
    let mut known = HashSet::new();
    for file in catalogue.files() {
        if let Outcome::Indexed { keys, chunks, .. } = &file?.1.outcome {
            if keys.is_empty() && *chunks > 0 {
                // A rebuilt catalogue does not know which embeddings are in use: all are kept.
                return Ok(report);
            }
            known.extend(from_hex(keys));
        }
    }
    catalogue.embeddings().retain(|key| known.contains(key))?;
    catalogue.flush_embeddings()?;
    Ok(report)
}

/// Removes files and everything below folders from the index, whether or not they are still there. Returns
/// how many files were removed.
///
/// # Errors
/// [`IndexerError::NotIndexed`] for a path that nothing in the index lies at or below; then nothing is
/// removed at all.
pub fn remove(
    index: &Index,
    catalogue: &Catalogue,
    layout: &Layout,
    paths: &[PathBuf],
) -> Result<u64> {
    let mut changes = BTreeMap::new();
    let mut documents = Vec::new();
    for path in paths {
        let absolute = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
        let path = absolute.map_err(|error| IndexerError::io("find", path, error))?;
        let before = changes.len();
        for entry in catalogue.files() {
            let (id, state) = entry?;
            if layout.is_below(&id, &path) {
                documents.extend(state.outcome.documents().iter().cloned());
                changes.insert(id, None);
            }
        }
        if changes.len() == before {
            return Err(IndexerError::NotIndexed { path });
        }
    }
    let mut writer = index.writer()?;
    for document in documents {
        writer.delete(&document)?;
    }
    let generation = writer.commit()?;
    catalogue.record(&changes, generation)?;
    writer.close()?;
    Ok(changes.len() as u64)
}
