//! The special tokens around a text.

use serde_json::Value;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::{AddedToken, Decoder, Encoding, NormalizedString, Normalizer};

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
