//! OLE compound files: what Office wrote before 2007, and Outlook still does.

use std::borrow::Cow;
use std::io::{Cursor, Read, Write};

use cfb::CompoundFile;
use kenning::document::Metadata;

use super::codepage::encoding_of_page;
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::metadata::{from_filetime, put};

/// The first bytes of every compound file.
pub(super) const MAGIC: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// The format, by the streams in the root. Letter case does not count; where the directory is damaged,
/// every name in the file does, so that the message can say what the file is.
pub(super) fn format(bytes: &[u8]) -> Result<Format, ExtractError> {
    let names = match with_room(bytes) {
        Ok(file) => file
            .read_root_storage()
            .map(|entry| entry.name().to_lowercase())
            .collect(),
        Err(_) => all_names(bytes),
    };
    let has = |name: &str| names.iter().any(|have| have == name);
    if has("encryptedpackage") || has("encryptioninfo") {
        return Err(ExtractError::Encrypted {
            format: Format::Ole,
        });
    }
    Ok(
        if names
            .iter()
            .any(|name| name.starts_with("__properties_version1.0"))
        {
            Format::Msg
        } else if has("worddocument") {
            Format::Doc
        } else if has("powerpoint document") {
            Format::Ppt
        } else if has("workbook") || has("book") {
            Format::Xls
        } else {
            Format::Ole
        },
    )
}

/// Every name in what may be a directory: its entries are 128 bytes long, the name in UTF-16 first.
fn all_names(bytes: &[u8]) -> Vec<String> {
    bytes
        .chunks_exact(128)
        .filter(|entry| entry[0] != 0 && entry[1] == 0)
        .map(|entry| utf16(&entry[..64]).to_lowercase())
        .collect()
}

/// Opens a compound file. Some programs cut off the sectors at the end that are not in use, though the
/// allocation table has them: then they are put back as zeros.
fn with_room(bytes: &[u8]) -> std::io::Result<CompoundFile<Cursor<Cow<'_, [u8]>>>> {
    let error = match CompoundFile::open(Cursor::new(Cow::Borrowed(bytes))) {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    let shift = u16_at(bytes, 30)
        .filter(|shift| [9, 12].contains(shift))
        .unwrap_or(9);
    let tables = u32_at(bytes, 44).unwrap_or(0) as usize;
    // A table has four bytes a sector; the header stands before the first.
    let length =
        (tables.saturating_mul(1 << (shift - 2)).saturating_add(1)).saturating_mul(1 << shift);
    if length <= bytes.len() || length > bytes.len().saturating_add(1 << 24) {
        return Err(error);
    }
    let mut padded = bytes.to_vec();
    padded.resize(length, 0);
    CompoundFile::open(Cursor::new(Cow::Owned(padded)))
}

/// A compound file open for reading.
pub(super) struct Ole<'a> {
    file: CompoundFile<Cursor<Cow<'a, [u8]>>>,
    format: Format,
    limit: u64,
}

impl<'a> Ole<'a> {
    pub fn open(bytes: &'a [u8], format: Format, context: &Context) -> Result<Self, ExtractError> {
        let file = with_room(bytes).map_err(|error| ExtractError::damaged(format, error))?;
        Ok(Ole {
            file,
            format,
            limit: context.limits.unpacked_bytes,
        })
    }

    /// The content of a stream; none if there is no such stream.
    pub fn stream(&mut self, path: &str) -> Result<Option<Vec<u8>>, ExtractError> {
        if !self.file.is_stream(path) {
            return Ok(None);
        }
        let damaged = |error| ExtractError::damaged(self.format, format!("stream {path}: {error}"));
        let stream = self.file.open_stream(path).map_err(damaged)?;
        let mut bytes = Vec::new();
        stream
            .take(self.limit + 1)
            .read_to_end(&mut bytes)
            .map_err(damaged)?;
        if bytes.len() as u64 > self.limit {
            return Err(ExtractError::UnpacksTooLarge { limit: self.limit });
        }
        Ok(Some(bytes))
    }

    /// Like [`stream`](Self::stream), for one without which the file is damaged.
    pub fn require(&mut self, path: &str) -> Result<Vec<u8>, ExtractError> {
        self.stream(path)?
            .ok_or_else(|| ExtractError::damaged(self.format, format!("no stream {path}")))
    }

    /// The names of what is directly in a storage.
    pub fn names_in(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> = match self.file.read_storage(path) {
            Ok(entries) => entries.map(|entry| entry.name().to_owned()).collect(),
            Err(_) => Vec::new(),
        };
        names.sort();
        names
    }

