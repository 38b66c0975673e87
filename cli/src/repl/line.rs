//! A line of the prompt, read.

use crate::args::ModeArg;
use crate::failure::{Failure, Result};

/// The commands with what they take, for help and completion.
pub const COMMANDS: [(&str, &str, &str); 12] = [
    (":mode", "hybrid|semantic|keyword", "how to search"),
    (
        ":filter",
        "EXPR",
        "only where EXPR holds, as in ext:md; alone: everywhere",
    ),
    (":limit", "N", "how many hits to show at once"),
    (":more", "", "the next hits"),
    (":show", "N", "the whole passage of hit N"),
    (":open", "N", "hit N in your editor, at its line"),
    (":explain", "N", "how the score of hit N came about"),
    (
        ":similar",
        "N|FILE[:LINE]",
        "what is similar to a hit or a file",
    ),
    (":refresh", "", "index again what has changed"),
    (":status", "", "what is indexed"),
    (":help", "", "this list"),
    (":quit", "", "the end; so does Ctrl-D"),
];

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Blank,
    Question(String),
    Mode(ModeArg),
    Filter(Option<String>),
    Limit(usize),
    More,
    Show(usize),
    Open(usize),
    Explain(usize),
    SimilarHit(usize),
    SimilarFile(String),
    Refresh,
    Status,
    Help,
    Quit,
}

impl Line {
    /// Reads a line. What begins with a colon is a command, everything else a question, also what
    /// begins with a space and a colon.
    ///
    /// # Errors
    /// A wrong use, for an unknown command or one with something else than it takes.
    pub fn parse(text: &str) -> Result<Line> {
        if !text.starts_with(':') {
            let question = text.trim();
            return Ok(match question {
                "" => Line::Blank,
                _ => Line::Question(question.to_owned()),
            });
        }
        let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        match full_name(command)? {
            ":mode" => mode(rest),
            ":filter" => Ok(Line::Filter((!rest.is_empty()).then(|| rest.to_owned()))),
            ":limit" => number(command, rest).map(Line::Limit),
            ":show" => number(command, rest).map(Line::Show),
            ":open" => number(command, rest).map(Line::Open),
            ":explain" => number(command, rest).map(Line::Explain),
            ":similar" if rest.is_empty() => number(command, rest).map(Line::SimilarHit),
            ":similar" => Ok(match rest.parse() {
                Ok(number) => Line::SimilarHit(number),
                Err(_) => Line::SimilarFile(rest.to_owned()),
            }),
            name if !rest.is_empty() => Err(Failure::usage(
                format!("{name} takes nothing, and found {rest:?}"),
                ":help lists the commands",
            )),
            ":more" => Ok(Line::More),
            ":refresh" => Ok(Line::Refresh),
            ":status" => Ok(Line::Status),
            ":help" => Ok(Line::Help),
            _ => Ok(Line::Quit),
        }
    }
}

/// The command that a name or an unambiguous beginning of one stands for.
fn full_name(given: &str) -> Result<&'static str> {
    let names = COMMANDS.map(|(name, _, _)| name);
    let begun: Vec<&str> = names
        .into_iter()
        .filter(|name| given.len() > 1 && name.starts_with(given))
        .collect();
    match begun[..] {
        [name] => Ok(name),
        [] => Err(Failure::usage(
            format!("there is no command {given}"),
            ":help lists the commands; a question may begin with a space and a colon",
        )),
        _ => Err(Failure::usage(
            format!("{given} can mean {}", begun.join(" and ")),
            ":help lists the commands",
        )),
    }
}

fn mode(text: &str) -> Result<Line> {
    use clap::ValueEnum;
    ModeArg::from_str(text, true).map(Line::Mode).map_err(|_| {
        Failure::usage(
            format!("there is no mode {text:?}"),
            "the modes are hybrid, semantic and keyword",
        )
    })
}

fn number(command: &str, text: &str) -> Result<usize> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| {
        Failure::usage(
            format!("{command} needs a number, and found {text:?}"),
            format!("as in `{command} 1`"),
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn questions_and_commands_are_told_apart() {
        let question = |text: &str| Line::Question(text.to_owned());
        assert_eq!(
            Line::parse("how do plants eat ").unwrap(),
            question("how do plants eat")
        );
        assert_eq!(Line::parse(" :mode").unwrap(), question(":mode"));
        assert_eq!(Line::parse("  ").unwrap(), Line::Blank);
        assert_eq!(
            Line::parse(":mode keyword").unwrap(),
            Line::Mode(ModeArg::Keyword)
        );
        assert_eq!(Line::parse(":filter").unwrap(), Line::Filter(None));
        let filter = Line::Filter(Some("ext:md and size>3".to_owned()));
        assert_eq!(Line::parse(":filter  ext:md and size>3").unwrap(), filter);
        assert_eq!(Line::parse(":similar 2").unwrap(), Line::SimilarHit(2));
        let file = Line::SimilarFile("a b.md:3".to_owned());
        assert_eq!(Line::parse(":similar a b.md:3").unwrap(), file);
        assert_eq!(Line::parse(":q").unwrap(), Line::Quit);
    }

    #[test]
    fn every_command_in_the_list_is_understood() {
        for (name, takes, _) in COMMANDS {
            let line = match takes.chars().next() {
                Some('N') => format!("{name} 1"),
                _ => format!("{name} {}", takes.split('|').next().unwrap()),
            };
            assert!(Line::parse(&line).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense_comes_with_a_hint() {
        for line in [
            ":",
            ":nonsense",
            ":s",
            ":mode loud",
            ":limit",
            ":limit 0",
            ":show x",
            ":more 3",
            ":similar",
        ] {
            let failure = Line::parse(line).unwrap_err();
            assert_eq!(failure.code(), 2, "{line}");
            assert!(failure.hint().is_some(), "{line}");
        }
    }
}
