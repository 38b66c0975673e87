//! On a terminal, which util-linux's `script` plays.

use std::process::Command;

use crate::bench::{Bench, Done, feed, sections};

/// Runs the program on a terminal with this typed; `None` where there is no `script`.
fn typed(bench: &Bench, arguments: &str, variables: &[(&str, &str)], input: &str) -> Option<Done> {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: there is no program `script` to play a terminal");
        return None;
    }
    let mut command = Command::new("script");
    let program = format!("{} {arguments}", env!("CARGO_BIN_EXE_kenning"));
    command.args(["-qec", &program, "/dev/null"]);
    command
        .env_clear()
        .env("TERM", "xterm")
        .env("HOME", bench.home());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .env("KENNING_OFFLINE", "1")
        .envs(variables.iter().copied());
    command.current_dir(bench.folder());
    Some(feed(&mut command, input))
}

#[test]
fn a_terminal_gets_colour_unless_it_is_not_wanted() {
    let bench = Bench::indexed(&[("a.md", &sections(&["ants"]))]);
    let search = "search --mode keyword ants";
    let Some(coloured) = typed(&bench, search, &[], "") else {
        return;
    };
    assert!(coloured.out.contains("\x1b[1;33mants"), "{coloured:?}");
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = typed(&bench, search, &[variable], "").unwrap();
        assert!(plain.out.contains("a.md:1-"), "{plain:?}");
        assert!(!plain.out.contains('\x1b'), "{plain:?}");
    }
}

#[test]
fn the_prompt_answers_and_remembers() {
    let bench = Bench::indexed(&[("a.md", &sections(&["ants"]))]);
    let input = ":mode keyword\rants\r:nonsense\r:q\r";
    let Some(done) = typed(&bench, "repl", &[], input) else {
        return;
    };
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("kenning [keyword]> "), "{done:?}");
    assert!(done.out.contains("a.md:1-") && done.out.contains("no command :nonsense"));
    let history = bench.home().join(".local/state/kenning/history");
    let history = std::fs::read_to_string(history).unwrap();
    let lines: Vec<&str> = history.lines().skip(1).collect();
    assert_eq!(lines, [":mode keyword", "ants", ":nonsense", ":q"]);
}

/// What a document holds, shown where colours and bars are.
#[test]
fn on_a_terminal_too_nothing_of_a_document_commands_it() {
    let bench = crate::hostile::hostile();
    let model = crate::bench::model();
    let model = model.to_str().unwrap();
    for arguments in [
        &format!("index --model {model}"),
        "search --mode keyword ants -n 20 --passages 3 --explain",
        "search --mode keyword ants -n 20 --json",
        "search ants --filter x=$(printf '\\033]0;PWNED\\007')",
        "status",
        "doctor",
        "index --threads $(printf '\\033]0;PWNED\\007')",
        "similar page.html",
    ] {
        let Some(done) = typed(&bench, arguments, &[], "") else {
            return;
        };
        let shown = without_own(&done.out);
        let raw = |c: char| (c.is_control() && !matches!(c, '\n' | '\r')) || c == '\u{202e}';
        assert!(!shown.contains(raw), "{arguments}: {shown:?}");
    }
    let input = ":mode keyword\rants\r:show 1\r:explain 1\r:q\r";
    let done = typed(&bench, "repl", &[], input).unwrap();
    for (what, hostile) in [
        ("a title", "\x1b]"),
        ("a clear screen", "\x1b[2J"),
        ("a control", "\u{9b}"),
        ("a turn", "\u{202e}"),
    ] {
        assert!(!done.out.contains(hostile), "{what} in {:?}", done.out);
    }
}

/// What is shown without the colours and the movements of bars that the program itself asks for.
fn without_own(shown: &str) -> String {
    let mut rest = shown;
    let mut left = String::new();
    while let Some(at) = rest.find("\x1b[") {
        left.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after
            .find(|c: char| !c.is_ascii_digit() && c != ';')
            .unwrap_or(after.len());
        match after[end..].chars().next() {
            Some('m' | 'K' | 'A' | 'B' | 'G') => rest = &after[end + 1..],
            _ => {
                left.push_str("\x1b[");
                rest = after;
            }
        }
    }
    left + rest
}
