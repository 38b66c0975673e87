//! Workbooks: XLSX, XLSB, XLS, ODS. A sheet is a heading with its rows below.

use std::io::Cursor;

use calamine::{
    Data, DataRef, DataType, ExcelDateTime, Ods, Reader, Sheets, WorkbookProperties, Xls, Xlsb,
    Xlsx,
};
use kenning::document::{BlockKind, Metadata};

use super::archive::Archive;
use super::biff;
use super::blocks::Blocks;
use super::error::ExtractError;
use super::foreign;
use super::format::Format;
use super::limits::Context;
use super::metadata::{put, put_date};
use super::ole::{Ole, pack};
use super::ooxml;
use super::part::{Part, Reading, Warning};
use super::table::{Cell, TableWriter};

/// The streams of an old workbook that are read.
const STREAMS: &[&str] = &[
    "Workbook",
    "Book",
    "\u{5}SummaryInformation",
    "\u{5}DocumentSummaryInformation",
];

type Bytes<'a> = Cursor<&'a [u8]>;

/// Reads a workbook.
pub(super) fn read(
    format: Format,
    bytes: &[u8],
    context: &Context,
) -> Result<Reading, ExtractError> {
    let mut warnings = Vec::new();
    let fresh;
    let bytes = if format == Format::Xls {
        let (packed, beyond) = repack(bytes, context)?;
        if beyond > 0 {
            let reason = format!("{beyond} cells beyond the last column");
            warnings.push(Warning::Damaged(reason));
        }
        fresh = packed;
        &fresh
    } else {
        check_unpacked(format, bytes, context)?;
        bytes
    };
    let broken = |reason: String| ExtractError::damaged(format, reason);
    let mut book = foreign::call(|| open(format, bytes)).map_err(broken)??;
    let mut blocks = Blocks::new(context);
    let names = book.sheet_names();
    for (name, number) in names.iter().zip(1..) {
        blocks.set_page(number);
        let result = foreign::call(|| match &mut book {
            Sheets::Xlsx(book) => cells_of_xlsx(book, name, &mut blocks, context),
            Sheets::Xlsb(book) => cells_of_xlsb(book, name, &mut blocks, context),
            book => rows(book, name, &mut blocks),
        });
        match result.unwrap_or_else(|reason| Err(SheetError::Damaged(reason))) {
            Ok(()) => {}
            Err(SheetError::Limit(error)) => return Err(error),
            Err(SheetError::Damaged(reason)) => warnings.push(Warning::Sheet {
                name: name.clone(),
                reason,
            }),
        }
    }
    let properties = foreign::call(|| book.workbook_properties().unwrap_or_default());
    let properties = properties.unwrap_or_default();
    if matches!(format, Format::Xlsx | Format::Xlsb) {
        blocks.end_pages();
        let mut archive = Archive::open(bytes, format, context)?;
        ooxml::loose_text(&mut archive, "xl/", format, context, &mut blocks)?;
    }
    if blocks.is_empty() && !warnings.is_empty() {
        return Err(ExtractError::damaged(format, &warnings[0]));
    }
    let mut metadata = Metadata::new();
    let title = properties.title.clone().unwrap_or_default();
    note(&properties, &mut metadata);
    let (text, structure) = blocks.finish()?;
    let part = Part {
        title,
        metadata,
        ..Part::extracted(text, structure)
    };
    Ok(Reading::new(vec![part], warnings))
}

/// An old workbook with nothing in it but what is read, and how many cells were taken out of it: calamine
/// takes sizes and chains of sectors in a file for granted.
fn repack(bytes: &[u8], context: &Context) -> Result<(Vec<u8>, usize), ExtractError> {
    let mut streams = Ole::open(bytes, Format::Xls, context)?.streams(STREAMS)?;
    let mut beyond = 0;
    for (name, stream) in &mut streams {
        if !name.starts_with('\u{5}') {
            beyond += biff::tame(stream, context)?;
        }
    }
    let packed = pack(&streams).map_err(|error| ExtractError::damaged(Format::Xls, error))?;
    Ok((packed, beyond))
}

/// calamine unpacks without a limit of its own, so the sizes are tried first.
fn check_unpacked(format: Format, bytes: &[u8], context: &Context) -> Result<(), ExtractError> {
    let mut archive = Archive::open(bytes, format, context)?;
    let names = archive.names_where(|name| {
        let name = name.to_ascii_lowercase();
        [".xml", ".rels", ".bin"]
            .iter()
            .any(|end| name.ends_with(end))
            && !name.contains("vbaproject")
    });
    for name in names {
        archive.read(&name)?;
        context.check_time()?;
    }
    Ok(())
}

