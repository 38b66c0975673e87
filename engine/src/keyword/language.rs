//! The languages whose words Kenning can reduce to their stems.

use frostem::Algorithm;

/// A language with a Snowball stemmer, or [`Language::Other`], whose words are taken as they stand.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Language {
    Arabic,
    Danish,
    Dutch,
    English,
    Finnish,
    French,
    German,
    Greek,
    Hungarian,
    Italian,
    Norwegian,
    Portuguese,
    Romanian,
    Russian,
    Spanish,
    Swedish,
    Tamil,
    Turkish,
    /// Any other: no stemming, no stop words.
    Other,
}

use Language::*;

/// Every language, with its ISO 639-1 code.
const CODES: [(Language, &str); 19] = [
    (Arabic, "ar"),
    (Danish, "da"),
    (Dutch, "nl"),
    (English, "en"),
    (Finnish, "fi"),
    (French, "fr"),
    (German, "de"),
    (Greek, "el"),
    (Hungarian, "hu"),
    (Italian, "it"),
    (Norwegian, "no"),
    (Portuguese, "pt"),
    (Romanian, "ro"),
    (Russian, "ru"),
    (Spanish, "es"),
    (Swedish, "sv"),
    (Tamil, "ta"),
    (Turkish, "tr"),
    (Other, "other"),
];

/// English function words, sorted: the list of the Natural Language Toolkit, less its one-letter words
/// that name things (vitamin D), and less what follows an apostrophe, which is no word here.
const ENGLISH_STOP_WORDS: [&str; 149] = [
    "a",
    "about",
    "above",
    "after",
    "again",
    "against",
    "ain",
    "all",
    "am",
    "an",
    "and",
    "any",
    "are",
    "aren",
    "as",
    "at",
    "be",
    "because",
    "been",
    "before",
    "being",
    "below",
    "between",
    "both",
    "but",
    "by",
    "can",
    "couldn",
    "did",
    "didn",
    "do",
    "does",
    "doesn",
    "doing",
    "don",
    "down",
    "during",
    "each",
    "few",
    "for",
    "from",
    "further",
    "had",
    "hadn",
    "has",
    "hasn",
    "have",
    "haven",
    "having",
    "he",
    "her",
    "here",
    "hers",
    "herself",
    "him",
    "himself",
    "his",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "isn",
    "it",
    "its",
    "itself",
    "just",
    "ll",
    "ma",
    "me",
    "mightn",
    "more",
    "most",
    "mustn",
    "my",
    "myself",
    "needn",
    "no",
    "nor",
    "not",
    "now",
    "of",
    "off",
    "on",
    "once",
    "only",
    "or",
    "other",
    "our",
    "ours",
    "ourselves",
    "out",
    "over",
    "own",
    "re",
    "s",
    "same",
    "shan",
    "she",
    "should",
    "shouldn",
    "so",
    "some",
    "such",
    "t",
    "than",
    "that",
    "the",
    "their",
    "theirs",
    "them",
    "themselves",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "through",
    "to",
    "too",
    "under",
    "until",
    "up",
    "ve",
    "very",
    "was",
    "wasn",
    "we",
    "were",
    "weren",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "whom",
    "why",
    "will",
    "with",
    "won",
    "wouldn",
    "you",
    "your",
    "yours",
    "yourself",
    "yourselves",
];

/// Texts are judged by their beginning: as many bytes as this.
const SAMPLE: usize = 4096;

impl Language {
    /// Every language, [`Language::Other`] last.
    pub fn all() -> impl Iterator<Item = Language> {
        CODES.iter().map(|(language, _)| *language)
    }

    /// The ISO 639-1 code, or "other".
    pub fn code(self) -> &'static str {
        let entry = CODES.iter().find(|(language, _)| *language == self);
        entry.map_or("other", |(_, code)| code)
    }

    /// The language of a code such as "de".
    pub fn from_code(code: &str) -> Option<Language> {
        let entry = CODES.iter().find(|(_, known)| *known == code);
        entry.map(|(language, _)| *language)
    }

    /// The language a text is most likely written in; English where that cannot be told, because a
    /// short text of unknown language is best searched as the default is.
    pub fn detect(text: &str) -> Language {
        let mut end = text.len().min(SAMPLE);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let Some(found) = whatlang::detect(&text[..end]) else {
            return English;
        };
        if !found.is_reliable() {
            return English;
        }
        match found.lang() {
            whatlang::Lang::Ara => Arabic,
            whatlang::Lang::Dan => Danish,
            whatlang::Lang::Nld => Dutch,
            whatlang::Lang::Eng => English,
            whatlang::Lang::Fin => Finnish,
            whatlang::Lang::Fra => French,
            whatlang::Lang::Deu => German,
            whatlang::Lang::Ell => Greek,
            whatlang::Lang::Hun => Hungarian,
            whatlang::Lang::Ita => Italian,
            whatlang::Lang::Nob => Norwegian,
            whatlang::Lang::Por => Portuguese,
            whatlang::Lang::Ron => Romanian,
            whatlang::Lang::Rus => Russian,
            whatlang::Lang::Spa => Spanish,
            whatlang::Lang::Swe => Swedish,
            whatlang::Lang::Tam => Tamil,
            whatlang::Lang::Tur => Turkish,
            _ => Other,
        }
    }

    /// The Snowball algorithm.
    pub(crate) fn stemmer(self) -> Option<frostem::Stemmer> {
        let algorithm = match self {
            Arabic => Algorithm::Arabic,
            Danish => Algorithm::Danish,
            Dutch => Algorithm::Dutch,
            English => Algorithm::English,
            Finnish => Algorithm::Finnish,
            French => Algorithm::French,
            German => Algorithm::German,
            Greek => Algorithm::Greek,
            Hungarian => Algorithm::Hungarian,
            Italian => Algorithm::Italian,
            Norwegian => Algorithm::Norwegian,
            Portuguese => Algorithm::Portuguese,
            Romanian => Algorithm::Romanian,
            Russian => Algorithm::Russian,
            Spanish => Algorithm::Spanish,
            Swedish => Algorithm::Swedish,
            Tamil => Algorithm::Tamil,
            Turkish => Algorithm::Turkish,
            Other => return None,
        };
        Some(frostem::Stemmer::new(algorithm))
    }

    /// Whether a lower-cased word says nothing about what a text is about.
    ///
    /// Only English has a list; in other languages the inverse document frequency
    /// alone keeps such words down.
    pub(crate) fn is_stop_word(self, word: &str) -> bool {
        self == English && ENGLISH_STOP_WORDS.binary_search(&word).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_both_ways() {
        for language in Language::all() {
            assert_eq!(Language::from_code(language.code()), Some(language));
        }
        assert_eq!(Language::from_code("tlh"), None);
    }

    #[test]
    fn long_texts_are_recognised_and_short_ones_are_english() {
        let german = "Die Bäume verlieren im Herbst ihre Blätter, weil die Tage kürzer werden und \
                      das Licht nicht mehr ausreicht, um die Arbeit der Blätter zu lohnen.";
        assert_eq!(Language::detect(german), German);
        assert_eq!(Language::detect("ok"), English);
        assert_eq!(Language::detect(""), English);
    }
}
