//! The part of a passage that answers best, and the words of the query in it.

use std::collections::HashMap;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::keyword::analyser::Analyser;
use crate::keyword::bm25::QueryTerm;
use crate::keyword::language::Language;

/// A snippet is about this long, in bytes; a sentence that is longer alone is cut around its words.
const LENGTH: usize = 280;

/// Finds the words of one query in texts.
pub struct Highlighter {
    analysers: Vec<Analyser>,
    weights: HashMap<String, f32>,
    prefixes: Vec<String>,
    /// First bytes of all these.
    initials: [bool; 256],
}

/// A snippet with the spans of the words that were found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snippet {
    /// One line of text.
    pub text: String,
    /// Byte spans in it, ascending.
    pub highlights: Vec<[usize; 2]>,
}

impl Highlighter {
    /// A highlighter for the words of a query over documents in `languages`.
    pub fn new(terms: &[QueryTerm], languages: &[Language]) -> Self {
        let mut weights = HashMap::new();
        let mut prefixes = Vec::new();
        for term in terms {
            prefixes.extend(term.beginning.iter().cloned());
            for text in &term.terms {
                weights.insert(text.clone(), term.weight);
            }
        }
        let mut initials = [false; 256];
        for text in weights.keys().chain(&prefixes) {
            if let Some(&first) = text.as_bytes().first() {
                initials[usize::from(first)] = true;
            }
        }
        Highlighter {
            initials,
            analysers: languages.iter().copied().map(Analyser::new).collect(),
            weights,
            prefixes,
        }
    }

    /// The query's words in `text`: spans, ascending, with the term each stands for.
    fn find(&self, text: &str) -> Vec<(Range<usize>, String)> {
        let mut found: Vec<(Range<usize>, String)> = Vec::new();
        for analyser in &self.analysers {
            // Most words need not be stemmed to see that they are none of the query's.
            let possible = |word: &str| match word.as_bytes().first() {
                Some(first) if first.is_ascii() && analyser.keeps_initial() => {
                    self.initials[usize::from(first.to_ascii_lowercase())]
                }
                _ => true,
            };
            for term in analyser.terms_if(text, possible) {
                let begins = |prefix: &String| term.text.starts_with(prefix.as_str());
                if self.weights.contains_key(&term.text) || self.prefixes.iter().any(begins) {
                    found.push((term.span, term.text));
                }
            }
        }
        found.sort_unstable_by_key(|(span, _)| (span.start, span.end));
        // Overlapping pairs of a script without spaces become one span.
        found.dedup_by(|next, kept| {
            let overlap = next.0.start < kept.0.end;
            if overlap {
                kept.0.end = kept.0.end.max(next.0.end);
            }
            overlap
        });
        found
    }

    /// The sentences of `text` that hold most of the query's words, from the first if none holds any.
    pub fn snippet(&self, text: &str) -> Snippet {
        let found = self.find(text);
        // Sentences that begin later are neither the best nor shown with it.
        let begins = text.len() - text.trim_start().len();
        let reach = found.last().map_or(begins, |(span, _)| span.end) + LENGTH;
        let sentences: Vec<Range<usize>> = text
            .split_sentence_bound_indices()
            .take_while(|(start, _)| *start <= reach)
            .map(|(start, sentence)| start..start + sentence.len())
            .filter(|span| !text[span.clone()].trim().is_empty())
            .collect();
        let Some(best) = self.best_sentence(&sentences, &found) else {
            return Snippet::default();
        };
        let mut window = sentences[best].clone();
        if window.len() > LENGTH {
            window = cut(text, window, &found);
        } else {
            // Grow by what follows, then by what precedes: an answer needs its context.
            let mut last = best;
            while let Some(next) = sentences.get(last + 1)
                && next.end - window.start <= LENGTH
            {
                window.end = next.end;
                last += 1;
            }
            let mut first = best;
            while first > 0 && window.end - sentences[first - 1].start <= LENGTH {
                first -= 1;
                window.start = sentences[first].start;
            }
        }
        flatten(text, window, &found)
    }

    fn best_sentence(
        &self,
        sentences: &[Range<usize>],
        found: &[(Range<usize>, String)],
    ) -> Option<usize> {
        let score = |sentence: &Range<usize>| {
            let within =
                |span: &Range<usize>| sentence.start <= span.start && span.end <= sentence.end;
            let mut terms: Vec<&str> = found
                .iter()
                .filter(|(span, _)| within(span))
                .map(|(_, term)| term.as_str())
                .collect();
            let repeats = terms.len() as f32;
            terms.sort_unstable();
            terms.dedup();
            let weight = |term: &&str| self.weights.get(*term).copied().unwrap_or(1.0);
            let different: f32 = terms.iter().map(weight).sum();
            different + 0.01 * repeats
        };
        let scored = sentences.iter().map(score).enumerate();
        // The first of the best: max_by would return the last.
        scored
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
            .map(|(place, _)| place)
    }
}