fn open(format: Format, bytes: &[u8]) -> Result<Sheets<Bytes<'_>>, ExtractError> {
    let cursor = Cursor::new(bytes);
    let failure = |error: calamine::Error| {
        let text = error.to_string();
        if text.to_ascii_lowercase().contains("password") {
            ExtractError::Encrypted { format }
        } else {
            ExtractError::damaged(format, text)
        }
    };
    Ok(match format {
        Format::Xlsx => Sheets::Xlsx(Xlsx::new(cursor).map_err(|error| failure(error.into()))?),
        Format::Xlsb => Sheets::Xlsb(Xlsb::new(cursor).map_err(|error| failure(error.into()))?),
        Format::Ods => Sheets::Ods(Ods::new(cursor).map_err(|error| failure(error.into()))?),
        _ => Sheets::Xls(Xls::new(cursor).map_err(|error| failure(error.into()))?),
    })
}

enum SheetError {
    Limit(ExtractError),
    Damaged(String),
}

impl From<ExtractError> for SheetError {
    fn from(error: ExtractError) -> Self {
        SheetError::Limit(error)
    }
}

fn damaged(error: impl std::fmt::Display) -> SheetError {
    SheetError::Damaged(
        error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    )
}

/// Collects cells that come row by row.
struct Rows<'w, 'c> {
    blocks: &'w mut Blocks<'c>,
    /// The name of the sheet, until its first cell: an empty sheet says nothing.
    heading: Option<&'w str>,
    table: TableWriter,
    number: u32,
    cells: Vec<Cell>,
}

impl<'w, 'c> Rows<'w, 'c> {
    fn new(blocks: &'w mut Blocks<'c>, sheet: &'w str) -> Self {
        Rows {
            blocks,
            heading: Some(sheet),
            table: TableWriter::default(),
            number: 0,
            cells: Vec::new(),
        }
    }

    fn cell(&mut self, (row, column): (u32, u32), value: &Data) -> Result<(), ExtractError> {
        if row != self.number {
            let cells = std::mem::take(&mut self.cells);
            self.table.row(self.blocks, cells)?;
            self.number = row;
        }
        if let Some(text) = cell_text(value) {
            if let Some(name) = self.heading.take() {
                self.blocks.push(BlockKind::Heading(1), name)?;
            }
            self.cells.push(Cell {
                column,
                text,
                is_word: matches!(value, Data::String(text) if text.chars().any(char::is_alphabetic)),
            });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), ExtractError> {
        self.table.row(self.blocks, self.cells)?;
        self.table.finish(self.blocks)
    }
}

/// Reads the cells one by one: a sheet with one cell far out must not cost a full grid.
fn cells_of_xlsx(
    book: &mut Xlsx<Bytes>,
    name: &str,
    blocks: &mut Blocks,
    context: &Context,
) -> Result<(), SheetError> {
    let mut cells = match book.worksheet_cells_reader(name) {
        Ok(cells) => cells,
        // A chart sheet has no cells.
        Err(calamine::XlsxError::NotAWorksheet(_)) => return Ok(()),
        Err(error) => return Err(damaged(error)),
    };
    let mut rows = Rows::new(blocks, name);
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        context.check_time()?;
        rows.cell(cell.get_position(), &owned(cell.get_value()))?;
    }
    Ok(rows.finish()?)
}

fn cells_of_xlsb(
    book: &mut Xlsb<Bytes>,
    name: &str,
    blocks: &mut Blocks,
    context: &Context,
) -> Result<(), SheetError> {
    let mut cells = book.worksheet_cells_reader(name).map_err(damaged)?;
    let mut rows = Rows::new(blocks, name);
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        context.check_time()?;
        rows.cell(cell.get_position(), &owned(cell.get_value()))?;
    }
    Ok(rows.finish()?)
}

fn rows(book: &mut Sheets<Bytes>, name: &str, blocks: &mut Blocks) -> Result<(), SheetError> {
    let range = book.worksheet_range(name).map_err(damaged)?;
    let (top, left) = range.start().unwrap_or_default();
    let mut rows = Rows::new(blocks, name);
    for (row, column, value) in range.used_cells() {
        rows.cell((top + row as u32, left + column as u32), value)?;
    }
    Ok(rows.finish()?)
}

