//! SentencePiece's map of characters, which the library trusts: it panics on one that is cut or leads astray.
//! In base64: the size of a trie in bytes, the trie, and texts, each of which ends in a zero. A unit of the trie
//! holds a label, how far its children are, and whether among these, at label 0, stands the place of a text.

use std::collections::BTreeSet;

use serde_json::Value;

/// The most units that a trie may have: ten times as many as the largest known.
const MOST_UNITS: usize = 1 << 20;
/// The longest text that a character may become, in bytes: twice the longest known.
const LONGEST: usize = 64;

/// Refuses a map somewhere in `json`, a normaliser, that is none.
pub fn check(json: &Value) -> Result<(), String> {
    match json {
        Value::Array(all) => all.iter().try_for_each(check),
        Value::Object(fields) => {
            let map = fields.get("precompiled_charsmap");
            if map.is_some() || fields.get("type").is_some_and(|kind| kind == "Precompiled") {
                let text = map.and_then(Value::as_str).unwrap_or_default();
                check_map(text).ok_or("precompiled_charsmap is no map of characters")?;
            }
            fields.values().try_for_each(check)
        }
        _ => Ok(()),
    }
}

/// Walks all that a text may lead to. `None`: it leads out of the trie or the texts.
fn check_map(text: &str) -> Option<()> {
    let bytes = decode(text)?;
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let size = u32::from_le_bytes(*size) as usize / 4;
    let (units, texts) = rest.split_at_checked(size.checked_mul(4)?)?;
    let texts = std::str::from_utf8(texts).ok()?;
    let units: Vec<usize> = units
        .as_chunks::<4>()
        .0
        .iter()
        .map(|unit| u32::from_le_bytes(*unit) as usize)
        .collect();
    if units.len() > MOST_UNITS {
        return None;
    }
    let offset = |unit: usize| (unit >> 10) << ((unit & (1 << 9)) >> 6);
    let first = offset(*units.first()?);
    let (mut seen, mut next) = (BTreeSet::from([first]), vec![first]);
    while let Some(base) = next.pop() {
        // Whatever the text goes on with is looked up.
        units.get(base | 0xFF)?;
        for label in 1..256 {
            let at = base ^ label;
            let unit = units[at];
            if unit & (1 << 31 | 0xFF) != label {
                continue;
            }
            let below = at ^ offset(unit);
            if unit & (1 << 8) != 0 {
                let value = units.get(below)? & ((1 << 31) - 1);
                let text = texts.get(value..)?;
                (text.bytes().take_while(|byte| *byte != 0).count() <= LONGEST).then_some(())?;
            }
            if seen.insert(below) {
                next.push(below);
            }
        }
    }
    Some(())
}

/// The bytes that base64 stands for, with all of its padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (fours, rest) = text.as_bytes().as_chunks::<4>();
    let digits = text.trim_end_matches('=').len();
    let count = digits * 3 / 4;
    // Two letters of padding at most, and no bits in what they leave over.
    (rest.is_empty() && text.len() - digits < 3).then_some(())?;
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for (index, four) in fours.iter().enumerate() {
        let mut bits = 0;
        for (place, letter) in four.iter().enumerate() {
            let is_padding = index * 4 + place >= digits;
            let digit = if is_padding { 0 } else { digit(*letter)? };
            bits = bits << 6 | u32::from(digit);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    let left_over = bytes.split_off(count);
    left_over.iter().all(|byte| *byte == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn base64_is_decoded_and_nothing_else() {
        assert_eq!(decode("").unwrap(), b"");
        assert_eq!(decode("Zg==").unwrap(), b"f");
        assert_eq!(decode("Zm8=").unwrap(), b"fo");
        assert_eq!(decode("Zm9v+/8=").unwrap(), b"foo\xfb\xff");
        for wrong in [
            "Z", "Zg", "Zg=", "Zh==", "Z===", "====", "Zg==Zg==", "Zm9!", "é",
        ] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
