//! What the tokenizer may spend on a text. A model's file can ask for exponentially much: patterns that
//! backtrack, replacements that grow. And the library drops an error of a normaliser, and panics on some files;
//! here both become errors.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};

/// Seconds for patterns, whatever the text, and more for each byte of it: a hundred times what known models need.
const TIME: Duration = Duration::from_secs(2);
const TIME_PER_BYTE: Duration = Duration::from_micros(20);
/// Bytes that a text may grow to while it is normalised, and times that it may grow. NFKC makes eleven times as
/// many of some, and marking bytes or spaces twice to thrice as many again.
const ROOM: usize = 4096;
const GROWTH: usize = 32;

type LibraryResult<T> = Result<T, Box<dyn Error + Send + Sync>>;

struct Watch {
    until: Instant,
    room: usize,
    /// What was normalised so far.
    grown: usize,
    failure: Option<String>,
}

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, which the library does with `bytes` bytes. The error is what went wrong: what the library says,
/// what a step of ours said, whether or not the library listened, or where the library panicked.
pub fn watched<T>(bytes: usize, work: impl FnOnce() -> LibraryResult<T>) -> Result<T, String> {
    silence();
    let watch = Watch {
        until: Instant::now() + TIME + TIME_PER_BYTE * bytes.try_into().unwrap_or(u32::MAX),
        room: bytes.saturating_mul(GROWTH).saturating_add(ROOM),
        grown: 0,
        failure: None,
    };
    WATCH.set(Some(watch));
    CONTAINED.set(true);
    // Nothing that the library was changing is seen again: its caches are whole or lost with the lock.
    let result = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(false);
    match (result, WATCH.take().and_then(|watch| watch.failure)) {
        (_, Some(failure)) => Err(failure),
        (Ok(result), None) => result.map_err(|error| error.to_string()),
        (Err(panic), None) => Err(format!(
            "the tokenizers library fails on it: {}",
            message(panic.as_ref())
        )),
    }
}

/// A contained panic is an error that the caller gets: it is not printed as well. All others go where they went
/// before.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CONTAINED.get() {
                before(info);
            }
        }));
    });
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref().copied())
        .unwrap_or("it does not say why")
}

/// The error `reason`, which is kept as well: not every caller in the library passes it on.
pub fn fail(reason: String) -> Box<dyn Error + Send + Sync> {
    WATCH.with_borrow_mut(|watch| {
        if let Some(watch) = watch {
            watch.failure.get_or_insert_with(|| reason.clone());
        }
    });
    reason.into()
}

fn measure<T>(what: impl FnOnce(&mut Watch) -> T) -> Option<T> {
    WATCH.with_borrow_mut(|watch| watch.as_mut().map(what))
}

/// The error of a text whose time is over.
pub const TOO_LONG: &str = "its patterns take too long on this text, as some do that backtrack";

/// The time that is left for a text; all of it where nobody watches.
pub fn left() -> Duration {
    measure(|watch| watch.until.saturating_duration_since(Instant::now())).unwrap_or(TIME)
}

/// An error where the time is over.
pub fn in_time() -> LibraryResult<()> {
    if left().is_zero() {
        return Err(fail(TOO_LONG.into()));
    }
    Ok(())
}

/// An error where `bytes` are more than a text may grow to.
pub fn fits(bytes: usize) -> LibraryResult<()> {
    match measure(|watch| bytes > watch.room) {
        Some(true) => Err(fail(format!(
            "it makes {bytes} bytes of this text, over {GROWTH} times as many as it has"
        ))),
        _ => Ok(()),
    }
}

/// An error where with `bytes` more all that was normalised is more than a text may grow to.
pub fn grown(bytes: usize) -> LibraryResult<()> {
    let all = measure(|watch| {
        watch.grown = watch.grown.saturating_add(bytes);
        watch.grown
    });
    fits(all.unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_error_counts_even_if_it_is_dropped() {
        let failed = watched(1, || {
            let _ = fits(5_000);
            Ok(())
        });
        assert!(failed.unwrap_err().contains("5000 bytes"));
        assert!(watched(1, || fits(4_000)).is_ok());
        let failed = watched(1, || grown(3_000).and_then(|()| grown(3_000)));
        assert!(failed.unwrap_err().contains("6000 bytes"));
    }

    #[test]
    fn a_panic_in_the_library_is_an_error() {
        let failed: Result<(), _> = watched(1, || panic!("index {} of {}", 1, 1));
        assert!(failed.unwrap_err().ends_with("index 1 of 1"));
    }
}
