//! What a user typed, read leniently: any text is a query, none is a syntax error.
//!
//! | typed | meaning |
//! |---|---|
//! | `word` | scored by both legs |
//! | `"two words"` | scored, and a document must hold the phrase |
//! | `-word`, `-"two words"` | a document must not hold it; no part of what is embedded |
//! | `title:word`, `title:"two words"` | the title or a heading must hold it |
//! | `path:docs/**`, `ext:md` | as in a filter |
//! | `begin*` | any word that begins so |
//!
//! Everything else, an unclosed quote or an unknown `field:` among it, is plain text.
//!
//! Whatever is pasted, answering takes bounded time: of a query longer than [`LONGEST`] bytes the beginning is read, and
//! one of more than [`MOST_CONSTRAINTS`] phrases, exclusions and fields, or of more than [`MOST_PREFIXES`] beginnings,
//! is no query but a text, and taken as one.

/// A query, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParsedQuery {
    /// The text to embed and to take scoring words from.
    pub text: String,
    /// Beginnings of words, lower-cased.
    pub prefixes: Vec<String>,
    /// What a document must or must not hold.
    pub constraints: Vec<Constraint>,
    /// Filter expressions that stood in the query.
    pub filters: Vec<String>,
}

/// A word or phrase that decides whether a document can be found at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// Where it must stand.
    pub place: Place,
    /// One or several words, as typed.
    pub phrase: String,
    /// Whether it must be absent.
    pub excluded: bool,
}

/// Where a constraint looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the text.
    Body,
    /// In the title or a heading.
    Title,
}

/// Of a longer query the first so many bytes are read: twice what an encoder of 8,192 tokens takes in.
pub const LONGEST: usize = 64 << 10;
/// A query has at most so many phrases, exclusions and fields: each looks at every document.
pub const MOST_CONSTRAINTS: usize = 256;
/// A query has at most so many beginnings of words: each stands for up to `postings::MOST_EXPANSIONS` words.
pub const MOST_PREFIXES: usize = 32;

/// A beginning shorter than this matches too much to mean anything.
const SHORTEST_PREFIX: usize = 2;

/// One piece of what was typed: up to the next space, or a quoted phrase.
struct Piece<'a> {
    excluded: bool,
    field: Option<&'a str>,
    text: &'a str,
    quoted: bool,
}

/// Reads a query.
pub fn parse(query: &str) -> ParsedQuery {
    let query = &query[..query.floor_char_boundary(LONGEST)];
    let plain = || ParsedQuery {
        text: query.to_owned(),
        ..ParsedQuery::default()
    };
    let Some(mut parsed) = read(query) else {
        return plain();
    };
    if parsed.text.trim().is_empty() && parsed.prefixes.is_empty() {
        // Nothing to look for: what was to be left out is meant as text.
        let only_exclusions = parsed.constraints.iter().all(|c| c.excluded);
        if only_exclusions && parsed.filters.is_empty() {
            parsed = plain();
        } else {
            let wanted = parsed.constraints.iter().filter(|c| !c.excluded);
            let words: Vec<&str> = wanted.map(|c| c.phrase.as_str()).collect();
            parsed.text = words.join(" ");
        }
    }
    parsed
}

impl ParsedQuery {
    fn asks_too_much(&self) -> bool {
        let constraints = self.constraints.len() + self.filters.len();
        constraints > MOST_CONSTRAINTS || self.prefixes.len() > MOST_PREFIXES
    }
}

/// What a query asks for; `None` if it asks for more than a query may.
fn read(query: &str) -> Option<ParsedQuery> {
    let mut parsed = ParsedQuery::default();
    let mut rest = query;
    while let Some(piece) = next_piece(&mut rest) {
        if parsed.asks_too_much() {
            return None;
        }
        match piece.field {
            Some("path" | "ext") if !piece.text.is_empty() => {
                let (sign, name) = (
                    if piece.excluded { "not " } else { "" },
                    piece.field.unwrap_or_default(),
                );
                let value = piece.text.replace('"', "");
                parsed.filters.push(format!("{sign}{name}:\"{value}\""));
                continue;
            }
            _ => {}
        }
        let place = match piece.field {
            Some("title") => Place::Title,
            _ => Place::Body,
        };
        if piece.excluded || piece.quoted || piece.field.is_some() {
            if piece.text.chars().any(char::is_alphanumeric) {
                parsed.constraints.push(Constraint {
                    place,
                    phrase: piece.text.to_owned(),
                    excluded: piece.excluded,
                });
            }
            if piece.excluded || place == Place::Title {
                continue;
            }
        } else if let Some(prefix) = piece.text.strip_suffix('*')
            && prefix.chars().count() >= SHORTEST_PREFIX
            && prefix.chars().all(char::is_alphanumeric)
        {
            parsed.prefixes.push(prefix.to_lowercase());
            continue;
        }
        if !parsed.text.is_empty() {
            parsed.text.push(' ');
        }
        parsed.text.push_str(piece.text);
    }
    (!parsed.asks_too_much()).then_some(parsed)
}

const FIELDS: [&str; 5] = ["title", "path", "ext", "text", "body"];

