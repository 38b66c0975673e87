//! Which rows of a segment belong to which document, and to which section of it.
//!
//! A *section* is what the keyword leg scores: some 1,500 tokens of neighbouring chunks. Whole
//! documents are the best unit among documents of one length, and fail where some are books, whose
//! many words match anything; single chunks are too small to hold all words of a question. A document
//! of n chunks is cut into ⌈n/h⌉ *steps* of nearly equal size, and every two neighbouring steps are
//! a section: sections overlap by half, so that no place is at the edge of all that hold it.

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
    /// First step of each document, and their number at the end.
    steps: Vec<u32>,
    /// Step of each row; of no meaning for deleted rows.
    step_of_row: Vec<u32>,
    /// Terms, stop words left out, of the section that begins with each step; 0 where none does.
    section_lengths: Vec<u32>,
    /// Terms of each row.
    row_lengths: Vec<u32>,
    /// How many steps a section has.
    steps_in_section: u32,
    section_count: u64,
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
        let column = |name| reader.fast_fields().u64(name);
        let (chunks, lengths) = (column("chunk")?, column("length")?);
        let (chunks, lengths) = (
            chunks.first_or_default_col(0),
            lengths.first_or_default_col(0),
        );
        let count = reader.max_doc() as usize;
        let mut table = Documents {
            of_row: vec![DELETED; count],
            step_of_row: vec![0; count],
            row_lengths: vec![0; count],
            steps_in_section: shape.steps,
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
            table.row_lengths[row as usize] = length;
            table.of_row[row as usize] = document - 1;
        }
        table.cut_sections(shape.step_rows);
        Ok(table)
    }

    fn cut_sections(&mut self, step_rows: u32) {
        for document in 0..self.rows.len() as u32 {
            let (first, end) = self.rows[document as usize];
            let base = self.section_lengths.len() as u32;
            let rows = end - first;
            let steps = rows.div_ceil(step_rows);
            self.steps.push(base);
            self.section_lengths.resize((base + steps) as usize, 0);
            for place in 0..rows {
                let share = u64::from(place) * u64::from(steps) / u64::from(rows);
                self.step_of_row[(first + place) as usize] = base + share as u32;
            }
        }
        self.steps.push(self.section_lengths.len() as u32);
        for document in 0..self.rows.len() as u32 {
            self.section_count += self.sections(document).len() as u64;
            for row in self.rows(document) {
                let terms = self.row_lengths[row as usize];
                self.row_terms += u64::from(terms);
                for section in self.sections_of_row(row) {
                    self.section_lengths[section as usize] += terms;
                    self.section_terms += u64::from(terms);
                }
            }
        }
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

    /// The sections of a document, each named by its first step.
    pub fn sections(&self, document: u32) -> Range<u32> {
        let (first, end) = self.steps_of(document);
        first
            ..(end + 1)
                .saturating_sub(self.steps_in_section)
                .max(first + 1)
    }

    /// First step of a document, and the first after it.
    fn steps_of(&self, document: u32) -> (u32, u32) {
        let document = document as usize;
        (self.steps[document], self.steps[document + 1])
    }

    /// The sections that hold a living row.
    #[inline(always)]
    pub fn sections_of_row(&self, row: u32) -> Range<u32> {
        let sections = self.sections(self.of_row[row as usize]);
        let step = self.step_of_row[row as usize];
        let first = (step + 1).saturating_sub(self.steps_in_section);
        first.max(sections.start)..(step + 1).min(sections.end)
    }

    /// Number of sections of living documents.
    pub fn section_count(&self) -> u64 {
        self.section_count
    }

    /// Terms of all sections together; those of a row count once in each section that holds it.
    pub fn section_terms(&self) -> u64 {
        self.section_terms
    }

    /// Terms of all rows together.
    pub fn row_terms(&self) -> u64 {
        self.row_terms
    }

    /// Sections are named by numbers below this one, not all of which name one.
    pub fn step_count(&self) -> usize {
        self.section_lengths.len()
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
