//! Texts to token ids.

use std::fs;
use std::path::{Path, PathBuf};

use tokenizers::normalizers;
use tokenizers::{Encoding, ModelWrapper, Tokenizer};

use super::transformer::Sequence;
use super::wordpiece::WordPiece;
use super::{ModelError, sha256_hex};
use crate::{Error, Result};

/// The tokens of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Ids in the model's vocabulary.
    pub ids: Vec<u32>,
    /// For each id the byte span in the text that it stands for: on character borders, starts
    /// non-decreasing.
    pub offsets: Vec<(usize, usize)>,
}

/// What goes round two texts that are read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PairFrame {
    /// Ids before the first text, between the two, and after the second.
    special: [Vec<u32>; 3],
    /// The types of those and of the texts: before, first, between, second, after.
    types: [u32; 5],
}

impl PairFrame {
    /// How many special tokens there are.
    pub fn special_tokens(&self) -> usize {
        self.special.iter().map(Vec::len).sum()
    }

    /// Where the second text begins.
    pub fn second_at(&self, first: &[u32]) -> usize {
        self.special[0].len() + first.len() + self.special[1].len()
    }

    /// The largest type.
    pub fn most(&self) -> u32 {
        self.types.into_iter().max().unwrap_or(0)
    }

    /// The two texts in the frame.
    pub fn framed(&self, first: &[u32], second: &[u32]) -> Sequence {
        let [before, between, after] = &self.special;
        let mut sequence = Sequence::default();
        for (part, kind) in [before, first, between, second, after]
            .into_iter()
            .zip(self.types)
        {
            sequence.ids.extend(part);
            sequence.types.resize(sequence.ids.len(), kind);
        }
        sequence
    }
}

/// A model's tokenizer. It never truncates nor pads, whatever its file says.
pub(super) struct TextTokenizer {
    tokenizer: Tokenizer,
    model: String,
    /// Ids before and after every sequence.
    frame: (Vec<u32>, Vec<u32>),
    /// SHA-256 of its file.
    pub sha256: String,
}

/// The tokenizer of `folder`: its file, its content in the format of tokenizer.json, and the hash of what
/// decides it.
fn read(folder: &Path) -> Result<(PathBuf, Vec<u8>, String)> {
    let path = folder.join("tokenizer.json");
    let load = |path: &Path| fs::read(path).map_err(|source| Error::io("read", path, source));
    if path.exists() {
        let bytes = load(&path)?;
        let hash = sha256_hex(&bytes);
        return Ok((path, bytes, hash));
    }
    let path = folder.join("vocab.txt");
    if !path.exists() {
        return Err(ModelError::MissingFile {
            folder: folder.to_owned(),
            file: "tokenizer.json",
        }
        .into());
    }
    let vocabulary = load(&path)?;
    let settings = WordPiece::read(folder)?;
    let json = settings.tokenizer(&path, &vocabulary)?.to_string();
    let decided = format!("{} {settings:?}", sha256_hex(&vocabulary));
    Ok((path, json.into_bytes(), sha256_hex(decided.as_bytes())))
}

impl TextTokenizer {
    /// Reads `tokenizer.json` in `folder` or, where there is none, builds a WordPiece tokenizer from its
    /// `vocab.txt`; `model` is its name in errors. With `lowercase` every text is made lower case first.
    pub fn open(folder: &Path, model: &str, lowercase: bool) -> Result<TextTokenizer> {
        let (path, bytes, mut sha256) = read(folder)?;
        let malformed = |reason: String| ModelError::Malformed {
            path: path.clone(),
            reason,
        };
        let mut tokenizer =
            Tokenizer::from_bytes(&bytes).map_err(|error| malformed(error.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| malformed(error.to_string()))?;
        if lowercase {
            let own = tokenizer.get_normalizer().cloned();
            let all = std::iter::once(normalizers::Lowercase.into())
                .chain(own)
                .collect();
            tokenizer
                .with_normalizer(Some(normalizers::Sequence::new(all)))
                .map_err(|error| malformed(error.to_string()))?;
            sha256 = sha256_hex(format!("lowercase {sha256}").as_bytes());
        }
        let mut tokenizer = TextTokenizer {
            tokenizer,
            model: model.to_owned(),
            frame: Default::default(),
            sha256,
        };
        tokenizer.frame = tokenizer.probe()?.ok_or_else(|| {
            malformed(
                "special tokens only before and after a text, of type 0, were expected".into(),
            )
        })?;
        Ok(tokenizer)
    }

    /// The tokens of `text` without special ones.
    pub fn tokens(&self, text: &str) -> Result<Tokens> {
        Ok(spans(text, &self.run(text, false)?))
    }

    /// The piece of an id; empty for an id that is none.
    pub fn token(&self, id: u32) -> String {
        self.tokenizer.id_to_token(id).unwrap_or_default()
    }

    /// The name of the method.
    pub fn kind(&self) -> &'static str {
        match self.tokenizer.get_model() {
            ModelWrapper::BPE(_) => "BPE",
            ModelWrapper::Unigram(_) => "Unigram",
            ModelWrapper::WordLevel(_) => "WordLevel",
            ModelWrapper::WordPiece(_) => "WordPiece",
        }
    }

