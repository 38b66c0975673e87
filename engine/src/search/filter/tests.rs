//! What filters hold for, and where those that cannot be read go wrong.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::search::QueryError;

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
fn comparisons_and_length_are_bounded_and_errors_are_short() {
    let many = |count: usize| vec!["a=1"; count].join(" or ");
    assert!(Filter::parse(&many(256)).is_ok());
    for filter in [
        many(257),
        many(30_000),
        format!("a={}", "x".repeat(70_000)),
        format!("a={} b", "é".repeat(20_000)),
        format!("path:\"{}\"", "[".repeat(50_000)),
        format!("path:{}", "{a,".repeat(20_000)),
        "(".repeat(60_000),
    ] {
        let begun = std::time::Instant::now();
        let error = Filter::parse(&filter).unwrap_err().to_string();
        assert!(error.len() < 1_200, "{error}");
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }
}

/// Patterns that make other engines backtrack, or unfold without end.
#[test]
fn patterns_are_matched_in_bounded_time() {
    let path = "a".repeat(4_000);
    for pattern in [
        "*a".repeat(2_000) + "b",
        "**/".repeat(2_000) + "b",
        "{a,a}".repeat(1_000) + "b",
        "[a-z]*".repeat(500) + "!",
        "{".repeat(200) + "a" + &"}".repeat(200),
    ] {
        let begun = std::time::Instant::now();
        if let Ok(Filter::Fact(fact)) = Filter::parse(&format!("path:\"{pattern}\"")) {
            for _ in 0..20 {
                assert!(!fact.holds_for_text(&path));
            }
        }
        let spent = begun.elapsed();
        assert!(spent.as_secs() < 5, "{spent:?} for {}", &pattern[..20]);
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("{}a=1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(Filter::parse(&deep).is_err());
    assert!(Filter::parse(&format!("{}a=1", "not ".repeat(10_000))).is_err());
}
