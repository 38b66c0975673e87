//! Queries and filters: any text is read, in bounded time, and what is read of it lies in it.

use crate::keyword::bm25::query_terms;
use crate::keyword::language::Language;
use crate::keyword::query::{self, MOST_CONSTRAINTS, MOST_PREFIXES};
use crate::search::{Filter, Highlighter};

/// Reads the bytes as a query and as a filter, and marks the query's words in its own text.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parsed = query::parse(&text);
    assert!(parsed.text.len() <= 2 * text.len());
    assert!(parsed.constraints.len() + parsed.filters.len() <= MOST_CONSTRAINTS);
    assert!(parsed.prefixes.len() <= MOST_PREFIXES);
    for constraint in &parsed.constraints {
        assert!(constraint.phrase.chars().any(char::is_alphanumeric));
        assert!(text.contains(&constraint.phrase));
    }
    // What stands in a query as a filter is one, or is refused in one line.
    for filter in parsed.filters.iter().map(String::as_str).chain([&*text]) {
        if let Err(error) = Filter::parse(filter) {
            let message = error.to_string();
            assert!(
                !message.contains('\n') && message.len() < 3_000,
                "{message:?}"
            );
        }
    }
    let languages = [Language::English, Language::German, Language::Other];
    let terms = query_terms(&parsed, &languages);
    for term in &terms {
        assert!(term.weight >= 1.0 && !term.word.is_empty());
    }
    let snippet = Highlighter::new(&terms, &languages).snippet(&text);
    let mut end = 0;
    for [from, to] in snippet.highlights {
        assert!(end <= from && from < to, "{from}..{to} after {end}");
        assert!(snippet.text.get(from..to).is_some());
        end = to;
    }
    assert!(!snippet.text.contains(char::is_control));
}
