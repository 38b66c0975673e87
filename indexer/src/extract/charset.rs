//! The encoding of a text file, and the way back from a place in the text to a place in the file.

use encoding_rs::{DecoderResult, Encoding};
use serde::{Deserialize, Serialize};

/// How the bytes of a text file stand for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8.
    Utf8,
    /// UTF-32, lowest byte first.
    Utf32Le,
    /// UTF-32, highest byte first.
    Utf32Be,
    /// Any encoding of the WHATWG standard, UTF-16 among them.
    Standard(&'static Encoding),
}

impl Charset {
    /// The name, as in HTML and MIME.
    pub fn name(self) -> &'static str {
        match self {
            Charset::Utf8 => "UTF-8",
            Charset::Utf32Le => "UTF-32LE",
            Charset::Utf32Be => "UTF-32BE",
            Charset::Standard(encoding) => encoding.name(),
        }
    }

    /// The charset of a name, as HTML and MIME understand it.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim();
        if name.eq_ignore_ascii_case("utf-32le") || name.eq_ignore_ascii_case("utf-32") {
            return Some(Charset::Utf32Le);
        }
        if name.eq_ignore_ascii_case("utf-32be") {
            return Some(Charset::Utf32Be);
        }
        let encoding = Encoding::for_label_no_replacement(name.as_bytes())?;
        Some(if encoding == encoding_rs::UTF_8 {
            Charset::Utf8
        } else {
            Charset::Standard(encoding)
        })
    }

    /// The text that `bytes` stand for, and whether all of them were valid. What is not valid becomes
    /// U+FFFD. A byte order mark is not looked for.
    pub fn decode(self, bytes: &[u8]) -> (String, bool) {
        match self {
            Charset::Utf8 => match std::str::from_utf8(bytes) {
                Ok(text) => (text.to_owned(), true),
                Err(_) => (String::from_utf8_lossy(bytes).into_owned(), false),
            },
            Charset::Utf32Le | Charset::Utf32Be => {
                let mut valid = bytes.len().is_multiple_of(4);
                let text = bytes
                    .chunks(4)
                    .map(|unit| {
                        self.utf32_char(unit).unwrap_or_else(|| {
                            valid = false;
                            char::REPLACEMENT_CHARACTER
                        })
                    })
                    .collect();
                (text, valid)
            }
            Charset::Standard(encoding) => {
                let (text, errors) = encoding.decode_without_bom_handling(bytes);
                (text.into_owned(), !errors)
            }
        }
    }

    fn utf32_char(self, unit: &[u8]) -> Option<char> {
        let unit: [u8; 4] = unit.try_into().ok()?;
        char::from_u32(match self {
            Charset::Utf32Be => u32::from_be_bytes(unit),
            _ => u32::from_le_bytes(unit),
        })
    }

    /// For each of `offsets` (ascending byte offsets into the text that `bytes` decode to, on
    /// character borders) the offset in `bytes` where that character begins. An offset past the end
    /// of the text gives the end of `bytes`.
    ///
    /// The bytes are decoded again one at a time, so the answer is exact for every encoding, escape
    /// sequences and damaged places included.
    pub fn byte_offsets(self, bytes: &[u8], offsets: &[usize]) -> Vec<usize> {
        match self {
            Charset::Utf8 if std::str::from_utf8(bytes).is_ok() => {
                offsets.iter().map(|&at| at.min(bytes.len())).collect()
            }
            Charset::Utf8 => trace_standard(encoding_rs::UTF_8, bytes, offsets),
            Charset::Standard(encoding) => trace_standard(encoding, bytes, offsets),
            Charset::Utf32Le | Charset::Utf32Be => {
                let mut trace = Trace::new(offsets);
                for (index, unit) in bytes.chunks(4).enumerate() {
                    let c = self.utf32_char(unit);
                    let width = c.unwrap_or(char::REPLACEMENT_CHARACTER).len_utf8();
                    trace.step(width, index * 4);
                }
                trace.finish(bytes.len())
            }
        }
    }
}

