//! Plain text: paragraphs by blank lines, list items, and headings where they are unmistakable.

use super::{Line, Mark, is_list_item, lines, rule};
use crate::document::BlockKind;

/// A longer line is no heading.
const HEADING_CHARS: usize = 80;

pub(super) fn marks(text: &str) -> Vec<Mark> {
    let lines = lines(text);
    let mut marks: Vec<Mark> = Vec::new();
    let mut fresh = true; // whether a block ended before this line
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let kind = marks.last().map(|mark| mark.kind);
        let next = lines.get(at + 1);
        at += 1;
        if line.is_blank() {
            fresh = true;
        } else if let Some(level) = underlined(fresh, line, next) {
            marks.push(Mark::heading(line.start, level, line.text));
            at += 1;
            fresh = true;
        } else if let Some(level) = numbered(fresh, line, next) {
            marks.push(Mark::heading(line.start, level, line.text));
        } else if is_list_item(line.text)
            && (fresh || kind == Some(BlockKind::ListItem) || follows_colon(&lines, at - 1))
        {
            marks.push(Mark::new(line.start, BlockKind::ListItem));
            fresh = false;
        } else if fresh {
            marks.push(Mark::new(line.start, BlockKind::Paragraph));
            fresh = false;
        }
    }
    marks
}

fn follows_colon(lines: &[Line], at: usize) -> bool {
    at > 0 && lines[at - 1].text.ends_with([':', '：'])
}

/// The level of a heading that is underlined with `=` or `-` for about its whole length.
fn underlined(fresh: bool, line: Line, next: Option<&Line>) -> Option<u8> {
    let width = line.text.chars().count();
    let next = next?;
    let level = match rule(next.text)? {
        b'=' => 1,
        b'-' => 2,
        _ => return None,
    };
    let fits = next.text.len() * 2 >= width && next.text.len() <= width * 2 + 2;
    let named = line.text.contains(char::is_alphanumeric) && !line.text.contains("   ");
    (fresh && fits && named && width <= HEADING_CHARS && line.indent() < 4).then_some(level)
}

/// The level of a heading such as `2.3 Methods` or `Chapter IV: A Storm` that stands alone.
fn numbered(fresh: bool, line: Line, next: Option<&Line>) -> Option<u8> {
    let alone = fresh && next.is_none_or(Line::is_blank);
    let text = line.text.trim_start();
    if !alone || text.chars().count() > HEADING_CHARS || text.ends_with(['.', ',', ';', ':', '?']) {
        return None;
    }
    let mut words = text.split_whitespace();
    let (first, second) = (words.next()?, words.next()?);
    let titled = |word: &str| word.starts_with(|c: char| c.is_uppercase() || !c.is_ascii());
    let lower = first.to_lowercase();
    if ["part", "book", "chapter", "section", "appendix"].contains(&lower.as_str()) {
        let number = second.trim_end_matches([':', '.', ')', '-', '—']);
        let counted = is_ordinal(number) && titled(first) && words.next().is_none_or(titled);
        return counted.then_some(match lower.as_str() {
            "part" | "book" => 1,
            "section" => 3,
            _ => 2,
        });
    }
    let number = first.strip_suffix('.').unwrap_or(first);
    let levels = number.split('.').count();
    let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(is_digit);
    let dotted = (2..=5).contains(&levels) && number.split('.').all(digits);
    (dotted && titled(second)).then_some(levels as u8)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// `12`, `IV` or `B`.
fn is_ordinal(word: &str) -> bool {
    let roman = |byte: u8| b"IVXLCDM".contains(&byte);
    !word.is_empty()
        && (word.bytes().all(is_digit)
            || word.bytes().all(roman)
            || (word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())))
}
