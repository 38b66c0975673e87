//! Tables in text files: CSV, TSV and their kin.

use super::blocks::Blocks;
use super::decode::decode;
use super::error::ExtractError;
use super::format::Format;
use super::limits::Context;
use super::part::{Part, Reading};
use super::table::{Cell, TableWriter};

/// Reads a table, one row a record.
pub(super) fn read(bytes: &[u8], context: &Context) -> Result<Reading, ExtractError> {
    let decoded = decode(bytes, None)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(&decoded.text))
        .from_reader(decoded.text.as_bytes());
    let mut blocks = Blocks::new(context);
    let mut table = TableWriter::default();
    for record in reader.records() {
        let record = record.map_err(|error| ExtractError::damaged(Format::Csv, error))?;
        let cells = record
            .iter()
            .zip(0..)
            .map(|(text, column)| Cell::from_text(column, text));
        table.row(&mut blocks, cells.collect())?;
    }
    table.finish(&mut blocks)?;
    let (text, structure) = blocks.finish()?;
    Ok(Reading::from(Part::extracted(text, structure)).with_encoding(decoded.charset.name()))
}

/// The separator that splits the first lines most evenly: the one whose number per line is the same in
/// the most lines, and the larger one if several are.
fn delimiter(text: &str) -> u8 {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(20)
        .collect();
    [b',', b'\t', b';', b'|']
        .into_iter()
        .map(|mark| {
            let counts: Vec<usize> = lines
                .iter()
                .map(|line| count_outside_quotes(line, mark))
                .collect();
            let first = counts.first().copied().unwrap_or(0);
            let even = counts
                .iter()
                .filter(|&&count| count == first && count > 0)
                .count();
            ((even, first), mark)
        })
        .rev()
        .max_by_key(|(score, _)| *score)
        .filter(|((even, _), _)| *even > 0)
        .map_or(b',', |(_, mark)| mark)
}

fn count_outside_quotes(line: &str, mark: u8) -> usize {
    let mut quoted = false;
    let mut count = 0;
    for byte in line.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            byte if byte == mark && !quoted => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outline, part};

    #[test]
    fn separators_are_found() {
        let text = part("a.csv", b"Name,Age\n\"B, C\",2\nD,3\n");
        assert_eq!(
            outline(&text),
            [
                "r Name | Age",
                "r Name: B, C | Age: 2",
                "r Name: D | Age: 3"
            ]
        );
        let text = part("a.csv", b"Name;Price\nA;1,5\nB;2,5\n").text;
        assert_eq!(
            text,
            "Name | Price\nName: A | Price: 1,5\nName: B | Price: 2,5"
        );
        let text = part("a.tsv", b"x\ty\n1\t2\n").text;
        assert_eq!(text, "x | y\nx: 1 | y: 2");
    }
}
