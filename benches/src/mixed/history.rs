//! What each commit holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use kenning::index::EmbeddedDocument;

use crate::{one_chunk_document, vector, words};

/// Documents of as many kinds.
const GROUPS: u64 = 50;
/// Words of a text, its own and that of its group counted.
const WORDS: usize = 30;
/// States that are kept: hardly any view is older.
const KEPT: usize = 32;

/// A version of a document. No two have the same number.
#[derive(Debug)]
pub struct Version {
    pub number: u64,
    pub vector: Vec<f32>,
}

impl Version {
    pub fn new(number: u64) -> Version {
        let vector = vector(number);
        Version { number, vector }
    }

    /// A word that is in no other version.
    pub fn word(number: u64) -> String {
        format!("version{number}")
    }

    /// A word that is in all versions of its group.
    pub fn group(&self) -> String {
        format!("group{}", self.number % GROUPS)
    }

    /// The document of this id in this version.
    pub fn document(&self, id: &str) -> EmbeddedDocument {
        let rest = words(self.number, WORDS - 2);
        let text = format!("{} {} {rest}", Version::word(self.number), self.group());
        one_chunk_document(id.to_owned(), &text, WORDS, self.vector.clone())
    }
}

/// What a commit holds: versions by id. Cheap enough to be kept for each of the last commits.
pub type State = BTreeMap<String, Arc<Version>>;

/// What the last commits hold, by their numbers.
#[derive(Default)]
pub struct History {
    states: Mutex<BTreeMap<u64, Arc<State>>>,
    more: Condvar,
}

impl History {
    /// Notes what a commit holds.
    pub fn note(&self, generation: u64, state: &Arc<State>) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.insert(generation, Arc::clone(state));
        while states.len() > KEPT {
            states.pop_first();
        }
        self.more.notify_all();
    }

    /// What a commit holds; `None` if it is not known any more. It may be seen before it is noted: then this waits,
    /// until `enough`.
    pub fn of(&self, generation: u64, enough: &dyn Fn() -> bool) -> Option<Arc<State>> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(state) = states.get(&generation) {
                return Some(Arc::clone(state));
            }
            let forgotten = states
                .keys()
                .next()
                .is_some_and(|first| generation < *first);
            if forgotten || enough() {
                return None;
            }
            let waited = self.more.wait_timeout(states, Duration::from_millis(50));
            (states, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}
