//! The library's pre-tokenizers, with what a text may grow to bounded, and patterns that are.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::split::SplitPattern;
use tokenizers::tokenizer::pattern::Invert;
use tokenizers::{
    OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior,
};

use super::pattern::{Pattern, Source};
use super::watch;

/// How a text is cut, step by step.
#[derive(Debug, Clone, Default)]
pub struct Splitter(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    Library(PreTokenizerWrapper),
    Split(Pattern, SplitDelimiterBehavior, bool),
}

impl Splitter {
    fn add(&mut self, wrapper: PreTokenizerWrapper) -> Result<(), String> {
        let step = match wrapper {
            PreTokenizerWrapper::Sequence(all) => {
                return all.into_iter().try_for_each(|one| self.add(one));
            }
            PreTokenizerWrapper::Split(split) => {
                let source = match split.pattern {
                    SplitPattern::String(text) => Source::String(text),
                    SplitPattern::Regex(expression) => Source::Regex(expression),
                };
                let pattern = Pattern::new(&source).map_err(|error| error.to_string())?;
                Step::Split(pattern, split.behavior, split.invert)
            }
            PreTokenizerWrapper::FixedLength(pieces) if pieces.length == 0 => {
                return Err("FixedLength has a length of 0".into());
            }
            other => Step::Library(other),
        };
        self.0.push(step);
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Splitter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Splitter, D::Error> {
        let mut splitter = Splitter::default();
        splitter
            .add(PreTokenizerWrapper::deserialize(from)?)
            .map_err(D::Error::custom)?;
        Ok(splitter)
    }
}

impl PreTokenizer for Splitter {
    fn pre_tokenize(&self, text: &mut PreTokenizedString) -> tokenizers::Result<()> {
        for (index, step) in self.0.iter().enumerate() {
            watch::in_time()?;
            match step {
                Step::Split(pattern, behaviour, true) => {
                    text.split(|_, piece| piece.split(Invert(pattern), *behaviour))?;
                }
                Step::Split(pattern, behaviour, false) => {
                    text.split(|_, piece| piece.split(pattern, *behaviour))?;
                }
                Step::Library(wrapper) => {
                    wrapper.pre_tokenize(text)?;
                    // Alone neither makes much of a text.
                    if index > 0 && grows(wrapper) {
                        let pieces =
                            text.get_splits(OffsetReferential::Normalized, OffsetType::None);
                        watch::fits(pieces.iter().map(|(piece, ..)| piece.len()).sum())?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a step makes pieces longer.
fn grows(wrapper: &PreTokenizerWrapper) -> bool {
    use PreTokenizerWrapper::{ByteLevel, Metaspace};
    matches!(wrapper, ByteLevel(_) | Metaspace(_))
}
