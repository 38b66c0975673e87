//! The files of an index: those of the last commit, and others.

use std::io;
use std::path::Path;

use tantivy::directory::error::OpenReadError;
use tantivy::index::{SegmentComponent, SegmentMeta};

use crate::Result;
use crate::vector::column::{CODES, RESIDUALS};

use super::super::IndexError;
use super::super::store::Store;
use super::{Audit, Problem};

/// The files that a segment must have: all but its graph.
fn components(segment: &SegmentMeta) -> Vec<SegmentComponent> {
    let mut components = vec![
        SegmentComponent::Postings,
        SegmentComponent::Positions,
        SegmentComponent::Terms,
        SegmentComponent::Store,
        SegmentComponent::FastFields,
        SegmentComponent::FieldNorms,
        SegmentComponent::Custom(CODES.to_owned()),
        SegmentComponent::Custom(RESIDUALS.to_owned()),
    ];
    if segment.has_deletes() {
        components.push(SegmentComponent::Delete);
    }
    components
}

impl Audit {
    /// Compares the files of the last commit with their checksums.
    pub(super) fn check_files(&mut self, index: &tantivy::Index, store: &Store) -> Result<()> {
        let read = || index.searchable_segment_metas().map_err(IndexError::from);
        let segments = read()?;
        for segment in &segments {
            let found: Vec<Problem> = components(segment)
                .into_iter()
                .filter_map(|component| check_file(store, &segment.relative_path(component)))
                .collect();
            self.files += components(segment).len() as u64;
            // A merge may have taken its files away meanwhile.
            let mut now = read()?.into_iter();
            if !found.is_empty() && now.any(|other| other.id() == segment.id()) {
                self.problems.extend(found);
            }
        }
        Ok(())
    }

    /// Looks for files that no commit names.
    pub(super) fn check_leftovers(&mut self, index: &tantivy::Index, store: &Store) -> Result<()> {
        let left = store.leftovers(index).map_err(IndexError::from)?;
        let left = left.into_iter().map(|name| Problem::Leftover {
            file: name.to_string_lossy().into_owned(),
        });
        self.problems.extend(left);
        Ok(())
    }
}

fn check_file(store: &Store, path: &Path) -> Option<Problem> {
    let file = path.to_string_lossy().into_owned();
    match store.check(path) {
        Ok(()) => None,
        Err(OpenReadError::FileDoesNotExist(_)) => Some(Problem::Missing { file }),
        Err(OpenReadError::IoError { io_error, .. })
            if io_error.kind() == io::ErrorKind::InvalidData =>
        {
            Some(Problem::Checksum { file })
        }
        Err(error) => {
            let reason = error.to_string();
            Some(Problem::Unreadable { file, reason })
        }
    }
}
