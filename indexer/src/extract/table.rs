//! Rows of cells as text in which every row makes sense alone: `Name: Anna | Age: 7`.

use std::collections::{BTreeMap, VecDeque};

use kenning::document::BlockKind;

use super::blocks::{Blocks, squeeze};
use super::error::ExtractError;

/// A cell that holds something.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    /// Counted from 0.
    pub column: u32,
    pub text: String,
    /// Whether it is a word rather than a number, a date, a truth value.
    pub is_word: bool,
}

impl Cell {
    /// A cell of a text file: whether it is a word must be guessed.
    pub fn from_text(column: u32, text: &str) -> Self {
        let text = squeeze(text);
        let is_word = !text.is_empty()
            && text.chars().any(char::is_alphabetic)
            && text.parse::<f64>().is_err();
        Cell {
            column,
            text,
            is_word,
        }
    }
}

/// So many rows are looked at before it is settled what the header is.
const AHEAD: usize = 12;

/// Longest header in characters.
const LONGEST: usize = 80;

/// Writes the rows of one table.
#[derive(Default)]
pub(super) struct TableWriter {
    waiting: VecDeque<Vec<Cell>>,
    header: Option<BTreeMap<u32, String>>,
    settled: bool,
}

impl TableWriter {
    /// Adds a row. Empty cells and empty rows are left out.
    pub fn row(&mut self, blocks: &mut Blocks, cells: Vec<Cell>) -> Result<(), ExtractError> {
        let cells: Vec<Cell> = cells
            .into_iter()
            .filter(|cell| !cell.text.trim().is_empty())
            .collect();
        if cells.is_empty() {
            return Ok(());
        }
        if self.settled {
            return self.write(blocks, &cells);
        }
        self.waiting.push_back(cells);
        if self.waiting.len() >= AHEAD {
            self.settle(blocks)?;
        }
        Ok(())
    }

    /// Ends the table.
    pub fn finish(mut self, blocks: &mut Blocks) -> Result<(), ExtractError> {
        self.settle(blocks)
    }

    fn settle(&mut self, blocks: &mut Blocks) -> Result<(), ExtractError> {
        let header = find_header(&self.waiting);
        self.settled = true;
        let waiting = std::mem::take(&mut self.waiting);
        for (index, cells) in waiting.into_iter().enumerate() {
            if Some(index) == header {
                // The header stands in the text as well: should it be none, nothing is lost.
                self.write(blocks, &cells)?;
                let names = cells
                    .into_iter()
                    .map(|cell| (cell.column, squeeze(&cell.text)));
                self.header = Some(names.collect());
            } else {
                self.write(blocks, &cells)?;
            }
        }
        Ok(())
    }

    fn write(&self, blocks: &mut Blocks, cells: &[Cell]) -> Result<(), ExtractError> {
        let texts: Vec<String> = cells
            .iter()
            .map(|cell| {
                let text = squeeze(&cell.text);
                match self
                    .header
                    .as_ref()
                    .and_then(|header| header.get(&cell.column))
                {
                    Some(name) => format!("{name}: {text}"),
                    None => text,
                }
            })
            .collect();
        // A single cell is a caption or a note, unless the table has but one column.
        let kind = if cells.len() == 1 && self.header.is_none() {
            BlockKind::Paragraph
        } else {
            BlockKind::TableRow
        };
        blocks.push(kind, &texts.join(" | "))
    }
}

/// The row that names the columns: the first with several cells, if all of them are words, short,
/// different from each other, and what follows looks different or has three columns or more. In a list
/// of two columns of words the first row is as likely an entry like the others.
fn find_header(rows: &VecDeque<Vec<Cell>>) -> Option<usize> {
    let index = rows.iter().position(|cells| cells.len() > 1)?;
    let cells = rows.get(index)?;
    let named = cells
        .iter()
        .all(|cell| cell.is_word && cell.text.chars().count() <= LONGEST);
    let mut names: Vec<&str> = cells.iter().map(|cell| cell.text.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let below = || rows.iter().skip(index + 1);
    let values = below().any(|row| row.iter().skip(1).any(|cell| !cell.is_word));
    // What hangs below columns without a name is not a table with this header.
    let covered = below().all(|row| {
        row.len() == 1
            || row
                .iter()
                .filter(|cell| cells.iter().any(|name| name.column == cell.column))
                .count()
                * 2
                >= row.len()
    });
    (named
        && names.len() == cells.len()
        && covered
        && below().next().is_some()
        && (cells.len() >= 3 || values))
        .then_some(index)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::limits::{Context, Limits};
    use super::*;

    fn text(rows: &[&[&str]]) -> String {
        let limits = Limits::default();
        let context = Context::new(&limits);
        let mut blocks = Blocks::new(&context);
        let mut table = TableWriter::default();
        for row in rows {
            let cells = row
                .iter()
                .zip(0..)
                .map(|(text, column)| Cell::from_text(column, text));
            table.row(&mut blocks, cells.collect()).unwrap();
        }
        table.finish(&mut blocks).unwrap();
        blocks.finish().unwrap().0
    }

    #[test]
    fn headers_are_repeated() {
        assert_eq!(
            text(&[&["People"], &["Name", "Age"], &["Anna", "7"], &["", "8"]]),
            "People\n\nName | Age\nName: Anna | Age: 7\nAge: 8"
        );
    }

    #[test]
    fn a_list_of_pairs_has_no_header() {
        assert_eq!(
            text(&[&["Name", "Anna"], &["Town", "Ulm"]]),
            "Name | Anna\nTown | Ulm"
        );
        assert_eq!(text(&[&["1", "2"], &["3", "4"]]), "1 | 2\n3 | 4");
    }
}
