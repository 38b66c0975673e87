//! From the text of a filter to the filter.
//!
//! ```text
//! filter     = either ( "or" either )*
//! either     = one ( [ "and" ] one )*
//! one        = "not" one | "(" filter ")" | name operator value
//! operator   = ":"  text matches as a glob; other kinds are equal
//!            | "=" | "!=" | "<" | "<=" | ">" | ">="
//! value      = a word, or anything in "quotes"
//! ```

use super::{Fact, Filter, Operator, Operator::*};
use crate::search::QueryError;

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
/// A filter makes at most so many comparisons: each looks at every document.
const MOST_FACTS: usize = 256;
/// A filter has at most so many bytes.
const LONGEST: usize = 64 << 10;
/// So much of a filter, and of a reason, is shown.
const SHOWN: usize = 200;

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
            facts: 0,
        };
        if text.len() > LONGEST {
            return Err(parser.error(&format!("it has more than {LONGEST} bytes")));
        }
        let filter = parser.filter()?;
        parser.skip_space();
        match parser.rest() {
            "" => Ok(filter),
            _ => Err(parser.error("expected `and`, `or` or the end")),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// Comparisons so far.
    facts: usize,
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
            filter: excerpt(self.text, self.at),
            at: self.at,
            reason: excerpt(expected, 0),
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
        self.facts += 1;
        if self.facts > MOST_FACTS {
            return Err(self.error(&format!("it has more than {MOST_FACTS} comparisons")));
        }
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

/// The text round the byte `at`, short enough to be shown.
fn excerpt(text: &str, at: usize) -> String {
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    let from = text.floor_char_boundary(at.min(text.len()).saturating_sub(SHOWN / 2));
    let to = text.floor_char_boundary((from + SHOWN).min(text.len()));
    let dots = |cut: bool| if cut { "…" } else { "" };
    let (before, after) = (dots(from > 0), dots(to < text.len()));
    format!("{before}{}{after}", &text[from..to])
}

fn single(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}
