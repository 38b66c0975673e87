//! The tokenizer of models from before `tokenizer.json`: WordPiece over the tokens in `vocab.txt`, one a line,
//! as BERT's own code and `BertTokenizer` do it.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::ModelError;
use super::config::read_json_if_there;
use crate::Result;

/// What `tokenizer_config.json` and `special_tokens_map.json` say; BERT's settings where they say nothing.
#[derive(Debug)]
pub(super) struct WordPiece {
    lowercase: bool,
    /// `None`: as `lowercase` says.
    strip_accents: Option<bool>,
    split_chinese: bool,
    /// The special tokens: before a text, after it, and for what has no token; padding and masking.
    first: Option<String>,
    last: Option<String>,
    unknown: Option<String>,
    others: Vec<String>,
}

impl WordPiece {
    /// Reads the settings in `folder`.
    pub fn read(folder: &Path) -> Result<WordPiece> {
        let config = read_json_if_there(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
        let map = read_json_if_there(&folder.join("special_tokens_map.json"))?.unwrap_or_default();
        let token = |name: &str| {
            [
                &config[name],
                &map[name],
                &config[name]["content"],
                &map[name]["content"],
            ]
            .into_iter()
            .find_map(|value| value.as_str().map(str::to_owned))
        };
        Ok(WordPiece {
            lowercase: config["do_lower_case"].as_bool().unwrap_or(true),
            strip_accents: config["strip_accents"].as_bool(),
            split_chinese: config["tokenize_chinese_chars"].as_bool().unwrap_or(true),
            first: token("cls_token"),
            last: token("sep_token"),
            unknown: token("unk_token"),
            others: ["pad_token", "mask_token"]
                .into_iter()
                .filter_map(token)
                .collect(),
        })
    }

    /// The tokenizer over `vocabulary`, the contents of `path`, in the format of tokenizer.json.
    pub fn tokenizer(&self, path: &Path, vocabulary: &[u8]) -> Result<Value> {
        let malformed = |reason: String| ModelError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let text = std::str::from_utf8(vocabulary).map_err(|error| malformed(error.to_string()))?;
        let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let lines = lines.map(|line| line.strip_suffix('\r').unwrap_or(line));
        // Of two equal lines the later counts, as in the reference.
        let ids: Vocabulary = lines
            .zip(0_u32..)
            .map(|(token, id)| (token.to_owned(), json!(id)))
            .collect();
        // MPNet writes its special tokens as RoBERTa does.
        let special = |set: &Option<String>, usual: [&str; 2]| {
            let there = usual.into_iter().find(|token| ids.contains_key(*token));
            let token = set.as_deref().or(there).unwrap_or(usual[0]).to_owned();
            let missing = || malformed(format!("the special token {token} is not in it"));
            ids.contains_key(&token)
                .then(|| token.clone())
                .ok_or_else(missing)
        };
        let first = special(&self.first, ["[CLS]", "<s>"])?;
        let last = special(&self.last, ["[SEP]", "</s>"])?;
        let unknown = special(&self.unknown, ["[UNK]", "<unk>"])?;
        let usual = ["[PAD]", "[MASK]", "<pad>", "<mask>"].map(str::to_owned);
        let named = [&first, &last, &unknown].into_iter();
        let added = added_tokens(&ids, named.chain(&self.others).chain(&usual));
        Ok(json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "lowercase": self.lowercase,
                "handle_chinese_chars": self.split_chinese, "strip_accents": self.strip_accents,
            },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": frame(&ids, &first, &last),
            "decoder": null,
            "model": {
                "type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": ids,
            },
        }))
    }
}

/// Tokens and their ids.
type Vocabulary = Map<String, Value>;

/// The special tokens among `named`, which are found in a text before it is cut into words.
fn added_tokens<'a>(ids: &Vocabulary, named: impl Iterator<Item = &'a String>) -> Vec<Value> {
    let mut added: Vec<(u64, &String)> = named
        .filter_map(|token| Some((ids.get(token)?.as_u64()?, token)))
        .collect();
    added.sort_unstable();
    added.dedup();
    let entry = |(id, token): (u64, &String)| {
        json!({
            "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        })
    };
    added.into_iter().map(entry).collect()
}

/// What puts `first` before a text and `last` after it, and after the second of a pair.
fn frame(ids: &Vocabulary, first: &str, last: &str) -> Value {
    let special =
        |token: &str, kind: u32| json!({ "SpecialToken": { "id": token, "type_id": kind } });
    let text = |name: &str, kind: u32| json!({ "Sequence": { "id": name, "type_id": kind } });
    let single = [special(first, 0), text("A", 0), special(last, 0)];
    let pair = [single.as_slice(), &[text("B", 1), special(last, 1)]].concat();
    let entry = |token: &str| json!({ "id": token, "ids": [ids[token]], "tokens": [token] });
    json!({
        "type": "TemplateProcessing", "single": single, "pair": pair,
        "special_tokens": { first: entry(first), last: entry(last) },
    })
}