fn next_piece<'a>(rest: &mut &'a str) -> Option<Piece<'a>> {
    *rest = rest.trim_start();
    if rest.is_empty() {
        return None;
    }
    let mut piece = Piece {
        excluded: false,
        field: None,
        text: "",
        quoted: false,
    };
    let mut at = *rest;
    if let Some(after) = at.strip_prefix('-')
        && after.starts_with(|c: char| c.is_alphanumeric() || c == '"')
    {
        piece.excluded = true;
        at = after;
    }
    // Fields are looked for by name: a search for the colon would go through the whole rest for every word.
    let named = FIELDS.iter().find_map(|name| {
        let after = at.strip_prefix(name)?.strip_prefix(':')?;
        Some((*name, after))
    });
    if let Some((name, after)) = named
        && after.starts_with(|c: char| !c.is_whitespace())
    {
        piece.field = Some(name);
        at = after;
    }
    if let Some(after) = at.strip_prefix('"')
        && let Some((phrase, after)) = after.split_once('"')
    {
        piece.text = phrase;
        piece.quoted = true;
        *rest = after;
        return Some(piece);
    }
    let end = at.find(char::is_whitespace).unwrap_or(at.len());
    piece.text = &at[..end];
    *rest = &at[end..];
    Some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraint(place: Place, phrase: &str, excluded: bool) -> Constraint {
        Constraint {
            place,
            phrase: phrase.to_owned(),
            excluded,
        }
    }

    #[test]
    fn plain_text_is_taken_whole() {
        for text in [
            "how do plants eat",
            "well-known - 5 -",
            "std::vec http://x.org",
            "a \"b",
        ] {
            let parsed = parse(text);
            assert_eq!(parsed.text, text, "{text}");
            assert_eq!(parsed.constraints, []);
        }
    }

    #[test]
    fn phrases_are_scored_and_required() {
        let parsed = parse("find \"exact words\" here");
        assert_eq!(parsed.text, "find exact words here");
        assert_eq!(
            parsed.constraints,
            [constraint(Place::Body, "exact words", false)]
        );
    }

    #[test]
    fn excluded_words_are_not_part_of_the_text() {
        let parsed = parse("python -snake -\"monty python\"");
        assert_eq!(parsed.text, "python");
        assert_eq!(
            parsed.constraints,
            [
                constraint(Place::Body, "snake", true),
                constraint(Place::Body, "monty python", true)
            ]
        );
    }

    #[test]
    fn a_query_of_exclusions_alone_is_text() {
        assert_eq!(parse("-x").text, "-x");
        assert_eq!(parse("-x").constraints, []);
    }

    #[test]
    fn fields_and_prefixes() {
        let parsed = parse("title:rust title:\"the book\" path:docs/** -ext:pdf owner* a*");
        assert_eq!(parsed.prefixes, ["owner"]);
        assert_eq!(parsed.text, "a*");
        assert_eq!(parsed.filters, ["path:\"docs/**\"", "not ext:\"pdf\""]);
        assert_eq!(
            parsed.constraints[1],
            constraint(Place::Title, "the book", false)
        );
    }

    #[test]
    fn a_title_alone_is_also_what_is_looked_for() {
        assert_eq!(parse("title:ownership").text, "ownership");
    }

    #[test]
    fn what_asks_for_too_much_is_a_text() {
        for (word, most) in [
            ("-a ", MOST_CONSTRAINTS),
            ("\"a b\" ", MOST_CONSTRAINTS),
            ("ext:a ", MOST_CONSTRAINTS),
            ("ab* ", MOST_PREFIXES),
        ] {
            let query = |count: usize| format!("word {}", word.repeat(count));
            let parsed = parse(&query(most));
            assert_eq!(
                parsed.constraints.len() + parsed.filters.len() + parsed.prefixes.len(),
                most
            );
            let parsed = parse(&query(most + 1));
            assert_eq!(parsed.text, query(most + 1));
            assert!(parsed.constraints.is_empty() && parsed.filters.is_empty());
            assert!(parsed.prefixes.is_empty());
        }
    }

    /// Each of these took time that grew with the square of its length.
    #[test]
    fn a_megabyte_is_read_at_once() {
        for piece in [
            "a ",
            "\"",
            "-\"",
            "- ",
            "((",
            "text:",
            "-a ",
            "é\u{0}",
            "ab* ",
            "title:\"x\" ",
            "\\",
        ] {
            let query = piece.repeat((1 << 20) / piece.len());
            let begun = std::time::Instant::now();
            let parsed = parse(&query);
            let spent = begun.elapsed();
            assert!(spent.as_millis() < 500, "{spent:?} for {piece:?}");
            assert!(parsed.text.len() <= LONGEST);
        }
    }

    #[test]
    fn anything_parses() {
        let alphabet = [
            "\"", "-", ":", "*", " ", "title", "é", "path", "\u{0}", "\n", "a",
        ];
        let mut state = 1u32;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.push_str(alphabet[(state >> 16) as usize % alphabet.len()]);
            }
            parse(&text);
        }
    }
}
