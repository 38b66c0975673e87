//! Patterns in `tokenizer.json`. The library's own stop at the first error and leave the rest of a text as it is;
//! and those that look around or back may take a time that grows with the square of the text, or worse. These
//! tell an error, and stop when the time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::thread;

use fancy_regex::Regex;
use serde::Deserialize;
use tokenizers::Offsets;
use tokenizers::tokenizer::pattern::Pattern as Matcher;

use super::watch;

/// A text or a regular expression, as `Split` and `Replace` have it.
#[derive(Debug, Deserialize)]
pub enum Source {
    String(String),
    Regex(String),
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    /// Whether a single match may take longer than linear time.
    backtracks: bool,
    /// Whether a text once took too long.
    given_up: Arc<AtomicBool>,
}

/// Parts of a text: where they are, and whether they match.
pub type Parts = Vec<(Offsets, bool)>;

/// In texts shorter than this every match ends within seconds, for it may take a million steps.
const SHORT: usize = 4096;

impl Pattern {
    pub fn new(source: &Source) -> Result<Pattern, Box<fancy_regex::Error>> {
        let (regex, backtracks) = match source {
            Source::String(text) => (Regex::new(&fancy_regex::escape(text)), false),
            Source::Regex(expression) => (Regex::new(expression), !is_plain(expression)),
        };
        Ok(Pattern {
            regex: regex?,
            backtracks,
            given_up: Arc::default(),
        })
    }

    /// Searches a long text in a thread of its own: no match can be interrupted. One that takes too long is left
    /// behind, and the pattern is not used again.
    fn find_apart(&self, inside: &str) -> Result<Parts, String> {
        if self.given_up.load(Relaxed) {
            return Err(watch::TOO_LONG.into());
        }
        let (sender, receiver) = sync_channel(1);
        let (regex, text) = (self.regex.clone(), inside.to_owned());
        let given_up = Arc::clone(&self.given_up);
        let search = move || {
            let found = find(&regex, &text, || !given_up.load(Relaxed));
            // Nobody waits for it where the time is over.
            let _ = sender.send(found);
        };
        let started = thread::Builder::new()
            .name("kenning-pattern".into())
            .spawn(search);
        started.map_err(|error| format!("no thread for a pattern of it: {error}"))?;
        receiver.recv_timeout(watch::left()).unwrap_or_else(|_| {
            self.given_up.store(true, Relaxed);
            Err(watch::TOO_LONG.into())
        })
    }
}

/// Whether an expression surely needs no backtracking: it has but groups, classes and escapes that are known to
/// need none.
fn is_plain(expression: &str) -> bool {
    let bytes = expression.as_bytes();
    let after = |at: usize| bytes.get(at + 1).copied().unwrap_or_default();
    let is_group = |at: usize| {
        [":", "i:", "i)"]
            .iter()
            .any(|kind| bytes[at..].starts_with(kind.as_bytes()))
    };
    let mut at = 0;
    while at < bytes.len() {
        let known = match bytes[at] {
            b'\\' => {
                at += 1;
                let escaped = bytes.get(at).copied().unwrap_or_default();
                if b"pP".contains(&escaped) && after(at) == b'{' {
                    let name = bytes[at..].iter().position(|byte| *byte == b'}');
                    at += name.unwrap_or_default();
                }
                b"sSdDwWpPbnrt".contains(&escaped) || escaped.is_ascii_punctuation()
            }
            b'(' => after(at) != b'?' || is_group(at + 2),
            b'*' | b'+' | b'?' | b'}' => after(at) != b'+',
            _ => true,
        };
        if !known {
            return false;
        }
        at += 1;
    }
    true
}

fn find(regex: &Regex, inside: &str, goes_on: impl Fn() -> bool) -> Result<Parts, String> {
    let (mut before, mut parts) = (0, Vec::new());
    for (count, found) in regex.find_iter(inside).enumerate() {
        let found = found.map_err(|error| format!("a pattern of it: {error}"))?;
        if before != found.start() {
            parts.push(((before, found.start()), false));
        }
        parts.push(((found.start(), found.end()), true));
        before = found.end();
        if count % 16 == 15 && !goes_on() {
            return Err(watch::TOO_LONG.into());
        }
    }
    if before != inside.len() {
        parts.push(((before, inside.len()), false));
    }
    Ok(parts)
}

impl Matcher for &Pattern {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Parts> {
        if inside.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let found = if self.backtracks && inside.len() >= SHORT {
            self.find_apart(inside)
        } else {
            find(&self.regex, inside, || !watch::left().is_zero())
        };
        found.map_err(watch::fail)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_may_backtrack_is_known() {
        for plain in [
            " {2,}",
            r"(?i:'s|'t)|[^\r\n\p{L}]?\p{L}+|\\",
            r"(a+)+$",
            r"\d{1,3}\.",
            "^",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in [
            r"\s+(?!\S)",
            r"(a)\1",
            "(?>a)",
            "a++",
            "a{2}+",
            "(?<=a)",
            r"\Ga",
            "(?P=a)",
            "\\",
        ] {
            assert!(!is_plain(other), "{other}");
        }
    }

    #[test]
    fn a_search_apart_finds_what_one_at_once_does() {
        let pattern = Pattern::new(&Source::Regex(r"\w+|\s+(?!\S)|\s".into())).unwrap();
        let text = "a  bc   é ".repeat(1000);
        let apart = watch::watched(text.len(), || (&pattern).find_matches(&text));
        assert_eq!(
            apart.unwrap(),
            find(&pattern.regex, &text, || true).unwrap()
        );
    }

    #[test]
    fn a_pattern_that_takes_quadratic_time_is_given_up() {
        let pattern = Pattern::new(&Source::Regex(r"(?=(a+))\1+b".into())).unwrap();
        let text = "a".repeat(400_000);
        for _ in 0..2 {
            // Of a text as short as they say it has two seconds.
            let failed = watch::watched(1, || (&pattern).find_matches(&text));
            assert_eq!(failed.unwrap_err(), watch::TOO_LONG);
        }
    }
}
