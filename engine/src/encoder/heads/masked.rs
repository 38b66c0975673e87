//! Words that were masked (Devlin et al. 2018, arXiv:1810.04805; Taylor 1953, "Cloze procedure").

use std::path::Path;

use serde_json::Value;

use super::super::ModelError;
use super::super::config::{read_json_if_there, transformer_folder};
use super::head::{Head, HeadOptions, TokenLogits};
use super::network::Task;
use super::{largest, softmax};
use crate::Result;

/// Guesses the words of a text that were masked.
pub struct MaskedLm {
    head: Head,
    mask: (String, u32),
}

/// A guess at a masked word.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// Its id in the vocabulary.
    pub id: u32,
    /// The token, as the vocabulary writes it.
    pub token: String,
    /// Its probability.
    pub score: f32,
}

impl MaskedLm {
    /// Opens the model in `folder`: a masked language model.
    ///
    /// # Errors
    /// As [`Encoder::open`](crate::encoder::Encoder::open); a folder without such a head lacks its tensors, which
    /// the error names. A vocabulary without a token for masks.
    pub fn open(folder: &Path, options: &HeadOptions) -> Result<MaskedLm> {
        let head = Head::open(folder, Task::Masked, options)?;
        let folder = transformer_folder(folder)?;
        let mut names = Vec::new();
        for file in ["special_tokens_map.json", "tokenizer_config.json"] {
            let token =
                read_json_if_there(&folder.join(file))?.map(|json| json["mask_token"].clone());
            match token {
                Some(Value::String(name)) => names.push(name),
                Some(Value::Object(token)) => {
                    names.extend(token["content"].as_str().map(str::to_owned));
                }
                _ => {}
            }
        }
        names.extend(["[MASK]", "<mask>"].map(str::to_owned));
        let tokenizer = &head.transformer.tokenizer;
        let known = names
            .into_iter()
            .find_map(|name| tokenizer.id(&name).map(|id| (name, id)));
        let mask = known.ok_or_else(|| ModelError::Malformed {
            path: folder.join("tokenizer.json"),
            reason: "a token for masks, such as [MASK] or <mask>, was expected".into(),
        })?;
        Ok(MaskedLm { head, mask })
    }

    /// What stands in a text for a masked word: `[MASK]` or `<mask>`, as a rule.
    pub fn mask(&self) -> &str {
        &self.mask.0
    }

    /// The logits of each token of each text: a number for each id of the vocabulary. A text over the model's limit
    /// is an error.
    pub fn logits(&self, texts: &[&str]) -> Result<Vec<TokenLogits>> {
        self.head.token_logits(texts)
    }

    /// For each mask in `text` the `most` likeliest tokens, the likeliest first. A text over the model's limit is
    /// an error.
    pub fn guesses(&self, text: &str, most: usize) -> Result<Vec<Vec<Guess>>> {
        let vocabulary = self.head.transformer.shape.vocabulary;
        let mut masks = Vec::new();
        for TokenLogits { ids, logits } in self.logits(&[text])? {
            let rows = ids.iter().zip(logits.chunks_exact(vocabulary));
            for (_, row) in rows.filter(|(id, _)| **id == self.mask.1) {
                let shares = softmax(row);
                let guesses = largest(&shares, most).into_iter().map(|id| {
                    let score = shares[id];
                    let id = id as u32;
                    let token = self.head.transformer.tokenizer.token(id);
                    Guess { id, token, score }
                });
                masks.push(guesses.collect());
            }
        }
        Ok(masks)
    }
}
