//! Source code of any language, by what nearly all have in common: a definition begins at the left edge
//! after a blank line or after the end of another, its body is indented, and its comment stands above it.

use std::ops::Range;

use super::{Line, Mark, Opening, fold, lines};
use crate::document::BlockKind;

/// Words that definitions begin with, in one language or another.
const DEFINITIONS: [&str; 26] = [
    "fn",
    "def",
    "func",
    "function",
    "fun",
    "sub",
    "proc",
    "procedure",
    "method",
    "struct",
    "enum",
    "union",
    "record",
    "type",
    "macro_rules",
    "macro",
    "create",
    "public",
    "private",
    "protected",
    "static",
    "export",
    "defmodule",
    "defp",
    "abstract",
    "data",
];

/// Definitions that hold definitions, each of which is then a part of its own.
const CONTAINERS: [&str; 14] = [
    "class",
    "interface",
    "trait",
    "impl",
    "mod",
    "module",
    "namespace",
    "object",
    "extension",
    "protocol",
    "contract",
    "library",
    "describe",
    "defmodule",
];

/// Words that continue a definition at its own indentation.
const CONTINUATIONS: [&str; 9] = [
    "end", "else", "elif", "elsif", "except", "catch", "finally", "then", "where",
];

/// Deeper definitions are left in one part with the one that holds them.
const DEEPEST: u8 = 4;

pub(super) fn marks(text: &str, _extension: &str) -> Vec<Mark> {
    let lines = lines(text);
    let mut reader = Reader {
        lines,
        marks: Vec::new(),
    };
    reader.read(0..reader.lines.len(), 1);
    reader.marks
}

struct Reader<'a> {
    lines: Vec<Line<'a>>,
    marks: Vec<Mark>,
}

impl<'a> Reader<'a> {
    /// Marks the definitions among some lines; `level` is that of their sections.
    fn read(&mut self, range: Range<usize>, level: u8) {
        for unit in self.units(range) {
            let head = self.head(&unit);
            let name = head.map(|at| self.name(at)).unwrap_or_default();
            self.marks.push(Mark {
                opens: Some(Opening { level, name }),
                ..Mark::new(self.lines[unit.start].start, BlockKind::Code)
            });
            let Some(head) = head else { continue };
            if level < DEEPEST && is_container(self.lines[head].text) {
                let inner = self.body(head + 1..unit.end, self.lines[head].indent());
                let marked = self.marks.len();
                self.read(inner, level + 1);
                // The first definition of a container stands below its head, not apart from it,
                // unless there are several.
                if self.marks.len() == marked + 1 {
                    self.marks.pop();
                }
            }
        }
    }

    /// Runs of lines that belong together, at the least indentation among them.
    fn units(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let base = range.clone().filter(|at| !self.lines[*at].is_blank());
        let Some(base) = base.map(|at| self.lines[at].indent()).min() else {
            return Vec::new();
        };
        let mut starts: Vec<usize> = Vec::new();
        let mut after_blank = true;
        let mut ended = false; // whether the line before ended a definition of several lines
        let mut prefix = false; // whether the unit holds nothing but comments and attributes so far
        for at in range.clone() {
            let line = self.lines[at];
            let text = line.text.trim_start();
            if line.is_blank() {
                after_blank = true;
                continue;
            }
            let edge = line.indent() <= base && !continues(text);
            if edge && (starts.is_empty() || after_blank || (ended && !prefix)) {
                starts.push(at);
                prefix = true;
            }
            prefix &= is_prefix(text) || !edge;
            ended = !edge;
            after_blank = false;
        }
        let ends = starts.iter().skip(1).copied().chain([range.end]);
        let units = starts.iter().copied().zip(ends);
        units.map(|(start, end)| start..end).collect()
    }

    /// The line that names a unit: its first that is no comment, if an indented body follows and it
    /// looks like a definition rather than a statement or prose.
    fn head(&self, unit: &Range<usize>) -> Option<usize> {
        let indent = self.lines[unit.start].indent();
        let mut prefix = unit.clone().filter(|at| !self.lines[*at].is_blank());
        let head = prefix.find(|at| {
            let line = self.lines[*at];
            let text = line.text.trim_start();
            line.indent() <= indent && !is_prefix(text) && !continues(text)
        })?;
        let bodied = (head + 1..unit.end).any(|at| self.lines[at].indent() > indent);
        let below = self.lines.get(head + 1).map_or("", |line| line.text.trim());
        (bodied && (is_definition(self.lines[head].text) || below == "{")).then_some(head)
    }

    fn name(&self, at: usize) -> String {
        let text = self.lines[at]
            .text
            .trim_end_matches([' ', '{', ':', '(', '=', '[']);
        fold(text)
    }

    /// The lines of a container's body: those below its head, from the first that is further right.
    fn body(&self, lines: Range<usize>, indent: usize) -> Range<usize> {
        let inside = |at: &usize| {
            let line = self.lines[*at];
            !line.is_blank() && line.indent() > indent
        };
        let start = lines.clone().find(inside).unwrap_or(lines.end);
        let end = lines.rev().find(inside).map_or(start, |at| at + 1);
        start..end
    }
}

/// Whether a line cannot begin a definition: it closes or continues one.
fn continues(text: &str) -> bool {
    let word: &str = text
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or("");
    text.starts_with(['}', ')', ']', '{']) || CONTINUATIONS.contains(&word)
}

/// Whether a line is a comment, an attribute or a decorator: it belongs to what follows.
fn is_prefix(text: &str) -> bool {
    let directive = ["#include", "#define", "#if", "#endif", "#import", "#pragma"];
    if text.starts_with('#') {
        return !directive.iter().any(|word| text.starts_with(word));
    }
    [
        "//", "/*", "* ", "*/", "--", ";", "@", "<!--", "%%", "template",
    ]
    .iter()
    .any(|mark| text.starts_with(mark))
        || text == "*"
}

/// Whether a line begins a definition: by its words, or because it opens a brace at its end.
fn is_definition(text: &str) -> bool {
    let mut words = head_words(text).map(str::to_lowercase);
    let named = text.contains(char::is_alphabetic);
    let known = |word: String| {
        let word = word.as_str();
        DEFINITIONS.contains(&word) || CONTAINERS.contains(&word)
    };
    named && (text.ends_with('{') || words.any(known) && !text.ends_with(['.', ';', ',']))
}

fn is_container(text: &str) -> bool {
    head_words(text).any(|word| CONTAINERS.contains(&word))
}

/// The words of a line ahead of its arguments or value, few: later ones are no keywords.
fn head_words(text: &str) -> impl Iterator<Item = &str> {
    let restricted = text.trim_start().strip_prefix("pub(");
    let text = restricted
        .and_then(|rest| rest.split_once(')'))
        .map_or(text, |(_, rest)| rest);
    let before = text.split(['(', '=', '"']).next().unwrap_or_default();
    let words = before.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).take(4)
}
