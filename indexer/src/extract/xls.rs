//! What an old Excel file says of the size of its sheets.
//!
//! calamine sets memory aside for as many cells as a sheet claims to have, which in a damaged file are
//! more than any memory holds. So the claims are looked at first.

use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::ole::{Ole, u16_at, u32_at};

/// The most rows and columns of a sheet before Excel 2007.
const ROWS: u32 = 65_536;
const COLUMNS: u32 = 256;

/// Records: the end of a sheet, where sheets begin, how large one is, the begin of a part.
const EOF: u16 = 0x000A;
const BOUND_SHEET: u16 = 0x0085;
const DIMENSIONS: u16 = 0x0200;
const BOF: u16 = 0x0809;

/// Fails if a sheet claims to be larger than a sheet can be.
pub(super) fn check_dimensions(bytes: &[u8], context: &Context) -> Result<(), ExtractError> {
    let mut file = Ole::open(bytes, Format::Xls, context)?;
    let stream = match file.stream("/Workbook")? {
        Some(stream) => stream,
        None => file.stream("/Book")?.unwrap_or_default(),
    };
    for (kind, data) in records(&stream) {
        if kind == BOUND_SHEET
            && let Some(sheet) = u32_at(data, 0).and_then(|at| stream.get(at as usize..))
        {
            check_sheet(sheet)?;
            context.check_time()?;
        }
    }
    Ok(())
}

fn check_sheet(sheet: &[u8]) -> Result<(), ExtractError> {
    let mut depth = 0;
    for (kind, data) in records(sheet) {
        match kind {
            BOF => depth += 1,
            EOF if depth <= 1 => break,
            EOF => depth -= 1,
            DIMENSIONS => check(data)?,
            _ => {}
        }
    }
    Ok(())
}

/// First and last row and column, the last one not counted, as two or four bytes a row.
fn check(data: &[u8]) -> Result<(), ExtractError> {
    let wide = data.len() >= 14;
    let value = |place: usize| match wide {
        true if place < 2 => u32_at(data, 4 * place),
        true => u16_at(data, 4 + 2 * place).map(u32::from),
        false => u16_at(data, 2 * place).map(u32::from),
    };
    let [Some(top), Some(bottom), Some(left), Some(right)] = [0, 1, 2, 3].map(value) else {
        // Too short to claim anything.
        return Ok(());
    };
    let possible = bottom <= ROWS && right <= COLUMNS && top <= bottom.max(1);
    if possible && left <= right.max(COLUMNS) {
        return Ok(());
    }
    let claim = format!("a sheet claims rows {top} to {bottom} and columns {left} to {right}");
    Err(ExtractError::damaged(Format::Xls, claim))
}

/// The records of a stream: kind and data, as far as they are whole.
fn records(mut stream: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (kind, length) = (u16_at(stream, 0)?, u16_at(stream, 2)?);
        let data = stream.get(4..4 + usize::from(length))?;
        stream = &stream[4 + usize::from(length)..];
        Some((kind, data))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_that_claims_more_than_a_sheet_can_have_is_damaged() {
        let wide = |rows: [u32; 2], columns: [u16; 2]| {
            let rows = rows.iter().flat_map(|row| row.to_le_bytes());
            let columns = columns.iter().flat_map(|column| column.to_le_bytes());
            let data: Vec<u8> = rows.chain(columns).chain([0, 0]).collect();
            check(&data)
        };
        assert_eq!(wide([0, 65_536], [0, 256]), Ok(()));
        assert_eq!(wide([0, 0], [0, 0]), Ok(()));
        assert!(wide([0, 2_000_000_000], [0, 9]).is_err());
        assert!(wide([5, 3], [0, 9]).is_err());
        assert!(wide([0, 9], [0, 40_000]).is_err());
        assert_eq!(check(&[0; 10]), Ok(()));
        assert_eq!(check(&[255; 3]), Ok(()));
    }

    #[test]
    fn records_end_where_the_stream_does() {
        let stream = [0x0A, 0, 2, 0, 7, 8, 0x09, 0x08, 200, 0, 1];
        let found: Vec<_> = records(&stream).collect();
        assert_eq!(found, [(EOF, &[7u8, 8][..])]);
    }
}
