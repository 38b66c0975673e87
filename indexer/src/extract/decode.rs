//! From bytes to text: which encoding a file is in.

use std::collections::{BTreeMap, BTreeSet};

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

/// So many letters beyond ASCII show which ones a language has.
const MANY_LETTERS: usize = 8;

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
    let mut encoding = detect(sample);
    if is_latin(encoding) {
        if let Some(other) = mixed_with_latin(sample) {
            encoding = other;
        } else if is_baltic(encoding) && has_few_letters(sample, encoding) {
            encoding = encoding_rs::WINDOWS_1252;
        }
    }
    Charset::Standard(encoding)
}

fn detect(sample: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    // Never told that the end is reached: texts are often cut in the middle of a character.
    detector.feed(sample, false);
    detector.guess(None, Utf8Detection::Deny)
}

/// Whether an encoding that `chardetng` guesses is one of Latin letters.
fn is_latin(encoding: &'static Encoding) -> bool {
    use encoding_rs::*;
    [
        WINDOWS_1250,
        WINDOWS_1252,
        WINDOWS_1254,
        WINDOWS_1257,
        WINDOWS_1258,
        ISO_8859_2,
        ISO_8859_4,
    ]
    .contains(&encoding)
}

/// The encoding of a text in another script where letters that look alike are Latin ones, as texts in
/// Cyrillic are that were typed or converted carelessly. The detector holds words that mix scripts
/// to be Latin; without their Latin letters it sees what they are.
///
/// No language in Latin letters has as many beyond ASCII as in it: Vietnamese, which has the most, has
/// six to ten.
fn mixed_with_latin(sample: &[u8]) -> Option<&'static Encoding> {
    let latin = sample.iter().filter(|byte| byte.is_ascii_alphabetic());
    let beyond = sample.iter().filter(|byte| !byte.is_ascii());
    if beyond.count() < latin.count() {
        return None;
    }
    let mut rest = sample.to_vec();
    rest.retain(|byte| !byte.is_ascii_alphabetic());
    let encoding = detect(&rest);
    (encoding.is_single_byte() && !is_latin(encoding)).then_some(encoding)
}

/// Whether an encoding is one for Estonian, Latvian and Lithuanian.
fn is_baltic(encoding: &'static Encoding) -> bool {
    [encoding_rs::WINDOWS_1257, encoding_rs::ISO_8859_4].contains(&encoding)
}

/// Whether a text has many letters beyond ASCII, and those are the same one or two, as no language has
/// that the Baltic encodings were made for. The detector takes a text whose one such letter is â for one.
fn has_few_letters(sample: &[u8], encoding: &'static Encoding) -> bool {
    let mut counts = BTreeMap::new();
    for byte in sample.iter().filter(|byte| !byte.is_ascii()) {
        *counts.entry(*byte).or_insert(0usize) += 1;
    }
    let mut letters = BTreeSet::new();
    let mut all = 0;
    for (byte, count) in counts {
        let (text, _) = encoding.decode_without_bom_handling(std::slice::from_ref(&byte));
        if text.chars().all(char::is_alphabetic) {
            letters.insert(text.to_lowercase());
            all += count;
        }
    }
    all >= MANY_LETTERS && letters.len() < 3
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

    #[test]
    fn cyrillic_with_latin_letters_among_it_is_cyrillic() {
        // Serbian whose a, e, j and o are Latin, as they were on many typewriters and in many fonts.
        let text = "Прeзирaњe прaвa чoвeкa вoдилo je вaрвaрским пoступцимa, кojи су врeђaли сaвeст \
                    чoвeчaнствa, и ствaрaњe свeтa у кojeм ћe људскa бићa уживaти слoбoду гoвoрa.";
        for encoding in [encoding_rs::WINDOWS_1251, encoding_rs::ISO_8859_5] {
            let (bytes, ..) = encoding.encode(text);
            let decoded = decode(&bytes, None).unwrap();
            assert_eq!(decoded.text, text, "{}", encoding.name());
        }
        // Vietnamese has more letters beyond ASCII than any other language in Latin ones.
        let text = "Tâ\u{301}t ca\u{309} mo\u{323}i ngươ\u{300}i sinh ra đê\u{300}u đươ\u{323}c tư\u{323} \
                    do và bi\u{300}nh đă\u{309}ng vê\u{300} nhân phâ\u{309}m và quyê\u{300}n lơ\u{323}i.";
        let (bytes, ..) = encoding_rs::WINDOWS_1258.encode(text);
        assert_eq!(decode(&bytes, None).unwrap().text, text);
    }

    #[test]
    fn a_text_with_one_letter_beyond_ascii_is_not_baltic() {
        let sentence =
            "Dreptul ti-bana shi câ nitinjisearea dutsea la comportâri barbari a omlui. ";
        let text = sentence.repeat(8);
        let (bytes, ..) = encoding_rs::WINDOWS_1252.encode(&text);
        assert_eq!(detect(&bytes), encoding_rs::WINDOWS_1257);
        assert_eq!(name(&bytes), Ok("windows-1252"));
        // What is Baltic stays so.
        let text = "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis. Jiems suteiktas protas ir \
                    sąžinė ir jie turi elgtis vienas kito atžvilgiu kaip broliai.";
        let (bytes, ..) = encoding_rs::WINDOWS_1257.encode(text);
        assert_eq!(decode(&bytes, None).unwrap().text, text);
    }
}
