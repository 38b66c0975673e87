//! Filters: which documents may be found at all.
//!
//! ```text
//! filter     = either ( "or" either )*
//! either     = one ( [ "and" ] one )*
//! one        = "not" one | "(" filter ")" | name operator value
//! operator   = ":"  text matches as a glob; other kinds are equal
//!            | "=" | "!=" | "<" | "<=" | ">" | ">="
//! value      = a word, or anything in "quotes"
//! ```
//!
//! Names are those of the documents' metadata, and `path` (the document's id) and `ext` (its
//! extension). A path pattern without `/` matches the last part at any depth, as in .gitignore. Numbers
//! compare as numbers, everything else as text, which is right for dates such as 2026-01-31.

use globset::{GlobBuilder, GlobMatcher};

use super::QueryError;

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

/// The longest first, so that `<=` is not read as `<`.
const OPERATORS: [(&str, Operator); 7] = [
    ("!=", NotEqual),
    ("<=", LessOrEqual),
    (">=", GreaterOrEqual),
    (":", Matches),
    ("=", Equal),
    ("<", Less),
    (">", Greater),
];

/// Filters nest at most so deep.
const DEEPEST: usize = 64;

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`QueryError::Filter`], which says where it stops making sense.
    pub fn parse(text: &str) -> Result<Filter, QueryError> {
        let mut parser = Parser {
            text,
            at: 0,
            depth: 0,
        };
        let filter = parser.filter()?;
        parser.skip_space();
        match parser.rest() {
            "" => Ok(filter),
            _ => Err(parser.error("expected `and`, `or` or the end")),
        }
    }

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

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn error(&self, expected: &str) -> QueryError {
        QueryError::Filter {
            filter: self.text.to_owned(),
            at: self.at,
            reason: expected.to_owned(),
        }
    }

    /// Takes a keyword that stands alone.
    fn word(&mut self, word: &str) -> bool {
        self.skip_space();
        let rest = self.rest();
        let Some(head) = rest.get(..word.len()) else {
            return false;
        };
        let ends = |c: char| c.is_whitespace() || c == '(';
        let alone = rest[word.len()..].starts_with(ends);
        if head.eq_ignore_ascii_case(word) && alone {
            self.at += word.len();
            return true;
        }
        false
    }

    fn filter(&mut self) -> Result<Filter, QueryError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("it nests too deep"));
        }
        let mut parts = vec![self.either()?];
        while self.word("or") {
            parts.push(self.either()?);
        }
        self.depth -= 1;
        Ok(single(parts, Filter::Any))
    }

    fn either(&mut self) -> Result<Filter, QueryError> {
        let mut parts = vec![self.one()?];
        loop {
            let joined = self.word("and");
            self.skip_space();
            let rest = self.rest();
            let ended = rest.is_empty() || rest.starts_with(')');
            let at = self.at;
            let or = self.word("or");
            self.at = at;
            if !joined && (ended || or) {
                return Ok(single(parts, Filter::All));
            }
            parts.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Filter, QueryError> {
        if self.word("not") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(self.error("it nests too deep"));
            }
            let part = self.one()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(part)));
        }
        self.skip_space();
        if self.rest().starts_with('(') {
            self.at += 1;
            let filter = self.filter()?;
            self.skip_space();
            if !self.rest().starts_with(')') {
                return Err(self.error("expected `)`"));
            }
            self.at += 1;
            return Ok(filter);
        }
        self.fact()
    }

    fn fact(&mut self) -> Result<Filter, QueryError> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_whitespace() || "():=!<>\"".contains(c))
            .unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() {
            return Err(self.error("expected a name such as path, ext or modified"));
        }
        self.at += end;
        self.skip_space();
        let rest = self.rest();
        let found = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign));
        let Some((sign, operator)) = found else {
            return Err(self.error("expected one of : = != < <= > >="));
        };
        self.at += sign.len();
        self.skip_space();
        let value = self.value()?;
        let fact = Fact::new(name, *operator, value);
        Ok(Filter::Fact(fact.map_err(|error| {
            self.error(&format!("{value:?} is not a pattern: {}", error.kind()))
        })?))
    }

    fn value(&mut self) -> Result<&'a str, QueryError> {
        let rest = self.rest();
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some((value, _)) = quoted.split_once('"') else {
                return Err(self.error("expected a closing quote"));
            };
            self.at += value.len() + 2;
            return Ok(value);
        }
        let ends = |c: char| c.is_whitespace() || c == '(' || c == ')';
        let end = rest.find(ends).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error("expected a value"));
        }
        self.at += end;
        Ok(&rest[..end])
    }
}

fn single(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Evaluates a filter over a document given as (name, value) pairs.
    fn holds(filter: &str, facts: &[(&str, &str)]) -> bool {
        let filter = Filter::parse(filter).unwrap();
        let mut one = |fact: &Fact| {
            let value = facts.iter().find(|(name, _)| *name == fact.name);
            let holds = value.is_some_and(|(_, value)| match value.parse() {
                Ok(number) => fact.holds_for_number(number),
                Err(_) => fact.holds_for_text(value),
            });
            Ok::<_, ()>(vec![holds])
        };
        filter.evaluate(1, &mut one).unwrap()[0]
    }

    #[test]
    fn facts_join_with_and_or_not() {
        let facts = [("year", "2021"), ("author", "ada"), ("path", "notes/a.md")];
        for filter in [
            "year=2021",
            "year>2020 author=ada",
            "year>2020 and author:a*",
            "year<2000 or author:ada",
            "not year<2000",
            "not (year<2000 or author=bob)",
            "author:\"ada\"",
            "year >= 2021",
            "missing!=1 or year=2021",
        ] {
            assert!(holds(filter, &facts), "{filter}");
        }
        for filter in [
            "year=2020",
            "year>2020 and author=bob",
            "not author:a*",
            "missing=1",
        ] {
            assert!(!holds(filter, &facts), "{filter}");
        }
    }

    #[test]
    fn paths_match_as_in_gitignore() {
        let facts = [("path", "notes/2021/a.md")];
        for filter in [
            "path:*.md",
            "path:notes/**",
            "path:notes/",
            "path:notes/*/a.md",
        ] {
            assert!(holds(filter, &facts), "{filter}");
        }
        for filter in ["path:notes", "path:notes/*.md", "path:2021/**", "path=a.md"] {
            assert!(!holds(filter, &facts), "{filter}");
        }
    }

    #[test]
    fn errors_tell_where() {
        for (filter, at) in [
            ("", 0),
            ("year", 4),
            ("year>", 5),
            ("(year=1", 7),
            ("year=1 or", 9),
            ("path:\"x", 5),
            ("year=1)", 6),
            ("path:[", 6),
        ] {
            match Filter::parse(filter) {
                Err(QueryError::Filter { at: found, .. }) => assert_eq!(found, at, "{filter}"),
                other => panic!("{filter}: {other:?}"),
            }
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}a=1{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(Filter::parse(&deep).is_err());
        assert!(Filter::parse(&format!("{}a=1", "not ".repeat(10_000))).is_err());
    }
}
