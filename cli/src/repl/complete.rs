//! The Tab key: commands, modes, and the paths of what is indexed.

use std::cell::RefCell;

use kenning::Index;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::line::COMMANDS;
use crate::terminal::is_obeyed;

/// So many paths are offered at once.
const MOST: usize = 200;

/// Completes lines of the prompt.
pub struct Completion {
    index: Index,
    /// Paths of a commit, with its number; read when the Tab key asks for them.
    paths: RefCell<Option<(u64, Vec<String>)>>,
}

impl Completion {
    /// Completes paths of this index.
    pub fn new(index: Index) -> Self {
        Completion {
            index,
            paths: RefCell::new(None),
        }
    }

    /// Indexed paths that begin so, up to their next folder; none if the index cannot be read, which
    /// the next question says better.
    fn paths(&self, begun: &str) -> Vec<String> {
        let mut known = self.paths.borrow_mut();
        if let Ok(snapshot) = self.index.snapshot()
            && known.as_ref().map(|(of, _)| *of) != Some(snapshot.generation())
        {
            let mut paths = Vec::new();
            let read = snapshot.for_each_document(|id, _| {
                paths.push(id);
                Ok(())
            });
            paths.sort_unstable();
            *known = read.ok().map(|()| (snapshot.generation(), paths));
        }
        let all = known.as_ref().map_or(&[][..], |(_, paths)| paths);
        steps(all, begun)
    }
}

/// Of the sorted paths that begin so, what comes up to the next `/`, each once.
fn steps(paths: &[String], begun: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let first = paths.partition_point(|path| path.as_str() < begun);
    for path in paths[first..]
        .iter()
        .take_while(|path| path.starts_with(begun))
    {
        if path.contains(is_obeyed) {
            continue;
        }
        let step = match path[begun.len()..].find('/') {
            Some(slash) => &path[..=begun.len() + slash],
            None => path,
        };
        if found.last().is_none_or(|last| last != step) {
            found.push(step.to_owned());
        }
        if found.len() == MOST {
            break;
        }
    }
    found
}

/// What stands before the cursor, as far as it can be completed.
#[derive(Debug, PartialEq)]
enum Open<'a> {
    Command(&'a str),
    Mode(&'a str),
    /// With or without spaces in it.
    Path(&'a str),
    /// After `path:`, where a space ends it.
    Pattern(&'a str),
}

fn open(line: &str) -> Option<Open<'_>> {
    if let Some(rest) = line.strip_prefix(":similar ") {
        return Some(Open::Path(rest));
    }
    if let Some(rest) = line.strip_prefix(":mode ") {
        return Some(Open::Mode(rest));
    }
    if line.starts_with(':') && !line.contains(char::is_whitespace) {
        return Some(Open::Command(line));
    }
    let word = &line[line.rfind([' ', '(']).map_or(0, |space| space + 1)..];
    word.trim_start_matches('-')
        .strip_prefix("path:")
        .map(Open::Pattern)
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let beginning = |begun: &str, words: &[&str]| {
            let words = words.iter().filter(|word| word.starts_with(begun));
            words.map(|word| (*word).to_owned()).collect::<Vec<_>>()
        };
        let (begun, found) = match open(&line[..cursor]) {
            None => return Ok((cursor, Vec::new())),
            Some(Open::Command(begun)) => {
                let mut names = beginning(begun, &COMMANDS.map(|(name, _, _)| name));
                for (name, takes, _) in COMMANDS {
                    if names == [name] && !takes.is_empty() {
                        names[0].push(' ');
                    }
                }
                (begun, names)
            }
            Some(Open::Mode(begun)) => {
                (begun, beginning(begun, &["hybrid", "semantic", "keyword"]))
            }
            Some(Open::Path(begun)) => (begun, self.paths(begun)),
            Some(Open::Pattern(begun)) => {
                let mut paths = self.paths(begun);
                paths.retain(|path| !path.contains(' '));
                (begun, paths)
            }
        };
        Ok((cursor - begun.len(), found))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_is_recognised() {
        assert_eq!(open(":mo"), Some(Open::Command(":mo")));
        assert_eq!(open(":mode k"), Some(Open::Mode("k")));
        assert_eq!(open(":similar a b"), Some(Open::Path("a b")));
        assert_eq!(open(":filter (path:no"), Some(Open::Pattern("no")));
        assert_eq!(open("tides path:no"), Some(Open::Pattern("no")));
        assert_eq!(open("tides at no"), None);
        assert_eq!(open(""), None);
    }

    #[test]
    fn paths_are_completed_folder_by_folder() {
        let paths = [
            "a.md",
            "notes/a.md",
            "notes/sub/x",
            "notes/sub/y",
            "notes\n",
            "notes/\u{202e}turned",
        ];
        let mut paths = paths.map(str::to_owned);
        paths.sort_unstable();
        assert_eq!(steps(&paths, "no"), ["notes/"]);
        assert_eq!(steps(&paths, "notes/"), ["notes/a.md", "notes/sub/"]);
        assert_eq!(steps(&paths, "notes/sub/y"), ["notes/sub/y"]);
        assert!(steps(&paths, "z").is_empty());
    }
}
