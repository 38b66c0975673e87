//! From bytes to text: which encoding a file is in.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::Encoding;

use super::charset::Charset;
use super::error::ExtractError;

/// A decoded file.
pub(super) struct Decoded {
    pub text: String,
    pub charset: Charset,
    /// Bytes of byte order mark before the text.
    pub mark: usize,
}

/// Most bytes that the detector looks at: more makes no guess better.
const SAMPLE: usize = 1 << 20;

/// Decodes `bytes`. In this order: a byte order mark, UTF-16 and UTF-32 by their zero bytes, ISO-2022-JP
/// by its escapes, UTF-8, the charset that the file declares, the guess of `chardetng`.
///
/// # Errors
///
/// [`ExtractError::Binary`] if what comes out does not look like text.
pub(super) fn decode(bytes: &[u8], declared: Option<&str>) -> Result<Decoded, ExtractError> {
    if let Some((charset, mark)) = byte_order_mark(bytes) {
        let (text, _) = charset.decode(&bytes[mark..]);
        return accept(text, charset, mark);
    }
    if let Some(charset) = by_zero_bytes(bytes) {
        let (text, valid) = charset.decode(bytes);
        if valid && looks_like_text(&text) {
            return accept(text, charset, 0);
        }
    }
    if bytes.contains(&0) {
        return Err(ExtractError::Binary);
    }
    let escapes = bytes.contains(&0x1B);
    if escapes && let Some(text) = iso_2022_jp(bytes) {
        return accept(text, Charset::Standard(encoding_rs::ISO_2022_JP), 0);
    }
    if is_utf8_all_but(bytes) {
        let (text, _) = Charset::Utf8.decode(bytes);
        return accept(text, Charset::Utf8, 0);
    }
    if let Some(charset) = declared.and_then(Charset::from_name) {
        let (text, valid) = charset.decode(bytes);
        if valid && looks_like_text(&text) {
            return accept(text, charset, 0);
        }
    }
    let charset = guess(bytes);
    let (text, _) = charset.decode(bytes);
    accept(text, charset, 0)
}

fn accept(text: String, charset: Charset, mark: usize) -> Result<Decoded, ExtractError> {
    if !looks_like_text(&text) {
        return Err(ExtractError::Binary);
    }
    Ok(Decoded {
        text,
        charset,
        mark,
    })
}

fn guess(bytes: &[u8]) -> Charset {
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    // Never told that the end is reached: texts are often cut in the middle of a character.
    detector.feed(sample, false);
    let encoding = detector.guess(None, Utf8Detection::Deny);
    Charset::Standard(encoding)
}

/// Whether bytes are UTF-8, but for a character that is cut at the end, or a few that are broken among
/// very many that are whole: chance makes no such text in another encoding.
fn is_utf8_all_but(bytes: &[u8]) -> bool {
    let mut whole = 0usize;
    let mut broken = 0usize;
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    broken == 0 || whole / 20 >= broken
}

/// The text of ISO-2022-JP, where the escape sequences of that encoding are and all else is ASCII.
fn iso_2022_jp(bytes: &[u8]) -> Option<String> {
    let begins = [&b"\x1B$B"[..], b"\x1B$@", b"\x1B(J"];
    let marked = bytes.is_ascii() && bytes.windows(3).any(|window| begins.contains(&window));
    if !marked {
        return None;
    }
    let (text, _) = encoding_rs::ISO_2022_JP.decode_without_bom_handling(bytes);
    // The standard counts two escapes without a character between them as an error.
    looks_like_text(&text).then(|| text.into_owned())
}

fn byte_order_mark(bytes: &[u8]) -> Option<(Charset, usize)> {
    if bytes.starts_with(&[0xFF, 0xFE, 0, 0]) && bytes.len().is_multiple_of(4) {
        return Some((Charset::Utf32Le, 4));
    }
    if bytes.starts_with(&[0, 0, 0xFE, 0xFF]) {
        return Some((Charset::Utf32Be, 4));
    }
    let (encoding, length) = Encoding::for_bom(bytes)?;
    Some(if encoding == encoding_rs::UTF_8 {
        (Charset::Utf8, length)
    } else {
        (Charset::Standard(encoding), length)
    })
}

/// UTF-16 or UTF-32 without a mark: in text of any language the high bytes of spaces, digits and line
/// ends are zero, and zero bytes stand nowhere else.
fn by_zero_bytes(bytes: &[u8]) -> Option<Charset> {
    let sample = &bytes[..bytes.len().min(4096) & !3];
    if sample.len() < 4 {
        return None;
    }
    let mut zeros = [0usize; 4];
    for (index, _) in sample.iter().enumerate().filter(|(_, byte)| **byte == 0) {
        zeros[index % 4] += 1;
    }
    let units = sample.len() / 4;
    if zeros[0] == units && zeros[1] == units.max(1) && zeros[3] == 0 {
        return Some(Charset::Utf32Be);
    }
    if zeros[3] == units && zeros[2] == units && zeros[0] == 0 {
        return Some(Charset::Utf32Le);
    }
    let (even, odd) = (zeros[0] + zeros[2], zeros[1] + zeros[3]);
    // One blank or line end in twenty characters is found in any prose that has spaces.
    let enough = sample.len() / 2 / 20;
    match (even, odd) {
        (0, odd) if odd > enough => Some(Charset::Standard(encoding_rs::UTF_16LE)),
        (even, 0) if even > enough => Some(Charset::Standard(encoding_rs::UTF_16BE)),
        _ => None,
    }
}

