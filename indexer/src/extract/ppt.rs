//! PowerPoint 97 to 2003 ([MS-PPT]): a tree of records. The directory of the last save says which
//! records are alive; older copies of slides stay in the file.

use std::collections::HashMap;

use kenning::document::BlockKind;

use super::blocks::Blocks;
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::ole::{Ole, u16_at, u32_at, utf16};
use super::part::{Part, Reading};

const FORMAT: Format = Format::Ppt;

/// Types of records.
mod kind {
    pub const DOCUMENT: u16 = 1000;
    pub const SLIDE: u16 = 1006;
    pub const NOTES: u16 = 1008;
    pub const SLIDE_PERSIST: u16 = 1011;
    pub const COMMENT: u16 = 12000;
    pub const TEXT_HEADER: u16 = 3999;
    pub const TEXT_CHARS: u16 = 4000;
    pub const TEXT_BYTES: u16 = 4008;
    pub const CSTRING: u16 = 4026;
    pub const SLIDE_LIST: u16 = 4080;
    /// What later versions added to a slide, comments among it.
    pub const BINARY_TAG: u16 = 5003;
    pub const USER_EDIT: u16 = 4085;
    pub const PERSIST_DIRECTORY: u16 = 6002;
}

/// Containers inside containers, at most.
const DEPTH: usize = 40;

/// Reads a presentation: a slide is a page, its notes behind it.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let mut ole = Ole::open(bytes, FORMAT, context)?;
    let stream = ole.require("/PowerPoint Document")?;
    let user = ole.stream("/Current User")?.unwrap_or_default();
    // The token of the last user tells a file with a password.
    if u32_at(&user, 12) == Some(0xF3D1_C4DF) || ole.stream("/EncryptedSummary")?.is_some() {
        return Err(ExtractError::Encrypted { format: FORMAT });
    }
    let directory = u32_at(&user, 16)
        .and_then(|edit| directory(&stream, edit as usize))
        .filter(|directory| !directory.is_empty());
    let mut show = Show {
        stream: &stream,
        context,
        blocks: Blocks::new(context),
    };
    match directory {
        Some(directory) => show.slides(&directory)?,
        // Without a directory every record counts, in the order of the file.
        None => show.everything()?,
    }
    let (title, metadata) = ole.summary()?;
    let title = if title == "PowerPoint Presentation" || title == "Slide 1" {
        String::new()
    } else {
        title
    };
    let (text, structure) = show.blocks.finish()?;
    Ok(Reading::from(Part {
        title,
        metadata,
        ..Part::extracted(text, structure)
    }))
}

/// A record: its type, its instance, its content.
#[derive(Clone, Copy)]
struct Record<'a> {
    kind: u16,
    instance: u16,
    is_container: bool,
    body: &'a [u8],
}

/// The record at an offset, and where the next begins. One that claims more than there is gets what
/// there is.
fn record(stream: &[u8], at: usize) -> Option<(Record<'_>, usize)> {
    let head = u16_at(stream, at)?;
    let kind = u16_at(stream, at + 2)?;
    let length = u32_at(stream, at + 4)? as usize;
    let start = at + 8;
    let end = start.checked_add(length)?.min(stream.len());
    let record = Record {
        kind,
        instance: head >> 4,
        is_container: head & 0x0F == 0x0F,
        body: stream.get(start..end)?,
    };
    Some((record, end))
}

fn records(body: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (record, next) = record(body, at)?;
        at = next;
        Some(record)
    })
}

/// Where every object stands, by its number: the newest entry of the chain of saves that begins at `edit`.
fn directory(stream: &[u8], mut edit: usize) -> Option<HashMap<u32, usize>> {
    let mut found = HashMap::new();
    // The chain of saves; a loop in it must end.
    for _ in 0..1000 {
        let (save, _) = record(stream, edit)?;
        if save.kind != kind::USER_EDIT {
            return None;
        }
        let (entries, _) = record(stream, u32_at(save.body, 12)? as usize)?;
        if entries.kind != kind::PERSIST_DIRECTORY {
            return None;
        }
        let mut at = 0;
        while let Some(head) = u32_at(entries.body, at) {
            let (first, count) = (head & 0xF_FFFF, head >> 20);
            for index in 0..count {
                let offset = u32_at(entries.body, at + 4 + index as usize * 4)?;
                found.entry(first + index).or_insert(offset as usize);
            }
            at += 4 + count as usize * 4;
        }
        edit = u32_at(save.body, 8)? as usize;
        if edit == 0 {
            break;
        }
    }
    Some(found)
}

/// A slide in the list of the document: its object, and the text of its placeholders.
#[derive(Default)]
struct Entry<'a> {
    object: u32,
    /// The number by which notes and slide know each other.
    id: u32,
    texts: Vec<(u32, Record<'a>)>,
}

struct Show<'a, 'c> {
    stream: &'a [u8],
    context: &'c Context<'c>,
    blocks: Blocks<'c>,
}

