//! Which rows of a segment belong to which document, and to which section of it.
//!
//! A *section* is what the keyword leg scores: some 1,500 tokens of neighbouring chunks. Whole
//! documents are the best unit among documents of one length, and fail where some are books, whose
//! many words match anything; single chunks are too small to hold all words of a question. A document
//! of n chunks is cut into ⌈n/h⌉ *steps* of nearly equal size, and every two neighbouring steps are
//! a section: sections overlap by half, so that no place is at the edge of all that hold it.

use std::ops::Range;

use tantivy::SegmentReader;
use tantivy::columnar::Cardinality;

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
    first_sections: Vec<u32>,
    /// Sections of each row: twice the first, and 1 more if the next holds the row too. Of no meaning for
    /// deleted rows.
    sections_of_row: Vec<u32>,
    /// Terms, stop words left out, of each section.
    section_lengths: Vec<u32>,
    /// Terms of each row.
    row_lengths: Vec<u32>,
    /// Rows of all documents.
    living: u64,
    /// Terms of all sections together, and of all rows.
    section_terms: u64,
    row_terms: u64,
}

/// How documents are cut into sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionShape {
    /// The most rows of a step.
    pub step_rows: u32,
    /// How many steps a section has: 2, or 1 where a single row is long enough.
    pub steps: u32,
}

impl SectionShape {
    /// Steps of so many tokens, measured on four collections and on books made of their documents.
    const STEP_TOKENS: usize = 768;

    /// For chunks of at most `max_tokens`.
    pub fn new(max_tokens: usize) -> Self {
        SectionShape {
            step_rows: (Self::STEP_TOKENS / max_tokens.max(1)).max(1) as u32,
            steps: if max_tokens > Self::STEP_TOKENS { 1 } else { 2 },
        }
    }
}

impl Documents {
    /// Reads the table of a segment: one pass over two columns.
    pub fn read(reader: &SegmentReader, shape: SectionShape) -> tantivy::Result<Self> {
        let (chunks, row_lengths) = (read(reader, "chunk")?, read(reader, "length")?);
        let count = reader.max_doc() as usize;
        let mut table = Documents {
            of_row: vec![DELETED; count],
            sections_of_row: vec![0; count],
            row_lengths,
            ..Documents::default()
        };
        let mut add = |row: u32| {
            if chunks[row as usize] == 0 {
                table.rows.push((row, row));
            }
            let document = table.rows.len() as u32;
            if let Some(rows) = table.rows.last_mut() {
                rows.1 = row + 1;
                table.of_row[row as usize] = document - 1;
            }
        };
        match reader.alive_bitset() {
            Some(_) => reader.doc_ids_alive().for_each(&mut add),
            None => (0..count as u32).for_each(&mut add),
        }
        table.cut_sections(shape);
        Ok(table)
    }

    fn cut_sections(&mut self, shape: SectionShape) {
        for &(first, end) in &self.rows {
            let base = self.section_lengths.len() as u32;
            self.first_sections.push(base);
            let rows = end - first;
            self.living += u64::from(rows);
            let steps = rows.div_ceil(shape.step_rows);
            let sections = (steps + 1).saturating_sub(shape.steps).max(1);
            self.section_lengths.resize((base + sections) as usize, 0);
            // The step of the row at `place` is ⌊place · steps / rows⌋; `over` is what the floor takes away.
            let (mut step, mut over) = (0u32, 0);
            for row in first..end {
                let from = (step + 1).saturating_sub(shape.steps);
                let until = (step + 1).min(sections);
                self.sections_of_row[row as usize] = 2 * (base + from) + (until - from - 1);
                let terms = self.row_lengths[row as usize];
                self.row_terms += u64::from(terms);
                for section in from..until {
                    self.section_lengths[(base + section) as usize] += terms;
                    self.section_terms += u64::from(terms);
                }
                over += steps;
                if over >= rows {
                    over -= rows;
                    step += 1;
                }
            }
        }
        self.first_sections.push(self.section_lengths.len() as u32);
    }

