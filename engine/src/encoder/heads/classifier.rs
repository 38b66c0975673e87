//! The class of a text, or how well two texts fit.

use std::path::Path;

use serde_json::Value;

use super::head::{Head, HeadOptions};
use super::input::Input;
use super::network::Task;
use super::{largest, softmax};
use crate::Result;

/// Tells the class of a text, or of a pair of texts: a cross-encoder, which judges how well a passage fits a
/// question, is one with a single label.
pub struct Classifier {
    head: Head,
    shares: Shares,
}

/// How logits become scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shares {
    /// The classes exclude each other.
    Softmax,
    /// Each class is or is not.
    Sigmoid,
    /// The logits are the answer.
    None,
}

/// What a classifier says about an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    /// A number for each label, as the model gives it.
    pub logits: Vec<f32>,
    /// Probabilities of the labels: of one among all or, for a model of several labels at once or of a single
    /// one, of each by itself. A model that was trained to predict numbers (`problem_type` is `regression`)
    /// has its logits here.
    pub scores: Vec<f32>,
    /// Place of the label with the largest score.
    pub best: usize,
    /// Whether the end of the input was left out because the model reads no more.
    pub truncated: bool,
}

impl Classifier {
    /// Opens the model in `folder`: one for sequence classification.
    ///
    /// # Errors
    /// As [`Encoder::open`](crate::encoder::Encoder::open); a folder without such a head lacks its tensors, which
    /// the error names.
    pub fn open(folder: &Path, options: &HeadOptions) -> Result<Classifier> {
        let head = Head::open(folder, Task::Sequence, options)?;
        let shares = match &head.config["problem_type"] {
            Value::String(kind) if kind == "regression" => Shares::None,
            Value::String(kind) if kind == "multi_label_classification" => Shares::Sigmoid,
            _ if head.labels.len() == 1 => Shares::Sigmoid,
            _ => Shares::Softmax,
        };
        Ok(Classifier { head, shares })
    }

    /// The names of the labels, in the order of logits and scores.
    pub fn labels(&self) -> &[String] {
        &self.head.labels
    }

    /// Classifies each of `inputs`, in their order; a result does not depend on the other inputs.
    pub fn classify(&self, inputs: &[Input<'_>]) -> Result<Vec<Classification>> {
        let transformer = &self.head.transformer;
        let read = transformer.each_text(inputs, |input| input.read(transformer))?;
        let (sequences, full): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        let logits = self.head.logits(&sequences)?;
        let cut = sequences
            .iter()
            .zip(full)
            .map(|(kept, full)| kept.ids.len() < full);
        Ok(logits
            .into_iter()
            .zip(cut)
            .map(|(logits, truncated)| self.classification(logits, truncated))
            .collect())
    }

    fn classification(&self, logits: Vec<f32>, truncated: bool) -> Classification {
        let scores = match self.shares {
            Shares::Softmax => softmax(&logits),
            Shares::Sigmoid => logits.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
            Shares::None => logits.clone(),
        };
        Classification {
            best: largest(&scores, 1).first().copied().unwrap_or(0),
            logits,
            scores,
            truncated,
        }
    }
}