/// Cuts a long sentence to a window that begins a little before its first word of the query.
fn cut(text: &str, sentence: Range<usize>, found: &[(Range<usize>, String)]) -> Range<usize> {
    let first = found
        .iter()
        .find(|(span, _)| sentence.start <= span.start && span.end <= sentence.end)
        .map_or(sentence.start, |(span, _)| span.start);
    let from = first.saturating_sub(LENGTH / 4).max(sentence.start);
    let to = (from + LENGTH).min(sentence.end);
    let space = |at: usize| text[..at].ends_with(char::is_whitespace);
    let border = |at: usize| text.is_char_boundary(at);
    // To the next word border, if there is one near; to a character border in any case.
    let start = (from..first + 1)
        .find(|&at| border(at) && (at == sentence.start || space(at)))
        .or_else(|| (from..=first).find(|&at| border(at)))
        .unwrap_or(first);
    let near = to.saturating_sub(40).max(start);
    let end = (near..=to)
        .rev()
        .find(|&at| border(at) && (at == sentence.end || space(at)))
        .or_else(|| (start..=to).rev().find(|&at| border(at)))
        .unwrap_or(to);
    start..end
}

/// The window as one line, with the found spans moved along. Control characters become spaces, so
/// that a document cannot speak to the terminal.
fn flatten(text: &str, window: Range<usize>, found: &[(Range<usize>, String)]) -> Snippet {
    let mut snippet = Snippet::default();
    if !text[..window.start].trim().is_empty() {
        snippet.text.push('…');
    }
    let cut_off = !text[window.end..].trim().is_empty()
        && !text[window.clone()]
            .trim_end()
            .ends_with(['.', '!', '?', '。', '！', '？', ':']);
    let mut spans = found
        .iter()
        .map(|(span, _)| span)
        .filter(|span| window.start <= span.start && span.end <= window.end)
        .peekable();
    let mut open: Option<(usize, usize)> = None;
    let mut blank = true;
    for (at, c) in text[window.clone()].char_indices() {
        let at = window.start + at;
        if let Some((start, end)) = open
            && at >= end
        {
            snippet
                .highlights
                .push([start, snippet.text.trim_end().len()]);
            open = None;
        }
        if c.is_whitespace() || c.is_control() {
            if !blank {
                snippet.text.push(' ');
            }
            blank = true;
            continue;
        }
        if let Some(span) = spans.next_if(|span| span.start <= at) {
            open = Some((snippet.text.len(), span.end));
        }
        blank = false;
        snippet.text.push(c);
    }
    let length = snippet.text.trim_end().len();
    snippet.text.truncate(length);
    if let Some((start, _)) = open {
        snippet.highlights.push([start, length]);
    }
    if cut_off {
        snippet.text.push('…');
    }
    snippet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyword::bm25::query_terms;
    use crate::keyword::query::parse;

    fn snippet(query: &str, text: &str) -> Snippet {
        let languages = [Language::English];
        Highlighter::new(&query_terms(&parse(query), &languages), &languages).snippet(text)
    }

    fn marked(snippet: &Snippet) -> Vec<&str> {
        let spans = snippet.highlights.iter();
        spans
            .map(|[start, end]| &snippet.text[*start..*end])
            .collect()
    }

    #[test]
    fn the_sentence_with_the_words_is_shown() {
        let filler = "Nothing of interest happens in this sentence at all, it merely goes on. ";
        let text = format!(
            "{}The leaves catch sunlight. {}",
            filler.repeat(8),
            filler.repeat(8)
        );
        let found = snippet("sunlight leaves", &text);
        assert!(found.text.contains("The leaves catch sunlight."));
        assert_eq!(marked(&found), ["leaves", "sunlight"]);
        assert!(found.text.len() < LENGTH + 10);
    }

    #[test]
    fn without_words_it_begins_at_the_beginning() {
        let found = snippet("zebra", "First things first.\nThen the rest.");
        assert_eq!(found.text, "First things first. Then the rest.");
        assert_eq!(found.highlights, Vec::<[usize; 2]>::new());
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let found = snippet("red", "a \u{1b}[31m red\u{7} word\r\nend\t.");
        assert!(
            !found.text.contains(|c: char| c.is_control()),
            "{:?}",
            found.text
        );
        assert_eq!(marked(&found), ["red"]);
    }

    #[test]
    fn long_sentences_are_cut_around_the_word() {
        for filler in ["lorem ", "é", "日本語"] {
            let text = format!("{} needle {}", filler.repeat(400), filler.repeat(400));
            let found = snippet("needle", &text);
            assert_eq!(marked(&found), ["needle"], "{}", found.text);
            assert!(found.text.len() <= LENGTH + 8);
        }
    }

    #[test]
    fn words_are_found_by_any_of_their_forms_in_any_case() {
        for (query, word) in [
            ("sky", "Skies"),
            ("die", "DYING"),
            ("leaf", "Leaf"),
            ("cafe", "Cafés"),
            ("elan", "Élan"),
            ("photo*", "Photosynthesis"),
        ] {
            let found = snippet(query, &format!("Now {word} comes."));
            assert_eq!(marked(&found), [word]);
        }
    }

    #[test]
    fn blank_text_gives_nothing() {
        assert_eq!(snippet("x", " \n\t "), Snippet::default());
    }
}
