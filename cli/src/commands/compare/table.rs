//! The comparison as a table, a line at a time.

use super::Row;
use crate::progress::bytes;
use crate::terminal::one_line;

/// Columns that the names take.
pub fn width(names: &[String]) -> usize {
    let widths = names.iter().map(|name| one_line(name).chars().count());
    widths.max().unwrap_or(0).max("model".len())
}

pub fn header(width: usize, quality: bool) -> String {
    let mut text = format!(
        "{:width$}  {:>8}  {:>5}  {:>6}  {:>10}  {:>7}  {:>10}  {:>9}  {:>11}",
        "model", "million", "dim", "limit", "weights", "load", "memory", "tokens/s", "question"
    );
    if quality {
        text += &format!("  {:>8}  {:>7}", "semantic", "hybrid");
    }
    text.push('\n');
    text
}

pub fn line(width: usize, row: &Row) -> String {
    let mut text = format!(
        "{:width$}  {:>8.1}  {:>5}  {:>6}  {:>10}  {:>5.2} s  {:>10}  {:>9.0}  {:>8.2} ms",
        one_line(&row.model),
        row.parameters as f64 / 1e6,
        row.dimension,
        row.max_tokens,
        bytes(row.weight_bytes),
        row.load_seconds,
        row.memory_bytes.map_or("unknown".to_owned(), bytes),
        row.speed.tokens_per_second,
        row.speed.question_ms,
    );
    if let Some([semantic, hybrid]) = row.quality {
        text += &format!("  {semantic:>8.4}  {hybrid:>7.4}");
    }
    text.push('\n');
    text
}

/// What the columns mean that do not say it themselves.
pub fn legend(collection: Option<&str>) -> String {
    match collection {
        Some(name) => format!("semantic, hybrid: nDCG@10 on {}\n", one_line(name)),
        None => String::new(),
    }
}
