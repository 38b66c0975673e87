//! Which rows of a segment belong to which document.

use std::ops::Range;

use tantivy::SegmentReader;

/// A row of a deleted document.
pub const DELETED: u32 = u32::MAX;

/// The living documents of one segment, numbered in the order of their rows.
///
/// A document's rows stand next to each other in one segment: they are added in one operation, and
/// merges keep the order. Ranking by document is therefore a walk along the rows.
#[derive(Debug, Default)]
pub struct Documents {
    /// Rows of each document.
    rows: Vec<(u32, u32)>,
    /// Document of each row, or [`DELETED`].
    of_row: Vec<u32>,
    /// Terms of each document that count for BM25.
    lengths: Vec<u32>,
    /// Terms of each row.
    row_lengths: Vec<u32>,
    terms: u64,
}

impl Documents {
    /// Reads the table of a segment: one pass over two columns.
    pub fn read(reader: &SegmentReader) -> tantivy::Result<Self> {
        let chunks = reader.fast_fields().u64("chunk")?;
        let lengths = reader.fast_fields().u64("length")?;
        let (chunks, lengths) = (
            chunks.first_or_default_col(0),
            lengths.first_or_default_col(0),
        );
        let mut table = Documents {
            of_row: vec![DELETED; reader.max_doc() as usize],
            row_lengths: vec![0; reader.max_doc() as usize],
            ..Documents::default()
        };
        for row in reader.doc_ids_alive() {
            let length = lengths.get_val(row) as u32;
            if chunks.get_val(row) == 0 {
                table.rows.push((row, row));
                table.lengths.push(0);
            }
            let (Some(rows), Some(total)) = (table.rows.last_mut(), table.lengths.last_mut())
            else {
                continue;
            };
            rows.1 = row + 1;
            *total += length;
            table.terms += u64::from(length);
            table.row_lengths[row as usize] = length;
            table.of_row[row as usize] = table.rows.len() as u32 - 1;
        }
        Ok(table)
    }

    /// Number of living documents.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Number of living rows.
    pub fn living_rows(&self) -> u64 {
        let rows = self.rows.iter();
        rows.map(|(first, end)| u64::from(end - first)).sum()
    }

    /// Terms of all living documents together.
    pub fn terms(&self) -> u64 {
        self.terms
    }

    /// The rows of a document.
    pub fn rows(&self, document: u32) -> Range<u32> {
        let (first, end) = self.rows[document as usize];
        first..end
    }

    /// The document of a row; `None` if it is deleted.
    #[inline(always)]
    pub fn of_row(&self, row: u32) -> Option<u32> {
        Some(self.of_row[row as usize]).filter(|&document| document != DELETED)
    }

    /// Terms of a document.
    pub fn length(&self, document: u32) -> u32 {
        self.lengths[document as usize]
    }

    /// Terms of a row.
    pub fn row_length(&self, row: u32) -> u32 {
        self.row_lengths[row as usize]
    }
}