fn owned(value: &DataRef) -> Data {
    match value {
        DataRef::Int(value) => Data::Int(*value),
        DataRef::Float(value) => Data::Float(*value),
        DataRef::String(value) => Data::String(value.clone()),
        DataRef::SharedString(value) => Data::String((*value).to_owned()),
        DataRef::Bool(value) => Data::Bool(*value),
        DataRef::DateTime(value) => Data::DateTime(*value),
        DataRef::DateTimeIso(value) => Data::DateTimeIso(value.clone()),
        DataRef::DurationIso(value) => Data::DurationIso(value.clone()),
        DataRef::Error(value) => Data::Error(value.clone()),
        DataRef::Empty => Data::Empty,
    }
}

fn cell_text(value: &Data) -> Option<String> {
    Some(match value {
        Data::Empty | Data::Error(_) => return None,
        Data::Float(number) => number_text(*number),
        Data::DateTime(moment) => moment_text(moment),
        Data::DateTimeIso(text) => text.trim_end_matches("T00:00:00").to_owned(),
        value => value.as_string().unwrap_or_else(|| value.to_string()),
    })
}

/// A number with the fifteen digits that spreadsheets keep: 0.1 + 0.2 is 0.3.
fn number_text(number: f64) -> String {
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    if rounded != 0.0 && !(1e-6..1e17).contains(&rounded.abs()) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

fn moment_text(moment: &ExcelDateTime) -> String {
    if moment.is_duration() {
        let seconds = (moment.as_f64() * 86_400.0).round() as i64;
        return format!(
            "{}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let time = format!("{hour:02}:{minute:02}:{second:02}");
    if moment.as_f64().abs() < 1.0 {
        return time;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if time == "00:00:00" {
        date
    } else {
        format!("{date} {time}")
    }
}

fn note(properties: &WorkbookProperties, metadata: &mut Metadata) {
    let mut fact = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            put(metadata, name, value);
        }
    };
    fact("author", &properties.creator);
    fact("subject", &properties.subject);
    fact("keywords", &properties.keywords);
    fact("description", &properties.description);
    for (name, value) in [
        ("created", &properties.created),
        ("modified", &properties.modified),
    ] {
        if let Some(value) = value {
            put_date(metadata, name, value);
            put_date(metadata, "date", value);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::{outline, part, read, zip_of};
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(number_text(0.1 + 0.2), "0.3");
        assert_eq!(number_text(1234567.0), "1234567");
        assert_eq!(number_text(1e300), "1e300");
    }

    /// calamine followed it until memory ended.
    #[test]
    fn a_chain_of_sectors_that_goes_round_is_an_error() {
        let mut bytes = pack(&[("Workbook".to_owned(), vec![0; 20_000])]).unwrap();
        // The header names the sector of the table; the stream has sectors behind it.
        let table = u32::from_le_bytes(bytes[76..80].try_into().unwrap()) as usize;
        let entry = (table + 1) * 512 + 4 * 20;
        bytes[entry..entry + 4].copy_from_slice(&15u32.to_le_bytes());
        let error = read("a.xls", &bytes).unwrap_err();
        assert!(error.to_string().contains("pointed to twice"), "{error}");
    }

    #[test]
    fn an_xlsx_with_a_far_cell() {
        let sheet = br#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
            <row r="1"><c r="A1" t="inlineStr"><is><t>Name</t></is></c><c r="B1" t="inlineStr"><is><t>Age</t></is></c></row>
            <row r="2"><c r="A2" t="inlineStr"><is><t>Anna</t></is></c><c r="B2"><v>7</v></c></row>
            <row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>far</t></is></c></row>
            </sheetData></worksheet>"#;
        let bytes = zip_of(&[
            ("[Content_Types].xml", b"<Types/>"),
            ("_rels/.rels", br#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#),
            ("xl/workbook.xml", br#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="People" sheetId="1" r:id="rId1"/></sheets></workbook>"#),
            ("xl/_rels/workbook.xml.rels", br#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#),
            ("xl/worksheets/sheet1.xml", sheet),
        ]);
        let found = part("a.xlsx", &bytes);
        assert_eq!(
            outline(&found),
            [
                "h1@1 People",
                "r@1 Name | Age",
                "r@1 Name: Anna | Age: 7",
                "r@1 far"
            ]
        );
    }
}