    /// Number of living documents.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Number of living rows.
    pub fn living_rows(&self) -> u64 {
        self.living
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
    #[inline(always)]
    pub fn sections(&self, document: u32) -> Range<u32> {
        let document = document as usize;
        self.first_sections[document]..self.first_sections[document + 1]
    }

    /// The sections that hold a living row: one, or two that follow each other. Neither is less than those of
    /// rows before it.
    #[inline(always)]
    pub fn sections_of_row(&self, row: u32) -> Range<u32> {
        let packed = self.sections_of_row[row as usize];
        let first = packed / 2;
        first..first + 1 + packed % 2
    }

    /// Number of sections of living documents.
    pub fn section_count(&self) -> usize {
        self.section_lengths.len()
    }

    /// Terms of all sections together; those of a row count once in each section that holds it.
    pub fn section_terms(&self) -> u64 {
        self.section_terms
    }

    /// Terms of all rows together.
    pub fn row_terms(&self) -> u64 {
        self.row_terms
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

/// A whole column, 0 where a row has no value.
fn read(reader: &SegmentReader, name: &str) -> tantivy::Result<Vec<u32>> {
    let column = reader.fast_fields().u64(name)?;
    let column = match column.index.get_cardinality() {
        // Much quicker: values are unpacked many at once.
        Cardinality::Full => column.values,
        _ => column.first_or_default_col(0),
    };
    let mut values = Vec::with_capacity(reader.max_doc() as usize);
    let mut buffer = [0u64; 512];
    while values.len() < reader.max_doc() as usize {
        let count = buffer.len().min(reader.max_doc() as usize - values.len());
        column.get_range(values.len() as u64, &mut buffer[..count]);
        values.extend(buffer[..count].iter().map(|&value| value as u32));
    }
    Ok(values)
}

#[cfg(test)]
impl Documents {
    /// Documents of so many rows, row n of n terms; no row is deleted.
    pub fn made_up(rows_each: &[u32], shape: SectionShape) -> Self {
        let mut table = Documents::default();
        for (document, &rows) in (0u32..).zip(rows_each) {
            let first = table.of_row.len() as u32;
            table.rows.push((first, first + rows));
            table.of_row.extend((0..rows).map(|_| document));
        }
        table.row_lengths = (0..table.of_row.len() as u32).collect();
        table.sections_of_row = vec![0; table.of_row.len()];
        table.cut_sections(shape);
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_in_the_sections_that_hold_its_step() {
        let sizes: Vec<u32> = (1..40).collect();
        for (step_rows, steps) in [(1, 1), (1, 2), (3, 2), (7, 2)] {
            let table = Documents::made_up(&sizes, SectionShape { step_rows, steps });
            let mut lengths = vec![0; table.section_count()];
            for (document, &rows) in (0u32..).zip(&sizes) {
                let count = rows.div_ceil(step_rows);
                let sections = table.sections(document);
                assert_eq!(sections.len() as u32, (count + 1 - steps.min(count)).max(1));
                for (place, row) in (0u32..).zip(table.rows(document)) {
                    let step = place * count / rows;
                    let holds = |section: &u32| (*section..section + steps).contains(&step);
                    let expected: Vec<u32> = (0..sections.len() as u32).filter(holds).collect();
                    let found: Vec<u32> = table
                        .sections_of_row(row)
                        .map(|section| section - sections.start)
                        .collect();
                    assert_eq!(found, expected, "row {place} of {rows}");
                    for section in table.sections_of_row(row) {
                        lengths[section as usize] += row;
                    }
                }
            }
            assert_eq!(table.section_lengths, lengths);
            let sum: u64 = lengths.iter().map(|&terms| u64::from(terms)).sum();
            assert_eq!(table.section_terms(), sum);
        }
    }
}