    /// The root's streams of these names, letter case aside.
    pub fn streams(&mut self, wanted: &[&str]) -> Result<Vec<(String, Vec<u8>)>, ExtractError> {
        let mut found = Vec::new();
        for name in self.names_in("/") {
            if wanted.iter().any(|want| want.eq_ignore_ascii_case(&name))
                && let Some(content) = self.stream(&format!("/{name}"))?
            {
                found.push((name, content));
            }
        }
        Ok(found)
    }

    /// The title and the facts from the summary. A damaged summary says nothing.
    pub fn summary(&mut self) -> Result<(String, Metadata), ExtractError> {
        let mut metadata = Metadata::new();
        let bytes = self.stream("/\u{5}SummaryInformation")?.unwrap_or_default();
        let title = summary(&bytes, &mut metadata).unwrap_or_default();
        Ok((title, metadata))
    }
}

/// A new compound file with these streams, for a parser of others that follows the chains of sectors
/// without looking whether they go round in circles.
pub(super) fn pack(streams: &[(String, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    // calamine takes a file of version 4 without small streams for a damaged one.
    let version = cfb::Version::V3;
    let mut file = CompoundFile::create_with_version(version, Cursor::new(Vec::new()))?;
    for (name, content) in streams {
        file.create_stream(format!("/{name}"))?.write_all(content)?;
    }
    file.flush()?;
    Ok(file.into_inner().into_inner())
}

/// Reads a property set stream ([MS-OLEPS]): the offset of the first set, then pairs of property and
/// offset, then typed values.
fn summary(bytes: &[u8], metadata: &mut Metadata) -> Option<String> {
    let start = u32_at(bytes, 44)? as usize;
    let set = bytes.get(start..)?;
    let count = u32_at(set, 4)?.min(64) as usize;
    let values: Vec<(u32, &[u8])> = (0..count)
        .filter_map(|index| {
            let property = u32_at(set, 8 + index * 8)?;
            let offset = u32_at(set, 12 + index * 8)? as usize;
            Some((property, set.get(offset..)?))
        })
        .collect();
    let page = values
        .iter()
        .find(|(property, _)| *property == 1)
        .and_then(|(_, value)| u16_at(value, 4))
        .map_or(1252, i32::from);
    let mut title = String::new();
    for (property, value) in values {
        match property {
            2 => title = string(value, page).unwrap_or_default(),
            3 => put(
                metadata,
                "subject",
                &string(value, page).unwrap_or_default(),
            ),
            4 => put(metadata, "author", &string(value, page).unwrap_or_default()),
            5 => put(
                metadata,
                "keywords",
                &string(value, page).unwrap_or_default(),
            ),
            12 | 13 => {
                let name = if property == 12 {
                    "created"
                } else {
                    "modified"
                };
                if let Some(date) = u64_at(value, 4).and_then(from_filetime) {
                    put(metadata, name, &date);
                    put(metadata, "date", &date);
                }
            }
            _ => {}
        }
    }
    Some(title.trim().to_owned())
}

/// A string of type 30 (code page) or 31 (UTF-16).
fn string(value: &[u8], page: i32) -> Option<String> {
    let length = u32_at(value, 4)? as usize;
    match u32_at(value, 0)? {
        30 => {
            let bytes = value.get(8..8usize.checked_add(length)?)?;
            if page == 1200 {
                return Some(utf16(bytes));
            }
            let encoding = encoding_of_page(page).unwrap_or(encoding_rs::WINDOWS_1252);
            let (text, _) = encoding.decode_without_bom_handling(bytes);
            Some(text.trim_end_matches('\0').to_owned())
        }
        31 => Some(utf16(
            value.get(8..8usize.checked_add(length.checked_mul(2)?)?)?,
        )),
        _ => None,
    }
}

/// UTF-16 text, up to its end or a zero.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let (text, _) = encoding_rs::UTF_16LE.decode_without_bom_handling(bytes);
    text.split('\0').next().unwrap_or_default().to_owned()
}

/// The two bytes at an offset as a number, lowest first.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let end = at.checked_add(2)?;
    Some(u16::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

/// The four bytes at an offset as a number, lowest first.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let end = at.checked_add(4)?;
    Some(u32::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

/// The eight bytes at an offset as a number, lowest first.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let end = at.checked_add(8)?;
    Some(u64::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}
