//! Rich Text Format, after Microsoft's specification 1.9.1, as far as text needs it.

mod words;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use encoding_rs::{Encoding, WINDOWS_1252};
use kenning::document::{BlockKind, Metadata};

use super::blocks::{Blocks, squeeze};
use super::error::ExtractError;
use super::limits::Context;
use super::metadata::put;
use super::part::{Part, Reading};
use words::is_shown_destination;

/// Reads a document.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let mut reader = Reader::new(context);
    reader.run(bytes)?;
    let title = squeeze(&reader.title);
    let metadata = std::mem::take(&mut reader.metadata);
    let (text, structure) = reader.blocks.finish()?;
    Ok(Reading::from(Part {
        title,
        metadata,
        ..Part::extracted(text, structure)
    }))
}

/// What an open group says; a group begins with a copy of the state around it.
#[derive(Clone)]
struct Group {
    target: Target,
    /// Characters that stand for the last `\u` in readers that know no Unicode, and are to be skipped.
    skip: usize,
    encoding: &'static Encoding,
    hidden: bool,
}

/// Where text goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Body,
    Nowhere,
    Title,
    Author,
    Subject,
    Keywords,
    Fonts,
    Styles,
    /// The name of a drawing's property.
    PropertyName,
}

struct Reader<'a> {
    context: &'a Context<'a>,
    blocks: Blocks<'a>,
    groups: Vec<Group>,
    group: Group,
    /// Bytes in the code page of the moment that no text was made of yet: a character can take two.
    pending: Vec<u8>,
    /// The high half of a character of two `\u`.
    high: Option<u16>,
    skipping: usize,
    paragraph: String,
    heading: Option<u8>,
    is_item: bool,
    in_table: bool,
    row_open: bool,
    default_encoding: &'static Encoding,
    fonts: HashMap<i32, &'static Encoding>,
    font: i32,
    styles: HashMap<i32, u8>,
    style: i32,
    style_name: String,
    title: String,
    fact: String,
    /// The name of a drawing's property.
    property: String,
    metadata: Metadata,
}

impl<'a> Reader<'a> {
    fn new(context: &'a Context<'a>) -> Self {
        Reader {
            context,
            blocks: Blocks::new(context),
            groups: Vec::new(),
            group: Group {
                target: Target::Body,
                skip: 1,
                encoding: WINDOWS_1252,
                hidden: false,
            },
            pending: Vec::new(),
            high: None,
            skipping: 0,
            paragraph: String::new(),
            heading: None,
            is_item: false,
            in_table: false,
            row_open: false,
            default_encoding: WINDOWS_1252,
            fonts: HashMap::new(),
            font: 0,
            styles: HashMap::new(),
            style: 0,
            style_name: String::new(),
            title: String::new(),
            fact: String::new(),
            property: String::new(),
            metadata: Metadata::new(),
        }
    }

    fn run(&mut self, bytes: &[u8]) -> Result<(), ExtractError> {
        let mut at = 0;
        let mut steps = 0u32;
        while at < bytes.len() {
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(4096) {
                self.context.check_time()?;
            }
            match bytes[at] {
                b'{' => {
                    self.decode();
                    self.skipping = 0;
                    // Deeper than this no text was ever nested; the groups then run together.
                    if self.groups.len() < 2000 {
                        self.groups.push(self.group.clone());
                    }
                    at += 1;
                }
                b'}' => {
                    self.decode();
                    self.skipping = 0;
                    self.close_group();
                    at += 1;
                }
                b'\\' => at = self.control(bytes, at + 1)?,
                b'\r' | b'\n' | 0 => at += 1,
                byte => {
                    self.byte(byte);
                    at += 1;
                }
            }
        }
        self.decode();
        self.end_paragraph()
    }

    fn close_group(&mut self) {
        let before = self.group.target;
        if let Some(group) = self.groups.pop() {
            self.group = group;
        }
        if before == self.group.target {
            return;
        }
        let fact = std::mem::take(&mut self.fact);
        match before {
            Target::Title => self.title = fact,
            Target::Author => put(&mut self.metadata, "author", &fact),
            Target::Subject => put(&mut self.metadata, "subject", &fact),
            Target::Keywords => put(&mut self.metadata, "keywords", &fact),
            _ => {}
        }
    }

    /// Reads what follows a backslash at `at`, and gives back where to go on.
    fn control(&mut self, bytes: &[u8], at: usize) -> Result<usize, ExtractError> {
        let Some(&first) = bytes.get(at) else {
            return Ok(at);
        };
        if !first.is_ascii_alphabetic() {
            return Ok(self.symbol(bytes, at, first));
        }
        let end = run_end(bytes, at, |byte| byte.is_ascii_alphabetic());
        let name = std::str::from_utf8(&bytes[at..end]).unwrap_or_default();
        let minus =
            bytes.get(end) == Some(&b'-') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        let digits = end + usize::from(minus);
        let mut next = run_end(bytes, digits, |byte| byte.is_ascii_digit());
        let number = std::str::from_utf8(&bytes[end..next])
            .ok()
            .and_then(|text| text.parse::<i32>().ok());
        if bytes.get(next) == Some(&b' ') {
            next += 1;
        }
        if name == "bin" {
            let length = usize::try_from(number.unwrap_or(0)).unwrap_or(0);
            return Ok(next.saturating_add(length).min(bytes.len()));
        }
        if name == "u" {
            self.unicode(number.unwrap_or(0));
            return Ok(next);
        }
        self.decode();
        self.high = None;
        self.skipping = 0;
        self.word(name, number)?;
        Ok(next)
    }

