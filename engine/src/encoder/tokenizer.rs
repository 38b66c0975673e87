//! Texts to token ids. The steps are those of the `tokenizers` library, each checked or bounded, for a model's
//! file is not to be trusted: reading order `watch`, `pattern`, `normaliser` with `charsmap`, `splitter`,
//! `vocabulary`, `frame`.

mod charsmap;
mod frame;
mod normaliser;
mod pattern;
mod splitter;
mod vocabulary;
mod watch;

use std::path::{Path, PathBuf};

use tokenizers::{Encoding, ModelWrapper, PostProcessorWrapper, TokenizerImpl};

pub(super) use self::frame::PairFrame;
use self::frame::{Frame, NoDecoder};
use self::normaliser::Normaliser;
use self::splitter::Splitter;
use self::vocabulary::Vocabulary;
use self::watch::watched;
use super::config::read_file;
use super::wordpiece::WordPiece;
use super::{ModelError, sha256_hex};
use crate::Result;

type Tokenizer = TokenizerImpl<Vocabulary, Normaliser, Splitter, PostProcessorWrapper, NoDecoder>;

/// The tokens of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Ids in the model's vocabulary.
    pub ids: Vec<u32>,
    /// For each id the byte span in the text that it stands for: on character borders, starts
    /// non-decreasing.
    pub offsets: Vec<(usize, usize)>,
}

/// The most bytes that `tokenizer.json` or `vocab.txt` has: twice as many as the largest known.
const MOST_BYTES: u64 = 64 << 20;

/// A model's tokenizer. It never truncates nor pads, whatever its file says.
pub(super) struct TextTokenizer {
    tokenizer: Tokenizer,
    model: String,
    frame: Frame,
    /// SHA-256 of its file.
    pub sha256: String,
}

/// The tokenizer of `folder`: its file, its content in the format of tokenizer.json, and the hash of what
/// decides it.
fn read(folder: &Path) -> Result<(PathBuf, Vec<u8>, String)> {
    let path = folder.join("tokenizer.json");
    if path.exists() {
        let bytes = read_file(&path, MOST_BYTES)?;
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
    let vocabulary = read_file(&path, MOST_BYTES)?;
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
        let read = || Ok(serde_json::from_slice::<Tokenizer>(&bytes)?);
        let mut tokenizer = watched(bytes.len(), read).map_err(malformed)?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| malformed(error.to_string()))?;
        if let Some(processor) = tokenizer.get_post_processor() {
            frame::check(processor).map_err(malformed)?;
        }
        if let Some(normaliser) = tokenizer.get_normalizer() {
            let added = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
            watched(bytes.len(), || {
                frame::check_added(added.values(), normaliser)
            })
            .map_err(malformed)?;
        }
        if lowercase {
            let own = tokenizer.get_normalizer().cloned().unwrap_or_default();
            watched(bytes.len(), || {
                tokenizer.with_normalizer(Some(own.lowercased())).map(drop)
            })
            .map_err(malformed)?;
            sha256 = sha256_hex(format!("lowercase {sha256}").as_bytes());
        }
        let mut tokenizer = TextTokenizer {
            tokenizer,
            model: model.to_owned(),
            frame: Default::default(),
            sha256,
        };
        tokenizer.frame = tokenizer.probe().map_err(malformed)?;
        Ok(tokenizer)
    }

    /// The tokens of `text` without special ones.
    pub fn tokens(&self, text: &str) -> Result<Tokens> {
        Ok(spans(text, &self.run(text, false)?))
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

    /// The piece of an id; empty for an id that is none.
    pub fn token(&self, id: u32) -> String {
        self.tokenizer.id_to_token(id).unwrap_or_default()
    }

    /// The name of the method.
    pub fn kind(&self) -> &'static str {
        match &self.tokenizer.get_model().0 {
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

    /// What goes round a pair of texts, found by tokenising one; `None` where it cannot be told.
    pub fn pair_frame(&self) -> Result<Option<PairFrame>> {
        let found = self.sample().and_then(|(text, bare)| {
            let with = watched(2 * text.len(), || self.tokenizer.encode((text, text), true))?;
            Ok(PairFrame::around(&with, &bare))
        });
        Ok(found.map_err(|reason| self.failed(reason))?)
    }

    fn run(&self, text: &str, special: bool) -> Result<Encoding> {
        let encoding = self.encoding(text, special);
        Ok(encoding.map_err(|reason| self.failed(reason))?)
    }

    fn failed(&self, reason: String) -> ModelError {
        ModelError::Tokenize {
            model: self.model.clone(),
            reason,
        }
    }

    fn encoding(&self, text: &str, special: bool) -> Result<Encoding, String> {
        watched(text.len(), || self.tokenizer.encode(text, special))
    }

    /// The ids around a sequence, found by tokenising a text with and without them.
    fn probe(&self) -> Result<Frame, String> {
        let (text, bare) = self.sample()?;
        let with = self.encoding(text, true)?;
        frame::around(&with, &bare).ok_or_else(|| {
            "special tokens only before and after a text, of type 0, were expected".into()
        })
    }

    /// A text that the tokenizer has tokens for, and these.
    fn sample(&self) -> Result<(&'static str, Vec<u32>), String> {
        for text in ["a", "1", ".", "一"] {
            let bare = self.encoding(text, false)?;
            if !bare.get_ids().is_empty() {
                return Ok((text, bare.get_ids().to_vec()));
            }
        }
        Err("tokens for one of a, 1, . and 一 were expected".to_owned())
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
