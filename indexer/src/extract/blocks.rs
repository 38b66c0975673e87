//! Puts a text together from the blocks that a reader finds.

use kenning::document::{Block, BlockKind, Structure};

use super::error::ExtractError;
use super::limits::Context;
use super::part::Part;

/// What stands between the cells of a row.
const CELL: &str = " | ";

/// Collects blocks in reading order. Blocks pushed while a table row is open go into its current cell.
pub(super) struct Blocks<'a> {
    context: &'a Context<'a>,
    text: String,
    blocks: Vec<Block>,
    page: Option<u32>,
    rows: Vec<Row>,
}

/// A table row under way: its cells, each a list of blocks.
#[derive(Default)]
struct Row {
    cells: Vec<Vec<(BlockKind, String)>>,
}

impl<'a> Blocks<'a> {
    pub fn new(context: &'a Context<'a>) -> Self {
        Blocks {
            context,
            text: String::new(),
            blocks: Vec::new(),
            page: None,
            rows: Vec::new(),
        }
    }

    /// The blocks to come stand on this page, counted from 1.
    pub fn set_page(&mut self, page: u32) {
        self.page = Some(page);
    }

    /// The blocks to come stand on no page.
    pub fn end_pages(&mut self) {
        self.page = None;
    }

    /// Whether there is no block yet.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Adds a block; one without text is left out.
    pub fn push(&mut self, kind: BlockKind, text: &str) -> Result<(), ExtractError> {
        let text = tidy(text, kind);
        if text.is_empty() {
            return Ok(());
        }
        match self.rows.last_mut() {
            Some(row) => {
                if row.cells.is_empty() {
                    row.cells.push(Vec::new());
                }
                if let Some(cell) = row.cells.last_mut() {
                    cell.push((kind, text));
                }
                Ok(())
            }
            None => self.append(kind, &text),
        }
    }

    fn append(&mut self, kind: BlockKind, text: &str) -> Result<(), ExtractError> {
        self.context.check_time()?;
        self.context.check_text(self.text.len() + text.len() + 2)?;
        if let Some(last) = self.blocks.last() {
            let close = last.kind == kind
                && matches!(kind, BlockKind::ListItem | BlockKind::TableRow)
                && last.page == self.page;
            self.text.push_str(if close { "\n" } else { "\n\n" });
        }
        let start = self.text.len();
        self.text.push_str(text);
        self.blocks.push(Block {
            span: start..self.text.len(),
            kind,
            page: self.page,
        });
        Ok(())
    }

    /// Adds the text of a document inside of this one, block by block where it has blocks.
    pub fn push_part(&mut self, part: &Part) -> Result<(), ExtractError> {
        match &part.structure {
            Structure::Blocks(blocks) => {
                for block in blocks {
                    let text = part.text.get(block.span.clone()).unwrap_or_default();
                    self.push(block.kind, text)?;
                }
                Ok(())
            }
            Structure::Code(_) => self.push(BlockKind::Code, &part.text),
            Structure::Plain | Structure::Markdown | Structure::Rst => {
                self.push_paragraphs(&part.text)
            }
        }
    }

    /// Adds plain text: blank lines part its paragraphs.
    pub fn push_paragraphs(&mut self, text: &str) -> Result<(), ExtractError> {
        let mut paragraph = String::new();
        for line in text.lines() {
            if line.trim().is_empty() {
                self.push(BlockKind::Paragraph, &std::mem::take(&mut paragraph))?;
            } else {
                paragraph.push_str(line);
                paragraph.push('\n');
            }
        }
        self.push(BlockKind::Paragraph, &paragraph)
    }

    /// A table row begins.
    pub fn open_row(&mut self) {
        // Deeper tables than this are made to break readers: their rows join the one that is open.
        if self.rows.len() < 64 {
            self.rows.push(Row::default());
        }
    }

