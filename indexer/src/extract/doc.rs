//! Word 6 to 2003 ([MS-DOC]): the piece table says where in the file the text stands, the paragraph
//! properties which of it are headings and table rows.

use kenning::document::BlockKind;

use super::blocks::Blocks;
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::ole::{Ole, u16_at, u32_at};
use super::papx::{Look, Looks};
use super::part::{Part, Reading};

const FORMAT: Format = Format::Doc;

/// Reads a document: the body, then footnotes, headers, comments, endnotes and text boxes, as they
/// follow each other in the file. Text that a tracked change deleted is still in it.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let mut ole = Ole::open(bytes, FORMAT, context)?;
    let main = ole.require("/WordDocument")?;
    let damaged = || ExtractError::damaged(FORMAT, "its header breaks off");
    let magic = u16_at(&main, 0).ok_or_else(damaged)?;
    let version = u16_at(&main, 2).ok_or_else(damaged)?;
    let flags = u16_at(&main, 0x0A).ok_or_else(damaged)?;
    if flags & 0x0100 != 0 {
        return Err(ExtractError::Encrypted { format: FORMAT });
    }
    let mut blocks = Blocks::new(context);
    if magic == 0xA5EC && version >= 0x00C1 {
        let table = ole.require(if flags & 0x0200 == 0 {
            "/0Table"
        } else {
            "/1Table"
        })?;
        let pieces = pieces(&main, &table)
            .ok_or_else(|| ExtractError::damaged(FORMAT, "its piece table is broken"))?;
        let looks = Looks::read(&main, &table);
        let mut writer = Writer::new(&mut blocks, &looks);
        for piece in pieces {
            context.check_time()?;
            writer.piece(&main, &piece)?;
        }
        writer.finish()?;
    } else {
        old_text(&main, &mut blocks).ok_or_else(damaged)??;
    }
    let (title, metadata) = ole.summary()?;
    let (text, structure) = blocks.finish()?;
    Ok(Reading::from(Part {
        title,
        metadata,
        ..Part::extracted(text, structure)
    }))
}

/// A run of text in the file.
struct Piece {
    /// Where it begins, in bytes.
    start: usize,
    /// How many characters it has.
    length: usize,
    /// Whether a character is one byte of Windows-1252, not two of UTF-16.
    narrow: bool,
}

/// Reads the piece table: `fcClx` leads to it; property changes stand before it.
fn pieces(main: &[u8], table: &[u8]) -> Option<Vec<Piece>> {
    let start = u32_at(main, 0x01A2)? as usize;
    let length = u32_at(main, 0x01A6)? as usize;
    let mut clx = table.get(start..start.checked_add(length)?)?;
    while *clx.first()? == 1 {
        let size = usize::from(u16_at(clx, 1)?);
        clx = clx.get(3 + size..)?;
    }
    if *clx.first()? != 2 {
        return None;
    }
    let size = u32_at(clx, 1)? as usize;
    let plc = clx.get(5..5usize.checked_add(size)?)?;
    let count = size.checked_sub(4)? / 12;
    let mut pieces = Vec::with_capacity(count);
    for index in 0..count {
        let first = u32_at(plc, index * 4)?;
        let end = u32_at(plc, index * 4 + 4)?;
        let descriptor = u32_at(plc, (count + 1) * 4 + index * 8 + 2)?;
        let narrow = descriptor & 0x4000_0000 != 0;
        let offset = (descriptor & 0x3FFF_FFFF) as usize;
        pieces.push(Piece {
            start: if narrow { offset / 2 } else { offset },
            length: end.checked_sub(first)? as usize,
            narrow,
        });
    }
    Some(pieces)
}

/// Makes blocks of the characters.
struct Writer<'w, 'c> {
    blocks: &'w mut Blocks<'c>,
    looks: &'w Looks,
    text: String,
    /// For each open field whether its instruction is still going on.
    fields: Vec<bool>,
    high: Option<u16>,
}

impl<'w, 'c> Writer<'w, 'c> {
    fn new(blocks: &'w mut Blocks<'c>, looks: &'w Looks) -> Self {
        Writer {
            blocks,
            looks,
            text: String::new(),
            fields: Vec::new(),
            high: None,
        }
    }

