//! Patterns in `tokenizer.json`. The library's own stop at the first error and leave the rest of a text as it is;
//! and each match may take a million steps. These say so, and stop when the time is over.

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
pub struct Pattern(Regex);

impl Pattern {
    pub fn new(source: &Source) -> Result<Pattern, Box<fancy_regex::Error>> {
        let regex = match source {
            Source::String(text) => Regex::new(&fancy_regex::escape(text)),
            Source::Regex(expression) => Regex::new(expression),
        };
        regex.map(Pattern).map_err(Box::new)
    }
}

impl Matcher for &Pattern {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        if inside.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let (mut before, mut parts) = (0, Vec::new());
        for (count, found) in self.0.find_iter(inside).enumerate() {
            let found = found.map_err(|error| watch::fail(format!("a pattern of it: {error}")))?;
            if before != found.start() {
                parts.push(((before, found.start()), false));
            }
            parts.push(((found.start(), found.end()), true));
            before = found.end();
            // Each takes thirty milliseconds at most.
            if count % 16 == 15 {
                watch::in_time()?;
            }
        }
        if before != inside.len() {
            parts.push(((before, inside.len()), false));
        }
        Ok(parts)
    }
}