fn trace_standard(encoding: &'static Encoding, bytes: &[u8], offsets: &[usize]) -> Vec<usize> {
    let mut trace = Trace::new(offsets);
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut buffer = [0u8; 64];
    let mut begin = 0;
    let mut at = 0;
    while at < bytes.len() && !trace.is_complete() {
        let last = at + 1 == bytes.len();
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(&bytes[at..=at], &mut buffer, last);
        if written > 0 {
            trace.step(written, begin);
            begin = at + read;
        }
        if let DecoderResult::Malformed(_, ahead) = result {
            trace.step(char::REPLACEMENT_CHARACTER.len_utf8(), begin);
            // The decoder may give back bytes that it looked ahead at, to be read again.
            begin = at + read - usize::from(ahead).min(at + read);
        }
        // An error may leave this byte unread; it is then offered again, and taken.
        at += read;
    }
    trace.finish(bytes.len())
}

/// Follows a decoding and notes where wanted text offsets come from.
struct Trace<'a> {
    wanted: &'a [usize],
    found: Vec<usize>,
    text: usize,
}

impl<'a> Trace<'a> {
    fn new(wanted: &'a [usize]) -> Self {
        Trace {
            wanted,
            found: Vec::with_capacity(wanted.len()),
            text: 0,
        }
    }

    fn is_complete(&self) -> bool {
        self.found.len() == self.wanted.len()
    }

    /// `width` bytes of text come from the file's bytes at `begin`.
    fn step(&mut self, width: usize, begin: usize) {
        self.text += width;
        while let Some(&offset) = self.wanted.get(self.found.len()) {
            if offset >= self.text {
                break;
            }
            self.found.push(begin);
        }
    }

    fn finish(mut self, end: usize) -> Vec<usize> {
        self.found.resize(self.wanted.len(), end);
        self.found
    }
}

impl Serialize for Charset {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Charset {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Charset::from_name(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown charset {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character border of a text leads to the byte where the character was written.
    #[test]
    fn offsets_lead_back_to_the_bytes() {
        let text = "Grüße, дом и 漢字 – ende";
        for name in ["UTF-8", "gb18030", "Shift_JIS", "EUC-JP", "EUC-KR", "Big5"] {
            let charset = Charset::from_name(name).expect(name);
            let Charset::Standard(encoding) = charset else {
                continue;
            };
            let mut bytes = Vec::new();
            let mut expected = Vec::new();
            let mut offsets = Vec::new();
            let mut kept = String::new();
            for c in text.chars() {
                let letter = c.to_string();
                let (piece, _, unmappable) = encoding.encode(&letter);
                if unmappable {
                    continue;
                }
                offsets.push(kept.len());
                expected.push(bytes.len());
                bytes.extend_from_slice(&piece);
                kept.push(c);
            }
            assert_eq!(charset.decode(&bytes), (kept, true), "{name}");
            assert_eq!(charset.byte_offsets(&bytes, &offsets), expected, "{name}");
        }
    }

    #[test]
    fn offsets_in_utf16_and_utf32() {
        let text = "aé漢😀b";
        let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let charset = Charset::Standard(encoding_rs::UTF_16BE);
        assert_eq!(charset.decode(&wide).0, text);
        assert_eq!(charset.byte_offsets(&wide, &offsets), [0, 2, 4, 6, 10]);
        let wider: Vec<u8> = text
            .chars()
            .flat_map(|c| (c as u32).to_le_bytes())
            .collect();
        assert_eq!(Charset::Utf32Le.decode(&wider).0, text);
        assert_eq!(
            Charset::Utf32Le.byte_offsets(&wider, &offsets),
            [0, 4, 8, 12, 16]
        );
        assert_eq!(Charset::Utf32Le.byte_offsets(&wider, &[99]), [20]);
    }

    #[test]
    fn offsets_behind_damage_are_exact() {
        let bytes = b"ab\xFFcd\xC3(e";
        let (text, valid) = Charset::Utf8.decode(bytes);
        assert!(!valid);
        let c = text.find('c').expect("c");
        let e = text.find('e').expect("e");
        assert_eq!(Charset::Utf8.byte_offsets(bytes, &[0, c, e]), [0, 3, 7]);
    }
}
