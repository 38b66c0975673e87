//! Ctrl-C: the first stops an index run or a comparison in order, the second at once.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Once, OnceLock};

use crate::terminal::say;

/// What the program is doing when Ctrl-C comes. A process has one handler for good.
static DOING: AtomicU8 = AtomicU8::new(ENDABLE);
/// Nothing that needs to be finished: the program ends.
const ENDABLE: u8 = 0;
/// An index run: it is told to stop.
const INDEXING: u8 = 1;
/// A comparison: it is told to stop.
const MEASURING: u8 = 3;
/// Someone else answers Ctrl-C, as an editor that was started.
const AWAY: u8 = 2;

fn stop() -> &'static Arc<AtomicBool> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    STOP.get_or_init(Arc::default)
}

fn install() {
    static INSTALLED: Once = Once::new();
    // Where no handler can be set, Ctrl-C ends the program as it always did: nothing that was
    // committed is lost.
    INSTALLED.call_once(|| {
        let _ = ctrlc::set_handler(|| match DOING.load(Ordering::Relaxed) {
            AWAY => {}
            INDEXING if !stop().swap(true, Ordering::Relaxed) => {
                say("interrupted: finishing what was begun (once more to stop at once)");
            }
            MEASURING if !stop().swap(true, Ordering::Relaxed) => {
                say("interrupted: showing what is measured so far (once more to stop at once)");
            }
            _ => std::process::exit(130),
        });
    });
}

/// What Ctrl-C means, for as long as it lives.
pub struct Meaning {
    before: u8,
}

impl Meaning {
    fn begin(doing: u8) -> Self {
        install();
        Meaning {
            before: DOING.swap(doing, Ordering::Relaxed),
        }
    }
}

impl Drop for Meaning {
    fn drop(&mut self) {
        DOING.store(self.before, Ordering::Relaxed);
    }
}

/// Until the first is dropped, Ctrl-C sets the second.
pub fn indexing() -> (Meaning, Arc<AtomicBool>) {
    stop().store(false, Ordering::Relaxed);
    (Meaning::begin(INDEXING), Arc::clone(stop()))
}

/// The same for a comparison.
pub fn measuring() -> (Meaning, Arc<AtomicBool>) {
    stop().store(false, Ordering::Relaxed);
    (Meaning::begin(MEASURING), Arc::clone(stop()))
}

/// Until it is dropped, Ctrl-C is left to whoever else gets it.
pub fn away() -> Meaning {
    Meaning::begin(AWAY)
}
