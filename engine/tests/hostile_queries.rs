//! Queries made to take for ever or to fill the memory, on an index of 300,000 different words: each is answered, or
//! refused with a reason, within [`BOUND`]. So is noise.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kenning::{Filter, Index, Language, Mode, SearchRequest, Snapshot};

/// What any query may take on the index of these tests, unoptimised and on a busy machine.
const BOUND: Duration = Duration::from_secs(10);

const DOCUMENTS: usize = 3_000;
const WORDS: usize = 300_000;

/// A word: two letters of which there are few, so that beginnings expand to thousands, and a number.
fn word(number: usize) -> String {
    let number = number % WORDS;
    format!("{}{:x}q", ["ab", "ac", "ba", "th"][number % 4], number)
}

/// Documents that together hold every word once, and each a hundred of the same common ones.
fn snapshot() -> &'static Snapshot {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    SNAPSHOT.get_or_init(|| {
        let index = Index::in_memory(&common::spec(2, 256)).unwrap();
        let mut writer = index.writer().unwrap();
        for document in 0..DOCUMENTS {
            let own = (0..WORDS / DOCUMENTS).map(|n| word(document * (WORDS / DOCUMENTS) + n));
            let shared = (0..100).map(|n| format!("common{}", n % 50));
            let text: Vec<String> = own.chain(shared).collect();
            let mut document = common::document(
                &format!("notes/{document}.md"),
                vec![text.join(" ")],
                200,
                &[0.6, 0.8],
            );
            document.language = Some(Language::English);
            document.metadata.insert("year".into(), 2020.into());
            writer.add(document).unwrap();
        }
        writer.commit().unwrap();
        writer.close().unwrap();
        index.snapshot().unwrap()
    })
}

/// How long a query took, in each mode; `None` where it was refused.
fn ask(what: &str, query: &str, filter: Option<&str>) -> Option<usize> {
    let snapshot = snapshot();
    let mut hits = Some(0);
    for mode in [Mode::Keyword, Mode::Hybrid, Mode::Semantic] {
        let begun = Instant::now();
        let mut request = SearchRequest::new(query).with_mode(mode);
        request.explain = true;
        let filter = filter.map(Filter::parse).transpose();
        let answer = filter.map(|filter| {
            request.filter = filter;
            snapshot.search(&request, Some(&[0.6, 0.8]))
        });
        let spent = begun.elapsed();
        match answer {
            Ok(Ok(answer)) => hits = hits.map(|hits| hits + answer.hits.len()),
            Ok(Err(error)) => {
                assert!(
                    !error.to_string().contains('\n') && error.hint().is_some(),
                    "{error}"
                );
                hits = None;
            }
            Err(error) => {
                assert!(error.to_string().len() < 1_200, "{error}");
                hits = None;
            }
        }
        println!("{what}, {mode:?}: {spent:?}");
        assert!(spent < BOUND, "{what}, {mode:?}: {spent:?}");
    }
    hits
}

fn megabyte(piece: &str) -> String {
    piece.repeat((1 << 20) / piece.len())
}

#[test]
fn a_megabyte_of_text_is_answered() {
    let words: Vec<String> = (0..150_000).map(|n| word(n * 7)).collect();
    assert!(ask("different words", &words.join(" "), None).unwrap() > 0);
    assert!(ask("one word", &megabyte("common1 "), None).unwrap() > 0);
    for (what, piece) in [
        ("stop words", "the of and "),
        ("one word without end", "a"),
        ("signs", "?!… "),
        ("script without spaces", "東京都"),
        ("marks", "a\u{301}\u{302}"),
        ("zeros", "\0"),
        ("turns", "\u{202e}\u{2066}"),
        ("families", "👩‍👩‍👧‍👦"),
        ("ligatures that unfold", "\u{fdfa}"),
    ] {
        ask(what, &megabyte(piece), None);
    }
}

