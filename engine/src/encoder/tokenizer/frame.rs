//! The special tokens around a text.

use serde_json::Value;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::{AddedToken, Decoder, Encoding, NormalizedString, Normalizer};

use super::super::transformer::Sequence;

/// Ids before and after every sequence.
pub type Frame = (Vec<u32>, Vec<u32>);

/// Refuses a post-processor on which the library panics, or that repeats the text.
pub fn check(processor: &PostProcessorWrapper) -> Result<(), String> {
    let mut flat = Vec::new();
    flatten(processor, &mut flat);
    let adds = |one: &&&PostProcessorWrapper| !matches!(one, PostProcessorWrapper::ByteLevel(_));
    if flat.iter().filter(adds).count() > 1 {
        return Err("post_processor adds special tokens twice".into());
    }
    let templates = flat
        .iter()
        .filter(|one| matches!(one, PostProcessorWrapper::Template(_)));
    for template in templates {
        check_template(&serde_json::to_value(template).map_err(|error| error.to_string())?)?;
    }
    Ok(())
}

fn flatten<'a>(processor: &'a PostProcessorWrapper, flat: &mut Vec<&'a PostProcessorWrapper>) {
    match processor {
        PostProcessorWrapper::Sequence(all) => {
            all.as_ref().iter().for_each(|one| flatten(one, flat));
        }
        one => flat.push(one),
    }
}

/// One text, and special tokens that are there.
fn check_template(template: &Value) -> Result<(), String> {
    let pieces = template["single"].as_array().into_iter().flatten();
    let mut texts = 0;
    for piece in pieces {
        if let Some(id) = piece["SpecialToken"]["id"].as_str() {
            let token = &template["special_tokens"][id];
            let count = |what: &str| token[what].as_array().map(Vec::len);
            if count("ids").is_none() || count("ids") != count("tokens") {
                return Err(format!(
                    "post_processor has no special token {id:?}, or ids without tokens"
                ));
            }
        } else if piece["Sequence"]["id"] == "A" {
            texts += 1;
        } else {
            return Err("post_processor wants a second text".into());
        }
    }
    match texts {
        1 => Ok(()),
        _ => Err(format!(
            "post_processor has the text {texts} times, once was expected"
        )),
    }
}

/// Refuses added tokens that `normaliser` makes nothing of: the library finds them everywhere, within characters
/// too, and panics.
pub fn check_added<'a>(
    added: impl Iterator<Item = &'a AddedToken>,
    normaliser: &impl Normalizer,
) -> tokenizers::Result<()> {
    for token in added.filter(|token| token.normalized) {
        let mut text = NormalizedString::from(token.content.as_str());
        normaliser.normalize(&mut text)?;
        if text.is_empty() {
            return Err(format!("nothing is left of the added token {:?}", token.content).into());
        }
    }
    Ok(())
}

/// What stands around `bare` in `with`, the tokens of the same text with special ones; `None` if they are not
/// before and after it alone, all of type 0.
pub fn around(with: &Encoding, bare: &[u32]) -> Option<Frame> {
    let ids = with.get_ids();
    let special = with.get_special_tokens_mask();
    let before = special.iter().take_while(|special| **special != 0).count();
    let after = before + bare.len();
    let is_frame = !bare.is_empty()
        && ids.get(before..after) == Some(bare)
        && special[after..].iter().all(|special| *special != 0)
        && with.get_type_ids().iter().all(|kind| *kind == 0);
    is_frame.then(|| (ids[..before].to_vec(), ids[after..].to_vec()))
}

/// What goes round two texts that are read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFrame {
    /// Ids before the first text, between the two, and after the second.
    special: [Vec<u32>; 3],
    /// The types of those and of the texts: before, first, between, second, after.
    types: [u32; 5],
}

impl PairFrame {
    /// What stands around twice `bare` in `with`; `None` if it is not before, between and after them, each part
    /// of one type.
    pub fn around(with: &Encoding, bare: &[u32]) -> Option<PairFrame> {
        let (ids, types) = (with.get_ids(), with.get_type_ids());
        let special = with.get_special_tokens_mask();
        let text_from = |from: usize| {
            let start = from + special.get(from..)?.iter().take_while(|x| **x != 0).count();
            let end = start + bare.len();
            (!bare.is_empty() && ids.get(start..end)? == bare).then_some((start, end))
        };
        let first = text_from(0)?;
        let second = text_from(first.1)?;
        if special[second.1..].contains(&0) {
            return None;
        }
        let parts = [
            0..first.0,
            first.0..first.1,
            first.1..second.0,
            second.0..second.1,
            second.1..ids.len(),
        ];
        let mut kinds = [0; 5];
        for (kind, part) in kinds.iter_mut().zip(&parts) {
            *kind = types[part.clone()].first().copied().unwrap_or(0);
            if types[part.clone()].iter().any(|other| other != kind) {
                return None;
            }
        }
        Some(PairFrame {
            special: [0, 2, 4].map(|part: usize| ids[parts[part].clone()].to_vec()),
            types: kinds,
        })
    }

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
        let parts = [before, first, between, second, after];
        for (part, kind) in parts.into_iter().zip(self.types) {
            sequence.ids.extend(part);
            sequence.types.resize(sequence.ids.len(), kind);
        }
        sequence
    }
}

/// Decoders turn tokens into texts, which nobody asks for here: they are not read.
#[derive(Debug, Clone)]
pub struct NoDecoder;

impl<'de> serde::Deserialize<'de> for NoDecoder {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<NoDecoder, D::Error> {
        serde::de::IgnoredAny::deserialize(from).map(|_| NoDecoder)
    }
}

impl Decoder for NoDecoder {
    fn decode_chain(&self, tokens: Vec<String>) -> tokenizers::Result<Vec<String>> {
        Ok(tokens)
    }
}
