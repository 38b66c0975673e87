//! Zip containers, unpacked within limits.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;

/// A zip container. Entries are unpacked one at a time; all together count against
/// [`Limits::unpacked_bytes`](super::Limits::unpacked_bytes), whatever sizes the container claims.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    names: Vec<String>,
    format: Format,
    left: u64,
    limit: u64,
}

impl<'a> Archive<'a> {
    pub fn open(bytes: &'a [u8], format: Format, context: &Context) -> Result<Self, ExtractError> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| failure(format, error))?;
        let entries = context.limits.entries;
        if zip.len() > entries {
            return Err(ExtractError::TooManyEntries { limit: entries });
        }
        // A name that is no text is no name that a document format uses; its index must be kept.
        let names = zip
            .file_names()
            .map(|name| name.map(|name| name.into_owned()).unwrap_or_default())
            .collect();
        Ok(Archive {
            zip,
            names,
            format,
            left: context.limits.unpacked_bytes,
            limit: context.limits.unpacked_bytes,
        })
    }

    /// The names of all entries, in the order of the directory.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The names for which `wanted` holds, in natural order: `slide2` before `slide10`.
    pub fn names_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut found: Vec<String> = self
            .names
            .iter()
            .filter(|name| wanted(name))
            .cloned()
            .collect();
        found.sort_by_key(|name| natural_key(name));
        found
    }

    /// The content of the entry of this name, letter case aside; none if there is no such entry.
    pub fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, ExtractError> {
        let Some(bytes) = self.read_start(name, self.left + 1)? else {
            return Ok(None);
        };
        if bytes.len() as u64 > self.left {
            return Err(ExtractError::UnpacksTooLarge { limit: self.limit });
        }
        self.left -= bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// The first bytes of that entry, `most` of them.
    pub fn read_start(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, ExtractError> {
        let name = name.trim_start_matches('/');
        let index = self.names.iter().position(|have| have == name).or_else(|| {
            self.names
                .iter()
                .position(|have| have.eq_ignore_ascii_case(name))
        });
        let Some(index) = index else { return Ok(None) };
        let entry = self
            .zip
            .by_index(index)
            .map_err(|error| failure(self.format, error))?;
        let mut bytes = Vec::new();
        entry
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(|error| ExtractError::damaged(self.format, format!("{name}: {error}")))?;
        Ok(Some(bytes))
    }

    /// Like [`read`](Self::read), for an entry without which the file is damaged.
    pub fn require(&mut self, name: &str) -> Result<Vec<u8>, ExtractError> {
        self.read(name)?
            .ok_or_else(|| ExtractError::damaged(self.format, format!("no entry {name}")))
    }
}

fn failure(format: Format, error: ZipError) -> ExtractError {
    match error {
        ZipError::InvalidPassword => ExtractError::Encrypted { format },
        ZipError::UnsupportedArchive(reason)
            if reason.to_ascii_lowercase().contains("password") =>
        {
            ExtractError::Encrypted { format }
        }
        error => ExtractError::damaged(format, error),
    }
}

/// A key that sorts numbers in names by their value.
fn natural_key(name: &str) -> Vec<(String, u64)> {
    let mut key = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (head, tail) = rest.split_at(text);
        let digits = tail
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (number, tail) = tail.split_at(digits);
        key.push((head.to_owned(), number.parse().unwrap_or(0)));
        rest = tail;
    }
    key
}

/// `target` as a link in the entry `base` means it: `..` and `.` resolved.
pub(super) fn resolve(base: &str, target: &str) -> String {
    let target = target
        .split('#')
        .next()
        .unwrap_or_default()
        .replace('\\', "/");
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut path: Vec<&str> = base.split('/').collect();
    path.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::limits::Limits;
    use super::super::testing::zip_of;
    use super::*;

    #[test]
    fn bombs_are_refused() {
        let zeros = vec![b'0'; 4 << 20];
        let bytes = zip_of(&[("a.xml", &zeros), ("b.xml", &zeros)]);
        assert!(bytes.len() < 100_000);
        let limits = Limits {
            unpacked_bytes: 6 << 20,
            ..Limits::default()
        };
        let context = Context::new(&limits);
        let mut archive = Archive::open(&bytes, Format::Docx, &context).unwrap();
        assert_eq!(archive.read("a.xml").unwrap().unwrap().len(), 4 << 20);
        assert_eq!(
            archive.read("b.xml"),
            Err(ExtractError::UnpacksTooLarge { limit: 6 << 20 })
        );
        let limits = Limits {
            entries: 1,
            ..Limits::default()
        };
        assert_eq!(
            Archive::open(&bytes, Format::Docx, &Context::new(&limits)).err(),
            Some(ExtractError::TooManyEntries { limit: 1 })
        );
    }

    #[test]
    fn names_and_links() {
        assert_eq!(
            resolve("ppt/slides/slide1.xml", "../notes/n1.xml"),
            "ppt/notes/n1.xml"
        );
        assert_eq!(
            resolve("a/b.xml", "/word/document.xml"),
            "word/document.xml"
        );
        assert!(natural_key("slide2.xml") < natural_key("slide10.xml"));
    }
}
