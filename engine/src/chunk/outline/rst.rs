//! reStructuredText, as far as its blocks go.

use super::{Line, Mark, is_list_item, lines, rule};
use crate::document::BlockKind;

/// Directives whose body is not prose.
const CODE: [&str; 8] = [
    "code-block",
    "code",
    "sourcecode",
    "parsed-literal",
    "literalinclude",
    "math",
    "doctest",
    "testcode",
];

pub(super) fn marks(text: &str) -> Vec<Mark> {
    let mut reader = Reader {
        lines: lines(text),
        marks: Vec::new(),
        styles: Vec::new(),
    };
    let mut at = 0;
    let mut fresh = true;
    while at < reader.lines.len() {
        if reader.lines[at].is_blank() {
            fresh = true;
            at += 1;
            continue;
        }
        let used = reader.heading(at, fresh).or_else(|| reader.code(at, fresh));
        match used {
            Some(count) => {
                at += count;
                fresh = true;
            }
            None => {
                reader.block(at, fresh);
                fresh = false;
                at += 1;
            }
        }
    }
    reader.marks
}

struct Reader<'a> {
    lines: Vec<Line<'a>>,
    marks: Vec<Mark>,
    /// The section styles seen, the highest level first: the mark, and whether it also stands above.
    styles: Vec<(u8, bool)>,
}

impl<'a> Reader<'a> {
    fn text(&self, at: usize) -> &'a str {
        self.lines.get(at).map_or("", |line| line.text)
    }

    /// Marks a section title at a line and says how many lines it takes.
    fn heading(&mut self, at: usize, fresh: bool) -> Option<usize> {
        let above = rule(self.text(at));
        let titled = if above.is_some() { at + 1 } else { at };
        let title = self.text(titled);
        let below = self.text(titled + 1);
        let style = rule(below)?;
        let wide = below.len() >= title.chars().count() || below.len() >= 4;
        let plain = above.is_none() && fresh && !title.starts_with([' ', '\t']);
        let framed = above == Some(style) && self.text(at).len() == below.len();
        let named = title.contains(char::is_alphanumeric) && rule(title).is_none();
        if !(wide && named && (plain || framed)) || title.starts_with(".. ") {
            return None;
        }
        let key = (style, framed);
        let known = self.styles.iter().position(|style| *style == key);
        let level = known.unwrap_or_else(|| {
            self.styles.push(key);
            self.styles.len() - 1
        });
        let level = (level + 1).min(6) as u8;
        let start = self.lines[at].start;
        self.marks.push(Mark::heading(start, level, title));
        Some(titled + 2 - at)
    }

    /// Marks a directive of code or a literal block at a line and says how many lines it takes.
    fn code(&mut self, at: usize, fresh: bool) -> Option<usize> {
        let line = self.lines[at];
        let indent = line.indent();
        let start = if is_directive(line.text.trim_start(), &CODE) {
            at + 1
        } else if fresh && self.follows_colons(at) {
            at
        } else {
            return None;
        };
        let floor = if start == at { indent } else { indent + 1 };
        let body = self.lines[start..]
            .iter()
            .take_while(|line| line.is_blank() || line.indent() >= floor)
            .count();
        self.marks.push(Mark::new(line.start, BlockKind::Code));
        Some((start - at + body).max(1))
    }

    /// Whether the last line of text before this one ends with `::` and stands further left.
    fn follows_colons(&self, at: usize) -> bool {
        self.lines[..at]
            .iter()
            .rev()
            .find(|line| !line.is_blank())
            .is_some_and(|line| {
                let directive = line.text.trim_start().starts_with(".. ");
                let left = line.indent() < self.lines[at].indent();
                line.text.ends_with("::") && !directive && left
            })
    }

    fn block(&mut self, at: usize, fresh: bool) {
        let line = self.lines[at];
        let text = line.text.trim_start();
        let in_list = self.marks.last().map(|mark| mark.kind) == Some(BlockKind::ListItem);
        let kind = if (fresh || in_list) && (is_list_item(text) || is_field(text)) {
            BlockKind::ListItem
        } else if fresh && (text.starts_with(">>> ") || is_table(text)) {
            BlockKind::Code
        } else if fresh || text.starts_with(".. ") {
            BlockKind::Paragraph
        } else {
            return;
        };
        self.marks.push(Mark::new(line.start, kind));
    }
}

/// Whether a line is `.. name::` with one of the names.
fn is_directive(line: &str, names: &[&str]) -> bool {
    let directive = line.strip_prefix(".. ").map(str::trim_start);
    directive.is_some_and(|rest| {
        names.iter().any(|name| {
            rest.strip_prefix(name)
                .is_some_and(|after| after.starts_with("::"))
        })
    })
}

/// Whether a line is the upper border of a table: `+---+---+` or `====  ====`.
fn is_table(line: &str) -> bool {
    line.starts_with("+-") || (line.starts_with("==") && line.contains(" =="))
}

/// Whether a line is `:name: …`.
fn is_field(line: &str) -> bool {
    let name = line.strip_prefix(':').and_then(|rest| rest.split_once(':'));
    name.is_some_and(|(name, after)| {
        !name.is_empty() && !name.starts_with(' ') && (after.is_empty() || after.starts_with(' '))
    })
}
