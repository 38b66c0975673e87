//! What heads read.

use super::super::transformer::{Sequence, Transformer};
use crate::Result;

/// A text, or two that are read together, such as a question and a passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// One text.
    Text(&'a str),
    /// Two texts.
    Pair(&'a str, &'a str),
}

impl<'a> From<&'a str> for Input<'a> {
    fn from(text: &'a str) -> Input<'a> {
        Input::Text(text)
    }
}

impl<'a> From<(&'a str, &'a str)> for Input<'a> {
    fn from((first, second): (&'a str, &'a str)) -> Input<'a> {
        Input::Pair(first, second)
    }
}

impl Input<'_> {
    /// The tokens that a model reads, and how many there would be without its limit: what is over is cut from
    /// the end of the text, of a pair's second text.
    pub(super) fn read(self, transformer: &Transformer) -> Result<(Sequence, usize)> {
        let tokenizer = &transformer.tokenizer;
        match self {
            Input::Text(text) => {
                let ids = tokenizer.ids(text)?;
                let full = ids.len() + tokenizer.special_tokens();
                let over = full.saturating_sub(transformer.limit);
                let kept = &ids[..ids.len() - over];
                Ok((tokenizer.framed(kept).into(), full))
            }
            Input::Pair(first, second) => {
                let frame = transformer.pair_frame()?;
                let (first, second) = (tokenizer.ids(first)?, tokenizer.ids(second)?);
                let full = first.len() + second.len() + frame.special_tokens();
                let over = full.saturating_sub(transformer.limit);
                // A first text that fills the model alone leaves the second no room at all.
                transformer.check_length(0, full - second.len().min(over))?;
                let kept = &second[..second.len() - over];
                Ok((frame.framed(&first, kept), full))
            }
        }
    }
}