impl<'a> Show<'a, '_> {
    fn slides(&mut self, directory: &HashMap<u32, usize>) -> Result<(), ExtractError> {
        let mut slides = Vec::new();
        let mut notes = Vec::new();
        for &at in directory.values() {
            let Some((document, _)) = record(self.stream, at) else {
                continue;
            };
            if document.kind != kind::DOCUMENT {
                continue;
            }
            for list in records(document.body).filter(|record| record.kind == kind::SLIDE_LIST) {
                match list.instance {
                    0 => slides = entries(list.body),
                    2 => notes = entries(list.body),
                    _ => {}
                }
            }
        }
        let object = |number: u32| {
            let at = directory.get(&number)?;
            record(self.stream, *at).map(|(record, _)| record)
        };
        let notes: Vec<Record> = notes
            .iter()
            .filter_map(|entry| object(entry.object))
            .collect();
        let found: Vec<(&Entry, Option<Record>)> = slides
            .iter()
            .map(|entry| (entry, object(entry.object)))
            .collect();
        for ((entry, slide), page) in found.into_iter().zip(1..) {
            self.context.check_time()?;
            self.blocks.set_page(page);
            for (kind, text) in &entry.texts {
                self.text(*kind, text)?;
            }
            if let Some(slide) = slide {
                self.texts(slide, 0)?;
            }
            for page in &notes {
                if slide_of(page) == Some(entry.id) {
                    self.texts(*page, 0)?;
                }
            }
        }
        Ok(())
    }

    fn everything(&mut self) -> Result<(), ExtractError> {
        let mut page = 0;
        for record in records(self.stream) {
            if matches!(record.kind, kind::SLIDE | kind::NOTES | kind::DOCUMENT) {
                if record.kind == kind::SLIDE {
                    page += 1;
                    self.blocks.set_page(page);
                }
                self.texts(record, 0)?;
            }
        }
        Ok(())
    }

    /// The texts in a container.
    fn texts(&mut self, container: Record<'a>, depth: usize) -> Result<(), ExtractError> {
        if depth > DEPTH {
            return Err(ExtractError::damaged(FORMAT, "records nested too deeply"));
        }
        self.context.check_time()?;
        let mut header = OTHER;
        for record in records(container.body) {
            match record.kind {
                kind::TEXT_HEADER => header = u32_at(record.body, 0).unwrap_or(OTHER),
                kind::TEXT_CHARS | kind::TEXT_BYTES => self.text(header, &record)?,
                kind::COMMENT => self.comment(record)?,
                kind::BINARY_TAG => self.texts(record, depth + 1)?,
                _ if record.is_container => self.texts(record, depth + 1)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn comment(&mut self, comment: Record<'a>) -> Result<(), ExtractError> {
        let words: Vec<String> = records(comment.body)
            .filter(|record| record.kind == kind::CSTRING && record.instance < 2)
            .map(|record| utf16(record.body))
            .collect();
        self.blocks.push(BlockKind::Paragraph, &words.join(": "))
    }

    fn text(&mut self, header: u32, record: &Record) -> Result<(), ExtractError> {
        let text = if record.kind == kind::TEXT_CHARS {
            utf16(record.body)
        } else {
            // The low bytes of UTF-16 units.
            record.body.iter().map(|&byte| char::from(byte)).collect()
        };
        let block = match header {
            TITLE | CENTRE_TITLE => BlockKind::Heading(1),
            BODY | CENTRE_BODY | HALF_BODY | QUARTER_BODY => BlockKind::ListItem,
            _ => BlockKind::Paragraph,
        };
        if let BlockKind::Heading(_) = block {
            return self.blocks.push(block, &text.replace(['\r', '\x0B'], " "));
        }
        for paragraph in text.split('\r') {
            // A placeholder for the number of the slide or the date.
            if paragraph.trim() != "*" {
                self.blocks.push(block, paragraph)?;
            }
        }
        Ok(())
    }
}

/// Types of text ([MS-PPT] 2.13.33).
const TITLE: u32 = 0;
const BODY: u32 = 1;
const OTHER: u32 = 4;
const CENTRE_BODY: u32 = 5;
const CENTRE_TITLE: u32 = 6;
const HALF_BODY: u32 = 7;
const QUARTER_BODY: u32 = 8;

fn entries(list: &[u8]) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut header = OTHER;
    for record in records(list) {
        match record.kind {
            kind::SLIDE_PERSIST => entries.push(Entry {
                object: u32_at(record.body, 0).unwrap_or_default(),
                id: u32_at(record.body, 12).unwrap_or_default(),
                texts: Vec::new(),
            }),
            kind::TEXT_HEADER => header = u32_at(record.body, 0).unwrap_or(OTHER),
            kind::TEXT_CHARS | kind::TEXT_BYTES => {
                if let Some(entry) = entries.last_mut() {
                    entry.texts.push((header, record));
                }
            }
            _ => {}
        }
    }
    entries
}

/// The slide that a page of notes belongs to.
fn slide_of(notes: &Record) -> Option<u32> {
    const NOTES_ATOM: u16 = 1009;
    let atom = records(notes.body).find(|record| record.kind == NOTES_ATOM)?;
    u32_at(atom.body, 0)
}
