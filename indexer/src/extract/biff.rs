//! The records of an old workbook ([MS-XLS]), tamed for a parser that believes what they claim.

use super::error::ExtractError;
use super::limits::Context;
use super::ole::{u16_at, u32_at};

/// A type that no record has; readers pass over records of types that they do not know.
const NOTHING: u16 = 0xFFFF;

/// Types of records.
mod kind {
    pub const DIMENSIONS: u16 = 0x0200;
    pub const BOUND_SHEET: u16 = 0x0085;
    pub const MUL_RK: u16 = 0x00BD;
    /// Cells: their row and their column stand first.
    pub const CELLS: [u16; 7] = [0x0006, 0x00D6, 0x00FD, 0x0203, 0x0204, 0x0205, 0x027E];
}

/// The columns that a sheet of these versions has.
const COLUMNS: u16 = 256;

/// Takes out of a workbook's stream what makes calamine ask for memory without measure: the size that a
/// sheet claims to have, for which it makes room at once, and cells beyond the last column, for which it
/// makes a grid. Every other record keeps its place. Returns how many cells were taken out.
pub(super) fn tame(stream: &mut [u8], context: &Context) -> Result<usize, ExtractError> {
    let mut taken = 0;
    // Sheets begin where their entry says, which in a damaged file need not be where a record begins.
    let mut starts = vec![0];
    let mut seen = vec![false; stream.len()];
    while let Some(mut at) = starts.pop() {
        context.check_time()?;
        // Where a walk was before, it went on to the end.
        while let (Some(kind), Some(length)) = (u16_at(stream, at), u16_at(stream, at + 2))
            && !std::mem::replace(&mut seen[at], true)
        {
            let body = at + 4;
            match kind {
                kind::BOUND_SHEET => starts.extend(u32_at(stream, body).map(|at| at as usize)),
                kind::DIMENSIONS => put(stream, at),
                kind if is_beyond(stream, kind, body, length) => {
                    put(stream, at);
                    taken += 1;
                }
                _ => {}
            }
            at = body + usize::from(length);
        }
    }
    Ok(taken)
}

/// Whether a record is a cell, or a run of cells, that reaches beyond the last column.
fn is_beyond(stream: &[u8], kind: u16, body: usize, length: u16) -> bool {
    let column = match kind {
        kind::MUL_RK => usize::from(length).checked_sub(2).map(|last| body + last),
        kind if kind::CELLS.contains(&kind) => Some(body + 2),
        _ => return false,
    };
    column
        .and_then(|at| u16_at(stream, at))
        .is_some_and(|column| column >= COLUMNS)
}

/// Makes a record one that is passed over.
fn put(stream: &mut [u8], at: usize) {
    stream[at..at + 2].copy_from_slice(&NOTHING.to_le_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::limits::Limits;
    use super::*;

    fn record(kind: u16, body: &[u16]) -> Vec<u8> {
        let head = [kind, 2 * body.len() as u16];
        head.iter()
            .chain(body)
            .flat_map(|n| n.to_le_bytes())
            .collect()
    }

    /// It was walked again and again.
    #[test]
    fn a_sheet_that_is_its_own_workbook_ends() {
        let mut stream = record(kind::BOUND_SHEET, &[0, 0, 0, 0]);
        stream.extend(record(kind::BOUND_SHEET, &[12, 0, 0, 0]));
        let limits = Limits::default();
        assert_eq!(tame(&mut stream, &Context::new(&limits)), Ok(0));
    }

    #[test]
    fn claims_and_far_cells_are_taken_out() {
        let records = [
            record(0x0809, &[0x0600, 5]),
            record(kind::DIMENSIONS, &[0, 0, 0xFFFF, 0xFFFF, 0, 0xFFFF, 0]),
            record(0x0203, &[1, 255, 0, 0, 0, 0, 0]),
            record(0x0203, &[1, 256, 0, 0, 0, 0, 0]),
            record(kind::MUL_RK, &[1, 250, 0, 0, 0, 0xFFF0]),
            record(0x000A, &[]),
        ];
        let mut stream = records.concat();
        let limits = Limits::default();
        assert_eq!(tame(&mut stream, &Context::new(&limits)).unwrap(), 2);
        let mut at = 0;
        let mut kinds = Vec::new();
        while let Some(kind) = u16_at(&stream, at) {
            kinds.push(kind);
            at += 4 + usize::from(u16_at(&stream, at + 2).unwrap());
        }
        assert_eq!(kinds, [0x0809, NOTHING, 0x0203, NOTHING, NOTHING, 0x000A]);
    }
}
