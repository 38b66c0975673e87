//! The library's models of words, checked before it makes them: it panics on some merges, and its work on some
//! vocabularies has no bound.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{Model, ModelWrapper, Token};

/// The longest token of a Unigram vocabulary in bytes: several times the longest known. The library keeps them
/// in a tree as deep, and walks it for every place of a text.
const LONGEST: usize = 512;
/// The most bytes that all of them have: three times as many as the largest known. Each may take 300 in the tree.
const MOST: usize = 8 << 20;
/// The longest word that WordPiece looks up in all its parts: ten times what known models ask for.
const LONGEST_WORD: usize = 1000;

/// A model of words.
#[derive(Debug, Clone)]
pub struct Vocabulary(pub ModelWrapper);

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Vocabulary, D::Error> {
        from.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vocabulary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a model of words")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value::<Value>()?;
            // The library writes the type first. There is nothing to be checked before a WordPiece is made, so it is
            // made at once: to make a tree of its vocabulary would take twice as long as all the rest.
            if fields.is_empty() && name == "type" && value == "WordPiece" {
                let pieces = WordPiece::deserialize(MapAccessDeserializer::new(Pieces(map)))?;
                return checked(ModelWrapper::WordPiece(pieces));
            }
            fields.insert(name, value);
        }
        of_json(Value::Object(fields))
    }
}

/// What a WordPiece has; the library stumbles over anything else.
const PIECES: [&str; 4] = [
    "unk_token",
    "continuing_subword_prefix",
    "max_input_chars_per_word",
    "vocab",
];

/// The fields of a WordPiece.
struct Pieces<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Pieces<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.0.next_key::<String>()? {
            if PIECES.contains(&name.as_str()) {
                return seed.deserialize(name.into_deserializer()).map(Some);
            }
            self.0.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

/// Any model of words.
fn of_json<E: serde::de::Error>(mut json: Value) -> Result<Vocabulary, E> {
    check(&json).map_err(E::custom)?;
    let kind = json.get("type").and_then(Value::as_str).map(str::to_owned);
    if kind.is_some()
        && let Some(fields) = json.as_object_mut()
    {
        fields.remove("type");
    }
    // The library would copy the vocabulary twice to find out which it is.
    let model = match kind.as_deref() {
        Some("BPE") => serde_json::from_value(json).map(ModelWrapper::BPE),
        Some("Unigram") => serde_json::from_value(json).map(ModelWrapper::Unigram),
        Some("WordPiece") => serde_json::from_value(json).map(ModelWrapper::WordPiece),
        Some("WordLevel") => serde_json::from_value(json).map(ModelWrapper::WordLevel),
        Some(other) => Err(serde_json::Error::custom(format!(
            "model has type {other:?}"
        ))),
        None => ModelWrapper::deserialize(json),
    };
    checked(model.map_err(E::custom)?)
}

/// Refuses what would not end, or not be the same twice.
fn checked<E: serde::de::Error>(model: ModelWrapper) -> Result<Vocabulary, E> {
    match &model {
        ModelWrapper::BPE(bpe) if bpe.dropout.is_some_and(|dropout| dropout > 0.0) => Err(
            E::custom("model has a dropout: equal texts would get different tokens"),
        ),
        ModelWrapper::WordPiece(pieces) if pieces.max_input_chars_per_word > LONGEST_WORD => {
            Err(E::custom(format!(
                "max_input_chars_per_word is {}, at most {LONGEST_WORD} was expected",
                pieces.max_input_chars_per_word
            )))
        }
        _ => Ok(Vocabulary(model)),
    }
}

/// Refuses what the library does not survive.
fn check(json: &Value) -> Result<(), String> {
    let vocabulary = json.get("vocab");
    if let Some(pieces) = vocabulary.and_then(Value::as_array) {
        let texts = pieces.iter().filter_map(|piece| piece.get(0)?.as_str());
        let (mut longest, mut all) = (0, 0);
        for text in texts {
            longest = longest.max(text.len());
            all += text.len();
        }
        return if longest > LONGEST {
            Err(format!(
                "a piece of the vocabulary has {longest} bytes, at most {LONGEST} were expected"
            ))
        } else if all > MOST {
            Err(format!(
                "the vocabulary has {all} bytes, at most {MOST} were expected"
            ))
        } else {
            Ok(())
        };
    }
    let Some(merges) = json.get("merges").and_then(Value::as_array) else {
        return Ok(());
    };
    let prefix = json.get("continuing_subword_prefix");
    let prefix = prefix.and_then(Value::as_str).unwrap_or_default().len();
    let tokens = vocabulary.and_then(Value::as_object);
    let longest = tokens.and_then(|all| all.keys().map(String::len).max());
    let longest = longest.unwrap_or_default();
    for merge in merges {
        let (first, second) = match merge {
            Value::String(text) => text.split_once(' ').unwrap_or_default(),
            pair => {
                let part = |index: usize| pair.get(index)?.as_str();
                (part(0).unwrap_or_default(), part(1).unwrap_or_default())
            }
        };
        // What is no merge at all the library refuses itself.
        let joined = second.get(prefix..).map(|rest| first.len() + rest.len());
        if joined.is_none_or(|length| length > longest) && !(first.is_empty() && second.is_empty())
        {
            return Err(format!(
                "the merge of {first:?} and {second:?} gives no token"
            ));
        }
    }
    Ok(())
}

impl Model for Vocabulary {
    type Trainer = TrainerWrapper;

    fn tokenize(&self, word: &str) -> tokenizers::Result<Vec<Token>> {
        self.0.tokenize(word)
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.0.token_to_id(token)
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.0.id_to_token(id)
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        self.0.get_vocab()
    }

    fn get_vocab_size(&self) -> usize {
        self.0.get_vocab_size()
    }

    fn save(&self, folder: &Path, prefix: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        self.0.save(folder, prefix)
    }

    fn get_trainer(&self) -> TrainerWrapper {
        self.0.get_trainer()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The library stumbles over fields of a WordPiece that it does not know.
    #[test]
    fn a_word_piece_is_the_same_made_at_once_or_from_a_tree() {
        let fields = r###""unk_token":"[UNK]","merges":[1,{"a":2}],"continuing_subword_prefix":"##",
            "max_input_chars_per_word":9,"x":"y","vocab":{"[UNK]":0,"un":1,"##do":2,"do":3}"###;
        let at_once = format!(r#"{{"type":"WordPiece",{fields}}}"#);
        let from_tree = format!(
            r#"{{{},"type":"WordPiece"}}"#,
            fields.replace(r#""merges":[1,{"a":2}],"#, "")
        );
        let [one, other] = [at_once, from_tree].map(|json| {
            let made: Vocabulary = serde_json::from_str(&json).unwrap();
            let tokens = |word: &str| made.tokenize(word).unwrap();
            ["undo", "do", "undone", "dododododo"].map(tokens)
        });
        assert_eq!(one, other);
        assert_eq!(one[0].len(), 2);
        let missing = serde_json::from_str::<Vocabulary>(r#"{"type":"WordPiece","vocab":{}}"#);
        assert!(missing.unwrap_err().to_string().contains("missing field"));
    }
}
