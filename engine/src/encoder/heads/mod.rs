//! Heads: what a model was fine-tuned for, on top of its encoder.
//!
//! A [`Classifier`] tells the class of a text, or how well two texts fit; a [`TokenClassifier`] finds entities;
//! a [`QuestionAnswerer`] finds the answer in a passage; a [`MaskedLm`] guesses words that were masked. All are
//! opened from a folder in the layout of Hugging Face, and their logits are those of its reference
//! implementation. They are shared by reference or `Arc`: all methods take `&self`, from any thread.
//!
//! Reading order: `input` (what is read), `network` (which tensors make which head), `head` (what all heads
//! share), then one file for each.

mod answers;
mod classifier;
mod entities;
mod head;
mod input;
mod masked;
mod network;

use std::ops::Range;

pub use answers::{Answer, QuestionAnswerer, SpanLogits};
pub use classifier::{Classification, Classifier};
pub use entities::{Entity, TokenClassifier};
pub use head::{HeadOptions, TokenLogits};
pub use input::Input;
pub use masked::{Guess, MaskedLm};

/// Stretches of at most `room` of `count` tokens, of which neighbours share `overlap`: what is longer than a model reads
/// is read in these.
fn windows(count: usize, room: usize, overlap: usize) -> impl Iterator<Item = Range<usize>> {
    let step = room - overlap;
    let starts = (0..count).step_by(step);
    // One that ends within the one before would be all overlap.
    let needed = starts.take_while(move |start| *start == 0 || start + overlap < count);
    needed.map(move |start| start..(start + room).min(count))
}

/// Numbers that are positive and add up to 1, as large as e to their power lets them be.
fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The places of the `most` largest numbers, the largest first; of equal ones the earlier.
fn largest(numbers: &[f32], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[b].total_cmp(&numbers[a]));
    order.truncate(most);
    order
}
