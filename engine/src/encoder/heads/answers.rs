//! The answer to a question inside a passage (Rajpurkar et al. 2016, arXiv:1606.05250).

use std::ops::Range;
use std::path::Path;

use super::super::tokenizer::Tokens;
use super::super::transformer::Sequence;
use super::head::{Head, HeadOptions};
use super::input::Input;
use super::network::Task;
use super::{softmax, windows};
use crate::Result;

/// Finds the stretch of a passage that answers a question.
pub struct QuestionAnswerer {
    head: Head,
}

/// For each token of an input, how well an answer starts and ends there.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanLogits {
    /// Token ids, special ones included.
    pub ids: Vec<u32>,
    /// A number for each id.
    pub start: Vec<f32>,
    /// A number for each id.
    pub end: Vec<f32>,
}

/// A stretch of a passage.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Where it stands in the passage, in bytes.
    pub bytes: Range<usize>,
    /// The probability that the answer starts there and ends there, among all tokens that were read with it.
    pub score: f32,
    /// What the score of "no answer here" is, the first token standing for it: above `score` where the model
    /// finds that the passage does not answer. Only models that were trained on such questions tell.
    pub no_answer: f32,
}

/// Answers are no longer, in tokens.
const LONGEST: usize = 32;
/// Tokens that neighbouring windows of a long passage share, so that no answer is cut in two.
const OVERLAP: usize = 128;

impl QuestionAnswerer {
    /// Opens the model in `folder`: one for question answering.
    ///
    /// # Errors
    /// As [`Encoder::open`](crate::encoder::Encoder::open); a folder without such a head lacks its tensors, which
    /// the error names.
    pub fn open(folder: &Path, options: &HeadOptions) -> Result<QuestionAnswerer> {
        let head = Head::open(folder, Task::Answer, options)?;
        Ok(QuestionAnswerer { head })
    }

    /// The logits of each of `inputs`: a question and a passage as a pair. An input over the model's limit is an
    /// error.
    pub fn logits(&self, inputs: &[Input<'_>]) -> Result<Vec<SpanLogits>> {
        let transformer = &self.head.transformer;
        let read = transformer.each_text(inputs, |input| input.read(transformer))?;
        for (index, (_, full)) in read.iter().enumerate() {
            transformer.check_length(index, *full)?;
        }
        let sequences: Vec<Sequence> = read.into_iter().map(|(sequence, _)| sequence).collect();
        self.spans(sequences)
    }

    fn spans(&self, sequences: Vec<Sequence>) -> Result<Vec<SpanLogits>> {
        let logits = self.head.logits(&sequences)?;
        let both = sequences.into_iter().zip(logits);
        Ok(both
            .map(|(input, logits)| SpanLogits {
                ids: input.ids,
                start: logits.iter().step_by(2).copied().collect(),
                end: logits.iter().skip(1).step_by(2).copied().collect(),
            })
            .collect())
    }

    /// The `most` best answers to `question` in `passage`, which may have any length, the best first. Answers
    /// do not overlap.
    ///
    /// # Errors
    /// A question that leaves no room for a passage.
    pub fn answers(&self, question: &str, passage: &str, most: usize) -> Result<Vec<Answer>> {
        let transformer = &self.head.transformer;
        let question = transformer.tokenizer.ids(question)?;
        let passage = transformer.tokenizer.tokens(passage)?;
        let frame = transformer.pair_frame()?;
        let taken = question.len() + frame.special_tokens();
        let room = transformer.limit.saturating_sub(taken);
        if room == 0 {
            transformer.check_length(0, taken + 1)?;
        }
        let windows: Vec<Range<usize>> =
            windows(passage.ids.len(), room, OVERLAP.min(room / 2)).collect();
        let sequences = windows
            .iter()
            .map(|window| frame.framed(&question, &passage.ids[window.clone()]));
        let logits = self.spans(sequences.collect())?;
        let first = frame.second_at(&question);
        let mut found = Vec::new();
        for (window, logits) in windows.into_iter().zip(&logits) {
            candidates(logits, first, &passage, window, &mut found);
        }
        found.sort_by(|a: &Answer, b| b.score.total_cmp(&a.score));
        let mut best: Vec<Answer> = Vec::new();
        for answer in found {
            let apart = |other: &Answer| {
                answer.bytes.end <= other.bytes.start || other.bytes.end <= answer.bytes.start
            };
            if best.len() < most && best.iter().all(apart) {
                best.push(answer);
            }
        }
        Ok(best)
    }
}

/// Adds the stretches of the passage's tokens in `window`, the first of which is at `first` among those that
/// were read.
fn candidates(
    logits: &SpanLogits,
    first: usize,
    passage: &Tokens,
    window: Range<usize>,
    found: &mut Vec<Answer>,
) {
    let (starts, ends) = (softmax(&logits.start), softmax(&logits.end));
    let no_answer = starts[0] * ends[0];
    for from in 0..window.len() {
        for to in from..(from + LONGEST).min(window.len()) {
            found.push(Answer {
                bytes: passage.offsets[window.start + from].0..passage.offsets[window.start + to].1,
                score: starts[first + from] * ends[first + to],
                no_answer,
            });
        }
    }
}
