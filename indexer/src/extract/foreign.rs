//! Calls into parsers of others. Some panic on a broken file; here that is an answer like any other, so
//! that what was read before, and the next page or sheet, is not lost with it.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// How many calls this thread is inside of.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Runs `work`; when it panics, the answer is its message in one line, and nothing is printed.
///
/// What `work` was changing must not be trusted after that with more than to fail again.
pub(crate) fn call<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    silence();
    INSIDE.set(INSIDE.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(INSIDE.get() - 1);
    result.map_err(|panic| format!("its parser failed: {}", panic_message(panic.as_ref())))
}

/// A panic that is caught here is an answer that the caller gets as an error: it is not printed as well. The
/// program's own panics go where they went before.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if INSIDE.get() == 0 {
                before(info);
            }
        }));
    });
}

/// The first line of a panic's message, not too long.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned());
    let line = message.lines().next().unwrap_or_default();
    // The message can quote the file.
    let clean = line.chars().filter(|c| !c.is_control());
    clean.take(160).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_panic_becomes_one_short_line() {
        assert_eq!(call(|| 7), Ok(7));
        let text = format!("slice\u{1b} {}\nmore", "x".repeat(999));
        let message = call(|| -> u8 { panic!("{text}") }).unwrap_err();
        assert!(
            message.starts_with("its parser failed: slice x"),
            "{message}"
        );
        assert!(message.len() < 200 && !message.contains('\n'));
    }
}