    /// A cell of the open row begins.
    pub fn open_cell(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            row.cells.push(Vec::new());
        }
    }

    /// The open row ends. A row with one cell that holds anything is layout, not a table: its blocks
    /// stand for themselves.
    pub fn close_row(&mut self) -> Result<(), ExtractError> {
        let Some(row) = self.rows.pop() else {
            return Ok(());
        };
        let mut cells: Vec<Vec<(BlockKind, String)>> = row
            .cells
            .into_iter()
            .filter(|cell| !cell.is_empty())
            .collect();
        if cells.len() == 1 {
            for (kind, text) in cells.remove(0) {
                self.push(kind, &text)?;
            }
            return Ok(());
        }
        let cells: Vec<String> = cells.into_iter().map(cell_text).collect();
        self.push(BlockKind::TableRow, &cells.join(CELL))
    }

    /// Whether a row is open.
    pub fn in_row(&self) -> bool {
        !self.rows.is_empty()
    }

    /// The text and its structure.
    pub fn finish(mut self) -> Result<(String, Structure), ExtractError> {
        while !self.rows.is_empty() {
            self.close_row()?;
        }
        Ok((self.text, Structure::Blocks(self.blocks)))
    }
}

fn cell_text(cell: Vec<(BlockKind, String)>) -> String {
    let texts: Vec<String> = cell
        .into_iter()
        .map(|(_, text)| text.replace('\n', " "))
        .collect();
    texts.join(" ")
}

/// Light normalisation: no control or invisible characters, no blanks at line ends, no blank lines at
/// the ends of a block and no two in a row. Only in code are blanks inside of a line kept.
pub(super) fn tidy(text: &str, kind: BlockKind) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank_lines = 0;
    for line in text.split(['\n', '\x0B', '\x0C', '\u{2028}', '\u{2029}']) {
        let line = if kind == BlockKind::Code {
            visible(line).trim_end().to_owned()
        } else {
            squeeze(&visible(line))
        };
        if line.is_empty() {
            blank_lines += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(match kind {
                BlockKind::Heading(_) | BlockKind::TableRow => " ",
                _ if blank_lines > 0 => "\n\n",
                _ => "\n",
            });
        }
        blank_lines = 0;
        out.push_str(&line);
    }
    out
}

/// The line without control characters, soft hyphens and zero-width marks.
fn visible(line: &str) -> String {
    line.chars()
        .filter(|&c| {
            let unseen = matches!(
                c,
                '\u{AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}' | '\u{FFFC}'
            );
            c == '\t' || !(unseen || c.is_control())
        })
        .collect()
}

/// The line with every run of blanks made one space, and none at its ends.
pub(super) fn squeeze(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for word in line
        .split(|c: char| c.is_whitespace())
        .filter(|word| !word.is_empty())
    {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::limits::Limits;
    use super::*;

    #[test]
    fn rows_and_layout_tables() {
        let limits = Limits::default();
        let context = Context::new(&limits);
        let mut blocks = Blocks::new(&context);
        blocks.push(BlockKind::Heading(1), "A\nB").unwrap();
        blocks.open_row();
        blocks.open_cell();
        blocks.push(BlockKind::Paragraph, "x\ny").unwrap();
        blocks.open_cell();
        blocks.push(BlockKind::Paragraph, "z").unwrap();
        blocks.close_row().unwrap();
        blocks.open_row();
        blocks.open_cell();
        blocks.push(BlockKind::Heading(2), "alone").unwrap();
        blocks.open_cell();
        blocks.close_row().unwrap();
        let (text, structure) = blocks.finish().unwrap();
        assert_eq!(text, "A B\n\nx y | z\n\nalone");
        let Structure::Blocks(found) = structure else {
            panic!("blocks expected")
        };
        let kinds: Vec<BlockKind> = found.iter().map(|block| block.kind).collect();
        assert_eq!(
            kinds,
            [
                BlockKind::Heading(1),
                BlockKind::TableRow,
                BlockKind::Heading(2)
            ]
        );
        assert_eq!(&text[found[1].span.clone()], "x y | z");
    }

    #[test]
    fn tidy_text() {
        assert_eq!(
            tidy(" a \u{AD}b\t c\0 \r\n\n\n\n d ", BlockKind::Paragraph),
            "a b c\n\nd"
        );
        assert_eq!(
            tidy("fn x() {\n    y\n}\n", BlockKind::Code),
            "fn x() {\n    y\n}"
        );
    }

    #[test]
    fn too_much_text_is_an_error() {
        let limits = Limits {
            text_bytes: 10,
            ..Limits::default()
        };
        let context = Context::new(&limits);
        let mut blocks = Blocks::new(&context);
        assert_eq!(
            blocks.push(BlockKind::Paragraph, "more than ten bytes"),
            Err(ExtractError::TextTooLarge { limit: 10 })
        );
    }
}
