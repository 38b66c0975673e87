//! The library's normalisers, with what a text may grow to bounded, and patterns that are.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper};
use tokenizers::tokenizer::pattern::Pattern as Matcher;
use tokenizers::{NormalizedString, Normalizer};

use super::pattern::{Parts, Pattern, Source};
use super::{charsmap, watch};

/// What is done to a text before it is cut, step by step.
#[derive(Debug, Clone, Default)]
pub struct Normaliser(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    Library(NormalizerWrapper),
    Replace(Pattern, String),
}

/// `Replace` as the file has it.
#[derive(Deserialize)]
struct Replace {
    pattern: Source,
    content: String,
}

impl Normaliser {
    /// The same after a text is made lower case.
    pub fn lowercased(mut self) -> Normaliser {
        let lower = Step::Library(Lowercase.into());
        self.0.insert(0, lower);
        self
    }

    fn add(&mut self, wrapper: NormalizerWrapper) -> Result<(), String> {
        match wrapper {
            NormalizerWrapper::Sequence(all) => all.into_iter().try_for_each(|one| self.add(one)),
            NormalizerWrapper::Replace(replace) => {
                let json = serde_json::to_value(replace).map_err(|error| error.to_string())?;
                let Replace { pattern, content } =
                    serde_json::from_value(json).map_err(|error| error.to_string())?;
                let pattern = Pattern::new(&pattern).map_err(|error| error.to_string())?;
                self.0.push(Step::Replace(pattern, content));
                Ok(())
            }
            // It adds nothing, and the library panics in a later step.
            NormalizerWrapper::Prepend(nothing) if nothing.prepend.is_empty() => Ok(()),
            other => {
                self.0.push(Step::Library(other));
                Ok(())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Normaliser {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Normaliser, D::Error> {
        let json = Value::deserialize(from)?;
        // The library panics on a map that is none.
        charsmap::check(&json).map_err(D::Error::custom)?;
        let wrapper = NormalizerWrapper::deserialize(json).map_err(D::Error::custom)?;
        let mut normaliser = Normaliser::default();
        normaliser.add(wrapper).map_err(D::Error::custom)?;
        Ok(normaliser)
    }
}

impl Normalizer for Normaliser {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        for step in &self.0 {
            watch::in_time()?;
            match step {
                Step::Library(wrapper) => wrapper.normalize(text)?,
                Step::Replace(pattern, content) => replace(text, pattern, content)?,
            }
            watch::fits(text.len())?;
        }
        watch::grown(text.len())
    }
}

fn replace(
    text: &mut NormalizedString,
    pattern: &Pattern,
    content: &str,
) -> tokenizers::Result<()> {
    let mut found = pattern.find_matches(text.get())?;
    let count = found.iter().filter(|(_, is_match)| *is_match).count();
    watch::fits(count.saturating_mul(content.len()))?;
    // What it puts before a text stands for no part of it, on which the library panics in a later step.
    let before = found.first() == Some(&((0, 0), true));
    if before {
        found.remove(0);
    }
    text.replace(Found(found), content)?;
    if before && !content.is_empty() {
        text.prepend(content);
    }
    Ok(())
}

/// Matches that were found already.
struct Found(Parts);

impl Matcher for Found {
    fn find_matches(&self, _: &str) -> tokenizers::Result<Parts> {
        Ok(self.0.clone())
    }
}
