//! What stops a commit right before it gets its name.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Longer than a commit takes to come there.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The next commit stops.
    Shut,
    /// One has stopped.
    Waiting,
}

/// Every commit goes through it; clones are the same.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<State>, Condvar)>);

impl Gate {
    /// Stops the next commit, also that of a merge.
    pub fn shut(&self) {
        *self.0.0.lock().unwrap() = State::Shut;
    }

    /// Whether one has stopped by now, or does soon.
    pub fn has_stopped(&self) -> bool {
        let (state, changed) = &*self.0;
        let not_yet = |state: &mut State| *state != State::Waiting;
        let state = changed.wait_timeout_while(state.lock().unwrap(), PATIENCE, not_yet);
        *state.unwrap().0 == State::Waiting
    }

    /// Lets it go on.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = State::Open;
        self.0.1.notify_all();
    }

    /// Where a commit stops.
    pub fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        if *state == State::Shut {
            *state = State::Waiting;
            changed.notify_all();
            let stopped = |state: &mut State| *state == State::Waiting;
            drop(changed.wait_while(state, stopped).unwrap());
        }
    }
}