/// Whether a decoded text is one: no zero bytes, hardly any replacement or control characters.
fn looks_like_text(text: &str) -> bool {
    let mut odd = 0usize;
    let mut all = 0usize;
    for c in text.chars() {
        all += 1;
        match c {
            '\0' => return false,
            '\t' | '\n' | '\r' | '\x0C' | '\x1B' | '\x1A' => {}
            char::REPLACEMENT_CHARACTER => odd += 1,
            c if c.is_control() => odd += 1,
            _ => {}
        }
    }
    // One in fifty, and two in any text: a stray character is not worth losing a file for.
    odd <= 2 + all / 50 && (odd <= all / 4 || all == 0)
}

/// The charset that an HTML file names in a `meta` element, as far as the first bytes tell.
pub(super) fn declared_in_html(bytes: &[u8]) -> Option<String> {
    let head = ascii_head(bytes, 8192).to_ascii_lowercase();
    let mut rest = head.as_str();
    while let Some(at) = rest.find("<meta") {
        let tag = &rest[at..];
        let end = tag.find('>').unwrap_or(tag.len());
        if let Some(name) = value_after(&tag[..end], "charset") {
            return Some(name);
        }
        rest = &tag[end..];
    }
    declared_in_xml(bytes)
}

/// The encoding in an XML declaration.
pub(super) fn declared_in_xml(bytes: &[u8]) -> Option<String> {
    let head = ascii_head(bytes, 256);
    let start = head.trim_start().strip_prefix("<?xml")?;
    value_after(&start[..start.find("?>")?], "encoding")
}

fn ascii_head(bytes: &[u8], length: usize) -> String {
    bytes[..bytes.len().min(length)]
        .iter()
        .map(|&byte| if byte.is_ascii() { byte as char } else { '?' })
        .collect()
}

fn value_after(tag: &str, name: &str) -> Option<String> {
    let after = &tag[tag.find(name)? + name.len()..];
    let value = after.trim_start().strip_prefix('=')?;
    let value: String = value
        .trim_start_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'')
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c))
        .collect();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(bytes: &[u8]) -> Result<&'static str, ExtractError> {
        decode(bytes, None).map(|decoded| decoded.charset.name())
    }

    #[test]
    fn marks_are_obeyed() {
        let text = decode(b"\xEF\xBB\xBFabc", None).unwrap();
        assert_eq!((text.text.as_str(), text.mark), ("abc", 3));
        assert_eq!(name(b"\xFF\xFEa\0b\0"), Ok("UTF-16LE"));
        assert_eq!(name(b"\xFE\xFF\0a\0b"), Ok("UTF-16BE"));
        assert_eq!(name(b"\xFF\xFE\0\0a\0\0\0"), Ok("UTF-32LE"));
        assert_eq!(name(b"\0\0\xFE\xFF\0\0\0a"), Ok("UTF-32BE"));
    }

    #[test]
    fn wide_encodings_without_a_mark() {
        let text = "Это простой текст, в нём есть пробелы.";
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&wide, None).unwrap().text, text);
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&wide, None).unwrap().text, text);
        let wide: Vec<u8> = text
            .chars()
            .flat_map(|c| (c as u32).to_be_bytes())
            .collect();
        assert_eq!(decode(&wide, None).unwrap().text, text);
    }

    #[test]
    fn binary_is_refused() {
        assert_eq!(
            name(b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"),
            Err(ExtractError::Binary)
        );
        let noise: Vec<u8> = (0..4000u32).map(|n| ((n * 7919) >> 3) as u8 | 1).collect();
        assert_eq!(name(&noise), Err(ExtractError::Binary));
    }

    #[test]
    fn a_declared_charset_wins_over_a_guess() {
        let html = b"<html><meta http-equiv=x content='text/html; charset=windows-1253'>\xE1\xE2";
        let declared = declared_in_html(html);
        assert_eq!(declared.as_deref(), Some("windows-1253"));
        assert!(
            decode(html, declared.as_deref())
                .unwrap()
                .text
                .ends_with("αβ")
        );
        assert_eq!(
            declared_in_xml(b"<?xml version='1.0' encoding='KOI8-R'?>").unwrap(),
            "KOI8-R"
        );
    }
}
