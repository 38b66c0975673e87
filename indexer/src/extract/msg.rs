//! Outlook messages ([MS-OXMSG]): every property is a stream of its own, named by its number and type.

use kenning::document::{BlockKind, Metadata};

use super::blocks::{Blocks, squeeze};
use super::codepage::encoding_of_page;
use super::embedded::embed;
use super::error::ExtractError;
use super::format::Format;
use super::html::{self, Page};
use super::limits::Context;
use super::metadata::{add, from_filetime, put};
use super::ole::{Ole, u32_at, u64_at, utf16};
use super::part::{Part, Reading, Warning};
use super::{lzfu, rtf};

const FORMAT: Format = Format::Msg;

/// Numbers of properties ([MS-OXPROPS]).
mod property {
    pub const SUBJECT: u32 = 0x0037;
    pub const BODY: u32 = 0x1000;
    pub const RTF: u32 = 0x1009;
    pub const HTML: u32 = 0x1013;
    pub const SENDER_NAME: u32 = 0x0C1A;
    pub const SENDER_ADDRESS: u32 = 0x0C1F;
    pub const SENDER_SMTP: u32 = 0x5D01;
    pub const TO: u32 = 0x0E04;
    pub const CC: u32 = 0x0E03;
    pub const ID: u32 = 0x1035;
    pub const SUBMITTED: u32 = 0x0039;
    pub const DELIVERED: u32 = 0x0E06;
    pub const CREATED: u32 = 0x3007;
    pub const CODE_PAGE: u32 = 0x3FFD;
    pub const INTERNET_PAGE: u32 = 0x3FDE;
    pub const ATTACH_LONG_NAME: u32 = 0x3707;
    pub const ATTACH_NAME: u32 = 0x3704;
    pub const ATTACH_DATA: u32 = 0x3701;
    pub const DISPLAY_NAME: u32 = 0x3001;
}

/// Reads a message.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let mut ole = Ole::open(bytes, FORMAT, context)?;
    let mut blocks = Blocks::new(context);
    let mut warnings = Vec::new();
    let root = Storage::read(&mut ole, "/", 32)?;
    let title = root.text(&mut ole, property::SUBJECT)?.unwrap_or_default();
    let mut metadata = Metadata::new();
    message(
        &mut ole,
        &root,
        &mut blocks,
        &mut metadata,
        &mut warnings,
        context,
    )?;
    let (text, structure) = blocks.finish()?;
    let part = Part {
        title: squeeze(&title),
        metadata,
        ..Part::extracted(text, structure)
    };
    Ok(Reading::new(vec![part], warnings))
}

/// A storage with properties: a message or an attachment.
struct Storage {
    path: String,
    /// The properties that fit in eight bytes, in one stream.
    fixed: Vec<u8>,
    /// Bytes before them.
    header: usize,
    page: i32,
}

impl Storage {
    fn read(ole: &mut Ole, path: &str, header: usize) -> Result<Self, ExtractError> {
        let fixed = ole
            .stream(&format!("{path}__properties_version1.0"))?
            .unwrap_or_default();
        let mut storage = Storage {
            path: path.to_owned(),
            fixed,
            header,
            page: 1252,
        };
        let page = storage
            .number(property::CODE_PAGE)
            .or_else(|| storage.number(property::INTERNET_PAGE));
        storage.page = page.map_or(1252, |page| page as i32);
        Ok(storage)
    }

    fn entry(&self, property: u32) -> Option<&[u8]> {
        let entries = self.fixed.get(self.header..)?;
        entries
            .chunks_exact(16)
            .find(|entry| u32_at(entry, 0).is_some_and(|tag| tag >> 16 == property))
    }

    fn number(&self, property: u32) -> Option<u32> {
        u32_at(self.entry(property)?, 8)
    }

    fn date(&self, property: u32) -> Option<String> {
        from_filetime(u64_at(self.entry(property)?, 8)?)
    }

    fn bytes(
        &self,
        ole: &mut Ole,
        property: u32,
        kind: u32,
    ) -> Result<Option<Vec<u8>>, ExtractError> {
        ole.stream(&format!(
            "{}__substg1.0_{property:04X}{kind:04X}",
            self.path
        ))
    }

    /// A text property: Unicode, else in the code page of the message.
    fn text(&self, ole: &mut Ole, property: u32) -> Result<Option<String>, ExtractError> {
        if let Some(bytes) = self.bytes(ole, property, 0x001F)? {
            return Ok(Some(utf16(&bytes)));
        }
        let bytes = self.bytes(ole, property, 0x001E)?;
        Ok(bytes.map(|bytes| self.decode(&bytes)))
    }

    fn decode(&self, bytes: &[u8]) -> String {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return text.trim_end_matches('\0').to_owned();
        }
        let encoding = encoding_of_page(self.page).unwrap_or(encoding_rs::WINDOWS_1252);
        let (text, _) = encoding.decode_without_bom_handling(bytes);
        text.trim_end_matches('\0').to_owned()
    }
}