#[test]
fn quotes_minus_signs_and_brackets_without_end_are_answered() {
    for piece in [
        "\"",
        "-",
        "-\"",
        "(",
        ")",
        "\\",
        "*",
        "-\"common1 common2\" ",
        "\"common1 common2\" ",
        "-common1 ",
        "title:common1 ",
        "path:** ",
        "-path:[ab]* ",
        "ext:md ",
        "not (",
        "text:\"",
        "\"common1 ",
        "-- ",
        "\"\" ",
    ] {
        ask(piece, &megabyte(piece), None);
    }
    let phrases: Vec<String> = (0..50_000)
        .map(|n| format!("-\"{} {}\"", word(n), word(n + 1)))
        .collect();
    ask("different exclusions", &phrases.join(" "), None);
    let few = phrases[..250].join(" ");
    assert!(
        ask(
            "as many exclusions as there may be",
            &format!("common1 {few}"),
            None
        )
        .unwrap()
            > 0
    );
    let long: Vec<String> = (0..20_000).map(|n| format!("common{}", n % 50)).collect();
    ask(
        "a phrase without end",
        &format!("\"{}\"", long.join(" ")),
        None,
    );
    let rare: Vec<String> = (0..6_000).map(word).collect();
    ask(
        "a phrase of rare words",
        &format!("\"{}\"", rare.join(" ")),
        None,
    );
}

#[test]
fn beginnings_of_everything_are_answered() {
    // Shorter than two letters a beginning is none.
    for query in ["*", "a*", "**", "* * *", "a* b* c*"] {
        ask(query, query, None);
    }
    assert!(ask("ab*", "ab*", None).unwrap() > 0);
    assert!(ask("all beginnings", "ab* ac* ba* th* co*", None).unwrap() > 0);
    let most: Vec<String> = (0..32)
        .map(|n| format!("{}*", &word(n * 4 + 4_096)[..2 + n % 4]))
        .collect();
    assert!(ask("as many as there may be", &most.join(" "), None).unwrap() > 0);
    let nested: Vec<String> = (0..30_000).map(|n| format!("ab{:x}*", n % 4_096)).collect();
    ask("more than there may be", &nested.join(" "), None);
}

#[test]
fn filters_without_end_are_answered_or_refused() {
    let common = "common1";
    let deep = |count: usize| format!("{}year=2020{}", "(".repeat(count), ")".repeat(count));
    let many = |count: usize| vec!["path:*.md"; count].join(" and ");
    for (what, filter, answered) in [
        ("deep", deep(60), true),
        ("too deep", deep(500_000), false),
        ("not", "not ".repeat(50) + "year=2020", true),
        ("too many nots", "not ".repeat(200_000) + "year=2020", false),
        ("many", many(256), true),
        ("too many", many(50_000), false),
        (
            "patterns",
            vec!["path:*a*b*c*d*e*f*g*h*"; 250].join(" or "),
            true,
        ),
        (
            "a pattern without end",
            format!("path:\"{}\"", "*a".repeat(20_000)),
            true,
        ),
        ("noise", megabyte("(year<\"=)"), false),
    ] {
        let hits = ask(what, common, Some(&filter));
        assert_eq!(hits.is_some(), answered, "{what}");
    }
}

#[test]
fn noise_is_answered() {
    let mut state = 7u64;
    let mut next = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as usize % end
    };
    let pieces = [
        "\"", "-", "*", ":", "(", ")", " ", "title:", "path:", "ext:", "common1", "ab*", "é",
        "\u{0}", "日本", "\u{202e}",
    ];
    for _ in 0..150 {
        let length = next(60);
        let query: String = (0..length).map(|_| pieces[next(pieces.len())]).collect();
        let begun = Instant::now();
        let request = SearchRequest::new(query.clone()).with_mode(Mode::Keyword);
        let _ = snapshot().search(&request, None);
        assert!(begun.elapsed() < BOUND, "{query:?}");
        let bytes: Vec<u8> = (0..length).map(|_| next(256) as u8).collect();
        let request = SearchRequest::new(String::from_utf8_lossy(&bytes)).with_mode(Mode::Keyword);
        let _ = snapshot().search(&request, None);
    }
}
