//! Where a reader would pause: how good a place for a cut is.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use crate::document::BlockKind;

/// How good a place for a cut is: the greater, the better.
pub(super) type Level = u8;

/// Inside a character as readers see it, which may be several code points.
pub(super) const WITHIN_CHARACTER: Level = 0;
const WITHIN_WORD: Level = 1;
const WORD: Level = 2;
const CLAUSE: Level = 3;
const SENTENCE: Level = 4;
/// The end of a sentence that is also the end of a line.
const PARAGRAPH: Level = 5;
/// The end of a line of code, less one for each blank that the next is indented by.
const LINE: Level = 100;
/// The same, where a blank line follows.
const BLANK_LINE: Level = 200;
const DEEPEST_INDENT: usize = 60;

/// Closed by these, `.` ends no sentence.
const ABBREVIATIONS: [&str; 22] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "e.g", "i.e", "cf", "fig", "eq", "no",
    "vol", "al", "pp", "ca", "approx", "resp", "bzw", "z.b",
];

/// How good each of some places is for a cut. `gaps` are the places as (end of the token before, start
/// of the token after), in order; all are byte offsets into `text`.
pub(super) fn levels(text: &str, kind: BlockKind, gaps: &[(usize, usize)]) -> Vec<Level> {
    match kind {
        BlockKind::Code | BlockKind::TableRow => {
            let level = |gap: &(usize, usize)| line_level(text, *gap);
            gaps.iter().map(level).collect()
        }
        _ => prose_levels(text, gaps),
    }
}

fn prose_levels(text: &str, gaps: &[(usize, usize)]) -> Vec<Level> {
    let mut ends = sentence_ends(text).into_iter().peekable();
    gaps.iter()
        .map(|&(before, after)| {
            let mut level = common_level(text, before, after);
            while let Some((_, at_end)) = ends.next_if(|(end, _)| *end <= after) {
                level = level.max(at_end);
            }
            level
        })
        .collect()
}

/// The places after sentences, and how good each is.
fn sentence_ends(text: &str) -> Vec<(usize, Level)> {
    let mut end = 0;
    text.split_sentence_bounds()
        .filter_map(|sentence| {
            end += sentence.len();
            let words = sentence.trim_end();
            let last = words.chars().next_back()?;
            let wrapped =
                sentence.ends_with('\n') && (last.is_alphanumeric() || is_clause_end(last));
            let level = if wrapped {
                CLAUSE
            } else if is_abbreviated(words) {
                WORD
            } else if sentence.ends_with('\n') {
                PARAGRAPH
            } else {
                SENTENCE
            };
            Some((end, level))
        })
        .collect()
}

/// Whether a sentence ends in an abbreviation or an initial, and so does not end there.
fn is_abbreviated(sentence: &str) -> bool {
    let Some(words) = sentence.strip_suffix('.') else {
        return false;
    };
    let start = words
        .rfind(|c: char| c.is_whitespace() || c == '(')
        .map_or(0, |at| at + 1);
    let word = words.get(start..).unwrap_or_default();
    let initial = word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    initial || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

fn line_level(text: &str, (before, after): (usize, usize)) -> Level {
    // A tokenizer may count blanks to the token after them.
    let next = text[after..].trim_start();
    let start = text.len() - next.len();
    let gap = text.get(before..start).unwrap_or_default();
    let Some(newline) = gap.rfind('\n') else {
        return common_level(text, before, after);
    };
    let indent = (gap.len() - newline - 1).min(DEEPEST_INDENT) as Level;
    let closes = next.starts_with(['}', ')', ']']);
    let blank = gap[..newline].contains('\n');
    match (closes, blank) {
        (true, _) => LINE - DEEPEST_INDENT as Level - 1,
        (false, true) => BLANK_LINE - indent,
        (false, false) => LINE - indent,
    }
}

/// How good a place is for a cut by the characters next to it.
fn common_level(text: &str, before: usize, after: usize) -> Level {
    let gap = text.get(before..after).unwrap_or_default();
    let blank = gap.contains(char::is_whitespace) || text[after..].starts_with(char::is_whitespace);
    let last = text[..before.min(after)].trim_end().chars().next_back();
    let clause = last.is_some_and(|last| {
        is_clause_end(last) && (blank || !last.is_ascii()) || is_full_stop(last)
    });
    if clause {
        CLAUSE
    } else if blank {
        WORD
    } else if is_within_character(text, after) {
        WITHIN_CHARACTER
    } else {
        WITHIN_WORD
    }
}

fn is_within_character(text: &str, at: usize) -> bool {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    !cursor.is_boundary(text, 0).unwrap_or(true)
}

fn is_clause_end(last: char) -> bool {
    matches!(
        last,
        ',' | ';' | ':' | '–' | '—' | ')' | '|' | '，' | '、' | '；' | '：' | '）' | '،' | '؛'
    )
}

/// Marks that end a sentence in scripts without blanks between words.
fn is_full_stop(last: char) -> bool {
    matches!(last, '。' | '！' | '？' | '．' | '」' | '』')
}
