//! The class of each token, and the entities that tokens of a class make up.

use std::ops::Range;
use std::path::Path;

use super::super::transformer::Sequence;
use super::head::{Head, HeadOptions, TokenLogits};
use super::network::Task;
use super::{largest, softmax, windows};
use crate::Result;

/// Classifies the tokens of a text: finds persons, places and what else its labels name.
pub struct TokenClassifier {
    head: Head,
}

/// A stretch of text with a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// The label, without the `B-` or `I-` of its tokens.
    pub label: String,
    /// Where it stands in the text, in bytes.
    pub bytes: Range<usize>,
    /// Mean probability of the label over its words.
    pub score: f32,
}

/// A word: the span of its tokens, the label of its first, and that label's probability.
struct Word {
    bytes: Range<usize>,
    label: usize,
    score: f32,
}

impl TokenClassifier {
    /// Opens the model in `folder`: one for token classification.
    ///
    /// # Errors
    /// As [`Encoder::open`](crate::encoder::Encoder::open); a folder without such a head lacks its tensors, which
    /// the error names.
    pub fn open(folder: &Path, options: &HeadOptions) -> Result<TokenClassifier> {
        let head = Head::open(folder, Task::Tokens, options)?;
        Ok(TokenClassifier { head })
    }

    /// The names of the labels, in the order of the logits.
    pub fn labels(&self) -> &[String] {
        &self.head.labels
    }

    /// The logits of each token of each text. A text over the model's limit is an error.
    pub fn logits(&self, texts: &[&str]) -> Result<Vec<TokenLogits>> {
        self.head.token_logits(texts)
    }

    /// The entities in a text of any length, in order. A word has the label of its first token, and neighbouring
    /// words of a label are one entity, unless the second begins another (`B-`) or other text than spaces stands
    /// between. The label `O` is none.
    pub fn entities(&self, text: &str) -> Result<Vec<Entity>> {
        let mut entities: Vec<Entity> = Vec::new();
        let mut words = 0;
        for word in self.words(text)? {
            let name = &self.head.labels[word.label];
            let (begins, label) = match name.split_once('-') {
                Some(("B", label)) => (true, label),
                Some(("I" | "E" | "S" | "L" | "U", label)) => (false, label),
                _ => (false, name.as_str()),
            };
            if label == "O" {
                words = 0;
                continue;
            }
            match entities.last_mut() {
                Some(last)
                    if words > 0
                        && !begins
                        && last.label == label
                        && text[last.bytes.end..word.bytes.start].trim().is_empty() =>
                {
                    last.bytes.end = word.bytes.end;
                    last.score += (word.score - last.score) / (words + 1) as f32;
                    words += 1;
                }
                _ => {
                    entities.push(Entity {
                        label: label.to_owned(),
                        bytes: word.bytes,
                        score: word.score,
                    });
                    words = 1;
                }
            }
        }
        Ok(entities)
    }

    /// The words of a text with their labels.
    fn words(&self, text: &str) -> Result<Vec<Word>> {
        let transformer = &self.head.transformer;
        let (tokens, numbers) = transformer.tokenizer.words(text)?;
        let room = transformer.limit - transformer.tokenizer.special_tokens();
        let windows = middles(tokens.ids.len(), room);
        let inputs: Vec<Sequence> = windows
            .iter()
            .map(|(read, _)| {
                transformer
                    .tokenizer
                    .framed(&tokens.ids[read.clone()])
                    .into()
            })
            .collect();
        let logits = self.head.logits(&inputs)?;
        let before = transformer.tokenizer.special_before();
        let classes = self.head.labels.len();
        let mut words: Vec<Word> = Vec::new();
        let mut last = None;
        for ((read, kept), logits) in windows.iter().zip(&logits) {
            for place in kept.clone() {
                let (start, end) = tokens.offsets[place];
                if numbers[place].is_some() && numbers[place] == last {
                    if let Some(word) = words.last_mut() {
                        word.bytes.end = word.bytes.end.max(end);
                    }
                    continue;
                }
                last = numbers[place];
                let row = (before + place - read.start) * classes;
                let shares = softmax(&logits[row..row + classes]);
                let label = largest(&shares, 1).first().copied().unwrap_or(0);
                words.push(Word {
                    bytes: start..end,
                    label,
                    score: shares[label],
                });
            }
        }
        Ok(words)
    }
}

/// The windows in which `count` tokens are read, overlapping by a quarter, and of each the part whose labels count: its
/// middle, where tokens have neighbours on both sides.
fn middles(count: usize, room: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let overlap = room / 4;
    let mut kept = 0;
    windows(count, room, overlap)
        .map(|read| {
            let until = match read.end {
                end if end == count => count,
                end => end - overlap / 2,
            };
            (read, std::mem::replace(&mut kept, until)..until)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_keep_every_token_once_within_what_they_read() {
        for (count, room) in [
            (0, 5),
            (1, 1),
            (7, 1),
            (5, 5),
            (6, 5),
            (100, 7),
            (1000, 128),
        ] {
            let mut next = 0;
            for (read, kept) in middles(count, room) {
                assert!(read.len() <= room && !kept.is_empty(), "{read:?} {kept:?}");
                assert!(read.start <= kept.start && kept.end <= read.end);
                assert_eq!(kept.start, next);
                next = kept.end;
            }
            assert_eq!(next, count, "{count} {room}");
        }
    }
}