    /// The ids of `text` without special ones.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.run(text, false)?.get_ids().to_vec())
    }

    /// How many special tokens every sequence gets.
    pub fn special_tokens(&self) -> usize {
        self.frame.0.len() + self.frame.1.len()
    }

    /// How many of them stand before it.
    pub fn special_before(&self) -> usize {
        self.frame.0.len()
    }

    /// `ids` with the special tokens around.
    pub fn framed(&self, ids: &[u32]) -> Vec<u32> {
        [&self.frame.0, ids, &self.frame.1].concat()
    }

    fn run(&self, text: &str, special: bool) -> Result<Encoding> {
        let encoding = self.tokenizer.encode(text, special);
        Ok(encoding.map_err(|error| self.failed(error.to_string()))?)
    }

    /// The ids around a sequence, found by tokenising a text with and without them.
    fn probe(&self) -> Result<Option<(Vec<u32>, Vec<u32>)>> {
        let with = self.run("a", true)?;
        let bare = self.ids("a")?;
        if with.get_type_ids().iter().any(|kind| *kind != 0) {
            return Ok(None);
        }
        let with = with.get_ids();
        let extra = with.len().saturating_sub(bare.len());
        let start = (0..=extra).find(|start| with[*start..].starts_with(&bare));
        Ok(start.map(|start| (with[..start].to_vec(), with[start + bare.len()..].to_vec())))
    }

    /// What goes round a pair of texts, found by tokenising one; `None` where it cannot be told.
    pub fn pair_frame(&self) -> Result<Option<PairFrame>> {
        let encoding = self.tokenizer.encode(("a", "a"), true);
        let encoding = encoding.map_err(|error| self.failed(error.to_string()))?;
        let (ids, types) = (encoding.get_ids(), encoding.get_type_ids());
        let bare = self.ids("a")?;
        let text_from =
            |from: usize| (from..ids.len()).find(|&start| ids[start..].starts_with(&bare));
        let Some(first) = text_from(0) else {
            return Ok(None);
        };
        let between = first + bare.len();
        let Some(second) = text_from(between) else {
            return Ok(None);
        };
        let after = second + bare.len();
        let parts = [
            0..first,
            first..between,
            between..second,
            second..after,
            after..ids.len(),
        ];
        let mut kinds = [0; 5];
        for (kind, part) in kinds.iter_mut().zip(&parts) {
            let of_part = &types[part.clone()];
            *kind = of_part.first().copied().unwrap_or(0);
            if of_part.iter().any(|other| other != kind) {
                return Ok(None);
            }
        }
        Ok(Some(PairFrame {
            special: [0, 2, 4].map(|part: usize| ids[parts[part].clone()].to_vec()),
            types: kinds,
        }))
    }

    /// The tokens of `text` without special ones, and for each the number of the word that it is of.
    pub fn words(&self, text: &str) -> Result<(Tokens, Vec<Option<u32>>)> {
        let encoding = self.run(text, false)?;
        let words = encoding.get_word_ids().to_vec();
        Ok((spans(text, &encoding), words))
    }

    /// The id of a piece, if there is one.
    pub fn id(&self, piece: &str) -> Option<u32> {
        self.tokenizer.token_to_id(piece)
    }

    /// The text of one id, as it would be written.
    pub fn written(&self, id: u32) -> Result<String> {
        let text = self.tokenizer.decode(&[id], false);
        Ok(text.map_err(|error| self.failed(error.to_string()))?)
    }

    fn failed(&self, reason: String) -> ModelError {
        ModelError::Tokenize {
            model: self.model.clone(),
            reason,
        }
    }
}

/// The ids of an encoding of `text` with their spans.
fn spans(text: &str, encoding: &Encoding) -> Tokens {
    let mut from = 0;
    let spans = encoding.get_offsets().iter().map(|&(start, end)| {
        // Byte-level tokens may split a character: give each the whole of it.
        let start = text.floor_char_boundary(start).max(from);
        let end = text.ceil_char_boundary(end).max(start);
        from = start;
        (start, end)
    });
    Tokens {
        offsets: spans.collect(),
        ids: encoding.get_ids().to_vec(),
    }
}
