//! Filters: which documents may be found at all. `parse` has the syntax.
//!
//! Names are those of the documents' metadata, and `path` (the document's id) and `ext` (its
//! extension). A path pattern without `/` matches the last part at any depth, as in .gitignore. Numbers
//! compare as numbers, everything else as text, which is right for dates such as 2026-01-31.

mod parse;
#[cfg(test)]
mod tests;

use globset::{GlobBuilder, GlobMatcher};

/// A parsed filter.
#[derive(Debug, Clone)]
pub enum Filter {
    /// Every part must hold.
    All(Vec<Filter>),
    /// One part must hold.
    Any(Vec<Filter>),
    /// The part must not hold.
    Not(Box<Filter>),
    /// A comparison of one fact.
    Fact(Fact),
}

/// `name operator value`.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Which fact.
    pub name: String,
    /// How to compare.
    pub operator: Operator,
    /// What to compare it with, as written.
    pub value: String,
    glob: Option<GlobMatcher>,
}

/// How a fact is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operator {
    Matches,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

use Operator::*;

impl Filter {
    /// A filter that holds where both do.
    pub fn and(self, other: Filter) -> Filter {
        Filter::All(vec![self, other])
    }

    /// Whether the filter holds, where `holds` tells whether a fact does.
    pub(crate) fn evaluate<E>(
        &self,
        documents: usize,
        holds: &mut impl FnMut(&Fact) -> Result<Vec<bool>, E>,
    ) -> Result<Vec<bool>, E> {
        let fold = |parts: &[Filter], all: bool, holds: &mut _| {
            let mut marks = vec![all; documents];
            for part in parts {
                let other = part.evaluate(documents, holds)?;
                for (mark, other) in marks.iter_mut().zip(other) {
                    *mark = if all { *mark && other } else { *mark || other };
                }
            }
            Ok(marks)
        };
        match self {
            Filter::All(parts) => fold(parts, true, holds),
            Filter::Any(parts) => fold(parts, false, holds),
            Filter::Not(part) => {
                let marks = part.evaluate(documents, holds)?;
                Ok(marks.into_iter().map(|mark| !mark).collect())
            }
            Filter::Fact(fact) => holds(fact),
        }
    }
}

impl Fact {
    fn new(name: &str, operator: Operator, value: &str) -> Result<Self, globset::Error> {
        let glob = if operator == Matches {
            let mut pattern = value.to_owned();
            if name == "path" {
                pattern = path_pattern(value);
            }
            let glob = GlobBuilder::new(&pattern)
                .literal_separator(name == "path")
                .case_insensitive(name == "ext")
                .build()?;
            Some(glob.compile_matcher())
        } else {
            None
        };
        Ok(Fact {
            name: name.to_owned(),
            operator,
            value: value.to_owned(),
            glob,
        })
    }

    /// Whether a text fact holds.
    pub(crate) fn holds_for_text(&self, found: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(found),
            None => self.compare(found.cmp(self.value.as_str())),
        }
    }

    /// Whether it is compared with a number.
    pub(crate) fn is_number(&self) -> bool {
        self.value.parse::<f64>().is_ok()
    }

    /// Whether a number fact holds. A value that is no number equals none.
    pub(crate) fn holds_for_number(&self, found: f64) -> bool {
        match self.value.parse::<f64>() {
            Ok(value) => found
                .partial_cmp(&value)
                .is_some_and(|ordering| self.compare(ordering)),
            Err(_) => self.operator == NotEqual,
        }
    }

    /// Whether a yes-or-no fact holds.
    pub(crate) fn holds_for_flag(&self, found: bool) -> bool {
        let equal = matches!(
            (self.value.as_str(), found),
            ("true" | "yes" | "1", true) | ("false" | "no" | "0", false)
        );
        match self.operator {
            Matches | Equal | LessOrEqual | GreaterOrEqual => equal,
            NotEqual => !equal,
            Less | Greater => false,
        }
    }

    fn compare(&self, found: std::cmp::Ordering) -> bool {
        match self.operator {
            Matches | Equal => found.is_eq(),
            NotEqual => found.is_ne(),
            Less => found.is_lt(),
            LessOrEqual => found.is_le(),
            Greater => found.is_gt(),
            GreaterOrEqual => found.is_ge(),
        }
    }
}

/// `docs/` means all below it; a pattern without `/` means the last part at any depth.
fn path_pattern(value: &str) -> String {
    let value = value.strip_prefix("./").unwrap_or(value);
    if let Some(folder) = value.strip_suffix('/') {
        format!("{folder}/**")
    } else if value.contains('/') {
        value.to_owned()
    } else {
        format!("**/{value}")
    }
}
