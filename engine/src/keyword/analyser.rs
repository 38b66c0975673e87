//! Text to terms: word borders, case, stems; the same for documents and for queries.
//!
//! A word is a run of letters, digits and combining marks. Scripts written without spaces (Chinese,
//! Japanese, Thai and their neighbours), and Korean, whose particles are written on to words, give overlapping pairs of
//! characters instead, the usual way to find words in them without a dictionary. A word is brought to Unicode form NFKC, lower-cased,
//! stemmed, and loses its diacritics, so that "Cafés" and "cafe" are one term.

use std::borrow::Cow;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::language::Language;

/// Longer runs are no words but data (base64, hashes run together); they are not indexed.
pub const LONGEST_WORD: usize = 80;

/// A term of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What is looked up in the index.
    pub text: String,
    /// Its place among the terms of the text, stop words counted.
    pub position: u32,
    /// The word it was made from: byte offsets into the text.
    pub span: Range<usize>,
    /// Whether it is a stop word: stored for phrases, left out of scores.
    pub stop: bool,
}

/// Cuts text of one language into terms.
pub struct Analyser {
    language: Language,
    stemmer: Option<frostem::Stemmer>,
}

impl Analyser {
    /// An analyser for `language`.
    pub fn new(language: Language) -> Self {
        Analyser {
            language,
            stemmer: language.stemmer(),
        }
    }

    /// Every term of `text`, in order.
    pub fn terms(&self, text: &str) -> Vec<Term> {
        self.terms_if(text, |_| true)
    }

    /// The terms of those words of `text` for which `wanted` holds, in order.
    pub fn terms_if(&self, text: &str, wanted: impl Fn(&str) -> bool) -> Vec<Term> {
        let mut terms = Vec::new();
        for (position, word) in words(text).into_iter().enumerate() {
            if !wanted(&text[word.clone()]) {
                continue;
            }
            let Some((text, stop)) = self.term(&text[word.clone()]) else {
                continue;
            };
            terms.push(Term {
                text,
                position: position as u32,
                span: word,
                stop,
            });
        }
        terms
    }

    /// Whether the term of a word that begins with an ASCII letter begins with the same in lower case: English
    /// stems are beginnings of words but for some endings.
    pub fn keeps_initial(&self) -> bool {
        self.language == Language::English
    }

    /// The term of one word and whether it is a stop word; `None` if it is too long for a word.
    fn term(&self, word: &str) -> Option<(String, bool)> {
        if word.len() > LONGEST_WORD {
            return None;
        }
        let lower = if word.is_ascii() {
            word.to_ascii_lowercase()
        } else {
            word.nfkc().flat_map(char::to_lowercase).collect()
        };
        let stop = self.language.is_stop_word(&lower);
        let stem = match &self.stemmer {
            Some(stemmer) => stemmer.stem(&lower),
            None => Cow::Borrowed(lower.as_str()),
        };
        Some((fold(&stem), stop))
    }
}

/// Without diacritics, where the script has letters that are the same without.
fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let folds = |c: &char| matches!(*c as u32, 0x0300..=0x036F);
    word.nfd().filter(|c| !folds(c)).nfc().collect()
}

/// How a character takes part in words.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    /// Part of a word that is set off by spaces.
    Spaced,
    /// Of a script written without spaces, or with few.
    Unspaced,
    /// Between words.
    Between,
}

fn class(c: char) -> Class {
    if c.is_ascii() {
        return if c.is_ascii_alphanumeric() {
            Class::Spaced
        } else {
            Class::Between
        };
    }
    match c as u32 {
        // Thai, Lao, Myanmar, Khmer; kana; CJK ideographs with their extensions; Hangul syllables.
        0x0E00..=0x0EFF
        | 0x1000..=0x109F
        | 0x1780..=0x17FF
        | 0x3005..=0x3007
        | 0x3040..=0x30FF
        | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFF66..=0xFF9F
        | 0x20000..=0x3FFFF
            if c.is_alphanumeric() || is_combining_mark(c) =>
        {
            Class::Unspaced
        }
        _ if c.is_alphanumeric() || is_combining_mark(c) => Class::Spaced,
        _ => Class::Between,
    }
}

/// The byte spans of the words of `text`: runs of one class; unspaced runs as overlapping pairs.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut run: Option<(Class, usize)> = None;
    let end = std::iter::once((text.len(), ' '));
    for (at, c) in text.char_indices().chain(end) {
        let class = class(c);
        if let Some((running, start)) = run.take_if(|(running, _)| *running != class) {
            match running {
                Class::Unspaced => pairs(text, start..at, &mut words),
                _ => words.push(start..at),
            }
        }
        if run.is_none() && class != Class::Between {
            run = Some((class, at));
        }
    }
    words
}

/// Overlapping pairs of the characters of a run; a single character stands alone.
fn pairs(text: &str, run: Range<usize>, words: &mut Vec<Range<usize>>) {
    let borders: Vec<usize> = text[run.clone()]
        .char_indices()
        .map(|(at, _)| run.start + at)
        .chain([run.end])
        .collect();
    if borders.len() == 2 {
        words.push(run);
    } else {
        words.extend(borders.windows(3).map(|w| w[0]..w[2]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(language: Language, text: &str) -> Vec<String> {
        let terms = Analyser::new(language).terms(text);
        terms.into_iter().map(|term| term.text).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        assert_eq!(
            terms(Language::Other, "Error E0382: use of `moved_value` (3.14)"),
            ["error", "e0382", "use", "of", "moved", "value", "3", "14"]
        );
    }

    #[test]
    fn stems_and_stop_words_follow_the_language() {
        assert_eq!(
            terms(Language::English, "Running nations"),
            ["run", "nation"]
        );
        assert_eq!(terms(Language::German, "Häuser"), ["haus"]);
        let stops: Vec<bool> = Analyser::new(Language::English)
            .terms("The cat and the hat")
            .iter()
            .map(|term| term.stop)
            .collect();
        assert_eq!(stops, [true, false, true, true, false]);
    }

    #[test]
    fn case_width_and_diacritics_do_not_matter() {
        let plain = terms(Language::Other, "cafe uber naive istanbul abc");
        assert_eq!(
            terms(Language::Other, "CAFÉ Über nai\u{308}ve Istanbul ａｂｃ"),
            plain
        );
    }

    #[test]
    fn scripts_without_spaces_give_pairs() {
        assert_eq!(terms(Language::Other, "東京都 x"), ["東京", "京都", "x"]);
        assert_eq!(terms(Language::Other, "水"), ["水"]);
        assert_eq!(terms(Language::Other, "Rust入門"), ["rust", "入門"]);
    }

    #[test]
    fn korean_words_are_found_without_their_particles() {
        assert_eq!(terms(Language::Other, "햇빛이 x"), ["햇빛", "빛이", "x"]);
        assert_eq!(terms(Language::Other, "햇빛"), ["햇빛"]);
    }

    #[test]
    fn spans_point_at_the_words() {
        let text = "Ünïcode、東京都!";
        for term in Analyser::new(Language::Other).terms(text) {
            assert!(text.get(term.span.clone()).is_some(), "{term:?}");
        }
        assert_eq!(Analyser::new(Language::Other).terms(text)[0].span, 0..9);
    }

    #[test]
    fn runs_too_long_for_words_keep_their_place_but_are_left_out() {
        let text = format!("a {} b", "x".repeat(500));
        let found = Analyser::new(Language::Other).terms(&text);
        let places: Vec<_> = found.iter().map(|term| term.position).collect();
        assert_eq!(places, [0, 2]);
    }
}
