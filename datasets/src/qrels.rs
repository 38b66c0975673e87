//! Relevance judgements.

use std::collections::BTreeMap;
use std::path::Path;

use crate::beir::Warning;
use crate::error::DatasetError;
use crate::trec::lines;

/// Which documents answer which queries: query id → document id → grade. A grade above 0 is relevant,
/// the more the higher; 0 or less is judged and not relevant.
pub type Judgements = BTreeMap<String, BTreeMap<String, i32>>;

/// Reads judgements: three columns (query, document, grade) as in BEIR, or four (query, iteration,
/// document, grade) as in TREC, separated by tabs or, in a line without any, by blanks. A heading is
/// known by its last column, which is no number.
pub(crate) fn read(path: &Path, warnings: &mut Vec<Warning>) -> Result<Judgements, DatasetError> {
    let mut judgements = Judgements::new();
    for line in lines(path)? {
        let (number, line) = line?;
        let line = line.trim_end();
        if line.trim_start().is_empty() {
            continue;
        }
        let columns: Vec<&str> = if line.contains('\t') {
            line.split('\t').map(str::trim).collect()
        } else {
            line.split_whitespace().collect()
        };
        let (query, document, grade) = match columns[..] {
            [query, document, grade] | [query, _, document, grade] => (query, document, grade),
            _ => {
                let expected = "query, document and grade, or query, iteration, document and grade";
                return Err(DatasetError::line(path, number, expected, line));
            }
        };
        let Some(grade) = parse_grade(grade) else {
            if number == 1 {
                continue;
            }
            return Err(DatasetError::line(
                path,
                number,
                "a whole number as grade",
                grade,
            ));
        };
        let grades = judgements.entry(query.to_owned()).or_default();
        if grades.insert(document.to_owned(), grade).is_some() {
            warnings.push(Warning::JudgedTwice {
                query: query.to_owned(),
                document: document.to_owned(),
                line: number,
            });
        }
    }
    Ok(judgements)
}

/// A grade, also where a program has written it as `1.0`.
fn parse_grade(text: &str) -> Option<i32> {
    let whole = text.split_once('.').map_or(text, |(whole, fraction)| {
        if fraction.bytes().all(|byte| byte == b'0') {
            whole
        } else {
            text
        }
    });
    whole.parse().ok()
}
