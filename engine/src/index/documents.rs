//! Which rows of a segment belong to which document, and to which section of it.
//!
//! A *section* is what the keyword leg scores: up to some thousand tokens of neighbouring chunks. Whole
//! documents are the best unit among documents of one length, and fail where some are books, whose
//! many words match anything; single chunks are too small to hold all words of a question. A document
//! of n chunks has ⌈n/c⌉ sections of nearly equal size.

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
    /// First section of each document, and their number at the end.
    sections: Vec<u32>,
    /// Section of each row; of no meaning for deleted rows.
    section_of_row: Vec<u32>,
    /// Terms of each section that count for BM25.
    section_lengths: Vec<u32>,
    /// Terms of each row.
    row_lengths: Vec<u32>,
    terms: u64,
}

impl Documents {
    /// Reads the table of a segment: one pass over two columns. A section has at most `section_rows`
    /// rows.
    pub fn read(reader: &SegmentReader, section_rows: u32) -> tantivy::Result<Self> {
        let column = |name| reader.fast_fields().u64(name);
        let (chunks, lengths) = (column("chunk")?, column("length")?);
        let (chunks, lengths) = (
            chunks.first_or_default_col(0),
            lengths.first_or_default_col(0),
        );
        let count = reader.max_doc() as usize;
        let mut table = Documents {
            of_row: vec![DELETED; count],
            section_of_row: vec![0; count],
            row_lengths: vec![0; count],
            ..Documents::default()
        };
        for row in reader.doc_ids_alive() {
            if chunks.get_val(row) == 0 {
                table.rows.push((row, row));
            }
            let document = table.rows.len() as u32;
            let Some(rows) = table.rows.last_mut() else {
                continue;
            };
            rows.1 = row + 1;
            let length = lengths.get_val(row) as u32;
            table.terms += u64::from(length);
            table.row_lengths[row as usize] = length;
            table.of_row[row as usize] = document - 1;
        }
        table.cut_sections(section_rows);
        Ok(table)
    }

    fn cut_sections(&mut self, section_rows: u32) {
        for &(first, end) in &self.rows {
            let base = self.section_lengths.len() as u32;
            let rows = end - first;
            let sections = rows.div_ceil(section_rows.max(1));
            self.sections.push(base);
            self.section_lengths.resize((base + sections) as usize, 0);
            for place in 0..rows {
                let share = u64::from(place) * u64::from(sections) / u64::from(rows);
                let section = base + share as u32;
                self.section_of_row[(first + place) as usize] = section;
                self.section_lengths[section as usize] +=
                    self.row_lengths[(first + place) as usize];
            }
        }
        self.sections.push(self.section_lengths.len() as u32);
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

    /// The sections of a document.
    pub fn sections(&self, document: u32) -> Range<u32> {
        self.sections[document as usize]..self.sections[document as usize + 1]
    }

    /// Number of sections of living documents.
    pub fn section_count(&self) -> usize {
        self.section_lengths.len()
    }

    /// The section of a living row.
    #[inline(always)]
    pub fn section_of_row(&self, row: u32) -> u32 {
        self.section_of_row[row as usize]
    }

    /// Terms of a section.
    pub fn section_length(&self, section: u32) -> u32 {
        self.section_lengths[section as usize]
    }

    /// Terms of a row.
    pub fn row_length(&self, row: u32) -> u32 {
        self.row_lengths[row as usize]
    }
}
