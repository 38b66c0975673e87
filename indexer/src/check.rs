//! Whether catalogue and settings agree with the index.

use std::collections::{BTreeMap, BTreeSet};

use kenning::index::IndexError;
use kenning::{Index, Snapshot};

use crate::catalogue::{FileState, Outcome, states_in};
use crate::{Catalogue, IndexerError, Layout, Result};

/// What a look at everything beside the index found.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What became of the catalogue's turn.
    pub catalogue: Compared,
    /// What does not agree. All of it is derived, or needs only be removed.
    pub problems: Vec<Problem>,
}

/// Whether a catalogue was compared with the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// It was.
    Yes {
        /// Files of which it knows something.
        files: u64,
        /// Documents that these gave.
        documents: u64,
    },
    /// There is none; the next run makes it.
    Missing,
    /// Another process has it open.
    InUse,
}

/// Something that does not agree with the index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The catalogue cannot be read.
    #[error("the catalogue is damaged")]
    Damaged,
    /// The catalogue is of another commit. What it knows of files is not looked at.
    #[error("the catalogue is of {}, the index of commit {index}", commit(*.catalogue))]
    Stamp {
        /// The catalogue's commit, if it has one.
        catalogue: Option<u64>,
        /// The index's.
        index: u64,
    },
    /// Some states of files cannot be read.
    #[error("{count} states of files in the catalogue cannot be read")]
    States {
        /// How many.
        count: u64,
    },
    /// A file is not recorded as it is in the index.
    #[error("the catalogue and the index do not agree about {file}: {reason}")]
    File {
        /// Its id.
        file: String,
        /// In what.
        reason: String,
    },
    /// A run that was interrupted left a file; the next one removes it.
    #[error("{file} is left over from a run that was interrupted")]
    Leftover {
        /// Its name.
        file: String,
    },
}

fn commit(generation: Option<u64>) -> String {
    generation.map_or("no commit".to_owned(), |number| format!("commit {number}"))
}

/// Compares the catalogue with the index, in both directions, and looks for what interrupted runs left. Nothing is changed.
///
/// # Errors
/// Those of reading the index, and of the catalogue's store where that is not damaged.
pub fn check(layout: &Layout, index: &Index) -> Result<Check> {
    let mut check = Check {
        catalogue: Compared::Missing,
        problems: Vec::new(),
    };
    let folder = layout.catalogue();
    // Opening it would make it.
    if folder.is_dir() {
        match Catalogue::open_as_it_is(&folder, index) {
            Ok(Some(catalogue)) => check.compare(&catalogue, &index.snapshot()?)?,
            Ok(None) => check.problems.push(Problem::Damaged),
            Err(IndexerError::Engine(kenning::Error::Index(IndexError::Locked { .. }))) => {
                // Its settings may be under way.
                check.catalogue = Compared::InUse;
                return Ok(check);
            }
            Err(error) => return Err(error),
        }
    }
    let left = layout.leftovers().into_iter();
    let names = left.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    check
        .problems
        .extend(names.map(|file| Problem::Leftover { file }));
    Ok(check)
}

/// Mends all that [`check`] found: makes the catalogue anew from what the index stores, if anything was wrong with it, which
/// is returned, and removes what was left over. Embeddings stay; files that gave no document will be looked at again
/// where the catalogue is made anew.
///
/// # Errors
/// As [`Catalogue::open`].
pub fn mend(layout: &Layout, index: &Index, found: &Check) -> Result<bool> {
    let catalogue = Catalogue::open(&layout.catalogue(), index)?;
    let anew = !found.is_catalogue_sound();
    if anew {
        catalogue.rebuild(&index.snapshot()?)?;
    }
    layout.remove_leftovers(&catalogue);
    Ok(anew)
}

impl Check {
    /// Whether the catalogue was compared, and there is nothing to mend.
    pub fn is_sound(&self) -> bool {
        self.is_catalogue_sound() && self.problems.is_empty()
    }

    fn is_catalogue_sound(&self) -> bool {
        let left_over = |problem: &Problem| matches!(problem, Problem::Leftover { .. });
        let compared = matches!(self.catalogue, Compared::Yes { .. });
        compared && self.problems.iter().all(left_over)
    }

    fn compare(&mut self, catalogue: &Catalogue, snapshot: &Snapshot) -> Result<()> {
        let (found, expected) = (catalogue.generation()?, snapshot.generation());
        if found != Some(expected) {
            self.problems.push(Problem::Stamp {
                catalogue: found,
                index: expected,
            });
            self.catalogue = Compared::Yes {
                files: 0,
                documents: 0,
            };
            return Ok(());
        }
        let count = catalogue.unreadable();
        if count > 0 {
            self.problems.push(Problem::States { count });
        }
        let mut in_index = states_in(snapshot)?;
        let (mut files, mut documents) = (0, 0);
        for entry in catalogue.files() {
            let (file, state) = entry?;
            files += 1;
            documents += state.outcome.documents().len() as u64;
            let indexed = in_index.remove(&file).flatten();
            if let Some(reason) = difference(&state, indexed.as_ref()) {
                self.problems.push(Problem::File { file, reason });
            }
        }
        self.catalogue = Compared::Yes { files, documents };
        self.strangers(in_index);
        Ok(())
    }

    /// Files in the index of which the catalogue knows nothing: no run would ever remove their documents.
    fn strangers(&mut self, in_index: BTreeMap<String, Option<FileState>>) {
        let problems = in_index.into_keys().map(|file| Problem::File {
            file,
            reason: "the catalogue does not know it".to_owned(),
        });
        self.problems.extend(problems);
    }
}

/// In what a state differs from what the index says of the same file, if it says anything.
fn difference(state: &FileState, indexed: Option<&FileState>) -> Option<String> {
    let numbers = |state: &FileState| match &state.outcome {
        Outcome::Indexed { chunks, tokens, .. } => (*chunks, *tokens),
        Outcome::Skipped { .. } | Outcome::Failed { .. } => (0, 0),
    };
    let names = |state: &FileState| -> BTreeSet<String> {
        state.outcome.documents().iter().cloned().collect()
    };
    let Some(indexed) = indexed else {
        let recorded = state.outcome.documents().len();
        return (recorded > 0).then(|| format!("{recorded} documents are recorded, none is there"));
    };
    let (recorded, there) = (names(state), names(indexed));
    if recorded != there {
        let (recorded, there) = (recorded.len(), there.len());
        return Some(format!(
            "{recorded} documents are recorded, {there} are there, and they are not the same"
        ));
    }
    if state.hash != indexed.hash {
        return Some("its content is recorded with another hash".to_owned());
    }
    let (recorded, there) = (numbers(state), numbers(indexed));
    (recorded != there).then(|| {
        format!(
            "{} chunks of {} tokens are recorded, {} of {} are there",
            recorded.0, recorded.1, there.0, there.1
        )
    })
}