fn message(
    ole: &mut Ole,
    storage: &Storage,
    blocks: &mut Blocks,
    metadata: &mut Metadata,
    warnings: &mut Vec<Warning>,
    context: &Context,
) -> Result<(), ExtractError> {
    people(ole, storage, blocks, metadata)?;
    body(ole, storage, blocks, context)?;
    for name in ole.names_in(&storage.path) {
        if name.starts_with("__attach_version1.0_") {
            let path = format!("{}{name}/", storage.path);
            attachment(ole, &path, blocks, warnings, context)?;
        }
    }
    Ok(())
}

fn people(
    ole: &mut Ole,
    storage: &Storage,
    blocks: &mut Blocks,
    metadata: &mut Metadata,
) -> Result<(), ExtractError> {
    let mut lines = String::new();
    let name = storage
        .text(ole, property::SENDER_NAME)?
        .unwrap_or_default();
    let mut address = storage
        .text(ole, property::SENDER_SMTP)?
        .unwrap_or_default();
    if address.is_empty() {
        // Inside of an organisation this is a path of its directory, which tells a reader nothing.
        address = storage
            .text(ole, property::SENDER_ADDRESS)?
            .filter(|text| text.contains('@'))
            .unwrap_or_default();
    }
    let from = match (name.is_empty(), address.is_empty() || address == name) {
        (false, false) => format!("{name} <{address}>"),
        (false, true) => name,
        (true, _) => address,
    };
    if !from.is_empty() {
        put(metadata, "from", &from);
        put(metadata, "author", &from);
        lines.push_str(&format!("From: {from}\n"));
    }
    for (key, label, number) in [("to", "To", property::TO), ("cc", "Cc", property::CC)] {
        let people = storage.text(ole, number)?.unwrap_or_default();
        for person in people.split(';') {
            add(metadata, key, person);
        }
        if !people.trim().is_empty() {
            lines.push_str(&format!("{label}: {people}\n"));
        }
    }
    let date = [property::SUBMITTED, property::DELIVERED, property::CREATED]
        .into_iter()
        .find_map(|number| storage.date(number));
    if let Some(date) = date {
        put(metadata, "date", &date);
        lines.push_str(&format!(
            "Date: {}\n",
            date.split('T').next().unwrap_or_default()
        ));
    }
    put(
        metadata,
        "subject",
        &storage.text(ole, property::SUBJECT)?.unwrap_or_default(),
    );
    put(
        metadata,
        "message_id",
        &storage.text(ole, property::ID)?.unwrap_or_default(),
    );
    blocks.push(BlockKind::Paragraph, &lines)
}

/// The body: plain text if there is some, else HTML, else RTF.
fn body(
    ole: &mut Ole,
    storage: &Storage,
    blocks: &mut Blocks,
    context: &Context,
) -> Result<(), ExtractError> {
    if let Some(text) = storage.text(ole, property::BODY)?
        && !text.trim().is_empty()
    {
        return blocks.push_paragraphs(&text);
    }
    let html = match storage.bytes(ole, property::HTML, 0x0102)? {
        Some(bytes) => Some(storage.decode(&bytes)),
        None => storage.text(ole, property::HTML)?,
    };
    if let Some(html) = html
        && !html.trim().is_empty()
    {
        return html::read_into(&html, blocks, &mut Page::default(), false);
    }
    let Some(packed) = storage.bytes(ole, property::RTF, 0x0102)? else {
        return Ok(());
    };
    let limit = usize::try_from(context.limits.text_bytes).unwrap_or(usize::MAX);
    match lzfu::unpack(&packed, limit) {
        Some(bytes) => {
            for part in rtf::read(&bytes, context)?.parts {
                blocks.push_part(&part)?;
            }
            Ok(())
        }
        None => Ok(()),
    }
}

fn attachment(
    ole: &mut Ole,
    path: &str,
    blocks: &mut Blocks,
    warnings: &mut Vec<Warning>,
    context: &Context,
) -> Result<(), ExtractError> {
    let storage = Storage::read(ole, path, 8)?;
    let mut name = String::new();
    for number in [
        property::ATTACH_LONG_NAME,
        property::ATTACH_NAME,
        property::DISPLAY_NAME,
    ] {
        if name.is_empty() {
            name = squeeze(&storage.text(ole, number)?.unwrap_or_default());
        }
    }
    if let Some(bytes) = storage.bytes(ole, property::ATTACH_DATA, 0x0102)? {
        return embed(&name, &bytes, context, blocks, warnings);
    }
    let inner = format!("{path}__substg1.0_3701000D/");
    if ole.names_in(&inner).is_empty() {
        return blocks.push(BlockKind::Heading(2), &name);
    }
    let Some(nested) = context.nested() else {
        warnings.push(Warning::Attachment {
            name,
            reason: "it is nested too deeply".to_owned(),
        });
        return Ok(());
    };
    let storage = Storage::read(ole, &inner, 24)?;
    let subject = storage
        .text(ole, property::SUBJECT)?
        .map(|text| squeeze(&text))
        .unwrap_or_default();
    blocks.push(
        BlockKind::Heading(2),
        if subject.is_empty() { &name } else { &subject },
    )?;
    message(
        ole,
        &storage,
        blocks,
        &mut Metadata::new(),
        warnings,
        &nested,
    )
}