    fn symbol(&mut self, bytes: &[u8], at: usize, symbol: u8) -> usize {
        match symbol {
            b'\'' => {
                let code = bytes
                    .get(at + 1..at + 3)
                    .and_then(|hex| std::str::from_utf8(hex).ok())
                    .and_then(|hex| u8::from_str_radix(hex.trim(), 16).ok());
                if let Some(byte) = code {
                    self.byte(byte);
                    return at + 3;
                }
                return at + 1;
            }
            b'*' => {
                self.decode();
                // Elsewhere than at the start of a group it marks no destination.
                let starts = bytes[..at - 1].trim_ascii_end().ends_with(b"{");
                if starts
                    && !matches!(self.group.target, Target::Fonts | Target::Styles)
                    && !is_shown_destination(&bytes[at + 1..])
                {
                    self.group.target = Target::Nowhere;
                }
            }
            b'~' => self.character(' '),
            b'_' => self.character('-'),
            // A paragraph may be written as a backslash at the end of a line.
            b'\n' | b'\r' => self.character('\n'),
            b'\\' | b'{' | b'}' => self.byte(symbol),
            _ => {}
        }
        at + 1
    }

    /// A byte in the code page of the moment.
    fn byte(&mut self, byte: u8) {
        if self.skipping > 0 {
            self.skipping -= 1;
            return;
        }
        self.pending.push(byte);
    }

    /// Makes text of the bytes so far.
    fn decode(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.pending);
        let (text, _) = self.group.encoding.decode_without_bom_handling(&bytes);
        self.text(&text);
    }

    fn unicode(&mut self, number: i32) {
        self.decode();
        self.skipping = self.group.skip;
        // Numbers are signed 16-bit in the specification, and are not in what some programs write.
        let unit = number as u32 & 0xFFFF;
        if number > 0xFFFF {
            if let Some(c) = char::from_u32(number as u32) {
                self.text(c.encode_utf8(&mut [0; 4]));
            }
            return;
        }
        let unit = unit as u16;
        if let Some(high) = self.high.take()
            && let Some(Ok(c)) = char::decode_utf16([high, unit]).next()
        {
            self.text(c.encode_utf8(&mut [0; 4]));
            return;
        }
        match char::from_u32(u32::from(unit)) {
            // Symbol fonts sit in the private area; their letters mean nothing in another font.
            Some('\u{F000}'..='\u{F0FF}') => {}
            Some(c) => self.text(c.encode_utf8(&mut [0; 4])),
            None => self.high = Some(unit),
        }
    }

    fn character(&mut self, c: char) {
        if self.skipping > 0 {
            self.skipping -= 1;
            return;
        }
        self.decode();
        self.text(c.encode_utf8(&mut [0; 4]));
    }

    fn text(&mut self, text: &str) {
        match self.group.target {
            Target::Body if !self.group.hidden => self.paragraph.push_str(text),
            Target::Body | Target::Nowhere | Target::Fonts => {}
            Target::Styles => self.style_name(text),
            Target::PropertyName => self.property.push_str(text),
            Target::Title | Target::Author | Target::Subject | Target::Keywords => {
                self.fact.push_str(text)
            }
        }
    }

    /// Collects the name of a style in the style sheet, which ends at a semicolon.
    fn style_name(&mut self, text: &str) {
        self.style_name.push_str(text);
        if let Some(name) = self.style_name.trim().strip_suffix(';') {
            let name = name.trim().to_ascii_lowercase();
            let level = name
                .strip_prefix("heading ")
                .and_then(|level| level.parse().ok())
                .or((name == "title").then_some(1u8));
            if let Some(level) = level {
                self.styles.insert(self.style, level.clamp(1, 6));
            }
            self.style_name.clear();
            self.style = 0;
        }
    }

    fn end_paragraph(&mut self) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.paragraph);
        if self.in_table {
            if !self.row_open && !text.trim().is_empty() {
                self.open_row();
            }
        } else if self.row_open {
            self.row_open = false;
            self.blocks.close_row()?;
        }
        let kind = match self.heading {
            Some(level) => BlockKind::Heading(level),
            None if self.is_item => BlockKind::ListItem,
            None => BlockKind::Paragraph,
        };
        self.blocks.push(kind, &text)
    }

    fn open_row(&mut self) {
        self.row_open = true;
        self.blocks.open_row();
        self.blocks.open_cell();
    }

    fn end_cell(&mut self) -> Result<(), ExtractError> {
        if !self.row_open {
            self.open_row();
        }
        self.in_table = true;
        self.end_paragraph()?;
        self.blocks.open_cell();
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), ExtractError> {
        if self.row_open {
            self.row_open = false;
            self.blocks.close_row()?;
        }
        Ok(())
    }
}

fn run_end(bytes: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    // A control word has at most 32 letters, a number ten digits; a longer run is not one.
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .take(32)
        .take_while(|&&byte| wanted(byte))
        .count()
}
