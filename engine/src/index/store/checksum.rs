//! Checksums of the files of an index.
//!
//! tantivy ends every file that it writes, also for plugins, with a footer: JSON with the CRC-32 of all bytes before it, the
//! JSON's length, and a magic number. It does not compare them when it opens a file, and what it reads from a damaged
//! one makes it panic. Its `meta.json` has no checksum; here it gets one, as its last field.

use std::io;

use tantivy::directory::footer::Footer;

/// The end of a footer.
const MAGIC: u32 = 1337;
/// Length and magic number.
const TAIL: usize = 8;
/// More than the JSON of a footer has.
const MOST_JSON: usize = 50_000;

/// Compares a whole file with the checksum at its end.
pub fn check(file: &[u8]) -> io::Result<()> {
    let Some((body, footer)) = split(file) else {
        return Err(damaged(format!("no file of {} bytes ends so", file.len())));
    };
    if footer.is_compatible().is_err() {
        // Of its own bytes a footer has no checksum.
        return Err(damaged(format!("it is of version {:?}", footer.version)));
    }
    if crc32fast::hash(body) != footer.crc {
        return Err(damaged("it does not match its checksum".into()));
    }
    Ok(())
}

/// A file without its footer, and the footer.
fn split(file: &[u8]) -> Option<(&[u8], Footer)> {
    let (rest, tail) = file.split_at_checked(file.len().checked_sub(TAIL)?)?;
    let word = |at: usize| Some(u32::from_le_bytes(tail[at..at + 4].try_into().ok()?));
    let length = word(0)? as usize;
    if word(4)? != MAGIC || length > MOST_JSON {
        return None;
    }
    let (body, json) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
    Some((body, serde_json::from_slice(json).ok()?))
}

/// What JSON as tantivy writes it ends with.
const END: &[u8] = b"\n}\n";
/// What the checksum is written between.
const BEFORE: &[u8] = b",\n  \"crc32\": \"";
const AFTER: &[u8] = b"\"\n}\n";
/// Digits of a checksum.
const DIGITS: usize = 8;

/// `json`, an object, with its checksum as the last field. What does not end as tantivy ends it gets none.
pub fn seal(json: &[u8]) -> Vec<u8> {
    let Some(body) = json.strip_suffix(END) else {
        return json.to_vec();
    };
    let digits = format!("{:0DIGITS$x}", crc32fast::hash(body));
    [body, BEFORE, digits.as_bytes(), AFTER].concat()
}

/// What [`seal`] was given. JSON without a checksum, as earlier versions wrote it, is what it is: cut off it
/// would be no JSON.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if it does not match its checksum.
pub fn unseal(sealed: Vec<u8>) -> io::Result<Vec<u8>> {
    let split = || {
        let rest = sealed.strip_suffix(AFTER)?;
        let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
        let digits = std::str::from_utf8(digits).ok()?;
        let digits = u32::from_str_radix(digits, 16).ok();
        Some((rest.strip_suffix(BEFORE)?, digits))
    };
    match split() {
        None => Ok(sealed),
        Some((body, Some(sum))) if crc32fast::hash(body) == sum => Ok([body, END].concat()),
        Some(_) => Err(damaged("it does not match its checksum".into())),
    }
}

/// An error for bytes that are not what they should be.
pub fn damaged(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_sealed_is_json_and_comes_back() {
        let json = b"{\n  \"opstamp\": 7\n}\n".to_vec();
        let sealed = seal(&json);
        let parsed: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
        assert_eq!(parsed["opstamp"], 7);
        assert_eq!(unseal(sealed).unwrap(), json);
        assert_eq!(unseal(json.clone()).unwrap(), json, "of an earlier version");
    }

    #[test]
    fn no_flipped_bit_and_no_cut_gives_another_content() {
        let json = b"{\n  \"opstamp\": 7\n}\n".to_vec();
        let sealed = seal(&json);
        let expected: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let content = |bytes: Vec<u8>| -> Option<serde_json::Value> {
            serde_json::from_slice(&unseal(bytes).ok()?).ok()
        };
        for bit in 0..8 * sealed.len() {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Some(found) = content(flipped) {
                assert_eq!(found["opstamp"], expected["opstamp"], "bit {bit}");
            }
        }
        for cut in 0..sealed.len() - 1 {
            assert_eq!(content(sealed[..cut].to_vec()), None, "cut at {cut}");
        }
    }
}