    fn piece(&mut self, main: &[u8], piece: &Piece) -> Result<(), ExtractError> {
        let width = if piece.narrow { 1 } else { 2 };
        for index in 0..piece.length {
            let at = piece.start + index * width;
            let unit = if piece.narrow {
                main.get(at).map(|&byte| narrow_unit(byte))
            } else {
                u16_at(main, at)
            };
            // A piece that reaches past the end of the file: what is there was read.
            let Some(unit) = unit else { break };
            self.unit(unit, at)?;
        }
        Ok(())
    }

    fn unit(&mut self, unit: u16, at: usize) -> Result<(), ExtractError> {
        match unit {
            0x13 if self.fields.len() < 256 => self.fields.push(true),
            0x14 => {
                if let Some(instruction) = self.fields.last_mut() {
                    *instruction = false;
                }
            }
            0x15 => {
                self.fields.pop();
            }
            0x07 | 0x0C | 0x0D => self.end_paragraph(unit, at)?,
            _ if self.fields.contains(&true) => {}
            0x0B => self.text.push('\n'),
            0x1E => self.text.push('-'),
            0x09 => self.text.push('\t'),
            0xF000..=0xF0FF | 0x00..=0x1F => {}
            _ => self.letter(unit),
        }
        Ok(())
    }

    fn letter(&mut self, unit: u16) {
        let first = self.high.take();
        let c = match first {
            Some(high) => char::decode_utf16([high, unit]).next().and_then(Result::ok),
            None => char::from_u32(u32::from(unit)),
        };
        match c {
            Some(c) => self.text.push(c),
            None if first.is_none() => self.high = Some(unit),
            None => {}
        }
    }

    fn end_paragraph(&mut self, mark: u16, at: usize) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.text);
        let look = self.looks.at(at);
        if look.ends_row {
            return self.blocks.close_row();
        }
        let in_table = look.in_table || mark == 0x07;
        if in_table && !self.blocks.in_row() {
            self.blocks.open_row();
            self.blocks.open_cell();
        } else if !in_table && self.blocks.in_row() {
            self.blocks.close_row()?;
        }
        self.blocks.push(kind(look), &text)?;
        if mark == 0x07 {
            self.blocks.open_cell();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.text);
        if self.blocks.in_row() {
            self.blocks.close_row()?;
        }
        self.blocks.push(BlockKind::Paragraph, &text)
    }
}

fn kind(look: Look) -> BlockKind {
    match look.heading {
        Some(level) => BlockKind::Heading(level),
        None if look.is_item => BlockKind::ListItem,
        None => BlockKind::Paragraph,
    }
}

/// A byte of a narrow piece: Windows-1252.
fn narrow_unit(byte: u8) -> u16 {
    if !(0x80..=0x9F).contains(&byte) {
        return u16::from(byte);
    }
    let (text, _) =
        encoding_rs::WINDOWS_1252.decode_without_bom_handling(std::slice::from_ref(&byte));
    text.encode_utf16().next().unwrap_or(u16::from(byte))
}

/// Word 6 and 95: the text stands in one run, in the code page of the language.
fn old_text(main: &[u8], blocks: &mut Blocks) -> Option<Result<(), ExtractError>> {
    let language = u16_at(main, 0x06)?;
    let start = u32_at(main, 0x18)? as usize;
    let end = (u32_at(main, 0x1C)? as usize).min(main.len());
    let bytes = main.get(start..end)?;
    let (text, _) = page_of_language(language).decode_without_bom_handling(bytes);
    let looks = Looks::default();
    let mut writer = Writer::new(blocks, &looks);
    for unit in text.encode_utf16() {
        if let Err(error) = writer.unit(unit, 0) {
            return Some(Err(error));
        }
    }
    Some(writer.finish())
}

fn page_of_language(language: u16) -> &'static encoding_rs::Encoding {
    match language & 0x3FF {
        0x19 | 0x22 | 0x23 | 0x02 | 0x2F => encoding_rs::WINDOWS_1251,
        0x05 | 0x0E | 0x15 | 0x18 | 0x1A | 0x1B | 0x1C | 0x24 => encoding_rs::WINDOWS_1250,
        0x08 => encoding_rs::WINDOWS_1253,
        0x1F => encoding_rs::WINDOWS_1254,
        0x0D => encoding_rs::WINDOWS_1255,
        0x01 => encoding_rs::WINDOWS_1256,
        0x25..=0x27 => encoding_rs::WINDOWS_1257,
        0x11 => encoding_rs::SHIFT_JIS,
        0x12 => encoding_rs::EUC_KR,
        0x04 => encoding_rs::GBK,
        _ => encoding_rs::WINDOWS_1252,
    }
}
